//! The do-not-call list and the rules of an order, asked over HTTP.

use super::*;
use crate::outbound::Rules;

const PATH: &str = "/api/v1/do_not_call";

impl Server {
    async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, TOKEN, body).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, TOKEN, "").await
    }
}

#[tokio::test]
async fn numbers_are_listed_shown_and_taken_off() {
    let server = start().await;
    let order = r#"{"id": "q", "phone": "89121234567", "dialog": "confirm_visit"}"#;
    assert_eq!(server.post("/api/v1/calls", order).await.status, 201);
    let one = r#"{"phone": "+79121234567", "reason": "просил не звонить", "who": "Иванова"}"#;
    let added = server.post(PATH, one).await;
    assert_eq!(
        (added.status, added.body.as_str()),
        (201, r#"{"added":1,"already":0}"#)
    );
    let again = server
        .post(PATH, r#"[{"phone": "9121234567"}, {"phone": "02"}]"#)
        .await;
    assert_eq!(
        (again.status, again.body.as_str()),
        (201, r#"{"added":1,"already":1}"#)
    );
    assert_eq!(server.post(PATH, one).await.status, 200);

    let call = server.get("/api/v1/calls/q").await.json();
    assert_eq!(call["status"], "finished");
    assert_eq!(call["outcome"], "do_not_call");

    let page = server.get("/api/v1/do_not_call?limit=1").await.json();
    assert_eq!(page["numbers"][0]["phone"], "+79121234567");
    assert_eq!(page["numbers"][0]["reason"], "просил не звонить");
    assert_eq!(page["numbers"][0]["who"], "Иванова");
    assert_eq!(page["more"], true);
    let next = format!("{PATH}?limit=5&after={}", page["after"]);
    let page = server.get(&next).await.json();
    assert_eq!(
        (page["numbers"][0]["phone"].as_str(), &page["more"]),
        (Some("02"), &json!(false))
    );

    let shown = server.get("/api/v1/do_not_call/89121234567").await;
    assert_eq!(shown.json()["who"], "Иванова");
    let delete = |phone: &str| format!("{PATH}/{phone}");
    assert_eq!(server.delete(&delete("+79121234567")).await.status, 200);
    let gone = server.delete(&delete("+79121234567")).await;
    assert_eq!(gone.refusal(), "404 not_listed -");
    assert_eq!(
        server.get(&delete("8-912")).await.refusal(),
        "422 bad_phone phone"
    );
}

#[tokio::test]
async fn a_wrong_entry_refuses_all() {
    let server = start().await;
    for (body, refusal) in [
        (r#"{"reason": "x"}"#, "422 missing phone"),
        (r#"{"phone": "8 912"}"#, "422 bad_phone phone"),
        (r#"{"phone": 112}"#, "422 wrong_type phone"),
        (
            r#"{"phone": "112", "причина": "x"}"#,
            "422 unknown_field причина",
        ),
        (
            r#"{"phone": "112", "reason": "a\nb"}"#,
            "422 too_long reason",
        ),
        (r#"["112"]"#, "422 wrong_type -"),
        (
            r#"[{"phone": "112"}, {"phone": "x"}]"#,
            "422 bad_phone phone",
        ),
    ] {
        assert_eq!(server.post(PATH, body).await.refusal(), refusal, "{body}");
    }
    let many = vec![json!({"phone": "112"}); 10_001];
    let many = server.post(PATH, &json!(many).to_string()).await;
    assert_eq!(many.refusal(), "413 too_many -");
    let page = server.get(PATH).await.json();
    assert_eq!(page["numbers"], json!([]));
}

#[tokio::test]
async fn an_order_names_its_rules_zone_and_hours() {
    let mut config = Config::default();
    for name in ["обычные", "долги"] {
        config.rules.sets.push(crate::config::RuleSet::open(name));
    }
    let rules = Arc::new(Rules::from_config(&config, TimeZone::UTC));
    let server = start_with(keys(), |state| state.with_rules(rules)).await;
    let order = |more: Value| {
        let mut order = json!({"id": "a", "phone": "+79121234567", "dialog": "confirm_visit"});
        for (key, value) in more.as_object().unwrap() {
            order[key] = value.clone();
        }
        order.to_string()
    };
    for (more, refusal) in [
        (json!({"rules": "долг"}), "422 no_rules rules"),
        (json!({"rules": 5}), "422 wrong_type rules"),
        (json!({"zone": "Камчатка"}), "422 bad_zone zone"),
        (json!({"zone": "Asia/Kamchtka"}), "422 bad_zone zone"),
        (json!({"hours": "пн-пт 9"}), "422 bad_hours hours"),
        // A mobile number without a zone: two hours in the morning are never one time in all of Russia.
        (json!({"hours": "ежедневно 9-11"}), "422 never_opens hours"),
    ] {
        let answer = server.post("/api/v1/calls", &order(more.clone())).await;
        assert_eq!(answer.refusal(), refusal, "{more}");
    }
    let near = server
        .post("/api/v1/calls", &order(json!({"rules": "долг"})))
        .await;
    assert!(near.body.contains("может быть, долги?"), "{near:?}");
    let sound =
        order(json!({"rules": "долги", "zone": "Asia/Kamchatka", "hours": "ежедневно 9-11"}));
    assert_eq!(server.post("/api/v1/calls", &sound).await.status, 201);
    assert_eq!(server.post("/api/v1/calls", &sound).await.status, 200);
    let later = json!({"id": "b", "phone": "112", "dialog": "confirm_visit", "not_before": "2100-01-01T00:00:00Z"});
    assert_eq!(
        server
            .post("/api/v1/calls", &later.to_string())
            .await
            .status,
        201
    );
    let waits = server.get("/api/v1/calls/b").await.json();
    assert_eq!(waits["reason"], "not_before");
    assert_eq!(
        waits["reason_title"],
        "Ждёт времени, заданного в not_before"
    );
    let call = server.get("/api/v1/calls/a").await.json();
    assert_eq!(call["rules"], "долги");
    assert_eq!(call["zone"], "Asia/Kamchatka");
    assert_eq!(call["hours"], "ежедневно 9-11");
    assert_eq!(call["attempts"], 0, "as the rules say");
    assert_eq!(
        (&call["reason"], &call["reason_title"]),
        (&Value::Null, &Value::Null)
    );
}
