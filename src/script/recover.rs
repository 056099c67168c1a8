//! All faults of a text at once: the parser stops at the first, so the faulty statement is blanked and it goes on.
//!
//! Honest only where brackets and quotes pair up: else nobody knows where a statement ends, and the first fault is all.

use std::collections::BTreeSet;

use rhai::{AST, Engine, ParseError, ParseErrorType, Position, Scope};

/// Most faults of one text.
const MAX_FAULTS: usize = 12;

/// What came of a text with faults.
pub(super) struct Recovered {
    /// The parser's faults, in the order in which it met them.
    pub(super) errors: Vec<ParseError>,
    /// The text without its faulty statements.
    pub(super) rest: Option<AST>,
    /// Words of the blanked statements: they may have defined what now seems to be missing.
    pub(super) blanked: BTreeSet<String>,
}

/// Compiles `text` in spite of its `first` fault.
pub(super) fn go_on(
    engine: &Engine,
    scope: &Scope<'_>,
    text: &str,
    first: ParseError,
) -> Recovered {
    let mut recovered = Recovered {
        errors: vec![first],
        rest: None,
        blanked: BTreeSet::new(),
    };
    let mut text = text.to_owned();
    let mut at = recovered.errors[0].position();
    for _ in 0..MAX_FAULTS * 2 {
        let Some((start, end)) = statement(&text, at) else {
            break;
        };
        let gone = &text[start..end];
        if gone.trim().is_empty() {
            break;
        }
        let words = gone.split(|c: char| !c.is_alphanumeric() && c != '_');
        recovered.blanked.extend(words.map(str::to_owned));
        let blank: String = gone
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        text.replace_range(start..end, &blank);
        match engine.compile_with_scope(scope, &text) {
            Ok(rest) => {
                recovered.rest = Some(rest);
                break;
            }
            Err(error) => {
                at = error.position();
                let follows = match error.err_type() {
                    ParseErrorType::VariableUndefined(name)
                    | ParseErrorType::ModuleUndefined(name) => recovered.blanked.contains(name),
                    _ => false,
                };
                if !follows {
                    recovered.errors.push(error);
                }
                if recovered.errors.len() >= MAX_FAULTS {
                    break;
                }
            }
        }
    }
    recovered
}

/// A bracket or semicolon of the text, by its byte.
struct Mark {
    at: usize,
    is: char,
}

/// Brackets and semicolons outside of strings and comments; `None` where something isn't closed.
fn marks(text: &str) -> Option<Vec<Mark>> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '/' if text[at..].starts_with("//") => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            '/' if text[at..].starts_with("/*") => {
                let end = at + 2 + text[at + 2..].find("*/")?;
                while rest.next_if(|(i, _)| *i < end + 2).is_some() {}
            }
            '"' | '\'' => loop {
                match rest.next()? {
                    (_, '\\') => {
                        rest.next();
                    }
                    (_, '\n') => return None,
                    (_, end) if end == c => break,
                    _ => {}
                }
            },
            '`' => {
                let mut depth = 0_u32;
                loop {
                    match rest.next()? {
                        (_, '`') if depth == 0 => break,
                        (_, '$') if rest.next_if(|(_, c)| *c == '{').is_some() => depth += 1,
                        (_, '{') if depth > 0 => depth += 1,
                        (_, '}') if depth > 0 => depth -= 1,
                        _ => {}
                    }
                }
            }
            '(' | '[' | '{' => {
                open.push(c);
                found.push(Mark { at, is: c });
            }
            ')' | ']' | '}' => {
                let wanted = match c {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                if open.pop() != Some(wanted) {
                    return None;
                }
                found.push(Mark { at, is: c });
            }
            ';' => found.push(Mark { at, is: c }),
            _ => {}
        }
    }
    open.is_empty().then_some(found)
}

/// The bytes of the innermost statement around a place.
fn statement(text: &str, position: Position) -> Option<(usize, usize)> {
    let line = position.line()?;
    let column = position.position().unwrap_or(1).max(1);
    let before: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let inside = text.get(before..)?;
    let at = before
        + inside
            .char_indices()
            .nth(column - 1)
            .map_or(inside.len(), |(i, _)| i);
    let marks = marks(text)?;
    // Where the statement begins, at each depth of brackets that is open at the place.
    let mut open = vec![('{', 0)];
    let mut later = marks.len();
    for (n, mark) in marks.iter().enumerate() {
        if mark.at >= at {
            later = n;
            break;
        }
        match mark.is {
            '(' | '[' | '{' => open.push((mark.is, mark.at + 1)),
            ')' | ']' => {
                open.pop();
            }
            '}' => {
                open.pop();
                if let Some(top) = open.last_mut().filter(|top| top.0 == '{') {
                    top.1 = mark.at + 1;
                }
            }
            _ => {
                if let Some(top) = open.last_mut().filter(|top| top.0 == '{') {
                    top.1 = mark.at + 1;
                }
            }
        }
    }
    let inner = open.iter().rposition(|(is, _)| *is == '{')?;
    let start = open[inner].1;
    // To the semicolon at that depth, or the bracket that closes it.
    let mut depth = open.len() - 1 - inner;
    for mark in &marks[later..] {
        match mark.is {
            '(' | '[' | '{' => depth += 1,
            ';' if depth == 0 => return Some((start, mark.at + 1)),
            ';' => {}
            _ if depth == 0 => return Some((start, mark.at)),
            _ => depth -= 1,
        }
    }
    Some((start, text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, line: u16, column: u16) -> Option<&str> {
        statement(text, Position::new(line, column)).map(|(a, b)| &text[a..b])
    }

    #[test]
    fn the_statement_around_a_place_is_found() {
        assert_eq!(cut("a(1); b(2 3); c();", 1, 11), Some(" b(2 3);"));
        assert_eq!(cut("if x { a(; b ); } c", 1, 10), Some(" a(; b );"));
        assert_eq!(cut("if x { a(1 2) } c();", 1, 12), Some(" a(1 2) "));
        assert_eq!(cut("ы(#{ а: 1 2 });", 1, 11), Some(" а: 1 2 "));
        assert_eq!(
            cut("s(\"};{\"); // }\nб(`${ {;} }`) x", 2, 14),
            Some(" // }\nб(`${ {;} }`) x")
        );
        assert_eq!(cut("f({)}", 1, 2), None);
        assert_eq!(cut("f(\"x);", 1, 2), None);
    }
}
