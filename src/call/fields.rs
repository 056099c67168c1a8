//! The particulars of a line of history. Most lines are written and never looked at again by the server, so they are text
//! from the start: a tree of names and values would cost a call some hundred allocations.

use std::fmt;
use std::io;

use serde::Serialize;
use serde_json::Value;

/// A flat JSON object, as its text. Inside this crate `fields!` makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Fields(String);

/// Room for the usual line.
const USUAL_BYTES: usize = 120;

impl Fields {
    /// Of none.
    pub fn new() -> Self {
        let mut text = String::with_capacity(USUAL_BYTES);
        text.push_str("{}");
        Self(text)
    }

    /// Adds a name, which must not be there yet, and its value. What JSON can't say is `null`.
    pub fn push(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.0.pop();
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_json(&mut self.0, name);
        self.0.push(':');
        push_json(&mut self.0, value);
        self.0.push('}');
    }

    /// The same for who adds where something is known.
    pub fn push_some(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.push(name, &value);
        }
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same to be looked into.
    pub fn value(&self) -> Value {
        // It was written by `serde_json`.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(all: I) -> Self {
        let mut fields = Self::new();
        for (name, value) in all {
            fields.push(&name, &value);
        }
        fields
    }
}

impl From<Fields> for String {
    fn from(fields: Fields) -> Self {
        fields.0
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends a value's JSON.
pub(crate) fn push_json(text: &mut String, value: &(impl Serialize + ?Sized)) {
    let before = text.len();
    if serde_json::to_writer(Appending(text), value).is_err() {
        text.truncate(before);
        text.push_str("null");
    }
}

struct Appending<'a>(&'a mut String);

impl io::Write for Appending<'_> {
    /// `serde_json` cuts strings at what it escapes only, so each piece is whole.
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let piece = std::str::from_utf8(piece)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.0.push_str(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The particulars of a line of history, written as `json!` writes an object: `fields!({"event": "began", "number": 1})`.
macro_rules! fields {
    ({ $($name:literal : $value:expr),* $(,)? }) => {{
        #[allow(unused_mut, reason = "there may be none")]
        let mut fields = $crate::call::fields::Fields::new();
        $(fields.push($name, &$value);)*
        fields
    }};
}
pub(crate) use fields;

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_pushed_stands_in_its_order() {
        let text = "сказал \"да\"\n\\";
        let inner = json!({"a": [1, null]});
        let mut fields = fields!({"text": text, "n": 7, "none": None::<u32>, "inner": inner});
        fields.push_some("left_out", None::<u32>);
        fields.push_some("some", Some(true));
        let all =
            json!({"text": text, "n": 7, "none": null, "inner": {"a": [1, null]}, "some": true});
        assert_eq!(fields.as_str(), all.to_string());
        assert_eq!(fields.value(), all);
        assert_eq!(fields!({}).as_str(), "{}");
    }

    #[test]
    fn what_json_cannot_say_is_null() {
        let odd = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(
            fields!({"odd": odd, "nan": f64::NAN}).as_str(),
            r#"{"odd":null,"nan":null}"#
        );
    }
}
