//! How a call speaks, whatever the medium: a channel of orders and a channel of what happened.
//!
//! Three things stand behind it: AGI with ControlPlayback, an AudioSocket that we pace, chan_websocket's buffer.

use tokio::sync::mpsc;

use crate::audio::Sound;

/// Orders that may wait.
pub const ORDER_QUEUE: usize = 16;

/// Tells one playback from the next, so that a late answer can't be taken for another's.
pub type PlaybackId = u64;

/// What the call wants of its speaker. One sound plays at a time; `Play` while one plays stops that one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeakerOrder {
    /// Play from `from_ms` on.
    Play {
        /// The call's number for it.
        id: PlaybackId,
        /// The sound.
        sound: Sound,
        /// Where to begin, milliseconds from the sound's start.
        from_ms: u64,
    },
    /// Hold where it stands; no effect if nothing plays.
    Pause,
    /// Go on after a pause.
    Resume,
    /// End it now; answered by [`SpeakerEvent::Ended`].
    Stop,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeakerEvent {
    /// The first sample is on its way to the caller.
    Started {
        /// Which.
        id: PlaybackId,
    },
    /// It plays no more.
    Ended {
        /// Which.
        id: PlaybackId,
        /// How much of it was heard, milliseconds from the sound's start.
        played_ms: u64,
        /// Heard to its end, not stopped.
        whole: bool,
    },
    /// It could not be played; no `Ended` follows.
    Failed {
        /// Which.
        id: PlaybackId,
        /// Why.
        reason: String,
    },
}

/// A call's speaker. Dropping it ends the medium's task.
#[derive(Debug)]
pub struct Speaker {
    /// Orders in.
    pub orders: mpsc::Sender<SpeakerOrder>,
    /// Events out. Closed when the medium is gone.
    pub events: mpsc::Receiver<SpeakerEvent>,
}

impl Speaker {
    /// One whose medium is gone: it takes no orders.
    pub fn gone() -> Self {
        Self {
            orders: mpsc::channel(1).0,
            events: mpsc::channel(1).1,
        }
    }
}
