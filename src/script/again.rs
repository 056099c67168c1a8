//! When `call_again` asks for: seconds from now, a time of day, or a date with a time.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Farthest time that may be asked for, days.
pub(super) const MAX_DAYS: i64 = 60;

/// `seconds` from `now`; `None` where that is in the past or too far.
pub(super) fn after(now: Timestamp, seconds: f64) -> Option<Timestamp> {
    if !(0.0..=(MAX_DAYS * 86_400) as f64).contains(&seconds) {
        return None;
    }
    now.checked_add(SignedDuration::from_secs_f64(seconds)).ok()
}

/// A time as analysts write it: `18:30` (the next one), `2026-11-25 18:30`, `25.11.2026 18:30`, or with a zone
/// (`2026-11-25T18:30:00+03:00`). `None` where it can't be read, is past or too far.
pub(super) fn at(now: Timestamp, zone: &TimeZone, text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let when = if let Ok(when) = text.parse::<Timestamp>() {
        when
    } else if let Some(time) = time_of_day(text) {
        let today = now.to_zoned(zone.clone());
        let mut when = today.date().to_datetime(time).to_zoned(zone.clone()).ok()?;
        if when.timestamp() <= now {
            when = when.checked_add(1.day()).ok()?;
        }
        when.timestamp()
    } else {
        let civil = DateTime::strptime("%d.%m.%Y %H:%M", text)
            .or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M", text))
            .or_else(|_| text.parse::<DateTime>())
            .ok()?;
        civil.to_zoned(zone.clone()).ok()?.timestamp()
    };
    let ahead = when.duration_since(now);
    (ahead >= SignedDuration::ZERO && ahead <= SignedDuration::from_hours(MAX_DAYS * 24))
        .then_some(when)
}

fn time_of_day(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |t: &str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let zone = TimeZone::fixed(jiff::tz::offset(3));
        let now: Timestamp = "2026-11-24T12:00:00+03:00".parse().unwrap();
        for (text, want) in [
            ("18:30", Some("2026-11-24T18:30:00+03:00")),
            ("9:05", Some("2026-11-25T09:05:00+03:00")),
            ("2026-11-25 18:30", Some("2026-11-25T18:30:00+03:00")),
            ("25.11.2026 18:30", Some("2026-11-25T18:30:00+03:00")),
            ("2026-11-25T18:30:00", Some("2026-11-25T18:30:00+03:00")),
            ("2026-11-25T18:30:00Z", Some("2026-11-25T18:30:00Z")),
            ("2026-11-23 18:30", None),
            ("2028-11-23 18:30", None),
            ("25:00", None),
            ("завтра", None),
            ("", None),
        ] {
            let want = want.map(|w| w.parse::<Timestamp>().unwrap());
            assert_eq!(at(now, &zone, text), want, "{text}");
        }
        assert_eq!(
            after(now, 90.0).unwrap().duration_since(now),
            SignedDuration::from_secs(90)
        );
        for bad in [-1.0, f64::NAN, 1e12] {
            assert_eq!(after(now, bad), None);
        }
    }
}
