//! What kind of day a date is for the rules: its weekday, a holiday, or a weekend's day that is worked.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::config::{Hours, Span};

/// The days of `rules.holidays` and `rules.workdays`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Days {
    holidays: BTreeSet<Date>,
    workdays: BTreeSet<Date>,
}

impl Days {
    /// From the settings.
    pub(super) fn new(holidays: BTreeSet<Date>, workdays: BTreeSet<Date>) -> Self {
        Self { holidays, workdays }
    }

    /// The calling hours of a date: a holiday's own or Sunday's; a worked weekend's are Friday's.
    pub(super) fn hours<'h>(&self, hours: &'h Hours, date: Date) -> &'h [Span] {
        const FRIDAY: usize = 4;
        if self.holidays.contains(&date) {
            return hours.holiday();
        }
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        if day > FRIDAY && self.workdays.contains(&date) {
            return hours.weekday(FRIDAY);
        }
        hours.weekday(day)
    }
}
