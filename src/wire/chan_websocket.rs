//! Asterisk's own WebSocket channel: control messages as text, audio as binary messages. Asterisk dials us.
//!
//! Events come and commands go as plain text, `NAME key:value key:value`, or as JSON where chan_websocket.conf says
//! `control_message_format = json` (20.18, 22.8, 23.2 on); the first event, MEDIA_START, tells which.
//! Source: Asterisk's `channels/chan_websocket.c`; plain text seen on 22.10.1.

use serde_json::Value;

use crate::ident::Token;

/// The subprotocol that the channel asks for.
pub const SUBPROTOCOL: &str = "media";
/// Longest command that Asterisk takes; longer ones it only logs.
pub const MAX_COMMAND: usize = 128;
/// Longest message of audio that Asterisk takes.
pub const MAX_AUDIO: usize = 65_500;
/// Longest event that we take: JSON's MEDIA_START holds channel variables.
pub const MAX_EVENT: usize = 16_384;
/// Frames of Asterisk's queue; audio beyond is dropped by it.
pub const QUEUE_FRAMES: u64 = 1_000;
/// Frames at which it sends MEDIA_XOFF.
pub const XOFF_FRAMES: u64 = 900;

const PREFIX: &str = "/media";

/// The path of our server with the token in it: `/media/<token>`.
pub fn path(token: &Token) -> String {
    format!("{PREFIX}/{}", token.as_str())
}

/// The parameter by which a dial string's `v(...)` tells the token: `token=<token>`.
pub fn parameter(token: &Token) -> String {
    format!("token={}", token.as_str())
}

/// Whose audio a request brings: `/media/<token>` or `/media?token=<token>`.
pub fn token_in(path: &str, query: Option<&str>) -> Option<Token> {
    let rest = path.strip_prefix(PREFIX)?;
    let named = rest.strip_prefix('/').unwrap_or(rest).trim_end_matches('/');
    if rest.is_empty() || rest == "/" {
        let mut pairs = query?.split('&');
        return Token::parse(pairs.find_map(|pair| pair.strip_prefix("token="))?).ok();
    }
    rest.starts_with('/')
        .then(|| Token::parse(named).ok())
        .flatten()
}

/// How control messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// `NAME key:value`.
    #[default]
    Plain,
    /// `{"event": "NAME", ...}` and `{"command": "NAME", ...}`.
    Json,
}

/// What Asterisk tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first: audio may be sent.
    MediaStart(MediaStart),
    /// A digit was keyed.
    DtmfEnd {
        /// The digit.
        digit: char,
    },
    /// The queue is nearly full: send no more.
    Xoff,
    /// There is room again.
    Xon,
    /// All audio before STOP_MEDIA_BUFFERING has been taken from the queue.
    BufferingCompleted {
        /// The id of that command.
        id: String,
    },
    /// All audio before MARK_MEDIA has been taken from the queue.
    MarkProcessed {
        /// The id of that command.
        id: String,
    },
    /// Nothing is left in the queue (asked for by REPORT_QUEUE_DRAINED).
    QueueDrained,
    /// The answer to GET_STATUS.
    Status {
        /// Frames in the queue.
        queue_length: u64,
        /// PAUSE_MEDIA holds.
        paused: bool,
    },
    /// A command was refused.
    Error {
        /// Why.
        text: String,
    },
    /// One that we don't know: a later Asterisk's.
    Other {
        /// Its name.
        name: String,
    },
}

/// What MEDIA_START tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaStart {
    /// The connection's id.
    pub connection_id: String,
    /// The WebSocket channel's name.
    pub channel: String,
    /// Its Uniqueid.
    pub channel_id: String,
    /// The codec: `slin`, `alaw`, `ulaw`, `slin16`.
    pub format: String,
    /// Bytes of a frame, both ways.
    pub frame_bytes: usize,
    /// Milliseconds of a frame.
    pub ptime_ms: u64,
}

/// What we ask of Asterisk. Ids are numbers, so no text can end a command early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Answer the channel (with `n` in the dial string it isn't answered by itself).
    Answer,
    /// Hang the channel up.
    Hangup,
    /// Audio that follows is cut into frames wherever messages end.
    StartBuffering,
    /// The end of it; answered by [`Event::BufferingCompleted`] when it was played.
    StopBuffering(u64),
    /// Drop what is queued. No completion comes for it.
    Flush,
    /// Play silence and keep the queue.
    Pause,
    /// Go on.
    Continue,
    /// Answered by [`Event::MarkProcessed`] when all before it was played.
    Mark(u64),
    /// Answered by [`Event::Status`].
    Status,
    /// Answered by [`Event::QueueDrained`].
    ReportDrained,
}

/// Why a text message is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Over the cap.
    #[error("a control message of {bytes} bytes, at most {MAX_EVENT} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Neither form.
    #[error("not a control message of chan_websocket: {text:?}")]
    Form {
        /// Its beginning.
        text: String,
    },
    /// An event without what it has to tell.
    #[error("{event} has no usable {key:?}")]
    Key {
        /// The event.
        event: String,
        /// What it lacks.
        key: &'static str,
    },
}

/// Reads an event, in whichever form it is.
pub fn decode(text: &str) -> Result<(Form, Event), EventError> {
    if text.len() > MAX_EVENT {
        return Err(EventError::TooLong { bytes: text.len() });
    }
    let text = text.trim();
    let bad = || EventError::Form {
        text: text.chars().take(40).collect(),
    };
    if text.starts_with('{') {
        let json: Value = serde_json::from_str(text).map_err(|_| bad())?;
        let name = json["event"].as_str().ok_or_else(bad)?;
        let field = |key: &str| match &json[key] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        };
        return Ok((Form::Json, event(name, "", field)?));
    }
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        return Err(bad());
    }
    let field = |key: &str| {
        // The error's text is the last field and holds spaces; no other does.
        if key == "error_text" {
            return rest
                .split_once("error_text:")
                .map(|(_, text)| text.to_owned());
        }
        let mut pairs = rest.split(' ').filter_map(|pair| pair.split_once(':'));
        pairs.find_map(|(k, v)| (k == key).then(|| v.to_owned()))
    };
    Ok((Form::Plain, event(name, rest, field)?))
}

fn event(
    name: &str,
    rest: &str,
    field: impl Fn(&str) -> Option<String>,
) -> Result<Event, EventError> {
    let lacks = |key| EventError::Key {
        event: name.to_owned(),
        key,
    };
    let number = |key: &'static str| {
        let text = field(key).ok_or_else(|| lacks(key))?;
        text.parse::<u64>().map_err(|_| lacks(key))
    };
    // Plain text names no key for the id of a command.
    let id = || field("correlation_id").unwrap_or_else(|| rest.trim().to_owned());
    Ok(match name {
        "MEDIA_START" => Event::MediaStart(MediaStart {
            connection_id: field("connection_id").unwrap_or_default(),
            channel: field("channel").unwrap_or_default(),
            channel_id: field("channel_id").unwrap_or_default(),
            format: field("format").ok_or_else(|| lacks("format"))?,
            frame_bytes: number("optimal_frame_size")? as usize,
            ptime_ms: number("ptime").unwrap_or(20),
        }),
        "DTMF_END" => Event::DtmfEnd {
            digit: field("digit")
                .and_then(|text| text.chars().next())
                .ok_or_else(|| lacks("digit"))?,
        },
        "MEDIA_XOFF" => Event::Xoff,
        "MEDIA_XON" => Event::Xon,
        "MEDIA_BUFFERING_COMPLETED" => Event::BufferingCompleted { id: id() },
        "MEDIA_MARK_PROCESSED" => Event::MarkProcessed { id: id() },
        "QUEUE_DRAINED" => Event::QueueDrained,
        "STATUS" => Event::Status {
            queue_length: number("queue_length")?,
            paused: field("media_paused").as_deref() == Some("true"),
        },
        "ERROR" => Event::Error {
            text: field("error_text").unwrap_or_else(|| rest.to_owned()),
        },
        other => Event::Other {
            name: other.to_owned(),
        },
    })
}

impl Command {
    /// The text message, at most [`MAX_COMMAND`] bytes.
    pub fn encode(self, form: Form) -> String {
        let (name, id) = match self {
            Self::Answer => ("ANSWER", None),
            Self::Hangup => ("HANGUP", None),
            Self::StartBuffering => ("START_MEDIA_BUFFERING", None),
            Self::StopBuffering(id) => ("STOP_MEDIA_BUFFERING", Some(id)),
            Self::Flush => ("FLUSH_MEDIA", None),
            Self::Pause => ("PAUSE_MEDIA", None),
            Self::Continue => ("CONTINUE_MEDIA", None),
            Self::Mark(id) => ("MARK_MEDIA", Some(id)),
            Self::Status => ("GET_STATUS", None),
            Self::ReportDrained => ("REPORT_QUEUE_DRAINED", None),
        };
        match (form, id) {
            (Form::Plain, None) => name.to_owned(),
            (Form::Plain, Some(id)) => format!("{name} {id}"),
            (Form::Json, None) => format!(r#"{{"command":"{name}"}}"#),
            (Form::Json, Some(id)) => format!(r#"{{"command":"{name}","correlation_id":"{id}"}}"#),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_mean_the_same_in_both_forms() {
        let start = MediaStart {
            connection_id: "govorun".to_owned(),
            channel: "WebSocket/govorun/0x7f".to_owned(),
            channel_id: "1763.4".to_owned(),
            format: "slin".to_owned(),
            frame_bytes: 320,
            ptime_ms: 20,
        };
        let cases = [
            (
                "MEDIA_START connection_id:govorun channel:WebSocket/govorun/0x7f channel_id:1763.4 format:slin optimal_frame_size:320 ptime:20",
                r#"{"event":"MEDIA_START","connection_id":"govorun","channel":"WebSocket/govorun/0x7f","channel_id":"1763.4","format":"slin","optimal_frame_size":320,"ptime":20,"channel_variables":{"A":"b"}}"#,
                Event::MediaStart(start),
            ),
            (
                "DTMF_END digit:# channel_id:1.1",
                r##"{"event":"DTMF_END","channel_id":"1.1","digit":"#"}"##,
                Event::DtmfEnd { digit: '#' },
            ),
            (
                "MEDIA_XOFF",
                r#"{"event":"MEDIA_XOFF","channel_id":"1"}"#,
                Event::Xoff,
            ),
            ("MEDIA_XON", r#"{"event":"MEDIA_XON"}"#, Event::Xon),
            (
                "QUEUE_DRAINED",
                r#"{"event":"QUEUE_DRAINED"}"#,
                Event::QueueDrained,
            ),
            (
                "MEDIA_BUFFERING_COMPLETED 17",
                r#"{"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"1","correlation_id":"17"}"#,
                Event::BufferingCompleted {
                    id: "17".to_owned(),
                },
            ),
            (
                "MEDIA_MARK_PROCESSED 9",
                r#"{"event":"MEDIA_MARK_PROCESSED","correlation_id":"9"}"#,
                Event::MarkProcessed { id: "9".to_owned() },
            ),
            (
                "STATUS channel_id:1 queue_length:431 xon_level:800 xoff_level:900 queue_full:false bulk_media:true media_paused:true",
                r#"{"event":"STATUS","queue_length":431,"media_paused":true}"#,
                Event::Status {
                    queue_length: 431,
                    paused: true,
                },
            ),
            (
                "ERROR channel_id:1 error_text:FLUSH_MEDIA not supported in passthrough mode",
                r#"{"event":"ERROR","error_text":"FLUSH_MEDIA not supported in passthrough mode"}"#,
                Event::Error {
                    text: "FLUSH_MEDIA not supported in passthrough mode".to_owned(),
                },
            ),
            (
                "NEW_THING a:b",
                r#"{"event":"NEW_THING"}"#,
                Event::Other {
                    name: "NEW_THING".to_owned(),
                },
            ),
        ];
        for (plain, json, want) in cases {
            assert_eq!(decode(plain), Ok((Form::Plain, want.clone())));
            assert_eq!(decode(json), Ok((Form::Json, want)));
        }
    }

    #[test]
    fn faulty_events_are_refused_with_what_they_lack() {
        for (text, want) in [
            ("", "not a control message"),
            ("hello there", "not a control message"),
            ("{\"a\":1}", "not a control message"),
            ("{\"event\":", "not a control message"),
            (
                "MEDIA_START format:slin",
                "no usable \"optimal_frame_size\"",
            ),
            ("STATUS queue_length:-1", "no usable \"queue_length\""),
            ("DTMF_END", "no usable \"digit\""),
        ] {
            let error = decode(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
        assert!(matches!(
            decode(&"A".repeat(20_000)),
            Err(EventError::TooLong { .. })
        ));
    }

    #[test]
    fn commands_fit_and_are_written_in_the_form_asked() {
        use Command::*;
        for command in [
            Answer,
            Hangup,
            StartBuffering,
            StopBuffering(u64::MAX),
            Flush,
            Pause,
            Continue,
            Mark(u64::MAX),
            Status,
            ReportDrained,
        ] {
            assert!(command.encode(Form::Plain).len() <= MAX_COMMAND);
            let json = command.encode(Form::Json);
            assert!(json.len() <= MAX_COMMAND, "{json}");
            let value: Value = serde_json::from_str(&json).unwrap();
            let plain = command.encode(Form::Plain);
            assert!(plain.starts_with(value["command"].as_str().unwrap()));
        }
        assert_eq!(
            StopBuffering(7).encode(Form::Plain),
            "STOP_MEDIA_BUFFERING 7"
        );
        assert_eq!(
            StopBuffering(7).encode(Form::Json),
            r#"{"command":"STOP_MEDIA_BUFFERING","correlation_id":"7"}"#
        );
    }

    #[test]
    fn the_token_is_found_in_path_or_query() {
        let token = Token::fresh();
        let t = token.as_str();
        assert_eq!(token_in(&path(&token), None), Some(token.clone()));
        assert_eq!(
            token_in("/media", Some(&format!("a=b&{}", parameter(&token)))),
            Some(token.clone())
        );
        assert_eq!(
            token_in("/media/", Some(&format!("token={t}"))),
            Some(token.clone())
        );
        for (path, query) in [
            ("/media", None),
            ("/media/x", Some(format!("token={t}"))),
            ("/mediated", Some(format!("token={t}"))),
            ("/tap", Some(format!("token={t}"))),
            ("/media", Some(format!("xtoken={t}"))),
        ] {
            assert_eq!(token_in(path, query.as_deref()), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,200}") {
            let _ = decode(&text);
        }
    }
}
