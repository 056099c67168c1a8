//! What changed since a cursor, and a call's history: pages of them, and waiting for the next change.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::orders::{answer, path_id};
use super::page::Page;
use super::refusal::Refusal;
use super::routes::Route;
use super::schema::{named, usual, whole};
use super::{HttpState, page, report};
use crate::store::MAX_PAGE;

/// Longest wait for a change, seconds.
const MAX_WAIT: u64 = 60;
/// Within this time of a commit its cursor is known.
const ANNOUNCED: Duration = Duration::from_millis(500);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("GET", "/api/v1/changes", "changes", get(list))
            .title(
                "Всё, что изменилось, по порядку: ничего не пропустится и не повторится",
                "All that changed, in order: nothing is skipped or told twice",
            )
            .pages(
                page::USUAL,
                (
                    "cursor прошлого ответа; вначале 0",
                    "the last answer's cursor; 0 at first",
                ),
                ("сколько изменений, не больше", "at most so many"),
            )
            .asks(
                "wait",
                usual(whole(0, MAX_WAIT as i64), 0),
                "ждать нового, секунд",
                "wait for news, seconds",
            )
            .answers(200, "изменения", "the changes", named("Changes")),
        Route::of(
            "GET",
            "/api/v1/calls/{id}/events",
            "call_events",
            get(events),
        )
        .title("История звонка по порядку", "A call's history, in order")
        .pages(
            MAX_PAGE,
            ("after прошлого ответа", "the last answer's after"),
            ("сколько строк, не больше", "at most so many lines"),
        )
        .answers(200, "строки истории", "lines of history", named("Events")),
    ]
}

/// `GET /api/v1/changes?after=&limit=&wait=`: where there is nothing yet, it waits up to `wait` seconds.
async fn list(
    State(state): State<HttpState>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let Page {
        after: cursor,
        limit,
    } = Page::of(raw.as_deref(), page::USUAL)?;
    let [wait] = page::numbers(raw.as_deref(), [("wait", 0, 0, MAX_WAIT)])?;
    let mut newest = state.store().newest_change();
    // A reader may see a commit a moment before it is announced, so a cursor gets that moment.
    let announced = async { newest.wait_for(|newest| cursor <= *newest).await.is_ok() };
    if tokio::time::timeout(ANNOUNCED, announced).await != Ok(true) {
        // A cursor from another store: to answer "nothing new" would lose everything from here on, unseen.
        return Err(Refusal::field(
            "unknown_cursor",
            "after",
            "такого места в изменениях ещё нет: базу сменили? Начните с after=0",
            "there is no such place yet: was the store replaced? Begin with after=0",
        ));
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(wait);
    loop {
        let page = state.store().changes(cursor, limit).await;
        let (changes, next) = page.map_err(|error| Refusal::store(&error))?;
        let grows = async {
            tokio::select! {
                changed = newest.changed() => changed.is_ok(),
                () = tokio::time::sleep_until(until) => false,
                () = state.stop().cancelled() => false,
            }
        };
        if changes.is_empty() && wait > 0 && grows.await {
            continue;
        }
        let telling = state.telling();
        let told: Vec<Value> = changes
            .iter()
            .map(|change| report::change(change, &telling))
            .collect();
        let more = told.len() == limit;
        let deleted = state.store().changes_deleted().await;
        let gap = cursor < deleted.map_err(|error| Refusal::store(&error))?;
        return Ok(answer(
            StatusCode::OK,
            &json!({ "changes": told, "cursor": next, "more": more, "gap": gap }),
        ));
    }
}

/// `GET /api/v1/calls/{id}/events?after=&limit=`
async fn events(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let id = path_id(path)?;
    let Page { after, limit } = Page::of(raw.as_deref(), MAX_PAGE)?;
    let after = after.unsigned_abs();
    let page = state.store().events(&id, after, limit).await;
    let events = page
        .map_err(|error| Refusal::store(&error))?
        .ok_or_else(Refusal::no_call)?;
    let next = events.last().map_or(after, |event| event.seq);
    let telling = state.telling();
    let told: Vec<Value> = events
        .iter()
        .map(|event| report::event(event, &telling))
        .collect();
    let more = told.len() == limit;
    Ok(answer(
        StatusCode::OK,
        &json!({ "id": id.as_str(), "events": told, "after": next, "more": more }),
    ))
}
