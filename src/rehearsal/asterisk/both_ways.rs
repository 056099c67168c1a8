//! `EXEC AudioSocket uuid,host:port`: the application that gives us the call's audio both ways.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::ident::Token;
use crate::wire::audiosocket::{self, Message};

use super::channel::Channel;
use super::meter::{self, Change, Meter};
use super::record::{PromptEnd, What};
use super::voice::{Sink, SinkKind, Tally, VoiceOrder};
use super::world::World;

const KIND: &str = "audiosocket";
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// Bytes that are read at once.
const READ: usize = 4096;

/// How the socket ended.
enum Ended {
    HungUp,
    ByServer,
}

/// Runs it; -1 where the person hung up or nobody listened, 0 where our server ended it.
pub(super) async fn run(world: &Arc<World>, channel: &Arc<Channel>, data: &str) -> i64 {
    let opened = match parse(data) {
        Some(_) if world.faults.refuses_media() => Err(io::Error::other("refused on demand")),
        Some((token, address)) => open(&token, &address).await,
        None => Err(io::Error::other(format!("{data:?} is no uuid,host:port"))),
    };
    let stream = match opened {
        Ok(stream) => Arc::new(stream),
        Err(error) => {
            let reason = error.to_string();
            channel.note(world, What::MediaRefused { kind: KIND, reason });
            return -1;
        }
    };
    channel.note(world, What::MediaOpened { kind: KIND });
    let tally = Arc::new(Tally::default());
    let gone = CancellationToken::new();
    let sink = Sink {
        kind: SinkKind::AudioSocket {
            stream: Arc::clone(&stream),
            pending: Vec::new(),
            tap: false,
        },
        tally: Arc::clone(&tally),
        gone: gone.clone(),
    };
    let _ = channel.voice.send(VoiceOrder::Add(sink)).await;
    let mut ear = Ear::new(world, channel);
    let ended = listen(&stream, channel, &gone, &mut ear).await;
    gone.cancel();
    ear.close(KIND, &tally);
    match ended {
        Ended::HungUp => -1,
        Ended::ByServer => 0,
    }
}

fn parse(data: &str) -> Option<(Token, String)> {
    let (uuid, address) = data.split_once(',')?;
    Some((Token::parse(uuid).ok()?, address.to_owned()))
}

/// Connects and tells whose audio it is.
pub(super) async fn open(token: &Token, address: &str) -> io::Result<TcpStream> {
    let mut stream = timeout(CONNECT, TcpStream::connect(address)).await??;
    let _ = stream.set_nodelay(true);
    let mut bytes = Vec::new();
    let hex = token.as_str();
    let mut uuid = [0; 16];
    for (byte, at) in uuid.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).unwrap_or(0);
    }
    audiosocket::encode(Message::Uuid(uuid), &mut bytes);
    stream.write_all(&bytes).await?;
    Ok(stream)
}

async fn listen(
    stream: &TcpStream,
    channel: &Channel,
    gone: &CancellationToken,
    ear: &mut Ear<'_>,
) -> Ended {
    let mut buffer: Vec<u8> = Vec::with_capacity(READ);
    loop {
        while let Ok(Some((message, used))) = audiosocket::decode(&buffer) {
            match message {
                Message::Hangup => return Ended::ByServer,
                Message::Audio { samples, .. } => ear.hear(meter::peak(samples)),
                _ => {}
            }
            buffer.drain(..used);
        }
        let quiet = ear.quiet();
        tokio::select! {
            biased;
            () = channel.hung.cancelled() => return Ended::HungUp,
            () = channel.redirected.cancelled() => return Ended::HungUp,
            () = gone.cancelled() => return Ended::ByServer,
            () = channel.cut_media.notified() => return Ended::ByServer,
            readable = stream.readable() => {
                buffer.reserve(READ);
                let read = readable.and_then(|()| stream.try_read_buf(&mut buffer));
                match read {
                    Ok(0) => return Ended::ByServer,
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Ended::ByServer,
                    _ => {}
                }
            }
            () = quiet => {}
        }
    }
}

/// Follows what the person hears of us on a both-way medium, and notes prompts.
pub(super) struct Ear<'a> {
    world: &'a World,
    channel: &'a Channel,
    meter: Meter,
}

impl<'a> Ear<'a> {
    pub(super) fn new(world: &'a World, channel: &'a Channel) -> Self {
        Self {
            world,
            channel,
            meter: Meter::default(),
        }
    }

    /// A frame with that peak.
    pub(super) fn hear(&mut self, peak: u16) {
        let now = self.world.record.now_ms();
        let ended = self.meter.tick(now);
        self.note(ended);
        let started = self.meter.push(now, peak);
        self.note(started);
    }

    /// Resolves when a prompt's silence has lasted long enough; call again after it.
    pub(super) fn quiet(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let now = self.world.record.now_ms();
        let ended = self.meter.tick(now);
        self.note(ended);
        let due = self.meter.due_ms();
        let due = due.map(|due| self.world.record.moment(due));
        async move {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }

    fn note(&self, change: Option<Change>) {
        match change {
            Some(Change::Started) => {
                let name = String::new();
                let from_ms = 0;
                let what = What::PromptStarted { name, from_ms };
                self.channel.note(self.world, what);
                self.channel.prompt_started();
            }
            Some(Change::Ended { at_ms, played_ms }) => {
                let what = What::PromptEnded {
                    name: String::new(),
                    played_ms,
                    how: PromptEnd::Stopped,
                };
                // Told late by nature; noted with the time of its last sound.
                let at_us = at_ms * 1000;
                self.world.record.note_at(at_us, &self.channel.id, what);
                self.channel.prompt_ended();
            }
            None => {}
        }
    }

    /// The medium is over.
    pub(super) fn close(&mut self, kind: &'static str, tally: &Tally) {
        let ended = self.meter.close();
        self.note(ended);
        let what = closed(kind, tally, &self.meter);
        self.channel.note(self.world, what);
    }
}

/// The note of a medium's end.
pub(super) fn closed(kind: &'static str, tally: &Tally, meter: &Meter) -> What {
    use std::sync::atomic::Ordering::Relaxed;
    What::MediaClosed {
        kind,
        sent_frames: tally.sent.load(Relaxed),
        dropped_frames: tally.dropped.load(Relaxed),
        heard_frames: meter.frames(),
        most_ahead_ms: meter.most_ahead_ms(),
    }
}
