//! Calls about overdue debts: federal law 230-FZ of 3 July 2016, article 7, as changed by 467-FZ of 4 August 2023 (in force
//! since 1 February 2024), which names programs that talk ("automated intelligent agents") and holds them to the same
//! counts as people.
//!
//! Not to be called on working days from 22 to 8, on weekends and holidays from 20 to 9 by the debtor's local time; not
//! more than once a day, twice a week, eight times a month. Answers are counted, by calendar windows of the debtor's clock.
//!
//! Does a machine's answer count? The retellings speak of telephone talks, and don't say whether a talk with an answering
//! machine is one; a message left on it is at least a "voice message", which the same article bounds too (twice a day, four
//! times a week, sixteen times a month). So what any answers is counted as a talk here, by the stricter numbers: the preset
//! may call too seldom, not too often. A set with the preset can't count less (`Limits::stricter`); attempts it may.
//!
//! It is no advice at law: whoever calls has it checked. What the law asks besides (consent, who may not be called at all, what
//! is said first) is the dialog's and 1C's part.

use super::per_number::Limits;
use crate::config::{Counts, Hours};

/// The hours, as they would be written in the settings.
pub(super) const HOURS: &str = "будни 8-22; выходные 9-20";

/// The counts.
pub(super) const LIMITS: Limits = Limits {
    day: Some(1),
    week: Some(2),
    month: Some(8),
    counts: Counts::Answers,
};

/// The hours. A holiday's are Sunday's.
pub(super) fn hours() -> Option<Hours> {
    Hours::parse(HOURS).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn its_hours_can_be_read() {
        assert_eq!(super::hours().unwrap().text(), super::HOURS);
    }
}
