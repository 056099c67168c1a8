//! A recording of a call: what it is called, and which files it is.

/// After a recording's name without `.wav`: the file of what the person said.
pub const CALLER: &str = "-caller.wav";
/// The same, of what they heard.
pub const ROBOT: &str = "-robot.wav";

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The call: both sides, until it ends or the dialog says so.
    Call,
    /// A message: what the person says after a prompt, alone.
    Message,
}

impl What {
    /// The word of history, SQL and HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Message => "message",
        }
    }

    /// From that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Call, Self::Message]
            .into_iter()
            .find(|what| what.as_str() == word)
    }
}

/// A message that was recorded, as its dialog is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The recording's number within the attempt.
    pub number: u32,
    /// How long it is, milliseconds.
    pub ms: u64,
}

/// A recording that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What is recorded.
    pub what: What,
    /// Its name, as Asterisk sees it: the file itself where `channels` is 1, else `name-caller.wav` and `name-robot.wav`
    /// stand for `name.wav`.
    pub file: String,
    /// From 1, within the attempt.
    pub number: u32,
    /// 2: each direction by itself; 1: both mixed, or of a message the person alone.
    pub channels: u8,
    /// By which Asterisk ends it alone; `None`: only together with all of the channel's.
    pub id: Option<String>,
}
