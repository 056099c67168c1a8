//! The outbox of callbacks. A delivery is written in the same transaction as the change that it tells, so neither is ever
//! without the other; it is taken from here until the receiver has said 2xx, or until it is given up, which stays to be seen.
//!
//! Nothing marks a delivery that is on its way: after a crash it is simply sent once more (at least once). One call's
//! deliveries go out in their order: a later one isn't due while an earlier one waits.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::Result;
use super::record::{Callback, CallbackState, Change, Receiver, Tried};
use super::row::{call_id, corrupt, ms, time};
use super::writer::Tx;
use super::{changes, events};
use crate::call::fields::fields;
use crate::call::history::kind;
use crate::ident::CallId;

/// Longest reason of a failure that is kept, characters.
const MAX_ERROR: usize = 300;
/// Most deliveries that are given up in one transaction.
const GIVE_UP_AT_ONCE: i64 = 500;

const CALLBACK: &str = "SELECT b.n, c.id, b.cursor, b.url, b.host, b.state, b.tries, b.due, b.created, b.since, b.changed, b.answer, b.error \
     FROM callbacks b JOIN calls c ON c.n = b.call_n";

/// Writes the delivery of the change that was just noted, which came at `at`, to `url`.
pub(super) fn put(tx: &mut Tx<'_>, n: i64, url: &str, at: i64) -> Result<()> {
    tx.conn
        .prepare_cached(
            "INSERT INTO callbacks (call_n, cursor, url, host, state, tries, due, created, since, changed) \
             VALUES (?1, ?2, ?3, ?4, 'waiting', 0, \
             max(?5, coalesce((SELECT max(due) FROM callbacks WHERE call_n = ?1 AND state = 'waiting'), ?5)), ?5, ?5, ?5)",
        )?
        .execute(params![n, tx.cursor, url, host_of(url), at])?;
    tx.deliver = true;
    Ok(())
}

/// Scheme, name and port, as they are written: what is spared together.
fn host_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{authority}").to_lowercase()
}

/// Hosts that deliveries wait for, each with the time of its next one.
pub(super) fn receivers(conn: &Connection) -> Result<Vec<Receiver>> {
    // From host to host by the index, however many deliveries each has.
    let mut statement = conn.prepare_cached(
        "WITH RECURSIVE hosts (host) AS ( \
           SELECT * FROM (SELECT host FROM callbacks WHERE state = 'waiting' ORDER BY host LIMIT 1) \
           UNION ALL \
           SELECT (SELECT host FROM callbacks WHERE state = 'waiting' AND host > hosts.host ORDER BY host LIMIT 1) \
             FROM hosts WHERE hosts.host IS NOT NULL) \
         SELECT host, (SELECT due FROM callbacks WHERE state = 'waiting' AND host = hosts.host ORDER BY due LIMIT 1) \
           FROM hosts WHERE host IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    let mut receivers = Vec::new();
    while let Some(row) = rows.next()? {
        receivers.push(Receiver {
            host: row.get(0)?,
            due: time("due", row.get(1)?)?,
        });
    }
    Ok(receivers)
}

/// Deliveries of a host whose time has come, with the change that each tells.
pub(super) fn due(
    conn: &Connection,
    host: &str,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(Callback, Change)>> {
    let sql = format!(
        "{CALLBACK} WHERE b.state = 'waiting' AND b.host = ?1 AND b.due <= ?2 \
         AND NOT EXISTS (SELECT 1 FROM callbacks e WHERE e.call_n = b.call_n AND e.n < b.n AND e.state = 'waiting') \
         ORDER BY b.due, b.n LIMIT ?3"
    );
    let found = select(conn, &sql, params![host, ms(now), limit as i64])?;
    let mut all = Vec::with_capacity(found.len());
    for callback in found {
        let change = changes::at(conn, callback.cursor)?
            .ok_or_else(|| corrupt("cursor", format!("change {} is gone", callback.cursor)))?;
        all.push((callback, change));
    }
    Ok(all)
}

/// Notes what came of a try. Nothing where it was delivered meanwhile.
pub(super) fn tried(tx: &mut Tx<'_>, n: i64, tried: &Tried, now: Timestamp) -> Result<()> {
    let (state, due, answer, error) = match tried {
        Tried::Delivered { answer } => (CallbackState::Delivered, now, Some(*answer), None),
        Tried::Failed {
            answer,
            error,
            again,
        } => match again {
            Some(again) => (CallbackState::Waiting, *again, *answer, Some(error)),
            None => (CallbackState::Failed, now, *answer, Some(error)),
        },
    };
    let error: Option<String> = error.map(|error| error.chars().take(MAX_ERROR).collect());
    let row: Option<(i64, i64, u32, i64)> = tx
        .conn
        .prepare_cached(
            "UPDATE callbacks SET state = ?2, tries = tries + 1, due = ?3, changed = ?4, answer = ?5, error = ?6 \
             WHERE n = ?1 AND state = 'waiting' RETURNING call_n, cursor, tries, created",
        )?
        .query_row(
            params![n, state.as_str(), ms(due), ms(now), answer, error],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let Some((call_n, cursor, tries, _)) = row else {
        return Ok(());
    };
    // The call's later ones come after this one: due no sooner while it waits, and at once when it is through. So the least
    // `due` of a host always belongs to a delivery that may go out then.
    let later = match state {
        CallbackState::Waiting => {
            "UPDATE callbacks SET due = max(due, ?3) WHERE call_n = ?1 AND n > ?2 AND state = 'waiting'"
        }
        _ => {
            "UPDATE callbacks SET due = min(due, ?3) WHERE call_n = ?1 AND n > ?2 AND state = 'waiting'"
        }
    };
    tx.conn
        .prepare_cached(later)?
        .execute(params![call_n, n, ms(due)])?;
    let event = match (tried, state) {
        (Tried::Delivered { .. }, _) => "delivered",
        (_, CallbackState::Failed) => "given_up",
        // The first failure is told, and the end; what lies between is counted.
        _ if tries == 1 => "not_delivered",
        _ => return Ok(()),
    };
    let data = fields!({"event": event, "delivery": n, "cursor": cursor, "tries": tries, "answer": answer, "error": error});
    events::put(tx, call_n, 0, kind::CALLBACK, now, data)
}

/// Gives up what a host that doesn't answer has left waiting since before `since`; how many.
pub(super) fn give_up(
    tx: &mut Tx<'_>,
    host: &str,
    since: Timestamp,
    error: &str,
    now: Timestamp,
) -> Result<usize> {
    let numbers: Vec<i64> = tx
        .conn
        .prepare_cached(
            "SELECT n FROM callbacks WHERE state = 'waiting' AND host = ?1 AND since < ?2 ORDER BY due LIMIT ?3",
        )?
        .query_map(params![host, ms(since), GIVE_UP_AT_ONCE], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let failed = Tried::Failed {
        answer: None,
        error: error.to_owned(),
        again: None,
    };
    for n in &numbers {
        tried(tx, *n, &failed, now)?;
    }
    Ok(numbers.len())
}

/// A delivery that was given up is tried again, one that waits at once. `None`: there is none of that number.
pub(super) fn retry(tx: &mut Tx<'_>, n: i64, now: Timestamp) -> Result<Option<Callback>> {
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE callbacks SET state = 'waiting', due = ?2, since = ?2 WHERE n = ?1 AND state <> 'delivered'",
        )?
        .execute(params![n, ms(now)])?;
    tx.deliver |= changed > 0;
    let found = select(tx.conn, &format!("{CALLBACK} WHERE b.n = ?1"), params![n])?;
    Ok(found.into_iter().next())
}

/// A page of deliveries in that state after number `after`.
pub(super) fn page(
    conn: &Connection,
    state: Option<CallbackState>,
    after: i64,
    limit: usize,
) -> Result<Vec<Callback>> {
    let narrow = match state {
        None => "",
        // The words of the partial index.
        Some(CallbackState::Waiting) => "b.state = 'waiting' AND b.state <> 'delivered' AND",
        Some(CallbackState::Failed) => "b.state = 'failed' AND b.state <> 'delivered' AND",
        Some(CallbackState::Delivered) => "b.state = 'delivered' AND",
    };
    let sql = format!("{CALLBACK} WHERE {narrow} b.n > ?1 ORDER BY b.n LIMIT ?2");
    select(conn, &sql, params![after, limit as i64])
}

/// The deliveries of a call, oldest first.
pub(super) fn of_call(conn: &Connection, call_n: i64, most: usize) -> Result<Vec<Callback>> {
    let sql = format!("{CALLBACK} WHERE b.call_n = ?1 ORDER BY b.n LIMIT ?2");
    select(conn, &sql, params![call_n, most as i64])
}

/// How many wait, and how many were given up.
pub(super) fn counts(conn: &Connection) -> Result<(u64, u64)> {
    let count = |word: &str| -> Result<u64> {
        let sql = format!(
            "SELECT count(*) FROM callbacks WHERE state <> 'delivered' AND state = '{word}'"
        );
        let count: i64 = conn.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    Ok((count("waiting")?, count("failed")?))
}

fn select(conn: &Connection, sql: &str, with: impl rusqlite::Params) -> Result<Vec<Callback>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(with)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(callback_of(row)?);
    }
    Ok(all)
}

fn callback_of(row: &Row<'_>) -> Result<Callback> {
    let state: String = row.get(5)?;
    let id: CallId = call_id(&row.get::<_, String>(1)?)?;
    let state = CallbackState::parse(&state).ok_or_else(|| corrupt("state", state))?;
    let due = time("due", row.get(7)?)?;
    Ok(Callback {
        n: row.get(0)?,
        id,
        cursor: row.get(2)?,
        url: row.get(3)?,
        host: row.get(4)?,
        state,
        tries: row.get(6)?,
        next_try: (state == CallbackState::Waiting).then_some(due),
        created: time("created", row.get(8)?)?,
        since: time("since", row.get(9)?)?,
        changed: time("changed", row.get(10)?)?,
        answer: row.get(11)?,
        error: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_host_is_scheme_name_and_port() {
        for (url, host) in [
            ("https://1C.local/base/hs/calls?x=1", "https://1c.local"),
            ("http://10.0.0.5:8080/a", "http://10.0.0.5:8080"),
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }
}
