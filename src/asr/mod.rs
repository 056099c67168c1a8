//! Recognizers: a stream of caller audio in, partial and final texts out.
//!
//! A recognizer is one file that implements [`Recognizer`]. Reconnecting, renewing the vendor's session and sending
//! audio again happen inside it; what it can't mend it tells with one [`AsrEvent::Failed`].

pub mod sherpa;
pub mod typed;
pub mod vosk;
pub mod yandex;

use tokio::sync::mpsc;

use crate::audio::Frame;
use crate::ident::Spoken;

/// Frames that may wait for a recognizer: 10 s. Past that the stream is failing, and says so.
pub const FEED_FRAMES: usize = 500;
/// Events that may wait for the call.
pub const EVENT_QUEUE: usize = 64;

/// What goes to a recognizer.
// Nearly all of them are frames, 50 a second a call: a box around each would cost more than the room.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum AsrInput {
    /// The next 20 ms, without gaps.
    Audio(Frame),
    /// Our own voice activity heard the utterance end: give the final now, if the protocol can.
    EndOfUtterance,
    /// What a person typed instead of saying it (the `typed` recognizer only; others ignore it).
    Typed(String),
}

/// What comes from a recognizer. `*_ms` count audio from the stream's start.
#[derive(Clone, Debug, PartialEq)]
pub enum AsrEvent {
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
        /// Why, with the mend where there is one.
        reason: String,
    },
}

/// What a stream is opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// The call's id, for logs.
    pub call: String,
    /// Phrases that are expected, for recognizers that take a grammar. Empty: free speech.
    pub phrases: Vec<String>,
}

/// One call's stream: dropped by the call when it ends.
#[derive(Debug)]
pub struct RecognizerStream {
    /// Audio in. A full channel means that the recognizer is over [`FEED_FRAMES`] behind.
    pub feed: mpsc::Sender<AsrInput>,
    /// Texts out. Closed after [`AsrEvent::Failed`], or when `feed` is dropped and the rest was told.
    pub events: mpsc::Receiver<AsrEvent>,
}

/// A recognizer that calls can open streams on. Opening never waits: the stream's own task connects, and audio that
/// arrives meanwhile is kept.
pub trait Recognizer: Send + Sync + std::fmt::Debug {
    /// Its name in the config and in history.
    fn name(&self) -> &str;
    /// Opens a stream on the current tokio runtime.
    fn open(&self, options: StreamOptions) -> RecognizerStream;
}
