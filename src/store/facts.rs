//! What an attempt's history tells to reports: read off its lines, no more than they say.

use serde_json::Value;

use crate::call::history::kind;
use crate::call::timing::STEPS;

/// Longest text that is told apart, characters.
const MAX_TEXT: usize = 200;
/// Most stages of one attempt, and most texts that nothing matched: a dialog that loops fills no report.
const MAX_EACH: usize = 200;

/// What nothing matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unmatched {
    /// In which stage.
    pub(super) stage: String,
    /// What was asked: the last prompt before it.
    pub(super) question: String,
    /// What was said: lower case, no punctuation.
    pub(super) text: String,
}

/// The facts of one attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// Stages in the order in which they were first reached.
    pub(super) stages: Vec<String>,
    /// The stage that the talk ended in.
    pub(super) last: Option<String>,
    /// Why windows closed.
    pub(super) windows: Vec<String>,
    /// What was none of the expected answers.
    pub(super) unmatched: Vec<Unmatched>,
    /// Steps of turns, milliseconds.
    pub(super) steps: Vec<(&'static str, u64)>,
    /// Milliseconds of audio that recognizers were sent.
    pub(super) sent: Vec<(String, u64)>,
    question: String,
    texts: Vec<(u64, String)>,
}

/// The kinds that [`Facts::line`] reads.
pub(super) const KINDS: [&str; 6] = [
    "stage",
    "prompt",
    "utterance",
    "window",
    "turn",
    "recognizer",
];

impl Facts {
    /// Takes in the next line.
    pub(super) fn line(&mut self, kind: &str, data: &Value) {
        let word = |key: &str| data[key].as_str().unwrap_or_default();
        match kind {
            kind::STAGE => {
                let name = word("name").to_owned();
                if !self.stages.contains(&name) && self.stages.len() < MAX_EACH {
                    self.stages.push(name.clone());
                }
                self.last = Some(name);
            }
            kind::PROMPT if word("event") == "started" => {
                self.question = word("name").to_owned();
            }
            kind::UTTERANCE if word("state") == "complete" => {
                if let Some(id) = data["id"].as_u64() {
                    self.texts.retain(|(known, _)| *known != id);
                    self.texts.push((id, word("text").to_owned()));
                    // A window takes one of the last.
                    if self.texts.len() > 16 {
                        self.texts.remove(0);
                    }
                }
            }
            kind::WINDOW => self.window(data),
            kind::TURN => {
                for (step, from, to) in STEPS {
                    if let (Some(from), Some(to)) = (data[from].as_u64(), data[to].as_u64()) {
                        self.steps.push((step, to.saturating_sub(from)));
                    }
                }
            }
            kind::RECOGNIZER if word("event") == "sent" => {
                let ms = data["seconds"].as_f64().unwrap_or(0.0) * 1000.0;
                // Of one call: far below what a float holds exactly.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                self.sent.push((word("name").to_owned(), ms.round() as u64));
            }
            _ => {}
        }
    }

    fn window(&mut self, data: &Value) {
        let Some(reason) = data["reason"].as_str() else {
            return;
        };
        if self.windows.len() < MAX_EACH {
            self.windows.push(reason.to_owned());
        }
        // A window that expects nothing takes any text: there is nothing to match. Lines of old don't tell.
        let free = data["expect"].as_u64() == Some(0);
        if reason != "speech" || free || !data["intent"].is_null() {
            return;
        }
        let id = data["utterance"].as_u64();
        let text = self.texts.iter().find(|(known, _)| Some(*known) == id);
        let text = text.map(|(_, text)| plain(text)).unwrap_or_default();
        if !text.is_empty() && self.unmatched.len() < MAX_EACH {
            self.unmatched.push(Unmatched {
                stage: self.last.clone().unwrap_or_default(),
                question: self.question.chars().take(MAX_TEXT).collect(),
                text,
            });
        }
    }
}

/// Lower case, words with one blank between them, `ё` as `е`; what differs only in these is one text.
pub(super) fn plain(text: &str) -> String {
    let lower = text.to_lowercase().replace('ё', "е");
    let words = lower
        .split(|c: char| !(c.is_alphanumeric() || c == '-'))
        .filter(|word| word.chars().any(char::is_alphanumeric));
    let joined = words.collect::<Vec<_>>().join(" ");
    joined.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_talk_is_read_as_its_facts() {
        let mut facts = Facts::default();
        for (kind, data) in [
            ("stage", json!({"name": "greeting"})),
            ("prompt", json!({"event": "started", "name": "Приедете?"})),
            ("prompt", json!({"event": "cut", "name": "не это"})),
            (
                "utterance",
                json!({"id": 1, "state": "first_words", "text": "а"}),
            ),
            (
                "utterance",
                json!({"id": 1, "state": "complete", "text": "А кто, ЭТО звонит-то?!"}),
            ),
            (
                "window",
                json!({"reason": "speech", "utterance": 1, "intent": null, "expect": 2}),
            ),
            (
                "window",
                json!({"reason": "no_input", "utterance": null, "intent": null, "expect": 2}),
            ),
            (
                "utterance",
                json!({"id": 2, "state": "complete", "text": "да"}),
            ),
            (
                "window",
                json!({"reason": "speech", "utterance": 2, "intent": "yes", "expect": 2}),
            ),
            ("stage", json!({"name": "date"})),
            (
                "utterance",
                json!({"id": 3, "state": "complete", "text": "в пятницу"}),
            ),
            (
                "window",
                json!({"reason": "speech", "utterance": 3, "intent": null, "expect": 0}),
            ),
            ("stage", json!({"name": "greeting"})),
            (
                "turn",
                json!({"end_of_speech_ms": 1000, "end_of_utterance_ms": 1700, "final_text_ms": null}),
            ),
            ("recognizer", json!({"name": "vosk", "event": "opened"})),
            (
                "recognizer",
                json!({"name": "vosk", "event": "sent", "seconds": 12.34}),
            ),
            ("asterisk", json!({"Event": "Hangup"})),
        ] {
            facts.line(kind, &data);
        }
        assert_eq!(facts.stages, ["greeting", "date"]);
        assert_eq!(facts.last.as_deref(), Some("greeting"));
        assert_eq!(facts.windows, ["speech", "no_input", "speech", "speech"]);
        let expect = Unmatched {
            stage: "greeting".to_owned(),
            question: "Приедете?".to_owned(),
            text: "а кто это звонит-то".to_owned(),
        };
        assert_eq!(facts.unmatched, [expect]);
        assert_eq!(facts.steps, [("end_of_utterance", 700)]);
        assert_eq!(facts.sent, [("vosk".to_owned(), 12_340)]);
    }

    #[test]
    fn texts_that_differ_in_dress_only_are_one() {
        for text in ["Ещё раз!", "еще  раз", "— Еще раз…"] {
            assert_eq!(plain(text), "еще раз");
        }
        assert_eq!(plain("…, -"), "");
    }
}
