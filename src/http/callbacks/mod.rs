//! Callbacks: ends of calls told to 1C as they come, signed, at least once, in each call's order. [`Sender`] delivers what the
//! store's outbox holds; here are the requests by which people look at it.

mod sender;
mod sign;

pub(super) use sender::Counts;
pub use sender::{Parcel, Post, PostFault, Sender};

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::orders::answer;
use super::page::{self, Page};
use super::refusal::Refusal;
use super::report;
use super::routes::Route;
use super::schema::{count, flag, list as list_of, named, object, word};
use super::{HttpState, query};
use crate::config::nearest;
use crate::store::CallbackState;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("GET", "/api/v1/callbacks", "callbacks", get(list))
            .title(
                "Доставки обратных вызовов по порядку",
                "Deliveries of callbacks, in order",
            )
            .asks(
                "state",
                word(CallbackState::ALL.map(CallbackState::as_str)),
                "какие; иначе все",
                "which; else all",
            )
            .pages(
                page::USUAL,
                ("after прошлого ответа", "the last answer's after"),
                ("сколько, не больше", "at most so many"),
            )
            .answers(200, "доставки", "deliveries", named("Callbacks")),
        Route::of(
            "POST",
            "/api/v1/callbacks/{n}/retry",
            "retry_callback",
            post(retry),
        )
        .title("Доставить ещё раз, сейчас", "Deliver once more, now")
        .answers(200, "доставка", "the delivery", named("Callback"))
        .refuses(&[409]),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let page = vec![
        ("callbacks", list_of(named("Callback"))),
        ("after", count()),
        ("more", flag()),
    ];
    vec![("Callbacks", object(page))]
}

/// `GET /api/v1/callbacks?state=&after=&limit=`
async fn list(
    State(state): State<HttpState>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let words = CallbackState::ALL.map(CallbackState::as_str);
    let mut wanted = None;
    for (name, value) in query::parse(raw.as_deref().unwrap_or_default())? {
        if name == "state" {
            wanted = Some(CallbackState::parse(&value).ok_or_else(|| {
                let near = nearest(&value, words)
                    .map(|near| format!("{near}? "))
                    .unwrap_or_default();
                let all = words.join(", ");
                Refusal::field(
                    "wrong_value",
                    "state",
                    format!("такого состояния нет; {near}Есть: {all}"),
                    format!("there is no such state; {near}There are: {all}"),
                )
            })?);
        }
    }
    let Page { after, limit } = Page::of(raw.as_deref(), page::USUAL)?;
    let found = state.store().callbacks(wanted, after, limit).await;
    let found = found.map_err(|error| Refusal::store(&error))?;
    let telling = state.telling();
    let told: Vec<Value> = found
        .iter()
        .map(|one| report::callback(one, &telling))
        .collect();
    let next = found.last().map_or(after, |one| one.n);
    let more = told.len() == limit;
    Ok(answer(
        StatusCode::OK,
        &json!({ "callbacks": told, "after": next, "more": more }),
    ))
}

/// `POST /api/v1/callbacks/{n}/retry`
async fn retry(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let text = path.map(|Path(text)| text).unwrap_or_default();
    let none = || {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "no_callback",
            "доставки с таким номером нет; номера — в GET /api/v1/callbacks",
            "there is no delivery of that number; GET /api/v1/callbacks has the numbers",
        )
    };
    let n: i64 = text.parse().map_err(|_| none())?;
    let found = state.store().retry_callback(n, state.now()).await;
    let found = found
        .map_err(|error| Refusal::store(&error))?
        .ok_or_else(none)?;
    if found.state == CallbackState::Delivered {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "delivered",
            "уже доставлено, повторять нечего",
            "it is delivered already",
        ));
    }
    Ok(answer(
        StatusCode::OK,
        &report::callback(&found, &state.telling()),
    ))
}
