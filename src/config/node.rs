//! YAML as a tree in which every value knows its line and column: what the settings are read from, so that all mistakes
//! are told together and each with its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

/// Longest file of settings, bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// Most values in it.
const MAX_NODES: usize = 10_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 16;

/// Line and column, both from 1; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl From<serde_yaml::Location> for Place {
    fn from(at: serde_yaml::Location) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(0);
        Self {
            line: number(at.line()),
            column: number(at.column()),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) at: Place,
    pub(super) message: String,
}

/// Reads `text`; an empty one is [`Value::Nothing`]. Anchors and merges are followed within the limits above.
pub(super) fn parse(text: &str) -> Result<Node, Broken> {
    if text.len() > MAX_BYTES {
        let message = format!("{} bytes, at most {MAX_BYTES}", text.len());
        return Err(Broken {
            at: Place::default(),
            message,
        });
    }
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! { max_nodes: MAX_NODES, max_depth: MAX_DEPTH },
        // Repeated keys are told with the other mistakes, not instead of them.
        duplicate_keys: serde_yaml::options::DuplicateKeyPolicy::PassThrough,
        with_snippet: false
    };
    serde_yaml::from_str_with_options(text, options).map_err(|error| Broken {
        at: error.location().map(Place::from).unwrap_or_default(),
        message: plain(&error.to_string()),
    })
}

/// The message without its own "at line 2, column 22": the place is told before it.
fn plain(message: &str) -> String {
    let cut = message.rfind(" at line ").unwrap_or(message.len());
    message[..cut].to_owned()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            at: spanned.referenced.into(),
            value: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Int(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        // Beyond i64 nothing of ours is in range: the nearest one is told as out of range, too.
        Ok(Value::Int(i64::try_from(v).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Value::Float(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::Text(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::Text(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(node: &Node) -> &[(Node, Node)] {
        match &node.value {
            Value::Map(entries) => entries,
            other => panic!("no map: {other:?}"),
        }
    }

    #[test]
    fn every_value_and_key_knows_its_place() {
        let tree = parse("a: 5\n\nb:\n  - x\n  - 1.5\n  - c: ~\n").unwrap();
        let top = map(&tree);
        assert_eq!(top[0].0.value, Value::Text("a".into()));
        assert_eq!(top[0].1.value, Value::Int(5));
        assert_eq!((top[0].1.at.line, top[0].1.at.column), (1, 4));
        assert_eq!(top[1].0.at.line, 3);
        let Value::List(list) = &top[1].1.value else {
            panic!("no list")
        };
        assert_eq!(
            (list[1].value.clone(), list[1].at.line),
            (Value::Float(1.5), 5)
        );
        assert_eq!(map(&list[2])[0].1.value, Value::Nothing);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(parse("").unwrap().value, Value::Nothing);
        assert_eq!(parse("# only a comment\n").unwrap().value, Value::Nothing);
    }

    #[test]
    fn repeated_keys_come_through_to_be_told() {
        assert_eq!(map(&parse("a: 1\na: 2\n").unwrap()).len(), 2);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_line() {
        let broken = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(broken.at.line >= 2, "{broken:?}");
        assert!(!broken.message.is_empty());
    }

    #[test]
    fn bombs_are_refused() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(&deep).is_err());
        assert!(parse(&"- 1\n".repeat(20_000)).is_err());
        assert!(parse(&" ".repeat(MAX_BYTES + 1)).is_err());
    }
}
