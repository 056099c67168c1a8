//! A script can't loop for ever, recurse for ever, fill memory, read files or outlive its call.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

#[test]
fn runaway_scripts_are_ended_with_a_fault() {
    let began = Instant::now();
    for (text, part) in [
        ("loop {}", "слишком долго"),
        ("loop { try { loop {} } catch { } }", "слишком долго"),
        ("while true { log(\"x\"); }", "записей"),
        ("for i in 0..9000000000000 { let x = i; }", "слишком долго"),
        ("fn f(n) { f(n + 1) } f(0);", "функции вызывают"),
        (
            "fn f(n) { try { f(n + 1) } catch { f(n) } } f(0);",
            "функции вызывают",
        ),
        ("let s = \"ab\"; loop { s += s; }", "слишком большое"),
        (
            "let s = \"ab\"; loop { try { s += s; } catch {} }",
            "слишком большое",
        ),
        ("let a = [1]; loop { a += a; }", "слишком большое"),
        ("let a = []; loop { a.push(a); }", "слишком большое"),
        ("let a = []; a.pad(1000000000, 0);", "слишком большое"),
        ("let s = \"\"; s.pad(1000000000, 'x');", "слишком большое"),
        ("let b = blob(1000000000);", "слишком большое"),
        (
            "let m = #{}; let i = 0; loop { i += 1; m[\"k\" + i] = i; }",
            "слишком большое",
        ),
        (
            "let s = \"a\"; s.pad(15000, 'a'); s.replace(\"a\", s);",
            "слишком большое",
        ),
        (
            "let s = \"a\"; s.pad(15000, 'a'); s.replace('a', s);",
            "слишком большое",
        ),
        (
            "let s = \"\"; s.pad(15000, 'a'); let t = s.split(\"\"); t.push(t);",
            "слишком большое",
        ),
        ("let i = 0; loop { i += 1; set(\"k\" + i, 1); }", "полей"),
        (
            "let s = \"x\"; s.pad(19000, 'x'); set(\"a\", [s, s, s, s, s]);",
            "слишком большое",
        ),
        (
            "let s = \"x\"; s.pad(10000, 'x'); say(s);",
            "слишком длинный текст",
        ),
    ] {
        let fault = talk(text, json!({}), vec![]).end.fault;
        let fault = fault.unwrap_or_else(|| panic!("no fault: {text}"));
        assert!(fault.message.contains(part), "{text}\n{fault:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_grows_by_assignment_is_bounded_too() {
    let s = "let s = \"\"; s.pad(15000, 'x'); let i = 0;";
    for text in [
        // Freeing what this would nest overruns the stack.
        "let a = [0]; loop { let b = [0]; b[0] = a; a = b; }",
        "let a = #{}; loop { let b = #{}; b.x = a; a = b; }",
        "let a = #{}; let f = || a.len(); loop { let b = #{}; b.x = a; a = b; }",
        "let m = #{}; loop { i += 1; m[\"k\" + i] = s + i; }",
        "let m = #{}; let f = || m.len(); loop { i += 1; m[\"k\" + i] = s + i; }",
        "let m = #{}; loop { i += 1; m[\"k\" + i] = 1; }",
        "let a = []; a.pad(4000, 0); loop { a[i] = s + i; i += 1; }",
        "fn f(s) { let m = #{}; let i = 0; loop { i += 1; m[\"k\" + i] = s + i; } } f(s);",
        "let f = |x| x; loop { i += 1; f = f.curry(s + i); }",
    ] {
        let fault = talk(&format!("{s}\n{text}"), json!({}), vec![]).end.fault;
        let fault = fault.unwrap_or_else(|| panic!("no fault: {text}"));
        assert!(
            fault.message.contains("слишком большое"),
            "{text}\n{fault:?}"
        );
        assert_eq!(fault.line, 2, "{text}\n{fault:?}");
    }
}

#[test]
fn nothing_reaches_outside() {
    for text in [
        "eval(\"1\");",
        "import \"/etc/passwd\" as x;",
        "import \"../secret\" as x;",
        "let p = \"lib/x\"; import p as x;",
        "open_file(\"x\");",
        "let f = Fn(\"eval\"); f.call(\"finish(1)\");",
    ] {
        let compiled = Version::compile(&files(&[("d.rhai", text)]), Language::Ru);
        if let Some(version) = compiled.version {
            let end = hold(&version, "d", info(json!({})), vec![]).end;
            assert!(end.fault.is_some(), "{text}");
        }
    }
}

#[test]
fn the_deepest_script_fits_its_stack() {
    // Recursion to the limit, at each level nested as deep as the parser lets through, in three ways.
    let shapes: [fn(usize) -> String; 3] = [
        |n| {
            let sum = format!("{}n{}", "(1 + ".repeat(n), ")".repeat(n));
            format!("fn f(n) {{ f({sum}) }} f(0);")
        },
        |n| {
            let (open, close) = ("if true { ".repeat(n), " }".repeat(n));
            format!("fn f(n) {{ {open} f(n) {close} }} f(0);")
        },
        |n| {
            let (open, close) = (
                "for x in [1] { try { ".repeat(n),
                " } catch (e) { throw e; } }".repeat(n),
            );
            format!("fn f(n) {{ {open} f(n); {close} }} f(0);")
        },
    ];
    for shape in shapes {
        let sound = |text: &String| {
            let compiled = Version::compile(&files(&[("d.rhai", text)]), Language::Ru);
            compiled.version.is_some()
        };
        let deepest = (1..100).map(shape).take_while(sound).last().unwrap();
        let fault = talk(&deepest, json!({}), vec![]).end.fault.unwrap();
        assert!(fault.message.contains("функции вызывают"), "{fault:?}");
    }
    // Through closures and methods, too.
    let text = "fn f(n) { let g = |x| f(x); [1].map(|y| g.call(y))[0] } f(0);";
    let fault = talk(text, json!({}), vec![]).end.fault.unwrap();
    assert!(fault.message.contains("функции вызывают"), "{fault:?}");
    // And what the parser refuses, it refuses without falling.
    let deep = format!("let x = {}1{};", "(".repeat(5000), ")".repeat(5000));
    let compiled = Version::compile(&files(&[("d.rhai", &deep)]), Language::Ru);
    assert!(
        compiled.faults[0].message.contains("вложенность"),
        "{:?}",
        compiled.faults
    );
}

#[test]
fn a_busy_script_is_ended_soon_after_its_call() {
    // Each round waits on the line, so that only the hang-up can end it; the handler then spins.
    let text = "fn on_hang_up(r) { let x = 0; loop { try { loop { x = 1; } } catch {} } } loop { listen(); }";
    let began = Instant::now();
    let talked = talk(text, json!({}), vec![Do::HangUp]);
    assert!(
        talked
            .end
            .fault
            .is_some_and(|f| f.message.contains("слишком долго"))
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_long_call_is_not_a_busy_one() {
    // More steps in all than are allowed between two waits.
    let text = "for i in 0..7 { for j in 0..100000 { let x = j; } pause(0); } finish(\"done\");";
    assert_eq!(talk(text, json!({}), vec![]).outcome(), Some("done"));
}

#[test]
fn a_thousand_dialogs_at_once() {
    let version = version(&[("d.rhai", "let a = listen(); finish(a.text);")]);
    let mut calls = Vec::new();
    for n in 0..1000 {
        let (line, messages, _) = Line::new(info(json!({ "n": n })));
        let dialog = version.dialog("d").unwrap();
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || dialog.run(line))
            .unwrap();
        calls.push((thread, messages));
    }
    let mut parked = Vec::new();
    for (n, (thread, mut messages)) in calls.into_iter().enumerate() {
        loop {
            if let LineMessage::Request(_, answer) = messages.blocking_recv().unwrap() {
                parked.push((n, thread, messages, answer));
                break;
            }
        }
    }
    assert_eq!(parked.len(), 1000);
    for (n, thread, messages, answer) in parked {
        answer
            .send(Answer::Reply(said(&n.to_string(), "")))
            .unwrap();
        let end = thread.join().unwrap();
        assert_eq!(end.outcome, Some(n.to_string()));
        drop(messages);
    }
}

#[test]
fn a_gone_session_is_a_hang_up() {
    let version = version(&[("d.rhai", "fn on_hang_up(r) { set(\"x\", 1); } listen();")]);
    let (line, messages, _) = Line::new(info(json!({})));
    drop(messages);
    let end = version.dialog("d").unwrap().run(line);
    assert_eq!((end.outcome, end.fault), (None, None));
    assert_eq!(end.data["x"], 1);
}
