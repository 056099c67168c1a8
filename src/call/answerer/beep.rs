//! When a machine takes a message: after its tone; where none comes, after [`SILENCE_MS`] of silence.

use super::Who;
use super::cadence::Cadence;
use crate::audio::tone::Tone;

/// A machine that is silent for so long waits for a message, tone or not.
pub const SILENCE_MS: u64 = 2_000;
/// A greeting that goes on for so long after the verdict is waited for no longer: no message is left.
pub const GREETING_MS: u64 = 40_000;
/// A beep is no longer; what goes on is a fax, or the network.
const LONGEST_BEEP_MS: u64 = 3_000;
/// A tone that ended so long before the verdict was this machine's: recognizers are late.
const BEFORE_VERDICT_MS: u64 = 4_000;

/// What the wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Its tone was heard.
    Tone,
    /// It fell silent.
    Silence,
    /// It takes no message, or speaks without end.
    NoMessage,
}

impl Awaited {
    /// The word of history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tone => "tone",
            Self::Silence => "silence",
            Self::NoMessage => "no_message",
        }
    }
}

/// Waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Beep {
    /// The last one ended then.
    ended_ms: Option<u64>,
    /// Since when a message is to be left.
    since_ms: Option<u64>,
}

/// A tone that may be a machine's beep.
pub(super) fn is_beep(tone: Tone) -> bool {
    !tone.is_of_the_network() && tone.lasted_ms() <= LONGEST_BEEP_MS
}

impl Beep {
    pub(super) fn heard(&mut self, tone: Tone) {
        if is_beep(tone) {
            self.ended_ms = Some(tone.to_ms);
        }
    }

    pub(super) fn wait(&mut self, now_ms: u64) {
        self.since_ms.get_or_insert(now_ms);
    }

    /// What the wait has come to.
    pub(super) fn over(&self, who: Who, cadence: &Cadence, now_ms: u64) -> Option<Awaited> {
        let since_ms = self.since_ms?;
        if self
            .ended_ms
            .is_some_and(|at| at + BEFORE_VERDICT_MS >= since_ms)
        {
            return Some(Awaited::Tone);
        }
        if now_ms >= since_ms + GREETING_MS {
            return Some(Awaited::NoMessage);
        }
        let silent_ms = cadence.silent_since_ms().unwrap_or(since_ms);
        let silent = !cadence.speaks() && now_ms >= silent_ms + SILENCE_MS;
        match who {
            _ if !silent => None,
            Who::Voicemail | Who::Assistant => Some(Awaited::Silence),
            // The operator has said it all, mostly: who talks on after its announcement has a tone.
            _ => Some(Awaited::NoMessage),
        }
    }

    pub(super) fn next_ms(&self, cadence: &Cadence, now_ms: u64) -> Option<u64> {
        let since_ms = self.since_ms?;
        let silent_ms = cadence.silent_since_ms().unwrap_or(since_ms) + SILENCE_MS;
        let give_up_ms = since_ms + GREETING_MS;
        Some(if cadence.speaks() || silent_ms <= now_ms {
            give_up_ms
        } else {
            silent_ms.min(give_up_ms)
        })
    }
}
