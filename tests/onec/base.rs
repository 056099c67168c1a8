//! The infobase: constants and registers as examples/1c/README.md describes them, transactions, and the few queries of the examples.

use std::collections::BTreeMap;

use tree_sitter::Parser;

use super::language::first_fault;
use super::value::{EMPTY_DATE, Pairs, Value, field, same_name};

/// A field of a register, or a constant: its name and its type as the README writes it.
type Column = (String, String);
/// Rows of each register by their key.
type Registers = BTreeMap<String, BTreeMap<String, Pairs>>;

#[derive(Clone, Debug, Default)]
pub struct Base {
    columns: BTreeMap<String, Vec<Column>>,
    pub constants: BTreeMap<String, Value>,
    pub rows: Registers,
    /// What is to be put back when a transaction is cancelled.
    before: Vec<(BTreeMap<String, Value>, Registers)>,
}

impl Base {
    /// Reads the tables of the README.
    pub fn described(readme: &str) -> Self {
        let mut base = Self::default();
        let mut register: Option<String> = None;
        let mut constants = false;
        for line in readme.lines() {
            if let Some(rest) = line.strip_prefix("**Регистр сведений `") {
                register = rest.split('`').next().map(str::to_owned);
            }
            if line.starts_with("**") {
                constants = line.starts_with("**Константы");
                register = register.filter(|_| line.contains("Регистр"));
            }
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let Some(name) = cells
                .get(1)
                .and_then(|c| c.strip_prefix('`')?.strip_suffix('`'))
            else {
                continue;
            };
            if constants {
                base.constants.insert(name.to_owned(), empty(cells[2]));
            } else if let Some(register) = &register {
                let columns = base.columns.entry(register.clone()).or_default();
                assert_eq!(columns.is_empty(), cells[2] == "измерение", "{line}");
                columns.push((name.to_owned(), cells[3].to_owned()));
            }
        }
        assert!(
            base.constants.len() > 5 && base.columns.len() == 3,
            "{base:#?}"
        );
        base
    }

    /// The dimension's name.
    pub fn dimension(&self, register: &str) -> &str {
        &self.columns(register)[0].0
    }

    fn columns(&self, register: &str) -> &[Column] {
        self.columns
            .get(register)
            .unwrap_or_else(|| panic!("the README describes no register {register}"))
    }

    /// A record of which nothing is filled.
    pub fn blank(&self, register: &str) -> Pairs {
        let columns = self.columns(register).iter();
        columns
            .map(|(name, kind)| (Value::text(name), empty(kind)))
            .collect()
    }

    /// Whether a value fits its field: the right type, and not too long.
    pub fn check(&self, register: &str, name: &str, value: &Value) {
        let (_, kind) = self
            .columns(register)
            .iter()
            .find(|(known, _)| same_name(known, name))
            .unwrap_or_else(|| panic!("the README gives {register} no field {name}"));
        let fits = match (empty(kind), value) {
            (Value::Text(_), Value::Text(text)) => {
                let most: usize = kind
                    .trim_start_matches("Строка(")
                    .trim_end_matches(')')
                    .parse()
                    .unwrap();
                most == 0 || text.chars().count() <= most
            }
            (Value::Number(_), Value::Number(_))
            | (Value::Bool(_), Value::Bool(_))
            | (Value::Date(_), Value::Date(_)) => true,
            _ => false,
        };
        assert!(fits, "{register}.{name} is {kind}, not {value:?}");
    }

    pub fn read(&self, register: &str, key: &Value) -> Option<Pairs> {
        self.rows.get(register)?.get(&key.shown()).cloned()
    }

    pub fn write(&mut self, register: &str, fields: Pairs) {
        let key = field(&fields, self.dimension(register)).unwrap().shown();
        assert!(!key.is_empty(), "{register}: a record without its key");
        self.rows
            .entry(register.to_owned())
            .or_default()
            .insert(key, fields);
    }

    pub fn delete(&mut self, register: &str, key: &Value) {
        self.rows
            .entry(register.to_owned())
            .or_default()
            .remove(&key.shown());
    }

    pub fn begin(&mut self) {
        self.before
            .push((self.constants.clone(), self.rows.clone()));
    }

    pub fn commit(&mut self) {
        self.before.pop().expect("a commit without its beginning");
    }

    pub fn cancel(&mut self) {
        (self.constants, self.rows) = self.before.pop().expect("a cancel without its beginning");
    }

    pub fn in_transaction(&self) -> bool {
        !self.before.is_empty()
    }

    /// `ВЫБРАТЬ [ПЕРВЫЕ n] ... ИЗ РегистрСведений.X КАК Y ГДЕ [НЕ] Y.A [= ""] И ... УПОРЯДОЧИТЬ ПО ...`
    pub fn query(&self, text: &str) -> Vec<Pairs> {
        let mut parser = Parser::new();
        parser
            .set_language(&tree_sitter_bsl::SDBL_LANGUAGE.into())
            .unwrap();
        let tree = parser.parse(text, None).unwrap();
        assert!(
            first_fault(tree.root_node()).is_none(),
            "wrong query:\n{text}"
        );
        let words: Vec<&str> = text.split_whitespace().collect();
        let after = |word: &str| words.iter().position(|w| *w == word).map(|at| at + 1);
        let register = words[after("ИЗ").unwrap()]
            .strip_prefix("РегистрСведений.")
            .unwrap();
        let most = after("ПЕРВЫЕ").map_or(usize::MAX, |at| words[at].parse().unwrap());
        let from = after("ГДЕ").unwrap();
        let to = words
            .iter()
            .position(|w| *w == "УПОРЯДОЧИТЬ")
            .unwrap_or(words.len());
        let terms: Vec<&[&str]> = words[from..to].split(|w| *w == "И").collect();
        for name in words
            .iter()
            .filter_map(|w| w.split_once('.'))
            .map(|(_, name)| name.trim_end_matches(','))
        {
            let known = self
                .columns(register)
                .iter()
                .any(|(column, _)| same_name(column, name));
            assert!(known || same_name(name, register), "the query names {name}");
        }
        let value =
            |row: &Pairs, path: &str| field(row, path.split('.').nth(1).unwrap()).unwrap().clone();
        let holds = |row: &Pairs| {
            terms.iter().all(|term| match term {
                [path] => value(row, path).truth(),
                ["НЕ", path] => !value(row, path).truth(),
                [path, "=", "\"\""] => !value(row, path).filled(),
                other => panic!("condition {other:?}"),
            })
        };
        let rows = self
            .rows
            .get(register)
            .into_iter()
            .flat_map(BTreeMap::values);
        rows.filter(|row| holds(row)).take(most).cloned().collect()
    }
}

fn empty(kind: &str) -> Value {
    match kind.split('(').next().unwrap() {
        "Строка" => Value::text(""),
        "Число" => Value::Number(0.0),
        "Булево" => Value::Bool(false),
        "Дата" => Value::Date(EMPTY_DATE),
        other => panic!("type {other}"),
    }
}
