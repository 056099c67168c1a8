//! HTTP for 1C: orders in, states and changes out. JSON in UTF-8; Bearer or Basic; a wrong request changes nothing.
//!
//! ```text
//! serve ─ tell (language of refusals, counters) ─ auth::guard ─┬─ orders   POST/GET/DELETE /api/v1/calls, GET /call
//!                                                              ├─ batch    POST /api/v1/calls/batch
//!                                                              ├─ changes  GET /api/v1/changes, …/events
//!                                                              ├─ dialogs  GET /api/v1/dialogs
//!                                                              ├─ drain    GET/POST/DELETE /api/v1/drain
//!                                                              └─ health   GET /healthz, /metrics
//! ```
//!
//! What HTTP needs of the rest is in [`HttpState`]: the store, the library of dialogs, and small closures for what the app
//! joins (the parts' health and numbers, hanging up a call that is cancelled).

mod auth;
mod batch;
mod body;
mod changes;
mod dialogs;
mod drain;
mod form;
mod health;
mod orders;
mod query;
mod refusal;
mod report;
mod serve;
mod state;
#[cfg(test)]
mod tests;

pub use auth::OpenToAll;
pub use health::{HealthPart, Histogram, Metric, Number};
pub use serve::{Limits, serve};
pub use state::HttpState;

use axum::routing::{get, post};
use axum::{Router, middleware};

/// Every path that is served.
fn router(state: HttpState) -> Router {
    Router::new()
        .route("/call", orders::simple_route())
        .route("/api/v1/calls", post(orders::create))
        .route("/api/v1/calls/batch", post(batch::create))
        .route(
            "/api/v1/calls/{id}",
            get(orders::show).delete(orders::cancel),
        )
        .route("/api/v1/calls/{id}/events", get(changes::events))
        .route("/api/v1/changes", get(changes::list))
        .route("/api/v1/dialogs", get(dialogs::list))
        .route("/api/v1/dialogs/rollback", post(dialogs::rollback))
        .route("/api/v1/dialogs/{name}", get(dialogs::show))
        .route(
            "/api/v1/drain",
            get(drain::show).post(drain::begin).delete(drain::end),
        )
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(health::metrics))
        .layer(middleware::from_fn_with_state(state.clone(), auth::guard))
        .layer(middleware::from_fn_with_state(state.clone(), refusal::tell))
        .with_state(state)
}
