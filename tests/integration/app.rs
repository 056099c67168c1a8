//! The server under test with everything around it, on ports and in folders of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use govorun::app::{Instead, Runtime};
use govorun::audio::{Sound, wav};
use govorun::config::{Config, Language, MediaKind, RecognizerConfig};
use govorun::ident::Secret;
use govorun::rehearsal::asterisk::{FakeAsterisk, FarEnd, Options, Refusal};
use govorun::tts::{Speed, Synthesis, Voice};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::vosk::VoskDouble;

/// The levels at which the double of vosk-server hears words.
pub const WORDS: [(u16, &str); 4] = [
    (3000, "да"),
    (6000, "нет"),
    (12_000, "перезвоните"),
    (24_000, MACHINE),
];
/// What a machine says.
pub const MACHINE: &str = "оставьте сообщение после сигнала";

/// A sound that is heard as that word.
pub fn word(text: &str) -> Sound {
    let level = WORDS.iter().find(|(_, word)| *word == text).unwrap().0;
    let samples: Vec<i16> = (0..8000 * 6 / 10)
        .map(|i| {
            if i % 2 == 0 {
                level as i16
            } else {
                -(level as i16)
            }
        })
        .collect();
    Sound::new(text, samples)
}

/// A person's voice, which ours is taken for, too: "да".
fn voice() -> Sound {
    let bytes = include_bytes!("../fixtures/audio/ru/fest_yes_01.wav");
    wav::decode("fest_yes_01", bytes).unwrap()
}

/// A machine's beep.
fn beep() -> Sound {
    let sine = |n: u32| (f64::from(n) * 2.0 * std::f64::consts::PI / 8.0).sin() * 8_000.0;
    Sound::new(
        "beep",
        (0..3_200).map(|n| sine(n) as i16).collect::<Vec<i16>>(),
    )
}

/// People by number; the last two digits choose.
pub fn people(number: &str) -> FarEnd {
    match &number[number.len() - 2..] {
        "01" => FarEnd::answers()
            .until_prompt_ends()
            .wait(200)
            .say(&word("да"))
            .wait(20_000),
        "02" => FarEnd::answers()
            .until_prompt_ends()
            .wait(200)
            .say(&word("нет"))
            .wait(20_000),
        "03" => FarEnd::answers()
            .until_prompt_starts()
            .wait(600)
            .say(&word("да"))
            .wait(20_000),
        "04" => FarEnd::answers()
            .until_prompt_starts()
            .wait(300)
            .digit('2')
            .wait(20_000),
        "05" => FarEnd::answers().wait(60_000),
        "06" => FarEnd::answers().until_prompt_starts().wait(100).hang_up(),
        "07" => FarEnd::answers().until_prompt_ends().wait(300).hang_up(),
        "08" => FarEnd::answers()
            .until_prompt_starts()
            .wait(3_500)
            .say(&word("да"))
            .wait(20_000),
        "09" => FarEnd::answers()
            .wait(300)
            .say(&word(MACHINE))
            .wait(500)
            .say(&beep())
            .wait(20_000),
        "10" => FarEnd::answers()
            .until_prompt_ends()
            .until_prompt_ends()
            .wait(200)
            .say(&word("да"))
            .wait(20_000),
        "16" => FarEnd::answers()
            .until_prompt_ends()
            .wait(8_000)
            .say(&word("да"))
            .wait(20_000),
        "17" => FarEnd::answers()
            .until_prompt_ends()
            .wait(200)
            .say(&voice())
            .wait(20_000),
        "11" => FarEnd::busy(),
        "12" => FarEnd::rings(),
        "13" => FarEnd::fails(Refusal::Congestion),
        "14" => FarEnd::fails(Refusal::Unallocated),
        "15" => FarEnd::fails(Refusal::Rejected),
        other => panic!("nobody has the number {other}"),
    }
}

pub const ASK: &str = r#"
stage("question");
let answer = ask("Здравствуйте! Вы приедете?", #{ expect: ["yes", "no"], attempts: 2, timeout: 1.5 });
set("heard", answer.text);
if answer.kind == "digits" { finish("keyed", #{ keys: answer.digits }); }
if answer.is("yes") { say("Ждём вас!"); finish("confirmed"); }
if answer.is("no") { finish("declined"); }
finish("silent");
"#;

/// Hums a text for as long as a person would say it: both-way media can hear where a prompt begins and ends.
#[derive(Debug)]
struct Hum;

impl Voice for Hum {
    fn name(&self) -> &str {
        "hum"
    }

    fn synth<'a>(&'a self, text: &'a str, _speed: Speed) -> Synthesis<'a> {
        let samples: Vec<i16> = (0..text.chars().count() * 70 * 8)
            .map(|i| if i / 10 % 2 == 0 { 2000 } else { -2000 })
            .collect();
        Box::pin(std::future::ready(Ok(Sound::new(text, samples))))
    }
}

pub struct TestApp {
    pub asterisk: FakeAsterisk,
    pub runtime: Runtime,
    pub _vosk: VoskDouble,
    pub folder: TempDir,
}

impl TestApp {
    pub async fn start(medium: MediaKind) -> Self {
        Self::with(medium, |_| {}).await
    }

    pub async fn with(medium: MediaKind, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(people);
        options.sounds = Some(folder.path().join("sounds"));
        let asterisk = FakeAsterisk::start(options.with_audiofork()).await.unwrap();
        let vosk = VoskDouble::by_loudness(&WORDS).await;
        let mut config = config(folder.path(), medium);
        config.asterisk.ami = asterisk.ami_addr().to_string();
        config.recognizers = vec![RecognizerConfig::vosk("vosk", &vosk.url)];
        change(&mut config);
        let scripts = folder.path().join("scripts");
        std::fs::create_dir_all(&scripts).unwrap();
        if !scripts.join("visit.rhai").exists() {
            std::fs::write(scripts.join("visit.rhai"), ASK).unwrap();
        }
        let hum: Arc<dyn Voice> = Arc::new(Hum);
        let instead = Instead {
            voices: config.voices.is_empty().then(|| vec![hum]),
            recognizers: None,
        };
        let runtime = Runtime::start(config, instead, CancellationToken::new())
            .await
            .unwrap();
        asterisk.set_websocket(runtime.hub.websocket_addr());
        let app = Self {
            asterisk,
            runtime,
            _vosk: vosk,
            folder,
        };
        app.ready().await;
        app
    }

    /// Waits until Asterisk is there and the medium chosen.
    pub async fn ready(&self) {
        for _ in 0..200 {
            if self.get("/healthz").await.0 == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never ready: {:?}", self.get("/healthz").await);
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        request(self.runtime.http, "GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        request(self.runtime.http, "POST", path, Some(body)).await
    }

    /// Orders a call to that person.
    pub async fn order(&self, id: &str, person: &str) {
        let body = json!({"id": id, "phone": format!("+790000000{person}"), "dialog": "visit"});
        let (code, answer) = self.post("/api/v1/calls", body).await;
        assert_eq!(code, 201, "{answer}");
    }

    /// Waits for the end of a call.
    pub async fn end_of(&self, id: &str) -> Value {
        for _ in 0..1200 {
            let (code, call) = self.get(&format!("/api/v1/calls/{id}")).await;
            assert_eq!(code, 200, "{call}");
            if ["finished", "cancelled", "expired"].contains(&call["status"].as_str().unwrap()) {
                return call;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no end: {:#?}", self.events(id).await);
    }

    /// A call's whole history.
    pub async fn events(&self, id: &str) -> Vec<Value> {
        let (_, page) = self
            .get(&format!("/api/v1/calls/{id}/events?limit=1000"))
            .await;
        page["events"].as_array().cloned().unwrap_or_default()
    }

    pub fn write_script(&self, text: &str) {
        std::fs::write(self.folder.path().join("scripts/visit.rhai"), text).unwrap();
    }
}

pub fn config(folder: &Path, medium: MediaKind) -> Config {
    let any = "127.0.0.1:0".parse().unwrap();
    let mut config = Config {
        language: Language::Ru,
        ..Config::default()
    };
    config.scripts.folder = folder.join("scripts");
    config.store = folder.join("store.sqlite");
    config.http.listen = any;
    config.asterisk.secret = Secret::new("secret");
    config.asterisk.agi_listen = any;
    config.asterisk.channel = "PJSIP/{phone}@trunk".to_owned();
    config.asterisk.ring_timeout_ms = 1_500;
    config.asterisk.sounds = folder.join("sounds");
    config.asterisk.sounds_in_asterisk = folder.join("sounds").display().to_string();
    config.asterisk.recordings = folder.join("recordings");
    config.asterisk.recordings_in_asterisk = folder.join("recordings").display().to_string();
    config.media.kind = medium;
    config.media.audiosocket_listen = any;
    config.media.websocket_listen = any;
    config.calls.starts_per_second = 1000.0;
    config.calls.at_once = 1000;
    config
}

/// One HTTP request over a connection of its own.
pub async fn request(
    at: std::net::SocketAddr,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let body = body.map(|b| b.to_string()).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let code = answer[9..12].parse().unwrap();
    let text = answer.split_once("\r\n\r\n").map_or("", |(_, b)| b);
    (code, serde_json::from_str(text).unwrap_or(Value::Null))
}
