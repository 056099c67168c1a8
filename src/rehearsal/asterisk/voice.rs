//! The person's voice: one task a call that sends 20 ms frames, in real time, into all taps and media of the call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::audio::frame::{FRAME_MS, FRAME_SAMPLES};
use crate::audio::{Frame, Sound, g711};
use crate::wire::audiosocket::{self, Message};

use super::channel::Channel;
use super::record::What;
use super::world::World;

/// Orders that may wait.
pub(super) const ORDERS: usize = 32;
/// Sounds that may wait to be said.
const SOUNDS: usize = 64;
/// Bytes that a slow reader of an AudioSocket may lag behind: 2 s. Frames over that are dropped.
const BACKLOG: usize = 100 * 323;

/// What the voice is told.
#[derive(Debug)]
pub(super) enum VoiceOrder {
    /// The call is answered: from now on a steady far end sends silence too.
    Live,
    /// Say it after what is being said; tells when it was said.
    Say(Sound, Option<oneshot::Sender<()>>),
    /// One more who hears.
    Add(Sink),
    /// A key, as an in-band message to those media that have one.
    Digit(char),
}

/// What went into a sink.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: AtomicU64,
    pub(super) dropped: AtomicU64,
}

/// One who hears the person.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) kind: SinkKind,
    pub(super) tally: Arc<Tally>,
    /// Cancelled by whoever ends it: its reader, or the voice when the connection is lost.
    pub(super) gone: CancellationToken,
}

#[derive(Debug)]
pub(super) enum SinkKind {
    AudioSocket {
        stream: Arc<TcpStream>,
        /// Bytes that the socket didn't take yet.
        pending: Vec<u8>,
        /// Nobody else reads it: the voice looks whether it was closed.
        tap: bool,
    },
    Rtp(RtpSender),
    Queue(mpsc::Sender<Frame>),
}

#[derive(Debug)]
pub(super) struct RtpSender {
    pub(super) socket: UdpSocket,
    pub(super) alaw: bool,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    pub(super) last: Option<Instant>,
}

impl RtpSender {
    /// The datagram of a frame: after a gap the marker, and a timestamp that jumped by it.
    fn datagram(&mut self, frame: &Frame) -> Vec<u8> {
        let now = Instant::now();
        let gap = self
            .last
            .map_or(0, |last| now.saturating_duration_since(last).as_millis());
        let marker = self.last.is_none() || gap > 60;
        if marker {
            self.timestamp = self
                .timestamp
                .wrapping_add(u32::try_from(gap.saturating_mul(8)).unwrap_or(0));
        }
        self.last = Some(now);
        let kind = if self.alaw { 8 } else { 10 };
        let mut bytes = vec![0x80, kind | if marker { 0x80 } else { 0 }];
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.ssrc.to_be_bytes());
        if self.alaw {
            bytes.extend(frame.0.map(g711::alaw_encode));
        } else {
            bytes.extend(frame.0.iter().flat_map(|sample| sample.to_be_bytes()));
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        bytes
    }
}

impl Sink {
    fn frame(&mut self, frame: &Frame) {
        let sent = match &mut self.kind {
            SinkKind::AudioSocket { .. } => {
                let samples = &frame.to_le_bytes();
                let rate = 8_000;
                self.message(Message::Audio { rate, samples })
            }
            SinkKind::Rtp(sender) => {
                let datagram = sender.datagram(frame);
                sender.socket.try_send(&datagram).is_ok()
            }
            SinkKind::Queue(queue) => queue.try_send(*frame).is_ok(),
        };
        let count = if sent {
            &self.tally.sent
        } else {
            &self.tally.dropped
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// A message of AudioSocket; false where it had to be dropped.
    fn message(&mut self, message: Message<'_>) -> bool {
        let SinkKind::AudioSocket {
            stream,
            pending,
            tap,
        } = &mut self.kind
        else {
            return false;
        };
        if *tap && is_closed(stream) {
            self.gone.cancel();
            return false;
        }
        if pending.len() > BACKLOG {
            return false;
        }
        audiosocket::encode(message, pending);
        match stream.try_write(pending) {
            Ok(written) => {
                pending.drain(..written);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.gone.cancel(),
        }
        true
    }
}

/// The other side closed; what it sent meanwhile is thrown away.
fn is_closed(stream: &TcpStream) -> bool {
    let mut bytes = [0; 512];
    loop {
        match stream.try_read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// What is being said.
struct Saying {
    sound: Sound,
    at: usize,
    said: Option<oneshot::Sender<()>>,
}

/// Speaks until the call's end.
pub(super) async fn run(
    world: Arc<World>,
    channel: Arc<Channel>,
    mut orders: mpsc::Receiver<VoiceOrder>,
) {
    let mut sinks: Vec<Sink> = Vec::new();
    let mut waiting: VecDeque<Saying> = VecDeque::new();
    let mut live = false;
    let mut next = Instant::now();
    loop {
        let silent = world.options.steady && live && !sinks.is_empty();
        let active = silent || !waiting.is_empty();
        tokio::select! {
            biased;
            () = channel.hung.cancelled() => break,
            order = orders.recv() => match order {
                None => break,
                Some(VoiceOrder::Live) => live = true,
                Some(VoiceOrder::Add(sink)) => sinks.push(sink),
                Some(VoiceOrder::Say(sound, said)) if waiting.len() < SOUNDS => {
                    waiting.push_back(Saying { sound, at: 0, said });
                }
                Some(VoiceOrder::Say(..)) => {}
                Some(VoiceOrder::Digit(digit)) => {
                    for sink in &mut sinks {
                        if matches!(sink.kind, SinkKind::AudioSocket { tap: false, .. }) {
                            sink.message(Message::Dtmf(digit as u8));
                        }
                    }
                }
            },
            () = sleep_until(next), if active => {
                let frame = next_frame(&world, &channel, &mut waiting);
                sinks.retain(|sink| !sink.gone.is_cancelled());
                if frame.is_some() || silent {
                    let frame = frame.unwrap_or(Frame::SILENCE);
                    for sink in &mut sinks {
                        sink.frame(&frame);
                    }
                }
                next += Duration::from_millis(FRAME_MS);
            }
        }
        // Idle time is not made up for.
        if !active {
            next = next.max(Instant::now());
        }
    }
    for sink in sinks {
        sink.gone.cancel();
    }
}

/// The next 20 ms of what is being said; a sound's last ones are filled with silence.
fn next_frame(world: &World, channel: &Channel, waiting: &mut VecDeque<Saying>) -> Option<Frame> {
    let saying = waiting.front_mut()?;
    if saying.at == 0 {
        let name = saying.sound.name.clone();
        channel.note(world, What::Saying { name });
    }
    let rest = &saying.sound.samples[saying.at.min(saying.sound.samples.len())..];
    let mut frame = Frame::SILENCE;
    let length = rest.len().min(FRAME_SAMPLES);
    frame.0[..length].copy_from_slice(&rest[..length]);
    saying.at += FRAME_SAMPLES;
    if saying.at >= saying.sound.samples.len()
        && let Some(saying) = waiting.pop_front()
    {
        let name = saying.sound.name;
        channel.note(world, What::Said { name });
        if let Some(said) = saying.said {
            let _ = said.send(());
        }
    }
    Some(frame)
}
