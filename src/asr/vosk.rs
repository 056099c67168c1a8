//! A recognizer behind vosk-server's WebSocket protocol.
//!
//! One task a stream. It keeps the audio of the utterance that goes on, so that a lost connection costs a pause and no
//! word: the task connects again and sends that audio once more. See [`crate::wire::vosk`] for the protocol.

mod progress;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::{
    AsrEvent, AsrInput, EVENT_QUEUE, FEED_FRAMES, Recognizer, RecognizerStream, StreamOptions,
};
use crate::audio::frame::SAMPLE_RATE;
use crate::net::backoff::Backoff;
use crate::wire::vosk::{self as wire, SessionConfig};
use progress::{Outgoing, Progress};

/// Bytes that a connection's buffers begin with; the library's own default is 128 KiB each.
const SOCKET_BUFFER: usize = 4 * 1024;
/// How long the polite end of a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// How to reach a vosk-server and what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoskConfig {
    /// Its name in the config and in history.
    pub name: String,
    /// `ws://host:port`; the protocol has no TLS of its own.
    pub url: String,
    /// Samples a second that the server is given: 8000, or a multiple of it for a server that is fixed to another rate.
    pub sample_rate: u32,
    /// Ask for words with their times.
    pub words: bool,
    /// Give the expected phrases as a grammar: only for models with a dynamic graph.
    pub grammar: bool,
    /// Send the config message. The C++ server takes it for audio: `false` there.
    pub config_message: bool,
    /// Ask for the final where our own voice activity hears the end. The C++ server can't: `false` there.
    pub reset_on_end: bool,
    /// How long one connect may take.
    pub connect_timeout: Duration,
    /// How long to try again, without one sound answer, before the stream is given up.
    pub give_up_after: Duration,
    /// A server that answers nothing for so long while it owes an answer is dead.
    pub answer_timeout: Duration,
    /// How long the last final is awaited after the call's end.
    pub last_final_timeout: Duration,
}

impl VoskConfig {
    /// The Python server at `url`, with the usual waits.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            sample_rate: SAMPLE_RATE,
            words: true,
            grammar: false,
            config_message: true,
            reset_on_end: true,
            connect_timeout: Duration::from_secs(2),
            give_up_after: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            last_final_timeout: Duration::from_secs(2),
        }
    }
}

/// Why a [`VoskConfig`] was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoskConfigError {
    /// Not a `ws://` address.
    #[error(
        "recognizer {name:?}: url {url:?} must be ws://host:port (vosk-server speaks plain WebSocket on port 2700)"
    )]
    Url {
        /// The recognizer.
        name: String,
        /// The address.
        url: String,
    },
    /// A rate that audio can't be brought to.
    #[error("recognizer {name:?}: sample_rate {rate} must be 8000, 16000, 24000 or 48000")]
    Rate {
        /// The recognizer.
        name: String,
        /// The rate.
        rate: u32,
    },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Vosk {
    config: Arc<VoskConfig>,
}

impl Vosk {
    /// Checks the config; connects only when a stream is opened.
    pub fn new(config: VoskConfig) -> Result<Self, VoskConfigError> {
        let host = config.url.strip_prefix("ws://").unwrap_or_default();
        let plain = !host.is_empty()
            && !host.starts_with(['/', ':'])
            && config.url.parse::<tungstenite::http::Uri>().is_ok();
        if !plain {
            return Err(VoskConfigError::Url {
                name: config.name,
                url: config.url,
            });
        }
        if ![8_000, 16_000, 24_000, 48_000].contains(&config.sample_rate) {
            return Err(VoskConfigError::Rate {
                name: config.name,
                rate: config.sample_rate,
            });
        }
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

impl Recognizer for Vosk {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn open(&self, options: StreamOptions) -> RecognizerStream {
        let (feed, inputs) = mpsc::channel(FEED_FRAMES);
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        let stream = Stream {
            config: Arc::clone(&self.config),
            phrases: options.phrases,
            inputs,
            events: told,
            progress: Progress::default(),
            trouble: None,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(2)),
            again_ms: 0,
        };
        tokio::spawn(stream.run());
        RecognizerStream { feed, events }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Stream {
    config: Arc<VoskConfig>,
    phrases: Vec<String>,
    inputs: mpsc::Receiver<AsrInput>,
    events: mpsc::Sender<AsrEvent>,
    progress: Progress,
    /// Since when the server gives no sound answer.
    trouble: Option<Instant>,
    backoff: Backoff,
    /// Audio that the last connection was given a second time, ms.
    again_ms: u64,
}

/// How a connection ended.
enum End {
    /// All is told, or nobody listens any more.
    Done,
    /// It has to be made anew.
    Lost(String),
}

impl Stream {
    async fn run(mut self) {
        loop {
            let reason = match self.connect().await {
                None => return self.tell_last_partial().await,
                Some(Err(reason)) => reason,
                Some(Ok(socket)) => match self.converse(socket).await {
                    End::Done => return,
                    End::Lost(reason) => reason,
                },
            };
            if self.progress.is_closed() {
                return self.tell_last_partial().await;
            }
            let first = self.trouble.is_none();
            let since = *self.trouble.get_or_insert_with(Instant::now);
            let wait = self.backoff.next_random();
            let Self { config, .. } = &self;
            if since.elapsed() + wait > config.give_up_after {
                let reason = format!(
                    "recognizer {:?} at {}: {reason}; gave up after {:.1} s: is vosk-server running there, and is url right?",
                    config.name,
                    config.url,
                    since.elapsed().as_secs_f64(),
                );
                self.tell_last_partial().await;
                self.tell(AsrEvent::Failed { reason }).await;
                return;
            }
            if first {
                let text = format!(
                    "recognizer {:?} at {}: {reason}; connecting again",
                    config.name, config.url
                );
                self.tell(AsrEvent::Note { text }).await;
            }
            if self.absorb_until(sleep(wait)).await.is_none() {
                return self.tell_last_partial().await;
            }
        }
    }

    /// `None`: the call has ended meanwhile.
    async fn connect(&mut self) -> Option<Result<Socket, String>> {
        let config = Arc::clone(&self.config);
        let limits = WebSocketConfig::default()
            .read_buffer_size(SOCKET_BUFFER)
            .write_buffer_size(SOCKET_BUFFER)
            .max_write_buffer_size(16 * SOCKET_BUFFER)
            .max_message_size(Some(wire::MAX_REPLY_BYTES))
            .max_frame_size(Some(wire::MAX_REPLY_BYTES));
        let connecting = timeout(
            config.connect_timeout,
            connect_async_with_config(config.url.as_str(), Some(limits), true),
        );
        Some(match self.absorb_until(connecting).await? {
            Ok(Ok((socket, _response))) => Ok(socket),
            Ok(Err(error)) => Err(format!("can't connect: {error}")),
            Err(_) => Err(format!(
                "can't connect within {:.1} s",
                config.connect_timeout.as_secs_f64()
            )),
        })
    }

    /// Takes what comes while `wait` goes on. `None`: nobody is there to wait for.
    async fn absorb_until<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(wait);
        loop {
            tokio::select! {
                done = &mut wait => return Some(done),
                input = self.inputs.recv(), if self.progress.wants_audio() => {
                    self.take(input);
                    // Who said something and hung up at once is still heard, if the server is well.
                    if self.progress.is_closed() && self.trouble.is_some() {
                        return None;
                    }
                }
                () = self.events.closed() => return None,
            }
        }
    }

    fn take(&mut self, input: Option<AsrInput>) {
        match input {
            Some(AsrInput::Audio(frame)) => self.progress.push(&frame),
            Some(AsrInput::EndOfUtterance) if self.config.reset_on_end => self.progress.push_end(),
            Some(AsrInput::EndOfUtterance | AsrInput::Typed(_)) => {}
            None => self.progress.close(),
        }
    }

    async fn converse(&mut self, mut socket: Socket) -> End {
        self.again_ms = self.progress.begin_connection();
        if self.config.config_message {
            let phrases: &[String] = if self.config.grammar {
                &self.phrases
            } else {
                &[]
            };
            let message = SessionConfig {
                sample_rate: self.config.sample_rate,
                words: self.config.words,
                phrases,
            }
            .encode();
            if let Err(error) = socket.send(Message::text(message)).await {
                return End::Lost(format!("connection lost: {error}"));
            }
        }
        let answer_timeout = self.config.answer_timeout;
        let mut answered = Instant::now();
        // Looked at when it fires, not set anew with every frame.
        let alarm = sleep(if self.progress.is_closed() {
            self.config.last_final_timeout
        } else {
            answer_timeout
        });
        tokio::pin!(alarm);
        loop {
            let idle = self.progress.unanswered() == 0;
            match timeout(answer_timeout, self.send_due(&mut socket)).await {
                Ok(Ok(true)) if idle => answered = Instant::now(),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return End::Lost(format!("connection lost: {error}")),
                Err(_) => return End::Lost("the server takes no audio".to_owned()),
            }
            tokio::select! {
                reply = socket.next() => match self.reply(reply).await {
                    Ok(true) => answered = Instant::now(),
                    Ok(false) => {}
                    Err(reason) => return End::Lost(reason),
                },
                input = self.inputs.recv(), if self.progress.wants_audio() => {
                    self.take(input);
                    if self.progress.is_closed() {
                        let end = Instant::now() + self.config.last_final_timeout;
                        alarm.as_mut().reset(end);
                    }
                }
                () = &mut alarm => {
                    if self.progress.is_closed() {
                        self.tell_last_partial().await;
                        return End::Done;
                    }
                    let owed = self.progress.unanswered();
                    let silent = answered.elapsed();
                    if owed > 0 && silent >= answer_timeout {
                        return End::Lost(format!(
                            "no answer for {:.1} s, {owed} messages wait for theirs",
                            silent.as_secs_f64()
                        ));
                    }
                    let from = if owed > 0 { answered } else { Instant::now() };
                    alarm.as_mut().reset(from + answer_timeout);
                }
                () = self.events.closed() => return End::Done,
            }
            if self.progress.is_done() {
                let _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
                return End::Done;
            }
        }
    }

    /// Sends all that may be sent now; whether that was anything.
    async fn send_due(&mut self, socket: &mut Socket) -> Result<bool, tungstenite::Error> {
        let mut any = false;
        while let Some(out) = self.progress.next() {
            any = true;
            let message = match out {
                Outgoing::Audio(samples) => {
                    Message::binary(encode(&samples, self.config.sample_rate))
                }
                Outgoing::Reset => Message::text(wire::RESET),
                Outgoing::Eof => Message::text(wire::EOF),
            };
            socket.feed(message).await?;
        }
        if any {
            socket.flush().await?;
        }
        Ok(any)
    }

    /// Whether it was an answer; `Err` says why the connection is of no use any more.
    async fn reply(
        &mut self,
        message: Option<Result<Message, tungstenite::Error>>,
    ) -> Result<bool, String> {
        let text = match message {
            None | Some(Ok(Message::Close(_))) => {
                return Err("the server closed the connection".to_owned());
            }
            Some(Err(error)) => return Err(format!("connection lost: {error}")),
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(_)) => return Ok(false),
        };
        let reply = wire::decode_reply(&text).map_err(|e| format!("not a vosk-server: {e}"))?;
        if let Some(since) = self.trouble.take() {
            self.backoff.reset();
            let text = format!(
                "recognizer {:?}: answers again after {} ms, {} ms of audio were sent again",
                self.config.name,
                since.elapsed().as_millis(),
                self.again_ms,
            );
            self.tell(AsrEvent::Note { text }).await;
        }
        if let Some(event) = self.progress.heard(reply) {
            self.tell(event).await;
        }
        Ok(true)
    }

    async fn tell_last_partial(&mut self) {
        if let Some(event) = self.progress.give_up() {
            self.tell(event).await;
        }
    }

    /// A partial that finds the queue full is left out, the next one says more. Who listens no more is seen by `closed`.
    async fn tell(&self, event: AsrEvent) {
        if matches!(event, AsrEvent::Partial { .. }) {
            let _ = self.events.try_send(event);
        } else {
            let _ = self.events.send(event).await;
        }
    }
}

/// Little-endian bytes at `rate`: samples between ours lie on the line that joins them.
fn encode(samples: &[i16], rate: u32) -> Vec<u8> {
    let times = i32::try_from(rate / SAMPLE_RATE).unwrap_or(1).max(1);
    let mut bytes = Vec::with_capacity(samples.len() * 2 * times.unsigned_abs() as usize);
    for (index, &sample) in samples.iter().enumerate() {
        let here = i32::from(sample);
        let next = i32::from(*samples.get(index + 1).unwrap_or(&sample));
        for step in 0..times {
            let between = here + (next - here) * step / times;
            bytes.extend_from_slice(&(between as i16).to_le_bytes());
        }
    }
    bytes
}
