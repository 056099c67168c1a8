//! The verdict on an order whose time has come: may it be called now? Pure: the store asks within its transaction.

use jiff::{SignedDuration, Timestamp};

use super::per_number::Window;
use super::rules::Rules;
use super::words;
use crate::call::{Order, outcome};
use crate::store::{Admit, Past, Reason, Verdict, Windows};

/// A limit that hangs on a call that goes on is looked at again after this.
const GOING_ON: SignedDuration = SignedDuration::from_secs(60);

impl Admit for Rules {
    fn windows(&self, order: &Order, now: Timestamp) -> Windows {
        let plan = self.plan(order);
        plan.set.limits.windows(&plan.zones, now)
    }

    fn judge(&self, order: &Order, past: &Past, now: Timestamp) -> Verdict {
        let (l, plan) = (self.language, self.plan(order));
        let never = || Verdict::Refuse {
            outcome: Some(outcome::OUT_OF_HOURS),
            reason: Reason::new("hours", words::never_opens(l, &plan.zones, plan.zone_known)),
        };
        if let Some(reached) = plan.set.limits.reached(past) {
            let counts = plan.set.limits.counts;
            let (until, rule, text) = if reached.by_going_on {
                let soon = now.saturating_add(GOING_ON).ok();
                (soon, "same_number", words::going_on(l))
            } else {
                let rule = match reached.window {
                    Window::Day => "per_day",
                    Window::Week => "per_week",
                    Window::Month => "per_month",
                };
                let end = reached.window.end(&plan.zones, now);
                (end, rule, words::limit(l, &reached, counts))
            };
            let Some(open) = until.and_then(|at| plan.opens(&self.days, at)) else {
                return never();
            };
            return Verdict::Wait {
                until: open,
                reason: Reason::new(rule, text),
                outcome: None,
            };
        }
        match plan.opens(&self.days, now) {
            Some(open) if open <= now => Verdict::Call,
            Some(open) => Verdict::Wait {
                until: open,
                reason: Reason::new(
                    "hours",
                    words::hours(l, now, open, &plan.zones, plan.zone_known),
                ),
                outcome: Some(outcome::OUT_OF_HOURS),
            },
            None => never(),
        }
    }
}
