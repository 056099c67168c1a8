//! Orders and calls as they go from state to state. Each change writes its history line and its row of `changes` in the
//! same transaction.

use std::borrow::Cow;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::admit::Reason;
use super::error::{Result, StoreError};
use super::record::{Added, Cancelled, Then, Wanted};
use super::row::{self, Standing, json as text, ms, ms_opt, time_opt};
use super::waits::{First, Waits};
use super::writer::Tx;
use super::{changes, do_not_call, events};
use crate::call::fields::fields;
use crate::call::history::{Data, kind};
use crate::call::{CallInfo, HistoryEvent, Order, Status, Summary, outcome};
use crate::ident::{CallId, Phone};

const INSERT: &str = "INSERT INTO calls (id, direction, phone, dialog, params, file, priority, not_before, expires, attempts, \
     callback, body_hash, status, data, attempt, due, ready, cancel, recovered, created, changed, number, rules, zone, hours, waits, route) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, '{}', ?14, ?15, ?16, 0, 0, ?17, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";

pub(super) fn add(
    tx: &mut Tx<'_>,
    order: &Order,
    route: &str,
    body_hash: &str,
    now: Timestamp,
) -> Result<Added> {
    let known: Option<String> = tx
        .conn
        .prepare_cached("SELECT body_hash FROM calls WHERE id = ?1")?
        .query_row([order.id.as_str()], |row| row.get(0))
        .optional()?;
    match known {
        Some(hash) if hash == body_hash => {
            let call = row::call(tx.conn, &order.id)?
                .ok_or_else(|| row::corrupt("call", "gone between two looks"))?;
            return Ok(Added::Same(Box::new(call)));
        }
        Some(_) => return Ok(Added::Conflict),
        None => {}
    }
    let due = order.not_before.map_or(now, |at| at.max(now));
    let waits = (due > now).then(|| Waits::new(Reason::new("not_before", "")).text());
    tx.conn.prepare_cached(INSERT)?.execute(params![
        order.id.as_str(),
        "outgoing",
        order.phone.as_str(),
        order.dialog,
        text(&order.params),
        order.file,
        order.priority,
        ms_opt(order.not_before),
        ms_opt(order.expires),
        order.attempts,
        order.callback,
        body_hash,
        Status::Queued.as_str(),
        0,
        ms(due),
        ms(due) <= ms(now),
        ms(now),
        order.phone.key(),
        order.rules,
        order.zone,
        order.hours,
        waits,
        route,
    ])?;
    let n = tx.conn.last_insert_rowid();
    events::put(tx, n, 0, kind::ORDER, now, fields!({"event": "accepted"}))?;
    changes::put(tx, n)?;
    if do_not_call::listed(tx.conn, &order.phone)? {
        do_not_call::refuse(tx, n, now)?;
    }
    tx.wake = true;
    Ok(Added::New(Box::new(row::by_number(tx.conn, n)?)))
}

pub(super) fn add_incoming(tx: &mut Tx<'_>, info: &CallInfo, at: Timestamp) -> Result<()> {
    let known = "SELECT 1 FROM calls WHERE id = ?1";
    if tx
        .conn
        .prepare_cached(known)?
        .exists([info.call_id.as_str()])?
    {
        return Err(StoreError::Exists {
            id: info.call_id.to_string(),
        });
    }
    tx.conn.prepare_cached(INSERT)?.execute(params![
        info.call_id.as_str(),
        info.direction.as_str(),
        info.phone.as_ref().map(|phone| phone.as_str()),
        info.dialog,
        text(&info.params),
        info.file,
        0,
        None::<i64>,
        None::<i64>,
        1,
        None::<String>,
        "",
        Status::Talking.as_str(),
        info.attempt,
        None::<i64>,
        false,
        ms(at),
        info.phone.as_ref().map(|phone| phone.key()),
        None::<String>,
        None::<String>,
        None::<String>,
        None::<String>,
        "",
    ])?;
    let n = tx.conn.last_insert_rowid();
    tx.conn
        .prepare_cached(
            "INSERT INTO attempts (call_n, attempt, channel_id, started, answered) VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute(params![n, info.attempt, info.channel_id.as_str(), ms(at)])?;
    tx.tails.begun(&info.call_id, n);
    let data = fields!({"event": "came_in", "channel_id": info.channel_id.as_str()});
    events::put(tx, n, info.attempt, kind::ATTEMPT, at, data)?;
    changes::put(tx, n)
}

pub(super) fn cancel(tx: &mut Tx<'_>, id: &CallId, now: Timestamp) -> Result<Cancelled> {
    let Some(call) = row::standing(tx.conn, id)? else {
        return Ok(Cancelled::Unknown);
    };
    match call.status {
        Status::Finished | Status::Cancelled | Status::Expired => Ok(Cancelled::AlreadyFinal),
        Status::Queued => {
            let data = fields!({"event": "cancelled"});
            events::put(tx, call.n, 0, kind::ORDER, now, data)?;
            close(tx, call.n, Status::Cancelled, now)?;
            tx.conn
                .prepare_cached("UPDATE calls SET cancel = 1 WHERE n = ?1")?
                .execute([call.n])?;
            Ok(Cancelled::Now)
        }
        Status::Dialing | Status::Talking => {
            if !call.cancel {
                let data = fields!({"event": "cancel_asked"});
                events::put(tx, call.n, call.attempt, kind::ORDER, now, data)?;
                tx.conn
                    .prepare_cached("UPDATE calls SET cancel = 1 WHERE n = ?1")?
                    .execute([call.n])?;
            }
            Ok(Cancelled::WhileTalking)
        }
    }
}

pub(super) fn next_due(conn: &Connection, now: Timestamp) -> Result<Option<Timestamp>> {
    let at: Option<i64> = conn
        .prepare_cached(
            "SELECT min( \
                 coalesce((SELECT min(due) FROM calls WHERE status = 'queued' AND ready = 0), 9223372036854775807), \
                 coalesce((SELECT min(expires) FROM calls WHERE status = 'queued' AND expires IS NOT NULL), 9223372036854775807))",
        )?
        .query_row([], |row| row.get(0))?;
    let at = at.filter(|at| *at != i64::MAX);
    Ok(time_opt("due", at)?.map(|at| at.max(now)))
}

/// Queued orders whose route isn't what `route` says any more are given it: the trunks have changed.
pub(super) fn reroute(tx: &mut Tx<'_>, route: &dyn Fn(&Phone) -> String) -> Result<()> {
    let mut wrong = Vec::new();
    // Two looks, an index each.
    for ready in [0, 1] {
        let mut statement = tx.conn.prepare_cached(&format!(
            "SELECT n, phone, route FROM calls WHERE status = 'queued' AND ready = {ready}"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(phone) = row::phone(row.get(1)?)? else {
                continue;
            };
            let (n, now): (i64, String) = (row.get(0)?, route(&phone));
            if now != row.get::<_, String>(2)? {
                wrong.push((n, now));
            }
        }
    }
    let mut statement = tx
        .conn
        .prepare_cached("UPDATE calls SET route = ?2 WHERE n = ?1")?;
    for (n, route) in wrong {
        statement.execute(params![n, route])?;
    }
    Ok(())
}

pub(super) fn queued(conn: &Connection) -> Result<u64> {
    let count: i64 = conn
        .prepare_cached(
            "SELECT (SELECT count(*) FROM calls WHERE status = 'queued' AND ready = 1) \
                  + (SELECT count(*) FROM calls WHERE status = 'queued' AND ready = 0)",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The attempt that goes on, or why it doesn't.
fn going_on(tx: &Tx<'_>, id: &CallId, attempt: u32) -> Result<Standing> {
    row::standing(tx.conn, id)?
        .filter(|call| {
            call.attempt == attempt && matches!(call.status, Status::Dialing | Status::Talking)
        })
        .ok_or_else(|| StoreError::NoAttempt {
            id: id.to_string(),
            attempt,
        })
}

pub(super) fn ringing(tx: &mut Tx<'_>, id: &CallId, attempt: u32, at: Timestamp) -> Result<bool> {
    let Ok(call) = going_on(tx, id, attempt) else {
        return Ok(false);
    };
    let marked = tx
        .conn
        .prepare_cached(
            "UPDATE attempts SET ringing = ?3 WHERE call_n = ?1 AND attempt = ?2 AND ringing IS NULL",
        )?
        .execute(params![call.n, attempt, ms(at)])?;
    if marked > 0 {
        events::put(
            tx,
            call.n,
            attempt,
            kind::ATTEMPT,
            at,
            fields!({"event": "ringing"}),
        )?;
    }
    Ok(true)
}

pub(super) fn answered(tx: &mut Tx<'_>, id: &CallId, attempt: u32, at: Timestamp) -> Result<bool> {
    let call = match going_on(tx, id, attempt) {
        Ok(call) if call.status == Status::Dialing => call,
        _ => return Ok(false),
    };
    tx.conn
        .prepare_cached("UPDATE attempts SET answered = ?3 WHERE call_n = ?1 AND attempt = ?2")?
        .execute(params![call.n, attempt, ms(at)])?;
    tx.conn
        .prepare_cached("UPDATE calls SET status = 'talking', changed = ?2 WHERE n = ?1")?
        .execute(params![call.n, ms(at)])?;
    events::put(
        tx,
        call.n,
        attempt,
        kind::ATTEMPT,
        at,
        fields!({"event": "answered"}),
    )?;
    changes::put(tx, call.n)?;
    Ok(true)
}

/// A dialog begins: which version of the scripts it is stands with the attempt from then on, whatever becomes of it.
pub(super) fn note_version(
    tx: &mut Tx<'_>,
    n: i64,
    attempt: u32,
    event: &HistoryEvent,
) -> Result<()> {
    #[derive(Deserialize)]
    struct Line<'a> {
        event: &'a str,
        #[serde(default, borrow)]
        version: Cow<'a, str>,
    }
    if let Data::Fields(data) = &event.data
        && let Ok(Line {
            event: "began",
            version,
        }) = serde_json::from_str(data.as_str())
        && !version.is_empty()
    {
        tx.conn
            .prepare_cached("UPDATE attempts SET version = ?3 WHERE call_n = ?1 AND attempt = ?2")?
            .execute(params![n, attempt, version])?;
    }
    Ok(())
}

pub(super) fn attempt_ended(
    tx: &mut Tx<'_>,
    id: &CallId,
    attempt: u32,
    summary: &Summary,
    then: &Then,
    at: Timestamp,
) -> Result<Status> {
    let call = going_on(tx, id, attempt)?;
    let talk_ms = i64::try_from(summary.talk_ms).unwrap_or(i64::MAX);
    tx.conn
        .prepare_cached(
            "UPDATE attempts SET ended = ?3, outcome = ?4, cause = ?5, talk_ms = ?6, version = coalesce(?7, version), recording = ?8, \
             machine = ?10, \
             answered = CASE WHEN ?9 THEN coalesce(answered, max(started, ?3 - ?6)) ELSE answered END \
             WHERE call_n = ?1 AND attempt = ?2",
        )?
        .execute(params![
            call.n,
            attempt,
            ms(at),
            summary.outcome,
            summary.cause,
            talk_ms,
            summary.version,
            summary.recording,
            summary.answered,
            summary.machine,
        ])?;
    let mut data = fields!({"event": "ended", "outcome": summary.outcome});
    data.push_some("cause", summary.cause);
    if summary.answered {
        data.push("talk_ms", &summary.talk_ms);
    }
    if let Then::Retry { at, .. } = then {
        data.push("next_attempt", &at.to_string());
    }
    if let Then::Retry { reason, .. } | Then::GiveUp { reason } = then {
        data.push("rule", &reason.rule);
        data.push("text", &reason.text);
    }
    events::put(tx, call.n, attempt, kind::ATTEMPT, at, data)?;
    // The runtime's own words tell how the call was cut; a dialog's word (or its plain end) is what 1C wanted.
    let own_word =
        summary.outcome == outcome::COMPLETED || !outcome::ALL.contains(&summary.outcome.as_str());
    let cancelled = call.cancel && (matches!(then, Then::Retry { .. }) || !own_word);
    if cancelled {
        let data = fields!({"event": "cancelled"});
        events::put(tx, call.n, 0, kind::ORDER, at, data)?;
    }
    let (status, due, waits) = match then {
        _ if cancelled => (Status::Cancelled, None, None),
        Then::Finish | Then::GiveUp { .. } => (Status::Finished, None, None),
        Then::Retry { at, reason, wanted } => {
            let (from, by) = match wanted {
                Some(Wanted { at, text }) => (*at, Reason::new(&reason.rule, text)),
                None => (*at, reason.clone()),
            };
            let waits = Waits {
                first: First::Attempt(from, by),
                ..Waits::new(reason.clone())
            };
            (Status::Queued, Some(*at), Some(waits))
        }
    };
    // One update of the row, whose indexes are dear: the same as `close` and `queue_again`, with the attempt's outcome.
    tx.conn
        .prepare_cached(
            "UPDATE calls SET status = ?2, due = ?3, ready = ?4, changed = ?5, outcome = ?6, data = ?7, \
             recording = coalesce(?8, recording), waits = ?9 WHERE n = ?1",
        )?
        .execute(params![
            call.n,
            status.as_str(),
            ms_opt(due),
            due.is_some_and(|due| ms(due) <= ms(at)),
            ms(at),
            summary.outcome,
            text(&summary.data),
            summary.recording,
            waits.as_ref().map(Waits::text),
        ])?;
    changes::put(tx, call.n)?;
    if let Some(reason) = &summary.do_not_call {
        do_not_call::by_call(tx, call.n, id, reason, at)?;
    }
    tx.wake |= due.is_some();
    tx.tails.forget(id);
    Ok(status)
}

pub(super) fn put_back(
    tx: &mut Tx<'_>,
    id: &CallId,
    attempt: u32,
    reason: &str,
    again_at: Timestamp,
    now: Timestamp,
) -> Result<Status> {
    let call = going_on(tx, id, attempt)?;
    take_back(tx, &call, reason, again_at, now)
}

/// Undoes an attempt: it doesn't count, and the order is queued again, or cancelled where that was asked for.
pub(super) fn take_back(
    tx: &mut Tx<'_>,
    call: &Standing,
    reason: &str,
    again_at: Timestamp,
    now: Timestamp,
) -> Result<Status> {
    let data = fields!({"event": "put_back", "reason": reason});
    events::put(tx, call.n, call.attempt, kind::ATTEMPT, now, data)?;
    tx.conn
        .prepare_cached("DELETE FROM attempts WHERE call_n = ?1 AND attempt = ?2")?
        .execute(params![call.n, call.attempt])?;
    tx.conn
        .prepare_cached("UPDATE calls SET attempt = attempt - 1 WHERE n = ?1")?
        .execute([call.n])?;
    if call.cancel {
        let data = fields!({"event": "cancelled"});
        events::put(tx, call.n, 0, kind::ORDER, now, data)?;
        return close(tx, call.n, Status::Cancelled, now);
    }
    queue_again(tx, call.n, again_at, now)
}

fn queue_again(tx: &mut Tx<'_>, n: i64, again_at: Timestamp, now: Timestamp) -> Result<Status> {
    tx.conn
        .prepare_cached(
            "UPDATE calls SET status = 'queued', due = ?2, ready = ?3, changed = ?4 WHERE n = ?1",
        )?
        .execute(params![n, ms(again_at), ms(again_at) <= ms(now), ms(now)])?;
    changes::put(tx, n)?;
    tx.wake = true;
    Ok(Status::Queued)
}

/// The call ends in a final status.
pub(super) fn close(tx: &mut Tx<'_>, n: i64, status: Status, at: Timestamp) -> Result<Status> {
    tx.conn
        .prepare_cached(
            "UPDATE calls SET status = ?2, due = NULL, ready = 0, waits = NULL, changed = ?3 WHERE n = ?1",
        )?
        .execute(params![n, status.as_str(), ms(at)])?;
    changes::put(tx, n)?;
    Ok(status)
}
