//! A voice that says nothing, for as long as a person would take to say it: rehearsal and demo need no synthesis.

use super::{Speed, Synthesis, Voice};
use crate::audio::Sound;

/// Shortest prompt, milliseconds.
const LEAST_MS: u64 = 300;

/// Silence of a text's estimated length.
#[derive(Clone, Copy, Debug)]
pub struct Silent {
    /// Milliseconds a character; a calm speaker of Russian takes 65.
    pub char_ms: u64,
}

impl Silent {
    /// How long `text` takes, milliseconds.
    pub fn length_ms(self, text: &str) -> u64 {
        let chars = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        chars.saturating_mul(self.char_ms).max(LEAST_MS)
    }
}

impl Voice for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    fn synth<'a>(&'a self, text: &'a str, _speed: Speed) -> Synthesis<'a> {
        let sound = Sound::silence(text, self.length_ms(text));
        Box::pin(std::future::ready(Ok(sound)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_is_as_long_as_the_text() {
        let voice = Silent { char_ms: 50 };
        let sound = voice
            .synth("Здравствуйте, как дела?", Speed::USUAL)
            .await
            .unwrap();
        assert_eq!(
            (sound.duration_ms(), sound.name.as_str()),
            (1_150, "Здравствуйте, как дела?")
        );
        assert!(sound.samples.iter().all(|s| *s == 0));
        assert_eq!(
            voice.synth("да", Speed::USUAL).await.unwrap().duration_ms(),
            LEAST_MS
        );
    }
}
