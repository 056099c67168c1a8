//! Our adapter against the genuine vosk recognizer (tests/lab/vosk/server.py): partials, finals and ends of utterances that
//! no code of ours makes up. Its model is Korean and the speech Russian, so words aren't compared, only what becomes of them.
//!
//! Where tests/lab/vosk/setup.sh has not made the server's Python, each test says SKIP on stderr and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use govorun::asr::probe::{PROBE_LIMIT, probe};
use govorun::asr::tape::Tape;
use govorun::asr::vosk::{Vosk, VoskConfig};
use govorun::asr::{AsrEvent, RecognizerStream, StreamOptions, listen};
use govorun::audio::{Frame, wav};
use serde_json::Value;
use tokio::time::{sleep, timeout};

struct Server {
    child: Child,
    port: u16,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    /// On `port`, or 0 for any. `None`: there is no Python with the recognizer.
    fn start(port: u16) -> Option<Self> {
        let cache = std::env::var_os("GOVORUN_LAB").map(PathBuf::from);
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let place = cache
            .unwrap_or_else(|| home.join(".cache/govorun-lab"))
            .join("vosk");
        if !place.join("venv.ready").exists() {
            eprintln!(
                "SKIP: no {}: run tests/lab/vosk/setup.sh",
                place.join("venv").display()
            );
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/vosk/server.py");
        let mut child = Command::new(place.join("venv/bin/python"))
            .arg(script)
            .arg(port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let port = first.trim().rsplit(' ').next().unwrap().parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        std::thread::Builder::new()
            .spawn(move || {
                for line in out.lines().map_while(Result::ok) {
                    kept.lock()
                        .unwrap()
                        .push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
                }
            })
            .unwrap();
        Some(Self { child, port, seen })
    }

    fn config(&self) -> VoskConfig {
        VoskConfig::new("vosk", format!("ws://127.0.0.1:{}", self.port))
    }

    /// What the server saw of its connections that ended.
    async fn seen(&self, n: usize) -> Vec<Value> {
        for _ in 0..100 {
            if self.seen.lock().unwrap().len() >= n {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn speech(name: &str) -> Vec<Frame> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts/sounds")
        .join(name);
    let sound = wav::decode(name, &std::fs::read(file).unwrap()).unwrap();
    let frames = sound.samples.chunks_exact(160);
    frames.map(|c| Frame(c.try_into().unwrap())).collect()
}

/// At four times its pace.
async fn play(tape: &Tape, frames: &[Frame]) {
    for five in frames.chunks(5) {
        five.iter().for_each(|frame| tape.push(frame));
        sleep(Duration::from_millis(25)).await;
    }
}

#[derive(Debug, Default)]
struct Told {
    partials: Vec<String>,
    finals: Vec<(String, Option<(u64, u64)>)>,
    notes: Vec<String>,
    failed: Option<String>,
    over: bool,
}

/// What comes until `n` finals were told, or the stream is over.
async fn told(stream: &mut RecognizerStream, n: usize) -> Told {
    let mut told = Told::default();
    let deadline = Instant::now() + Duration::from_secs(30);
    while told.finals.len() < n && Instant::now() < deadline {
        match timeout(Duration::from_secs(10), stream.events.recv()).await {
            Ok(Some(AsrEvent::Partial { text })) => told.partials.push(text.as_str().to_owned()),
            Ok(Some(AsrEvent::Final {
                text,
                start_ms,
                end_ms,
            })) => {
                let place = start_ms.zip(end_ms);
                told.finals.push((text.as_str().to_owned(), place));
            }
            Ok(Some(AsrEvent::Note { text })) => told.notes.push(text),
            Ok(Some(AsrEvent::Failed { reason, .. })) => told.failed = Some(reason),
            Ok(Some(AsrEvent::Ready)) => {}
            Ok(None) => {
                told.over = true;
                break;
            }
            Err(_) => break,
        }
    }
    told
}

#[tokio::test]
async fn speech_becomes_partials_and_a_final_when_we_end_it() {
    let Some(server) = Server::start(0) else {
        return;
    };
    let vosk = Vosk::new(server.config()).unwrap();
    assert!(probe(&vosk, PROBE_LIMIT).await.is_ok());
    let mut stream = listen(&vosk, StreamOptions::default());
    let frames = speech("visit_yes.wav");
    let speech_ms = frames.len() as u64 * 20;
    play(&stream.tape, &[Frame::SILENCE; 25]).await;
    play(&stream.tape, &frames).await;
    stream.tape.end_of_utterance();
    let first = told(&mut stream, 1).await;
    assert!(first.partials.len() >= 2, "{first:?}");
    assert!(first.partials.windows(2).all(|two| two[0] != two[1]));
    let (text, place) = &first.finals[0];
    assert!(!text.is_empty());
    let (start, end) = place.unwrap();
    assert!(400 < start && start < end && end <= 500 + speech_ms + 100);
    // The stream goes on after the reset, and its clock too.
    play(&stream.tape, &[Frame::SILENCE; 25]).await;
    play(&stream.tape, &frames).await;
    stream.tape.end_of_utterance();
    let second = told(&mut stream, 1).await;
    let (start, _) = second.finals[0].1.unwrap();
    assert!(start > end, "{second:?}");
    stream.tape = Tape::new();
    assert!(told(&mut stream, 9).await.over);
    let seen = server.seen(2).await;
    assert_eq!((seen.len(), &seen[1]["resets"]), (2, &2.into()), "{seen:?}");
}

#[tokio::test]
async fn the_recognizers_own_endpointing_ends_utterances_too() {
    let Some(server) = Server::start(0) else {
        return;
    };
    let mut stream = listen(
        &Vosk::new(server.config()).unwrap(),
        StreamOptions::default(),
    );
    play(&stream.tape, &speech("visit_later.wav")).await;
    play(&stream.tape, &[Frame::SILENCE; 150]).await;
    // Nobody ends it but Kaldi.
    let first = told(&mut stream, 1).await;
    assert!(!first.finals[0].0.is_empty(), "{first:?}");
    // Our end comes after: the reset's own empty final says nothing new.
    stream.tape.end_of_utterance();
    play(&stream.tape, &[Frame::SILENCE; 25]).await;
    stream.tape = Tape::new();
    let rest = told(&mut stream, 9).await;
    assert!(rest.over && rest.finals.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_grammar_is_taken() {
    let Some(server) = Server::start(0) else {
        return;
    };
    let mut config = server.config();
    config.grammar = true;
    let known = ["여보세요", "감사", "우리"];
    let options = StreamOptions {
        phrases: known.map(str::to_owned).into(),
        ..StreamOptions::default()
    };
    let mut stream = listen(&Vosk::new(config).unwrap(), options);
    play(&stream.tape, &speech("visit_yes.wav")).await;
    stream.tape.end_of_utterance();
    let first = told(&mut stream, 1).await;
    let words = first.finals[0].0.split_whitespace();
    for word in words.chain(first.partials.iter().flat_map(|p| p.split_whitespace())) {
        assert!(known.contains(&word), "{word}: {first:?}");
    }
    stream.tape = Tape::new();
    told(&mut stream, 9).await;
    assert_eq!(server.seen(1).await[0]["phrases"], 4, "and [unk]");
}

#[tokio::test]
async fn a_server_that_dies_in_mid_utterance_and_comes_back_costs_no_word() {
    let Some(server) = Server::start(0) else {
        return;
    };
    let frames = speech("visit_yes.wav");
    // What an unbroken talk hears.
    let mut config = server.config();
    config.give_up_after = Duration::from_secs(20);
    let vosk = Vosk::new(config).unwrap();
    let mut whole = listen(&vosk, StreamOptions::default());
    play(&whole.tape, &frames).await;
    whole.tape.end_of_utterance();
    let expect = told(&mut whole, 1).await.finals.remove(0);
    drop(whole);

    let mut stream = listen(&vosk, StreamOptions::default());
    let (before, after) = frames.split_at(frames.len() / 2);
    play(&stream.tape, before).await;
    let port = server.port;
    drop(server);
    play(&stream.tape, after).await;
    stream.tape.end_of_utterance();
    let _again = Server::start(port).unwrap();
    let heard = told(&mut stream, 1).await;
    assert_eq!(heard.finals, [expect], "{heard:?}");
    assert!(heard.notes.iter().any(|n| n.contains("connecting again")));
    assert!(
        heard.notes.iter().any(|n| n.contains("sent again")),
        "{heard:?}"
    );
}
