//! Every change of a call's state, numbered by the one writer, for 1C to read at its own pace.

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::callbacks;
use super::error::Result;
use super::record::Change;
use super::row::{call_id, corrupt, direction, object, phone, reason_opt, status, time, time_opt};
use super::writer::Tx;

/// Notes how the call stands now, as a change of this transaction. Whoever changed it has set `changed`.
pub(super) fn put(tx: &mut Tx<'_>, n: i64) -> Result<()> {
    // Read and written apart: for both in one statement SQLite keeps a journal, lest one row be written and not the next.
    let mut look = tx.conn.prepare_cached(
        "SELECT status, outcome, data, attempt, due, waits, changed, callback FROM calls WHERE n = ?1",
    )?;
    let mut rows = look.query([n])?;
    let row = rows
        .next()?
        .ok_or_else(|| corrupt("call", format!("number {n} is gone")))?;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO changes (call_n, status, outcome, data, attempt, due, waits, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.raw_bind_parameter(1, n)?;
    for column in 0..7 {
        insert.raw_bind_parameter(column + 2, ToSqlOutput::Borrowed(row.get_ref(column)?))?;
    }
    insert.raw_execute()?;
    tx.cursor = tx.conn.last_insert_rowid();
    let ended = status(&row.get::<_, String>(0)?)?.is_final();
    let (at, own): (i64, Option<String>) = (row.get(6)?, row.get(7)?);
    match own.or_else(|| tx.callbacks.url.clone()) {
        Some(url) if ended || tx.callbacks.each_change => callbacks::put(tx, n, &url, at),
        _ => Ok(()),
    }
}

/// The last cursor given; 0 where there is none.
pub(super) fn newest(conn: &Connection) -> Result<i64> {
    // Not the newest row's: old calls are deleted with their changes, and a cursor stays known.
    let newest = conn
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'changes'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(newest.unwrap_or(0))
}

const CHANGE: &str = "SELECT h.cursor, c.id, c.direction, c.phone, c.dialog, h.status, h.outcome, h.data, h.attempt, h.at, \
     c.attempts, h.due, h.waits, c.phone_masked FROM changes h JOIN calls c ON c.n = h.call_n";

/// What comes after `after`, and the cursor to go on from (`after` itself where nothing came).
pub(super) fn page(conn: &Connection, after: i64, limit: usize) -> Result<(Vec<Change>, i64)> {
    let sql = format!("{CHANGE} WHERE h.cursor > ?1 ORDER BY h.cursor LIMIT ?2");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![after, limit as i64])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(change_of(row)?);
    }
    let next = changes.last().map_or(after, |change| change.cursor);
    Ok((changes, next))
}

/// The change of that cursor.
pub(super) fn at(conn: &Connection, cursor: i64) -> Result<Option<Change>> {
    let sql = format!("{CHANGE} WHERE h.cursor = ?1");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([cursor])?;
    rows.next()?.map(change_of).transpose()
}

fn change_of(row: &Row<'_>) -> Result<Change> {
    let word = |at: usize| row.get::<_, String>(at);
    Ok(Change {
        cursor: row.get(0)?,
        id: call_id(&word(1)?)?,
        direction: direction(&word(2)?)?,
        phone: phone(row.get(3)?)?,
        phone_masked: row.get(13)?,
        dialog: row.get(4)?,
        status: status(&word(5)?)?,
        outcome: row.get(6)?,
        data: object("data", &word(7)?)?,
        attempt: row.get(8)?,
        at: time("at", row.get(9)?)?,
        attempts: row.get(10)?,
        next_attempt: time_opt("due", row.get(11)?)?,
        waits_for: reason_opt(row.get(12)?)?,
    })
}
