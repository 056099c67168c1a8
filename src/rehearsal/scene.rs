//! What the person on a rehearsed line perceives, and what they may do.

use serde_json::{Value, json};

use super::voice::Voice;
use crate::call::history::kind;
use crate::net::speaker::SpeakerEvent;
use crate::net::web::{WebAnswer, WebOrder};

/// One line of a rehearsed call's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryLine {
    /// When, milliseconds from the answer.
    pub at_ms: u64,
    /// One of `call::history::kind`.
    pub kind: &'static str,
    /// Particulars.
    pub data: Value,
}

impl HistoryLine {
    /// As HTTP shows it.
    pub fn to_json(&self) -> Value {
        json!({"kind": self.kind, "at_ms": self.at_ms, "attempt": 1, "data": self.data})
    }

    /// A field of its particulars; empty where there is none.
    pub fn word(&self, key: &str) -> &str {
        self.data[key].as_str().unwrap_or_default()
    }
}

/// A prompt that began to sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its text, or its file's name.
    pub text: String,
    /// When it began, milliseconds.
    pub at_ms: u64,
    /// How many history lines were there before it.
    pub line: usize,
}

/// The call as the person perceives it.
#[derive(Debug, Default)]
pub struct Scene {
    /// The virtual clock, milliseconds from the answer.
    pub now_ms: u64,
    /// Prompts that began to sound, oldest first; the last one may sound still.
    pub heard: Vec<Heard>,
    /// A prompt sounds, or is about to.
    pub speaks: bool,
    /// Since when the dialog listens and nothing sounds.
    pub quiet_since_ms: Option<u64>,
    /// The last prompt ended or was cut then.
    pub ended_ms: u64,
    /// Turns that began.
    pub turns: u64,
    /// Things the person has done.
    pub acts: u64,
    /// The call is over.
    pub over: bool,
    /// Everything that happened.
    pub lines: Vec<HistoryLine>,
    prompts: usize,
    listens: bool,
    /// It takes a message.
    pub(super) message: bool,
    /// Prompts of earlier turns.
    heard_before: usize,
}

impl Scene {
    pub(super) fn turn(&mut self, prompts: usize, listens: bool) {
        self.turns += 1;
        self.prompts = prompts;
        self.listens = listens;
        self.heard_before = self.heard.len();
        self.speaks = prompts > 0;
        self.settle();
    }

    pub(super) fn turn_over(&mut self) {
        self.listens = false;
        self.speaks = false;
        self.quiet_since_ms = None;
    }

    fn settle(&mut self) {
        if !self.speaks && self.listens {
            self.quiet_since_ms.get_or_insert(self.now_ms);
        }
    }

    /// A prompt ended.
    pub(super) fn mouth(&mut self, event: &SpeakerEvent) {
        if let SpeakerEvent::Ended { whole, .. } = event {
            self.prompts = if *whole {
                self.prompts.saturating_sub(1)
            } else {
                0
            };
            self.ended_ms = self.now_ms;
            self.speaks = self.prompts > 0;
            self.settle();
        }
    }

    pub(super) fn saw(&mut self, line: &HistoryLine) {
        if line.kind == kind::PROMPT && line.word("event") == "started" {
            self.heard.push(Heard {
                text: line.word("name").to_owned(),
                at_ms: line.at_ms,
                line: self.lines.len(),
            });
        }
    }

    /// The prompt that sounds now.
    pub fn sounds(&self) -> Option<&Heard> {
        let of_this_turn = self.heard.len() > self.heard_before;
        self.heard.last().filter(|_| self.speaks && of_this_turn)
    }
}

/// What the person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Speaks, or makes a noise.
    Speak(Voice),
    /// Presses keys, one after the other.
    Press(String),
    /// Hangs up.
    HangUp,
}

/// What the person does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// This, now.
    Do(Act),
    /// Something then, if nothing else happens before.
    At(u64),
    /// Nothing, until something happens.
    Nothing,
}

/// The other end of a rehearsed call.
pub trait Person {
    /// What they do next. Asked anew whenever something has happened.
    fn next(&mut self, scene: &Scene) -> Next;

    /// The clock goes from `now_ms` to `until_ms`; answers how far it came. Who plays in real time waits here, and comes back
    /// early where there is something to be done.
    fn pass(&mut self, _now_ms: u64, until_ms: u64) -> u64 {
        until_ms
    }

    /// What came of a transfer to that number: `answered`, `busy`, `no_answer`, `failed`.
    fn transferred(&mut self, _number: &str) -> &'static str {
        "answered"
    }

    /// What a server answers, and after how many milliseconds.
    fn asked(&mut self, _order: &WebOrder) -> (u64, WebAnswer) {
        (0, WebAnswer::of(200, Value::Null))
    }

    /// Something happened.
    fn saw(&mut self, _line: &HistoryLine) {}
}
