//! The do-not-call list: numbers that are never dialed, by whatever order.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::admit::Reason;
use super::error::Result;
use super::record::Listed;
use super::row::{self, corrupt, ms, time};
use super::take;
use super::writer::Tx;
use crate::call::outcome;
use crate::ident::{CallId, Phone};

/// Most queued orders of one number that are closed when it is listed; the rest are when their time comes.
const CLOSE_AT_ONCE: i64 = 1_000;

/// Puts a number on the list, and closes what is queued for it. `false`: it was there already, and stays as it was.
pub(super) fn add(tx: &mut Tx<'_>, entry: &Listed) -> Result<bool> {
    let key = entry.phone.key();
    let new = tx
        .conn
        .prepare_cached(
            "INSERT INTO do_not_call (number, phone, reason, who, at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (number) DO NOTHING",
        )?
        .execute(params![key, entry.phone.as_str(), entry.reason, entry.who, ms(entry.at)])?
        > 0;
    let queued: Vec<i64> = tx
        .conn
        .prepare_cached("SELECT n FROM calls WHERE status = 'queued' AND number = ?1 LIMIT ?2")?
        .query_map(params![key, CLOSE_AT_ONCE], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for n in queued {
        refuse(tx, n, entry.at)?;
    }
    Ok(new)
}

/// The person asked for it in a call. A hidden number can't be listed; nobody can call it either.
pub(super) fn by_call(
    tx: &mut Tx<'_>,
    n: i64,
    id: &CallId,
    reason: &str,
    at: Timestamp,
) -> Result<()> {
    let Some(phone) = row::by_number(tx.conn, n)?.phone else {
        return Ok(());
    };
    let entry = Listed {
        phone,
        reason: reason.to_owned(),
        who: id.to_string(),
        at,
    };
    add(tx, &entry).map(drop)
}

/// Takes a number off. `false`: it wasn't there.
pub(super) fn remove(tx: &mut Tx<'_>, phone: &Phone) -> Result<bool> {
    let gone = tx
        .conn
        .prepare_cached("DELETE FROM do_not_call WHERE number = ?1")?
        .execute([phone.key()])?;
    Ok(gone > 0)
}

/// Whether a number may not be called.
pub(super) fn listed(conn: &Connection, phone: &Phone) -> Result<bool> {
    let found = conn
        .prepare_cached("SELECT 1 FROM do_not_call WHERE number = ?1")?
        .exists([phone.key()])?;
    Ok(found)
}

/// Closes a queued order whose number is listed; its history says by whom and why.
pub(super) fn refuse(tx: &mut Tx<'_>, n: i64, now: Timestamp) -> Result<()> {
    let words: Option<(String, String)> = tx
        .conn
        .prepare_cached(
            "SELECT d.reason, d.who FROM do_not_call d JOIN calls c ON c.number = d.number WHERE c.n = ?1",
        )?
        .query_row([n], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (why, who) = words.unwrap_or_default();
    let text = [why, who]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ");
    let reason = Reason::new("do_not_call", text);
    take::refuse(tx, n, Some(outcome::DO_NOT_CALL), &reason, now)
}

/// A page of the list after place `after`, in the order of listing, and the place to go on from.
pub(super) fn page(conn: &Connection, after: i64, limit: usize) -> Result<(Vec<Listed>, i64)> {
    let mut statement = conn.prepare_cached(
        "SELECT n, phone, reason, who, at FROM do_not_call WHERE n > ?1 ORDER BY n LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit as i64])?;
    let (mut entries, mut next) = (Vec::new(), after);
    while let Some(row) = rows.next()? {
        next = row.get(0)?;
        entries.push(entry(row)?);
    }
    Ok((entries, next))
}

/// The entry of one number.
pub(super) fn find(conn: &Connection, phone: &Phone) -> Result<Option<Listed>> {
    let mut statement =
        conn.prepare_cached("SELECT n, phone, reason, who, at FROM do_not_call WHERE number = ?1")?;
    let mut rows = statement.query([phone.key()])?;
    rows.next()?.map(entry).transpose()
}

fn entry(row: &rusqlite::Row<'_>) -> Result<Listed> {
    Ok(Listed {
        phone: Phone::parse(&row.get::<_, String>(1)?).map_err(|error| corrupt("phone", error))?,
        reason: row.get(2)?,
        who: row.get(3)?,
        at: time("at", row.get(4)?)?,
    })
}
