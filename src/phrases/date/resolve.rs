//! From a day that was named to the date that is meant: always one not before today, and unsure where two would do.

use jiff::Span as Stretch;
use jiff::civil::{Date, Weekday};

/// Farthest distance that is counted, days.
pub(super) const MAX_DAYS: i64 = 3_660;
/// A day of a named month that is past by so many days may be the one that is meant.
const JUST_PAST_DAYS: i64 = 60;

/// The dates that may be meant, likeliest first; one where it is sure.
pub(super) type Dates = Vec<Date>;

/// `today` and so many days; `None` where that is too far.
pub(super) fn days(today: Date, days: i64) -> Option<Date> {
    if days.abs() > MAX_DAYS {
        return None;
    }
    today.checked_add(Stretch::new().days(days)).ok()
}

/// `today` and so many months; the month's last day where it is shorter.
pub(super) fn months(today: Date, months: i64) -> Option<Date> {
    if months.abs() > 120 {
        return None;
    }
    today.checked_add(Stretch::new().months(months)).ok()
}

/// So many working days (Monday to Friday) after `today`.
pub(super) fn working_days(today: Date, count: i64) -> Option<Date> {
    if !(0..=60).contains(&count) {
        return None;
    }
    let mut day = today;
    let mut left = count;
    while left > 0 {
        day = days(day, 1)?;
        if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            left -= 1;
        }
    }
    Some(day)
}

/// Monday of the week that is so many weeks ahead.
pub(super) fn monday(today: Date, weeks: i64) -> Option<Date> {
    days(
        today,
        7 * weeks - i64::from(today.weekday().to_monday_zero_offset()),
    )
}

/// Which of the days of a name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// "в пятницу"
    Bare,
    /// "в эту пятницу"
    This,
    /// "в ближайшую пятницу"
    Nearest,
    /// "в следующую пятницу", or a week that is named: so many weeks ahead.
    Week(i64),
}

/// A day of the week, 1 = Monday.
pub(super) fn weekday(today: Date, day: i8, which: Which) -> Dates {
    let now = today.weekday().to_monday_one_offset();
    let ahead = i64::from((day - now).rem_euclid(7));
    let of_week = |weeks| monday(today, weeks).and_then(|m| days(m, i64::from(day) - 1));
    let found = match which {
        Which::Bare if ahead == 0 => vec![days(today, 7), Some(today)],
        Which::Bare => vec![days(today, ahead)],
        Which::Nearest => vec![days(today, ahead)],
        Which::This if day < now => vec![days(today, ahead), of_week(0)],
        Which::This => vec![of_week(0)],
        Which::Week(weeks) => vec![of_week(weeks)],
    };
    found.into_iter().flatten().collect()
}

/// A day of a month without its month: the next such day.
pub(super) fn day_only(today: Date, day: i8) -> Dates {
    let mut first = today.first_of_month();
    for _ in 0..12 {
        if let Ok(date) = Date::new(first.year(), first.month(), day)
            && date >= today
        {
            return vec![date];
        }
        match months(first, 1) {
            Some(next) => first = next,
            None => break,
        }
    }
    Vec::new()
}

/// A day and its month, in the year that is named or the next in which it isn't past. None where there is no such day.
pub(super) fn day_of_month(today: Date, day: i8, month: i8, year: Option<i16>) -> Dates {
    if let Some(year) = year {
        return Date::new(year, month, day).ok().into_iter().collect();
    }
    // 29 February comes every fourth year, or eighth.
    for year in today.year()..=today.year().saturating_add(8) {
        let Ok(date) = Date::new(year, month, day) else {
            continue;
        };
        if date >= today {
            let past = Date::new(year - 1, month, day).ok();
            let just_past =
                past.filter(|past| days(*past, JUST_PAST_DAYS).is_some_and(|end| end >= today));
            return std::iter::once(date).chain(just_past).collect();
        }
    }
    Vec::new()
}

/// First and last day of a month, the next that isn't over.
pub(super) fn month(today: Date, month: i8, year: Option<i16>) -> Option<(Date, Date)> {
    let this = if month >= today.month() {
        today.year()
    } else {
        today.year() + 1
    };
    let first = Date::new(year.unwrap_or(this), month, 1).ok()?;
    Some((first, first.last_of_month()))
}
