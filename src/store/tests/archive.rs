//! What is counted, masked, deleted and exported.

use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::*;
use crate::call::history::kind;
use crate::call::outcome;
use crate::config::Language;

/// A talk of a few lines that ended `seconds` after the beginning.
async fn talk(store: &Store, name: &str, seconds: i64, how: &str, said: &str) -> CallId {
    let mut order = order(name);
    order.params.insert("имя".to_owned(), "Анна".into());
    add(store, &order, at(seconds - 60)).await;
    let due = store
        .take_due(at(seconds - 50), 1, &everybody())
        .await
        .unwrap();
    assert_eq!(due[0].order.id, order.id);
    store
        .answered(&order.id, 1, at(seconds - 40))
        .await
        .unwrap();
    let line = |kind, data: Value| HistoryEvent {
        at: at(seconds - 30),
        at_ms: Some(100),
        kind,
        data: data.into(),
    };
    let lines = vec![
        line(
            kind::DIALOG,
            json!({"event": "began", "dialog": "confirm", "version": "v1"}),
        ),
        line(kind::STAGE, json!({"name": "greeting"})),
        line(
            kind::ASTERISK,
            json!({"Event": "Newchannel", "Exten": "89121234567", "Channel": "PJSIP/trunk-1"}),
        ),
        line(kind::ASTERISK, json!({"Event": "DTMFEnd", "Digit": "7"})),
        line(
            kind::PROMPT,
            json!({"event": "started", "name": "Анна, вы приедете?"}),
        ),
        line(
            kind::UTTERANCE,
            json!({"id": 1, "state": "complete", "text": said}),
        ),
        line(
            kind::WINDOW,
            json!({"reason": "speech", "utterance": 1, "intent": null, "expect": 2, "digits": null}),
        ),
        line(
            kind::TURN,
            json!({"end_of_speech_ms": 1000, "end_of_utterance_ms": 1700, "final_text_ms": 1800, "decision_ms": 1805, "first_audio_ms": 1900}),
        ),
        line(
            kind::RECORDING,
            json!({"event": "began", "number": 1, "channels": 2, "file": format!("/rec/{name}.wav")}),
        ),
        line(
            kind::RECOGNIZER,
            json!({"name": "vosk", "event": "sent", "seconds": 30.0}),
        ),
    ];
    store.record(&order.id, 1, lines).await.unwrap();
    let mut summary = summary(how);
    summary.answered = true;
    summary.version = Some("v1".to_owned());
    summary.talk_ms = 30_000;
    summary.data.insert("date".to_owned(), "2026-12-01".into());
    store
        .attempt_ended(&order.id, 1, &summary, Then::Finish, at(seconds))
        .await
        .unwrap();
    order.id
}

fn asked() -> ReportQuery {
    ReportQuery {
        dialog: "confirm".to_owned(),
        from: date(2026, 1, 1),
        to: date(2026, 12, 31),
        version: None,
        texts: 10,
    }
}

async fn count(store: &Store) -> usize {
    store.count_ended(&TimeZone::UTC, true, 100).await.unwrap()
}

#[tokio::test]
async fn a_report_is_what_the_histories_say_and_outlives_them() {
    let place = Place::new();
    let store = place.open();
    talk(&store, "a", 100, "confirmed", "А кто это?").await;
    talk(&store, "b", 200, outcome::HUNG_UP, "а кто это").await;
    talk(&store, "c", 300, "confirmed", "сколько стоит?").await;
    let busy = order("d");
    add(&store, &busy, at(400)).await;
    store.take_due(at(401), 1, &everybody()).await.unwrap();
    let ended = summary(outcome::BUSY);
    let again = Then::Retry {
        at: at(900),
        reason: Reason::new("busy", ""),
        wanted: None,
    };
    store
        .attempt_ended(&busy.id, 1, &ended, again, at(402))
        .await
        .unwrap();
    assert_eq!(store.report(asked()).await.unwrap().pending, 4);
    // Four attempts, and the three calls that are over.
    assert_eq!(count(&store).await, 7);
    assert_eq!(count(&store).await, 0);
    let report = store.report(asked()).await.unwrap();
    let own = |text: &str| text.to_owned();
    assert_eq!(report.calls, [(own("confirmed"), 2), (own("hung_up"), 1)]);
    assert_eq!(
        report.attempts,
        [
            (own("confirmed"), 2, 60_000),
            (own("busy"), 1, 0),
            (own("hung_up"), 1, 30_000)
        ]
    );
    assert_eq!((report.talks.count, report.talks.sum_ms), (3, 90_000));
    assert_eq!(report.versions, [(own("v1"), 3)]);
    let stage = &report.stages[0];
    assert_eq!(
        (stage.stage.as_str(), stage.reached, stage.ended, stage.left),
        ("greeting", 3, 3, 1)
    );
    assert_eq!(report.unmatched, 3);
    let said: Vec<_> = report
        .texts
        .iter()
        .map(|t| (t.text.as_str(), t.count, t.call_id.as_str()))
        .collect();
    assert_eq!(said, [("а кто это", 2, "b"), ("сколько стоит", 1, "c")]);
    assert_eq!(report.texts[0].question, "Анна, вы приедете?");
    let whole = report
        .turns
        .iter()
        .find(|(step, _)| *step == "whole")
        .unwrap()
        .1;
    assert_eq!((whole.count, whole.sum_ms), (3, 2_700));
    assert!(
        whole.p50_ms.is_some_and(|ms| (900..=945).contains(&ms)),
        "{whole:?}"
    );
    assert_eq!(report.recognizers, [(own("vosk"), 90_000)]);
    assert_eq!(report.pending, 0);

    while store.delete_events(at(10_000)).await.unwrap().more {}
    assert_eq!(store.report(asked()).await.unwrap(), report);
    // Another version, another time, another dialog: nothing.
    for other in [
        ReportQuery {
            version: Some(own("v2")),
            ..asked()
        },
        ReportQuery {
            to: date(2026, 1, 2),
            ..asked()
        },
        ReportQuery {
            dialog: own("other"),
            ..asked()
        },
    ] {
        assert_eq!(store.report(other).await.unwrap().attempts, []);
    }
    store
        .delete_counts(at(40 * 86_400), &TimeZone::UTC)
        .await
        .unwrap();
    assert_eq!(store.report(asked()).await.unwrap().attempts, []);
}

#[tokio::test]
async fn what_people_said_is_not_kept_where_it_must_not_be() {
    let place = Place::new();
    let store = place.open();
    talk(&store, "a", 100, "confirmed", "А кто это?").await;
    store.count_ended(&TimeZone::UTC, false, 100).await.unwrap();
    let report = store.report(asked()).await.unwrap();
    assert_eq!((report.unmatched, report.texts), (1, vec![]));
}

/// All lines of a call, as one text.
async fn lines(store: &Store, call: &CallId) -> String {
    let events = store.events(call, 0, MAX_PAGE).await.unwrap().unwrap();
    let told = events.iter().map(|e| format!("{} {}\n", e.kind, e.data));
    told.collect()
}

#[tokio::test]
async fn a_masked_call_has_neither_number_nor_words() {
    let place = Place::new();
    let store = place.open();
    let old = talk(&store, "old", 100, "confirmed", "да, приеду").await;
    let new = talk(&store, "new", 5_000, "confirmed", "да, приеду").await;
    let goes_on = order("goes_on");
    add(&store, &goes_on, at(5_001)).await;
    let masks = Masks {
        phones: true,
        texts: true,
    };
    let step = store.mask(masks, at(1_000)).await.unwrap();
    assert_eq!((step.calls, step.more), (1, false));
    assert_eq!(store.mask(masks, at(1_000)).await.unwrap().calls, 0);

    let call = store.call(&old).await.unwrap().unwrap();
    assert_eq!(
        (call.phone, call.phone_masked.as_deref()),
        (None, Some("+7912…67"))
    );
    // What 1C gave and what the dialog found out are 1C's.
    assert_eq!(
        (call.params["имя"].as_str(), call.data["date"].as_str()),
        (Some("Анна"), Some("2026-12-01"))
    );
    assert_eq!(call.transcript, []);
    let told = lines(&store, &old).await;
    for gone in ["9121234567", "приеду", "Анна", "\"7\""] {
        assert!(!told.contains(gone), "{gone} in\n{told}");
    }
    for stays in [
        "8912…67",
        "greeting",
        "end_of_speech_ms",
        "\"reason\":\"speech\"",
        "PJSIP/trunk-1",
    ] {
        assert!(told.contains(stays), "no {stays} in\n{told}");
    }
    for id in [&new, &goes_on.id] {
        let call = store.call(id).await.unwrap().unwrap();
        assert!(call.phone.is_some(), "{id}");
    }
    assert!(lines(&store, &new).await.contains("да, приеду"));
    let (changes, _) = store.changes(0, 10).await.unwrap();
    assert_eq!(
        (&changes[0].phone, changes[0].phone_masked.as_deref()),
        (&None, Some("+7912…67"))
    );
    // How often a number was called is known while limits ask for it, and then no more.
    let past = || {
        let conn = rusqlite::Connection::open(&place.path).unwrap();
        let sql = "SELECT count(number), (SELECT count(number) FROM calls) FROM attempts";
        conn.query_row(sql, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
    };
    // The attempts of both; of calls the one that talks no more has none.
    assert_eq!(past().unwrap(), (2, 2));
    assert_eq!(store.forget_numbers(at(1_000)).await.unwrap().calls, 1);
    assert_eq!(past().unwrap(), (1, 2));
    // Numbers alone, and then the words too: what is masked stays so.
    let phones = Masks {
        phones: true,
        texts: false,
    };
    assert_eq!(store.mask(phones, at(1_000)).await.unwrap().calls, 1);
}

#[tokio::test]
async fn only_what_has_ended_is_deleted_and_no_cursor_is_forgotten() {
    let place = Place::new();
    let store = place.open();
    let old = talk(&store, "old", 100, "confirmed", "да").await;
    let new = talk(&store, "new", 5_000, "confirmed", "да").await;
    add(&store, &order("queued"), at(10)).await;

    let step = store.delete_events(at(1_000)).await.unwrap();
    assert!(step.calls == 1 && step.rows > 10, "{step:?}");
    assert_eq!(lines(&store, &old).await, "");
    assert!(!lines(&store, &new).await.is_empty());

    let found = store
        .old_calls(keep::Place::default(), at(1_000))
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let (call, recordings) = &found[0];
    assert_eq!(recordings[0].file, "/rec/old.wav");
    assert_eq!(store.delete_calls(vec![*call]).await.unwrap(), 1);
    assert_eq!(store.call(&old).await.unwrap(), None);
    assert!(
        store
            .old_calls(keep::Place::default(), at(1_000))
            .await
            .unwrap()
            .is_empty()
    );
    // Its four changes went with it: a reader from before them can know.
    assert_eq!(store.changes_deleted().await.unwrap(), 4);
    assert_eq!(status(&store, "queued").await, "queued");
    // Its id may come again, as another call.
    add(&store, &order("old"), at(6_000)).await;

    let rest = store
        .old_calls(keep::Place::default(), at(10_000))
        .await
        .unwrap();
    let newest = *store.newest_change().borrow();
    store
        .delete_calls(rest.iter().map(|(place, _)| *place).collect())
        .await
        .unwrap();
    drop(store);
    let store = place.open();
    assert_eq!(*store.newest_change().borrow(), newest);
    // A call that isn't over is not deleted by its place either.
    assert_eq!(store.call(&new).await.unwrap(), None);
    assert_eq!(changes(&store).await, ["queued queued", "old queued"]);
}

#[tokio::test]
async fn a_new_store_gives_its_room_back() {
    let place = Place::new();
    let store = place.open();
    for n in 0..40 {
        let text = "а".repeat(20_000);
        talk(&store, &format!("c{n}"), 100 + n, "confirmed", &text).await;
    }
    while store.delete_events(at(10_000)).await.unwrap().more {}
    let (used, free) = store.bytes().await.unwrap();
    assert!(free > used, "{used} {free}");
    store.shrink(100_000).await.unwrap();
    assert_eq!(store.bytes().await.unwrap().1, 0);
}

fn export(of: ExportOf, format: ExportFormat) -> ExportQuery {
    ExportQuery {
        of,
        format,
        from: at(0),
        to: at(10_000),
        dialog: None,
        data: vec!["date".to_owned()],
        zone: TimeZone::UTC,
        language: Language::Ru,
    }
}

async fn exported(store: &Store, query: ExportQuery) -> String {
    let (mut export, mut all) = (Export::new(query), Vec::new());
    loop {
        let (next, bytes) = store.export(export).await.unwrap();
        match bytes {
            Some(bytes) => all.extend(bytes),
            None => return String::from_utf8(all).unwrap(),
        }
        export = next;
    }
}

#[tokio::test]
async fn an_export_has_every_ended_call_once() {
    let place = Place::new();
    let store = place.open();
    for n in 0..210 {
        // Many end in the same second.
        let name = format!("c{n}");
        talk(&store, &name, 100 + n / 70, "=confirmed", "@да; \"нет\"").await;
    }
    add(&store, &order("queued"), at(10)).await;
    let csv = exported(&store, export(ExportOf::Calls, ExportFormat::Csv)).await;
    let rows: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(
        rows[0].starts_with("\u{feff}Номер;Направление;Телефон;"),
        "{}",
        rows[0]
    );
    assert_eq!(rows.len(), 211);
    let ids: std::collections::HashSet<_> = rows[1..]
        .iter()
        .map(|r| r.split(';').next().unwrap())
        .collect();
    assert_eq!(ids.len(), 210);
    assert!(
        rows[1].starts_with("c0;outgoing;+79121234567;confirm;finished;'=confirmed;2026-05-28 "),
        "{}",
        rows[1]
    );
    assert!(rows[1].ends_with(";2026-12-01"), "{}", rows[1]);

    let jsonl = exported(&store, export(ExportOf::Calls, ExportFormat::Jsonl)).await;
    let first: Value = serde_json::from_str(jsonl.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["id"], &first["talk_s"], &first["data"]["date"]),
        (&json!("c0"), &json!(30), &json!("2026-12-01"))
    );
    assert_eq!(jsonl.lines().count(), 210);

    let events = exported(&store, export(ExportOf::Events, ExportFormat::Jsonl)).await;
    let lines: Vec<Value> = events
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    // Accepted, began, answered, ten lines of the talk, ended.
    assert_eq!(lines.len(), 210 * 14);
    assert_eq!(
        (&lines[14]["id"], &lines[14]["seq"]),
        (&json!("c1"), &json!(1))
    );
    let events = exported(&store, export(ExportOf::Events, ExportFormat::Csv)).await;
    assert!(
        !events
            .lines()
            .any(|line| line.contains(";@") || line.contains(";="))
    );

    let part = ExportQuery {
        from: at(101),
        to: at(102),
        ..export(ExportOf::Calls, ExportFormat::Jsonl)
    };
    assert_eq!(exported(&store, part).await.lines().count(), 70);
    let other = ExportQuery {
        dialog: Some("other".to_owned()),
        ..export(ExportOf::Calls, ExportFormat::Csv)
    };
    assert_eq!(
        exported(&store, other)
            .await
            .split_terminator("\r\n")
            .count(),
        1
    );
    let beside = Archive::open(&place.path).unwrap();
    let mut all = Vec::new();
    let query = export(ExportOf::Calls, ExportFormat::Jsonl);
    beside
        .export(query, &mut |bytes| {
            all.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap()
        .unwrap();
    assert!(all == jsonl.as_bytes());
}

/// What grows with the calls is found by an index, not by a look at all of them.
#[test]
fn walks_and_reports_use_their_indexes() {
    let place = Place::new();
    drop(place.open());
    let conn = rusqlite::Connection::open(&place.path).unwrap();
    for (sql, index) in [
        (
            "SELECT changed, n FROM calls WHERE (status = 'finished' OR status = 'cancelled' OR status = 'expired') AND (changed, n) > (1, 2) AND changed < 3 ORDER BY changed, n LIMIT 4",
            "calls_ended",
        ),
        (
            "SELECT n FROM calls WHERE counted = 0 AND (status = 'finished' OR status = 'cancelled' OR status = 'expired') ORDER BY changed LIMIT 1",
            "calls_uncounted",
        ),
        (
            "SELECT call_n FROM attempts WHERE counted = 0 AND ended IS NOT NULL ORDER BY ended LIMIT 1",
            "attempts_uncounted",
        ),
        (
            "SELECT file FROM recordings WHERE deleted IS NULL AND began > 1 AND began < 2 ORDER BY began LIMIT 3",
            "recordings_kept",
        ),
        (
            "SELECT coalesce(sum(bytes), 0) FROM recordings WHERE deleted IS NULL",
            "COVERING INDEX recordings_kept",
        ),
        (
            "SELECT version, kind, key, sum(count), sum(sum) FROM counts WHERE dialog = 'd' AND day BETWEEN 1 AND 2 GROUP BY version, kind, key",
            "PRIMARY KEY (dialog=? AND day>? AND day<?)",
        ),
        (
            "SELECT stage, text, sum(count) FROM unmatched WHERE dialog = 'd' AND day BETWEEN 1 AND 2 GROUP BY stage, text",
            "PRIMARY KEY (dialog=? AND day>? AND day<?)",
        ),
    ] {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> = statement
            .query_map([], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let plan = plan.join("; ");
        assert!(plan.contains(index), "{sql}\n{plan}");
        let sorted = sql.contains("ORDER BY") && plan.contains("USE TEMP B-TREE FOR ORDER BY");
        assert!(!sorted, "{sql}\n{plan}");
    }
}
