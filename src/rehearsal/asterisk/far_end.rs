//! The person at the other end, as a script of steps. Pure: who plays them keeps the time.
//!
//! ```
//! use govorun::audio::Sound;
//! use govorun::rehearsal::asterisk::FarEnd;
//!
//! let yes = Sound::silence("да", 800);
//! let polite = FarEnd::answers().until_prompt_ends().wait(300).say(&yes).until_prompt_ends().hang_up();
//! let nobody = FarEnd::rings();
//! ```

use std::collections::VecDeque;

use crate::audio::Sound;

/// One thing that the person (or the network on the way to them) does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It rings this long, milliseconds; for ever at `u64::MAX`.
    Ring(u64),
    /// Picks up.
    Answer,
    /// Ends unanswered.
    Fail(Refusal),
    /// Says something: 20 ms frames in real time. Before `Answer` it is the operator's early media.
    Say(Sound),
    /// Begins to say it and goes on with the next step meanwhile.
    BeginToSay(Sound),
    /// Does nothing, milliseconds.
    Wait(u64),
    /// Waits for the next prompt of ours to begin.
    UntilPromptStarts,
    /// Waits for the next prompt of ours to end: the one whose start was awaited, if one was.
    UntilPromptEnds,
    /// Presses a key.
    Digit(char),
    /// Hangs up.
    HangUp,
}

/// How a call ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// SIP 486.
    Busy,
    /// SIP 503.
    Congestion,
    /// SIP 603: the person refused.
    Rejected,
    /// SIP 404: there is no such number.
    Unallocated,
    /// SIP 480, after the operator's announcement or without one.
    Unavailable,
}

impl Refusal {
    /// `DialStatus` of DialEnd and the cause of Hangup, as Asterisk 16.28 or 22.10.1 tells them over SIP.
    pub fn as_asterisk_tells(self, major: u32) -> (&'static str, u16) {
        match self {
            Self::Busy => ("BUSY", 17),
            Self::Congestion => ("CONGESTION", 34),
            Self::Rejected => ("NOANSWER", 21),
            Self::Unallocated => ("NOANSWER", 1),
            Self::Unavailable if major < 18 => ("CHANUNAVAIL", 20),
            Self::Unavailable => ("NOANSWER", 19),
        }
    }
}

/// A script. When its steps are over, the person stays silently on the line until hung up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FarEnd {
    pub(super) steps: VecDeque<Step>,
}

impl FarEnd {
    /// Rings for a moment (50 ms), then picks up.
    pub fn answers() -> Self {
        Self::answers_after(50)
    }

    /// Rings that long, then picks up.
    pub fn answers_after(ring_ms: u64) -> Self {
        Self::default().then(Step::Ring(ring_ms)).then(Step::Answer)
    }

    /// Busy.
    pub fn busy() -> Self {
        Self::fails(Refusal::Busy)
    }

    /// Rings for ever.
    pub fn rings() -> Self {
        Self::default().then(Step::Ring(u64::MAX))
    }

    /// Ends so, at once. Put [`Step::Ring`] or an announcement before it with [`Self::then`] on a default script.
    pub fn fails(refusal: Refusal) -> Self {
        Self::default().then(Step::Fail(refusal))
    }

    /// The operator says so before any answer, then the call ends: "абонент недоступен".
    pub fn announces(sound: &Sound) -> Self {
        Self::default()
            .then(Step::Say(sound.clone()))
            .then(Step::Fail(Refusal::Unavailable))
    }

    /// Adds a step.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    /// Says something and waits until it is said.
    #[must_use]
    pub fn say(self, sound: &Sound) -> Self {
        self.then(Step::Say(sound.clone()))
    }

    /// Begins to say something; the next step follows at once.
    #[must_use]
    pub fn begin_to_say(self, sound: &Sound) -> Self {
        self.then(Step::BeginToSay(sound.clone()))
    }

    /// Waits, milliseconds.
    #[must_use]
    pub fn wait(self, ms: u64) -> Self {
        self.then(Step::Wait(ms))
    }

    /// See [`Step::UntilPromptStarts`].
    #[must_use]
    pub fn until_prompt_starts(self) -> Self {
        self.then(Step::UntilPromptStarts)
    }

    /// See [`Step::UntilPromptEnds`].
    #[must_use]
    pub fn until_prompt_ends(self) -> Self {
        self.then(Step::UntilPromptEnds)
    }

    /// Presses a key: `0` to `9`, `*`, `#`.
    #[must_use]
    pub fn digit(self, digit: char) -> Self {
        self.then(Step::Digit(digit))
    }

    /// Hangs up.
    #[must_use]
    pub fn hang_up(self) -> Self {
        self.then(Step::HangUp)
    }
}

/// How many prompts of ours have begun and ended in a call so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompts {
    /// Begun.
    pub started: u64,
    /// Ended.
    pub ended: u64,
}

/// Which prompt a person waits for next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attention(Prompts);

impl Attention {
    /// Waits for the next start; tells what has to be reached.
    pub(super) fn next_start(&mut self) -> u64 {
        self.0.started = self.0.started.max(self.0.ended) + 1;
        self.0.started
    }

    /// Waits for the end of the prompt whose start was awaited, or of the next one.
    pub(super) fn next_end(&mut self) -> u64 {
        self.0.ended = (self.0.ended + 1).max(self.0.started);
        self.0.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_waited_for_in_their_order() {
        let mut attention = Attention::default();
        assert_eq!(attention.next_end(), 1);
        assert_eq!(attention.next_end(), 2);
        assert_eq!(attention.next_start(), 3);
        assert_eq!(attention.next_end(), 3, "of the one that began");
        assert_eq!(attention.next_start(), 4);
        assert_eq!(attention.next_start(), 5);
        assert_eq!(attention.next_end(), 5);
    }

    #[test]
    fn failures_are_told_as_each_release_does() {
        assert_eq!(
            Refusal::Unavailable.as_asterisk_tells(16),
            ("CHANUNAVAIL", 20)
        );
        assert_eq!(Refusal::Unavailable.as_asterisk_tells(22), ("NOANSWER", 19));
        assert_eq!(Refusal::Busy.as_asterisk_tells(22), ("BUSY", 17));
    }
}
