//! Counts what has ended, for reports: read beside the writer, written as counters of a day. Each attempt and each call is
//! counted once, in the transaction that marks it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

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

/// What is to be added to one day's counters: by kind and key how often, and the sum.
#[derive(Debug)]
struct Counts {
    of: Day,
    counts: BTreeMap<&'static str, BTreeMap<String, (i64, i64)>>,
}

impl Counts {
    fn add(&mut self, kind: &'static str, key: &str, sum: u64) {
        let sum = i64::try_from(sum).unwrap_or(i64::MAX);
        let keys = self.counts.entry(kind).or_default();
        // Most are there: no text is made for them.
        if let Some(counter) = keys.get_mut(key) {
            *counter = (counter.0 + 1, counter.1.saturating_add(sum));
        } else {
            keys.insert(key.to_owned(), (1, sum));
        }
    }
}

/// What is to be added to the counters, and whose it is.
#[derive(Debug, Default)]
pub(super) struct Tally {
    days: Vec<Counts>,
    unmatched: BTreeMap<(Day, String, String), (i64, String, String)>,
    attempts: Vec<(i64, u32)>,
    calls: Vec<i64>,
}

impl Tally {
    /// How many attempts and calls are in it.
    pub(super) fn len(&self) -> usize {
        self.attempts.len() + self.calls.len()
    }

    /// The counters of that dialog, day and version.
    fn day(&mut self, dialog: &str, day: i64, version: &str) -> &mut Counts {
        let is = |counts: &Counts| {
            (counts.of.0.as_str(), counts.of.1, counts.of.2.as_str()) == (dialog, day, version)
        };
        let at = self.days.iter().rposition(is).unwrap_or_else(|| {
            self.days.push(Counts {
                of: (dialog.to_owned(), day, version.to_owned()),
                counts: BTreeMap::new(),
            });
            self.days.len() - 1
        });
        &mut self.days[at]
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
        let counts = tally.day(word(row, 1)?, day(ended, zone), word(row, 5)?);
        let status = word(row, 3)?;
        // Of a cancelled or expired order the status tells more than what its last attempt gave.
        let key = match row.get_ref(4)? {
            ValueRef::Text(_) if status == "finished" => word(row, 4)?,
            _ => status,
        };
        counts.add("call", key, 0);
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
        let (how, answered): (&str, bool) = (word(row, 5)?, row.get(6)?);
        let talk_ms = row.get::<_, i64>(7)?.unsigned_abs();
        tally.attempts.push((n, attempt));
        let counts = tally.day(word(row, 2)?, day(ended, zone), word(row, 4)?);
        counts.add("attempt", how, talk_ms);
        if !answered {
            continue;
        }
        counts.add("talk", &buckets::bound(talk_ms).to_string(), talk_ms);
        let facts = read(conn, n, attempt)?;
        for (place, stage) in facts.stages.iter().enumerate() {
            counts.add("stage", stage, place as u64 + 1);
        }
        if let Some(last) = &facts.last {
            counts.add("last", last, 0);
            if [outcome::HUNG_UP, outcome::NO_REPLY].contains(&how) {
                counts.add("left", last, 0);
            }
        }
        for reason in &facts.windows {
            counts.add("window", reason, 0);
        }
        for (step, ms) in facts.steps {
            let kind = step_kind(step);
            counts.add(kind, &buckets::bound(ms).to_string(), ms);
        }
        for (recognizer, ms) in &facts.sent {
            counts.add("sent", recognizer, *ms);
        }
        for _ in &facts.unmatched {
            counts.add("unmatched", "", 0);
        }
        if texts && !facts.unmatched.is_empty() {
            let (of, id) = (counts.of.clone(), word(row, 8)?);
            for said in facts.unmatched {
                let key = (of.clone(), said.stage, said.text);
                let of = tally.unmatched.entry(key).or_default();
                *of = (of.0 + 1, said.question, id.to_owned());
            }
        }
    }
    Ok(())
}

/// A column's text, as it stands in the row.
fn word<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str> {
    let text = row.get_ref(column)?.as_str();
    text.map_err(|error| corrupt("a word", error))
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
    for Counts { of, counts } in &tally.days {
        let (dialog, day, version) = of;
        for (kind, keys) in counts {
            for (key, (count, sum)) in keys {
                add.execute(params![dialog, day, version, kind, key, count, sum])?;
            }
        }
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
