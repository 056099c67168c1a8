//! Export: ended calls, or their histories, as CSV for Excel or as JSON lines; a piece at a time, however many there are.

mod csv;

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use super::error::Result;
use super::row::{ms, object, time, time_opt};
use crate::config::Language;
use csv::Csv;
pub use csv::cell as csv_cell;

/// Calls of one piece.
const CALLS: i64 = 200;
/// Lines of history of one piece.
const LINES: i64 = 1_000;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportOf {
    /// A row a call.
    Calls,
    /// A row a line of history.
    Events,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// `;` between cells, CRLF, a mark that says UTF-8: as Excel in Russian opens it.
    Csv,
    /// An object of JSON a line.
    Jsonl,
}

/// Which calls, and how they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportQuery {
    /// Calls or histories.
    pub of: ExportOf,
    /// CSV or JSON lines.
    pub format: ExportFormat,
    /// Calls that ended at this time or later.
    pub from: Timestamp,
    /// Calls that ended before this time.
    pub to: Timestamp,
    /// Only of this dialog.
    pub dialog: Option<String>,
    /// Of CSV: names in `data` that get a column of their own.
    pub data: Vec<String>,
    /// Of CSV: the zone of its times. JSON has UTC.
    pub zone: TimeZone,
    /// Of CSV: the language of its headings.
    pub language: Language,
}

/// An export that goes on. Rows are in the order of the calls' ends.
#[derive(Clone, Debug)]
pub struct Export {
    query: ExportQuery,
    begun: bool,
    over: bool,
    /// The last call that was taken: its end and number.
    after: (i64, i64),
    /// Calls whose lines are still to come.
    calls: VecDeque<Value>,
    /// The last line of the first of them that was taken.
    line: i64,
}

/// The columns of calls: the name of JSON, and the heading in Russian.
const CALL_COLUMNS: [(&str, &str); 19] = [
    ("id", "Номер"),
    ("direction", "Направление"),
    ("phone", "Телефон"),
    ("dialog", "Диалог"),
    ("status", "Состояние"),
    ("outcome", "Итог"),
    ("created", "Принят"),
    ("ended", "Закончен"),
    ("attempt", "Попыток"),
    ("started", "Набран"),
    ("answered", "Ответил"),
    ("talk_s", "Разговор, с"),
    ("cause", "Причина Q.850"),
    ("version", "Версия сценариев"),
    ("recording", "Запись"),
    ("trunk", "Транк"),
    ("channel_id", "Канал"),
    ("params", "Параметры"),
    ("data", "Данные"),
];

/// The columns of histories.
const EVENT_COLUMNS: [(&str, &str); 7] = [
    ("id", "Номер"),
    ("attempt", "Попытка"),
    ("seq", "Строка"),
    ("at", "Время"),
    ("at_ms", "От начала, мс"),
    ("kind", "Вид"),
    ("data", "Подробности"),
];

impl Export {
    /// At its beginning.
    pub fn new(query: ExportQuery) -> Self {
        let from = ms(query.from);
        Self {
            query,
            begun: false,
            over: false,
            after: (from, 0),
            calls: VecDeque::new(),
            line: 0,
        }
    }

    /// The next piece, which may be empty; `None`: that was all. CSV has its heading even where no call follows.
    pub(super) fn next(&mut self, conn: &Connection) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        if !self.begun {
            self.begun = true;
            if self.query.format == ExportFormat::Csv {
                self.csv().heading(&mut bytes);
            }
            return Ok(Some(bytes));
        }
        if self.over && self.calls.is_empty() {
            return Ok(None);
        }
        match self.query.of {
            ExportOf::Calls => {
                for call in self.page(conn)? {
                    self.write(&call, &mut bytes);
                }
            }
            ExportOf::Events => self.lines(conn, &mut bytes)?,
        }
        Ok(Some(bytes))
    }

    fn columns(&self) -> &'static [(&'static str, &'static str)] {
        match self.query.of {
            ExportOf::Calls => &CALL_COLUMNS,
            ExportOf::Events => &EVENT_COLUMNS,
        }
    }

    fn csv(&self) -> Csv<'_> {
        Csv {
            columns: self.columns(),
            data: &self.query.data,
            zone: &self.query.zone,
            language: self.query.language,
        }
    }

    fn write(&self, row: &Value, bytes: &mut Vec<u8>) {
        match self.query.format {
            ExportFormat::Csv => self.csv().row(row, bytes),
            ExportFormat::Jsonl => {
                bytes.extend_from_slice(row.to_string().as_bytes());
                bytes.push(b'\n');
            }
        }
    }

    /// The next calls. Of a dialog that seldom calls a page may have none.
    fn page(&mut self, conn: &Connection) -> Result<Vec<Value>> {
        let mut statement = conn.prepare_cached(
            "SELECT c.n, c.changed, c.id, c.direction, coalesce(c.phone, c.phone_masked), c.dialog, c.status, c.outcome, \
                 c.created, c.attempt, c.params, c.data, a.started, a.answered, a.talk_ms, a.cause, a.version, a.channel_id, \
                 EXISTS (SELECT 1 FROM recordings r WHERE r.call_n = c.n AND r.deleted IS NULL), a.trunk \
             FROM calls c LEFT JOIN attempts a ON a.call_n = c.n AND a.attempt = c.attempt \
             WHERE (c.status = 'finished' OR c.status = 'cancelled' OR c.status = 'expired') AND (c.changed, c.n) > (?1, ?2) AND c.changed < ?3 \
             ORDER BY c.changed, c.n LIMIT ?4",
        )?;
        let (changed, n) = self.after;
        let mut rows = statement.query(params![changed, n, ms(self.query.to), CALLS])?;
        let (mut calls, mut seen) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            seen += 1;
            self.after = (row.get(1)?, row.get(0)?);
            let dialog: String = row.get(5)?;
            if self
                .query
                .dialog
                .as_ref()
                .is_none_or(|only| *only == dialog)
            {
                calls.push(call(row, dialog)?);
            }
        }
        self.over = seen < CALLS;
        Ok(calls)
    }

    fn lines(&mut self, conn: &Connection, bytes: &mut Vec<u8>) -> Result<()> {
        if self.calls.is_empty() {
            self.calls = self.page(conn)?.into();
        }
        let mut statement = conn.prepare_cached(
            "SELECT seq, attempt, at, at_ms, kind, data FROM events \
             WHERE call_n = (SELECT n FROM calls WHERE id = ?1) AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?;
        let mut left = LINES;
        while left > 0 {
            let Some(call) = self.calls.front() else {
                break;
            };
            let id = call["id"].as_str().unwrap_or_default().to_owned();
            let mut rows = statement.query(params![id, self.line, left])?;
            let mut lines = Vec::new();
            while let Some(row) = rows.next()? {
                self.line = row.get(0)?;
                let data: String = row.get(5)?;
                lines.push(json!({
                    "id": id,
                    "attempt": row.get::<_, i64>(1)?,
                    "seq": self.line,
                    "at": time("at", row.get(2)?)?,
                    "at_ms": row.get::<_, Option<i64>>(3)?,
                    "kind": row.get::<_, String>(4)?,
                    "data": serde_json::from_str::<Value>(&data).unwrap_or(Value::String(data)),
                }));
            }
            let seen = lines.len() as i64;
            for line in &lines {
                self.write(line, bytes);
            }
            if seen < left {
                self.calls.pop_front();
                self.line = 0;
            }
            left -= seen;
        }
        Ok(())
    }
}

fn call(row: &rusqlite::Row<'_>, dialog: String) -> Result<Value> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let talk_ms: Option<i64> = row.get(14)?;
    let answered = time_opt("answered", row.get(13)?)?;
    let value = |object: Map<String, Value>| Value::Object(object);
    Ok(json!({
        "id": text(2)?,
        "direction": text(3)?,
        "phone": text(4)?,
        "dialog": dialog,
        "status": text(6)?,
        "outcome": text(7)?,
        "created": time("created", row.get(8)?)?,
        "ended": time("changed", row.get(1)?)?,
        "attempt": row.get::<_, i64>(9)?,
        "started": time_opt("started", row.get(12)?)?,
        "answered": answered,
        "talk_s": answered.and(talk_ms).map(|ms| (ms + 500) / 1000),
        "cause": row.get::<_, Option<i64>>(15)?,
        "version": text(16)?,
        "recording": row.get::<_, bool>(18)?,
        "trunk": text(19)?,
        "channel_id": text(17)?,
        "params": value(object("params", &text(10)?.unwrap_or_default())?),
        "data": value(object("data", &text(11)?.unwrap_or_default())?),
    }))
}
