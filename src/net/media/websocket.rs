//! WebSocket streams: audiofork's taps and Asterisk's own WebSocket channel.
//!
//! Earlier 16.x releases send client frames unmasked, against RFC 6455: both are taken.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::{
    Callback, ErrorResponse, Request, Response,
};
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{self, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::hub::{Paired, Pending, Refusal, Shared};
use super::link::{LinkEnd, LinkTask, Mouth};
use super::queue::{Out, QueuedMouth};
use crate::audio::g711;
use crate::config::MediaKind;
use crate::wire::audiofork;
use crate::wire::chan_websocket::{self as channel, Command, Event, Form, MediaStart};

/// Buffers of a stream; the library's own default is 128 KiB each way.
const READ_BUFFER: usize = 2_048;
/// Most that may wait to be written: one piece of a prompt and some commands.
const MAX_UNSENT: usize = 65_536;
/// How long Asterisk may take to accept a message.
const SEND_WITHIN: Duration = Duration::from_secs(2);
/// How long MEDIA_START may take after the handshake.
const START_WITHIN: Duration = Duration::from_secs(3);
/// How long the closing handshake may take.
const PARTING: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TcpStream>;

/// A connection that told a token which was expected.
pub(super) struct Stream {
    socket: Socket,
    paired: Paired,
    task: LinkTask,
}

/// Answers the handshake; claims the expectation that its path names.
pub(super) async fn meet(
    shared: &Shared,
    stream: TcpStream,
    peer: SocketAddr,
) -> Result<Stream, Refusal> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNSENT)
        .max_message_size(Some(channel::MAX_AUDIO))
        .max_frame_size(Some(channel::MAX_AUDIO))
        .accept_unmasked_frames(true);
    let mut claim = None;
    let doorman = Doorman {
        shared,
        claim: &mut claim,
    };
    let accepted = accept_hdr_async_with_config(stream, doorman, Some(config)).await;
    match (accepted, claim) {
        (Ok(socket), Some(Ok(pending))) => {
            let (paired, task) = pending.pair(shared, peer);
            Ok(Stream {
                socket,
                paired,
                task,
            })
        }
        (_, Some(Err(refusal))) => Err(refusal),
        (Err(Error::Io(_)), _) => Err(Refusal::Closed),
        (Err(error), _) => {
            let text = error.to_string();
            // The library tells a close in the middle of the handshake as a protocol error.
            Err(if text.contains("Handshake not finished") {
                Refusal::Closed
            } else {
                Refusal::Garbage(format!("no WebSocket handshake: {text}"))
            })
        }
        (Ok(_), None) => Err(Refusal::Unknown),
    }
}

struct Doorman<'a> {
    shared: &'a Shared,
    claim: &'a mut Option<Result<Pending, Refusal>>,
}

impl Callback for Doorman<'_> {
    fn on_request(
        self,
        request: &Request,
        mut response: Response,
    ) -> Result<Response, ErrorResponse> {
        let (path, query) = (request.uri().path(), request.uri().query());
        let fork =
            audiofork::token_in(path).map(|t| (t, MediaKind::Audiofork, audiofork::SUBPROTOCOL));
        let named = fork.or_else(|| {
            let token = channel::token_in(path, query)?;
            Some((token, MediaKind::ChanWebsocket, channel::SUBPROTOCOL))
        });
        let found = match named {
            None => Err(Refusal::Garbage("its path names no token".to_owned())),
            Some((token, kind, protocol)) => {
                match answer_protocol(request, &mut response, protocol) {
                    Err(refusal) => Err(refusal),
                    Ok(()) => self.shared.claim(&token, &[kind]),
                }
            }
        };
        let refused = found.is_err();
        *self.claim = Some(found);
        if refused {
            let mut response = http::Response::new(None);
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Err(response);
        }
        Ok(response)
    }
}

/// Asterisk hangs up on an answer without the subprotocol that it asked for, and on one that it didn't ask for.
fn answer_protocol(
    request: &Request,
    response: &mut Response,
    protocol: &'static str,
) -> Result<(), Refusal> {
    let mut asked = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .peekable();
    if asked.peek().is_none() {
        return Ok(());
    }
    let offered = asked
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == protocol);
    if !offered {
        return Err(Refusal::Garbage(format!(
            "it does not offer the subprotocol {protocol:?} that its path needs"
        )));
    }
    let value = HeaderValue::from_static(protocol);
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
    Ok(())
}

impl Stream {
    /// Carries audio until either side ends it.
    pub(super) async fn run(self, shared: &Shared) {
        let Self {
            mut socket,
            paired,
            mut task,
        } = self;
        let end = match task.mouth.take() {
            None => {
                paired.deliver(shared);
                listen(&mut socket, &mut task).await
            }
            Some(mouth) => converse(&mut socket, &mut task, mouth, paired, shared).await,
        };
        // Either way the connection is dropped next.
        let _ = tokio::time::timeout(PARTING, part(&mut socket, &end)).await;
        task.end(end);
    }
}

async fn part(socket: &mut Socket, end: &LinkEnd) {
    if !matches!(end, LinkEnd::ByUs | LinkEnd::HungUp) || socket.close(None).await.is_err() {
        return;
    }
    while let Some(Ok(_)) = socket.next().await {}
}

/// What came, if it isn't the end.
fn received(message: Option<Result<Message, Error>>) -> Result<Message, LinkEnd> {
    match message {
        Some(Ok(Message::Close(_))) => Err(LinkEnd::HungUp),
        Some(Ok(message)) => Ok(message),
        None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => Err(LinkEnd::Closed),
        // The way in which app_audiofork ends at a hang-up: no closing handshake.
        Some(Err(Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ))) => Err(LinkEnd::Closed),
        Some(Err(error)) => Err(LinkEnd::Broken(error.to_string())),
    }
}

async fn listen(socket: &mut Socket, task: &mut LinkTask) -> LinkEnd {
    let stop = task.stop.clone();
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    loop {
        let message = tokio::select! {
            biased;
            () = &mut stopped => return LinkEnd::ByUs,
            message = socket.next() => message,
        };
        match received(message) {
            Err(end) => return end,
            Ok(Message::Binary(bytes)) if bytes.len() <= audiofork::MAX_AUDIO => {
                task.ear.hear_le(&bytes);
            }
            Ok(Message::Text(text)) => match audiofork::channel_name(&text) {
                Some(name) => task.info.name_channel(name),
                None => task.info.ignore(),
            },
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(_) => task.info.ignore(),
        }
    }
}

/// Codecs of chan_websocket that need no library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Linear,
    ALaw,
    MuLaw,
}

impl Codec {
    fn of(start: &MediaStart) -> Result<Self, LinkEnd> {
        match start.format.as_str() {
            "slin" => Ok(Self::Linear),
            "alaw" => Ok(Self::ALaw),
            "ulaw" => Ok(Self::MuLaw),
            other => Err(LinkEnd::Broken(format!(
                "chan_websocket brings {other:?}: dial WebSocket/.../c(slin)"
            ))),
        }
    }

    fn encode(self, samples: &[i16]) -> Vec<u8> {
        match self {
            Self::Linear => samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
            Self::ALaw => samples.iter().map(|s| g711::alaw_encode(*s)).collect(),
            Self::MuLaw => samples.iter().map(|s| g711::ulaw_encode(*s)).collect(),
        }
    }
}

async fn converse(
    socket: &mut Socket,
    task: &mut LinkTask,
    mut mouth: Mouth,
    paired: Paired,
    shared: &Shared,
) -> LinkEnd {
    let (form, codec) = match tokio::time::timeout(START_WITHIN, media_start(socket, task)).await {
        Ok(Ok(started)) => started,
        Ok(Err(end)) => return end,
        Err(_) => return LinkEnd::Broken("no MEDIA_START within 3 s".to_owned()),
    };
    paired.deliver(shared);
    let stop = task.stop.clone();
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    let mut queue = QueuedMouth::default();
    let mut out = Vec::new();
    loop {
        let due = queue.due_ms().map(|ms| mouth.at(ms));
        let mut put = |piece: Out<'_>| {
            out.push(match piece {
                Out::Command(command) => Message::text(command.encode(form)),
                Out::Audio(samples) => Message::binary(codec.encode(samples)),
            });
        };
        tokio::select! {
            biased;
            () = &mut stopped => {
                let goodbye = Message::text(Command::Hangup.encode(form));
                // A connection that doesn't take it is closed next all the same.
                let _ = tokio::time::timeout(PARTING, socket.send(goodbye)).await;
                return LinkEnd::ByUs;
            }
            () = sleep_until(due), if due.is_some() => {
                queue.wake(mouth.now_ms(), &mut put, |event| mouth.tell(event));
            }
            order = mouth.order() => {
                queue.order(mouth.now_ms(), order, &mut put, |event| mouth.tell(event));
            }
            message = socket.next() => match received(message) {
                Err(end) => return end,
                Ok(Message::Binary(bytes)) => hear(task, codec, &bytes),
                Ok(Message::Text(text)) => match channel::decode(&text) {
                    Ok((_, Event::Error { text })) => {
                        tracing::warn!(peer = %task.info.peer, error = text, "chan_websocket refused a command");
                        task.info.ignore();
                    }
                    Ok((_, event)) => {
                        queue.hear(mouth.now_ms(), &event, &mut put, |event| mouth.tell(event));
                    }
                    Err(_) => task.info.ignore(),
                },
                Ok(_) => {}
            },
        }
        for message in out.drain(..) {
            match tokio::time::timeout(SEND_WITHIN, socket.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return LinkEnd::Broken(error.to_string()),
                Err(_) => {
                    return LinkEnd::Broken("Asterisk has not taken our audio for 2 s".to_owned());
                }
            }
        }
    }
}

/// Waits for MEDIA_START. Audio may come before it (asterisk/asterisk#1712): it is linear, as we dial it.
async fn media_start(socket: &mut Socket, task: &mut LinkTask) -> Result<(Form, Codec), LinkEnd> {
    let stop = task.stop.clone();
    loop {
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(LinkEnd::ByUs),
            message = socket.next() => received(message)?,
        };
        match message {
            Message::Binary(bytes) => hear(task, Codec::Linear, &bytes),
            Message::Text(text) => match channel::decode(&text) {
                Ok((form, Event::MediaStart(start))) => {
                    task.info.name_channel(&start.channel);
                    return Ok((form, Codec::of(&start)?));
                }
                Ok(_) => {}
                Err(error) => return Err(LinkEnd::Broken(error.to_string())),
            },
            _ => {}
        }
    }
}

fn hear(task: &mut LinkTask, codec: Codec, bytes: &[u8]) {
    match codec {
        Codec::Linear => task.ear.hear_le(bytes),
        Codec::ALaw => task.ear.hear(bytes.iter().map(|b| g711::alaw_decode(*b))),
        Codec::MuLaw => task.ear.hear(bytes.iter().map(|b| g711::ulaw_decode(*b))),
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
