//! Dialogs that are edited while calls go on.

use std::time::{Duration, Instant};

use govorun::config::{Language, MediaKind};
use govorun::script::check_folder;
use serde_json::Value;

use super::dialogs::{LONG, Place, SHORT};
use super::history::History;
use super::one_c::OneC;
use super::server::{LOCAL, NO_EARS, Server, log, settings};
use super::stand::{Asterisk, row};

/// The texts that began to sound.
fn said(history: &History) -> Vec<String> {
    let began = history.of("prompt").filter(|l| l.is("event", "started"));
    began
        .map(|l| l.data["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn dialogs(one_c: &OneC, until: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let told = one_c.get("/api/v1/dialogs").await;
        if until(&told) {
            return told;
        }
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "not seen: {told:#}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dialogs_edited_between_and_during_calls() {
    let Some(asterisk) = Asterisk::alone("22") else {
        return;
    };
    let place = Place::new();
    place.write("edited", &format!(r#"say("{SHORT}"); finish("first");"#));
    let kind = MediaKind::AudiosocketTap;
    let server = Server::start(settings(&asterisk, &place, kind, NO_EARS, LOCAL)).await;
    let one_c = server.one_c;
    let end = Duration::from_secs(20);
    one_c.order("e1", "89190000001", "edited").await;
    let (call, history) = one_c.finished("e1", end).await;
    assert_eq!(
        (call["outcome"].as_str(), said(&history)),
        (Some("first"), vec![SHORT.to_owned()])
    );
    let first = call["attempt_list"][0]["version"].clone();

    // Edited between two calls.
    let wrote = Instant::now();
    place.write(
        "edited",
        &format!(r#"say("{LONG}"); stage("late"); finish("second");"#),
    );
    let second = dialogs(&one_c, |d| d["version"] != first).await["version"].clone();
    let took = wrote.elapsed();
    row(
        "an edited dialog is read",
        kind.as_str(),
        "22",
        "-",
        &format!("after {} ms", took.as_millis()),
    );
    // A second is what is promised; this is a debug build with other calls and a recognizer on the same two cores.
    assert!(took < Duration::from_secs(2), "{took:?}");
    one_c.order("e2", "89190000001", "edited").await;
    one_c.until("e2", "talking", end).await;

    // Edited during that call; broken during it, too.
    place.write(
        "edited",
        &format!("say(\"{SHORT}\");\nfinish(\"third\");\n"),
    );
    let third = dialogs(&one_c, |d| d["version"] != second).await["version"].clone();
    one_c.order("e3", "89190000002", "edited").await;
    let (call, _) = one_c.finished("e3", end).await;
    assert_eq!(
        (
            call["outcome"].as_str(),
            &call["attempt_list"][0]["version"]
        ),
        (Some("third"), &third)
    );
    place.write(
        "edited",
        "say(\"Короткий вопрос?\");\nfinish(\"broken\"\nlog(\"x\");\n",
    );
    let told = dialogs(&one_c, |d| {
        d["faults"].as_array().is_some_and(|f| !f.is_empty())
    })
    .await;
    let fault = &told["faults"][0];
    assert_eq!(told["version"], third, "the old version goes on");
    assert_eq!(fault["file"], "edited.rhai");
    assert!(
        fault["line"].as_u64().is_some_and(|l| l == 2 || l == 3),
        "{fault}"
    );
    let message = fault["message"].as_str().unwrap();
    assert!(message.chars().count() > 10, "{message}");
    let report = check_folder(&place.scripts(), Language::Ru);
    assert_eq!(report.faults.len(), 1, "{report:?}");
    assert_eq!(report.faults[0].message, message, "check says the same");
    let line = format!("edited.rhai:{}", fault["line"]);
    let logged = log();
    let noted = logged
        .lines()
        .find(|l| l.contains("edited.rhai") && l.contains(message.lines().next().unwrap()));
    assert!(
        noted.is_some(),
        "the log names no {line} with {message:?}:\n{logged}"
    );
    row(
        "a broken dialog",
        kind.as_str(),
        "22",
        "-",
        &format!("{line}: {message}"),
    );
    println!("  the log: {}", noted.unwrap_or_default());
    one_c.order("e4", "89190000003", "edited").await;
    let (call, _) = one_c.finished("e4", end).await;
    assert_eq!(
        (
            call["outcome"].as_str(),
            &call["attempt_list"][0]["version"]
        ),
        (Some("third"), &third)
    );

    let (call, history) = one_c.finished("e2", end).await;
    assert_eq!(
        (call["outcome"].as_str(), said(&history)),
        (Some("second"), vec![LONG.to_owned()])
    );
    assert_eq!(
        call["attempt_list"][0]["version"], second,
        "it ended on the version that it began with"
    );
    history.must("dialog", "version", second.as_str().unwrap());

    place.write("edited", r#"finish("mended");"#);
    dialogs(&one_c, |d| {
        d["faults"].as_array().is_some_and(Vec::is_empty) && d["version"] != third
    })
    .await;
    one_c.order("e5", "89190000001", "edited").await;
    assert_eq!(one_c.finished("e5", end).await.0["outcome"], "mended");
    row(
        "edited during calls: old to its end, new for the next, broken refused",
        kind.as_str(),
        "22",
        "Local",
        "yes",
    );
    server.stop().await;
    asterisk.quiet().await;
}
