//! What follows an attempt: the end, or another attempt, and when. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::call::{Order, Summary, outcome};
use crate::store::{Admit, Past, Reason, Then, Verdict};

/// The rules of `calls:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Wait before another attempt.
    pub retry_after: SignedDuration,
}

impl Rules {
    /// From `calls.retry_after_ms`.
    pub fn new(retry_after_ms: u64) -> Self {
        let ms = i64::try_from(retry_after_ms).unwrap_or(i64::MAX);
        Self {
            retry_after: SignedDuration::from_millis(ms),
        }
    }

    /// What is to follow attempt number `attempt` of `order`.
    ///
    /// - `call_again(when)` of the dialog: another attempt then, even one more than `attempts` allows (the person asked
    ///   for it), but only one more in all.
    /// - The person wasn't reached ([`worth_another`]): another attempt after `retry_after`, while `attempts` allows.
    /// - No attempt is planned for `expires` or later: the order then ends with the outcome that it has.
    /// - All else is the end: the dialog's own words, `hung_up`, `no_reply`, faults.
    pub fn after(&self, order: &Order, attempt: u32, summary: &Summary, now: Timestamp) -> Then {
        let at = match summary.call_again {
            Some(when) if attempt <= order.attempts => Some(when.max(now)),
            Some(_) => None,
            None if worth_another(summary) && attempt < order.attempts => {
                now.checked_add(self.retry_after).ok()
            }
            None => None,
        };
        let reason = Reason::new(summary.outcome.as_str(), "");
        match at {
            Some(at) if order.expires.is_none_or(|end| at < end) => Then::Retry { at, reason },
            _ => Then::Finish,
        }
    }
}

impl Admit for Rules {
    fn judge(&self, _: &Order, _: &Past, _: Timestamp) -> Verdict {
        Verdict::Call
    }
}

/// Another attempt may reach the person: busy, no answer, out of reach, no room in the network, a machine; or the
/// runtime failed before anybody answered.
///
/// Not `rejected`: the person has pressed the key that says no. Not `invalid_number`: it stays so.
pub fn worth_another(summary: &Summary) -> bool {
    match summary.outcome.as_str() {
        outcome::BUSY
        | outcome::NO_ANSWER
        | outcome::UNREACHABLE
        | outcome::CONGESTION
        | outcome::MACHINE => true,
        outcome::RUNTIME_ERROR => !summary.answered,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::{CallId, Phone};

    const NOW: i64 = 1_780_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOW + seconds).unwrap()
    }

    struct Case {
        outcome: &'static str,
        answered: bool,
        attempt: u32,
        attempts: u32,
        call_again: Option<i64>,
        expires: Option<i64>,
    }

    fn check(case: Case, retry_at: Option<i64>) {
        let mut order = Order::simple(
            CallId::parse("a").unwrap(),
            Phone::parse("112").unwrap(),
            "d",
        );
        order.attempts = case.attempts;
        order.expires = case.expires.map(at);
        let summary = Summary {
            outcome: case.outcome.to_owned(),
            data: serde_json::Map::new(),
            answered: case.answered,
            cause: None,
            version: None,
            call_again: case.call_again.map(at),
            talk_ms: 0,
            recording: None,
        };
        let then = Rules::new(600_000).after(&order, case.attempt, &summary, at(0));
        let then = match then {
            Then::Retry { at, .. } => Some(at),
            _ => None,
        };
        assert_eq!(
            then,
            retry_at.map(at),
            "{} attempt {} of {}, call_again {:?}, expires {:?}",
            case.outcome,
            case.attempt,
            case.attempts,
            case.call_again,
            case.expires
        );
    }

    fn case(outcome: &'static str, attempt: u32, attempts: u32) -> Case {
        Case {
            outcome,
            answered: false,
            attempt,
            attempts,
            call_again: None,
            expires: None,
        }
    }

    #[test]
    fn who_was_not_reached_is_called_again() {
        for word in ["busy", "no_answer", "unreachable", "congestion", "machine"] {
            check(case(word, 1, 3), Some(600));
            check(case(word, 2, 3), Some(600));
            check(case(word, 3, 3), None);
            check(case(word, 1, 1), None);
        }
        for word in [
            "rejected",
            "invalid_number",
            "hung_up",
            "no_reply",
            "script_error",
            "do_not_call",
            "completed",
            "confirmed",
        ] {
            check(case(word, 1, 3), None);
        }
    }

    #[test]
    fn a_failure_of_ours_counts_as_not_reached_before_the_answer_only() {
        check(case("runtime_error", 1, 2), Some(600));
        let mut talked = case("runtime_error", 1, 2);
        talked.answered = true;
        check(talked, None);
    }

    #[test]
    fn the_dialog_may_ask_for_one_attempt_more() {
        let asked = |attempt, attempts, when| Case {
            answered: true,
            call_again: Some(when),
            ..case("later", attempt, attempts)
        };
        check(asked(1, 3, 7200), Some(7200));
        check(asked(1, 1, 7200), Some(7200));
        check(asked(2, 1, 7200), None);
        check(asked(4, 3, 7200), None);
        check(asked(1, 3, -50), Some(0));
    }

    #[test]
    fn nothing_is_planned_past_the_end() {
        for (expires, retry) in [(600, None), (601, Some(600)), (10, None), (-1, None)] {
            let mut ends = case("busy", 1, 3);
            ends.expires = Some(expires);
            check(ends, retry);
            let asked = Case {
                call_again: Some(600),
                expires: Some(expires),
                ..case("later", 1, 3)
            };
            check(asked, retry);
        }
    }
}
