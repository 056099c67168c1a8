//! `GET /api/v1/reports/{name}`: how a dialog fares, for analysts: how calls end, how far talks come, what people say that
//! nothing matched, how long they wait.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::export::{CSV, attached};
use super::orders::answer;
use super::refusal::Refusal;
use super::routes::Route;
use super::schema::{count, list, maybe, named, text, text_of, told, usual, whole, word};
use super::titles::Titles;
use super::window::{Window, date, day};
use super::{HttpState, dialogs, query};
use crate::call::Status;
use crate::config::Language;
use crate::store::{Report, ReportQuery, StageReport, Times, UnmatchedText, csv_cell};

/// Texts where the query doesn't say, and at most.
const USUAL_TEXTS: usize = 50;
const MAX_TEXTS: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("GET", "/api/v1/reports/{name}", "report", get(show))
            .title(
                "Отчёт по диалогу: итоги, этапы, непонятое, время ответа",
                "A dialog's report: outcomes, stages, what nothing matched, how long people wait",
            )
            .asks(
                "from",
                day(),
                "первый день; иначе 30 дней до to",
                "the first day; else 30 days before to",
            )
            .asks(
                "to",
                day(),
                "последний день, он входит; иначе сегодня",
                "the last day, it is in; else today",
            )
            .asks(
                "version",
                text_of(0, 200),
                "только этой версии сценариев",
                "only of this version of the scripts",
            )
            .asks(
                "texts",
                usual(whole(0, MAX_TEXTS as i64), USUAL_TEXTS as u64),
                "сколько непонятых фраз",
                "how many texts that nothing matched",
            )
            .asks(
                "format",
                usual(word(["json", "csv"]), "json"),
                "json или csv для Excel",
                "json, or csv for Excel",
            )
            .answers(200, "отчёт", "the report", named("Report"))
            .answers_as(200, "таблица", "a table", "text/csv", text())
            .refuses(&[404]),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    vec![("Report", told_form())]
}

/// What a report is told with.
struct Told<'r> {
    dialog: &'r str,
    window: Window,
    version: Option<&'r str>,
    report: &'r Report,
    titles: Titles,
    language: Language,
    /// All of each, for shares.
    calls: u64,
    attempts: u64,
}

/// `GET /api/v1/reports/{name}?from=&to=&version=&texts=&format=json|csv`
pub(super) async fn show(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let dialog = path.map(|Path(name)| name).unwrap_or_default();
    let (mut from, mut to, mut version, mut csv) = (None, None, None, false);
    let mut texts = USUAL_TEXTS;
    for (name, value) in query::parse(raw.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "from" => from = Some(date("from", &value)?),
            "to" => to = Some(date("to", &value)?),
            "version" => version = Some(value),
            "format" => {
                csv = match value.as_str() {
                    "csv" => true,
                    "json" => false,
                    _ => {
                        return Err(out_of(
                            "format",
                            "есть json и csv",
                            "there are json and csv",
                        ));
                    }
                }
            }
            "texts" => {
                let number = value.parse().ok().filter(|n| *n <= MAX_TEXTS);
                texts = number.ok_or_else(|| {
                    out_of(
                        "texts",
                        &format!("нужно целое число от 0 до {MAX_TEXTS}"),
                        &format!("a whole number from 0 to {MAX_TEXTS} is wanted"),
                    )
                })?;
            }
            // The table of requests lets no other name through.
            _ => {}
        }
    }
    let window = Window::new(from, to, state.now(), state.zone())?;
    let asked = ReportQuery {
        dialog: dialog.clone(),
        from: window.from,
        to: window.to,
        version: version.clone(),
        texts,
    };
    let report = state.store().report(asked).await;
    let report = report.map_err(|error| Refusal::store(&error))?;
    // One that is gone from the folder still has its past.
    if report.calls.is_empty() && report.attempts.is_empty() {
        dialogs::Names::of(&state).known(&dialog)?;
    }
    let told = Told {
        dialog: &dialog,
        window,
        version: version.as_deref(),
        calls: report.calls.iter().map(|(_, count)| count).sum(),
        attempts: report.attempts.iter().map(|(_, count, _)| count).sum(),
        report: &report,
        titles: state.telling().titles,
        language: state.language(),
    };
    if csv {
        let name = format!("report-{}-{}.csv", window.from, window.to);
        return Ok((attached(CSV, &name), table(&told)).into_response());
    }
    Ok(answer(StatusCode::OK, &told_of(&told)))
}

fn out_of(field: &str, ru: &str, en: &str) -> Refusal {
    Refusal::field("out_of_range", field, ru, en)
}

/// Percent of `all`, to a tenth.
fn share(count: u64, all: u64) -> f64 {
    // Counts of calls: a float holds them exactly.
    #[allow(clippy::cast_precision_loss)]
    let share = count as f64 * 100.0 / all.max(1) as f64;
    (share * 10.0).round() / 10.0
}

fn seconds(ms: u64) -> u64 {
    (ms + 500) / 1000
}

fn step_title(step: &str, language: Language) -> &'static str {
    let (ru, en) = match step {
        "end_of_utterance" => (
            "Человек замолчал → фраза окончена",
            "The person stops → the utterance is over",
        ),
        "final_text" => ("Фраза окончена → текст", "The utterance is over → its text"),
        "decision" => (
            "Текст → решение диалога",
            "The text → the dialog's decision",
        ),
        "first_audio" => ("Решение → звук ответа", "The decision → sound"),
        _ => ("Человек замолчал → звук ответа", "The person stops → sound"),
    };
    language.pick(ru, en)
}

impl Told<'_> {
    /// For people: `Занято (busy)`.
    fn both(&self, outcome: &str) -> String {
        match self.outcome(outcome) {
            title if title == outcome => title,
            title => format!("{title} ({outcome})"),
        }
    }

    fn outcome(&self, outcome: &str) -> String {
        let status = Status::parse(outcome).map(|status| self.titles.status(status).to_owned());
        let title = self.titles.outcome(self.dialog, Some(outcome));
        status.or(title).unwrap_or_default()
    }
}

told! {
    /// The whole report.
    fn told_of(t: &Told<'_>), told_form {
        "dialog": text() => t.dialog,
        "from": day() => t.window.from.to_string(),
        "to": day() => t.window.to.to_string(),
        "version": maybe(text()) => t.version,
        "calls": count() => t.calls,
        "attempts": count() => t.attempts,
        "talks": count() => t.report.talks.count,
        "talk_s": count() => seconds(t.report.talks.sum_ms),
        "talk": times_form() => times(&t.report.talks),
        "versions": list(named_count_form()) => all(&t.report.versions, |(word, count)| named_count(word, *count)),
        "outcomes": list(outcome_form()) => all(&t.report.calls, |(word, count)| outcome(t, word, *count)),
        "attempt_outcomes": list(attempt_form()) => all(&t.report.attempts, |one| attempt(t, one)),
        "stages": list(stage_form()) => all(&t.report.stages, |one| stage(t, one)),
        "windows": list(named_count_form()) => all(&t.report.windows, |(word, count)| named_count(word, *count)),
        "unmatched": count() => t.report.unmatched,
        "texts": list(said_form()) => all(&t.report.texts, said),
        "turns": list(turn_form()) => all(&t.report.turns, |(step, of)| turn(t, step, of)),
        "recognizers": list(recognizer_form()) => all(&t.report.recognizers, |(name, ms)| recognizer(name, *ms)),
        "pending": count() => t.report.pending,
    }
}

fn all<T>(of: &[T], one: impl FnMut(&T) -> Value) -> Vec<Value> {
    of.iter().map(one).collect()
}

told! {
    /// Durations; percentiles are at most 5 % over.
    fn times(of: &Times), times_form {
        "count": count() => of.count,
        "p50_ms": maybe(count()) => of.p50_ms,
        "p95_ms": maybe(count()) => of.p95_ms,
        "p99_ms": maybe(count()) => of.p99_ms,
    }
}

told! {
    /// So many of that name.
    fn named_count(name: &str, number: u64), named_count_form {
        "name": text() => name,
        "count": count() => number,
    }
}

told! {
    /// How many calls ended so.
    fn outcome(t: &Told<'_>, word: &str, number: u64), outcome_form {
        "outcome": text() => word,
        "outcome_title": text() => t.outcome(word),
        "count": count() => number,
        "percent": percent() => share(number, t.calls),
    }
}

told! {
    /// How many attempts ended so.
    fn attempt(t: &Told<'_>, of: &(String, u64, u64)), attempt_form {
        "outcome": text() => of.0,
        "outcome_title": text() => t.outcome(&of.0),
        "count": count() => of.1,
        "percent": percent() => share(of.1, t.attempts),
        "talk_s": count() => seconds(of.2),
    }
}

told! {
    /// How many talks reached a stage, ended in it, and were left in it by the person.
    fn stage(t: &Told<'_>, of: &StageReport), stage_form {
        "stage": text() => of.stage,
        "reached": count() => of.reached,
        "percent": percent() => share(of.reached, t.report.talks.count),
        "ended": count() => of.ended,
        "left": count() => of.left,
        "left_percent": percent() => share(of.left, of.reached),
    }
}

told! {
    /// A text that nothing matched, with what was asked and a call as an example.
    fn said(of: &UnmatchedText), said_form {
        "text": text() => of.text,
        "count": count() => of.count,
        "stage": text() => of.stage,
        "question": text() => of.question,
        "call_id": text() => of.call_id,
    }
}

told! {
    /// A step of turns.
    fn turn(t: &Told<'_>, step: &str, of: &Times), turn_form {
        "step": text() => step,
        "title": text() => step_title(step, t.language),
        "count": count() => of.count,
        "p50_ms": maybe(count()) => of.p50_ms,
        "p95_ms": maybe(count()) => of.p95_ms,
        "p99_ms": maybe(count()) => of.p99_ms,
    }
}

told! {
    /// What a recognizer was sent.
    fn recognizer(name: &str, ms: u64), recognizer_form {
        "name": text() => name,
        "sent_s": count() => seconds(ms),
    }
}

fn percent() -> Value {
    json!({ "type": "number", "minimum": 0 })
}

/// A table of all of it: a section, what is counted, how many, what part; times; examples.
fn table(told: &Told<'_>) -> Vec<u8> {
    let (report, language) = (told.report, told.language);
    let mut written = String::from("\u{feff}");
    let mut row = |cells: [String; 9]| {
        written.push_str(&cells.join(";"));
        written.push_str("\r\n");
    };
    let heading = language.pick(
        [
            "Раздел",
            "Показатель",
            "Количество",
            "Доля, %",
            "Секунд",
            "50 %, мс",
            "95 %, мс",
            "99 %, мс",
            "Пример",
        ],
        [
            "Section", "What", "Count", "Percent", "Seconds", "p50, ms", "p95, ms", "p99, ms",
            "Example",
        ],
    );
    row(heading.map(str::to_owned));
    let percent = |count, all| {
        let text = share(count, all).to_string();
        // Excel in Russian reads a comma.
        language.pick(text.replace('.', ","), text)
    };
    let none = String::new;
    let line = |section: &str, what: &str, count: u64, percent: String, seconds: String| {
        [
            section.to_owned(),
            csv_cell(what),
            count.to_string(),
            percent,
            seconds,
            none(),
            none(),
            none(),
            none(),
        ]
    };
    let of = |times: &Times| {
        let ms = |ms: Option<u64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
        [ms(times.p50_ms), ms(times.p95_ms), ms(times.p99_ms)]
    };
    let (all_calls, all_attempts) = (told.calls, told.attempts);
    let talks = report.talks.count;
    let section = language.pick("Итоги звонков", "How calls ended");
    for (outcome, count) in &report.calls {
        row(line(
            section,
            &told.both(outcome),
            *count,
            percent(*count, all_calls),
            none(),
        ));
    }
    let section = language.pick("Итоги попыток", "How attempts ended");
    for (outcome, count, talk_ms) in &report.attempts {
        let seconds = seconds(*talk_ms).to_string();
        row(line(
            section,
            &told.both(outcome),
            *count,
            percent(*count, all_attempts),
            seconds,
        ));
    }
    let section = language.pick("Дошли до этапа", "Reached the stage");
    for stage in &report.stages {
        row(line(
            section,
            &stage.stage,
            stage.reached,
            percent(stage.reached, talks),
            none(),
        ));
    }
    let section = language.pick("Бросили трубку на этапе", "Hung up in the stage");
    for stage in &report.stages {
        row(line(
            section,
            &stage.stage,
            stage.left,
            percent(stage.left, stage.reached),
            none(),
        ));
    }
    let section = language.pick("Чем кончались вопросы", "How questions ended");
    let questions: u64 = report.windows.iter().map(|(_, count)| count).sum();
    for (reason, count) in &report.windows {
        row(line(
            section,
            reason,
            *count,
            percent(*count, questions),
            none(),
        ));
    }
    let section = language.pick("Сказано, но не понято", "Said, and matched by nothing");
    for said in &report.texts {
        let mut cells = line(
            section,
            &said.text,
            said.count,
            percent(said.count, report.unmatched),
            none(),
        );
        let example = format!("{}: {} ({})", said.stage, said.question, said.call_id);
        cells[8] = csv_cell(&example);
        row(cells);
    }
    let section = language.pick("Время ответа", "How long people wait");
    for (step, times) in &report.turns {
        let mut cells = line(
            section,
            step_title(step, language),
            times.count,
            none(),
            none(),
        );
        cells[5..8].clone_from_slice(&of(times));
        row(cells);
    }
    let section = language.pick("Разговоры", "Talks");
    let what = language.pick("Длительность", "How long");
    let talked = seconds(report.talks.sum_ms).to_string();
    let mut cells = line(section, what, talks, none(), talked);
    cells[5..8].clone_from_slice(&of(&report.talks));
    row(cells);
    let section = language.pick("Отправлено распознавателю", "Sent to recognizers");
    for (name, ms) in &report.recognizers {
        let mut cells = line(section, name, 0, none(), seconds(*ms).to_string());
        cells[2] = none();
        row(cells);
    }
    written.into_bytes()
}
