//! Digits that were said: "один два три" is 123, "восемь девятьсот двенадцать" is 8912, "два нуля" is 00.
//!
//! Numbers are read out as they are dictated: hundreds, tens and units that follow each other in falling order make one
//! number, anything else begins the next.

use super::corrections::corrections;
use super::found::Found;
use super::numerals::{Numeral, numeral};
use super::tokens::{Token, tokens};
use super::words::is_filler;

/// Most digits that are told of an utterance.
pub(super) const MAX_DIGITS: usize = 64;

/// The longest run of digits in `text`; pauses and words like "потом" don't break a run. Several equally long ones are
/// unsure, unless the last corrects the others ("один два, нет, один три").
pub fn digits(text: &str) -> Found<String> {
    of_tokens(&tokens(text))
}

pub(super) fn of_tokens(tokens: &[Token]) -> Found<String> {
    let runs = runs(tokens);
    let Some(longest) = runs.iter().map(|r| r.digits.len()).max() else {
        return Found::Nothing;
    };
    let mut best: Vec<&Run> = runs.iter().filter(|r| r.digits.len() == longest).collect();
    let starts = corrections(tokens.len(), |at| tokens[at].text.as_str());
    if let [.., before, last] = best.as_slice()
        && (starts
            .iter()
            .any(|c| (before.to..=last.from).contains(&c.mark))
            || tokens[before.to..last.from]
                .iter()
                .any(|t| matches!(t.text.as_str(), "нет" | "no" | "не")))
    {
        best = vec![*last];
    }
    best.dedup_by(|a, b| a.digits == b.digits);
    let cut = |run: &Run| run.digits.chars().take(MAX_DIGITS).collect::<String>();
    match best.as_slice() {
        [one] => Found::Sure(cut(one)),
        many => Found::Unsure(
            many.iter()
                .take(super::found::MAX_READINGS)
                .map(|r| cut(r))
                .collect(),
        ),
    }
}

struct Run {
    digits: String,
    from: usize,
    to: usize,
}

fn runs(tokens: &[Token]) -> Vec<Run> {
    let mut reader = Reader::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map(|t| t.text.as_str());
        at += reader.take(at, token, next);
    }
    reader.end_run();
    reader.runs
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
        "снова",
        "опять",
        "точка",
        "then",
        "dash",
        "plus",
        "and",
        "hyphen",
    ];
    // "ой" is a filler elsewhere; here something is said anew after it.
    word != "ой" && (is_filler(word) || JOINTS.contains(&word))
}

#[derive(Default)]
struct Reader {
    runs: Vec<Run>,
    run: String,
    from: usize,
    /// Index after the run's last digit.
    to: usize,
    group: Option<Group>,
    /// "double", "triple": the next digit so often.
    times: Option<usize>,
}

impl Reader {
    /// Takes the word at `at`; says how many words were used.
    fn take(&mut self, at: usize, token: &Token, next: Option<&str>) -> usize {
        let word = token.text.as_str();
        if token.is_digits() {
            self.begin(at);
            self.close_group();
            self.run.push_str(word);
            self.to = at + 1;
            return 1;
        }
        if let Some(times) = times(word)
            && next.and_then(numeral).is_some()
        {
            self.close_group();
            self.times = Some(times);
            return 1;
        }
        match numeral(word) {
            // "два нуля", "три пятёрки"
            Some(Numeral::Cardinal(count @ 1..=9))
                if let Some(Numeral::Counted(digit)) = next.and_then(numeral)
                    && !matches!(next, Some("нулик" | "нолик")) =>
            {
                self.begin(at);
                self.close_group();
                for _ in 0..count {
                    self.run.push_str(&digit.to_string());
                }
                self.to = at + 2;
                2
            }
            Some(Numeral::Milli(2_000))
                if let Some(Numeral::Counted(digit)) = next.and_then(numeral) =>
            {
                self.begin(at);
                self.close_group();
                self.run.push_str(&format!("{digit}{digit}"));
                self.to = at + 2;
                2
            }
            Some(Numeral::Cardinal(1)) if next.is_some_and(is_moment) => {
                self.end_run();
                2
            }
            Some(Numeral::Cardinal(value) | Numeral::Counted(value)) => {
                self.begin(at);
                self.number(u64::from(value));
                self.to = at + 1;
                1
            }
            Some(Numeral::Fixed(150)) => {
                self.begin(at);
                self.close_group();
                self.run.push_str("150");
                self.to = at + 1;
                1
            }
            // "пара тысяч", "полторы тысячи": nobody dictates 1000 so.
            Some(Numeral::Scale {
                value: 1_000,
                many: true,
            }) if self.group.is_none() => {
                self.end_run();
                1
            }
            Some(Numeral::Scale {
                value: value @ (100 | 1_000),
                ..
            }) => {
                self.begin(at);
                self.scale(value);
                self.to = at + 1;
                1
            }
            // "раз, два, три", but not "ещё раз".
            _ if word == "раз"
                && next
                    .and_then(numeral)
                    .is_some_and(|n| n == Numeral::Cardinal(2)) =>
            {
                self.begin(at);
                self.number(1);
                self.to = at + 1;
                1
            }
            _ if matches!(word, "o" | "oh")
                && (!self.run.is_empty()
                    || self.group.is_some()
                    || matches!(next, Some("o" | "oh"))
                    || next.and_then(numeral).is_some()) =>
            {
                self.begin(at);
                self.number(0);
                self.to = at + 1;
                1
            }
            // "двадцать пятого" is a day, no 20.
            Some(Numeral::Ordinal { .. }) => {
                self.group = None;
                self.end_run();
                1
            }
            _ if is_joint(word) => {
                self.close_group();
                1
            }
            _ => {
                self.end_run();
                1
            }
        }
    }

    fn begin(&mut self, at: usize) {
        if self.run.is_empty() && self.group.is_none() {
            self.from = at;
        }
    }

    fn number(&mut self, value: u64) {
        if let Some(times) = self.times.take() {
            self.close_group();
            for _ in 0..times {
                self.run.push_str(&value.to_string());
            }
            return;
        }
        match &mut self.group {
            Some(open) if value != 0 && value < open.below => open.add(value),
            _ => {
                self.close_group();
                self.group = Some(Group::begin(value));
            }
        }
    }

    fn scale(&mut self, scale: u64) {
        match &mut self.group {
            Some(open) if open.value > 0 && open.value < scale => {
                open.value *= scale;
                open.below = scale;
            }
            _ => {
                self.close_group();
                self.group = Some(Group {
                    value: scale,
                    below: scale,
                });
            }
        }
    }

    fn close_group(&mut self) {
        if let Some(group) = self.group.take() {
            self.run.push_str(&group.value.to_string());
        }
    }

    fn end_run(&mut self) {
        self.close_group();
        self.times = None;
        if !self.run.is_empty() {
            self.runs.push(Run {
                digits: std::mem::take(&mut self.run),
                from: self.from,
                to: self.to,
            });
        }
    }
}

/// "одну минуту" counts no digit.
fn is_moment(word: &str) -> bool {
    ["минут", "секунд", "момент", "moment", "minute", "second"]
        .iter()
        .any(|stem| word.starts_with(stem))
}

fn times(word: &str) -> Option<usize> {
    match word {
        "double" | "дважды" => Some(2),
        "triple" | "трижды" => Some(3),
        _ => None,
    }
}

/// A number that is being said.
struct Group {
    value: u64,
    /// What may still follow is below this: 100 after hundreds, 10 after tens, 0 after units.
    below: u64,
}

impl Group {
    fn begin(value: u64) -> Self {
        Self {
            value,
            below: room(value),
        }
    }

    fn add(&mut self, value: u64) {
        self.value += value;
        self.below = room(value);
    }
}

fn room(value: u64) -> u64 {
    match value {
        100.. => 100,
        20..=99 => 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_dictation_is_cut() {
        for text in ["один ".repeat(300), "9".repeat(300)] {
            assert_eq!(digits(&text).sure().unwrap().len(), MAX_DIGITS);
        }
    }
}
