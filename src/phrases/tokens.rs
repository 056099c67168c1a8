//! An utterance as a row of numbers and words, with what stood between them: what sums, dates and times are read from.
//!
//! "в 17:30" is the word "в", the number 17 and, tied to it by ':', the number 30; "двадцать пятого" is one number.

use super::numerals::{Numeral, half_of_hour, numeral};
use super::words::MAX_WORD_CHARS;

/// Characters of an utterance that are looked at.
pub(super) const MAX_CHARS: usize = 2_000;
/// Largest number that is read.
pub(super) const MAX_NUMBER: u64 = 999_999_999_999;

/// A word or a run of digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Lower case, ё as е.
    pub text: String,
    /// What ties it to the token before it: `Some('\0')` where nothing stands between ("25го"), `Some(':')` where that one
    /// sign does, `None` after a space.
    pub tie: Option<char>,
    /// A comma, full stop or the like with a space stood before it.
    pub pause: bool,
}

impl Token {
    pub(super) fn is_digits(&self) -> bool {
        self.text.bytes().all(|b| b.is_ascii_digit())
    }
}

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut word = String::new();
    let mut chars = 0;
    let mut between = String::new();
    let mut before = String::new();
    for c in text.chars().take(MAX_CHARS).flat_map(char::to_lowercase) {
        match c {
            '\u{306}' if word.ends_with('и') => {
                word.pop();
                word.push('й');
            }
            '\u{300}'..='\u{36f}' | '\'' | '’' | 'ʼ' | '\u{ad}' => {}
            c if c.is_alphanumeric() || c == '₽' => {
                let c = if c == 'ё' { 'е' } else { c };
                let digit = c.is_ascii_digit();
                let turns = word
                    .chars()
                    .next_back()
                    .is_some_and(|last| last.is_ascii_digit() != digit);
                if turns {
                    push(&mut found, &mut word, &before);
                    before.clear();
                    chars = 0;
                } else if word.is_empty() {
                    before = std::mem::take(&mut between);
                }
                if chars < MAX_WORD_CHARS {
                    word.push(c);
                    chars += 1;
                }
            }
            c => {
                if !word.is_empty() {
                    push(&mut found, &mut word, &before);
                    chars = 0;
                    between.clear();
                }
                if between.len() < 8 {
                    between.push(c);
                }
            }
        }
    }
    if !word.is_empty() {
        push(&mut found, &mut word, &before);
    }
    found
}

fn push(found: &mut Vec<Token>, word: &mut String, before: &str) {
    let mut signs = before.chars();
    let tie = match (signs.next(), signs.next()) {
        _ if found.is_empty() => before
            .chars()
            .next_back()
            .filter(|c| matches!(c, '+' | '-' | '−'))
            .map(|c| if c == '+' { c } else { '-' }),
        (None, _) => Some('\0'),
        (Some(sign), None) if !sign.is_whitespace() => Some(if matches!(sign, '–' | '—') {
            '-'
        } else {
            sign
        }),
        _ => before.ends_with('+').then_some('+'),
    };
    found.push(Token {
        text: std::mem::take(word),
        tie,
        pause: before.contains([',', '.', ';', '!', '?', '…']),
    });
}

/// A number as it was said or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Num {
    /// Thousandths.
    pub milli: u64,
    /// "пятый", "25-го".
    pub ordinal: bool,
    /// An ordinal in the form of a date: "пятого".
    pub day: bool,
    /// The digits where it was written with digits only.
    pub written: Option<String>,
    /// A thousand or more was said, or "косарь": a number that stands for money where nothing else is said.
    pub scaled: bool,
    /// "полшестого", "половина шестого": an hour that lacks a half.
    pub half_of_hour: bool,
}

impl Num {
    /// The number where it has no fraction.
    pub(super) fn whole(&self) -> Option<u64> {
        self.milli
            .is_multiple_of(1_000)
            .then_some(self.milli / 1_000)
    }

    /// A cardinal from 0 to `most`.
    pub(super) fn cardinal(&self, most: u64) -> Option<u64> {
        self.whole().filter(|n| !self.ordinal && *n <= most)
    }

    fn said(milli: u64) -> Self {
        Self {
            milli,
            ordinal: false,
            day: false,
            written: None,
            scaled: false,
            half_of_hour: false,
        }
    }
}

/// A number or a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The word; empty for a number.
    pub word: String,
    /// The number.
    pub num: Option<Num>,
    /// As [`Token::tie`].
    pub tie: Option<char>,
    /// As [`Token::pause`].
    pub pause: bool,
}

impl Item {
    /// It is one of these words.
    pub(super) fn is(&self, words: &[&str]) -> bool {
        self.num.is_none() && words.contains(&self.word.as_str())
    }

    /// It is a word that begins so.
    pub(super) fn begins(&self, stems: &[&str]) -> bool {
        self.num.is_none() && stems.iter().any(|stem| self.word.starts_with(stem))
    }
}

/// The items of `text`.
pub(super) fn items(text: &str) -> Vec<Item> {
    let tokens = tokens(text);
    let mut found = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let (num, used) = match number_at(&tokens[at..]) {
            Some((num, used)) => (Some(num), used),
            None => (None, 1),
        };
        found.push(Item {
            word: if num.is_some() {
                String::new()
            } else {
                token.text.clone()
            },
            num,
            tie: token.tie,
            pause: token.pause,
        });
        at += used;
    }
    found
}

/// The number that begins at the first token, and how many tokens it takes.
fn number_at(tokens: &[Token]) -> Option<(Num, usize)> {
    let first = tokens.first()?;
    if first.is_digits() {
        return written_at(tokens);
    }
    if let Some(hour) = half_of_hour(&first.text) {
        let mut num = Num::said(u64::from(hour) * 1_000);
        num.half_of_hour = true;
        return Some((num, 1));
    }
    if first.text == "пол"
        && let Some(Numeral::Ordinal { value, day: true }) =
            tokens.get(1).and_then(|t| numeral(&t.text))
    {
        let mut num = Num::said(u64::from(value) * 1_000);
        num.half_of_hour = true;
        return Some((num, 2));
    }
    let mut reader = Reader::default();
    let mut used = 0;
    while let Some(token) = tokens.get(used) {
        // "две тысячи, пятьсот" is one number; "пять, шесть" are two by themselves.
        if token.is_digits() {
            if !(reader.after_scale && reader.takes_written(token, tokens.get(used + 1))) {
                break;
            }
            used += 1;
            continue;
        }
        match numeral(&token.text) {
            Some(numeral) if reader.take(numeral) => used += 1,
            None if used > 0 && reader.joins(&tokens[used..]) => {
                used += reader.joint(&tokens[used..]);
            }
            _ => break,
        }
        if reader.over {
            break;
        }
    }
    reader.finish().map(|num| (num, used))
}

/// Digits: "2500", "1 500", "5 тысяч 200", "25-го".
fn written_at(tokens: &[Token]) -> Option<(Num, usize)> {
    let mut digits = tokens[0].text.clone();
    let mut used = 1;
    // "1 500 000": thousands parted by spaces.
    if digits.len() <= 3 && !digits.starts_with('0') {
        while tokens.get(used).is_some_and(|t| {
            t.is_digits() && t.text.len() == 3 && t.tie.is_none_or(|c| c == '\u{a0}') && !t.pause
        }) {
            digits.push_str(&tokens[used].text);
            used += 1;
        }
    }
    let value: u64 = digits.parse().ok().filter(|n| *n <= MAX_NUMBER)?;
    let mut num = Num::said(value * 1_000);
    num.written = Some(digits);
    let after = tokens.get(used);
    let near = |t: &Token| matches!(t.tie, None | Some('\0' | '-' | '.' | ' '));
    if let Some(t) = after
        && matches!(t.tie, Some('\0' | '-'))
        && matches!(
            t.text.as_str(),
            "го" | "ого"
                | "е"
                | "ое"
                | "му"
                | "ому"
                | "й"
                | "ый"
                | "ой"
                | "я"
                | "ая"
                | "ю"
                | "ую"
                | "м"
                | "ом"
                | "st"
                | "nd"
                | "rd"
                | "th"
        )
    {
        num.ordinal = true;
        num.day = matches!(
            t.text.as_str(),
            "го" | "ого" | "е" | "ое" | "му" | "ому" | "st" | "nd" | "rd" | "th"
        );
        return Some((num, used + 1));
    }
    // "1,5 тысячи", "5 тысяч 200", "5к"
    let mut factor = num.milli;
    let mut at = used;
    if let (Some(t), Some(scale)) = (after, tokens.get(used + 1))
        && t.is_digits()
        && t.text.len() <= 3
        && matches!(t.tie, Some('.' | ','))
        && scale_of(scale).is_some()
    {
        let fraction: u64 = format!("{:0<3}", t.text).parse().ok()?;
        factor += fraction;
        at += 1;
    }
    if let Some(scale) = tokens.get(at).filter(|t| near(t)).and_then(scale_of) {
        let mut reader = Reader {
            milli: factor,
            begun: true,
            ..Reader::default()
        };
        reader.take(Numeral::Scale {
            value: scale,
            many: true,
        });
        at += 1;
        while let Some(token) = tokens.get(at) {
            let taken = if token.is_digits() {
                reader.takes_written(token, tokens.get(at + 1))
            } else {
                match numeral(&token.text) {
                    Some(Numeral::Cardinal(n)) => reader.take(Numeral::Cardinal(n)),
                    Some(Numeral::Scale { value, many }) if reader.begun => {
                        reader.take(Numeral::Scale { value, many })
                    }
                    _ => false,
                }
            };
            if !taken {
                break;
            }
            at += 1;
        }
        return reader.finish().map(|num| (num, at));
    }
    Some((num, used))
}

fn scale_of(token: &Token) -> Option<u64> {
    match (token.text.as_str(), numeral(&token.text)) {
        ("к" | "k", _) if token.tie == Some('\0') => Some(1_000),
        (_, Some(Numeral::Scale { value, .. })) => Some(value),
        _ => None,
    }
}

/// Puts number words together: hundreds, tens and units in falling order, times a thousand, and so on downwards.
#[derive(Default)]
struct Reader {
    /// What the scales before gave, thousandths.
    total: u64,
    /// The group that is being read, thousandths.
    milli: u64,
    /// The group has a word.
    begun: bool,
    /// What may still follow in the group is below this; 0 = nothing.
    below: u64,
    /// The last scale; the next has to be smaller.
    scale: u64,
    /// The last word was a scale.
    after_scale: bool,
    /// "тысячи" without a number before it: "тысячи две".
    bare: bool,
    ordinal: bool,
    day: bool,
    /// No word may follow.
    over: bool,
    any: bool,
    scaled: bool,
}

impl Reader {
    /// Takes one more word, where it can be part of the number.
    fn take(&mut self, numeral: Numeral) -> bool {
        let taken = match numeral {
            Numeral::Cardinal(n) | Numeral::Counted(n) => {
                let counted = matches!(numeral, Numeral::Counted(_));
                if counted && self.any {
                    return false;
                }
                self.over = counted;
                self.small(u64::from(n))
            }
            Numeral::Ordinal { value, day } => {
                let value = u64::from(value);
                if self.any && value >= 1_000 {
                    return false;
                }
                let taken = self.small(value);
                if taken {
                    self.ordinal = true;
                    self.day = day;
                    self.over = true;
                }
                taken
            }
            Numeral::Scale { value, many } => self.scale(value, many),
            Numeral::Milli(n) => {
                if self.begun {
                    return false;
                }
                self.milli = n;
                self.begun = true;
                self.below = 0;
                true
            }
            Numeral::Fixed(n) => {
                if self.any {
                    return false;
                }
                self.milli = n * 1_000;
                self.begun = true;
                // "полтораста пять" and "полмиллиона двести" aren't said.
                self.over = true;
                self.scaled = true;
                true
            }
        };
        if taken {
            self.after_scale = matches!(numeral, Numeral::Scale { .. });
            self.any = true;
        }
        taken
    }

    fn small(&mut self, n: u64) -> bool {
        if self.bare && (n == 0 || n > 20) {
            return false;
        }
        if self.begun {
            if n == 0 || n >= self.below {
                return false;
            }
        } else if self.scale != 0 && (n == 0 || n >= self.scale) {
            return false;
        }
        self.milli += n * 1_000;
        self.begun = true;
        self.below = match n {
            100.. => 100,
            20..=99 => 10,
            _ => 0,
        };
        if self.bare {
            // "тысячи две": about two thousand.
            self.milli *= self.scale;
            self.total = 0;
            self.over = true;
        }
        true
    }

    fn scale(&mut self, value: u64, many: bool) -> bool {
        if self.ordinal || (self.scale != 0 && !self.begun) {
            return false;
        }
        if value == 100 {
            // English: "two hundred and five" stays in the group.
            let units = if self.begun { self.milli / 1_000 } else { 1 };
            if units == 0 || units > 19 || self.below == 100 {
                return false;
            }
            self.milli = units * 100_000;
            self.begun = true;
            self.below = 100;
            return true;
        }
        if self.scale != 0 && value >= self.scale {
            return false;
        }
        if !self.begun {
            self.bare = many && !self.any;
            self.milli = 1_000;
        }
        let Some(product) = self.milli.checked_mul(value) else {
            return false;
        };
        if product / 1_000 > MAX_NUMBER {
            return false;
        }
        if self.bare {
            self.milli = 0;
            self.total = product;
        } else {
            self.total += product;
            self.milli = 0;
        }
        self.begun = false;
        self.below = 0;
        self.scale = value;
        self.scaled = true;
        true
    }

    /// Digits after a scale: "5 тысяч 200".
    fn takes_written(&mut self, token: &Token, after: Option<&Token>) -> bool {
        let small = token
            .text
            .parse::<u64>()
            .ok()
            .filter(|n| *n > 0 && *n < self.scale);
        let (Some(n), None, false, false) = (small, token.tie, self.begun, self.bare) else {
            return false;
        };
        if after.is_some_and(|t| t.is_digits() && t.tie.is_some()) {
            return false;
        }
        self.milli = n * 1_000;
        self.begun = true;
        self.below = 0;
        self.after_scale = false;
        true
    }

    /// "с половиной", "and" within an English number, "and a half".
    fn joins(&self, tokens: &[Token]) -> bool {
        self.joint_words(tokens) > 0
    }

    fn joint_words(&self, tokens: &[Token]) -> usize {
        let word = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
        if !self.begun || self.ordinal {
            return 0;
        }
        match (word(0), word(1), word(2)) {
            ("с", "половиной" | "половинкой", _) if self.milli.is_multiple_of(1_000) => {
                2
            }
            ("and", "a", "half") => 3,
            ("and", next, _)
                if self.below == 100
                    && matches!(numeral(next), Some(Numeral::Cardinal(n)) if n > 0 && n < 100)
                    && next.is_ascii() =>
            {
                1
            }
            _ => 0,
        }
    }

    fn joint(&mut self, tokens: &[Token]) -> usize {
        let used = self.joint_words(tokens);
        if used > 1 {
            self.milli += 500;
            self.below = 0;
        }
        used
    }

    fn finish(self) -> Option<Num> {
        if !self.any {
            return None;
        }
        let mut num = Num::said(self.total + self.milli);
        num.ordinal = self.ordinal;
        num.day = self.day;
        num.scaled = self.scaled;
        Some(num)
    }
}
