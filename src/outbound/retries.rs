//! Another attempt by the outcome of the last one: after how long, how often. Pure.

use jiff::SignedDuration;

use crate::call::{Summary, outcome};
use crate::config::{self, Retry, SHORT};
use crate::store::Ended;

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// So many milliseconds later.
    Ms(i64),
    /// The callee's next day.
    NextDay,
}

/// What an outcome leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// No rule is for it: the end.
    End,
    /// Its rule was used up.
    Used {
        /// The rule's outcome.
        outcome: String,
        /// How often it could be.
        times: u32,
    },
    /// Another attempt.
    Again {
        /// The rule's outcome.
        outcome: String,
        /// When.
        after: After,
        /// Which one of the rule's it is; without a rule of its own there are as many as there are attempts.
        nth: Option<u32>,
        /// Of how many.
        times: Option<u32>,
    },
}

/// What `rules` make of an attempt that ended as `summary` tells, after those `before` it. Without rules: whoever wasn't
/// reached is called again after `retry_after`.
pub(super) fn next(
    rules: &[Retry],
    retry_after: SignedDuration,
    before: &[Ended],
    summary: &Summary,
) -> Next {
    let last = Ended {
        outcome: summary.outcome.clone(),
        answered: summary.answered,
        talk_ms: summary.talk_ms,
    };
    if rules.is_empty() {
        if !worth_another(&last) {
            return Next::End;
        }
        let ms = i64::try_from(retry_after.as_millis()).unwrap_or(i64::MAX);
        return Next::Again {
            outcome: last.outcome,
            after: After::Ms(ms),
            nth: None,
            times: None,
        };
    }
    let Some(rule) = rule_for(rules, &last) else {
        return Next::End;
    };
    let used = before
        .iter()
        .filter(|ended| rule_for(rules, ended) == Some(rule))
        .count();
    let used = u32::try_from(used).unwrap_or(u32::MAX);
    if used >= rule.times {
        return Next::Used {
            outcome: rule.outcome.clone(),
            times: rule.times,
        };
    }
    Next::Again {
        outcome: rule.outcome.clone(),
        after: match rule.after {
            config::After::Ms(ms) => After::Ms(i64::try_from(ms).unwrap_or(i64::MAX)),
            config::After::NextDay => After::NextDay,
        },
        nth: Some(used + 1),
        times: Some(rule.times),
    }
}

/// The rule of an attempt's end. A talk that was over too soon goes by `short` first, where there is one.
fn rule_for<'r>(rules: &'r [Retry], ended: &Ended) -> Option<&'r Retry> {
    let cut = matches!(ended.outcome.as_str(), outcome::HUNG_UP | outcome::NO_REPLY);
    let short = rules.iter().find(|rule| {
        rule.outcome == SHORT && cut && ended.answered && ended.talk_ms < rule.shorter_ms
    });
    short.or_else(|| {
        // A failure of ours in mid-talk isn't for the person to bear twice.
        let ours = ended.outcome == outcome::RUNTIME_ERROR && ended.answered;
        rules
            .iter()
            .find(|rule| rule.outcome == ended.outcome && !ours)
    })
}

/// Another attempt may reach the person: busy, no answer, out of reach, no room in the network, a machine; or the
/// runtime failed before anybody answered.
///
/// Not `rejected`: the person has pressed the key that says no. Not `invalid_number`: it stays so.
pub(super) fn worth_another(ended: &Ended) -> bool {
    match ended.outcome.as_str() {
        outcome::BUSY
        | outcome::NO_ANSWER
        | outcome::UNREACHABLE
        | outcome::CONGESTION
        | outcome::MACHINE => true,
        outcome::RUNTIME_ERROR => !ended.answered,
        _ => false,
    }
}
