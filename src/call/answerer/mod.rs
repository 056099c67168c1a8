//! Who answered: a person, a machine, the operator's announcement. Decided beside the dialog on the same texts, voices and
//! tones; the dialog begins at the answer and never waits for the verdict. Pure.
//!
//! ```text
//!                 first words, or a short voice            announcement's words
//!   (undecided) ───────────────────────────────▶ person ─────────────────────────┐
//!        │ ╲ voice for 4 s                          ▲                             ▼
//!        │  ╲──────────────────▶ unsure ────────────┘──── words, or a beep ──▶ a machine: final but for its kind
//!        └──────────────────────── announcement's words ──────────────────────────▲
//! ```
//!
//! | file | tells by |
//! | --- | --- |
//! | `words` | what is said; wins over rhythm at any time within [`DECIDES_FOR_MS`] |
//! | `cadence` | the rhythm of the voice: a person, or unsure; alone it never makes a machine of anybody |
//! | `beep` | when a machine takes a message |
//! | `announcements` | what the operator says before any answer, where that is heard (`calls.early_media`) |
//!
//! Incoming calls are not judged: who calls us is a person, or wants to be heard all the same.

mod announcements;
mod beep;
mod cadence;
mod words;

use std::collections::VecDeque;
use std::sync::Arc;

use super::summary::outcome;
use crate::audio::tone::Tone;
use crate::call::fields::{Fields, fields};
use crate::phrases::{Announced, Answers};

pub use announcements::Announcements;
pub use beep::{Awaited, GREETING_MS, SILENCE_MS};
pub use cadence::{LONG_VOICE_MS, PERSON_SILENCE_MS, PERSON_VOICE_MS};

use beep::Beep;
use cadence::{Cadence, Rhythm};
use words::{Said, Words};

/// Words said later than this after the answer make no machine of anybody.
pub const DECIDES_FOR_MS: u64 = 30_000;
/// Nobody has spoken for so long after the answer: unsure.
const NO_VOICE_MS: u64 = 10_000;
/// A beep follows its long greeting within this.
const BEEP_FOLLOWS_MS: u64 = 2_000;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A person.
    Person,
    /// An answering machine, a mailbox.
    Voicemail,
    /// An operator's assistant.
    Assistant,
    /// An announcement: switched off, out of reach.
    Unreachable,
    /// An announcement: there is no such number.
    InvalidNumber,
    /// It can't be told.
    Unsure,
}

impl Who {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Person,
        Self::Voicemail,
        Self::Assistant,
        Self::Unreachable,
        Self::InvalidNumber,
        Self::Unsure,
    ];

    /// The word of history, metrics and scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Voicemail => "voicemail",
            Self::Assistant => "assistant",
            Self::Unreachable => "unreachable",
            Self::InvalidNumber => "invalid_number",
            Self::Unsure => "unsure",
        }
    }

    /// The outcome of a call that no person answered; `None`: that is the dialog's to say.
    pub fn outcome(self) -> Option<&'static str> {
        match self {
            Self::Person | Self::Unsure => None,
            Self::Voicemail | Self::Assistant => Some(outcome::MACHINE),
            Self::Unreachable => Some(outcome::UNREACHABLE),
            Self::InvalidNumber => Some(outcome::INVALID_NUMBER),
        }
    }

    /// No person.
    pub fn is_machine(self) -> bool {
        self.outcome().is_some()
    }

    /// After the answer somebody has answered: who is busy or doesn't pick up has a machine that says so.
    fn announces(what: Announced) -> Self {
        match what {
            Announced::InvalidNumber => Self::InvalidNumber,
            Announced::Unreachable => Self::Unreachable,
            Announced::Assistant => Self::Assistant,
            Announced::Voicemail | Announced::Busy | Announced::NoAnswer | Announced::Perhaps => {
                Self::Voicemail
            }
        }
    }
}

/// By what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// What was said.
    Words,
    /// The rhythm of the voice.
    Cadence,
    /// A beep after a long speech.
    Tone,
    /// Asterisk's cause, before any answer.
    Cause,
}

impl By {
    /// The word of history and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Cadence => "cadence",
            Self::Tone => "tone",
            Self::Cause => "cause",
        }
    }
}

/// What a dialog wants done about machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMachine {
    /// The dialog is ended; it may leave a message first.
    #[default]
    HangUp,
    /// Nothing: the dialog goes on, and the history has the verdict.
    Continue,
}

/// A verdict. Later ones replace it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who it is.
    pub who: Who,
    /// By what.
    pub by: By,
    /// After so many milliseconds from the answer.
    pub after_ms: u64,
    /// The phrase that told it.
    pub phrase: Option<String>,
}

impl Verdict {
    /// The history's line.
    pub fn told(&self) -> Fields {
        fields!({
            "event": "verdict", "who": self.who.as_str(), "by": self.by.as_str(),
            "after_ms": self.after_ms, "phrase": self.phrase,
        })
    }
}

/// What the decider tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Who answered; the last one holds.
    Verdict(Verdict),
    /// The wait for a machine's tone is over.
    Awaited(Awaited),
}

/// Decides for one call. Times are the call's own milliseconds.
#[derive(Clone, Debug)]
pub struct Decider {
    answered_ms: u64,
    words: Words,
    cadence: Cadence,
    beep: Beep,
    verdict: Option<Verdict>,
    /// The rhythm has been long at least once.
    long_since_ms: Option<u64>,
    waits: bool,
    told: VecDeque<Told>,
}

impl Decider {
    /// For a call that was answered then; `answers` hold what machines say.
    pub fn new(answers: Arc<Answers>, answered_ms: u64) -> Self {
        Self {
            answered_ms,
            words: Words::new(answers),
            cadence: Cadence::default(),
            beep: Beep::default(),
            verdict: None,
            long_since_ms: None,
            waits: false,
            told: VecDeque::new(),
        }
    }

    /// The next thing to be known.
    pub fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Who it is, as far as is known.
    pub fn who(&self) -> Who {
        self.verdict.as_ref().map_or(Who::Unsure, |v| v.who)
    }

    /// The voice began.
    pub fn voice_started(&mut self, at_ms: u64, now_ms: u64) {
        self.cadence.voice_started(at_ms);
        self.clock(now_ms);
    }

    /// The voice ended.
    pub fn voice_ended(&mut self, at_ms: u64, now_ms: u64) {
        self.cadence.voice_ended(at_ms);
        self.clock(now_ms);
    }

    /// A text so far, or a last one.
    pub fn text(&mut self, text: &str, is_final: bool, now_ms: u64) {
        self.words.text(text, is_final, now_ms);
        self.clock(now_ms);
    }

    /// A tone was heard to its end.
    pub fn tone(&mut self, tone: Tone, now_ms: u64) {
        self.clock(now_ms);
        let greeted = self.cadence.silent_since_ms();
        self.cadence.tone(tone.from_ms);
        self.beep.heard(tone);
        let follows = greeted
            .or(self.cadence.silent_since_ms())
            .is_some_and(|end| tone.from_ms <= end + BEEP_FOLLOWS_MS);
        if self.who() == Who::Unsure
            && self.long_since_ms.is_some()
            && follows
            && beep::is_beep(tone)
        {
            self.decide(Who::Voicemail, By::Tone, None, now_ms);
        }
        self.clock(now_ms);
    }

    /// A message is to be left, if this machine takes one.
    pub fn await_tone(&mut self, now_ms: u64) {
        self.beep.wait(now_ms);
        self.waits = true;
        self.clock(now_ms);
    }

    /// Nothing but time.
    pub fn clock(&mut self, now_ms: u64) {
        if self.is_open(now_ms) {
            self.judge(now_ms);
        }
        if self.waits
            && let Some(awaited) = self.beep.over(self.who(), &self.cadence, now_ms)
        {
            self.waits = false;
            self.told.push_back(Told::Awaited(awaited));
        }
    }

    /// When to come back with [`Self::clock`], if nothing else happens.
    pub fn wait_until(&self, now_ms: u64) -> Option<u64> {
        let judging = self.is_open(now_ms).then(|| {
            let silence = self
                .verdict
                .is_none()
                .then_some(self.answered_ms + NO_VOICE_MS);
            [self.cadence.next_ms(), self.words.next_ms(), silence]
        });
        let waiting = self
            .waits
            .then(|| self.beep.next_ms(&self.cadence, now_ms))
            .flatten();
        judging
            .into_iter()
            .flatten()
            .chain([waiting])
            .flatten()
            .filter(|at_ms| *at_ms > now_ms)
            .min()
    }

    /// Verdicts are still made, or a machine's kind may still change.
    fn is_open(&self, now_ms: u64) -> bool {
        self.waits || now_ms < self.answered_ms + DECIDES_FOR_MS
    }

    fn judge(&mut self, now_ms: u64) {
        let rhythm = self.cadence.tells(now_ms);
        if rhythm == Some(Rhythm::Long) {
            self.long_since_ms.get_or_insert(now_ms);
        }
        let long = self.cadence.run_ms(now_ms) >= LONG_VOICE_MS;
        match self.words.tell(long, now_ms) {
            Some(Said::Announced(found)) => {
                let who = Who::announces(found.what);
                self.decide(who, By::Words, Some(found.phrase), now_ms);
            }
            Some(Said::PickedUp(words)) => {
                if !self.who().is_machine() {
                    self.decide(Who::Person, By::Words, Some(words), now_ms);
                }
            }
            None if self.who().is_machine() => {}
            None => match rhythm {
                Some(Rhythm::Person) if self.verdict.is_none() => {
                    self.decide(Who::Person, By::Cadence, None, now_ms);
                }
                Some(Rhythm::Long) if self.verdict.is_none() => {
                    self.decide(Who::Unsure, By::Cadence, None, now_ms);
                }
                None if self.verdict.is_none()
                    && self.cadence.next_ms().is_none()
                    && now_ms >= self.answered_ms + NO_VOICE_MS =>
                {
                    self.decide(Who::Unsure, By::Cadence, None, now_ms);
                }
                _ => {}
            },
        }
    }

    /// A machine stays one; it may turn out to take messages.
    fn decide(&mut self, who: Who, by: By, phrase: Option<String>, now_ms: u64) {
        let known = self.verdict.as_ref().map(|v| v.who);
        let stays = known == Some(who)
            || (known == Some(Who::Voicemail) || known == Some(Who::Assistant))
                && matches!(who, Who::Unreachable | Who::Assistant);
        if stays {
            return;
        }
        let verdict = Verdict {
            who,
            by,
            after_ms: now_ms.saturating_sub(self.answered_ms),
            phrase,
        };
        self.verdict = Some(verdict.clone());
        self.told.push_back(Told::Verdict(verdict));
    }
}

#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod tests;
