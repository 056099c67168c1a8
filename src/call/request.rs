//! What a dialog asks of its call. One at a time: the dialog waits for the answer.

use std::sync::Arc;

use super::reply::ReplyKind;
use crate::audio::Sound;
use crate::ident::Phone;
use crate::net::web::WebOrder;
use crate::phrases::Answers;

/// A request; each is answered exactly once, on hang-up too.
#[derive(Clone, Debug)]
pub enum Request {
    /// Speak, listen, or both.
    Turn(Box<Turn>),
    /// Wait so long; what is said meanwhile is kept.
    Pause {
        /// Milliseconds, at most [`MAX_PAUSE_MS`].
        ms: u64,
    },
    /// Begin to record the call.
    Record,
    /// End the recording of the call.
    RecordStop,
    /// Begin to record a message: what the person says from now on, and nothing else.
    Message,
    /// End it. Answered after a hang-up, too.
    MessageStop {
        /// How it ended.
        by: ReplyKind,
    },
    /// Connect the person to another one.
    Transfer {
        /// Whom to.
        number: Phone,
        /// How long it may ring, milliseconds.
        timeout_ms: u64,
    },
    /// Ask another server; what is said meanwhile is kept. Answered when both the server and the filler are done.
    Web {
        /// What is asked.
        order: WebOrder,
        /// Said meanwhile, to its end; may be empty.
        filler: Vec<Prompt>,
    },
    /// A machine answered: wait until it takes a message.
    Tone,
    /// Hang up.
    HangUp,
}

/// Longest `pause`, milliseconds.
pub const MAX_PAUSE_MS: u64 = 300_000;
/// Most prompts in one turn.
pub const MAX_PROMPTS: usize = 50;

/// Something to be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A prompt file, loaded with the scripts.
    Sound(Sound),
    /// Text to be spoken by a voice.
    Text(Saying),
}

/// A text that a voice speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// The text.
    pub text: String,
    /// The voice to be asked first, by its name in the config; `None`: the config's order.
    pub voice: Option<String>,
    /// How fast, percent of the voice's usual speed.
    pub speed_percent: u16,
    /// Played instead where no voice can.
    pub otherwise: Option<Sound>,
}

impl Saying {
    /// By the config's first voice, at its usual speed, with nothing to play instead.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            voice: None,
            speed_percent: 100,
            otherwise: None,
        }
    }
}

/// Prompts, then (or meanwhile) a listening window.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Played in order; may be empty.
    pub prompts: Vec<Prompt>,
    /// What cuts them.
    pub barge_in: BargeIn,
    /// The window; `None`: just speak.
    pub window: Option<Window>,
}

/// What cuts a prompt (rule 6 of "Hearing").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BargeIn {
    /// So much voice, but not in the prompt's first moments.
    Speech {
        /// Voice needed, milliseconds (500).
        min_voice_ms: u64,
        /// Deaf at the prompt's start, milliseconds (300).
        guard_ms: u64,
        /// A prompt that a voice paused goes on after this, if nothing was understood, milliseconds (2000).
        resume_ms: u64,
    },
    /// So many words of a partial.
    Words(u32),
    /// Only an expected answer.
    Intent,
    /// Only a key.
    Digits,
    /// Nothing.
    Off,
}

impl BargeIn {
    /// The prompt can be interrupted by speech, so its window opens with it.
    pub fn opens_at_start(self) -> bool {
        matches!(self, Self::Speech { .. } | Self::Words(_) | Self::Intent)
    }
}

impl Default for BargeIn {
    fn default() -> Self {
        Self::Speech {
            min_voice_ms: 500,
            guard_ms: 300,
            resume_ms: 2_000,
        }
    }
}

/// A listening window's settings; times in milliseconds, defaults as in "Hearing".
#[derive(Clone, Debug)]
pub struct Window {
    /// Names of the answers that are expected; empty: any text will do.
    pub expect: Vec<String>,
    /// The lists that those names stand for.
    pub answers: Arc<Answers>,
    /// Silence allowed, from the prompt's end (5000); stands still while the person speaks.
    pub timeout_ms: u64,
    /// Opens so long before the end of an uncuttable prompt (800).
    pub early_ms: u64,
    /// Takes an utterance whose onset lies so long before the opening (1500).
    pub carry_ms: u64,
    /// Silence that ends an utterance (700).
    pub end_silence_ms: u64,
    /// A final text is awaited so much longer (500).
    pub settle_ms: u64,
    /// An utterance that has no text at all so long after its end was noise (3000).
    pub give_up_ms: u64,
    /// Longest utterance (20000); past it the window closes with `too_long`.
    pub max_speech_ms: u64,
    /// Ends when a partial already is an expected answer and has stood for [`Self::stand_ms`].
    pub early: bool,
    /// How long that partial has to stand (300).
    pub stand_ms: u64,
    /// Keys; `None`: keys are noted and ignored.
    pub digits: Option<DigitRule>,
    /// It takes a whole message: all that is said, until that has ended.
    pub message: Option<MessageRule>,
}

/// When a message has ended. The window's own `timeout_ms` counts while nothing was said yet; its `digits` name the key
/// that ends it; its `end_silence_ms` still cuts what is said into utterances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRule {
    /// Silence after the last voice that ends it, milliseconds (3000).
    pub end_silence_ms: u64,
    /// The longest, milliseconds (60000).
    pub longest_ms: u64,
    /// Somebody listens: silence can be told from speech. Without, a key, the length and the hang-up end it.
    pub heard: bool,
}

impl Default for MessageRule {
    fn default() -> Self {
        Self {
            end_silence_ms: 3_000,
            longest_ms: 60_000,
            heard: true,
        }
    }
}

impl Window {
    /// The defaults over these answer lists.
    pub fn new(answers: Arc<Answers>) -> Self {
        Self {
            expect: Vec::new(),
            answers,
            timeout_ms: 5_000,
            early_ms: 800,
            carry_ms: 1_500,
            end_silence_ms: 700,
            settle_ms: 500,
            give_up_ms: 3_000,
            max_speech_ms: 20_000,
            early: false,
            stand_ms: 300,
            digits: Some(DigitRule::default()),
            message: None,
        }
    }
}

/// How keys are collected (rule 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigitRule {
    /// Ends the window at once (1).
    pub max_digits: u32,
    /// Ends it earlier, itself not counted.
    pub terminator: Option<char>,
    /// Longest wait between two keys, milliseconds (3000).
    pub interdigit_ms: u64,
}

impl Default for DigitRule {
    fn default() -> Self {
        Self {
            max_digits: 1,
            terminator: Some('#'),
            interdigit_ms: 3_000,
        }
    }
}

/// A question that is asked again: `ask` and `digits`.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The prompts by attempt; the last one serves all further ones ("rising prompts").
    pub prompts: Vec<Vec<Prompt>>,
    /// Said before the question when nothing was heard.
    pub no_input: Vec<Prompt>,
    /// Said before the question when nothing was understood.
    pub no_match: Vec<Prompt>,
    /// How often it is asked at most (1 to 10).
    pub attempts: u32,
    /// What cuts the prompts.
    pub barge_in: BargeIn,
    /// The window. Where `expect` is empty any text is an answer.
    pub window: Window,
    /// An answer needs exactly so many digits, keyed or spoken (`digits`).
    pub digits: Option<std::ops::RangeInclusive<usize>>,
}

/// A message that is to be recorded (`record(#{ message: true, .. })`).
#[derive(Clone, Debug)]
pub struct MessageAsk {
    /// Said before it; may be empty.
    pub prompts: Vec<Prompt>,
    /// What cuts them.
    pub barge_in: BargeIn,
    /// The sound after which it is recorded.
    pub beep: Option<Sound>,
    /// The window, with its [`Window::message`].
    pub window: Window,
}
