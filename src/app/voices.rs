//! Whether the voices speak: asked by `check --online`, past their caches.

use std::time::{Duration, Instant};

use super::services;
use crate::config::{Config, Language};
use crate::tts::Speed;

/// What a voice has to say.
const TEXT: &str = "Проверка голоса.";
/// A voice has so long.
const LIMIT: Duration = Duration::from_secs(10);

/// Lets each voice of the config speak a short text once: how long that took, or why there is no sound.
pub async fn ask_voices(config: &Config) -> Vec<(String, Result<u64, String>)> {
    let l = config.language;
    let mut found = Vec::new();
    let mut faults = Vec::new();
    let all = services::bare_voices(config, &mut |fault| faults.push(fault));
    for (voice, ..) in all.unwrap_or_default() {
        let from = Instant::now();
        let spoken = tokio::time::timeout(LIMIT, voice.synth(TEXT, Speed::USUAL)).await;
        let spoken = match spoken {
            Ok(Ok(sound)) if sound.samples.is_empty() => {
                Err(l.pick("звук пустой".to_owned(), "the sound is empty".to_owned()))
            }
            Ok(Ok(_)) => Ok(from.elapsed().as_millis() as u64),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(l.pick(
                format!("нет звука за {} с", LIMIT.as_secs()),
                format!("no sound within {} s", LIMIT.as_secs()),
            )),
        };
        let name = voice.name().to_owned();
        let spoken = spoken.map_err(|why| told(&name, &why, l));
        found.push((name, spoken));
    }
    found.extend(faults.into_iter().map(|fault| (String::new(), Err(fault))));
    found
}

fn told(name: &str, why: &str, l: Language) -> String {
    l.pick(
        format!(
            "голос {name} не говорит: проверьте ключ и роль или запустите его команду сами ({why})"
        ),
        format!(
            "voice {name} does not speak: check its key and role, or run its command yourself ({why})"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VoiceConfig;

    #[tokio::test]
    async fn a_voice_without_a_sound_is_named_with_what_it_says() {
        let home = tempfile::tempdir().unwrap();
        let wav = home.path().join("a.wav");
        std::fs::write(&wav, crate::audio::wav::encode(&[900; 4_000])).unwrap();
        let voice = |name: &str, line: &str| VoiceConfig::Command {
            name: name.to_owned(),
            command: ["sh", "-c", line].map(str::to_owned).to_vec(),
            timeout_ms: 5_000,
            cache: home.path().join("cache"),
            cache_bytes: 1 << 20,
        };
        let config = Config {
            voices: vec![
                voice("speaks", &format!("cat >/dev/null; cat {}", wav.display())),
                voice("fails", "echo no such voice >&2; exit 3"),
                voice("noise", "cat >/dev/null; echo this is no sound"),
            ],
            ..Config::default()
        };
        let found = ask_voices(&config).await;
        assert!(
            matches!(&found[0], (name, Ok(_)) if name == "speaks"),
            "{found:?}"
        );
        for (at, words) in [(1, "no such voice"), (2, "WAV")] {
            let why = found[at].1.as_ref().unwrap_err();
            assert!(why.contains(words) && why.contains("не говорит"), "{why}");
        }
        assert!(!home.path().join("cache").exists(), "past the cache");
    }
}
