//! Callbacks: told once it is over, signed, in order, until they are taken; a dead receiver holds up nobody else.

use std::collections::HashMap;

use super::*;
use crate::call::{Status, Summary};
use crate::config::CallbackConfig;
use crate::ident::CallId;
use crate::store::{CallbackRules, Then, everybody};

type Posted = Result<u16, PostFault>;

/// What receivers got: `(url, headers, body)`; and what each answers next, by host.
#[derive(Clone, Default)]
struct Receivers {
    got: Arc<Mutex<Vec<Parcel>>>,
    answers: Arc<Mutex<HashMap<&'static str, Vec<Posted>>>>,
}

impl Receivers {
    /// The next answers of `host`; after them it says 200.
    fn answer(&self, host: &'static str, answers: Vec<Result<u16, PostFault>>) {
        self.answers.lock().unwrap().insert(host, answers);
    }

    fn post(&self) -> Post {
        let this = self.clone();
        Arc::new(move |parcel: Parcel| {
            let mut answers = this.answers.lock().unwrap();
            let host = answers
                .iter_mut()
                .find(|(host, _)| parcel.url.contains(**host));
            let answer = match host {
                Some((_, left)) if !left.is_empty() => left.remove(0),
                _ => Ok(200),
            };
            if answer.is_ok() || !answer.as_ref().is_err_and(|fault| fault.unreachable) {
                this.got.lock().unwrap().push(parcel);
            }
            Box::pin(async move {
                // Each takes a moment, so that two of one call would overtake each other if they could.
                tokio::time::sleep(Duration::from_millis(5)).await;
                answer
            })
        })
    }

    /// `id status` of what `host` got.
    fn told(&self, host: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let of_host = got.iter().filter(|parcel| parcel.url.contains(host));
        of_host
            .map(|parcel| {
                let body: Value = serde_json::from_str(&parcel.body).unwrap();
                format!(
                    "{} {}",
                    body["id"].as_str().unwrap(),
                    body["status"].as_str().unwrap()
                )
            })
            .collect()
    }
}

fn refused(status: u16) -> Result<u16, PostFault> {
    Err(PostFault {
        answer: Some(status),
        text: format!("HTTP {status}: Ошибка"),
        unreachable: false,
    })
}

fn silent() -> Result<u16, PostFault> {
    Err(PostFault {
        answer: None,
        text: "no answer".to_owned(),
        unreachable: true,
    })
}

fn quick() -> CallbackConfig {
    CallbackConfig {
        secret: Secret::new("0123456789abcdef"),
        first_retry_ms: 20,
        longest_retry_ms: 100,
        ..CallbackConfig::default()
    }
}

/// A server, and a sender beside it that runs until its guard is dropped.
async fn with_sender(
    receivers: &Receivers,
    config: CallbackConfig,
) -> (Server, AbortOnDropHandle<()>) {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let server = start_with(keys(), move |state| {
        *keep.lock().unwrap() = Some(state.clone());
        state
    })
    .await;
    let state = kept.lock().unwrap().take().unwrap();
    let sender = Sender::new(state, config, receivers.post());
    let task = AbortOnDropHandle::new(tokio::spawn(sender.run(server.stop.clone())));
    (server, task)
}

fn to(id: &str, callback: &str) -> Value {
    let mut order = order(id);
    order["callback"] = json!(callback);
    order
}

/// Takes what is due and ends it.
async fn end_all(server: &Server) {
    let now = jiff::Timestamp::now();
    for due in server
        .store
        .take_due(now, 1000, &everybody())
        .await
        .unwrap()
    {
        let summary = Summary {
            answered: true,
            talk_ms: 5,
            ..Summary::new("confirmed")
        };
        let ended = server
            .store
            .attempt_ended(&due.order.id, 1, &summary, Then::Finish, now)
            .await;
        assert_eq!(ended.unwrap(), Status::Finished);
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 5 s");
}

#[tokio::test]
async fn an_end_is_told_signed_until_it_is_taken() {
    let receivers = Receivers::default();
    receivers.answer("1c.local", vec![refused(503), refused(404)]);
    let (server, _sender) = with_sender(&receivers, quick()).await;
    assert_eq!(
        server
            .order(&to("ЦБ-1", "https://1c.local/hs/calls"))
            .await
            .status,
        201
    );
    end_all(&server).await;
    let path = "/api/v1/calls/%D0%A6%D0%91-1";
    until("it is delivered", async || {
        server.get(path).await.json()["callbacks"][0]["state"] == "delivered"
    })
    .await;
    assert_eq!(receivers.told("1c.local"), ["ЦБ-1 finished"; 3]);
    let got = receivers.got.lock().unwrap().clone();
    let header = |at: usize, name: &str| {
        let found = got[at].headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).unwrap()
    };
    // The same as a change, to the letter.
    let changes = server.get("/api/v1/changes?after=0").await.json();
    let last = changes["changes"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(serde_json::from_str::<Value>(&got[2].body).unwrap(), last);
    assert_eq!(
        header(0, "x-govorun-delivery"),
        header(2, "x-govorun-delivery")
    );
    let stamp: i64 = header(2, "x-govorun-timestamp").parse().unwrap();
    assert!((jiff::Timestamp::now().as_second() - stamp).abs() < 60);
    assert_eq!(header(2, "x-govorun-signature").len(), "sha256=".len() + 64);

    let call = server.get(path).await.json();
    let told = &call["callbacks"][0];
    assert_eq!(
        [
            &told["tries"],
            &told["answer"],
            &told["error"],
            &told["state_title"]
        ],
        [&json!(3), &json!(200), &Value::Null, &json!("Доставлено")]
    );
    let events = server.get(&format!("{path}/events")).await.json();
    let of = |event: &&Value| event["kind"] == "callback";
    let lines: Vec<&Value> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of)
        .collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[0]["data"]["event"], "not_delivered");
    assert_eq!(lines[0]["data"]["error"], "HTTP 503: Ошибка");
    assert_eq!(lines[1]["data"]["event"], "delivered");
    let metrics = server.get("/metrics").await.body;
    for line in [
        "govorun_callbacks_delivered_total 1",
        "govorun_callback_failed_tries_total 2",
        "govorun_callbacks{state=\"waiting\"} 0",
    ] {
        assert!(
            metrics.lines().any(|known| known == line),
            "{line} is not in\n{metrics}"
        );
    }
}

#[tokio::test]
async fn every_change_is_told_in_its_order_where_that_is_wanted() {
    let receivers = Receivers::default();
    // The first two of them are refused again and again: nothing overtakes them.
    receivers.answer(
        "1c.local",
        vec![refused(500), refused(500), refused(500), refused(500)],
    );
    let (server, _sender) = with_sender(&receivers, quick()).await;
    server.store.tell_by(CallbackRules {
        url: Some("http://1c.local/all".to_owned()),
        each_change: true,
    });
    server.order(&order("1")).await;
    server.order(&to("2", "http://other.local/x")).await;
    end_all(&server).await;
    until("all are told", async || {
        receivers
            .told("1c.local")
            .last()
            .is_some_and(|last| last == "1 finished")
            && receivers.told("other.local").len() == 3
    })
    .await;
    let mut told = receivers.told("1c.local");
    told.dedup();
    assert_eq!(told, ["1 queued", "1 dialing", "1 finished"]);
    assert_eq!(
        receivers.told("other.local"),
        ["2 queued", "2 dialing", "2 finished"]
    );
    let cursors: Vec<i64> = receivers
        .got
        .lock()
        .unwrap()
        .iter()
        .map(|parcel| {
            serde_json::from_str::<Value>(&parcel.body).unwrap()["cursor"]
                .as_i64()
                .unwrap()
        })
        .collect();
    assert_eq!(cursors.len(), 10);
}

#[tokio::test]
async fn a_dead_receiver_holds_up_nobody_and_is_given_up_visibly() {
    let receivers = Receivers::default();
    receivers.answer("dead.local", (0..1000).map(|_| silent()).collect());
    let mut config = quick();
    config.give_up_after_ms = 1_500;
    let (server, _sender) = with_sender(&receivers, config).await;
    for n in 0..50 {
        server
            .order(&to(&format!("d{n}"), "http://dead.local/x"))
            .await;
    }
    for n in 0..20 {
        server
            .order(&to(&format!("l{n}"), "http://live.local/x"))
            .await;
    }
    end_all(&server).await;
    let began = std::time::Instant::now();
    until("the living are told", async || {
        receivers.told("live.local").len() == 20
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    until("the dead are given up", async || {
        let failed = server
            .get("/api/v1/callbacks?state=failed&limit=1000")
            .await
            .json();
        failed["callbacks"].as_array().unwrap().len() == 50
    })
    .await;
    // Few of them were really tried: the host is asked ever more seldom.
    let left = receivers.answers.lock().unwrap()["dead.local"].len();
    assert!(1000 - left < 20, "{} tries", 1000 - left);
    let page = server
        .get("/api/v1/callbacks?state=failed&limit=2")
        .await
        .json();
    assert_eq!(
        (page["callbacks"].as_array().unwrap().len(), &page["more"]),
        (2, &json!(true))
    );
    let n = page["callbacks"][0]["n"].as_i64().unwrap();
    assert_eq!(page["callbacks"][0]["error"], "no answer");
    assert!(
        server
            .get("/metrics")
            .await
            .body
            .contains("govorun_callbacks{state=\"failed\"} 50")
    );

    // It is back: a person has one delivered again.
    receivers.answer("dead.local", Vec::new());
    let retry = format!("/api/v1/callbacks/{n}/retry");
    let asked = server.ask("POST", &retry, TOKEN, "").await;
    assert_eq!(
        (asked.status, &asked.json()["state"]),
        (200, &json!("waiting"))
    );
    until("it is delivered", async || {
        receivers.told("dead.local").len() == 1
    })
    .await;
    until("it is noted", async || {
        server.ask("POST", &retry, TOKEN, "").await.status == 409
    })
    .await;
    for (method, path, expect) in [
        ("POST", "/api/v1/callbacks/999/retry", "404 no_callback -"),
        ("POST", "/api/v1/callbacks/x/retry", "404 no_callback -"),
        (
            "GET",
            "/api/v1/callbacks?state=faild",
            "422 wrong_value state",
        ),
    ] {
        assert_eq!(server.ask(method, path, TOKEN, "").await.refusal(), expect);
    }
}

/// What was on its way when the server went down is sent again after its start, under the same number.
#[tokio::test]
async fn what_was_on_its_way_is_sent_again_after_a_restart() {
    let receivers = Receivers::default();
    let (server, sender) = with_sender(&receivers, quick()).await;
    drop(sender);
    let state = HttpState::new(
        server.store.clone(),
        Arc::clone(&server.library),
        keys(),
        Language::Ru,
    );
    let sent = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&sent);
    // Takes the delivery and never answers.
    let stuck: Post = Arc::new(move |parcel: Parcel| {
        noted.lock().unwrap().push(parcel.headers[0].1.clone());
        Box::pin(std::future::pending())
    });
    let first = tokio::spawn(Sender::new(state.clone(), quick(), stuck).run(server.stop.clone()));
    server.order(&to("1", "http://1c.local/x")).await;
    end_all(&server).await;
    until("it is on its way", async || sent.lock().unwrap().len() == 1).await;
    first.abort();
    let _ = first.await;
    let second = Sender::new(state, quick(), receivers.post());
    let _second = AbortOnDropHandle::new(tokio::spawn(second.run(server.stop.clone())));
    until("it is sent again", async || {
        receivers.told("1c.local").len() == 1
    })
    .await;
    let again = receivers.got.lock().unwrap()[0].headers[0].1.clone();
    assert_eq!(sent.lock().unwrap()[0], again);
    // And an expired or cancelled order is an end, too.
    server.order(&to("2", "http://1c.local/x")).await;
    server.ask("DELETE", "/api/v1/calls/2", TOKEN, "").await;
    until("the cancelling is told", async || {
        receivers
            .told("1c.local")
            .last()
            .is_some_and(|last| last == "2 cancelled")
    })
    .await;
    let id = CallId::parse("2").unwrap();
    assert_eq!(
        server
            .store
            .call(&id)
            .await
            .unwrap()
            .unwrap()
            .callbacks
            .len(),
        1
    );
}

#[tokio::test]
async fn an_address_that_is_never_told_is_refused_with_the_order() {
    let check = |url: &str| match url.contains("169.254.") {
        true => Err("служебный адрес".to_owned()),
        false => Ok(()),
    };
    let server = start_with(keys(), move |state| state.with_callback_check(check)).await;
    let wrong = server.order(&to("1", "http://169.254.169.254/x")).await;
    assert_eq!(wrong.refusal(), "422 callback_not_allowed callback");
    let batch = json!([to("1", "http://169.254.169.254/x")]).to_string();
    let wrong = server
        .ask("POST", "/api/v1/calls/batch", TOKEN, &batch)
        .await;
    assert_eq!(wrong.refusal(), "422 callback_not_allowed callback");
    assert_eq!(server.changes().await, 0);
}
