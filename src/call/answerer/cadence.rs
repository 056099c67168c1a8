//! Who answered, by the rhythm of the voice: a person says something short and waits; a machine speaks on.
//!
//! | what is heard | defaults, milliseconds | then |
//! | --- | --- | --- |
//! | voice up to [`PERSON_VOICE_MS`] after the answer's first sound, then [`PERSON_SILENCE_MS`] of silence | 2500, 500 | a person |
//! | voice up to [`LONG_VOICE_MS`], then [`WAITS_MS`] of silence | 4000, 1500 | a person, who says more |
//! | voice for [`LONG_VOICE_MS`] without a pause of [`PERSON_SILENCE_MS`] | 4000 | can't be told: a machine, or a person who tells a lot |
//!
//! The figures are the peers' (livekit: 2.5 s and 0.5 s; jambonz: nine words). A beep is no voice, whatever voice activity says of it.

/// A person's first words are no longer.
pub const PERSON_VOICE_MS: u64 = 2_500;
/// And then they wait.
pub const PERSON_SILENCE_MS: u64 = 500;
/// Who said more waits so long.
const WAITS_MS: u64 = 1_500;
/// Who speaks so long without a pause is no person who has just picked up.
pub const LONG_VOICE_MS: u64 = 4_000;

/// What the rhythm tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Short, then silence.
    Person,
    /// On and on.
    Long,
}

/// Voice without a pause of [`PERSON_SILENCE_MS`].
#[derive(Clone, Copy, Debug)]
struct Run {
    from_ms: u64,
    /// When the voice ended, last; `None`: it goes on.
    to_ms: Option<u64>,
}

impl Run {
    fn length_ms(self, now_ms: u64) -> u64 {
        self.to_ms.unwrap_or(now_ms).saturating_sub(self.from_ms)
    }
}

impl Run {
    /// The silence after it that makes it a person's.
    fn waits_ms(self, to_ms: u64) -> u64 {
        if self.length_ms(to_ms) <= PERSON_VOICE_MS {
            PERSON_SILENCE_MS
        } else {
            WAITS_MS
        }
    }
}

/// The rhythm of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Cadence {
    run: Option<Run>,
    /// How long the longest run was, and when it ended.
    longest: Option<(u64, u64)>,
}

impl Cadence {
    pub(super) fn voice_started(&mut self, at_ms: u64) {
        match &mut self.run {
            Some(run) if run.to_ms.is_none_or(|to| at_ms < to + PERSON_SILENCE_MS) => {
                run.to_ms = None;
            }
            _ => {
                self.close();
                self.run = Some(Run {
                    from_ms: at_ms,
                    to_ms: None,
                });
            }
        }
    }

    pub(super) fn voice_ended(&mut self, at_ms: u64) {
        if let Some(run) = &mut self.run {
            run.to_ms.get_or_insert(at_ms.max(run.from_ms));
        }
    }

    /// A tone was heard: what voice activity made of it is none.
    pub(super) fn tone(&mut self, from_ms: u64) {
        match &mut self.run {
            Some(run) if run.from_ms + 100 >= from_ms => self.run = None,
            Some(run) if run.to_ms.is_none_or(|to| to > from_ms) => run.to_ms = Some(from_ms),
            _ => {}
        }
    }

    fn close(&mut self) {
        if let Some(run) = self.run.take()
            && let Some(to_ms) = run.to_ms
        {
            let length = run.length_ms(to_ms);
            if self.longest.is_none_or(|(longest, _)| length > longest) {
                self.longest = Some((length, to_ms));
            }
        }
    }

    /// What the present run tells.
    pub(super) fn tells(&self, now_ms: u64) -> Option<Rhythm> {
        let run = self.run?;
        if run.length_ms(now_ms) >= LONG_VOICE_MS {
            return Some(Rhythm::Long);
        }
        let to_ms = run.to_ms?;
        (now_ms >= to_ms + run.waits_ms(to_ms)).then_some(Rhythm::Person)
    }

    /// When [`Self::tells`] may tell more by time alone.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let run = self.run?;
        Some(match run.to_ms {
            Some(to_ms) => to_ms + run.waits_ms(to_ms),
            None => run.from_ms + LONG_VOICE_MS,
        })
    }

    /// The voice goes on.
    pub(super) fn speaks(&self) -> bool {
        self.run.is_some_and(|run| run.to_ms.is_none())
    }

    /// When the voice was last heard; `None`: it goes on, or never was.
    pub(super) fn silent_since_ms(&self) -> Option<u64> {
        match self.run {
            Some(run) => run.to_ms,
            None => self.longest.map(|(_, to_ms)| to_ms),
        }
    }

    /// How long the present or last run is.
    pub(super) fn run_ms(&self, now_ms: u64) -> u64 {
        self.run.map_or(0, |run| run.length_ms(now_ms))
    }
}
