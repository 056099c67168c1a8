//! The server as a process of its own, started again each time that it is killed.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Limits that have to hold.
pub const AT_ONCE: usize = 40;
pub const STARTS_PER_SECOND: f64 = 90.0;
/// Name, digit before the number, calls at once, starts a second.
pub const TRUNKS: [(&str, char, usize, f64); 3] = [
    ("one", '1', 14, 25.0),
    ("two", '2', 20, 50.0),
    ("three", '3', 6, 20.0),
];
/// Of the dialog `few`.
pub const FEW_AT_ONCE: usize = 4;
pub const TOKEN: &str = "chaos";

/// Where the server lives between its lives.
#[derive(Debug)]
pub struct Den {
    pub folder: tempfile::TempDir,
    pub http: SocketAddr,
    settings: PathBuf,
}

fn free_ports<const N: usize>() -> [SocketAddr; N] {
    // All at once, so that they differ; the server has them a moment later.
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}

impl Den {
    pub fn new(ami: SocketAddr, vosk: &str, told: Option<SocketAddr>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scripts = folder.path().join("scripts");
        std::fs::create_dir_all(scripts.join("sounds")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(scripts.join(name), text).unwrap();
        let keys = r#"play("hi");
            let d = listen(#{ timeout: 0.5, max_digits: 1 });
            if d.kind == "digits" { finish("confirmed", #{ key: d.digits }); }
            finish("silent");"#;
        write("keys.rhai", keys);
        write("keys.yaml", "recognizer: none\n");
        write("few.rhai", keys);
        write(
            "few.yaml",
            &format!("recognizer: none\ncalls: {{at_once: {FEW_AT_ONCE}}}\n"),
        );
        write(
            "words.rhai",
            r#"play("hi");
            let a = listen(#{ expect: ["yes", "no"], timeout: 1 });
            if a.is("yes") { finish("confirmed"); }
            finish("silent");"#,
        );
        let hum: Vec<i16> = (0..1200)
            .map(|i| if i / 10 % 2 == 0 { 2000 } else { -2000 })
            .collect();
        let hum = govorun::audio::Sound::new("hi", hum);
        std::fs::write(
            scripts.join("sounds/hi.wav"),
            govorun::audio::wav::encode(&hum.samples),
        )
        .unwrap();
        let [http, agi, audiosocket, websocket] = free_ports();
        let place = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(place("sounds")).unwrap();
        std::fs::create_dir_all(place("recordings")).unwrap();
        let trunks = TRUNKS.map(|(name, digit, at_once, rate)| {
            let prefixes = if name == "three" { vec!["7901"] } else { vec![] };
            json!({
                "name": name, "channel": format!("Local/{digit}{{phone}}@out/n"), "prefixes": prefixes,
                "weight": if name == "two" { 2 } else { 1 }, "at_once": at_once, "starts_per_second": rate,
            })
        });
        let settings = json!({
            "scripts": {"folder": scripts},
            "store": place("govorun.sqlite"),
            "http": {
                "listen": http, "tokens": [TOKEN],
                "callback": {
                    "url": told.map_or(String::new(), |at| format!("http://{at}/hook")), "secret": super::receiver::SECRET,
                    "timeout": "2s", "first_retry": "300ms", "longest_retry": "2s", "per_host": 16,
                },
            },
            "asterisk": {
                "ami": ami, "user": "govorun", "secret": "secret", "agi_listen": agi, "ring_timeout": "1s",
                "sounds": place("sounds"), "sounds_in_asterisk": place("sounds"),
                "recordings": place("recordings"), "recordings_in_asterisk": place("recordings"),
                "channel": "Local/9{phone}@out/n",
            },
            "trunks": trunks,
            "media": {"kind": "audiosocket_tap", "audiosocket_listen": audiosocket, "websocket_listen": websocket},
            "recognizers": [{"kind": "vosk", "name": "vosk", "url": vosk}],
            "calls": {"at_once": AT_ONCE, "starts_per_second": STARTS_PER_SECOND, "retry_after": "1s"},
        });
        let path = place("govorun.yaml");
        std::fs::write(&path, settings.to_string()).unwrap();
        Self {
            folder,
            http,
            settings: path,
        }
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("govorun.sqlite")
    }

    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.settings.with_extension("log"));
        log.unwrap_or_default()
    }

    /// One request; fails as a socket does.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        ask(self.http, method, path, body).await
    }
}

pub async fn ask(
    at: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> std::io::Result<(u16, Value)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = tokio::net::TcpStream::connect(at).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let broken = || std::io::Error::other("cut off");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.get(9..12).and_then(|s| s.parse().ok());
    let body = serde_json::from_str(body).map_err(|_| broken())?;
    Ok((status.ok_or_else(broken)?, body))
}

/// One life of it.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it, and waits until it answers.
    pub async fn start(den: &Den) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(den.settings.with_extension("log"))
            .unwrap();
        let mut child = spawn(&den.settings, log);
        let began = Instant::now();
        while den.ask("GET", "/healthz", None).await.is_err() {
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the server ended: {ended:?}\n{}",
                den.log()
            );
            let late = began.elapsed() > Duration::from_secs(60);
            assert!(!late, "the server does not answer\n{}", den.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> std::process::ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < limit, "it doesn't end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// kill -9
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The program: this build's, or the one that `GOVORUN_CHAOS_BIN` names (a release, or one kept while work goes on).
fn spawn(settings: &Path, log: File) -> Child {
    let built = || env!("CARGO_BIN_EXE_govorun").into();
    Command::new(std::env::var_os("GOVORUN_CHAOS_BIN").unwrap_or_else(built))
        .args(["serve", "-c"])
        .arg(settings)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}
