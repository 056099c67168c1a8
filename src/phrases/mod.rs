//! What an utterance means: named answers ("yes", "later") and digits, found in Russian and English words.
//!
//! Rules: whole words and their forms, never substrings; the phrase with more words wins, of equally long ones the one
//! whose words stand exactly; "не" before a phrase refuses it; fillers ("ну", "э", "вот") don't count; a correction
//! ("нет, то есть да") takes back what stood before it; what two answers claim equally is no match, and neither is a yes
//! or no in doubt. What an analyst wrote comes before what is built in.
//!
//! The way of a text: `words` takes it apart, `spelling` writes careless words as usual ones ("щас"), `slips` mends what is
//! one letter off, `kinds` and `moments` tell what a word stands for ("менеджер" is somebody to speak to, "часа в три" says
//! when); all of it is kept in `said`. `book` has the phrases by the words with which they may begin, `matcher` tells which
//! of them stand there, `choose` which answer that is. The lists of the built-in answers are in `builtin`.
//!
//! Numbers, sums, telephone numbers, days and times have a function each, whose [`Found`] tells what is sure from what isn't.
//! Pure: no I/O, no clock.

pub mod announced;
pub mod backchannel;
mod book;
mod builtin;
mod calendar;
mod choose;
mod corrections;
mod date;
mod digits;
mod extracted;
mod found;
mod items;
mod kinds;
mod matcher;
mod moments;
mod number;
mod numerals;
mod phone;
mod said;
mod slips;
mod spelling;
mod sum;
mod time;
mod tokens;
mod words;

#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unseen_tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::ident::Spoken;
use book::{Book, List};
use kinds::Kinds;
use matcher::Phrase;
use said::Said;

pub use announced::{Announced, Announcement};
pub use builtin::BUILTIN;
pub use date::date;
pub use digits::digits;
pub use extracted::Extracted;
pub use found::{Found, MAX_READINGS, Span};
pub use number::{Number, number};
pub use phone::phone;
pub use sum::{Sum, sum};
pub use time::time;

/// Answers that one set may hold.
pub const MAX_ANSWERS: usize = 500;
/// Phrases that one answer may hold.
pub const MAX_PHRASES: usize = 2_000;
/// Words that one phrase may hold.
pub const MAX_PHRASE_WORDS: usize = 16;
/// Characters of an answer's name.
pub const MAX_NAME_CHARS: usize = 64;

/// A set of named answers. Made once per library of scripts, shared by calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    book: Book,
}

/// What an utterance was found to mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understanding {
    /// The answer that it is; `None` where nothing fits or two answers fit equally.
    pub intent: Option<String>,
    /// Every answer that fits, best first, each with its best phrase. Two equal ones at the top are a tie.
    pub candidates: Vec<Match>,
    /// Something was answered that can't be told: two answers fit equally, or the speaker doubts ("не знаю, может, приеду").
    pub unsure: bool,
    /// Digits that were said, in the order in which they were said.
    pub digits: Option<Spoken>,
}

/// An answer found in an utterance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The answer's name.
    pub name: String,
    /// Which of its phrases, as it was written; a built-in one may hold kinds of words: "(позвоните) (когда)".
    pub phrase: String,
    /// How many words the phrase has: its weight.
    pub words: usize,
    /// How many of them stood exactly, not in another form.
    pub exact: usize,
}

/// What is wrong with a list of phrases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseFault {
    /// A name that a script can't write.
    #[error("answer {name:?}: a name is 1 to {MAX_NAME_CHARS} letters, digits and _")]
    Name {
        /// The name.
        name: String,
    },
    /// A list without phrases.
    #[error("answer {name:?} has no phrases: write at least one, or take the name out")]
    Empty {
        /// The answer.
        name: String,
    },
    /// A phrase without a letter or digit.
    #[error("answer {name:?}: phrase {phrase:?} has no words")]
    NoWords {
        /// The answer.
        name: String,
        /// The phrase.
        phrase: String,
    },
    /// A phrase that is too long to be heard as one.
    #[error(
        "answer {name:?}: phrase {phrase:?} has {words} words, {MAX_PHRASE_WORDS} are the most"
    )]
    LongPhrase {
        /// The answer.
        name: String,
        /// The phrase.
        phrase: String,
        /// How many words it has.
        words: usize,
    },
    /// A list that is too long.
    #[error("answer {name:?} has {phrases} phrases, {MAX_PHRASES} are the most")]
    ManyPhrases {
        /// The answer.
        name: String,
        /// How many it has.
        phrases: usize,
    },
    /// Too many answers.
    #[error("{answers} answers are named, {MAX_ANSWERS} are the most")]
    ManyAnswers {
        /// How many.
        answers: usize,
    },
    /// Two answers of one file claim the same words, so that neither would ever be understood by them.
    #[error("phrase {phrase:?} stands in {first:?} and in {second:?}: leave it in one of them")]
    Twice {
        /// The phrase.
        phrase: String,
        /// One answer.
        first: String,
        /// The other.
        second: String,
    },
}

impl Default for Answers {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Answers {
    /// The answers that every dialog knows: yes, no, repeat, later, wrong_person, operator, stop_calling, who_is_it, voicemail.
    pub fn builtin() -> Self {
        Self {
            book: builtin::book().clone(),
        }
    }

    /// This set with `lists` laid over it: a name that is there already gets the new phrases instead of the old ones, and
    /// a phrase that is claimed anew is taken from the answer that had it. All faults are told at once.
    pub fn overlaid(
        &self,
        lists: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, Vec<PhraseFault>> {
        let mut faults = Vec::new();
        let mut fresh: BTreeMap<String, Vec<Phrase>> = BTreeMap::new();
        let mut owner: HashMap<Vec<String>, String> = HashMap::new();
        for (name, list) in lists {
            check_list(name, list, &mut faults);
            let mut phrases = Vec::new();
            for text in list.iter().take(MAX_PHRASES) {
                let Some(phrase) = Phrase::new(text) else {
                    faults.push(PhraseFault::NoWords {
                        name: name.clone(),
                        phrase: text.clone(),
                    });
                    continue;
                };
                if phrase.len() > MAX_PHRASE_WORDS {
                    faults.push(PhraseFault::LongPhrase {
                        name: name.clone(),
                        phrase: text.clone(),
                        words: phrase.len(),
                    });
                    continue;
                }
                let said = phrase.parts.iter().map(|p| p.word.text.clone()).collect();
                match owner.get(&said) {
                    Some(first) if first == name => continue,
                    Some(first) => faults.push(PhraseFault::Twice {
                        phrase: text.clone(),
                        first: first.clone(),
                        second: name.clone(),
                    }),
                    None => {
                        owner.insert(said, name.clone());
                    }
                }
                phrases.push(phrase);
            }
            fresh.insert(name.clone(), phrases);
        }
        let mut named = self.book.named.clone();
        let claims: HashSet<&str> = fresh.values().flatten().map(|p| p.said.as_str()).collect();
        let keys: HashSet<&str> = fresh.values().flatten().map(|p| p.keys.as_str()).collect();
        // Who claims "перенести" means "можно перенести на (день)", too.
        let claimed = |old: &Phrase| {
            claims.contains(old.said.as_str()) || old.ours && keys.contains(old.core.as_str())
        };
        for list in named.values_mut() {
            if list.phrases.iter().any(claimed) {
                let left = list.phrases.iter().filter(|old| !claimed(old)).cloned();
                *list = Arc::new(List::new(left.collect()));
            }
        }
        named.extend(
            fresh
                .into_iter()
                .map(|(name, list)| (name, Arc::new(List::new(list)))),
        );
        if named.len() > MAX_ANSWERS {
            faults.push(PhraseFault::ManyAnswers {
                answers: named.len(),
            });
        }
        if faults.is_empty() {
            Ok(Self {
                book: Book { named },
            })
        } else {
            Err(faults)
        }
    }

    /// Whether an answer of this name is there.
    pub fn knows(&self, name: &str) -> bool {
        self.book.named.contains_key(name)
    }

    /// All names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.book.named.keys().map(String::as_str)
    }

    /// An answer's phrases as they were written, and the words of the kinds in them ("(когда)"), so that a recognizer
    /// that hears nothing else hears all of it; none for an unknown name.
    pub fn phrases(&self, name: &str) -> impl Iterator<Item = &str> {
        let list = self
            .book
            .named
            .get(name)
            .map_or(&[][..], |list| &list.phrases);
        let mut kinds = Kinds::default();
        for part in list.iter().flat_map(|phrase| &phrase.parts) {
            kinds.add(part.kind.unwrap_or_default());
        }
        list.iter()
            .map(|phrase| phrase.text.as_str())
            .chain(kinds::listed(kinds))
    }

    /// What `text` means. Only answers in `expected` count; if that is empty, all do.
    pub fn understand(&self, text: &str, expected: &[impl AsRef<str>]) -> Understanding {
        let said = Said::new(text, |word| {
            slips::meant(word, &self.book, builtin::no_answers())
        });
        let chosen = choose::choose(&self.book, &said, |name| {
            expected.is_empty() || expected.iter().any(|e| e.as_ref() == name)
        });
        Understanding {
            intent: chosen.intent,
            candidates: chosen.candidates,
            unsure: chosen.unsure,
            digits: digits::digits(text).sure().map(Spoken::new),
        }
    }
}

fn check_list(name: &str, list: &[String], faults: &mut Vec<PhraseFault>) {
    let named_well = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !named_well {
        faults.push(PhraseFault::Name {
            name: name.to_owned(),
        });
    }
    if list.is_empty() {
        faults.push(PhraseFault::Empty {
            name: name.to_owned(),
        });
    }
    if list.len() > MAX_PHRASES {
        faults.push(PhraseFault::ManyPhrases {
            name: name.to_owned(),
            phrases: list.len(),
        });
    }
}
