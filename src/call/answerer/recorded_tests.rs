//! The recordings of `tests/fixtures/audio/answerers`, heard by the call's own voice activity and tone detector; their words
//! come as a streaming recognizer's do. The table of verdicts beside them is what this test has made:
//!
//!     GOVORUN_WRITE_TABLE=1 cargo test --lib recorded_answerers -- --nocapture

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::audio::frame::FRAME_MS;
use crate::audio::tone::{ToneDetector, ToneEvent};
use crate::audio::vad::{Vad, VadOptions, VoiceEvent};
use crate::audio::{Frame, wav};

/// A streaming recognizer tells a word so long after its end.
const WORD_LAG_MS: u64 = 400;
/// An utterance's end, and its last text after it.
const END_SILENCE_MS: u64 = 700;
const FINAL_MS: u64 = 100;
/// The line stays open so long after the recording.
const AFTER_MS: u64 = 4_000;

fn folder() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/audio/answerers"
    ))
}

fn frames(file: &str) -> Vec<Frame> {
    let bytes = std::fs::read(folder().join(file)).unwrap();
    let sound = wav::decode(file, &bytes).unwrap();
    let mut samples = sound.samples.to_vec();
    samples.resize(samples.len() + AFTER_MS as usize * 8, 0);
    samples
        .chunks_exact(160)
        .map(|c| Frame(c.try_into().unwrap()))
        .collect()
}

/// What is told of a recording, in its order.
#[derive(Clone, Debug)]
enum Signal {
    Started(u64),
    Ended(u64),
    Tone(Tone),
    Partial(String),
    Final(String),
}

/// Voice activity and tones, with the moments at which they are told.
fn heard(frames: &[Frame]) -> Vec<(u64, Signal)> {
    let mut vad = Vad::new(VadOptions {
        hangover_ms: 200,
        ..VadOptions::default()
    });
    let mut tones = ToneDetector::default();
    let mut all = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        let now = (n as u64 + 1) * FRAME_MS;
        if let Some(ToneEvent::Ended(tone)) = tones.push(frame) {
            all.push((now, Signal::Tone(tone)));
        }
        match vad.push(frame) {
            Some(VoiceEvent::Started { at_ms }) => all.push((now, Signal::Started(at_ms))),
            Some(VoiceEvent::Ended { at_ms }) => all.push((now, Signal::Ended(at_ms))),
            None => {}
        }
    }
    all
}

/// The words of `spoken` over the voiced stretches, but for the beep.
fn texts(spoken: &str, heard: &[(u64, Signal)]) -> Vec<(u64, Signal)> {
    let beep_ms = heard.iter().find_map(|(_, signal)| match signal {
        Signal::Tone(tone) => Some(tone.from_ms),
        _ => None,
    });
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for (_, signal) in heard {
        match signal {
            Signal::Started(at) => stretches.push((*at, *at)),
            Signal::Ended(at) => stretches.last_mut().unwrap().1 = *at,
            _ => {}
        }
    }
    stretches.retain(|(from, _)| beep_ms.is_none_or(|beep| from + 100 < beep));
    let voiced: u64 = stretches.iter().map(|(from, to)| to - from).sum();
    let words: Vec<&str> = spoken.split_whitespace().filter(|w| *w != "|").collect();
    let letters = words.iter().map(|w| w.chars().count() as u64).sum::<u64>();
    let (mut said, mut out, mut so_far) = (0, Vec::new(), String::new());
    let mut utterance = 0;
    for (n, word) in words.iter().enumerate() {
        said += word.chars().count() as u64;
        // The end of the word in the voiced time, and then on the clock.
        let mut left = voiced * said / letters;
        let mut at = stretches.len() - 1;
        for (k, (from, to)) in stretches.iter().enumerate() {
            if left <= to - from {
                at = k;
                break;
            }
            left -= to - from;
        }
        let ends_ms = (stretches[at].0 + left).min(stretches[at].1);
        // A pause that ended the utterance before.
        let pause = stretches[utterance..=at]
            .windows(2)
            .any(|two| two[1].0 - two[0].1 >= END_SILENCE_MS);
        if pause && !so_far.is_empty() {
            let ended = (utterance..at)
                .find(|k| stretches[k + 1].0 - stretches[*k].1 >= END_SILENCE_MS)
                .unwrap();
            let told = stretches[ended].1 + END_SILENCE_MS + FINAL_MS;
            out.push((told, Signal::Final(std::mem::take(&mut so_far))));
            utterance = ended + 1;
        }
        so_far = format!("{so_far} {word}").trim().to_owned();
        out.push((ends_ms + WORD_LAG_MS, Signal::Partial(so_far.clone())));
        if n + 1 == words.len() {
            let told = stretches[stretches.len() - 1].1 + END_SILENCE_MS + FINAL_MS;
            out.push((told, Signal::Final(so_far.clone())));
        }
    }
    out
}

/// Verdicts, and when a message may be left.
fn judge(signals: &[(u64, Signal)]) -> (Vec<Verdict>, Option<(Awaited, u64)>) {
    let mut decider = Decider::new(Arc::new(Answers::builtin()), 0);
    let (mut verdicts, mut awaited) = (Vec::new(), None);
    let end = 60_000;
    let mut signals = signals.iter().peekable();
    for now in (0..end).step_by(10) {
        decider.clock(now);
        while let Some((_, signal)) = signals.next_if(|(at, _)| *at <= now) {
            match signal {
                Signal::Started(at) => decider.voice_started(*at, now),
                Signal::Ended(at) => decider.voice_ended(*at, now),
                Signal::Tone(tone) => decider.tone(*tone, now),
                Signal::Partial(text) => decider.text(text, false, now),
                Signal::Final(text) => decider.text(text, true, now),
            }
        }
        while let Some(told) = decider.poll() {
            match told {
                Told::Verdict(verdict) => {
                    if verdict.who.is_machine() {
                        decider.await_tone(now);
                    }
                    verdicts.push(verdict);
                }
                Told::Awaited(by) => awaited = Some((by, now)),
            }
        }
    }
    (verdicts, awaited)
}

#[test]
fn recorded_answerers() {
    let manifest = std::fs::read_to_string(folder().join("manifest.tsv")).unwrap();
    let mut table = String::from(
        "# Who answered: the recordings of this folder\n\n\
         Made by `GOVORUN_WRITE_TABLE=1 cargo test --lib recorded_answerers`; the same test fails where the program no longer does so. Voice activity\n\
         and tones are the program's own; the words come as a streaming recognizer's do, 0.4 s after their end. Seconds from the answer. What a\n\
         real recognizer makes of them on a real Asterisk: tests/lab/README.md.\n\n\
         | recording | said | verdict | by | known after | a message from | by |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let (mut wrong, mut persons) = (Vec::new(), Vec::new());
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, who, beep, spoken] = columns[..] else {
            panic!("{line:?}")
        };
        let mut signals = heard(&frames(file));
        let tones: Vec<Tone> = signals
            .iter()
            .filter_map(|(_, s)| match s {
                Signal::Tone(tone) => Some(*tone),
                _ => None,
            })
            .collect();
        let beeps = usize::from(beep != "-");
        if tones.len() != beeps {
            wrong.push(format!("{file}: {tones:?}, {beeps} due"));
        }
        signals.extend(texts(spoken, &signals));
        signals.sort_by_key(|(at, _)| *at);
        let (verdicts, awaited) = judge(&signals);
        let last = verdicts
            .last()
            .unwrap_or_else(|| panic!("{file}: no verdict"));
        if last.who.as_str() != who {
            wrong.push(format!("{file}: {verdicts:?}, {who} due\n{signals:?}"));
        }
        if file.starts_with("person") {
            if who == "person" {
                persons.push(last.after_ms);
            }
            if verdicts.iter().any(|v| v.who.is_machine()) {
                wrong.push(format!(
                    "{file}: a person was taken for a machine: {verdicts:?}"
                ));
            }
        }
        if beeps == 1 && awaited.is_none_or(|(by, _)| by != Awaited::Tone) {
            wrong.push(format!("{file}: {awaited:?}, a tone is due\n{signals:?}"));
        }
        let first = verdicts.iter().find(|v| v.who == last.who).unwrap();
        let (by, from) =
            awaited.map_or(("-", "-".to_owned()), |(by, ms)| (by.as_str(), seconds(ms)));
        let from = if by == "no_message" {
            "-".to_owned()
        } else {
            from
        };
        writeln!(
            table,
            "| {file} | {} | {} | {} | {} | {from} | {by} |",
            spoken.replace(" |", ";"),
            last.who.as_str(),
            first.by.as_str(),
            seconds(first.after_ms),
        )
        .unwrap();
    }
    persons.sort_unstable();
    let (median, most) = (persons[persons.len() / 2], persons[persons.len() - 1]);
    writeln!(
        table,
        "\nPersons: known after {} s (median), {} s at most; the dialog has begun at the answer all the same.",
        seconds(median),
        seconds(most)
    )
    .unwrap();
    println!("{table}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let path = folder().join("README.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let head = "<!-- the table: written by a test, see below -->\n";
    let text = old.split(head).next().unwrap_or_default();
    let new = format!("{text}{head}{table}");
    if std::env::var_os("GOVORUN_WRITE_TABLE").is_some() {
        std::fs::write(&path, &new).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        kept, new,
        "run it with GOVORUN_WRITE_TABLE=1, and look at what has changed"
    );
}

/// What a line sounds like without anybody is the network's, and no beep.
#[test]
fn ring_back_and_busy_are_the_networks() {
    let signals = heard(&frames("tones.wav"));
    let tones: Vec<Tone> = signals
        .iter()
        .filter_map(|(_, s)| match s {
            Signal::Tone(tone) => Some(*tone),
            _ => None,
        })
        .collect();
    assert_eq!(tones.len(), 4, "{tones:?}");
    assert!(tones.iter().all(|t| t.is_of_the_network()), "{tones:?}");
    let (verdicts, _) = judge(&signals);
    assert!(verdicts.iter().all(|v| !v.who.is_machine()), "{verdicts:?}");
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1000, ms % 1000 / 100)
}
