//! What Asterisk answers to an AGI command, and the lines that it sends unasked.
//!
//! ```text
//! 200 result=1 (value) endpos=16000     done; value and endpos where the command has them
//! 510 Invalid or unknown command
//! 511 Command Not Permitted on a dead channel
//! 520-Invalid command syntax.  Proper usage follows:
//! ...lines of usage...
//! 520 End of proper usage.
//! HANGUP                                between answers: the channel is gone
//! 100 Trying...                         not an answer yet
//! ```

use std::fmt::Write;

use crate::wire::line;

/// Longest line of an answer, bytes: a variable's value may be long.
pub const MAX_ANSWER_LINE: usize = 64 * 1024;
/// Most lines of one answer: usage texts of Asterisk have at most 30; a value may have line feeds too.
pub const MAX_ANSWER_LINES: usize = 256;
/// How many bytes a usage text or a value of several lines may have.
const MAX_ANSWER: usize = 2 * MAX_ANSWER_LINE;

/// One answer to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: the command was carried out.
    Done {
        /// The number behind `result=`; what it means depends on the command. Nothing where it is empty or no number
        /// (`GET DATA` without digits): see `text`.
        result: Option<i64>,
        /// `result=` as it was written, if it is not that number's usual form (digits of `GET DATA`: `007`).
        text: Option<Box<str>>,
        /// What stood in brackets: a variable's value, `timeout`, `hangup`.
        value: Option<Box<str>>,
        /// Where a playback ended: samples for `STREAM FILE`, milliseconds for `CONTROL STREAM FILE`, there -1 if it
        /// was heard to its end.
        endpos: Option<i64>,
    },
    /// 510: no such command in this Asterisk.
    Unknown,
    /// 511: the channel is gone and this command needs a living one.
    Dead,
    /// 520: wrong arguments; the usage text.
    Usage(Box<str>),
    /// Any other code with its text.
    Other {
        /// Three digits.
        code: u16,
        /// What followed.
        text: Box<str>,
    },
}

/// One thing that Asterisk says after its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The answer to the command in flight.
    Answer(Answer),
    /// The channel was hung up. Not an answer: that one still comes.
    HangUp,
    /// A line of the 1xx family: the answer is still to come.
    Progress,
}

/// Not a line of AGI. The pairing of commands and answers is lost: the connection has to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// A line over its cap.
    #[error("answer: {0}")]
    Line(#[from] line::LineTooLong),
    /// Too many lines or bytes in one answer.
    #[error("answer: over {MAX_ANSWER_LINES} lines or {MAX_ANSWER} bytes")]
    TooLong,
    /// Neither a code nor `HANGUP`.
    #[error("answer: {start:?} is no answer of AGI")]
    Form {
        /// How it begins.
        start: String,
    },
}

impl Line {
    /// Reads the next line or answer. `Ok(None)`: more bytes are needed, nothing is consumed.
    ///
    /// A 200 whose bracket isn't closed at the line's end goes on in the next line: Asterisk sends a variable's value
    /// as it is, line feeds and all.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, AnswerError> {
        let Some((raw, used)) = line::take(bytes, MAX_ANSWER_LINE)? else {
            return Ok(None);
        };
        if raw == b"HANGUP" {
            return Ok(Some((Self::HangUp, used)));
        }
        let bad = || AnswerError::Form {
            start: String::from_utf8_lossy(raw).chars().take(40).collect(),
        };
        let (digits, rest) = raw.split_at_checked(3).ok_or_else(bad)?;
        if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
            return Err(bad());
        }
        let code = digits
            .iter()
            .fold(0u16, |code, digit| 10 * code + u16::from(digit - b'0'));
        let (separator, rest) = rest.split_first().unwrap_or((&b' ', &[]));
        match (code, separator) {
            (200, b' ') => decode_done(bytes, rest, used),
            (_, b'-') => decode_usage(bytes, code, rest, used),
            (100..200, b' ') => Ok(Some((Self::Progress, used))),
            (510, b' ') => Ok(Some((Self::Answer(Answer::Unknown), used))),
            (511, b' ') => Ok(Some((Self::Answer(Answer::Dead), used))),
            (520, b' ') => Ok(Some((Self::Answer(Answer::Usage(lossy(rest))), used))),
            (_, b' ') => Ok(Some((
                Self::Answer(Answer::Other {
                    code,
                    text: lossy(rest),
                }),
                used,
            ))),
            _ => Err(bad()),
        }
    }
}

fn lossy(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

/// `520-first line`, lines, `520 last line`.
fn decode_usage(
    bytes: &[u8],
    code: u16,
    first: &[u8],
    mut used: usize,
) -> Result<Option<(Line, usize)>, AnswerError> {
    let last = format!("{code} ");
    let mut text = String::from_utf8_lossy(first).into_owned();
    for _ in 1..MAX_ANSWER_LINES {
        let Some((raw, taken)) = line::take(&bytes[used..], MAX_ANSWER_LINE)? else {
            return more_unless_too_long(bytes);
        };
        used += taken;
        if raw.starts_with(last.as_bytes()) {
            let text = text.into();
            let answer = match code {
                520 => Answer::Usage(text),
                _ => Answer::Other { code, text },
            };
            return Ok(Some((Line::Answer(answer), used)));
        }
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(raw));
    }
    Err(AnswerError::TooLong)
}

fn more_unless_too_long(bytes: &[u8]) -> Result<Option<(Line, usize)>, AnswerError> {
    if bytes.len() > MAX_ANSWER {
        Err(AnswerError::TooLong)
    } else {
        Ok(None)
    }
}

/// `result=1 (value) endpos=16000`; `first` is the line behind its code.
fn decode_done(
    bytes: &[u8],
    first: &[u8],
    mut used: usize,
) -> Result<Option<(Line, usize)>, AnswerError> {
    let mut whole = String::from_utf8_lossy(first);
    let mut lines = 1;
    // An open bracket goes on in the next line.
    while whole.contains(" (") && !closes(&whole) {
        if lines == MAX_ANSWER_LINES {
            return Err(AnswerError::TooLong);
        }
        let Some((raw, taken)) = line::take(&bytes[used..], MAX_ANSWER_LINE)? else {
            return more_unless_too_long(bytes);
        };
        used += taken;
        lines += 1;
        let text = whole.to_mut();
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(raw));
    }
    let Some(rest) = whole.strip_prefix("result=") else {
        // `200 Done` and the like: some modules answer so.
        let answer = Answer::Other {
            code: 200,
            text: whole.into(),
        };
        return Ok(Some((Line::Answer(answer), used)));
    };
    let (result, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (value, rest) = match (rest.strip_prefix('('), rest.rfind(')')) {
        (Some(_), Some(close)) => (Some(rest[1..close].into()), &rest[close + 1..]),
        _ => (None, rest),
    };
    let endpos = rest
        .split(' ')
        .find_map(|word| word.strip_prefix("endpos="))
        .and_then(|position| position.parse().ok());
    let number: Option<i64> = result.parse().ok();
    let text = match number {
        Some(number) if number.to_string() == result => None,
        _ => Some(result.into()),
    };
    let answer = Answer::Done {
        result: number,
        text,
        value,
        endpos,
    };
    Ok(Some((Line::Answer(answer), used)))
}

/// Ends with `)` or with `) key=word ...`: the value is whole.
fn closes(text: &str) -> bool {
    text.rfind(')').is_some_and(|close| {
        text[close + 1..]
            .split(' ')
            .all(|word| word.is_empty() || word.contains('='))
    })
}

impl Answer {
    /// `200 result=N`.
    pub fn done(result: i64) -> Self {
        Self::Done {
            result: Some(result),
            text: None,
            value: None,
            endpos: None,
        }
    }

    /// `200 result=N (value)`.
    pub fn with_value(result: i64, value: &str) -> Self {
        Self::Done {
            result: Some(result),
            text: None,
            value: Some(value.into()),
            endpos: None,
        }
    }

    /// `200 result=N endpos=POSITION`.
    pub fn with_endpos(result: i64, endpos: i64) -> Self {
        Self::Done {
            result: Some(result),
            text: None,
            value: None,
            endpos: Some(endpos),
        }
    }

    /// The number of a 200.
    pub fn result(&self) -> Option<i64> {
        match self {
            Self::Done { result, .. } => *result,
            _ => None,
        }
    }

    /// What stood in a 200's brackets.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Done { value, .. } => value.as_deref(),
            _ => None,
        }
    }

    /// Where a playback ended; its unit is the command's. -1: CONTROL STREAM FILE came to the file's end.
    pub fn endpos(&self) -> Option<i64> {
        match self {
            Self::Done { endpos, .. } => *endpos,
            _ => None,
        }
    }

    /// The bytes as Asterisk sends them, for a double.
    pub fn encode(&self) -> String {
        match self {
            Self::Done {
                result,
                text,
                value,
                endpos,
            } => {
                let mut line = "200 result=".to_owned();
                // Writing into a String can't fail.
                let _ = match (text, result) {
                    (Some(text), _) => write!(line, "{text}"),
                    (None, Some(number)) => write!(line, "{number}"),
                    (None, None) => Ok(()),
                };
                if let Some(value) = value {
                    let _ = write!(line, " ({value})");
                }
                if let Some(endpos) = endpos {
                    let _ = write!(line, " endpos={endpos}");
                }
                line.push('\n');
                line
            }
            Self::Unknown => "510 Invalid or unknown command\n".to_owned(),
            Self::Dead => "511 Command Not Permitted on a dead channel\n".to_owned(),
            Self::Usage(text) => format!("520-{text}\n520 End of proper usage.\n"),
            Self::Other { code, text } => format!("{code} {text}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(text: &str) -> (Line, usize) {
        Line::decode(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn every_form() {
        let usage = "520-Invalid command syntax.  Proper usage follows:\nUsage: SET VARIABLE <variablename> <value>\n \
            \tSets a variable to the current channel.\n520 End of proper usage.\n";
        let done =
            |result: Option<i64>, text: Option<&str>, value: Option<&str>, endpos| Answer::Done {
                result,
                text: text.map(Into::into),
                value: value.map(Into::into),
                endpos,
            };
        let table = [
            ("200 result=0\n", done(Some(0), None, None, None)),
            ("200 result=0\r\n", done(Some(0), None, None, None)),
            ("200 result=1 (value)\n", done(Some(1), None, Some("value"), None)),
            ("200 result=1 ()\n", done(Some(1), None, Some(""), None)),
            ("200 result=1 (a (b) c)\n", done(Some(1), None, Some("a (b) c"), None)),
            ("200 result=1 (one\ntwo) x\nthree)\n", done(Some(1), None, Some("one\ntwo) x\nthree"), None)),
            ("200 result=-1 endpos=0\n", done(Some(-1), None, None, Some(0))),
            ("200 result=35 endpos=16000\n", done(Some(35), None, None, Some(16000))),
            ("200 result=0 (timeout) endpos=7\n", done(Some(0), None, Some("timeout"), Some(7))),
            ("200 result= (timeout)\n", done(None, Some(""), Some("timeout"), None)),
            ("200 result=007\n", done(Some(7), Some("007"), None, None)),
            ("200 result=12*#\n", done(None, Some("12*#"), None, None)),
            ("510 Invalid or unknown command\n", Answer::Unknown),
            ("511 Command Not Permitted on a dead channel or intercept routine\n", Answer::Dead),
            ("520 Invalid command syntax.  Proper usage not available.\n",
                Answer::Usage("Invalid command syntax.  Proper usage not available.".into())),
            (usage, Answer::Usage("Invalid command syntax.  Proper usage follows:\n\
                Usage: SET VARIABLE <variablename> <value>\n \tSets a variable to the current channel.".into())),
            ("404 Not here\n", Answer::Other { code: 404, text: "Not here".into() }),
            ("503\n", Answer::Other { code: 503, text: "".into() }),
        ];
        for (text, want) in table {
            assert_eq!(decode(text), (Line::Answer(want), text.len()), "{text:?}");
        }
        assert_eq!(decode("HANGUP\n200 result=0\n"), (Line::HangUp, 7));
        assert_eq!(decode("100 Trying...\n"), (Line::Progress, 14));
    }

    #[test]
    fn every_prefix_wants_more() {
        for text in ["200 result=1 (a\nb)\n", "520-x\ny\n520 End\n", "HANGUP\n"] {
            for end in 0..text.len() {
                assert_eq!(
                    Line::decode(&text.as_bytes()[..end]),
                    Ok(None),
                    "{text:?} {end}"
                );
            }
        }
    }

    #[test]
    fn noise_is_an_error() {
        for text in [
            "hello\n",
            "\n",
            "20\n",
            "2x0 result=0\n",
            "200x\n",
            "hangup\n",
            "000 x\n",
        ] {
            assert!(
                matches!(Line::decode(text.as_bytes()), Err(AnswerError::Form { .. })),
                "{text:?}"
            );
        }
        assert!(Line::decode(&vec![b'2'; MAX_ANSWER_LINE + 3]).is_err());
        let endless = format!("520-x\n{}", "y\n".repeat(MAX_ANSWER_LINES));
        assert_eq!(Line::decode(endless.as_bytes()), Err(AnswerError::TooLong));
        let open = format!("200 result=1 (\n{}", "y\n".repeat(MAX_ANSWER_LINES));
        assert_eq!(Line::decode(open.as_bytes()), Err(AnswerError::TooLong));
    }

    proptest! {
        #[test]
        fn answers_survive(result in any::<i64>(), value in prop::option::of("[^\\x00-\\x1f\\x7f]{0,30}"), endpos in prop::option::of(any::<i64>())) {
            let answer = Answer::Done { result: Some(result), text: None, value: value.map(Into::into), endpos };
            let bytes = answer.encode();
            prop_assert_eq!(decode(&bytes), (Line::Answer(answer), bytes.len()));
        }

        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Line::decode(&bytes);
        }

        #[test]
        fn near_answers_never_panic(text in r"(200|520|100|HAN)[ -]?(result=)?[0-9() =\n-]{0,40}") {
            let _ = Line::decode(text.as_bytes());
        }
    }
}
