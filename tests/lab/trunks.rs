//! Two SIP trunks, one of them to SIPp: limits hold as Asterisk sees them, a congested trunk's order goes by the other, a
//! drain starts nothing and cuts nothing, a person is given to a colleague over a trunk.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use govorun::config::{MediaKind, TrunkConfig};
use serde_json::{Value, json};

use super::dialogs::Place;
use super::server::{NO_EARS, SIP, Server, settings};
use super::stand::{Asterisk, row, skip};

const END: Duration = Duration::from_secs(60);
/// Numbers of SIPp's people; one with 503503 in it is congested there.
const SIPP_PEOPLE: &str = "8999";

/// SIPp as a trunk's far end; ends with the test.
struct Sipp(Child);

impl Sipp {
    fn start(asterisk: &Asterisk) -> Option<Self> {
        let scenario =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/sipp/uas.xml");
        let port = |offset| asterisk.port(offset).to_string();
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(scenario)
            .args([
                "-i",
                "127.0.0.1",
                "-p",
                &port(96),
                "-mp",
                &port(97),
                "-nostdin",
                "-trace_err",
            ])
            .current_dir(asterisk.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            skip("SIPp");
            return None;
        };
        Some(Self(child))
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn trunk(name: &str, endpoint: &str, prefixes: &[&str], at_once: usize) -> TrunkConfig {
    TrunkConfig {
        name: name.to_owned(),
        channel: format!("PJSIP/{{phone}}@{endpoint}"),
        prefixes: prefixes.iter().map(|p| (*p).to_owned()).collect(),
        weight: if name == "sipp" { 1000 } else { 1 },
        at_once,
        starts_per_second: 0.0,
        caller_id: String::new(),
        ring_timeout_ms: 6_000,
    }
}

/// How many channels stand over each endpoint now, and Asterisk's list of them.
fn standing(asterisk: &Asterisk) -> ([usize; 2], String) {
    let channels = asterisk.console("core show channels concise");
    let standing = ["PJSIP/trunk-", "PJSIP/trunk2-"]
        .map(|way| channels.lines().filter(|l| l.starts_with(way)).count());
    (standing, channels)
}

fn trunks_of(call: &Value) -> Vec<String> {
    let attempts = call["attempt_list"].as_array().unwrap();
    let told = |a: &Value| {
        let word = |key: &str| a[key].as_str().unwrap_or("-").to_owned();
        format!("{} {}", word("trunk"), word("outcome"))
    };
    attempts.iter().map(told).collect()
}

async fn on(version: &'static str, kind: MediaKind) {
    let Some((asterisk, far)) = Asterisk::pair(version) else {
        return;
    };
    let Some(_sipp) = Sipp::start(&asterisk) else {
        return;
    };
    let place = Place::new();
    let mut config = settings(&asterisk, &place, kind, NO_EARS, SIP);
    config.asterisk.transfer_channel = SIP.to_owned();
    config.trunks = vec![
        trunk("far", "trunk", &["7919", "7999503503"], 3),
        trunk("sipp", "trunk2", &["7999"], 2),
        trunk("sipp_too", "trunk2", &["7999503503"], 2),
    ];
    // Of the two that share that prefix nearly all go to SIPp first.
    config.trunks[2].weight = 1000;
    let server = Server::start(config).await;
    let one_c = server.one_c;

    // Limits: three at once over the one, two over the other, as Asterisk's own list of channels has it.
    let people = (0..7).map(|n| (format!("far{n}"), format!("8919000000{n}")));
    let people =
        people.chain((0..5).map(|n| (format!("sipp{n}"), format!("{SIPP_PEOPLE}000000{n}"))));
    let people: Vec<(String, String)> = people.collect();
    for (id, phone) in &people {
        one_c.order(id, phone, "wordless").await;
    }
    let (began, mut most) = (Instant::now(), [0, 0]);
    loop {
        let (now, list) = standing(&asterisk);
        if now[0] > 3 || now[1] > 2 {
            eprintln!("after {:?}:\n{list}", began.elapsed());
        }
        most = [most[0].max(now[0]), most[1].max(now[1])];
        let mut ended = 0;
        for (id, _) in &people {
            ended += usize::from(one_c.call(id).await["status"] == "finished");
        }
        if ended == people.len() {
            break;
        }
        assert!(began.elapsed() < END, "{ended} of {} ended", people.len());
    }
    assert_eq!(most, [3, 2], "the limits are reached and held");
    for (id, _) in &people {
        let call = one_c.call(id).await;
        let name = id.trim_end_matches(|c: char| c.is_ascii_digit());
        assert_eq!(trunks_of(&call), [format!("{name} no_reply")], "{call:#}");
    }
    row(
        "two trunks, 12 orders",
        kind.as_str(),
        version,
        "SIP, SIPp",
        &format!(
            "at most {} and {} at once, in {} s",
            most[0],
            most[1],
            began.elapsed().as_secs()
        ),
    );

    // Congestion: SIPp answers 503, the next attempt goes by the other trunk (where nobody has such a number: 404).
    let order = json!({"id": "moved", "phone": format!("{SIPP_PEOPLE}5035031"), "dialog": "wordless", "attempts": 2});
    one_c.order_with(order).await;
    let (call, history) = one_c.finished("moved", END).await;
    let told = trunks_of(&call);
    assert_eq!(told[0], "sipp_too congestion", "{history}");
    assert!(told[1].starts_with("far "), "{told:?}\n{history}");
    row(
        "503 of SIPp",
        kind.as_str(),
        version,
        "SIP, SIPp",
        &told.join(", then "),
    );

    // A drain: what talks ends by itself, what is ordered meanwhile waits.
    one_c.order("talks", "89190000011", "wordless").await;
    one_c
        .until("talks", "talking", Duration::from_secs(10))
        .await;
    let (_, begun) = one_c.request("POST", "/api/v1/drain", None).await;
    assert_eq!(
        begun,
        json!({"draining": true, "calls": 1, "drained": false})
    );
    one_c.order("waits", "89190000012", "wordless").await;
    let (call, _) = one_c.finished("talks", END).await;
    assert_eq!(call["outcome"], "no_reply", "{call:#}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(one_c.call("waits").await["status"], "queued");
    assert_eq!(one_c.get("/api/v1/drain").await["drained"], true);
    asterisk.quiet().await;
    let (_, ended) = one_c.request("DELETE", "/api/v1/drain", None).await;
    assert_eq!(ended["draining"], false);
    one_c.finished("waits", END).await;
    row(
        "drain",
        kind.as_str(),
        version,
        "SIP",
        "the talk ended by itself, the order waited",
    );

    // A person of one trunk is given to a colleague over it.
    one_c
        .order_with(json!({"id": "given", "phone": "89190000013", "dialog": "transferred", "params": {"to": "89280000001"}}))
        .await;
    let (call, history) = one_c.finished("given", END).await;
    assert_eq!(call["data"]["transfer"], "answered", "{history}");
    row(
        "transfer to a person",
        kind.as_str(),
        version,
        "SIP",
        "answered",
    );
    server.stop().await;
    asterisk.quiet().await;
    far.quiet().await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_trunks_16() {
    on("16", MediaKind::Rtp).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_trunks_22() {
    on("22", MediaKind::AudiosocketTap).await;
}
