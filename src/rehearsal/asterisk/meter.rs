//! What the far end hears of us on a both-way medium: when a prompt began, when it stopped, whether its frames were
//! paced. Pure: time is an argument.

use crate::audio::frame::FRAME_MS;

/// A sample over this is sound, not silence.
const LOUD: u16 = 200;
/// So long without sound is the end of a prompt.
pub const PROMPT_GAP_MS: u64 = 240;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sound began.
    Started,
    /// It ended: its last loud frame ended then, and so much of it was heard.
    Ended {
        /// When the last loud frame was over.
        at_ms: u64,
        /// From the first loud frame to the last.
        played_ms: u64,
    },
}

/// Follows the frames of one medium.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    first_frame_ms: Option<u64>,
    frames: u64,
    /// The prompt that is heard: its first loud frame and its last.
    prompt: Option<(u64, u64)>,
    most_ahead_ms: u64,
}

impl Meter {
    /// A frame of ours arrived (or was taken from the queue where the medium has one). Call [`Self::tick`] first.
    pub fn push(&mut self, now_ms: u64, peak: u16) -> Option<Change> {
        let first = *self.first_frame_ms.get_or_insert(now_ms);
        self.frames += 1;
        let sent_ms = self.frames * FRAME_MS;
        self.most_ahead_ms = self
            .most_ahead_ms
            .max(sent_ms.saturating_sub(now_ms - first));
        if peak <= LOUD {
            return None;
        }
        match &mut self.prompt {
            Some((_, last)) => {
                *last = now_ms;
                None
            }
            None => {
                self.prompt = Some((now_ms, now_ms));
                Some(Change::Started)
            }
        }
    }

    /// Time went on.
    pub fn tick(&mut self, now_ms: u64) -> Option<Change> {
        let (first, last) = self.prompt?;
        (now_ms >= last + PROMPT_GAP_MS).then(|| self.end(first, last))
    }

    /// No more will come.
    pub fn close(&mut self) -> Option<Change> {
        let (first, last) = self.prompt?;
        Some(self.end(first, last))
    }

    fn end(&mut self, first: u64, last: u64) -> Change {
        self.prompt = None;
        Change::Ended {
            at_ms: last + FRAME_MS,
            played_ms: last + FRAME_MS - first,
        }
    }

    /// When to call [`Self::tick`] next.
    pub fn due_ms(&self) -> Option<u64> {
        self.prompt.map(|(_, last)| last + PROMPT_GAP_MS)
    }

    /// Frames in all.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// By how much the sender ran ahead of the clock at most: over some frames, it doesn't pace.
    pub fn most_ahead_ms(&self) -> u64 {
        self.most_ahead_ms
    }
}

/// The loudest sample of signed 16-bit little-endian bytes.
pub fn peak(bytes: &[u8]) -> u16 {
    bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_begins_and_stops() {
        let mut meter = Meter::default();
        assert_eq!(meter.push(0, 0), None);
        assert_eq!(meter.push(20, 9_000), Some(Change::Started));
        assert_eq!(meter.push(40, 0), None, "a pause between words");
        assert_eq!(meter.push(60, 9_000), None);
        assert_eq!(meter.due_ms(), Some(300));
        assert_eq!(meter.tick(299), None);
        let ended = Some(Change::Ended {
            at_ms: 80,
            played_ms: 60,
        });
        assert_eq!(meter.tick(300), ended);
        assert_eq!((meter.tick(400), meter.close()), (None, None));
        assert_eq!(meter.push(500, 9_000), Some(Change::Started));
        assert!(matches!(meter.close(), Some(Change::Ended { .. })));
    }

    #[test]
    fn a_sender_that_does_not_pace_is_seen() {
        let mut paced = Meter::default();
        let mut flood = Meter::default();
        for n in 0..50 {
            paced.push(n * 20, 0);
            flood.push(n / 10, 0);
        }
        assert_eq!(paced.most_ahead_ms(), 20);
        assert_eq!(flood.most_ahead_ms(), 50 * 20 - 4);
        assert_eq!(peak(&[0, 128, 1, 0]), 32_768);
    }
}
