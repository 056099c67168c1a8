//! `/api/v1/drain`: finish what talks, start nothing; and back.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::HttpState;
use super::orders::answer;

/// `GET`: whether it is on, and what goes on still.
pub(super) async fn show(State(state): State<HttpState>) -> Response {
    told(&state)
}

/// `POST`: nothing is started from now on. Harmless to repeat.
pub(super) async fn begin(State(state): State<HttpState>) -> Response {
    if state.dialing().is_some_and(|dialing| dialing.drain(true)) {
        tracing::warn!("drain: no call is started until DELETE /api/v1/drain or a restart");
    }
    told(&state)
}

/// `DELETE`: as before. Harmless to repeat.
pub(super) async fn end(State(state): State<HttpState>) -> Response {
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
