//! Texts that are spoken: what is filled and what is not, voices and their stand-in, what can be known before a call.

use serde_json::json;

use super::*;
use crate::audio::wav;
use crate::call::Saying;
use crate::script::Named;

#[test]
fn only_what_the_author_wrote_is_filled() {
    let params = json!({
        "имя": "Анна", "note": "скидка ${имя} и ${нет такого}", "deep": { "x": ["${имя}"] }, "slot": "\u{e024}{имя}",
    });
    for (text, want) in [
        ("say(\"Вам, ${имя}\");", "say Вам, Анна"),
        (
            "сказать(параметр(\"note\"));",
            "say скидка ${имя} и ${нет такого}",
        ),
        ("say(param(\"slot\"));", "say ${имя}"),
        (
            "say(\"${имя}: \" + param(\"note\"));",
            "say Анна: скидка ${имя} и ${нет такого}",
        ),
        ("say(\"${note}!\");", "say скидка ${имя} и ${нет такого}!"),
        (
            "пусть x = параметр(\"note\"); сказать(`Вот: ${x}`);",
            "say Вот: скидка ${имя} и ${нет такого}",
        ),
        (
            "let x = \"Анна Петровна\"; say(`${x}, ` + \"то есть ${имя}\");",
            "say Анна Петровна, то есть Анна",
        ),
        ("say(`в кавычках ${\"${имя}\"}`);", "say в кавычках Анна"),
        (
            "say([param(\"deep\").x[0], \" \", #{ say: \"${имя}\" }]);",
            "say ${имя}Анна",
        ),
        (
            "функция привет(кто) { сказать(\"${имя}, \" + кто); } привет(параметр(\"note\"));",
            "say Анна, скидка ${имя} и ${нет такого}",
        ),
        ("say(\"незакрытое ${имя\");", "say незакрытое ${имя"),
    ] {
        let talked = talk(text, params.clone(), vec![]);
        assert_eq!(talked.end.fault, None, "{text}");
        assert!(talked.saw(want), "{text}: {:#?}", talked.seen);
    }
    let asked = "ask(param(\"note\"), #{ no_input: param(\"note\"), attempts: 2 });";
    let silence = Do::Say(Reply::empty(ReplyKind::NoInput));
    let talked = talk(asked, params.clone(), vec![silence.clone(), silence]);
    assert!(
        talked.saw("ask скидка ${имя} и ${нет такого}скидка ${имя} и ${нет такого} []"),
        "{:#?}",
        talked.seen
    );
    // A name that is missing is still the author's fault.
    let told = talk("say(\"${имы}\");", params.clone(), vec![]).end.fault;
    assert!(told.unwrap().message.contains("может быть, «имя»"));
    // What leaves the script looks as it was written.
    let left = talk(
        "set(\"${a}\", [\"${имя}\", #{ \"${k}\": 1 }]); log(\"${имя}\"); stage(\"${имя}\"); throw \"${имя}\";",
        params,
        vec![],
    );
    assert_eq!(left.end.data["${a}"], json!(["${имя}", { "${k}": 1 }]));
    assert!(
        left.saw(r#"note log {"text":"${имя}"}"#),
        "{:#?}",
        left.seen
    );
    assert!(left.saw(r#"note stage {"name":"${имя}"}"#));
    assert!(left.end.fault.unwrap().message.contains("${имя}"));
}

/// What a dialog of these files wants spoken first.
fn first_saying(list: &[(&str, &str)]) -> Saying {
    let mut all = files(list);
    all.insert("sounds/sorry.wav".to_owned(), wav::encode(&[5; 800]));
    let compiled = Version::compile(&all, Language::Ru);
    let version = compiled
        .version
        .unwrap_or_else(|| panic!("{:#?}", compiled.faults));
    let (line, mut messages, _) = Line::new(info(json!({ "имя": "Анна" })));
    let dialog = version.dialog("d").unwrap();
    std::thread::spawn(move || dialog.run(line));
    loop {
        if let Some(LineMessage::Request(request, _)) = messages.blocking_recv()
            && let Request::Turn(turn) = *request
        {
            match turn.prompts.into_iter().next() {
                Some(Prompt::Text(saying)) => return saying,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_text_goes_with_its_voice_its_speed_and_its_stand_in() {
    let plain = first_saying(&[("d.rhai", "say(\"да\");")]);
    assert_eq!(plain, Saying::plain("да"));
    let own = first_saying(&[
        (
            "d.rhai",
            "сказать(\"да\", #{ голос: \"второй\", скорость: 1.25 });",
        ),
        (
            "d.yaml",
            "fallback: sorry.wav\nlisten: { voice: первый, speed: 2 }",
        ),
    ]);
    assert_eq!(
        (own.voice.as_deref(), own.speed_percent),
        (Some("второй"), 125)
    );
    assert_eq!(own.otherwise.unwrap().name, "sorry");
    let dialogs = first_saying(&[
        ("d.rhai", "ask([\"да\"], #{ });"),
        (
            "d.yaml",
            "listen: { голос: первый, speed: 2, no_input: \"${имя}?\" }",
        ),
    ]);
    assert_eq!(
        (dialogs.voice.as_deref(), dialogs.speed_percent),
        (Some("первый"), 200)
    );
}

/// Faults and warnings of files with a sound, where the server has these voices.
fn told(list: &[(&str, &[u8])], language: Language, voices: &[&str]) -> Vec<String> {
    let files: Files = list
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
        .collect();
    let voices: Vec<String> = voices.iter().map(|v| (*v).to_owned()).collect();
    let named = Named {
        voices: Some(voices),
        ..Named::default()
    };
    let compiled = Version::compile_for(&files, language, &named);
    let show =
        |f: &crate::call::Fault| format!("{}:{}:{}: {}", f.file, f.line, f.column, f.message);
    compiled.faults.iter().map(show).collect()
}

#[test]
fn prompts_and_voices_that_cannot_be_are_told_before_any_call() {
    let short = wav::encode(&[5; 80]);
    let mut cut = wav::encode(&[5; 800]);
    cut.truncate(900);
    let mut wide = short.clone();
    wide[24..28].copy_from_slice(&1_000u32.to_le_bytes());
    let long = format!("\n say(\"{}\");", "а".repeat(2_001));
    let long = long.as_bytes();
    let empty = wav::encode(&[]);
    let endless = wav::encode(&vec![0; 8_000 * 601]);
    let say = "say(\"x\", #{ voice: \"секнод\" });".as_bytes();
    let yaml = "title: x\nlisten: { voice: none }\n".as_bytes();
    let good: (&str, &[u8]) = ("d.rhai", b"say(\"x\");");
    for (list, ru, en) in [
        (
            vec![("sounds/a.wav", &b"ID3 mp3"[..])],
            "sounds/a.wav:0:0: это не WAV",
            "not a WAV",
        ),
        (vec![("sounds/a.wav", &cut[..])], "файл обрезан", "cut off"),
        (
            vec![("sounds/a.wav", &wide[..])],
            "частота 1000",
            "1000 samples",
        ),
        (
            vec![("sounds/a.wav", &empty[..])],
            "нет звука",
            "no samples",
        ),
        (vec![("sounds/a.wav", &endless[..])], "601 с", "601 s"),
        (
            vec![("d.rhai", long)],
            "d.rhai:2:6: слишком длинный текст: 2001",
            "2001 characters",
        ),
        (
            vec![("d.rhai", say)],
            "d.rhai:1:20: нет голоса «секнод»",
            "no voice",
        ),
        (
            vec![good, ("d.yaml", yaml)],
            "d.yaml:2:0: нет голоса «none»",
            "no voice",
        ),
        (
            vec![
                good,
                ("d.yaml", b"fallback: sory\n"),
                ("sounds/sorry.wav", &short[..]),
            ],
            "d.yaml:1:0: fallback: нет звука «sory» в папке sounds; может быть, «sorry»?",
            "no sound \"sory\"",
        ),
    ] {
        for (language, part) in [(Language::Ru, ru), (Language::En, en)] {
            let told = told(&list, language, &["espeak", "second"]);
            assert!(
                told.len() == 1 && told[0].contains(part),
                "{part}: {told:#?}"
            );
        }
    }
    // Where the server's voices are not known, no name is wrong.
    assert_eq!(
        first_saying(&[("d.rhai", "say(\"x\", #{ voice: \"секнод\" });")]).text,
        "x"
    );
}

#[test]
fn texts_that_are_known_before_any_call_are_found() {
    let script = r#"
        set("day", "завтра");
        say("Первый.");
        если истина { сказать(["Второй.", #{ сказать: "Третий." }, #{ play: "sorry" }], #{ скорость: 1.5 }); }
        let x = ask(["Раз?", "Два, ${name}?", "Три, ${given}?", "До ${day}."], #{ no_input: "Молчите?", no_match: `А ${x}` });
        digits(4, #{ prompt: "Код?", voice: "second" });
        menu("Меню.", #{ "1": "не фраза" }, #{ молчание: "Ну?" });
        say("Вычислено" + 1);
        say("Голос неизвестен", #{ voice: x.text });
        say("Это файл.");
        log("Не говорят.");
        fn later(n) { say("В функции."); }
    "#;
    let version = {
        let mut all = files(&[
            (
                "d.rhai",
                script.replace("`А ${x}`", "`А ${attempt}`").as_str(),
            ),
            (
                "d.yaml",
                "params: { name: гость, given: null, day: сегодня }\nlisten: { no_match: \"Из настроек.\" }\nfallback: sorry",
            ),
            ("lib/a.rhai", "fn polite() { say(\"Из lib.\"); }"),
            ("sounds/texts.yaml", "sorry: Это файл."),
        ]);
        all.insert("sounds/sorry.wav".to_owned(), wav::encode(&[5; 800]));
        let compiled = Version::compile(&all, Language::Ru);
        compiled
            .version
            .unwrap_or_else(|| panic!("{:#?}", compiled.faults))
    };
    let mut found: Vec<String> = version
        .texts()
        .iter()
        .map(|s| {
            format!(
                "{} {} {}",
                s.text,
                s.voice.as_deref().unwrap_or("-"),
                s.speed_percent
            )
        })
        .collect();
    found.sort();
    let mut want = [
        "Первый. - 100",
        "Второй. - 150",
        "Третий. - 150",
        "Раз? - 100",
        "Два, гость? - 100",
        "Молчите? - 100",
        "Код? second 100",
        "Меню. - 100",
        "Ну? - 100",
        "В функции. - 100",
        "Из настроек. - 100",
        "Из lib. - 100",
    ];
    want.sort_unstable();
    assert_eq!(found, want);
}
