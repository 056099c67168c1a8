//! All of the machine's timers, as one table: a deadline or nothing for each. They are never set by hand:
//! [`super::machine`] derives the whole table from its state after every event, so none can outlive its state.
//!
//! | timer | runs while | is due | then |
//! | --- | --- | --- | --- |
//! | `Pause` | the dialog waits | when its time is over | the dialog is answered |
//! | `Prompt` | a prompt plays | 10 s after it should have ended | it is given up, the next one plays |
//! | `Open` | an uncuttable prompt plays, its window isn't open | `open_before` (0.8 s) before its end | the window opens |
//! | `BargeIn` | a cuttable prompt plays and a new voice is heard | `min_voice` (0.5 s) after onset and `guard` (0.3 s) | the prompt pauses; words that came in `guard` cut it |
//! | `Resume` | a prompt is paused | `resume` (2 s) later, or when the voice was noise | the prompt goes on |
//! | `NoInput` | the window is open, prompts are over, nobody speaks | when it was quiet for `timeout` (5 s) in all | `no_input`, or `failed` without a recognizer |
//! | | a message was begun, nobody speaks | `end_silence` (3 s) after its last voice | the message is whole |
//! | `Interdigit` | keys have begun | `interdigit` (3 s) after the last, or the prompt's end | the keys are complete |
//! | `EndSilence` | an utterance isn't ended | `end_silence` (0.7 s) after the voice | it has ended; the recognizer is asked for its text |
//! | `Settle` | an ended utterance has words but no final | `settle` (0.5 s) after its end | its partial is its text |
//! | `GiveUp` | an ended utterance has no words | `give_up` (3 s) after its end | it was noise |
//! | `MaxSpeech` | the window's utterance goes on | `max_speech` (20 s) after its onset | `too_long` |
//! | | a message is taken | `max` (60 s) after the beep | `too_long` |
//! | `Early` | `early`, and the partial is an expected answer | when it has stood for `stand` (0.3 s) | it is the text |

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
    /// The silence after a voice has become the utterance's end.
    EndSilence,
    /// The final text is late.
    Settle,
    /// A text that never comes.
    GiveUp,
    /// A partial that is an expected answer has stood long enough.
    Early,
    /// The utterance is too long.
    MaxSpeech,
    /// No further key came.
    Interdigit,
    /// Nothing was said. Last: what was said at the same moment counts.
    NoInput,
}

impl Timer {
    /// All of them; of those that are due at once the first goes first.
    pub const ALL: [Self; 12] = [
        Self::Pause,
        Self::Prompt,
        Self::Open,
        Self::BargeIn,
        Self::Resume,
        Self::EndSilence,
        Self::Settle,
        Self::GiveUp,
        Self::Early,
        Self::MaxSpeech,
        Self::Interdigit,
        Self::NoInput,
    ];
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Timers([Option<u64>; Timer::ALL.len()]);

impl Timers {
    /// The table in which each timer's deadline is what `deadline` says.
    pub fn of(deadline: impl Fn(Timer) -> Option<u64>) -> Self {
        Self(Timer::ALL.map(deadline))
    }

    /// When that timer is due, if it runs.
    pub fn at(&self, timer: Timer) -> Option<u64> {
        self.0[timer as usize]
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
        self.0[due as usize] = None;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_taken_first_and_once() {
        let mut timers = Timers::of(|timer| match timer {
            Timer::NoInput => Some(50),
            Timer::Settle => Some(20),
            Timer::Pause => Some(99),
            Timer::Early => Some(50),
            _ => None,
        });
        assert_eq!((timers.next(), timers.at(Timer::Open)), (Some(20), None));
        let due = std::iter::from_fn(|| timers.take_due(60));
        assert_eq!(
            due.collect::<Vec<_>>(),
            [Timer::Settle, Timer::Early, Timer::NoInput]
        );
        assert_eq!(timers.next(), Some(99));
    }

    #[test]
    fn the_list_is_whole_and_in_its_order() {
        for (at, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, at);
        }
    }
}
