//! Russian keywords: `если` is `if`, as 1C's own language has it. Faults keep their line and column, since only tokens
//! are changed, never the text.

use std::borrow::Cow;

use rhai::Token;

use super::fill::written;

/// A keyword under its two names.
#[derive(Clone, Copy)]
pub struct Keyword {
    /// Rhai's own.
    pub en: &'static str,
    /// All that mean it in Russian; the first is the one that the guide teaches.
    pub ru: &'static [&'static str],
    /// What the parser is given.
    token: fn() -> Token,
}

const fn row(en: &'static str, ru: &'static [&'static str], token: fn() -> Token) -> Keyword {
    Keyword { en, ru, token }
}

/// All of them.
pub const KEYWORDS: &[Keyword] = &[
    row("if", &["если"], || Token::If),
    row("else", &["иначе"], || Token::Else),
    row("switch", &["выбор"], || Token::Switch),
    row("while", &["пока"], || Token::While),
    row("loop", &["повторять"], || Token::Loop),
    row("do", &["делать"], || Token::Do),
    row("until", &["до"], || Token::Until),
    row("for", &["для"], || Token::For),
    row("in", &["в", "из"], || Token::In),
    row("break", &["прервать"], || Token::Break),
    row("continue", &["продолжить"], || Token::Continue),
    row("fn", &["функция", "процедура"], || {
        Token::Fn
    }),
    row("private", &["личная"], || Token::Private),
    row("return", &["вернуть", "возврат"], || {
        Token::Return
    }),
    row("let", &["пусть", "перем"], || Token::Let),
    row("const", &["постоянная"], || Token::Const),
    row("true", &["истина"], || Token::True),
    row("false", &["ложь"], || Token::False),
    row("&&", &["и"], || Token::And),
    row("||", &["или"], || Token::Or),
    row("!", &["не"], || Token::Bang),
    row("try", &["попробовать"], || Token::Try),
    row("catch", &["исключение"], || Token::Catch),
    row(
        "throw",
        &["вызвать_исключение", "вызватьисключение"],
        || Token::Throw,
    ),
    row("import", &["импорт"], || Token::Import),
    row("export", &["экспорт"], || Token::Export),
    row("as", &["как"], || Token::As),
    row("()", &["неопределено"], || Token::Unit),
];

/// What the parser is given for a token of the text. `Если` and `ЕСЛИ` are `если`, too; `is` may be a method's name,
/// though Rhai reserves it.
pub(super) fn translate(token: Token) -> Token {
    match token {
        Token::Identifier(name) => match keyword(&name) {
            Some(keyword) => (keyword.token)(),
            None => Token::Identifier(name),
        },
        Token::Reserved(word) if *word == "is" => Token::Identifier(word),
        // `${name}` between double quotes.
        Token::StringConstant(text) => match written(&text) {
            Cow::Owned(own) => Token::StringConstant(Box::new(own.into())),
            Cow::Borrowed(_) => Token::StringConstant(text),
        },
        other => other,
    }
}

fn keyword(name: &str) -> Option<&'static Keyword> {
    // Only Cyrillic words can be one: most names are not, and cost nothing.
    if name.is_ascii() {
        return None;
    }
    let find = |name: &str| KEYWORDS.iter().find(|k| k.ru.contains(&name));
    find(name).or_else(|| find(&name.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_name_means_one_keyword_and_the_token_is_its_own() {
        let mut seen = HashSet::new();
        for keyword in KEYWORDS {
            for ru in keyword.ru {
                assert!(seen.insert(*ru), "{ru} stands twice");
                assert_eq!(ru.to_lowercase(), **ru);
            }
            assert_eq!((keyword.token)().literal_syntax(), keyword.en);
        }
    }
}
