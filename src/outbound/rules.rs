//! The rules of calling: which set an order goes by, in which zones its hours are meant, and what follows an attempt. Pure:
//! time is an argument. The verdict before an attempt is in `admit`.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::days::Days;
use super::hours::Opening;
use super::per_number::Limits;
use super::preset_230fz;
use super::retries::{self, Next};
use super::words;
use super::zones::{self, Known};
use crate::call::{Order, Summary};
use crate::config::{Config, Hours, Language, MAX_ATTEMPTS, Preset, Retry, RuleSet, zone_named};
use crate::store::{Ended, Reason, Then, Wanted};

/// The rules of `rules:` and `calls:`.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) language: Language,
    /// Wait before another attempt, where a set has no rules by outcome.
    retry_after: SignedDuration,
    pub(super) days: Days,
    here: Vec<TimeZone>,
    unknown: Vec<TimeZone>,
    sets: Vec<Set>,
    /// For orders that no set is for: at any time.
    open: Set,
}

/// A set of rules, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Set {
    name: String,
    dialogs: Vec<String>,
    hours: Option<Hours>,
    law: Option<Hours>,
    pub(super) limits: Limits,
    attempts: Option<u32>,
    retries: Vec<Retry>,
}

impl Set {
    fn new(rules: &RuleSet) -> Self {
        let own = Limits {
            day: rules.per_day,
            week: rules.per_week,
            month: rules.per_month,
            counts: rules.counts,
        };
        let (law, limits) = match rules.preset {
            Preset::None => (None, own),
            Preset::Debt230Fz => (preset_230fz::hours(), own.stricter(preset_230fz::LIMITS)),
        };
        Self {
            name: rules.name.clone(),
            dialogs: rules.dialogs.clone(),
            hours: rules.hours.clone(),
            law,
            limits,
            attempts: rules.attempts,
            retries: rules.retries.clone(),
        }
    }

    /// Most attempts of `order`.
    fn attempts(&self, order: &Order) -> u32 {
        if order.attempts > 0 {
            return order.attempts;
        }
        let by_retries = self.retries.iter().map(|retry| retry.times).sum::<u32>();
        self.attempts
            .unwrap_or(by_retries.saturating_add(1).min(MAX_ATTEMPTS))
    }
}

/// An order's rules: its set, its hours, and where they are meant.
pub(super) struct Plan<'a> {
    pub(super) set: &'a Set,
    own: Option<Hours>,
    pub(super) zones: Vec<TimeZone>,
    /// The zones are all those that it may be in.
    pub(super) zone_known: bool,
}

impl Plan<'_> {
    /// The first moment at or after `at` at which it may be called, by its hours.
    pub(super) fn opens(&self, days: &Days, at: Timestamp) -> Option<Timestamp> {
        // The order's own hours stand for the set's; a law holds besides.
        let hours = self.own.as_ref().or(self.set.hours.as_ref());
        let hours: Vec<&Hours> = hours.into_iter().chain(&self.set.law).collect();
        let opening = Opening {
            hours: &hours,
            zones: &self.zones,
            days,
        };
        opening.next(at)
    }
}

impl Rules {
    /// No hours, no limits: another attempt so many milliseconds after one that didn't reach the person.
    pub fn new(retry_after_ms: u64) -> Self {
        let mut config = Config::default();
        config.calls.retry_after_ms = retry_after_ms;
        Self::from_config(&config, TimeZone::UTC)
    }

    /// Those of the settings; `server` is the zone of local numbers where the settings name none.
    pub fn from_config(config: &Config, server: TimeZone) -> Self {
        let rules = &config.rules;
        let ms = i64::try_from(config.calls.retry_after_ms).unwrap_or(i64::MAX);
        let named = |names: &[String]| -> Vec<TimeZone> {
            let zones = names.iter().filter_map(|name| zone_named(name).ok());
            zones.collect()
        };
        Self {
            language: config.language,
            retry_after: SignedDuration::from_millis(ms),
            days: Days::new(rules.holidays.clone(), rules.workdays.clone()),
            here: vec![zone_named(&rules.zone).unwrap_or(server)],
            unknown: named(&rules.unknown_zones),
            sets: rules.sets.iter().map(Set::new).collect(),
            open: Set::new(&RuleSet::open("")),
        }
    }

    /// Names of the sets, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sets.iter().map(|set| set.name.as_str())
    }

    /// The set of an order: the one that it names, its dialog's, the first that is for all dialogs.
    fn set(&self, order: &Order) -> &Set {
        let named = order
            .rules
            .as_ref()
            .and_then(|name| self.sets.iter().find(|set| set.name == *name));
        named
            .or_else(|| {
                self.sets
                    .iter()
                    .find(|set| set.dialogs.contains(&order.dialog))
            })
            .or_else(|| self.sets.iter().find(|set| set.dialogs.is_empty()))
            .unwrap_or(&self.open)
    }

    pub(super) fn plan(&self, order: &Order) -> Plan<'_> {
        let told = order.zone.as_ref().and_then(|name| zone_named(name).ok());
        let (zones, zone_known) = match (told, zones::of(&order.phone)) {
            (Some(zone), _) => (vec![zone], true),
            (None, Known::Here) => (self.here.clone(), true),
            (None, Known::Zones(names)) => {
                let zones = names.iter().filter_map(|name| zone_named(name).ok());
                (zones.collect(), true)
            }
            (None, Known::No) => (self.unknown.clone(), false),
        };
        Plan {
            set: self.set(order),
            own: order
                .hours
                .as_ref()
                .and_then(|text| Hours::parse(text).ok()),
            zones,
            zone_known,
        }
    }

    /// Whether there is any time at which `order` may be called, within `hours::HORIZON`.
    pub fn ever_opens(&self, order: &Order, now: Timestamp) -> bool {
        let from = order.not_before.map_or(now, |at| at.max(now));
        self.plan(order).opens(&self.days, from).is_some()
    }

    /// What is to follow attempt number `attempt` of `order`; `before` are those before it.
    ///
    /// - `call_again(when)` of the dialog: another attempt then, even one more than `attempts` allows (the person asked
    ///   for it), but only one more in all.
    /// - Where the set has rules by outcome: as they say, each as often as it says (`retries`).
    /// - Else, where the person wasn't reached (`retries::worth_another`): another attempt after `retry_after`.
    /// - Not more than `attempts` in all. Not outside calling hours: the attempt then is due when they begin.
    /// - No attempt is planned for `expires` or later: the order then ends with the outcome that it has.
    /// - Whoever asked not to be called isn't.
    pub fn after(
        &self,
        order: &Order,
        attempt: u32,
        before: &[Ended],
        summary: &Summary,
        now: Timestamp,
    ) -> Then {
        let l = self.language;
        if summary.do_not_call.is_some() {
            return Then::Finish;
        }
        let plan = self.plan(order);
        let most = plan.set.attempts(order);
        let (at, mut reason) = if let Some(when) = summary.call_again {
            if attempt > most {
                return give_up("attempts", words::attempts_used(l, attempt, most));
            }
            let reason = Reason::new("call_again", words::call_again(l));
            (when.max(now), reason)
        } else {
            match retries::next(&plan.set.retries, self.retry_after, before, summary) {
                Next::End => return Then::Finish,
                Next::Used { outcome, times } => {
                    let text = words::retries_used(l, &outcome, times);
                    return give_up(&outcome, text);
                }
                Next::Again { outcome, .. } if attempt >= most => {
                    let text = words::attempts_used(l, attempt, most);
                    return give_up("attempts", format!("{outcome}: {text}"));
                }
                Next::Again {
                    outcome,
                    after,
                    nth,
                    times,
                } => {
                    let at = self.due(&plan, after, now);
                    let text = words::retry(l, &outcome, after, nth.zip(times));
                    (at, Reason::new(outcome, text))
                }
            }
        };
        let Some(open) = plan.opens(&self.days, at) else {
            return give_up("hours", words::never_opens(l, &plan.zones, plan.zone_known));
        };
        let mut wanted = None;
        if open > at {
            wanted = Some(Wanted {
                at,
                text: reason.text.clone(),
            });
            reason.text = format!(
                "{}; {}",
                reason.text,
                words::not_before(l, open, &plan.zones)
            );
        }
        match order.expires {
            Some(end) if open >= end => give_up("expires", words::expires(l, &reason.text)),
            _ => Then::Retry {
                at: open,
                reason,
                wanted,
            },
        }
    }

    fn due(&self, plan: &Plan<'_>, after: retries::After, now: Timestamp) -> Timestamp {
        match after {
            retries::After::Ms(ms) => now
                .saturating_add(SignedDuration::from_millis(ms))
                .unwrap_or(now),
            retries::After::NextDay => {
                let has_hours =
                    plan.own.is_some() || plan.set.hours.is_some() || plan.set.law.is_some();
                let day = SignedDuration::from_hours(24);
                let next = super::per_number::Window::Day.end(&plan.zones, now);
                match next.filter(|_| has_hours) {
                    Some(midnight) => midnight,
                    None => now.saturating_add(day).unwrap_or(now),
                }
            }
        }
    }
}

fn give_up(rule: &str, text: String) -> Then {
    Then::GiveUp {
        reason: Reason::new(rule, text),
    }
}
