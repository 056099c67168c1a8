//! Single tones in a call's audio: the beep of an answering machine, the ring-back and busy tones of the network.
//!
//! Of every 20 ms that are loud enough the one frequency is estimated that explains them best, and its share of the frame's
//! energy is measured (Goertzel). A voice has several harmonics and moves; a tone has one and stands. Pure.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use super::frame::{FRAME_MS, FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// Loudest sample of a frame that is no tone: -44 dB.
const QUIET_PEAK: u16 = 200;
/// The one frequency holds at least so much of a frame's energy.
const PURE: f64 = 0.88;
/// A tone stays within so many Hz.
const STEADY_HZ: f64 = 30.0;
/// Frequencies that are looked for, Hz.
const RANGE_HZ: (f64, f64) = (350.0, 1_950.0);
/// Shortest tone, milliseconds.
pub const SHORTEST_MS: u64 = 140;
/// Frames without it that end a tone.
const ENDS_AFTER: u64 = 2;

/// Something about a tone. Times are milliseconds of the audio fed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToneEvent {
    /// A tone goes on for [`SHORTEST_MS`] already.
    Started(Tone),
    /// It has ended.
    Ended(Tone),
}

/// A tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// When it began.
    pub from_ms: u64,
    /// When it was last heard.
    pub to_ms: u64,
    /// Its frequency, Hz.
    pub hz: u32,
}

impl Tone {
    /// How long it was heard, milliseconds.
    pub fn lasted_ms(self) -> u64 {
        self.to_ms - self.from_ms
    }

    /// Dial, ring-back, busy and congestion tones: 425 Hz in Russia and Europe, with what codecs make of it.
    pub fn is_of_the_network(self) -> bool {
        (395..=455).contains(&self.hz)
    }
}

/// A tone that may have begun.
#[derive(Clone, Copy, Debug)]
struct Run {
    from_ms: u64,
    to_ms: u64,
    hz: f64,
    frames: u64,
    missed: u64,
    told: bool,
}

impl Run {
    fn tone(self) -> Tone {
        // Within RANGE_HZ.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let hz = self.hz.round() as u32;
        Tone {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            hz,
        }
    }
}

/// The detector of one stream.
#[derive(Clone, Debug, Default)]
pub struct ToneDetector {
    frames: u64,
    run: Option<Run>,
}

impl ToneDetector {
    /// The next 20 ms.
    pub fn push(&mut self, frame: &Frame) -> Option<ToneEvent> {
        let from_ms = self.frames * FRAME_MS;
        self.frames += 1;
        let heard = frequency(frame);
        match (&mut self.run, heard) {
            (Some(run), Some(hz)) if (hz - run.hz).abs() <= STEADY_HZ => {
                run.frames += 1;
                run.missed = 0;
                run.to_ms = from_ms + FRAME_MS;
                // The first frame may hold only the tone's beginning.
                run.hz += (hz - run.hz) / f64::from(u32::try_from(run.frames.min(8)).unwrap_or(8));
                if !run.told && run.to_ms - run.from_ms >= SHORTEST_MS {
                    run.told = true;
                    return Some(ToneEvent::Started(run.tone()));
                }
                None
            }
            (Some(run), heard) => {
                run.missed += 1;
                if run.missed < ENDS_AFTER && run.told {
                    return None;
                }
                let ended = *run;
                self.run = heard.map(|hz| begun(from_ms, hz));
                ended.told.then(|| ToneEvent::Ended(ended.tone()))
            }
            (None, Some(hz)) => {
                self.run = Some(begun(from_ms, hz));
                None
            }
            (None, None) => None,
        }
    }

    /// A tone goes on now.
    pub fn now(&self) -> Option<Tone> {
        self.run.filter(|run| run.told).map(Run::tone)
    }
}

fn begun(from_ms: u64, hz: f64) -> Run {
    Run {
        from_ms,
        to_ms: from_ms + FRAME_MS,
        hz,
        frames: 1,
        missed: 0,
        told: false,
    }
}

/// The one frequency that a frame is made of, if it is.
fn frequency(frame: &Frame) -> Option<f64> {
    let samples = &frame.0;
    if samples.iter().all(|s| s.unsigned_abs() <= QUIET_PEAK) {
        return None;
    }
    // Autocorrelation at lags 0, 1 and 2; of lag 0 the noise is a part, so only the others tell the frequency (Pisarenko).
    let (mut energy, mut one, mut two) = (0.0, 0.0, 0.0);
    for three in samples.windows(3) {
        let [a, b, c] = [three[0], three[1], three[2]].map(f64::from);
        energy += a * a;
        one += a * b;
        two += a * c;
    }
    for last in &samples[FRAME_SAMPLES - 2..] {
        energy += f64::from(*last) * f64::from(*last);
    }
    if one == 0.0 {
        return None;
    }
    let cos = (two + (two * two + 8.0 * one * one).sqrt()) / (4.0 * one);
    if !(-1.0..=1.0).contains(&cos) {
        return None;
    }
    let hz = cos.acos() * f64::from(SAMPLE_RATE) / (2.0 * PI);
    if hz < RANGE_HZ.0 || hz > RANGE_HZ.1 {
        return None;
    }
    // Goertzel at that frequency.
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + 2.0 * cos * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - 2.0 * cos * last * before;
    #[allow(clippy::cast_precision_loss)]
    let share = 2.0 * power / (FRAME_SAMPLES as f64 * energy);
    (share >= PURE).then_some(hz)
}

/// A plain tone of that pitch and length: what a voice mail gives before it listens. Its ends are soft, lest they click.
pub fn beep(hz: u32, ms: u64) -> Arc<[i16]> {
    let rate = f64::from(SAMPLE_RATE);
    let length = usize::try_from(ms * u64::from(SAMPLE_RATE) / 1000).unwrap_or(0);
    let sample = |n: usize| {
        let edge = (n.min(length - n) as f64 / (rate / 100.0)).min(1.0);
        let wave = (n as f64 * f64::from(hz) * TAU / rate).sin();
        // Within a quarter of the range, so the number fits.
        #[allow(clippy::cast_possible_truncation)]
        let sample = (wave * edge * 8_000.0) as i16;
        sample
    };
    (0..length).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav;

    /// `ms` of a sine with some noise, through A-law, as a trunk brings it.
    fn sine(hz: f64, amplitude: f64, noise: f64, ms: u64) -> Vec<Frame> {
        let mut seed = 1_u32;
        let samples: Vec<i16> = (0..ms * 8)
            .map(|n| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let random = f64::from(seed >> 16) / 32_768.0 - 1.0;
                let sine = (2.0 * PI * hz * n as f64 / 8_000.0).sin();
                let pcm = (amplitude * sine + noise * random) as i16;
                crate::audio::g711::alaw_decode(crate::audio::g711::alaw_encode(pcm))
            })
            .collect();
        frames(&samples)
    }

    fn frames(samples: &[i16]) -> Vec<Frame> {
        let chunks = samples.chunks_exact(FRAME_SAMPLES);
        chunks
            .map(|c| Frame(c.try_into().expect("a frame")))
            .collect()
    }

    fn ended(frames: &[Frame]) -> Vec<Tone> {
        let mut detector = ToneDetector::default();
        let silence = [Frame::SILENCE; 4];
        let events = frames
            .iter()
            .chain(&silence)
            .filter_map(|f| detector.push(f));
        events
            .filter_map(|event| match event {
                ToneEvent::Ended(tone) => Some(tone),
                ToneEvent::Started(_) => None,
            })
            .collect()
    }

    #[test]
    fn beeps_of_all_sorts_are_tones() {
        for hz in [425.0, 440.0, 600.0, 800.0, 1_000.0, 1_400.0, 1_850.0] {
            for (amplitude, noise) in [(10_000.0, 0.0), (1_000.0, 30.0), (4_000.0, 400.0)] {
                let mut audio = vec![Frame::SILENCE; 10];
                audio.extend(sine(hz, amplitude, noise, 400));
                let tones = ended(&audio);
                assert_eq!(
                    tones.len(),
                    1,
                    "{hz} Hz at {amplitude} + {noise}: {tones:?}"
                );
                let tone = tones[0];
                assert!((f64::from(tone.hz) - hz).abs() < 25.0, "{hz}: {tone:?}");
                assert!((360..=400).contains(&tone.lasted_ms()), "{tone:?}");
                assert_eq!(tone.is_of_the_network(), hz < 450.0, "{tone:?}");
            }
        }
        assert!(
            ended(&sine(1_000.0, 8_000.0, 0.0, 100)).is_empty(),
            "a click"
        );
        assert!(
            ended(&sine(1_000.0, 8_000.0, 12_000.0, 800)).is_empty(),
            "noise"
        );
    }

    #[test]
    fn keys_and_voices_are_none() {
        // The key 5: 770 and 1336 Hz.
        let both = sine(770.0, 5_000.0, 0.0, 400)
            .into_iter()
            .zip(sine(1_336.0, 5_000.0, 0.0, 400))
            .map(|(a, b)| Frame(std::array::from_fn(|n| a.0[n] + b.0[n])));
        assert!(ended(&both.collect::<Vec<_>>()).is_empty());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/audio/ru");
        let mut heard = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "wav") {
                continue;
            }
            let sound = wav::decode("voice", &std::fs::read(&path).unwrap()).unwrap();
            let tones = ended(&frames(&sound.samples));
            assert!(tones.is_empty(), "{}: {tones:?}", path.display());
            heard += 1;
        }
        assert!(heard > 40, "{heard} recordings");
    }

    #[test]
    fn a_tone_that_goes_on_is_told_while_it_does() {
        let mut detector = ToneDetector::default();
        let mut told = None;
        for (n, frame) in sine(425.0, 3_000.0, 50.0, 1_000).iter().enumerate() {
            if let Some(event) = detector.push(frame) {
                assert!(matches!(event, ToneEvent::Started(_)), "{event:?}");
                told = Some((n as u64 + 1) * FRAME_MS);
            }
        }
        assert!(told.is_some_and(|ms| ms <= SHORTEST_MS + 20), "{told:?}");
        assert!(detector.now().is_some_and(Tone::is_of_the_network));
    }
}
