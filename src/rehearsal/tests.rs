//! Test cases of small dialogs: those that hold, and those that have to fail with what is told.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::Opening;
use super::read;
use super::replay::Recorded;
use super::scene::HistoryLine;
use super::suite::Suite;
use super::trial::{self, Trial};
use crate::call::{CallInfo, Direction};
use crate::config::Language;
use crate::ident::{CallId, ChannelId};
use crate::script::Version;

fn version(script: &str) -> Arc<Version> {
    let files = [("d.rhai".to_owned(), script.as_bytes().to_vec())];
    let compiled = Version::compile(&files.into(), Language::Ru);
    compiled
        .version
        .unwrap_or_else(|| panic!("{:#?}", compiled.faults))
}

/// The one case of `test`, tried on `script`.
fn tried(script: &str, test: &str) -> Trial {
    let (cases, faults) = read::read("d.test.yaml", format!("- проверка: п\n{test}").as_bytes());
    assert_eq!(faults, [], "{test}");
    trial::attempt(&cases[0], version(script).dialog("d").unwrap(), None)
}

const QUESTION: &str = r#"
    let a = ask("Вы приедете к нам завтра?", #{ expect: ["yes", "no"], timeout: 4, max_digits: 3, no_input: "Алло?" });
    set("kind", a.kind); set("text", a.text); set("digits", a.digits); set("cut", a.barged_in);
    if a.is("yes") { say("Ждём!"); finish("yes"); }
    say("Жаль.");
    finish("no");
"#;

#[test]
fn what_happens_as_the_case_says_holds() {
    let mut faults = Vec::new();
    for test in [
        "  разговор: [{человек: да}, {робот: Ждём}]\n  итог: yes\n  данные: {kind: speech, text: да, cut: нет}",
        "  talk: [{person: да}, {robot: ждём, within: 1.2}]\n  outcome: yes\n  lasts: 6",
        "  разговор: [{человек: 'да, приеду', перебивает: 0.5, понято: да}]\n  итог: yes\n  данные: {cut: да}",
        "  разговор: [{человек: нет, перебивает: к нам}]\n  итог: no\n  данные: {cut: да}",
        "  разговор: [{цифры: 007, причина: цифры}]\n  итог: no\n  данные: {digits: 007}",
        "  разговор: [{тишина: , причина: молчание}, {робот: Жаль}]\n  итог: no\n  данные: {kind: no_input}\n  не_звучит: Ждём",
        "  разговор: [{тишина: 2}, {человек: да}]\n  итог: yes",
        "  разговор: [{шум: 0.8}, {человек: да}]\n  итог: yes\n  данные: {cut: нет}",
        "  разговор: [{шум: 0.8, перебивает: 0.5}, {человек: да}]\n  итог: yes\n  данные: {cut: нет}",
        "  разговор: [{человек: угу, перебивает: 0.5}]",
        "  разговор: [{человек: 'ну как бы вам сказать', длится: 25, причина: слишком_долго}]\n  данные: {kind: too_long}",
        "  разговор: [{человек: да приеду, частями: {0.3: нет, 0.7: да приеду}}]\n  итог: yes",
        "  разговор: [отбой]\n  итог: hung_up\n  не_звучит: [Ждём, Жаль]",
        "  разговор: [{отбой: , перебивает: 0.4}]\n  итог: hung_up\n  длится: 0.5",
        "  звонок: занято\n  итог: busy",
        "  звонок: автоответчик\n  итог: machine\n  не_звучит: [Ждём, Жаль]\n  длится: 6",
        "  звонок: помощник\n  итог: machine",
        "  звонок: объявление\n  итог: unreachable",
        "  звонок: автоответчик\n  входящий: да\n  разговор: [{робот: Жаль}]\n  итог: no",
    ] {
        let trial = tried(QUESTION, test);
        if !trial.differences.is_empty() {
            faults.push(format!(
                "{test}\n{:?}\n{:?}",
                trial.differences, trial.lines
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn a_message_is_left_after_the_tone() {
    let script = r#"
        функция при_автоответчике(вид) { сказать("Это автосервис, перезвоните нам."); запомнить("вид", вид); }
        спросить("Вы приедете к нам завтра?", #{ ожидать: ["да", "нет"] });
        завершить("человек");
    "#;
    for (test, lasts_ms) in [
        (
            "  звонок: автоответчик\n  разговор: [{робот: перезвоните нам}]\n  итог: machine\n  данные: {вид: автоответчик}",
            9_000..12_000,
        ),
        (
            "  звонок: помощник\n  разговор: [{робот: перезвоните нам}]\n  итог: machine\n  данные: {вид: помощник}",
            9_000..13_000,
        ),
        (
            "  звонок: объявление\n  не_звучит: перезвоните\n  итог: unreachable",
            5_000..9_000,
        ),
    ] {
        let trial = tried(script, test);
        assert_eq!(trial.differences, [], "{test}\n{:#?}", trial.lines);
        assert!(
            lasts_ms.contains(&trial.length_ms),
            "{test}: {}",
            trial.length_ms
        );
    }
}

#[test]
fn a_message_of_the_persons_is_recorded() {
    let script = r#"
        пусть м = записать(#{ сообщение: истина, вопрос: "Оставьте сообщение после сигнала.", предел: 30 });
        запомнить("вид", м.вид); запомнить("текст", м.текст); запомнить("запись", м.запись); запомнить("секунд", м.секунд);
        если м.вид != "отбой" { сказать("Спасибо."); }
        завершить("оставил");
    "#;
    for test in [
        "  разговор: [{робот: сигнал}, {человек: течёт кран, длится: 4, причина: речь}, {робот: Спасибо}]\n  данные: {вид: речь, текст: течёт кран, запись: 1, секунд: 7.6}",
        "  разговор: [{робот: сигнал}, {тишина: , причина: молчание}, {робот: Спасибо}]\n  данные: {вид: молчание, текст: ''}",
        "  разговор: [{робот: сигнал}, {цифры: '#', через: 2, причина: цифры}]\n  данные: {вид: цифры}",
        "  разговор: [{робот: сигнал}, {человек: и вот ещё, длится: 40, причина: слишком_долго}]\n  данные: {вид: слишком_долго, секунд: 30.3}",
        "  разговор: [{робот: сигнал}, {человек: это анна, длится: 2}, {человек: перезвоните, через: 2}, {отбой: , через: 1}]\n  данные: {вид: отбой, текст: это анна перезвоните}\n  не_звучит: Спасибо",
        // A key skips what is said before; words said over it are no part of the message.
        "  разговор: [{цифры: '#', перебивает: 0.5}, {робот: сигнал}, {человек: да, причина: речь}]\n  данные: {вид: речь, текст: да}\n  длится: 10",
    ] {
        let trial = tried(script, &format!("{test}\n  итог: оставил"));
        assert_eq!(trial.differences, [], "{test}\n{:#?}", trial.lines);
    }
}

#[test]
fn a_silence_after_words_is_the_next_questions() {
    let question = QUESTION.replace("timeout: 4", "attempts: 3, timeout: 4");
    let test = "  разговор: [{человек: не знаю}, {тишина: , причина: молчание}, {робот: Алло?}, {человек: да}]\n  итог: yes";
    assert_eq!(tried(&question, test).differences, []);
}

#[test]
fn what_differs_is_told_with_its_line() {
    for (test, line, told) in [
        (
            "  разговор:\n    - человек: да\n      понято: нет",
            3,
            "должно быть понято «no», а понято «yes»",
        ),
        (
            "  разговор:\n    - робот: Привет\n    - человек: да",
            3,
            "робот должен сказать «Привет», а он сказал «Вы приедете к нам завтра?» и слушает",
        ),
        (
            "  разговор:\n    - человек: да\n    - робот: Жаль",
            4,
            "робот не сказал «Жаль»; перед концом разговора он сказал: «Вы приедете к нам завтра?», «Ждём!»",
        ),
        (
            "  разговор:\n    - человек: да\n    - человек: нет",
            4,
            "кончился раньше, чем человек успел сказать «нет»",
        ),
        (
            "  разговор:\n    - робот: приедете",
            0,
            "робот ждёт ответа, а проверка кончилась",
        ),
        (
            "  разговор:\n    - человек: да\n    - робот: Ждём\n      за: 0.2",
            4,
            "робот сказал это через",
        ),
        (
            "  разговор:\n    - человек: да\n    - перевод: занято",
            4,
            "перевода не было",
        ),
        (
            "  разговор: [{человек: да}]\n  итог: no",
            0,
            "итог должен быть «no», а он «yes»",
        ),
        (
            "  разговор: [{человек: да}]\n  данные: {text: нет, kind: speech}",
            0,
            "в данных «text» должно быть «нет», а там «да»",
        ),
        (
            "  разговор: [{человек: да}]\n  этапы: [раз]",
            0,
            "этапы должны быть: раз",
        ),
        (
            "  разговор: [{человек: да}]\n  не_звучит: ждем",
            0,
            "«ждем» звучать не должно",
        ),
        (
            "  разговор: [{человек: да}]\n  перезвонить: да",
            0,
            "должен просить перезвонить",
        ),
        (
            "  разговор: [{человек: да}]\n  длится: 3",
            0,
            "разговор длится",
        ),
        (
            "  разговор:\n    - человек: да\n      перебивает: послезавтра",
            3,
            "перебить не вышло",
        ),
    ] {
        let trial = tried(QUESTION, test);
        let first = trial
            .differences
            .first()
            .unwrap_or_else(|| panic!("no difference: {test}"));
        assert!(first.message.contains(told), "{test}\n{first:?}");
        assert_eq!(first.line, line, "{test}\n{first:?}");
    }
}

#[test]
fn days_transfers_and_faults_are_of_the_case() {
    let script = r#"
        let a = ask("Когда?");
        set("день", a.date); set("номер", phone); set("раз", attempt);
        call_again("18:30");
        let r = transfer("101");
        finish(r, #{ имя: param("имя") });
    "#;
    let test = "  сейчас: 2026-02-27 20:00\n  телефон: +79991234567\n  попытка: 2\n  параметры: {имя: 007}\n  разговор:\n    - человек: послезавтра\n    - перевод: не ответили\n      на: 101\n  итог: no_answer\n  данные: {день: 2026-03-01, номер: '+79991234567', раз: 2, имя: 007}\n  перезвонить: 2026-02-28 18:30";
    // The runtime's own words are no outcomes of a dialog: that fault is the first difference.
    let trial = tried(script, test);
    assert_eq!(trial.outcome, "script_error");
    let script = script.replace("finish(r,", "finish(\"ok \" + r,");
    let trial = tried(
        &script,
        &test.replace("итог: no_answer", "итог: ok no_answer"),
    );
    assert_eq!(trial.differences, [], "{:#?}", trial.lines);
    let wrong = test
        .replace("итог: no_answer", "итог: ok no_answer")
        .replace("на: 101", "на: 102");
    let trial = tried(&script, &wrong);
    assert_eq!(
        trial.differences[0].message,
        "перевод должен быть на 102, а он на 101"
    );
}

#[test]
fn mistakes_in_a_file_are_told_with_their_lines_and_all_at_once() {
    let file = "- проверка: а\n  разгавор: []\n- проверка: б\n  разговор:\n    - рoбот: x\n    - человек: x\n      черз: 1\n    - тишна\n    - цифры: 12a\n    - {робот: а, человек: б}\n  попытка: 0\n  сейчас: вчера\n  телефон: нет\n  звонок: занят\n  попытка: 1\n";
    let (cases, faults) = read::read("d.test.yaml", file.as_bytes());
    assert!(cases.is_empty());
    for (line, part) in [
        (2, "может быть, «разговор»?"),
        (5, "может быть, «робот»?"),
        (7, "может быть, «через»?"),
        (8, "«тишна» — не шаг"),
        (9, "клавиши «a» на телефоне нет"),
        (10, "два шага вместе"),
        (11, "от 1 до 20"),
        (12, "2026-01-14 12:00"),
        (13, "не номер телефона"),
        (
            14,
            "бывает: человек, автоответчик, помощник, объявление, занято",
        ),
        (15, "стоит дважды"),
    ] {
        assert!(
            faults
                .iter()
                .any(|f| f.line == line && f.message.contains(part)),
            "{line} {part}: {faults:#?}"
        );
    }
    for (text, part) in [
        ("- тишина\n  за: 1\n", "двоеточие"),
        ("текст", "список"),
        ("- а: [", "YAML"),
    ] {
        let (_, faults) = read::read("d.test.yaml", text.as_bytes());
        assert!(faults[0].message.contains(part), "{text}: {faults:?}");
    }
    let (cases, faults) = read::read("d.test.yaml", b"# nothing\n");
    assert!(cases.is_empty() && faults.is_empty());
}

#[test]
fn the_guides_example_is_sound() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/README.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let examples: Vec<&str> = guide
        .split("```yaml\n- проверка")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(examples.len(), 1);
    for example in examples {
        let (cases, faults) = read::read("d.test.yaml", format!("- проверка{example}").as_bytes());
        assert_eq!((cases.len(), faults), (1, Vec::new()));
    }
}

/// What a rehearsal leaves is what a server keeps: replayed, it goes the same way; through another dialog, it parts there.
#[test]
fn a_recorded_talk_goes_the_same_way_again() {
    let question = QUESTION.replace("timeout: 4", "attempts: 3, timeout: 4");
    for (talk, outcome) in [
        ("[{человек: да}]", "yes"),
        ("[тишина, {человек: нет, перебивает: 0.6}]", "no"),
        (
            "[тишина, {шум: 0.7, перебивает: 0.5}, {человек: 'да, приеду'}]",
            "yes",
        ),
        ("[{цифры: 007}]", "no"),
        ("[{цифры: 123, перебивает: 0.5}]", "no"),
        (
            "[{человек: не знаю}, {отбой: , перебивает: 0.3}]",
            "hung_up",
        ),
    ] {
        let trial = tried(&question, &format!("  разговор: {talk}\n  итог: {outcome}"));
        assert_eq!(trial.differences, [], "{talk}");
        // The server's clock begins when it dials.
        let at = |ms: &u64| ms + 5_000;
        let history = trial.lines.iter().map(|line| {
            let mut data = line.data.clone();
            for key in ["onset_ms", "end_ms"] {
                if let Some(ms) = data[key].as_u64() {
                    data[key] = at(&ms).into();
                }
            }
            (line.kind.to_owned(), at(&line.at_ms), data)
        });
        let opened = serde_json::json!({"name": "typed", "event": "opened"});
        let history = std::iter::once(("recognizer".to_owned(), 4_900, opened)).chain(history);
        let recorded = Recorded::read(history).unwrap();
        let seen =
            |lines: &[HistoryLine]| -> Vec<_> { lines.iter().map(|l| (l.kind, l.at_ms)).collect() };
        assert_eq!(seen(&recorded.lines), seen(&trial.lines), "{talk}");
        let replay = |script: &str| recorded.replay(opening(script), &trial.outcome);
        let same = replay(&question);
        assert_eq!(
            (same.parted, same.held.outcome.as_str()),
            (None, outcome),
            "{talk}\n{:#?}",
            same.held.lines
        );
        // A longer question changes no answer.
        let longer =
            replay(&question.replace("Вы приедете", "Добрый день, это автосервис. Вы приедете"));
        assert_eq!(
            longer.held.outcome, outcome,
            "{talk}\n{:#?}",
            longer.held.lines
        );
        let (old, _) = longer.parted.unwrap();
        assert!(
            recorded.lines[old].word("name").starts_with("Вы приедете"),
            "{talk}"
        );
        let other = replay(&question.replace("finish(\"yes\")", "finish(\"да\")"));
        assert_eq!(other.parted.is_some(), outcome == "yes", "{talk}");
    }
    assert!(
        Recorded::read([("hang_up".to_owned(), 5, serde_json::json!({"by": "person"}))]).is_none()
    );
}

fn opening(script: &str) -> Opening {
    Opening {
        dialog: version(script).dialog("d").unwrap(),
        info: CallInfo {
            call_id: CallId::parse("1").unwrap(),
            channel_id: ChannelId::fresh(),
            attempt: 1,
            direction: Direction::Outgoing,
            phone: None,
            dialog: "d".to_owned(),
            params: serde_json::Map::new(),
            file: None,
        },
        began: jiff::Zoned::now(),
        watch: None,
    }
}

/// The tests of the dialogs that ship, so often that there are a thousand: every line and answer is reached, and an
/// analyst needn't wait. On two free cores a release build holds two thousand a second; the bound is for a debug build on
/// a machine that is busy with the other tests.
#[test]
fn a_thousand_cases_of_the_shipped_dialogs_take_seconds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let version = Version::load(&folder, Language::Ru).unwrap();
    let names = || version.dialogs().map(|(name, _)| name.to_owned());
    let mut suite = Suite::load(&folder, names());
    assert_eq!(suite.faults, []);
    let once = suite.cases.len();
    while suite.cases.len() < 1_000 {
        suite.cases.extend(Suite::load(&folder, names()).cases);
    }
    let began = Instant::now();
    let (trials, coverage) = suite.run(&version, 2);
    let took = began.elapsed();
    println!(
        "{once} cases of {} dialogs; {} in {took:?}",
        names().count(),
        trials.len()
    );
    for (trial, (dialog, case)) in trials.iter().zip(&suite.cases) {
        assert_eq!(trial.differences, [], "{dialog}: {}", case.name);
    }
    for missed in suite.missed(&version, &coverage) {
        assert!(
            missed.missed.is_empty() && missed.answers.is_empty(),
            "{missed:?}"
        );
    }
    assert!(took < Duration::from_secs(30), "{took:?}");
}
