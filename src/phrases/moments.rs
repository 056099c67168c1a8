//! Where an utterance says when: "завтра", "часа в три", "после обеда", "когда вернусь". Not which moment that is (see
//! [`super::date()`], [`super::time()`]): a phrase "позвоните (когда)" needs to know only that one is named.

use super::kinds::Kinds;
use super::words::Word;

/// An expression that begins at a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Index after its last word.
    pub to: usize,
    /// It names a day, a part of one or "later", not only a time of the clock.
    pub on_day: bool,
}

/// Words before and between the words of a moment.
const MAX_LINKS: usize = 4;

/// The moment that begins at each word.
pub(super) fn moments(words: &[Word], kinds: &[Kinds]) -> Vec<Option<Moment>> {
    (0..words.len())
        .map(|from| moment_at(words, kinds, from))
        .collect()
}

fn moment_at(words: &[Word], kinds: &[Kinds], from: usize) -> Option<Moment> {
    let text = |at: usize| words.get(at).map_or("", |w| w.text.as_str());
    let is = |at: usize, kind: Kinds| kinds.get(at).is_some_and(|k| k.meets(kind));
    // "когда освобожусь", "как приеду": the speaker's own verb.
    if matches!(text(from), "когда" | "как") {
        return (1..=3)
            .map(|n| from + n)
            .take_while(|at| *at == from + 1 || is(at - 1, Kinds::FILLER) || is(at - 1, Kinds::GAP))
            .find(|at| own_verb(text(*at)))
            .map(|at| Moment {
                to: at + 1,
                on_day: true,
            });
    }
    let links = |at: usize| {
        is(at, Kinds::LINK)
            || is(at, Kinds::PREPOSITION)
            || matches!(text(at), "то" | "этак" | "через")
    };
    if !links(from) && !is(from, Kinds::DAY) && !is(from, Kinds::CLOCK) {
        return None;
    }
    let (mut at, mut to, mut on_day, mut clock, mut tied) = (from, 0, false, false, false);
    let mut skipped = 0;
    while at < words.len() {
        if is(at, Kinds::DAY) {
            on_day = true;
        } else if is(at, Kinds::CLOCK) {
            clock = true;
            tied |= !kinds_of_number(text(at));
        } else if matches!(text(at), "после" | "через") && follows_freely(words, kinds, at + 1)
        {
            // "после работы", "через пару-тройку деньков": whatever it is, it comes later.
            on_day |= text(at) == "после";
            clock = true;
            tied = true;
            at += 1;
        } else if links(at) && skipped < MAX_LINKS {
            tied |= is(at, Kinds::PREPOSITION);
            skipped += 1;
            at += 1;
            continue;
        } else {
            break;
        }
        skipped = 0;
        at += 1;
        to = at;
    }
    (to > from && (on_day || (clock && tied))).then_some(Moment { to, on_day })
}

fn kinds_of_number(word: &str) -> bool {
    !(word.starts_with("час")
        || word.starts_with("минут")
        || word.starts_with("пол")
        || word == "сегодня")
}

fn follows_freely(words: &[Word], kinds: &[Kinds], at: usize) -> bool {
    match (words.get(at), kinds.get(at)) {
        (Some(word), Some(kinds)) => {
            word.text.chars().count() > 3
                && !kinds.meets(Kinds::NEGATION)
                && !kinds.meets(Kinds::QUESTION)
                && !kinds.meets(Kinds::BEEP)
        }
        _ => false,
    }
}

/// "освобожусь", "приеду", "закончим".
pub(super) fn own_verb(word: &str) -> bool {
    word.chars().count() > 3
        && ["у", "ю", "усь", "юсь", "ем", "им", "емся", "имся"]
            .iter()
            .any(|end| word.ends_with(end))
}
