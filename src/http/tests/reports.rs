//! Reports and exports over HTTP: their forms, their files, and what a wrong question gets.

use jiff::{Timestamp, ToSpan};

use super::*;
use crate::call::history::kind;
use crate::call::{HistoryEvent, Summary, outcome};
use crate::ident::CallId;
use crate::store::{Admit, Everybody, Then};

/// Calls that ended a minute ago, the last of them hung up in the middle.
async fn talked(server: &Server, calls: usize) {
    let everybody: Arc<dyn Admit> = Arc::new(Everybody);
    let at = Timestamp::now() - 1.minute();
    for n in 0..calls {
        assert_eq!(server.order(&order(&format!("c{n}"))).await.status, 201);
        let due = server.store.take_due(Timestamp::now(), 1, &everybody);
        let id: CallId = due.await.unwrap()[0].order.id.clone();
        let line = |kind, data: Value| HistoryEvent {
            at,
            at_ms: Some(1),
            kind,
            data: data.into(),
        };
        let lines = vec![
            line(kind::STAGE, json!({"name": "вопрос"})),
            line(
                kind::PROMPT,
                json!({"event": "started", "name": "Приедете?"}),
            ),
            line(
                kind::UTTERANCE,
                json!({"id": 1, "state": "complete", "text": "=Чего?"}),
            ),
            line(
                kind::WINDOW,
                json!({"reason": "speech", "utterance": 1, "intent": null, "expect": 1}),
            ),
            line(
                kind::TURN,
                json!({"end_of_speech_ms": 0, "end_of_utterance_ms": 700, "final_text_ms": 700, "decision_ms": 701, "first_audio_ms": 800}),
            ),
        ];
        server.store.record(&id, 1, lines).await.unwrap();
        let last = n + 1 == calls;
        let summary = Summary {
            answered: true,
            cause: Some(16),
            version: Some("v1".to_owned()),
            talk_ms: 12_000,
            ..Summary::new(if last { outcome::HUNG_UP } else { "confirmed" })
        };
        server.store.answered(&id, 1, at).await.unwrap();
        let ended = server
            .store
            .attempt_ended(&id, 1, &summary, Then::Finish, at);
        ended.await.unwrap();
    }
    let zone = TimeZone::fixed(jiff::tz::offset(3));
    server.store.count_ended(&zone, true, 100).await.unwrap();
}

#[tokio::test]
async fn a_report_is_told_as_json_and_as_a_table() {
    let server = start().await;
    talked(&server, 3).await;
    let path = "/api/v1/reports/confirm_visit";
    let report = server.get(path).await.json();
    assert_eq!(
        (&report["calls"], &report["talks"], &report["talk_s"]),
        (&json!(3), &json!(3), &json!(36))
    );
    let first =
        json!({"outcome": "confirmed", "outcome_title": "confirmed", "count": 2, "percent": 66.7});
    assert_eq!(report["outcomes"][0], first);
    assert_eq!(report["outcomes"][1]["outcome_title"], "Положили трубку");
    let stage = json!({"stage": "вопрос", "reached": 3, "percent": 100.0, "ended": 3, "left": 1, "left_percent": 33.3});
    assert_eq!(report["stages"], json!([stage]));
    let text = json!({"text": "чего", "count": 3, "stage": "вопрос", "question": "Приедете?", "call_id": "c2"});
    assert_eq!(
        (&report["unmatched"], &report["texts"]),
        (&json!(3), &json!([text]))
    );
    let whole = &report["turns"][4];
    assert_eq!(
        (&whole["step"], &whole["count"], &whole["title"]),
        (
            &json!("whole"),
            &json!(3),
            &json!("Человек замолчал → звук ответа")
        )
    );

    let csv = server.get(&format!("{path}?format=csv&texts=5")).await;
    assert!(
        csv.head.to_lowercase().contains("content-type: text/csv"),
        "{}",
        csv.head
    );
    for row in [
        "\u{feff}Раздел;Показатель;Количество;Доля, %;",
        "Итоги звонков;confirmed;2;66,7;;;;;\r\n",
        "Итоги звонков;Положили трубку (hung_up);1;33,3;;;;;\r\n",
        "Сказано, но не понято;чего;3;100;;;;;вопрос: Приедете? (c2)\r\n",
    ] {
        assert!(csv.body.contains(row), "no {row} in\n{}", csv.body);
    }
    // Another version, another month: a report of nothing, of a dialog that is there.
    for query in ["version=v2", "from=2020-01-01&to=2020-01-31"] {
        let report = server.get(&format!("{path}?{query}")).await.json();
        assert_eq!(
            (&report["calls"], &report["texts"]),
            (&json!(0), &json!([])),
            "{query}"
        );
    }
    for (query, refusal) in [
        ("from=1.11.2026", "422 bad_date from"),
        ("from=2026-12-01&to=2026-11-01", "422 out_of_range from"),
        ("texts=1001", "422 out_of_range texts"),
        ("format=xml", "422 out_of_range format"),
        ("form=csv", "422 unknown_field form"),
    ] {
        assert_eq!(
            server.get(&format!("{path}?{query}")).await.refusal(),
            refusal
        );
    }
    let nobody = server.get("/api/v1/reports/nobody").await;
    assert_eq!(nobody.refusal(), "404 no_dialog dialog");
}

#[tokio::test]
async fn ended_calls_are_exported() {
    let server = start().await;
    talked(&server, 2).await;
    let csv = server
        .get("/api/v1/export/calls?data=%D0%BD%D0%B5%D1%82")
        .await;
    assert!(
        csv.head.contains("attachment; filename=\"calls-20"),
        "{}",
        csv.head
    );
    let lines = server
        .get("/api/v1/export/events?format=jsonl&dialog=confirm_visit")
        .await;
    assert!(lines.head.contains("x-ndjson"), "{}", lines.head);
    assert!(lines.body.contains("=Чего?"), "{}", lines.body);
    let other = server
        .get("/api/v1/export/events?format=jsonl&dialog=other")
        .await;
    assert_eq!((other.status, other.body.contains("Чего")), (200, false));
    for (query, refusal) in [
        ("format=xls", "422 out_of_range format"),
        ("to=завтра", "422 bad_date to"),
        ("data=a", "422 unknown_field data"),
    ] {
        let query = format!("/api/v1/export/events?{query}");
        let query = query.replace("завтра", "%D0%B7");
        assert_eq!(server.get(&query).await.refusal(), refusal);
    }
}

#[tokio::test]
async fn a_reader_that_comes_too_late_is_told_of_the_gap() {
    let server = start().await;
    talked(&server, 1).await;
    let gap = async |after: i64| {
        let path = format!("/api/v1/changes?after={after}");
        server.get(&path).await.json()["gap"].clone()
    };
    assert_eq!(gap(0).await, false);
    let old = server
        .store
        .old_calls(Default::default(), Timestamp::now())
        .await
        .unwrap();
    let places = old.iter().map(|(place, _)| *place).collect();
    assert_eq!(server.store.delete_calls(places).await.unwrap(), 1);
    assert_eq!(
        (gap(0).await, gap(2).await, gap(4).await),
        (json!(true), json!(true), json!(false))
    );
}
