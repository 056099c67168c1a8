//! SIGTERM: nothing is started any more, and who talks may say it to the end. Trunks each have their own ringing time.

use std::process::Command;
use std::time::{Duration, Instant};

use govorun::config::{MediaKind, TrunkConfig};
use govorun::ident::CallId;
use govorun::rehearsal::asterisk::{FakeAsterisk, FarEnd, Options};
use govorun::store::Store;
use serde_json::json;

use super::app::TestApp;
use super::chaos::process::{Den, Process};

async fn until(den: &Den, id: &str, status: &str) {
    let began = Instant::now();
    loop {
        let (_, call) = den
            .ask("GET", &format!("/api/v1/calls/{id}"), None)
            .await
            .unwrap();
        if call["status"] == status {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{call:#}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_a_talk_end_and_starts_nothing() {
    // Somebody who is silent: the dialog ends half a second after its prompt.
    let silent = |_: &str| FarEnd::answers().wait(60_000);
    let asterisk = FakeAsterisk::start(Options::new(silent)).await.unwrap();
    let den = Den::new(asterisk.ami_addr(), "ws://127.0.0.1:9", None);
    let mut process = Process::start(&den).await;
    let order = |id: &str| json!({"id": id, "phone": "+79000000001", "dialog": "keys"});
    den.ask("POST", "/api/v1/calls", Some(&order("talks")))
        .await
        .unwrap();
    until(&den, "talks", "talking").await;
    let killed = Command::new("kill")
        .args(["-TERM", &process.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    // It still takes orders while it drains.
    let taken = den
        .ask("POST", "/api/v1/calls", Some(&order("waits")))
        .await;
    assert_eq!(taken.map(|(status, _)| status).ok(), Some(201));
    let ended = process.ended(Duration::from_secs(20)).await;
    assert!(ended.success(), "{ended:?}\n{}", den.log());
    let store = Store::open(den.store()).unwrap();
    let outcome = async |id: &str| {
        let call = store.call(&CallId::parse(id).unwrap()).await.unwrap();
        let call = call.unwrap();
        (call.status.as_str(), call.outcome)
    };
    assert_eq!(
        outcome("talks").await,
        ("finished", Some("silent".to_owned()))
    );
    assert_eq!(outcome("waits").await, ("queued", None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_drains_from_the_command_line() {
    let silent = |_: &str| FarEnd::answers().wait(60_000);
    let asterisk = FakeAsterisk::start(Options::new(silent)).await.unwrap();
    let den = Den::new(asterisk.ami_addr(), "ws://127.0.0.1:9", None);
    let _process = Process::start(&den).await;
    let order = |id: &str| json!({"id": id, "phone": "+79000000001", "dialog": "keys"});
    den.ask("POST", "/api/v1/calls", Some(&order("talks")))
        .await
        .unwrap();
    until(&den, "talks", "talking").await;
    let url = format!("http://{}", den.http);
    let govorun = async |key: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_govorun"));
        command
            .arg("drain")
            .args(key)
            .args(["--url", &url, "--token", "chaos"]);
        let done = command.output().await.unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let told = govorun(&[]).await;
    assert!(
        told.starts_with("Новых звонков нет; идёт 1 звонок."),
        "{told}"
    );
    assert!(told.contains("никто не говорит"), "{told}");
    until(&den, "talks", "finished").await;
    den.ask("POST", "/api/v1/calls", Some(&order("waits")))
        .await
        .unwrap();
    assert_eq!(
        govorun(&["--show"]).await,
        "Новых звонков нет; никто не говорит.\n"
    );
    until(&den, "waits", "queued").await;
    let told = govorun(&["--off"]).await;
    assert!(told.starts_with("Звонки начинаются как обычно"), "{told}");
    until(&den, "waits", "finished").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trunk_has_its_ringing_time_and_its_numbers() {
    let trunk = |name: &str, prefix: &str, ring_timeout_ms| TrunkConfig {
        name: name.to_owned(),
        channel: format!("PJSIP/{{phone}}@{name}"),
        prefixes: vec![prefix.to_owned()],
        weight: 1,
        at_once: 0,
        starts_per_second: 0.0,
        caller_id: String::new(),
        ring_timeout_ms,
    };
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        config.trunks = vec![trunk("short", "79000", 500), trunk("long", "79001", 2_500)];
    })
    .await;
    let began = Instant::now();
    let mut took = Vec::new();
    // Person 12 rings for ever.
    for (id, phone) in [("short", "89000000012"), ("long", "+79001000012")] {
        let order = json!({"id": id, "phone": phone, "dialog": "visit"});
        assert_eq!(app.post("/api/v1/calls", order).await.0, 201);
    }
    for id in ["short", "long"] {
        let call = app.end_of(id).await;
        took.push(began.elapsed());
        assert_eq!(call["outcome"], "no_answer", "{call:#}");
        assert_eq!(call["attempt_list"][0]["trunk"], id);
    }
    assert!(
        took[0] < Duration::from_secs(2) && took[1] > Duration::from_secs(2),
        "{took:?}"
    );
    // One that no trunk serves is refused when it is ordered.
    let order = json!({"id": "abroad", "phone": "+4930123401", "dialog": "visit"});
    let (status, told) = app.post("/api/v1/calls", order).await;
    assert_eq!((status, &told["error"]["code"]), (422, &json!("no_trunk")));
    assert_eq!(app.get("/api/v1/calls/abroad").await.0, 404);
}
