//! Whole dialogs with people who speak, press keys, are silent or hang up; their words go through a real recognizer.

use std::time::{Duration, Instant};

use govorun::config::MediaKind;
use serde_json::Value;

use super::dialogs::Place;
use super::history::History;
use super::server::{LOCAL, SIP, Server, settings};
use super::stand::{Asterisk, Ears, row};

/// (case, number, dialog, outcome)
type Person = (&'static str, &'static str, &'static str, &'static str);

/// They speak, so they are called one after the other: the recognizer is one decoder, and not a quick one.
const SPEAKERS: [Person; 3] = [
    ("says yes", "89100000001", "confirm_visit", "confirmed"),
    ("says no", "89110000001", "confirm_visit", "declined"),
    (
        "answers after ringing, says yes",
        "89270000001",
        "verdict",
        "confirmed",
    ),
];
/// The first two of them, by a dialog that ends with their word.
const BRIEF: [Person; 2] = [
    ("says yes", "89100000001", "verdict", "confirmed"),
    ("says no", "89110000001", "verdict", "declined"),
];
/// They are called at once.
const OTHERS: [Person; 5] = [
    (
        "presses 2 over the prompt",
        "89120000001",
        "keys",
        "pressed",
    ),
    ("is silent", "89190000001", "short", "silent"),
    (
        "is silent, no word of the dialog's",
        "89190000002",
        "wordless",
        "no_reply",
    ),
    (
        "hangs up during the prompt",
        "89160000001",
        "long",
        "hung_up",
    ),
    ("hangs up in the window", "89173000001", "window", "hung_up"),
];

/// What else has to be right.
fn check(case: &str, call: &Value, history: &History) -> Result<(), String> {
    let fail = |what: &str| Err(format!("{what}: {call:#}"));
    match case {
        "says yes" | "says no" if call["transcript"].as_array().is_none_or(|t| t.len() < 2) => {
            fail("the transcript")
        }
        "presses 2 over the prompt" => {
            if call["data"]["digits"] != "2" || call["data"]["kind"] != "digits" {
                return fail("the digit");
            }
            match history
                .find("prompt", "event", "barge_in")
                .and_then(|line| line.at_ms)
            {
                Some(1_500..3_500) => Ok(()),
                _ => fail("the digit did not stop the prompt at 2 s"),
            }
        }
        "hangs up during the prompt" | "hangs up in the window" => {
            let left = history.find("event", "name", "left");
            match left {
                Some(_) => Ok(()),
                None => fail("on_hang_up did not run"),
            }
        }
        _ if history.of("fault").next().is_some() => fail("a fault"),
        _ => Ok(()),
    }
}

/// One medium: everybody is called.
async fn everybody(
    asterisk: &Asterisk,
    kind: MediaKind,
    ears: &Ears,
    way: &str,
    channel: &str,
    wrong: &mut Vec<String>,
) {
    let place = Place::new();
    let server = Server::start(settings(asterisk, &place, kind, &ears.url, channel)).await;
    let medium = server.runtime.medium.borrow().clone();
    if kind == MediaKind::Auto {
        row(
            "auto picks",
            medium.kind.as_str(),
            asterisk.version,
            "-",
            &medium.reason,
        );
        let stock = if asterisk.version == "16" {
            MediaKind::Rtp
        } else {
            MediaKind::AudiosocketTap
        };
        assert_eq!(medium.kind, stock, "{medium:?}");
    }
    let name = format!("{} ({})", medium.kind.as_str(), kind.as_str());
    let speakers: &[Person] = match (kind, way) {
        (MediaKind::Auto, _) => &BRIEF[..1],
        (_, "SIP") => &BRIEF,
        _ => &SPEAKERS,
    };
    let one_c = server.one_c;
    let began = Instant::now();
    for (n, (_, number, dialog, _)) in OTHERS.iter().enumerate() {
        one_c.order(&format!("o{n}"), number, dialog).await;
    }
    let everybody = speakers
        .iter()
        .enumerate()
        .map(|(n, p)| (format!("s{n}"), p));
    let everybody = everybody.chain(OTHERS.iter().enumerate().map(|(n, p)| (format!("o{n}"), p)));
    for (id, (case, number, dialog, expect)) in everybody {
        if id.starts_with('s') {
            one_c.order(&id, number, dialog).await;
        }
        let (call, history) = one_c.finished(&id, Duration::from_secs(45)).await;
        let outcome = call["outcome"].as_str().unwrap();
        let said = call["data"]["text"]
            .as_str()
            .or(call["data"]["answer"].as_str())
            .unwrap_or("");
        let talk = call["attempt_list"][0]["talk_ms"].as_u64().unwrap_or(0);
        row(
            case,
            &name,
            asterisk.version,
            way,
            &format!("{outcome} \"{said}\", {talk} ms of talk"),
        );
        let mut fault = check(case, &call, &history).err();
        if outcome != *expect {
            fault = Some(format!("{outcome}, {expect} was due"));
        }
        if let Some(fault) = fault {
            wrong.push(format!(
                "{case} by {name} over {way} on {}: {fault}\n{history}",
                asterisk.version
            ));
        }
    }
    row(
        "all of them",
        &name,
        asterisk.version,
        way,
        &format!("{} ms", began.elapsed().as_millis()),
    );
    server.stop().await;
}

async fn on(version: &'static str, kinds: &[(MediaKind, bool)]) {
    let Some((asterisk, far)) = Asterisk::pair(version) else {
        return;
    };
    let Some(ears) = Ears::start() else {
        return;
    };
    let mut wrong = Vec::new();
    for (kind, by_sip) in kinds {
        everybody(&asterisk, *kind, &ears, "Local", LOCAL, &mut wrong).await;
        if *by_sip {
            everybody(&asterisk, *kind, &ears, "SIP", SIP, &mut wrong).await;
        }
        asterisk.quiet().await;
        far.quiet().await;
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_on_16() {
    on("16", &[(MediaKind::Auto, false), (MediaKind::Rtp, true)]).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_on_22_by_taps() {
    let kinds = [
        (MediaKind::Auto, false),
        (MediaKind::AudiosocketTap, true),
        (MediaKind::Rtp, true),
    ];
    on("22", &kinds).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_on_22_both_ways() {
    on(
        "22",
        &[
            (MediaKind::Audiosocket, true),
            (MediaKind::ChanWebsocket, true),
        ],
    )
    .await;
}
