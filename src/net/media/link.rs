//! One call's stream, as the call holds it and as the stream's task holds it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::frames::{FrameReceiver, FrameSender, frame_queue};
use crate::audio::Frame;
use crate::audio::reframe::Reframer;
use crate::audio::resample::Halver;
use crate::config::MediaKind;
use crate::net::speaker::{ORDER_QUEUE, Speaker, SpeakerEvent, SpeakerOrder};

/// Frames that may wait for the call: 10 s. Past that the newest are lost, and counted.
pub const FRAME_QUEUE: usize = 500;
/// Speaker events that may wait for the call.
const EVENT_QUEUE: usize = 64;
/// Room for events that one order may need: the end of the sound before, the start and the end of its own.
const EVENTS_PER_ORDER: usize = 4;

/// A paired stream. Dropping it (or its guard) hangs a both-way medium up and closes the connection.
#[derive(Debug)]
pub struct MediaLink {
    /// What the caller says, frame by frame as it arrives, gaps unfilled. Closed when the stream ended.
    pub frames: FrameReceiver,
    /// How to speak, on both-way media.
    pub speaker: Option<Speaker>,
    /// Told once, when the stream ended and why.
    pub closed: oneshot::Receiver<LinkEnd>,
    /// What is known of it.
    pub info: Arc<LinkInfo>,
    /// Ends the stream when dropped.
    pub guard: LinkGuard,
}

impl MediaLink {
    /// Ends the stream: on both-way media the channel is hung up (AudioSocket 0x00, HANGUP).
    pub fn close(self) {}
}

/// Ends its stream when dropped.
#[derive(Debug)]
pub struct LinkGuard(#[allow(dead_code)] DropGuard);

/// What is known of a stream, and what happened on it.
#[derive(Debug)]
pub struct LinkInfo {
    /// Which medium.
    pub kind: MediaKind,
    /// The other end; for `rtp` our own socket.
    pub peer: SocketAddr,
    channel: OnceLock<String>,
    frames: AtomicU64,
    overflowed: AtomicU64,
    ignored: AtomicU64,
    disordered: AtomicU64,
}

impl LinkInfo {
    /// The channel's name, where the medium tells it (audiofork's first message, MEDIA_START).
    pub fn channel(&self) -> Option<&str> {
        self.channel.get().map(String::as_str)
    }

    /// Frames that arrived.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Frames lost because the call didn't take them for 10 s.
    pub fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Messages or packets that were no audio of this call: strangers', unreadable ones.
    pub fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }

    /// RTP packets that were lost, doubled or came too late.
    pub fn disordered(&self) -> u64 {
        self.disordered.load(Ordering::Relaxed)
    }

    pub(super) fn name_channel(&self, name: &str) {
        // Only the first name counts.
        let _ = self.channel.set(name.to_owned());
    }

    pub(super) fn ignore(&self) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_disordered(&self, packets: u64) {
        self.disordered.store(packets, Ordering::Relaxed);
    }
}

/// Why a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// Asterisk said so: the channel is gone.
    HungUp,
    /// The connection was closed without a word.
    Closed,
    /// The connection broke, or a rule of its protocol was.
    Broken(String),
    /// The call ended it.
    ByUs,
}

/// What was said on all streams that ended and nobody heard.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    pub(super) overflowed: AtomicU64,
    pub(super) disordered: AtomicU64,
}

/// The task's side of a stream.
pub(super) struct LinkTask {
    pub(super) ear: Ear,
    pub(super) mouth: Option<Mouth>,
    pub(super) stop: CancellationToken,
    pub(super) info: Arc<LinkInfo>,
    closed: oneshot::Sender<LinkEnd>,
    unheard: Arc<Unheard>,
}

impl LinkTask {
    /// Tells the call why it ended.
    pub(super) fn end(self, end: LinkEnd) {
        let add = |to: &AtomicU64, count| to.fetch_add(count, Ordering::Relaxed);
        add(&self.unheard.overflowed, self.info.overflowed());
        add(&self.unheard.disordered, self.info.disordered());
        // Whoever has dropped the link doesn't want to know.
        let _ = self.closed.send(end);
    }
}

/// Makes both sides of a stream.
pub(super) fn link(
    kind: MediaKind,
    peer: SocketAddr,
    unheard: &Arc<Unheard>,
) -> (MediaLink, LinkTask) {
    let (frames_in, frames) = frame_queue(FRAME_QUEUE);
    let (closed_in, closed) = oneshot::channel();
    let stop = CancellationToken::new();
    let info = Arc::new(LinkInfo {
        kind,
        peer,
        channel: OnceLock::new(),
        frames: AtomicU64::new(0),
        overflowed: AtomicU64::new(0),
        ignored: AtomicU64::new(0),
        disordered: AtomicU64::new(0),
    });
    let both_ways = matches!(kind, MediaKind::Audiosocket | MediaKind::ChanWebsocket);
    let (speaker, mouth) = if both_ways {
        let (orders, orders_out) = mpsc::channel(ORDER_QUEUE);
        let (events_in, events) = mpsc::channel(EVENT_QUEUE);
        let mouth = Mouth {
            orders: orders_out,
            events: events_in,
            open: true,
            born: Instant::now(),
        };
        (Some(Speaker { orders, events }), Some(mouth))
    } else {
        (None, None)
    };
    let link = MediaLink {
        frames,
        speaker,
        closed,
        info: info.clone(),
        guard: LinkGuard(stop.clone().drop_guard()),
    };
    let ear = Ear {
        frames: frames_in,
        reframer: Reframer::default(),
        halver: None,
        info: info.clone(),
    };
    let task = LinkTask {
        ear,
        mouth,
        stop,
        info,
        closed: closed_in,
        unheard: Arc::clone(unheard),
    };
    (link, task)
}

/// Takes audio of any piece length to the call.
pub(super) struct Ear {
    frames: FrameSender,
    reframer: Reframer,
    halver: Option<Box<Halver>>,
    info: Arc<LinkInfo>,
}

impl Ear {
    /// Little-endian samples at 8 kHz.
    pub(super) fn hear_le(&mut self, bytes: &[u8]) {
        let (frames, info) = (&self.frames, &self.info);
        self.reframer
            .push_le_bytes(bytes, |f| deliver(frames, info, f));
    }

    /// Samples one by one: of other codings.
    pub(super) fn hear(&mut self, samples: impl Iterator<Item = i16>) {
        for sample in samples {
            if let Some(frame) = self.reframer.push(sample) {
                deliver(&self.frames, &self.info, frame);
            }
        }
    }

    /// Samples at 16 kHz.
    pub(super) fn hear_wide(&mut self, samples: impl Iterator<Item = i16>) {
        let halver = self.halver.get_or_insert_default();
        for sample in samples {
            if let Some(sample) = halver.push(sample)
                && let Some(frame) = self.reframer.push(sample)
            {
                deliver(&self.frames, &self.info, frame);
            }
        }
    }
}

fn deliver(frames: &FrameSender, info: &LinkInfo, frame: Frame) {
    info.frames.fetch_add(1, Ordering::Relaxed);
    if !frames.send(frame) {
        info.overflowed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The task's side of a speaker.
pub(super) struct Mouth {
    orders: mpsc::Receiver<SpeakerOrder>,
    events: mpsc::Sender<SpeakerEvent>,
    open: bool,
    born: Instant,
}

impl Mouth {
    /// The task's clock, milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// A moment of that clock.
    pub(super) fn at(&self, ms: u64) -> Instant {
        self.born + std::time::Duration::from_millis(ms)
    }

    /// The next order. Waits for ever once the call has dropped its speaker, and while the call doesn't read events.
    pub(super) async fn order(&mut self) -> SpeakerOrder {
        if self.open {
            // Room first, order then: an order that was taken must be answerable.
            let room = self.events.reserve_many(EVENTS_PER_ORDER).await.is_ok();
            if room && let Some(order) = self.orders.recv().await {
                return order;
            }
            self.open = false;
        }
        std::future::pending().await
    }

    /// Tells the call.
    pub(super) fn tell(&self, event: SpeakerEvent) {
        // Room was there when the order came; a call that is gone doesn't want to know.
        let _ = self.events.try_send(event);
    }
}
