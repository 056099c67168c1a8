//! The adapter against a scripted vosk-server over loopback.

use super::*;
use crate::asr::tape::Tape;
use crate::asr::{RecognizerStream, listen};
use crate::audio::Frame;
use double::{Do, VoskDouble, step};

#[path = "../../../tests/support/vosk.rs"]
mod double;

const VOICE: i16 = 8_000;

fn config(url: &str) -> VoskConfig {
    VoskConfig {
        give_up_after: Duration::from_millis(1_500),
        answer_timeout: Duration::from_millis(300),
        last_final_timeout: Duration::from_millis(500),
        ..VoskConfig::new("vosk", url)
    }
}

fn open(url: &str) -> RecognizerStream {
    listen(&Vosk::new(config(url)).unwrap(), StreamOptions::default())
}

async fn push(stream: &RecognizerStream, ms: u64, level: i16) {
    for _ in 0..ms / 20 {
        stream.tape.push(&Frame([level; 160]));
    }
}

async fn end(stream: &RecognizerStream) {
    stream.tape.end_of_utterance();
}

fn hang_up(stream: &mut RecognizerStream) {
    stream.tape = Tape::new();
}

async fn next(stream: &mut RecognizerStream) -> String {
    let event = loop {
        let event = timeout(Duration::from_secs(5), stream.events.recv()).await;
        match event.expect("an event within 5 s") {
            Some(AsrEvent::Ready) => {}
            event => break event,
        }
    };
    match event {
        Some(AsrEvent::Ready) => unreachable!(),
        None => "closed".into(),
        Some(AsrEvent::Partial { text }) => format!("~{}", text.as_str()),
        Some(AsrEvent::Final {
            text,
            start_ms,
            end_ms,
        }) => match start_ms.zip(end_ms) {
            Some((start, end)) => format!("{} {start}-{end}", text.as_str()),
            None => text.as_str().to_owned(),
        },
        Some(AsrEvent::Note { .. }) => "note".into(),
        Some(AsrEvent::Failed { reason, .. }) => format!("failed: {reason}"),
    }
}

async fn told(stream: &mut RecognizerStream, n: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(next(stream).await);
    }
    all
}

#[tokio::test]
async fn a_whole_call_with_partials_finals_and_times() {
    let server = VoskDouble::scripted(vec![vec![
        step(200, Do::Partial("да")),
        step(400, Do::Partial("да приеду")),
        step(500, Do::Final("да приеду")),
        step(600, Do::Partial("спасибо")),
    ]])
    .await;
    let mut stream = open(&server.url);
    push(&stream, 1_000, 0).await;
    push(&stream, 500, VOICE).await;
    assert_eq!(
        told(&mut stream, 3).await,
        ["~да", "~да приеду", "да приеду 1000-1500"]
    );
    push(&stream, 300, 0).await;
    push(&stream, 150, VOICE).await;
    end(&stream).await;
    assert_eq!(
        told(&mut stream, 2).await,
        ["~спасибо", "спасибо 1800-1940"]
    );
    push(&stream, 60, 0).await;
    hang_up(&mut stream);
    assert_eq!(next(&mut stream).await, "closed");
    let seen = server.seen();
    assert_eq!(
        (seen.connections, seen.resets, seen.eofs, seen.faults),
        (1, 1, 1, vec![])
    );
    assert_eq!(
        seen.configs,
        [r#"{"config":{"sample_rate":8000,"words":true}}"#]
    );
    // Not a sample lost: 1000 + 500 + 300 + 140 + 60 ms.
    assert_eq!(seen.samples[0].len(), 2_000 * 8);
    assert_eq!(seen.messages[0], 10 + 5 + 5 + 1);
}

#[tokio::test]
async fn the_last_partial_stands_in_for_an_empty_final() {
    let server = VoskDouble::scripted(vec![vec![
        step(100, Do::Partial("нет")),
        step(200, Do::Final("")),
        step(300, Do::Partial("не приеду")),
        step(300, Do::FinalOnEnd("")),
    ]])
    .await;
    let mut stream = open(&server.url);
    push(&stream, 200, VOICE).await;
    assert_eq!(told(&mut stream, 2).await, ["~нет", "нет"]);
    push(&stream, 100, VOICE).await;
    end(&stream).await;
    assert_eq!(told(&mut stream, 2).await, ["~не приеду", "не приеду"]);
    // A sound that was no word: the end is answered all the same.
    push(&stream, 200, 0).await;
    end(&stream).await;
    assert_eq!(told(&mut stream, 1).await, [""]);
}

#[tokio::test]
async fn a_cut_in_mid_utterance_costs_no_word() {
    let server = VoskDouble::scripted(vec![
        vec![
            step(100, Do::Final("алло")),
            step(300, Do::Partial("да")),
            step(500, Do::Cut),
        ],
        vec![
            step(200, Do::Partial("да")),
            step(400, Do::Partial("да приеду")),
            step(600, Do::Final("да приеду")),
        ],
    ])
    .await;
    let mut stream = open(&server.url);
    push(&stream, 200, 0).await;
    push(&stream, 100, VOICE).await;
    assert_eq!(told(&mut stream, 1).await, ["алло 200-300"]);
    push(&stream, 600, VOICE).await;
    assert_eq!(
        told(&mut stream, 5).await,
        ["~да", "note", "note", "~да приеду", "да приеду 300-900"]
    );
    let seen = server.seen();
    assert_eq!(seen.connections, 2);
    // Only the utterance that went on is heard again, and all of it.
    assert_eq!(seen.samples[1], vec![VOICE; 600 * 8]);
}

#[tokio::test]
async fn an_end_asked_before_the_cut_is_asked_again() {
    let server = VoskDouble::scripted(vec![
        vec![step(200, Do::Mute)],
        vec![step(200, Do::Partial("да"))],
    ])
    .await;
    let mut stream = open(&server.url);
    push(&stream, 240, VOICE).await;
    end(&stream).await;
    push(&stream, 200, 0).await;
    assert_eq!(
        told(&mut stream, 4).await,
        ["note", "note", "~да", "да 0-240"]
    );
    assert_eq!(server.seen().resets, 2);
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_given_up_and_the_utterance_left_to_the_next() {
    let server = VoskDouble::scripted(vec![
        vec![step(100, Do::Partial("да")), step(200, Do::Mute)],
        vec![step(0, Do::Mute)],
    ])
    .await;
    let mut stream = open(&server.url);
    push(&stream, 600, VOICE).await;
    let all = told(&mut stream, 3).await;
    assert_eq!(all[..2], ["~да", "note"], "{all:?}");
    assert_eq!(
        stream.tape.kept(),
        600 * 8,
        "it is all there for who takes over"
    );
    let reason = &all[2];
    assert!(
        reason.starts_with("failed:")
            && reason.contains(&server.url)
            && reason.contains("no answer"),
        "{reason}"
    );
    assert_eq!(next(&mut stream).await, "closed");
}

#[tokio::test]
async fn garbage_is_no_recognizer() {
    for garbage in ["<html>", "{\"hello\": 1}", "{\"partial\": 7}"] {
        let server = VoskDouble::scripted(vec![vec![step(0, Do::Raw(garbage))]]).await;
        let mut quick = config(&server.url);
        quick.give_up_after = Duration::from_millis(400);
        let mut stream = listen(&Vosk::new(quick).unwrap(), StreamOptions::default());
        push(&stream, 200, VOICE).await;
        let mut reason = next(&mut stream).await;
        while reason == "note" {
            reason = next(&mut stream).await;
        }
        assert!(reason.contains("not a vosk-server"), "{reason}");
        assert_eq!(next(&mut stream).await, "closed");
    }
}

#[tokio::test]
async fn a_refused_connection_fails_with_the_address_and_the_mend() {
    let url = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("ws://{}", listener.local_addr().unwrap())
    };
    let from = Instant::now();
    let mut stream = open(&url);
    push(&stream, 2_000, VOICE).await;
    assert_eq!(next(&mut stream).await, "note");
    let reason = next(&mut stream).await;
    assert!(
        reason.contains(&url)
            && reason.contains("refused")
            && reason.contains("is vosk-server running"),
        "{reason}"
    );
    assert!(from.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_server_that_starts_late_hears_everything() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut stream = open(&format!("ws://{address}"));
    push(&stream, 1_000, VOICE).await;
    assert_eq!(next(&mut stream).await, "note");
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let counted = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(socket).await.unwrap();
        let mut bytes = 0;
        while bytes < 16_000 {
            match socket.next().await.unwrap().unwrap() {
                Message::Binary(audio) => {
                    bytes += audio.len();
                    socket
                        .send(Message::text("{\"partial\":\"да\"}"))
                        .await
                        .unwrap();
                }
                other => assert!(other.is_text(), "{other:?}"),
            }
        }
        bytes
    });
    assert_eq!(told(&mut stream, 2).await, ["note", "~да"]);
    assert_eq!(counted.await.unwrap(), 16_000);
}

#[tokio::test]
async fn a_late_final_still_comes_after_the_hang_up() {
    let server = VoskDouble::scripted(vec![vec![
        step(100, Do::Late(Duration::from_millis(100))),
        step(100, Do::Partial("да")),
        step(100, Do::FinalOnEnd("да конечно")),
    ]])
    .await;
    let mut stream = open(&server.url);
    push(&stream, 100, VOICE).await;
    hang_up(&mut stream);
    assert_eq!(
        told(&mut stream, 3).await,
        ["~да", "да конечно 0-100", "closed"]
    );

    let server = VoskDouble::scripted(vec![vec![
        step(100, Do::Partial("да")),
        step(200, Do::Mute),
    ]])
    .await;
    let mut stream = open(&server.url);
    push(&stream, 200, VOICE).await;
    assert_eq!(next(&mut stream).await, "~да");
    hang_up(&mut stream);
    // It never comes: the last partial is the final, and the stream ends.
    assert_eq!(told(&mut stream, 2).await, ["да", "closed"]);
}

#[tokio::test]
async fn who_stops_listening_ends_the_connection() {
    let server = VoskDouble::scripted(vec![vec![]]).await;
    let stream = open(&server.url);
    push(&stream, 100, 0).await;
    drop(stream.events);
    for _ in 0..100 {
        if !stream.tape.has_reader() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the connection goes on");
}

#[tokio::test]
async fn words_by_loudness_drive_a_call() {
    let server = VoskDouble::by_loudness(&[(4_000, "да"), (12_000, "приеду")]).await;
    let mut stream = open(&server.url);
    push(&stream, 300, 0).await;
    push(&stream, 300, 4_200).await;
    push(&stream, 100, 0).await;
    push(&stream, 400, -11_500).await;
    push(&stream, 600, 0).await;
    assert_eq!(
        told(&mut stream, 3).await,
        ["~да", "~да приеду", "да приеду 300-1100"]
    );
}

#[tokio::test]
async fn a_server_of_another_rate_and_without_messages_of_its_own() {
    let server = VoskDouble::scripted(vec![vec![step(0, Do::Partial("да"))]]).await;
    let mut plain = config(&server.url);
    plain.sample_rate = 16_000;
    plain.config_message = false;
    plain.reset_on_end = false;
    let mut stream = listen(&Vosk::new(plain).unwrap(), StreamOptions::default());
    push(&stream, 100, VOICE).await;
    end(&stream).await;
    assert_eq!(next(&mut stream).await, "~да");
    hang_up(&mut stream);
    assert_eq!(told(&mut stream, 2).await.len(), 2);
    let seen = server.seen();
    assert_eq!(
        (seen.configs.len(), seen.resets, seen.samples[0].len()),
        (0, 0, 1_600)
    );
    assert_eq!(
        encode(&[0, 100, -100], 16_000),
        [0i16, 50, 100, 0, -100, -100]
            .map(i16::to_le_bytes)
            .concat()
    );
}

#[test]
fn a_wrong_config_is_named() {
    for url in [
        "",
        "localhost:2700",
        "wss://host:2700",
        "ws://",
        "ws:///x",
        "ws://:2700",
        "ws://a b",
    ] {
        let told = Vosk::new(config(url)).unwrap_err().to_string();
        assert!(
            told.contains("\"vosk\"") && told.contains("ws://host:port"),
            "{told}"
        );
    }
    let mut rate = config("ws://localhost:2700");
    rate.sample_rate = 11_025;
    assert!(Vosk::new(rate).unwrap_err().to_string().contains("11025"));
}

/// Words and latency of a real recognizer: `GOVORUN_VOSK_URL=ws://host:port GOVORUN_VOSK_WAVS=folder` (WAVs with half a
/// second of quiet at their end, and `manifest.tsv` of name and text), run with `--run-ignored only --no-capture`.
#[tokio::test]
#[ignore = "needs a recognizer: set GOVORUN_VOSK_URL and GOVORUN_VOSK_WAVS"]
#[allow(clippy::print_stdout)]
async fn a_real_recognizer() {
    const TAIL_MS: u64 = 500;
    let url = std::env::var("GOVORUN_VOSK_URL").unwrap();
    let folder = std::path::PathBuf::from(std::env::var("GOVORUN_VOSK_WAVS").unwrap());
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    let vosk = Vosk::new(VoskConfig::new("real", url)).unwrap();
    let mut latencies = Vec::new();
    let (mut exact, mut all) = (0, 0);
    for (name, text) in manifest.lines().filter_map(|l| l.split_once('\t')) {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let sound = crate::audio::wav::decode(name, &bytes).unwrap();
        let mut frames: Vec<Frame> = sound
            .samples
            .chunks_exact(160)
            .map(|c| Frame(c.try_into().unwrap()))
            .collect();
        let spoken_to = frames.len() as u64 * 20 - TAIL_MS;
        frames.extend([Frame::SILENCE; 150]);
        let RecognizerStream { tape, mut events } = listen(&vosk, StreamOptions::default());
        let from = Instant::now();
        let pace = tokio::spawn(async move {
            for (index, frame) in frames.into_iter().enumerate() {
                tokio::time::sleep_until(from + Duration::from_millis(20 * index as u64)).await;
                tape.push(&frame);
                // Where a voice activity detector with 0.7 s of patience would end the utterance.
                if index as u64 * 20 == spoken_to + 700 {
                    tape.end_of_utterance();
                }
            }
        });
        let mut partials = 0;
        let mut first_partial = None;
        let heard = loop {
            match timeout(Duration::from_secs(10), events.recv())
                .await
                .unwrap()
                .unwrap()
            {
                AsrEvent::Partial { .. } => {
                    partials += 1;
                    first_partial.get_or_insert(from.elapsed().as_millis());
                }
                AsrEvent::Final {
                    text,
                    start_ms,
                    end_ms,
                } => break (text, start_ms, end_ms),
                other => println!("{other:?}"),
            }
        };
        let late = (from.elapsed().as_millis() as u64).saturating_sub(spoken_to);
        pace.abort();
        latencies.push(late);
        all += 1;
        let plain = text.replace(',', "").replace('ё', "е");
        exact += usize::from(heard.0.as_str().replace('ё', "е") == plain);
        println!(
            "{name}: {text:?} heard as {:?}, {late} ms after the speech, {partials} partials, the first at {first_partial:?}, words at {:?} to {:?}",
            heard.0.as_str(),
            heard.1,
            heard.2,
        );
    }
    latencies.sort_unstable();
    println!(
        "{exact} of {all} exact; final after the end of speech: median {} ms, worst {} ms",
        latencies[all / 2],
        latencies[all - 1]
    );
    assert!(exact * 4 >= all, "{exact} of {all}");
}
