//! The words around the names of days: which one, how far, which part.

use crate::phrases::tokens::Item;

pub(super) const NEXT: &[&str] = &["следующ", "будущ", "next"];
pub(super) const THIS: &[&str] = &[
    "эта",
    "эту",
    "этой",
    "этот",
    "этого",
    "этому",
    "этом",
    "это",
    "эти",
    "этих",
    "текущей",
    "текущую",
    "текущего",
    "текущем",
    "нынешней",
    "this",
];
pub(super) const NEAREST: &[&str] = &["ближайш", "coming"];
pub(super) const PREPOSITIONS: &[&str] = &[
    "в", "во", "на", "к", "ко", "с", "со", "до", "по", "от", "on", "the", "за", "из", "at", "by",
    "of",
];

/// What is counted to a day ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Year,
}

pub(super) fn unit(item: &Item) -> Option<Unit> {
    let one_of = |words: &[&str]| item.is(words);
    if one_of(&[
        "день",
        "дня",
        "дней",
        "денек",
        "денька",
        "деньков",
        "сутки",
        "суток",
        "day",
        "days",
    ]) {
        Some(Unit::Day)
    } else if one_of(&[
        "неделю",
        "недели",
        "недель",
        "недельку",
        "недельки",
        "week",
        "weeks",
    ]) {
        Some(Unit::Week)
    } else if one_of(&["месяц", "месяца", "месяцев", "месяцок", "month", "months"])
    {
        Some(Unit::Month)
    } else if one_of(&["год", "года", "лет", "годик", "year", "years"]) {
        Some(Unit::Year)
    } else {
        None
    }
}

/// A part of a week or month.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Beginning,
    Middle,
    End,
}

impl Part {
    pub(super) fn of(item: &Item) -> Option<Self> {
        if item.is(&["начале", "начало", "началу", "начала", "beginning", "start"])
        {
            Some(Self::Beginning)
        } else if item.is(&[
            "середине",
            "середина",
            "середину",
            "середины",
            "середке",
            "middle",
        ]) {
            Some(Self::Middle)
        } else if item.is(&["конце", "конец", "концу", "конца", "end"]) {
            Some(Self::End)
        } else {
            None
        }
    }
}
