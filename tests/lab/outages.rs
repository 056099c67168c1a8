//! What the server needs goes away in mid-call and comes back: the manager's connection, Asterisk itself, the recognizer.
//! Calls end politely or go on, nothing hangs, everything is in the history, later calls work.

use std::time::{Duration, Instant};

use govorun::config::{MediaKind, RecognizerConfig};

use super::dialogs::Place;
use super::proxy::Proxy;
use super::server::{LOCAL, NO_EARS, Server, logged, settings};
use super::stand::{Asterisk, row};
use super::vosk::{Do, VoskDouble, step};

const END: Duration = Duration::from_secs(25);

/// A person whose first "да" is heard, and nothing after it.
async fn ears() -> VoskDouble {
    VoskDouble::scripted(vec![vec![
        step(300, Do::Partial("да")),
        step(1_100, Do::Final("да конечно")),
    ]])
    .await
}

/// The manager's connection is cut while calls talk, and while one hangs up; orders wait for it.
async fn ami_gone(asterisk: &Asterisk, kind: MediaKind) {
    let ears = ears().await;
    let place = Place::new();
    place.write(
        "twice",
        r#"say("Длинный вопрос?", #{ barge_in: false });
        let a = ask("Короткий вопрос?", #{ expect: ["yes"], attempts: 1, timeout: 6 });
        finish(if a.yes { "confirmed" } else { "unclear" });"#,
    );
    let mut config = settings(asterisk, &place, kind, &ears.url, LOCAL);
    let wire = Proxy::before(&config.asterisk.ami).await;
    config.asterisk.ami = wire.at.to_string();
    let server = Server::start(config).await;
    let one_c = server.one_c;
    // Speaks at 0.3 s; the prompt isn't to be cut, and ends while the manager is away.
    one_c.order("goes-on", "89100000001", "twice").await;
    one_c.order("hangs-up", "89173000001", "window").await;
    one_c.order("cut", "89180000001", "cut").await;
    for id in ["goes-on", "hangs-up", "cut"] {
        one_c
            .until_noted(id, "prompt", "event", "started", END)
            .await;
    }
    wire.cut();
    one_c.order("meanwhile", "89190000001", "wordless").await;
    // Ended by AGI's own word, though no event can tell of it.
    let (call, history) = one_c.finished("hangs-up", Duration::from_secs(12)).await;
    assert_eq!(call["outcome"], "hung_up", "{history}");
    let (cut, history) = one_c.finished("cut", END).await;
    assert_eq!(cut["outcome"], "confirmed", "{history}");
    let (call, history) = one_c.finished("goes-on", END).await;
    assert_eq!(call["outcome"], "confirmed", "{history}");
    let noted = history
        .of("asterisk")
        .filter(|l| l.data["event"].as_str().is_some_and(|e| e.contains("AMI")));
    assert!(
        noted.count() >= 1,
        "the link's loss is not in the history:\n{history}"
    );
    let waiting = one_c.call("meanwhile").await;
    assert_eq!(waiting["status"], "queued", "{waiting:#}");
    assert_eq!(waiting["attempt"], 0, "it was not dialed: {waiting:#}");
    wire.mend();
    let mended = Instant::now();
    let (call, history) = one_c.finished("meanwhile", Duration::from_secs(60)).await;
    assert_eq!(call["outcome"], "no_reply", "{history}");
    row(
        "AMI gone in mid-call, and back",
        kind.as_str(),
        asterisk.version,
        "Local",
        &format!(
            "calls went on; the order that waited was finished {} ms after",
            mended.elapsed().as_millis()
        ),
    );
    server.stop().await;
    asterisk.quiet().await;
}

/// AMI goes and comes back while the call talks.
async fn ami_back_in_the_call(asterisk: &Asterisk, kind: MediaKind) {
    let ears = ears().await;
    let place = Place::new();
    let mut config = settings(asterisk, &place, kind, &ears.url, LOCAL);
    let wire = Proxy::before(&config.asterisk.ami).await;
    config.asterisk.ami = wire.at.to_string();
    let server = Server::start(config).await;
    let one_c = server.one_c;
    // Presses 2 every 2 s: the first while the manager is away.
    one_c.order("keys", "89120000001", "keys").await;
    one_c
        .until_noted("keys", "prompt", "event", "started", END)
        .await;
    wire.cut();
    tokio::time::sleep(Duration::from_millis(200)).await;
    wire.mend();
    let (call, history) = one_c.finished("keys", END).await;
    assert_eq!(
        (&call["outcome"], &call["data"]["digits"]),
        (&"pressed".into(), &"2".into()),
        "{history}"
    );
    row(
        "AMI gone for 0.2 s in mid-call, then a digit",
        kind.as_str(),
        asterisk.version,
        "Local",
        "heard",
    );
    server.stop().await;
    asterisk.quiet().await;
}

/// Asterisk is killed in mid-call and started again.
async fn asterisk_killed(asterisk: &Asterisk, kind: MediaKind) {
    let place = Place::new();
    let server = Server::start(settings(asterisk, &place, kind, NO_EARS, LOCAL)).await;
    let one_c = server.one_c;
    one_c.order("talks", "89190000001", "window").await;
    one_c.order("rings", "89140000001", "short").await;
    one_c
        .until_noted("talks", "prompt", "event", "ended", END)
        .await;
    one_c.until("rings", "dialing", END).await;
    let killed = Instant::now();
    asterisk.kill();
    let (call, history) = one_c.finished("talks", Duration::from_secs(15)).await;
    let ended = killed.elapsed();
    assert_eq!(call["outcome"], "runtime_error", "{history}");
    assert!(!history.faults().is_empty(), "{history}");
    one_c.order("meanwhile", "89190000002", "wordless").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(one_c.call("meanwhile").await["status"], "queued");
    asterisk.start_again();
    let again = Instant::now();
    let (call, history) = one_c.finished("meanwhile", Duration::from_secs(60)).await;
    assert_eq!(call["outcome"], "no_reply", "{history}\n{}", logged(50));
    let took = again.elapsed();
    // What rang was lost with Asterisk.
    let (call, history) = one_c.finished("rings", END).await;
    assert!(
        call["outcome"] == "runtime_error" || call["outcome"] == "no_answer",
        "{call:#}\n{history}"
    );
    row(
        "Asterisk killed in mid-call, and started again",
        kind.as_str(),
        asterisk.version,
        "Local",
        &format!(
            "talking: runtime_error after {} ms; ringing: {}; a waiting order was finished {} ms after the start",
            ended.as_millis(),
            call["outcome"],
            took.as_millis()
        ),
    );
    server.stop().await;
    asterisk.quiet().await;
}

/// The recognizer goes away in mid-call: keys still work, and the dialog is told; later calls are heard again.
async fn recognizer_gone(asterisk: &Asterisk, kind: MediaKind) {
    let ears = ears().await;
    let place = Place::new();
    place.write(
        "failing",
        r#"let a = ask("Длинный вопрос?", #{ expect: ["yes"], attempts: 2, timeout: 2, digits: false });
        set("kind", a.kind); say("Короткий вопрос?"); finish("polite");"#,
    );
    let wire = Proxy::before(ears.url.trim_start_matches("ws://")).await;
    let mut config = settings(asterisk, &place, kind, &ears.url, LOCAL);
    config.recognizers = vec![RecognizerConfig::vosk(
        "lab".to_owned(),
        format!("ws://{}", wire.at),
    )];
    let server = Server::start(config).await;
    let one_c = server.one_c;
    one_c.order("keys", "89120000001", "keys").await;
    one_c.order("deaf", "89190000001", "failing").await;
    for id in ["keys", "deaf"] {
        one_c
            .until_noted(id, "prompt", "event", "started", END)
            .await;
    }
    wire.cut();
    let cut = Instant::now();
    let (call, history) = one_c.finished("keys", END).await;
    assert_eq!(
        (&call["outcome"], &call["data"]["digits"]),
        (&"pressed".into(), &"2".into()),
        "{history}"
    );
    let (call, history) = one_c.finished("deaf", END).await;
    let took = cut.elapsed();
    assert_eq!(
        (&call["outcome"], &call["data"]["kind"]),
        (&"polite".into(), &"failed".into()),
        "{history}"
    );
    history.must("recognizer", "event", "none_left");
    wire.mend();
    one_c.order("later", "89100000001", "cut").await;
    let (call, history) = one_c.finished("later", END).await;
    assert_eq!(call["outcome"], "confirmed", "{history}");
    row(
        "recognizer gone in mid-call, and back",
        kind.as_str(),
        asterisk.version,
        "Local",
        &format!(
            "keys worked, the dialog was told `failed` and ended {} ms after; the next call was heard",
            took.as_millis()
        ),
    );
    server.stop().await;
    asterisk.quiet().await;
}

async fn on(version: &'static str, kinds: &[MediaKind]) {
    let Some(asterisk) = Asterisk::alone(version) else {
        return;
    };
    for kind in kinds {
        ami_gone(&asterisk, *kind).await;
        ami_back_in_the_call(&asterisk, *kind).await;
        recognizer_gone(&asterisk, *kind).await;
        asterisk_killed(&asterisk, *kind).await;
    }
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_16() {
    on("16", &[MediaKind::Rtp]).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_22() {
    on("22", &[MediaKind::AudiosocketTap, MediaKind::ChanWebsocket]).await;
}
