//! Each word of the store does what it says.

use serde_json::{Value, json};

use super::*;
use crate::call::history::kind;
use crate::call::{CallInfo, Direction, outcome};
use crate::ident::ChannelId;

#[tokio::test]
async fn an_order_is_taken_once() {
    let place = Place::new();
    let store = place.open();
    let mut full = order("ЦБ-1");
    full.params
        .insert("name".into(), json!("Иван & \"Ко\"\r\n"));
    full.file = Some("hello".into());
    full.priority = 7;
    full.not_before = Some(at(10));
    full.expires = Some(at(1000));
    full.attempts = 3;
    full.callback = Some("https://1c.example/hook".into());
    let Added::New(new) = store.add_order(&full, "a", at(0)).await.unwrap() else {
        panic!("not new");
    };
    assert_eq!(
        (new.status, new.attempt, new.next_attempt),
        (Status::Queued, 0, Some(at(10)))
    );
    assert_eq!((new.created, new.changed), (at(0), at(0)));
    let Added::Same(same) = store.add_order(&full, "a", at(5)).await.unwrap() else {
        panic!("not the same");
    };
    assert_eq!(same, new, "nothing changes by repeating");
    assert_eq!(
        store.add_order(&full, "b", at(5)).await.unwrap(),
        Added::Conflict
    );
    assert_eq!(changes(&store).await, ["ЦБ-1 queued"]);

    let due = store.take_due(at(10), 5, &everybody()).await.unwrap();
    assert_eq!(due[0].order, full, "what is dialed is what was ordered");
    // A repeat tells how it stands by now.
    let Added::Same(same) = store.add_order(&full, "a", at(11)).await.unwrap() else {
        panic!("not the same");
    };
    assert_eq!((same.status, same.attempt_list.len()), (Status::Dialing, 1));
}

#[tokio::test]
async fn a_batch_refuses_only_what_conflicts() {
    let place = Place::new();
    let store = place.open();
    add(&store, &order("b"), at(0)).await;
    let batch = ["a", "b", "c", "a"].map(|name| (order(name), format!("hash of {name}")));
    let added = store.add_orders(batch.to_vec(), at(1)).await.unwrap();
    let words: Vec<&str> = added
        .iter()
        .map(|added| match added {
            Added::New(_) => "new",
            Added::Same(_) => "same",
            Added::Conflict => "conflict",
        })
        .collect();
    assert_eq!(words, ["new", "conflict", "new", "same"]);
}

#[tokio::test]
async fn higher_priority_first_then_older() {
    let place = Place::new();
    let store = place.open();
    for (name, priority, not_before) in [
        ("old", 0, None),
        ("young", 0, None),
        ("later", 100, Some(at(50))),
        ("urgent", 5, None),
        ("whenever", -5, None),
        ("soon", 1, Some(at(20))),
    ] {
        let mut order = order(name);
        order.priority = priority;
        order.not_before = not_before;
        add(&store, &order, at(0)).await;
    }
    let take = async |now, limit| -> Vec<String> {
        let due = store.take_due(now, limit, &everybody()).await.unwrap();
        due.iter().map(|due| due.order.id.to_string()).collect()
    };
    // What is due already isn't waited for.
    assert_eq!(store.next_due(at(0)).await.unwrap(), Some(at(20)));
    assert_eq!(take(at(0), 2).await, ["urgent", "old"]);
    assert_eq!(take(at(20), 2).await, ["soon", "young"]);
    assert_eq!(take(at(20), 9).await, ["whenever"]);
    assert_eq!(take(at(20), 9).await, [""; 0]);
    assert_eq!(store.next_due(at(20)).await.unwrap(), Some(at(50)));
    assert_eq!(take(at(50), 9).await, ["later"]);
    assert_eq!(store.next_due(at(50)).await.unwrap(), None);
}

#[tokio::test]
async fn what_runs_out_expires() {
    let place = Place::new();
    let store = place.open();
    for (name, not_before, expires) in [
        ("first", None, Some(at(10))),
        ("never", None, None),
        ("second", Some(at(30)), Some(at(20))),
    ] {
        let mut order = order(name);
        order.not_before = not_before;
        order.expires = expires;
        add(&store, &order, at(0)).await;
    }
    let due = store.take_due(at(10), 9, &everybody()).await.unwrap();
    assert_eq!(due.len(), 1, "only the one without a limit");
    assert_eq!(status(&store, "first").await, "expired");
    // The other one has only its end to wait for.
    assert_eq!(store.next_due(at(10)).await.unwrap(), Some(at(20)));
    assert!(
        store
            .take_due(at(20), 9, &everybody())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(status(&store, "second").await, "expired");
    assert_eq!(
        changes(&store).await[3..],
        ["first expired", "never dialing", "second expired"]
    );
}

#[tokio::test]
async fn an_attempt_from_dialing_to_its_end_and_again() {
    let place = Place::new();
    let store = place.open();
    add(&store, &order("a"), at(0)).await;
    let call = id("a");
    let due = store.take_due(at(1), 1, &everybody()).await.unwrap();
    assert_eq!(due[0].attempt, 1);
    assert!(store.ringing(&call, 1, at(2)).await.unwrap());
    assert!(store.ringing(&call, 1, at(3)).await.unwrap(), "harmless");
    let mut busy = summary(outcome::BUSY);
    busy.cause = Some(17);
    let retry = again(100);
    let ended = store.attempt_ended(&call, 1, &busy, retry, at(4)).await;
    assert_eq!(ended.unwrap(), Status::Queued);
    assert_eq!(store.next_due(at(4)).await.unwrap(), Some(at(100)));

    let due = store.take_due(at(100), 1, &everybody()).await.unwrap();
    assert_eq!(due[0].attempt, 2);
    assert!(
        !store.answered(&call, 1, at(101)).await.unwrap(),
        "that one is over"
    );
    assert!(store.answered(&call, 2, at(101)).await.unwrap());
    assert!(!store.answered(&call, 2, at(102)).await.unwrap(), "twice");
    let mut confirmed = summary("confirmed");
    confirmed.answered = true;
    confirmed.talk_ms = 9_000;
    confirmed.version = Some("v7".into());
    confirmed.recording = Some("/rec/a.wav".into());
    confirmed.data.insert("дата".into(), json!("2026-11-25"));
    let ended = store.attempt_ended(&call, 2, &confirmed, Then::Finish, at(110));
    assert_eq!(ended.await.unwrap(), Status::Finished);
    // The same end told twice is refused and changes nothing.
    let twice = store.attempt_ended(&call, 2, &confirmed, Then::Finish, at(111));
    assert!(matches!(
        twice.await,
        Err(StoreError::NoAttempt { attempt: 2, .. })
    ));

    let seen = store.call(&call).await.unwrap().unwrap();
    assert_eq!(
        (seen.status, seen.outcome.as_deref()),
        (Status::Finished, Some("confirmed"))
    );
    assert_eq!(seen.data["дата"], "2026-11-25");
    assert_eq!(seen.recording.as_deref(), Some("/rec/a.wav"));
    assert_eq!(
        (seen.attempt, seen.next_attempt, seen.changed),
        (2, None, at(110))
    );
    let [one, two] = &seen.attempt_list[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (one.ringing, one.answered, one.cause),
        (Some(at(2)), None, Some(17))
    );
    assert_eq!(
        (one.outcome.as_deref(), one.ended),
        (Some("busy"), Some(at(4)))
    );
    assert_eq!(
        (two.answered, two.talk_ms, two.version.as_deref()),
        (Some(at(101)), Some(9_000), Some("v7"))
    );
    assert_ne!(one.channel_id, two.channel_id);

    let (told, next) = store.changes(0, 100).await.unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|c| (c.status.as_str(), c.outcome.as_deref(), c.attempt))
        .collect();
    assert_eq!(
        told,
        [
            ("queued", None, 0),
            ("dialing", None, 1),
            ("queued", Some("busy"), 1),
            ("dialing", Some("busy"), 2),
            ("talking", Some("busy"), 2),
            ("finished", Some("confirmed"), 2),
        ]
    );
    assert_eq!(store.changes(next, 100).await.unwrap(), (vec![], next));
    assert_eq!(*store.newest_change().borrow(), next);
}

#[tokio::test]
async fn cancelling_at_each_point() {
    let place = Place::new();
    let store = place.open();
    let cancel = async |call: &str| store.cancel(&id(call), at(50)).await.unwrap();
    let retry = again(60);
    // How the dialed ones end, and what becomes of them then.
    let cases = [
        ("hung", outcome::HUNG_UP, Then::Finish, "cancelled"),
        ("word", "confirmed", Then::Finish, "finished"),
        ("plain", outcome::COMPLETED, Then::Finish, "finished"),
        ("again", outcome::BUSY, retry.clone(), "cancelled"),
        ("later", "call_me", retry, "cancelled"),
    ];
    for (name, ..) in &cases {
        add(&store, &order(name), at(0)).await;
    }
    assert_eq!(
        store.take_due(at(1), 10, &everybody()).await.unwrap().len(),
        5
    );
    add(&store, &order("queued"), at(2)).await;

    assert_eq!(cancel("nobody").await, Cancelled::Unknown);
    assert_eq!(cancel("queued").await, Cancelled::Now);
    assert_eq!(cancel("queued").await, Cancelled::AlreadyFinal);
    assert_eq!(status(&store, "queued").await, "cancelled");
    assert!(
        store
            .take_due(at(51), 10, &everybody())
            .await
            .unwrap()
            .is_empty()
    );
    for (name, outcome, then, end) in cases {
        assert_eq!(cancel(name).await, Cancelled::WhileTalking);
        assert!(store.call(&id(name)).await.unwrap().unwrap().cancel);
        let ended = store
            .attempt_ended(&id(name), 1, &summary(outcome), then, at(55))
            .await
            .unwrap();
        assert_eq!(ended.as_str(), end, "{name}");
        assert_eq!(cancel(name).await, Cancelled::AlreadyFinal);
    }
    assert_eq!(store.next_due(at(60)).await.unwrap(), None);
}

#[tokio::test]
async fn an_attempt_put_back_does_not_count() {
    let place = Place::new();
    let store = place.open();
    for name in ["a", "b"] {
        add(&store, &order(name), at(0)).await;
    }
    let first = store.take_due(at(1), 2, &everybody()).await.unwrap();
    store.cancel(&id("b"), at(1)).await.unwrap();
    let back = async |call: &str| {
        store
            .put_back(&id(call), 1, "AMI is away", at(9), at(2))
            .await
    };
    assert_eq!(back("a").await.unwrap(), Status::Queued);
    assert_eq!(back("b").await.unwrap(), Status::Cancelled);
    assert!(back("a").await.is_err(), "only once");
    assert!(
        store
            .take_due(at(8), 2, &everybody())
            .await
            .unwrap()
            .is_empty()
    );
    let again = store.take_due(at(9), 2, &everybody()).await.unwrap();
    assert_eq!((again.len(), again[0].attempt), (1, 1));
    assert_ne!(again[0].channel_id, first[0].channel_id);
}

fn incoming(call: &str) -> CallInfo {
    CallInfo {
        call_id: id(call),
        channel_id: ChannelId::from_asterisk("1780000000.7"),
        attempt: 1,
        direction: Direction::Incoming,
        phone: None,
        dialog: "reception".into(),
        params: Map::new(),
        file: None,
    }
}

#[tokio::test]
async fn an_incoming_call_is_a_call_too() {
    let place = Place::new();
    let store = place.open();
    store.add_incoming(incoming("in-1"), at(0)).await.unwrap();
    // Nobody waits for the disk; what follows in the writer's order finds it there, and a second one changes nothing.
    store.add_incoming(incoming("in-1"), at(0)).await.unwrap();
    store.ringing(&id("in-1"), 1, at(0)).await.unwrap();
    let seen = store.call(&id("in-1")).await.unwrap().unwrap();
    assert_eq!(
        (seen.direction, seen.status, seen.phone),
        (Direction::Incoming, Status::Talking, None)
    );
    assert_eq!(seen.attempt_list[0].answered, Some(at(0)));
    let ended = store
        .attempt_ended(&id("in-1"), 1, &summary("answered"), Then::Finish, at(5))
        .await;
    assert_eq!(ended.unwrap(), Status::Finished);
    assert_eq!(changes(&store).await, ["in-1 talking", "in-1 finished"]);
}

#[tokio::test]
async fn history_keeps_its_order_and_makes_the_transcript() {
    let place = Place::new();
    let store = place.open();
    add(&store, &order("a"), at(0)).await;
    store.take_due(at(1), 1, &everybody()).await.unwrap();
    let event = |ms: u64, kind: &'static str, data: Value| HistoryEvent {
        at: at(1) + jiff::SignedDuration::from_millis(ms as i64),
        at_ms: Some(ms),
        kind,
        data: data.into(),
    };
    let lines = vec![
        event(
            10,
            kind::PROMPT,
            json!({"event": "started", "name": "hello", "text": "Вы приедете?"}),
        ),
        event(20, kind::DIGIT, json!({"digit": "1"})),
        event(30, kind::PROMPT, json!({"event": "ended", "name": "hello"})),
        event(
            40,
            kind::UTTERANCE,
            json!({"state": "noise", "text": "угу"}),
        ),
        event(
            50,
            kind::UTTERANCE,
            json!({"state": "complete", "text": "да, приеду"}),
        ),
        event(
            60,
            kind::UTTERANCE,
            json!({"state": "complete", "text": ""}),
        ),
        event(
            70,
            kind::PROMPT,
            json!({"event": "started", "name": "thanks"}),
        ),
        event(80, kind::LOG, json!({"text": "x".repeat(MAX_EVENT_BYTES)})),
    ];
    // In small parts, then the end: the end's answer comes after all of them.
    for part in lines.chunks(3) {
        store.record(&id("a"), 1, part.to_vec()).await.unwrap();
    }
    store.record(&id("nobody"), 1, lines.clone()).await.unwrap();
    store
        .attempt_ended(&id("a"), 1, &summary("confirmed"), Then::Finish, at(9))
        .await
        .unwrap();

    let kept = store.events(&id("a"), 0, 100).await.unwrap().unwrap();
    let kinds: Vec<&str> = kept.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "order",
            "attempt",
            "prompt",
            "digit",
            "prompt",
            "utterance",
            "utterance",
            "utterance",
            "prompt",
            "log",
            "attempt"
        ]
    );
    let numbers: Vec<u64> = kept.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    assert_eq!(kept[3].data, json!({"digit": "1"}));
    assert_eq!((kept[3].attempt, kept[3].at_ms), (1, Some(20)));
    assert_eq!(kept[9].data["too_long_bytes"], MAX_EVENT_BYTES + 11);
    let page = store.events(&id("a"), 3, 2).await.unwrap().unwrap();
    assert_eq!(page, kept[3..5]);
    assert_eq!(store.events(&id("nobody"), 0, 9).await.unwrap(), None);

    let call = store.call(&id("a")).await.unwrap().unwrap();
    let said: Vec<(&str, &str)> = call
        .transcript
        .iter()
        .map(|line| (line.speaker.as_str(), line.text.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("robot", "Вы приедете?"),
            ("person", "да, приеду"),
            ("robot", "thanks")
        ]
    );
    let health = store.health().await.unwrap();
    assert_eq!((health.fault, health.queued), (None, 0));
    assert_eq!(health.events_lost, lines.len() as u64);
    assert!(health.bytes > 10_000);
}

#[tokio::test]
async fn what_a_crash_cut_off_is_set_right() {
    let place = Place::new();
    let store = place.open();
    for name in ["quiet", "rang", "talked", "unwanted", "waiting"] {
        add(&store, &order(name), at(0)).await;
    }
    let due = store.take_due(at(1), 4, &everybody()).await.unwrap();
    store.ringing(&id("rang"), 1, at(2)).await.unwrap();
    store.answered(&id("talked"), 1, at(2)).await.unwrap();
    store.cancel(&id("unwanted"), at(2)).await.unwrap();
    store.add_incoming(incoming("in-1"), at(2)).await.unwrap();
    drop(store);

    let store = place.open();
    let recovered = store.recover(at(100), at(145)).await.unwrap();
    let fates: Vec<(&str, Fate)> = recovered
        .iter()
        .map(|call| (call.id.as_str(), call.fate))
        .collect();
    assert_eq!(
        fates,
        [
            ("quiet", Fate::QueuedAgain),
            ("rang", Fate::Closed),
            ("unwanted", Fate::Cancelled),
            ("talked", Fate::Closed),
            ("in-1", Fate::Closed),
        ]
    );
    assert_eq!(recovered[0].channel_id, due[0].channel_id);
    assert!(store.recover(at(101), at(146)).await.unwrap().is_empty());
    for name in ["rang", "talked", "in-1"] {
        let call = store.call(&id(name)).await.unwrap().unwrap();
        assert_eq!(call.status, Status::Finished, "{name}");
        assert_eq!(call.outcome.as_deref(), Some(outcome::RUNTIME_ERROR));
        let lines = store.events(&id(name), 0, 99).await.unwrap().unwrap();
        assert!(lines.iter().any(|line| line.kind == kind::FAULT), "{name}");
    }
    assert_eq!(
        changes(&store).await[11..],
        [
            "quiet queued",
            "rang finished",
            "unwanted cancelled",
            "talked finished",
            "in-1 finished"
        ]
    );
    // Nothing that may still be ringing is dialed again before that time.
    let taken = store.take_due(at(144), 9, &everybody()).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].order.id, id("waiting"));
    let taken = store.take_due(at(145), 9, &everybody()).await.unwrap();
    assert_eq!(
        (taken[0].order.id.clone(), taken[0].attempt),
        (id("quiet"), 1)
    );
}

#[tokio::test]
async fn an_order_that_brings_the_server_down_is_given_up() {
    let place = Place::new();
    let store = place.open();
    add(&store, &order("poison"), at(0)).await;
    for round in 0..=i64::from(MAX_RECOVERIES) {
        assert_eq!(
            store
                .take_due(at(round), 1, &everybody())
                .await
                .unwrap()
                .len(),
            1
        );
        store.recover(at(round), at(round)).await.unwrap();
    }
    assert_eq!(status(&store, "poison").await, "finished");
}
