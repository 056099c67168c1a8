//! Attempts by outcome, verdicts with their words, and rules over a real store.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Rules;
use super::zone_table_tests::rules as table_rules;
use crate::call::{Order, Status, Summary, outcome};
use crate::config::{After, Config, Counts, Hours, Preset, Retry, RuleSet};
use crate::ident::{CallId, Phone};
use crate::store::{Admit, Count, Ended, Past, Store, Then, Verdict};

/// Monday noon in Moscow.
fn at(seconds: i64) -> Timestamp {
    let noon: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
    noon + SignedDuration::from_secs(seconds)
}

fn order(attempts: u32) -> Order {
    let mut order = Order::simple(
        CallId::parse("a").unwrap(),
        Phone::parse("+74951234567").unwrap(),
        "d",
    );
    order.attempts = attempts;
    order
}

fn summary(outcome: &str) -> Summary {
    Summary::new(outcome)
}

fn ended(outcome: &str) -> Ended {
    Ended {
        outcome: outcome.to_owned(),
        answered: false,
        talk_ms: 0,
    }
}

/// `in N`: again after so many seconds; `end`; `up RULE`: given up by that rule.
fn told(then: &Then) -> String {
    match then {
        Then::Finish => "end".to_owned(),
        Then::GiveUp { reason } => format!("up {}", reason.rule),
        Then::Retry { at: when, .. } => format!("in {}", when.duration_since(at(0)).as_secs()),
    }
}

fn with(change: impl FnOnce(&mut RuleSet)) -> Rules {
    let mut config = Config::default();
    let mut set = RuleSet::open("s");
    change(&mut set);
    config.rules.sets.push(set);
    Rules::from_config(&config, TimeZone::UTC)
}

#[test]
fn without_rules_who_was_not_reached_is_called_again() {
    let rules = Rules::new(600_000);
    let after = |word: &str, attempt, attempts| {
        told(&rules.after(&order(attempts), attempt, &[], &summary(word), at(0)))
    };
    for word in [
        "busy",
        "no_answer",
        "unreachable",
        "congestion",
        "machine",
        "runtime_error",
    ] {
        assert_eq!(after(word, 1, 3), "in 600", "{word}");
        assert_eq!(after(word, 2, 3), "in 600", "{word}");
        assert_eq!(after(word, 3, 3), "up attempts", "{word}");
        assert_eq!(after(word, 1, 1), "up attempts", "{word}");
        assert_eq!(after(word, 1, 0), "up attempts", "once is usual: {word}");
    }
    for word in [
        "rejected",
        "invalid_number",
        "hung_up",
        "no_reply",
        "script_error",
        "do_not_call",
        "completed",
        "confirmed",
    ] {
        assert_eq!(after(word, 1, 3), "end", "{word}");
    }
    let mut talked = summary("runtime_error");
    talked.answered = true;
    let then = rules.after(&order(3), 1, &[], &talked, at(0));
    assert_eq!(then, Then::Finish, "a failure of ours in mid-talk");
}

#[test]
fn the_dialog_may_ask_for_one_attempt_more() {
    let rules = Rules::new(600_000);
    for (attempt, attempts, when, expect) in [
        (1, 3, 7200, "in 7200"),
        (1, 1, 7200, "in 7200"),
        (2, 1, 7200, "up attempts"),
        (4, 3, 7200, "up attempts"),
        (1, 3, -50, "in 0"),
    ] {
        let mut later = summary("later");
        later.answered = true;
        later.call_again = Some(at(when));
        let then = rules.after(&order(attempts), attempt, &[], &later, at(0));
        assert_eq!(told(&then), expect, "{attempt} of {attempts}");
        later.do_not_call = Some(String::new());
        let then = rules.after(&order(attempts), attempt, &[], &later, at(0));
        assert_eq!(then, Then::Finish, "whoever asked not to be called isn't");
    }
}

#[test]
fn nothing_is_planned_past_the_end() {
    let rules = Rules::new(600_000);
    for (expires, expect) in [(600, "up expires"), (601, "in 600"), (10, "up expires")] {
        let mut order = order(3);
        order.expires = Some(at(expires));
        let then = rules.after(&order, 1, &[], &summary("busy"), at(0));
        assert_eq!(told(&then), expect);
        let mut later = summary("later");
        later.call_again = Some(at(600));
        assert_eq!(told(&rules.after(&order, 1, &[], &later, at(0))), expect);
    }
}

fn retries() -> Rules {
    let retry = |outcome: &str, after, times| Retry {
        outcome: outcome.to_owned(),
        after,
        times,
        shorter_ms: if outcome == "short" { 15_000 } else { 0 },
    };
    with(|set| {
        set.retries = vec![
            retry("busy", After::Ms(600_000), 2),
            retry("no_answer", After::Ms(7_200_000), 3),
            retry("machine", After::NextDay, 1),
            retry("short", After::Ms(60_000), 1),
            retry("runtime_error", After::Ms(30_000), 1),
        ];
    })
}

#[test]
fn each_outcome_has_its_wait_and_its_count() {
    let rules = retries();
    let day = SignedDuration::from_hours(24).as_secs();
    for (before, last, attempts, expect) in [
        (vec![], "busy", 0, "in 600".to_owned()),
        (vec!["busy"], "busy", 0, "in 600".to_owned()),
        (vec!["busy", "busy"], "busy", 0, "up busy".to_owned()),
        // The other outcomes' counts are their own.
        (vec!["busy", "busy"], "no_answer", 0, "in 7200".to_owned()),
        (
            vec!["no_answer", "busy", "no_answer"],
            "no_answer",
            0,
            "in 7200".to_owned(),
        ),
        (
            vec!["no_answer", "no_answer", "no_answer"],
            "no_answer",
            0,
            "up no_answer".to_owned(),
        ),
        (vec![], "machine", 0, format!("in {day}")),
        (vec!["machine"], "machine", 0, "up machine".to_owned()),
        // What has no rule isn't tried again.
        (vec![], "unreachable", 0, "end".to_owned()),
        (vec![], "confirmed", 0, "end".to_owned()),
        // The order's own bound holds besides.
        (vec!["busy"], "no_answer", 2, "up attempts".to_owned()),
        (vec![], "busy", 1, "up attempts".to_owned()),
    ] {
        let before: Vec<Ended> = before.into_iter().map(ended).collect();
        let attempt = u32::try_from(before.len()).unwrap() + 1;
        let then = rules.after(&order(attempts), attempt, &before, &summary(last), at(0));
        assert_eq!(told(&then), expect, "{before:?} {last}");
    }
    let Then::Retry { reason, .. } =
        rules.after(&order(0), 2, &[ended("busy")], &summary("busy"), at(0))
    else {
        panic!("no retry");
    };
    assert_eq!(reason.rule, "busy");
    assert_eq!(reason.text, "busy: ещё раз через 10 мин (повтор 2 из 2)");
}

#[test]
fn a_talk_that_was_over_too_soon_is_none() {
    let rules = retries();
    let cut = |word: &str, answered, talk_ms| Ended {
        outcome: word.to_owned(),
        answered,
        talk_ms,
    };
    for (last, before, expect) in [
        (cut("hung_up", true, 14_999), vec![], "in 60"),
        (cut("no_reply", true, 3_000), vec![], "in 60"),
        (cut("hung_up", true, 15_000), vec![], "end"),
        // The dialog had its outcome.
        (cut("declined", true, 3_000), vec![], "end"),
        (
            cut("hung_up", true, 1),
            vec![cut("no_reply", true, 2)],
            "up short",
        ),
        (
            cut("hung_up", true, 1),
            vec![cut("hung_up", true, 90_000)],
            "in 60",
        ),
        (cut("runtime_error", false, 0), vec![], "in 30"),
        (cut("runtime_error", true, 0), vec![], "end"),
    ] {
        let mut summary = summary(&last.outcome);
        (summary.answered, summary.talk_ms) = (last.answered, last.talk_ms);
        let attempt = u32::try_from(before.len()).unwrap() + 1;
        let then = rules.after(&order(0), attempt, &before, &summary, at(0));
        assert_eq!(told(&then), expect, "{last:?} {before:?}");
    }
}

#[test]
fn another_attempt_keeps_to_the_hours() {
    let rules = with(|set| {
        set.hours = Some(Hours::parse("пн-пт 9-18").unwrap());
        set.retries = vec![Retry {
            outcome: "machine".into(),
            after: After::NextDay,
            times: 3,
            shorter_ms: 0,
        }];
    });
    let next = |summary: &Summary, now: i64| match rules.after(&order(5), 1, &[], summary, at(now))
    {
        Then::Retry { at, reason, .. } => (at.to_string(), reason.text),
        other => panic!("{other:?}"),
    };
    let (when, text) = next(&summary("machine"), 0);
    assert_eq!(when, "2026-12-01T06:00:00Z");
    assert!(
        text.contains("не раньше 01.12 09:00 (Europe/Moscow)"),
        "{text}"
    );
    // Friday's next day is Monday.
    let (when, _) = next(&summary("machine"), 4 * 86_400);
    assert_eq!(when, "2026-12-07T06:00:00Z");
    let mut later = summary("later");
    later.call_again = Some(at(8 * 3600));
    assert_eq!(
        next(&later, 0).0,
        "2026-12-01T06:00:00Z",
        "eight in the evening is too late"
    );
    later.call_again = Some(at(3600));
    assert_eq!(next(&later, 0).0, at(3600).to_string());
}

#[test]
fn a_set_is_named_by_the_order_or_its_dialog() {
    let mut config = Config::default();
    for (name, dialogs, per_day) in [
        ("debts", vec!["debt"], 1),
        ("all", vec![], 2),
        ("vip", vec![], 3),
    ] {
        let mut set = RuleSet::open(name);
        set.dialogs = dialogs.into_iter().map(str::to_owned).collect();
        set.per_day = Some(per_day);
        config.rules.sets.push(set);
    }
    let rules = Rules::from_config(&config, TimeZone::UTC);
    let limit = |dialog: &str, named: Option<&str>| {
        let mut order = order(0);
        order.dialog = dialog.to_owned();
        order.rules = named.map(str::to_owned);
        rules.plan(&order).set.limits.day
    };
    assert_eq!(limit("debt", None), Some(1));
    assert_eq!(limit("visit", None), Some(2));
    assert_eq!(limit("debt", Some("vip")), Some(3));
    assert_eq!(
        limit("debt", Some("gone")),
        Some(1),
        "a set that has been taken away since"
    );
    assert_eq!(rules.names().collect::<Vec<_>>(), ["debts", "all", "vip"]);
}

#[test]
fn limits_wait_for_the_next_day_within_hours() {
    let rules = with(|set| set.preset = Preset::Debt230Fz);
    let count = |talks, going_on| Count {
        attempts: talks,
        answers: talks,
        talks,
        going_on,
    };
    let none = count(0, 0);
    for (day, week, month, rule, until) in [
        (none, none, none, "call", ""),
        (
            count(1, 0),
            count(1, 0),
            count(1, 0),
            "per_day",
            "2026-12-01T05:00:00Z",
        ),
        (
            none,
            count(2, 0),
            count(2, 0),
            "per_week",
            "2026-12-07T05:00:00Z",
        ),
        (none, none, count(8, 0), "per_month", "2026-12-01T05:00:00Z"),
        (
            count(0, 1),
            count(0, 1),
            count(0, 1),
            "same_number",
            "2026-11-30T09:01:00Z",
        ),
    ] {
        let past = Past { day, week, month };
        match rules.judge(&order(0), &past, at(0)) {
            Verdict::Call => assert_eq!(rule, "call"),
            Verdict::Wait {
                until: got,
                reason,
                outcome,
            } => {
                assert_eq!(
                    (reason.rule.as_str(), got.to_string().as_str()),
                    (rule, until)
                );
                assert!(!reason.text.is_empty());
                assert_eq!(outcome, None);
            }
            other => panic!("{other:?}"),
        }
    }
    // The law's own limits stay where the set has looser ones, and its hours where the order has its own.
    let loose = with(|set| {
        set.preset = Preset::Debt230Fz;
        set.per_day = Some(9);
        set.counts = Counts::Talks;
    });
    let limits = loose.plan(&order(0)).set.limits;
    assert_eq!((limits.day, limits.counts), (Some(1), Counts::Answers));
    let mut night = order(0);
    night.hours = Some("ежедневно 0-24".into());
    let midnight = at(12 * 3600);
    assert!(matches!(
        loose.judge(&night, &Past::default(), midnight),
        Verdict::Wait { .. }
    ));
}

#[test]
fn impossible_rules_are_told() {
    let faults = |change: fn(&mut RuleSet)| {
        let mut config = Config::default();
        let mut set = RuleSet::open("s");
        set.line = 7;
        change(&mut set);
        config.rules.sets.push(set);
        super::rule_faults(&config, at(0)).join("\n")
    };
    let hours = |text: &str| Hours::parse(text).ok();
    assert_eq!(faults(|_| {}), "");
    assert_eq!(faults(|set| set.preset = Preset::Debt230Fz), "");
    let narrow = faults(|set| set.hours = Hours::parse("пн-пт 10-18").ok());
    assert!(
        narrow.contains("строка 7") && narrow.contains("unknown_zone"),
        "{narrow}"
    );
    let law = faults(|set| {
        set.preset = Preset::Debt230Fz;
        set.hours = Hours::parse("ежедневно 0-7").ok();
    });
    assert!(law.contains("с часами закона"), "{law}");
    let once = faults(|set| {
        set.attempts = Some(1);
        set.retries = vec![Retry {
            outcome: "busy".into(),
            after: After::NextDay,
            times: 1,
            shorter_ms: 0,
        }];
    });
    assert!(once.contains("attempts"), "{once}");
    assert!(hours("пн 9-10").is_some());
}

/// The night that the issue names: an evening in Moscow is a night in Kamchatka.
#[tokio::test]
async fn kamchatka_is_not_called_at_moscows_evening() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("g.sqlite")).unwrap();
    let admit: Arc<dyn Admit> = Arc::new(table_rules());
    let evening: Timestamp = "2026-11-30T15:00:00Z".parse().unwrap();
    let mut orders = Vec::new();
    for (id, phone, zone) in [
        ("kamchatka", "+74152123456", None),
        ("moscow", "+74951234567", None),
        ("mobile", "+79121234567", None),
        ("told", "+79121234568", Some("Asia/Kamchatka")),
        ("short", "+74152123457", None),
    ] {
        let mut order = Order::simple(
            CallId::parse(id).unwrap(),
            Phone::parse(phone).unwrap(),
            "debt",
        );
        order.zone = zone.map(str::to_owned);
        // Its time is over before the morning comes there.
        order.expires = (id == "short").then(|| evening + SignedDuration::from_hours(2));
        orders.push((order, id.to_owned()));
    }
    store.add_orders(orders, evening).await.unwrap();
    let taken = async |now: &str| -> Vec<String> {
        let due = store
            .take_due(now.parse().unwrap(), 9, &admit)
            .await
            .unwrap();
        due.iter().map(|due| due.order.id.to_string()).collect()
    };
    let call = async |id: &str| {
        let id = CallId::parse(id).unwrap();
        store.call(&id).await.unwrap().unwrap()
    };
    // Six in the evening in Moscow: three at night in Kamchatka, where a mobile number may be too.
    assert_eq!(taken("2026-11-30T15:00:00Z").await, ["moscow"]);
    let waits = call("kamchatka").await;
    assert_eq!(waits.status, Status::Queued);
    assert_eq!(
        waits.next_attempt.unwrap().to_string(),
        "2026-11-30T20:00:00Z"
    );
    let reason = waits.waits_for.unwrap();
    assert_eq!(reason.rule, "hours");
    assert_eq!(
        reason.text,
        "вне часов звонков: у абонента 01.12 03:00 (Asia/Kamchatka), звоним с 01.12 08:00 (Asia/Kamchatka); Asia/Kamchatka"
    );
    assert!(taken("2026-11-30T19:59:59Z").await.is_empty());
    let short = call("short").await;
    assert_eq!(
        (short.status, short.outcome.as_deref()),
        (Status::Expired, Some(outcome::OUT_OF_HOURS))
    );
    assert_eq!(taken("2026-11-30T20:00:00Z").await, ["kamchatka", "told"]);
    // Eight in Kaliningrad is the first hour that is one everywhere.
    assert!(taken("2026-12-01T05:59:59Z").await.is_empty());
    assert_eq!(taken("2026-12-01T06:00:00Z").await, ["mobile"]);
}

#[tokio::test]
async fn who_asked_for_it_in_a_call_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("g.sqlite")).unwrap();
    let admit: Arc<dyn Admit> = Arc::new(Rules::new(600_000));
    let mut one = order(3);
    one.priority = 1;
    let mut other = order(3);
    other.id = CallId::parse("b").unwrap();
    other.phone = Phone::parse("84951234567").unwrap();
    let orders = vec![(one, "a".to_owned()), (other, "b".to_owned())];
    store.add_orders(orders, at(0)).await.unwrap();
    let due = store.take_due(at(1), 1, &admit).await.unwrap();
    let mut asked = summary("refused");
    asked.do_not_call = Some("не звоните сюда".into());
    store
        .attempt_ended(&due[0].order.id, 1, &asked, Then::Finish, at(9))
        .await
        .unwrap();
    let entry = store
        .do_not_call(&due[0].order.phone)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (entry.reason.as_str(), entry.who.as_str()),
        ("не звоните сюда", "a")
    );
    let closed = store
        .call(&CallId::parse("b").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (closed.status, closed.outcome.as_deref()),
        (Status::Finished, Some(outcome::DO_NOT_CALL))
    );
}
