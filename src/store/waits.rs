//! Why a queued order waits, as its row keeps it: JSON in `calls.waits`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::admit::Reason;
use super::row::ms;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waits {
    /// The rule that it waits for.
    pub(super) reason: Reason,
    /// The order's outcome where `expires` comes while it waits for this.
    pub(super) outcome: Option<String>,
    /// What the last attempt's outcome asked for by itself: no change of hours can bring it forward.
    pub(super) first: First,
}

/// The wait that was there before any hours and limits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum First {
    /// There was none.
    None,
    /// Another attempt not before that, by that rule.
    Attempt(Timestamp, Reason),
    /// Not kept: an older version wrote it.
    Unknown,
}

impl Waits {
    /// For this, and nothing before it.
    pub(super) fn new(reason: Reason) -> Self {
        Self {
            reason,
            outcome: None,
            first: First::None,
        }
    }

    pub(super) fn text(&self) -> String {
        let Reason { rule, text } = &self.reason;
        let mut waits = json!({"rule": rule, "text": text, "outcome": self.outcome});
        match &self.first {
            First::None => waits["first"] = Value::Null,
            First::Attempt(at, Reason { rule, text }) => {
                waits["first"] = json!({"at": ms(*at), "rule": rule, "text": text});
            }
            First::Unknown => {}
        }
        waits.to_string()
    }

    /// What cannot be read is as good as none: it only explains.
    pub(super) fn read(text: &str) -> Option<Self> {
        let waits: Value = serde_json::from_str(text).ok()?;
        let reason = |of: &Value| {
            let word = |key: &str| of[key].as_str().unwrap_or_default().to_owned();
            Reason::new(word("rule"), word("text"))
        };
        let first = match waits.get("first") {
            None => First::Unknown,
            Some(first) => match first["at"].as_i64().map(Timestamp::from_millisecond) {
                Some(Ok(at)) => First::Attempt(at, reason(first)),
                _ => First::None,
            },
        };
        Some(Self {
            reason: reason(&waits),
            outcome: waits["outcome"].as_str().map(str::to_owned),
            first,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read() {
        let at = Timestamp::from_second(1_780_000_000).unwrap();
        for first in [
            First::None,
            First::Attempt(at, Reason::new("busy", "занято")),
            First::Unknown,
        ] {
            let waits = Waits {
                outcome: Some("out_of_hours".to_owned()),
                first,
                ..Waits::new(Reason::new("hours", "с девяти"))
            };
            assert_eq!(Waits::read(&waits.text()), Some(waits));
        }
        let old = Waits::read(r#"{"rule": "busy", "text": "занято", "outcome": null}"#).unwrap();
        assert_eq!((old.first, old.outcome), (First::Unknown, None));
        assert_eq!(Waits::read("["), None);
    }
}
