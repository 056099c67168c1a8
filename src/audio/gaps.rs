//! Fills gaps in the caller's audio by the clock, so that a recognizer hears time pass when Asterisk sends nothing.
//!
//! A Local channel, a held call, a far end with silence suppression: packets stop, and a recognizer that counts its
//! pauses in audio would wait for ever. [`GapFiller`] hands out silence so that the audio clock is never more than
//! [`SLACK_MS`] behind the wall clock.
//!
//! Audio that was on its way while silence was put in its place comes late, in a burst. It is all passed on, for it may
//! be speech; the audio clock then runs ahead. The surplus is given back out of the caller's own pauses: once
//! [`REPAY_AFTER`] quiet frames came in a row, further quiet ones are left out until the clocks agree. The same takes up
//! the drift of Asterisk's clock against ours. No frame that holds sound is ever dropped.

use super::frame::{FRAME_MS, Frame};

/// How far the audio clock may run behind the wall clock, milliseconds: a tap is read every 40 ms, and a machine has its
/// moments.
pub const SLACK_MS: u64 = 100;
/// How far it may run ahead before pauses are shortened, milliseconds.
pub const AHEAD_MS: u64 = 60;
/// Quiet frames that stay untouched at the beginning of every pause: 300 ms, longer than any stop inside a word.
pub const REPAY_AFTER: u32 = 15;
/// A frame whose loudest sample is below this is quiet: -42 dB of full scale.
pub const QUIET_PEAK: u16 = 256;
/// Most silence made up at one go, milliseconds. After a longer stop of the whole process the clocks are set anew.
pub const MAX_FILL_MS: u64 = 10_000;

/// The two clocks of one call's audio. Times are milliseconds on one steady clock of the caller's choosing.
#[derive(Clone, Debug)]
pub struct GapFiller {
    /// The wall-clock time of the audio clock's zero.
    origin_ms: u64,
    /// Frames handed out.
    handed: u64,
    quiet_run: u32,
    counts: GapCounts,
}

/// What was mended, for the call's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GapCounts {
    /// Frames that came from the caller.
    pub heard: u64,
    /// Frames of silence that were put into gaps.
    pub filled: u64,
    /// Frames that came after their place had been filled, and were passed on.
    pub late: u64,
    /// Quiet frames that were left out to give the surplus back.
    pub repaid: u64,
    /// Milliseconds that were given up because the whole process stood still.
    pub skipped_ms: u64,
}

impl GapFiller {
    /// Starts both clocks at `now_ms`: from here on audio is due.
    pub fn new(now_ms: u64) -> Self {
        Self {
            origin_ms: now_ms,
            handed: 0,
            quiet_run: 0,
            counts: GapCounts::default(),
        }
    }

    /// A frame arrived. Gives it back to be passed on, or `None` where a quiet one is left out to catch up.
    ///
    /// Call [`Self::fill`] first, so that a gap before this frame stays before it.
    pub fn push(&mut self, now_ms: u64, frame: Frame) -> Option<Frame> {
        self.counts.heard += 1;
        let ahead = (self.audio_ms() + FRAME_MS).saturating_sub(self.wall_ms(now_ms));
        self.quiet_run = if is_quiet(&frame) {
            self.quiet_run.saturating_add(1)
        } else {
            0
        };
        if ahead > AHEAD_MS {
            if self.quiet_run > REPAY_AFTER {
                self.counts.repaid += 1;
                return None;
            }
            self.counts.late += 1;
        }
        self.handed += 1;
        Some(frame)
    }

    /// How many frames of silence have to be passed on now, before `waiting` frames that have come and are passed on next.
    /// Bounded by [`MAX_FILL_MS`].
    pub fn fill(&mut self, now_ms: u64, waiting: usize) -> u32 {
        let here = self.audio_ms() + waiting as u64 * FRAME_MS;
        let mut behind = self.wall_ms(now_ms).saturating_sub(here);
        if behind <= SLACK_MS {
            return 0;
        }
        if behind > MAX_FILL_MS {
            let skipped = behind - MAX_FILL_MS;
            self.origin_ms += skipped;
            self.counts.skipped_ms += skipped;
            behind = MAX_FILL_MS;
        }
        let frames = (behind - SLACK_MS).div_ceil(FRAME_MS);
        self.handed += frames;
        self.counts.filled += frames;
        self.quiet_run = self.quiet_run.saturating_add(frames as u32);
        frames as u32
    }

    /// When [`Self::fill`] is to be asked next if no frame arrives before.
    pub fn due_ms(&self) -> u64 {
        self.origin_ms + self.audio_ms() + SLACK_MS + 1
    }

    /// The audio clock: milliseconds handed out so far.
    pub fn audio_ms(&self) -> u64 {
        self.handed * FRAME_MS
    }

    /// When the moment `audio_ms` of the audio clock was, on the wall clock (exact to the slack of both clocks).
    pub fn wall_of(&self, audio_ms: u64) -> u64 {
        self.origin_ms + audio_ms
    }

    /// What was mended so far.
    pub fn counts(&self) -> GapCounts {
        self.counts
    }

    fn wall_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.origin_ms)
    }
}

/// Nothing but line noise.
fn is_quiet(frame: &Frame) -> bool {
    frame.0.iter().all(|s| s.unsigned_abs() < QUIET_PEAK)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOUD: Frame = Frame([4_000; 160]);

    /// Feeds arrivals (time, loud?) with a tick every 20 ms; gives (frames handed out, loud ones, worst lag).
    fn run(arrivals: &[(u64, bool)], until_ms: u64) -> (GapFiller, u64, u64) {
        let mut gaps = GapFiller::new(0);
        let (mut out, mut loud) = (0, 0);
        let mut next = 0;
        for now in 0..=until_ms {
            while next < arrivals.len() && arrivals[next].0 <= now {
                out += u64::from(gaps.fill(now, 0));
                let frame = if arrivals[next].1 {
                    LOUD
                } else {
                    Frame::SILENCE
                };
                if gaps.push(now, frame).is_some() {
                    out += 1;
                    loud += u64::from(arrivals[next].1);
                }
                next += 1;
            }
            if now >= gaps.due_ms() {
                out += u64::from(gaps.fill(now, 0));
            }
            assert!(
                now.saturating_sub(gaps.audio_ms()) <= SLACK_MS,
                "behind at {now}"
            );
        }
        (gaps, out, loud)
    }

    #[test]
    fn a_steady_stream_passes_untouched_even_with_jitter() {
        let arrivals: Vec<_> = (0..500)
            .map(|n| (n * 20 + [0, 13, 5, 19, 2][n as usize % 5], n % 50 < 25))
            .collect();
        let (gaps, out, loud) = run(&arrivals, 10_000);
        assert_eq!((out, loud), (500, 250));
        let want = GapCounts {
            heard: 500,
            ..GapCounts::default()
        };
        assert_eq!(gaps.counts(), want);
    }

    #[test]
    fn silence_stands_where_nothing_came() {
        let (gaps, out, _) = run(&[], 3_000);
        assert_eq!(out, 145);
        assert_eq!(gaps.counts().filled, 145);
        assert_eq!(gaps.audio_ms(), 2_900);
    }

    #[test]
    fn a_late_burst_is_heard_whole_and_repaid_in_the_next_pause() {
        // 1 s of speech held back by the network, then live speech for 1 s, then quiet for 3 s.
        let mut arrivals: Vec<_> = (0..50).map(|_| (1_000, true)).collect();
        arrivals.extend((50..100).map(|n| (n * 20, true)));
        arrivals.extend((100..250).map(|n| (n * 20, false)));
        let (gaps, out, loud) = run(&arrivals, 5_000);
        assert_eq!(loud, 100, "no sound is lost");
        let counts = gaps.counts();
        assert_eq!(counts.filled, 45);
        assert!(counts.late >= 88, "{counts:?}");
        assert!(counts.repaid >= 41, "{counts:?}");
        assert!(gaps.audio_ms() <= 5_000 + AHEAD_MS, "{}", gaps.audio_ms());
        assert_eq!(out, gaps.audio_ms() / 20);
    }

    #[test]
    fn a_stop_of_the_whole_process_does_not_flood() {
        let mut gaps = GapFiller::new(100);
        assert_eq!(gaps.fill(3_600_100, 0), 495);
        assert_eq!(gaps.counts().skipped_ms, 3_590_000);
        assert_eq!(gaps.fill(3_600_100, 0), 0);
        assert_eq!(gaps.due_ms(), 3_600_101);
    }

    #[test]
    fn frames_that_come_together_leave_no_gap_before_them() {
        let mut gaps = GapFiller::new(0);
        // Held up for 160 ms on the way through this machine: all eight frames are here.
        assert_eq!(gaps.fill(160, 8), 0);
        for _ in 0..8 {
            assert_eq!(gaps.push(160, LOUD), Some(LOUD));
        }
        // Held up by 300 ms, with 100 ms of it: the rest is missing before them, but for the slack.
        assert_eq!(gaps.fill(460, 5), 5);
    }

    #[test]
    fn a_clock_that_steps_back_does_no_harm() {
        let mut gaps = GapFiller::new(5_000);
        assert_eq!(gaps.fill(4_000, 0), 0);
        assert_eq!(gaps.push(4_000, LOUD), Some(LOUD));
    }

    proptest! {
        #[test]
        fn sound_is_never_lost_and_time_never_stands(
            mut times in proptest::collection::vec((0u64..5_000, any::<bool>()), 0..400),
        ) {
            times.sort_unstable();
            let (_, _, loud) = run(&times, 5_000);
            prop_assert_eq!(loud, times.iter().filter(|t| t.1).count() as u64);
        }
    }
}
