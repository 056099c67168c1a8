//! All faults of a text at once: the parser stops at the first, so the faulty statement is blanked and it goes on.
//!
//! Honest only where brackets and quotes pair up: else nobody knows where a statement ends. Where they don't, the statement
//! of the left margin that spoils them is blanked, if the rest pairs up without it; if not, the first fault is all.

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
        let words = gone.split(|c: char| !is_letter(c));
        recovered.blanked.extend(words.map(str::to_owned));
        let blank = blanked(gone);
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

/// Brackets and semicolons outside of strings and comments.
#[derive(Default)]
struct Marks {
    found: Vec<Mark>,
    /// Brackets that are never closed, or closed by another one; the last is the innermost.
    open: Vec<(char, usize)>,
    /// Where something closes what isn't open, or a string begins that doesn't end.
    broken: Option<usize>,
}

impl Marks {
    /// All brackets and quotes pair up.
    fn pair_up(&self) -> bool {
        self.open.is_empty() && self.broken.is_none()
    }
}

fn marks(text: &str) -> Marks {
    let mut marks = Marks::default();
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let whole = match c {
            '/' if text[at..].starts_with("//") => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
                true
            }
            '/' if text[at..].starts_with("/*") => match text[at + 2..].find("*/") {
                Some(length) => {
                    while rest.next_if(|(i, _)| *i < at + length + 4).is_some() {}
                    true
                }
                None => false,
            },
            '"' | '\'' => is_string(c, &mut rest),
            '`' => is_template(&mut rest),
            '(' | '[' | '{' => {
                marks.open.push((c, at));
                marks.found.push(Mark { at, is: c });
                true
            }
            ')' | ']' | '}' => {
                let wanted = match c {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                marks.found.push(Mark { at, is: c });
                let pairs = marks.open.last().is_some_and(|(open, _)| *open == wanted);
                if pairs {
                    marks.open.pop();
                }
                pairs
            }
            ';' => {
                marks.found.push(Mark { at, is: c });
                true
            }
            _ => true,
        };
        if !whole {
            marks.broken = Some(at);
            break;
        }
    }
    marks
}

type Rest<'t> = std::iter::Peekable<std::str::CharIndices<'t>>;

/// The rest of a string up to its `quote`; false where its line ends first.
fn is_string(quote: char, rest: &mut Rest<'_>) -> bool {
    while let Some((_, c)) = rest.next() {
        match c {
            '\\' => {
                rest.next();
            }
            '\n' => return false,
            end if end == quote => return true,
            _ => {}
        }
    }
    false
}

/// The rest of a string in back quotes.
fn is_template(rest: &mut Rest<'_>) -> bool {
    let mut depth = 0_u32;
    while let Some((_, c)) = rest.next() {
        match c {
            '`' if depth == 0 => return true,
            '$' if rest.next_if(|(_, c)| *c == '{').is_some() => depth += 1,
            '{' if depth > 0 => depth += 1,
            '}' if depth > 0 => depth -= 1,
            _ => {}
        }
    }
    false
}

/// The bracket that is open at the end of a text and never closed, or closed by another one: itself, its byte, and what
/// stands where it should be closed.
pub(super) fn unclosed(text: &str) -> Option<(char, usize, Option<usize>)> {
    let marks = marks(text);
    let (open, at) = by_indent(text, &marks).or(marks.open.last().copied())?;
    let closer = marks
        .broken
        .filter(|at| text[*at..].starts_with([')', ']', '}']));
    // A string that doesn't end may hold what would close it.
    (closer == marks.broken).then_some((open, at, closer))
}

/// The brace that is closed by one further left: its own is what is missing. Whoever indents shows it.
fn by_indent(text: &str, marks: &Marks) -> Option<(char, usize)> {
    if marks.pair_up() {
        return None;
    }
    let indent = |at: usize| {
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let shift = text[line..].len() - text[line..].trim_start().len();
        (shift, line + shift == at)
    };
    let mut open = Vec::new();
    for mark in &marks.found {
        match mark.is {
            '(' | '[' | '{' => open.push((mark.is, mark.at)),
            ';' => {}
            _ => {
                let (is, at) = open.pop()?;
                let (here, begins_line) = indent(mark.at);
                if is == '{' && mark.is == '}' && begins_line && here < indent(at).0 {
                    return Some((is, at));
                }
            }
        }
    }
    None
}

/// Whether that place is inside of a function's body.
pub(super) fn is_in_function(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or(text);
    marks(before).open.iter().any(|(is, open)| {
        *is == '{' && {
            let head = &before[..*open];
            let head = head.rsplit([';', '{', '}']).next().unwrap_or(head);
            head.split(|c: char| !is_letter(c)).any(is_fn)
        }
    })
}

fn is_fn(word: &str) -> bool {
    super::keywords::KEYWORDS
        .iter()
        .find(|k| k.en == "fn")
        .is_some_and(|k| word == k.en || k.ru.contains(&word.to_lowercase().as_str()))
}

/// A letter of a name.
pub(super) fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The byte of a place.
pub(super) fn byte_at(text: &str, position: Position) -> Option<usize> {
    let line = position.line()?;
    let column = position.position().unwrap_or(1).max(1);
    let before: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let inside = text.get(before..)?;
    let chars = inside.char_indices();
    let at = chars.map(|(i, _)| i).nth(column - 1);
    Some(before + at.unwrap_or(inside.len()))
}

/// The place of a byte.
pub(super) fn place_of(text: &str, at: usize) -> Position {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default();
    let column = column.chars().count() + 1;
    let number = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    Position::new(number(line), number(column))
}

/// What has to be blanked for the rest to be looked at: the innermost statement around a place; where brackets or quotes
/// don't pair up, the statement of the left margin that spoils them.
fn statement(text: &str, position: Position) -> Option<(usize, usize)> {
    let marks = marks(text);
    if marks.pair_up() {
        return inner_statement(text, &marks.found, byte_at(text, position)?);
    }
    let culprit = match (marks.broken, marks.open.last()) {
        // What closes the wrong bracket, or the bracket that isn't closed: whichever begins the trouble.
        (Some(at), None) => at,
        (Some(at), Some((_, open))) if text[at..].starts_with([')', ']', '}']) => *open,
        (Some(at), Some(_)) => at,
        (None, Some((_, open))) => *open,
        (None, None) => return None,
    };
    let (start, end) = margin_statement(text, culprit);
    let blank = blanked(&text[start..end]);
    let rest = format!("{}{blank}{}", &text[..start], &text[end..]);
    // Else the trouble is elsewhere, and whatever the parser says next may be its echo.
    self::marks(&rest).pair_up().then_some((start, end))
}

/// The same with nothing but its line ends.
fn blanked(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect()
}

/// Lines from one that begins at the left margin to the next that does and begins something.
fn margin_statement(text: &str, at: usize) -> (usize, usize) {
    let begins = |line: &str| {
        line.starts_with(|c: char| !c.is_whitespace() && !matches!(c, '}' | ')' | ']' | '/'))
            && !line.to_lowercase().starts_with("иначе")
            && !line.to_lowercase().starts_with("исключение")
    };
    let (mut start, mut end, mut line_at) = (0, text.len(), 0);
    for line in text.split_inclusive('\n') {
        if begins(line) {
            if line_at <= at {
                start = line_at;
            } else {
                end = line_at;
                break;
            }
        }
        line_at += line.len();
    }
    (start, end)
}

/// The bytes of the innermost statement around a place.
fn inner_statement(text: &str, marks: &[Mark], at: usize) -> Option<(usize, usize)> {
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
        // What spoils the brackets goes as far as the next line of the left margin.
        assert_eq!(
            cut("a();\nесли x {\n  b(\nиначе {\n}\nc();", 6, 1),
            Some("если x {\n  b(\nиначе {\n}\n")
        );
        assert_eq!(cut("s(\"x);\nf();", 1, 3), Some("s(\"x);\n"));
        assert_eq!(cut("f({)}", 1, 2), Some("f({)}"));
        assert_eq!(cut("f(\n{\ng(]\n);", 1, 2), None);
    }

    #[test]
    fn what_is_not_closed_is_found() {
        assert_eq!(unclosed("a(1;\n"), Some(('(', 1, None)));
        assert_eq!(unclosed("f(#{ a: 1 );"), Some(('{', 3, Some(10))));
        assert_eq!(unclosed("f(\"x);"), None);
        assert_eq!(unclosed("f(1);"), None);
        let inner = "если а {\n  если б {\n    f();\n}\n";
        assert_eq!(
            unclosed(inner),
            Some(('{', inner.rfind('{').unwrap(), None))
        );
        let text = "fn f() {\n x\n}\ny";
        assert!(is_in_function(text, 10) && !is_in_function(text, 14));
        assert_eq!(byte_at(text, place_of(text, 10)), Some(10));
    }
}
