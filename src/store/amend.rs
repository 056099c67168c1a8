//! An order that is changed while it waits.

use jiff::Timestamp;
use rusqlite::params;
use serde_json::{Map, Value};

use super::admit::{Admit, Reason, Verdict};
use super::error::Result;
use super::events;
use super::record::{Amended, CallRecord};
use super::row::{self, json as text, ms, ms_opt};
use super::take;
use super::waits::{First, Waits};
use super::writer::Tx;
use crate::call::fields::fields;
use crate::call::history::kind;
use crate::call::{Order, OrderPatch, Status};
use crate::ident::CallId;

/// What decides when an order may be called: a change of these is judged anew.
const JUDGED: [&str; 4] = ["not_before", "rules", "zone", "hours"];

/// Changes what `patch` names. The same patch again changes nothing and leaves no line.
pub(super) fn amend(
    tx: &mut Tx<'_>,
    id: &CallId,
    patch: &OrderPatch,
    admit: &dyn Admit,
    now: Timestamp,
) -> Result<Amended> {
    let Some((n, call)) = row::bare(tx.conn, id)? else {
        return Ok(Amended::Unknown);
    };
    if call.status != Status::Queued {
        return Ok(Amended::NotQueued(call.status));
    }
    let before = row::order_of(call.clone())?;
    let mut order = before.clone();
    patch.apply(&mut order);
    // What is left to the rules they bound themselves.
    if patch
        .attempts
        .is_some_and(|most| most > 0 && most <= call.attempt)
    {
        return Ok(Amended::TooFewAttempts { made: call.attempt });
    }
    if let (Some(from), Some(to)) = (order.not_before, order.expires)
        && to <= from
    {
        return Ok(Amended::ExpiresFirst);
    }
    let mut changed = differences(&before, &order);
    if changed.is_empty() {
        return Ok(Amended::AsItWas);
    }
    let is_judged = JUDGED.iter().any(|key| changed.contains_key(*key));
    changed.insert("event".to_owned(), "changed".into());
    let known = waits(tx, n)?;
    let (due, waits) = if is_judged {
        match judge(tx, &call, &order, known.clone(), admit, now)? {
            Ok(stands) => stands,
            Err(reason) => return Ok(Amended::Refused(reason)),
        }
    } else {
        (call.next_attempt.unwrap_or(now), known.clone())
    };
    events::put(tx, n, 0, kind::ORDER, now, changed.into_iter().collect())?;
    if let Some(waits) = &waits
        && is_judged
        && known.is_none_or(|known| known.reason != waits.reason)
        && !waits.reason.text.is_empty()
    {
        let Reason { rule, text } = &waits.reason;
        let data =
            fields!({"event": "waits", "until": due.to_string(), "rule": rule, "text": text});
        events::put(tx, n, 0, kind::ORDER, now, data)?;
    }
    tx.conn
        .prepare_cached(
            "UPDATE calls SET priority = ?2, attempts = ?3, not_before = ?4, expires = ?5, params = ?6, callback = ?7, \
             due = ?8, ready = ?9, file = ?10, rules = ?11, zone = ?12, hours = ?13, waits = ?14 WHERE n = ?1",
        )?
        .execute(params![
            n,
            order.priority,
            order.attempts,
            ms_opt(order.not_before),
            ms_opt(order.expires),
            text(&order.params),
            order.callback,
            ms(due),
            ms(due) <= ms(now),
            order.file,
            order.rules,
            order.zone,
            order.hours,
            waits.as_ref().map(Waits::text),
        ])?;
    tx.wake = true;
    Ok(Amended::Done)
}

/// The new values of what is no longer as it was, as the history tells them.
fn differences(before: &Order, order: &Order) -> Map<String, Value> {
    let mut changed = Map::new();
    let mut note = |name: &str, differs: bool, value: Value| {
        if differs {
            changed.insert(name.to_owned(), value);
        }
    };
    let moment = |at: Option<Timestamp>| Value::from(at.map(|at| at.to_string()));
    let (a, b) = (before, order);
    note("priority", a.priority != b.priority, b.priority.into());
    note("attempts", a.attempts != b.attempts, b.attempts.into());
    note(
        "not_before",
        a.not_before != b.not_before,
        moment(b.not_before),
    );
    note("expires", a.expires != b.expires, moment(b.expires));
    note(
        "params",
        a.params != b.params,
        Value::Object(b.params.clone()),
    );
    for (name, a, b) in [
        ("callback", &a.callback, &b.callback),
        ("file", &a.file, &b.file),
        ("rules", &a.rules, &b.rules),
        ("zone", &a.zone, &b.zone),
        ("hours", &a.hours, &b.hours),
    ] {
        note(name, a != b, b.clone().into());
    }
    changed
}

fn waits(tx: &Tx<'_>, n: i64) -> Result<Option<Waits>> {
    let text: Option<String> = tx
        .conn
        .prepare_cached("SELECT waits FROM calls WHERE n = ?1")?
        .query_row([n], |row| row.get(0))?;
    Ok(text.as_deref().and_then(Waits::read))
}

/// When the changed order is due and what it waits for, judged as if it had just come in; or why it may never be called.
///
/// What the last attempt's outcome asked for stays: hours, zone and limits are judged at that moment.
fn judge(
    tx: &Tx<'_>,
    call: &CallRecord,
    order: &Order,
    known: Option<Waits>,
    admit: &dyn Admit,
    now: Timestamp,
) -> Result<std::result::Result<(Timestamp, Option<Waits>), Reason>> {
    let due = call.next_attempt.unwrap_or(now);
    let first = known.map(|waits| (waits.first, waits.reason));
    let (free, asked) = match first {
        // For a line, or for what a crash left behind to be over.
        None => (due, None),
        Some((First::None, _)) => (now, None),
        Some((First::Attempt(at, reason), _)) => (at, Some((at, reason))),
        // Before the first attempt only rules of admission can hold it.
        Some((First::Unknown, _)) if call.attempt == 0 => (now, None),
        Some((First::Unknown, reason)) => (due, Some((due, reason))),
    };
    let not_before = order.not_before.unwrap_or(now);
    let from = free.max(not_before).max(now);
    let asked = asked.filter(|(at, _)| *at > now);
    let first = match &asked {
        Some((at, reason)) => First::Attempt(*at, reason.clone()),
        None => First::None,
    };
    let past = take::past(tx, &order.phone, admit.windows(order, from))?;
    let (due, reason, outcome) = match admit.judge(order, &past, from) {
        Verdict::Refuse { reason, .. } => return Ok(Err(reason)),
        Verdict::Wait {
            until,
            reason,
            outcome,
        } => (until.max(from), Some(reason), outcome.map(str::to_owned)),
        Verdict::Call => {
            let reason = match asked {
                Some((at, reason)) if at >= not_before => Some(reason),
                _ => (not_before > now).then(|| Reason::new("not_before", "")),
            };
            (from, reason, None)
        }
    };
    let waits = reason.map(|reason| Waits {
        reason,
        outcome,
        first,
    });
    Ok(Ok((due, waits)))
}
