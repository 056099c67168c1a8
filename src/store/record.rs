//! What is read from the store, and the small answers of its words.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::admit::Reason;
use super::recordings::RecordingRecord;
use crate::call::{Direction, Order, Status};
use crate::ident::{CallId, ChannelId, Phone, Spoken};

/// A call as it stands, with all that HTTP shows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// 1C's id, or ours.
    pub id: CallId,
    /// Who called whom.
    pub direction: Direction,
    /// The person's number; absent where an incoming call hides it, and where it is masked.
    pub phone: Option<Phone>,
    /// What is left of a number that `history.mask_phones` has masked.
    pub phone_masked: Option<String>,
    /// The dialog's name.
    pub dialog: String,
    /// What 1C gave.
    pub params: Map<String, Value>,
    /// Prompt file played first.
    pub file: Option<String>,
    /// Higher goes first.
    pub priority: i32,
    /// Not to be called before.
    pub not_before: Option<Timestamp>,
    /// Not to be called after.
    pub expires: Option<Timestamp>,
    /// How often at most.
    pub attempts: u32,
    /// Where the end is told, too.
    pub callback: Option<String>,
    /// The set of rules that the order names.
    pub rules: Option<String>,
    /// The callee's time zone, where the order tells it.
    pub zone: Option<String>,
    /// Calling hours of this order alone.
    pub hours: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Outcome of the last attempt that ended: final where the status is, else what the last try gave (`busy`).
    pub outcome: Option<String>,
    /// The dialog's data, of the same attempt.
    pub data: Map<String, Value>,
    /// How many attempts began.
    pub attempt: u32,
    /// When the next attempt is due, while queued.
    pub next_attempt: Option<Timestamp>,
    /// Which rule keeps it queued; `None`: it waits for its time or for a line.
    pub waits_for: Option<Reason>,
    /// 1C asked to cancel it; while it talks that is a wish, and a dialog that ends by its own word first wins.
    pub cancel: bool,
    /// Path of the last recording, in Asterisk's eyes.
    pub recording: Option<String>,
    /// When it was accepted, or came in.
    pub created: Timestamp,
    /// Its last change of state.
    pub changed: Timestamp,
    /// Every attempt, oldest first.
    pub attempt_list: Vec<AttemptRecord>,
    /// Its recordings, oldest first; at most `MAX_RECORDINGS`.
    pub recordings: Vec<RecordingRecord>,
    /// Who said what, oldest first; at most [`MAX_TRANSCRIPT`] lines.
    pub transcript: Vec<TranscriptLine>,
    /// What was told by callbacks, or is to be, oldest first; at most [`MAX_CALLBACKS`].
    pub callbacks: Vec<Callback>,
}

/// Most callbacks of a call that are shown with it.
pub const MAX_CALLBACKS: usize = 100;

/// Most lines of a transcript; what comes later is in the events only.
pub const MAX_TRANSCRIPT: usize = 1_000;

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// From 1.
    pub attempt: u32,
    /// The channel's Uniqueid.
    pub channel_id: ChannelId,
    /// The trunk that it went by; `None`: an incoming call, or no trunk serves the number.
    pub trunk: Option<String>,
    /// When it was handed to Asterisk, or came in.
    pub started: Timestamp,
    /// When it first rang.
    pub ringing: Option<Timestamp>,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Hang-up cause (Q.850).
    pub cause: Option<u32>,
    /// What answered was a machine or an announcement, whatever the outcome is.
    pub machine: bool,
    /// Talk time, milliseconds.
    pub talk_ms: Option<u64>,
    /// The scripts' version.
    pub version: Option<String>,
    /// Path of its recording, in Asterisk's eyes.
    pub recording: Option<String>,
}

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The dialog.
    Robot,
    /// The person at the other end.
    Person,
}

impl Speaker {
    /// The word of JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Robot => "robot",
            Self::Person => "person",
        }
    }
}

/// One line of the transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscriptLine {
    /// In which attempt.
    pub attempt: u32,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// When, on the attempt's own clock, milliseconds.
    pub at_ms: Option<u64>,
    /// Who.
    pub speaker: Speaker,
    /// The words; a prompt whose text isn't known stands by its name.
    pub text: Spoken,
}

/// One line of a call's history.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    /// Number within the call, from 1, without gaps.
    pub seq: u64,
    /// Which attempt; 0: the order itself.
    pub attempt: u32,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// When, on the attempt's own clock, milliseconds.
    pub at_ms: Option<u64>,
    /// One of `call::history::kind`.
    pub kind: String,
    /// Its particulars.
    pub data: Value,
}

/// A change of a call's state, with the state that it led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place; ask for what comes `after` it.
    pub cursor: i64,
    /// The call.
    pub id: CallId,
    /// Who called whom.
    pub direction: Direction,
    /// The person's number.
    pub phone: Option<Phone>,
    /// What is left of it where it is masked.
    pub phone_masked: Option<String>,
    /// The dialog's name.
    pub dialog: String,
    /// The new status.
    pub status: Status,
    /// Outcome of the last attempt that had ended then.
    pub outcome: Option<String>,
    /// Its data.
    pub data: Map<String, Value>,
    /// How many attempts had begun.
    pub attempt: u32,
    /// How many there may be.
    pub attempts: u32,
    /// When the next attempt was due then, where it was queued.
    pub next_attempt: Option<Timestamp>,
    /// The rule that had it wait then.
    pub waits_for: Option<Reason>,
    /// When.
    pub at: Timestamp,
}

/// What came of an order that was handed in.
#[derive(Clone, Debug, PartialEq)]
pub enum Added {
    /// Taken, and on disk.
    New(Box<CallRecord>),
    /// The same order is here already; this is how it stands.
    Same(Box<CallRecord>),
    /// Another order has this id. Nothing was changed.
    Conflict,
}

/// An order whose time has come, moved to `dialing`.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The order.
    pub order: Order,
    /// The attempt to make, from 1.
    pub attempt: u32,
    /// The channel id to give to Asterisk.
    pub channel_id: ChannelId,
    /// The trunk to dial by; `None`: no trunk serves the number, and the attempt is to end at once.
    pub trunk: Option<String>,
    /// How the attempts before it ended, oldest first.
    pub before: Vec<Ended>,
}

/// How an attempt ended, for the rules of the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What came of it.
    pub outcome: String,
    /// Somebody or something answered.
    pub answered: bool,
    /// Talk time, milliseconds.
    pub talk_ms: u64,
}

/// One look into the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked<S> {
    /// The orders that were taken.
    pub due: Vec<Due>,
    /// What is left of the room that was offered, and what it was asked.
    pub seats: S,
    /// It ended before all was seen: look again at once.
    pub more: bool,
}

/// What is to follow an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing: the outcome is final.
    Finish,
    /// Nothing, though the person wasn't reached.
    GiveUp {
        /// The rule that says so.
        reason: Reason,
    },
    /// Another attempt.
    Retry {
        /// Not before.
        at: Timestamp,
        /// The rule that says so.
        reason: Reason,
        /// What the outcome's rule asks for by itself, where calling hours have made it later.
        wanted: Option<Wanted>,
    },
}

/// A rule's own wish, before hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Not before.
    pub at: Timestamp,
    /// Its words.
    pub text: String,
}

/// A number that isn't to be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The number, as it was given.
    pub phone: Phone,
    /// Why; may be empty.
    pub reason: String,
    /// Who listed it: a call's id, or who asked over HTTP.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// What came of a wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It was queued: it is cancelled.
    Now,
    /// It is dialing or talking: marked; the caller is to hang it up.
    WhileTalking,
    /// It has ended already; nothing was changed.
    AlreadyFinal,
    /// There is no such call.
    Unknown,
}

/// A call that a crash cut off.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// The call.
    pub id: CallId,
    /// The attempt that was cut off.
    pub attempt: u32,
    /// Its channel: Asterisk may still be dialing it, and is to be told to hang up.
    pub channel_id: ChannelId,
    /// Who called whom.
    pub direction: Direction,
    /// What was done.
    pub fate: Fate,
}

/// What was done with a call that a crash cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Queued again; the attempt doesn't count.
    QueuedAgain,
    /// Closed with `runtime_error`.
    Closed,
    /// Cancelled: 1C had asked for it.
    Cancelled,
}

/// How the store fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why the last write failed; `None`: all is well.
    pub fault: Option<String>,
    /// Bytes on disk, with the write-ahead log.
    pub bytes: u64,
    /// Orders that wait for their time or a free line.
    pub queued: u64,
    /// Events that were lost: over a call's cap, or of a call that isn't known.
    pub events_lost: u64,
}

/// What came of one order of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Taken, and on disk.
    New,
    /// The same order was here already.
    Same,
    /// Another order has this id. Nothing was changed.
    Conflict,
}

/// What came of a wish to change an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amended {
    /// It is changed, and on disk.
    Done,
    /// It was so already.
    AsItWas,
    /// It doesn't wait any more; nothing was changed.
    NotQueued(Status),
    /// So many attempts were made already; nothing was changed.
    TooFewAttempts {
        /// How many.
        made: u32,
    },
    /// `expires` would come before `not_before`; nothing was changed.
    ExpiresFirst,
    /// By that rule it could never be called; nothing was changed.
    Refused(Reason),
    /// There is no such call.
    Unknown,
}

/// Who is told by callbacks, besides those that orders name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallbackRules {
    /// Where calls are told whose order names nobody, incoming ones too.
    pub url: Option<String>,
    /// Every change is told, not the end only.
    pub each_change: bool,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackState {
    /// It is to be tried, or tried again.
    Waiting,
    /// The receiver said 2xx.
    Delivered,
    /// Given up.
    Failed,
}

impl CallbackState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Failed];

    /// The word of JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// From the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// One delivery: one change, told to one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Callback {
    /// Its number.
    pub n: i64,
    /// The call.
    pub id: CallId,
    /// The change that is told.
    pub cursor: i64,
    /// To whom.
    pub url: String,
    /// Scheme, name and port of it.
    pub host: String,
    /// How it stands.
    pub state: CallbackState,
    /// Tries that were made.
    pub tries: u32,
    /// When it is tried next, while it waits.
    pub next_try: Option<Timestamp>,
    /// When it was written.
    pub created: Timestamp,
    /// From when its time to be given up counts.
    pub since: Timestamp,
    /// When it was last tried.
    pub changed: Timestamp,
    /// HTTP status that the last try got.
    pub answer: Option<u16>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// A host that deliveries wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Scheme, name and port.
    pub host: String,
    /// When its next delivery is due.
    pub due: Timestamp,
}

/// What came of trying a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The receiver said 2xx.
    Delivered {
        /// Its status.
        answer: u16,
    },
    /// It didn't.
    Failed {
        /// Its status, where it answered.
        answer: Option<u16>,
        /// Why, in words.
        error: String,
        /// When to try again; `None`: given up.
        again: Option<Timestamp>,
    },
}
