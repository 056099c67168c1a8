//! The one shape in which caller audio travels inside: 20 ms of 8 kHz mono 16-bit samples.

/// Samples a second, everywhere inside.
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples in a frame.
pub const FRAME_SAMPLES: usize = 160;
/// Milliseconds in a frame.
pub const FRAME_MS: u64 = 20;

/// 20 ms of sound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame(pub [i16; FRAME_SAMPLES]);

impl Frame {
    /// 20 ms of nothing.
    pub const SILENCE: Self = Self([0; FRAME_SAMPLES]);

    /// From signed linear little-endian bytes (320 of them); `None` where the length is another.
    pub fn from_le_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != FRAME_SAMPLES * 2 {
            return None;
        }
        let mut samples = [0i16; FRAME_SAMPLES];
        for (sample, pair) in samples.iter_mut().zip(bytes.chunks_exact(2)) {
            *sample = i16::from_le_bytes([pair[0], pair[1]]);
        }
        Some(Self(samples))
    }

    /// As signed linear little-endian bytes.
    pub fn to_le_bytes(&self) -> [u8; FRAME_SAMPLES * 2] {
        let mut bytes = [0u8; FRAME_SAMPLES * 2];
        for (pair, sample) in bytes.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&sample.to_le_bytes());
        }
        bytes
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let peak = self.0.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        write!(f, "Frame(peak {peak})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_both_ways() {
        let mut samples = [0i16; FRAME_SAMPLES];
        for (i, s) in samples.iter_mut().enumerate() {
            *s = (i as i16 - 80) * 300;
        }
        let frame = Frame(samples);
        assert_eq!(Frame::from_le_bytes(&frame.to_le_bytes()), Some(frame));
        assert_eq!(Frame::from_le_bytes(&[0; 319]), None);
    }
}
