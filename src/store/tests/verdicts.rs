//! What a verdict does to an order, what the judge is told, and the do-not-call list.

use std::sync::Mutex;

use super::*;
use crate::call::{OrderPatch, outcome};
use crate::ident::Phone;

type Judge = Box<dyn Fn(&Order, &Past, Timestamp) -> Verdict + Send + Sync>;

/// Judges by a closure, and keeps what it was asked.
struct Scripted {
    judge: Judge,
    asked: Mutex<Vec<(String, Past)>>,
}

impl Admit for Scripted {
    fn windows(&self, _: &Order, _: Timestamp) -> Windows {
        Windows {
            day: Some(at(0)),
            week: Some(at(-1_000)),
            month: None,
        }
    }

    fn judge(&self, order: &Order, past: &Past, now: Timestamp) -> Verdict {
        let mut asked = self.asked.lock().unwrap();
        asked.push((order.id.to_string(), *past));
        (self.judge)(order, past, now)
    }
}

fn scripted(
    judge: impl Fn(&Order, &Past, Timestamp) -> Verdict + Send + Sync + 'static,
) -> (Arc<Scripted>, Arc<dyn Admit>) {
    let scripted = Arc::new(Scripted {
        judge: Box::new(judge),
        asked: Mutex::default(),
    });
    (scripted.clone(), scripted)
}

fn wait(until: Timestamp, rule: &str) -> Verdict {
    Verdict::Wait {
        until,
        reason: Reason::new(rule, "не раньше девяти"),
        outcome: Some(outcome::OUT_OF_HOURS),
    }
}

async fn lines(store: &Store, call: &str) -> Vec<String> {
    let lines = store.events(&id(call), 0, 99).await.unwrap().unwrap();
    let words = lines.iter().filter(|line| line.kind == "order");
    words
        .map(|line| match line.data["rule"].as_str() {
            Some(rule) => format!("{} {rule}", line.data["event"].as_str().unwrap()),
            None => line.data["event"].as_str().unwrap().to_owned(),
        })
        .collect()
}

#[tokio::test]
async fn an_order_that_waits_is_not_asked_about_until_then() {
    let place = Place::new();
    let store = place.open();
    for n in 0..1_200 {
        add(&store, &order(&format!("o{n}")), at(0)).await;
    }
    let (asked, admit) = scripted(|_, _, _| wait(at(100), "hours"));
    let count = || asked.asked.lock().unwrap().len();
    for (round, judged) in [(1, 500), (2, 1_000), (3, 1_200), (4, 1_200), (99, 1_200)] {
        let taken = store.take_due(at(round), 10, &admit).await.unwrap();
        assert!(taken.is_empty());
        assert_eq!(count(), judged, "round {round}");
    }
    assert_eq!(store.next_due(at(99)).await.unwrap(), Some(at(100)));
    let call = store.call(&id("o7")).await.unwrap().unwrap();
    assert_eq!(call.next_attempt, Some(at(100)));
    assert_eq!(call.waits_for.unwrap().rule, "hours");
    // The same reason again is no news, another one is.
    let (_, still) = scripted(|_, _, _| wait(at(200), "hours"));
    store.take_due(at(100), 10, &still).await.unwrap();
    let (_, other) = scripted(|_, _, _| wait(at(300), "limit_day"));
    store.take_due(at(200), 10, &other).await.unwrap();
    assert_eq!(
        lines(&store, "o7").await,
        ["accepted", "waits hours", "waits limit_day"]
    );
    let taken = store.take_due(at(300), 1, &everybody()).await.unwrap();
    let call = store.call(&taken[0].order.id).await.unwrap().unwrap();
    assert_eq!(call.waits_for, None);
}

#[tokio::test]
async fn others_are_called_while_one_waits() {
    let place = Place::new();
    let store = place.open();
    for name in ["night", "day", "never", "day2"] {
        add(&store, &order(name), at(0)).await;
    }
    let (_, admit) = scripted(|order, _, now| match order.id.as_str() {
        // A moment that has passed can't make the store ask without end.
        "night" => wait(now, "hours"),
        "never" => Verdict::Refuse {
            outcome: Some("no_more"),
            reason: Reason::new("limit", "хватит"),
        },
        _ => Verdict::Call,
    });
    let taken = store.take_due(at(1), 2, &admit).await.unwrap();
    let ids: Vec<&str> = taken.iter().map(|due| due.order.id.as_str()).collect();
    assert_eq!(ids, ["day", "day2"]);
    let never = store.call(&id("never")).await.unwrap().unwrap();
    assert_eq!(
        (never.status, never.outcome.as_deref(), never.attempt),
        (Status::Finished, Some("no_more"), 0)
    );
    assert_eq!(lines(&store, "never").await, ["accepted", "refused limit"]);
    assert_eq!(
        changes(&store).await[4..],
        ["day dialing", "never finished", "day2 dialing"]
    );
    let night = store.call(&id("night")).await.unwrap().unwrap();
    assert_eq!(night.next_attempt, Some(at(2)));
}

#[tokio::test]
async fn a_refusal_without_a_word_keeps_the_last_outcome() {
    let place = Place::new();
    let store = place.open();
    add(&store, &order("a"), at(0)).await;
    store.take_due(at(1), 1, &everybody()).await.unwrap();
    store
        .attempt_ended(&id("a"), 1, &summary("busy"), again(10), at(2))
        .await
        .unwrap();
    let call = store.call(&id("a")).await.unwrap().unwrap();
    assert_eq!(call.waits_for.unwrap().rule, "busy");
    let (_, admit) = scripted(|_, _, _| Verdict::Refuse {
        outcome: None,
        reason: Reason::new("limit_month", "хватит"),
    });
    store.take_due(at(10), 1, &admit).await.unwrap();
    let call = store.call(&id("a")).await.unwrap().unwrap();
    assert_eq!(
        (call.status, call.outcome.as_deref()),
        (Status::Finished, Some("busy"))
    );
    assert_eq!(call.waits_for, None);
}

#[tokio::test]
async fn what_only_waited_for_hours_expires_out_of_hours() {
    let place = Place::new();
    let store = place.open();
    let (_, admit) = scripted(|_, _, _| wait(at(100), "hours"));
    for name in ["hours", "line"] {
        let mut order = order(name);
        order.expires = Some(at(50));
        add(&store, &order, at(0)).await;
        // The second one has only a line to wait for.
        let limit = usize::from(name == "hours");
        store.take_due(at(1), limit, &admit).await.unwrap();
    }
    store.take_due(at(50), 1, &admit).await.unwrap();
    let outcome = async |call: &str| store.call(&id(call)).await.unwrap().unwrap().outcome;
    assert_eq!(status(&store, "hours").await, "expired");
    assert_eq!(outcome("hours").await.as_deref(), Some("out_of_hours"));
    assert_eq!(lines(&store, "hours").await[2], "expired hours");
    assert_eq!(status(&store, "line").await, "expired");
    assert_eq!(outcome("line").await, None);
}

#[tokio::test]
async fn the_past_of_a_number_is_counted_however_it_was_written() {
    let place = Place::new();
    let store = place.open();
    for (name, phone) in [
        ("plus", "+79121234567"),
        ("eight", "89121234567"),
        ("ten", "9121234567"),
        ("other", "+79121234568"),
        ("last", "79121234567"),
    ] {
        let order = Order::simple(id(name), Phone::parse(phone).unwrap(), "d");
        add(&store, &order, at(-500)).await;
    }
    // Two before the day's beginning, answered by a person and by a machine (whatever the dialog then called it); one after
    // it that goes on.
    store.take_due(at(-400), 2, &everybody()).await.unwrap();
    for (name, machine) in [("plus", false), ("eight", true)] {
        store.answered(&id(name), 1, at(-390)).await.unwrap();
        let summary = Summary {
            answered: true,
            machine,
            ..Summary::new("x")
        };
        store
            .attempt_ended(&id(name), 1, &summary, Then::Finish, at(-380))
            .await
            .unwrap();
    }
    let (asked, admit) = scripted(|_, _, _| Verdict::Call);
    for now in [1, 2, 3] {
        store.take_due(at(now), 1, &admit).await.unwrap();
    }
    let asked = asked.asked.lock().unwrap().clone();
    let count = |attempts, answers, talks, going_on| Count {
        attempts,
        answers,
        talks,
        going_on,
    };
    let expect = [
        ("ten", count(0, 0, 0, 0), count(2, 2, 1, 0)),
        ("other", count(0, 0, 0, 0), count(0, 0, 0, 0)),
        ("last", count(0, 0, 0, 1), count(2, 2, 1, 1)),
    ];
    for ((name, past), (expect, day, week)) in asked.iter().zip(expect) {
        assert_eq!((name.as_str(), past.day, past.week), (expect, day, week));
        assert_eq!(past.month, Count::default(), "not asked for");
    }
    // What never rang doesn't count.
    store
        .put_back(&id("last"), 1, "AMI is away", at(9), at(9))
        .await
        .unwrap();
    let (asked, admit) = scripted(|_, _, _| Verdict::Call);
    store.take_due(at(10), 1, &admit).await.unwrap();
    assert_eq!(asked.asked.lock().unwrap()[0].1.day, count(0, 0, 0, 1));
}

fn listed(phone: &str) -> Listed {
    Listed {
        phone: Phone::parse(phone).unwrap(),
        reason: "просил не звонить".into(),
        who: "1c".into(),
        at: at(5),
    }
}

#[tokio::test]
async fn a_listed_number_is_not_called() {
    let place = Place::new();
    let store = place.open();
    for name in ["queued", "timed"] {
        let mut order = order(name);
        order.not_before = (name == "timed").then(|| at(1_000));
        add(&store, &order, at(0)).await;
    }
    let mut elsewhere = order("elsewhere");
    elsewhere.phone = Phone::parse("112").unwrap();
    add(&store, &elsewhere, at(0)).await;
    let entries = vec![listed("89121234567"), listed("+79121234567"), listed("02")];
    let added = store.add_do_not_call(entries).await.unwrap();
    assert_eq!(added, [true, false, true]);
    add(&store, &order("late"), at(6)).await;
    for name in ["queued", "timed", "late"] {
        let call = store.call(&id(name)).await.unwrap().unwrap();
        assert_eq!(
            (call.status, call.outcome.as_deref(), call.attempt),
            (Status::Finished, Some(outcome::DO_NOT_CALL), 0),
            "{name}"
        );
        assert_eq!(lines(&store, name).await[1], "refused do_not_call");
    }
    let taken = store.take_due(at(9), 9, &everybody()).await.unwrap();
    assert_eq!(taken.len(), 1);

    let (page, next) = store.do_not_call_page(0, 1).await.unwrap();
    assert_eq!(page, [listed("89121234567")]);
    let (page, _) = store.do_not_call_page(next, 9).await.unwrap();
    assert_eq!(page, [listed("02")]);
    let phone = Phone::parse("9121234567").unwrap();
    assert!(store.do_not_call(&phone).await.unwrap().is_some());
    assert!(store.remove_do_not_call(&phone).await.unwrap());
    assert!(!store.remove_do_not_call(&phone).await.unwrap());
    assert_eq!(store.do_not_call(&phone).await.unwrap(), None);
    add(&store, &order("again"), at(10)).await;
    assert_eq!(status(&store, "again").await, "queued");
}

/// The dialog noted it, and the server was killed before the talk's end could tell.
#[tokio::test]
async fn who_asked_for_it_before_a_crash_is_listed_after_it() {
    let place = Place::new();
    let store = place.open();
    for name in ["asked", "talked"] {
        let mut order = order(name);
        if name == "talked" {
            order.phone = Phone::parse("112").unwrap();
        }
        add(&store, &order, at(0)).await;
        store.take_due(at(1), 1, &everybody()).await.unwrap();
        store.answered(&id(name), 1, at(2)).await.unwrap();
    }
    let line = HistoryEvent {
        at: at(3),
        at_ms: Some(1_000),
        kind: crate::call::history::kind::DO_NOT_CALL,
        data: serde_json::json!({"reason": "просил в разговоре"}).into(),
    };
    store.record(&id("asked"), 1, vec![line]).await.unwrap();
    drop(store);
    let store = place.open();
    store.recover(at(100), at(145)).await.unwrap();
    let (page, _) = store.do_not_call_page(0, 9).await.unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(
        (page[0].reason.as_str(), page[0].who.as_str()),
        ("просил в разговоре", "asked")
    );
    assert_eq!(page[0].phone.key(), "79121234567");
}

#[tokio::test]
async fn a_change_of_hours_never_brings_a_retry_before_its_own_wait() {
    let place = Place::new();
    let store = place.open();
    let admit = everybody();
    let amend = async |patch: OrderPatch, admit: &Arc<dyn Admit>, now: i64| {
        store.amend(&id("o"), patch, admit, at(now)).await.unwrap()
    };
    let stands = async || {
        let call = store.call(&id("o")).await.unwrap().unwrap();
        let rule = call.waits_for.map(|reason| (reason.rule, reason.text));
        (call.next_attempt.unwrap(), rule)
    };
    let zone = |name: &str| OrderPatch {
        zone: Some(Some(name.to_owned())),
        ..OrderPatch::default()
    };
    let rule = |rule: &str, text: &str| Some((rule.to_owned(), text.to_owned()));
    add(&store, &order("o"), at(0)).await;
    store.take_due(at(1), 1, &admit).await.unwrap();
    // Busy: in ten minutes, which calling hours made an hour.
    let then = Then::Retry {
        at: at(3_600),
        reason: Reason::new("busy", "занято: через 10 мин; по часам — через час"),
        wanted: Some(Wanted {
            at: at(600),
            text: "занято: через 10 мин".to_owned(),
        }),
    };
    store
        .attempt_ended(&id("o"), 1, &summary("busy"), then, at(2))
        .await
        .unwrap();
    assert_eq!(stands().await.0, at(3_600));
    // Other wishes leave the wait alone.
    let priority = OrderPatch {
        priority: Some(5),
        ..OrderPatch::default()
    };
    assert_eq!(amend(priority, &admit, 3).await, Amended::Done);
    assert_eq!(stands().await.0, at(3_600));
    // No hours hold it any more: the rule's own ten minutes do.
    assert_eq!(amend(zone("Asia/Omsk"), &admit, 4).await, Amended::Done);
    let own = rule("busy", "занято: через 10 мин");
    assert_eq!(stands().await, (at(600), own.clone()));
    // Hours again, asked at the moment of the retry; and back.
    let (asked, night) = scripted(|_, _, now| {
        assert_eq!(now, at(600));
        wait(at(9_000), "hours")
    });
    amend(zone("Asia/Tomsk"), &night, 5).await;
    assert_eq!(
        stands().await,
        (at(9_000), rule("hours", "не раньше девяти"))
    );
    assert_eq!(asked.asked.lock().unwrap().len(), 1);
    amend(zone("Asia/Omsk"), &admit, 6).await;
    assert_eq!(stands().await, (at(600), own));
    // Later than the retry: `not_before`'s.
    let later = OrderPatch {
        not_before: Some(Some(at(700))),
        ..OrderPatch::default()
    };
    amend(later, &admit, 7).await;
    assert_eq!(stands().await, (at(700), rule("not_before", "")));
    // When the retry's time has passed, hours alone are left.
    amend(zone("Asia/Tomsk"), &admit, 800).await;
    assert_eq!(stands().await, (at(800), None));
    assert_eq!(store.take_due(at(800), 1, &admit).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_wait_that_an_older_version_wrote_is_not_made_shorter() {
    let place = Place::new();
    let store = place.open();
    add(&store, &order("o"), at(0)).await;
    store.take_due(at(1), 1, &everybody()).await.unwrap();
    store
        .attempt_ended(&id("o"), 1, &summary("busy"), again(600), at(2))
        .await
        .unwrap();
    let old = rusqlite::Connection::open(&place.path).unwrap();
    old.execute("UPDATE calls SET waits = json_remove(waits, '$.first')", [])
        .unwrap();
    let hours = OrderPatch {
        hours: Some(Some("ежедневно 0-24".to_owned())),
        ..OrderPatch::default()
    };
    store
        .amend(&id("o"), hours, &everybody(), at(3))
        .await
        .unwrap();
    let call = store.call(&id("o")).await.unwrap().unwrap();
    assert_eq!(call.next_attempt, Some(at(600)));
    assert_eq!(call.waits_for.unwrap().rule, "busy");
}
