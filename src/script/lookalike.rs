//! Latin letters that look like Russian ones: on the screen `cказать` and `сказать` are the same, and no name fits.

/// Latin letters and the Russian ones that they are taken for.
const PAIRS: [(char, char); 22] = [
    ('a', 'а'),
    ('c', 'с'),
    ('e', 'е'),
    ('o', 'о'),
    ('p', 'р'),
    ('x', 'х'),
    ('y', 'у'),
    ('k', 'к'),
    ('A', 'А'),
    ('B', 'В'),
    ('C', 'С'),
    ('E', 'Е'),
    ('H', 'Н'),
    ('K', 'К'),
    ('M', 'М'),
    ('O', 'О'),
    ('P', 'Р'),
    ('T', 'Т'),
    ('X', 'Х'),
    ('Y', 'У'),
    ('m', 'м'),
    ('t', 'т'),
];

/// The name as if it had been typed in Russian.
fn in_russian(name: &str) -> String {
    let russian = |c: char| PAIRS.iter().find(|(latin, _)| *latin == c).map(|p| p.1);
    name.chars().map(|c| russian(c).unwrap_or(c)).collect()
}

/// The letters of `name` that only look like those of `meant`; empty where the two are different words.
pub(super) fn foreign(name: &str, meant: &str) -> String {
    if name == meant || in_russian(name) != in_russian(meant) {
        return String::new();
    }
    let mut letters = String::new();
    for (c, m) in name.chars().zip(meant.chars()) {
        if c != m && !letters.contains(c) {
            letters.push(c);
        }
    }
    letters
}

/// The letters of a word that is written in both alphabets and would be a Russian one without them.
pub(super) fn latin_inside(word: &str) -> String {
    let is_russian = |c: char| matches!(c, 'а'..='я' | 'А'..='Я' | 'ё' | 'Ё');
    let russian = in_russian(word);
    if !word.chars().any(is_russian) || russian.chars().any(|c| c.is_ascii_alphabetic()) {
        return String::new();
    }
    foreign(word, &russian)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_another_alphabet_are_found() {
        assert_eq!(foreign("cказать", "сказать"), "c");
        assert_eq!(foreign("завeршитb", "завершить"), "");
        assert_eq!(foreign("рlay", "play"), "р");
        assert_eq!(foreign("a", "а"), "a");
        assert_eq!(foreign("да", "да"), "");
        assert_eq!(latin_inside("oпoздаю"), "o");
        assert_eq!(latin_inside("sms-ка"), "");
        assert_eq!(latin_inside("опоздаю"), "");
        assert_eq!(latin_inside("cep"), "");
    }
}
