//! Slips that only the text around a parser's fault tells: habits of 1C's own language, a missing `#`, `=` for `==`, quotes
//! inside of quotes, text without any.

use rhai::{ParseErrorType, Position};

use crate::config::Language;

use super::recover::{byte_at, is_letter, unclosed};
use super::tr;
use super::words;

/// A word of 1C's language that isn't one here, in small letters, and what to write.
struct Habit {
    words: &'static [&'static str],
    ru: &'static str,
    en: &'static str,
    /// The parser stumbles over what follows it.
    is_before: bool,
}

const fn habit(words: &'static [&'static str], ru: &'static str, en: &'static str) -> Habit {
    Habit {
        words,
        ru,
        en,
        is_before: false,
    }
}

const HABITS: &[Habit] = &[
    habit(
        &["тогда", "then"],
        "слова «Тогда» здесь нет: если условие { ... } иначе { ... }",
        "there is no \"then\": if condition { ... } else { ... }",
    ),
    habit(
        &[
            "конецесли",
            "конеццикла",
            "конецфункции",
            "конецпроцедуры",
            "конецпопытки",
            "endif",
        ],
        "вместо этого слова ставят закрывающую скобку }; открывающая { стоит перед телом",
        "instead of this word there is a closing }; the opening { stands before the body",
    ),
    habit(
        &["иначеесли", "elsif", "elseif", "elif"],
        "пишут двумя словами: } иначе если условие {",
        "two words: } else if condition {",
    ),
    habit(
        &["цикл"],
        "слова «Цикл» здесь нет, тело берут в фигурные скобки: для х из 1..=3 { ... }, пока условие { ... }",
        "the body of a loop stands in braces: for x in 1..=3 { ... }, while condition { ... }",
    ),
    habit(
        &["новый", "new"],
        "«Новый» не нужен: набор значений пишут #{ имя: значение }, список — [1, 2, 3]",
        "no \"new\": a map is #{ name: value }, a list [1, 2, 3]",
    ),
    habit(
        &["сообщить"],
        "сказать человеку — сказать(\"...\"), записать в историю звонка — журнал(\"...\")",
        "to the person: say(\"...\"), into the history: log(\"...\")",
    ),
    habit(
        &["экспорт"],
        "«Экспорт» не нужен: все функции файла из lib видны тем, кто его подключил",
        "no \"export\" here: all functions of a lib file are seen by who imports it",
    ),
    Habit {
        words: &["каждого", "each"],
        ru: "«Каждого» не нужно: для х из список { ... }",
        en: "no \"each\": for x in list { ... }",
        is_before: true,
    },
    Habit {
        words: &["попытка"],
        ru: "вместо «Попытка» пишут: попробовать { ... } исключение { ... }",
        en: "instead of this word: try { ... } catch { ... }",
        is_before: true,
    },
];

/// What a word of 1C's language is here.
pub(super) fn of_1c(word: &str, language: Language) -> Option<String> {
    let word = word.to_lowercase();
    let habit = HABITS.iter().find(|h| h.words.contains(&word.as_str()))?;
    Some(language.pick(habit.ru, habit.en).to_owned())
}

/// The text around a fault.
struct Around<'t> {
    before: &'t str,
    word: &'t str,
    after: &'t str,
}

/// What the text says of a parser's fault; `None` where the fault itself says it all.
pub(super) fn told(
    error: &ParseErrorType,
    text: &str,
    position: Position,
    language: Language,
) -> Option<String> {
    let (before, rest) = text.split_at_checked(byte_at(text, position)?)?;
    let end = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
    let around = Around {
        before,
        word: &rest[..end],
        after: &rest[end..],
    };
    let is_name = matches!(error, ParseErrorType::VariableUndefined(_));
    around
        .habit(is_name, language)
        .or_else(|| around.signs(error, language))
        .or_else(|| around.name(error, language))
}

impl Around<'_> {
    /// `is_name`: the parser knows no such name, so that the word itself is what is wrong.
    fn habit(&self, is_name: bool, language: Language) -> Option<String> {
        let word = self.word.to_lowercase();
        let here = HABITS
            .iter()
            .find(|h| (is_name || !h.is_before) && h.words.contains(&word.as_str()));
        if let Some(habit) = here {
            return Some(language.pick(habit.ru, habit.en).to_owned());
        }
        let before = self.before.trim_end();
        let length: usize = before
            .chars()
            .rev()
            .take_while(|c| is_letter(*c))
            .map(char::len_utf8)
            .sum();
        let (head, last) = before.split_at(before.len() - length);
        let last = last.to_lowercase();
        let habit = HABITS
            .iter()
            .find(|h| h.is_before && h.words.contains(&last.as_str()))?;
        // `попытка` is a value of the call's, too: only where a statement begins it is 1C's word.
        let begins = head.trim_end().is_empty() || head.trim_end().ends_with([';', '{', '}']);
        (begins || last != "попытка").then(|| language.pick(habit.ru, habit.en).to_owned())
    }

    /// Signs that mean something else in 1C, or are missing.
    fn signs(&self, error: &ParseErrorType, language: Language) -> Option<String> {
        use ParseErrorType as P;
        let is_here = |sign: &str| self.word.is_empty() && self.after.starts_with(sign);
        if is_here("=") && !is_here("==") {
            return match error {
                P::MissingToken(token, _) if token == ":" => Some(tr!(
                    language,
                    "после имени ставят двоеточие, а не «=»: имя: значение",
                    "a colon stands behind the name, no \"=\": name: value"
                )),
                P::MissingToken(token, _) if token == "in" => None,
                P::MissingToken(..) => Some(tr!(
                    language,
                    "здесь нужно ==, а не =",
                    "== is wanted here, not ="
                )),
                _ => None,
            };
        }
        if is_here(">") && self.before.ends_with('<') {
            return Some(tr!(
                language,
                "«не равно» пишут !=, а не <>",
                "\"not equal\" is !=, not <>"
            ));
        }
        let begins_line = self.before.is_empty() || self.before.ends_with('\n');
        if begins_line && (is_here("#") || is_here("&")) && !is_here("#{") {
            return Some(tr!(
                language,
                "строк с # и & здесь не бывает; заметка начинается с //",
                "there are no lines with # or & here; a note begins with //"
            ));
        }
        let quoted = self.before.ends_with('"') && !self.word.is_empty();
        if quoted && matches!(error, P::MissingToken(..)) {
            return Some(tr!(
                language,
                "не хватает знака между \" и «{word}». Если это кавычки внутри текста, пишите их «ёлочками» или \\\"",
                "a sign is missing between \" and {word:?}. Quotes inside of a text are written \\\"",
                word = self.word
            ));
        }
        None
    }

    /// A name that nobody knows.
    fn name(&self, error: &ParseErrorType, language: Language) -> Option<String> {
        let ParseErrorType::VariableUndefined(name) = error else {
            return None;
        };
        let after = self.after.trim_start();
        let before = self.before.trim_end();
        if after.starts_with(':') && !after.starts_with("::") && before.ends_with('{') {
            return Some(tr!(
                language,
                "перед скобкой нет знака #: настройки пишут #{{ {name}: ... }}",
                "there is no # before the brace: settings are #{{ {name}: ... }}"
            ));
        }
        if words::function(name).is_some() && !after.starts_with('(') {
            return Some(tr!(
                language,
                "после «{name}» нужны скобки: {name}(...)",
                "{name:?} needs brackets: {name}(...)"
            ));
        }
        let is_set = after.starts_with('=') && !after.starts_with("==");
        let begins = before.is_empty() || before.ends_with([';', '{', '}']);
        if is_set && begins {
            return Some(tr!(
                language,
                "переменной «{name}» ещё нет: в первый раз пишут пусть {name} = ...",
                "there is no variable {name:?} yet: the first time it is let {name} = ..."
            ));
        }
        None
    }
}

/// The place and the sentence of a bracket that is never closed, where the parser only noticed it further down.
pub(super) fn open_bracket(
    error: &ParseErrorType,
    text: &str,
    position: Position,
    language: Language,
) -> Option<(Position, String)> {
    use ParseErrorType as P;
    if !matches!(
        error,
        P::MissingToken(..) | P::UnexpectedEOF | P::BadInput(..) | P::ExprExpected(_)
    ) {
        return None;
    }
    let (open, at, closer) = unclosed(text)?;
    let place = super::recover::place_of(text, at);
    if place.line() >= position.line() {
        return None;
    }
    let wanted = match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    let found = closer.map_or_else(String::new, |at| {
        let line = super::recover::place_of(text, at).line().unwrap_or(0);
        let is = text[at..].chars().next().unwrap_or(wanted);
        tr!(
            language,
            " (в строке {line} вместо неё стоит «{is}»)",
            " (line {line} has {is:?} instead)"
        )
    });
    let message = tr!(
        language,
        "скобка «{open}» не закрыта: не хватает «{wanted}»{found}",
        "the bracket {open:?} isn't closed: {wanted:?} is missing{found}"
    );
    Some((place, message))
}
