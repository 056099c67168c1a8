//! The block of `agi_*: value` lines with which Asterisk opens a FastAGI connection.

use std::fmt;

use crate::wire::line;

/// Longest line, bytes. Asterisk's own buffer for a line is 2,048.
pub const MAX_ENVIRONMENT_LINE: usize = 4096;
/// Most lines. Asterisk 16 to 22 send some 22 and one for each argument, of which there are at most 127.
pub const MAX_ENVIRONMENT_LINES: usize = 160;
/// Most bytes in all.
pub const MAX_ENVIRONMENT: usize = 64 * 1024;

/// What Asterisk told about the call: pairs in the order in which they came, names without `agi_`.
#[derive(Clone, Default)]
pub struct Environment {
    /// The block's text, kept whole: one allocation for a call's some twenty lines.
    text: Box<str>,
    /// Where a name begins and ends and its value begins and ends in it.
    lines: Vec<[u32; 4]>,
    script: NetworkScript,
}

impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Eq for Environment {}

/// Why a block was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A line over its cap.
    #[error("environment: {0}")]
    Line(#[from] line::LineTooLong),
    /// Too many lines.
    #[error("environment: over {MAX_ENVIRONMENT_LINES} lines")]
    Lines,
    /// Too many bytes.
    #[error("environment: over {MAX_ENVIRONMENT} bytes")]
    Bytes,
    /// A line that isn't `agi_name: value`: the peer is no Asterisk.
    #[error(
        "environment: line {at} is {start:?}, not \"agi_name: value\"; is the peer an Asterisk?"
    )]
    Form {
        /// Which line, from 1.
        at: usize,
        /// How it begins.
        start: String,
    },
    /// Text that can't be sent (encoding only).
    #[error("environment: {name} {problem}")]
    Value {
        /// The name.
        name: String,
        /// What is wrong.
        problem: line::ControlCharacter,
    },
}

impl Environment {
    /// An environment of these pairs (names without `agi_`), for a double of Asterisk and for tests.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        let mut lines = Vec::new();
        for (name, value) in pairs {
            let start = text.len();
            text.push_str(name);
            text.push_str(value);
            lines.push([start, start + name.len(), start + name.len(), text.len()].map(offset));
        }
        Self::with_script(text.into(), lines)
    }

    fn with_script(text: Box<str>, lines: Vec<[u32; 4]>) -> Self {
        let mut env = Self {
            text,
            lines,
            script: NetworkScript::default(),
        };
        env.script = NetworkScript::parse(env.value("network_script").unwrap_or_default());
        env
    }

    /// Reads a whole block. `Ok(None)`: more bytes are needed, nothing is consumed. `Ok(Some((block, bytes)))`.
    ///
    /// Lines that have come are checked at once, so that a stranger is found at its first line. Bytes that are no
    /// UTF-8 (a caller's name in another encoding) become replacement characters.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, EnvironmentError> {
        let (mut at, mut count) = (0, 0);
        let end = loop {
            let Some((raw, taken)) = line::take(&bytes[at..], MAX_ENVIRONMENT_LINE)? else {
                return if bytes.len() >= MAX_ENVIRONMENT {
                    Err(EnvironmentError::Bytes)
                } else {
                    Ok(None)
                };
            };
            if raw.is_empty() && count > 0 {
                break at;
            }
            let named = raw
                .strip_prefix(b"agi_")
                .is_some_and(|rest| rest.iter().position(|b| *b == b':').unwrap_or(0) > 0);
            if !named {
                return Err(EnvironmentError::Form {
                    at: count + 1,
                    start: String::from_utf8_lossy(raw).chars().take(40).collect(),
                });
            }
            at += taken;
            count += 1;
            if count > MAX_ENVIRONMENT_LINES {
                return Err(EnvironmentError::Lines);
            }
            if at > MAX_ENVIRONMENT {
                return Err(EnvironmentError::Bytes);
            }
        };
        let used = end + if bytes[end] == b'\r' { 2 } else { 1 };
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = Vec::with_capacity(count);
        let mut start = 0;
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end_matches('\n').trim_end_matches('\r');
            if let Some(colon) = line.find(':') {
                // Asterisk writes `agi_accountcode:: ` where that is empty.
                let rest = &line[colon + 1..];
                let rest = rest.strip_prefix(':').unwrap_or(rest);
                let value = line.len() - rest.strip_prefix(' ').unwrap_or(rest).len();
                lines.push(
                    [
                        start + "agi_".len(),
                        start + colon,
                        start + value,
                        start + line.len(),
                    ]
                    .map(offset),
                );
            }
            start += whole.len();
        }
        Ok(Some((Self::with_script(text.into(), lines), used)))
    }

    /// The block's bytes as Asterisk sends them.
    pub fn encode(&self) -> Result<Vec<u8>, EnvironmentError> {
        let mut out = Vec::with_capacity(self.text.len() + 8 * self.lines.len());
        for (name, value) in self.pairs() {
            for text in [name, value] {
                line::check(text).map_err(|problem| EnvironmentError::Value {
                    name: name.to_string(),
                    problem,
                })?;
            }
            out.extend_from_slice(b"agi_");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
        out.push(b'\n');
        Ok(out)
    }

    /// A value by its name without `agi_`. Asterisk's `unknown` is given as it is; see [`Self::caller_id`].
    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// All pairs in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|line| {
            let [name, name_end, value, value_end] = line.map(|at| at as usize);
            (&self.text[name..name_end], &self.text[value..value_end])
        })
    }

    /// The channel's name, such as `PJSIP/trunk-0000001a`. Empty if it wasn't sent.
    pub fn channel(&self) -> &str {
        self.value("channel").unwrap_or_default()
    }

    /// The channel's Uniqueid. Empty if it wasn't sent.
    pub fn unique_id(&self) -> &str {
        self.value("uniqueid").unwrap_or_default()
    }

    /// The caller's number, if Asterisk knows one.
    pub fn caller_id(&self) -> Option<&str> {
        self.known("callerid")
    }

    /// The caller's name, if Asterisk knows one.
    pub fn caller_name(&self) -> Option<&str> {
        self.known("calleridname")
    }

    /// The number that was dialed.
    pub fn dialed(&self) -> Option<&str> {
        self.known("dnid").or_else(|| self.known("extension"))
    }

    /// `agi_arg_N`, from 1.
    pub fn arg(&self, number: usize) -> Option<&str> {
        self.value(&format!("arg_{number}"))
    }

    /// What stood behind `agi://host:port/`: path and query.
    pub fn script(&self) -> &NetworkScript {
        &self.script
    }

    fn known(&self, name: &str) -> Option<&str> {
        self.value(name)
            .filter(|value| !value.is_empty() && *value != "unknown")
    }
}

/// Numbers and names of people stay out of logs: channel, id and path only.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("channel", &self.channel())
            .field("unique_id", &self.unique_id())
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}

/// `agi_network_script`: `out/1f2e?call=42` is the path segments `out`, `1f2e` and the query pair `call` = `42`.
///
/// Percent-decoded after splitting, so an encoded slash stays within its segment. A `+` in the query is a space. What
/// is no valid escape stays as it is; bytes that are no UTF-8 become replacement characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkScript {
    /// The path's segments; none for an empty path. Empty segments are left out.
    pub path: Vec<String>,
    /// The query's pairs in order; a word without `=` has an empty value.
    pub query: Vec<(String, String)>,
}

impl NetworkScript {
    /// Splits and decodes.
    pub fn parse(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        Self {
            path: path
                .split('/')
                .filter(|segment| !segment.is_empty())
                .map(|segment| percent_decode(segment, false))
                .collect(),
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (percent_decode(name, true), percent_decode(value, true))
                })
                .collect(),
        }
    }

    /// The first value of that name in the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Blocks are capped far below 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn percent_decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| Some(16 * hex(*bytes.get(at + 1)?)? + hex(*bytes.get(at + 2)?)?))
            .flatten();
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(match bytes[at] {
                    b'+' if plus_is_space => b' ',
                    byte => byte,
                });
                at += 1;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Asterisk 16.28 sends.
    const REAL: &str = "agi_network: yes\nagi_network_script: out/0011?call=42&name=%D0%B4%D0%B0\n\
        agi_request: agi://127.0.0.1:4573/out/0011?call=42&name=%D0%B4%D0%B0\nagi_channel: Local/8912@phones-00000001;1\n\
        agi_language: en\nagi_type: Local\nagi_uniqueid: govorun-aabb\nagi_version: 16.28.0~dfsg-0+deb11u4\n\
        agi_callerid: unknown\nagi_calleridname: unknown\nagi_callingpres: 67\nagi_callingani2: 0\nagi_callington: 0\n\
        agi_callingtns: 0\nagi_dnid: unknown\nagi_rdnis: unknown\nagi_context: default\nagi_extension: 74951234567\n\
        agi_priority: 1\nagi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 140234\nagi_arg_1: confirm\nagi_arg_2: a: b\n\n";

    #[test]
    fn a_real_block() {
        let (env, used) = Environment::decode(format!("{REAL}200 result=0\n").as_bytes())
            .unwrap()
            .unwrap();
        assert_eq!(used, REAL.len());
        assert_eq!(env.channel(), "Local/8912@phones-00000001;1");
        assert_eq!(env.unique_id(), "govorun-aabb");
        assert_eq!(env.caller_id(), None);
        assert_eq!(env.dialed(), Some("74951234567"));
        assert_eq!(env.value("accountcode"), Some(""));
        assert_eq!(
            (env.arg(1), env.arg(2), env.arg(3)),
            (Some("confirm"), Some("a: b"), None)
        );
        assert_eq!(env.script().path, ["out", "0011"]);
        assert_eq!(env.script().query("call"), Some("42"));
        assert_eq!(env.script().query("name"), Some("да"));
        assert_eq!(env.encode().unwrap(), REAL.as_bytes());
        assert!(!format!("{env:?}").contains("74951234567"));
    }

    #[test]
    fn every_prefix_of_a_block_wants_more() {
        for end in 0..REAL.len() {
            assert_eq!(
                Environment::decode(&REAL.as_bytes()[..end]),
                Ok(None),
                "{end}"
            );
        }
    }

    #[test]
    fn crlf_and_other_encodings_are_read() {
        let (env, _) = Environment::decode(b"agi_channel: X\r\nagi_calleridname: \xcf\xf0\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(env.channel(), "X");
        let (quirk, _) = Environment::decode(b"agi_accountcode:: \nagi_dnid: :1\n\n")
            .unwrap()
            .unwrap();
        assert_eq!(quirk.value("accountcode"), Some(""));
        assert_eq!(quirk.dialed(), Some(":1"));
        assert_eq!(env.caller_name(), Some("\u{fffd}\u{fffd}"));
    }

    #[test]
    fn strangers_and_floods_are_refused() {
        let many = "agi_x: y\n".repeat(MAX_ENVIRONMENT_LINES + 1);
        let long = format!("agi_x: {}\n", "y".repeat(MAX_ENVIRONMENT_LINE));
        let wide = format!("agi_x: {}\n", "y".repeat(4000)).repeat(17);
        for (bytes, part) in [
            ("GET / HTTP/1.1\r\n", "line 1 is \"GET / HTTP/1.1\""),
            ("\n", "line 1"),
            ("agi_\n", "line 1"),
            ("agi_: x\n", "line 1"),
            ("agi_a: b\nfoo: bar\n", "line 2"),
            (many.as_str(), "over 160 lines"),
            (long.as_str(), "over 4096 bytes"),
            (wide.as_str(), "over 65536 bytes"),
        ] {
            let error = Environment::decode(bytes.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn network_scripts() {
        let check = |text: &str, path: &[&str], query: &[(&str, &str)]| {
            let script = NetworkScript::parse(text);
            assert_eq!(script.path, path, "{text}");
            let found: Vec<_> = script.query.iter().map(|(k, v)| (&**k, &**v)).collect();
            assert_eq!(found, query, "{text}");
        };
        check("", &[], &[]);
        check("confirm", &["confirm"], &[]);
        check("/a//b/?", &["a", "b"], &[]);
        check("a%2Fb/%d0%b4", &["a/b", "д"], &[]);
        check(
            "a?x=1&y&z=a=b&&x=2",
            &["a"],
            &[("x", "1"), ("y", ""), ("z", "a=b"), ("x", "2")],
        );
        check("a+b?c+d=e%2Bf", &["a+b"], &[("c d", "e+f")]);
        check("%?%zz=%4", &["%"], &[("%zz", "%4")]);
        check("%ff", &["\u{fffd}"], &[]);
    }

    #[test]
    fn a_double_cant_send_two_lines_as_one() {
        let env = Environment::from_pairs([("channel", "X\nagi_y: z")]);
        assert!(env.encode().unwrap_err().to_string().contains("channel"));
    }

    proptest! {
        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Environment::decode(&bytes);
            NetworkScript::parse(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn blocks_survive(pairs in prop::collection::vec(("[a-z_]{1,12}", "[^\\x00-\\x1f\\x7f ]?[^\\x00-\\x1f\\x7f]{0,30}"), 1..20)) {
            let env = Environment::from_pairs(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            let bytes = env.encode().unwrap();
            prop_assert_eq!(Environment::decode(&bytes).unwrap(), Some((env, bytes.len())));
        }
    }
}
