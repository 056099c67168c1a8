//! Every change of a call's state, numbered by the one writer, for 1C to read at its own pace.

use rusqlite::{Connection, params};

use super::error::Result;
use super::record::Change;
use super::row::{call_id, direction, object, phone, status, time};
use super::writer::Tx;

/// Notes how the call stands now, as a change of this transaction. Whoever changed it has set `changed`.
pub(super) fn put(tx: &mut Tx<'_>, n: i64) -> Result<()> {
    tx.conn
        .prepare_cached(
            "INSERT INTO changes (call_n, status, outcome, data, attempt, at) \
             SELECT n, status, outcome, data, attempt, changed FROM calls WHERE n = ?1",
        )?
        .execute([n])?;
    tx.cursor = tx.conn.last_insert_rowid();
    Ok(())
}

/// The last cursor given; 0 where there is none.
pub(super) fn newest(conn: &Connection) -> Result<i64> {
    Ok(
        conn.query_row("SELECT coalesce(max(cursor), 0) FROM changes", [], |row| {
            row.get(0)
        })?,
    )
}

/// What comes after `after`, and the cursor to go on from (`after` itself where nothing came).
pub(super) fn page(conn: &Connection, after: i64, limit: usize) -> Result<(Vec<Change>, i64)> {
    let mut statement = conn.prepare_cached(
        "SELECT h.cursor, c.id, c.direction, c.phone, c.dialog, h.status, h.outcome, h.data, h.attempt, h.at \
         FROM changes h JOIN calls c ON c.n = h.call_n WHERE h.cursor > ?1 ORDER BY h.cursor LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit as i64])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let word = |at: usize| row.get::<_, String>(at);
        changes.push(Change {
            cursor: row.get(0)?,
            id: call_id(&word(1)?)?,
            direction: direction(&word(2)?)?,
            phone: phone(row.get(3)?)?,
            dialog: row.get(4)?,
            status: status(&word(5)?)?,
            outcome: row.get(6)?,
            data: object("data", &word(7)?)?,
            attempt: row.get(8)?,
            at: time("at", row.get(9)?)?,
        });
    }
    let next = changes.last().map_or(after, |change| change.cursor);
    Ok((changes, next))
}
