//! A window of days in a query: `from` and `to` as dates, both of them in it, in the server's time zone.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::refusal::Refusal;

/// The window where the query doesn't say: so many days, today the last.
const USUAL_DAYS: i64 = 30;
/// Longest window: ten years.
const MAX_DAYS: i64 = 3_660;

/// Days, both in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Date,
    pub(super) to: Date,
}

/// The form of a date.
pub(super) fn day() -> Value {
    json!({ "type": "string", "format": "date", "examples": ["2026-11-29"] })
}

/// A date of a query.
pub(super) fn date(name: &str, value: &str) -> Result<Date, Refusal> {
    value.parse::<Date>().map_err(|_| {
        Refusal::field(
            "bad_date",
            name,
            format!("нужна дата вида 2026-11-29, а здесь {}", short(value)),
            format!("a date such as 2026-11-29 is wanted, not {}", short(value)),
        )
    })
}

fn short(value: &str) -> String {
    format!("{:?}", value.chars().take(40).collect::<String>())
}

impl Window {
    /// From what the query has of it.
    pub(super) fn new(
        from: Option<Date>,
        to: Option<Date>,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Self, Refusal> {
        let to = to.unwrap_or_else(|| zone.to_datetime(now).date());
        let usual = to.saturating_sub((USUAL_DAYS - 1).days());
        let from = from.unwrap_or(usual);
        let days = from
            .until(to)
            .map_or(i64::MAX, |span| i64::from(span.get_days()));
        if days < 0 {
            return Err(Refusal::field(
                "out_of_range",
                "from",
                format!("начало ({from}) позже конца ({to})"),
                format!("the beginning ({from}) is after the end ({to})"),
            ));
        }
        if days > MAX_DAYS {
            return Err(Refusal::field(
                "out_of_range",
                "from",
                format!("не больше {MAX_DAYS} дней"),
                format!("at most {MAX_DAYS} days"),
            ));
        }
        Ok(Self { from, to })
    }

    /// The moments that it begins at and ends before.
    pub(super) fn moments(self, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let begins = |day: Date| day.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
        Some((begins(self.from)?, begins(self.to.tomorrow().ok()?)?))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz;

    use super::*;

    #[test]
    fn days_are_those_of_the_zone_and_both_are_in() {
        let zone = TimeZone::fixed(tz::offset(3));
        let now: Timestamp = "2026-11-29T22:30:00Z".parse().unwrap();
        let usual = Window::new(None, None, now, &zone).unwrap();
        assert_eq!(usual.to.to_string(), "2026-11-30");
        assert_eq!(usual.from.to_string(), "2026-11-01");
        let day = Some(date("from", "2026-11-29").unwrap());
        let one = Window::new(day, day, now, &zone).unwrap();
        let (from, to) = one.moments(&zone).unwrap();
        assert_eq!(from.to_string(), "2026-11-28T21:00:00Z");
        assert_eq!(to.to_string(), "2026-11-29T21:00:00Z");
        let late = Some(date("from", "2027-01-01").unwrap());
        assert_eq!(
            Window::new(late, None, now, &zone).unwrap_err().code,
            "out_of_range"
        );
        let old = Some(date("from", "0001-01-01").unwrap());
        assert_eq!(
            Window::new(old, None, now, &zone).unwrap_err().code,
            "out_of_range"
        );
        for wrong in ["29.11.2026", "", "2026-13-01", "вчера"] {
            assert_eq!(date("to", wrong).unwrap_err().code, "bad_date", "{wrong}");
        }
    }
}
