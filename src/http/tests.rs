//! Real requests over loopback against a real store.

mod amend;
mod answers;
mod batch;
mod callbacks;
mod do_not_call;
mod drain;
mod limits;
mod orders;
mod recordings;
mod reports;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::config::{Config, HttpConfig, Language};
use crate::ident::Secret;
use crate::script::Library;
use crate::store::Store;

const TOKEN: &str = "Authorization: Bearer t0ken\r\n";

/// A library of two dialogs and a prompt in `folder`; one of them has broken since.
fn library(folder: &std::path::Path) -> Arc<Library> {
    let scripts = folder.join("scripts");
    std::fs::create_dir_all(scripts.join("sounds")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(scripts.join(name), bytes).unwrap();
    write("confirm_visit.rhai", b"finish(\"confirmed\");");
    write(
        "confirm_visit.yaml",
        "title: Подтверждение визита".as_bytes(),
    );
    write("визит.rhai", b"finish(\"done\");");
    // A tenth of a second of silence: 8 kHz, mono, 16 bit.
    let mut wav = b"RIFF\x64\x06\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x40\x06\0\0".to_vec();
    wav.resize(44 + 1600, 0);
    write("sounds/hello.wav", &wav);
    let library = Library::open(&scripts, Language::Ru);
    assert_eq!(library.status().faults, []);
    write("визит.rhai", b"if {");
    library.reload();
    Arc::new(library)
}

/// A server on port 0 with a store in a folder of its own.
struct Server {
    address: SocketAddr,
    store: Store,
    library: Arc<Library>,
    stop: CancellationToken,
    hung_up: Arc<Mutex<Vec<String>>>,
    task: AbortOnDropHandle<Result<(), OpenToAll>>,
    folder: tempfile::TempDir,
}

fn keys() -> HttpConfig {
    let mut http = Config::default().http;
    http.tokens = vec![Secret::new("t0ken")];
    http.users = vec![("1с".to_owned(), Secret::new("пароль"))];
    http
}

async fn start() -> Server {
    start_with(keys(), |state| state).await
}

async fn start_with(http: HttpConfig, change: impl FnOnce(HttpState) -> HttpState) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("g.sqlite")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let hung_up = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&hung_up);
    let library = library(folder.path());
    let state = HttpState::new(store.clone(), Arc::clone(&library), http, Language::Ru)
        .with_hang_up(move |id| noted.lock().unwrap().push(id.to_string()))
        .with_clock(jiff::Timestamp::now, TimeZone::fixed(jiff::tz::offset(3)));
    let task = tokio::spawn(serve(listener, change(state), stop.clone()));
    Server {
        address,
        store,
        library,
        stop,
        hung_up,
        task: AbortOnDropHandle::new(task),
        folder,
    }
}

/// A body that came in chunks.
fn whole(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").unwrap_or_default();
    }
    body
}

/// An answer, taken apart.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Every answer is one that the table of routes tells of: its status, its type, its form.
    fn keeps_the_table(&self, method: &str, path: &str) {
        let path = path.split('?').next().unwrap();
        let fits = |route: &&routes::Route| {
            let (parts, pattern) = (path.split('/'), route.path.split('/'));
            route.method == method
                && parts.clone().count() == pattern.clone().count()
                && parts
                    .zip(pattern)
                    .all(|(part, of)| part == of || of.starts_with('{'))
        };
        let table = routes::table();
        // A path without parts goes before one with them, as axum has it.
        let found = table
            .iter()
            .filter(fits)
            .min_by_key(|route| route.path.matches('{').count());
        let Some(route) = found else {
            assert!(
                matches!(self.status, 404 | 405),
                "{method} {path}: {self:?}"
            );
            return;
        };
        let named = routes::forms()
            .into_iter()
            .map(|(name, form)| (name.to_owned(), form))
            .collect();
        let head = self.head.to_lowercase();
        let given = route
            .answers
            .iter()
            .filter(|answer| answer.status == self.status);
        let given = given.filter(|answer| head.contains(&format!("content-type: {}", answer.kind)));
        let forms: Vec<Value> = given.map(|answer| answer.form.clone()).collect();
        let form = match forms.first() {
            Some(form) => form.clone(),
            None if route.refusals().contains(&self.status) => schema::named("Refusal"),
            None => panic!("{method} {path}: the table tells of no such answer: {self:?}"),
        };
        let bodies: Vec<Value> = if head.contains("content-type: application/json") {
            vec![self.json()]
        } else if head.contains("x-ndjson") {
            self.body
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        } else {
            Vec::new()
        };
        for body in bodies {
            let why = schema::mismatch(&body, &form, &named);
            assert_eq!(why, None, "{method} {path} {}: {body}", self.status);
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `status code field` of a refusal.
    fn refusal(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        assert!(
            !error["message"].as_str().unwrap_or_default().is_empty(),
            "{self:?}"
        );
        let field = error["field"].as_str().unwrap_or("-");
        format!(
            "{} {} {field}",
            self.status,
            error["code"].as_str().unwrap()
        )
    }
}

impl Server {
    /// Sends these very bytes and reads to the end.
    async fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        let mut got = Vec::new();
        let read =
            tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut got)).await;
        // A reset after the answer is the server's right: it hasn't read all that we sent.
        let _ = read.expect("an answer within 20 s");
        let text = String::from_utf8(got).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked {
            whole(body)
        } else {
            body.to_owned()
        };
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        Answer {
            status,
            head: head.to_owned(),
            body,
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let answer = self.raw(format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
        .await;
        answer.keeps_the_table(method, path);
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, TOKEN, "").await
    }

    async fn order(&self, body: &Value) -> Answer {
        let headers = format!("{TOKEN}Content-Type: application/json; charset=utf-8\r\n");
        self.ask("POST", "/api/v1/calls", &headers, &body.to_string())
            .await
    }

    /// How many calls there are: what a wrong request must not change.
    async fn changes(&self) -> usize {
        self.store.changes(0, 1000).await.unwrap().0.len()
    }
}

fn order(id: &str) -> Value {
    json!({"id": id, "phone": "+79121234567", "dialog": "confirm_visit", "params": {"имя": "Иван", "sum": 5}})
}
