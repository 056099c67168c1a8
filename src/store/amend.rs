//! An order that is changed while it waits.

use jiff::Timestamp;
use rusqlite::params;
use serde_json::{Map, Value};

use super::error::Result;
use super::events;
use super::record::Amended;
use super::row::{self, json as text, ms, ms_opt};
use super::writer::Tx;
use crate::call::history::kind;
use crate::call::{OrderPatch, Status};
use crate::ident::CallId;

/// Changes what `patch` names. The same patch again changes nothing and leaves no line.
pub(super) fn amend(
    tx: &mut Tx<'_>,
    id: &CallId,
    patch: &OrderPatch,
    now: Timestamp,
) -> Result<Amended> {
    let Some((n, call)) = row::bare(tx.conn, id)? else {
        return Ok(Amended::Unknown);
    };
    if call.status != Status::Queued {
        return Ok(Amended::NotQueued(call.status));
    }
    let priority = patch.priority.unwrap_or(call.priority);
    let attempts = patch.attempts.unwrap_or(call.attempts);
    let not_before = patch.not_before.unwrap_or(call.not_before);
    let expires = patch.expires.unwrap_or(call.expires);
    let params = patch.params.as_ref().unwrap_or(&call.params);
    let callback = patch.callback.as_ref().unwrap_or(&call.callback);
    // What is left to the rules they bound themselves.
    if patch
        .attempts
        .is_some_and(|most| most > 0 && most <= call.attempt)
    {
        return Ok(Amended::TooFewAttempts { made: call.attempt });
    }
    if let (Some(from), Some(to)) = (not_before, expires)
        && to <= from
    {
        return Ok(Amended::ExpiresFirst);
    }
    let mut changed = Map::new();
    let mut note = |name: &str, differs: bool, value: Value| {
        if differs {
            changed.insert(name.to_owned(), value);
        }
    };
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).into();
    note("priority", priority != call.priority, priority.into());
    note("attempts", attempts != call.attempts, attempts.into());
    note(
        "not_before",
        not_before != call.not_before,
        moment(not_before),
    );
    note("expires", expires != call.expires, moment(expires));
    note(
        "params",
        *params != call.params,
        Value::Object(params.clone()),
    );
    note(
        "callback",
        *callback != call.callback,
        callback.clone().into(),
    );
    if changed.is_empty() {
        return Ok(Amended::AsItWas);
    }
    let due = match call.next_attempt {
        due if not_before == call.not_before => due.unwrap_or(now),
        // A wait between attempts is no matter of `not_before`: it can be longer by it, not shorter.
        Some(due) if call.attempt > 0 => not_before.map_or(due, |at| at.max(due)),
        _ => not_before.map_or(now, |at| at.max(now)),
    };
    tx.conn
        .prepare_cached(
            "UPDATE calls SET priority = ?2, attempts = ?3, not_before = ?4, expires = ?5, params = ?6, callback = ?7, \
             due = ?8, ready = ?9 WHERE n = ?1",
        )?
        .execute(params![
            n,
            priority,
            attempts,
            ms_opt(not_before),
            ms_opt(expires),
            text(params),
            callback,
            ms(due),
            ms(due) <= ms(now),
        ])?;
    changed.insert("event".to_owned(), "changed".into());
    events::put(tx, n, 0, kind::ORDER, now, Value::Object(changed))?;
    tx.wake = true;
    Ok(Amended::Done)
}
