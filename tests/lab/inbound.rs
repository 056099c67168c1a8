//! Calls that come in over the trunk: the dialplan of asterisk-conf/ gives them to the dialog that it names.

use std::time::{Duration, Instant};

use govorun::config::MediaKind;
use govorun::wire::ami::Action;
use serde_json::Value;

use super::dialogs::Place;
use super::server::{SIP, Server, logged, settings};
use super::stand::{Asterisk, Ears, SOON, row};

/// (who calls, number called, dialog, outcome)
const CALLERS: [(&str, &str, &str, &str, &str); 3] = [
    ("says yes", "8910", "100", "confirm_visit", "confirmed"),
    ("says no", "8911", "4951112233", "inbound", "else"),
    ("hangs up", "8916", "100", "confirm_visit", "hung_up"),
];

async fn called(
    asterisk: &Asterisk,
    far: &Asterisk,
    ears: &Ears,
    kind: MediaKind,
    wrong: &mut Vec<String>,
) {
    let place = Place::new();
    let server = Server::start(settings(asterisk, &place, kind, &ears.url, SIP)).await;
    asterisk.calls_go_to(server.runtime.agi);
    let (ami, _stop) = far.ami().await;
    let (one_c, version) = (server.one_c, asterisk.version);
    let mut cursor = 0;
    for (case, person, number, dialog, outcome) in CALLERS {
        let originate = Action::new("Originate")
            .with("Channel", format!("PJSIP/{number}@trunk"))
            .and_then(|a| a.with("Context", "phones"))
            .and_then(|a| a.with("Exten", person))
            .and_then(|a| a.with("Priority", "1"))
            .and_then(|a| a.with("CallerID", "\"Иван\" <79161234567>"))
            .and_then(|a| a.with("Async", "true"))
            .unwrap();
        ami.order(originate, SOON).await.unwrap();
        let began = Instant::now();
        let last: Value = loop {
            let (changes, _) = one_c.changes(cursor).await;
            if let Some(last) = changes.last().filter(|c| c["status"] == "finished") {
                break last.clone();
            }
            assert!(
                began.elapsed() < Duration::from_secs(40),
                "{case}: {changes:?}\n{}",
                logged(60)
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let all = one_c.changes(cursor).await;
        cursor = all.1;
        let id = last["id"].as_str().unwrap().to_owned();
        let (call, history) = (one_c.call(&id).await, one_c.history(&id).await);
        row(
            case,
            kind.as_str(),
            version,
            "incoming",
            &format!("{} by {}", last["outcome"], last["dialog"]),
        );
        let right = last["outcome"] == outcome
            && last["dialog"] == dialog
            && call["phone"] == "79161234567"
            && call["params"]["dialed"] == number
            && all.0.iter().all(|c| c["id"] == id.as_str());
        if !right {
            wrong.push(format!(
                "{case} by {}: {outcome} was due: {call:#}\n{history}",
                kind.as_str()
            ));
        }
    }
    server.stop().await;
    // Nobody takes the call now: Asterisk goes on in its dialplan, and the caller is not left hanging.
    let originate = Action::new("Originate")
        .with("Channel", "PJSIP/100@trunk")
        .and_then(|a| a.with("Context", "phones"))
        .and_then(|a| a.with("Exten", "8919"))
        .and_then(|a| a.with("Priority", "1"))
        .and_then(|a| a.with("Async", "true"))
        .unwrap();
    ami.order(originate, SOON).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    asterisk.quiet().await;
    far.quiet().await;
}

async fn on(version: &'static str, kinds: &[MediaKind]) {
    let Some((asterisk, far)) = Asterisk::pair(version) else {
        return;
    };
    let Some(ears) = Ears::start() else {
        return;
    };
    let mut wrong = Vec::new();
    for kind in kinds {
        called(&asterisk, &far, &ears, *kind, &mut wrong).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incoming_16() {
    on("16", &[MediaKind::Rtp]).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incoming_22() {
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
