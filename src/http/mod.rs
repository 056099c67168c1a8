//! HTTP for 1C: orders in, states and changes out. JSON in UTF-8; Bearer or Basic; a wrong request changes nothing.
//!
//! ```text
//! serve ─ tell (language of refusals, counters) ─ auth::guard ─┬─ orders   POST/GET/DELETE /api/v1/calls, GET /call
//!                                                              ├─ batch    POST /api/v1/calls/batch
//!                                                              ├─ changes  GET /api/v1/changes, …/events
//!                                                              ├─ callbacks GET /api/v1/callbacks, …/retry; Sender delivers
//!                                                              ├─ do_not_call GET/POST/DELETE /api/v1/do_not_call
//!                                                              ├─ dialogs  GET /api/v1/dialogs
//!                                                              ├─ drain    GET/POST/DELETE /api/v1/drain
//!                                                              ├─ health   GET /healthz, /metrics
//!                                                              └─ openapi  GET /api/v1/openapi.json
//! ```
//!
//! The paths are one table in `routes`, from which the router and the OpenAPI document are built; it says how a new request joins.
//!
//! What HTTP needs of the rest is in [`HttpState`]: the store, the library of dialogs, and small closures for what the app
//! joins (the parts' health and numbers, hanging up a call that is cancelled).

mod amend;
mod auth;
mod batch;
mod body;
mod callbacks;
mod changes;
mod dialogs;
mod do_not_call;
mod drain;
mod export;
mod form;
mod health;
mod openapi;
mod orders;
mod page;
mod query;
mod range;
mod recording;
mod refusal;
mod report;
mod reports;
mod routes;
mod schema;
mod serve;
mod state;
#[cfg(test)]
mod tests;
mod time;
mod titles;
mod window;

pub use auth::OpenToAll;
pub use callbacks::{Parcel, Post, PostFault, Sender};
pub use health::{HealthPart, Histogram, Metric, Number};
pub use serve::{Limits, serve};
pub use state::HttpState;
