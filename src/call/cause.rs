//! From what Asterisk says of a call that nobody answered to the outcome that 1C learns.
//!
//! DialEnd's `DialStatus`, Hangup's `Cause` (Q.850 numbers, as Asterisk's `causes.h` has them) and OriginateResponse's
//! `Reason` each tell a part, and come in any order. Only the reason tells that it rang too long; busy and congestion of
//! a Local channel stand in the status alone; an unallocated number in the cause alone.

use super::summary::outcome;
use crate::phrases::Announced;

/// What is known of an attempt that wasn't answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unanswered {
    /// DialEnd's `DialStatus`.
    pub dial_status: Option<String>,
    /// Hangup's `Cause`.
    pub cause: Option<u32>,
    /// OriginateResponse's `Reason`: 3 = it rang longer than it may.
    pub reason: Option<u16>,
    /// The far end rang (Newstate Ringing, or DialState RINGING).
    pub rang: bool,
    /// We gave up ringing, or 1C cancelled: we hung up.
    pub we_hung_up: bool,
    /// What the operator announced in early media.
    pub announced: Option<Announced>,
}

impl Unanswered {
    /// All three have told their part: nothing more is to be waited for.
    pub fn is_whole(&self) -> bool {
        self.dial_status.is_some() && self.cause.is_some() && self.reason.is_some()
    }

    /// The outcome: what Asterisk says, but for what the operator announced; a switch tells one number for many reasons.
    pub fn outcome(&self) -> &'static str {
        let known = self.outcome_by_cause();
        self.outcome_by_words()
            .filter(|_| known != outcome::BUSY && known != outcome::REJECTED)
            .unwrap_or(known)
    }

    /// What the announcement alone says.
    pub fn outcome_by_words(&self) -> Option<&'static str> {
        match self.announced? {
            Announced::InvalidNumber => Some(outcome::INVALID_NUMBER),
            // A mailbox or an assistant that has not answered: the person isn't to be had.
            Announced::Unreachable | Announced::Voicemail | Announced::Assistant => {
                Some(outcome::UNREACHABLE)
            }
            Announced::Busy => Some(outcome::BUSY),
            Announced::NoAnswer => Some(outcome::NO_ANSWER),
            Announced::Perhaps => None,
        }
    }

    fn outcome_by_cause(&self) -> &'static str {
        if self.we_hung_up || self.reason == Some(3) {
            return outcome::NO_ANSWER;
        }
        let by_status = match self.dial_status.as_deref() {
            Some("BUSY") => Some(outcome::BUSY),
            Some("CONGESTION") => Some(outcome::CONGESTION),
            _ => None,
        };
        let by_cause = match self.cause {
            // Unallocated number; invalid number format.
            Some(1 | 28) => Some(outcome::INVALID_NUMBER),
            Some(17) => Some(outcome::BUSY),
            // Call rejected.
            Some(21) => Some(outcome::REJECTED),
            // No route to network or destination, subscriber absent, destination out of order, no user responding.
            Some(2 | 3 | 18 | 20 | 27) => Some(outcome::UNREACHABLE),
            // No answer: it rang out. Without a ring the far end's switch answered for it ("temporarily unavailable").
            Some(19) => Some(if self.rang || self.dial_status.is_none() {
                outcome::NO_ANSWER
            } else {
                outcome::UNREACHABLE
            }),
            // No circuit, network out of order, temporary failure, switch congestion, channel or resource unavailable.
            Some(34 | 38 | 41 | 42 | 44 | 47 | 58) => Some(outcome::CONGESTION),
            _ => None,
        };
        // A cause that says something definite is finer than the status (404 comes as NOANSWER with cause 1).
        by_cause
            .or(by_status)
            .unwrap_or(match self.dial_status.as_deref() {
                Some("CHANUNAVAIL") => outcome::UNREACHABLE,
                _ => outcome::NO_ANSWER,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_table() {
        // (DialStatus, cause, reason, rang, outcome): far ends over real SIP and Local channels on 16.28 and 22.10.1.
        let table = [
            (Some("BUSY"), Some(17), Some(0), true, outcome::BUSY),
            (Some("BUSY"), Some(0), Some(5), false, outcome::BUSY),
            (None, Some(17), None, true, outcome::BUSY),
            (None, Some(19), Some(3), true, outcome::NO_ANSWER),
            (None, Some(0), Some(3), true, outcome::NO_ANSWER),
            (
                Some("CONGESTION"),
                Some(34),
                Some(0),
                false,
                outcome::CONGESTION,
            ),
            (
                Some("CONGESTION"),
                Some(0),
                Some(8),
                false,
                outcome::CONGESTION,
            ),
            (
                Some("NOANSWER"),
                Some(1),
                Some(0),
                false,
                outcome::INVALID_NUMBER,
            ),
            (
                Some("NOANSWER"),
                Some(19),
                Some(0),
                false,
                outcome::UNREACHABLE,
            ),
            (
                Some("CHANUNAVAIL"),
                Some(20),
                Some(0),
                false,
                outcome::UNREACHABLE,
            ),
            (Some("NOANSWER"), Some(19), None, true, outcome::NO_ANSWER),
            (Some("NOANSWER"), Some(21), Some(0), true, outcome::REJECTED),
            (Some("CHANUNAVAIL"), None, None, false, outcome::UNREACHABLE),
            (None, None, None, false, outcome::NO_ANSWER),
        ];
        for (status, cause, reason, rang, expect) in table {
            let seen = Unanswered {
                dial_status: status.map(str::to_owned),
                cause,
                reason,
                rang,
                we_hung_up: false,
                announced: None,
            };
            assert_eq!(seen.outcome(), expect, "{seen:?}");
            let parts = [status.is_some(), cause.is_some(), reason.is_some()];
            assert_eq!(seen.is_whole(), parts == [true; 3], "{seen:?}");
        }
    }

    #[test]
    fn the_operators_words_say_more_than_a_number() {
        use Announced::*;
        // (announced, DialStatus, cause, reason, outcome)
        let table = [
            (
                Unreachable,
                Some("NOANSWER"),
                Some(19),
                Some(0),
                outcome::UNREACHABLE,
            ),
            (
                InvalidNumber,
                Some("CHANUNAVAIL"),
                Some(20),
                Some(0),
                outcome::INVALID_NUMBER,
            ),
            (
                Unreachable,
                Some("NOANSWER"),
                Some(1),
                Some(0),
                outcome::UNREACHABLE,
            ),
            (Unreachable, None, Some(0), Some(3), outcome::UNREACHABLE),
            (
                NoAnswer,
                Some("CHANUNAVAIL"),
                Some(20),
                Some(0),
                outcome::NO_ANSWER,
            ),
            (Busy, Some("CHANUNAVAIL"), Some(20), Some(0), outcome::BUSY),
            (
                Voicemail,
                Some("NOANSWER"),
                Some(19),
                Some(0),
                outcome::UNREACHABLE,
            ),
            (Unreachable, Some("BUSY"), Some(17), Some(0), outcome::BUSY),
            (
                Unreachable,
                Some("NOANSWER"),
                Some(21),
                Some(0),
                outcome::REJECTED,
            ),
            (
                Perhaps,
                Some("NOANSWER"),
                Some(1),
                Some(0),
                outcome::INVALID_NUMBER,
            ),
        ];
        for (announced, status, cause, reason, expect) in table {
            let seen = Unanswered {
                dial_status: status.map(str::to_owned),
                cause,
                reason,
                rang: true,
                we_hung_up: false,
                announced: Some(announced),
            };
            assert_eq!(seen.outcome(), expect, "{seen:?}");
        }
    }
}
