//! From a text to its sound: a prompt file, a sound that was made before, or a voice.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{TtsError, Voice, speakable};
use crate::audio::Sound;

/// How long a voice that failed is asked last, so that not every call waits for its timeout.
pub const REST: Duration = Duration::from_secs(30);

/// All voices, in the order of the config. One for the process, shared by calls.
#[derive(Debug, Default)]
pub struct Prompts {
    voices: Vec<Ranked>,
}

#[derive(Debug)]
struct Ranked {
    voice: Arc<dyn Voice>,
    failed: Mutex<Option<Instant>>,
}

impl Ranked {
    fn rests(&self) -> bool {
        // A poisoned lock holds a time, nothing that could be broken.
        let failed = self.failed.lock().unwrap_or_else(|p| p.into_inner());
        failed.is_some_and(|at| at.elapsed() < REST)
    }

    fn note(&self, failed: bool) {
        let at = failed.then(Instant::now);
        *self.failed.lock().unwrap_or_else(|p| p.into_inner()) = at;
    }
}

impl Prompts {
    /// Asks `voices` in this order; without any, only prompt files speak.
    pub fn new(voices: Vec<Arc<dyn Voice>>) -> Self {
        let voices = voices
            .into_iter()
            .map(|voice| Ranked {
                voice,
                failed: Mutex::new(None),
            })
            .collect();
        Self { voices }
    }

    /// The sound of `text`: the prompt file that `file_of` finds (it is given the text as written), else one that a voice
    /// has made before, else the first voice that can.
    pub async fn sound_for_text(
        &self,
        text: &str,
        file_of: &(dyn Fn(&str) -> Option<Sound> + Sync),
    ) -> Result<Sound, TtsError> {
        if let Some(sound) = file_of(text) {
            return Ok(sound);
        }
        let text = speakable(text)?;
        for ranked in &self.voices {
            if let Some(sound) = ranked.voice.kept(&text).await {
                return Ok(sound);
            }
        }
        let mut failures = Vec::new();
        let (resting, well): (Vec<_>, Vec<_>) = self.voices.iter().partition(|r| r.rests());
        for ranked in well.into_iter().chain(resting) {
            match ranked.voice.synth(&text).await {
                Ok(sound) => {
                    ranked.note(false);
                    return Ok(sound);
                }
                Err(error) => {
                    ranked.note(true);
                    failures.push(error);
                }
            }
        }
        match failures.len() {
            0 => Err(TtsError::NoVoice),
            1 => Err(failures.remove(0)),
            _ => Err(TtsError::All(failures)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::tts::{Kept, Synthesis};

    #[derive(Debug)]
    struct Double {
        name: &'static str,
        kept: &'static str,
        works: bool,
        asked: AtomicUsize,
    }

    fn double(name: &'static str, kept: &'static str, works: bool) -> Arc<Double> {
        Arc::new(Double {
            name,
            kept,
            works,
            asked: AtomicUsize::new(0),
        })
    }

    impl Voice for Double {
        fn name(&self) -> &str {
            self.name
        }

        fn synth<'a>(&'a self, _text: &'a str) -> Synthesis<'a> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let voice = self.name.to_owned();
            Box::pin(async move {
                if self.works {
                    Ok(Sound::silence(voice, 20))
                } else {
                    Err(TtsError::Timeout { voice, ms: 1 })
                }
            })
        }

        fn kept<'a>(&'a self, text: &'a str) -> Kept<'a> {
            let found = (text == self.kept).then(|| Sound::silence("kept", 20));
            Box::pin(std::future::ready(found))
        }
    }

    #[tokio::test]
    async fn file_then_cache_then_voices_in_order() {
        let (first, second) = (double("first", "", false), double("second", "раз", true));
        let prompts = Prompts::new(vec![first.clone(), second.clone()]);
        let file = |text: &str| (text == "из файла").then(|| Sound::silence("file", 20));
        for (text, expect) in [
            ("из файла", "file"),
            (" раз\n", "kept"),
            ("два", "second"),
            ("три", "second"),
        ] {
            assert_eq!(
                prompts.sound_for_text(text, &file).await.unwrap().name,
                expect,
                "{text}"
            );
        }
        // The first failed at "два" and was not asked again for "три".
        assert_eq!(first.asked.load(Ordering::SeqCst), 1);
        assert_eq!(second.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn nothing_that_speaks_is_told_with_the_mend() {
        let none = |_: &str| None;
        let silent = Prompts::default();
        let told = silent.sound_for_text("да", &none).await.unwrap_err();
        assert!(told.to_string().contains("voices:"), "{told}");
        assert_eq!(
            silent.sound_for_text(" ", &none).await,
            Err(TtsError::EmptyText)
        );
        let broken = Prompts::new(vec![double("a", "", false), double("b", "", false)]);
        for _ in 0..2 {
            let told = broken
                .sound_for_text("да", &none)
                .await
                .unwrap_err()
                .to_string();
            assert!(told.contains("\"a\"") && told.contains("\"b\""), "{told}");
        }
    }
}
