//! A year of a million calls: what reports, export, deleting and masking cost there, and whether they hold up a write.
//! Some minutes and 3 GB; run with `cargo nextest run --lib --run-ignored all -E 'test(a_million_calls)' --no-capture`.

use std::time::{Duration, Instant};

use jiff::civil::date;
use jiff::tz::TimeZone;
use rusqlite::params;
use serde_json::json;

use super::*;
use crate::config::Language;

const CALLS: i64 = 1_000_000;
const YEAR_MS: i64 = 365 * 86_400_000;

/// A year of calls, as the store's own words would have left them.
fn fill(path: &std::path::Path) {
    let mut conn = rusqlite::Connection::open(path).unwrap();
    conn.pragma_update(None, "synchronous", "OFF").unwrap();
    let begin = at(0).as_millisecond();
    let outcomes = ["confirmed", "declined", "hung_up", "no_answer", "busy"];
    let stages = ["greeting", "question", "date", "goodbye"];
    for chunk in 0..(CALLS / 50_000) {
        let tx = conn.transaction().unwrap();
        {
            let mut call = tx.prepare_cached(
                "INSERT INTO calls (n, id, direction, phone, dialog, params, priority, attempts, body_hash, status, outcome, data, attempt, ready, cancel, recovered, created, changed) \
                 VALUES (?1, ?2, 'outgoing', ?3, ?4, '{\"имя\":\"Анна\"}', 0, 3, 'h', 'finished', ?5, '{\"date\":\"2026-12-01\"}', 1, 0, 0, 0, ?6, ?7)",
            ).unwrap();
            let mut attempt = tx.prepare_cached(
                "INSERT INTO attempts (call_n, attempt, channel_id, started, answered, ended, outcome, talk_ms, version) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            ).unwrap();
            let mut change = tx.prepare_cached(
                "INSERT INTO changes (call_n, status, data, attempt, at) VALUES (?1, ?2, '{}', 1, ?3)",
            ).unwrap();
            let mut event = tx.prepare_cached(
                "INSERT INTO events (call_n, seq, attempt, at, at_ms, kind, data) VALUES (?1, ?2, 1, ?3, 5, ?4, ?5)",
            ).unwrap();
            for n in chunk * 50_000 + 1..=(chunk + 1) * 50_000 {
                let ended = begin + YEAR_MS / CALLS * n;
                let outcome = outcomes[(n % 5) as usize];
                let answered = n % 5 < 3;
                let dialog = if n % 4 == 0 { "survey" } else { "confirm" };
                let version = format!("v{}", n / (CALLS / 52));
                call.execute(params![
                    n,
                    format!("ЦБ-{n}"),
                    format!("7912{n:07}"),
                    dialog,
                    outcome,
                    ended - 60_000,
                    ended
                ])
                .unwrap();
                attempt
                    .execute(params![
                        n,
                        format!("govorun-{n}"),
                        ended - 50_000,
                        answered.then_some(ended - 40_000),
                        ended,
                        outcome,
                        40_000 + n % 90_000,
                        version
                    ])
                    .unwrap();
                for status in ["queued", "dialing", "talking", "finished"] {
                    change.execute(params![n, status, ended]).unwrap();
                }
                if !answered {
                    continue;
                }
                let mut seq = 0;
                let mut line = |kind: &str, data: serde_json::Value| {
                    seq += 1;
                    event
                        .execute(params![n, seq, ended - 30_000, kind, data.to_string()])
                        .unwrap();
                };
                for (turn, stage) in stages.iter().take(1 + (n % 4) as usize).enumerate() {
                    let said = format!("что то непонятное {}", n % 3_000);
                    line("stage", json!({"name": stage}));
                    line(
                        "prompt",
                        json!({"event": "started", "name": "Здравствуйте! Вы приедете сегодня?"}),
                    );
                    line(
                        "utterance",
                        json!({"id": turn, "state": "complete", "text": said}),
                    );
                    line(
                        "window",
                        json!({"window": turn, "reason": "speech", "utterance": turn, "intent": (n % 7 > 0).then_some("yes"), "expect": 2}),
                    );
                    line(
                        "turn",
                        json!({"end_of_speech_ms": 1000, "end_of_utterance_ms": 1700 + n % 300, "final_text_ms": 2000, "decision_ms": 2004, "first_audio_ms": 2100 + n % 50}),
                    );
                }
                line(
                    "recognizer",
                    json!({"name": "vosk", "event": "sent", "seconds": 40.5}),
                );
            }
        }
        tx.commit().unwrap();
    }
}

#[ignore = "minutes, and 3 GB"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout)]
async fn a_million_calls_are_reported_exported_and_deleted_beside_writes() {
    let place = Place::new();
    drop(place.open());
    let began = Instant::now();
    fill(&place.path);
    println!(
        "ROW filled in {:?}, {} MB",
        began.elapsed(),
        schema::bytes(&place.path) >> 20
    );
    let store = place.open();

    // Somebody orders all the while: how long does one durable write take?
    let writes = tokio::spawn({
        let store = store.clone();
        async move {
            let mut took = Vec::new();
            for n in 0.. {
                let began = Instant::now();
                let order = order(&format!("new-{n}"));
                if store.add_order(&order, "h", at(0)).await.is_err() {
                    break;
                }
                took.push(began.elapsed());
                tokio::time::sleep(Duration::from_millis(20)).await;
                if n > 100_000 || store.call(&id("stop")).await.unwrap().is_some() {
                    break;
                }
            }
            took.sort();
            took
        }
    });
    let began = Instant::now();
    let mut counted = 0;
    loop {
        let more = store.count_ended(&TimeZone::UTC, true, 100).await.unwrap();
        counted += more;
        if more == 0 {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "ROW counted {counted} attempts and calls in {seconds:.1} s, {:.0}/s",
        counted as f64 / seconds
    );

    for (what, from, to, version) in [
        ("a year", date(2026, 5, 28), date(2027, 5, 28), None),
        ("a month", date(2026, 11, 1), date(2026, 11, 30), None),
        (
            "one version",
            date(2026, 5, 28),
            date(2027, 5, 28),
            Some("v20".to_owned()),
        ),
    ] {
        let query = ReportQuery {
            dialog: "confirm".to_owned(),
            from,
            to,
            version,
            texts: 50,
        };
        let mut took = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            let report = store.report(query.clone()).await.unwrap();
            assert!(report.talks.count > 1_000 && !report.texts.is_empty());
            took.push(began.elapsed());
        }
        took.sort();
        println!(
            "ROW a report of {what}: median {:?}, most {:?}",
            took[2], took[4]
        );
    }
    let began = Instant::now();
    let mut export = Export::new(ExportQuery {
        of: ExportOf::Calls,
        format: ExportFormat::Csv,
        from: at(0),
        to: at(2 * 365 * 86_400),
        dialog: None,
        data: vec!["date".to_owned()],
        zone: TimeZone::UTC,
        language: Language::Ru,
    });
    let (mut bytes, mut rows, mut page) = (0, 0, Duration::ZERO);
    loop {
        let one = Instant::now();
        let (next, piece) = store.export(export).await.unwrap();
        page = page.max(one.elapsed());
        let Some(piece) = piece else { break };
        bytes += piece.len();
        rows += piece.iter().filter(|b| **b == b'\n').count();
        export = next;
    }
    println!(
        "ROW exported {rows} rows, {} MB of CSV in {:?}, a piece at most {page:?}",
        bytes >> 20,
        began.elapsed()
    );
    assert!(rows > 1_000_000);

    let began = Instant::now();
    let page = store.changes(3_000_000, 1_000).await.unwrap().0.len();
    println!(
        "ROW a page of {page} changes of 4,000,000: {:?}",
        began.elapsed()
    );
    let masks = Masks {
        phones: true,
        texts: true,
    };
    for (what, steps) in [
        ("masked", 0),
        ("histories deleted", 1),
        ("calls deleted", 2),
    ] {
        let began = Instant::now();
        let (mut calls, mut most) = (0, Duration::ZERO);
        for _ in 0..100 {
            let one = Instant::now();
            let until = at(2 * 365 * 86_400);
            calls += match steps {
                0 => store.mask(masks, until).await.unwrap().calls,
                1 => store.delete_events(until).await.unwrap().calls,
                _ => {
                    let old = store
                        .old_calls(keep::Place::default(), until)
                        .await
                        .unwrap();
                    store
                        .delete_calls(old.iter().map(|(place, _)| *place).collect())
                        .await
                        .unwrap()
                }
            };
            most = most.max(one.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!(
            "ROW {what}: {calls} calls in {:?}, a step at most {most:?}",
            began.elapsed()
        );
        assert_eq!(calls, 2_500);
    }
    add(&store, &order("stop"), at(0)).await;
    let took = writes.await.unwrap();
    let of = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!(
        "ROW {} durable orders beside it all: p50 {:?}, p99 {:?}, most {:?}",
        took.len(),
        of(50),
        of(99),
        of(100)
    );
}
