//! How attempts ended since the start, for `/metrics`; and how the queue stands.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::error::Result;
use super::row::time;
use crate::call::outcome;

/// The one word for all that dialogs name themselves: a metric's label must not grow with the scripts.
pub const OWN: &str = "own";

/// Attempts that ended, by outcome.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    pub(super) fn count(&self, outcome: &str) {
        let known = outcome::ALL.iter().find(|known| **known == outcome);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(known.copied().unwrap_or(OWN)).or_default() += 1;
    }

    /// Every word that there can be, those that never came with 0.
    pub(super) fn read(&self) -> Vec<(&'static str, u64)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let words = outcome::ALL.iter().copied().chain([OWN]);
        words
            .map(|word| (word, all.get(word).copied().unwrap_or(0)))
            .collect()
    }
}

/// Calls that go on, and since when the order that is next has been due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Calls that are dialed.
    pub dialing: u64,
    /// Calls that talk.
    pub talking: u64,
    /// When the order that is dialed next became due; `None`: none is due.
    pub due_since: Option<Timestamp>,
}

pub(super) fn standing(conn: &Connection) -> Result<Standing> {
    // Each by its own small index, however large the table is.
    let count = |sql: &str| -> Result<u64> {
        let count: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let due: Option<Option<i64>> = conn
        .prepare_cached(
            "SELECT due FROM calls WHERE status = 'queued' AND ready = 1 ORDER BY priority DESC, n LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(Standing {
        dialing: count("SELECT count(*) FROM calls WHERE status = 'dialing'")?,
        talking: count("SELECT count(*) FROM calls WHERE status = 'talking'")?,
        due_since: due.flatten().map(|at| time("due", at)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_dialogs_are_one_word() {
        let tally = Tally::default();
        for outcome in ["busy", "подтвердил", "confirmed", "busy"] {
            tally.count(outcome);
        }
        let read = tally.read();
        assert_eq!(read.len(), outcome::ALL.len() + 1);
        assert!(read.contains(&("busy", 2)) && read.contains(&(OWN, 2)));
        assert!(read.contains(&("machine", 0)));
    }
}
