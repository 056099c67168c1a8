//! Takes the orders whose time has come, in the order of calling, each after a verdict on it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::admit::{Admit, Count, Past, Reason, Verdict, Windows};
use super::error::Result;
use super::lanes::{Lane, Lanes, Seat, Seats};
use super::record::{Due, Ended, Looked};
use super::row::{self, ms};
use super::waits::Waits;
use super::writer::Tx;
use super::{MAX_PAGE, calls, changes, do_not_call, events};
use crate::call::fields::fields;
use crate::call::history::kind;
use crate::call::{Order, Status};
use crate::ident::{ChannelId, Phone};

/// Most orders that expire in one [`take_seated`]; the rest follow at once in the next.
const EXPIRE_AT_ONCE: i64 = 1_000;
/// Most verdicts in one [`take_seated`]: a queue that may not be called now can't hold up whatever else is to be written.
const JUDGE_AT_ONCE: usize = 500;
/// Shortest wait that a verdict can give: one that names the past can't make it be asked without end.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_secs(1);

pub(super) fn take_seated<S: Seats>(
    tx: &mut Tx<'_>,
    now: Timestamp,
    mut seats: S,
    admit: &dyn Admit,
) -> Result<Looked<S>> {
    expire(tx, now)?;
    // Those whose time has come join the ready ones, which stand in an index in the order of calling.
    tx.conn
        .prepare_cached(
            "UPDATE calls SET ready = 1 WHERE status = 'queued' AND ready = 0 AND due <= ?1",
        )?
        .execute([ms(now)])?;
    let mut lanes = Lanes::open(tx.conn, now, &mut seats)?;
    let (mut due, mut judged) = (Vec::new(), 0);
    while due.len() < MAX_PAGE
        && judged < JUDGE_AT_ONCE
        && let Some(lane) = lanes.next(&mut seats)
    {
        judged += 1;
        if let Some(candidate) = judge(tx, lane.n, now, admit)? {
            due.extend(begin(tx, &lane, candidate, now, &mut seats)?);
        }
        // Whatever the verdict, a candidate is no longer ready after it: the lane goes on.
        lanes.advance(tx.conn, &lane)?;
    }
    Ok(Looked {
        more: judged >= JUDGE_AT_ONCE,
        due,
        seats,
    })
}

/// An order that may be called.
struct Candidate {
    order: Order,
    /// Attempts that began.
    attempts: u32,
}

fn judge(tx: &mut Tx<'_>, n: i64, now: Timestamp, admit: &dyn Admit) -> Result<Option<Candidate>> {
    let call = row::by_number(tx.conn, n)?;
    let waits = call.waits_for.clone();
    let (attempts, order) = (call.attempt, row::order_of(call)?);
    if do_not_call::listed(tx.conn, &order.phone)? {
        do_not_call::refuse(tx, n, now)?;
        return Ok(None);
    }
    let windows = admit.windows(&order, now);
    let past = past(tx, &order.phone, windows)?;
    match admit.judge(&order, &past, now) {
        Verdict::Call => return Ok(Some(Candidate { order, attempts })),
        Verdict::Wait {
            until,
            reason,
            outcome,
        } => {
            let until = until.max(now.saturating_add(SHORTEST_WAIT).unwrap_or(now));
            // Once for each reason: an order that waits day after day doesn't fill its history.
            if waits.is_none_or(|waits| waits.rule != reason.rule) {
                let data = fields!({"event": "waits", "until": until.to_string(), "rule": reason.rule, "text": reason.text});
                events::put(tx, n, 0, kind::ORDER, now, data)?;
            }
            let waits = Waits {
                outcome: outcome.map(str::to_owned),
                ..Waits::new(reason)
            };
            tx.conn
                .prepare_cached("UPDATE calls SET due = ?2, ready = 0, waits = ?3 WHERE n = ?1")?
                .execute(params![n, ms(until), waits.text()])?;
        }
        Verdict::Refuse { outcome, reason } => refuse(tx, n, outcome, &reason, now)?,
    }
    Ok(None)
}

/// Closes a queued order by a rule.
pub(super) fn refuse(
    tx: &mut Tx<'_>,
    n: i64,
    outcome: Option<&str>,
    reason: &Reason,
    now: Timestamp,
) -> Result<()> {
    let data =
        fields!({"event": "refused", "outcome": outcome, "rule": reason.rule, "text": reason.text});
    events::put(tx, n, 0, kind::ORDER, now, data)?;
    tx.conn
        .prepare_cached("UPDATE calls SET outcome = coalesce(?2, outcome) WHERE n = ?1")?
        .execute(params![n, outcome])?;
    calls::close(tx, n, Status::Finished, now)?;
    Ok(())
}

/// The number's past in the windows, from its index.
pub(super) fn past(tx: &Tx<'_>, phone: &Phone, windows: Windows) -> Result<Past> {
    let count = |since: Option<Timestamp>| -> Result<Count> {
        let Some(since) = since else {
            return Ok(Count::default());
        };
        let count = tx
            .conn
            .prepare_cached(
                "SELECT count(ended), count(iif(ended IS NULL, NULL, answered)), \
                     count(iif(ended IS NULL OR machine, NULL, answered)), count(*) - count(ended) FROM attempts \
                 WHERE number = ?1 AND started >= ?2",
            )?
            .query_row(params![phone.key(), ms(since)], |row| {
                Ok(Count {
                    attempts: row.get(0)?,
                    answers: row.get(1)?,
                    talks: row.get(2)?,
                    going_on: row.get(3)?,
                })
            })?;
        Ok(count)
    };
    Ok(Past {
        day: count(windows.day)?,
        week: count(windows.week)?,
        month: count(windows.month)?,
    })
}

/// A new attempt of a queued order, by the trunk that has room for it.
fn begin(
    tx: &mut Tx<'_>,
    lane: &Lane,
    candidate: Candidate,
    now: Timestamp,
    seats: &mut impl Seats,
) -> Result<Option<Due>> {
    let Candidate { order, attempts } = candidate;
    let congested = congested(tx, lane.n, attempts)?;
    let trunk = match seats.seat(&lane.dialog, &lane.route, congested.as_deref()) {
        Seat::Trunk(trunk) => Some(trunk),
        Seat::NoTrunk => None,
        Seat::Taken => return Ok(None),
    };
    let (n, attempt, channel_id) = (lane.n, attempts + 1, ChannelId::fresh());
    tx.conn
        .prepare_cached(
            "INSERT INTO attempts (call_n, attempt, channel_id, started, number, trunk) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![n, attempt, channel_id.as_str(), ms(now), order.phone.key(), trunk])?;
    tx.conn
        .prepare_cached(
            "UPDATE calls SET status = 'dialing', attempt = ?2, due = NULL, ready = 0, waits = NULL, changed = ?3 WHERE n = ?1",
        )?
        .execute(params![n, attempt, ms(now)])?;
    let data = fields!({"event": "began", "channel_id": channel_id.as_str(), "trunk": trunk});
    events::put(tx, n, attempt, kind::ATTEMPT, now, data)?;
    if trunk.is_none() {
        let data = fields!({"reason": "no trunk serves numbers that begin so", "key": "trunks[].prefixes"});
        events::put(tx, n, attempt, kind::FAULT, now, data)?;
    }
    changes::put(tx, n)?;
    Ok(Some(Due {
        before: before(tx, n, attempt)?,
        order,
        attempt,
        channel_id,
        trunk,
    }))
}

/// The trunk that answered the order's last attempt with congestion.
fn congested(tx: &Tx<'_>, n: i64, attempts: u32) -> Result<Option<String>> {
    if attempts == 0 {
        return Ok(None);
    }
    let trunk = tx
        .conn
        .prepare_cached(
            "SELECT trunk FROM attempts WHERE call_n = ?1 AND attempt = ?2 AND outcome = 'congestion'",
        )?
        .query_row(params![n, attempts], |row| row.get(0))
        .optional()?;
    Ok(trunk.flatten())
}

/// How the attempts before this one ended.
fn before(tx: &Tx<'_>, n: i64, attempt: u32) -> Result<Vec<Ended>> {
    if attempt == 1 {
        return Ok(Vec::new());
    }
    let ended = tx
        .conn
        .prepare_cached(
            "SELECT coalesce(outcome, ''), answered IS NOT NULL, coalesce(talk_ms, 0) FROM attempts \
             WHERE call_n = ?1 AND attempt < ?2 ORDER BY attempt",
        )?
        .query_map(params![n, attempt], |row| {
            Ok(Ended {
                outcome: row.get(0)?,
                answered: row.get(1)?,
                talk_ms: row.get::<_, i64>(2)?.unsigned_abs(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ended)
}

/// Orders whose `expires` has come. One that only a rule has kept from being called has that rule's outcome.
fn expire(tx: &mut Tx<'_>, now: Timestamp) -> Result<()> {
    let late: Vec<(i64, Option<String>)> = tx
        .conn
        .prepare_cached(
            "SELECT n, waits FROM calls WHERE status = 'queued' AND expires IS NOT NULL AND expires <= ?1 ORDER BY expires LIMIT ?2",
        )?
        .query_map(params![ms(now), EXPIRE_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (n, waits) in late {
        let waits = waits.as_deref().and_then(Waits::read);
        let mut data = fields!({"event": "expired"});
        if let Some((outcome, reason)) = waits.and_then(|w| Some((w.outcome?, w.reason))) {
            data.push("rule", &reason.rule);
            data.push("text", &reason.text);
            tx.conn
                .prepare_cached("UPDATE calls SET outcome = coalesce(outcome, ?2) WHERE n = ?1")?
                .execute(params![n, outcome])?;
        }
        events::put(tx, n, 0, kind::ORDER, now, data)?;
        calls::close(tx, n, Status::Expired, now)?;
    }
    Ok(())
}
