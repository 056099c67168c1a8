//! The one rule for text that becomes part of a line of a line protocol (AGI, AMI), and how lines are taken from bytes.
//!
//! A carriage return or line feed inside a value would start a new command; a NUL would end one early. The rule:
//! **control characters other than the tab are refused, never stripped in silence**. A caller that would rather
//! have a readable text than an error (a caller id's name, a log line) says so by calling [`one_line`] first.

/// A character that can't stand in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "holds the control character {found:?} at byte {at}: such text can't be one line; clean it first"
)]
pub struct ControlCharacter {
    /// The first one.
    pub found: char,
    /// Its place, in bytes.
    pub at: usize,
}

/// Refuses text with control characters (C0 but the tab, and DEL).
pub fn check(text: &str) -> Result<(), ControlCharacter> {
    match text.bytes().position(is_control) {
        None => Ok(()),
        Some(at) => Err(ControlCharacter {
            found: char::from(text.as_bytes()[at]),
            at,
        }),
    }
}

fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// The same text as one line: each run of control characters becomes one space; ends are trimmed.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

/// A line that is longer than its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of over {max} bytes")]
pub struct LineTooLong {
    /// The cap, bytes without the line's end.
    pub max: usize,
}

/// The first line of `bytes` without its LF or CRLF, and how many bytes it takes with it. `Ok(None)`: not yet whole.
pub fn take(bytes: &[u8], max: usize) -> Result<Option<(&[u8], usize)>, LineTooLong> {
    // The cap and CRLF: a line that has no end within that is too long, however much more there is.
    let window = &bytes[..bytes.len().min(max + 2)];
    let Some(end) = window.iter().position(|b| *b == b'\n') else {
        return if bytes.len() >= max + 2 {
            Err(LineTooLong { max })
        } else {
            Ok(None)
        };
    };
    let line = window[..end].strip_suffix(b"\r").unwrap_or(&window[..end]);
    if line.len() > max {
        return Err(LineTooLong { max });
    }
    Ok(Some((line, end + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused_with_their_place() {
        assert_eq!(check("ЦБ-1\tтекст «да»"), Ok(()));
        for (text, found, at) in [
            ("a\nb", '\n', 1),
            ("\r", '\r', 0),
            ("ab\0", '\0', 2),
            ("\x1b[0m", '\x1b', 0),
            ("x\x7f", '\x7f', 1),
        ] {
            assert_eq!(check(text), Err(ControlCharacter { found, at }), "{text:?}");
        }
    }

    #[test]
    fn one_line_passes_the_check() {
        for (text, clean) in [
            ("a\r\nAction: x", "a Action: x"),
            ("\n\n", ""),
            ("да\u{85}нет\u{2028}", "да нет"),
        ] {
            assert_eq!(one_line(text), clean);
            assert_eq!(check(&one_line(text)), Ok(()));
        }
    }

    #[test]
    fn lines_end_with_lf_or_crlf_and_have_a_cap() {
        assert_eq!(take(b"ab\r\ncd", 4), Ok(Some((&b"ab"[..], 4))));
        assert_eq!(take(b"\n", 4), Ok(Some((&b""[..], 1))));
        assert_eq!(take(b"abcd\n", 4), Ok(Some((&b"abcd"[..], 5))));
        assert_eq!(take(b"abcd\r", 4), Ok(None));
        assert_eq!(take(b"abcde\n", 4), Err(LineTooLong { max: 4 }));
        assert_eq!(take(b"abcdef", 4), Err(LineTooLong { max: 4 }));
    }
}
