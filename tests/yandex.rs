//! SpeechKit against a server on the vendor's official stubs (tests/lab/yandex/server.py), not on our own `.proto`: the
//! normal talk and everything that goes wrong with it. Nothing that is said may be lost or told twice in any.
//!
//! Where tests/lab/yandex/setup.sh has not made the server's Python, each test says SKIP on stderr and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use govorun::asr::tape::{Gate, Tape};
use govorun::asr::yandex::{Yandex, YandexConfig};
use govorun::asr::{AsrEvent, Recognizer, RecognizerStream, StreamOptions, listen};
use govorun::audio::Frame;
use govorun::ident::Secret;
use govorun::net::yandex::CloudKey;
use govorun::tts::yandex::{YandexVoice, YandexVoiceConfig};
use govorun::tts::{Cached, Speed, TtsError, Voice};
use govorun::wire::yandex::Classifier;
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// The level that is each word, as in server.py.
const WORDS: [(&str, i16); 8] = [
    ("да", 2_000),
    ("приеду", 4_000),
    ("завтра", 6_000),
    ("нет", 8_000),
    ("спасибо", 10_000),
    ("утром", 12_000),
    ("перезвоните", 14_000),
    ("позже", 16_000),
];

struct Server {
    child: Child,
    port: u16,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    /// `None`: there is no Python with the vendor's stubs.
    fn start(args: &[&str]) -> Option<Self> {
        let cache = std::env::var_os("GOVORUN_LAB").map(PathBuf::from);
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let cache = cache.unwrap_or_else(|| home.join(".cache/govorun-lab"));
        let python = cache.join("yandex/venv/bin/python");
        if !cache.join("yandex/venv.ready").exists() {
            eprintln!(
                "SKIP: no {}: run tests/lab/yandex/setup.sh",
                python.display()
            );
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/yandex/server.py");
        let mut child = Command::new(python)
            .arg(script)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let port = first.trim().rsplit(' ').next().unwrap().parse().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        std::thread::Builder::new()
            .spawn(move || {
                for line in out.lines().map_while(Result::ok) {
                    let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                    kept.lock().unwrap().push(line);
                }
            })
            .unwrap();
        Some(Self { child, port, lines })
    }

    fn config(&self) -> YandexConfig {
        let mut config = YandexConfig::new("yandex", CloudKey::ApiKey(Secret::new("good")));
        config.cloud.url = format!("http://127.0.0.1:{}", self.port);
        config
    }

    /// What the server saw of its sessions, in the order of their ends.
    async fn sessions(&self, n: usize) -> Vec<Value> {
        for _ in 0..100 {
            if self.lines.lock().unwrap().len() >= n {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.lines.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Talk {
    stream: RecognizerStream,
    finals: Vec<String>,
    partials: Vec<String>,
    notes: Vec<String>,
    failed: Option<String>,
    /// Where the last final's words stand.
    place: Option<(u64, u64)>,
    audio_ms: u64,
}

impl Talk {
    fn open(config: YandexConfig) -> Self {
        Self::of(listen(
            &Yandex::new(config).unwrap(),
            StreamOptions::default(),
        ))
    }

    /// Only what our own voice activity takes for speech is sent.
    fn gated(config: YandexConfig) -> Self {
        let tape = Tape::new();
        let audio = tape.reader().gated(Some(Gate::from_ms(500, 800)));
        let events = Yandex::new(config)
            .unwrap()
            .open(audio, StreamOptions::default());
        Self::of(RecognizerStream { tape, events })
    }

    fn of(stream: RecognizerStream) -> Self {
        Self {
            stream,
            finals: Vec::new(),
            partials: Vec::new(),
            notes: Vec::new(),
            failed: None,
            place: None,
            audio_ms: 0,
        }
    }

    /// Audio at four times its pace.
    async fn sound(&mut self, ms: u64, level: i16) {
        for _ in 0..ms / 20 {
            self.stream.tape.push(&Frame([level; 160]));
            self.audio_ms += 20;
            sleep(Duration::from_millis(5)).await;
            while let Ok(event) = self.stream.events.try_recv() {
                self.keep(event);
            }
        }
    }

    async fn words(&mut self, text: &str) {
        for word in text.split(' ') {
            let (_, level) = WORDS.iter().find(|(known, _)| *known == word).unwrap();
            self.sound(300, *level).await;
            self.sound(100, 0).await;
        }
    }

    /// An utterance, and its end by our own voice activity.
    async fn say(&mut self, text: &str) {
        self.stream.tape.voice_started(self.audio_ms);
        self.words(text).await;
        self.stream.tape.voice_ended(self.audio_ms);
        self.sound(500, 0).await;
        self.stream.tape.end_of_utterance();
        self.sound(500, 0).await;
    }

    fn keep(&mut self, event: AsrEvent) {
        match event {
            AsrEvent::Partial { text } => self.partials.push(text.as_str().to_owned()),
            AsrEvent::Final {
                text,
                start_ms,
                end_ms,
            } => {
                self.place = start_ms.zip(end_ms);
                self.finals.push(text.as_str().to_owned());
            }
            AsrEvent::Note { text } => self.notes.push(text),
            AsrEvent::Failed { reason, .. } => self.failed = Some(reason),
            AsrEvent::Ready => {}
        }
    }

    async fn until(&mut self, n: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.finals.len() < n && Instant::now() < deadline {
            match timeout(Duration::from_secs(1), self.stream.events.recv()).await {
                Ok(Some(event)) => self.keep(event),
                Ok(None) => break,
                Err(_) => {}
            }
        }
    }

    /// Hangs up and hears the rest.
    async fn hang_up(&mut self) {
        self.stream.tape = Tape::new();
        while let Some(event) = timeout(Duration::from_secs(10), self.stream.events.recv())
            .await
            .expect("the stream ends")
        {
            self.keep(event);
        }
    }
}

const TALK: [&str; 3] = ["да приеду завтра", "нет", "перезвоните позже утром спасибо"];

/// A whole talk; the texts are those that were said, each once.
async fn talk(args: &[&str], change: impl Fn(&mut YandexConfig)) -> Option<(Server, Talk)> {
    let server = Server::start(args)?;
    let mut config = server.config();
    change(&mut config);
    let mut talk = Talk::open(config);
    talk.sound(400, 0).await;
    for text in TALK {
        talk.say(text).await;
    }
    talk.until(TALK.len()).await;
    talk.hang_up().await;
    assert_eq!(talk.failed, None, "{args:?}");
    assert_eq!(talk.finals, TALK, "{args:?}; notes {:?}", talk.notes);
    Some((server, talk))
}

#[tokio::test]
async fn a_normal_talk() {
    let Some((server, talk)) = talk(&["--mode", "normal"], |c| {
        c.cloud.folder_id = "b1g0".into();
    })
    .await
    else {
        return;
    };
    assert!(
        talk.partials.contains(&"да приеду".to_owned()),
        "{:?}",
        talk.partials
    );
    assert!(!talk.partials.iter().any(String::is_empty));
    // 400 + (3 words, 1 s) + (1 word, 1 s) ms lie before the third utterance, whose words take 4 * 400 - 100.
    assert_eq!(talk.place, Some((4_000, 5_500)));
    let seen = server.sessions(1).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["audio_ms"], talk.audio_ms);
    assert_eq!(
        (&seen[0]["model"], &seen[0]["languages"][0]),
        (&"general".into(), &"ru-RU".into())
    );
    assert_eq!(
        (&seen[0]["external"], &seen[0]["folder"]),
        (&true.into(), &"b1g0".into())
    );
    // One for each utterance, and one at the hang-up.
    assert!(seen[0]["eous"].as_u64().unwrap() <= 4, "{seen:?}");
    assert_eq!(seen[0]["end"], "closed");
    assert!(talk.notes.is_empty(), "{:?}", talk.notes);
}

#[tokio::test]
async fn odd_orders_of_replies_change_nothing() {
    let modes = ["duplicate", "empty", "late", "forgotten", "parts"];
    let talks = modes.map(|mode| async move {
        if let Some((server, talk)) = talk(&["--mode", mode], |_| {}).await {
            let seen = server.sessions(1).await;
            assert_eq!(seen.len(), 1, "{mode}: {:?}, {seen:?}", talk.notes);
        }
    });
    join_all(talks).await;
}

#[tokio::test]
async fn the_vendors_own_ends_of_utterances() {
    let all = [
        ("normal", Classifier::High),
        ("normal", Classifier::Default),
        ("duplicate", Classifier::Default),
        ("empty", Classifier::Default),
        ("late", Classifier::Default),
        ("parts", Classifier::Default),
    ];
    let talks = all.map(|(mode, classifier)| async move {
        let change = |c: &mut YandexConfig| {
            c.session.classifier = classifier;
            c.session.max_pause_ms = 700;
        };
        if let Some((server, _)) = talk(&["--mode", mode], change).await {
            assert_eq!(server.sessions(1).await[0]["eous"], 0, "{mode}");
        }
    });
    join_all(talks).await;
}

#[tokio::test]
async fn refusals_fail_at_once_and_name_the_mend() {
    for (mode, key, part) in [
        ("normal", "bad", "api_key"),
        ("quota", "good", "quota"),
        ("denied", "good", "ai.speechkit-stt.user"),
        ("invalid", "good", "invalid it is"),
    ] {
        let Some(server) = Server::start(&["--mode", mode]) else {
            return;
        };
        let mut config = server.config();
        config.cloud.key = CloudKey::ApiKey(Secret::new(key));
        let from = Instant::now();
        let mut talk = Talk::open(config);
        talk.sound(200, 0).await;
        talk.until(1).await;
        let reason = talk.failed.expect(mode);
        assert!(reason.contains(part) && !reason.contains("bad"), "{reason}");
        assert!(
            from.elapsed() < Duration::from_secs(2),
            "{:?}",
            from.elapsed()
        );
        assert_eq!(server.sessions(1).await.len(), 1, "{mode}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let n = folder.path().join("n").display().to_string();
    let command = format!("echo x >> {n}; echo good-$(wc -l < {n})");
    let Some((server, talk)) = talk(&["--key", "Bearer good-2"], |c| {
        c.cloud.key = CloudKey::IamCommand(["sh", "-c", &command].map(str::to_owned).to_vec());
    })
    .await
    else {
        return;
    };
    assert_eq!(server.sessions(2).await.len(), 2);
    assert_eq!(talk.notes.len(), 1, "{:?}", talk.notes);
}

#[tokio::test]
async fn a_pause_over_the_idle_limit_costs_nothing() {
    let Some(server) = Server::start(&["--idle-ms", "5000"]) else {
        return;
    };
    let mut talk = Talk::open(server.config());
    talk.say("да").await;
    sleep(Duration::from_millis(6_500)).await;
    talk.say("приеду завтра").await;
    talk.until(2).await;
    talk.hang_up().await;
    assert_eq!(talk.finals, ["да", "приеду завтра"]);
    let start = talk.audio_ms - 1_000 - 800;
    assert_eq!(
        talk.place,
        Some((start, start + 700)),
        "silence doesn't move the times"
    );
    let seen = server.sessions(1).await;
    assert_eq!((seen.len(), &seen[0]["end"]), (1, &"closed".into()));
    assert!(seen[0]["silence_ms"].as_u64().unwrap() >= 6_000, "{seen:?}");
}

#[tokio::test]
async fn a_session_that_was_idle_too_long_costs_no_word() {
    let Some(server) = Server::start(&["--idle-ms", "800"]) else {
        return;
    };
    // We keep still for longer than the vendor bears.
    let mut config = server.config();
    config.idle_after = Duration::from_secs(60);
    let mut talk = Talk::open(config);
    talk.say("да").await;
    sleep(Duration::from_millis(1_500)).await;
    talk.say("приеду завтра").await;
    talk.until(2).await;
    talk.hang_up().await;
    assert_eq!(talk.finals, ["да", "приеду завтра"], "{:?}", talk.notes);
    let seen = server.sessions(2).await;
    assert_eq!((seen.len(), &seen[0]["end"]), (2, &"ABORTED".into()));
}

#[tokio::test]
async fn only_speech_is_sent_where_it_is_paid_for() {
    let Some(server) = Server::start(&["--idle-ms", "5000"]) else {
        return;
    };
    let mut talk = Talk::gated(server.config());
    talk.sound(4_000, 0).await;
    talk.say("да").await;
    talk.sound(6_000, 0).await;
    sleep(Duration::from_millis(4_500)).await;
    talk.say("приеду завтра").await;
    talk.until(2).await;
    talk.sound(2_000, 0).await;
    talk.hang_up().await;
    assert_eq!(talk.finals, ["да", "приеду завтра"], "{:?}", talk.notes);
    // 4 s, an utterance of 1.4 s, 6 s: the words' times are the call's, not the session's.
    assert_eq!(talk.place, Some((11_400, 12_100)));
    let seen = server.sessions(1).await;
    assert_eq!(
        (seen.len(), &seen[0]["end"]),
        (1, &"closed".into()),
        "one session, kept alive"
    );
    // Of 15.2 s in all: each utterance with 0.5 s before it, and 0.8 s after it or what was heard when its text came.
    let sent = seen[0]["audio_ms"].as_u64().unwrap();
    assert!((3_000..=4_000).contains(&sent), "{seen:?}");
    let kept_alive = seen[0]["silence_ms"].as_u64().unwrap();
    assert!((100..=500).contains(&kept_alive), "{seen:?}");
}

#[tokio::test]
async fn who_says_nothing_costs_nothing() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let mut talk = Talk::gated(server.config());
    talk.sound(3_000, 0).await;
    talk.hang_up().await;
    assert!(talk.finals.is_empty() && talk.failed.is_none());
    assert!(server.sessions(0).await.is_empty(), "no session at all");
}

#[tokio::test]
async fn a_used_up_quota_rests_and_is_tried_again_where_nobody_takes_over() {
    let Some(server) = Server::start(&["--mode", "quota_once"]) else {
        return;
    };
    let yandex = Yandex::new(server.config()).unwrap();
    // Another would take over: at once, and the next call doesn't even ask.
    for part in ["quota it is", "not asked again"] {
        let mut talk = Talk::of(listen(&yandex, StreamOptions::default()));
        talk.sound(200, 0).await;
        talk.until(1).await;
        let reason = talk.failed.expect("a failure");
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(server.sessions(1).await.len(), 1);
    // The last one of the list asks, and hears all, even where it is refused at first.
    for started in [server, Server::start(&["--mode", "quota_once"]).unwrap()] {
        let yandex = Yandex::new(started.config()).unwrap();
        let options = StreamOptions {
            last: true,
            ..StreamOptions::default()
        };
        let mut talk = Talk::of(listen(&yandex, options));
        talk.say("да приеду").await;
        talk.until(1).await;
        assert_eq!(talk.finals, ["да приеду"], "{:?}", talk.failed);
        talk.hang_up().await;
        assert_eq!(started.sessions(2).await.len(), 2);
    }
}

#[tokio::test]
async fn figures_where_they_are_wanted() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let mut config = server.config();
    config.session.normalization = true;
    let mut talk = Talk::open(config);
    talk.say("да приеду").await;
    talk.until(1).await;
    assert_eq!(
        talk.finals,
        ["ДА ПРИЕДУ"],
        "the refined text is the final one"
    );
}

/// Utterances of every length, so that a limit falls into words, between them, and between utterances.
async fn long_talk(server: &Server, config: YandexConfig) -> Talk {
    let texts = [
        "да",
        "нет нет приеду завтра утром",
        "спасибо",
        "перезвоните позже да да нет завтра",
        "приеду",
        "да нет да нет да нет",
        "утром завтра",
    ];
    let mut talk = Talk::open(config);
    for text in texts {
        talk.say(text).await;
    }
    talk.until(texts.len()).await;
    talk.hang_up().await;
    assert_eq!(talk.failed, None);
    assert_eq!(
        talk.finals,
        texts,
        "notes {:?}, {:?}",
        talk.notes,
        server.sessions(1).await
    );
    talk
}

#[tokio::test]
async fn sessions_are_renewed_before_the_limit() {
    let Some(server) = Server::start(&["--session-ms", "5000"]) else {
        return;
    };
    let mut config = server.config();
    config.longest_session = Duration::from_millis(4_000);
    let talk = long_talk(&server, config).await;
    let seen = server.sessions(4).await;
    assert!(seen.len() >= 4, "{seen:?}");
    assert!(seen.iter().all(|s| s["end"] != "OUT_OF_RANGE"), "{seen:?}");
    assert!(
        talk.notes.iter().all(|n| n.contains("renewed")),
        "{:?}",
        talk.notes
    );
}

#[tokio::test]
async fn a_limit_that_comes_too_soon_costs_no_word() {
    let Some(server) = Server::start(&["--session-ms", "4300"]) else {
        return;
    };
    long_talk(&server, server.config()).await;
    let seen = server.sessions(3).await;
    assert!(seen.iter().any(|s| s["end"] == "OUT_OF_RANGE"), "{seen:?}");
}

#[tokio::test]
async fn bytes_are_a_limit_too() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let mut config = server.config();
    config.session_bytes = 80_000; // 5 s
    long_talk(&server, config).await;
    assert!(server.sessions(3).await.len() >= 3);
}

#[tokio::test]
async fn a_connection_cut_in_mid_utterance_costs_no_word() {
    let Some((server, broken)) = talk(&["--mode", "cut"], |_| {}).await else {
        return;
    };
    let seen = server.sessions(2).await;
    assert_eq!((seen.len(), &seen[0]["end"]), (2, &"UNAVAILABLE".into()));
    assert_eq!(broken.notes.len(), 2, "{:?}", broken.notes);
    // Every few seconds anew.
    let Some(server) = Server::start(&["--mode", "flaky"]) else {
        return;
    };
    long_talk(&server, server.config()).await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left() {
    let Some((server, _)) = talk(&["--mode", "mute"], |c| {
        c.answer_timeout = Duration::from_millis(700);
    })
    .await
    else {
        return;
    };
    assert_eq!(server.sessions(2).await.len(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let mut config = server.config();
    let url = config.cloud.url.clone();
    config.give_up_after = Duration::from_millis(700);
    drop(server);
    let mut talk = Talk::open(config);
    talk.words("да").await;
    talk.until(1).await;
    let reason = talk.failed.unwrap();
    assert!(
        reason.contains(&url) && reason.contains("refused"),
        "{reason}"
    );
    assert_eq!(talk.notes.len(), 1);
}

#[tokio::test]
async fn tls_with_ones_own_authority() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let Some((server, _)) = ({
        let ca = folder.path().join("ca.pem");
        let server = Server::start(&["--tls", dir]);
        match server {
            None => None,
            Some(server) => {
                let mut config = server.config();
                config.cloud.url = format!("https://localhost:{}", server.port);
                config.cloud.ca = Some(ca);
                let mut talk = Talk::open(config);
                talk.say("да приеду").await;
                talk.until(1).await;
                assert_eq!(
                    (talk.finals.clone(), talk.failed.clone()),
                    (vec!["да приеду".to_owned()], None)
                );
                Some((server, talk))
            }
        }
    }) else {
        return;
    };
    // Without it the certificate is a stranger's.
    let mut config = server.config();
    config.cloud.url = format!("https://localhost:{}", server.port);
    config.give_up_after = Duration::from_millis(300);
    let mut talk = Talk::open(config);
    talk.until(1).await;
    assert!(talk.failed.unwrap().contains("ertificate"));
}

fn voice(server: &Server) -> YandexVoiceConfig {
    let mut config = YandexVoiceConfig::new("yandex", CloudKey::ApiKey(Secret::new("good")));
    config.cloud.url = format!("http://127.0.0.1:{}", server.port);
    config
}

#[tokio::test]
async fn a_voice_speaks_and_is_remembered() {
    let Some(server) = Server::start(&["--mode", "cut"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut config = voice(&server);
    config.speech.role = "friendly".into();
    config.speech.speed = 1.5;
    let voice = Cached::new(
        YandexVoice::new(config).unwrap(),
        folder.path().into(),
        1 << 20,
    );
    // The first stream is cut in the middle of the sound, and asked for again.
    for _ in 0..2 {
        let sound = voice.synth("Здравствуйте!", Speed::USUAL).await.unwrap();
        assert_eq!((sound.duration_ms(), sound.samples[7]), (13 * 20, 1_013));
    }
    let seen = server.sessions(2).await;
    assert_eq!(seen.len(), 2);
    assert_eq!(
        (&seen[0]["role"], &seen[0]["speed"]),
        (&"friendly".into(), &1.5.into())
    );
}

#[tokio::test]
async fn a_long_text_is_cut_at_sentences_and_joined() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let sentence = format!("Слово{}. ", " слово".repeat(15));
    let text = sentence.repeat(6);
    let text = text.trim();
    let sound = YandexVoice::new(voice(&server))
        .unwrap()
        .synth(text, Speed::USUAL)
        .await
        .unwrap();
    let seen = server.sessions(3).await;
    let spoken: Vec<&str> = seen.iter().map(|s| s["text"].as_str().unwrap()).collect();
    assert_eq!(spoken.join(" "), text);
    assert_eq!(spoken.len(), 3);
    assert!(
        spoken
            .iter()
            .all(|s| s.chars().count() <= 250 && s.ends_with('.'))
    );
    let chars: usize = spoken.iter().map(|s| s.chars().count()).sum();
    assert_eq!(sound.duration_ms(), chars as u64 * 20);
    let mut whole = voice(&server);
    whole.speech.unsafe_mode = true;
    let sound = YandexVoice::new(whole)
        .unwrap()
        .synth(text, Speed::USUAL)
        .await
        .unwrap();
    assert_eq!(sound.duration_ms(), text.chars().count() as u64 * 20);
}

#[tokio::test]
async fn a_voice_that_is_refused_names_the_mend() {
    for (mode, key, name, part) in [
        ("normal", "bad", "marina", "api_key"),
        ("quota", "good", "marina", "quota"),
        // Every stream is cut in the middle of its sound: half a sentence is never spoken.
        ("halves", "good", "marina", "cut"),
        ("normal", "good", "nobody", "unknown voice"),
    ] {
        let Some(server) = Server::start(&["--mode", mode]) else {
            return;
        };
        let mut config = voice(&server);
        config.cloud.key = CloudKey::ApiKey(Secret::new(key));
        config.speech.voice = name.into();
        let error = YandexVoice::new(config)
            .unwrap()
            .synth("да", Speed::USUAL)
            .await
            .unwrap_err();
        let told = error.to_string();
        assert!(
            matches!(error, TtsError::Broken { .. }) && told.contains(part),
            "{told}"
        );
    }
}
