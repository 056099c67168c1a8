//! Who may be called now: the question that the store puts, within its own transaction, of each order whose time has come.
//!
//! The store knows the number's past and nothing of rules; whoever answers ([`Admit`]) knows the rules and no store.

use std::sync::Arc;

use jiff::Timestamp;

use crate::call::Order;

/// Judges orders before they are dialed. Pure and quick: it runs in the one thread that writes.
pub trait Admit: Send + Sync {
    /// Which of the number's past is wanted for the verdict.
    fn windows(&self, order: &Order, now: Timestamp) -> Windows {
        let _ = (order, now);
        Windows::default()
    }

    /// Whether `order` may be dialed at `now`.
    fn judge(&self, order: &Order, past: &Past, now: Timestamp) -> Verdict;
}

/// Lets everybody through whom the do-not-call list doesn't hold.
#[derive(Clone, Copy, Debug)]
pub struct Everybody;

impl Admit for Everybody {
    fn judge(&self, _: &Order, _: &Past, _: Timestamp) -> Verdict {
        Verdict::Call
    }
}

/// [`Everybody`], as the store takes it.
pub fn everybody() -> Arc<dyn Admit> {
    Arc::new(Everybody)
}

/// Since when calls are counted; what is `None` isn't counted, and costs no look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// Since the beginning of the callee's day.
    pub day: Option<Timestamp>,
    /// Since the beginning of his week.
    pub week: Option<Timestamp>,
    /// Since the beginning of his month.
    pub month: Option<Timestamp>,
}

/// What the store knows of the number, in the windows that were asked for. Every outgoing call of this server counts,
/// whatever dialog it was by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Today.
    pub day: Count,
    /// This week.
    pub week: Count,
    /// This month.
    pub month: Count,
}

/// Calls of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Attempts that have ended.
    pub attempts: u32,
    /// Those of them that were answered, by whomever.
    pub answers: u32,
    /// Those of these that weren't answered by a machine or an announcement.
    pub talks: u32,
    /// Attempts that go on: nobody knows yet what comes of them.
    pub going_on: u32,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be dialed.
    Call,
    /// Not now.
    Wait {
        /// Not before; it isn't judged again until then.
        until: Timestamp,
        /// Which rule says so.
        reason: Reason,
        /// Its outcome where `expires` comes while it waits for this and no attempt has left another.
        outcome: Option<&'static str>,
    },
    /// Never: it is finished.
    Refuse {
        /// Its outcome; `None`: that of its last attempt.
        outcome: Option<&'static str>,
        /// Which rule says so.
        reason: Reason,
    },
}

/// A rule that delayed or refused something: its name for programs, its words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule's name: `hours`, `limit_day`, `busy`, ...
    pub rule: String,
    /// What it said, in the configured language.
    pub text: String,
}

impl Reason {
    /// A rule and its words.
    pub fn new(rule: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            text: text.into(),
        }
    }
}
