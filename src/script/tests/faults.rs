//! Faults of running scripts: where they are, and what is said of them.

use serde_json::json;

use super::*;

/// Runs `text` to its fault.
fn fault(text: &str) -> crate::call::Fault {
    let talked = talk(
        text,
        json!({ "name": "Анна", "city": "Тверь" }),
        vec![Do::Say(said("да", "yes"))],
    );
    talked
        .end
        .fault
        .unwrap_or_else(|| panic!("no fault: {text}"))
}

#[test]
fn faults_name_line_column_and_the_mend() {
    for (text, line, column, parts) in [
        (
            "\n  say(\"${nam}\");",
            2,
            3,
            &["«nam»", "«name»", "city"][..],
        ),
        (
            "let o = #{ atempts: 3 };\nask(\"?\", o);",
            2,
            1,
            &["«atempts»", "«attempts»"],
        ),
        (
            "let o = #{ timeout: \"пять\" };\nask(\"?\", o);",
            2,
            1,
            &["timeout", "секунд"],
        ),
        (
            "let o = #{ expect: [\"yess\"] };\nask(\"?\", o);",
            2,
            1,
            &["«yess»", "«yes»", "phrases.yaml"],
        ),
        ("let n = \"нет\";\nplay(n);", 2, 1, &["нет звука", "sounds"]),
        (
            "let x = param(\"нет\");\nlet y = \"a\" + 1 + (x - 5);",
            2,
            22,
            &["«-»", "ничего"],
        ),
        (
            "let a = [listen()];\nlog(a[0].txet);",
            2,
            10,
            &["«txet»", "«text»"],
        ),
        ("transfer(\"8912&SIP\");", 1, 1, &["8912&SIP"]),
        ("let t = 5;\npause(-t);", 2, 1, &["пауза", "300"]),
        (
            "let o = \"bu\" + \"sy\";\nfinish(o);",
            2,
            1,
            &["busy", "другое"],
        ),
        (
            "call_again(\"когда-нибудь\");",
            1,
            1,
            &["когда-нибудь", "18:30"],
        ),
        ("let c = 0;\ndigits(c);", 2, 1, &["от 1 до 40"]),
        ("say(5);", 1, 1, &["строка"]),
        (
            "let n = 5;\nstage(n);",
            2,
            1,
            &["stage", "(name)", "целое число"],
        ),
        ("throw \"сам\";", 1, 1, &["сам"]),
        ("let l = [1];\nl[5];", 2, 3, &["номера 5 нет"]),
        ("set(\"\", 1);", 1, 1, &["имя"]),
        ("set(\"f\", || 1);", 1, 1, &["Fn"]),
        ("fn f(x) {\n  say(x.y);\n}\nf(1);", 2, 9, &["«y»"]),
    ] {
        let fault = fault(text);
        assert_eq!(
            (fault.file.as_str(), fault.line),
            ("d.rhai", line),
            "{text}\n{fault:?}"
        );
        assert_eq!(fault.column, column, "{text}\n{fault:?}");
        for part in parts {
            assert!(fault.message.contains(part), "{text}\n{part}\n{fault:?}");
        }
    }
}

#[test]
fn a_script_may_catch_its_own_faults() {
    let talked = talk(
        "try { say(\"${нет}\"); } catch (e) { log(e); finish(\"caught\"); }",
        json!({}),
        vec![],
    );
    assert_eq!(talked.outcome(), Some("caught"));
    assert!(
        talked.seen.iter().any(|s| s.contains("нет параметра")),
        "{:#?}",
        talked.seen
    );
}

#[test]
fn a_fault_inside_lib_names_the_file_in_lib() {
    let version = version(&[
        (
            "d.rhai",
            "import \"lib/greet\" as g;\nfn f() { g::hello(1) }\nf();",
        ),
        (
            "lib/greet.rhai",
            "import \"lib/inner\" as i;\n\nfn hello(n) {\n    i::fail(n)\n}",
        ),
        (
            "lib/inner.rhai",
            "fn fail(n) {\n    say(`попытка ${попытка}`);\n\n    say(n.x)\n}",
        ),
    ]);
    let talked = hold(&version, "d", info(json!({})), vec![]);
    assert!(talked.saw("say попытка 2"));
    let fault = talked.end.fault.unwrap();
    assert_eq!(
        (fault.file.as_str(), fault.line),
        ("lib/inner.rhai", 4),
        "{fault:?}"
    );
}

#[test]
fn a_fault_in_the_handler_is_told_too() {
    let talked = talk(
        "fn on_hang_up(r) {\n  r.x\n}\nlisten();",
        json!({}),
        vec![Do::HangUp],
    );
    let fault = talked.end.fault.unwrap();
    assert_eq!((fault.file.as_str(), fault.line), ("d.rhai", 2));
}

#[test]
fn english_is_spoken_where_it_is_configured() {
    let files = files(&[("d.rhai", "let o = #{ atempts: 3 };\nask(\"?\", o);")]);
    let version = Version::compile(&files, Language::En).version.unwrap();
    let fault = hold(&version, "d", info(json!({})), vec![])
        .end
        .fault
        .unwrap();
    assert_eq!(
        fault.message,
        "there is no setting \"atempts\"; did you mean \"attempts\"?"
    );
}
