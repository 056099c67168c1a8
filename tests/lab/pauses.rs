//! A voice over the prompt before Asterisk has opened its file: the prompt holds all the same, and goes on where it stood,
//! by Asterisk's own events of its AGI commands.

use std::time::{Duration, Instant};

use govorun::config::MediaKind;
use govorun::wire::ami::Action;

use super::dialogs::{LONG_MS, Place};
use super::proxy::Proxy;
use super::server::{NO_EARS, SIP, Server, settings};
use super::stand::{Asterisk, SOON, row};

/// Our AGI commands arrive so late. The person speaks when the prompt's own is on its way: it is to pause before it began.
const LATE: Duration = Duration::from_millis(2_300);
/// A stop is said every 100 ms; Asterisk and the events take their time.
const SOUNDING_MS: u128 = 500;

async fn on(version: &'static str, kind: MediaKind) {
    let Some((asterisk, far)) = Asterisk::pair(version) else {
        return;
    };
    let place = Place::new();
    place.write(
        "inbound",
        r#"let a = ask("Длинный вопрос?", #{ expect: ["yes"], attempts: 1, timeout: 1 });
        set("barged_in", a.barged_in); finish(a.kind);"#,
    );
    // What is said is never a word: the prompt goes on after 2 s.
    let server = Server::start(settings(&asterisk, &place, kind, NO_EARS, SIP)).await;
    let wire = Proxy::late(&server.runtime.agi.to_string(), LATE).await;
    asterisk.calls_go_to(wire.at);
    let (watch, _watching) = asterisk.ami_with("system,agi").await;
    let mut events = watch.events();
    let (ami, _stop) = far.ami().await;
    // Speaks once, 2 s after our answer.
    let call = Action::new("Originate")
        .with("Channel", "PJSIP/4951112233@trunk")
        .and_then(|a| a.with("Context", "phones"))
        .and_then(|a| a.with("Exten", "8931"))
        .and_then(|a| a.with("Priority", "1"))
        .and_then(|a| a.with("Async", "true"))
        .unwrap();
    ami.order(call, SOON).await.unwrap();
    // (from, to) of each CONTROL STREAM FILE.
    let mut played: Vec<(Instant, Option<Instant>)> = Vec::new();
    let one_c = server.one_c;
    let began = Instant::now();
    let id = loop {
        assert!(
            began.elapsed() < Duration::from_secs(40),
            "no end: {played:?}"
        );
        if let Ok(Ok(event)) = tokio::time::timeout(Duration::from_millis(200), events.recv()).await
        {
            let command = event.value("Command").unwrap_or_default();
            if command.starts_with("CONTROL STREAM FILE") {
                match event.name() {
                    "AGIExecStart" => played.push((Instant::now(), None)),
                    _ => played.last_mut().unwrap().1 = Some(Instant::now()),
                }
            }
            continue;
        }
        let (changes, _) = one_c.changes(0).await;
        if let Some(last) = changes.last().filter(|c| c["status"] == "finished") {
            break last["id"].as_str().unwrap().to_owned();
        }
    };
    let (call, history) = (one_c.call(&id).await, one_c.history(&id).await);
    assert_eq!(call["outcome"], "no_input", "{history}");
    assert_eq!(call["data"]["barged_in"], false, "{history}");
    let at = |event: &str| history.must("prompt", "event", event).at_ms.unwrap();
    let (paused, resumed, ended) = (at("paused"), at("resumed"), at("ended"));
    let lasted: Vec<u128> = played
        .iter()
        .map(|(from, to)| to.expect("an end").duration_since(*from).as_millis())
        .collect();
    row(
        "a pause before the file is opened",
        kind.as_str(),
        version,
        "incoming",
        &format!(
            "paused at {paused} ms, on again at {resumed}, ended at {ended}; the file sounded for {lasted:?} ms"
        ),
    );
    assert_eq!(lasted.len(), 2, "{lasted:?}\n{history}");
    assert!(
        lasted[0] < SOUNDING_MS,
        "it did not hold: {lasted:?}\n{history}"
    );
    let whole = lasted[0] + lasted[1];
    assert!(
        whole.abs_diff(u128::from(LONG_MS)) < SOUNDING_MS,
        "{lasted:?} of {LONG_MS} ms\n{history}"
    );
    server.stop().await;
    asterisk.quiet().await;
    far.quiet().await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_before_the_file_is_opened_16() {
    on("16", MediaKind::Rtp).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_before_the_file_is_opened_22() {
    on("22", MediaKind::AudiosocketTap).await;
}
