//! Where a prompt stands: CONTROL STREAM FILE under ControlPlayback, as arithmetic. Time is an argument.

use crate::wire::ami::Control;

/// A file that plays, or holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playback {
    length_ms: u64,
    /// The position when `since_ms` was taken; the whole position while it holds.
    position_ms: u64,
    /// When it began to run; nothing while it holds.
    since_ms: Option<u64>,
    /// How far a skip goes.
    skip_ms: u64,
    /// Milliseconds of sound in one of the clock.
    speed: u32,
}

impl Playback {
    /// Begins at `from_ms` of a file of `length_ms`; `speed` times as fast as it should, for tests in a hurry.
    pub fn start(length_ms: u64, from_ms: u64, skip_ms: u64, speed: u32, now_ms: u64) -> Self {
        Self {
            length_ms,
            position_ms: from_ms.min(length_ms),
            since_ms: Some(now_ms),
            skip_ms,
            speed: speed.max(1),
        }
    }

    /// How much of the file was heard, milliseconds from its start.
    pub fn position_ms(&self, now_ms: u64) -> u64 {
        let run = self
            .since_ms
            .map_or(0, |since| now_ms.saturating_sub(since));
        self.length_ms
            .min(self.position_ms + run * u64::from(self.speed))
    }

    /// When it will have been heard to its end; nothing while it holds.
    pub fn ends_at_ms(&self) -> Option<u64> {
        let rest = self.length_ms - self.position_ms.min(self.length_ms);
        self.since_ms
            .map(|since| since + rest.div_ceil(u64::from(self.speed)))
    }

    /// It holds.
    pub fn is_paused(&self) -> bool {
        self.since_ms.is_none()
    }

    /// Takes an order of ControlPlayback; true where it ends the playback.
    pub fn control(&mut self, control: Control, now_ms: u64) -> bool {
        let position = self.position_ms(now_ms);
        let (position, runs) = match control {
            Control::Stop => return true,
            // A second one goes on, as Asterisk has it.
            Control::Pause => (position, self.is_paused()),
            Control::Restart => (0, true),
            Control::Forward => (position + self.skip_ms, !self.is_paused()),
            Control::Reverse => (position.saturating_sub(self.skip_ms), !self.is_paused()),
        };
        self.position_ms = position.min(self.length_ms);
        self.since_ms = runs.then_some(now_ms);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_do_not_count() {
        let mut playback = Playback::start(5_000, 0, 3_000, 1, 100);
        assert_eq!(playback.ends_at_ms(), Some(5_100));
        assert!(!playback.control(Control::Pause, 1_100));
        assert!(playback.is_paused());
        assert_eq!(playback.ends_at_ms(), None);
        assert_eq!(playback.position_ms(9_000), 1_000);
        assert!(!playback.control(Control::Pause, 9_000));
        assert_eq!(playback.ends_at_ms(), Some(13_000));
        assert_eq!(playback.position_ms(9_500), 1_500);
        assert!(playback.control(Control::Stop, 9_500));
    }

    #[test]
    fn it_moves_within_the_file() {
        let mut playback = Playback::start(5_000, 1_000, 3_000, 1, 0);
        playback.control(Control::Forward, 500);
        assert_eq!(playback.position_ms(500), 4_500);
        playback.control(Control::Forward, 500);
        assert_eq!(playback.position_ms(500), 5_000);
        playback.control(Control::Reverse, 600);
        playback.control(Control::Reverse, 600);
        assert_eq!(playback.position_ms(600), 0);
        playback.control(Control::Pause, 700);
        playback.control(Control::Restart, 800);
        assert_eq!(
            (playback.position_ms(800), playback.is_paused()),
            (0, false)
        );
    }

    #[test]
    fn a_hurry_shortens_the_wait_not_the_file() {
        let playback = Playback::start(5_000, 0, 0, 10, 0);
        assert_eq!(playback.ends_at_ms(), Some(500));
        assert_eq!(playback.position_ms(100), 1_000);
        assert_eq!(Playback::start(100, 9_000, 0, 1, 7).ends_at_ms(), Some(7));
    }
}
