//! Changes of sample rate: by two, as a stream; from any sane rate to 8 kHz, as a whole file.

use super::frame::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// Taps on each side of the interpolated point of [`Doubler`] and [`Halver`].
const SIDE: usize = 6;

/// Half-band low-pass: the odd taps of a windowed sinc; the even ones are zero but for the middle.
fn half_band() -> [f32; SIDE] {
    let mut taps = [0f64; SIDE];
    for (k, tap) in taps.iter_mut().enumerate() {
        let x = k as f64 + 0.5;
        let phase = std::f64::consts::PI * x;
        let window = 0.5 + 0.5 * (phase / (SIDE as f64 + 0.5)).cos();
        *tap = phase.sin() / phase * window;
    }
    // Both sides together pass a constant unchanged.
    let sum: f64 = taps.iter().sum::<f64>() * 2.0;
    taps.map(|tap| (tap / sum) as f32)
}

/// 8 kHz to 16 kHz as a stream, for voice activity detection. Delays by 0.75 ms.
#[derive(Clone, Debug)]
pub struct Doubler {
    taps: [f32; SIDE],
    /// The last samples of the frame before, so that frames join without a click.
    tail: [f32; SIDE * 2],
}

impl Default for Doubler {
    fn default() -> Self {
        Self {
            taps: half_band(),
            tail: [0.0; SIDE * 2],
        }
    }
}

impl Doubler {
    /// 160 samples in, 320 out, in the range -1 to 1.
    pub fn push(&mut self, frame: &Frame, out: &mut [f32; FRAME_SAMPLES * 2]) {
        let mut line = [0f32; FRAME_SAMPLES + SIDE * 2];
        line[..SIDE * 2].copy_from_slice(&self.tail);
        for (slot, sample) in line[SIDE * 2..].iter_mut().zip(frame.0) {
            *slot = f32::from(sample) / 32_768.0;
        }
        // Tap by tap over the whole frame: so the compiler does several samples at once.
        let mut between = [0f32; FRAME_SAMPLES];
        for (k, tap) in self.taps.iter().enumerate() {
            let before = &line[SIDE - k..SIDE - k + FRAME_SAMPLES];
            let after = &line[SIDE + 1 + k..SIDE + 1 + k + FRAME_SAMPLES];
            for (sum, (a, b)) in between.iter_mut().zip(before.iter().zip(after)) {
                *sum += tap * (a + b);
            }
        }
        let here = &line[SIDE..SIDE + FRAME_SAMPLES];
        for (pair, (here, between)) in out.chunks_exact_mut(2).zip(here.iter().zip(&between)) {
            pair[0] = here.clamp(-1.0, 1.0);
            pair[1] = between.clamp(-1.0, 1.0);
        }
        self.tail.copy_from_slice(&line[FRAME_SAMPLES..]);
    }
}

/// 16 kHz to 8 kHz as a stream, for peers that insist on wide-band audio.
#[derive(Clone, Debug)]
pub struct Halver {
    taps: [f32; SIDE],
    /// The last `4 * SIDE - 1` input samples, oldest first.
    line: [f32; SIDE * 4],
    odd: bool,
}

impl Default for Halver {
    fn default() -> Self {
        Self {
            taps: half_band(),
            line: [0.0; SIDE * 4],
            odd: false,
        }
    }
}

impl Halver {
    /// One 16 kHz sample in; every second call gives an 8 kHz sample.
    pub fn push(&mut self, sample: i16) -> Option<i16> {
        self.line.copy_within(1.., 0);
        self.line[SIDE * 4 - 1] = f32::from(sample);
        self.odd = !self.odd;
        if self.odd {
            return None;
        }
        let middle = SIDE * 2;
        let mut sum = self.line[middle];
        for (k, tap) in self.taps.iter().enumerate() {
            let reach = 2 * k + 1;
            sum += tap * (self.line[middle - reach] + self.line[middle + reach]);
        }
        Some(to_i16(sum / 2.0))
    }
}

/// A whole recording at `rate` samples a second to 8 kHz: windowed sinc, about 60 dB of stop band. Input in -1 to 1.
pub fn to_8k(input: &[f32], rate: u32) -> Vec<i16> {
    if rate == SAMPLE_RATE {
        return input.iter().map(|s| to_i16(s * 32_768.0)).collect();
    }
    let common = gcd(rate, SAMPLE_RATE);
    let (step, phases) = ((rate / common) as usize, (SAMPLE_RATE / common) as usize);
    let cutoff = (f64::from(SAMPLE_RATE) / f64::from(rate)).min(1.0) * 0.94;
    let side = (24.0 / cutoff).ceil() as usize;
    let kernels: Vec<Vec<f32>> = (0..phases)
        .map(|phase| kernel(phase as f64 / phases as f64, cutoff, side))
        .collect();
    let length = (input.len() as u64 * u64::from(SAMPLE_RATE)).div_ceil(u64::from(rate)) as usize;
    (0..length)
        .map(|n| {
            let (at, phase) = (n * step / phases, n * step % phases);
            let taps = &kernels[phase];
            // Tap 0 sits on input sample `at + 1 - side`.
            let skip = (side - 1).saturating_sub(at);
            let from = (at + 1 + skip).saturating_sub(side);
            let sum: f32 = taps[skip..]
                .iter()
                .zip(&input[from.min(input.len())..])
                .map(|(tap, sample)| tap * sample)
                .sum();
            to_i16(sum * 32_768.0)
        })
        .collect()
}

/// Taps for an output point `offset` (0 to 1) after input sample `side - 1`.
fn kernel(offset: f64, cutoff: f64, side: usize) -> Vec<f32> {
    let taps: Vec<f64> = (0..side * 2)
        .map(|k| {
            let x = k as f64 - (side as f64 - 1.0) - offset;
            let phase = std::f64::consts::PI * x * cutoff;
            let sinc = if phase.abs() < 1e-9 {
                1.0
            } else {
                phase.sin() / phase
            };
            let w = (x / side as f64).clamp(-1.0, 1.0) * std::f64::consts::PI;
            sinc * (0.42 + 0.5 * w.cos() + 0.08 * (2.0 * w).cos())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

fn to_i16(sample: f32) -> i16 {
    // `as` saturates, and takes NaN for 0.
    sample.round() as i16
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, hertz: f64, seconds: f64) -> Vec<f32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| {
                (n as f64 * hertz * std::f64::consts::TAU / f64::from(rate)).sin() as f32 * 0.5
            })
            .collect()
    }

    fn rms(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        (sum / samples.len() as f64).sqrt()
    }

    /// Full-scale half sine: 16384 / sqrt 2.
    const HALF: f64 = 11_585.0;

    #[test]
    fn speech_band_passes_and_what_would_alias_does_not() {
        for rate in [
            8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
        ] {
            let passed = to_8k(&sine(rate, 1_000.0, 0.5), rate);
            assert_eq!(passed.len(), 4_000, "{rate}");
            let level = rms(&passed[400..3_600]);
            assert!((level - HALF).abs() < 120.0, "{rate}: {level}");
            if rate > 10_000 {
                let stopped = to_8k(&sine(rate, 5_000.0, 0.5), rate);
                let level = rms(&stopped[400..3_600]);
                assert!(level < HALF / 300.0, "{rate}: {level} left of 5 kHz");
            }
        }
    }

    #[test]
    fn a_tone_keeps_its_frequency_and_place() {
        let out = to_8k(&sine(44_100, 440.0, 0.25), 44_100);
        let want = sine(8_000, 440.0, 0.25);
        for (n, (got, want)) in out.iter().zip(&want).enumerate().skip(200).take(1_600) {
            assert!(
                (f32::from(*got) - want * 32_768.0).abs() < 150.0,
                "sample {n}"
            );
        }
    }

    #[test]
    fn odd_rates_and_empty_inputs_do_no_harm() {
        assert!(to_8k(&[], 44_100).is_empty());
        assert_eq!(to_8k(&[0.5; 3], 192_000).len(), 1);
        assert_eq!(to_8k(&vec![0.25; 7_999], 7_999).len(), 8_000);
    }

    #[test]
    fn doubling_and_halving_give_the_signal_back() {
        let mut doubler = Doubler::default();
        let mut halver = Halver::default();
        let tone = to_8k(&sine(8_000, 700.0, 0.2), 8_000);
        let mut back = Vec::new();
        for chunk in tone.chunks_exact(FRAME_SAMPLES) {
            let mut samples = [0i16; FRAME_SAMPLES];
            samples.copy_from_slice(chunk);
            let mut wide = [0f32; FRAME_SAMPLES * 2];
            doubler.push(&Frame(samples), &mut wide);
            back.extend(
                wide.iter()
                    .filter_map(|s| halver.push(to_i16(s * 32_768.0))),
            );
        }
        assert_eq!(back.len(), tone.len());
        let level = rms(&back[160..]);
        assert!((level - HALF).abs() < 150.0, "{level}");
        // The whole delay is found by the best match, and is short.
        let error = |lag: usize| -> f64 {
            (200..1_400)
                .map(|n| (f64::from(back[n + lag]) - f64::from(tone[n])).powi(2))
                .sum()
        };
        let lag = (0..40)
            .min_by(|a, b| error(*a).total_cmp(&error(*b)))
            .unwrap();
        assert!(lag < 16, "{lag}");
        assert!((error(lag) / 1_200.0).sqrt() < 4_000.0);
    }
}
