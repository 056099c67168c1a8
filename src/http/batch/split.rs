//! Cuts a body into its orders as it comes: the elements of a JSON array, or one JSON a line. Holds no more than what isn't
//! whole yet. Pure.

use super::super::refusal::Refusal;
use axum::http::StatusCode;

/// Longest order, bytes.
pub(super) const MAX_PIECE: usize = 1024 * 1024;

/// One order's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its place in the array, or its line; from 1.
    pub(super) number: usize,
    /// The line that it begins on, from 1.
    pub(super) line: usize,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// Anything: it isn't known yet which of the two forms this is.
    First,
    /// A line.
    Line,
    /// An element, or the array's end (`true`: right after `[`).
    Element(bool),
    /// A comma or the array's end.
    Comma,
    /// Nothing but blanks.
    Nothing,
}

/// See the module.
pub(super) struct Splitter {
    expect: Expect,
    /// What came and wasn't given out; `at`: what of it has been looked at.
    bytes: Vec<u8>,
    at: usize,
    number: usize,
    line: usize,
    /// The line on which the piece that is being read began.
    began: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self {
            expect: Expect::First,
            bytes: Vec::new(),
            at: 0,
            number: 0,
            line: 1,
            began: 1,
            depth: 0,
            in_text: false,
            escaped: false,
        }
    }

    /// More has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole order; `Ok(None)`: more is wanted.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        loop {
            match self.expect {
                Expect::First => {
                    if self.bytes.starts_with(&[0xEF]) && self.bytes.len() < 3 {
                        return Ok(None);
                    }
                    if self.bytes.starts_with(b"\xEF\xBB\xBF") {
                        self.bytes.drain(..3);
                    }
                    let blank = self.skip_blanks();
                    match self.bytes.get(self.at) {
                        None => return Ok(None),
                        Some(b'[') => {
                            self.take_off(self.at + 1);
                            self.expect = Expect::Element(true);
                        }
                        Some(_) => {
                            // Lines: the blank ones before the first count.
                            self.take_off(blank);
                            self.number = self.line - 1;
                            self.expect = Expect::Line;
                        }
                    }
                }
                Expect::Line => {
                    match self.bytes[self.at..].iter().position(|byte| *byte == b'\n') {
                        Some(length) => {
                            let end = self.at + length;
                            if let Some(piece) = self.line_of(end) {
                                return self.bounded(piece).map(Some);
                            }
                        }
                        None => {
                            self.at = self.bytes.len();
                            return self.whole_so_far();
                        }
                    }
                }
                Expect::Element(first) => {
                    if self.depth == 0 && !self.in_text && self.at == 0 {
                        let blank = self.skip_blanks();
                        self.take_off(blank);
                        match self.bytes.first() {
                            None => return Ok(None),
                            Some(b']') if first => {
                                self.take_off(1);
                                self.expect = Expect::Nothing;
                                continue;
                            }
                            Some(b',' | b']') => {
                                return Err(self.broken("нужен заказ", "an order is wanted"));
                            }
                            Some(_) => self.began = self.line,
                        }
                    }
                    match self.element_end() {
                        Some(end) => {
                            self.number += 1;
                            let bytes = self.bytes[..end].to_vec();
                            let piece = Piece {
                                number: self.number,
                                line: self.began,
                                bytes,
                            };
                            self.take_off(end);
                            self.expect = Expect::Comma;
                            return self.bounded(piece).map(Some);
                        }
                        None => return self.whole_so_far(),
                    }
                }
                Expect::Comma => {
                    let blank = self.skip_blanks();
                    self.take_off(blank);
                    match self.bytes.first() {
                        None => return Ok(None),
                        Some(b',') => self.expect = Expect::Element(false),
                        Some(b']') => self.expect = Expect::Nothing,
                        Some(_) => {
                            return Err(
                                self.broken("нужна запятая или ]", "a comma or ] is wanted")
                            );
                        }
                    }
                    self.take_off(1);
                }
                Expect::Nothing => {
                    let blank = self.skip_blanks();
                    self.take_off(blank);
                    if !self.bytes.is_empty() {
                        return Err(
                            self.broken("после ] ничего не должно быть", "nothing may follow ]")
                        );
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// The body has ended: a last line, or why it isn't whole.
    pub(super) fn finish(&mut self) -> Result<Option<Piece>, Refusal> {
        if let Some(piece) = self.next()? {
            return Ok(Some(piece));
        }
        match self.expect {
            Expect::First | Expect::Nothing => Ok(None),
            Expect::Line if self.bytes.is_empty() => Ok(None),
            Expect::Line => {
                let end = self.bytes.len();
                self.line_of(end)
                    .map(|piece| self.bounded(piece))
                    .transpose()
            }
            Expect::Element(_) | Expect::Comma => Err(self.broken(
                "массив не закрыт: нужна ]",
                "the array isn't closed: ] is wanted",
            )),
        }
    }

    /// Which order it is that can't be read.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The line that ends at `end`; `None`: it is blank.
    fn line_of(&mut self, end: usize) -> Option<Piece> {
        self.number += 1;
        let bytes = self.bytes[..end].trim_ascii().to_vec();
        let piece = Piece {
            number: self.number,
            line: self.line,
            bytes,
        };
        self.line += 1;
        // The line's end goes with it.
        self.bytes.drain(..(end + 1).min(self.bytes.len()));
        self.at = 0;
        (!piece.bytes.is_empty()).then_some(piece)
    }

    /// Past blanks from `at`; where they end.
    fn skip_blanks(&mut self) -> usize {
        while let Some(byte) = self.bytes.get(self.at)
            && byte.is_ascii_whitespace()
        {
            self.at += 1;
        }
        self.at
    }

    /// Forgets what was read, and counts its lines.
    fn take_off(&mut self, end: usize) {
        self.line += self.bytes[..end]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.bytes.drain(..end);
        self.at = 0;
    }

    /// Where the element that begins the bytes ends; `None`: not there yet.
    fn element_end(&mut self) -> Option<usize> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            let here = self.at;
            self.at += 1;
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return Some(self.at);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                // A number or a word, which is no order; told where it is read.
                b',' | b']' if self.depth == 0 => return Some(here),
                _ => {}
            }
        }
        None
    }

    fn whole_so_far(&self) -> Result<Option<Piece>, Refusal> {
        if self.bytes.len() > MAX_PIECE {
            return Err(too_long(self.number + 1));
        }
        Ok(None)
    }

    fn bounded(&self, piece: Piece) -> Result<Piece, Refusal> {
        if piece.bytes.len() > MAX_PIECE {
            return Err(too_long(piece.number));
        }
        Ok(piece)
    }

    fn broken(&self, ru: &str, en: &str) -> Refusal {
        let line = self.line;
        Refusal::bad(
            "bad_json",
            format!("это не JSON: строка {line}: {ru}"),
            format!("this is no JSON: line {line}: {en}"),
        )
    }
}

fn too_long(number: usize) -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("заказ {number} длиннее {MAX_PIECE} байтов"),
        format!("order {number} has more than {MAX_PIECE} bytes"),
    )
    .at_line(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `text`, given in parts of `step` bytes: the pieces as `number:line:text`, and the refusal's code.
    fn split(text: &str, step: usize) -> (Vec<String>, Option<String>) {
        let mut splitter = Splitter::new();
        let mut pieces = Vec::new();
        let told = |piece: Piece| {
            let text = String::from_utf8(piece.bytes).unwrap();
            format!("{}:{}:{text}", piece.number, piece.line)
        };
        for part in text.as_bytes().chunks(step) {
            splitter.push(part);
            loop {
                match splitter.next() {
                    Ok(Some(piece)) => pieces.push(told(piece)),
                    Ok(None) => break,
                    Err(refusal) => return (pieces, Some(refusal.en)),
                }
            }
        }
        match splitter.finish() {
            Ok(last) => pieces.extend(last.map(told)),
            Err(refusal) => return (pieces, Some(refusal.en)),
        }
        (pieces, None)
    }

    #[test]
    fn both_forms_are_cut_wherever_the_parts_end() {
        for (text, expect, fault) in [
            ("", &[][..], None),
            (" \n ", &[], None),
            ("[]", &[], None),
            ("[ ] \n", &[], None),
            (
                "[{\"a\":1},{\"b\":2}]",
                &["1:1:{\"a\":1}", "2:1:{\"b\":2}"],
                None,
            ),
            (
                "\u{feff}\n[\n {\"a\":\n [1,{}]} ,\n\n {\"б\":\"]},\\\"[\"}\n]\n",
                &["1:3:{\"a\":\n [1,{}]}", "2:6:{\"б\":\"]},\\\"[\"}"],
                None,
            ),
            (
                "[1, \"x\", null]",
                &["1:1:1", "2:1:\"x\"", "3:1:null"],
                None,
            ),
            (
                "{\"a\":1}\n{\"b\":2}",
                &["1:1:{\"a\":1}", "2:2:{\"b\":2}"],
                None,
            ),
            (
                "\n\n{\"a\":1}\r\n\n {\"b\":2} \n",
                &["3:3:{\"a\":1}", "5:5:{\"b\":2}"],
                None,
            ),
            ("[{}", &["1:1:{}"], Some("isn't closed")),
            ("[{},", &["1:1:{}"], Some("isn't closed")),
            ("[{} {}]", &["1:1:{}"], Some("a comma or ]")),
            ("[,{}]", &[], Some("an order is wanted")),
            ("[{},]", &["1:1:{}"], Some("an order is wanted")),
            ("[{}]\nx", &["1:1:{}"], Some("line 2: nothing may follow")),
            ("[{\"a\":\"x]", &[], Some("isn't closed")),
        ] {
            for step in [1, 2, 3, 7, 1000] {
                let (pieces, refused) = split(text, step);
                assert_eq!(pieces, expect, "{text:?} by {step}");
                match fault {
                    None => assert_eq!(refused, None, "{text:?} by {step}"),
                    Some(part) => {
                        let refused = refused.unwrap_or_default();
                        assert!(refused.contains(part), "{text:?} by {step}: {refused}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_order_without_end_is_refused_before_it_fills_memory() {
        for open in ["[{\"a\":\"", "{\"a\":\""] {
            let mut splitter = Splitter::new();
            splitter.push(open.as_bytes());
            let mut pushed = 0;
            let refused = loop {
                splitter.push(&[b'x'; 65_536]);
                pushed += 65_536;
                match splitter.next() {
                    Ok(None) => assert!(pushed <= MAX_PIECE + 65_536),
                    Ok(Some(piece)) => panic!("{piece:?}"),
                    Err(refusal) => break refusal,
                }
            };
            assert_eq!((refused.code, refused.line), ("too_large", Some(1)));
        }
    }
}
