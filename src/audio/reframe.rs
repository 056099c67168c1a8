//! Cuts a stream of samples, that comes in pieces of any length, into 20 ms frames.

use super::frame::{FRAME_SAMPLES, Frame};

/// Keeps what is left over of a frame between pieces. Allocates nothing.
#[derive(Clone, Debug)]
pub struct Reframer {
    frame: [i16; FRAME_SAMPLES],
    filled: usize,
    /// The first half of a sample that a piece ended in.
    half: Option<u8>,
}

impl Default for Reframer {
    fn default() -> Self {
        Self {
            frame: [0; FRAME_SAMPLES],
            filled: 0,
            half: None,
        }
    }
}

impl Reframer {
    /// Adds one sample; gives the frame that it completed.
    pub fn push(&mut self, sample: i16) -> Option<Frame> {
        self.frame[self.filled] = sample;
        self.filled += 1;
        if self.filled < FRAME_SAMPLES {
            return None;
        }
        self.filled = 0;
        Some(Frame(self.frame))
    }

    /// Adds little-endian 16-bit samples; gives each completed frame to `out`.
    pub fn push_le_bytes(&mut self, mut bytes: &[u8], mut out: impl FnMut(Frame)) {
        // What nearly always comes: whole frames, nothing left over from before.
        if self.filled == 0 && self.half.is_none() {
            while let Some((head, rest)) = bytes.split_at_checked(FRAME_SAMPLES * 2) {
                if let Some(frame) = Frame::from_le_bytes(head) {
                    out(frame);
                }
                bytes = rest;
            }
        }
        for &byte in bytes {
            match self.half.take() {
                None => self.half = Some(byte),
                Some(low) => {
                    if let Some(frame) = self.push(i16::from_le_bytes([low, byte])) {
                        out(frame);
                    }
                }
            }
        }
    }

    /// Forgets what is left over.
    pub fn clear(&mut self) {
        self.filled = 0;
        self.half = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_of_any_length_give_the_same_frames(
            bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
            cuts in proptest::collection::vec(1usize..400, 1..40),
        ) {
            let mut frames = Vec::new();
            let mut reframer = Reframer::default();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                reframer.push_le_bytes(head, |f| frames.push(f));
                rest = tail;
            }
            let whole: Vec<Frame> = bytes.chunks_exact(320).filter_map(Frame::from_le_bytes).collect();
            prop_assert_eq!(frames, whole);
        }
    }
}
