//! Messages of vosk-server's WebSocket protocol, client's side.
//!
//! Source: alphacep/vosk-server, `websocket/asr_server.py` and `websocket-cpp/asr_server.cpp`. The client sends a config
//! (text, no reply), then binary messages of 16-bit little-endian mono samples, **each of which gets exactly one JSON
//! reply**: a partial, or a final where the server's endpointer fired. [`EOF`] and [`RESET`] are compared as strings by
//! the server, so their spaces matter; both get a final. The C++ server takes config and reset for audio: send it neither.

use serde_json::{Map, Value};

/// Ends the stream: one last final, then the server closes.
pub const EOF: &str = r#"{"eof" : 1}"#;
/// Ends the utterance: one final, then the stream goes on. The Python server only.
pub const RESET: &str = r#"{"reset" : 1}"#;

/// Longest reply that is read, bytes. A minute of words with their times is about 20,000.
pub const MAX_REPLY_BYTES: usize = 256 * 1024;
/// Most words of a final whose times are read.
pub const MAX_WORDS: usize = 2_000;
/// Longest phrase list that is sent, phrases.
pub const MAX_PHRASES: usize = 2_000;

/// What a recognizer is told before the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig<'a> {
    /// Samples a second of the audio that follows.
    pub sample_rate: u32,
    /// Whether finals carry words with their times.
    pub words: bool,
    /// The only phrases to recognize (models with a dynamic graph only); empty: free speech.
    pub phrases: &'a [String],
}

impl SessionConfig<'_> {
    /// The text message. Phrases beyond [`MAX_PHRASES`] are left out; `[unk]` is added so that other words aren't bent into one.
    pub fn encode(&self) -> String {
        let mut config = Map::new();
        config.insert("sample_rate".into(), self.sample_rate.into());
        config.insert("words".into(), self.words.into());
        if !self.phrases.is_empty() {
            let list = self.phrases.iter().take(MAX_PHRASES).cloned();
            let list = list.chain(["[unk]".to_owned()]).map(Value::String);
            config.insert("phrase_list".into(), list.collect());
        }
        let mut message = Map::new();
        message.insert("config".into(), Value::Object(config));
        Value::Object(message).to_string()
    }
}

/// What the server replies.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The text so far; may be empty.
    Partial(String),
    /// The utterance has ended.
    Final(FinalText),
}

/// A final reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinalText {
    /// The text; may be empty.
    pub text: String,
    /// Its words, where the server tells them.
    pub words: Vec<TimedWord>,
    /// The mean of its words' confidences, or that of the alternative.
    pub confidence: Option<f64>,
}

/// A word and its place, seconds from the first audio of the connection.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedWord {
    /// The word.
    pub word: String,
    /// Where it begins, seconds.
    pub start: f64,
    /// Where it ends, seconds.
    pub end: f64,
}

/// Why a reply was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoskError {
    /// Over the cap.
    #[error("a reply of {bytes} bytes, {MAX_REPLY_BYTES} are the most")]
    Long {
        /// How long it was.
        bytes: usize,
    },
    /// Not JSON.
    #[error("a reply that is no JSON ({reason}): {excerpt:?}")]
    NotJson {
        /// What the parser says.
        reason: String,
        /// Its beginning.
        excerpt: String,
    },
    /// JSON without any known field.
    #[error("a reply with none of \"partial\", \"text\", \"alternatives\": {excerpt:?}")]
    Unknown {
        /// Its beginning.
        excerpt: String,
    },
    /// A field of another type than the protocol's.
    #[error("a reply whose {field:?} is no {wanted}: {excerpt:?}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// The reply's beginning.
        excerpt: String,
    },
}

/// Reads one text message of the server. Unknown fields are skipped; words without sound times are left out.
pub fn decode_reply(message: &str) -> Result<Reply, VoskError> {
    if message.len() > MAX_REPLY_BYTES {
        return Err(VoskError::Long {
            bytes: message.len(),
        });
    }
    let value: Value = serde_json::from_str(message).map_err(|e| VoskError::NotJson {
        reason: e.to_string(),
        excerpt: excerpt(message),
    })?;
    let wrong = |field, wanted| VoskError::Field {
        field,
        wanted,
        excerpt: excerpt(message),
    };
    if let Some(alternatives) = value.get("alternatives") {
        let list = alternatives
            .as_array()
            .ok_or_else(|| wrong("alternatives", "list"))?;
        return match list.first() {
            None => Ok(Reply::Final(FinalText::default())),
            Some(best) => final_text(best)
                .map(Reply::Final)
                .ok_or_else(|| wrong("alternatives", "list of texts")),
        };
    }
    if let Some(text) = value.get("text") {
        return if text.is_string() {
            final_text(&value)
                .map(Reply::Final)
                .ok_or_else(|| wrong("text", "string"))
        } else {
            Err(wrong("text", "string"))
        };
    }
    match value.get("partial") {
        Some(Value::String(text)) => Ok(Reply::Partial(known_words(text))),
        Some(_) => Err(wrong("partial", "string")),
        None => Err(VoskError::Unknown {
            excerpt: excerpt(message),
        }),
    }
}

fn final_text(value: &Value) -> Option<FinalText> {
    let text = known_words(value.get("text")?.as_str()?);
    let listed = value
        .get("result")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let words: Vec<TimedWord> = listed
        .iter()
        .take(MAX_WORDS)
        .filter_map(timed_word)
        .collect();
    let known: Vec<f64> = listed
        .iter()
        .take(MAX_WORDS)
        .filter_map(|w| w.get("conf")?.as_f64())
        .collect();
    let confidence = match known.len() {
        0 => value.get("confidence").and_then(Value::as_f64),
        n => Some(known.iter().sum::<f64>() / n as f64),
    };
    Some(FinalText {
        text,
        words,
        confidence,
    })
}

fn timed_word(value: &Value) -> Option<TimedWord> {
    let word = value.get("word")?.as_str()?;
    let (start, end) = (value.get("start")?.as_f64()?, value.get("end")?.as_f64()?);
    // A day is beyond any call.
    let sound = start >= 0.0 && start <= end && end < 86_400.0 && word != UNKNOWN;
    sound.then(|| TimedWord {
        word: word.to_owned(),
        start,
        end,
    })
}

/// What grammars answer for words outside of them.
const UNKNOWN: &str = "[unk]";

fn known_words(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().filter(|w| *w != UNKNOWN).collect();
    words.join(" ")
}

fn excerpt(message: &str) -> String {
    message.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_as_the_server_reads_it() {
        let phrases = ["да".to_owned(), "не \"приеду\"".to_owned()];
        let mut config = SessionConfig {
            sample_rate: 8000,
            words: true,
            phrases: &[],
        };
        assert_eq!(
            config.encode(),
            r#"{"config":{"sample_rate":8000,"words":true}}"#
        );
        config.phrases = &phrases;
        assert_eq!(
            config.encode(),
            r#"{"config":{"sample_rate":8000,"words":true,"phrase_list":["да","не \"приеду\"","[unk]"]}}"#
        );
        assert_eq!((EOF, RESET), ("{\"eof\" : 1}", "{\"reset\" : 1}"));
    }

    fn last(text: &str, words: &[(&str, f64, f64)], confidence: Option<f64>) -> Reply {
        let words = words.iter().map(|(word, start, end)| TimedWord {
            word: (*word).to_owned(),
            start: *start,
            end: *end,
        });
        Reply::Final(FinalText {
            text: text.to_owned(),
            words: words.collect(),
            confidence,
        })
    }

    #[test]
    fn replies_of_every_form() {
        for (message, expect) in [
            (r#"{"partial" : ""}"#, Reply::Partial(String::new())),
            (
                "{\n  \"partial\" : \"да при\"\n}",
                Reply::Partial("да при".into()),
            ),
            (
                r#"{"partial":"да","partial_result":[{"conf":1,"start":0,"end":1,"word":"да"}]}"#,
                Reply::Partial("да".into()),
            ),
            (r#"{"partial":"[unk]"}"#, Reply::Partial(String::new())),
            (r#"{"text": ""}"#, last("", &[], None)),
            (
                r#"{"result":[{"conf":0.5,"end":1.02,"start":0.48,"word":"да"},{"conf":1.0,"end":2,"start":1.1,"word":"приеду"}],"text":"да приеду"}"#,
                last(
                    "да приеду",
                    &[("да", 0.48, 1.02), ("приеду", 1.1, 2.0)],
                    Some(0.75),
                ),
            ),
            (
                r#"{"text":"да","spk":[0.1,0.2],"spk_frames":120,"new":{"a":[1]}}"#,
                last("да", &[], None),
            ),
            (
                r#"{"alternatives":[{"confidence":211.5,"result":[{"end":1.0,"start":0.5,"word":"нет"}],"text":"нет"},{"confidence":1,"text":"лет"}]}"#,
                last("нет", &[("нет", 0.5, 1.0)], Some(211.5)),
            ),
            (r#"{"alternatives":[]}"#, last("", &[], None)),
            (
                r#"{"text":"да","result":[{"word":"да","start":-1,"end":2},{"word":"да","start":3,"end":2},{"start":1},{"word":"да","start":"x","end":2},7]}"#,
                last("да", &[], None),
            ),
            (
                r#"{"text":"да [unk] нет","result":"none"}"#,
                last("да нет", &[], None),
            ),
        ] {
            assert_eq!(decode_reply(message), Ok(expect), "{message}");
        }
    }

    #[test]
    fn what_is_no_reply_is_named() {
        for (message, part) in [
            ("", "no JSON"),
            ("hello", "no JSON"),
            (r#"{"partial":"#, "no JSON"),
            ("[]", "none of"),
            ("7", "none of"),
            (r#"{"error":"model"}"#, "none of"),
            (r#"{"partial":7}"#, "\"partial\" is no string"),
            (r#"{"text":null}"#, "\"text\" is no string"),
            (r#"{"alternatives":{}}"#, "\"alternatives\" is no list"),
            (r#"{"alternatives":[{"confidence":1}]}"#, "list of texts"),
        ] {
            let told = decode_reply(message).unwrap_err().to_string();
            assert!(told.contains(part), "{message}: {told}");
        }
        let long = format!(r#"{{"text":"{}"}}"#, "а".repeat(MAX_REPLY_BYTES));
        assert!(matches!(decode_reply(&long), Err(VoskError::Long { .. })));
        let deep = "[".repeat(100_000);
        assert!(matches!(
            decode_reply(&deep),
            Err(VoskError::NotJson { .. })
        ));
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,200}") {
            let _ = decode_reply(&text);
            let wrapped = serde_json::json!({ "partial": text.clone() }).to_string();
            proptest::prop_assert_eq!(decode_reply(&wrapped), Ok(Reply::Partial(known_words(&text))));
        }
    }
}
