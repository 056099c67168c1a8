//! The answers that every dialog knows without a `phrases.yaml`. An answer named there replaces the list here.
//!
//! `consent`, `refusal` and `verbs` are yes and no, `requests` and `operator` what people ask for instead, `strangers` who they
//! aren't and don't want, `announcements` what machines say; `decoys` is what holds their words and is none of them.
//!
//! The lists are written short, word by word: "звонить|названивать" are two phrases, "больше?" may be left out, and
//! «(сотрудник)» is a kind of words (see `kinds`). Verbs stand in all the forms in which a speaker agrees or refuses.

pub(super) mod announcements;
mod consent;
mod decoys;
pub(super) mod names;
mod operator;
mod refusal;
mod requests;
mod strangers;
pub(super) mod verbs;
pub(super) mod vocabulary;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

use super::book::{Book, List};
use super::choose::{FORBIDS, is_verdict};
use super::matcher::Phrase;
use announcements::VOICEMAIL;
use consent::{WEAK_YES, YES};
use operator::{OPERATOR, WEAK_OPERATOR};
use refusal::{NO, WEAK_NO};
use requests::{LATER, REASONS, REPEAT};
use strangers::{STOP_CALLING, WHO_IS_IT, WRONG_PERSON};

/// Name and phrases, Russian and English, as they are written here.
pub const BUILTIN: &[(&str, &[&str])] = &[
    ("yes", YES),
    ("no", NO),
    ("repeat", REPEAT),
    ("later", LATER),
    ("wrong_person", WRONG_PERSON),
    ("operator", OPERATOR),
    ("stop_calling", STOP_CALLING),
    ("who_is_it", WHO_IS_IT),
    ("voicemail", VOICEMAIL),
];

/// Phrases that count only beside words that are known.
const WEAK: &[(&str, &[&str])] = &[
    ("yes", WEAK_YES),
    ("no", WEAK_NO),
    ("operator", WEAK_OPERATOR),
    ("later", requests::WEAK_LATER),
    ("stop_calling", strangers::WEAK_STOP_CALLING),
    ("wrong_person", strangers::WEAK_WRONG_PERSON),
    ("repeat", requests::WEAK_REPEAT),
    ("who_is_it", strangers::WEAK_WHO_IS_IT),
];

/// Phrases of words that stand in many sentences: they count only where nothing else is said.
const ALONE: &[(&str, &[&str])] = &[
    (
        "yes",
        &["а как же", "а то", "еще бы", "есть", "за", "я за", "мы за"],
    ),
    ("no", &["не", "не а", "вот еще", "еще чего", "разбежались"]),
    (
        "repeat",
        &[
            "что",
            "чего",
            "как",
            "как это",
            "в смысле",
            "what",
            "sorry",
            "а что",
            "что такое",
            "что это",
            "кого",
            "куда",
            "что еще",
            "не что",
            "sorry what",
            "what was that",
            "ась",
            "чего чего",
            "как вы",
            "что вы",
        ],
    ),
    (
        "later",
        &["потом", "ну потом", "завтра давайте", "не время"],
    ),
    ("who_is_it", &["кто", "вы кто", "а вы", "это"]),
    ("operator", &["человек", "живой"]),
];

/// The list of what is said with the words of an answer and isn't one.
pub(super) const DECOY: &str = "decoy";
/// The list of doubts.
pub(super) const DOUBT: &str = "doubt";
/// The list of what is said with the words of a doubt and isn't one.
pub(super) const NO_DOUBT: &str = "no_doubt";

/// The built-in answers.
pub(super) fn book() -> &'static Book {
    static BOOK: LazyLock<Book> = LazyLock::new(|| {
        let mut named = BTreeMap::new();
        for (name, phrases) in BUILTIN {
            let verdict = |phrase: Phrase| {
                if is_verdict(name) {
                    phrase.strictly()
                } else if *name == FORBIDS {
                    phrase.strictly_refused()
                } else {
                    phrase
                }
            };
            let strong = patterns(phrases).map(verdict);
            let made = verbs::made(name)
                .filter_map(|text| Phrase::pattern(&text))
                .map(verdict);
            let reasons = REASONS.iter().filter(|_| *name == "later");
            let reasons = reasons
                .flat_map(|text| expand(text))
                .filter_map(|text| Phrase::pattern(&text))
                .map(|phrase| Phrase {
                    reason: true,
                    ..phrase.strictly()
                });
            let weak = of(WEAK, name).map(|phrase| Phrase {
                weak: true,
                ..phrase.strictly()
            });
            let alone = of(ALONE, name).map(|phrase| Phrase {
                alone: true,
                ..phrase
            });
            let mut seen = HashSet::new();
            let list = strong.chain(made).chain(reasons).chain(weak).chain(alone);
            let list: Vec<Phrase> = list
                .filter(|phrase| seen.insert(phrase.text.clone()))
                .collect();
            named.insert((*name).to_owned(), Arc::new(List::new(list)));
        }
        Book { named }
    });
    &BOOK
}

/// What is no answer, for the words of one.
pub(super) fn no_answers() -> &'static Book {
    static BOOK: LazyLock<Book> = LazyLock::new(|| {
        let lists: BTreeMap<&str, &[&str]> = BTreeMap::from([
            (DECOY, decoys::DECOYS),
            (DOUBT, decoys::DOUBTS),
            (NO_DOUBT, decoys::NO_DOUBTS),
        ]);
        let named = lists.into_iter().map(|(name, list)| {
            // They stand as they are written: "нет у меня …" refuses, "у меня нет …" doesn't.
            let phrases = patterns(list).map(|phrase| Phrase {
                free: false,
                // "Возможно" doubts, "возможности" doesn't.
                ..if name == DOUBT {
                    phrase.strictly()
                } else {
                    phrase
                }
            });
            (name.to_owned(), Arc::new(List::new(phrases.collect())))
        });
        Book {
            named: named.collect(),
        }
    });
    &BOOK
}

fn of(lists: &'static [(&str, &[&str])], name: &str) -> impl Iterator<Item = Phrase> {
    let lists = lists.iter().filter(move |(one, _)| *one == name);
    lists.flat_map(|(_, list)| patterns(list))
}

fn patterns(list: &'static [&'static str]) -> impl Iterator<Item = Phrase> {
    list.iter()
        .flat_map(|text| expand(text))
        .filter_map(|text| Phrase::pattern(&text))
}

/// All phrases that a short form stands for.
pub(super) fn expand(text: &str) -> Vec<String> {
    let mut phrases = vec![String::new()];
    for written in text.split_whitespace() {
        let (written, optional) = match written.strip_suffix('?') {
            Some(written) => (written, true),
            None => (written, false),
        };
        let mut longer = Vec::with_capacity(phrases.len());
        for phrase in &phrases {
            if optional {
                longer.push(phrase.clone());
            }
            for one in written.split('|') {
                let space = if phrase.is_empty() { "" } else { " " };
                longer.push(format!("{phrase}{space}{one}"));
            }
        }
        phrases = longer;
    }
    phrases.retain(|phrase| !phrase.is_empty());
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_stand_for_phrases() {
        assert_eq!(
            expand("не звоните|пишите больше?"),
            [
                "не звоните",
                "не звоните больше",
                "не пишите",
                "не пишите больше"
            ]
        );
        assert_eq!(expand("да"), ["да"]);
    }
}
