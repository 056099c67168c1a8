//! Every form of refusal: status, code, field; and nothing changed by it.

use base64::Engine;

use super::*;

#[tokio::test]
async fn every_wrong_request_is_refused_by_name_and_changes_nothing() {
    let server = start().await;
    let json = "Content-Type: application/json\r\n";
    let good = order("1").to_string();
    let big = " ".repeat(1024 * 1024 + 1);
    let with = |field: &str, value: Value| {
        let mut body = order("1");
        body[field] = value;
        body.to_string()
    };
    for (request, headers, body, expect) in [
        // Who.
        (
            "POST /api/v1/calls",
            "Content-Type: application/json\r\n".to_owned(),
            good.clone(),
            "401 unauthorized -",
        ),
        (
            "POST /api/v1/calls",
            "Authorization: Bearer wrong\r\n".to_owned(),
            good.clone(),
            "401 unauthorized -",
        ),
        (
            "GET /call?phone=112&dialog=confirm_visit",
            String::new(),
            String::new(),
            "401 unauthorized -",
        ),
        (
            "GET /metrics",
            String::new(),
            String::new(),
            "401 unauthorized -",
        ),
        (
            "GET /call?phone=112&dialog=confirm_visit",
            format!("{TOKEN}Sec-Fetch-Site: cross-site\r\n"),
            String::new(),
            "403 foreign -",
        ),
        // Where and how.
        (
            "GET /nowhere",
            TOKEN.to_owned(),
            String::new(),
            "404 no_path -",
        ),
        (
            "GET /api/v1/calls/none",
            TOKEN.to_owned(),
            String::new(),
            "404 no_call -",
        ),
        (
            "DELETE /api/v1/calls/none",
            TOKEN.to_owned(),
            String::new(),
            "404 no_call -",
        ),
        (
            "GET /api/v1/calls/none/events",
            TOKEN.to_owned(),
            String::new(),
            "404 no_call -",
        ),
        (
            "GET /api/v1/calls/a%20b",
            TOKEN.to_owned(),
            String::new(),
            "422 bad_id id",
        ),
        (
            "GET /api/v1/calls/%FF",
            TOKEN.to_owned(),
            String::new(),
            "400 not_utf8 -",
        ),
        (
            "GET /api/v1/dialogs/confirm_vist",
            TOKEN.to_owned(),
            String::new(),
            "404 no_dialog dialog",
        ),
        (
            "PUT /api/v1/calls",
            TOKEN.to_owned(),
            good.clone(),
            "405 wrong_method -",
        ),
        (
            "GET /api/v1/calls",
            TOKEN.to_owned(),
            String::new(),
            "405 wrong_method -",
        ),
        (
            "POST /call?phone=112&dialog=confirm_visit",
            TOKEN.to_owned(),
            String::new(),
            "405 wrong_method -",
        ),
        // The body as a whole.
        (
            "POST /api/v1/calls",
            format!("{TOKEN}Content-Type: text/plain\r\n"),
            good.clone(),
            "415 wrong_type_of_body -",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}Content-Type: application/json; charset=windows-1251\r\n"),
            good.clone(),
            "415 wrong_type_of_body -",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            "{\"phone\": }".to_owned(),
            "400 bad_json -",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            String::new(),
            "400 bad_json -",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            "[]".to_owned(),
            "422 wrong_type -",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            big,
            "413 too_large -",
        ),
        // Its fields (all of them are in form.rs; here that they come through).
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            with("phone", json!("8912\r\nAction: Originate")),
            "422 bad_phone phone",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            with("phone", json!("8912&SIP/x@evil")),
            "422 bad_phone phone",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            with("params", json!({"a": "x\r\ny"})),
            "422 bad_char params.a",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            with("dialog", json!("confirm_vizit")),
            "422 no_dialog dialog",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            with("file", json!("none.wav")),
            "422 no_prompt file",
        ),
        (
            "POST /api/v1/calls",
            format!("{TOKEN}{json}"),
            with("telephone", json!("1")),
            "422 unknown_field telephone",
        ),
        // The query.
        (
            "GET /call?phone=112",
            TOKEN.to_owned(),
            String::new(),
            "422 missing dialog",
        ),
        (
            "GET /call?phone=112%0D%0AX&dialog=confirm_visit",
            TOKEN.to_owned(),
            String::new(),
            "422 bad_phone phone",
        ),
        (
            "GET /call?phone=112&phone=113&dialog=confirm_visit",
            TOKEN.to_owned(),
            String::new(),
            "422 repeated phone",
        ),
        (
            "GET /call?phone=112&dialog=%E2%E8%E7",
            TOKEN.to_owned(),
            String::new(),
            "400 not_utf8 dialog",
        ),
        (
            "GET /call?phone=112&dialog=confirm_visit&a%20b=1",
            TOKEN.to_owned(),
            String::new(),
            "422 bad_name params.a b",
        ),
        (
            "GET /api/v1/changes?after=-1",
            TOKEN.to_owned(),
            String::new(),
            "422 out_of_range after",
        ),
        (
            "GET /api/v1/changes?after=99",
            TOKEN.to_owned(),
            String::new(),
            "422 unknown_cursor after",
        ),
        (
            "GET /api/v1/changes?limit=0",
            TOKEN.to_owned(),
            String::new(),
            "422 out_of_range limit",
        ),
        (
            "GET /api/v1/changes?limit=1001",
            TOKEN.to_owned(),
            String::new(),
            "422 out_of_range limit",
        ),
        (
            "GET /api/v1/changes?wait=61",
            TOKEN.to_owned(),
            String::new(),
            "422 out_of_range wait",
        ),
        (
            "GET /api/v1/changes?aftr=1",
            TOKEN.to_owned(),
            String::new(),
            "422 unknown_field aftr",
        ),
        (
            "GET /api/v1/calls/none?wait=1",
            TOKEN.to_owned(),
            String::new(),
            "422 unknown_field wait",
        ),
        (
            "POST /api/v1/calls?id=1",
            format!("{TOKEN}{json}"),
            good.clone(),
            "422 unknown_field id",
        ),
        // A batch.
        (
            "POST /api/v1/calls/batch",
            format!("{TOKEN}{json}"),
            "[]".to_owned(),
            "400 empty -",
        ),
        (
            "POST /api/v1/calls/batch",
            format!("{TOKEN}{json}"),
            format!("{good}\n{{"),
            "400 bad_json -",
        ),
        (
            "POST /api/v1/calls/batch",
            format!("{TOKEN}{json}"),
            format!("[{good}, {{\"phone\": \"1\"}}]"),
            "422 bad_phone phone",
        ),
        (
            "POST /api/v1/calls/batch",
            format!("{TOKEN}{json}"),
            "{}\n".repeat(10_001),
            "413 too_many -",
        ),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let answer = server.ask(method, path, &headers, &body).await;
        assert_eq!(answer.refusal(), expect, "{request} {answer:?}");
        assert!(
            answer.head.contains("application/json; charset=utf-8"),
            "{answer:?}"
        );
    }
    assert_eq!(server.changes().await, 0);
}

#[tokio::test]
async fn a_head_orders_nothing() {
    let server = start().await;
    let answer = server
        .ask("HEAD", "/call?phone=112&dialog=confirm_visit", TOKEN, "")
        .await;
    assert_eq!(answer.status, 405);
    assert_eq!(server.changes().await, 0);
}

#[tokio::test]
async fn refusals_help_in_the_servers_language() {
    let server = start().await;
    let mut wrong = order("1");
    wrong["dialog"] = json!("confirm_vizit");
    let told = server.order(&wrong).await.json();
    let message = told["error"]["message"].as_str().unwrap();
    assert_eq!(
        message,
        "диалога confirm_vizit нет; может быть, confirm_visit? Есть: confirm_visit, визит"
    );

    let headers = format!("{TOKEN}Content-Type: application/json\r\n");
    let told = server
        .ask("POST", "/api/v1/calls", &headers, "{\n  \"phone\" 1}")
        .await
        .json();
    assert!(
        told["error"]["message"]
            .as_str()
            .unwrap()
            .contains("строка 2, столбец 11"),
        "{told}"
    );

    let answer = server.ask("PUT", "/api/v1/calls/1", TOKEN, "").await;
    assert!(
        answer
            .head
            .to_lowercase()
            .contains("allow: get,head,delete"),
        "{answer:?}"
    );
    let answer = server.ask("GET", "/api/v1/changes", "", "").await;
    let head = answer.head.to_lowercase();
    assert!(
        head.contains("www-authenticate: bearer") && head.contains("www-authenticate: basic"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn tokens_and_passwords_let_in() {
    let server = start().await;
    let basic = |pair: &str| {
        format!(
            "Authorization: Basic {}\r\n",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    };
    for (headers, status) in [
        (TOKEN.to_owned(), 200),
        (basic("1с:пароль"), 200),
        (basic("1с:другой"), 401),
        ("Authorization: Basic %%%\r\n".to_owned(), 401),
        (String::new(), 401),
    ] {
        assert_eq!(
            server
                .ask("GET", "/api/v1/changes", &headers, "")
                .await
                .status,
            status,
            "{headers}"
        );
    }
    assert_eq!(server.ask("GET", "/healthz", "", "").await.status, 200);
}

#[tokio::test]
async fn an_open_server_answers_only_its_own_machine() {
    let mut open = keys();
    open.tokens.clear();
    open.users.clear();
    let server = start_with(open.clone(), |state| state).await;
    assert_eq!(
        server.ask("GET", "/api/v1/changes", "", "").await.status,
        200
    );
    // DNS rebinding: the browser believes that it talks to the page's own site.
    let rebound = "GET /call?phone=112&dialog=confirm_visit HTTP/1.1\r\nHost: evil.example:8080\r\nConnection: close\r\n\r\n";
    assert_eq!(server.raw(rebound).await.refusal(), "403 foreign -");
    assert_eq!(server.changes().await, 0);

    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let state = HttpState::new(
        server.store.clone(),
        library(server.folder.path()),
        open,
        Language::En,
    );
    let refused = serve(listener, state, CancellationToken::new())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("http.tokens"));
}

#[tokio::test]
async fn health_names_the_part_that_fails() {
    let part = |name, ok, text: &str| HealthPart {
        name,
        ok,
        text: text.to_owned(),
    };
    let server = start().await;
    let told = server.ask("GET", "/healthz", "", "").await;
    assert_eq!((told.status, &told.json()["status"]), (200, &json!("ok")));
    let server = start_with(keys(), |state| {
        state.with_health(move || {
            vec![
                part("asterisk", false, "AMI не отвечает"),
                part("scripts", true, "v1"),
            ]
        })
    })
    .await;
    let told = server.ask("GET", "/healthz", "", "").await;
    assert_eq!(told.status, 503);
    let json = told.json();
    assert_eq!(json["failed"], json!(["asterisk"]));
    assert_eq!(json["parts"][0]["name"], "store");
    assert_eq!(json["parts"][2]["text"], "v1");
}

#[tokio::test]
async fn metrics_count_answers_and_what_the_app_adds() {
    let server = start_with(keys(), |state| {
        state.with_metrics(|| {
            let histogram = Histogram {
                cumulative: vec![(100, 1), (1500, 3)],
                count: 4,
                sum_ms: 7_042,
            };
            let metric = |name, help, number| Metric { name, help, number };
            vec![
                metric(
                    "govorun_calls_talking",
                    "Calls that talk.",
                    Number::Gauge(3),
                ),
                metric(
                    "govorun_turn_seconds",
                    "Turns.",
                    Number::Histograms("step", vec![("whole", histogram)]),
                ),
            ]
        })
    })
    .await;
    server.get("/nowhere").await;
    server.order(&order("1")).await;
    let text = server.get("/metrics").await.body;
    for line in [
        "govorun_http_answers_total{class=\"4xx\"} 1",
        "govorun_http_answers_total{class=\"2xx\"} 1",
        "govorun_orders_queued 1",
        "# TYPE govorun_calls_talking gauge",
        "govorun_calls_talking 3",
        "# TYPE govorun_turn_seconds histogram",
        "govorun_turn_seconds_bucket{step=\"whole\",le=\"1.500\"} 3",
        "govorun_turn_seconds_bucket{step=\"whole\",le=\"+Inf\"} 4",
        "govorun_turn_seconds_sum{step=\"whole\"} 7.042",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn dialogs_are_shown_with_their_faults() {
    let server = start().await;
    let list = server.get("/api/v1/dialogs").await.json();
    assert_eq!(list["version"], server.library.current().id());
    assert_eq!(
        list["dialogs"][0],
        json!({"name": "confirm_visit", "title": "Подтверждение визита"})
    );
    assert_eq!(list["faults"][0]["file"], "визит.rhai");
    let one = server
        .get("/api/v1/dialogs/%D0%B2%D0%B8%D0%B7%D0%B8%D1%82")
        .await
        .json();
    assert_eq!(
        (&one["name"], &one["faults"][0]["line"]),
        (&json!("визит"), &json!(1))
    );
    assert_eq!(
        server.get("/api/v1/dialogs/confirm_visit").await.json()["faults"],
        json!([])
    );
}

#[tokio::test]
async fn dialogs_are_rolled_back() {
    let server = start().await;
    let rollback = "/api/v1/dialogs/rollback";
    let ask = async |path: &str| server.ask("POST", path, TOKEN, "").await;
    let none = ask(rollback).await;
    assert_eq!(none.status, 409, "{none:?}");
    let scripts = server.folder.path().join("scripts");
    std::fs::write(scripts.join("визит.rhai"), "finish(\"new\");").unwrap();
    let old = server.library.current().id().to_owned();
    server.library.reload();
    let new = server.library.current().id().to_owned();
    let done = ask(rollback).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(
        done.json(),
        serde_json::json!({"from": new, "version": old})
    );
    let list = server.get("/api/v1/dialogs").await.json();
    assert_eq!(list["version"], old);
    assert_eq!(list["rolled_back_from"], new);
    assert_eq!(list["older"][0]["version"], new);
    assert_eq!(ask(&format!("{rollback}?version={new}")).await.status, 200);
    assert_eq!(server.library.current().id(), new);
    for (query, status) in [("?version=none", 409), ("?verison=x", 422)] {
        let got = ask(&format!("{rollback}{query}")).await;
        assert_eq!(got.status, status, "{got:?}");
    }
}

#[tokio::test]
async fn the_document_tells_every_request_and_codes_have_titles() {
    let server = start().await;
    let scripts = server.folder.path().join("scripts");
    std::fs::write(
        scripts.join("confirm_visit.yaml"),
        "title: Подтверждение визита\noutcomes: {confirmed: Подтвердил визит}\n",
    )
    .unwrap();
    std::fs::write(scripts.join("визит.rhai"), "finish(\"done\");").unwrap();
    server.library.reload();
    assert_eq!(server.library.status().faults, []);
    let document = server.get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for route in routes::table() {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert_eq!(operation["operationId"], route.id);
    }

    server.order(&order("1")).await;
    let due = server
        .store
        .take_due(jiff::Timestamp::now(), 1, &crate::store::everybody())
        .await
        .unwrap();
    let mut summary = crate::call::Summary {
        cause: Some(17),
        ..crate::call::Summary::new("busy")
    };
    let now = jiff::Timestamp::now();
    let again = crate::store::Then::Retry {
        reason: crate::store::Reason::new("busy", "занято: через 10 мин"),
        at: now + jiff::SignedDuration::from_secs(600),
        wanted: None,
    };
    let id = due[0].order.id.clone();
    server
        .store
        .attempt_ended(&id, 1, &summary, again, now)
        .await
        .unwrap();
    let page = server.get("/api/v1/changes?after=2").await.json();
    let change = &page["changes"][0];
    assert_eq!(
        [
            &change["status"],
            &change["status_title"],
            &change["outcome"],
            &change["outcome_title"]
        ],
        ["queued", "Ждёт", "busy", "Занято"]
    );
    assert_eq!(
        [&change["reason"], &change["reason_title"]],
        ["busy", "занято: через 10 мин"]
    );
    assert!(
        change["next_attempt"].as_str().unwrap().ends_with("+03:00"),
        "{change}"
    );
    server
        .store
        .take_due(
            now + jiff::SignedDuration::from_secs(601),
            1,
            &crate::store::everybody(),
        )
        .await
        .unwrap();
    summary.outcome = "confirmed".to_owned();
    server
        .store
        .attempt_ended(&id, 2, &summary, crate::store::Then::Finish, now)
        .await
        .unwrap();
    let call = server.get("/api/v1/calls/1").await.json();
    assert_eq!(
        [
            &call["status_title"],
            &call["outcome"],
            &call["outcome_title"]
        ],
        ["Закончен", "confirmed", "Подтвердил визит"]
    );
}
