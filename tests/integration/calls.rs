//! Calls that go as they should, on every medium, and calls that nobody answers.

use govorun::config::MediaKind;
use govorun::rehearsal::asterisk::What;
use serde_json::{Value, json};

use super::app::{ASK, TestApp};

/// Every medium, the same people, the same outcomes.
async fn everybody(medium: MediaKind) {
    let app = TestApp::start(medium).await;
    let table = [
        ("01", "confirmed"),
        ("02", "declined"),
        ("03", "confirmed"),
        ("04", "keyed"),
        ("05", "silent"),
        ("06", "hung_up"),
        ("07", "hung_up"),
    ];
    for (person, _) in table {
        app.order(&format!("call-{person}"), person).await;
    }
    for (person, expect) in table {
        let id = format!("call-{person}");
        let call = app.end_of(&id).await;
        if call["outcome"] != expect {
            for event in app.events(&id).await {
                eprintln!("{event}");
            }
        }
        assert_eq!(
            call["outcome"], expect,
            "{medium:?}, person {person}: {call:#}"
        );
    }
    let keyed = app.end_of("call-04").await;
    assert_eq!(keyed["data"]["keys"], "2");
    let over = app.events("call-03").await;
    let barged = over
        .iter()
        .any(|e| e["kind"] == "prompt" && e["data"]["event"] == "cut");
    assert!(barged, "speech over the prompt cuts it: {over:#?}");
    app.runtime.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audiosocket_tap() {
    everybody(MediaKind::AudiosocketTap).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtp_tap() {
    everybody(MediaKind::Rtp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audiofork_tap() {
    everybody(MediaKind::Audiofork).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audiosocket_both_ways() {
    everybody(MediaKind::Audiosocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chan_websocket_both_ways() {
    everybody(MediaKind::ChanWebsocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_stop_ends_each_recording_that_the_dialog_began() {
    let app = TestApp::with(MediaKind::Auto, |config| {
        let scripts = &config.scripts.folder;
        std::fs::create_dir_all(scripts).unwrap();
        let text =
            r#"record(); record(); record_stop(); say("Дальше никто не пишет."); finish("done");"#;
        std::fs::write(scripts.join("visit.rhai"), text).unwrap();
    })
    .await;
    app.order("twice", "05").await;
    assert_eq!(app.end_of("twice").await["outcome"], "done");
    let entries = app.asterisk.record().entries();
    let told = entries.iter().filter_map(|entry| match entry.what {
        What::Recording { ref file } => file.ends_with("-caller.wav").then_some("began"),
        What::RecordingStopped => Some("stopped"),
        What::PromptStarted { .. } => Some("prompt"),
        _ => None,
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["began", "began", "stopped", "stopped", "prompt"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_nobody_answers_have_their_outcome() {
    let app = TestApp::start(MediaKind::Auto).await;
    let table = [
        ("11", "busy"),
        ("12", "no_answer"),
        ("13", "congestion"),
        ("14", "invalid_number"),
        ("15", "rejected"),
    ];
    for (person, _) in table {
        app.order(&format!("call-{person}"), person).await;
    }
    for (person, expect) in table {
        let call = app.end_of(&format!("call-{person}")).await;
        assert_eq!(call["outcome"], expect, "person {person}: {call:#}");
        assert_eq!(call["status"], "finished");
    }
    // Once DialEnd, Hangup and OriginateResponse have come nothing more is waited for.
    let mut waits = Vec::new();
    for (person, _) in table {
        let events = app.events(&format!("call-{person}")).await;
        let at = |of: &dyn Fn(&Value) -> bool| {
            let last = events.iter().rev().find(|event| of(event));
            last.and_then(|event| {
                let at: jiff::Timestamp = event["at"].as_str()?.parse().ok()?;
                Some(at + jiff::SignedDuration::from_millis(event["ms"].as_i64()?))
            })
        };
        let told = at(&|e| e["kind"] == "asterisk");
        let ended = at(&|e| e["kind"] == "attempt" && e["data"]["event"] == "ended");
        waits.extend(
            told.zip(ended)
                .map(|(told, ended)| ended.duration_since(told).as_millis()),
        );
    }
    assert!(waits.iter().any(|ms| *ms < 250), "{waits:?}");
    let (_, changes) = app.get("/api/v1/changes?after=0&limit=100").await;
    let changes = changes["changes"].as_array().unwrap().clone();
    let finished = changes.iter().filter(|c| c["status"] == "finished").count();
    assert_eq!(finished, table.len(), "each end is told once: {changes:#?}");
}

/// A machine ends the dialog in the middle of its question, and is left a message after its tone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_left_a_message_after_its_tone() {
    // Whatever the dialog calls it, limits of calls know that it was no person.
    for (medium, finish, outcome) in [
        (MediaKind::AudiosocketTap, "", "machine"),
        (MediaKind::ChanWebsocket, "finish(\"left\");", "left"),
    ] {
        let app = TestApp::with(medium, |config| {
            let scripts = &config.scripts.folder;
            std::fs::create_dir_all(scripts).unwrap();
            let handler = format!(
                "fn on_machine(kind) {{ set(\"kind\", kind); say(\"Перезвоните нам.\"); {finish} }}"
            );
            std::fs::write(scripts.join("visit.rhai"), format!("{handler}\n{ASK}")).unwrap();
        })
        .await;
        app.order("m", "09").await;
        let call = app.end_of("m").await;
        let events = app.events("m").await;
        let shown = || format!("{medium:?}: {call:#}\n{events:#?}");
        assert_eq!(call["outcome"], outcome, "{}", shown());
        assert_eq!(call["attempt_list"][0]["machine"], true, "{}", shown());
        assert_eq!(call["data"]["kind"], "voicemail", "{}", shown());
        let at = |kind: &str, key: &str, value: &str| {
            events
                .iter()
                .position(|e| e["kind"] == kind && e["data"][key] == value)
                .unwrap_or_else(|| panic!("no {kind} {value}: {}", shown()))
        };
        let verdict = at("answerer", "who", "voicemail");
        let tone = at("answerer", "event", "tone");
        let awaited = at("answerer", "by", "tone");
        let message = at("prompt", "name", "Перезвоните нам.");
        assert!(
            verdict < awaited && tone < awaited && awaited < message,
            "{}",
            shown()
        );
        let heard =
            |e: &Value| e["data"]["event"] == "ended" && e["data"]["name"] == "Перезвоните нам.";
        assert!(events.iter().any(heard), "{}", shown());
        app.runtime.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simple_get_of_1c_calls_too() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    let (code, answer) = app
        .get("/call?phone=89000000001&dialog=visit&id=simple&name=%D0%90%D0%BD%D0%BD%D0%B0")
        .await;
    assert_eq!(code, 201, "{answer}");
    assert_eq!(app.end_of("simple").await["outcome"], "confirmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incoming_call_is_answered_and_told() {
    use govorun::rehearsal::asterisk::{FarEnd, Incoming};
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    let far = FarEnd::answers()
        .until_prompt_ends()
        .wait(200)
        .say(&super::app::word("нет"))
        .wait(20_000);
    let script = format!("agi://{}/visit?queue=2", app.runtime.agi);
    app.asterisk.incoming(&script, Incoming::default(), far);
    for _ in 0..600 {
        let (_, page) = app.get("/api/v1/changes?after=0&limit=100").await;
        let last = page["changes"]
            .as_array()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default();
        if last["status"] == "finished" {
            assert_eq!(last["outcome"], "declined", "{last:#}");
            let call = app.end_of(last["id"].as_str().unwrap()).await;
            assert_eq!(call["direction"], "incoming");
            assert_eq!(call["params"]["queue"], "2");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the incoming call never ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_keep_apart() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    for n in 0..60 {
        let person = ["01", "02", "04"][n % 3];
        app.order(&format!("many-{n}"), person).await;
    }
    for n in 0..60 {
        let call = app.end_of(&format!("many-{n}")).await;
        let expect = ["confirmed", "declined", "keyed"][n % 3];
        assert_eq!(call["outcome"], expect, "{n}: {call:#}");
    }
    assert_eq!(app.runtime.registry.count(), 0);
    assert!(
        app.asterisk.channels().is_empty(),
        "{:?}",
        app.asterisk.channels()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_1c_sends_is_text_to_asterisk() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    let nasty = "Анна\"; &,@/|${EVAL} \\ ' `";
    let script = r#"say("Здравствуйте, ${name}!"); log(param("name")); set("name", param("name")); finish("confirmed");"#;
    let old = super::reload::version(&app).await;
    app.write_script(script);
    super::reload::until_version_changes(&app, &old).await;
    let body = json!({"id": "nasty", "phone": "+79000000005", "dialog": "visit", "params": {"name": nasty}});
    let (code, answer) = app.post("/api/v1/calls", body).await;
    assert_eq!(code, 201, "{answer}");
    let call = app.end_of("nasty").await;
    assert_eq!(call["outcome"], "confirmed", "{call:#}");
    assert_eq!(call["data"]["name"], nasty);
    for (field, value) in [
        ("phone", "89001234567&SIP/evil"),
        ("phone", "8900\r\nAction: Originate"),
        ("phone", "8900@elsewhere"),
        ("dialog", "visit\r\n"),
    ] {
        let mut body = json!({"id": "x", "phone": "+79000000005", "dialog": "visit"});
        body[field] = json!(value);
        let (code, answer) = app.post("/api/v1/calls", body).await;
        assert_eq!(
            (code, answer["error"]["field"].as_str()),
            (422, Some(field)),
            "{answer}"
        );
    }
    let entries = format!("{:?}", app.asterisk.calls());
    assert!(
        !entries.contains("evil") && !entries.contains("EVAL"),
        "{entries}"
    );
}
