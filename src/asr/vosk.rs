//! A recognizer behind vosk-server's WebSocket protocol.
//!
//! One task a stream. The call's tape keeps the audio of the utterance that goes on, so that a lost connection costs a
//! pause and no word: the task connects again and sends that audio once more. See [`crate::wire::vosk`] for the protocol.

mod progress;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::retry::{Next, Patience, Retry};
use super::tape::TapeReader;
use super::{AsrEvent, Cause, EVENT_QUEUE, Recognizer, StreamOptions, tell};
use crate::audio::frame::SAMPLE_RATE;
use crate::wire::vosk::{self as wire, SessionConfig};
use progress::{MESSAGE_SAMPLES, Outgoing, Progress};

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

    fn open(&self, audio: TapeReader, options: StreamOptions) -> mpsc::Receiver<AsrEvent> {
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        let config = Arc::clone(&self.config);
        let patience = Patience {
            give_up_after: config.give_up_after,
            losses: u32::MAX,
        };
        let stream = Stream {
            retry: Retry::new(&config.name, &config.url, patience),
            progress: Progress::new(audio, config.reset_on_end),
            config,
            phrases: options.phrases,
            events: told,
        };
        tokio::spawn(stream.run());
        events
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Stream {
    config: Arc<VoskConfig>,
    phrases: Arc<[String]>,
    events: mpsc::Sender<AsrEvent>,
    progress: Progress,
    retry: Retry,
}

/// How a connection ended.
enum End {
    /// All is told, or nobody listens any more.
    Done,
    /// It has to be made anew.
    Lost(Cause, String),
}

impl Stream {
    async fn run(mut self) {
        loop {
            // Boxed: room for a handshake is not kept for the whole call.
            let (cause, reason) = match Box::pin(self.connect()).await {
                None => return self.tell_last_partial().await,
                Some(Err(lost)) => lost,
                Some(Ok(socket)) => match self.converse(socket).await {
                    End::Done => return,
                    End::Lost(cause, reason) => (cause, reason),
                },
            };
            if self.progress.audio.is_closed() {
                return self.tell_last_partial().await;
            }
            let audio = &self.progress.audio;
            match self.retry.lost(&reason, audio, &self.events).await {
                Next::Again => {}
                Next::Leave => return self.tell_last_partial().await,
                // The last partial isn't told as final: who takes over gets the utterance's audio again.
                Next::GiveUp(reason) => {
                    let reason =
                        format!("{reason}: is vosk-server running there, and is url right?");
                    return tell(&self.events, AsrEvent::Failed { cause, reason }).await;
                }
            }
        }
    }

    /// `None`: the call has ended meanwhile.
    async fn connect(&mut self) -> Option<Result<Socket, (Cause, String)>> {
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
        let audio = &self.progress.audio;
        let done = self.retry.meanwhile(audio, &self.events, connecting);
        Some(match done.await? {
            Ok(Ok((socket, _response))) => Ok(socket),
            Ok(Err(error)) => Err((why(&error), format!("can't connect: {error}"))),
            Err(_) => Err((
                Cause::Unreachable,
                format!(
                    "can't connect within {:.1} s",
                    config.connect_timeout.as_secs_f64()
                ),
            )),
        })
    }

    async fn converse(&mut self, mut socket: Socket) -> End {
        let again_ms = self.progress.begin_connection();
        self.retry.begins(again_ms);
        if self.config.config_message {
            let grammar = self.config.grammar;
            let phrases: &[String] = if grammar { &self.phrases } else { &[] };
            let message = SessionConfig {
                sample_rate: self.config.sample_rate,
                words: self.config.words,
                phrases,
            }
            .encode();
            if let Err(error) = socket.send(Message::text(message)).await {
                return End::Lost(why(&error), format!("connection lost: {error}"));
            }
        }
        let answer_timeout = self.config.answer_timeout;
        let mut answered = Instant::now();
        // Looked at when it fires, not set anew with every frame.
        let mut closed = self.progress.audio.is_closed();
        let alarm = sleep(if closed {
            self.config.last_final_timeout
        } else {
            answer_timeout
        });
        tokio::pin!(alarm);
        loop {
            if !closed && self.progress.audio.is_closed() {
                closed = true;
                let end = Instant::now() + self.config.last_final_timeout;
                alarm.as_mut().reset(end);
            }
            let idle = self.progress.unanswered() == 0;
            match timeout(answer_timeout, self.send_due(&mut socket)).await {
                Ok(Ok(true)) if idle => answered = Instant::now(),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    return End::Lost(why(&error), format!("connection lost: {error}"));
                }
                Err(_) => return End::Lost(Cause::Slow, "the server takes no audio".to_owned()),
            }
            tokio::select! {
                reply = socket.next() => match self.reply(reply).await {
                    Ok(true) => answered = Instant::now(),
                    Ok(false) => {}
                    Err((cause, reason)) => return End::Lost(cause, reason),
                },
                () = self.progress.audio.news(MESSAGE_SAMPLES), if !closed && self.progress.wants_audio() => {}
                () = &mut alarm => {
                    if closed {
                        self.tell_last_partial().await;
                        return End::Done;
                    }
                    let owed = self.progress.unanswered();
                    let silent = answered.elapsed();
                    if owed > 0 && silent >= answer_timeout {
                        let text = format!(
                            "no answer for {:.1} s, {owed} messages wait for theirs",
                            silent.as_secs_f64()
                        );
                        return End::Lost(Cause::Slow, text);
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
    ) -> Result<bool, (Cause, String)> {
        let text = match message {
            None | Some(Ok(Message::Close(_))) => {
                let text = "the server closed the connection".to_owned();
                return Err((Cause::Unreachable, text));
            }
            Some(Err(error)) => return Err((why(&error), format!("connection lost: {error}"))),
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(_)) => return Ok(false),
        };
        let stranger = |e| (Cause::Stranger, format!("not a vosk-server: {e}"));
        let reply = wire::decode_reply(&text).map_err(stranger)?;
        self.retry.well(&self.events).await;
        if let Some(event) = self.progress.heard(reply) {
            tell(&self.events, event).await;
        }
        Ok(true)
    }

    async fn tell_last_partial(&mut self) {
        if let Some(event) = self.progress.give_up() {
            tell(&self.events, event).await;
        }
    }
}

/// Nobody is there, or somebody else.
fn why(error: &tungstenite::Error) -> Cause {
    match error {
        tungstenite::Error::Http(_)
        | tungstenite::Error::HttpFormat(_)
        | tungstenite::Error::Capacity(_)
        | tungstenite::Error::Utf8(_) => Cause::Stranger,
        _ => Cause::Unreachable,
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
