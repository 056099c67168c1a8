//! Everything that can be read from an utterance besides answers, at once.

use jiff::civil::{Date, DateTime, Time};

use super::found::{Found, Span};
use super::number::Number;
use super::sum::Sum;
use super::tokens::{items, tokens};
use super::{date, digits, number, phone, sum, time};

/// What an utterance says in figures. A dialog that needs one of them asks its own function ([`super::date()`] and so on).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// A number.
    pub number: Found<Number>,
    /// Digits as they were dictated.
    pub digits: Found<String>,
    /// A telephone number: `+79121234567`.
    pub phone: Found<String>,
    /// Money, in roubles.
    pub sum: Found<Sum>,
    /// A day or a stretch of days.
    pub date: Found<Span<Date>>,
    /// A time or a stretch of time.
    pub time: Found<Span<Time>>,
}

impl Extracted {
    /// Reads `text` (its first 2,000 characters); `now` is the call's own date and time where the person is.
    pub fn of(text: &str, now: DateTime) -> Self {
        let tokens = tokens(text);
        let items = items(text);
        let mut all = Self {
            number: number::of_items(&items),
            digits: digits::of_tokens(&tokens),
            phone: phone::of_tokens(&tokens),
            sum: sum::of_items(&items),
            date: date::of_items(&items, now.date()),
            time: time::of_items(&items, now),
        };
        // "сто рублей двадцать копеек": two numbers, but nobody meant one of them.
        let explained = !(all.phone.is_nothing()
            && all.sum.is_nothing()
            && all.date.is_nothing()
            && all.time.is_nothing());
        if all.number.is_unsure() && explained {
            all.number = Found::Nothing;
        }
        all
    }

    /// Names of what was said but can't be told for sure, as scripts call them.
    pub fn unsure(&self) -> Vec<&'static str> {
        [
            ("number", self.number.is_unsure()),
            ("digits", self.digits.is_unsure()),
            ("phone", self.phone.is_unsure()),
            ("sum", self.sum.is_unsure()),
            ("date", self.date.is_unsure()),
            ("time", self.time.is_unsure()),
        ]
        .into_iter()
        .filter_map(|(name, unsure)| unsure.then_some(name))
        .collect()
    }
}
