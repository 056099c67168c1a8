//! `/metrics` is what Prometheus reads: its format, the conventions of its names, and that its numbers move.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use govorun::config::MediaKind;

use super::app::TestApp;

/// Values by series, after every rule of the format and of the names was held.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut kinds, mut helped) = (BTreeMap::new(), BTreeSet::new());
    let mut series = BTreeMap::new();
    assert!(text.ends_with('\n'), "the last line has to end");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest
                .split_once(' ')
                .unwrap_or_else(|| panic!("no help: {line}"));
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name), "{name}: HELP comes first");
            assert!(name.starts_with("govorun_"), "{line}");
            let total = name.ends_with("_total");
            assert_eq!(
                total,
                kind == "counter",
                "{line}: counters end in _total, others don't"
            );
            for unit in ["_ms", "_milliseconds", "_minutes", "_kb", "_mb", "_percent"] {
                assert!(
                    !name.ends_with(unit),
                    "{line}: base units are seconds and bytes"
                );
            }
            assert!(
                kinds.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{line}: twice"
            );
            continue;
        }
        let (id, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let name = id.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|end| name.strip_suffix(end))
            .find(|family| kinds.get(*family).is_some_and(|kind| kind == "histogram"))
            .unwrap_or(name);
        assert!(kinds.contains_key(family), "{line}: no TYPE before it");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(
            series.insert(id.to_owned(), value).is_none(),
            "{line}: twice"
        );
    }
    let silent: Vec<&String> = helped
        .iter()
        .filter(|name| !kinds.contains_key(*name))
        .collect();
    assert!(silent.is_empty(), "HELP without TYPE: {silent:?}");
    series
}

async fn text(app: &TestApp) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(app.runtime.http)
        .await
        .unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

/// The reader has to see a fault.
#[test]
#[should_panic(expected = "counters end in _total")]
fn a_counter_without_its_ending_is_seen() {
    read("# HELP govorun_x x\n# TYPE govorun_x counter\ngovorun_x 1\n");
}

fn promtool() -> Option<PathBuf> {
    let lab = std::env::var_os("GOVORUN_LAB").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/govorun-lab"));
    let places = [lab, home]
        .into_iter()
        .flatten()
        .map(|lab| lab.join("promtool/usr/bin/promtool"));
    let places = places.chain([PathBuf::from("promtool")]);
    let runs = |path: &PathBuf| {
        let asked = Command::new(path)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    };
    places.into_iter().find(runs)
}

/// Prometheus' own words about it.
fn lint(metrics: &str) {
    let Some(promtool) = promtool() else {
        println!("SKIP: no promtool (tests/lab/promtool.sh): its own rules were not asked");
        return;
    };
    let mut asked = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    asked
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let done = asked.wait_with_output().unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        done.status.success() && told.trim().is_empty(),
        "promtool: {told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_prometheus_own_and_move() {
    let app = TestApp::start(MediaKind::AudiosocketTap).await;
    app.ready().await;
    let before = read(&text(&app).await);
    let busy = "govorun_attempts_ended_total{outcome=\"busy\"}";
    assert_eq!(before[busy], 0.0);
    assert_eq!(before["govorun_queue_delay_seconds"], 0.0);
    app.order("m-1", "11").await;
    app.end_of("m-1").await;
    app.order("m-2", "06").await;
    app.end_of("m-2").await;
    let metrics = text(&app).await;
    let after = read(&metrics);
    assert_eq!(after[busy], 1.0);
    assert_eq!(
        after["govorun_attempts_ended_total{outcome=\"hung_up\"}"],
        1.0
    );
    assert_eq!(after["govorun_calls_by_status{status=\"talking\"}"], 0.0);
    assert!(after["govorun_ami_events_total"] > before["govorun_ami_events_total"]);
    assert!(after["govorun_store_bytes"] > 0.0);
    lint(&metrics);
}
