//! Digits that were said: "один два три" is 123, "восемь девятьсот двенадцать триста сорок пять" is 8912345.
//!
//! Numbers are read out as they are dictated: hundreds, tens and units that follow each other in falling order make one
//! number, anything else begins the next. Thousands, sums and dates are not read here.

use super::words::{Word, is_filler};

/// Most digits that are told of an utterance.
pub(super) const MAX_DIGITS: usize = 64;

/// The longest run of digits in `words`; pauses and words like "потом" don't break a run. `None` where nothing is a digit.
pub(super) fn digits(words: &[Word]) -> Option<String> {
    let mut best = String::new();
    let mut run = String::new();
    let mut group: Option<Group> = None;
    for word in words {
        let part = part(&word.text);
        match (part, &mut group) {
            (Some(Part::Said(value)), Some(open)) if open.takes(value) => open.add(value),
            (Some(Part::Said(value)), _) => {
                close(&mut group, &mut run);
                group = Some(Group::begin(value));
            }
            (Some(Part::Written), _) => {
                close(&mut group, &mut run);
                run.push_str(&word.text);
            }
            (None, _) if is_joint(&word.text) => close(&mut group, &mut run),
            (None, _) => {
                close(&mut group, &mut run);
                keep_longer(&mut best, &mut run);
            }
        }
    }
    close(&mut group, &mut run);
    keep_longer(&mut best, &mut run);
    best.truncate(MAX_DIGITS);
    (!best.is_empty()).then_some(best)
}

/// Words between dictated digits.
fn is_joint(word: &str) -> bool {
    const JOINTS: &[&str] = &[
        "потом",
        "затем",
        "дальше",
        "далее",
        "тире",
        "дефис",
        "плюс",
        "then",
        "dash",
        "plus",
        "and",
    ];
    is_filler(word) || JOINTS.contains(&word)
}

fn keep_longer(best: &mut String, run: &mut String) {
    if run.len() > best.len() {
        std::mem::swap(best, run);
    }
    run.clear();
}

fn close(group: &mut Option<Group>, run: &mut String) {
    if let Some(group) = group.take() {
        run.push_str(&group.value.to_string());
    }
}

/// A number that is being said.
struct Group {
    value: u32,
    /// What may still follow is below this: 100 after hundreds, 10 after tens, 0 after units.
    below: u32,
}

impl Group {
    fn begin(value: u32) -> Self {
        Self {
            value,
            below: room(value),
        }
    }

    fn takes(&self, value: u32) -> bool {
        value != 0 && value < self.below
    }

    fn add(&mut self, value: u32) {
        self.value += value;
        self.below = room(value);
    }
}

fn room(value: u32) -> u32 {
    match value {
        100.. => 100,
        20..=99 => 10,
        _ => 0,
    }
}

enum Part {
    Said(u32),
    Written,
}

fn part(word: &str) -> Option<Part> {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Part::Written);
    }
    NUMBERS
        .iter()
        .find(|(_, forms)| forms.contains(&word))
        .map(|(value, _)| Part::Said(*value))
}

/// The forms in which numbers below a thousand are said.
const NUMBERS: &[(u32, &[&str])] = &[
    (0, &["ноль", "нуль", "ноля", "нуля", "нолик", "zero"]),
    (
        1,
        &[
            "один",
            "одна",
            "одно",
            "одного",
            "одной",
            "раз",
            "единица",
            "единичка",
            "one",
        ],
    ),
    (2, &["два", "две", "двух", "двойка", "двоечка", "two"]),
    (3, &["три", "трех", "тройка", "троечка", "three"]),
    (4, &["четыре", "четырех", "четверка", "four"]),
    (5, &["пять", "пяти", "пятерка", "пятерочка", "five"]),
    (6, &["шесть", "шести", "шестерка", "six"]),
    (7, &["семь", "семи", "семерка", "seven"]),
    (8, &["восемь", "восьми", "восьмерка", "eight"]),
    (9, &["девять", "девяти", "девятка", "nine"]),
    (10, &["десять", "десяти", "ten"]),
    (11, &["одиннадцать", "одиннадцати", "eleven"]),
    (12, &["двенадцать", "двенадцати", "twelve"]),
    (13, &["тринадцать", "тринадцати", "thirteen"]),
    (14, &["четырнадцать", "четырнадцати", "fourteen"]),
    (15, &["пятнадцать", "пятнадцати", "fifteen"]),
    (16, &["шестнадцать", "шестнадцати", "sixteen"]),
    (17, &["семнадцать", "семнадцати", "seventeen"]),
    (18, &["восемнадцать", "восемнадцати", "eighteen"]),
    (19, &["девятнадцать", "девятнадцати", "nineteen"]),
    (20, &["двадцать", "двадцати", "twenty"]),
    (30, &["тридцать", "тридцати", "thirty"]),
    (40, &["сорок", "сорока", "forty"]),
    (50, &["пятьдесят", "пятидесяти", "fifty"]),
    (60, &["шестьдесят", "шестидесяти", "sixty"]),
    (70, &["семьдесят", "семидесяти", "seventy"]),
    (80, &["восемьдесят", "восьмидесяти", "eighty"]),
    (90, &["девяносто", "девяноста", "ninety"]),
    (100, &["сто", "ста"]),
    (200, &["двести", "двухсот"]),
    (300, &["триста", "трехсот"]),
    (400, &["четыреста", "четырехсот"]),
    (500, &["пятьсот", "пятисот"]),
    (600, &["шестьсот", "шестисот"]),
    (700, &["семьсот", "семисот"]),
    (800, &["восемьсот", "восьмисот"]),
    (900, &["девятьсот", "девятисот"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phrases::words::words;

    #[test]
    fn digits_as_they_are_dictated() {
        for (text, expect) in [
            ("один два три", Some("123")),
            ("четыре пять шесть", Some("456")),
            ("семь восемь девять ноль", Some("7890")),
            ("двадцать пять", Some("25")),
            ("двадцать пять ноль три", Some("2503")),
            ("двадцать пятнадцать", Some("2015")),
            ("двадцать тридцать", Some("2030")),
            ("сто сорок семь", Some("147")),
            (
                "восемь девятьсот двенадцать триста сорок пять",
                Some("8912345"),
            ),
            ("Ну, мой код э один, два... вот три спасибо", Some("123")),
            ("один потом два", Some("12")),
            ("в пять часов код один два три", Some("123")),
            ("1 2 3", Some("123")),
            ("8 912 345", Some("8912345")),
            ("номер 789", Some("789")),
            ("one two three four", Some("1234")),
            ("twenty five", Some("25")),
            ("ноль ноль семь", Some("007")),
            ("трёх", Some("3")),
            ("да приеду", None),
            ("", None),
        ] {
            assert_eq!(digits(&words(text)).as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn an_endless_dictation_is_cut() {
        assert_eq!(
            digits(&words(&"один ".repeat(300))).unwrap().len(),
            MAX_DIGITS
        );
        assert_eq!(digits(&words(&"9".repeat(300))).unwrap().len(), MAX_DIGITS);
    }
}
