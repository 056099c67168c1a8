//! How a call ends: its status, its outcome, what the dialog leaves.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use jiff::Timestamp;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for its time or for a free line.
    Queued,
    /// Asterisk dials.
    Dialing,
    /// The person answered.
    Talking,
    /// Ended; `outcome` says how.
    Finished,
    /// Cancelled by 1C before its end.
    Cancelled,
    /// Its `expires` came first.
    Expired,
}

impl Status {
    /// The word of HTTP and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dialing => "dialing",
            Self::Talking => "talking",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// From the word of SQL.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Dialing,
            Self::Talking,
            Self::Finished,
            Self::Cancelled,
            Self::Expired,
        ]
        .into_iter()
        .find(|s| s.as_str() == word)
    }

    /// Nothing more will come of it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Expired)
    }
}

/// The outcomes that the runtime itself gives; any other is a dialog's own word.
pub mod outcome {
    /// The line was busy.
    pub const BUSY: &str = "busy";
    /// It rang and nobody answered.
    pub const NO_ANSWER: &str = "no_answer";
    /// The person rejected the call.
    pub const REJECTED: &str = "rejected";
    /// Switched off or out of reach.
    pub const UNREACHABLE: &str = "unreachable";
    /// There is no such number.
    pub const INVALID_NUMBER: &str = "invalid_number";
    /// The network or trunk had no room.
    pub const CONGESTION: &str = "congestion";
    /// A machine answered.
    pub const MACHINE: &str = "machine";
    /// The person hung up before the dialog had its outcome.
    pub const HUNG_UP: &str = "hung_up";
    /// The person was there and never said or keyed a thing.
    pub const NO_REPLY: &str = "no_reply";
    /// The dialog has a fault.
    pub const SCRIPT_ERROR: &str = "script_error";
    /// The runtime or something it needs failed.
    pub const RUNTIME_ERROR: &str = "runtime_error";
    /// Outside calling hours.
    pub const OUT_OF_HOURS: &str = "out_of_hours";
    /// On the do-not-call list.
    pub const DO_NOT_CALL: &str = "do_not_call";
    /// The dialog ended without naming an outcome.
    pub const COMPLETED: &str = "completed";

    /// All that the runtime gives. A dialog's `finish` may not use those of them that tell of the line.
    pub const ALL: [&str; 14] = [
        BUSY,
        NO_ANSWER,
        REJECTED,
        UNREACHABLE,
        INVALID_NUMBER,
        CONGESTION,
        MACHINE,
        HUNG_UP,
        NO_REPLY,
        SCRIPT_ERROR,
        RUNTIME_ERROR,
        OUT_OF_HOURS,
        DO_NOT_CALL,
        COMPLETED,
    ];
}

/// A script's fault, told to the analyst.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// File, as the analyst knows it (`confirm_visit.rhai`).
    pub file: String,
    /// Line, from 1; 0 where it isn't known.
    pub line: usize,
    /// Column, from 1; 0 where it isn't known.
    pub column: usize,
    /// What is wrong and what to do, in the configured language.
    pub message: String,
}

/// What a dialog leaves when it ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DialogEnd {
    /// `finish(outcome, ..)`; `None`: it ran to its end, or the person hung up first.
    pub outcome: Option<String>,
    /// `finish(.., data)` and `set(key, value)` together.
    pub data: Map<String, Value>,
    /// Which version of the scripts it ran on.
    pub version: String,
    /// Its fault, where it ended by one.
    pub fault: Option<Fault>,
    /// `call_again(when)`.
    pub call_again: Option<Timestamp>,
    /// `do_not_call(reason)`: the reason, which may be empty.
    pub do_not_call: Option<String>,
}

/// Why a talk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The dialog was done.
    Dialog,
    /// The person hung up.
    Person,
    /// Cancelled, too long, or the runtime stops.
    Us,
    /// Asterisk or the medium went away.
    Fault,
}

impl EndedBy {
    /// The word of history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::Person => "person",
            Self::Us => "runtime",
            Self::Fault => "fault",
        }
    }
}

impl DialogEnd {
    /// What 1C is told of a talk that ended so; `replied`: the person said or keyed something.
    pub fn outcome_after(&self, by: EndedBy, replied: bool) -> String {
        if self.fault.is_some() {
            return outcome::SCRIPT_ERROR.to_owned();
        }
        if let Some(word) = &self.outcome {
            return word.clone();
        }
        if self.do_not_call.is_some() {
            return outcome::DO_NOT_CALL.to_owned();
        }
        match by {
            EndedBy::Person => outcome::HUNG_UP,
            EndedBy::Us | EndedBy::Fault => outcome::RUNTIME_ERROR,
            EndedBy::Dialog if replied => outcome::COMPLETED,
            EndedBy::Dialog => outcome::NO_REPLY,
        }
        .to_owned()
    }
}

/// What came of one attempt: an outgoing one's, or an incoming call's.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The outcome: the dialog's word or one of [`outcome`].
    pub outcome: String,
    /// The dialog's data.
    pub data: Map<String, Value>,
    /// The person (or a machine) answered.
    pub answered: bool,
    /// What answered was a machine or an announcement, by [`super::answerer`]'s verdict, whatever the outcome is.
    pub machine: bool,
    /// Asterisk's hang-up cause, where it told one (Q.850).
    pub cause: Option<u32>,
    /// The scripts' version.
    pub version: Option<String>,
    /// The dialog asks for another attempt at that time.
    pub call_again: Option<Timestamp>,
    /// The person asked not to be called any more; why, in the dialog's words.
    pub do_not_call: Option<String>,
    /// Talk time in milliseconds, from answer to hang-up.
    pub talk_ms: u64,
    /// Path of the recording in Asterisk's eyes, where there is one.
    pub recording: Option<String>,
}

impl Summary {
    /// One of which nothing is known but its outcome: nobody answered, nothing was said.
    pub fn new(outcome: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            data: Map::new(),
            answered: false,
            machine: false,
            cause: None,
            version: None,
            call_again: None,
            do_not_call: None,
            talk_ms: 0,
            recording: None,
        }
    }
}
