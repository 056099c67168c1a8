//! The native path with toy models (`tests/lab/sherpa/make_toy_model.py`): a tone of 1000 is the letter д, one of 6000 а.
//!
//! The models lie in `GOVORUN_SHERPA_TOY`, where `tests/lab/sherpa/setup.sh` puts them; without it each test says SKIP.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::native::Native;
use super::*;
use crate::asr::tape::Tape;
use crate::asr::{RecognizerStream, listen};
use crate::audio::Frame;
use crate::audio::frame::FRAME_SAMPLES;

#[allow(clippy::print_stdout)] // A skip has to be seen.
fn toy(kind: &str) -> Option<PathBuf> {
    let toys = std::env::var_os("GOVORUN_SHERPA_TOY")
        .map(PathBuf::from)
        .or_else(|| {
            let cache = std::env::var_os("GOVORUN_LAB")
                .map(PathBuf::from)
                .or_else(|| {
                    Some(Path::new(&std::env::var_os("HOME")?).join(".cache/govorun-lab"))
                })?;
            Some(cache.join("sherpa/toy"))
        })?;
    let folder = toys.join(kind);
    if !folder.is_dir() {
        println!(
            "SKIP: no toy model in {}: run tests/lab/sherpa/setup.sh",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn load(kind: &str, threads: usize, streams: usize) -> Option<Sherpa<Native>> {
    let config = SherpaConfig {
        name: "sherpa".to_owned(),
        model: toy(kind)?,
        threads,
        streams,
    };
    Some(Sherpa::load(&config).unwrap())
}

/// A square tone: every sample of that size, the sign changing at 500 Hz.
fn tone(size: i16) -> Frame {
    let mut samples = [0; FRAME_SAMPLES];
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample = if n % 16 < 8 { size } else { -size };
    }
    Frame(samples)
}

async fn say(stream: &RecognizerStream, text: &str) {
    for letter in text.chars() {
        let size = match letter {
            'д' => 1000,
            'а' => 6000,
            _ => 0,
        };
        for _ in 0..15 {
            stream.tape.push(&tone(size));
        }
    }
}

async fn next(stream: &mut RecognizerStream) -> String {
    let event = tokio::time::timeout(Duration::from_secs(20), stream.events.recv());
    match event.await.expect("an event within 20 s") {
        Some(AsrEvent::Ready) => Box::pin(next(stream)).await,
        Some(AsrEvent::Partial { text }) => format!("~{}", text.as_str()),
        Some(AsrEvent::Final {
            text,
            start_ms,
            end_ms,
        }) => {
            format!("{} {start_ms:?} {end_ms:?}", text.as_str())
        }
        other => format!("{other:?}"),
    }
}

async fn next_final(stream: &mut RecognizerStream) -> String {
    loop {
        let event = next(stream).await;
        if !event.starts_with('~') {
            return event;
        }
    }
}

#[tokio::test]
async fn t_one_hears_partials_and_finals_and_forgets_between_them() {
    let Some(sherpa) = load("t-one", 1, 1) else {
        return;
    };
    let mut stream = listen(&sherpa, StreamOptions::default());
    // A partial comes with the step that has it, not with the one after.
    say(&stream, "_д").await;
    assert_eq!(next(&mut stream).await, "~д");
    say(&stream, "__а").await;
    assert_eq!(next(&mut stream).await, "~да");
    stream.tape.end_of_utterance();
    assert_eq!(next(&mut stream).await, "да Some(300) Some(1200)");
    // The end comes with the last sound: all of it is heard all the same, and nothing of the first utterance is left.
    say(&stream, "_ад").await;
    for _ in 0..7 {
        stream.tape.push(&tone(6000));
    }
    stream.tape.end_of_utterance();
    let told = next_final(&mut stream).await;
    assert!(told.starts_with("ада "), "{told}");
    // Silence alone is an empty final.
    say(&stream, "___").await;
    stream.tape.end_of_utterance();
    assert!(next_final(&mut stream).await.starts_with(" "));
    // And its own end, where nobody tells one.
    say(&stream, "да________").await;
    assert!(next_final(&mut stream).await.starts_with("да "));
    stream.tape = Tape::new();
    assert_eq!(next(&mut stream).await, "None");
}

#[tokio::test]
async fn a_zipformer_is_heard_too() {
    let Some(sherpa) = load("zipformer", 1, 2) else {
        return;
    };
    let mut stream = listen(&sherpa, StreamOptions::default());
    for _ in 0..2 {
        say(&stream, "__аа").await;
        stream.tape.end_of_utterance();
        let told = next_final(&mut stream).await;
        assert!(told.starts_with("да Some("), "{told}");
        say(&stream, "___").await;
        stream.tape.end_of_utterance();
        assert!(next_final(&mut stream).await.starts_with(" "));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_calls_at_once_on_two_threads() {
    for kind in ["t-one", "zipformer"] {
        let Some(sherpa) = load(kind, 2, 20) else {
            return;
        };
        let from = Instant::now();
        let calls: Vec<_> = (0..20)
            .map(|n| {
                let mut stream = listen(&sherpa, StreamOptions::default());
                tokio::spawn(async move {
                    for turn in 0..5 {
                        // Each call says something else each time.
                        let text = match kind {
                            "t-one" => ["д", "а", "да", "ад", "дад", "ада"][(n + turn) % 6],
                            _ => ["да", ""][(n + turn) % 2],
                        };
                        let sound = if kind == "zipformer" {
                            text.replace('д', "_")
                        } else {
                            text.to_owned()
                        };
                        say(&stream, &format!("_{sound}__")).await;
                        stream.tape.end_of_utterance();
                        let told = next_final(&mut stream).await;
                        assert_eq!(
                            told.split(' ').next(),
                            Some(text),
                            "call {n}, turn {turn}: {told}"
                        );
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        println!(
            "{kind}: 20 calls of 5 utterances on 2 threads: {:?}",
            from.elapsed()
        );
        assert_eq!(sherpa.name(), "sherpa");
    }
}

#[tokio::test]
async fn a_stream_too_many_and_a_wrong_folder_are_told() {
    let Some(folder) = toy("t-one") else { return };
    let sherpa = load("t-one", 1, 1).unwrap();
    let _first = listen(&sherpa, StreamOptions::default());
    let mut second = listen(&sherpa, StreamOptions::default());
    assert!(
        next(&mut second)
            .await
            .contains("all of its 1 streams are in use")
    );

    let config = |model: &Path| SherpaConfig {
        name: "sherpa".to_owned(),
        model: model.to_owned(),
        threads: 1,
        streams: 1,
    };
    let told = Sherpa::load(&config(folder.parent().unwrap()))
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("has no tokens.txt (it has: t-one, zipformer)"),
        "{told}"
    );
    let told = Sherpa::load(&config(Path::new("/nowhere")))
        .unwrap_err()
        .to_string();
    assert!(told.contains("there is no folder /nowhere"), "{told}");
    // Sound to look at, and the runtime refuses it: the graph is cut in a way that only it can see.
    let broken = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("tokens.txt"), broken.path().join("tokens.txt")).unwrap();
    let mut bytes = std::fs::read(folder.join("model.onnx")).unwrap();
    let at = bytes.windows(6).position(|w| w == b"MatMul").unwrap();
    bytes[at..at + 6].copy_from_slice(b"MatMil");
    std::fs::write(broken.path().join("model.onnx"), bytes).unwrap();
    let told = Sherpa::load(&config(broken.path()))
        .unwrap_err()
        .to_string();
    assert!(told.contains("sherpa-onnx refused the model"), "{told}");
}

/// What a call costs beside the network itself, and that an hour of silence leaves nothing behind. Not a test of every day:
/// `cargo test --features sherpa -- --ignored --nocapture cost_and_memory`.
#[tokio::test]
#[ignore = "a measurement"]
async fn cost_and_memory() {
    let Some(sherpa) = load("t-one", 1, 50) else {
        return;
    };
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let mut stream = listen(&sherpa, StreamOptions::default());
    for minutes in [1, 10, 60] {
        let (before, from) = (resident(), Instant::now());
        for _ in 0..minutes * 3000 {
            stream.tape.push(&Frame::SILENCE);
            while stream.tape.unread() > 8_000 {
                tokio::task::yield_now().await;
            }
        }
        stream.tape.end_of_utterance();
        next_final(&mut stream).await;
        println!(
            "{minutes} min of silence: {:?}, {before} to {} KiB",
            from.elapsed(),
            resident()
        );
    }
}
