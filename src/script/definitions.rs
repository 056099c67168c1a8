//! The vocabulary for people and editors, out of the same tables as the engine and `check`.

use std::fmt::Write;

use super::keywords::KEYWORDS;
use super::options::SETTINGS;
use super::words::{ANSWERS, Kind, WORDS, Word};

/// A table of the reference.
#[derive(Clone, Debug)]
pub struct Table {
    /// What it is of, in Russian.
    pub title: &'static str,
    /// Markdown.
    pub text: String,
}

/// The vocabulary as Rhai's definition file (`.d.rhai`), by which editors complete and explain words.
pub fn editor() -> String {
    let mut out = String::from("module static;\n");
    for word in WORDS {
        for name in [word.en, word.ru] {
            let _ = writeln!(out, "\n/// {}\n///\n/// {}", word.doc_ru, word.doc_en);
            let example = if name == word.en {
                word.example.to_owned()
            } else {
                russian(word.example)
            };
            let _ = writeln!(out, "///\n/// ```rhai\n/// {example}\n/// ```");
            declare(&mut out, word, name);
        }
    }
    out
}

fn declare(out: &mut String, word: &Word, name: &str) {
    let gives = match word.gives() {
        "" => String::new(),
        kind => format!(" -> {kind}"),
    };
    match word.kind {
        Kind::Function(_) => {
            let all = word.parameters();
            for count in word.arity() {
                let list: Vec<String> = all
                    .iter()
                    .take(count)
                    .map(|p| {
                        let of = if name == word.en { p.en } else { p.ru };
                        format!("{of}: {}", p.kind)
                    })
                    .collect();
                let _ = writeln!(out, "fn {name}({}){gives};", list.join(", "));
            }
        }
        Kind::Value(_) => {
            let _ = writeln!(out, "const {name}: {};", word.gives());
        }
        Kind::Field(..) => {
            let _ = writeln!(out, "fn get {name}(reply: Reply){gives};");
        }
        Kind::Answer(..) => {
            let _ = writeln!(out, "fn get {name}(answer: Answer){gives};");
        }
        Kind::Method(_) => {
            let _ = writeln!(out, "fn {name}(reply: Reply, name: string){gives};");
        }
        Kind::Handler => {
            let _ = writeln!(out, "// fn {name}{} {{ ... }}", word.form(name));
        }
    }
}

/// The vocabulary as tables in Russian.
pub fn reference() -> Vec<Table> {
    let of = |wanted: fn(&Kind) -> bool| WORDS.iter().filter(move |w| wanted(&w.kind));
    let mut words = head(&["по-русски", "по-английски", "что делает", "пример"]);
    for word in of(|k| matches!(k, Kind::Function(_) | Kind::Value(_) | Kind::Handler)) {
        let form = match word.kind {
            Kind::Value(_) => String::new(),
            _ => word.form(word.ru),
        };
        row(
            &mut words,
            &[
                &code(&format!("{}{form}", word.ru)),
                &code(word.en),
                word.doc_ru,
                &code(&russian(word.example)),
            ],
        );
    }
    let fields = |wanted: fn(&Kind) -> bool| {
        let mut table = head(&["по-русски", "по-английски", "что это", "пример"]);
        for word in of(wanted) {
            let form = match word.kind {
                Kind::Method(_) => word.form(word.ru),
                _ => String::new(),
            };
            row(
                &mut table,
                &[
                    &code(&format!(".{}{form}", word.ru)),
                    &code(&format!(".{}", word.en)),
                    word.doc_ru,
                    &code(&russian(word.example)),
                ],
            );
        }
        table
    };
    let mut settings = head(&["по-русски", "по-английски", "что значит", "пример"]);
    for setting in SETTINGS {
        row(
            &mut settings,
            &[
                &code(setting.ru),
                &code(setting.en),
                setting.doc_ru,
                &code(&russian(&format!("{}: {}", setting.en, setting.example))),
            ],
        );
    }
    let mut answers = head(&["по-русски", "по-английски"]);
    for (en, ru) in ANSWERS {
        row(&mut answers, &[&code(ru), &code(en)]);
    }
    let mut keywords = head(&["по-русски", "по-английски"]);
    for keyword in KEYWORDS {
        let ru: Vec<String> = keyword.ru.iter().map(|k| code(k)).collect();
        row(&mut keywords, &[&ru.join(", "), &code(keyword.en)]);
    }
    [
        ("слова", words),
        (
            "ответ человека",
            fields(|k| matches!(k, Kind::Field(..) | Kind::Method(_))),
        ),
        ("ответ сервера", fields(|k| matches!(k, Kind::Answer(..)))),
        ("настройки", settings),
        ("готовые ответы", answers),
        ("слова языка", keywords),
    ]
    .map(|(title, text)| Table { title, text })
    .to_vec()
}

/// An example with the Russian name of each word.
pub(super) fn russian(example: &str) -> String {
    let mut out = String::new();
    let mut rest = example;
    while let Some(c) = rest.chars().next() {
        let quoted = rest
            .strip_prefix('"')
            .and_then(|inside| inside.split_once('"'));
        if let Some((inside, after)) = quoted {
            let answer = ANSWERS.iter().find(|(en, _)| *en == inside);
            let _ = write!(out, "\"{}\"", answer.map_or(inside, |(_, ru)| ru));
            rest = after;
            continue;
        }
        let word: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        if word.is_empty() {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        rest = &rest[word.len()..];
        let is_field = out.ends_with('.');
        let is_setting = !is_field && rest.starts_with(':') && !rest.starts_with("::");
        out.push_str(&named(&word, is_field, is_setting));
    }
    out
}

fn named(word: &str, is_field: bool, is_setting: bool) -> String {
    let in_words = |wanted: fn(&Kind) -> bool| {
        let row = WORDS.iter().find(|w| w.en == word && wanted(&w.kind));
        row.map(|w| w.ru)
    };
    let found = if is_field {
        in_words(|k| matches!(k, Kind::Field(..) | Kind::Answer(..) | Kind::Method(_)))
    } else if is_setting {
        SETTINGS.iter().find(|s| s.en == word).map(|s| s.ru)
    } else {
        in_words(|k| matches!(k, Kind::Function(_) | Kind::Value(_) | Kind::Handler))
            .or_else(|| KEYWORDS.iter().find(|k| k.en == word).map(|k| k.ru[0]))
            .or((word == "answer").then_some("ответ"))
    };
    found.unwrap_or(word).to_owned()
}

fn code(text: &str) -> String {
    // A code span with back quotes inside needs more of them outside.
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

fn head(columns: &[&str]) -> String {
    let mut table = String::new();
    row(&mut table, columns);
    row(&mut table, &vec!["---"; columns.len()]);
    table
}

fn row(table: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(table, "| {} |", cells.join(" | "));
}
