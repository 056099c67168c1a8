//! `PATCH /api/v1/calls/{id}`: an order that waits is changed; what is left out stays as it is.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::patch;
use serde_json::Value;

use super::orders::{answer, path_id, record};
use super::refusal::Refusal;
use super::routes::Route;
use super::schema::named;
use super::{HttpState, body, dialogs, form, report};
use crate::store::{Admit, Amended};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("PATCH", "/api/v1/calls/{id}", "change_order", patch(amend))
            .title(
                "Изменить заказ, пока он ждёт",
                "Change an order while it waits",
            )
            .takes(named("OrderPatch"))
            .answers(
                200,
                "заказ, каким он стал",
                "the order as it is now",
                named("Call"),
            )
            .refuses(&[409]),
    ]
}

async fn amend(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let id = path_id(path)?;
    let value: Value = body::one(&state, request).await?;
    let patch = form::patch_from_json(&value, state.zone())?;
    if let Some(callback) = &patch.callback {
        state.check_callback(callback.as_deref())?;
    }
    dialogs::Names::of(&state).patch_fits(&patch)?;
    let admit: Arc<dyn Admit> = state.rules().clone();
    // Which of the wishes made it impossible, where one does.
    let culprit = [
        ("hours", patch.hours.is_some()),
        ("zone", patch.zone.is_some()),
        ("rules", patch.rules.is_some()),
    ];
    let culprit = culprit.into_iter().find(|(_, given)| *given);
    let culprit = culprit.map_or("not_before", |(name, _)| name);
    let amended = state.store().amend(&id, patch, &admit, state.now()).await;
    match amended.map_err(|error| Refusal::store(&error))? {
        Amended::Done => tracing::info!(call = %id, "an order was changed"),
        Amended::AsItWas => {}
        Amended::NotQueued(status) => {
            let status = status.as_str();
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "not_queued",
                format!(
                    "заказ уже не ждёт ({status}), менять его поздно; отменить можно запросом DELETE"
                ),
                format!(
                    "the order doesn't wait any more ({status}): too late to change it; DELETE cancels it"
                ),
            ));
        }
        Amended::TooFewAttempts { made } => {
            return Err(Refusal::field(
                "out_of_range",
                "attempts",
                format!(
                    "попыток уже было {made}; можно от {} до 20, или отмените заказ",
                    made + 1
                ),
                format!(
                    "{made} attempts were made already; {} to 20 will do, or cancel the order",
                    made + 1
                ),
            ));
        }
        Amended::ExpiresFirst => return Err(form::expires_first()),
        Amended::Refused(reason) => {
            tracing::debug!(call = %id, rule = reason.rule, "a change would end the order");
            return Err(dialogs::never_opens(culprit));
        }
        Amended::Unknown => return Err(Refusal::no_call()),
    }
    let call = record(&state, &id).await?;
    Ok(answer(
        StatusCode::OK,
        &report::call(&call, &state.telling()),
    ))
}
