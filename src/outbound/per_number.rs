//! Limits of calls to one number: a day, a week from Monday, a calendar month, by the callee's clock. Pure.
//!
//! All outgoing calls of this server to the number count, by whatever dialog: rather one call too few than one too many.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::config::Counts;
use crate::store::{Count, Past, Windows};

/// The limits; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// A day.
    pub day: Option<u32>,
    /// A week.
    pub week: Option<u32>,
    /// A month.
    pub month: Option<u32>,
    /// What counts.
    pub counts: Counts,
}

/// A window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// A day.
    Day,
    /// From Monday.
    Week,
    /// A calendar month.
    Month,
}

/// A limit that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// Which.
    pub window: Window,
    /// How many calls there were.
    pub had: u32,
    /// How many may be.
    pub most: u32,
    /// Calls that go on now would use it up; whether they will isn't known yet.
    pub by_going_on: bool,
}

impl Limits {
    /// The stricter of both, limit by limit. What counts is what the one that counts more counts.
    pub(super) fn stricter(self, other: Self) -> Self {
        let least = |a: Option<u32>, b: Option<u32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        Self {
            day: least(self.day, other.day),
            week: least(self.week, other.week),
            month: least(self.month, other.month),
            counts: self.counts.max(other.counts),
        }
    }

    fn each(&self) -> [(Window, Option<u32>); 3] {
        [
            (Window::Month, self.month),
            (Window::Week, self.week),
            (Window::Day, self.day),
        ]
    }

    /// Which windows are to be counted. Where the zone isn't known they begin with the first zone in which they do.
    pub(super) fn windows(&self, zones: &[TimeZone], now: Timestamp) -> Windows {
        let since = |window: Window, limit: Option<u32>| {
            limit?;
            zones
                .iter()
                .filter_map(|zone| start(window, zone, now))
                .min()
        };
        Windows {
            day: since(Window::Day, self.day),
            week: since(Window::Week, self.week),
            month: since(Window::Month, self.month),
        }
    }

    /// The limit that is used up; of several the one that lasts longest.
    pub(super) fn reached(&self, past: &Past) -> Option<Reached> {
        let check = |with_going_on: bool| {
            self.each().into_iter().find_map(|(window, limit)| {
                let most = limit?;
                let had = self.counted(of(past, window), with_going_on);
                (had >= most).then_some(Reached {
                    window,
                    had,
                    most,
                    by_going_on: with_going_on,
                })
            })
        };
        check(false).or_else(|| check(true))
    }

    fn counted(&self, count: Count, with_going_on: bool) -> u32 {
        let ended = match self.counts {
            Counts::Talks => count.talks,
            Counts::Answers => count.answers,
            Counts::Attempts => count.attempts,
        };
        // An attempt counts from its beginning, a talk when it has come about.
        if with_going_on || self.counts == Counts::Attempts {
            ended.saturating_add(count.going_on)
        } else {
            ended
        }
    }
}

fn of(past: &Past, window: Window) -> Count {
    match window {
        Window::Day => past.day,
        Window::Week => past.week,
        Window::Month => past.month,
    }
}

impl Window {
    /// When the next one begins, in the last of the zones.
    pub(super) fn end(self, zones: &[TimeZone], now: Timestamp) -> Option<Timestamp> {
        let next = |zone: &TimeZone| {
            let first = first_day(self, now.to_zoned(zone.clone()).date());
            let next = match self {
                Self::Day => first.checked_add(1.day()),
                Self::Week => first.checked_add(1.week()),
                Self::Month => first.checked_add(1.month()),
            };
            midnight(next.ok()?, zone)
        };
        zones.iter().filter_map(next).max()
    }
}

fn start(window: Window, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let today = now.to_zoned(zone.clone()).date();
    midnight(first_day(window, today), zone)
}

fn first_day(window: Window, date: Date) -> Date {
    match window {
        Window::Day => date,
        Window::Week => {
            let days = i64::from(date.weekday().to_monday_zero_offset());
            date.saturating_sub(days.days())
        }
        Window::Month => date.first_of_month(),
    }
}

fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let zoned = date.to_zoned(zone.clone()).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        crate::config::zone_named(name).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_are_those_of_the_callees_calendar() {
        let limits = Limits {
            day: Some(1),
            week: Some(2),
            month: Some(8),
            counts: Counts::Talks,
        };
        // Sunday evening in Moscow, Monday morning in Kamchatka.
        let now = at("2026-11-29T21:30:00Z");
        for (zones, day, week, month, ends) in [
            (
                &["Europe/Moscow"][..],
                "2026-11-29T21:00:00Z",
                "2026-11-29T21:00:00Z",
                "2026-10-31T21:00:00Z",
                [
                    "2026-11-30T21:00:00Z",
                    "2026-12-06T21:00:00Z",
                    "2026-11-30T21:00:00Z",
                ],
            ),
            (
                &["Asia/Kamchatka"],
                "2026-11-29T12:00:00Z",
                "2026-11-29T12:00:00Z",
                "2026-10-31T12:00:00Z",
                [
                    "2026-11-30T12:00:00Z",
                    "2026-12-06T12:00:00Z",
                    "2026-11-30T12:00:00Z",
                ],
            ),
            // Not known which: from the first one's beginning to the last one's end.
            (
                &["Europe/Kaliningrad", "Asia/Kamchatka"],
                "2026-11-28T22:00:00Z",
                "2026-11-22T22:00:00Z",
                "2026-10-31T12:00:00Z",
                [
                    "2026-11-30T12:00:00Z",
                    "2026-12-06T12:00:00Z",
                    "2026-11-30T22:00:00Z",
                ],
            ),
        ] {
            let zones: Vec<TimeZone> = zones.iter().map(|name| zone(name)).collect();
            let windows = limits.windows(&zones, now);
            let told = [windows.day, windows.week, windows.month].map(Option::unwrap);
            assert_eq!(told, [day, week, month].map(at), "{zones:?}");
            let got = [Window::Day, Window::Week, Window::Month]
                .map(|window| window.end(&zones, now).unwrap());
            assert_eq!(got, ends.map(at), "{zones:?}");
        }
        assert_eq!(
            Limits::default().windows(&[zone("Europe/Moscow")], now),
            Windows::default(),
            "what has no limit isn't counted"
        );
    }

    #[test]
    fn a_limit_is_reached_by_what_it_counts() {
        // A call more was answered by a machine than by a person.
        let count = |attempts, talks, going_on| Count {
            attempts,
            answers: attempts.min(talks + 1),
            talks,
            going_on,
        };
        let limits = |counts| Limits {
            day: Some(1),
            week: Some(2),
            month: None,
            counts,
        };
        let talks = limits(Counts::Talks);
        let answers = limits(Counts::Answers);
        let attempts = limits(Counts::Attempts);
        for (limits, day, week, expect) in [
            (talks, count(0, 0, 0), count(0, 0, 0), None),
            (talks, count(9, 0, 0), count(9, 1, 0), None),
            (
                talks,
                count(1, 1, 0),
                count(1, 1, 0),
                Some((Window::Day, 1, false)),
            ),
            (
                talks,
                count(0, 0, 0),
                count(2, 2, 0),
                Some((Window::Week, 2, false)),
            ),
            (
                talks,
                count(2, 2, 0),
                count(2, 2, 0),
                Some((Window::Week, 2, false)),
            ),
            (
                talks,
                count(0, 0, 1),
                count(0, 0, 1),
                Some((Window::Day, 1, true)),
            ),
            (
                answers,
                count(1, 0, 0),
                count(1, 0, 0),
                Some((Window::Day, 1, false)),
            ),
            (answers, count(0, 0, 0), count(1, 0, 0), None),
            (
                attempts,
                count(1, 0, 0),
                count(1, 0, 0),
                Some((Window::Day, 1, false)),
            ),
            (
                attempts,
                count(0, 0, 1),
                count(0, 0, 1),
                Some((Window::Day, 1, false)),
            ),
            (attempts, count(0, 0, 0), count(1, 0, 0), None),
        ] {
            let past = Past {
                day,
                week,
                month: Count::default(),
            };
            let reached = limits
                .reached(&past)
                .map(|r| (r.window, r.had, r.by_going_on));
            assert_eq!(reached, expect, "{limits:?} {past:?}");
        }
        let strict = talks.stricter(Limits {
            day: Some(5),
            month: Some(8),
            ..Limits::default()
        });
        assert_eq!(
            (strict.day, strict.week, strict.month),
            (Some(1), Some(2), Some(8))
        );
        assert_eq!(strict.counts, Counts::Talks);
        assert_eq!(strict.stricter(answers).counts, Counts::Answers);
        assert_eq!(answers.stricter(strict).counts, Counts::Answers);
        assert_eq!(strict.stricter(attempts).counts, Counts::Attempts);
    }
}
