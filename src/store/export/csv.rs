//! CSV as Excel in Russian opens it by a double click: UTF-8 with its mark, `;`, CRLF. A cell that a spreadsheet would take
//! for a formula gets an apostrophe before it: what people said and what 1C gave is text, never a program.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::config::Language;

/// The mark that says UTF-8.
pub(super) const MARK: &[u8] = "\u{feff}".as_bytes();

/// The form of a table.
pub(super) struct Csv<'q> {
    pub(super) columns: &'static [(&'static str, &'static str)],
    pub(super) data: &'q [String],
    pub(super) zone: &'q TimeZone,
    pub(super) language: Language,
}

impl Csv<'_> {
    pub(super) fn heading(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(MARK);
        let names = self
            .columns
            .iter()
            .map(|(en, ru)| self.language.pick(*ru, *en));
        let own = self.data.iter().map(String::as_str);
        line(names.chain(own).map(cell), bytes);
    }

    pub(super) fn row(&self, row: &Value, bytes: &mut Vec<u8>) {
        let known = self
            .columns
            .iter()
            .map(|(key, _)| self.text(key, &row[*key]));
        let own = self
            .data
            .iter()
            .map(|key| self.text("", &row["data"][key.as_str()]));
        line(known.chain(own), bytes);
    }

    fn text(&self, key: &str, value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::Bool(yes) => match yes {
                true => self.language.pick("да", "yes").to_owned(),
                false => self.language.pick("нет", "no").to_owned(),
            },
            Value::Number(number) => number.to_string(),
            Value::String(text) if key == "phone" => text.clone(),
            Value::String(text) if TIMES.contains(&key) => match text.parse::<Timestamp>() {
                Ok(at) => {
                    let at = self.zone.to_datetime(at);
                    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
                }
                Err(_) => cell(text),
            },
            Value::String(text) => cell(text),
            Value::Object(object) if object.is_empty() => String::new(),
            Value::Array(_) | Value::Object(_) => cell(&value.to_string()),
        }
    }
}

/// Columns that hold times.
const TIMES: [&str; 5] = ["created", "ended", "started", "answered", "at"];

fn line(cells: impl Iterator<Item = String>, bytes: &mut Vec<u8>) {
    for (n, cell) in cells.enumerate() {
        if n > 0 {
            bytes.push(b';');
        }
        bytes.extend_from_slice(cell.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
}

/// A text as a cell.
pub fn cell(text: &str) -> String {
    // Tabs and returns lead a formula past a check of its first sign.
    let formula =
        text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r', '\n']);
    let number = text.parse::<f64>().is_ok() && !text.starts_with('+');
    let guard = if formula && !number { "'" } else { "" };
    if text.contains(['"', ';', '\n', '\r']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        for (text, expect) in [
            ("да", "да"),
            ("a;b", "\"a;b\""),
            ("он сказал \"да\"", "\"он сказал \"\"да\"\"\""),
            ("две\nстроки", "\"две\nстроки\""),
            ("=1+1", "'=1+1"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+79121234567 звоните", "'+79121234567 звоните"),
            ("-да", "'-да"),
            ("-5", "-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("  =1", "'  =1"),
            ("=1;2", "\"'=1;2\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), expect, "{text:?}");
        }
    }
}
