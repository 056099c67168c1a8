//! Voices: a text in, a sound out. What was synthesized before comes first, then the voices in the order of the config;
//! texts that are known before any call are synthesized when the dialogs are loaded ([`warming`]).

pub mod asterisk_files;
pub mod cache;
pub mod command;
mod folder;
pub mod prompts;
pub mod silent;
pub mod warming;
pub mod yandex;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::audio::Sound;
use crate::audio::wav::WavError;

pub use asterisk_files::AsteriskFiles;
pub use cache::Cached;
pub use command::{CommandConfig, CommandVoice};
pub use prompts::{PromptCounts, Prompts, Wish};
pub use silent::Silent;
pub use warming::{KnownText, WarmCounts, Warming};

/// Longest text that is spoken, characters: more than two minutes.
pub const MAX_TEXT_CHARS: usize = 2_000;

/// A sound that is being made.
pub type Synthesis<'a> = Pin<Box<dyn Future<Output = Result<Sound, TtsError>> + Send + 'a>>;
/// A sound that may have been made before.
pub type Kept<'a> = Pin<Box<dyn Future<Output = Option<Sound>> + Send + 'a>>;

/// Something that speaks. May be asked by many calls at once; dropping the future stops the work.
pub trait Voice: Send + Sync + std::fmt::Debug {
    /// Its name in the config and in errors.
    fn name(&self) -> &str;
    /// What of its settings changes the sound: another identity is another sound for the same text.
    fn identity(&self) -> String {
        self.name().to_owned()
    }
    /// Speaks `text`, which went through [`speakable`]. The sound's name is the text. A voice that knows one speed only
    /// speaks at that.
    fn synth<'a>(&'a self, text: &'a str, speed: Speed) -> Synthesis<'a>;
    /// The sound of `text`, if it is there without any work.
    fn kept<'a>(&'a self, _text: &'a str, _speed: Speed) -> Kept<'a> {
        Box::pin(std::future::ready(None))
    }
    /// Whether it remembers what it spoke: only then is it of use to speak before somebody listens.
    fn keeps(&self) -> bool {
        false
    }
    /// Whether it can speak faster and slower.
    fn takes_speed(&self) -> bool {
        false
    }
}

impl<V: Voice + ?Sized> Voice for Arc<V> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn identity(&self) -> String {
        (**self).identity()
    }

    fn synth<'a>(&'a self, text: &'a str, speed: Speed) -> Synthesis<'a> {
        (**self).synth(text, speed)
    }

    fn kept<'a>(&'a self, text: &'a str, speed: Speed) -> Kept<'a> {
        (**self).kept(text, speed)
    }

    fn keeps(&self) -> bool {
        (**self).keeps()
    }

    fn takes_speed(&self) -> bool {
        (**self).takes_speed()
    }
}

/// How fast, in percent of the voice's usual speed: 50 to 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Speed(u16);

impl Speed {
    /// The voice's usual one.
    pub const USUAL: Self = Self(100);

    /// Clamped to 50 to 200.
    pub fn percent(percent: u16) -> Self {
        Self(percent.clamp(50, 200))
    }

    /// As a factor: 1 is usual.
    pub fn factor(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// `text` as voices get it: without control characters, white space folded.
pub fn speakable(text: &str) -> Result<String, TtsError> {
    let chars = text.chars().count();
    if chars > MAX_TEXT_CHARS {
        return Err(TtsError::LongText { chars });
    }
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let folded = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if folded.is_empty() {
        return Err(TtsError::EmptyText);
    }
    Ok(folded)
}

/// Why a text is not spoken, or a voice can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TtsError {
    /// Nothing to say.
    #[error("the text to speak is empty")]
    EmptyText,
    /// Over the cap.
    #[error("the text to speak has {chars} characters, {MAX_TEXT_CHARS} are the most: split it")]
    LongText {
        /// How many it has.
        chars: usize,
    },
    /// No file and no voice.
    #[error(
        "no prompt file speaks this text and no voice is configured: record it, or name a voice under `voices:`"
    )]
    NoVoice,
    /// A command that can't be one.
    #[error("voice {voice:?}: {wrong}")]
    Config {
        /// The voice.
        voice: String,
        /// What is wrong and what to write.
        wrong: &'static str,
    },
    /// The program didn't start.
    #[error(
        "voice {voice:?}: can't start {program:?}: {reason}; is it installed, and may we run it?"
    )]
    Start {
        /// The voice.
        voice: String,
        /// The program.
        program: String,
        /// The system's word.
        reason: String,
    },
    /// The program took too long.
    #[error(
        "voice {voice:?}: no sound within {ms} ms; raise timeout, or look what holds the program up"
    )]
    Timeout {
        /// The voice.
        voice: String,
        /// How long it had.
        ms: u128,
    },
    /// The program failed.
    #[error("voice {voice:?}: the program ended with {status}; it says: {said:?}")]
    Exit {
        /// The voice.
        voice: String,
        /// Its exit code or signal.
        status: String,
        /// The beginning of its standard error.
        said: String,
    },
    /// The program was lost while it ran.
    #[error("voice {voice:?}: {reason}")]
    Broken {
        /// The voice.
        voice: String,
        /// What happened.
        reason: String,
    },
    /// Over the cap.
    #[error("voice {voice:?}: more than {most} bytes of sound for one text")]
    TooMuch {
        /// The voice.
        voice: String,
        /// The cap.
        most: usize,
    },
    /// No sound that we can read.
    #[error("voice {voice:?}: {source}; it must write a WAV file")]
    Sound {
        /// The voice.
        voice: String,
        /// What is wrong with it.
        source: WavError,
    },
    /// A folder or file that can't be used.
    #[error("{path}: {reason}", path = path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// A path that Asterisk would misread.
    #[error("folder {path:?} as Asterisk sees it: {wrong}")]
    AsteriskPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// Every voice failed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    All(Vec<TtsError>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_before_they_are_spoken() {
        assert_eq!(
            speakable(" Здравствуйте,\r\n\tИван\u{0}!  ").unwrap(),
            "Здравствуйте, Иван !"
        );
        assert_eq!(speakable(" \n\u{1b}"), Err(TtsError::EmptyText));
        let long = "а".repeat(MAX_TEXT_CHARS + 1);
        assert!(speakable(&long).unwrap_err().to_string().contains("2001"));
    }
}
