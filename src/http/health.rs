//! `/healthz` for whoever watches the server, `/metrics` for Prometheus (its text format 0.0.4).

use std::fmt::Write;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::HttpState;
use super::orders::answer;

/// How a part of the runtime fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthPart {
    /// `asterisk`, `media`, `scripts`, `recognizer` ...
    pub name: &'static str,
    /// It can do its work.
    pub ok: bool,
    /// Which version, which kind; or what is wrong and what to do.
    pub text: String,
}

/// A number for `/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name with its unit, `govorun_calls_talking`; only letters, digits and `_`.
    pub name: &'static str,
    /// What it counts, one line.
    pub help: &'static str,
    /// It only grows, until the process ends.
    pub counter: bool,
    /// The number.
    pub value: f64,
}

/// `GET /healthz`: 200 when every part does its work, else 503 with the names of those that don't. Open to all, so no personal word in it.
pub(super) async fn healthz(State(state): State<HttpState>) -> Response {
    let store = match state.store().health().await {
        Ok(health) => match health.fault {
            None => HealthPart {
                name: "store",
                ok: true,
                text: String::new(),
            },
            Some(text) => HealthPart {
                name: "store",
                ok: false,
                text,
            },
        },
        Err(error) => HealthPart {
            name: "store",
            ok: false,
            text: error.to_string(),
        },
    };
    let mut parts = vec![store];
    parts.extend(state.parts());
    let failed: Vec<&str> = parts
        .iter()
        .filter(|part| !part.ok)
        .map(|part| part.name)
        .collect();
    let status = if failed.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = if failed.is_empty() { "ok" } else { "failed" };
    let told: Vec<Value> = parts
        .iter()
        .map(|part| json!({ "name": part.name, "ok": part.ok, "text": part.text }))
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    answer(
        status,
        &json!({ "status": word, "version": version, "failed": failed, "parts": told }),
    )
}

/// `GET /metrics`
pub(super) async fn metrics(State(state): State<HttpState>) -> Response {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "# HELP govorun_http_answers_total Answers given, by class of status."
    );
    let _ = writeln!(text, "# TYPE govorun_http_answers_total counter");
    for (class, count) in state.counters().read() {
        let _ = writeln!(
            text,
            "govorun_http_answers_total{{class=\"{class}xx\"}} {count}"
        );
    }
    let mut metrics = Vec::new();
    if let Ok(health) = state.store().health().await {
        let metric = |name, help, counter, value: u64| {
            #[allow(clippy::cast_precision_loss)] // Prometheus knows floats only.
            let value = value as f64;
            Metric {
                name,
                help,
                counter,
                value,
            }
        };
        metrics.push(metric(
            "govorun_orders_queued",
            "Orders that wait.",
            false,
            health.queued,
        ));
        metrics.push(metric(
            "govorun_store_bytes",
            "The store on disk.",
            false,
            health.bytes,
        ));
        metrics.push(metric(
            "govorun_events_lost_total",
            "History lines lost.",
            true,
            health.events_lost,
        ));
    }
    metrics.extend(state.extra_metrics());
    for Metric {
        name,
        help,
        counter,
        value,
    } in metrics
    {
        let kind = if counter { "counter" } else { "gauge" };
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
        );
    }
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
