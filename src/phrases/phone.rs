//! Telephone numbers as they are said and written in Russia: "восемь девятьсот двенадцать сто двадцать три сорок пять
//! шестьдесят семь" is +79121234567.

use super::digits;
use super::found::Found;
use super::tokens::{Token, tokens};

/// Fewest digits that look like a telephone number that is said wrong or cut short.
const SUSPICIOUS: usize = 9;
/// Digits of a number with its country: the most of E.164.
const MOST: usize = 15;

/// The telephone number in `text` as it is dialed from anywhere: `+7` and ten digits, or `+` and another country's. Too few or
/// too many digits are unsure, with no reading.
pub fn phone(text: &str) -> Found<String> {
    of_tokens(&tokens(text))
}

pub(super) fn of_tokens(tokens: &[Token]) -> Found<String> {
    let found = match digits::of_tokens(tokens) {
        Found::Nothing => return Found::Nothing,
        Found::Sure(digits) => vec![digits],
        Found::Unsure(readings) => readings,
    };
    let plus = tokens
        .iter()
        .any(|t| t.tie == Some('+') || matches!(t.text.as_str(), "плюс" | "plus"));
    let phones: Vec<String> = found
        .iter()
        .filter_map(|digits| normalized(digits, plus))
        .collect();
    let digits = found.first().map_or(0, String::len);
    match phones.as_slice() {
        [one] if found.len() == 1 => Found::Sure(one.clone()),
        [] if digits >= SUSPICIOUS || (digits >= 5 && names_a_phone(tokens)) => {
            Found::Unsure(Vec::new())
        }
        [] => Found::Nothing,
        _ => Found::Unsure(phones),
    }
}

fn normalized(digits: &str, plus: bool) -> Option<String> {
    match (digits.len(), digits.as_bytes().first()?) {
        // Codes of places begin with 3, 4, 8; mobile ones with 9.
        (11, b'7' | b'8')
            if matches!(
                digits.as_bytes().get(1),
                Some(b'3' | b'4' | b'7' | b'8' | b'9')
            ) =>
        {
            Some(format!("+7{}", &digits[1..]))
        }
        // No place has a code of 89: that is a mobile number cut short.
        (10, b'8') if digits.as_bytes().get(1) == Some(&b'9') => None,
        (10, b'3' | b'4' | b'8' | b'9') if !plus => Some(format!("+7{digits}")),
        (11..=MOST, b'1'..=b'6' | b'9' | b'8') if plus => Some(format!("+{digits}")),
        _ => None,
    }
}

fn names_a_phone(tokens: &[Token]) -> bool {
    tokens.iter().any(|t| {
        ["телефон", "мобильн", "сотов", "phone"]
            .iter()
            .any(|stem| t.text.starts_with(stem))
    })
}
