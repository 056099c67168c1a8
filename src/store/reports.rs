//! Reports: counters of days, added up over a window. Their cost depends on days, dialogs and versions, not on calls.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, params};

use super::buckets;
use super::counting::{number, step_kind};
use super::error::Result;
use crate::call::timing::STEPS;

/// What a report is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportQuery {
    /// The dialog's name.
    pub dialog: String,
    /// The first day, in the server's time zone.
    pub from: Date,
    /// The last one; it is in.
    pub to: Date,
    /// Only of that version of the scripts.
    pub version: Option<String>,
    /// Most texts that nothing matched.
    pub texts: usize,
}

/// A dialog's report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Versions of the scripts that talked, with how many talks each.
    pub versions: Vec<(String, u64)>,
    /// How calls ended: outcome (or `cancelled`, `expired`), how many; most first.
    pub calls: Vec<(String, u64)>,
    /// How attempts ended: outcome, how many, their talk time in milliseconds; most first.
    pub attempts: Vec<(String, u64, u64)>,
    /// Talks: answered attempts.
    pub talks: Times,
    /// Stages, in the order in which talks reach them.
    pub stages: Vec<StageReport>,
    /// Why windows closed, most first.
    pub windows: Vec<(String, u64)>,
    /// Answers that were none of the expected ones.
    pub unmatched: u64,
    /// The most frequent of them.
    pub texts: Vec<UnmatchedText>,
    /// Steps of turns: from step to step, and `whole`.
    pub turns: Vec<(&'static str, Times)>,
    /// Recognizers, and milliseconds of audio that each was sent.
    pub recognizers: Vec<(String, u64)>,
    /// Attempts that ended and aren't counted yet, of all dialogs.
    pub pending: u64,
}

/// Many durations, milliseconds. Percentiles are at most 5 % over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum_ms: u64,
    /// What half of them don't exceed.
    pub p50_ms: Option<u64>,
    /// What 95 % don't.
    pub p95_ms: Option<u64>,
    /// What 99 % don't.
    pub p99_ms: Option<u64>,
}

/// How far talks came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageReport {
    /// The stage.
    pub stage: String,
    /// Talks that reached it.
    pub reached: u64,
    /// Talks that ended in it, however.
    pub ended: u64,
    /// Of these: the person hung up, or never replied.
    pub left: u64,
    place: f64,
}

/// A text that nothing matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedText {
    /// In which stage; empty: before the first, or of many.
    pub stage: String,
    /// The text; `…` stands for all that found no room.
    pub text: String,
    /// How often.
    pub count: u64,
    /// What was asked the last time.
    pub question: String,
    /// The last call in which it was said.
    pub call_id: String,
}

type Counted = BTreeMap<String, (u64, u64)>;

/// Adds it up.
pub(super) fn of(conn: &Connection, query: &ReportQuery) -> Result<Report> {
    let (from, to) = (number(query.from), number(query.to));
    let mut kinds: BTreeMap<String, Counted> = BTreeMap::new();
    let mut versions = Counted::new();
    let mut statement = conn.prepare_cached(
        "SELECT version, kind, key, sum(count), sum(sum) FROM counts WHERE dialog = ?1 AND day BETWEEN ?2 AND ?3 \
         AND (?4 IS NULL OR version = ?4) GROUP BY version, kind, key",
    )?;
    let mut rows = statement.query(params![query.dialog, from, to, query.version])?;
    while let Some(row) = rows.next()? {
        let (version, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let whole = |at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.unsigned_abs());
        let (count, sum) = (whole(3)?, whole(4)?);
        let add = |to: &mut Counted, key: String| {
            let of = to.entry(key).or_default();
            *of = (of.0 + count, of.1 + sum);
        };
        if kind == "talk" {
            add(&mut versions, version);
        }
        add(kinds.entry(kind).or_default(), row.get(2)?);
    }
    let mut take = |kind: &str| kinds.remove(kind).unwrap_or_default();
    let mut report = Report {
        versions: by_count(versions),
        calls: by_count(take("call")),
        windows: by_count(take("window")),
        unmatched: take("unmatched").values().map(|(count, _)| count).sum(),
        talks: times(&take("talk")),
        ..Report::default()
    };
    let attempts = take("attempt");
    report.attempts = by_count(attempts.clone())
        .into_iter()
        .map(|(key, count)| {
            let talk_ms = attempts.get(&key).map_or(0, |(_, sum)| *sum);
            (key, count, talk_ms)
        })
        .collect();
    report.stages = stages(&take("stage"), &take("last"), &take("left"));
    let turns = STEPS
        .iter()
        .map(|(step, ..)| (*step, times(&take(step_kind(step)))));
    report.turns = turns.collect();
    let sent = take("sent").into_iter().map(|(name, (_, ms))| (name, ms));
    report.recognizers = sent.collect();
    report.texts = texts(conn, query, from, to)?;
    report.pending = conn
        .prepare_cached("SELECT count(*) FROM attempts WHERE counted = 0 AND ended IS NOT NULL")?
        .query_row([], |row| row.get::<_, i64>(0))?
        .unsigned_abs();
    Ok(report)
}

fn by_count(counted: Counted) -> Vec<(String, u64)> {
    let mut all: Vec<_> = counted
        .into_iter()
        .map(|(key, (count, _))| (key, count))
        .collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

fn times(counted: &Counted) -> Times {
    let mut bounds: Vec<(u64, u64)> = counted
        .iter()
        .filter_map(|(bound, (count, _))| Some((bound.parse().ok()?, *count)))
        .collect();
    bounds.sort_unstable();
    let percentile = |percent| buckets::percentile(&bounds, percent);
    Times {
        count: counted.values().map(|(count, _)| count).sum(),
        sum_ms: counted.values().map(|(_, sum)| sum).sum(),
        p50_ms: percentile(50),
        p95_ms: percentile(95),
        p99_ms: percentile(99),
    }
}

fn stages(reached: &Counted, last: &Counted, left: &Counted) -> Vec<StageReport> {
    let of = |counted: &Counted, stage: &str| counted.get(stage).map_or(0, |(count, _)| *count);
    let mut all: Vec<StageReport> = reached
        .iter()
        .map(|(stage, (count, places))| StageReport {
            stage: stage.clone(),
            reached: *count,
            ended: of(last, stage),
            left: of(left, stage),
            // Counts of calls: a float holds them exactly.
            #[allow(clippy::cast_precision_loss)]
            place: *places as f64 / (*count).max(1) as f64,
        })
        .collect();
    all.sort_by(|a, b| a.place.total_cmp(&b.place).then(b.reached.cmp(&a.reached)));
    all
}

fn texts(conn: &Connection, query: &ReportQuery, from: i64, to: i64) -> Result<Vec<UnmatchedText>> {
    // Bare columns beside max() are those of its row: the newest question and call.
    let mut statement = conn.prepare_cached(
        "SELECT stage, text, sum(count) AS total, question, call_id, max(day) FROM unmatched \
         WHERE dialog = ?1 AND day BETWEEN ?2 AND ?3 AND (?4 IS NULL OR version = ?4) \
         GROUP BY stage, text ORDER BY total DESC, text LIMIT ?5",
    )?;
    let limit = i64::try_from(query.texts).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![query.dialog, from, to, query.version, limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(UnmatchedText {
            stage: row.get(0)?,
            text: row.get(1)?,
            count: row.get::<_, i64>(2)?.unsigned_abs(),
            question: row.get(3)?,
            call_id: row.get(4)?,
        });
    }
    Ok(all)
}
