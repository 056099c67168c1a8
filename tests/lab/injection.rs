//! What strangers write (1C's parameters, texts of scripts, a caller's name and number) reaches Asterisk as text or not
//! at all: nothing is dialed, run or set by it.

use std::path::Path;
use std::time::{Duration, Instant};

use govorun::config::{MediaKind, VoiceConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::dialogs::Place;
use super::server::{LOCAL, NO_EARS, Server, settings};
use super::stand::{Asterisk, row};

/// Files that appear in Asterisk's folder only if something was run there.
const MARK: &str = "injected-mark";

/// Each would do harm somewhere, if it were more than text there.
fn evil() -> Vec<String> {
    let mark = format!("/tmp/{MARK}");
    vec![
        "x\r\nAction: Originate\r\nChannel: Local/8910@phones\r\nApplication: System\r\nData: touch MARK\r\n\r\n".to_owned(),
        "x\nEXEC System \"touch MARK\"\n".to_owned(),
        "\"\nEXEC System touch MARK\n\"".to_owned(),
        "${SHELL(touch MARK)}".to_owned(),
        "$[${SHELL(touch MARK)}]".to_owned(),
        "8910&Local/8913@phones,60,g".to_owned(),
        "a,b|c&d@phones/n;e=\\\"f\\\"".to_owned(),
        "x)Set(SHELL(touch MARK)=1".to_owned(),
        "../../../../etc/passwd\u{0}.wav".to_owned(),
        "\u{85}\u{2028}EXEC System touch MARK\u{7f}\u{1b}[2J".to_owned(),
    ]
    .into_iter()
    .map(|text| text.replace("MARK", &mark))
    .collect()
}

/// As a string of the script language.
fn escaped(text: &str) -> String {
    text.encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect()
}

/// A manager that checks nothing: the far end's operator may send any name.
async fn raw_manager(asterisk: &Asterisk, action: &str) -> String {
    let mut socket = TcpStream::connect(format!("127.0.0.1:{}", asterisk.env["LAB_AMI_PORT"]))
        .await
        .unwrap();
    let login = format!(
        "Action: Login\r\nUsername: {}\r\nSecret: {}\r\nEvents: off\r\n\r\n",
        asterisk.env["LAB_AMI_USER"], asterisk.env["LAB_AMI_SECRET"]
    );
    socket.write_all(login.as_bytes()).await.unwrap();
    socket.write_all(action.as_bytes()).await.unwrap();
    socket.write_all(b"Action: Logoff\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn on(version: &'static str, kind: MediaKind) {
    let Some((asterisk, far)) = Asterisk::pair(version) else {
        return;
    };
    let mark = Path::new(&asterisk.env["LAB_ROOT"]).join("tmp").join(MARK);
    let _ = std::fs::remove_file(&mark);
    let place = Place::new();
    // What is refused by the language itself (a name of several lines, an unknown ${name}) is refused, and the next is tried.
    let repeats = r#"
        try { say(text) } catch {}
        play(["short"]);
        set("said", text); log(text);
        try { set(text, "a key") } catch {}
        try { event(text, #{ text: text }) } catch {}
        try { stage(text) } catch {}
        let t = "refused";
        try { t = transfer(text, #{ ring: 2 }) } catch {}
        set("transfer", t);
        finish("done", #{ text: text });"#;
    place.write(
        "repeats",
        &format!(
            "let text = param(\"text\", \"\"); try {{ say(\"${{text}}\") }} catch {{}}\n{repeats}"
        ),
    );
    for (n, text) in evil().iter().enumerate() {
        place.write(
            &format!("repeats{n}"),
            &format!("let text = \"{}\";\n{repeats}", escaped(text)),
        );
    }
    place.write("caller", r#"let p = phone; set("phone", p); set("dialed", param("dialed", "")); say("Короткий вопрос?"); finish("heard");"#);
    let mut config = settings(&asterisk, &place, kind, NO_EARS, LOCAL);
    // A voice that says the short prompt, whatever the text is.
    config.voices = vec![VoiceConfig::Command {
        name: "copy".to_owned(),
        command: vec![
            "cp".to_owned(),
            place
                .scripts()
                .join("sounds/short.wav")
                .display()
                .to_string(),
            "{out}".to_owned(),
        ],
        timeout_ms: 5_000,
        cache: place.folder.path().join("voice"),
        cache_bytes: 10_000_000,
    }];
    let server = Server::start(config).await;
    let one_c = server.one_c;

    // A phone number is digits, or it is refused by name.
    for phone in evil().iter().map(String::as_str).chain([
        "8910&8913",
        "8910@phones",
        "8910/n",
        "8910,1",
        "+",
        "",
    ]) {
        let order = json!({"id": "p", "phone": phone, "dialog": "short"});
        let (status, body) = one_c.request("POST", "/api/v1/calls", Some(&order)).await;
        assert_eq!(
            (status, &body["error"]["field"]),
            (422, &json!("phone")),
            "{phone:?}: {body}"
        );
    }
    let mut texts = Vec::new();
    for (n, text) in evil().into_iter().enumerate() {
        let phone = format!("8919000000{n}");
        let order = json!({"id": format!("i{n}"), "phone": phone, "dialog": "repeats", "params": {"text": text}});
        let (status, body) = one_c.request("POST", "/api/v1/calls", Some(&order)).await;
        if text.chars().any(char::is_control) {
            assert_eq!(
                (status, &body["error"]["field"]),
                (422, &json!("params.text")),
                "{text:?}: {body}"
            );
        } else {
            assert_eq!(status, 201, "{text:?}: {body}");
            texts.push((format!("i{n}"), text.clone()));
        }
        // What 1C can't send an analyst may still write.
        one_c
            .order(&format!("s{n}"), &phone, &format!("repeats{n}"))
            .await;
        texts.push((format!("s{n}"), text));
    }
    let mut kept = 0;
    for (id, text) in &texts {
        let (call, history) = one_c.finished(id, Duration::from_secs(30)).await;
        let outcome = call["outcome"].as_str().unwrap();
        assert!(
            outcome == "done" || outcome == "script_error",
            "{text:?}: {call:#}\n{history}"
        );
        assert_eq!(call["data"]["transfer"], "refused", "{text:?}: {call:#}");
        if outcome == "done" {
            assert_eq!(
                call["data"]["text"].as_str(),
                Some(text.as_str()),
                "1C gets its text back unchanged"
            );
            kept += 1;
        } else {
            println!("  {text:?}: {:?}", history.faults());
        }
    }
    row(
        "1C's parameters and scripts' strings in say, set, log, event, stage, transfer",
        kind.as_str(),
        version,
        "Local",
        &format!("{kept} of {} came back as they were", texts.len()),
    );

    // A caller's name and number are the operator's, and may be anything.
    asterisk.calls_go_to(server.runtime.agi);
    let names = [
        "\"${SHELL(touch /tmp/injected-mark)}\" <8910&Local/8913@phones>",
        "\"x\\\" EXEC System touch /tmp/injected-mark\" <+7(916)123-45-67>",
        "\"a,b|c;d=e 'да'\" <79161234567>",
    ];
    let (before, _) = one_c.changes(0).await;
    for name in names {
        let action = format!(
            "Action: Originate\r\nChannel: PJSIP/4951112233@trunk\r\nContext: phones\r\nExten: 8919\r\nPriority: 1\r\n\
             CallerID: {name}\r\nAsync: true\r\n\r\n"
        );
        let answer = raw_manager(&far, &action).await;
        assert!(answer.contains("queued"), "{answer}");
    }
    place.write(
        "inbound",
        &std::fs::read_to_string(place.scripts().join("caller.rhai")).unwrap(),
    );
    let began = Instant::now();
    let ended: Vec<Value> = loop {
        let (all, _) = one_c.changes(0).await;
        let ended: Vec<Value> = all[before.len()..]
            .iter()
            .filter(|c| c["direction"] == "incoming" && c["status"] == "finished")
            .cloned()
            .collect();
        if ended.len() == names.len() {
            break ended;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{all:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for call in &ended {
        let phone = call["phone"].as_str().unwrap_or("");
        assert!(
            phone.chars().all(|c| c.is_ascii_digit() || c == '+'),
            "{call}"
        );
    }
    row(
        "a caller's name and number",
        kind.as_str(),
        version,
        "incoming",
        &format!("{} calls held", ended.len()),
    );
    server.stop().await;
    asterisk.quiet().await;

    assert!(!mark.exists(), "something was run: {}", mark.display());
    let log = asterisk.log();
    // Only what Asterisk says: a thread's number in `VERBOSE[8913][C-1]` may
    // look like a telephone's.
    let ran: Vec<&str> = log
        .lines()
        .map(|line| line.split_once(": ").map_or(line, |(_, said)| said))
        .filter(|line| {
            line.contains("Executing [") || line.contains("AGI Script Executing Application")
        })
        .filter(|line| {
            line.contains("System(")
                || line.contains("(System)")
                || line.contains(MARK)
                || line.contains("8913")
        })
        .collect();
    assert!(ran.is_empty(), "{ran:#?}");
    row(
        "Asterisk's log after all tries",
        kind.as_str(),
        version,
        "-",
        "nothing run, nothing dialed",
    );
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn injection_16() {
    on("16", MediaKind::Rtp).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn injection_22() {
    on("22", MediaKind::AudiosocketTap).await;
}
