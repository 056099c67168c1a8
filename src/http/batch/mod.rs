//! Many orders in one request, a JSON array or a line of JSON for each, read as they come.
//!
//! - Usually all or none: one wrong order, or one whose id has another order, refuses the whole batch, with every wrong line
//!   named, and nothing is kept. A sound batch is kept in one transaction.
//! - With `?report=lines` each order is for itself: they are kept by hundreds as they come, and the answer has a line for each.

mod split;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};

use self::split::{Piece, Splitter};
use super::refusal::Refusal;
use super::routes::Route;
use super::schema::{count, either, list, maybe, named, object, text, whole, word};
use super::{HttpState, body, dialogs, form, orders, query};
use crate::call::Order;
use crate::store::Taken;

/// Most orders of a batch.
const MAX_ORDERS: usize = 10_000;
/// Largest body, bytes.
const MAX_BODY: usize = 32 * 1024 * 1024;
/// Most wrong lines that are named.
const MAX_TOLD: usize = 100;
/// Orders that are kept together where each is for itself.
const CHUNK: usize = 500;
/// A batch may take so many times longer than another body.
const PATIENCE: u32 = 4;
/// One JSON a line.
const LINES: &str = "application/x-ndjson; charset=utf-8";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("POST", "/api/v1/calls/batch", "order_batch", post(create))
            .title("Заказать много звонков", "Order many calls")
            .asks(
                "report",
                word(["all", "lines"]),
                "all (обычно): всё или ничего; lines: каждый заказ сам по себе, в ответе строка JSON на каждый",
                "all (usual): all or nothing; lines: each order for itself, the answer has a line of JSON for each",
            )
            .takes(json!({ "type": "array", "items": named("Order"), "minItems": 1, "maxItems": MAX_ORDERS }))
            .or_takes("application/x-ndjson")
            .answers(200, "приняты", "taken", named("Batch"))
            .answers_as(200, "приняты", "taken", "application/x-ndjson", named("BatchLine"))
            .answers(
                409,
                "под одним из id уже другой заказ; не принят ни один",
                "an id has another order; none was taken",
                named("BatchRefused"),
            )
            .answers(
                422,
                "не принят ни один",
                "none was taken",
                either(vec![named("BatchRefused"), named("Refusal")]),
            ),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Batch",
            object(vec![
                ("accepted", count()),
                ("repeated", count()),
                ("ids", list(text())),
            ]),
        ),
        (
            "BatchRefused",
            object(vec![
                ("error", named("Error")),
                ("errors", list(named("Error"))),
                ("accepted", count()),
            ]),
        ),
        (
            "BatchLine",
            object(vec![
                ("line", whole(1, i64::MAX)),
                ("id", maybe(text())),
                ("status", whole(200, 599)),
                ("error", maybe(named("Error"))),
            ]),
        ),
    ]
}

/// `POST /api/v1/calls/batch[?report=lines]`
async fn create(
    State(state): State<HttpState>,
    RawQuery(raw): RawQuery,
    request: Request,
) -> Result<Response, Refusal> {
    let by_lines = by_lines(raw.as_deref().unwrap_or_default())?;
    let _turn = state
        .batches()
        .acquire()
        .await
        .map_err(|error| Refusal::failed(&error))?;
    let pieces = Pieces::of(&state, request)?;
    if by_lines {
        each_for_itself(&state, pieces).await
    } else {
        all_or_none(&state, pieces).await
    }
}

fn by_lines(raw: &str) -> Result<bool, Refusal> {
    for (name, value) in query::parse(raw)? {
        match (name.as_str(), value.as_str()) {
            ("report", "lines") => return Ok(true),
            ("report", "all") => return Ok(false),
            ("report", _) => {
                return Err(Refusal::field(
                    "wrong_value",
                    "report",
                    "можно all (всё или ничего) или lines (отчёт по строкам)",
                    "all (all or nothing) or lines (a report by lines) will do",
                ));
            }
            _ => {}
        }
    }
    Ok(false)
}

/// The orders of a body, one after another, as they come.
struct Pieces {
    body: Limited<Body>,
    splitter: Splitter,
    until: tokio::time::Instant,
    given: usize,
    ended: bool,
}

impl Pieces {
    fn of(state: &HttpState, request: Request) -> Result<Self, Refusal> {
        body::check(request.headers(), MAX_BODY)?;
        let patience: Duration = state.limits().body * PATIENCE;
        Ok(Self {
            body: Limited::new(request.into_body(), MAX_BODY),
            splitter: Splitter::new(),
            until: tokio::time::Instant::now() + patience,
            given: 0,
            ended: false,
        })
    }

    /// The next order's text; `None`: there are no more. A refusal ends it: what follows can't be told apart.
    async fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        loop {
            let piece = match self.ended {
                false => self.splitter.next()?,
                true => self.splitter.finish()?,
            };
            if let Some(piece) = piece {
                self.given += 1;
                if self.given > MAX_ORDERS {
                    return Err(too_many());
                }
                return Ok(Some(piece));
            }
            if self.ended {
                return Ok(None);
            }
            match tokio::time::timeout_at(self.until, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.splitter.push(bytes);
                    }
                }
                Ok(None) => self.ended = true,
                Ok(Some(Err(error))) if error.is::<LengthLimitError>() => {
                    return Err(body::too_large(MAX_BODY));
                }
                Ok(Some(Err(_))) => return Err(body::cut_off()),
                Err(_) => return Err(body::too_slow()),
            }
        }
    }
}

/// One piece as an order, with the hash by which a repeat is known.
fn read(state: &HttpState, piece: &Piece) -> Result<(Order, String), Refusal> {
    let read = || {
        let text = body::utf8(&piece.bytes)?;
        let order = form::from_json(&body::json(text, piece.line)?, state.zone())?;
        state.check_callback(order.callback.as_deref())?;
        let hash = form::hash(&order);
        Ok((order, hash))
    };
    read().map_err(|refusal: Refusal| refusal.at_line(piece.number))
}

async fn all_or_none(state: &HttpState, mut pieces: Pieces) -> Result<Response, Refusal> {
    let names = dialogs::Names::of(state);
    let (mut lines, mut sound) = (Vec::new(), Vec::new());
    let mut wrong = Vec::new();
    while let Some(piece) = pieces.next().await? {
        let order = match read(state, &piece) {
            Ok((order, hash)) => match fit(state, &names, &order, &hash).await? {
                Ok(()) => Ok((order, hash)),
                Err(refusal) => Err(refusal.at_line(piece.number)),
            },
            // What is no JSON may be anything.
            Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => return Err(refusal),
            Err(refusal) => Err(refusal),
        };
        match order {
            Ok(order) => {
                lines.push(piece.number);
                sound.push(order);
            }
            Err(refusal) => wrong.push(refusal),
        }
    }
    if !wrong.is_empty() {
        return Ok(refused(state, StatusCode::UNPROCESSABLE_ENTITY, &wrong));
    }
    if sound.is_empty() {
        return Err(empty());
    }
    let ids: Vec<String> = sound
        .iter()
        .map(|(order, _)| order.id.to_string())
        .collect();
    let taken = state.store().add_many(sound, true, state.now()).await;
    let taken = taken.map_err(|error| Refusal::store(&error))?;
    let conflicts = taken
        .iter()
        .zip(&lines)
        .filter(|(taken, _)| **taken == Taken::Conflict);
    let conflicts: Vec<Refusal> = conflicts
        .map(|(_, line)| orders::conflict().at_line(*line))
        .collect();
    if !conflicts.is_empty() {
        return Ok(refused(state, StatusCode::CONFLICT, &conflicts));
    }
    let accepted = taken.iter().filter(|taken| **taken == Taken::New).count();
    let repeated = taken.len() - accepted;
    tracing::info!(accepted, repeated, "a batch of orders was taken");
    // The ids in the orders' order: those that came without one learn theirs.
    let report = json!({ "accepted": accepted, "repeated": repeated, "ids": ids });
    Ok(orders::answer(StatusCode::OK, &report))
}

/// The order's dialog and prompt are there, or were when this very order was taken before.
async fn fit(
    state: &HttpState,
    names: &dialogs::Names,
    order: &Order,
    hash: &str,
) -> Result<Result<(), Refusal>, Refusal> {
    let Err(refusal) = names.fit(order) else {
        return Ok(Ok(()));
    };
    let known = orders::known(state, &order.id, hash).await?;
    Ok(if known.is_some() {
        Ok(())
    } else {
        Err(refusal)
    })
}

fn refused(state: &HttpState, status: StatusCode, wrong: &[Refusal]) -> Response {
    let told: Vec<Value> = wrong
        .iter()
        .take(MAX_TOLD)
        .map(|refusal| refusal.json(state.language()))
        .collect();
    let first = told.first().cloned();
    orders::answer(
        status,
        &json!({ "error": first, "errors": told, "accepted": 0 }),
    )
}

/// A line's number, and its order with its hash, or what is wrong with it.
type Line = (usize, Result<(Order, String), Refusal>);

/// The answer of many lines, as it grows.
struct Report {
    text: String,
    lines: usize,
    taken: usize,
}

impl Report {
    fn line(&mut self, line: usize, id: Option<&str>, status: u16, error: Option<Value>) {
        let told = json!({ "line": line, "id": id, "status": status, "error": error });
        self.text.push_str(&told.to_string());
        self.text.push('\n');
        self.lines += 1;
    }
}

async fn each_for_itself(state: &HttpState, mut pieces: Pieces) -> Result<Response, Refusal> {
    let names = dialogs::Names::of(state);
    let mut report = Report {
        text: String::new(),
        lines: 0,
        taken: 0,
    };
    loop {
        let mut chunk: Vec<Line> = Vec::with_capacity(CHUNK);
        let mut end = None;
        while chunk.len() < CHUNK && end.is_none() {
            match pieces.next().await {
                Ok(Some(piece)) => {
                    let order = match read(state, &piece) {
                        Ok((order, hash)) => {
                            let fits = fit(state, &names, &order, &hash).await?;
                            fits.map(|()| (order, hash))
                        }
                        Err(refusal) => Err(refusal),
                    };
                    chunk.push((piece.number, order));
                }
                Ok(None) => end = Some(Ok(())),
                Err(refusal) => end = Some(Err(refusal)),
            }
        }
        keep(state, chunk, &mut report).await?;
        match end {
            None => {}
            Some(Ok(())) => break,
            // Nothing was taken or told yet: an ordinary refusal.
            Some(Err(refusal)) if report.lines == 0 => return Err(refusal),
            Some(Err(refusal)) => {
                let line = pieces.splitter.number() + 1;
                let (status, error) = (
                    refusal.status.as_u16(),
                    refusal.at_line(line).json(state.language()),
                );
                report.line(line, None, status, Some(error));
                break;
            }
        }
    }
    if report.lines == 0 {
        return Err(empty());
    }
    tracing::info!(
        lines = report.lines,
        accepted = report.taken,
        "a batch of orders was taken line by line"
    );
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(LINES))];
    Ok((StatusCode::OK, kind, report.text).into_response())
}

/// Keeps what is sound of a chunk in one transaction, and tells each line in its order.
async fn keep(state: &HttpState, chunk: Vec<Line>, report: &mut Report) -> Result<(), Refusal> {
    let sound = chunk
        .iter()
        .filter_map(|(_, order)| order.as_ref().ok().cloned());
    let sound: Vec<(Order, String)> = sound.collect();
    let taken = if sound.is_empty() {
        Vec::new()
    } else {
        let taken = state.store().add_many(sound, false, state.now()).await;
        match taken {
            Ok(taken) => taken,
            Err(error) if report.lines == 0 => return Err(Refusal::store(&error)),
            Err(error) => {
                // Lines before these are kept and have to be told; these may be sent again with their ids.
                let refusal = Refusal::store(&error);
                for (line, order) in &chunk {
                    let id = order.as_ref().ok().map(|(order, _)| order.id.as_str());
                    let told = refusal.clone().at_line(*line).json(state.language());
                    report.line(*line, id, refusal.status.as_u16(), Some(told));
                }
                return Ok(());
            }
        }
    };
    let mut taken = taken.into_iter();
    for (line, order) in &chunk {
        match order {
            Ok((order, _)) => match taken.next() {
                Some(Taken::New) => {
                    report.taken += 1;
                    report.line(*line, Some(order.id.as_str()), 201, None);
                }
                Some(Taken::Same) => report.line(*line, Some(order.id.as_str()), 200, None),
                _ => {
                    let told = orders::conflict().at_line(*line).json(state.language());
                    report.line(*line, Some(order.id.as_str()), 409, Some(told));
                }
            },
            Err(refusal) => {
                let told = refusal.clone().at_line(*line).json(state.language());
                report.line(*line, None, refusal.status.as_u16(), Some(told));
            }
        }
    }
    Ok(())
}

fn empty() -> Refusal {
    Refusal::bad(
        "empty",
        "заказов нет: нужен массив JSON или по заказу на строку",
        "there are no orders: a JSON array or an order a line is wanted",
    )
}

fn too_many() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_many",
        format!("в пакете больше {MAX_ORDERS} заказов; разделите его"),
        format!("more than {MAX_ORDERS} orders in the batch; split it"),
    )
}
