//! The program as a person runs it: what it prints, and with which code it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs it in `folder` with `input` on its standard input; gives code, output and errors.
fn run(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_govorun"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env_remove("GOVORUN_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who ends without reading it closes the pipe: no fault.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        done.status.code().unwrap_or(-1),
        text(done.stdout),
        text(done.stderr),
    )
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_demo_shows_order_talk_outcome_and_history() {
    let (code, out, err) = run(here(), &["demo"], "");
    assert_eq!(code, 0, "{out}\n{err}");
    for part in [
        "POST http://127.0.0.1:",
        "✂ перебили",
        "Человек: да, приеду",
        "Итог: подтвердил",
        "\"outcome\": \"подтвердил\"",
        "GET /api/v1/changes?after=0",
        "\"cursor\": ",
        "Asterisk        Newstate",
        "закончена: подтвердил",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    assert_eq!(err, "");
}

#[test]
fn a_talk_from_a_pipe_ends_with_its_outcome() {
    let (code, out, err) = run(here(), &["talk", "confirm_visit"], "нет, не приеду\n");
    assert_eq!(code, 0, "{out}\n{err}");
    assert!(out.contains("Итог для 1С: declined"), "{out}");
}

#[test]
fn check_tells_what_this_machine_lacks_for_the_voices() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("scripts");
    std::fs::create_dir(&scripts).unwrap();
    std::fs::write(
        scripts.join("a.rhai"),
        "say(\"x\", #{ voice: \"secnd\" });\n",
    )
    .unwrap();
    let config = "asterisk: {secret: x, sounds: s}\nvoices:\n  - kind: command\n    name: second\n    command: [no-such-voice]\n    cache: c\n";
    std::fs::write(folder.path().join("govorun.yaml"), config).unwrap();
    let (code, out, _) = run(folder.path(), &["check"], "");
    assert_eq!(code, 1, "{out}");
    for part in [
        "voices[0].command: программы «no-such-voice» нет",
        "a.rhai:1:20: нет голоса «secnd»; может быть, «second»?",
        "Итого: 2 ошибки",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn check_tells_what_is_wrong_with_the_tests_of_dialogs() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("scripts");
    std::fs::create_dir(&scripts).unwrap();
    std::fs::write(scripts.join("d.rhai"), "finish(\"ok\");").unwrap();
    std::fs::write(scripts.join("d.test.yaml"), "- проверка: п\n  итогг: ok\n").unwrap();
    std::fs::write(scripts.join("dd.test.yaml"), "").unwrap();
    let (code, out, _) = run(folder.path(), &["check"], "");
    // The server doesn't read them: it is no reason to refuse the dialogs.
    assert_eq!(code, 0, "{out}");
    for wanted in ["d.test.yaml:2:3", "итогг", "файла dd.rhai нет"] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
}

#[test]
fn check_tells_every_fault_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("scripts");
    std::fs::create_dir(&scripts).unwrap();
    std::fs::write(
        scripts.join("a.rhai"),
        "сказать(\"Привет\");\nзавершить(\"готово\");\n",
    )
    .unwrap();
    let (code, out, _) = run(folder.path(), &["check"], "");
    assert_eq!((code, out.trim()), (0, "Ошибок нет: 1 диалог"));

    std::fs::write(scripts.join("b.rhai"), "\nсказтаь(\"Привет\");\n").unwrap();
    let config = folder.path().join("govorun.yaml");
    std::fs::write(&config, "asterisk:\n  secret: x\nhttp:\n  listn: 1\n").unwrap();
    let (code, out, _) = run(folder.path(), &["check"], "");
    assert_eq!(code, 1, "{out}");
    for part in [
        "govorun.yaml:4:3",
        "listen?",
        "b.rhai:2:1",
        "сказать",
        "Итого: 2 ошибки",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    let (code, _, err) = run(folder.path(), &["serve"], "");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("govorun.yaml:4:3") && err.contains("не запущен"),
        "{err}"
    );
}

#[test]
fn wrong_use_is_told_and_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, want) in [
        (&["srve"][..], "serve"),
        (&["check"], "--scripts"),
        (&["check", "--scripts", "нет"], "«нет»"),
        (&["talk", "x"], "scripts"),
        (&["call", "112"], "ДИАЛОГ"),
        (&["call", "112", "x", "--url", "ftp://x"], "http://"),
        (&["serve", "--log", "xml"], "text, json"),
    ] {
        let (code, _, err) = run(folder.path(), arguments, "");
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(want), "{arguments:?}: {err}");
    }
    let (code, out, _) = run(folder.path(), &["--help"], "");
    assert!(code == 0 && out.contains("Команды"), "{out}");
}

#[test]
fn a_call_without_a_server_says_so() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (code, _, err) = run(here(), &["call", "112", "x", "--url", &url], "");
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("Запущен ли govorun serve"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_ordered_and_followed_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("scripts");
    std::fs::create_dir(&scripts).unwrap();
    let dialog = "сказать(\"Здравствуйте, ${имя}!\");\nзавершить(\"готово\", #{ кому: параметр(\"имя\") });\n";
    std::fs::write(scripts.join("привет.rhai"), dialog).unwrap();
    let stage = govorun::app::Stage::start(govorun::app::Scene {
        scripts,
        folder: folder.path().to_owned(),
        phone: "112".to_owned(),
        char_ms: 20,
        prompt_speed: 1,
        word: std::time::Duration::from_millis(20),
        ring_ms: 20,
        media: govorun::config::MediaKind::Auto,
    })
    .await
    .unwrap();
    let url = format!("http://{}", stage.runtime.http);
    let token = stage.token.clone();
    let calls = tokio::task::spawn_blocking(move || {
        let order = [
            "call",
            "112",
            "привет",
            "имя=Анна",
            "--id",
            "А-1",
            "--url",
            &url,
        ];
        let stranger = run(here(), &order, "");
        let mut order = order.to_vec();
        order.extend(["--token", &token]);
        let first = run(here(), &order, "");
        (stranger, first, run(here(), &order, ""))
    });
    let ((code, _, err), first, again) = calls.await.unwrap();
    stage.leave().await;
    assert!(code == 1 && err.contains("GOVORUN_TOKEN"), "{code} {err}");
    let (code, out, err) = first;
    assert_eq!(code, 0, "{out}\n{err}");
    for part in [
        "заказан",
        "трубку сняли",
        "Робот:   Здравствуйте, Анна!",
        "Итог: готово",
        "\"кому\":\"Анна\"",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    let (code, out, _) = again;
    assert!(code == 0 && out.contains("уже был заказан раньше"), "{out}");

    // The recorded call goes through today's dialog, and through another one.
    let store = folder.path().join("govorun.sqlite");
    let replay = |what: &[&str]| {
        let mut words = vec!["replay"];
        words.extend(what);
        words.extend(["--scripts", "scripts", "--store", store.to_str().unwrap()]);
        run(folder.path(), &words, "")
    };
    let (code, out, err) = replay(&["А-1"]);
    assert!(code == 0 && out.contains("пошёл бы так же"), "{out}\n{err}");
    let (code, out, err) = replay(&["--all", "привет", "--last", "10"]);
    assert!(
        code == 0 && out.contains("Повторено: 1 звонок, кончилось бы иначе: 0"),
        "{out}\n{err}"
    );
    let script = folder.path().join("scripts/привет.rhai");
    std::fs::write(
        &script,
        dialog
            .replace("Здравствуйте", "Добрый день")
            .replace("готово", "конец"),
    )
    .unwrap();
    let (code, out, _) = replay(&["А-1"]);
    for part in [
        "► ",
        "отсюда сегодня идёт иначе",
        "Робот:   Здравствуйте, Анна!",
        "Робот:   Добрый день, Анна!",
        "Итог: конец",
    ] {
        assert!(
            code == 1 && out.contains(part),
            "{part:?} is not in:\n{out}"
        );
    }
    let (code, out, _) = replay(&["--all", "привет"]);
    assert!(
        code == 1 && out.contains("готово → конец: 1 звонок (А-1)"),
        "{out}"
    );
    assert_eq!(replay(&["Б-2"]).0, 2);
}

#[test]
fn a_talk_is_saved_as_a_test_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("scripts");
    std::fs::create_dir(&scripts).unwrap();
    let dialog = "let a = ask(\"Вы приедете завтра к нам?\", #{ expect: [\"yes\", \"no\"], attempts: 3, no_input: \"Алло?\" });\n\
        set(\"cut\", a.barged_in); set(\"n\", a.attempts);\nif a.yes { finish(\"yes\"); }\nfinish(\"no\");\n";
    std::fs::write(scripts.join("d.rhai"), dialog).unwrap();
    for (n, (input, outcome)) in [
        ("/тишина\nда\n", "yes"),
        ("/перебить нет\n", "no"),
        ("/цифры 1\n", "no"),
        ("/отбой\n", "hung_up"),
    ]
    .into_iter()
    .enumerate()
    {
        let title = format!("проба {n}");
        let (code, out, err) = run(
            folder.path(),
            &["talk", "d", "x=007", "--save", &title],
            input,
        );
        assert_eq!(code, 0, "{out}\n{err}");
        assert!(
            out.contains(&format!("Итог для 1С: {outcome}")),
            "{input}: {out}"
        );
    }
    let (code, out, err) = run(folder.path(), &["test"], "");
    let file = std::fs::read_to_string(scripts.join("d.test.yaml")).unwrap();
    assert_eq!(code, 0, "{out}\n{err}\n{file}");
    assert!(
        out.contains("✓ d: 4 проверки") && out.contains("пройдено 100 %"),
        "{out}"
    );

    // What is broken is told as a talk, with its first difference; CI gets its file.
    std::fs::write(
        scripts.join("d.rhai"),
        dialog.replace("finish(\"yes\")", "finish(\"да\")"),
    )
    .unwrap();
    let junit = folder.path().join("j.xml");
    let (code, out, _) = run(
        folder.path(),
        &["test", "d", "--junit", junit.to_str().unwrap()],
        "",
    );
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("► ") && out.contains("итог должен быть «yes», а он «да»"),
        "{out}"
    );
    assert!(
        std::fs::read_to_string(junit)
            .unwrap()
            .contains("failures=\"1\"")
    );
    std::fs::write(scripts.join("d.rhai"), dialog).unwrap();
    std::fs::write(
        scripts.join("d.test.yaml"),
        "- case: x\n  talk: [{person: да}]\n  outcome: yes\n",
    )
    .unwrap();
    let (code, out, _) = run(folder.path(), &["test", "--min-coverage", "100"], "");
    assert!(
        code == 1 && out.contains("а нужно не меньше 100 %"),
        "{out}"
    );
    assert_eq!(run(folder.path(), &["test"], "").0, 0);
    for wrong in [&["test", "e"][..], &["test", "--min-coverage", "101"]] {
        assert_eq!(run(folder.path(), wrong, "").0, 2, "{wrong:?}");
    }
}

#[test]
fn editors_get_faults_as_json_and_the_words_of_the_language() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = folder.path().join("scripts");
    std::fs::create_dir(&scripts).unwrap();
    std::fs::write(scripts.join("d.rhai"), "sya(\"x\");\n").unwrap();
    std::fs::write(scripts.join("e.rhai"), "say(\"x\");\n").unwrap();
    let (code, out, _) = run(folder.path(), &["check", "--json"], "");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["sound"]), (1, &serde_json::json!(false)));
    assert_eq!(told["faults"][0]["file"], "scripts/d.rhai");
    assert_eq!(told["faults"][0]["line"], 1);
    assert_eq!(told["faults"][0]["severity"], "error");
    assert_eq!(told["faults"][1]["severity"], "warning");
    std::fs::write(scripts.join("d.rhai"), "finish(\"x\");\n").unwrap();
    let (code, out, _) = run(folder.path(), &["check", "--json"], "");
    assert_eq!((code, out.contains("\"sound\":true")), (0, true), "{out}");
    let (code, out, _) = run(folder.path(), &["definitions"], "");
    assert!(code == 0 && out.starts_with("module static;"), "{out}");
    let (code, out, _) = run(folder.path(), &["definitions", "--table"], "");
    assert!(code == 0 && out.contains("| `спросить("), "{out}");
    for command in ["rollback", "drain"] {
        let line = [command, "--url", "http://127.0.0.1:1"];
        let (code, _, err) = run(folder.path(), &line, "");
        assert!(code == 1 && err.contains("не отвечает"), "{err}");
    }
}

#[test]
fn an_export_reads_the_store_and_says_what_is_wrong() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("g.sqlite");
    drop(govorun::store::Store::open(&store).unwrap());
    let store = store.to_str().unwrap();
    let (code, out, err) = run(place.path(), &["export", "calls", "--store", store], "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.starts_with("\u{feff}Номер;Направление;Телефон;"),
        "{out}"
    );
    assert_eq!(out.lines().count(), 1, "{out}");
    let lines = [
        "export", "events", "--format", "jsonl", "--store", store, "-o", "e.jsonl",
    ];
    assert_eq!(
        run(place.path(), &lines, ""),
        (0, String::new(), String::new())
    );
    assert_eq!(std::fs::read(place.path().join("e.jsonl")).unwrap(), b"");
    for (arguments, code, part) in [
        (
            vec!["export", "calls", "--store", "none.sqlite"],
            2,
            "файла none.sqlite нет",
        ),
        (
            vec!["export", "calls", "--store", store, "--from", "1.11.2026"],
            2,
            "2026-11-29",
        ),
        (
            vec![
                "export",
                "calls",
                "--store",
                store,
                "--from",
                "2026-11-30",
                "--to",
                "2026-11-01",
            ],
            2,
            "позже конца",
        ),
        (vec!["export", "всё", "--store", store], 2, "всё"),
        (
            vec!["export", "calls", "--store", store, "-o", "none/x.csv"],
            1,
            "none/x.csv",
        ),
    ] {
        let (ended, out, err) = run(place.path(), &arguments, "");
        assert_eq!(ended, code, "{arguments:?}\n{out}\n{err}");
        assert!(err.contains(part), "{part:?} is not in:\n{err}");
    }
}
