//! What a crash cut off is set right at the start: the rule stands in [`super`].

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::error::Result;
use super::record::{Fate, Recovered, Then};
use super::row::{Standing, call_id, direction, status};
use super::writer::Tx;
use super::{calls, events};
use crate::call::fields::fields;
use crate::call::history::kind;
use crate::call::{Direction, Status, Summary, outcome};
use crate::ident::ChannelId;

/// So many crashes may put one order back; the next one closes it, lest an order that brings the server down does so for ever.
pub const MAX_RECOVERIES: u32 = 10;

struct Cut {
    call: Standing,
    recovered: Recovered,
    rang: bool,
    recoveries: u32,
}

pub(super) fn recover(
    tx: &mut Tx<'_>,
    now: Timestamp,
    again_at: Timestamp,
) -> Result<Vec<Recovered>> {
    let mut all = Vec::new();
    for cut in cut_off(tx)? {
        let mut recovered = cut.recovered;
        recovered.fate = if !cut.rang && cut.recoveries < MAX_RECOVERIES {
            tx.conn
                .prepare_cached("UPDATE calls SET recovered = recovered + 1 WHERE n = ?1")?
                .execute([cut.call.n])?;
            match calls::take_back(
                tx,
                &cut.call,
                "the server stopped before it rang",
                again_at,
                now,
            )? {
                Status::Cancelled => Fate::Cancelled,
                _ => Fate::QueuedAgain,
            }
        } else {
            let reason = if cut.rang {
                "the server stopped during the call"
            } else {
                "the server stopped again and again before it rang"
            };
            let data = fields!({"reason": reason});
            events::put(tx, cut.call.n, cut.call.attempt, kind::FAULT, now, data)?;
            let asked = asked_not_to_be_called(tx, cut.call.n, cut.call.attempt)?;
            let summary = Summary {
                do_not_call: asked,
                ..Summary::new(outcome::RUNTIME_ERROR)
            };
            let (id, attempt) = (&recovered.id, cut.call.attempt);
            match calls::attempt_ended(tx, id, attempt, &summary, &Then::Finish, now)? {
                Status::Cancelled => Fate::Cancelled,
                _ => Fate::Closed,
            }
        };
        all.push(recovered);
    }
    Ok(all)
}

/// The person asked for it before the crash; the dialog's end, which would tell it, never came.
fn asked_not_to_be_called(tx: &Tx<'_>, n: i64, attempt: u32) -> Result<Option<String>> {
    let reason = tx
        .conn
        .prepare_cached(
            "SELECT coalesce(data ->> 'reason', '') FROM events WHERE call_n = ?1 AND attempt = ?2 AND kind = ?3 \
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![n, attempt, kind::DO_NOT_CALL], |row| row.get(0))
        .optional()?;
    Ok(reason)
}

fn cut_off(tx: &Tx<'_>) -> Result<Vec<Cut>> {
    let mut all = Vec::new();
    // Two queries, one index each.
    for word in ["dialing", "talking"] {
        let mut statement = tx.conn.prepare_cached(&format!(
            "SELECT c.n, c.id, c.attempt, c.cancel, c.direction, c.recovered, a.channel_id, \
             a.ringing IS NOT NULL OR a.answered IS NOT NULL OR c.status = 'talking' \
             FROM calls c JOIN attempts a ON a.call_n = c.n AND a.attempt = c.attempt WHERE c.status = '{word}' ORDER BY c.n"
        ))?;
        let mut rows = statement.query(params![])?;
        while let Some(row) = rows.next()? {
            let direction = direction(&row.get::<_, String>(4)?)?;
            let attempt = row.get(2)?;
            all.push(Cut {
                call: Standing {
                    n: row.get(0)?,
                    status: status(word)?,
                    attempt,
                    cancel: row.get(3)?,
                },
                recovered: Recovered {
                    id: call_id(&row.get::<_, String>(1)?)?,
                    attempt,
                    channel_id: ChannelId::from_asterisk(&row.get::<_, String>(6)?),
                    direction,
                    fate: Fate::Closed,
                },
                rang: row.get::<_, bool>(7)? || direction == Direction::Incoming,
                recoveries: row.get(5)?,
            });
        }
    }
    Ok(all)
}
