//! A call's history as 1C reads it, with questions that tests ask.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Timestamp,
    pub at_ms: Option<u64>,
    pub kind: String,
    pub data: Value,
}

impl Line {
    fn from_json(line: &Value) -> Self {
        let at: Timestamp = line["at"].as_str().unwrap().parse().unwrap();
        Self {
            at: at + jiff::SignedDuration::from_millis(line["ms"].as_i64().unwrap()),
            at_ms: line["at_ms"].as_u64(),
            kind: line["kind"].as_str().unwrap().to_owned(),
            data: line["data"].clone(),
        }
    }

    /// Whether `data[key]` is that text.
    pub fn is(&self, key: &str, text: &str) -> bool {
        self.data[key].as_str() == Some(text)
    }
}

/// All lines of a call.
#[derive(Clone, Debug)]
pub struct History(pub Vec<Line>);

impl History {
    pub fn from_json(events: &Value) -> Self {
        let lines = events["events"].as_array().unwrap();
        Self(lines.iter().map(Line::from_json).collect())
    }

    /// The lines of a kind.
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Line> {
        self.0.iter().filter(move |line| line.kind == kind)
    }

    /// The first line of a kind whose `data[key]` is `text`.
    pub fn find(&self, kind: &str, key: &str, text: &str) -> Option<&Line> {
        self.of(kind).find(|line| line.is(key, text))
    }

    /// The same, which has to be there.
    pub fn must(&self, kind: &str, key: &str, text: &str) -> &Line {
        self.find(kind, key, text)
            .unwrap_or_else(|| panic!("no {kind} with {key} = {text} in\n{self}"))
    }

    /// The messages of faults.
    pub fn faults(&self) -> Vec<String> {
        self.of("fault")
            .map(|line| line.data["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.0 {
            let at = line.at_ms.map_or("-".to_owned(), |ms| ms.to_string());
            let data = if line.kind == "asterisk" {
                short(&line.data)
            } else {
                line.data.to_string()
            };
            writeln!(f, "  {} {at:>7} {:<10} {data}", line.at, line.kind)?;
        }
        Ok(())
    }
}

/// An event of Asterisk's without what nobody reads.
fn short(data: &Value) -> String {
    let keys = [
        "Event",
        "Uniqueid",
        "Channel",
        "ChannelStateDesc",
        "DestChannel",
        "DialStatus",
        "Cause",
        "Cause-txt",
        "Reason",
        "Response",
        "Digit",
        "Direction",
        "CommandId",
        "Command",
        "Result",
    ];
    let shown = keys.iter().filter_map(|key| {
        let value = data[*key].as_str()?;
        Some(format!("{key}={value}"))
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() {
        data.to_string()
    } else {
        shown.join(" ")
    }
}
