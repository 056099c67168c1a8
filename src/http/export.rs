//! `GET /api/v1/export/calls` and `/events`: ended calls, or their histories, as CSV or JSON lines, streamed.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;

use super::refusal::Refusal;
use super::routes::Route;
use super::schema::{free, text, text_of, usual, word};
use super::window::{Window, date, day};
use super::{HttpState, query};
use crate::store::{Export, ExportFormat, ExportOf, ExportQuery};

/// Most names of `data` that become columns.
const MAX_COLUMNS: usize = 50;
/// Most characters of `data`.
const MAX_DATA_CHARS: usize = 4_000;

pub(super) fn routes() -> Vec<Route> {
    let table = |route: Route| {
        route
            .asks(
                "from",
                day(),
                "первый день, по концу звонка; иначе 30 дней до to",
                "the first day, by the call's end; else 30 days before to",
            )
            .asks(
                "to",
                day(),
                "последний день, он входит; иначе сегодня",
                "the last day, it is in; else today",
            )
            .asks(
                "dialog",
                text(),
                "только этого диалога",
                "only of this dialog",
            )
            .asks(
                "format",
                usual(word(["csv", "jsonl"]), "csv"),
                "csv для Excel или JSON по строкам",
                "csv for Excel, or JSON lines",
            )
            .answers_as(200, "файл", "a file", "text/csv", text())
            .answers_as(
                200,
                "по объекту на строку",
                "an object a line",
                "application/x-ndjson",
                free(),
            )
    };
    vec![
        table(
            Route::of("GET", "/api/v1/export/calls", "export_calls", get(calls))
                .title(
                    "Законченные звонки, по строке на звонок",
                    "Ended calls, a row each",
                )
                .asks(
                    "data",
                    text_of(0, MAX_DATA_CHARS),
                    "какие данные диалога вынести в столбцы CSV: имена через запятую",
                    "names in data that get columns of CSV, with commas",
                ),
        ),
        table(
            Route::of("GET", "/api/v1/export/events", "export_events", get(events))
                .title("Истории законченных звонков", "Histories of ended calls"),
        ),
    ]
}

/// `GET /api/v1/export/calls?from=&to=&dialog=&format=&data=`
pub(super) async fn calls(
    State(state): State<HttpState>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    answer(&state, raw.as_deref(), ExportOf::Calls)
}

/// `GET /api/v1/export/events?from=&to=&dialog=&format=`
pub(super) async fn events(
    State(state): State<HttpState>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    answer(&state, raw.as_deref(), ExportOf::Events)
}

fn answer(state: &HttpState, raw: Option<&str>, of: ExportOf) -> Result<Response, Refusal> {
    let (mut from, mut to, mut dialog, mut data) = (None, None, None, Vec::new());
    let mut format = ExportFormat::Csv;
    for (name, value) in query::parse(raw.unwrap_or_default())? {
        match name.as_str() {
            "from" => from = Some(date("from", &value)?),
            "to" => to = Some(date("to", &value)?),
            "dialog" => dialog = Some(value),
            "format" => {
                format = match value.as_str() {
                    "csv" => ExportFormat::Csv,
                    "jsonl" => ExportFormat::Jsonl,
                    _ => {
                        return Err(Refusal::field(
                            "out_of_range",
                            "format",
                            "есть csv и jsonl",
                            "there are csv and jsonl",
                        ));
                    }
                }
            }
            "data" if of == ExportOf::Calls => {
                let names = value.split(',').map(str::trim);
                data = names
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect();
                let chars = value.chars().count();
                if chars > MAX_DATA_CHARS {
                    return Err(Refusal::field(
                        "too_long",
                        "data",
                        format!("{chars} знаков, можно не больше {MAX_DATA_CHARS}"),
                        format!("{chars} characters, at most {MAX_DATA_CHARS}"),
                    ));
                }
                if data.len() > MAX_COLUMNS {
                    return Err(Refusal::field(
                        "too_many",
                        "data",
                        format!("не больше {MAX_COLUMNS} имён через запятую"),
                        format!("at most {MAX_COLUMNS} names, with commas"),
                    ));
                }
            }
            // The table of requests lets no other name through.
            _ => {}
        }
    }
    let window = Window::new(from, to, state.now(), state.zone())?;
    let (begins, ends) = window
        .moments(state.zone())
        .ok_or_else(|| Refusal::failed(&"a window beyond time"))?;
    let (word, ending, kind) = match (of, format) {
        (ExportOf::Calls, ExportFormat::Csv) => ("calls", "csv", CSV),
        (ExportOf::Events, ExportFormat::Csv) => ("events", "csv", CSV),
        (ExportOf::Calls, ExportFormat::Jsonl) => ("calls", "jsonl", JSONL),
        (ExportOf::Events, ExportFormat::Jsonl) => ("events", "jsonl", JSONL),
    };
    let name = format!("{word}-{}-{}.{ending}", window.from, window.to);
    let export = Export::new(ExportQuery {
        of,
        format,
        from: begins,
        to: ends,
        dialog,
        data,
        zone: state.zone().clone(),
        language: state.language(),
    });
    Ok((attached(kind, &name), body(state.clone(), export)).into_response())
}

/// The content type of CSV.
pub(super) const CSV: &str = "text/csv; charset=utf-8";
const JSONL: &str = "application/x-ndjson; charset=utf-8";

/// The headers of a file to be saved.
pub(super) fn attached(kind: &'static str, name: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers
}

/// A piece is read when the one before it has gone out; between them nothing is held.
fn body(state: HttpState, export: Export) -> Body {
    Body::from_stream(stream::try_unfold(export, move |mut export| {
        let state = state.clone();
        async move {
            loop {
                if state.stop().is_cancelled() {
                    return Err(std::io::Error::other("the server stops"));
                }
                let read = state.store().export(export).await;
                let (next, bytes) = read.map_err(|error| {
                    tracing::error!(%error, "an export broke off");
                    std::io::Error::other("the store failed")
                })?;
                match bytes {
                    None => return Ok(None),
                    // A page without a call of that dialog.
                    Some(bytes) if bytes.is_empty() => export = next,
                    Some(bytes) => return Ok(Some((bytes, next))),
                }
            }
        }
    }))
}
