//! The number that an utterance says: "двести пятьдесят", "полтора", "пятый", "2,5", "минус десять".

use super::corrections::corrections;
use super::found::{Found, MAX_READINGS};
use super::tokens::{Item, items};

/// A number of at most three decimal places, up to 999,999,999,999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    thousandths: i64,
}

impl Number {
    /// From thousandths.
    pub fn from_thousandths(thousandths: i64) -> Self {
        Self { thousandths }
    }

    /// The number where it is a whole one.
    pub fn whole(self) -> Option<i64> {
        (self.thousandths % 1_000 == 0).then_some(self.thousandths / 1_000)
    }

    /// Thousandths.
    pub fn thousandths(self) -> i64 {
        self.thousandths
    }

    /// The nearest floating point number: what JSON and scripts show.
    pub fn as_f64(self) -> f64 {
        // At most 10^15: exact in 53 bits before the division.
        self.thousandths as f64 / 1_000.0
    }
}

/// The number in `text`. Several different ones are unsure; one that is part of a date with its month, of a time with its
/// minutes or of a telephone number doesn't count.
pub fn number(text: &str) -> Found<Number> {
    let items = items(text);
    of_items(&items)
}

pub(super) fn of_items(items: &[Item]) -> Found<Number> {
    for part in parts_from_last(items) {
        let mut numbers = Vec::new();
        read(part, &mut numbers);
        numbers.dedup();
        match numbers.as_slice() {
            [] => {}
            [one] => return Found::Sure(*one),
            _ => {
                // Dictation has no likeliest number, two numbers have.
                numbers.truncate(MAX_READINGS);
                return Found::Unsure(if numbers.len() == 2 {
                    numbers
                } else {
                    Vec::new()
                });
            }
        }
    }
    Found::Nothing
}

/// The parts of an utterance in which a value is looked for: after the last correction first, then further back, the
/// whole last. "нет" corrects a value: "в пять, нет, в шесть".
pub(super) fn parts_from_last(items: &[Item]) -> impl Iterator<Item = &[Item]> {
    let mut starts: Vec<usize> = corrections(items.len(), |at| items[at].word.as_str())
        .into_iter()
        .map(|c| c.after)
        .collect();
    starts.extend(
        (0..items.len())
            .filter(|at| items[*at].is(&["нет", "no"]))
            .map(|at| at + 1),
    );
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    let mut end = items.len();
    starts.into_iter().rev().map(move |start| {
        let part = &items[start..end.max(start)];
        end = start;
        part
    })
}

fn read(items: &[Item], numbers: &mut Vec<Number>) {
    let mut at = 0;
    while at < items.len() {
        let item = &items[at];
        let Some(num) = &item.num else {
            at += 1;
            continue;
        };
        // "17:30", "25.11.2026", "10-12": no numbers of their own; "2,5" is one.
        let tied = items[at + 1..]
            .iter()
            .take_while(|next| {
                next.num.as_ref().is_some_and(|n| n.written.is_some())
                    && next.tie.is_some_and(|c| ".,:/-".contains(c))
            })
            .count();
        if num.written.is_some() && tied > 0 {
            if tied == 1
                && let Some(fraction) = decimal(num.milli, &items[at + 1])
            {
                numbers.push(signed(items, at, fraction));
            }
            at += tied + 1;
            continue;
        }
        // "три целых пять десятых"
        if let (Some(whole), Some(part)) = (
            items.get(at + 1),
            items.get(at + 2).and_then(|i| i.num.as_ref()),
        ) && whole.begins(&["целы", "целая", "целую"])
        {
            let (tenth, used) = match items.get(at + 3) {
                Some(i) if i.begins(&["сотых", "сотая"]) => (10, 4),
                Some(i) if i.begins(&["тысячн"]) => (1, 4),
                Some(i)
                    if i.num
                        .as_ref()
                        .is_some_and(|n| n.ordinal && n.milli == 10_000) =>
                {
                    (100, 4)
                }
                Some(i)
                    if i.num
                        .as_ref()
                        .is_some_and(|n| n.ordinal && n.milli == 100_000) =>
                {
                    (10, 4)
                }
                _ => (if part.milli < 10_000 { 100 } else { 10 }, 3),
            };
            numbers.push(signed(items, at, num.milli + part.milli / 1_000 * tenth));
            at += used;
            continue;
        }
        // "двадцать пятого ноября" is a day, "десять минут шестого" a time, "половина шестого" too.
        let dated = items
            .get(at + 1)
            .is_some_and(|next| super::calendar::month_of(next).is_some());
        if !(dated || num.half_of_hour) {
            numbers.push(signed(items, at, num.milli));
        }
        at += 1;
    }
}

/// "2,5" and "2.50", but "25.11" is a day.
fn decimal(milli: u64, next: &Item) -> Option<u64> {
    let digits = next.num.as_ref()?.written.as_ref()?;
    let sign = next.tie?;
    let day = sign == '.'
        && digits.len() == 2
        && matches!(digits.parse::<u32>(), Ok(1..=12))
        && (1_000..=31_000).contains(&milli);
    if !(sign == ',' || sign == '.') || digits.len() > 3 || day {
        return None;
    }
    let fraction: u64 = format!("{digits:0<3}").parse().ok()?;
    Some(milli + fraction)
}

fn signed(items: &[Item], at: usize, milli: u64) -> Number {
    let minus =
        at > 0 && items[at - 1].is(&["минус", "minus"]) || items[at].tie == Some('-') && at == 0;
    let value = i64::try_from(milli).unwrap_or(i64::MAX);
    Number {
        thousandths: if minus { -value } else { value },
    }
}
