//! A vosk-server for tests: real WebSocket bytes on a loopback port, recognition by script or by loudness.
//!
//! It keeps the protocol's rules: one JSON reply to every binary message, a final to `{"eof" : 1}` (then it closes) and to
//! `{"reset" : 1}`, none to a config; any other text ends the test's connection and is noted as a fault.
//!
//! By script: each step waits for so much voiced audio of its connection, then replies. By loudness: a stretch of 200 ms
//! or more at one level is the word that this level stands for, 500 ms of quiet end the utterance, so that a WAV of
//! constant level "says" a word through a whole call, codecs included. Needs tokio, tokio-tungstenite, futures-util, serde_json.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// Samples louder than this are voice.
pub const VOICE_LEVEL: u16 = 500;
/// How far a level may lie from the table's, of it: codecs and mixing change it a little.
pub const LEVEL_TOLERANCE: f64 = 0.15;
/// Shortest stretch that is a word, ms.
pub const WORD_MS: u64 = 200;
/// Quiet that ends an utterance, ms.
pub const END_MS: u64 = 500;
const SLICE_SAMPLES: usize = 160;

/// What a step of a script does, once its voiced audio has come.
#[derive(Clone, Debug)]
pub enum Do {
    /// The reply to this message, and to those that follow until the next step.
    Partial(&'static str),
    /// A final with words evenly spread over the voiced part; may be empty.
    Final(&'static str),
    /// What the next reset or eof answers, instead of the last partial.
    FinalOnEnd(&'static str),
    /// This text, whatever it is.
    Raw(&'static str),
    /// Every reply from here on comes so much later.
    Late(Duration),
    /// Closes the TCP connection without a word.
    Cut,
    /// Reads on and answers nothing any more.
    Mute,
}

/// A step: after so many ms of voiced audio in this connection.
#[derive(Clone, Debug)]
pub struct Step {
    pub after_voiced_ms: u64,
    pub act: Do,
}

pub fn step(after_voiced_ms: u64, act: Do) -> Step {
    Step {
        after_voiced_ms,
        act,
    }
}

#[derive(Clone, Debug)]
enum Manner {
    /// One script a connection, the last one for all that follow.
    Scripts(Vec<Vec<Step>>),
    Loudness(Vec<(u16, &'static str)>),
}

/// What the server saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub connections: usize,
    pub configs: Vec<String>,
    /// Samples of each connection.
    pub samples: Vec<Vec<i16>>,
    pub messages: Vec<usize>,
    pub resets: usize,
    pub eofs: usize,
    pub faults: Vec<String>,
}

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct VoskDouble {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for VoskDouble {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl VoskDouble {
    /// Every connection follows its script; the last one serves all later connections too.
    pub async fn scripted(scripts: Vec<Vec<Step>>) -> Self {
        Self::start(Manner::Scripts(scripts)).await
    }

    /// Words by the level of the audio: `(8000, "да")` is heard where the median of |sample| is about 8000.
    pub async fn by_loudness(words: &[(u16, &'static str)]) -> Self {
        Self::start(Manner::Loudness(words.to_vec())).await
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            // Its connections end with it.
            let mut streams = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let index = {
                    let mut seen = noted.lock().unwrap();
                    seen.connections += 1;
                    seen.samples.push(Vec::new());
                    seen.messages.push(0);
                    seen.connections - 1
                };
                let ears: Ears = match &manner {
                    Manner::Scripts(scripts) => {
                        let script = scripts.get(index).or(scripts.last()).cloned();
                        Ears::Script(ByScript::new(script.unwrap_or_default()))
                    }
                    Manner::Loudness(words) => Ears::Loudness(ByLoudness::new(words.clone())),
                };
                streams.spawn(serve(socket, index, ears, Arc::clone(&noted)));
            }
        });
        Self { url, seen, task }
    }
}

enum Answer {
    Text(String),
    Nothing,
    Cut,
}

enum Ears {
    Script(ByScript),
    Loudness(ByLoudness),
}

impl Ears {
    fn hear(&mut self, samples: &[i16]) -> Answer {
        match self {
            Self::Script(ears) => ears.hear(samples),
            Self::Loudness(ears) => Answer::Text(ears.hear(samples)),
        }
    }

    fn end(&mut self) -> Answer {
        match self {
            Self::Script(ears) => ears.end(),
            Self::Loudness(ears) => Answer::Text(ears.end()),
        }
    }

    fn delay(&self) -> Duration {
        match self {
            Self::Script(ears) => ears.delay,
            Self::Loudness(_) => Duration::ZERO,
        }
    }
}

async fn serve(socket: TcpStream, index: usize, mut ears: Ears, seen: Arc<Mutex<Seen>>) {
    socket.set_nodelay(true).unwrap();
    let Ok(mut socket) = tokio_tungstenite::accept_async(socket).await else {
        seen.lock()
            .unwrap()
            .faults
            .push("no WebSocket handshake".into());
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        let mut last = false;
        let answer = match message {
            Message::Binary(bytes) => {
                let samples: Vec<i16> = bytes
                    .chunks_exact(2)
                    .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                    .collect();
                let mut seen = seen.lock().unwrap();
                seen.messages[index] += 1;
                seen.samples[index].extend(&samples);
                if bytes.len() % 2 == 1 {
                    seen.faults.push(format!("{} bytes of audio", bytes.len()));
                }
                ears.hear(&samples)
            }
            Message::Text(text) if text.contains("\"config\"") => {
                seen.lock().unwrap().configs.push(text.to_string());
                continue;
            }
            // The real server compares strings: other spaces, and it is audio.
            Message::Text(text) if text.as_str() == "{\"reset\" : 1}" => {
                seen.lock().unwrap().resets += 1;
                ears.end()
            }
            Message::Text(text) if text.as_str() == "{\"eof\" : 1}" => {
                seen.lock().unwrap().eofs += 1;
                last = true;
                ears.end()
            }
            Message::Text(text) => {
                seen.lock().unwrap().faults.push(format!("text {text:?}"));
                return;
            }
            Message::Close(_) => return,
            _ => continue,
        };
        tokio::time::sleep(ears.delay()).await;
        match answer {
            Answer::Text(text) => {
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            Answer::Nothing => continue,
            Answer::Cut => return,
        }
        if last {
            let _ = socket.close(None).await;
            return;
        }
    }
}

fn partial(text: &str) -> String {
    json!({ "partial": text }).to_string()
}

fn last(text: &str, from_ms: u64, to_ms: u64) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        return json!({ "text": "" }).to_string();
    }
    let each = (to_ms.saturating_sub(from_ms)) as f64 / 1000.0 / words.len() as f64;
    let result: Vec<_> = words
        .iter()
        .enumerate()
        .map(|(i, word)| {
            let start = from_ms as f64 / 1000.0 + each * i as f64;
            json!({ "conf": 1.0, "start": start, "end": start + each, "word": word })
        })
        .collect();
    json!({ "result": result, "text": text }).to_string()
}

fn level(slice: &[i16]) -> u16 {
    let mut levels: Vec<u16> = slice.iter().map(|s| s.unsigned_abs()).collect();
    levels.sort_unstable();
    levels.get(levels.len() / 2).copied().unwrap_or(0)
}

struct ByScript {
    steps: std::vec::IntoIter<Step>,
    next: Option<Step>,
    heard_ms: u64,
    voiced_ms: u64,
    voiced_from_ms: Option<u64>,
    voiced_to_ms: u64,
    partial: &'static str,
    on_end: Option<&'static str>,
    delay: Duration,
    mute: bool,
}

impl ByScript {
    fn new(steps: Vec<Step>) -> Self {
        let mut steps = steps.into_iter();
        let next = steps.next();
        Self {
            steps,
            next,
            heard_ms: 0,
            voiced_ms: 0,
            voiced_from_ms: None,
            voiced_to_ms: 0,
            partial: "",
            on_end: None,
            delay: Duration::ZERO,
            mute: false,
        }
    }

    fn hear(&mut self, samples: &[i16]) -> Answer {
        for slice in samples.chunks(SLICE_SAMPLES) {
            let ms = slice.len() as u64 / 8;
            if level(slice) > VOICE_LEVEL {
                self.voiced_ms += ms;
                self.voiced_from_ms.get_or_insert(self.heard_ms);
                self.voiced_to_ms = self.heard_ms + ms;
            }
            self.heard_ms += ms;
        }
        while !self.mute
            && let Some(due) = self.next.take_if(|s| s.after_voiced_ms <= self.voiced_ms)
        {
            self.next = self.steps.next();
            match due.act {
                Do::Partial(text) => self.partial = text,
                Do::Final(text) => return Answer::Text(self.finish(text)),
                Do::FinalOnEnd(text) => self.on_end = Some(text),
                Do::Raw(text) => return Answer::Text(text.to_owned()),
                Do::Late(delay) => self.delay = delay,
                Do::Cut => return Answer::Cut,
                Do::Mute => self.mute = true,
            }
        }
        if self.mute {
            return Answer::Nothing;
        }
        Answer::Text(partial(self.partial))
    }

    fn end(&mut self) -> Answer {
        if self.mute {
            return Answer::Nothing;
        }
        let text = self.on_end.take().unwrap_or(self.partial);
        Answer::Text(self.finish(text))
    }

    fn finish(&mut self, text: &str) -> String {
        self.partial = "";
        let from = self.voiced_from_ms.take().unwrap_or(self.heard_ms);
        last(text, from, self.voiced_to_ms)
    }
}

struct ByLoudness {
    table: Vec<(u16, &'static str)>,
    heard_ms: u64,
    run: Option<(&'static str, u64)>,
    words: Vec<&'static str>,
    from_ms: u64,
    to_ms: u64,
    quiet_ms: u64,
    rest: Vec<i16>,
}

impl ByLoudness {
    fn new(table: Vec<(u16, &'static str)>) -> Self {
        Self {
            table,
            heard_ms: 0,
            run: None,
            words: Vec::new(),
            from_ms: 0,
            to_ms: 0,
            quiet_ms: 0,
            rest: Vec::new(),
        }
    }

    fn hear(&mut self, samples: &[i16]) -> String {
        self.rest.extend(samples);
        let whole = self.rest.len() / SLICE_SAMPLES * SLICE_SAMPLES;
        let slices: Vec<i16> = self.rest.drain(..whole).collect();
        let mut ended = false;
        for slice in slices.chunks(SLICE_SAMPLES) {
            ended |= self.slice(level(slice));
        }
        if ended {
            self.end()
        } else {
            partial(&self.words.join(" "))
        }
    }

    /// 20 ms more; whether the utterance ended here.
    fn slice(&mut self, level: u16) -> bool {
        let at = self.heard_ms;
        self.heard_ms += 20;
        let word = self
            .table
            .iter()
            .find(|(l, _)| {
                (f64::from(level) - f64::from(*l)).abs() <= f64::from(*l) * LEVEL_TOLERANCE
            })
            .map(|(_, word)| *word);
        match (word, self.run) {
            (Some(word), Some((running, ms))) if word == running => {
                self.run = Some((word, ms + 20));
                self.to_ms = at + 20;
                if ms + 20 == WORD_MS {
                    if self.words.is_empty() {
                        self.from_ms = at + 20 - WORD_MS;
                    }
                    self.words.push(word);
                }
            }
            (Some(word), _) => self.run = Some((word, 20)),
            (None, _) => self.run = None,
        }
        self.quiet_ms = if level <= VOICE_LEVEL {
            self.quiet_ms + 20
        } else {
            0
        };
        self.quiet_ms == END_MS && !self.words.is_empty()
    }

    fn end(&mut self) -> String {
        let text = std::mem::take(&mut self.words).join(" ");
        self.run = None;
        last(&text, self.from_ms, self.to_ms)
    }
}
