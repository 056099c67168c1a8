//! What people do on the telephone besides answering when they are asked: they speak over prompts, hum, cough, come too
//! late, press a key in the middle of a word, say two things at once. Real audio by far ends, a real recognizer.

use std::time::Duration;

use futures_util::StreamExt;
use govorun::config::MediaKind;
use govorun::phrases::backchannel::is_backchannel;
use govorun::wire::ami::Action;
use serde_json::Value;

use super::dialogs::{LONG_MS, LONGEST_MS, Place};
use super::history::{History, Line};
use super::one_c::OneC;
use super::server::{LOCAL, Server, settings};
use super::stand::{Asterisk, Ears, SOON, row};

/// Calls at once: the recognizer decodes one utterance at a time.
const AT_ONCE: usize = 2;

const DIALOGS: [(&str, &str); 7] = [
    (
        "over",
        r#"let a = ask("Самый длинный вопрос?", #{ expect: ["yes"], attempts: 1, settle: 2 });
        set("text", a.text); set("barged_in", a.barged_in);
        say("Короткий вопрос?");
        finish(if a.yes { "confirmed" } else { "unclear" });"#,
    ),
    (
        "uncut",
        r#"let a = ask("Длинный вопрос?", #{ expect: ["yes", "no"], barge_in: false, attempts: 2, settle: 2 });
        set("text", a.text); set("attempts", a.attempts);
        finish(if a.yes { "confirmed" } else if a.no { "declined" } else { "unclear" });"#,
    ),
    // The next window is open when the late word ends, or opens after it.
    (
        "late_ask",
        r#"let a = ask("Короткий вопрос?", #{ expect: ["yes", "no"], attempts: 2, timeout: 1.5, settle: 2 });
        set("attempts", a.attempts); set("text", a.text);
        finish(if a.yes { "confirmed" } else { "unclear" });"#,
    ),
    (
        "late_listen",
        r#"let a = listen(#{ timeout: 1.5 }); set("first", a.kind);
        pause(1);
        let b = listen(#{ expect: ["yes", "no"], timeout: 3, settle: 2 }); set("text", b.text);
        finish(if b.yes { "confirmed" } else { "unclear" });"#,
    ),
    (
        "key_in_word",
        r#"let a = ask("Короткий вопрос?", #{ expect: ["yes", "no"], attempts: 1, settle: 2 });
        set("kind", a.kind); set("digits", a.digits);
        let b = listen(#{ timeout: 4, settle: 2 }); set("then", b.text);
        finish("pressed");"#,
    ),
    (
        "two",
        r#"let a = ask("Короткий вопрос?", #{ expect: ["yes", "no", "later"], attempts: 2, settle: 2 });
        set("text", a.text); set("attempts", a.attempts);
        finish(if a.yes { "confirmed" } else { "unclear" });"#,
    ),
    // Where the machine is busy the recognizer needs seconds for the first, hence `carry`.
    (
        "two_apart",
        r#"let a = ask("Короткий вопрос?", #{ expect: ["yes", "no", "later"], attempts: 1, settle: 2 });
        let b = listen(#{ expect: ["yes", "no", "later"], timeout: 3, settle: 2, carry: 6 });
        set("first", a.intent); set("second", b.intent);
        finish("both");"#,
    ),
];

/// A case: its dialog, the far end's number, the outcome, and what else has to be right; the check answers with the row.
struct Case {
    name: &'static str,
    number: &'static str,
    dialog: &'static str,
    outcome: &'static str,
    check: fn(&Value, &History) -> Result<String, String>,
}

const CASES: [Case; 8] = [
    Case {
        name: "speech over the prompt",
        number: "89310000001",
        dialog: "over",
        outcome: "confirmed",
        check: over_the_prompt,
    },
    Case {
        name: "a cough over the prompt",
        number: "89340000001",
        dialog: "cut",
        outcome: "confirmed",
        check: cough,
    },
    Case {
        name: "a key in the middle of a word",
        number: "89350000001",
        dialog: "key_in_word",
        outcome: "pressed",
        check: key_in_word,
    },
    Case {
        name: "a hum over an uncuttable prompt",
        number: "89320000001",
        dialog: "uncut",
        outcome: "declined",
        check: hum,
    },
    Case {
        name: "a word after the window, asked again",
        number: "89330000001",
        dialog: "late_ask",
        outcome: "confirmed",
        check: late_ask,
    },
    Case {
        name: "a word between two windows",
        number: "89330000002",
        dialog: "late_listen",
        outcome: "confirmed",
        check: late_listen,
    },
    Case {
        name: "two answers in one breath",
        number: "89360000001",
        dialog: "two",
        outcome: "confirmed",
        check: one_breath,
    },
    Case {
        name: "two answers, one after the other",
        number: "89370000001",
        dialog: "two_apart",
        outcome: "both",
        check: two_apart,
    },
];
/// Those that depend on how the medium plays: the first three.
const OF_PLAYING: usize = 3;

fn at(line: &Line) -> u64 {
    line.at_ms.unwrap()
}

/// Utterances in that state, with onset, end and text.
fn utterances<'a>(history: &'a History, state: &'a str) -> Vec<(u64, u64, &'a str)> {
    let all = history
        .of("utterance")
        .filter(move |u| u.is("state", state));
    all.map(|u| {
        let ms = |key: &str| u.data[key].as_u64().unwrap_or_default();
        (
            ms("onset_ms"),
            ms("end_ms"),
            u.data["text"].as_str().unwrap_or(""),
        )
    })
    .collect()
}

fn prompt(history: &History, event: &str) -> Option<u64> {
    history.find("prompt", "event", event).map(at)
}

fn windows(history: &History) -> Vec<(u64, u64, &str)> {
    let all = history.of("window");
    all.map(|w| {
        let opened = w.data["opened_ms"].as_u64().unwrap_or_default();
        (opened, at(w), w.data["reason"].as_str().unwrap())
    })
    .collect()
}

fn ensure(holds: bool, what: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn over_the_prompt(call: &Value, history: &History) -> Result<String, String> {
    let paused = prompt(history, "paused").ok_or("not paused")?;
    let cut = history.find("prompt", "event", "cut").ok_or("not cut")?;
    let played = cut.data["played_ms"].as_u64().unwrap();
    let onset = history
        .of("utterance")
        .next()
        .and_then(|u| u.data["onset_ms"].as_u64());
    let (onset, text) = (onset.ok_or("nothing heard")?, &call["data"]["text"]);
    ensure(call["data"]["barged_in"] == true, "not barged in")?;
    ensure(
        played + 1_000 < LONGEST_MS,
        format!("{played} ms were played"),
    )?;
    let pause = paused.saturating_sub(onset);
    // 0.5 s of voice; the voice detector and the medium add a little.
    ensure(
        (450..900).contains(&pause),
        format!("paused {pause} ms after the onset"),
    )?;
    Ok(format!(
        "{text}: paused {pause} ms after the onset, cut {} ms after it",
        at(cut) - onset
    ))
}

fn cough(call: &Value, history: &History) -> Result<String, String> {
    let paused = prompt(history, "paused").ok_or("not paused")?;
    let resumed = prompt(history, "resumed").ok_or("it did not go on")?;
    let ended = history
        .find("prompt", "event", "ended")
        .ok_or("not heard to its end")?;
    let played = ended.data["played_ms"].as_u64().unwrap();
    let noise = utterances(history, "noise");
    ensure(!noise.is_empty(), "no noise in the history")?;
    ensure(call["data"]["barged_in"] == false, "it cut the prompt")?;
    ensure(
        played.abs_diff(LONG_MS) < 150,
        format!("{played} ms of {LONG_MS} were played"),
    )?;
    ensure(at(ended) > paused + LONG_MS / 4, "it ended too early")?;
    let (onset, end, _) = noise[0];
    Ok(format!(
        "a noise of {} ms: paused {} ms after its onset, on again {} ms later, {played} ms played in all, then \"{}\"",
        end - onset,
        paused - onset,
        resumed - paused,
        call["data"]["text"].as_str().unwrap_or("")
    ))
}

fn key_in_word(call: &Value, history: &History) -> Result<String, String> {
    let data = &call["data"];
    ensure(
        data["kind"] == "digits" && data["digits"] == "2",
        "the key did not win",
    )?;
    let key = history.of("digit").next().ok_or("no digit")?;
    let window = windows(history)[0];
    let took = window.1.saturating_sub(at(key));
    ensure(
        window.2 == "digits" && took < 100,
        format!("the window: {window:?}"),
    )?;
    let heard: Vec<&str> = ["complete", "left"]
        .iter()
        .flat_map(|s| utterances(history, s))
        .map(|u| u.2)
        .collect();
    ensure(
        heard.iter().any(|text| text.contains("да")),
        format!("the word is lost: {heard:?}"),
    )?;
    Ok(format!(
        "the key closed the window in {took} ms; kept: \"{}\"",
        heard[0]
    ))
}

fn hum(call: &Value, history: &History) -> Result<String, String> {
    let (_, hummed, first) = *utterances(history, "complete")
        .first()
        .ok_or("nothing heard")?;
    let ended = history
        .find("prompt", "event", "ended")
        .ok_or("the prompt was cut")?;
    let played = ended.data["played_ms"].as_u64().unwrap();
    ensure(
        played.abs_diff(LONG_MS) < 150,
        format!("{played} ms were played"),
    )?;
    ensure(
        prompt(history, "paused").is_none(),
        "an uncuttable prompt paused",
    )?;
    // Misheard it may be an answer that nobody expects, and the question is asked again; heard well it is none at all.
    if is_backchannel(first) {
        let left = utterances(history, "left");
        ensure(
            left.iter().any(|u| u.2 == first),
            format!("it is not kept as untaken: {left:?}"),
        )?;
        ensure(call["data"]["attempts"] == 1, "it was asked again")?;
    }
    Ok(format!(
        "\"{first}\" ended {} ms before the prompt did, no answer and kept; the answer: \"{}\"",
        at(ended) - hummed,
        call["data"]["text"].as_str().unwrap_or("")
    ))
}

/// The word's onset after the end of the first window.
fn lateness(history: &History) -> Result<(u64, String), String> {
    let windows = windows(history);
    ensure(
        windows.len() == 2 && windows[0].2 == "no_input" && windows[1].2 == "speech",
        format!("the windows: {windows:?}"),
    )?;
    let (onset, _, text) = utterances(history, "complete")[0];
    let late = onset.checked_sub(windows[0].1).ok_or("it came too early")?;
    ensure(late < 900, format!("{late} ms late is no test"))?;
    let open = windows[1].0;
    let place = match onset.checked_sub(open) {
        Some(in_it) => format!("{in_it} ms after the next one opened"),
        None => format!("{} ms before the next one opened", open - onset),
    };
    Ok((
        late,
        format!("\"{text}\" {late} ms after the window's end, {place}: taken"),
    ))
}

fn late_ask(call: &Value, history: &History) -> Result<String, String> {
    let (_, told) = lateness(history)?;
    ensure(call["data"]["attempts"] == 2, "asked how often?")?;
    Ok(told)
}

fn late_listen(call: &Value, history: &History) -> Result<String, String> {
    let (late, told) = lateness(history)?;
    ensure(call["data"]["first"] == "no_input", "the first window")?;
    ensure(
        late < 800,
        format!("{late} ms late: the window was open again"),
    )?;
    Ok(told)
}

fn one_breath(call: &Value, history: &History) -> Result<String, String> {
    let all = utterances(history, "complete");
    let first = all[0].2;
    ensure(
        first.contains("да") && first.contains("позже"),
        format!("heard {first:?}"),
    )?;
    // Equal claims are no match: nobody guesses, it is asked again.
    ensure(call["data"]["attempts"] == 2, "it was not asked again")?;
    Ok(format!(
        "\"{first}\": asked again, then \"{}\"",
        call["data"]["text"].as_str().unwrap_or("")
    ))
}

fn two_apart(call: &Value, history: &History) -> Result<String, String> {
    let data = &call["data"];
    let all = utterances(history, "complete");
    ensure(
        data["first"] == "yes" && data["second"] == "later",
        format!("{data}; {all:?}"),
    )?;
    let (first, second) = (all[0], all[1]);
    Ok(format!(
        "\"{}\", {} ms later \"{}\": one a window",
        first.2,
        second.0 - first.1,
        second.2
    ))
}

/// Says the word that is due when the first window has closed: by the far end's own switch.
async fn cue(asterisk: &Asterisk, one_c: OneC, id: &str, number: &str) {
    let (ami, _stop) = asterisk.ami().await;
    one_c
        .until_noted(id, "window", "reason", "no_input", Duration::from_secs(15))
        .await;
    let speak = Action::new("Setvar")
        .with("Variable", format!("SPEAK{number}"))
        .and_then(|a| a.with("Value", "1"))
        .unwrap();
    ami.order(speak, SOON).await.unwrap();
}

async fn held(asterisk: &Asterisk, medium: &str, one_c: OneC, case: &Case) -> Result<(), String> {
    let id = format!("{}-{}", case.dialog, case.number);
    one_c.order(&id, case.number, case.dialog).await;
    if case.number.starts_with("8933") {
        cue(asterisk, one_c, &id, case.number).await;
    }
    let (call, history) = one_c.finished(&id, Duration::from_secs(45)).await;
    let outcome = call["outcome"].as_str().unwrap_or_default();
    let found = if outcome == case.outcome {
        (case.check)(&call, &history)
    } else {
        Err(format!(
            "{outcome}, {} was due: {}",
            case.outcome, call["data"]
        ))
    };
    match found {
        Ok(told) => {
            row(case.name, medium, asterisk.version, "Local", &told);
            Ok(())
        }
        Err(fault) => {
            row(
                case.name,
                medium,
                asterisk.version,
                "Local",
                &format!("WRONG: {fault}"),
            );
            Err(format!(
                "{} by {medium} on {}: {fault}\n{history}",
                case.name, asterisk.version
            ))
        }
    }
}

async fn on(version: &'static str, kinds: &[(MediaKind, usize)], ears: &Ears) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(asterisk) = Asterisk::alone(version) else {
        return wrong;
    };
    for (kind, cases) in kinds {
        let place = Place::new();
        for (name, text) in DIALOGS {
            place.write(name, text);
        }
        let server = Server::start(settings(&asterisk, &place, *kind, &ears.url, LOCAL)).await;
        let (one_c, medium) = (server.one_c, server.runtime.medium.borrow().kind.as_str());
        let calls = futures_util::stream::iter(&CASES[..*cases]);
        let ended = calls
            .map(|case| held(&asterisk, medium, one_c, case))
            .buffer_unordered(AT_ONCE);
        wrong.extend(
            ended
                .filter_map(|end| async { end.err() })
                .collect::<Vec<_>>()
                .await,
        );
        server.stop().await;
    }
    asterisk.quiet().await;
    wrong
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telephone() {
    let Some(ears) = Ears::start() else { return };
    let all = CASES.len();
    let mut wrong = on("16", &[(MediaKind::Rtp, all)], &ears).await;
    let kinds = [
        (MediaKind::AudiosocketTap, all),
        (MediaKind::ChanWebsocket, OF_PLAYING),
    ];
    wrong.extend(on("22", &kinds, &ears).await);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
