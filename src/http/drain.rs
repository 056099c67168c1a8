//! `/api/v1/drain`: finish what talks, start nothing; and back.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde_json::{Value, json};

use super::HttpState;
use super::orders::answer;
use super::routes::Route;
use super::schema::{count, flag, named, object};

pub(super) fn routes() -> Vec<Route> {
    let path = "/api/v1/drain";
    vec![
        Route::of("GET", path, "show_drain", get(show))
            .title(
                "Идёт ли слив: новые звонки не начинаются",
                "Whether it drains: nothing is started",
            )
            .answers(200, "слив", "the drain", named("Drain")),
        Route::of("POST", path, "begin_drain", post(begin))
            .title(
                "Новых звонков не начинать, начатые закончить",
                "Start nothing, finish what goes on",
            )
            .answers(200, "слив", "the drain", named("Drain")),
        Route::of("DELETE", path, "end_drain", delete(end))
            .title("Снова звонить", "Call again")
            .answers(200, "слив", "the drain", named("Drain")),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let drain = object(vec![
        ("draining", flag()),
        ("calls", count()),
        ("drained", flag()),
    ]);
    vec![("Drain", drain)]
}

/// `GET`: whether it is on, and what goes on still.
async fn show(State(state): State<HttpState>) -> Response {
    told(&state)
}

/// `POST`: nothing is started from now on. Harmless to repeat.
async fn begin(State(state): State<HttpState>) -> Response {
    if state.dialing().is_some_and(|dialing| dialing.drain(true)) {
        tracing::warn!("drain: no call is started until DELETE /api/v1/drain or a restart");
    }
    told(&state)
}

/// `DELETE`: as before. Harmless to repeat.
async fn end(State(state): State<HttpState>) -> Response {
    if state.dialing().is_some_and(|dialing| dialing.drain(false)) {
        tracing::info!("the drain is over: calls are started again");
    }
    told(&state)
}

fn told(state: &HttpState) -> Response {
    let drains = state.dialing().is_some_and(|dialing| dialing.drains());
    let calls = state.going_on();
    answer(
        StatusCode::OK,
        &json!({ "draining": drains, "calls": calls, "drained": drains && calls == 0 }),
    )
}
