//! An order is changed while it waits, and not later.

use super::*;
use crate::ident::CallId;
use crate::store::{Reason, Then, everybody};

async fn patch(server: &Server, id: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/calls/{id}");
    server.ask("PATCH", &path, TOKEN, &body.to_string()).await
}

#[tokio::test]
async fn what_is_named_is_changed_once_and_told_in_the_history() {
    let server = start().await;
    server.order(&order("1")).await;
    let wish = json!({
        "priority": 7, "attempts": 5, "params": {"имя": "Пётр"}, "callback": "https://1c.local/hs/calls",
        "not_before": "2030-01-01T10:00:00", "expires": "2030-01-01T12:00:00+03:00",
    });
    let done = patch(&server, "1", &wish).await;
    assert_eq!(done.status, 200, "{done:?}");
    let call = done.json();
    assert_eq!(
        [
            &call["priority"],
            &call["attempts"],
            &call["params"]["имя"],
            &call["params"]["sum"]
        ],
        [&json!(7), &json!(5), &json!("Пётр"), &Value::Null]
    );
    assert_eq!(call["not_before"], "2030-01-01T10:00:00+03:00");
    assert_eq!(call["next_attempt"], "2030-01-01T10:00:00+03:00");
    assert_eq!(call["expires"], "2030-01-01T12:00:00+03:00");
    // The same wish again: the same answer, and no second line.
    assert_eq!(patch(&server, "1", &wish).await.json(), call);
    assert_eq!(patch(&server, "1", &json!({})).await.json(), call);
    let events = server.get("/api/v1/calls/1/events").await.json();
    let changed = |event: &&Value| event["data"]["event"] == "changed";
    let lines: Vec<&Value> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(changed)
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["data"]["priority"], 7);
    // The order as it came is still a repeat, and undoes nothing.
    assert_eq!(server.order(&order("1")).await.status, 200);
    // Taken away: at once again, with the defaults.
    let bare = json!({"not_before": null, "expires": "0001-01-01T00:00:00", "priority": null, "callback": null, "params": null});
    let call = patch(&server, "1", &bare).await.json();
    assert_eq!(
        [
            &call["not_before"],
            &call["expires"],
            &call["callback"],
            &call["priority"],
            &call["params"]
        ],
        [
            &Value::Null,
            &Value::Null,
            &Value::Null,
            &json!(0),
            &json!({})
        ]
    );
    let due = server
        .store
        .take_due(jiff::Timestamp::now(), 1, &everybody())
        .await
        .unwrap();
    assert_eq!(due[0].order.attempts, 5);
}

#[tokio::test]
async fn wrong_wishes_and_late_ones_change_nothing() {
    let server = start().await;
    server.order(&order("1")).await;
    let long = "x".repeat(5000);
    for (wish, expect) in [
        (json!([]), "422 wrong_type -"),
        (json!({"phone": "112"}), "422 fixed phone"),
        (json!({"dialog": "визит"}), "422 fixed dialog"),
        (json!({"prioritet": 1}), "422 unknown_field prioritet"),
        (json!({"priority": 101}), "422 out_of_range priority"),
        (json!({"attempts": 0}), "422 out_of_range attempts"),
        (json!({"not_before": "завтра"}), "422 bad_time not_before"),
        (json!({"params": {"a": long}}), "422 too_long params.a"),
        (json!({"callback": "1c.local"}), "422 bad_url callback"),
        (json!({"file": "нет.wav"}), "422 no_prompt file"),
        (json!({"file": "../x.wav"}), "422 bad_name file"),
        (json!({"rules": "долги"}), "422 no_rules rules"),
        (json!({"zone": "МСК"}), "422 bad_zone zone"),
        (json!({"hours": "в обед"}), "422 bad_hours hours"),
        (json!({"hours": 9}), "422 wrong_type hours"),
        (
            json!({"callback": "http://a:b@1c.local/"}),
            "422 bad_url callback",
        ),
        (
            json!({"not_before": "2030-01-01T10:00:00", "expires": "2030-01-01T10:00:00"}),
            "422 wrong_value expires",
        ),
    ] {
        assert_eq!(patch(&server, "1", &wish).await.refusal(), expect, "{wish}");
    }
    assert_eq!(
        patch(&server, "2", &json!({})).await.refusal(),
        "404 no_call -"
    );
    assert_eq!(server.get("/api/v1/calls/1").await.json()["priority"], 0);

    // Between two attempts it waits, too; but not for fewer than were made.
    let now = jiff::Timestamp::now();
    let id = CallId::parse("1").unwrap();
    patch(&server, "1", &json!({"attempts": 3})).await;
    server.store.take_due(now, 1, &everybody()).await.unwrap();
    assert_eq!(
        patch(&server, "1", &json!({"priority": 1})).await.refusal(),
        "409 not_queued -"
    );
    let summary = crate::call::Summary::new("busy");
    let again = Then::Retry {
        at: now + jiff::SignedDuration::from_secs(600),
        reason: Reason::new("busy", "занято"),
        wanted: None,
    };
    server
        .store
        .attempt_ended(&id, 1, &summary, again, now)
        .await
        .unwrap();
    assert_eq!(
        patch(&server, "1", &json!({"attempts": 1})).await.refusal(),
        "422 out_of_range attempts"
    );
    let before = server.get("/api/v1/calls/1").await.json()["next_attempt"].clone();
    // The wait between attempts is a rule's; `not_before` can make it longer only.
    let sooner = patch(&server, "1", &json!({"not_before": "2020-01-01T00:00:00"}))
        .await
        .json();
    assert_eq!(sooner["next_attempt"], before);
    let later = patch(&server, "1", &json!({"not_before": "2040-01-01T00:00:00"}))
        .await
        .json();
    assert_eq!(later["next_attempt"], "2040-01-01T00:00:00+03:00");
    server.ask("DELETE", "/api/v1/calls/1", TOKEN, "").await;
    assert_eq!(
        patch(&server, "1", &json!({})).await.refusal(),
        "409 not_queued -"
    );
}

/// Rules that call from nine to nine, or from noon, by the callee's clock.
fn rules() -> std::sync::Arc<crate::outbound::Rules> {
    use crate::config::{Config, Hours, RuleSet};
    let mut config = Config::default();
    for (name, hours) in [
        ("день", "ежедневно 9-21"),
        ("после обеда", "ежедневно 12-21"),
    ] {
        let mut set = RuleSet::open(name);
        set.hours = Hours::parse(hours).ok();
        config.rules.sets.push(set);
    }
    let rules = crate::outbound::Rules::from_config(&config, TimeZone::fixed(jiff::tz::offset(3)));
    std::sync::Arc::new(rules)
}

/// A Monday's noon in Moscow: nine in the evening in Kamchatka.
const NOON: &str = "2026-11-30T09:00:00Z";

#[tokio::test]
async fn rules_zone_and_hours_change_when_it_is_called() {
    let now: jiff::Timestamp = NOON.parse().unwrap();
    let server = start_with(keys(), move |state| {
        let zone = TimeZone::fixed(jiff::tz::offset(3));
        state.with_rules(rules()).with_clock(move || now, zone)
    })
    .await;
    let sent = json!({"id": "1", "phone": "+79121234567", "dialog": "confirm_visit", "zone": "Asia/Kamchatka"});
    server.order(&sent).await;
    let admit: std::sync::Arc<dyn crate::store::Admit> = rules();
    let taken = server.store.take_due(now, 9, &admit).await.unwrap();
    assert!(taken.is_empty(), "it is evening there");
    let told = |call: &Value| {
        let word = |key: &str| call[key].as_str().unwrap_or("-").to_owned();
        format!("{} {}", word("next_attempt"), word("reason"))
    };
    for (wish, expect) in [
        // Nine in the morning there is midnight in Moscow.
        (json!({}), "2026-12-01T00:00:00+03:00 hours"),
        (
            json!({"rules": "после обеда"}),
            "2026-12-01T03:00:00+03:00 hours",
        ),
        (
            json!({"hours": "ежедневно 15-16"}),
            "2026-12-01T06:00:00+03:00 hours",
        ),
        (
            json!({"zone": "Europe/Moscow"}),
            "2026-11-30T15:00:00+03:00 hours",
        ),
        (
            json!({"not_before": "2026-12-03T16:30:00"}),
            "2026-12-04T15:00:00+03:00 hours",
        ),
        (
            json!({"not_before": "2026-12-03T15:30:00"}),
            "2026-12-03T15:30:00+03:00 not_before",
        ),
        (
            json!({"hours": null, "not_before": null}),
            "2026-11-30T12:00:00+03:00 -",
        ),
        (
            json!({"rules": "", "zone": null}),
            "2026-12-01T10:00:00+03:00 hours",
        ),
        (
            json!({"zone": "Europe/Moscow", "file": "hello.wav"}),
            "2026-11-30T12:00:00+03:00 -",
        ),
    ] {
        let call = patch(&server, "1", &wish).await.json();
        assert_eq!(told(&call), expect, "{wish}: {call:#}");
    }
    // What could never be called changes nothing, and names the wish that makes it so: no hour of these is one in all of Russia.
    let narrow = json!({"hours": "ежедневно 11-13"});
    assert_eq!(patch(&server, "1", &narrow).await.status, 200);
    for (wish, field) in [
        (json!({"zone": null, "priority": 9}), "zone"),
        (json!({"zone": null, "hours": "ежедневно 10-12"}), "hours"),
    ] {
        let expect = format!("422 never_opens {field}");
        assert_eq!(patch(&server, "1", &wish).await.refusal(), expect);
    }
    let call = server.get("/api/v1/calls/1").await.json();
    assert_eq!(
        [&call["priority"], &call["file"]],
        [&json!(0), &json!("hello.wav")]
    );
    // The order as it first came is still a repeat.
    assert_eq!(server.order(&sent).await.status, 200);
    let events = server.get("/api/v1/calls/1/events").await.json();
    let lines: Vec<String> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let data = &line["data"];
            let keys = ["rules", "zone", "hours"]
                .into_iter()
                .filter(|key| data.get(*key).is_some());
            let keys: Vec<&str> = keys.collect();
            format!("{} {}", data["event"].as_str().unwrap(), keys.join(" "))
        })
        .collect();
    assert_eq!(
        lines[..5],
        [
            "accepted ",
            "waits ",
            "changed rules",
            "waits ",
            "changed hours"
        ]
    );
    let taken = server.store.take_due(now, 9, &admit).await.unwrap();
    assert_eq!(taken[0].order.zone.as_deref(), Some("Europe/Moscow"));
}
