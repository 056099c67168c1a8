//! A person is given to a colleague, and the dialog goes on after that; a talk is recorded.

use std::path::Path;
use std::time::Duration;

use govorun::audio::wav;
use govorun::config::MediaKind;
use serde_json::json;

use super::dialogs::{Place, SHORT};
use super::server::{LOCAL, NO_EARS, Server, settings};
use super::stand::{Asterisk, row};

/// (whom to, what the dialog is told)
const COLLEAGUES: [(&str, &str, &str); 4] = [
    (
        "a colleague answers, hangs up after 6 s",
        "89280000001",
        "answered",
    ),
    ("a busy colleague", "89130000002", "busy"),
    ("a colleague does not answer", "89140000002", "no_answer"),
    ("no such colleague", "89200000002", "failed"),
];

async fn transfers(asterisk: &Asterisk, kind: MediaKind, wrong: &mut Vec<String>) {
    let place = Place::new();
    let server = Server::start(settings(asterisk, &place, kind, NO_EARS, LOCAL)).await;
    let (one_c, version) = (server.one_c, asterisk.version);
    for (n, (_, to, _)) in COLLEAGUES.iter().enumerate() {
        let (id, phone) = (format!("t{n}"), format!("8919000000{n}"));
        one_c
            .order_with(
                json!({"id": id, "phone": phone, "dialog": "transferred", "params": {"to": to}}),
            )
            .await;
    }
    one_c.order("rec", "89100000009", "recorded").await;
    for (n, (case, _, expect)) in COLLEAGUES.iter().enumerate() {
        let (call, history) = one_c
            .finished(&format!("t{n}"), Duration::from_secs(30))
            .await;
        let told = call["data"]["transfer"].as_str().unwrap_or("");
        let after = history.0.iter().position(|l| l.kind == "stage");
        let heard = history.0[after.unwrap_or(0)..]
            .iter()
            .any(|l| l.kind == "prompt" && l.is("event", "ended") && l.is("name", SHORT));
        row(
            case,
            kind.as_str(),
            version,
            "Local",
            &format!("{told}, then {}", call["outcome"]),
        );
        if told != *expect || call["outcome"] != "done" || !heard {
            wrong.push(format!(
                "{case} by {} on {version}: {told}, {expect} was due; the prompt after it was heard: {heard}\n{history}",
                kind.as_str()
            ));
        }
    }
    let (call, history) = one_c.finished("rec", Duration::from_secs(20)).await;
    let inside = call["attempt_list"][0]["recording"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    // What the person heard is a file of its own, of each of the two recordings. MixMonitor closes it a moment after the call.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let second = inside.replace(
        &asterisk.env["LAB_SPOOL_ASTERISK"],
        &asterisk.env["LAB_SPOOL_HOST"],
    );
    for file in [second.replace("-2.wav", ".wav"), second] {
        let file = file.replace(".wav", "-robot.wav");
        let heard_ms = with_sound_ms(Path::new(&file));
        row(
            "recording",
            kind.as_str(),
            version,
            "Local",
            &format!("{heard_ms:?} ms with sound"),
        );
        // The prompt after record_stop() is in none.
        if !heard_ms.as_ref().is_ok_and(|ms| (500..1_000).contains(ms)) {
            wrong.push(format!("the recording {file}: {heard_ms:?}\n{history}"));
        }
    }
    server.stop().await;
}

fn with_sound_ms(file: &Path) -> Result<u64, String> {
    let bytes = std::fs::read(file).map_err(|e| e.to_string())?;
    let sound = wav::decode("recording", &bytes).map_err(|e| e.to_string())?;
    let slices = sound.samples.chunks(160);
    let loud = slices.filter(|s| s.iter().any(|v| v.unsigned_abs() > 500));
    Ok(loud.count() as u64 * 20)
}

async fn on(version: &'static str, kinds: &[MediaKind]) {
    let Some(asterisk) = Asterisk::alone(version) else {
        return;
    };
    let mut wrong = Vec::new();
    for kind in kinds {
        transfers(&asterisk, *kind, &mut wrong).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    asterisk.quiet().await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfer_and_recording_16() {
    on("16", &[MediaKind::Rtp]).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfer_and_recording_22() {
    on(
        "22",
        &[
            MediaKind::AudiosocketTap,
            MediaKind::Audiosocket,
            MediaKind::ChanWebsocket,
        ],
    )
    .await;
}
