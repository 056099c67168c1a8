//! What `check` sees without running anything.

use super::super::check::check;
use super::*;

/// The report's faults and warnings as `file:line:column: message`.
fn found(list: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let report = check(&files(list), Language::Ru);
    let lines = |faults: &[crate::call::Fault]| {
        faults
            .iter()
            .map(|f| format!("{}:{}:{}: {}", f.file, f.line, f.column, f.message))
            .collect()
    };
    (lines(&report.faults), lines(&report.warnings))
}

#[test]
fn each_fault_is_told_at_its_place() {
    let mut wrong = Vec::new();
    for (text, want) in [
        (
            "\n  sya(\"x\");",
            "d.rhai:2:3: нет функции «sya»; может быть, «say»?",
        ),
        (
            "if true { казать(\"x\") }",
            "d.rhai:1:11: нет функции «казать»; может быть, «сказать»?",
        ),
        (
            "fn мой_вопрос() {}\nмой_вопорс();",
            "d.rhai:2:1: нет функции «мой_вопорс»; может быть, «мой_вопрос»?",
        ),
        (
            "fn f(a) {}\nf(1, 2);",
            "d.rhai:2:1: функции «f» дано параметров: 2, а нужно: 1",
        ),
        (
            "ask(\"?\", #{\n  atempts: 3 });",
            "d.rhai:2:3: нет настройки «atempts»; может быть, «attempts»?",
        ),
        (
            "ask(\"?\", #{ попыток: 30 });",
            "d.rhai:1:22: настройка «попыток»: нужно целое число от 1 до 10, а здесь 30",
        ),
        (
            "listen(#{ timeout: \"5\" });",
            "d.rhai:1:20: настройка «timeout»",
        ),
        (
            "say(\"x\", #{ expect: \"yes\" });",
            "d.rhai:1:13: нет настройки «expect»",
        ),
        (
            "let a = ask(\"?\", #{ expect: [\"yes\", \"mayby\"] });",
            "d.rhai:1:37: нет ответа «mayby»",
        ),
        (
            "play(\"heloo\");",
            "d.rhai:1:6: нет звука «heloo» в папке sounds; может быть, «hello»?",
        ),
        (
            "ask(\"?\", #{ no_input: #{ play: \"нет\" } });",
            "d.rhai:1:32: нет звука «нет»",
        ),
        ("say(#{ paly: \"x\" });", "d.rhai:1:8: во фразе бывает"),
        (
            "menu(\"?\", #{ \"1\": 1, \"perhaps\": 2 });",
            "d.rhai:1:22: нет ответа «perhaps»",
        ),
        ("finish(\"busy\");", "d.rhai:1:8: итог «busy»"),
        (
            "set(\"x\");",
            "d.rhai:1:1: «set» дано параметров: 1; нужно set(key, value)",
        ),
        ("fn on_hang_up() {}", "d.rhai:1:17: у функции on_hang_up"),
        (
            "import \"lib/none\" as n;",
            "d.rhai:1:1: нет годного файла lib/none.rhai",
        ),
        (
            "import \"other\" as n;",
            "d.rhai:1:1: подключать можно только",
        ),
        (
            "import \"lib/good\" as g;\ng::hi();",
            "d.rhai:2:4: в lib/good.rhai нет функции «hi»",
        ),
        (
            "import \"lib/good\" as g;\ng::hello();",
            "d.rhai:2:4: функции «hello» дано параметров: 0, а нужно: 1",
        ),
        ("say(\"x\"", "d.rhai:1:8: не хватает «)»"),
        (
            "say(\"x\");\nlet y = 5\nsay(\"z\");",
            "d.rhai:3:1: не хватает «;» в конце предыдущей строки",
        ),
        ("if x == 1 { }", "d.rhai:1:4: нет переменной «x»"),
        (
            "fn f() { answer }\nlet answer = 1;",
            "d.rhai:1:10: нет переменной «answer». Функция видит только свои",
        ),
        ("если истина { say(\"x\"); ", "d.rhai:1:"),
        ("let a = \"незакрыто", "d.rhai:1:"),
        (
            "пкоа истина {}",
            "d.rhai:1:1: нет переменной «пкоа»; может быть, «пока»?",
        ),
        (
            "let answer = 1; if answer = 1 {}",
            "d.rhai:1:27: здесь нужно ==, а не =",
        ),
        ("let match = 1;", "d.rhai:1:5: слово «match» занято языком"),
        ("break;", "d.rhai:1:1: «прервать» и «продолжить»"),
        ("eval(\"1\");", "d.rhai:1:1: "),
    ] {
        let mut list = files(&[("d.rhai", text), ("lib/good.rhai", "fn hello(x) { x }")]);
        list.insert("sounds/hello.wav".to_owned(), super::dialogs::wav(8));
        let report = check(&list, Language::Ru);
        let line = report.to_string();
        if report.faults.len() != 1 || !line.starts_with(want) {
            wrong.push(format!("{text}\nwanted {want}\n{line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_faults_are_told_at_once_with_their_lines() {
    let list = files(&[
        ("a.rhai", "sya(\"x\");\nlsiten();"),
        ("b.rhai", "let x = ;"),
        ("b.yaml", "titel: x\n"),
        ("phrases.yaml", "yes:\n  - да\nno: []\n"),
        ("lib/c.rhai", "say(\"no call yet\");"),
        ("lib/d.rhai", "import \"lib/e\" as e;"),
        ("lib/e.rhai", "import \"lib/d\" as d;"),
        ("sounds/x.wav", "no sound"),
        ("sounds/texts.yaml", "y: Текст\n"),
    ]);
    let report = check(&list, Language::Ru);
    let places: Vec<String> = report
        .faults
        .iter()
        .map(|f| format!("{}:{}", f.file, f.line))
        .collect();
    assert_eq!(
        places,
        [
            "a.rhai:1",
            "a.rhai:2",
            "b.rhai:1",
            "b.yaml:1",
            "lib/c.rhai:1",
            "lib/d.rhai:0",
            "lib/e.rhai:0",
            "phrases.yaml:3",
            "sounds/texts.yaml:1",
            "sounds/x.wav:0"
        ],
        "{report}"
    );
    let text = report.to_string();
    assert!(
        text.contains("     1 | sya(\"x\");\n       | ^\n"),
        "{text}"
    );
    assert!(
        text.ends_with("сценариев: 2, ошибок: 10, замечаний: 0\n"),
        "{text}"
    );
}

#[test]
fn slips_that_may_stand_are_warnings() {
    for (text, yaml, want) in [
        (
            "let name = \"x\";\nsay(\"${name}\");\nfinish(\"x\");",
            "",
            "d.rhai:2:5: ${name} в двойных кавычках",
        ),
        (
            "say(\"${nmae}\");\nfinish(\"x\");",
            "params: {name: x}\n",
            "d.rhai:1:5: параметра «nmae» нет в params файла d.yaml; может быть, «name»?",
        ),
        (
            "let a = listen();\nif a.is(\"yess\") {}\nfinish(\"x\");",
            "",
            "d.rhai:2:9: нет ответа «yess»",
        ),
        (
            "let a = listen();\nif a.kind == \"hang_up\" {}\nfinish(\"x\");",
            "",
            "d.rhai:2:14: при отбое сценарий",
        ),
        (
            "fn при_автоответчике(вид) { say(\"перезвоните\"); }\nfinish(\"x\");",
            "machine: continue\n",
            "d.yaml:0:0: с «machine: continue» разговор с автоответчиком",
        ),
    ] {
        let (faults, warnings) = found(&[("d.rhai", text), ("d.yaml", yaml)]);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(warnings.len(), 1, "{text}\n{warnings:?}");
        assert!(warnings[0].starts_with(want), "{warnings:?}");
    }
    let (faults, warnings) = found(&[("other.yaml", "title: x\n")]);
    assert!(
        faults.is_empty() && warnings[0].contains("other.rhai"),
        "{warnings:?}"
    );
}

#[test]
fn sound_scripts_have_nothing_to_tell() {
    let (faults, warnings) = found(&[
        (
            "d.rhai",
            r#"
            import "lib/good" as g;
            const GREETING = "x";
            fn on_hang_up(reason) { log(reason); }
            fn helper(a, b) { if attempt > 1 { a.len() + b } else { 0 } }
            say("${name}, ${chosen}");
            say(`${GREETING} ${helper("x", 2)} ${g::hello(1)}`);
            set("chosen", "x");
            let list = [1, 2, 3].map(|x| x * 2).filter(|x| x > 2);
            list.sort(); list.push(5); let n = list.reduce(|s, x| s + x, 0);
            let f = |x| x + n; f.call(2);
            let text = "АБВ".to_lower().trim(); text.replace("а", "б"); text.contains("в"); parse_int("5");
            let m = #{ a: 1, answers: ["x"] }; m.keys().len(); "a" in m;
            for k in m.keys() { log(k); }
            let reply = ask(#{ play: ["hello", "hello"] }, #{ expect: ["да", "operator"], no_match: ["x", #{ say: "y" }] });
            if reply.is("2") || reply == "yes" || type_of(reply) == "x" { finish("ok"); }
            finish_later();
            fn finish_later() { if attempt > 5 { finish("no"); } }
            let t = timestamp(); let e = t.elapsed; log(max(1, 2)); log(abs(-1)); log(to_string(5)); debug("x"); finish("end");
            "#,
        ),
        ("d.yaml", "params: {name: x}\n"),
        ("lib/good.rhai", "fn hello(x) { say(\"${a}\"); x + 1 }"),
    ].map(|(a, b)| (a, b)));
    let faults: Vec<_> = faults
        .into_iter()
        .filter(|f| !f.contains("нет звука «hello»"))
        .collect();
    assert_eq!((faults, warnings), (vec![], vec![]));
}
