//! Recognizers: each is given a person's "да, конечно" and has to write it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::super::{recognizers, services};
use super::finding::Findings;
use super::reach::UTTERANCE;
use crate::asr::listed::Listed;
use crate::asr::probe::ProbeFault;
use crate::asr::{AsrEvent, Cause, StreamOptions, listen};
use crate::audio::frame::{FRAME_MS, FRAME_SAMPLES};
use crate::audio::{Frame, wav};
use crate::config::{Config, RecognizerConfig};

/// What is said in the recording, as a recognizer writes it at best.
const SAID: [&str; 2] = ["да", "конечно"];
/// Silence after it.
const AFTER_MS: u64 = 800;
/// The text comes within this after the utterance's end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one heard, and how long after the person's last word.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    text: String,
    after: Duration,
}

/// Asks all at once; takes about three seconds where they work.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let mut wrong = Vec::new();
    let all = services::recognizers(config, &mut |fault| wrong.push(fault));
    for fault in &wrong {
        findings.fault(
            "recognizer",
            (fault, fault),
            (
                "исправьте раздел recognizers в govorun.yaml",
                "mend the section recognizers of govorun.yaml",
            ),
        );
    }
    let all: Vec<Arc<Listed>> = all.unwrap_or_default();
    let typed: Vec<&str> = config
        .recognizers
        .iter()
        .filter(|r| matches!(r, RecognizerConfig::Typed))
        .map(RecognizerConfig::name)
        .collect();
    let asked = all
        .iter()
        .filter(|one| !typed.contains(&crate::asr::Recognizer::name(&***one)))
        .map(|one| async move {
            (
                crate::asr::Recognizer::name(&**one).to_owned(),
                hear(one).await,
            )
        });
    for (name, heard) in join_all(asked).await {
        judge(&name, heard, findings);
    }
    if config.recognizers.is_empty() {
        findings.warning(
            "recognizer",
            (
                "распознавания нет: диалоги понимают только клавиши",
                "there is no recognizer: dialogs understand keys only",
            ),
            (
                "впишите в govorun.yaml recognizers: - kind: vosk, url: ws://127.0.0.1:2700",
                "write into govorun.yaml recognizers: - kind: vosk, url: ws://127.0.0.1:2700",
            ),
        );
    }
}

async fn hear(recognizer: &Listed) -> Result<Heard, ProbeFault> {
    let slow = |reason: String| ProbeFault {
        cause: Cause::Slow,
        reason,
    };
    let sound = wav::decode("utterance", UTTERANCE).map_err(|e| slow(e.to_string()))?;
    let options = StreamOptions {
        call: "doctor".to_owned(),
        last: true,
        ..StreamOptions::default()
    };
    let mut stream = listen(recognizer, options);
    let mut frames: Vec<Frame> = sound
        .samples
        .chunks_exact(FRAME_SAMPLES)
        .filter_map(|part| Some(Frame(part.try_into().ok()?)))
        .collect();
    let spoken_ms = frames.len() as u64 * FRAME_MS;
    frames.resize(
        frames.len() + usize::try_from(AFTER_MS / FRAME_MS).unwrap_or(0),
        Frame::SILENCE,
    );
    // For those to whom only voice is sent.
    stream.tape.voice_started(200);
    let mut clock = tokio::time::interval(Duration::from_millis(FRAME_MS));
    let mut best = String::new();
    let mut ended: Option<Instant> = None;
    let mut frames = frames.into_iter();
    let limit = tokio::time::sleep(Duration::from_millis(spoken_ms + AFTER_MS) + PATIENCE);
    tokio::pin!(limit);
    loop {
        tokio::select! {
            _ = clock.tick(), if ended.is_none() => match frames.next() {
                Some(frame) => stream.tape.push(&frame),
                None => {
                    stream.tape.voice_ended(spoken_ms);
                    stream.tape.end_of_utterance();
                    ended = Some(Instant::now());
                }
            },
            event = stream.events.recv() => match event {
                Some(AsrEvent::Failed { cause, reason }) => return Err(ProbeFault { cause, reason }),
                Some(AsrEvent::Partial { text }) => best = text.as_str().to_owned(),
                Some(AsrEvent::Final { text, .. }) => {
                    if !text.is_empty() {
                        best = text.as_str().to_owned();
                    }
                    if ended.is_some() || !best.is_empty() {
                        let after = ended.map(|at| at.elapsed()).unwrap_or_default();
                        return Ok(Heard { text: best, after });
                    }
                }
                Some(AsrEvent::Ready | AsrEvent::Note { .. }) => {}
                None => return Err(slow("it ended its stream without a word".to_owned())),
            },
            () = &mut limit => {
                if best.is_empty() {
                    return Err(slow(format!("no text within {} s", PATIENCE.as_secs())));
                }
                return Ok(Heard { text: best, after: PATIENCE });
            }
        }
    }
}

fn judge(name: &str, heard: Result<Heard, ProbeFault>, findings: &mut Findings) {
    match heard {
        Ok(Heard { text, after }) => {
            let words = text.to_lowercase();
            let ms = after.as_millis();
            if SAID.iter().any(|said| words.contains(said)) {
                findings.ok(
                    "recognizer",
                    (
                        &format!("распознаватель {name}: услышал «{text}» через {ms} мс после конца фразы"),
                        &format!("recognizer {name}: heard {text:?}, {ms} ms after the phrase's end"),
                    ),
                );
            } else {
                findings.warning(
                    "recognizer",
                    (
                        &format!("распознаватель {name}: вместо «да, конечно» услышал «{text}»"),
                        &format!("recognizer {name}: heard {text:?} instead of «да, конечно»"),
                    ),
                    (
                        "нужна русская модель для телефонного звука (8 кГц): README, раздел Recognizer and voices",
                        "a Russian model for telephone sound (8 kHz) is wanted: README, Recognizer and voices",
                    ),
                );
            }
        }
        Err(fault) => {
            let told = recognizers::told(name, &fault, findings.language());
            let mend = told
                .split_once(": ")
                .map_or("", |(_, mend)| mend)
                .to_owned();
            let reason = &fault.reason;
            findings.fault(
                "recognizer",
                (
                    &format!("распознаватель {name} не работает: {reason}"),
                    &format!("recognizer {name} doesn't work: {reason}"),
                ),
                (&mend, &mend),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn what_was_heard_is_shown_and_what_fails_has_its_mend() {
        let mut found = Findings::new(Language::Ru);
        let heard = |text: &str| {
            Ok(Heard {
                text: text.to_owned(),
                after: Duration::from_millis(180),
            })
        };
        judge("vosk", heard("да конечно"), &mut found);
        judge("vosk", heard("hello"), &mut found);
        let fault = ProbeFault {
            cause: Cause::Key,
            reason: "UNAUTHENTICATED".to_owned(),
        };
        judge("yandex", Err(fault), &mut found);
        assert_eq!(
            found.all[0].what,
            "распознаватель vosk: услышал «да конечно» через 180 мс после конца фразы"
        );
        assert_eq!(found.all[1].level, Level::Warning);
        assert!(found.all[1].what.contains("услышал «hello»"));
        assert_eq!(found.all[2].level, Level::Fault);
        assert!(found.all[2].mend.contains("проверьте api_key"), "{found:?}");
    }

    #[tokio::test]
    async fn nobody_at_the_url_is_a_fault() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", gone.local_addr().unwrap());
        drop(gone);
        let config = Config {
            recognizers: vec![RecognizerConfig::vosk("vosk", &url)],
            ..Config::default()
        };
        let mut found = Findings::new(Language::Ru);
        look(&config, &mut found).await;
        assert_eq!(found.all[0].level, Level::Fault, "{found:?}");
        assert!(found.all[0].mend.contains("проверьте url"), "{found:?}");
    }
}
