//! Dialogs that change while calls go on.

use std::time::Duration;

use govorun::config::MediaKind;

use super::app::{ASK, TestApp};

pub async fn version(app: &TestApp) -> String {
    let (_, dialogs) = app.get("/api/v1/dialogs").await;
    dialogs["version"].as_str().unwrap().to_owned()
}

/// The promise is a second; a loaded machine gets five.
pub async fn until_version_changes(app: &TestApp, old: &str) {
    for _ in 0..200 {
        if version(app).await != old {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the edit was not taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_serves_new_calls_and_spares_those_that_talk() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    let old = version(&app).await;
    app.order("old", "05").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    app.write_script(&ASK.replace("silent", "new_silence"));
    until_version_changes(&app, &old).await;
    app.order("new", "05").await;
    let (before, after) = (app.end_of("old").await, app.end_of("new").await);
    assert_eq!(
        (before["outcome"].as_str(), after["outcome"].as_str()),
        (Some("silent"), Some("new_silence"))
    );
    assert_ne!(
        before["attempt_list"][0]["version"], after["attempt_list"][0]["version"],
        "{before:#} {after:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_edit_is_refused_with_file_and_line() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    let old = version(&app).await;
    app.write_script("stage(\"x\");\nесли {\n");
    let mut faults = serde_json::Value::Null;
    for _ in 0..200 {
        let (_, dialogs) = app.get("/api/v1/dialogs").await;
        faults = dialogs["faults"].clone();
        if faults.as_array().is_some_and(|f| !f.is_empty()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(
        (faults[0]["file"].as_str(), faults[0]["line"].as_u64()),
        (Some("visit.rhai"), Some(2)),
        "{faults:#}"
    );
    assert_eq!(version(&app).await, old);
    app.order("goes-on", "01").await;
    assert_eq!(app.end_of("goes-on").await["outcome"], "confirmed");
}
