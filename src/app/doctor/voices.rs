//! Voices: each speaks a sentence that it hasn't spoken before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;

use super::super::services;
use super::finding::Findings;
use crate::config::Config;
use crate::tts::{Speed, Voice};

/// A call waits for a voice so long; past that the next one is asked.
const PATIENCE: Duration = Duration::from_secs(6);

/// What came of it: how long the sound is, and how long it took.
type Spoken = Result<(u64, Duration), String>;

/// Asks all at once.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let mut wrong = Vec::new();
    let all = services::voices(config, &mut |fault| wrong.push(fault));
    for fault in &wrong {
        findings.fault(
            "voice",
            (fault, fault),
            (
                "исправьте раздел voices в govorun.yaml",
                "mend the section voices of govorun.yaml",
            ),
        );
    }
    let all: Vec<Arc<dyn Voice>> = all.unwrap_or_default();
    // The number keeps a cache from answering.
    let text = format!(
        "Проверка голоса, номер {}.",
        Timestamp::now().as_second() % 100_000
    );
    let asked = all.iter().map(|voice| {
        let text = &text;
        async move {
            let from = Instant::now();
            let spoken = tokio::time::timeout(PATIENCE, voice.synth(text, Speed::USUAL)).await;
            let spoken = match spoken {
                Ok(Ok(sound)) => Ok((sound.duration_ms(), from.elapsed())),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no sound within {} s", PATIENCE.as_secs())),
            };
            (voice.name().to_owned(), spoken)
        }
    });
    for (name, spoken) in join_all(asked).await {
        judge(&name, spoken, findings);
    }
}

fn judge(name: &str, spoken: Spoken, findings: &mut Findings) {
    match spoken {
        Ok((0..300, _)) => findings.fault(
            "voice",
            (
                &format!("голос {name}: вместо фразы пришла тишина"),
                &format!("voice {name}: instead of a sentence came nothing"),
            ),
            (
                "проверьте command или voice этого голоса: в {out} должен быть WAV со звуком",
                "check this voice's command or voice: {out} has to be a WAV with sound",
            ),
        ),
        Ok((length_ms, took)) => {
            let (length, took) = (length_ms / 100, took.as_millis());
            findings.ok(
                "voice",
                (
                    &format!(
                        "голос {name}: сказал {}.{} с звука за {took} мс",
                        length / 10,
                        length % 10
                    ),
                    &format!(
                        "voice {name}: spoke {}.{} s of sound in {took} ms",
                        length / 10,
                        length % 10
                    ),
                ),
            );
        }
        Err(error) => findings.fault(
            "voice",
            (
                &format!("голос {name} не говорит: {error}"),
                &format!("voice {name} doesn't speak: {error}"),
            ),
            (
                "проверьте command (или api_key, url) этого голоса в voices",
                "check this voice's command (or api_key, url) in voices",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::{Language, VoiceConfig};

    #[tokio::test]
    async fn a_voice_that_speaks_and_two_that_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let wav = folder.path().join("said.wav");
        std::fs::write(&wav, super::super::reach::UTTERANCE).unwrap();
        let voice = |name: &str, script: &str| VoiceConfig::Command {
            name: name.to_owned(),
            command: ["sh", "-c", script, "{text}", "{out}"]
                .map(str::to_owned)
                .to_vec(),
            timeout_ms: 5_000,
            cache: folder.path().join(name),
            cache_bytes: 1 << 20,
        };
        let copy = format!("cp {} \"$1\"", wav.display());
        let config = Config {
            voices: vec![voice("добрый", &copy), voice("немой", "exit 3")],
            ..Config::default()
        };
        let mut found = Findings::new(Language::Ru);
        look(&config, &mut found).await;
        judge("тихий", Ok((20, Duration::ZERO)), &mut found);
        let levels: Vec<Level> = found.all.iter().map(|f| f.level).collect();
        assert_eq!(
            levels,
            [Level::Ok, Level::Fault, Level::Fault],
            "{found:#?}"
        );
        assert!(
            found.all[0].what.starts_with("голос добрый: сказал 2.4 с"),
            "{found:#?}"
        );
        assert!(
            found.all[1].what.starts_with("голос немой не говорит"),
            "{found:#?}"
        );
    }
}
