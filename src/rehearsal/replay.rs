//! A recorded call once more, through today's dialog: the person does what they did, at the same place of the talk.
//!
//! Not at the same millisecond: prompts may have become longer or shorter, and a person answers what they hear. What was done in
//! the nth listening window is done in the nth again: as far into the same prompt of it, or so long after its prompts.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::call::{self, Held, Opening};
use super::scene::{Act, HistoryLine, Next, Person, Scene};
use super::voice::Voice;
use crate::call::history::kind;
use crate::net::web::{WebAnswer, WebFault, WebOrder};

/// Who was overtaken by a shorter prompt answers so soon, milliseconds.
const POLITE_MS: u64 = 300;

/// What the person did, and at which place of the talk.
#[derive(Clone, Debug, PartialEq)]
struct Deed {
    act: Act,
    /// Windows that had closed before it.
    windows: u64,
    /// Over which prompt since then; `None`: when all were over.
    prompt: Option<usize>,
    /// After that prompt's start, or the last one's end, milliseconds.
    after_ms: u64,
}

/// A call as its history has it.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    deeds: VecDeque<Deed>,
    transfers: VecDeque<&'static str>,
    web: VecDeque<WebAnswer>,
    /// What happened in the talk, from its beginning.
    pub lines: Vec<HistoryLine>,
    /// It ended neither by the dialog nor by the person: no ending to compare with.
    pub cut_off: bool,
}

/// One move of a talk, as two runs of it are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    what: String,
    /// Its line in the history.
    line: usize,
}

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// The run through today's dialog.
    pub held: Held,
    /// Where they part: the line in the old history and in the new one; `None`: nowhere.
    pub parted: Option<(usize, usize)>,
}

impl Recorded {
    /// From the lines of one attempt: kind, time on the attempt's clock, particulars. `None`: it never came to a talk.
    pub fn read(history: impl IntoIterator<Item = (String, u64, Value)>) -> Option<Self> {
        let mut recorded = Self::default();
        let mut began_ms = None;
        for (kind, at_ms, data) in history {
            let Some(kind) = KINDS.into_iter().find(|known| *known == kind) else {
                continue;
            };
            if kind == kind::DIALOG && data["event"] == "began" {
                began_ms = Some(at_ms);
            }
            // What comes before belongs to the line: the recognizer that opens, the medium.
            let Some(began_ms) = began_ms else { continue };
            let at_ms = at_ms.saturating_sub(began_ms);
            recorded.lines.push(HistoryLine { at_ms, kind, data });
        }
        began_ms?;
        let began_ms = began_ms.unwrap_or_default();
        recorded.gather(began_ms);
        Some(recorded)
    }

    /// Finds out what the person, the servers and the transfers did.
    fn gather(&mut self, began_ms: u64) {
        // An utterance is told of several times: with its first words, complete, left.
        let mut voices: BTreeMap<u64, (u64, Voice)> = BTreeMap::new();
        let mut acts: Vec<(u64, Act)> = Vec::new();
        for line in &self.lines {
            match line.kind {
                kind::UTTERANCE => {
                    let Some(id) = line.data["id"].as_u64() else {
                        continue;
                    };
                    let ms = |key: &str| {
                        line.data[key]
                            .as_u64()
                            .map(|ms| ms.saturating_sub(began_ms))
                    };
                    let onset_ms = ms("onset_ms").unwrap_or(line.at_ms);
                    let (_, voice) = voices.entry(id).or_insert((onset_ms, Voice::default()));
                    let after_ms = line.at_ms.saturating_sub(onset_ms);
                    if let Some(end_ms) = ms("end_ms") {
                        voice.length_ms = end_ms.saturating_sub(onset_ms);
                    }
                    let text = line.word("text");
                    match line.word("state") {
                        "first_words" => voice.partials.push((after_ms, text.to_owned())),
                        _ if voice.text.is_empty() => {
                            voice.text = text.to_owned();
                            voice.text_ms = Some(after_ms);
                        }
                        _ => {}
                    }
                }
                kind::ANSWERER if line.word("event") == "tone" => {
                    // Told at its end.
                    acts.push((line.at_ms.saturating_sub(400), Act::Speak(Voice::beep())));
                }
                kind::DIGIT => acts.push((line.at_ms, Act::Press(line.word("digit").to_owned()))),
                kind::HANG_UP => match line.word("by") {
                    "dialog" => {}
                    by => {
                        self.cut_off = by != "person";
                        acts.push((line.at_ms, Act::HangUp));
                    }
                },
                kind::TRANSFER if line.word("event") == "ended" => {
                    let known = ["answered", "busy", "no_answer", "failed", "hung_up"];
                    let status = known
                        .into_iter()
                        .find(|known| *known == line.word("status"));
                    self.transfers.push_back(status.unwrap_or("failed"));
                }
                kind::WEB if line.word("event") == "ended" => {
                    let status = line.data["status"]
                        .as_u64()
                        .and_then(|n| u16::try_from(n).ok())
                        .unwrap_or(0);
                    self.web.push_back(match line.data["fault"].as_str() {
                        Some(fault) => WebAnswer::failed(WebFault::Unreachable(fault.to_owned())),
                        None => WebAnswer::of(status, line.data["data"].clone()),
                    });
                }
                _ => {}
            }
        }
        for (at_ms, mut voice) in voices.into_values() {
            if !voice.text.is_empty() {
                voice.partials.push((voice.length_ms, voice.text.clone()));
            }
            acts.push((at_ms, Act::Speak(voice)));
        }
        acts.sort_by_key(|(at_ms, _)| *at_ms);
        self.deeds = acts
            .into_iter()
            .map(|(at_ms, act)| self.place(at_ms, act))
            .collect();
    }

    /// At which place of the talk it was done.
    fn place(&self, at_ms: u64, act: Act) -> Deed {
        let (mut windows, mut prompts, mut started_ms, mut ended_ms) = (0, 0, None, 0);
        for line in self.lines.iter().filter(|line| line.at_ms <= at_ms) {
            match (line.kind, line.word("event")) {
                (kind::WINDOW, _) if line.at_ms < at_ms => {
                    windows += 1;
                    prompts = 0;
                }
                (kind::PROMPT, "started") => {
                    prompts += 1;
                    started_ms = Some(line.at_ms);
                }
                (kind::PROMPT, "ended" | "cut" | "stopped" | "failed" | "stuck") => {
                    started_ms = None;
                    ended_ms = line.at_ms;
                }
                _ => {}
            }
        }
        Deed {
            act,
            windows,
            prompt: started_ms.map(|_| prompts.max(1) - 1),
            after_ms: at_ms - started_ms.unwrap_or(ended_ms),
        }
    }

    /// Holds today's dialog with that person, and finds where it parts from the record.
    pub fn replay(&self, opening: Opening, outcome: &str) -> Replayed {
        let mut person = Again {
            deeds: self.deeds.clone(),
            transfers: self.transfers.clone(),
            web: self.web.clone(),
        };
        let held = call::hold(opening, &mut person);
        let (old, new) = (
            moves(&self.lines, outcome),
            moves(&held.lines, &held.outcome),
        );
        let same = old
            .iter()
            .zip(&new)
            .take_while(|(old, new)| old.what == new.what)
            .count();
        let at = |moves: &[Move]| moves.get(same).or(moves.last()).map_or(0, |at| at.line);
        let parted = (same < old.len().max(new.len())).then(|| (at(&old), at(&new)));
        Replayed { held, parted }
    }
}

/// What of a history belongs to the talk.
const KINDS: [&str; 17] = [
    kind::DIALOG,
    kind::STAGE,
    kind::SET,
    kind::LOG,
    kind::EVENT,
    kind::PROMPT,
    kind::WINDOW,
    kind::UTTERANCE,
    kind::DIGIT,
    kind::RECORDING,
    kind::TRANSFER,
    kind::WEB,
    kind::FAULT,
    kind::TURN,
    kind::HANG_UP,
    kind::RECOGNIZER,
    kind::ANSWERER,
];

/// What the dialog did, and what it took the person's answers for.
fn moves(lines: &[HistoryLine], outcome: &str) -> Vec<Move> {
    let mut moves = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let what = match (line.kind, line.word("event")) {
            (kind::PROMPT, "started") => format!("say {}", line.word("name")),
            (kind::STAGE, _) => format!("stage {}", line.word("name")),
            (kind::WINDOW, _) => json!([
                line.word("reason"),
                line.word("intent"),
                line.word("digits")
            ])
            .to_string(),
            (kind::TRANSFER, "began") => format!("transfer {}", line.word("to")),
            (kind::WEB, "began") => format!("web {} {}", line.word("method"), line.word("url")),
            _ => continue,
        };
        moves.push(Move { what, line: at });
    }
    moves.push(Move {
        what: format!("outcome {outcome}"),
        line: lines.len(),
    });
    moves
}

/// The person, again.
struct Again {
    deeds: VecDeque<Deed>,
    transfers: VecDeque<&'static str>,
    web: VecDeque<WebAnswer>,
}

impl Person for Again {
    fn next(&mut self, scene: &Scene) -> Next {
        let Some(deed) = self.deeds.front().filter(|_| !scene.over) else {
            return Next::Nothing;
        };
        let closed = scene
            .lines
            .iter()
            .filter(|line| line.kind == kind::WINDOW)
            .count() as u64;
        let at_ms = if closed > deed.windows {
            // Its window closed sooner today.
            Some(scene.now_ms)
        } else if closed < deed.windows {
            None
        } else if let Some(prompt) = deed.prompt {
            let last = scene
                .lines
                .iter()
                .rposition(|line| line.kind == kind::WINDOW);
            let since = scene
                .heard
                .iter()
                .filter(|heard| last.is_none_or(|last| heard.line > last))
                .nth(prompt);
            let over = since.map(|heard| heard.at_ms + deed.after_ms);
            over.or(scene.quiet_since_ms.map(|quiet_ms| quiet_ms + POLITE_MS))
        } else {
            let over = (!scene.speaks && scene.turns > 0).then_some(scene.ended_ms);
            scene
                .quiet_since_ms
                .or(over)
                .map(|quiet_ms| quiet_ms + deed.after_ms)
        };
        match at_ms {
            Some(at_ms) if at_ms <= scene.now_ms => match self.deeds.pop_front() {
                Some(deed) => Next::Do(deed.act),
                None => Next::Nothing,
            },
            Some(at_ms) => Next::At(at_ms),
            None => Next::Nothing,
        }
    }

    fn transferred(&mut self, _number: &str) -> &'static str {
        self.transfers.pop_front().unwrap_or("answered")
    }

    fn asked(&mut self, _order: &WebOrder) -> (u64, WebAnswer) {
        let unknown = || WebAnswer::failed(WebFault::Unreachable("not in the record".to_owned()));
        (0, self.web.pop_front().unwrap_or_else(unknown))
    }
}
