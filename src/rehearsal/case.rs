//! A test case of a dialog: what the person does, and what has to come of it.

use jiff::Zoned;
use serde_json::{Map, Value};

use super::voice::Voice;
use crate::ident::Phone;
use crate::net::web::WebAnswer;

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it tries, in the analyst's words.
    pub name: String,
    /// Where it begins in its file.
    pub line: usize,
    /// What 1C gives.
    pub params: Map<String, Value>,
    /// The person's number; absent: hidden.
    pub phone: Option<Phone>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// They called us.
    pub incoming: bool,
    /// When, and in which zone, the person answers.
    pub now: Zoned,
    /// What happens at the far end before the first word.
    pub far_end: FarEnd,
    /// The talk, step by step.
    pub steps: Vec<Step>,
    /// What servers are asked, in this order, and what they answer.
    pub web: Vec<Canned>,
    /// What has to come of it.
    pub wants: Wants,
}

/// A request that a dialog makes of another server, and the canned answer.
#[derive(Clone, Debug)]
pub struct Canned {
    /// Where it stands.
    pub line: usize,
    /// Part of the address.
    pub url: String,
    /// Fields that its body has to have.
    pub body: Option<Value>,
    /// The answer.
    pub answer: WebAnswer,
    /// It takes so long, milliseconds.
    pub after_ms: u64,
}

/// Who or what answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// A person.
    Person,
    /// An answering machine, which speaks at once and beeps.
    Machine,
    /// An operator's assistant, which asks and doesn't beep.
    Assistant,
    /// An announcement after the answer: the person is out of reach.
    Announcement,
    /// Nobody: the outcome is this word.
    Nobody(&'static str),
}

/// One step of the talk.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// What happens.
    pub what: What,
}

/// What happens in a step.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The dialog says something that holds this text.
    Robot {
        /// Part of the text, or the file's name.
        text: String,
        /// So soon after what the person did last, milliseconds.
        within_ms: Option<u64>,
    },
    /// The person does something.
    Person {
        /// What.
        deed: Deed,
        /// When.
        when: When,
        /// The answer that it has to be taken for.
        understood: Option<String>,
        /// Why the window has to close.
        closed: Option<&'static str>,
    },
    /// The dialog transfers the call; this comes of it.
    Transfer {
        /// A dial status word.
        status: &'static str,
        /// The number that it has to go to.
        to: Option<String>,
    },
}

/// What the person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Speaks, or makes a noise.
    Speak(Voice),
    /// Presses keys.
    Press(String),
    /// Keeps silent: so long, or until the dialog gives up.
    Silence(Option<u64>),
    /// Hangs up.
    HangUp,
}

/// When the person does it.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// The dialog has finished and listens; so many milliseconds later.
    Polite(u64),
    /// So many milliseconds into the prompt.
    Into(u64),
    /// At that part of the prompt.
    At(String),
}

/// What has to come of a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// The outcome, in 1C's words.
    pub outcome: Option<String>,
    /// Fields that 1C gets; others may be there.
    pub data: Vec<(String, Value)>,
    /// The stages that are passed, all of them in order.
    pub stages: Option<Vec<String>>,
    /// What must not be said.
    pub never: Vec<String>,
    /// Another call is asked for, or not, or for that time.
    pub call_again: Option<Again>,
    /// The longest that the talk may go on, milliseconds.
    pub lasts_ms: Option<u64>,
}

/// What is wanted of `call_again`.
#[derive(Clone, Debug, PartialEq)]
pub enum Again {
    /// It is asked for.
    Some,
    /// It isn't.
    None,
    /// For that time, as `2026-01-14 18:30` in the case's zone.
    At(String),
}
