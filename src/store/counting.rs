//! Counts what has ended, for reports: read beside the writer, written as counters of a day. Each attempt and each call is
//! counted once, in the transaction that marks it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};

use super::buckets;
use super::error::Result;
use super::facts::{Facts, KINDS};
use super::row::{corrupt, time};
use super::writer::Tx;
use crate::call::outcome;

/// Most texts that nothing matched of one dialog's day and version; more are counted as [`OTHER`].
const MAX_TEXTS: i64 = 2_000;
/// Stands for all further texts.
const OTHER: &str = "…";

/// Whose counters: dialog, day, version.
type Day = (String, i64, String);

/// What is to be added to the counters, and whose it is.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<(Day, &'static str, String), (i64, i64)>,
    unmatched: BTreeMap<(Day, String, String), (i64, String, String)>,
    attempts: Vec<(i64, u32)>,
    calls: Vec<i64>,
}

impl Tally {
    /// How many attempts and calls are in it.
    pub(super) fn len(&self) -> usize {
        self.attempts.len() + self.calls.len()
    }

    fn add(&mut self, day: &Day, kind: &'static str, key: &str, sum: u64) {
        let sum = i64::try_from(sum).unwrap_or(i64::MAX);
        let at = (day.clone(), kind, key.to_owned());
        let counter = self.counts.entry(at).or_default();
        counter.0 += 1;
        counter.1 = counter.1.saturating_add(sum);
    }
}

/// `20261129`
pub(super) fn day(at: Timestamp, zone: &TimeZone) -> i64 {
    number(zone.to_datetime(at).date())
}

/// The same, of a date.
pub(super) fn number(date: jiff::civil::Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

/// At most `limit` attempts and as many calls that ended and aren't counted. `texts`: what people said is kept.
pub(super) fn pending(
    conn: &Connection,
    zone: &TimeZone,
    texts: bool,
    limit: usize,
) -> Result<Tally> {
    let mut tally = Tally::default();
    attempts(conn, zone, texts, limit, &mut tally)?;
    let mut statement = conn.prepare_cached(
        "SELECT c.n, c.dialog, c.changed, c.status, c.outcome, \
             coalesce((SELECT version FROM attempts WHERE call_n = c.n AND attempt = c.attempt), '') \
         FROM calls c WHERE c.counted = 0 AND (c.status = 'finished' OR c.status = 'cancelled' OR c.status = 'expired') ORDER BY c.changed LIMIT ?1",
    )?;
    let mut rows = statement.query([limit as i64])?;
    while let Some(row) = rows.next()? {
        let ended = time("changed", row.get(2)?)?;
        let at = (row.get(1)?, day(ended, zone), row.get(5)?);
        let (status, outcome): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        // Of a cancelled or expired order the status tells more than what its last attempt gave.
        let key = match outcome {
            Some(outcome) if status == "finished" => outcome,
            _ => status,
        };
        tally.add(&at, "call", &key, 0);
        tally.calls.push(row.get(0)?);
    }
    Ok(tally)
}

fn attempts(
    conn: &Connection,
    zone: &TimeZone,
    texts: bool,
    limit: usize,
    tally: &mut Tally,
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT a.call_n, a.attempt, c.dialog, a.ended, coalesce(a.version, ''), coalesce(a.outcome, ''), a.answered IS NOT NULL, \
             coalesce(a.talk_ms, 0), c.id \
         FROM attempts a JOIN calls c ON c.n = a.call_n WHERE a.counted = 0 AND a.ended IS NOT NULL ORDER BY a.ended LIMIT ?1",
    )?;
    let mut rows = statement.query([limit as i64])?;
    while let Some(row) = rows.next()? {
        let (n, attempt): (i64, u32) = (row.get(0)?, row.get(1)?);
        let ended = time("ended", row.get(3)?)?;
        let at: Day = (row.get(2)?, day(ended, zone), row.get(4)?);
        let (how, answered): (String, bool) = (row.get(5)?, row.get(6)?);
        let talk_ms = row.get::<_, i64>(7)?.unsigned_abs();
        tally.add(&at, "attempt", &how, talk_ms);
        tally.attempts.push((n, attempt));
        if !answered {
            continue;
        }
        tally.add(&at, "talk", &buckets::bound(talk_ms).to_string(), talk_ms);
        let facts = read(conn, n, attempt)?;
        for (place, stage) in facts.stages.iter().enumerate() {
            tally.add(&at, "stage", stage, place as u64 + 1);
        }
        if let Some(last) = &facts.last {
            tally.add(&at, "last", last, 0);
            if [outcome::HUNG_UP, outcome::NO_REPLY].contains(&how.as_str()) {
                tally.add(&at, "left", last, 0);
            }
        }
        for reason in &facts.windows {
            tally.add(&at, "window", reason, 0);
        }
        for (step, ms) in facts.steps {
            let kind = step_kind(step);
            tally.add(&at, kind, &buckets::bound(ms).to_string(), ms);
        }
        for (recognizer, ms) in &facts.sent {
            tally.add(&at, "sent", recognizer, *ms);
        }
        let id: String = row.get(8)?;
        for said in facts.unmatched {
            tally.add(&at, "unmatched", "", 0);
            if texts {
                let key = (at.clone(), said.stage, said.text);
                let of = tally.unmatched.entry(key).or_default();
                *of = (of.0 + 1, said.question, id.clone());
            }
        }
    }
    Ok(())
}

/// The kind of a step's counters.
pub(super) fn step_kind(step: &str) -> &'static str {
    match step {
        "end_of_utterance" => "turn.end_of_utterance",
        "final_text" => "turn.final_text",
        "decision" => "turn.decision",
        "first_audio" => "turn.first_audio",
        _ => "turn.whole",
    }
}

fn read(conn: &Connection, n: i64, attempt: u32) -> Result<Facts> {
    let mut statement = conn.prepare_cached(
        "SELECT kind, data FROM events WHERE call_n = ?1 AND attempt = ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![n, attempt])?;
    let mut facts = Facts::default();
    while let Some(row) = rows.next()? {
        // Sorted out here: for a list of words SQLite makes a table each time.
        let kind = row.get_ref(0)?.as_str().unwrap_or_default();
        if !KINDS.contains(&kind) {
            continue;
        }
        let data = row.get_ref(1)?;
        let data = data.as_str().map_err(|error| corrupt("data", error))?;
        let data = serde_json::from_str(data).map_err(|error| corrupt("data", error))?;
        facts.line(kind, &data);
    }
    Ok(facts)
}

/// Adds it to the counters.
pub(super) fn apply(tx: &mut Tx<'_>, tally: &Tally) -> Result<()> {
    let mut mark = tx.conn.prepare_cached(
        "UPDATE attempts SET counted = 1 WHERE call_n = ?1 AND attempt = ?2 AND counted = 0",
    )?;
    for (n, attempt) in &tally.attempts {
        if mark.execute(params![n, attempt])? == 0 {
            return Err(corrupt("counter", format!("call {n} was counted before")));
        }
    }
    let mut mark = tx
        .conn
        .prepare_cached("UPDATE calls SET counted = 1 WHERE n = ?1 AND counted = 0")?;
    for n in &tally.calls {
        if mark.execute([n])? == 0 {
            return Err(corrupt("counter", format!("call {n} was counted before")));
        }
    }
    let mut add = tx.conn.prepare_cached(
        "INSERT INTO counts (dialog, day, version, kind, key, count, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT DO UPDATE SET count = count + excluded.count, sum = sum + excluded.sum",
    )?;
    for (((dialog, day, version), kind, key), (count, sum)) in &tally.counts {
        add.execute(params![dialog, day, version, kind, key, count, sum])?;
    }
    let mut known = tx.conn.prepare_cached(
        "UPDATE unmatched SET count = count + ?6, question = ?7, call_id = ?8 \
         WHERE dialog = ?1 AND day = ?2 AND version = ?3 AND stage = ?4 AND text = ?5",
    )?;
    let mut kept = tx.conn.prepare_cached(
        "SELECT count(*) FROM unmatched WHERE dialog = ?1 AND day = ?2 AND version = ?3",
    )?;
    let mut new = tx.conn.prepare_cached(
        "INSERT INTO unmatched (dialog, day, version, stage, text, count, question, call_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
         ON CONFLICT DO UPDATE SET count = count + excluded.count, question = excluded.question, call_id = excluded.call_id",
    )?;
    for (((dialog, day, version), stage, text), (count, question, id)) in &tally.unmatched {
        let all = params![dialog, day, version, stage, text, count, question, id];
        if known.execute(all)? > 0 {
            continue;
        }
        let texts: i64 = kept.query_row(params![dialog, day, version], |row| row.get(0))?;
        if texts < MAX_TEXTS {
            new.execute(all)?;
        } else {
            new.execute(params![
                dialog, day, version, "", OTHER, count, question, id
            ])?;
        }
    }
    Ok(())
}
