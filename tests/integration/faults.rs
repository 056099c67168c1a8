//! Asterisk, AMI, the recognizer go away and come back: calls end politely or go on, nothing hangs.

use std::time::Duration;

use govorun::config::{MediaKind, RecognizerConfig};
use govorun::rehearsal::asterisk::Incoming;
use serde_json::json;

use super::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ami_gone_and_back_in_mid_call() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    app.order("during", "05").await;
    wait_for(&app, "during", "talking").await;
    app.asterisk.drop_ami();
    let call = app.end_of("during").await;
    assert_eq!(
        call["outcome"], "silent",
        "the call goes on by AGI: {call:#}"
    );
    app.ready().await;
    app.order("after", "01").await;
    assert_eq!(app.end_of("after").await["outcome"], "confirmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_waits_for_asterisk() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    app.asterisk.close_ami(true);
    app.order("waits", "01").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let (_, call) = app.get("/api/v1/calls/waits").await;
    assert_ne!(call["status"], "finished", "{call:#}");
    app.asterisk.close_ami(false);
    assert_eq!(app.end_of("waits").await["outcome"], "confirmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asterisk_dies_in_mid_call() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    app.order("cut", "05").await;
    wait_for(&app, "cut", "talking").await;
    app.asterisk.restart(Duration::from_millis(300)).await;
    let call = app.end_of("cut").await;
    assert_eq!(call["outcome"], "runtime_error", "{call:#}");
    app.ready().await;
    app.order("after", "02").await;
    assert_eq!(app.end_of("after").await["outcome"], "declined");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_recognizer_the_dialog_learns_so_and_keys_work() {
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        config.recognizers =
            // Nobody listens on the discard port of loopback here.
            vec![RecognizerConfig::vosk("gone", "ws://127.0.0.1:9")];
    })
    .await;
    // Nobody is called whom we couldn't hear; who calls us is answered, and may press keys.
    app.order("waits", "01").await;
    let script = format!("agi://{}/visit", app.runtime.agi);
    for person in ["79000000004", "79000000001"] {
        let far = super::app::people(person);
        app.asterisk.incoming(&script, Incoming::default(), far);
    }
    let mut ended = Vec::new();
    for _ in 0..600 {
        let (_, page) = app.get("/api/v1/changes?after=0&limit=100").await;
        let all = page["changes"].as_array().unwrap().clone();
        ended = all
            .into_iter()
            .filter(|c| c["status"] == "finished")
            .collect();
        if ended.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let of = |outcome: &str| ended.iter().find(|c| c["outcome"] == outcome).cloned();
    let silent = of("silent").unwrap_or_else(|| panic!("{ended:#?}"));
    assert!(of("keyed").is_some(), "{ended:#?}");
    let events = app.events(silent["id"].as_str().unwrap()).await;
    let told = events
        .iter()
        .any(|e| e["kind"] == "recognizer" && e["data"]["event"] == "none_left");
    assert!(told, "{events:#?}");
    let (_, waits) = app.get("/api/v1/calls/waits").await;
    assert_eq!(
        (&waits["status"], &waits["attempt"]),
        (&json!("queued"), &json!(0))
    );
    let (code, health) = app.get("/healthz").await;
    assert_eq!(
        (code, &health["failed"]),
        (503, &json!(["recognizers"])),
        "{health:#}"
    );
}

/// The sound's connection breaks in the middle of the question; the person doesn't notice and answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_medium_that_breaks_in_mid_call_is_opened_again() {
    for medium in [
        MediaKind::AudiosocketTap,
        MediaKind::Audiofork,
        MediaKind::Audiosocket,
        MediaKind::ChanWebsocket,
    ] {
        let app = TestApp::start(medium).await;
        app.order("breaks", "08").await;
        let call = app
            .asterisk
            .call_that(|call| !call.prompts.is_empty())
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        app.asterisk.cut_media(&call.unwrap().channel);
        let call = app.end_of("breaks").await;
        let events = app.events("breaks").await;
        assert_eq!(call["outcome"], "confirmed", "{medium:?}: {events:#?}");
        let noted = |kind: &str, what: &str| {
            let mut all = events.iter();
            all.any(|e| e["kind"] == kind && e["data"]["event"] == what)
        };
        assert!(noted("media", "is opened again"), "{medium:?}: {events:#?}");
        assert!(noted("media", "back"), "{medium:?}: {events:#?}");
        let both_ways = matches!(medium, MediaKind::Audiosocket | MediaKind::ChanWebsocket);
        assert_eq!(
            noted("prompt", "again"),
            both_ways,
            "{medium:?}: {events:#?}"
        );
        app.runtime.shut_down().await;
    }
}

/// Asterisk could not connect the tap to us: the call was deaf from its start, and stayed so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_that_never_came_is_put_on_again() {
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        let scripts = &config.scripts.folder;
        std::fs::create_dir_all(scripts).unwrap();
        let script = r#"
let answer = ask("Здравствуйте! Вы приедете?", #{ expect: ["yes", "no"], attempts: 1, timeout: 12 });
if answer.is("yes") { finish("confirmed"); }
finish("silent");
"#;
        std::fs::write(scripts.join("visit.rhai"), script).unwrap();
    })
    .await;
    app.asterisk.refuse_media(1);
    app.order("deaf", "16").await;
    let call = app.end_of("deaf").await;
    let events = app.events("deaf").await;
    let shown = || format!("{call:#}\n{events:#?}");
    assert_eq!(call["outcome"], "confirmed", "{}", shown());
    let media = events.iter().filter(|e| e["kind"] == "media");
    let said: Vec<_> = media
        .map(|e| e["data"]["event"].as_str().unwrap_or_default())
        .collect();
    let never = said
        .iter()
        .position(|what| what.contains("stream came within"));
    let again = said.iter().position(|what| *what == "back");
    assert!(never.is_some() && never < again, "{}", shown());
    app.runtime.shut_down().await;
}

/// The colleague is busy, and the sound can't be connected again at once: what is asked then waits for it, and is heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_medium_that_fails_after_a_transfer_is_opened_again() {
    for medium in [MediaKind::Audiosocket, MediaKind::ChanWebsocket] {
        let app = TestApp::with(medium, |config| {
            let scripts = &config.scripts.folder;
            std::fs::create_dir_all(scripts).unwrap();
            let script = r#"
say("Соединяю с коллегой.");
set("status", transfer("79000000011"));
let answer = ask("Он занят. Передать?", #{ expect: ["yes", "no"], attempts: 1 });
if answer.is("yes") { finish("confirmed"); }
finish("declined");
"#;
            std::fs::write(scripts.join("visit.rhai"), script).unwrap();
        })
        .await;
        app.order("busy", "10").await;
        let begun = app
            .asterisk
            .call_that(|call| !call.prompts.is_empty())
            .await;
        assert!(begun.is_some());
        app.asterisk.refuse_media(2);
        let call = app.end_of("busy").await;
        let events = app.events("busy").await;
        let shown = || format!("{medium:?}: {call:#}\n{events:#?}");
        assert_eq!(call["outcome"], "confirmed", "{}", shown());
        assert_eq!(call["data"]["status"], "busy", "{}", shown());
        let count = |what: &str| {
            let of_media = events.iter().filter(|e| e["kind"] == "media");
            of_media.filter(|e| e["data"]["event"] == what).count()
        };
        assert_eq!((count("lost"), count("back")), (2, 1), "{}", shown());
        let again = |e: &&serde_json::Value| {
            e["data"]["event"] == "again" && e["data"]["name"] == "Он занят. Передать?"
        };
        assert_eq!(events.iter().filter(again).count(), 1, "{}", shown());
        app.runtime.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_is_hung_up() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    app.order("cancel", "05").await;
    wait_for(&app, "cancel", "talking").await;
    let (code, _) =
        super::app::request(app.runtime.http, "DELETE", "/api/v1/calls/cancel", None).await;
    assert_eq!(code, 202);
    let call = app.end_of("cancel").await;
    assert_eq!(call["status"], "cancelled", "{call:#}");
    assert!(app.asterisk.calls_ended(1, Duration::from_secs(5)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scripts_fault_ends_its_own_call_politely() {
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        config.calls.fallback = "Извините.".to_owned();
        std::fs::create_dir_all(&config.scripts.folder).unwrap();
        std::fs::write(
            config.scripts.folder.join("visit.rhai"),
            "let a = [1];\nstage(\"x\");\nlet b = a[7];\nfinish(\"confirmed\");\n",
        )
        .unwrap();
    })
    .await;
    app.order("faulty", "05").await;
    let call = app.end_of("faulty").await;
    assert_eq!(call["outcome"], "script_error", "{call:#}");
    let events = app.events("faulty").await;
    let fault = events
        .iter()
        .find(|e| e["kind"] == "fault")
        .expect("a fault in the history");
    assert_eq!(
        (
            fault["data"]["file"].as_str(),
            fault["data"]["line"].as_u64()
        ),
        (Some("visit.rhai"), Some(3))
    );
    let heard = app.asterisk.calls()[0].prompts.len();
    assert_eq!(heard, 1, "the fallback was heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_and_its_cursor_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("kept.sqlite");
    let mut after = 0;
    let mut told = Vec::new();
    for round in 0..2 {
        let path = store.clone();
        let app = TestApp::with(MediaKind::AudiosocketTap, |config| config.store = path).await;
        let id = format!("round-{round}");
        app.order(&id, "11").await;
        app.end_of(&id).await;
        let (_, page) = app
            .get(&format!("/api/v1/changes?after={after}&limit=100"))
            .await;
        for change in page["changes"].as_array().unwrap() {
            told.push(json!([change["cursor"], change["id"], change["status"]]));
        }
        after = page["cursor"].as_i64().unwrap();
        app.runtime.shut_down().await;
    }
    let finished: Vec<&serde_json::Value> = told.iter().filter(|c| c[2] == "finished").collect();
    assert_eq!(finished.len(), 2, "{told:#?}");
    let mut cursors: Vec<i64> = told.iter().map(|c| c[0].as_i64().unwrap()).collect();
    let before = cursors.len();
    cursors.dedup();
    assert_eq!(cursors.len(), before, "nothing is told twice");
}

async fn wait_for(app: &TestApp, id: &str, status: &str) {
    for _ in 0..400 {
        let (_, call) = app.get(&format!("/api/v1/calls/{id}")).await;
        if call["status"] == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} is never {status}");
}
