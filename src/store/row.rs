//! Rows as values, and back: times, JSON objects, words.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::admit::Reason;
use super::error::{Result, StoreError};
use super::record::{AttemptRecord, CallRecord, MAX_CALLBACKS};
use super::{callbacks, events, recordings};
use crate::call::{Direction, Order, Status};
use crate::ident::{CallId, ChannelId, Phone};

/// The columns of a [`CallRecord`], in the order of [`call_of`].
const CALL: &str = "SELECT n, id, direction, phone, dialog, params, file, priority, not_before, expires, attempts, callback, \
     status, outcome, data, attempt, due, cancel, recording, created, changed, rules, zone, hours, waits, phone_masked FROM calls";

pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn ms_opt(at: Option<Timestamp>) -> Option<i64> {
    at.map(ms)
}

pub(super) fn time(what: &'static str, ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|error| corrupt(what, error))
}

pub(super) fn time_opt(what: &'static str, ms: Option<i64>) -> Result<Option<Timestamp>> {
    ms.map(|ms| time(what, ms)).transpose()
}

pub(super) fn object(what: &'static str, text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

pub(super) fn json(object: &Map<String, Value>) -> String {
    // A map of values always has a text.
    serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned())
}

pub(super) fn corrupt(what: &'static str, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        what,
        reason: reason.to_string(),
    }
}

pub(super) fn status(word: &str) -> Result<Status> {
    Status::parse(word).ok_or_else(|| corrupt("status", word))
}

pub(super) fn direction(word: &str) -> Result<Direction> {
    match word {
        "outgoing" => Ok(Direction::Outgoing),
        "incoming" => Ok(Direction::Incoming),
        other => Err(corrupt("direction", other)),
    }
}

pub(super) fn call_id(text: &str) -> Result<CallId> {
    CallId::parse(text).map_err(|error| corrupt("id", error))
}

pub(super) fn phone(text: Option<String>) -> Result<Option<Phone>> {
    text.map(|text| Phone::parse(&text).map_err(|error| corrupt("phone", error)))
        .transpose()
}

/// The call's row, without its attempts, recordings and transcript; with its number.
pub(super) fn bare(conn: &Connection, id: &CallId) -> Result<Option<(i64, CallRecord)>> {
    let sql = format!("{CALL} WHERE id = ?1");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(call_of).transpose()
}

/// The call with all that belongs to it.
pub(super) fn call(conn: &Connection, id: &CallId) -> Result<Option<CallRecord>> {
    let Some((n, mut call)) = bare(conn, id)? else {
        return Ok(None);
    };
    call.attempt_list = attempts(conn, n)?;
    call.recordings = recordings::of_call(conn, n)?;
    call.transcript = events::transcript(conn, n)?;
    call.callbacks = callbacks::of_call(conn, n, MAX_CALLBACKS)?;
    Ok(Some(call))
}

/// The call of that id, if an order of that hash made it.
pub(super) fn repeated(conn: &Connection, id: &CallId, hash: &str) -> Result<Option<CallRecord>> {
    let made: Option<String> = conn
        .prepare_cached("SELECT body_hash FROM calls WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    match made {
        Some(made) if made == hash => call(conn, id),
        _ => Ok(None),
    }
}

fn call_of(row: &Row<'_>) -> Result<(i64, CallRecord)> {
    let text = |at: usize| row.get_ref(at).and_then(|v| Ok(v.as_str()?.to_owned()));
    let status = status(&text(12)?)?;
    let due = time_opt("due", row.get(16)?)?;
    let call = CallRecord {
        id: call_id(&text(1)?)?,
        direction: direction(&text(2)?)?,
        phone: phone(row.get(3)?)?,
        phone_masked: row.get(25)?,
        dialog: row.get(4)?,
        params: object("params", &text(5)?)?,
        file: row.get(6)?,
        priority: row.get(7)?,
        not_before: time_opt("not_before", row.get(8)?)?,
        expires: time_opt("expires", row.get(9)?)?,
        attempts: row.get(10)?,
        callback: row.get(11)?,
        rules: row.get(21)?,
        zone: row.get(22)?,
        hours: row.get(23)?,
        status,
        outcome: row.get(13)?,
        data: object("data", &text(14)?)?,
        attempt: row.get(15)?,
        next_attempt: due.filter(|_| status == Status::Queued),
        waits_for: reason_opt(row.get(24)?)?,
        cancel: row.get(17)?,
        recording: row.get(18)?,
        created: time("created", row.get(19)?)?,
        changed: time("changed", row.get(20)?)?,
        attempt_list: Vec::new(),
        recordings: Vec::new(),
        transcript: Vec::new(),
        callbacks: Vec::new(),
    };
    Ok((row.get(0)?, call))
}

/// Why an order waits.
pub(super) fn reason_opt(text: Option<String>) -> Result<Option<Reason>> {
    let Some(text) = text else { return Ok(None) };
    let waits = object("waits", &text)?;
    let word = |key| waits.get(key).and_then(Value::as_str).unwrap_or_default();
    Ok(Some(Reason::new(word("rule"), word("text"))))
}

/// The order within a call's row.
pub(super) fn order_of(call: CallRecord) -> Result<Order> {
    Ok(Order {
        phone: call
            .phone
            .ok_or_else(|| corrupt("phone", "an order without one"))?,
        id: call.id,
        dialog: call.dialog,
        params: call.params,
        file: call.file,
        priority: call.priority,
        not_before: call.not_before,
        expires: call.expires,
        attempts: call.attempts,
        callback: call.callback,
        rules: call.rules,
        zone: call.zone,
        hours: call.hours,
    })
}

/// The row of number `n`, without its attempts and transcript.
pub(super) fn by_number(conn: &Connection, n: i64) -> Result<CallRecord> {
    let sql = format!("{CALL} WHERE n = ?1");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([n])?;
    match rows.next()? {
        Some(row) => call_of(row).map(|(_, call)| call),
        None => Err(corrupt("call", format!("number {n} is gone"))),
    }
}

fn attempts(conn: &Connection, n: i64) -> Result<Vec<AttemptRecord>> {
    let mut statement = conn.prepare_cached(
        "SELECT attempt, channel_id, started, ringing, answered, ended, outcome, cause, talk_ms, version, recording, trunk, machine \
         FROM attempts WHERE call_n = ?1 ORDER BY attempt",
    )?;
    let mut rows = statement.query([n])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(AttemptRecord {
            attempt: row.get(0)?,
            channel_id: ChannelId::from_asterisk(&row.get::<_, String>(1)?),
            started: time("started", row.get(2)?)?,
            ringing: time_opt("ringing", row.get(3)?)?,
            answered: time_opt("answered", row.get(4)?)?,
            ended: time_opt("ended", row.get(5)?)?,
            outcome: row.get(6)?,
            cause: row.get(7)?,
            talk_ms: row
                .get::<_, Option<i64>>(8)?
                .map(|ms| u64::try_from(ms).unwrap_or(0)),
            version: row.get(9)?,
            recording: row.get(10)?,
            trunk: row.get(11)?,
            machine: row.get(12)?,
        });
    }
    Ok(attempts)
}

/// The number of a call and of how it stands, for a change.
pub(super) struct Standing {
    pub(super) n: i64,
    pub(super) status: Status,
    pub(super) attempt: u32,
    pub(super) cancel: bool,
}

pub(super) fn standing(conn: &Connection, id: &CallId) -> Result<Option<Standing>> {
    conn.prepare_cached("SELECT n, status, attempt, cancel FROM calls WHERE id = ?1")?
        .query_row(params![id.as_str()], |row| {
            Ok((
                row.get(0)?,
                row.get::<_, String>(1)?,
                row.get(2)?,
                row.get(3)?,
            ))
        })
        .optional()?
        .map(|(n, word, attempt, cancel)| {
            Ok(Standing {
                n,
                status: status(&word)?,
                attempt,
                cancel,
            })
        })
        .transpose()
}
