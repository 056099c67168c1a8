//! Far ends that fail: over Local and SIP, on both Asterisks, the outcome is right and told within a second of Asterisk's
//! own last event. And: both Asterisks take asterisk-conf/ without a word of complaint.

use std::time::Duration;

use govorun::config::MediaKind;
use jiff::Timestamp;

use super::dialogs::Place;
use super::server::{LOCAL, NO_EARS, SIP, Server, settings};
use super::stand::{Asterisk, row};

/// (number, outcome over Local, outcome over SIP)
const PEOPLE: [(&str, &str, &str, &str); 6] = [
    ("busy", "89130000001", "busy", "busy"),
    ("rings for ever", "89140000001", "no_answer", "no_answer"),
    ("congestion", "89150000001", "congestion", "congestion"),
    ("404", "89200000001", "invalid_number", "invalid_number"),
    (
        "announcement, then 480",
        "89210000001",
        "unreachable",
        "unreachable",
    ),
    ("refuses", "89260000001", "rejected", "rejected"),
];

async fn on(version: &'static str, kind: MediaKind) {
    let Some((asterisk, far)) = Asterisk::pair(version) else {
        return;
    };
    asterisk.check_conf();
    row(
        "asterisk-conf loads without a complaint",
        "-",
        version,
        "-",
        "yes",
    );
    let mut wrong = Vec::new();
    for (way, channel) in [("Local", LOCAL), ("SIP", SIP)] {
        let place = Place::new();
        let mut config = settings(&asterisk, &place, kind, NO_EARS, channel);
        // The announcement has its 5.9 s.
        config.asterisk.ring_timeout_ms = 8_000;
        let server = Server::start(config).await;
        for (n, (_, number, ..)) in PEOPLE.iter().enumerate() {
            server.one_c.order(&format!("p{n}"), number, "short").await;
        }
        for (n, (case, _, local, sip)) in PEOPLE.iter().enumerate() {
            let expect = if way == "Local" { local } else { sip };
            let id = format!("p{n}");
            let (call, history) = server.one_c.finished(&id, Duration::from_secs(20)).await;
            let outcome = call["outcome"].as_str().unwrap();
            let change = server.one_c.last_change(&id).await;
            let told: Timestamp = change["at"].as_str().unwrap().parse().unwrap();
            let last = history.of("asterisk").last().unwrap().at;
            let late = told.duration_since(last).as_millis();
            row(
                case,
                kind.as_str(),
                version,
                way,
                &format!("{outcome}, told {late} ms after Asterisk's last event"),
            );
            if outcome != *expect || late > 1_000 {
                wrong.push(format!("{case} over {way}: {outcome}, told after {late} ms; {expect} was due\n{history}"));
            }
        }
        server.stop().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    asterisk.quiet().await;
    far.quiet().await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_far_ends_16() {
    on("16", MediaKind::Rtp).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_far_ends_22() {
    on("22", MediaKind::AudiosocketTap).await;
}
