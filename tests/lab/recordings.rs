//! A talk is recorded, fetched over HTTP in ranges, and its words recognized once more from what was fetched.

use std::path::Path;
use std::time::Duration;

use govorun::asr::vosk::{Vosk, VoskConfig};
use govorun::asr::{AsrEvent, StreamOptions, listen};
use govorun::audio::{Frame, wav};
use govorun::config::MediaKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::dialogs::Place;
use super::one_c::{OneC, TOKEN};
use super::server::{LOCAL, SIP, Server, settings};
use super::stand::{Asterisk, Ears, row};

const RECORDED: &str = r#"record(); stage("question");
let a = ask("Короткий вопрос?", #{ expect: ["yes", "no"], attempts: 2, timeout: 6 });
finish(if a.yes { "confirmed" } else { "unclear" });"#;

/// Status, headers and bytes.
pub async fn fetch(one_c: OneC, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let mut socket = TcpStream::connect(one_c.0).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    socket.read_to_end(&mut got).await.unwrap();
    let cut = got.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&got[..cut]).into_owned();
    (head[9..12].parse().unwrap(), head, got[cut + 4..].to_vec())
}

/// The whole of it, asked for in pieces.
async fn in_ranges(one_c: OneC, path: &str) -> Vec<u8> {
    let mut sum = Vec::new();
    loop {
        let range = format!("Range: bytes={}-{}\r\n", sum.len(), sum.len() + 33_332);
        let (status, head, part) = fetch(one_c, path, &range).await;
        if status == 416 {
            return sum;
        }
        assert_eq!(status, 206, "{head}");
        sum.extend(part);
    }
}

/// What the lab's recognizer hears in a WAV.
pub async fn heard_in(ears: &Ears, bytes: &[u8]) -> String {
    let sound = wav::decode("recording", bytes).unwrap();
    let vosk = Vosk::new(VoskConfig::new("lab", ears.url.clone())).unwrap();
    let mut stream = listen(&vosk, StreamOptions::default());
    let tape = &stream.tape;
    let mut frames: Vec<Frame> = sound
        .samples
        .chunks_exact(160)
        .map(|c| Frame(c.try_into().unwrap()))
        .collect();
    frames.extend([Frame::SILENCE; 50]);
    for ten in frames.chunks(10) {
        ten.iter().for_each(|frame| tape.push(frame));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tape.end_of_utterance();
    let mut said = Vec::new();
    while let Ok(Some(event)) =
        tokio::time::timeout(Duration::from_secs(8), stream.events.recv()).await
    {
        match event {
            AsrEvent::Final { text, .. } => {
                said.push(text.as_str().to_owned());
                if said.join(" ").contains("да") {
                    break;
                }
            }
            AsrEvent::Failed { reason, .. } => panic!("{reason}"),
            _ => {}
        }
    }
    said.join(" ").to_lowercase()
}

/// How many of its slices of 20 ms have sound.
pub fn loud_ms(samples: &[i16]) -> u64 {
    let slices = samples.chunks(160);
    let loud = slices.filter(|s| s.iter().any(|v| v.unsigned_abs() > 500));
    loud.count() as u64 * 20
}

async fn recorded(asterisk: &Asterisk, ears: &Ears, kind: MediaKind, channel: &str) {
    let place = Place::new();
    place.write("recorded_question", RECORDED);
    let server = Server::start(settings(asterisk, &place, kind, &ears.url, channel)).await;
    let one_c = server.one_c;
    let id = format!(
        "rec-{}-{}",
        kind.as_str(),
        &channel[..5].trim_end_matches('/')
    );
    one_c.order(&id, "89310000001", "recorded_question").await;
    one_c.until(&id, "talking", Duration::from_secs(15)).await;
    let path = format!("/api/v1/calls/{id}/recording");
    one_c
        .until_noted(&id, "recording", "event", "began", Duration::from_secs(10))
        .await;
    assert_eq!(fetch(one_c, &path, "").await.0, 409, "it goes on");
    let (call, history) = one_c.finished(&id, Duration::from_secs(30)).await;
    assert_eq!(call["outcome"], "confirmed", "{history}");

    // At once: it waits until Asterisk has closed the file.
    let (status, head, stereo) = fetch(one_c, &path, "").await;
    assert_eq!(status, 200, "{head}\n{history}");
    let caller = in_ranges(one_c, &format!("{path}?channel=caller")).await;
    let robot = in_ranges(one_c, &format!("{path}?channel=robot")).await;
    assert!(in_ranges(one_c, &path).await == stereo, "ranges add up");
    // The very files that Asterisk wrote.
    let inside = call["attempt_list"][0]["recording"].as_str().unwrap();
    let spool = |ending: &str| {
        let file = inside.strip_suffix(".wav").unwrap().replace(
            &asterisk.env["LAB_SPOOL_ASTERISK"],
            &asterisk.env["LAB_SPOOL_HOST"],
        );
        std::fs::read(Path::new(&format!("{file}{ending}"))).unwrap()
    };
    assert!(spool("-caller.wav") == caller && spool("-robot.wav") == robot);
    // Left is the person, right the robot, in step.
    assert_eq!(stereo[22], 2);
    let samples: Vec<i16> = stereo[44..]
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect();
    let side = |of: usize| {
        samples
            .iter()
            .skip(of)
            .step_by(2)
            .copied()
            .collect::<Vec<_>>()
    };
    let (left, right) = (side(0), side(1));
    let mono = |bytes: &[u8]| wav::decode("x", bytes).unwrap().samples.to_vec();
    assert!(left.starts_with(&mono(&caller)) && right.starts_with(&mono(&robot)));
    let talk_ms = call["attempt_list"][0]["talk_ms"].as_u64().unwrap();
    let lengths = (
        mono(&caller).len() as u64 / 8,
        mono(&robot).len() as u64 / 8,
    );
    let words = heard_in(ears, &caller).await;
    row(
        "a recording, fetched in ranges",
        kind.as_str(),
        asterisk.version,
        &channel[..5],
        &format!(
            "talk {talk_ms} ms; caller {} ms ({} loud), robot {} ms ({} loud); heard again: {words:?}",
            lengths.0,
            loud_ms(&left),
            lengths.1,
            loud_ms(&right)
        ),
    );
    assert!(words.contains("да"), "{words}");
    assert!(loud_ms(&left) >= 300 && loud_ms(&right) >= 500);
    // Both directions are in step, and over SIP as long as the talk, give or take its ends: a Local channel has no frames
    // while nobody speaks, and MixMonitor writes what comes.
    assert!(lengths.0.abs_diff(lengths.1) <= 40, "{lengths:?}");
    if channel == SIP {
        assert!(
            lengths.0.abs_diff(talk_ms) < 1_500,
            "{lengths:?} of {talk_ms} ms"
        );
    }
    server.stop().await;
}

async fn on(version: &'static str, kinds: &[MediaKind]) {
    let (Some(ears), Some((asterisk, _far))) = (Ears::start(), Asterisk::pair(version)) else {
        return;
    };
    for kind in kinds {
        recorded(&asterisk, &ears, *kind, SIP).await;
    }
    recorded(&asterisk, &ears, kinds[0], LOCAL).await;
    asterisk.quiet().await;
    let log = asterisk.log();
    let complaint = log.lines().find(|line| {
        line.contains("MixMonitor") && (line.contains("WARNING") || line.contains("NOTICE"))
    });
    assert_eq!(complaint, None);
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_fetched_and_recognized_16() {
    on("16", &[MediaKind::Rtp]).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_fetched_and_recognized_22() {
    on("22", &[MediaKind::AudiosocketTap, MediaKind::ChanWebsocket]).await;
}
