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
    let summary = crate::call::Summary {
        outcome: "busy".to_owned(),
        data: serde_json::Map::new(),
        answered: false,
        cause: None,
        version: None,
        call_again: None,
        do_not_call: None,
        talk_ms: 0,
        recording: None,
    };
    let again = Then::Retry {
        at: now + jiff::SignedDuration::from_secs(600),
        reason: Reason::new("busy", "занято"),
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
