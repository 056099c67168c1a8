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
    assert_eq!(report.dialogs, 3);
}

/// What the person says goes through the phrases, as in a call.
fn hears(version: &Arc<Version>, text: &str, expected: &[&str]) -> Do {
    let understood = version.answers().understand(text, expected);
    Do::Say(said(text, &understood.intent.unwrap_or_default()))
}

#[test]
fn the_visit_is_confirmed_declined_or_put_off() {
    let version = shipped();
    let expected = ["yes", "no", "reschedule", "later"];
    for (text, en, ru) in [
        ("да", "confirmed", "подтвердил"),
        ("да, приеду", "confirmed", "подтвердил"),
        ("согласен", "confirmed", "подтвердил"),
        ("согласна", "confirmed", "подтвердил"),
        ("нет", "declined", "отказался"),
        ("не приеду", "declined", "отказался"),
        ("перезапишите", "reschedule", "перенести"),
        ("хочу перезаписать", "reschedule", "перенести"),
        ("перезапись", "reschedule", "перенести"),
        ("перезвоните попозже", "reschedule", "перенести"),
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
        assert_eq!(talked.end.call_again.is_some(), ru == "перенести");
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

#[test]
fn the_guide_names_every_word_and_its_examples_are_sound() {
    use super::super::{
        keywords::KEYWORDS,
        options::SETTINGS,
        words::{ANSWERS, WORDS},
    };
    let guide = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let mut names: Vec<&str> = WORDS.iter().flat_map(|w| [w.en, w.ru]).collect();
    names.extend(
        SETTINGS
            .iter()
            .filter(|s| s.en != "prompt" && s.en != "min" && s.en != "ring")
            .flat_map(|s| [s.en, s.ru]),
    );
    names.extend(ANSWERS.iter().flat_map(|(en, ru)| [*en, *ru]));
    for name in names {
        assert!(guide.contains(name), "the guide doesn't name {name}");
    }
    assert!(KEYWORDS.iter().filter(|k| guide.contains(k.ru[0])).count() > 20);
    for example in guide.split("```rhai").skip(1) {
        let text = example.split("```").next().unwrap();
        let compiled = Version::compile(&files(&[("d.rhai", text)]), Language::Ru);
        assert_eq!(
            (compiled.faults, compiled.warnings),
            (vec![], vec![]),
            "{text}"
        );
    }
}
