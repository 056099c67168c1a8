//! What dialogs do on their line: every word, both languages, every ending.

use serde_json::json;

use super::super::words::{self, ANSWERS, Kind, WORDS};
use super::super::{engine, options};
use super::*;
use crate::call::{OnMachine, Who};

const VISIT: &str = r#"
stage("greeting");
let answer = ask("Здравствуйте, ${name}! Вы приедете?", #{
    expect: ["yes", "no", "later"], attempts: 3,
    no_input: "Не слышу вас. ", no_match: "Не понял. ",
});
set("said", answer.text);
if answer.is("yes") { say("Ждём вас!"); finish("confirmed"); }
if answer.is("later") { finish("reschedule", #{ said: answer, n: answer.attempts }); }
finish("declined");
"#;

#[test]
fn the_visit_is_confirmed() {
    let talked = talk(
        VISIT,
        json!({ "name": "Анна" }),
        vec![Do::Say(said("да", "yes"))],
    );
    assert_eq!(talked.outcome(), Some("confirmed"));
    assert_eq!(talked.end.data["said"], "да");
    assert_eq!(talked.end.version.len(), 12);
    assert!(
        talked.saw(r#"note stage {"name":"greeting"}"#),
        "{:#?}",
        talked.seen
    );
    assert!(talked.saw(r#"ask Здравствуйте, Анна! Вы приедете? ["yes", "no", "later"]"#));
    assert!(talked.saw("say Ждём вас!"));
    assert!(
        talked.seen[0].starts_with("note dialog"),
        "{:#?}",
        talked.seen
    );
}

#[test]
fn silence_and_misunderstanding_are_asked_about_again() {
    let talked = talk(
        VISIT,
        json!({ "name": "Анна" }),
        vec![
            Do::Say(Reply::empty(ReplyKind::NoInput)),
            Do::Say(said("кто это", "")),
            Do::Say(said("попозже", "later")),
        ],
    );
    assert_eq!(talked.outcome(), Some("reschedule"));
    assert_eq!(talked.end.data["said"], "попозже");
    assert_eq!(talked.end.data["n"], 3);
    assert!(
        talked.saw(r#"ask Не слышу вас. Здравствуйте, Анна! Вы приедете? ["yes", "no", "later"]"#)
    );
    assert!(talked.saw(r#"ask Не понял. Здравствуйте, Анна! Вы приедете? ["yes", "no", "later"]"#));
}

#[test]
fn a_whole_dialog_in_russian() {
    let text = r#"
    функция спросить_о_визите(раз) {
        Если раз > 3 { вернуть (); }
        пусть ответ = спросить("${имя}, вы приедете?", #{ ожидать: ["да", "нет"], перебивание: "ответ" });
        если ответ.да или ответ.это("да") { вернуть истина; }
        если не ответ.да и ответ.вид == "речь" и ответ.смысл == "нет" { вернуть ложь; }
        вернуть спросить_о_визите(раз + 1);
    }
    функция при_отбое(причина) { запомнить("брошено", истина); }

    этап("вопрос");
    для номер в 1..3 { если номер == 2 { прервать; } журнал(номер); }
    пусть едет = ();
    попробовать { едет = спросить_о_визите(1); } исключение (ошибка) { завершить("ошибка"); }
    выбор едет {
        истина => { сказать(`Ждём вас, попытка ${попытка}`); завершить("приедет", #{ номер: телефон }); }
        ложь => завершить("не приедет"),
        _ => завершить("молчит"),
    }
    "#;
    let params = json!({ "имя": "Анна" });
    let yes = talk(text, params.clone(), vec![Do::Say(said("да", "yes"))]);
    assert_eq!(yes.outcome(), Some("приедет"));
    assert_eq!(yes.end.data["номер"], "+79121234567");
    assert!(yes.saw("say Ждём вас, попытка 2"), "{:#?}", yes.seen);
    assert!(yes.saw(r#"note log {"text":"1"}"#));
    let no = talk(text, params.clone(), vec![Do::Say(said("нет", "no"))]);
    assert_eq!(no.outcome(), Some("не приедет"));
    let silent = vec![Do::Say(Reply::empty(ReplyKind::NoInput)); 3];
    assert_eq!(talk(text, params.clone(), silent).outcome(), Some("молчит"));
    let gone = talk(text, params, vec![Do::HangUp]);
    assert_eq!(gone.outcome(), None);
    assert_eq!(gone.end.data["брошено"], true);
}

#[test]
fn every_word_reaches_the_line_under_both_names() {
    let wav = |name: &str| (format!("sounds/{name}.wav"), wav(80));
    let mut files = files(&[(
        "d.rhai",
        r#"
        play("hello"); проиграть(["hello", #{ say: "и текст" }]);
        say("раз", #{ barge_in: false }); сказать(["два", #{ play: "hello" }, "Добрый день"]);
        let a = listen(); слушать(#{ timeout: 3 });
        let b = digits(4, #{ prompt: "Код?", min: 2 }); цифры(1);
        record(); записать(); record_stop(); остановить_запись();
        let t = transfer("88001234567", #{ ring: 20 }); перевести("112");
        pause(1.5); пауза(2); sleep(1);
        set("k", #{ list: [1, 2.5, "x", ()] }); запомнить("к", t);
        log(param("name", "нет")); журнал(параметр("n")); print("p");
        event("e", #{ x: 1 }); событие("с");
        call_again(60); перезвонить("18:30");
        log(`${phone} ${attempt} ${call_id} ${телефон} ${попытка} ${номер_звонка}`);
        log(`${a.text} ${a.kind} ${a.intent} ${a.digits} ${a.yes} ${a.no} ${a.barged_in} ${a.attempts} ${a.parts} ${a.is("yes")} ${a == "yes"} ${a}`);
        log(`${a.текст} ${a.вид} ${a.смысл} ${a.цифры} ${a.да} ${a.нет} ${a.перебил} ${a.попыток} ${a.части} ${a.это("да")}`);
        let m = menu("Нажмите", #{ "1, yes": "first", "0": || "operator" });
        log(меню("Ещё", #{ "1": "раз", "нет": "no" }));
        log(m);
        hang_up();
        finish("done", #{ b: b.digits });
        "#,
    )]);
    files.extend([wav("hello"), wav("day")]);
    files.insert("sounds/texts.yaml".to_owned(), "day: Добрый день\n".into());
    let compiled = Version::compile(&files, Language::Ru);
    assert_eq!(compiled.faults, []);
    let talked = hold(
        &compiled.version.unwrap(),
        "d",
        info(json!({ "n": 5 })),
        vec![
            Do::Say(said("да", "yes")),
            Do::Say(said("что", "")),
            Do::Say(keyed("123")),
            Do::Say(keyed("7")),
            Do::Give(Answer::Transfer("answered")),
            Do::Give(Answer::Transfer("busy")),
            Do::Say(keyed("0")),
            Do::Say(said("не", "no")),
        ],
    );
    assert_eq!(talked.outcome(), Some("done"));
    assert_eq!(talked.end.data["b"], "123");
    assert_eq!(talked.end.data["к"], "answered");
    assert!(talked.end.call_again.is_some());
    let seen: Vec<&str> = talked.seen.iter().map(String::as_str).skip(1).collect();
    assert_eq!(
        seen,
        [
            "say [hello]",
            "say [hello]и текст",
            "say раз",
            "say два[hello][Добрый день]",
            "ask  []",
            "ask  []",
            "ask Код? []",
            "ask  []",
            "record",
            "record",
            "record_stop",
            "record_stop",
            "transfer 88001234567 20000",
            "transfer 112 30000",
            "pause 1500",
            "pause 2000",
            "pause 1000",
            r#"note set {"key":"k","value":{"list":[1,2.5,"x",null]}}"#,
            r#"note set {"key":"к","value":"answered"}"#,
            r#"note log {"text":"нет"}"#,
            r#"note log {"text":"5"}"#,
            r#"note log {"text":"p"}"#,
            r#"note event {"name":"e","data":{"x":1}}"#,
            r#"note event {"name":"с","data":null}"#,
            seen[24],
            seen[25],
            r#"note log {"text":"+79121234567 2 ЦБ-1 +79121234567 2 ЦБ-1"}"#,
            r#"note log {"text":"да speech yes  true false false 1 [\"да\"] true true да"}"#,
            r#"note log {"text":"да речь да  true false false 1 [\"да\"] true"}"#,
            r#"ask Нажмите ["yes"]"#,
            r#"ask Ещё ["no"]"#,
            r#"note log {"text":"no"}"#,
            r#"note log {"text":"operator"}"#,
            "hang_up",
            r#"note set {"key":"b","value":"123"}"#,
        ]
    );
}

/// 8 kHz mono 16 bit, so many samples.
pub(super) fn wav(samples: u32) -> Vec<u8> {
    let bytes = samples * 2;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend([1, 0, 1, 0]);
    wav.extend(8000u32.to_le_bytes());
    wav.extend(16000u32.to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    wav.resize(44 + bytes as usize, 0);
    wav
}

#[test]
fn a_menu_asks_again_and_gives_up() {
    let text = r#"
        let part = menu("Один или два?", #{ "1": "a", "2": "b" }, #{ attempts: 2, no_match: "Не то. " });
        if part == () { finish("none"); }
        finish(part);
    "#;
    let good = talk(
        text,
        json!({}),
        vec![Do::Say(keyed("5")), Do::Say(keyed("2"))],
    );
    assert_eq!(good.outcome(), Some("b"));
    assert!(good.saw("ask Не то. Один или два? []"), "{:#?}", good.seen);
    let none = talk(
        text,
        json!({}),
        vec![Do::Say(keyed("5")), Do::Say(keyed("6"))],
    );
    assert_eq!(none.outcome(), Some("none"));
}

#[test]
fn rising_prompts_by_attempt() {
    let text = r#"ask(["Раз?", ["Два", "?"], #{ say: "Три?" }], #{ attempts: 4 }); finish("x");"#;
    let silent = vec![Do::Say(Reply::empty(ReplyKind::NoInput)); 4];
    let talked = talk(text, json!({}), silent);
    let asked: Vec<&String> = talked
        .seen
        .iter()
        .filter(|s| s.starts_with("ask"))
        .collect();
    assert_eq!(
        asked,
        ["ask Раз? []", "ask Два? []", "ask Три? []", "ask Три? []"]
    );
}

#[test]
fn finish_is_final_inside_try_and_functions() {
    let text = r#"
        fn deep(n) { if n == 0 { finish("out", #{ n: 1 }); } deep(n - 1); }
        try { deep(5); } catch (e) { log("caught"); }
        finish("never");
    "#;
    let talked = talk(text, json!({}), vec![]);
    assert_eq!(talked.outcome(), Some("out"));
    assert!(!talked.seen.iter().any(|s| s.contains("caught")));
    for (text, outcome) in [
        ("", None),
        ("exit(); finish(\"x\");", None),
        ("return; finish(\"x\");", None),
        ("finish(\"a\"); finish(\"b\");", Some("a")),
    ] {
        assert_eq!(talk(text, json!({}), vec![]).outcome(), outcome, "{text}");
    }
}

#[test]
fn a_hang_up_at_every_point_ends_the_dialog_and_runs_its_handler_once() {
    let text = r#"
        fn on_hang_up(reason) {
            set("reason", reason);
            event("gone", #{ phone: phone });
            say("not heard");
            set("after", 1);
        }
        stage("a");
        say("раз");
        try { let a = ask("два?"); } catch (e) { log("caught"); }
        pause(1);
        record();
        transfer("112");
        listen();
        digits(3);
        record_stop();
        finish("whole");
    "#;
    let answers = [
        None,
        Some(Do::Say(said("да", ""))),
        None,
        None,
        Some(Do::Give(Answer::Transfer("busy"))),
        Some(Do::Say(said("да", ""))),
        Some(Do::Say(keyed("123"))),
        None,
    ];
    for point in 0..answers.len() {
        let mut over = false;
        let version = version(&[("d.rhai", text)]);
        let dialog = version.dialog("d").unwrap();
        let (line, mut messages, flag) = Line::new(info(json!({})));
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || dialog.run(line))
            .unwrap();
        let mut asked = 0;
        let mut notes = Vec::new();
        while let Some(message) = messages.blocking_recv() {
            match message {
                LineMessage::Note(note) => notes.push(format!("{} {}", note.kind, note.data)),
                LineMessage::Request(request, answer) => {
                    let given = match (over, asked == point) {
                        (true, _) => Answer::HungUp,
                        (false, true) => {
                            over = true;
                            flag.raise();
                            match *request {
                                Request::Turn(_) => Answer::Reply(Reply::empty(ReplyKind::HangUp)),
                                _ => Answer::HungUp,
                            }
                        }
                        (false, false) => match answers[asked].clone() {
                            Some(Do::Say(reply)) => Answer::Reply(reply),
                            Some(Do::Give(answer)) => answer,
                            _ if matches!(*request, Request::Turn(_)) => {
                                Answer::Reply(Reply::empty(ReplyKind::Played))
                            }
                            _ => Answer::Done,
                        },
                    };
                    asked += 1;
                    let _ = answer.send(given);
                }
            }
        }
        let end = thread.join().unwrap();
        assert_eq!((end.outcome, end.fault), (None, None), "at {point}");
        assert_eq!(end.data["reason"], "hang_up", "at {point}");
        assert!(!end.data.contains_key("after"));
        let gone = notes.iter().filter(|n| n.starts_with("event")).count();
        assert_eq!(gone, 1, "at {point}: {notes:?}");
        assert!(!notes.iter().any(|n| n.contains("caught")));
    }
}

#[test]
fn a_handler_may_give_the_outcome_and_our_own_hang_up_runs_none() {
    let text = r#"fn on_hang_up(r) { finish("left_early"); } listen();"#;
    let talked = talk(text, json!({}), vec![Do::HangUp]);
    assert_eq!(talked.outcome(), Some("left_early"));
    let text =
        r#"fn on_hang_up(r) { set("ran", 1); } hang_up(); say("nobody hears"); finish("x");"#;
    let talked = talk(text, json!({}), vec![]);
    assert_eq!(talked.outcome(), None);
    assert!(talked.end.data.is_empty());
}

#[test]
fn a_machine_ends_the_dialog_and_may_be_left_a_message() {
    let machine = |who| Do::Give(Answer::Machine(who));
    // Without a handler: the outcome alone, and `try` catches nothing.
    for (who, outcome) in [
        (Who::Voicemail, "machine"),
        (Who::Assistant, "machine"),
        (Who::Unreachable, "unreachable"),
        (Who::InvalidNumber, "invalid_number"),
    ] {
        let text = r#"fn on_hang_up(r) { set("hung_up", 1); } try { listen(); } catch { set("caught", 1); } finish("x");"#;
        let talked = talk(text, json!({}), vec![machine(who)]);
        assert_eq!(talked.outcome(), Some(outcome));
        assert!(talked.end.data.is_empty(), "{:?}", talked.end);
        assert!(!talked.saw("tone"));
    }
    let text = r#"
        import "lib/a" as a;
        функция при_автоответчике(вид) { запомнить("вид", вид); a::bye(); сказать("Перезвоните нам."); }
        слушать(); завершить("нет");
    "#;
    let lib = ("lib/a.rhai", r#"fn bye() { say("До свидания."); }"#);
    let version = version(&[("d.rhai", text), lib]);
    let tone = |who| Do::Give(Answer::Tone(who));
    // The announcement has turned out to be a mailbox's.
    let script = vec![machine(Who::Unreachable), tone(Who::Voicemail)];
    let talked = hold(&version, "d", info(json!({})), script);
    assert_eq!(talked.end.fault, None);
    assert_eq!(talked.outcome(), Some("machine"));
    assert_eq!(talked.end.data["вид"], "автоответчик");
    assert!(
        talked.saw("tone") && talked.saw("say До свидания.") && talked.saw("say Перезвоните нам."),
        "{:?}",
        talked.seen
    );
    // It takes no message; or hangs up before its tone.
    for last in [Do::Give(Answer::Done), Do::HangUp] {
        let script = vec![machine(Who::Unreachable), last];
        let talked = hold(&version, "d", info(json!({})), script);
        assert_eq!(talked.outcome(), Some("unreachable"));
        assert!(talked.end.data.is_empty());
    }
    // The handler's own outcome; and its fault.
    let text = r#"fn on_machine(kind) { say(kind); finish("left"); } listen();"#;
    let script = || vec![machine(Who::Assistant), tone(Who::Assistant)];
    let talked = talk(text, json!({}), script());
    assert_eq!(talked.outcome(), Some("left"));
    assert!(talked.saw("say assistant"));
    let talked = talk(
        "fn on_machine(kind) { kind.x } listen();",
        json!({}),
        script(),
    );
    assert!(talked.end.fault.is_some());
}

#[test]
fn a_dialogs_settings_say_what_to_do_about_machines() {
    let with = |yaml: &str| {
        let files = files(&[("d.rhai", r#"finish("x");"#), ("d.yaml", yaml)]);
        Version::compile(&files, Language::Ru)
    };
    for (yaml, expect) in [
        ("title: т", OnMachine::HangUp),
        ("machine: hang_up", OnMachine::HangUp),
        ("machine: continue", OnMachine::Continue),
    ] {
        let version = with(yaml).version.unwrap();
        assert_eq!(version.dialog("d").unwrap().choice().on_machine, expect);
    }
    let faults = with("machine: off").faults;
    assert!(
        faults[0]
            .message
            .contains("нужно hang_up (положить трубку) или continue"),
        "{faults:?}"
    );
}

#[test]
fn the_orders_file_and_the_dialogs_settings_come_first() {
    let mut files = files(&[
        (
            "d.rhai",
            r#"say("${name} из ${city}"); let a = ask("?"); finish(if a.is("promise") { "promised" } else { "not" });"#,
        ),
        (
            "d.yaml",
            "title: Визит\nrecording: true\nparams: {name: гость, city: null}\nlisten: {timeout: 2.5, ожидать: [promise]}\nphrases: {promise: [обещаю]}\n",
        ),
    ]);
    files.insert("sounds/first.wav".to_owned(), wav(8));
    let compiled = Version::compile(&files, Language::Ru);
    assert_eq!(compiled.faults, []);
    let version = compiled.version.unwrap();
    let mut info = info(json!({ "city": "Тверь", "name": null }));
    info.file = Some("first.wav".to_owned());
    let talked = hold(
        &version,
        "d",
        info.clone(),
        vec![Do::Say(said("обещаю", "promise"))],
    );
    assert_eq!(talked.outcome(), Some("promised"));
    assert_eq!(
        talked.seen[1..],
        [
            "record",
            "say [first]",
            "say гость из Тверь",
            r#"ask ? ["promise"]"#
        ]
    );
    assert_eq!(version.dialogs().collect::<Vec<_>>(), [("d", "Визит")]);
    assert_eq!(version.dialog("d").unwrap().title(), "Визит");
    info.file = Some("frist".to_owned());
    let fault = hold(&version, "d", info, vec![]).end.fault.unwrap();
    assert!(
        fault.message.contains("«frist»") && fault.message.contains("«first»"),
        "{fault:?}"
    );
}

#[test]
fn the_table_is_whole() {
    let registered: Vec<String> = engine::WORDS
        .gen_fn_signatures_with_mapper(|t| t.into())
        .collect();
    let has = |name: &str| {
        registered
            .iter()
            .any(|s| s.starts_with(&format!("{name}(")))
    };
    let mut seen = std::collections::HashSet::new();
    for word in WORDS {
        assert!(
            !word.doc_ru.is_empty() && !word.doc_en.is_empty(),
            "{}",
            word.en
        );
        // A field may have a function's name: `digits(4)` and `answer.digits`.
        let field = match word.kind {
            Kind::Field(..) | Kind::Method(_) => 1,
            Kind::Answer(..) => 2,
            _ => 0,
        };
        for name in [word.en, word.ru] {
            assert!(seen.insert((name, field)), "{name} stands twice");
            match word.kind {
                Kind::Function(_) | Kind::Method(_) => {
                    assert!(has(name), "{name}: {registered:#?}");
                }
                Kind::Field(..) | Kind::Answer(..) => assert!(
                    has(&format!("get${name}")) || registered.iter().any(|s| s.contains(name)),
                    "{name}"
                ),
                Kind::Value(_) => assert!(words::value_names().any(|n| n == name)),
                Kind::Handler => {
                    assert!(words::ON_HANG_UP.contains(&name) || words::ON_MACHINE.contains(&name));
                }
            }
        }
        // Each example compiles and passes the check.
        let text = format!("let answer = listen();\n{}\n", word.example);
        let mut files = files(&[("d.rhai", &text)]);
        files.insert("sounds/greeting.wav".to_owned(), wav(8));
        let compiled = Version::compile(&files, Language::Ru);
        assert_eq!(compiled.faults, [], "{}", word.example);
    }
    for row in options::SETTINGS {
        let shared = ["digits", "attempts", "timeout"].contains(&row.en);
        assert!(seen.insert((row.en, 1)) || shared, "{}", row.en);
        assert!(!row.doc_ru.is_empty() && !row.doc_en.is_empty());
        let answers = std::sync::Arc::default();
        let base = options::Options::new(answers);
        for name in [row.en, row.ru] {
            let text = format!("let x = {}; x", row.example);
            let value: rhai::Dynamic = rhai::Engine::new().eval(&text).unwrap();
            let one = rhai::Map::from([(name.into(), value)]);
            let takers = [
                options::Taker::Ask,
                options::Taker::Digits,
                options::Taker::Transfer,
                options::Taker::Web,
                options::Taker::Record,
            ];
            let taken = takers
                .iter()
                .any(|t| base.with(&one, *t, Language::Ru).is_ok());
            assert!(taken, "{name}: {}", row.example);
        }
    }
    let builtin: Vec<&str> = crate::phrases::BUILTIN.iter().map(|(n, _)| *n).collect();
    for (en, _) in ANSWERS {
        assert!(builtin.contains(en), "{en}");
    }
}

#[test]
fn times_and_rules_of_a_window_come_from_the_settings() {
    let version = version(&[(
        "d.rhai",
        r##"listen(#{ timeout: 2, end_silence: 0.4, max_speech: 10.5, settle: 0, carry: 1, open_before: 0.5,
                 early: true, max_digits: 5, terminator: "*", interdigit: 2, barge_in: 3, expect: "yes" });
            listen(#{ digits: false, перебивание: ложь });
            listen(#{ give_up: 4, stand: 0.2, длина_голоса: 1, guard: 0, перебивание: "речь", resume: 3 });
            say("привет", #{ защита: 1.5 });"##,
    )]);
    let dialog = version.dialog("d").unwrap();
    let (line, mut messages, _) = Line::new(info(json!({})));
    let thread = std::thread::spawn(move || dialog.run(line));
    let mut turns = Vec::new();
    while let Some(message) = messages.blocking_recv() {
        if let LineMessage::Request(request, answer) = message
            && let Request::Turn(turn) = *request
        {
            turns.push(turn);
            let _ = answer.send(Answer::Reply(Reply::empty(ReplyKind::NoInput)));
        }
    }
    assert_eq!(thread.join().unwrap().fault, None);
    let window = turns[0].window.clone().unwrap();
    assert_eq!(
        (
            window.timeout_ms,
            window.end_silence_ms,
            window.max_speech_ms,
            window.settle_ms
        ),
        (2000, 400, 10_500, 0)
    );
    assert_eq!(
        (window.carry_ms, window.early_ms, window.early),
        (1000, 500, true)
    );
    let rule = window.digits.unwrap();
    assert_eq!(
        (rule.max_digits, rule.terminator, rule.interdigit_ms),
        (5, Some('*'), 2000)
    );
    assert_eq!(turns[0].barge_in, crate::call::BargeIn::Words(3));
    assert_eq!(turns[1].window.clone().unwrap().digits, None);
    assert_eq!(turns[1].barge_in, crate::call::BargeIn::Off);
    let window = turns[2].window.clone().unwrap();
    assert_eq!((window.give_up_ms, window.stand_ms), (4000, 200));
    let speech = |min_voice_ms, guard_ms, resume_ms| crate::call::BargeIn::Speech {
        min_voice_ms,
        guard_ms,
        resume_ms,
    };
    assert_eq!(turns[2].barge_in, speech(1000, 0, 3000));
    assert_eq!(turns[3].barge_in, speech(500, 1500, 2000));
    for (name, value) in [
        ("give_up", 0.1),
        ("guard", 11.0),
        ("resume", 0.0),
        ("stand", -1.0),
        ("min_voice", 6.0),
    ] {
        let base = options::Options::new(std::sync::Arc::default());
        let one = rhai::Map::from([(name.into(), value.into())]);
        let fault = base
            .with(&one, options::Taker::Ask, Language::Ru)
            .unwrap_err();
        assert!(fault.contains(name) && fault.contains("секунд"), "{fault}");
    }
}

#[test]
fn another_server_is_asked_in_mid_call() {
    use crate::net::web::{WebAnswer, WebFault};
    let text = r#"
        let debt = http_get("/hs/долг?a=1", #{ query: #{ номер: "А 1", n: 5 }, filler: "Минуту.", timeout: 3 });
        if debt.ok { set("sum", debt.data.сумма.целых); set("код", debt.код); }
        let taken = http_отправить("/hs/заказ", #{ имя: "${имя}", состав: [1, 2.5] });
        log(`${taken.успешно} ${taken.status} ${taken.error} ${taken.ошибка} ${taken.данные == ()}`);
        let late = http_post("/x", ());
        finish(late.ошибка, #{ en: late.error, status: late.status });
    "#;
    let data = json!({ "сумма": { "целых": 1500 } });
    let talked = talk(
        text,
        json!({ "имя": "Анна" }),
        vec![
            Do::Give(Answer::Web(WebAnswer::of(200, data))),
            Do::Give(Answer::Web(WebAnswer::of(503, json!(null)))),
            Do::Give(Answer::Web(WebAnswer::failed(WebFault::Timeout { ms: 5 }))),
        ],
    );
    assert_eq!(talked.outcome(), Some("время_вышло"));
    assert_eq!(talked.end.data["sum"], 1500);
    assert_eq!(talked.end.data["код"], 200);
    assert_eq!(talked.end.data["en"], "timeout");
    assert!(
        talked.saw("web GET /hs/долг?a=1&n=5&%D0%BD%D0%BE%D0%BC%D0%B5%D1%80=%D0%90%201  1"),
        "{:#?}",
        talked.seen
    );
    assert!(talked.saw(r#"web POST /hs/заказ {"имя":"${имя}","состав":[1,2.5]} 0"#));
    assert!(talked.saw(r#"note log {"text":"false 503 refused отказ true"}"#));
    // A hang-up ends the wait; a host that isn't allowed is the dialog's fault.
    let gone = talk(
        "fn on_hang_up(r) { set(\"x\", 1); } http_get(\"/x\"); finish(\"?\");",
        json!({}),
        vec![Do::HangUp],
    );
    assert_eq!((gone.outcome(), &gone.end.data["x"]), (None, &json!(1)));
    let refused = WebFault::NotAllowed {
        url: "http://x".to_owned(),
        allowed: "http://y".to_owned(),
    };
    let fault = talk(
        "\nhttp_get(\"http://x\");",
        json!({}),
        vec![Do::Give(Answer::Web(WebAnswer::failed(refused)))],
    );
    let fault = fault.end.fault.unwrap();
    assert!(
        fault.line == 2 && fault.message.contains("web.hosts"),
        "{fault:?}"
    );
}
