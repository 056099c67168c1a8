//! Orders: taken once however often they are sent, shown, cancelled.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use serde_json::Value;

use super::refusal::{JSON, Refusal, ident};
use super::routes::Route;
use super::schema::{named, text_of};
use super::{HttpState, body, dialogs, form, query, report};
use crate::call::{Order, Status};
use crate::ident::CallId;
use crate::store::{Added, CallRecord, Cancelled};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("GET", "/call", "simple_order", simple_route())
            .title(
                "Самый простой заказ; все прочие параметры получает диалог",
                "The simplest order; all other parameters go to the dialog",
            )
            .needs("phone", form::phone_form(), "кому звонить", "whom to call")
            .needs(
                "dialog",
                text_of(1, form::MAX_NAME),
                "каким диалогом",
                "by which dialog",
            )
            .asks(
                "id",
                text_of(0, 100),
                "ваш номер звонка",
                "your own id of the call",
            )
            .asks(
                "file",
                text_of(0, form::MAX_NAME),
                "файл, который проиграть сначала",
                "a prompt to play first",
            )
            .takes_any()
            .takes_an_order(),
        Route::of("POST", "/api/v1/calls", "order", post(create))
            .title("Заказать звонок", "Order a call")
            .takes(named("Order"))
            .takes_an_order(),
        Route::of("GET", "/api/v1/calls/{id}", "show_call", get(show))
            .title(
                "Звонок: состояние, итог, данные, разговор",
                "A call: status, outcome, data, transcript",
            )
            .answers(200, "звонок", "the call", named("Call")),
        Route::of(
            "DELETE",
            "/api/v1/calls/{id}",
            "cancel_call",
            delete(cancel),
        )
        .title(
            "Отменить заказ или положить трубку",
            "Cancel an order, or hang up",
        )
        .answers(200, "отменён", "cancelled", named("Call"))
        .answers(
            202,
            "звонок идёт, сейчас будет положена трубка",
            "it goes on and is being hung up",
            named("Call"),
        )
        .refuses(&[409]),
    ]
}

impl Route {
    /// It answers as an order is answered.
    fn takes_an_order(self) -> Self {
        self.answers(
            201,
            "заказан и записан на диск",
            "taken, and on disk",
            named("Accepted"),
        )
        .answers(
            200,
            "этот же заказ уже был",
            "the same order was here before",
            named("Accepted"),
        )
        .refuses(&[409])
    }
}

/// An answer of JSON.
pub(super) fn answer(status: StatusCode, value: &Value) -> Response {
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static(JSON))];
    (status, json, value.to_string()).into_response()
}

/// The id of a path.
pub(super) fn path_id(path: Result<Path<String>, PathRejection>) -> Result<CallId, Refusal> {
    let Ok(Path(text)) = path else {
        return Err(Refusal::bad(
            "not_utf8",
            "id в адресе — не UTF-8 в процентной записи",
            "the id in the path is no percent-encoded UTF-8",
        ));
    };
    CallId::parse(&text).map_err(|error| ident("id", &error))
}

/// `POST /api/v1/calls`
async fn create(State(state): State<HttpState>, request: Request) -> Result<Response, Refusal> {
    let value = body::one(&state, request).await?;
    accept(&state, form::from_json(&value, state.zone())?).await
}

/// `GET /call`; a HEAD, which would be answered by the same handler, must not order a call.
fn simple_route() -> MethodRouter<HttpState> {
    get(simple).head(|| async {
        let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET"));
        response
    })
}

async fn simple(
    State(state): State<HttpState>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let pairs = query::parse(raw.as_deref().unwrap_or_default())?;
    accept(&state, form::from_query(pairs)?).await
}

async fn accept(state: &HttpState, order: Order) -> Result<Response, Refusal> {
    state.check_callback(order.callback.as_deref())?;
    let hash = form::hash(&order);
    if let Err(refusal) = dialogs::fits(state, &order) {
        // What was taken once is answered as then, even where its dialog has gone since.
        return match known(state, &order.id, &hash).await? {
            Some(record) => Ok(answer(
                StatusCode::OK,
                &report::accepted(&record, &state.telling()),
            )),
            None => Err(refusal),
        };
    }
    let added = state.store().add_order(&order, &hash, state.now()).await;
    match added.map_err(|error| Refusal::store(&error))? {
        Added::New(record) => {
            tracing::info!(call = %record.id, dialog = %record.dialog, "an order was taken");
            Ok(answer(
                StatusCode::CREATED,
                &report::accepted(&record, &state.telling()),
            ))
        }
        Added::Same(record) => Ok(answer(
            StatusCode::OK,
            &report::accepted(&record, &state.telling()),
        )),
        Added::Conflict => Err(conflict()),
    }
}

/// The call that this very order made before.
pub(super) async fn known(
    state: &HttpState,
    id: &CallId,
    hash: &str,
) -> Result<Option<CallRecord>, Refusal> {
    let found = state.store().repeated(id, hash).await;
    found.map_err(|error| Refusal::store(&error))
}

pub(super) fn conflict() -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::CONFLICT,
        "other_order",
        "под этим id уже есть другой заказ; повторите тот же или дайте новый id",
        "another order has this id; repeat the same one, or give a new id",
    );
    refusal.field = Some("id".to_owned());
    refusal
}

pub(super) async fn record(state: &HttpState, id: &CallId) -> Result<CallRecord, Refusal> {
    let found = state
        .store()
        .call(id)
        .await
        .map_err(|error| Refusal::store(&error))?;
    found.ok_or_else(Refusal::no_call)
}

/// `GET /api/v1/calls/{id}`
async fn show(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let record = record(&state, &path_id(path)?).await?;
    Ok(answer(
        StatusCode::OK,
        &report::call(&record, &state.telling()),
    ))
}

/// `DELETE /api/v1/calls/{id}`: 200 when it is cancelled, 202 when it talks and is being hung up, 409 when it has ended.
async fn cancel(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let id = path_id(path)?;
    let cancelled = state.store().cancel(&id, state.now()).await;
    let status = match cancelled.map_err(|error| Refusal::store(&error))? {
        Cancelled::Now => StatusCode::OK,
        Cancelled::WhileTalking => {
            state.hang_up(&id);
            StatusCode::ACCEPTED
        }
        Cancelled::AlreadyFinal => {
            let record = record(&state, &id).await?;
            if record.status != Status::Cancelled {
                return Err(Refusal::new(
                    StatusCode::CONFLICT,
                    "already_ended",
                    format!(
                        "звонок уже закончен ({}), отменять нечего",
                        record.status.as_str()
                    ),
                    format!("the call has ended already ({})", record.status.as_str()),
                ));
            }
            StatusCode::OK
        }
        Cancelled::Unknown => return Err(Refusal::no_call()),
    };
    let record = record(&state, &id).await?;
    Ok(answer(status, &report::call(&record, &state.telling())))
}
