//! Measures what 1C asks of a server: orders in batches and one by one, each on disk before its answer, and pages out of a
//! large store. Prints lines that begin with ROW.
//!
//! `cargo run --release --example orders -- [--calls 1000000] [--lines 8] [--place DIR]`
//!
//! The server is the real HTTP server over a store on this disk, asked over loopback sockets; there is no Asterisk and none
//! is wanted. `--calls 0` leaves the large store out. DIR (a new folder under the system's temporary one) is removed at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use govorun::call::history::{HistoryEvent, kind};
use govorun::call::{Fields, Order, Summary};
use govorun::config::{Config, Language};
use govorun::http::{HttpState, serve};
use govorun::ident::{CallId, Phone, Secret};
use govorun::script::Library;
use govorun::store::{Store, Taken, Then, everybody};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "measure";
/// Orders of a batch over HTTP.
const BATCH: usize = 10_000;
/// Single orders are sent for so long.
const SINGLE: Duration = Duration::from_secs(10);
/// Times that each page is asked for.
const ASKED: usize = 200;

struct Wanted {
    calls: usize,
    lines: usize,
    place: PathBuf,
}

fn wanted() -> Wanted {
    let mut wanted = Wanted {
        calls: 1_000_000,
        lines: 8,
        place: std::env::temp_dir().join(format!("govorun-orders-{}", std::process::id())),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("a value after the name");
        match name.as_str() {
            "--calls" => wanted.calls = value.parse().expect("a number"),
            "--lines" => wanted.lines = value.parse().expect("a number"),
            "--place" => wanted.place = value.into(),
            other => panic!("{other}: there are --calls, --lines, --place"),
        }
    }
    wanted
}

#[tokio::main]
async fn main() {
    let wanted = wanted();
    std::fs::create_dir_all(&wanted.place).unwrap();
    orders(&wanted.place.join("orders.sqlite")).await;
    if wanted.calls > 0 {
        large(
            &wanted.place.join("large.sqlite"),
            wanted.calls,
            wanted.lines,
        )
        .await;
    }
    std::fs::remove_dir_all(&wanted.place).unwrap();
}

/// The real HTTP server over `store`.
async fn server(store: &Store, stop: &CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let library = Arc::new(Library::open(scripts, Language::Ru));
    let mut http = Config::default().http;
    http.tokens = vec![Secret::new(TOKEN)];
    let state = HttpState::new(store.clone(), library, http, Language::Ru);
    let stop = stop.clone();
    tokio::spawn(async move { serve(listener, state, stop).await.unwrap() });
    address
}

/// One connection that is kept.
struct Client(TcpStream);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Status and body.
    async fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut got = Vec::with_capacity(4096);
        let (head, length) = loop {
            let n = self.0.read_buf(&mut got).await.unwrap();
            assert!(n > 0, "the server closed the connection");
            let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8(got[..end].to_vec())
                .unwrap()
                .to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            break (head, (end + 4, length));
        };
        let (from, length) = length;
        while got.len() < from + length {
            self.0.read_buf(&mut got).await.unwrap();
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, String::from_utf8(got[from..].to_vec()).unwrap())
    }
}

fn order(id: &str) -> Value {
    json!({
        "id": id, "phone": "+79121234567", "dialog": "подтверждение_визита",
        "params": {"имя": "Анна Сергеевна", "время": "завтра в десять", "заказ": id},
        "attempts": 3, "priority": 1, "expires": "2040-01-01T20:00:00",
    })
}

async fn orders(path: &Path) {
    let store = Store::open(path).unwrap();
    let stop = CancellationToken::new();
    let address = server(&store, &stop).await;
    let mut client = Client::connect(address).await;
    for (name, query) in [("all or none", ""), ("by lines", "?report=lines")] {
        let bodies: Vec<String> = (0..5)
            .map(|batch| {
                let lines =
                    (0..BATCH).map(|n| order(&format!("{}-{batch}-{n}", query.len())).to_string());
                lines.collect::<Vec<_>>().join("\n")
            })
            .collect();
        let began = Instant::now();
        for body in &bodies {
            let (status, answer) = client
                .ask("POST", &format!("/api/v1/calls/batch{query}"), body)
                .await;
            assert_eq!(status, 200, "{answer}");
        }
        let rate = (5 * BATCH) as f64 / began.elapsed().as_secs_f64();
        println!("ROW batches of {BATCH}, {name}: {rate:.0} orders/s");
    }
    for connections in [1, 10, 50] {
        let until = Instant::now() + SINGLE;
        let mut tasks = Vec::new();
        for connection in 0..connections {
            tasks.push(tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut times = Vec::new();
                while Instant::now() < until {
                    let body =
                        order(&format!("s{connections}-{connection}-{}", times.len())).to_string();
                    let began = Instant::now();
                    let (status, answer) = client.ask("POST", "/api/v1/calls", &body).await;
                    assert_eq!(status, 201, "{answer}");
                    times.push(began.elapsed());
                }
                times
            }));
        }
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        let rate = times.len() as f64 / SINGLE.as_secs_f64();
        println!(
            "ROW one by one over {connections} kept connections: {rate:.0} orders/s, answered in {}",
            percentiles(&mut times)
        );
    }
    stop.cancel();
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    format!("{:.2} / {:.2} ms (p50 / p99)", at(0.5), at(0.99))
}

/// Fills a store with calls that have ended, then asks it.
async fn large(path: &Path, calls: usize, lines: usize) {
    let store = Store::open(path).unwrap();
    let began = Instant::now();
    let start = Timestamp::from_second(1_780_000_000).unwrap();
    let phone = Phone::parse("+79121234567").unwrap();
    for part in 0..calls.div_ceil(1000) {
        let now = start + jiff::SignedDuration::from_secs(part as i64);
        let orders = (0..1000).map(|n| {
            let mut order = Order::simple(
                CallId::parse(&format!("c-{part}-{n}")).unwrap(),
                phone.clone(),
                "подтверждение_визита",
            );
            order
                .params
                .insert("имя".to_owned(), "Анна Сергеевна".into());
            (order, format!("{part:032}{n:032}"))
        });
        let taken = store.add_many(orders.collect(), true, now).await.unwrap();
        assert!(taken.iter().all(|taken| *taken == Taken::New));
        // The last thousands wait, so that the queue isn't empty.
        if part + 10 >= calls.div_ceil(1000) && calls > 20_000 {
            continue;
        }
        let due = store.take_due(now, 1000, &everybody()).await.unwrap();
        let mut ends = Vec::new();
        for due in due {
            let store = store.clone();
            ends.push(tokio::spawn(async move {
                let id = due.order.id;
                let line = |n: usize| HistoryEvent {
                    at: now,
                    at_ms: Some(n as u64 * 700),
                    kind: if n.is_multiple_of(2) {
                        kind::UTTERANCE
                    } else {
                        kind::PROMPT
                    },
                    data: said(n).into(),
                };
                store
                    .record(&id, 1, (0..lines).map(line).collect())
                    .await
                    .unwrap();
                let summary = Summary {
                    data: serde_json::Map::from_iter([("слова".to_owned(), "да, приеду".into())]),
                    answered: true,
                    cause: Some(16),
                    version: Some("0123456789ab".to_owned()),
                    talk_ms: 20_000,
                    ..Summary::new("подтвердил")
                };
                store
                    .attempt_ended(&id, 1, &summary, Then::Finish, now)
                    .await
                    .unwrap();
            }));
        }
        for end in ends {
            end.await.unwrap();
        }
    }
    let filled = began.elapsed().as_secs_f64();
    let newest = *store.newest_change().borrow();
    drop(store);
    let bytes = std::fs::metadata(path).unwrap().len();
    println!(
        "ROW a store of {calls} calls, {newest} changes, {lines} lines of talk each: {:.2} GB, filled in {filled:.0} s",
        bytes as f64 / 1e9
    );
    let began = Instant::now();
    let store = Store::open(path).unwrap();
    let opened = began.elapsed();
    let began = Instant::now();
    store.recover(start, start).await.unwrap();
    println!(
        "ROW it opens in {:.1} ms, and is set right after a crash in {:.1} ms",
        opened.as_secs_f64() * 1e3,
        began.elapsed().as_secs_f64() * 1e3
    );
    let stop = CancellationToken::new();
    let address = server(&store, &stop).await;
    let mut client = Client::connect(address).await;
    let middle = newest / 2;
    for (name, path) in [
        (
            "changes, first page of 100",
            "/api/v1/changes?after=0&limit=100".to_owned(),
        ),
        (
            "changes, 100 from the middle",
            format!("/api/v1/changes?after={middle}&limit=100"),
        ),
        (
            "changes, 1000 from the middle",
            format!("/api/v1/changes?after={middle}&limit=1000"),
        ),
        (
            "changes, the last 100",
            format!("/api/v1/changes?after={}&limit=100", newest - 100),
        ),
        (
            "one call whole",
            format!("/api/v1/calls/c-{}-500", calls / 2000),
        ),
        (
            "its history",
            format!("/api/v1/calls/c-{}-500/events", calls / 2000),
        ),
        (
            "callbacks that were given up",
            "/api/v1/callbacks?state=failed".to_owned(),
        ),
        ("metrics", "/metrics".to_owned()),
    ] {
        let mut times = Vec::new();
        for _ in 0..ASKED {
            let began = Instant::now();
            let (status, answer) = client.ask("GET", &path, "").await;
            assert_eq!(status, 200, "{answer}");
            times.push(began.elapsed());
        }
        println!("ROW {name}: {}", percentiles(&mut times));
    }
    let mut times = Vec::new();
    for n in 0..ASKED {
        let began = Instant::now();
        let (status, _) = client
            .ask(
                "POST",
                "/api/v1/calls",
                &order(&format!("new-{n}")).to_string(),
            )
            .await;
        assert_eq!(status, 201);
        times.push(began.elapsed());
    }
    println!("ROW one more order: {}", percentiles(&mut times));
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let began = Instant::now();
        let due = store
            .take_due(Timestamp::now(), 10, &everybody())
            .await
            .unwrap();
        assert_eq!(due.len(), 10.min(calls));
        times.push(began.elapsed());
    }
    println!("ROW ten due orders taken: {}", percentiles(&mut times));
    stop.cancel();
}

/// The particulars of a usual line.
fn said(n: usize) -> Fields {
    let mut fields = Fields::new();
    fields.push("event", "started");
    fields.push("state", "complete");
    fields.push("text", "Здравствуйте! Вы приедете сегодня?");
    fields.push("n", &n);
    fields
}
