//! What callers say: a mark that tells who it is, then a second of a real voice.

use govorun::audio::Sound;
use govorun::audio::frame::FRAME_SAMPLES;

/// Bits of a mark: the caller's number.
const BITS: usize = 10;
/// Samples of a bit.
const BIT: usize = FRAME_SAMPLES / BITS;
/// The mark's loudness; G.711 changes it by some per cent.
const LEVEL: i16 = 8_000;
/// The most callers that have a mark of their own.
pub(crate) const CALLERS: usize = 1 << BITS;

/// A word of caller `number`: one frame of mark, then `voice`.
pub(crate) fn word(number: usize, voice: &[i16]) -> Sound {
    let mut samples = Vec::with_capacity(FRAME_SAMPLES + voice.len());
    for bit in 0..BITS {
        let level = if number >> bit & 1 == 1 {
            LEVEL
        } else {
            -LEVEL
        };
        samples.extend([level; BIT]);
    }
    samples.extend_from_slice(voice);
    Sound::new(format!("word of {number}"), samples)
}

/// So many seconds of somebody who talks every other second; between, a line as it is: quiet, not digitally silent.
pub(crate) fn talk(seconds: usize, voice: &[i16]) -> Sound {
    let mut samples = Vec::with_capacity(seconds * 8_000);
    for at in 0..seconds * 8_000 {
        let within = at % 16_000;
        samples.push(match voice.get(within) {
            Some(sample) => *sample,
            None => [0, 8, -8, 0, 8, 8, -8, -8][at * 7 % 8],
        });
    }
    Sound::new("talk", samples)
}

/// The number of a frame's mark, if it is one.
pub(crate) fn caller_of(frame: &[i16]) -> Option<usize> {
    let mut number = 0;
    for (bit, samples) in frame.chunks_exact(BIT).enumerate() {
        let near = |sample: &i16| sample.unsigned_abs().abs_diff(LEVEL.unsigned_abs()) < 800;
        let same = samples.iter().all(|s| (*s > 0) == (samples[0] > 0));
        if !same || !samples.iter().all(near) {
            return None;
        }
        number |= usize::from(samples[0] > 0) << bit;
    }
    (frame.len() == FRAME_SAMPLES).then_some(number)
}

/// The prompt: loud enough to be seen by who listens on a both-way medium.
pub(crate) fn beep(ms: usize) -> Vec<i16> {
    let level = |n: usize| if n % 16 < 8 { 6_000 } else { -6_000 };
    (0..ms * 8).map(level).collect()
}
