//! Recordings of calls: noted as the history tells of them, found by call, attempt and number.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::Result;
use super::row::{corrupt, ms, time, time_opt};
use super::writer::Tx;
use crate::call::HistoryEvent;
use crate::call::history::Data;
use crate::call::recording::What;
use crate::ident::CallId;
use jiff::Timestamp;

/// Most recordings of a call that are shown with it.
pub const MAX_RECORDINGS: u32 = 100;

/// A recording of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRecord {
    /// Of which attempt.
    pub attempt: u32,
    /// From 1, within the attempt.
    pub number: u32,
    /// Of the call, or of a message.
    pub what: What,
    /// Its name, as Asterisk sees it.
    pub file: String,
    /// 2: `name-caller.wav` and `name-robot.wav` stand for `name.wav`; 1: it is that file.
    pub channels: u8,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, by the dialog or with its attempt; `None`: it goes on.
    pub ended: Option<Timestamp>,
    /// How a message ended: a word of `ReplyKind`.
    pub ended_by: Option<String>,
    /// How long a message is, milliseconds.
    pub length_ms: Option<u64>,
    /// When it was deleted, or found gone.
    pub deleted: Option<Timestamp>,
}

/// Which recording of a call is asked for; the last of those that fit, and of the call itself before one of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingWanted {
    /// Of that attempt.
    pub attempt: Option<u32>,
    /// That one of the attempt's.
    pub number: Option<u32>,
    /// Of the call, or of a message.
    pub what: Option<What>,
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
    let Data::Fields(data) = &event.data else {
        return Ok(());
    };
    let data = data.value();
    let (what, file) = (data["event"].as_str(), data["file"].as_str());
    match (what, file) {
        (Some("began"), Some(file)) => {
            let number = data["number"].as_u64().unwrap_or(1) as i64;
            let channels = data["channels"].as_u64().unwrap_or(1) as i64;
            let what = data["what"].as_str().unwrap_or(What::Call.as_str());
            tx.conn
                .prepare_cached(
                    "INSERT INTO recordings (call_n, attempt, number, file, channels, began, what) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    n,
                    attempt,
                    number,
                    file,
                    channels,
                    ms(event.at),
                    what
                ])?;
        }
        // A message ends alone, a StopMixMonitor without an id ends what goes on.
        (Some("ended"), _) => {
            let number = data["number"].as_i64();
            let (by, length_ms) = (data["by"].as_str(), data["length_ms"].as_i64());
            tx.conn
                .prepare_cached(
                    "UPDATE recordings SET ended = ?3, ended_by = ?5, length_ms = ?6 \
                     WHERE call_n = ?1 AND attempt = ?2 AND ended IS NULL AND (?4 IS NULL OR number = ?4)",
                )?
                .execute(params![n, attempt, ms(event.at), number, by, length_ms])?;
        }
        _ => {}
    }
    Ok(())
}

const RECORDING: &str = "SELECT r.attempt, r.number, r.file, r.channels, r.began, coalesce(r.ended, a.ended), r.deleted, r.what, \
     r.ended_by, r.length_ms FROM recordings r JOIN attempts a ON a.call_n = r.call_n AND a.attempt = r.attempt WHERE r.call_n = ?1";

fn record_of(row: &Row<'_>) -> Result<RecordingRecord> {
    let what: String = row.get(7)?;
    Ok(RecordingRecord {
        attempt: row.get(0)?,
        number: row.get(1)?,
        file: row.get(2)?,
        channels: row.get(3)?,
        began: time("began", row.get(4)?)?,
        ended: time_opt("ended", row.get(5)?)?,
        deleted: time_opt("deleted", row.get(6)?)?,
        what: What::parse(&what).ok_or_else(|| corrupt("what", what))?,
        ended_by: row.get(8)?,
        length_ms: row.get::<_, Option<i64>>(9)?.map(i64::unsigned_abs),
    })
}

/// All recordings of a call, oldest first; at most [`MAX_RECORDINGS`].
pub(super) fn of_call(conn: &Connection, n: i64) -> Result<Vec<RecordingRecord>> {
    let sql = format!("{RECORDING} ORDER BY r.attempt, r.number LIMIT ?2");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![n, MAX_RECORDINGS])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(record_of(row)?);
    }
    Ok(all)
}

/// The recording that is wanted.
pub(super) fn find(
    conn: &Connection,
    id: &CallId,
    wanted: RecordingWanted,
) -> Result<RecordingFound> {
    let n: Option<i64> = conn
        .prepare_cached("SELECT n FROM calls WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(n) = n else {
        return Ok(RecordingFound::NoCall);
    };
    let sql = format!(
        "{RECORDING} AND (?2 IS NULL OR r.attempt = ?2) AND (?3 IS NULL OR r.number = ?3) AND (?4 IS NULL OR r.what = ?4) \
         ORDER BY r.attempt DESC, r.what, r.number DESC LIMIT 1"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let what = wanted.what.map(What::as_str);
    let mut rows = statement.query(params![n, wanted.attempt, wanted.number, what])?;
    match rows.next()? {
        Some(row) => record_of(row).map(RecordingFound::Found),
        None => Ok(RecordingFound::None),
    }
}
