//! What the tests reached: lines of the dialogs, and answers of their questions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::script::coverage::{Lines, Probe};

/// Answers by the question's file and line: name, and whether it was ever given.
pub type Answers = BTreeMap<(String, usize), BTreeMap<String, bool>>;

#[derive(Debug, Default)]
struct Reached {
    lines: Lines,
    /// The statement that the dialog is at.
    at: Option<(String, usize)>,
    answers: Answers,
}

/// One call's share, filled while it goes on.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Reached>);

impl Watch {
    fn reached<T>(&self, change: impl FnOnce(&mut Reached) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the dialog tells its lines to.
    pub(super) fn probe(self: &Arc<Self>) -> Probe {
        let watch = Arc::clone(self);
        Arc::new(move |file, line, statement| {
            watch.reached(|reached| {
                match reached.lines.get_mut(file) {
                    Some(lines) => {
                        lines.insert(line);
                    }
                    None => {
                        reached
                            .lines
                            .insert(file.to_owned(), BTreeSet::from([line]));
                    }
                }
                if statement {
                    reached.at = Some((file.to_owned(), line));
                }
            });
        })
    }

    /// Where the dialog is.
    pub(super) fn at(&self) -> Option<(String, usize)> {
        self.reached(|reached| reached.at.clone())
    }

    /// A question was answered, or not.
    pub(super) fn answered(
        &self,
        file: &str,
        line: usize,
        expect: &[String],
        intent: Option<&str>,
    ) {
        self.reached(|reached| {
            let answers = reached.answers.entry((file.to_owned(), line)).or_default();
            for name in expect {
                *answers.entry(name.clone()).or_default() |= intent == Some(name.as_str());
            }
        });
    }
}

/// All calls' shares together.
#[derive(Debug, Default)]
pub struct Coverage {
    lines: Lines,
    answers: Answers,
}

/// What was not reached of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The file.
    pub file: String,
    /// Lines with statements.
    pub lines: usize,
    /// Those of them that no test came to.
    pub missed: Vec<usize>,
    /// Answers that questions expect, by line of the question, that no test gave.
    pub answers: Vec<(usize, Vec<String>)>,
    /// How many answers are expected in all.
    pub expected: usize,
}

impl Coverage {
    /// Adds one call's share.
    pub fn add(&mut self, watch: &Watch) {
        watch.reached(|reached| {
            for (file, lines) in &reached.lines {
                self.lines.entry(file.clone()).or_default().extend(lines);
            }
            for (place, answers) in &reached.answers {
                let all = self.answers.entry(place.clone()).or_default();
                for (name, given) in answers {
                    *all.entry(name.clone()).or_default() |= given;
                }
            }
        });
    }

    /// Adds other calls' shares.
    pub(super) fn merge(&mut self, other: Self) {
        for (file, lines) in other.lines {
            self.lines.entry(file).or_default().extend(lines);
        }
        for (place, answers) in other.answers {
            let all = self.answers.entry(place).or_default();
            for (name, given) in answers {
                *all.entry(name).or_default() |= given;
            }
        }
    }

    /// Some line of that file was reached.
    pub(super) fn came_to(&self, file: &str) -> bool {
        self.lines.contains_key(file)
    }

    /// What was reached of the files in `wanted`, one row a file.
    pub fn missed(&self, wanted: &Lines) -> Vec<Missed> {
        let empty = BTreeSet::new();
        let rows = wanted.iter().map(|(file, lines)| {
            let reached = self.lines.get(file).unwrap_or(&empty);
            let of_file = || self.answers.iter().filter(|((f, _), _)| f == file);
            let answers = of_file().filter_map(|((_, line), answers)| {
                let names = answers.iter().filter(|(_, given)| !**given);
                let names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
                (!names.is_empty()).then_some((*line, names))
            });
            Missed {
                file: file.clone(),
                lines: lines.len(),
                missed: lines.difference(reached).copied().collect(),
                answers: answers.collect(),
                expected: of_file().map(|(_, answers)| answers.len()).sum(),
            }
        });
        rows.collect()
    }
}

impl Missed {
    /// Lines and answers reached, and all of them.
    pub fn share(&self) -> (usize, usize) {
        let answers: usize = self.answers.iter().map(|(_, names)| names.len()).sum();
        (
            self.lines - self.missed.len() + self.expected - answers,
            self.lines + self.expected,
        )
    }
}
