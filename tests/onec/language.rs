//! A small evaluator of the 1C language over tree-sitter's tree: what the examples use of it, and a panic at anything else.

use std::collections::HashMap;
use std::path::Path;

use tree_sitter::{Node, Parser, Tree};

use super::platform::Platform;
use super::value::{EMPTY_DATE, Object, Value};

/// A module's text and tree.
pub struct Module {
    pub source: String,
    pub tree: Tree,
}

/// Reads and parses; panics at a fault of syntax, with its place.
pub fn module(path: &Path) -> Module {
    let source = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_bsl::LANGUAGE.into())
        .unwrap();
    let tree = parser.parse(&source, None).unwrap();
    if let Some(fault) = first_fault(tree.root_node()) {
        let at = fault.start_position();
        panic!("{path:?}:{}:{}: wrong syntax", at.row + 1, at.column + 1);
    }
    Module { source, tree }
}

/// The first node that the grammar could not place.
pub fn first_fault(node: Node<'_>) -> Option<Node<'_>> {
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    children(node).into_iter().find_map(first_fault)
}

pub fn children(node: Node<'_>) -> Vec<Node<'_>> {
    (0..node.child_count())
        .filter_map(|n| node.child(n))
        .collect()
}

/// Why a list of statements was left.
pub enum Leave {
    Return(Value),
    Break,
    Continue,
    /// An exception's text.
    Raise(String),
}

type Run<T> = Result<T, Leave>;

/// The modules, and the platform that they run on.
pub struct Program<'p> {
    pub modules: &'p HashMap<String, Module>,
    pub platform: Platform,
}

struct Frame<'m> {
    name: &'m str,
    source: &'m str,
    variables: HashMap<String, Value>,
    /// The exception that is being handled.
    caught: Option<String>,
}

impl Program<'_> {
    /// Calls an exported method; an exception is an error.
    pub fn call(&mut self, module: &str, method: &str, args: Vec<Value>) -> Result<Value, String> {
        match self.method(module, method, args, true) {
            Ok(value) => Ok(value),
            Err(Leave::Raise(text)) => Err(text),
            Err(_) => unreachable!("a method is left by its own return only"),
        }
    }

    fn method(&mut self, name: &str, method: &str, args: Vec<Value>, foreign: bool) -> Run<Value> {
        let modules = self.modules;
        let (name, module) = modules
            .get_key_value(name)
            .unwrap_or_else(|| panic!("no module {name}"));
        let text = |node: Node<'_>| module.source[node.byte_range()].to_owned();
        let found = definitions(module.tree.root_node())
            .into_iter()
            .find(|d| {
                text(d.child_by_field_name("name").unwrap()).to_lowercase() == method.to_lowercase()
            })
            .unwrap_or_else(|| panic!("no method {name}.{method}"));
        // A service's handler is called by the platform itself.
        let exported = found.child_by_field_name("export").is_some()
            || found
                .child_by_field_name("name")
                .is_some_and(|n| text(n).ends_with("POST"));
        assert!(!foreign || exported, "{name}.{method} is not exported");
        let mut frame = Frame {
            name,
            source: &module.source,
            variables: HashMap::new(),
            caught: None,
        };
        let parameters = found.child_by_field_name("parameters").unwrap();
        let parameters: Vec<Node<'_>> = children(parameters)
            .into_iter()
            .filter(|n| n.kind() == "parameter")
            .collect();
        assert!(
            args.len() <= parameters.len(),
            "{name}.{method} takes {} arguments, not {}",
            parameters.len(),
            args.len()
        );
        let mut args = args.into_iter();
        for parameter in parameters {
            let key = text(parameter.child_by_field_name("name").unwrap()).to_lowercase();
            let value = match (args.next(), parameter.child_by_field_name("def")) {
                (Some(value), _) => value,
                (None, Some(usual)) => self.eval(usual, &mut frame)?,
                (None, None) => panic!("{name}.{method} wants {key}"),
            };
            frame.variables.insert(key, value);
        }
        let body = children(found);
        let result = self.run(&body, &mut frame);
        match result {
            Ok(()) => Ok(Value::Undefined),
            Err(Leave::Return(value)) => Ok(value),
            Err(Leave::Raise(text)) => Err(Leave::Raise(text)),
            Err(_) => panic!("Прервать outside of a loop in {method}"),
        }
    }

    /// Statements among `nodes`, in order; all other nodes are passed over.
    fn run(&mut self, nodes: &[Node<'_>], frame: &mut Frame<'_>) -> Run<()> {
        for node in nodes.iter().filter(|n| n.kind().ends_with("_statement")) {
            self.statement(*node, frame)?;
        }
        Ok(())
    }

    fn statement(&mut self, node: Node<'_>, frame: &mut Frame<'_>) -> Run<()> {
        let parts = children(node);
        match node.kind() {
            "assignment_statement" => {
                let value = self.eval(node.child_by_field_name("right").unwrap(), frame)?;
                self.assign(node.child_by_field_name("left").unwrap(), value, frame)
            }
            "call_statement" => self.eval(parts[0], frame).map(drop),
            "return_statement" => {
                let value = match node.child_by_field_name("result") {
                    Some(result) => self.eval(result, frame)?,
                    None => Value::Undefined,
                };
                Err(Leave::Return(value))
            }
            "break_statement" => Err(Leave::Break),
            "continue_statement" => Err(Leave::Continue),
            "rise_error_statement" => match parts.iter().find(|n| n.kind() == "expression") {
                Some(text) => Err(Leave::Raise(self.eval(*text, frame)?.shown())),
                None => Err(Leave::Raise(
                    frame.caught.clone().expect("nothing to raise again"),
                )),
            },
            "if_statement" => self.choose(&parts, frame),
            "while_statement" => {
                let condition = parts[1];
                while self.eval(condition, frame)?.truth() {
                    if self.turn(&parts, frame)? {
                        break;
                    }
                }
                Ok(())
            }
            "for_statement" => {
                let bounds: Vec<Node<'_>> = parts
                    .iter()
                    .copied()
                    .filter(|n| n.kind() == "expression")
                    .collect();
                let key = frame.source[parts[1].byte_range()].to_lowercase();
                let mut at = self.eval(bounds[0], frame)?.number();
                while at <= self.eval(bounds[1], frame)?.number() {
                    frame.variables.insert(key.clone(), Value::Number(at));
                    if self.turn(&parts, frame)? {
                        break;
                    }
                    at += 1.0;
                }
                Ok(())
            }
            "for_each_statement" => {
                let key = frame.source[parts[2].byte_range()].to_lowercase();
                let list = parts.iter().find(|n| n.kind() == "expression").unwrap();
                let walked = self.eval(*list, frame)?;
                for value in self.platform.items(&walked) {
                    frame.variables.insert(key.clone(), value);
                    if self.turn(&parts, frame)? {
                        break;
                    }
                }
                Ok(())
            }
            "try_statement" => {
                let except = parts
                    .iter()
                    .position(|n| n.kind() == "EXCEPT_KEYWORD")
                    .unwrap();
                match self.run(&parts[..except], frame) {
                    Err(Leave::Raise(text)) => {
                        let before = frame.caught.replace(text);
                        let handled = self.run(&parts[except..], frame);
                        frame.caught = before;
                        handled
                    }
                    other => other,
                }
            }
            other => panic!("{}: {other} is not known here", frame.name),
        }
    }

    /// One turn of a loop; whether it was the last.
    fn turn(&mut self, parts: &[Node<'_>], frame: &mut Frame<'_>) -> Run<bool> {
        match self.run(parts, frame) {
            Ok(()) | Err(Leave::Continue) => Ok(false),
            Err(Leave::Break) => Ok(true),
            Err(other) => Err(other),
        }
    }

    fn choose(&mut self, parts: &[Node<'_>], frame: &mut Frame<'_>) -> Run<()> {
        if self.eval(parts[1], frame)?.truth() {
            return self.run(parts, frame);
        }
        for clause in parts {
            let inside = children(*clause);
            match clause.kind() {
                "elseif_clause" if self.eval(inside[1], frame)?.truth() => {
                    return self.run(&inside, frame);
                }
                "else_clause" => return self.run(&inside, frame),
                _ => {}
            }
        }
        Ok(())
    }

    fn assign(&mut self, left: Node<'_>, value: Value, frame: &mut Frame<'_>) -> Run<()> {
        if left.kind() == "identifier" {
            let key = frame.source[left.byte_range()].to_lowercase();
            frame.variables.insert(key, value);
            return Ok(());
        }
        let parts = children(left);
        let owner = self.eval(parts[0], frame)?;
        let property = parts.last().unwrap();
        assert_eq!(property.kind(), "property", "only a property can be set");
        self.platform
            .set(&owner, &frame.source[property.byte_range()], value);
        Ok(())
    }

    fn eval(&mut self, node: Node<'_>, frame: &mut Frame<'_>) -> Run<Value> {
        let source = frame.source;
        let text = |node: Node<'_>| &source[node.byte_range()];
        let parts = children(node);
        Ok(match node.kind() {
            "expression" | "const_expression" | "index" => return self.eval(parts[0], frame),
            "parenthesized_expression" => return self.eval(parts[1], frame),
            "omitted_argument" | "UNDEFINED_KEYWORD" => Value::Undefined,
            "number" => Value::Number(text(node).parse().unwrap()),
            "boolean" => Value::Bool(parts[0].kind() == "TRUE_KEYWORD"),
            "date" => Value::Date(date(text(node).trim_matches('\''))),
            "string" => {
                let lines = parts
                    .iter()
                    .filter(|n| n.kind() == "string_content")
                    .map(|n| text(*n).replace("\"\"", "\""));
                Value::text(lines.collect::<Vec<_>>().join("\n"))
            }
            "identifier" => {
                let name = text(node);
                match frame.variables.get(&name.to_lowercase()) {
                    Some(value) => value.clone(),
                    None => Value::Name(name.into()),
                }
            }
            "access" | "property_access" | "call_expression" => {
                if parts.len() == 1 {
                    return self.eval(parts[0], frame);
                }
                let owner = self.eval(parts[0], frame)?;
                match parts[2].kind() {
                    "property" => self.platform.get(&owner, text(parts[2])),
                    "index" => {
                        let at = self.eval(parts[2], frame)?;
                        self.platform.at(&owner, &at)
                    }
                    "method_call" => {
                        let name = text(parts[2].child_by_field_name("name").unwrap()).to_owned();
                        let args = self.arguments(parts[2], frame)?;
                        match &owner {
                            Value::Name(module) if self.modules.contains_key(&**module) => {
                                return self.method(module, &name, args, true);
                            }
                            _ => self
                                .platform
                                .method(&owner, &name, &args)
                                .map_err(Leave::Raise)?,
                        }
                    }
                    other => panic!("{other} after a dot"),
                }
            }
            "method_call" => {
                let name = text(node.child_by_field_name("name").unwrap()).to_owned();
                let args = self.arguments(node, frame)?;
                if self.has(frame.name, &name) {
                    return self.method(frame.name, &name, args, false);
                }
                self.platform
                    .function(&name, &args, frame.caught.as_deref())
                    .map_err(Leave::Raise)?
            }
            "new_expression" => {
                let name = text(node.child_by_field_name("type").unwrap()).to_owned();
                let args = self.arguments(node, frame)?;
                self.platform.create(&name, args)
            }
            "ternary_expression" => {
                let side = if self
                    .eval(node.child_by_field_name("condition").unwrap(), frame)?
                    .truth()
                {
                    "consequence"
                } else {
                    "alternative"
                };
                return self.eval(node.child_by_field_name(side).unwrap(), frame);
            }
            "unary_expression" => {
                let value = self.eval(node.child_by_field_name("argument").unwrap(), frame)?;
                match text(node.child_by_field_name("operator").unwrap())
                    .to_lowercase()
                    .as_str()
                {
                    "не" => Value::Bool(!value.truth()),
                    "-" => Value::Number(-value.number()),
                    other => panic!("unary {other}"),
                }
            }
            "binary_expression" => {
                let operator = text(node.child_by_field_name("operator").unwrap()).to_lowercase();
                let left = self.eval(node.child_by_field_name("left").unwrap(), frame)?;
                let right = node.child_by_field_name("right").unwrap();
                match operator.as_str() {
                    "и" => Value::Bool(left.truth() && self.eval(right, frame)?.truth()),
                    "или" => Value::Bool(left.truth() || self.eval(right, frame)?.truth()),
                    _ => binary(&operator, &left, &self.eval(right, frame)?),
                }
            }
            other => panic!("{}: {other} is not known here: {}", frame.name, text(node)),
        })
    }

    fn has(&self, module: &str, method: &str) -> bool {
        let module = &self.modules[module];
        definitions(module.tree.root_node()).into_iter().any(|d| {
            let name = d.child_by_field_name("name").unwrap();
            module.source[name.byte_range()].to_lowercase() == method.to_lowercase()
        })
    }

    fn arguments(&mut self, node: Node<'_>, frame: &mut Frame<'_>) -> Run<Vec<Value>> {
        let Some(arguments) = node.child_by_field_name("arguments") else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for argument in children(arguments) {
            if ["expression", "omitted_argument"].contains(&argument.kind()) {
                all.push(self.eval(argument, frame)?);
            }
        }
        Ok(all)
    }
}

/// Methods of a module, inside of its regions.
pub fn definitions(root: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    for node in children(root) {
        if node.kind().ends_with("_definition") {
            found.push(node);
        } else if node.kind().starts_with("preproc") {
            found.extend(definitions(node));
        }
    }
    found
}

fn binary(operator: &str, left: &Value, right: &Value) -> Value {
    match operator {
        "=" => Value::Bool(left.same(right)),
        "<>" => Value::Bool(!left.same(right)),
        "+" => match left {
            Value::Text(text) => Value::text(format!("{text}{}", right.shown())),
            _ => Value::Number(left.number() + right.number()),
        },
        // Of two dates: seconds.
        "-" => Value::Number(left.number() - right.number()),
        ">" => Value::Bool(left.number() > right.number()),
        ">=" => Value::Bool(left.number() >= right.number()),
        "<" => Value::Bool(left.number() < right.number()),
        "<=" => Value::Bool(left.number() <= right.number()),
        other => panic!("operator {other}"),
    }
}

/// `'19700101'` or with a time behind it.
fn date(digits: &str) -> i64 {
    if digits == "00010101" {
        return EMPTY_DATE;
    }
    let padded = format!("{digits:0<14}");
    let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &padded).unwrap();
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .unwrap()
        .timestamp()
        .as_second()
}

/// Ends a chain of values for the tests.
pub fn structure(pairs: &[(&str, Value)]) -> Value {
    let pairs = pairs
        .iter()
        .map(|(key, value)| (Value::text(key), value.clone()));
    Value::new(Object::Struct(pairs.collect()))
}
