//! Many orders in one request: a JSON array, or a line of JSON for each.
//!
//! One wrong order refuses the whole batch, with every wrong line named, and nothing is kept. A sound batch is kept in
//! one transaction; orders whose id another order has are named in the report and change nothing.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::routes::Route;
use super::schema::{count, either, list, named, object, text, whole};
use super::{HttpState, body, dialogs, form, orders};
use crate::call::Order;
use crate::store::Added;

/// Most orders of a batch.
const MAX_ORDERS: usize = 10_000;
/// Largest body, bytes.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// Most wrong lines that are named.
const MAX_TOLD: usize = 100;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("POST", "/api/v1/calls/batch", "order_batch", post(create))
            .title("Заказать много звонков", "Order many calls")
            .takes(json!({ "type": "array", "items": named("Order"), "minItems": 1, "maxItems": MAX_ORDERS }))
            .or_takes("application/x-ndjson")
            .answers(200, "приняты", "taken", named("Batch"))
            .answers(
                422,
                "не принят ни один",
                "none was taken",
                either(vec![named("BatchRefused"), named("Refusal")]),
            ),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let conflict = object(vec![
        ("line", whole(1, i64::MAX)),
        ("id", text()),
        ("code", text()),
    ]);
    vec![
        (
            "Batch",
            object(vec![
                ("accepted", count()),
                ("repeated", count()),
                ("conflicts", list(conflict)),
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
    ]
}

/// `POST /api/v1/calls/batch`
async fn create(State(state): State<HttpState>, request: Request) -> Result<Response, Refusal> {
    let _turn = state
        .batches()
        .acquire()
        .await
        .map_err(|error| Refusal::failed(&error))?;
    let text = body::text(&state, request, MAX_BODY).await?;
    let values = split(&text)?;
    drop(text);
    let mut sound = Vec::with_capacity(values.len());
    let mut wrong = Vec::new();
    for (line, value) in values {
        match form::from_json(&value, state.zone()) {
            Ok(order) => sound.push((line, order)),
            Err(refusal) => wrong.push(refusal.at_line(line)),
        }
    }
    let names = dialogs::Names::of(&state);
    for (line, order) in &sound {
        if let Err(refusal) = names.fit(order)
            && orders::known(&state, &order.id, &form::hash(order))
                .await?
                .is_none()
        {
            wrong.push(refusal.at_line(*line));
        }
    }
    if wrong.is_empty() {
        return keep(&state, sound).await;
    }
    wrong.sort_by_key(|refusal| refusal.line);
    let language = state.language();
    let told: Vec<Value> = wrong
        .iter()
        .take(MAX_TOLD)
        .map(|refusal| refusal.json(language))
        .collect();
    let first = wrong
        .into_iter()
        .next()
        .map(|refusal| refusal.json(language));
    Ok(orders::answer(
        StatusCode::UNPROCESSABLE_ENTITY,
        &json!({ "error": first, "errors": told, "accepted": 0 }),
    ))
}

async fn keep(state: &HttpState, sound: Vec<(usize, Order)>) -> Result<Response, Refusal> {
    let (lines, orders): (Vec<usize>, Vec<(Order, String)>) = sound
        .into_iter()
        .map(|(line, order)| {
            let hash = form::hash(&order);
            (line, (order, hash))
        })
        .unzip();
    let ids: Vec<String> = orders
        .iter()
        .map(|(order, _)| order.id.to_string())
        .collect();
    let added = state.store().add_orders(orders, state.now()).await;
    let added = added.map_err(|error| Refusal::store(&error))?;
    let (mut accepted, mut repeated) = (0, 0);
    let mut conflicts = Vec::new();
    for ((line, id), added) in lines.iter().zip(&ids).zip(added) {
        match added {
            Added::New(_) => accepted += 1,
            Added::Same(_) => repeated += 1,
            Added::Conflict => {
                conflicts.push(json!({ "line": line, "id": id, "code": orders::conflict().code }));
            }
        }
    }
    tracing::info!(
        accepted,
        repeated,
        conflicts = conflicts.len(),
        "a batch of orders was taken"
    );
    // The ids in the orders' order: those that came without one learn theirs.
    let report =
        json!({ "accepted": accepted, "repeated": repeated, "conflicts": conflicts, "ids": ids });
    Ok(orders::answer(StatusCode::OK, &report))
}

/// The orders of the body with their numbers: places in an array, or lines, from 1.
fn split(text: &str) -> Result<Vec<(usize, Value)>, Refusal> {
    let values: Vec<(usize, Value)> = if text.trim_start().starts_with('[') {
        match body::json(text, 1)? {
            Value::Array(list) => (1..).zip(list).collect(),
            _ => Vec::new(),
        }
    } else {
        let mut values = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            if values.len() == MAX_ORDERS {
                return Err(too_many());
            }
            values.push((
                line,
                body::json(text, line).map_err(|refusal| refusal.at_line(line))?,
            ));
        }
        values
    };
    if values.len() > MAX_ORDERS {
        return Err(too_many());
    }
    if values.is_empty() {
        return Err(Refusal::bad(
            "empty",
            "заказов нет: нужен массив JSON или по заказу на строку",
            "there are no orders: a JSON array or an order a line is wanted",
        ));
    }
    Ok(values)
}

fn too_many() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_many",
        format!("в пакете больше {MAX_ORDERS} заказов; разделите его"),
        format!("more than {MAX_ORDERS} orders in the batch; split it"),
    )
}
