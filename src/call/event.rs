//! What can happen to a call, and what the machine wants done about it. Both are closed lists.

use super::fields::Fields;

use super::answerer::{Awaited, Who};
use super::reply::Reply;
use super::request::{BargeIn, Window};
use crate::audio::Sound;
use crate::audio::tone::Tone;
use crate::ident::Spoken;
use crate::net::speaker::{PlaybackId, SpeakerEvent};

/// What happened. Times inside are the call's own milliseconds.
#[derive(Clone, Debug)]
pub enum Event {
    /// The dialog speaks, listens, or both; its texts have become sounds.
    Turn {
        /// Played in order.
        sounds: Vec<Sound>,
        /// What cuts them.
        barge_in: BargeIn,
        /// The window, if it listens.
        window: Option<Window>,
    },
    /// The dialog waits.
    Pause {
        /// Milliseconds.
        ms: u64,
    },
    /// The medium tells of a playback.
    Speaker(SpeakerEvent),
    /// Voice began.
    VoiceStarted {
        /// When it really began.
        at_ms: u64,
    },
    /// Voice ended.
    VoiceEnded {
        /// When it really ended.
        at_ms: u64,
    },
    /// The recognizer's text so far.
    Partial(Spoken),
    /// The recognizer's last text of an utterance.
    Final(Spoken),
    /// Another recognizer has taken over and is given the utterance's audio again.
    TakenOver,
    /// No recognizer is left.
    Deaf {
        /// Why.
        reason: String,
    },
    /// The medium broke while the person stays: what plays is heard no more.
    MediumLost,
    /// It is there again.
    MediumBack,
    /// A single tone was heard to its end.
    Tone(Tone),
    /// The dialog wants to leave the machine that answered a message.
    AwaitTone,
    /// A key.
    Digit(char),
    /// The person is gone, or the call was ended.
    HangUp,
    /// Nothing but time.
    Clock,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Play this.
    Play {
        /// Its number.
        id: PlaybackId,
        /// The sound.
        sound: Sound,
        /// From here on, milliseconds from its start.
        from_ms: u64,
    },
    /// Hold the prompt.
    PausePlayback,
    /// Let it go on.
    ResumePlayback,
    /// End it.
    StopPlayback,
    /// Ask the recognizer for the final text now.
    EndUtterance,
    /// Answer the turn.
    Reply(Reply),
    /// Answer the pause.
    PauseOver,
    /// No person answered: end the dialog, whatever it waits for.
    Machine(Who),
    /// The machine takes a message now, or won't.
    Awaited(Who, Awaited),
    /// Keep this in the history.
    Note {
        /// One of [`super::history::kind`].
        kind: &'static str,
        /// When, on the call's clock.
        at_ms: u64,
        /// Particulars.
        data: Fields,
    },
}
