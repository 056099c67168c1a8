//! What is deleted and masked with time. Small steps, each a transaction of its own, along the ended calls by the time of
//! their end: a call that is queued, dialed or talks is never touched.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::row::ms;
use super::writer::Tx;
use crate::ident::Phone;

/// Calls of one step. Their lines are deleted with them: some thousands of rows at most.
const STEP: usize = 25;
/// The shortest part of a number that is looked for in a history: shorter ones stand in every second line.
const LEAST_DIGITS: usize = 5;
/// Digits by which a number is found, however its country code is written.
const TAIL: usize = 10;

/// A call that ended: its place in the walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it ended, Unix milliseconds.
    changed: i64,
    /// The call.
    n: i64,
}

impl Place {
    /// A time that this call ended before, as one of the last.
    pub fn until(self) -> Timestamp {
        Timestamp::from_millisecond(self.changed.saturating_add(1)).unwrap_or(Timestamp::MAX)
    }
}

/// A recording's key in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingKey {
    call_n: i64,
    attempt: u32,
    number: u32,
}

/// A recording that is kept, with the files that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRecording {
    /// Its key.
    pub key: RecordingKey,
    /// Its name, as Asterisk sees it.
    pub file: String,
    /// How many files it is.
    pub channels: u8,
    /// When it began, Unix milliseconds.
    pub began: i64,
    /// Bytes of its files; `None`: not measured yet.
    pub bytes: Option<u64>,
}

/// What is to be masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masks {
    /// Telephone numbers.
    pub phones: bool,
    /// What was said and keyed.
    pub texts: bool,
}

impl Masks {
    /// The walk of its own: a mask that is wanted later goes over all calls again.
    fn walk(self) -> &'static str {
        match (self.phones, self.texts) {
            (true, true) => "masks",
            (true, false) => "masks.phones",
            _ => "masks.texts",
        }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Calls that it went over.
    pub calls: u64,
    /// Rows that it deleted or changed.
    pub rows: u64,
    /// There may be more.
    pub more: bool,
}

fn walked(conn: &Connection, name: &str) -> Result<Place> {
    let place = conn
        .prepare_cached("SELECT changed, n FROM walks WHERE name = ?1")?
        .query_row([name], |row| {
            Ok(Place {
                changed: row.get(0)?,
                n: row.get(1)?,
            })
        })
        .optional()?;
    Ok(place.unwrap_or(Place {
        changed: i64::MIN,
        n: 0,
    }))
}

fn walk_to(conn: &Connection, name: &str, place: Place) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO walks (name, changed, n) VALUES (?1, ?2, ?3) \
         ON CONFLICT DO UPDATE SET changed = excluded.changed, n = excluded.n",
    )?
    .execute(params![name, place.changed, place.n])?;
    Ok(())
}

/// The next calls that ended before `before`, oldest first.
fn ended(conn: &Connection, after: Place, before: Timestamp, limit: usize) -> Result<Vec<Place>> {
    let mut statement = conn.prepare_cached(
        "SELECT changed, n FROM calls WHERE (status = 'finished' OR status = 'cancelled' OR status = 'expired') \
         AND (changed, n) > (?1, ?2) AND changed < ?3 ORDER BY changed, n LIMIT ?4",
    )?;
    let rows = statement.query_map(
        params![after.changed, after.n, ms(before), limit as i64],
        |row| {
            Ok(Place {
                changed: row.get(0)?,
                n: row.get(1)?,
            })
        },
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes the history of the next calls that ended before that.
pub(super) fn delete_events(tx: &mut Tx<'_>, before: Timestamp) -> Result<Step> {
    let places = ended(tx.conn, walked(tx.conn, "events")?, before, STEP)?;
    let mut rows = 0;
    for place in &places {
        rows += tx
            .conn
            .prepare_cached("DELETE FROM events WHERE call_n = ?1")?
            .execute([place.n])? as u64;
    }
    step(tx, "events", &places, rows)
}

fn step(tx: &mut Tx<'_>, name: &str, places: &[Place], rows: u64) -> Result<Step> {
    if let Some(last) = places.last() {
        walk_to(tx.conn, name, *last)?;
    }
    Ok(Step {
        calls: places.len() as u64,
        rows,
        more: places.len() == STEP,
    })
}

/// The next calls after `after` that ended before that, with the recordings that are to go before them.
pub(super) fn old_calls(
    conn: &Connection,
    after: Place,
    before: Timestamp,
) -> Result<Vec<(Place, Vec<KeptRecording>)>> {
    let places = ended(conn, after, before, STEP)?;
    let with = |place: Place| {
        let mut statement = conn.prepare_cached(
            "SELECT call_n, attempt, number, file, channels, began, bytes FROM recordings WHERE call_n = ?1 AND deleted IS NULL",
        )?;
        let kept = statement.query_map([place.n], kept)?;
        Ok((place, kept.collect::<rusqlite::Result<_>>()?))
    };
    places.into_iter().map(with).collect()
}

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeptRecording> {
    Ok(KeptRecording {
        key: RecordingKey {
            call_n: row.get(0)?,
            attempt: row.get(1)?,
            number: row.get(2)?,
        },
        file: row.get(3)?,
        channels: row.get(4)?,
        began: row.get(5)?,
        bytes: row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs),
    })
}

/// Deletes these calls with all that belongs to them, unless 1C is still to be told of one. Notes the newest change that goes with them: who reads changes from
/// before it has missed some.
pub(super) fn delete_calls(tx: &mut Tx<'_>, places: &[Place]) -> Result<u64> {
    let mut deleted = 0;
    let mut newest = 0;
    for place in places {
        let cursor: Option<i64> = tx
            .conn
            .prepare_cached("SELECT max(cursor) FROM changes WHERE call_n = ?1")?
            .query_row([place.n], |row| row.get(0))?;
        deleted += tx
            .conn
            .prepare_cached(
                "DELETE FROM calls WHERE n = ?1 AND (status = 'finished' OR status = 'cancelled' OR status = 'expired') \
                 AND NOT EXISTS (SELECT 1 FROM callbacks b WHERE b.call_n = n AND b.state = 'waiting')",
            )?
            .execute([place.n])? as u64;
        newest = newest.max(cursor.unwrap_or(0));
    }
    // Their ids may come again.
    tx.tails.forget_all();
    let before = walked(tx.conn, "changes")?;
    if newest > before.n {
        let place = Place {
            changed: 0,
            n: newest,
        };
        walk_to(tx.conn, "changes", place)?;
    }
    Ok(deleted)
}

/// The newest change that was deleted; 0: none was.
pub(super) fn changes_deleted(conn: &Connection) -> Result<i64> {
    Ok(walked(conn, "changes")?.n)
}

/// Counters and texts of days before that day are deleted.
pub(super) fn delete_counts(tx: &mut Tx<'_>, before_day: i64) -> Result<u64> {
    let mut rows = 0;
    for table in ["counts", "unmatched"] {
        // Few a day: one day's worth at each turn of midnight.
        let sql = format!("DELETE FROM {table} WHERE day < ?1");
        rows += tx.conn.prepare_cached(&sql)?.execute([before_day])? as u64;
    }
    Ok(rows)
}

/// Masks the next calls that ended before that.
pub(super) fn mask(tx: &mut Tx<'_>, masks: Masks, before: Timestamp) -> Result<Step> {
    let places = ended(tx.conn, walked(tx.conn, masks.walk())?, before, STEP)?;
    let mut rows = 0;
    for place in &places {
        if masks.phones {
            rows += mask_phone(tx.conn, place.n)?;
        }
        if masks.texts {
            rows += mask_texts(tx.conn, place.n)?;
        }
    }
    step(tx, masks.walk(), &places, rows)
}

/// Forgets which numbers the next calls that ended before that were to.
pub(super) fn forget_numbers(tx: &mut Tx<'_>, before: Timestamp) -> Result<Step> {
    let places = ended(tx.conn, walked(tx.conn, "numbers")?, before, STEP)?;
    let mut rows = 0;
    for place in &places {
        rows += tx
            .conn
            .prepare_cached("UPDATE attempts SET number = NULL WHERE call_n = ?1")?
            .execute([place.n])? as u64;
    }
    step(tx, "numbers", &places, rows)
}

fn mask_phone(conn: &Connection, n: i64) -> Result<u64> {
    let phone: Option<String> = conn
        .prepare_cached("SELECT phone FROM calls WHERE n = ?1")?
        .query_row([n], |row| row.get(0))?;
    let Some(phone) = phone else { return Ok(0) };
    let masked = match Phone::parse(&phone) {
        Ok(phone) => phone.to_string(),
        Err(_) => "…".to_owned(),
    };
    conn.prepare_cached(
        "UPDATE calls SET phone = NULL, number = NULL, phone_masked = ?2 WHERE n = ?1",
    )?
    .execute(params![n, masked])?;
    let digits = phone.trim_start_matches('+');
    let tail = &digits[digits.len().saturating_sub(TAIL)..];
    if tail.len() < LEAST_DIGITS {
        return Ok(1);
    }
    let kept = tail.len().saturating_sub(7);
    let short = format!("{}…{}", &tail[..kept], &tail[tail.len() - 2..]);
    let lines = conn
        .prepare_cached(
            "UPDATE events SET data = replace(data, ?2, ?3) WHERE call_n = ?1 AND instr(data, ?2) > 0",
        )?
        .execute(params![n, tail, short])?;
    Ok(1 + lines as u64)
}

/// What was said, asked aloud and keyed. Times, stages, intents and outcomes stay.
fn mask_texts(conn: &Connection, n: i64) -> Result<u64> {
    let lines = conn
        .prepare_cached(
            "UPDATE events SET data = CASE kind \
                 WHEN 'prompt' THEN json_remove(data, '$.name', '$.text') \
                 WHEN 'asterisk' THEN json_remove(data, '$.Digit') \
                 ELSE json_remove(data, '$.text', '$.digits', '$.digit') END \
             WHERE call_n = ?1 AND (kind IN ('utterance', 'prompt', 'window', 'digit', 'fault', 'log') \
                 OR (kind = 'asterisk' AND data ->> 'Digit' IS NOT NULL))",
        )?
        .execute([n])?;
    Ok(lines as u64)
}

/// Recordings that are kept, by age: after `after` (when it began), at most `limit`.
pub(super) fn recordings(
    conn: &Connection,
    after: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<KeptRecording>> {
    let mut statement = conn.prepare_cached(
        "SELECT call_n, attempt, number, file, channels, began, bytes FROM recordings \
         WHERE deleted IS NULL AND began > ?1 AND began < ?2 ORDER BY began LIMIT ?3",
    )?;
    let rows = statement.query_map(params![after, before, limit as i64], kept)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Recordings that have ended and weren't measured yet.
pub(super) fn unmeasured(
    conn: &Connection,
    ended_before: i64,
    limit: usize,
) -> Result<Vec<KeptRecording>> {
    let mut statement = conn.prepare_cached(
        "SELECT r.call_n, r.attempt, r.number, r.file, r.channels, r.began, r.bytes FROM recordings r \
             JOIN attempts a ON a.call_n = r.call_n AND a.attempt = r.attempt \
         WHERE r.deleted IS NULL AND r.bytes IS NULL AND a.ended < ?1 ORDER BY r.began LIMIT ?2",
    )?;
    let rows = statement.query_map(params![ended_before, limit as i64], kept)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Bytes of all recordings that are kept.
pub(super) fn recordings_bytes(conn: &Connection) -> Result<u64> {
    let bytes: i64 = conn
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM recordings WHERE deleted IS NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(bytes.unsigned_abs())
}

/// Notes what was found out of recordings: their bytes, or (`None`) that they are gone.
pub(super) fn measured(
    tx: &mut Tx<'_>,
    found: &[(RecordingKey, Option<u64>)],
    at: Timestamp,
) -> Result<()> {
    let mut update = tx.conn.prepare_cached(
        "UPDATE recordings SET bytes = ?4, deleted = ?5 WHERE call_n = ?1 AND attempt = ?2 AND number = ?3",
    )?;
    for (key, bytes) in found {
        let size = bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let deleted = bytes.is_none().then(|| ms(at));
        update.execute(params![key.call_n, key.attempt, key.number, size, deleted])?;
    }
    Ok(())
}

/// Bytes that the store uses, and those that it holds free for what comes.
pub(super) fn bytes(conn: &Connection) -> Result<(u64, u64)> {
    let pragma = |name: &str| -> Result<u64> {
        let value: i64 = conn.pragma_query_value(None, name, |row| row.get(0))?;
        Ok(value.unsigned_abs())
    };
    let (page, all, free) = (
        pragma("page_size")?,
        pragma("page_count")?,
        pragma("freelist_count")?,
    );
    Ok((all.saturating_sub(free) * page, free * page))
}

/// Gives at most `pages` free pages back to the disk. A store of an older version keeps them for what comes.
pub(super) fn shrink(tx: &mut Tx<'_>, pages: u32) -> Result<()> {
    let mut statement = tx
        .conn
        .prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
