//! The dialogs that ship.

use std::path::Path;

use serde_json::json;

use super::super::check::check_folder;
use super::*;

fn shipped() -> Arc<Version> {
    Version::load(&folder(), Language::Ru).unwrap()
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

#[test]
fn they_are_sound() {
    let report = check_folder(&folder(), Language::Ru);
    assert!(report.is_sound() && report.warnings.is_empty(), "{report}");
    assert_eq!(report.dialogs, 7);
    // What is known beforehand has its file: the first call needs no voice.
    assert_eq!(shipped().texts(), []);
}

/// What the person says goes through the phrases, as in a call.
fn hears(version: &Arc<Version>, text: &str, expected: &[&str]) -> Do {
    let understood = version.answers().understand(text, expected);
    Do::Say(said(text, &understood.intent.unwrap_or_default()))
}

#[test]
fn the_visit_is_confirmed_declined_or_put_off() {
    let version = shipped();
    let expected = ["yes", "no", "reschedule", "later", "repeat", "wrong_person"];
    for (text, en, ru) in [
        ("да", "confirmed", "подтвердил"),
        ("да, приеду", "confirmed", "подтвердил"),
        ("согласен", "confirmed", "подтвердил"),
        ("согласна", "confirmed", "подтвердил"),
        ("нет", "declined", "отказался"),
        ("не приеду", "declined", "отказался"),
        ("перезапишите на завтра", "reschedule", "перенести"),
        ("хочу перезаписать на пятницу", "reschedule", "перенести"),
        ("перезапись на завтра", "reschedule", "перенести"),
        (
            "перезвоните завтра в десять утра",
            "reschedule",
            "перезвонить",
        ),
    ] {
        let script = vec![hears(&version, text, &expected)];
        let talked = hold(&version, "confirm_visit", info(json!({})), script.clone());
        assert_eq!(talked.outcome(), Some(en), "{text}");
        assert_eq!(talked.end.data["answer"], text);
        // Everything that is said has its file.
        let spoken = talked
            .seen
            .iter()
            .filter(|s| s.starts_with("ask") || s.starts_with("say"));
        assert!(spoken.clone().count() > 1);
        for line in spoken {
            assert!(line[4..].starts_with('['), "{line}");
        }
        let talked = hold(
            &version,
            "подтверждение_визита",
            info(json!({ "имя": "Анна" })),
            script,
        );
        assert_eq!(talked.outcome(), Some(ru), "{text}");
        assert!(
            talked
                .seen
                .iter()
                .any(|s| s.contains("Анна, здравствуйте! Вы записаны в автосервис на завтра."))
        );
        assert_eq!(talked.end.call_again.is_some(), ru == "перезвонить");
    }
    let silent = vec![Do::Say(Reply::empty(ReplyKind::NoInput)); 3];
    let talked = hold(&version, "confirm_visit", info(json!({})), silent);
    assert_eq!(talked.outcome(), Some("no_reply"));
    let odd = vec![hears(&version, "а сколько стоит масло", &expected); 3];
    let talked = hold(&version, "confirm_visit", info(json!({})), odd);
    assert_eq!(talked.outcome(), Some("unclear"));
    assert!(
        talked
            .seen
            .iter()
            .any(|s| s.starts_with("ask [Не понял вас.][Здравствуйте! Это автосервис."))
    );
    let talked = hold(&version, "confirm_visit", info(json!({})), vec![Do::HangUp]);
    assert_eq!(talked.outcome(), None);
    assert!(talked.seen.iter().any(|s| s.contains("left_early")));
}

#[test]
fn the_menu_books_tells_and_transfers() {
    let version = shipped();
    for (script, outcome) in [
        (
            vec![Do::Say(keyed("1")), Do::Say(said("в среду", ""))],
            "booking",
        ),
        (
            vec![
                Do::Say(said("запишите меня", "booking")),
                Do::Say(said("завтра", "")),
            ],
            "booking",
        ),
        (vec![Do::Say(keyed("7")), Do::Say(keyed("2"))], "hours"),
        (
            vec![Do::Say(keyed("0")), Do::Give(Answer::Transfer("answered"))],
            "operator",
        ),
        (
            vec![
                Do::Say(said("оператор", "operator")),
                Do::Give(Answer::Transfer("busy")),
            ],
            "operator_busy",
        ),
    ] {
        let talked = hold(&version, "inbound_menu", info(json!({})), script);
        assert_eq!(talked.outcome(), Some(outcome), "{:#?}", talked.seen);
    }
    let mut script = vec![Do::Say(Reply::empty(ReplyKind::NoInput)); 3];
    script.push(Do::Give(Answer::Transfer("no_answer")));
    let talked = hold(
        &version,
        "inbound_menu",
        info(json!({ "operator_phone": "205" })),
        script,
    );
    assert_eq!(talked.outcome(), Some("no_reply"));
    assert!(talked.saw("transfer 205 30000"), "{:#?}", talked.seen);
}

/// Puts the tables of the reference between their marks; `GOVORUN_BLESS=1` writes the file anew.
#[test]
fn the_guide_has_the_tables_of_the_words_and_its_examples_are_sound() {
    use super::super::definitions::{editor, reference, russian};
    let path = folder().join("README.md");
    let guide = std::fs::read_to_string(&path).unwrap();
    let mut whole = guide.clone();
    for table in reference() {
        let (from, to) = (
            format!("<!-- таблица: {} -->\n", table.title),
            "<!-- конец таблицы -->",
        );
        let (before, rest) = whole
            .split_once(&from)
            .unwrap_or_else(|| panic!("the guide has no {from}"));
        let (_, after) = rest.split_once(to).unwrap();
        whole = format!("{before}{from}{}{to}{after}", table.text);
    }
    if std::env::var_os("GOVORUN_BLESS").is_some() {
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(
        whole == guide,
        "scripts/README.md: its tables are not those of `govorun definitions --table`"
    );
    // Those that name their file belong together: the rehearsal's tests try them.
    let examples = guide
        .split("```rhai")
        .skip(1)
        .filter(|example| !example.starts_with("\n// файл:"));
    for example in examples {
        let text = example.split("```").next().unwrap();
        let compiled = Version::compile(&files(&[("d.rhai", text)]), Language::Ru);
        assert_eq!(
            (compiled.faults, compiled.warnings),
            (vec![], vec![]),
            "{text}"
        );
    }
    // Editors get both names of each word, and examples in Russian words are as sound as the English ones.
    let editor = editor();
    for word in super::super::words::WORDS {
        for name in [word.en, word.ru] {
            assert!(editor.contains(&format!(" {name}")), "{name}");
        }
        let text = format!("пусть ответ = слушать();\n{}\n", russian(word.example));
        let mut files = files(&[("d.rhai", &text)]);
        files.insert("sounds/greeting.wav".to_owned(), super::dialogs::wav(8));
        let compiled = Version::compile(&files, Language::Ru);
        assert_eq!(compiled.faults, [], "{text}");
    }
    assert!(editor.contains("fn спросить(вопрос: ?, настройки: map) -> Reply;"));
}
