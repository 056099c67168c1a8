//! Voice activity: where in the caller's audio a voice begins and ends. The network of crate `earshot` with hysteresis.
//!
//! ```text
//!            score ≥ enter            min_onset of voice
//!   quiet ───────────────► maybe ──────────────────────► voiced ──┐ score ≥ leave: the end moves on
//!     ▲  ◄─────────────────  │                             │ ◄────┘
//!     │   DROP_AFTER below   ┘                             │
//!     └────────────────────────────────────────────────────┘ hangover below leave
//! ```
//!
//! Costs about half a millisecond of CPU a second of audio in a release build (the test `cost` measures it), next to nothing while the line is quiet.

use earshot::Detector;

use super::frame::{FRAME_SAMPLES, Frame};
use super::resample::Doubler;

/// Milliseconds of one window of the network: 256 samples at 16 kHz.
const WINDOW_MS: u64 = 16;
const WINDOW: usize = 256;
/// Windows below `leave` that end a voice that has not reached its onset: a click, a breath.
const DROP_AFTER: u64 = 3;
/// The network goes on hearing a voice for about so long after its end (median of 41 recorded phrases against their
/// loudness: 130 ms, of which some 30 ms are the voice's own decay), milliseconds.
const END_LAG_MS: u64 = 96;
/// Loudest sample of a window that can't be a voice, of 1: -57 dB, where a quiet line's own noise lies. A voice that is
/// low on the telephone peaks ten times as high.
const QUIET_PEAK: f32 = 48.0 / 32768.0;
/// Quiet windows after which the network isn't asked any more, 192 ms: it has settled by then.
const QUIET_AFTER: u32 = 12;

/// When a voice counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VadOptions {
    /// Score, 0 to 1, at which a voice may begin.
    pub enter: f32,
    /// Score below which it pauses.
    pub leave: f32,
    /// Shortest voice that is told, milliseconds.
    pub min_onset_ms: u64,
    /// Pause after which the voice is told as ended, milliseconds.
    pub hangover_ms: u64,
}

impl Default for VadOptions {
    fn default() -> Self {
        Self {
            enter: 0.5,
            leave: 0.35,
            min_onset_ms: 64,
            hangover_ms: 700,
        }
    }
}

/// What was noticed. Times are milliseconds of the audio fed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceEvent {
    /// A voice goes on, and began then.
    Started {
        /// The beginning of the voiced run, earlier than the telling.
        at_ms: u64,
    },
    /// The voice ended then.
    Ended {
        /// The end of the voice, earlier than the telling by the hangover.
        at_ms: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    Maybe { start: u64, voiced: u64, below: u64 },
    Voiced { start: u64, end: u64 },
}

/// One call's detector. Boxed inside: about 8 KiB.
pub struct Vad {
    options: VadOptions,
    doubler: Doubler,
    detector: Box<Detector>,
    window: [f32; WINDOW],
    filled: usize,
    /// Windows seen.
    windows: u64,
    quiet: u32,
    state: State,
}

impl std::fmt::Debug for Vad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vad")
            .field("audio_ms", &(self.windows * WINDOW_MS))
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Default for Vad {
    fn default() -> Self {
        Self::new(VadOptions::default())
    }
}

impl Vad {
    /// A detector at the start of a stream.
    pub fn new(options: VadOptions) -> Self {
        let mut vad = Self {
            options,
            doubler: Doubler::default(),
            detector: Detector::default_boxed(),
            window: [0.0; WINDOW],
            filled: 0,
            windows: 0,
            quiet: 0,
            state: State::Quiet,
        };
        vad.set_hangover_ms(options.hangover_ms);
        vad
    }

    /// Another pause ends an utterance from now on; at least 40 ms, so that no frame can both begin and end one.
    pub fn set_hangover_ms(&mut self, hangover_ms: u64) {
        self.options.hangover_ms = hangover_ms.max(40);
    }

    /// The next 20 ms.
    pub fn push(&mut self, frame: &Frame) -> Option<VoiceEvent> {
        let mut wide = [0f32; FRAME_SAMPLES * 2];
        self.doubler.push(frame, &mut wide);
        let mut event = None;
        let mut rest = &wide[..];
        while !rest.is_empty() {
            let take = rest.len().min(WINDOW - self.filled);
            self.window[self.filled..self.filled + take].copy_from_slice(&rest[..take]);
            self.filled += take;
            rest = &rest[take..];
            if self.filled == WINDOW {
                self.filled = 0;
                let score = self.score();
                self.windows += 1;
                event = self.step(score).or(event);
            }
        }
        event
    }

    /// A voice goes on (or its pause is still shorter than the hangover): where it began.
    pub fn voice_since_ms(&self) -> Option<u64> {
        match self.state {
            State::Voiced { start, .. } => Some(start),
            _ => None,
        }
    }

    /// How long the present voice lasts, from its beginning to its last voiced moment; 0 in silence.
    pub fn voice_ms(&self) -> u64 {
        match self.state {
            State::Voiced { start, end } => end - start,
            _ => 0,
        }
    }

    fn score(&mut self) -> f32 {
        if self.window.iter().all(|s| s.abs() <= QUIET_PEAK) {
            self.quiet = self.quiet.saturating_add(1);
            if self.quiet > QUIET_AFTER {
                return 0.0;
            }
        } else {
            self.quiet = 0;
        }
        self.detector.predict_f32(&self.window)
    }

    /// One window's score; `self.windows` already counts it.
    fn step(&mut self, score: f32) -> Option<VoiceEvent> {
        let now = self.windows * WINDOW_MS;
        match self.state {
            State::Quiet => {
                if score >= self.options.enter {
                    let start = now - WINDOW_MS;
                    self.state = State::Maybe {
                        start,
                        voiced: 0,
                        below: 0,
                    };
                    return self.maybe(start, WINDOW_MS, 0, now);
                }
                None
            }
            State::Maybe {
                start,
                voiced,
                below,
            } => {
                if score >= self.options.leave {
                    self.maybe(start, voiced + WINDOW_MS, 0, now)
                } else if below + 1 >= DROP_AFTER {
                    self.state = State::Quiet;
                    None
                } else {
                    self.maybe(start, voiced, below + 1, now)
                }
            }
            State::Voiced { start, end } => {
                if score >= self.options.leave {
                    self.state = State::Voiced { start, end: now };
                    return None;
                }
                let real_end = end.saturating_sub(END_LAG_MS).max(start);
                if now - real_end >= self.options.hangover_ms {
                    self.state = State::Quiet;
                    return Some(VoiceEvent::Ended { at_ms: real_end });
                }
                None
            }
        }
    }

    fn maybe(&mut self, start: u64, voiced: u64, below: u64, now: u64) -> Option<VoiceEvent> {
        if voiced >= self.options.min_onset_ms {
            self.state = State::Voiced { start, end: now };
            return Some(VoiceEvent::Started { at_ms: start });
        }
        self.state = State::Maybe {
            start,
            voiced,
            below,
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states alone, driven by scores.
    fn told(options: VadOptions, scores: &[(f32, u64)]) -> Vec<VoiceEvent> {
        let mut vad = Vad::new(options);
        let mut events = Vec::new();
        for (score, windows) in scores {
            for _ in 0..*windows {
                vad.windows += 1;
                events.extend(vad.step(*score));
            }
        }
        events
    }

    #[test]
    fn onset_and_end_are_the_real_ones() {
        use VoiceEvent::{Ended, Started};
        let options = VadOptions::default();
        type Case = (&'static [(f32, u64)], Vec<VoiceEvent>);
        let cases: [Case; 6] = [
            (&[(0.1, 100)], vec![]),
            // A click of 48 ms is nothing.
            (&[(0.1, 10), (0.9, 3), (0.1, 60)], vec![]),
            (&[(0.1, 10), (0.9, 20)], vec![Started { at_ms: 160 }]),
            (
                &[(0.1, 10), (0.9, 20), (0.1, 44)],
                vec![Started { at_ms: 160 }, Ended { at_ms: 384 }],
            ),
            // Between the thresholds a voice goes on but doesn't begin.
            (
                &[(0.4, 10), (0.9, 20), (0.4, 20), (0.1, 44)],
                vec![Started { at_ms: 160 }, Ended { at_ms: 704 }],
            ),
            // A pause shorter than the hangover is part of it; so is a gap before the onset.
            (
                &[
                    (0.1, 10),
                    (0.9, 3),
                    (0.1, 2),
                    (0.9, 20),
                    (0.1, 20),
                    (0.9, 5),
                    (0.1, 50),
                ],
                vec![Started { at_ms: 160 }, Ended { at_ms: 864 }],
            ),
        ];
        for (scores, want) in cases {
            assert_eq!(told(options, scores), want, "{scores:?}");
        }
    }

    #[test]
    fn the_hangover_is_a_parameter() {
        let options = VadOptions {
            hangover_ms: 0,
            ..VadOptions::default()
        };
        let events = told(options, &[(0.9, 10), (0.1, 3)]);
        assert_eq!(events.last(), Some(&VoiceEvent::Ended { at_ms: 64 }));
    }

    fn vowel(ms: u64) -> Vec<i16> {
        // A glottal pulse train of 120 Hz through three formants: enough of a voice for the network.
        let count = (ms * 8) as usize;
        let mut out = vec![0f64; count];
        for (formant, width, gain) in [
            (700.0, 80.0, 1.0),
            (1_200.0, 90.0, 0.6),
            (2_500.0, 120.0, 0.25),
        ] {
            let r = (-std::f64::consts::PI * width / 8_000.0f64).exp();
            let c = 2.0 * r * (std::f64::consts::TAU * formant / 8_000.0f64).cos();
            let (mut y1, mut y2, mut phase) = (0.0, 0.0, 0.0f64);
            for (n, slot) in out.iter_mut().enumerate() {
                phase += (120.0 + 6.0 * (n as f64 / 1_600.0).sin()) / 8_000.0;
                let pulse = if phase >= 1.0 {
                    phase -= 1.0;
                    1.0
                } else {
                    0.0
                };
                let y = pulse + c * y1 - r * r * y2;
                (y2, y1) = (y1, y);
                *slot += y * gain;
            }
        }
        let peak = out.iter().fold(1e-9f64, |m, s| m.max(s.abs()));
        out.iter().map(|s| (s / peak * 12_000.0) as i16).collect()
    }

    fn frames(samples: &[i16]) -> impl Iterator<Item = Frame> {
        samples.chunks_exact(160).map(|c| {
            let mut frame = [0i16; 160];
            frame.copy_from_slice(c);
            Frame(frame)
        })
    }

    #[test]
    fn a_voice_is_heard_where_it_is() {
        let mut samples = vec![0i16; 8_000];
        samples.extend(vowel(600));
        samples.extend(vec![0i16; 16_000]);
        let mut vad = Vad::default();
        let events: Vec<_> = frames(&samples).filter_map(|f| vad.push(&f)).collect();
        let [
            VoiceEvent::Started { at_ms: start },
            VoiceEvent::Ended { at_ms: end },
        ] = events[..]
        else {
            panic!("{events:?}");
        };
        assert!((960..1_120).contains(&start), "began at {start}");
        assert!((1_540..1_700).contains(&end), "ended at {end}");
        assert_eq!(vad.voice_since_ms(), None);
    }

    #[test]
    fn noise_and_tones_of_the_line_are_no_voice() {
        let mut seed = 1u32;
        let noise: Vec<i16> = (0..24_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 16) as i16) / 200
            })
            .collect();
        let mut vad = Vad::default();
        assert_eq!(frames(&noise).filter_map(|f| vad.push(&f)).count(), 0);
    }

    #[test]
    #[ignore = "a measurement: cargo test --release --lib vad::tests::cost -- --ignored --nocapture"]
    fn cost() {
        let samples: Vec<i16> = vowel(10_000);
        let mut vad = Vad::default();
        let began = std::time::Instant::now();
        for _ in 0..10 {
            for frame in frames(&samples) {
                std::hint::black_box(vad.push(&frame));
            }
        }
        let each = began.elapsed().as_secs_f64() * 1_000.0 / 100.0;
        // Printed for whoever measures; the bound only catches a change by an order of magnitude.
        #[allow(clippy::print_stderr)]
        {
            eprintln!("voice activity: {each:.3} ms a second of audio");
        }
        assert!(each < 20.0);
    }
}
