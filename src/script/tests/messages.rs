//! `record(#{ message: true })`: what a dialog asks for, and what it gets.

use super::*;
use crate::call::MessageRule;

/// The other end of the line, which keeps the windows that were asked for.
fn windows(text: &str) -> Vec<crate::call::Window> {
    let version = version(&[("d.rhai", text)]);
    let (line, mut messages, _flag) = Line::new(info(json!({})));
    let dialog = version.dialog("d").unwrap();
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || dialog.run(line))
        .unwrap();
    let mut windows = Vec::new();
    while let Some(message) = messages.blocking_recv() {
        let LineMessage::Request(request, answer) = message else {
            continue;
        };
        let _ = answer.send(match *request {
            Request::Turn(turn) => {
                windows.extend(turn.window);
                Answer::Reply(said("", ""))
            }
            Request::Message => Answer::Recorded(Some(Recorded { number: 1, ms: 0 })),
            _ => Answer::Done,
        });
    }
    assert_eq!(thread.join().unwrap().fault, None);
    windows
}

use serde_json::json;

#[test]
fn a_message_is_asked_for_recorded_and_told_of() {
    let text = r#"
        let m = record(#{ message: true, prompt: "После сигнала.", max: 90, end_silence: 2, terminator: "*" });
        set("text", m.text); set("kind", m.kind); set("вид", m.вид);
        set("n", m.recording); set("номер", m.запись); set("s", m.seconds); set("секунд", m.Секунд);
        finish("left");"#;
    let talked = talk(text, json!({}), vec![Do::Say(said("течёт кран", ""))]);
    assert_eq!(talked.outcome(), Some("left"));
    assert_eq!(
        talked.seen[1..5],
        [
            "say После сигнала.",
            "message",
            "ask [сигнал] []",
            "message_stop speech"
        ]
    );
    let data = serde_json::Value::Object(talked.end.data);
    assert_eq!(
        data,
        json!({"text": "течёт кран", "kind": "speech", "вид": "речь", "n": 2, "номер": 2, "s": 4.3, "секунд": 4.3})
    );
}

#[test]
fn the_dialogs_own_settings_of_answers_are_not_a_messages() {
    let rule = |text: &str| {
        let window = windows(text).pop().unwrap();
        let key = window.digits.unwrap().terminator;
        (window.message.unwrap(), window.timeout_ms, key)
    };
    let plain = rule("записать(#{ сообщение: истина }); завершить(\"x\");");
    assert_eq!(plain, (MessageRule::default(), 5_000, Some('#')));
    let own = rule(
        "record(#{ message: true, beep: false, max: 10, end_silence: 1.5, timeout: 8, terminator: false }); finish(\"x\");",
    );
    let expect = MessageRule {
        end_silence_ms: 1_500,
        longest_ms: 10_000,
        heard: true,
    };
    assert_eq!(own, (expect, 8_000, None));
}

#[test]
fn a_hang_up_in_the_message_ends_it_and_the_dialog_goes_on_to_its_outcome() {
    let text = r#"
        fn on_hang_up(reason) { set("gone", true); }
        let m = record(#{ message: true, beep: false });
        set("kind", m.kind);
        if m.kind == "hang_up" { finish("left", #{ message: m.recording }); }
        finish("other");"#;
    // The first request is the recording itself.
    let talked = talk(
        text,
        json!({}),
        vec![Do::Say(Reply::empty(ReplyKind::HangUp))],
    );
    assert_eq!(talked.outcome(), Some("left"));
    assert_eq!(talked.end.data["message"], 2);
    assert!(talked.saw("message_stop hang_up"));
    // Before it had begun, the person is just gone.
    let text = r#"
        fn on_hang_up(reason) { set("gone", true); }
        record(#{ message: true, prompt: "Говорите." }); finish("other");"#;
    let talked = talk(text, json!({}), vec![Do::HangUp]);
    assert_eq!(
        (talked.outcome(), &talked.end.data["gone"]),
        (None, &json!(true))
    );
}

#[test]
fn where_nothing_can_be_recorded_the_dialog_is_told() {
    let text = r#"let m = record(#{ message: true }); set("n", m.recording); finish(m.kind);"#;
    let version = version(&[("d.rhai", text)]);
    let (line, mut messages, _flag) = Line::new(info(json!({})));
    let dialog = version.dialog("d").unwrap();
    let thread = std::thread::spawn(move || dialog.run(line));
    while let Some(message) = messages.blocking_recv() {
        if let LineMessage::Request(request, answer) = message {
            assert!(matches!(*request, Request::Message), "{request:?}");
            let _ = answer.send(Answer::Recorded(None));
        }
    }
    let end = thread.join().unwrap();
    assert_eq!(
        (end.outcome.as_deref(), &end.data["n"]),
        (Some("failed"), &serde_json::Value::Null)
    );
}
