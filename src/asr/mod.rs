//! Recognizers: a stream of caller audio in, partial and final texts out.
//!
//! A recognizer is one file that implements [`Recognizer`]. Reconnecting, renewing the vendor's session and sending
//! audio again happen inside it; what it can't mend it tells with one [`AsrEvent::Failed`].
//!
//! - [`tape`]: the call's audio, kept once for whichever recognizer is in use; [`usage`]: what was sent.
//! - [`vosk`], [`yandex`], [`sherpa`], [`typed`]: the recognizers; [`retry`]: how a lost connection is made anew.
//! - [`listed`]: a recognizer as the config lists it; [`probe`]: whether it works, asked without a call.

pub mod listed;
pub mod probe;
pub mod retry;
pub mod sherpa;
pub mod tape;
pub mod typed;
pub mod usage;
pub mod vosk;
pub mod yandex;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::ident::Spoken;
use tape::{Tape, TapeReader};

/// A recognizer that is further behind than this fails, and the next takes over.
pub const BEHIND: Duration = Duration::from_secs(10);
/// Events that may wait for the call.
pub const EVENT_QUEUE: usize = 64;

/// What comes from a recognizer. `*_ms` count audio from the stream's start.
#[derive(Clone, Debug, PartialEq)]
pub enum AsrEvent {
    /// It gave its first sound answer: it works. Told once.
    Ready,
    /// The text so far of the utterance that goes on; may change. Never empty.
    Partial {
        /// The text so far.
        text: Spoken,
    },
    /// The utterance's last text; may be empty.
    Final {
        /// The text.
        text: Spoken,
        /// Where its first word begins, if the recognizer tells.
        start_ms: Option<u64>,
        /// Where its last word ends, if the recognizer tells.
        end_ms: Option<u64>,
    },
    /// For the history: a reconnect, a renewed session. The stream goes on.
    Note {
        /// What happened.
        text: String,
    },
    /// The stream is dead and nothing more comes.
    Failed {
        /// Of which kind.
        cause: Cause,
        /// Why, with the mend where there is one.
        reason: String,
    },
}

/// Why a recognizer fails, so far as it matters for the mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The key isn't taken, or there is none.
    Key,
    /// The account lacks a right.
    Role,
    /// The vendor's quota, or our own bound on streams, is used up.
    Quota,
    /// Model, language or another setting is refused.
    Settings,
    /// Nobody is there, or the connection doesn't hold.
    Unreachable,
    /// Something else answers there.
    Stranger,
    /// It is there, and says nothing or is too slow.
    Slow,
}

impl Cause {
    /// The word of history and `/healthz`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Role => "role",
            Self::Quota => "quota",
            Self::Settings => "settings",
            Self::Unreachable => "unreachable",
            Self::Stranger => "stranger",
            Self::Slow => "slow",
        }
    }
}

/// What a stream is opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// The call's id, for logs.
    pub call: String,
    /// Phrases that are expected, for recognizers that take a grammar. Empty: free speech.
    pub phrases: Arc<[String]>,
    /// No other recognizer would take over: it is worth trying longer.
    pub last: bool,
}

/// A recognizer that calls can open streams on. Opening never waits: the stream's own task connects, and audio that
/// arrives meanwhile is kept on the tape.
pub trait Recognizer: Send + Sync + std::fmt::Debug {
    /// Its name in the config and in history.
    fn name(&self) -> &str;
    /// Opens a stream on the current tokio runtime. It ends when the tape or the receiver is dropped; the channel is
    /// closed after [`AsrEvent::Failed`], or when the tape has ended and the rest was told.
    fn open(&self, audio: TapeReader, options: StreamOptions) -> mpsc::Receiver<AsrEvent>;
    /// Told by a call how a stream of it fared: that it answers, or why it is dead.
    fn fared(&self, how: Fared<'_>) {
        let _ = how;
    }
}

/// How a stream fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fared<'a> {
    /// It gave its first sound answer.
    Answers,
    /// It is dead.
    Failed(Cause, &'a str),
}

/// A stream with a tape of its own, where no call records one.
#[derive(Debug)]
pub struct RecognizerStream {
    /// Audio in.
    pub tape: Tape,
    /// Texts out.
    pub events: mpsc::Receiver<AsrEvent>,
}

/// Opens one.
pub fn listen(recognizer: &dyn Recognizer, options: StreamOptions) -> RecognizerStream {
    let tape = Tape::new();
    let events = recognizer.open(tape.reader(), options);
    RecognizerStream { tape, events }
}

/// A partial that finds the queue full is left out, the next one says more. Who listens no more is seen by `closed`.
async fn tell(events: &mpsc::Sender<AsrEvent>, event: AsrEvent) {
    if matches!(event, AsrEvent::Partial { .. }) {
        let _ = events.try_send(event);
    } else {
        let _ = events.send(event).await;
    }
}
