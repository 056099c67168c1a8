//! Orders: taken once, told, changed, cancelled.

use super::*;
use crate::call::history::{HistoryEvent, kind};
use crate::ident::CallId;

#[tokio::test]
async fn an_order_is_taken_once_and_answered_alike() {
    let server = start().await;
    let first = server.order(&order("ЦБ-1")).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.json()["id"], "ЦБ-1");
    assert_eq!(first.json()["phone"], "+79121234567");
    // The keys in another order, blanks, a mark of byte order, defaults written out, no content type.
    let again = "\u{feff}{ \"params\": {\"sum\": 5, \"имя\": \"Иван\"},\n \"attempts\": 1, \"dialog\": \"confirm_visit\", \"phone\": \"+79121234567\", \"id\": \"ЦБ-1\"}";
    let second = server.ask("POST", "/api/v1/calls", TOKEN, again).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(second.body, first.body);
    let mut other = order("ЦБ-1");
    other["priority"] = json!(1);
    assert_eq!(server.order(&other).await.refusal(), "409 other_order id");
    assert_eq!(server.changes().await, 1);
}

#[tokio::test]
async fn a_repeat_is_answered_even_when_its_dialog_has_gone() {
    let server = start().await;
    let first = server.order(&order("1")).await;
    // The same store behind a server that knows no dialogs any more.
    let empty = Arc::new(Library::open(
        server.folder.path().join("none"),
        Language::Ru,
    ));
    let gone = HttpState::new(server.store.clone(), empty, keys(), Language::Ru)
        .with_clock(jiff::Timestamp::now, TimeZone::fixed(jiff::tz::offset(3)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(serve(listener, gone, server.stop.clone()));
    let later = Server {
        address,
        task: AbortOnDropHandle::new(task),
        ..server
    };
    let repeat = later.order(&order("1")).await;
    assert_eq!((repeat.status, &repeat.body), (200, &first.body));
    assert_eq!(
        later.order(&order("2")).await.refusal(),
        "422 no_dialog dialog"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_requests_at_once_make_one_call() {
    let server = Arc::new(start().await);
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let server = Arc::clone(&server);
        tasks.push(tokio::spawn(
            async move { server.order(&order("same")).await },
        ));
    }
    let mut statuses = Vec::new();
    let mut bodies = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap();
        statuses.push(answer.status);
        bodies.push(answer.body);
    }
    statuses.sort_unstable();
    assert_eq!(statuses[..19], [200; 19]);
    assert_eq!(statuses[19], 201);
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    assert_eq!(server.changes().await, 1);
}

#[tokio::test]
async fn a_plain_get_orders_a_call() {
    let server = start().await;
    // As 1C writes it: the plus not encoded, Cyrillic encoded, what is empty left in.
    let path = "/call?phone=+79121234567&dialog=%D0%B2%D0%B8%D0%B7%D0%B8%D1%82&id=%D0%A6%D0%91-5&file=hello.wav&name=%D0%98%D0%B2%D0%B0%D0%BD+%D0%98.&empty=";
    let first = server.get(path).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(server.get(path).await.status, 200);
    let call = server.get("/api/v1/calls/%D0%A6%D0%91-5").await.json();
    assert_eq!(
        (&call["id"], &call["dialog"], &call["file"]),
        (&json!("ЦБ-5"), &json!("визит"), &json!("hello.wav"))
    );
    assert_eq!(call["params"], json!({"name": "Иван И.", "empty": ""}));
    assert_eq!(
        (&call["status"], &call["outcome"], &call["attempt"]),
        (&json!("queued"), &Value::Null, &json!(0))
    );
    // Without an id every request is a call of its own.
    let one = server
        .get("/call?phone=112&dialog=confirm_visit")
        .await
        .json();
    let two = server
        .get("/call?phone=112&dialog=confirm_visit")
        .await
        .json();
    assert_ne!(one["id"], two["id"]);
}

#[tokio::test]
async fn a_batch_is_kept_or_refused_as_a_whole() {
    let server = start().await;
    let headers = format!("{TOKEN}Content-Type: application/x-ndjson\r\n");
    let (one, two) = (order("1").to_string(), order("2").to_string());
    let post = async |body: String| {
        server
            .ask("POST", "/api/v1/calls/batch", &headers, &body)
            .await
    };

    let wrong = post(format!(
        "{one}\n\n{{\"phone\": \"x\"}}\n{{\"phone\": \"112\", \"dialog\": \"none\"}}\n"
    ))
    .await;
    assert_eq!(wrong.refusal(), "422 bad_phone phone");
    let lines: Vec<Value> = wrong.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["line"].clone())
        .collect();
    assert_eq!(lines, [json!(3), json!(4)]);
    assert_eq!(server.changes().await, 0);

    let taken = post(format!("{one}\n{two}\n")).await;
    assert_eq!(taken.status, 200, "{taken:?}");
    assert_eq!(
        taken.json(),
        json!({"accepted": 2, "repeated": 0, "ids": ["1", "2"]})
    );

    let mut other = order("2");
    other["attempts"] = json!(2);
    let refused = post(format!("[{one}, {other}, {}]", order("3"))).await;
    assert_eq!(refused.refusal(), "409 other_order id");
    assert_eq!(refused.json()["errors"][0]["line"], 2);
    assert_eq!(server.changes().await, 2);
    let again = post(format!("[{one}, {two}, {}]", order("3"))).await.json();
    assert_eq!(
        (&again["accepted"], &again["repeated"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(server.changes().await, 3);
}

#[tokio::test]
async fn ten_thousand_orders_fit_in_a_batch() {
    let server = start().await;
    let lines: Vec<String> = (0..10_000)
        .map(|i| order(&i.to_string()).to_string())
        .collect();
    let answer = server
        .ask("POST", "/api/v1/calls/batch", TOKEN, &lines.join("\n"))
        .await;
    assert_eq!(answer.json()["accepted"], 10_000);
}

#[tokio::test]
async fn changes_are_read_by_cursor_and_waited_for() {
    let server = Arc::new(start().await);
    for id in ["1", "2", "3"] {
        server.order(&order(id)).await;
    }
    let page = server.get("/api/v1/changes?after=0&limit=2").await.json();
    let ids = |page: &Value| -> Vec<String> {
        page["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (ids(&page), &page["more"]),
        (vec!["1".to_owned(), "2".to_owned()], &json!(true))
    );
    let page = server
        .get(&format!("/api/v1/changes?after={}", page["cursor"]))
        .await
        .json();
    assert_eq!(
        (ids(&page), &page["more"]),
        (vec!["3".to_owned()], &json!(false))
    );
    let cursor = page["cursor"].clone();
    let empty = server
        .get(&format!("/api/v1/changes?after={cursor}"))
        .await
        .json();
    assert_eq!((ids(&empty), &empty["cursor"]), (vec![], &cursor));

    let waiting = {
        let (server, cursor) = (Arc::clone(&server), cursor.clone());
        tokio::spawn(async move {
            server
                .get(&format!("/api/v1/changes?after={cursor}&wait=30"))
                .await
                .json()
        })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    server.order(&order("4")).await;
    assert_eq!(ids(&waiting.await.unwrap()), ["4"]);
    let began = std::time::Instant::now();
    let cursor = server.store.changes(0, 1000).await.unwrap().1;
    let empty = server
        .get(&format!("/api/v1/changes?after={cursor}&wait=1"))
        .await
        .json();
    assert_eq!(ids(&empty), [""; 0]);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_queued_call_is_cancelled_and_a_talking_one_hung_up() {
    let server = start().await;
    server.order(&order("1")).await;
    let cancelled = server.ask("DELETE", "/api/v1/calls/1", TOKEN, "").await;
    assert_eq!(
        (cancelled.status, &cancelled.json()["status"]),
        (200, &json!("cancelled"))
    );
    let again = server.ask("DELETE", "/api/v1/calls/1", TOKEN, "").await;
    assert_eq!((again.status, again.body), (200, cancelled.body));
    assert!(server.hung_up.lock().unwrap().is_empty());

    server.order(&order("2")).await;
    let due = server
        .store
        .take_due(jiff::Timestamp::now(), 10, &crate::store::everybody())
        .await
        .unwrap();
    assert_eq!(due.len(), 1);
    let wished = server.ask("DELETE", "/api/v1/calls/2", TOKEN, "").await;
    assert_eq!(
        (wished.status, &wished.json()["cancel"]),
        (202, &json!(true))
    );
    assert_eq!(*server.hung_up.lock().unwrap(), ["2"]);
}

#[tokio::test]
async fn history_is_read_in_pages() {
    let server = start().await;
    server.order(&order("1")).await;
    let id = CallId::parse("1").unwrap();
    let before = server.get("/api/v1/calls/1/events").await.json()["events"]
        .as_array()
        .unwrap()
        .len();
    let event = |name: &str| HistoryEvent {
        at: jiff::Timestamp::now(),
        at_ms: Some(5),
        kind: kind::STAGE,
        data: json!({ "name": name }).into(),
    };
    server
        .store
        .record(&id, 0, vec![event("one"), event("two"), event("три")])
        .await
        .unwrap();
    // History waits for the next durable write at the latest.
    server.order(&order("2")).await;
    let all = server.get("/api/v1/calls/1/events").await.json();
    assert_eq!(all["events"].as_array().unwrap().len(), before + 3, "{all}");
    let page = server
        .get(&format!("/api/v1/calls/1/events?after={before}&limit=2"))
        .await
        .json();
    assert_eq!(page["events"][0]["data"]["name"], "one");
    let rest = server
        .get(&format!("/api/v1/calls/1/events?after={}", page["after"]))
        .await
        .json();
    assert_eq!(
        (&rest["events"][0]["data"]["name"], &rest["more"]),
        (&json!("три"), &json!(false))
    );
}

/// Over a trunk for mobile numbers and one for two codes of Moscow.
async fn over_trunks() -> Server {
    use crate::outbound::{Dialing, Lines, Trunk};
    let trunk = |name: &str, prefixes: &[&str]| Trunk {
        prefixes: prefixes.iter().map(|p| (*p).to_owned()).collect(),
        ..Trunk::plain(name)
    };
    let trunks = vec![trunk("mts", &["79"]), trunk("city", &["7495", "7499"])];
    start_with(keys(), |state| {
        state.with_dialing(Dialing::new(trunks, 1), Lines::new(1))
    })
    .await
}

#[tokio::test]
async fn a_number_that_no_trunk_serves_is_refused_when_it_is_ordered() {
    let server = over_trunks().await;
    let to = |id: &str, phone: &str| json!({"id": id, "phone": phone, "dialog": "confirm_visit"});
    for phone in ["+79121234567", "89121234567", "9121234567", "84951234567"] {
        let taken = server
            .order(&to(phone.trim_start_matches('+'), phone))
            .await;
        assert_eq!(taken.status, 201, "{phone}: {taken:?}");
    }
    for phone in ["+4930123456", "83431234567", "112", "+9121234567"] {
        let refused = server.order(&to("x", phone)).await;
        assert_eq!(refused.refusal(), "422 no_trunk phone", "{phone}");
    }
    let told = server.order(&to("x", "+4930123456")).await.json();
    let message = told["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("+493…56") && !message.contains("123456"),
        "{message}"
    );
    assert!(message.contains("mts: 79; city: 7495, 7499"), "{message}");
    let simple = server.get("/call?phone=112&dialog=confirm_visit").await;
    assert_eq!(simple.refusal(), "422 no_trunk phone");
    // Of a batch it is a line's fault.
    let both = format!("{}\n{}", to("a", "+79121234567"), to("b", "+4930123456"));
    let headers = format!("{TOKEN}Content-Type: application/x-ndjson\r\n");
    let path = "/api/v1/calls/batch";
    let all = server.ask("POST", path, &headers, &both).await;
    assert_eq!(all.status, 422);
    let error = &all.json()["error"];
    assert_eq!(
        [&error["code"], &error["field"], &error["line"]],
        [&json!("no_trunk"), &json!("phone"), &json!(2)]
    );
    let path = "/api/v1/calls/batch?report=lines";
    let lines = server.ask("POST", path, &headers, &both).await;
    let codes: Vec<Value> = lines
        .body
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
        .collect();
    assert_eq!(codes, [201, 422]);
}
