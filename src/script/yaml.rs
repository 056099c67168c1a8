//! What a YAML reader's complaint means to the person who wrote the file, and what such files have in common.

use crate::config::Language;

use super::tr;

/// What to mend, from the reader's English sentence and the line that it complains of; `None` where it is of another kind.
pub fn slip(english: &str, line: &str, language: Language) -> Option<String> {
    if english.contains("tab") && (line.contains('\t') || english.contains("tabs")) {
        return Some(tr!(
            language,
            "здесь табуляция: отступы в YAML делают только пробелами",
            "there is a tab: YAML is indented by spaces only"
        ));
    }
    if let Some((name, value)) = glued(line) {
        return Some(tr!(
            language,
            "после двоеточия нужен пробел: {name}: {value}",
            "a space is wanted behind the colon: {name}: {value}"
        ));
    }
    if english.contains("mapping values are not allowed") {
        return Some(tr!(
            language,
            "лишнее двоеточие или другой отступ: текст с двоеточием внутри берут в кавычки, а строки одного набора начинают с одного места",
            "a colon too many, or another indent: a text with a colon stands in quotes, lines of one map begin at one column"
        ));
    }
    let unclosed = english.contains("unclosed quote") || english.contains("quoted scalar");
    unclosed.then(|| tr!(language, "кавычка не закрыта", "a quote isn't closed"))
}

/// `имя:Анна`, which is one text to YAML.
fn glued(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().trim_start_matches("- ").trim_start();
    let (name, value) = line.split_once(':')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_glued = value.starts_with(|c: char| c.is_alphabetic() || matches!(c, '[' | '{' | '"'));
    (is_name && is_glued).then_some((name, value))
}

/// A file that isn't UTF-8.
pub fn not_utf8(language: Language) -> String {
    tr!(
        language,
        "файл не в UTF-8: откройте его в редакторе и сохраните в кодировке UTF-8 (в Блокноте — «Сохранить как», внизу «Кодировка»)",
        "the file is not UTF-8: save it as UTF-8"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_become_what_to_do() {
        for (english, line, part) in [
            (
                "tabs disallowed within this context",
                "\tимя: Анна",
                "табуляция",
            ),
            (
                "while scanning a plain scalar, found a tab",
                "а:\t",
                "табуляция",
            ),
            ("expected mapping start", "  имя:Анна", "имя: Анна"),
            (
                "mapping values are not allowed",
                "  имя: Анна: да",
                "двоеточие",
            ),
            ("unclosed quote", "title: \"а", "кавычка"),
        ] {
            let told = slip(english, line, Language::Ru).unwrap();
            assert!(told.contains(part), "{english}: {told}");
        }
        assert_eq!(
            slip("expected sequence start", "время: 10:30", Language::Ru),
            None
        );
        assert_eq!(glued("url: http://x"), None);
    }
}
