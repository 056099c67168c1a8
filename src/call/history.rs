//! What happened in a call, as it is kept, shown to 1C and replayed.

use jiff::Timestamp;
use serde_json::Value;

/// One line of a call's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEvent {
    /// When, by the wall clock.
    pub at: Timestamp,
    /// When, in milliseconds of the call's own clock; absent outside an attempt.
    pub at_ms: Option<u64>,
    /// What: one of [`kind`]'s words.
    pub kind: &'static str,
    /// Its particulars: a flat JSON object.
    pub data: Value,
}

/// The closed list of what history may hold; the same words in SQL and JSON.
pub mod kind {
    /// The order came in, or was repeated, cancelled, expired.
    pub const ORDER: &str = "order";
    /// An attempt began or ended.
    pub const ATTEMPT: &str = "attempt";
    /// An event of Asterisk's, as it said it.
    pub const ASTERISK: &str = "asterisk";
    /// The medium that hears the caller: which, and what became of it.
    pub const MEDIA: &str = "media";
    /// The recognizer: which, notes, failures.
    pub const RECOGNIZER: &str = "recognizer";
    /// The dialog began (with its version) or ended (with its outcome).
    pub const DIALOG: &str = "dialog";
    /// `stage(name)`.
    pub const STAGE: &str = "stage";
    /// `set(key, value)`.
    pub const SET: &str = "set";
    /// `log(text)`.
    pub const LOG: &str = "log";
    /// `event(name, data)`.
    pub const EVENT: &str = "event";
    /// A prompt began, paused, went on, ended or was cut.
    pub const PROMPT: &str = "prompt";
    /// A listening window opened or closed, with its one reason.
    pub const WINDOW: &str = "window";
    /// An utterance: onset, end, text, and which window took it, if any.
    pub const UTTERANCE: &str = "utterance";
    /// A key was pressed.
    pub const DIGIT: &str = "digit";
    /// A recording began or ended.
    pub const RECORDING: &str = "recording";
    /// A transfer to a person, and what came of it.
    pub const TRANSFER: &str = "transfer";
    /// A server was asked in mid-call, and what it answered.
    pub const WEB: &str = "web";
    /// A fault: a script's, with file and line, or the runtime's.
    pub const FAULT: &str = "fault";
    /// Times of a turn on one clock (rule 9 of "Hearing").
    pub const TURN: &str = "turn";
    /// The person hung up, or we did.
    pub const HANG_UP: &str = "hang_up";
}
