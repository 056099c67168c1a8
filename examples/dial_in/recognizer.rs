//! A recognizer that costs nothing: vosk-server's protocol, and "да" once a marked word is over.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use govorun::audio::frame::FRAME_SAMPLES;
use govorun::rehearsal::asterisk::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::sounds;

/// Frames of a word until a partial tells it.
const PARTIAL_AFTER: usize = 15;
/// Frames of quiet that end a word.
const QUIET: usize = 15;
/// A sample over this is voice.
const LOUD: u16 = 300;

/// When each caller's finals were sent: number, microseconds on the record's clock.
type Finals = Arc<Mutex<HashMap<usize, Vec<u64>>>>;

/// The running recognizer.
#[derive(Debug)]
pub(crate) struct Recognizer {
    pub(crate) address: SocketAddr,
    finals: Finals,
}

impl Recognizer {
    pub(crate) async fn start(address: &SocketAddr, clock: Clock) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("the recognizer on {address}"))?;
        let address = listener.local_addr()?;
        let finals = Finals::default();
        let kept = Arc::clone(&finals);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, clock, Arc::clone(&kept)));
            }
        });
        Ok(Self { address, finals })
    }

    /// Forgets what was, gives it.
    pub(crate) fn take(&self) -> HashMap<usize, Vec<u64>> {
        let mut finals = self.finals.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *finals)
    }
}

async fn serve(stream: TcpStream, clock: Clock, finals: Finals) -> Option<()> {
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0);
    let accepted = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await;
    let mut socket = accepted.ok()?;
    let mut ear = Ear::default();
    while let Some(Ok(message)) = socket.next().await {
        let reply = match message {
            Message::Binary(bytes) => ear.hear(&bytes),
            Message::Text(text) if text.as_str().contains("config") => continue,
            Message::Text(_) => ear.end(),
            _ => continue,
        };
        let text = match reply {
            Reply::Nothing => "{\"partial\" : \"\"}",
            Reply::Partial => "{\"partial\" : \"да\"}",
            Reply::Final(number) => {
                if let Some(number) = number {
                    let mut finals = finals.lock().unwrap_or_else(PoisonError::into_inner);
                    finals.entry(number).or_default().push(clock.now_us());
                }
                "{\"text\" : \"да\"}"
            }
            Reply::Empty => "{\"text\" : \"\"}",
        };
        socket.send(Message::Text(text.into())).await.ok()?;
    }
    Some(())
}

enum Reply {
    Nothing,
    Partial,
    /// Of a caller that is known by its mark.
    Final(Option<usize>),
    Empty,
}

/// What of a word was heard.
#[derive(Default)]
struct Ear {
    /// The caller if it is known, the word's frames so far, and its last quiet ones.
    word: Option<(Option<usize>, usize, usize)>,
    rest: Vec<i16>,
}

impl Ear {
    fn hear(&mut self, bytes: &[u8]) -> Reply {
        let samples = bytes
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        self.rest.extend(samples);
        let mut reply = None;
        let whole = self.rest.len() / FRAME_SAMPLES * FRAME_SAMPLES;
        for at in (0..whole).step_by(FRAME_SAMPLES) {
            let frame = &self.rest[at..at + FRAME_SAMPLES];
            let loud = frame.iter().any(|s| s.unsigned_abs() > LOUD);
            if let Some(number) = sounds::caller_of(frame) {
                self.word = Some((Some(number), 0, 0));
            } else if loud && self.word.is_none() {
                self.word = Some((None, 1, 0));
            } else if let Some((number, frames, quiet)) = &mut self.word {
                *frames += 1;
                *quiet = if loud { 0 } else { *quiet + 1 };
                if *quiet >= QUIET {
                    reply = Some(Reply::Final(*number));
                    self.word = None;
                }
            }
        }
        self.rest.drain(..whole);
        reply.unwrap_or(match self.word {
            Some((_, PARTIAL_AFTER.., _)) => Reply::Partial,
            _ => Reply::Nothing,
        })
    }

    /// The utterance is to end now.
    fn end(&mut self) -> Reply {
        self.word
            .take()
            .map_or(Reply::Empty, |(number, _, _)| Reply::Final(number))
    }
}
