//! The history of calls: written in order, numbered within the call, read by pages and as a transcript.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::record::{EventRecord, MAX_TRANSCRIPT, Speaker, TranscriptLine};
use super::row::{corrupt, ms, time};
use super::writer::Tx;
use super::{calls, recordings};
use crate::call::HistoryEvent;
use crate::call::fields::{Fields, fields};
use crate::call::history::kind;
use crate::ident::{CallId, Spoken};

/// Most lines kept of one call; later ones are counted as lost.
pub const MAX_EVENTS: u64 = 50_000;
/// Longest particulars of one line, bytes of JSON; longer ones are replaced by a note of their size.
pub const MAX_EVENT_BYTES: usize = 65_536;

/// Keeps lines of a call. Of an unknown call they are lost, and counted.
pub(super) fn record(
    tx: &mut Tx<'_>,
    id: &CallId,
    attempt: u32,
    events: &[HistoryEvent],
) -> Result<()> {
    match tx.tails.number(tx.conn, id)? {
        Some(n) => put_all(tx, n, attempt, events),
        None => {
            tracing::warn!(call_id = %id, lines = events.len(), "history of a call that isn't known");
            tx.events_lost += events.len() as u64;
            Ok(())
        }
    }
}

/// A line that the store itself writes: about the order, or the bounds of an attempt.
pub(super) fn put(
    tx: &mut Tx<'_>,
    n: i64,
    attempt: u32,
    kind: &'static str,
    at: Timestamp,
    data: Fields,
) -> Result<()> {
    let event = HistoryEvent {
        at,
        at_ms: None,
        kind,
        data: data.into(),
    };
    put_all(tx, n, attempt, std::slice::from_ref(&event))
}

fn put_all(tx: &mut Tx<'_>, n: i64, attempt: u32, events: &[HistoryEvent]) -> Result<()> {
    let before = tx.tails.take(tx.conn, n, events.len() as u64)?;
    let room = usize::try_from(MAX_EVENTS.saturating_sub(before)).unwrap_or(usize::MAX);
    let kept = &events[..events.len().min(room)];
    tx.events_lost += (events.len() - kept.len()) as u64;
    // A statement a row: for several rows in one SQLite keeps a journal, lest some be written and others not.
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO events (call_n, seq, attempt, at, at_ms, kind, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (event, seq) in kept.iter().zip(before + 1..) {
        if event.kind == kind::RECORDING {
            recordings::note(tx, n, attempt, event)?;
        }
        if event.kind == kind::DIALOG {
            calls::note_version(tx, n, attempt, event)?;
        }
        let mut data = event.data.text();
        if data.len() > MAX_EVENT_BYTES {
            data = String::from(fields!({"too_long_bytes": data.len()})).into();
        }
        let (at, at_ms) = (ms(event.at), event.at_ms.map(|ms| ms as i64));
        insert.execute(params![n, seq as i64, attempt, at, at_ms, event.kind, data])?;
    }
    Ok(())
}

/// A page of a call's lines after number `after`; `None`: no such call.
pub(super) fn page(
    conn: &Connection,
    id: &CallId,
    after: u64,
    limit: usize,
) -> Result<Option<Vec<EventRecord>>> {
    let n: Option<i64> = conn
        .prepare_cached("SELECT n FROM calls WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(n) = n else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT seq, attempt, at, at_ms, kind, data FROM events WHERE call_n = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![n, after, limit as i64])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let data: String = row.get(5)?;
        events.push(EventRecord {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            attempt: row.get(1)?,
            at: time("at", row.get(2)?)?,
            at_ms: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
            kind: row.get(4)?,
            data: serde_json::from_str(&data).map_err(|error| corrupt("data", error))?,
        });
    }
    Ok(Some(events))
}

/// Who said what: prompts that began to sound (`event: started`; by `text`, else by `name`) and whole utterances
/// (`state: complete`; those that were mere noise or empty are left out).
pub(super) fn transcript(conn: &Connection, n: i64) -> Result<Vec<TranscriptLine>> {
    let mut statement = conn.prepare_cached(
        "SELECT attempt, at, at_ms, kind = ?2, coalesce(data ->> 'text', data ->> 'name') FROM events \
         WHERE call_n = ?1 AND ((kind = ?2 AND data ->> 'event' = 'started') OR (kind = ?3 AND data ->> 'state' = 'complete')) \
         ORDER BY seq LIMIT ?4",
    )?;
    let mut rows = statement.query(params![
        n,
        kind::PROMPT,
        kind::UTTERANCE,
        MAX_TRANSCRIPT as i64
    ])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let text: Option<String> = row.get(4)?;
        let text = Spoken::new(text.unwrap_or_default());
        if text.is_empty() {
            continue;
        }
        let robot: bool = row.get(3)?;
        lines.push(TranscriptLine {
            attempt: row.get(0)?,
            at: time("at", row.get(1)?)?,
            at_ms: row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
            speaker: if robot {
                Speaker::Robot
            } else {
                Speaker::Person
            },
            text,
        });
    }
    Ok(lines)
}
