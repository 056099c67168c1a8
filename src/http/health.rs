//! `/healthz` for whoever watches the server, `/metrics` for Prometheus (its text format 0.0.4).

use std::fmt::Write;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::HttpState;
use super::orders::answer;
use super::routes::Route;
use super::schema::{flag, list, named, object, text, word};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("GET", "/healthz", "healthz", get(healthz))
            .title("Всё ли работает", "Whether all works")
            .open()
            .answers(200, "всё работает", "all works", named("Health"))
            .answers(
                503,
                "что-то не работает",
                "something doesn't",
                named("Health"),
            ),
        Route::of("GET", "/metrics", "metrics", get(metrics))
            .title("Числа для Prometheus", "Numbers for Prometheus")
            .answers_as(200, "числа", "the numbers", "text/plain", text()),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let part = object(vec![("name", text()), ("ok", flag()), ("text", text())]);
    let health = object(vec![
        ("status", word(["ok", "failed"])),
        ("version", text()),
        ("failed", list(text())),
        ("parts", list(part)),
    ]);
    vec![("Health", health)]
}

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

/// Something for `/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name with its unit, `govorun_calls_talking`; only letters, digits and `_`.
    pub name: &'static str,
    /// What it counts, one line.
    pub help: &'static str,
    /// How much.
    pub number: Number,
}

/// What a [`Metric`] holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// It only grows, until the process ends.
    Counter(u64),
    /// It rises and falls.
    Gauge(u64),
    /// Counters told apart by a label: its name, and the value of each.
    Counters(&'static str, Vec<(String, u64)>),
    /// Gauges told apart by a label.
    Gauges(&'static str, Vec<(String, u64)>),
    /// Histograms in seconds, told apart by a label: its name, and for each value what was counted.
    Histograms(&'static str, Vec<(&'static str, Histogram)>),
}

/// A histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Upper bounds, milliseconds, and how many were at or under each.
    pub cumulative: Vec<(u64, u64)>,
    /// All of them.
    pub count: u64,
    /// Their sum, milliseconds.
    pub sum_ms: u64,
}

impl Metric {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { name, help, number } = self;
        let kind = match number {
            Number::Counter(_) | Number::Counters(..) => "counter",
            Number::Gauge(_) | Number::Gauges(..) => "gauge",
            Number::Histograms(..) => "histogram",
        };
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
        match number {
            Number::Counter(n) | Number::Gauge(n) => writeln!(text, "{name} {n}"),
            Number::Counters(label, all) | Number::Gauges(label, all) => {
                for (value, n) in all {
                    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                    writeln!(text, "{name}{{{label}=\"{value}\"}} {n}")?;
                }
                Ok(())
            }
            Number::Histograms(label, all) => {
                for (value, histogram) in all {
                    let Histogram {
                        cumulative,
                        count,
                        sum_ms,
                    } = histogram;
                    for (bound_ms, n) in cumulative {
                        let le = seconds(*bound_ms);
                        writeln!(text, "{name}_bucket{{{label}=\"{value}\",le=\"{le}\"}} {n}")?;
                    }
                    writeln!(
                        text,
                        "{name}_bucket{{{label}=\"{value}\",le=\"+Inf\"}} {count}"
                    )?;
                    writeln!(
                        text,
                        "{name}_sum{{{label}=\"{value}\"}} {}",
                        seconds(*sum_ms)
                    )?;
                    writeln!(text, "{name}_count{{{label}=\"{value}\"}} {count}")?;
                }
                Ok(())
            }
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// `GET /healthz`: 200 when every part does its work, else 503 with the names of those that don't. Open to all, so no personal word in it.
async fn healthz(State(state): State<HttpState>) -> Response {
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
async fn metrics(State(state): State<HttpState>) -> Response {
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
        let metric = |name, help, number| Metric { name, help, number };
        metrics.push(metric(
            "govorun_orders_queued",
            "Orders that wait.",
            Number::Gauge(health.queued),
        ));
        metrics.push(metric(
            "govorun_store_bytes",
            "The store on disk.",
            Number::Gauge(health.bytes),
        ));
        metrics.push(metric(
            "govorun_events_lost_total",
            "History lines lost.",
            Number::Counter(health.events_lost),
        ));
    }
    if let Ok(standing) = state.store().standing().await {
        let by_status = vec![
            ("dialing".to_owned(), standing.dialing),
            ("talking".to_owned(), standing.talking),
        ];
        metrics.push(Metric {
            name: "govorun_calls_by_status",
            help: "Calls that go on, by status.",
            number: Number::Gauges("status", by_status),
        });
        let behind = standing.due_since.map_or(0, |due| {
            state
                .now()
                .duration_since(due)
                .as_secs()
                .max(0)
                .unsigned_abs()
        });
        metrics.push(Metric {
            name: "govorun_queue_delay_seconds",
            help: "How long the order that is dialed next has been due; 0 when none is.",
            number: Number::Gauge(behind),
        });
    }
    let ended = state.store().ended();
    let ended = ended.into_iter().map(|(word, n)| (word.to_owned(), n));
    metrics.push(Metric {
        name: "govorun_attempts_ended_total",
        help: "Attempts that ended, by outcome; own: a dialog's own word.",
        number: Number::Counters("outcome", ended.collect()),
    });
    if let Ok((waiting, failed)) = state.store().callback_counts().await {
        let by_state = vec![
            ("waiting".to_owned(), waiting),
            ("failed".to_owned(), failed),
        ];
        metrics.push(Metric {
            name: "govorun_callbacks",
            help: "Callbacks that aren't delivered, by state.",
            number: Number::Gauges("state", by_state),
        });
    }
    let counts = state.callback_counts();
    for (name, help, count) in [
        (
            "govorun_callbacks_delivered_total",
            "Callbacks that got a 2xx.",
            &counts.delivered,
        ),
        (
            "govorun_callback_failed_tries_total",
            "Tries of callbacks that got no 2xx.",
            &counts.failed_tries,
        ),
        (
            "govorun_callbacks_given_up_total",
            "Callbacks that were given up.",
            &counts.given_up,
        ),
    ] {
        let number = Number::Counter(count.load(std::sync::atomic::Ordering::Relaxed));
        metrics.push(Metric { name, help, number });
    }
    metrics.extend(state.extra_metrics());
    for metric in metrics {
        let _ = metric.write(&mut text);
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
