//! Whether it is time to call, and else when it will be. Pure: the moment is an argument.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::days::Days;
use crate::config::{Hours, Span};

/// An opening is looked for so far ahead; hours that open later than that never do.
pub(super) const HORIZON: SignedDuration = SignedDuration::from_hours(40 * 24);
/// Most days that are looked at for it.
const HORIZON_DAYS: usize = 42;

/// Calling hours that all have to be open, in zones that all have to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    /// The hours; none: always open.
    pub hours: &'a [&'a Hours],
    /// The zones in which they are meant.
    pub zones: &'a [TimeZone],
    /// Holidays.
    pub days: &'a Days,
}

impl Opening<'_> {
    /// The first moment at or after `at` that is open everywhere; `None`: there is none within [`HORIZON`].
    pub(super) fn next(&self, at: Timestamp) -> Option<Timestamp> {
        let end = at.saturating_add(HORIZON).unwrap_or(at);
        let mut moment = at;
        loop {
            let before = moment;
            for zone in self.zones {
                for &hours in self.hours {
                    moment = self.open_from(hours, zone, moment)?;
                }
            }
            // Nobody has moved it: it is open for all. Else it came later, so the loop has an end.
            if moment == before {
                return Some(moment);
            }
            if moment > end {
                return None;
            }
        }
    }

    /// The first moment at or after `at` of one zone's hours.
    fn open_from(&self, hours: &Hours, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        let today = at.to_zoned(zone.clone()).date();
        today
            .series(1.day())
            .take(HORIZON_DAYS)
            .flat_map(|date| {
                let spans = self.days.hours(hours, date).iter();
                spans.filter_map(move |span| bounds(date, *span, zone))
            })
            .find(|(_, to)| at < *to)
            .map(|(from, _)| from.max(at))
    }
}

/// A span of a date as moments. Where clocks are changed, a missing time is the one after the gap.
fn bounds(date: Date, span: Span, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let moment = |minutes: u16| {
        let midnight = date.at(0, 0, 0, 0);
        let local = midnight.checked_add(i64::from(minutes).minutes()).ok()?;
        Some(local.to_zoned(zone.clone()).ok()?.timestamp())
    };
    Some((moment(span.from)?, moment(span.to)?))
}
