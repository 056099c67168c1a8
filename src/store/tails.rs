//! What the writer remembers of the calls that it writes about: a call's number by its id, and its last line of history. A
//! line then costs one insert; both are read from the file where they aren't known.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::error::Result;
use crate::ident::CallId;

/// Calls remembered; past that all are forgotten and read again as they are wanted.
const MOST: usize = 8_192;

/// The memory. Of the open transaction: forget it when that is rolled back.
#[derive(Debug, Default)]
pub(super) struct Tails {
    numbers: HashMap<CallId, i64>,
    lines: HashMap<i64, u64>,
}

impl Tails {
    /// The call's number; `None`: there is no such call.
    pub(super) fn number(&mut self, conn: &Connection, id: &CallId) -> Result<Option<i64>> {
        if let Some(n) = self.numbers.get(id) {
            return Ok(Some(*n));
        }
        let n: Option<i64> = conn
            .prepare_cached("SELECT n FROM calls WHERE id = ?1")?
            .query_row([id.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(n) = n {
            if self.numbers.len() >= MOST {
                self.numbers.clear();
            }
            self.numbers.insert(id.clone(), n);
        }
        Ok(n)
    }

    /// A call that has just been written: it has no lines yet.
    pub(super) fn begun(&mut self, id: &CallId, n: i64) {
        if self.numbers.len() < MOST && self.lines.len() < MOST {
            self.numbers.insert(id.clone(), n);
            self.lines.insert(n, 0);
        }
    }

    /// Takes numbers for `more` lines; gives the last one before them.
    pub(super) fn take(&mut self, conn: &Connection, n: i64, more: u64) -> Result<u64> {
        let last = match self.lines.get(&n) {
            Some(last) => *last,
            None => conn
                .prepare_cached("SELECT coalesce(max(seq), 0) FROM events WHERE call_n = ?1")?
                .query_row([n], |row| row.get::<_, i64>(0))?
                .unsigned_abs(),
        };
        if self.lines.len() >= MOST {
            self.lines.clear();
        }
        self.lines.insert(n, last + more);
        Ok(last)
    }

    /// A call that has ended is written about no more, or read again.
    pub(super) fn forget(&mut self, id: &CallId) {
        if let Some(n) = self.numbers.remove(id) {
            self.lines.remove(&n);
        }
    }

    /// Nothing is certain any more.
    pub(super) fn forget_all(&mut self) {
        self.numbers.clear();
        self.lines.clear();
    }
}
