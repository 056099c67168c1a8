//! All of the machine's timers, as one table: a deadline or nothing for each.

/// Every timer that the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Timer {
    /// `pause` is over.
    Pause,
    /// A prompt should have ended long ago: the medium is stuck.
    Prompt,
    /// A window over an uncuttable prompt opens.
    Open,
    /// Voice over a prompt has lasted long enough to pause it.
    BargeIn,
    /// A paused prompt goes on, if nothing was understood.
    Resume,
    /// Nothing was said.
    NoInput,
    /// No further key came.
    Interdigit,
    /// The silence after a voice has become the utterance's end.
    EndSilence,
    /// The final text is late.
    Settle,
    /// A text that never comes.
    GiveUp,
    /// The utterance is too long.
    MaxSpeech,
    /// A partial that is an expected answer has stood long enough.
    Early,
}

impl Timer {
    const ALL: [Self; 12] = [
        Self::Pause,
        Self::Prompt,
        Self::Open,
        Self::BargeIn,
        Self::Resume,
        Self::NoInput,
        Self::Interdigit,
        Self::EndSilence,
        Self::Settle,
        Self::GiveUp,
        Self::MaxSpeech,
        Self::Early,
    ];
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Timers([Option<u64>; Timer::ALL.len()]);

impl Timers {
    /// Sets or moves a timer.
    pub fn set(&mut self, timer: Timer, at_ms: u64) {
        self.0[timer as usize] = Some(at_ms);
    }

    /// Takes a timer off.
    pub fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// Takes all off.
    pub fn clear_all(&mut self) {
        *self = Self::default();
    }

    /// A timer runs.
    pub fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<u64> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes the earliest timer that is due at `now_ms`; ties in the order of the list.
    pub fn take_due(&mut self, now_ms: u64) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .filter(|t| self.0[*t as usize].is_some_and(|at| at <= now_ms))
            .min_by_key(|t| self.0[*t as usize])?;
        self.clear(due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_taken_first_and_once() {
        let mut timers = Timers::default();
        timers.set(Timer::NoInput, 50);
        timers.set(Timer::Settle, 20);
        timers.set(Timer::Pause, 99);
        assert_eq!(timers.next(), Some(20));
        assert_eq!(timers.take_due(60), Some(Timer::Settle));
        assert_eq!(timers.take_due(60), Some(Timer::NoInput));
        assert_eq!(timers.take_due(60), None);
        timers.clear_all();
        assert_eq!(timers.next(), None);
    }
}
