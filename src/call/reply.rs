//! What the person answered, as a dialog reads it.

use super::recording::Recorded;
use crate::ident::Spoken;

/// Why a window closed, or how a prompt ended: exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyKind {
    /// Something was said.
    Speech,
    /// Keys were pressed.
    Digits,
    /// Nothing came in time.
    NoInput,
    /// They spoke longer than `max_speech`.
    TooLong,
    /// They hung up.
    HangUp,
    /// No recognizer is left, or the prompt couldn't be played.
    Failed,
    /// A turn without a window: the prompts were heard, or cut.
    Played,
}

impl ReplyKind {
    /// The person said or keyed something.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Speech | Self::Digits | Self::TooLong)
    }

    /// The word of scripts, history and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Digits => "digits",
            Self::NoInput => "no_input",
            Self::TooLong => "too_long",
            Self::HangUp => "hang_up",
            Self::Failed => "failed",
            Self::Played => "played",
        }
    }
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How it ended.
    pub kind: ReplyKind,
    /// What was said.
    pub text: Spoken,
    /// The expected answer that it is, best first; empty: no match.
    pub intents: Vec<String>,
    /// Keys, or digits read from the words.
    pub digits: Spoken,
    /// It cut the prompt.
    pub barged_in: bool,
    /// Asked so often (1 = at the first time).
    pub attempts: u32,
    /// The utterances that it was put together from.
    pub parts: Vec<Spoken>,
    /// The message that was recorded.
    pub recorded: Option<Recorded>,
}

impl Reply {
    /// A reply of a kind with nothing in it.
    pub fn empty(kind: ReplyKind) -> Self {
        Self {
            kind,
            text: Spoken::default(),
            intents: Vec::new(),
            digits: Spoken::default(),
            barged_in: false,
            attempts: 1,
            parts: Vec::new(),
            recorded: None,
        }
    }

    /// The best answer's name.
    pub fn intent(&self) -> Option<&str> {
        self.intents.first().map(String::as_str)
    }

    /// It is that answer.
    pub fn is(&self, name: &str) -> bool {
        self.intent() == Some(name)
    }
}
