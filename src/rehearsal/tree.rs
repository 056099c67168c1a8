//! YAML as an analyst wrote it: every scalar is its text (007 stays 007, 0x10 stays 0x10), every value knows its line.

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use crate::config::Language;
use crate::script::yaml_slip;

/// Most values in one file.
const MAX_NODES: usize = 200_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 16;

/// A value and the line on which it begins, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) value: Tree,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// A text; `plain`: without quotes, so that it may mean a number or nothing.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

impl Node {
    /// A scalar's text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Tree::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Left empty, or `~`.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.value, Tree::Text { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    pub(super) fn broken(&self, message: impl Into<String>) -> Broken {
        Broken {
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }

    /// As JSON: a plain scalar that is written as numbers usually are is one.
    pub(super) fn json(&self) -> Value {
        match &self.value {
            Tree::Text { text, plain: false } => Value::String(text.clone()),
            Tree::Text { text, plain: true } => match text.as_str() {
                "" | "~" | "null" => Value::Null,
                "true" | "истина" => Value::Bool(true),
                "false" | "ложь" => Value::Bool(false),
                text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
            },
            Tree::List(list) => Value::Array(list.iter().map(Self::json).collect()),
            Tree::Map(map) => {
                let fields = map
                    .iter()
                    .map(|(key, value)| (key.text().unwrap_or_default().to_owned(), value.json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}

/// A number, if it is written so that it reads the same back: `5`, `-1.5`, not `007`, `0x10`, `+7`, `1_000`.
fn number(text: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(text).ok()?;
    (number.to_string() == text).then_some(number)
}

/// Reads one document; an empty one is nothing.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Broken> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut nodes = 0;
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| {
            let told = error.to_string();
            let told = told.split(" at char ").next().unwrap_or_default();
            let line = error.marker().line();
            let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            let message = if told.contains("mapping values are not allowed")
                && !shown.trim_start().starts_with("- ")
            {
                // What nearly always is meant by it here.
                "если это уточнение к шагу из одного слова, поставьте после слова двоеточие: «- тишина:»; текст с двоеточием возьмите в кавычки".to_owned()
            } else {
                yaml_slip(told, shown, Language::Ru).unwrap_or_else(|| {
                    format!("это не YAML ({told}): проверьте отступы, двоеточия и кавычки")
                })
            };
            Broken {
                line,
                column: error.marker().col() + 1,
                message,
            }
        })?;
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let broken = |message: &str| Broken {
            line,
            column,
            message: message.to_owned(),
        };
        let done = match event {
            Event::Scalar(text, style, ..) => {
                nodes += 1;
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                let value = Tree::Text { text, plain };
                Some(Node {
                    line,
                    column,
                    value,
                })
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                nodes += 1;
                if open.len() >= MAX_DEPTH {
                    return Err(broken("слишком глубокая вложенность"));
                }
                let is_map = matches!(event, Event::MappingStart(..));
                open.push(Open {
                    line,
                    column,
                    is_map,
                    inside: Vec::new(),
                });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(Open::close),
            Event::Alias(_) => {
                return Err(broken(
                    "ссылки YAML (*имя) здесь не читаются: напишите значение целиком",
                ));
            }
            _ => None,
        };
        if nodes > MAX_NODES {
            return Err(broken("слишком большой файл проверок: разделите сценарий"));
        }
        if let Some(node) = done {
            match open.last_mut() {
                Some(parent) => parent.inside.push(node),
                None if root.is_none() => root = Some(node),
                None => return Err(broken("в файле два документа YAML (---): нужен один")),
            }
        }
    }
    Ok(root)
}

/// A list or a map whose end is to come.
struct Open {
    line: usize,
    column: usize,
    is_map: bool,
    inside: Vec<Node>,
}

impl Open {
    fn close(self) -> Node {
        let value = if self.is_map {
            let mut pairs = Vec::with_capacity(self.inside.len() / 2);
            let mut nodes = self.inside.into_iter();
            while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                pairs.push((key, value));
            }
            Tree::Map(pairs)
        } else {
            Tree::List(self.inside)
        };
        Node {
            line: self.line,
            column: self.column,
            value,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_stay_as_they_were_written() {
        let node =
            parse("a: 007\nb: 0x10\nc: 5\nd: '5'\ne: 1.50\nf: да\ng: ~\nh: +7\ni: [1, 1e3]\n")
                .unwrap()
                .unwrap();
        let want = json!({"a": "007", "b": "0x10", "c": 5, "d": "5", "e": "1.50", "f": "да", "g": null, "h": "+7", "i": [1, "1e3"]});
        assert_eq!(node.json(), want);
        let Tree::Map(pairs) = &node.value else {
            panic!("{node:?}")
        };
        assert_eq!((pairs[1].1.line, pairs[1].1.column), (2, 4));
    }

    #[test]
    fn what_is_no_yaml_has_its_line() {
        for (text, line) in [
            ("a: [1\nb: 2\n", 2),
            ("a: *x\n", 1),
            ("a: 1\n---\nb: 2\n", 4),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
        assert_eq!(parse("# nothing\n"), Ok(None));
        assert!(parse(&"[".repeat(40)).is_err());
    }
}
