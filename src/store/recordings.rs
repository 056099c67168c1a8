//! Recordings of calls: noted as the history tells of them, found by call, attempt and number.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::row::{ms, time, time_opt};
use super::writer::Tx;
use crate::call::HistoryEvent;
use crate::call::history::Data;
use crate::ident::CallId;
use jiff::Timestamp;

/// A recording of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRecord {
    /// Of which attempt.
    pub attempt: u32,
    /// From 1, within the attempt.
    pub number: u32,
    /// Its name, as Asterisk sees it.
    pub file: String,
    /// 2: `name-caller.wav` and `name-robot.wav` stand for `name.wav`; 1: it is that file.
    pub channels: u8,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, by the dialog or with its attempt; `None`: it goes on.
    pub ended: Option<Timestamp>,
    /// When it was deleted, or found gone.
    pub deleted: Option<Timestamp>,
}

/// What is known of a recording that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingFound {
    /// There is no such call.
    NoCall,
    /// The call has none, or not that one.
    None,
    /// Here it is.
    Found(RecordingRecord),
}

/// A line of history about a recording.
pub(super) fn note(tx: &mut Tx<'_>, n: i64, attempt: u32, event: &HistoryEvent) -> Result<()> {
    let Data::Json(data) = &event.data else {
        return Ok(());
    };
    let (what, file) = (data["event"].as_str(), data["file"].as_str());
    match (what, file) {
        (Some("began"), Some(file)) => {
            let number = data["number"].as_u64().unwrap_or(1) as i64;
            let channels = data["channels"].as_u64().unwrap_or(1) as i64;
            tx.conn
                .prepare_cached(
                    "INSERT INTO recordings (call_n, attempt, number, file, channels, began) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![n, attempt, number, file, channels, ms(event.at)])?;
        }
        // One StopMixMonitor ends all that go on.
        (Some("ended"), _) => {
            tx.conn
                .prepare_cached(
                    "UPDATE recordings SET ended = ?3 WHERE call_n = ?1 AND attempt = ?2 AND ended IS NULL",
                )?
                .execute(params![n, attempt, ms(event.at)])?;
        }
        _ => {}
    }
    Ok(())
}

/// The last recording of a call, or that of `attempt`, or the one of `number` in it.
pub(super) fn find(
    conn: &Connection,
    id: &CallId,
    attempt: Option<u32>,
    number: Option<u32>,
) -> Result<RecordingFound> {
    let n: Option<i64> = conn
        .prepare_cached("SELECT n FROM calls WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(n) = n else {
        return Ok(RecordingFound::NoCall);
    };
    let mut statement = conn.prepare_cached(
        "SELECT r.attempt, r.number, r.file, r.channels, r.began, coalesce(r.ended, a.ended), r.deleted \
         FROM recordings r JOIN attempts a ON a.call_n = r.call_n AND a.attempt = r.attempt \
         WHERE r.call_n = ?1 AND (?2 IS NULL OR r.attempt = ?2) AND (?3 IS NULL OR r.number = ?3) \
         ORDER BY r.attempt DESC, r.number DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![n, attempt, number])?;
    let Some(row) = rows.next()? else {
        return Ok(RecordingFound::None);
    };
    Ok(RecordingFound::Found(RecordingRecord {
        attempt: row.get(0)?,
        number: row.get(1)?,
        file: row.get(2)?,
        channels: row.get(3)?,
        began: time("began", row.get(4)?)?,
        ended: time_opt("ended", row.get(5)?)?,
        deleted: time_opt("deleted", row.get(6)?)?,
    }))
}
