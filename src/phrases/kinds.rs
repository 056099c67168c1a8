//! Kinds of words that stand for one another in a built-in phrase: «(сотрудник)» is an operator, a manager or an
//! administrator in any case. One phrase with a kind says what a hundred would, and reaches words that nobody listed
//! beside each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::builtin::{names, verbs, vocabulary};
use super::words::{Word, is_filler, is_gap, is_negation, lets_negation_through};

/// A set of kinds, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) const FILLER: Self = Self(1);
    pub(super) const GAP: Self = Self(1 << 1);
    pub(super) const NEGATION: Self = Self(1 << 2);
    pub(super) const THROUGH: Self = Self(1 << 3);
    /// "сколько", "где": what follows is asked.
    pub(super) const QUESTION: Self = Self(1 << 4);
    /// Says when, as a word of a day or a part of one: [`super::moments`] finds whole expressions.
    pub(super) const DAY: Self = Self(1 << 5);
    pub(super) const CLOCK: Self = Self(1 << 6);
    /// Glued to the next word in any order of words: "с роботом".
    pub(super) const PREPOSITION: Self = Self(1 << 7);
    pub(super) const NAME: Self = Self(1 << 8);
    pub(super) const WHO: Self = Self(1 << 9);
    pub(super) const WHOM: Self = Self(1 << 10);
    pub(super) const KIN: Self = Self(1 << 11);
    pub(super) const STAFF: Self = Self(1 << 12);
    pub(super) const FIRM: Self = Self(1 << 13);
    pub(super) const ROBOT: Self = Self(1 << 14);
    pub(super) const HERE: Self = Self(1 << 15);
    pub(super) const TALK: Self = Self(1 << 16);
    pub(super) const RINGING: Self = Self(1 << 17);
    pub(super) const DIAL: Self = Self(1 << 18);
    pub(super) const AFFAIR: Self = Self(1 << 19);
    pub(super) const SPOT: Self = Self(1 << 20);
    pub(super) const THREAT: Self = Self(1 << 21);
    pub(super) const BEEP: Self = Self(1 << 22);
    pub(super) const NUMBER: Self = Self(1 << 23);
    /// Between the words of a moment: "в конце следующей недели".
    pub(super) const LINK: Self = Self(1 << 24);
    const OWN_VERB: Self = Self(1 << 25);
    pub(super) const INFINITIVE: Self = Self(1 << 26);
    /// «(когда)», any moment.
    pub(super) const WHEN: Self = Self(1 << 30);
    /// «(день)», a moment that isn't only a time of the clock.
    pub(super) const ON_DAY: Self = Self(1 << 31);

    /// The two have a kind in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// How kinds are written in phrases.
pub(super) const WRITTEN: &[(&str, Kinds)] = &[
    ("(когда)", Kinds::WHEN),
    ("(день)", Kinds::ON_DAY),
    ("(приеду)", Kinds::OWN_VERB),
    ("(приехать)", Kinds::INFINITIVE),
    ("(имя)", Kinds::NAME),
    ("(кто)", Kinds::WHO),
    ("(кого)", Kinds::WHOM),
    ("(родня)", Kinds::KIN),
    ("(сотрудник)", Kinds::STAFF),
    ("(фирма)", Kinds::FIRM),
    ("(робот)", Kinds::ROBOT),
    ("(здесь)", Kinds::HERE),
    ("(говорить)", Kinds::TALK),
    ("(звонить)", Kinds::RINGING),
    ("(позвоните)", Kinds::DIAL),
    ("(занятие)", Kinds::AFFAIR),
    ("(место)", Kinds::SPOT),
    ("(угроза)", Kinds::THREAT),
    ("(сигнал)", Kinds::BEEP),
    ("(номер)", Kinds::NUMBER),
    ("(вопрос)", Kinds::QUESTION),
];

struct Tables {
    by_text: HashMap<String, Kinds>,
    by_key: HashMap<String, Kinds>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut by_text: HashMap<String, Kinds> = HashMap::new();
    let mut by_key: HashMap<String, Kinds> = HashMap::new();
    let mut exact =
        |text: &str, kinds: Kinds| by_text.entry(text.to_owned()).or_default().add(kinds);
    for (kinds, list) in vocabulary::EXACT {
        list.split(' ').for_each(|text| exact(text, *kinds));
    }
    for (nominative, genitive) in vocabulary::KIN {
        exact(nominative, Kinds::KIN);
        exact(nominative, Kinds::WHO);
        exact(genitive, Kinds::WHOM);
    }
    for (one, many, infinitive) in verbs::OWN {
        exact(one, Kinds::OWN_VERB);
        exact(many, Kinds::OWN_VERB);
        exact(infinitive, Kinds::INFINITIVE);
    }
    for name in names::NAMES {
        exact(name, Kinds::NAME);
        exact(name, Kinds::WHO);
        exact(&names::genitive(name), Kinds::WHOM);
        if let Some(whom) = names::accusative(name) {
            exact(&whom, Kinds::WHOM);
        }
    }
    for (kinds, list) in vocabulary::FORMS {
        for text in list.split(' ') {
            by_key.entry(Word::new(text).key).or_default().add(*kinds);
        }
    }
    Tables { by_text, by_key }
});

/// Words that a list has for these kinds, in alphabetical order.
pub(super) fn listed<'a>(kinds: Kinds) -> impl Iterator<Item = &'a str> {
    static LISTED: LazyLock<BTreeMap<&'static str, Kinds>> = LazyLock::new(|| {
        let mut all: BTreeMap<&str, Kinds> = BTreeMap::new();
        for (text, kinds) in &TABLES.by_text {
            all.entry(text).or_default().add(*kinds);
        }
        for (kinds, list) in vocabulary::FORMS {
            for text in list.split(' ') {
                all.entry(text).or_default().add(*kinds);
            }
        }
        all
    });
    let wanted = if kinds.meets(Kinds(Kinds::WHEN.0 | Kinds::ON_DAY.0)) {
        Kinds(kinds.0 | Kinds::DAY.0 | Kinds::CLOCK.0 | Kinds::LINK.0)
    } else {
        kinds
    };
    LISTED
        .iter()
        .filter(move |(_, kinds)| kinds.meets(wanted))
        .map(|(text, _)| -> &'a str { text })
}

/// The kinds of one word of an utterance.
pub(super) fn kinds(word: &Word) -> Kinds {
    let tables = &*TABLES;
    let text = word.text.as_str();
    let mut found = tables.by_text.get(text).copied().unwrap_or_default();
    if let Some(more) = tables.by_key.get(&word.key) {
        found.add(*more);
    }
    for (kind, holds) in [
        (Kinds::FILLER, is_filler(text)),
        (Kinds::GAP, is_gap(text)),
        (Kinds::NEGATION, is_negation(text)),
        (Kinds::THROUGH, lets_negation_through(text)),
        (Kinds::PREPOSITION, is_preposition(text)),
        (
            Kinds::CLOCK,
            text.as_bytes().first().is_some_and(u8::is_ascii_digit),
        ),
    ] {
        if holds {
            found.add(kind);
        }
    }
    // "Ивановича" and the like: nobody has a list of them.
    if names::is_patronymic(text) {
        found.add(Kinds::WHO);
        found.add(Kinds::NAME);
    } else if names::is_patronymic_of(text) {
        found.add(Kinds::WHOM);
    }
    found
}

/// A kind that a built-in phrase writes in brackets.
pub(super) fn written(text: &str) -> Option<Kinds> {
    WRITTEN
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, kinds)| *kinds)
}

pub(super) fn is_preposition(word: &str) -> bool {
    matches!(
        word,
        "с" | "со"
            | "в"
            | "во"
            | "на"
            | "к"
            | "ко"
            | "по"
            | "из"
            | "от"
            | "до"
            | "для"
            | "за"
            | "без"
            | "через"
            | "после"
            | "у"
            | "о"
            | "об"
            | "про"
            | "под"
            | "над"
            | "при"
    )
}
