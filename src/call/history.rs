//! What happened in a call, as it is kept, shown to 1C and replayed.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::fields::{Fields, push_json};
use crate::wire::ami;

/// One line of a call's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// When, by the wall clock.
    pub at: Timestamp,
    /// When, in milliseconds of the call's own clock; absent outside an attempt.
    pub at_ms: Option<u64>,
    /// What: one of [`kind`]'s words.
    pub kind: &'static str,
    /// Its particulars.
    pub data: Data,
}

/// The particulars of a line: a flat JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// As it is.
    Fields(Fields),
    /// An event of Asterisk's, whole: most lines are these, so they become text only where they are written.
    Asterisk(Arc<ami::Event>),
}

impl From<Fields> for Data {
    fn from(fields: Fields) -> Self {
        Self::Fields(fields)
    }
}

impl From<Arc<ami::Event>> for Data {
    fn from(event: Arc<ami::Event>) -> Self {
        Self::Asterisk(event)
    }
}

impl Data {
    /// The JSON text. Of an event: its name and its values that aren't empty; a key that comes again is numbered
    /// (`ChanVariable`, `ChanVariable_2`), because an object has each key once.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Fields(fields) => fields.as_str().into(),
            Self::Asterisk(event) => event_text(event).into(),
        }
    }
}

fn event_text(event: &ami::Event) -> String {
    let packet = event.packet();
    let mut text = String::with_capacity(512);
    for (at, (key, value)) in packet.pairs().enumerate() {
        if value.is_empty() || key == "Privilege" {
            continue;
        }
        let before = packet.pairs().take(at);
        text.push(if text.is_empty() { '{' } else { ',' });
        match before.filter(|(other, _)| *other == key).count() {
            0 => push_string(&mut text, key),
            again => push_string(&mut text, &format!("{key}_{}", again + 1)),
        }
        text.push(':');
        push_string(&mut text, value);
    }
    text.push_str(if text.is_empty() { "{}" } else { "}" });
    text
}

/// Most of what Asterisk says needs no escapes.
fn push_string(text: &mut String, value: &str) {
    if value.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        push_json(text, value);
    }
}

/// The closed list of what history may hold; the same words in SQL and JSON.
pub mod kind {
    /// The order came in, or was repeated, cancelled, expired.
    pub const ORDER: &str = "order";
    /// An attempt began or ended.
    pub const ATTEMPT: &str = "attempt";
    /// An event of Asterisk's, as it said it.
    pub const ASTERISK: &str = "asterisk";
    /// The medium that hears the caller: which, and what became of it.
    pub const MEDIA: &str = "media";
    /// Who answered (a person, which machine), by what it was told, and after how long; tones.
    pub const ANSWERER: &str = "answerer";
    /// The recognizer: which, notes, failures.
    pub const RECOGNIZER: &str = "recognizer";
    /// The dialog began (with its version) or ended (with its outcome).
    pub const DIALOG: &str = "dialog";
    /// `stage(name)`.
    pub const STAGE: &str = "stage";
    /// `set(key, value)`.
    pub const SET: &str = "set";
    /// `do_not_call(reason)`.
    pub const DO_NOT_CALL: &str = "do_not_call";
    /// `log(text)`.
    pub const LOG: &str = "log";
    /// `event(name, data)`.
    pub const EVENT: &str = "event";
    /// A prompt began, paused, went on, ended or was cut.
    pub const PROMPT: &str = "prompt";
    /// A listening window opened or closed, with its one reason.
    pub const WINDOW: &str = "window";
    /// An utterance: onset, end, text, and which window took it, if any.
    pub const UTTERANCE: &str = "utterance";
    /// A key was pressed.
    pub const DIGIT: &str = "digit";
    /// A recording began or ended.
    pub const RECORDING: &str = "recording";
    /// A transfer to a person, and what came of it.
    pub const TRANSFER: &str = "transfer";
    /// A server was asked in mid-call, and what it answered.
    pub const WEB: &str = "web";
    /// The end was told to 1C by a callback, or couldn't be.
    pub const CALLBACK: &str = "callback";
    /// A fault: a script's, with file and line, or the runtime's.
    pub const FAULT: &str = "fault";
    /// Times of a turn on one clock (rule 9 of "Hearing").
    pub const TURN: &str = "turn";
    /// The person hung up, or we did.
    pub const HANG_UP: &str = "hang_up";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ami::{Event, Packet};

    /// Tests say lines as JSON.
    impl From<serde_json::Value> for Data {
        fn from(value: serde_json::Value) -> Self {
            let object = value.as_object().unwrap().clone();
            Self::Fields(object.into_iter().collect())
        }
    }

    #[test]
    fn an_event_is_an_object_that_has_each_key_once() {
        let pairs = [
            ("Event", "VarSet"),
            ("Privilege", "dialplan,all"),
            ("Channel", "Local/1@phones"),
            ("Empty", ""),
            ("ChanVariable", "a=\"да\""),
            ("ChanVariable", "b=\\"),
        ];
        let event = Event::from_packet(Packet::from_pairs(pairs).unwrap()).unwrap();
        let data = Data::from(Arc::new(event));
        let value: serde_json::Value = serde_json::from_str(&data.text()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"Event": "VarSet", "Channel": "Local/1@phones", "ChanVariable": "a=\"да\"", "ChanVariable_2": "b=\\"})
        );
    }
}
