//! kill -9 of the real server in mid-call, and its restart: orders stand where they should, 1C's cursor misses nothing and
//! repeats nothing, no channel stays behind.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use govorun::config::MediaKind;
use serde_json::{Value, json};

use super::dialogs::Place;
use super::one_c::{OneC, TOKEN};
use super::server::LOCAL;
use super::stand::{Asterisk, row};

/// The server as a process of its own; killed when dropped.
struct Process(Child);

impl Process {
    async fn start(settings: &Path, one_c: OneC) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_govorun"))
            .args(["serve", "-c"])
            .arg(settings)
            .stdout(Stdio::null())
            .stderr(File::create(settings.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let mut process = Self(child);
        let began = Instant::now();
        while one_c.try_request("GET", "/healthz", None).await.is_err() {
            assert!(process.0.try_wait().unwrap().is_none(), "the server ended");
            assert!(
                began.elapsed() < Duration::from_secs(15),
                "the server does not answer"
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        process
    }

    /// kill -9
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn yaml(asterisk: &Asterisk, place: &Place, kind: MediaKind) -> String {
    let env = &asterisk.env;
    let port = |offset| asterisk.port(offset);
    json!({
        "scripts": {"folder": place.scripts()},
        "store": place.folder.path().join("govorun.sqlite"),
        "http": {"listen": format!("127.0.0.1:{}", port(91)), "tokens": [TOKEN]},
        "asterisk": {
            "ami": format!("127.0.0.1:{}", env["LAB_AMI_PORT"]), "user": env["LAB_AMI_USER"], "secret": env["LAB_AMI_SECRET"],
            "agi_listen": format!("127.0.0.1:{}", port(92)), "channel": LOCAL, "ring_timeout": "7s",
            "sounds": env["LAB_SOUNDS_HOST"], "sounds_in_asterisk": env["LAB_SOUNDS_ASTERISK"],
            "recordings": format!("{}/monitor", env["LAB_SPOOL_HOST"]),
            "recordings_in_asterisk": format!("{}/monitor", env["LAB_SPOOL_ASTERISK"]),
        },
        "media": {
            "kind": kind.as_str(), "audiosocket_listen": format!("127.0.0.1:{}", port(93)),
            "websocket_listen": format!("127.0.0.1:{}", port(90)),
        },
        "recognizers": ["typed"],
        "calls": {"starts_per_second": 20, "retry_after": "1s"},
    })
    .to_string()
}

/// The cursors rise, and what was read in pieces is what is read at once.
async fn cursor_is_whole(one_c: &OneC, pieces: &[Value]) {
    let (all, _) = one_c.changes(0).await;
    let cursors: Vec<u64> = pieces
        .iter()
        .map(|c| c["cursor"].as_u64().unwrap())
        .collect();
    assert!(
        cursors.windows(2).all(|pair| pair[0] < pair[1]),
        "{cursors:?}"
    );
    let mut last = BTreeMap::new();
    for change in pieces {
        last.insert(change["id"].as_str().unwrap().to_owned(), change.clone());
    }
    for change in &all {
        assert!(pieces.contains(change), "1C never saw {change}");
        last.insert(change["id"].as_str().unwrap().to_owned(), change.clone());
    }
    for (id, change) in last {
        let call = one_c.call(&id).await;
        assert_eq!(
            (&call["status"], &call["outcome"]),
            (&change["status"], &change["outcome"]),
            "{id}"
        );
    }
}

async fn killed(asterisk: &Asterisk, kind: MediaKind) {
    let place = Place::new();
    let settings = place.folder.path().join("govorun.yaml");
    std::fs::write(&settings, yaml(asterisk, &place, kind)).unwrap();
    let one_c = OneC(([127, 0, 0, 1], asterisk.port(91)).into());
    let mut process = Process::start(&settings, one_c).await;

    one_c.order("done", "89190000001", "wordless").await;
    one_c
        .until("done", "finished", Duration::from_secs(15))
        .await;
    one_c.order("talks", "89190000002", "window").await;
    one_c.order("rings", "89140000001", "short").await;
    one_c.order("never-rang", "89210000001", "short").await;
    one_c
        .order_with(json!({"id": "later", "phone": "89190000003", "dialog": "wordless", "not_before": "2099-01-01T00:00:00Z"}))
        .await;
    one_c
        .until("talks", "talking", Duration::from_secs(10))
        .await;
    // A kill takes the last moments of a history that are not on disk yet; what 1C could read before it must stay.
    one_c
        .until_noted(
            "talks",
            "prompt",
            "event",
            "started",
            Duration::from_secs(5),
        )
        .await;
    one_c
        .until_noted(
            "rings",
            "asterisk",
            "ChannelStateDesc",
            "Ringing",
            Duration::from_secs(5),
        )
        .await;
    one_c
        .until("never-rang", "dialing", Duration::from_secs(5))
        .await;
    let (mut pieces, cursor) = one_c.changes(0).await;
    // One that is acknowledged in the very moment before.
    one_c.order("last", "89190000004", "wordless").await;
    process.kill();
    let cut = Instant::now();
    drop(process);

    let process = Process::start(&settings, one_c).await;
    let back = cut.elapsed();
    let talks = one_c
        .until("talks", "finished", Duration::from_secs(5))
        .await;
    let rings = one_c
        .until("rings", "finished", Duration::from_secs(5))
        .await;
    assert_eq!(
        (&talks["outcome"], &rings["outcome"]),
        (&json!("runtime_error"), &json!("runtime_error"))
    );
    let history = one_c.history("talks").await;
    history.must("fault", "reason", "the server stopped during the call");
    history.must("prompt", "event", "started");
    // Their channels are hung up, though the process that placed them is gone.
    let began = Instant::now();
    let concise = loop {
        let channels = asterisk.console("core show channels concise");
        if !channels.contains("89190000002") && !channels.contains("8914")
            || began.elapsed() > Duration::from_secs(5)
        {
            break channels;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        !concise.contains("89190000002") && !concise.contains("8914"),
        "left behind:\n{concise}"
    );
    let gone = cut.elapsed();
    let last = one_c
        .until("last", "finished", Duration::from_secs(30))
        .await;
    assert!(
        last["outcome"] == "no_reply" || last["outcome"] == "runtime_error",
        "{last:#}"
    );
    // It was dialed and had not rung: placed anew, once the first dialing must be over.
    let again = one_c
        .until("never-rang", "finished", Duration::from_secs(30))
        .await;
    assert_eq!(again["outcome"], "unreachable", "{again:#}");
    assert_eq!(one_c.call("done").await["outcome"], "no_reply");
    assert_eq!(one_c.call("later").await["status"], "queued");
    let (rest, _) = one_c.changes(cursor).await;
    pieces.extend(rest);
    cursor_is_whole(&one_c, &pieces).await;
    let again_done = one_c
        .request(
            "POST",
            "/api/v1/calls",
            Some(&json!({"id": "last", "phone": "89190000004", "dialog": "wordless"})),
        )
        .await;
    assert_eq!(
        again_done.0, 200,
        "an order repeated after the crash is the same order"
    );
    row(
        "kill -9 in mid-call, restart",
        kind.as_str(),
        asterisk.version,
        "Local",
        &format!(
            "back {} ms, channels gone {} ms after the kill; {} changes, none missed or repeated; last: {}",
            back.as_millis(),
            gone.as_millis(),
            pieces.len(),
            last["outcome"]
        ),
    );
    drop(process);
    asterisk.quiet().await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_call_16() {
    let Some(asterisk) = Asterisk::alone("16") else {
        return;
    };
    killed(&asterisk, MediaKind::Rtp).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_call_22() {
    let Some(asterisk) = Asterisk::alone("22") else {
        return;
    };
    for kind in [
        MediaKind::AudiosocketTap,
        MediaKind::Audiosocket,
        MediaKind::ChanWebsocket,
    ] {
        killed(&asterisk, kind).await;
    }
}
