//! Two mono recordings, as Asterisk writes them, seen as one WAV: stereo or mixed. Any piece of it can be made from the
//! same pieces of the two, so that it is served in ranges without ever being whole in memory or on disk.

use std::ops::Range;

/// Bytes of the header that [`header`] writes.
pub const HEADER: usize = 44;

/// A mono file of 16-bit PCM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mono {
    /// Samples a second.
    pub rate: u32,
    /// Where its samples lie, bytes.
    pub samples: Range<u64>,
    /// The header tells that very length: the file is whole.
    pub whole: bool,
}

impl Mono {
    /// From the first bytes of a file of `length` bytes; `None`: it is no 16-bit mono WAV (or not yet).
    pub fn read(head: &[u8], length: u64) -> Option<Self> {
        let u32_at = |at: usize| {
            let bytes = head.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        if head.get(..4)? != b"RIFF" || head.get(8..12)? != b"WAVE" {
            return None;
        }
        let (mut at, mut rate) = (12, None);
        loop {
            let (name, size) = (head.get(at..at + 4)?, u32_at(at + 4)?);
            if name == b"fmt " {
                let form = head.get(at + 8..at + 24)?;
                // PCM, one channel, 16 bits.
                if form[..4] != [1, 0, 1, 0] || form[14..16] != [16, 0] {
                    return None;
                }
                rate = u32_at(at + 12);
            }
            if name == b"data" {
                let start = at as u64 + 8;
                let there = length.checked_sub(start)?;
                let declared = u64::from(size);
                let (whole, bytes) = match declared <= there && declared > 0 {
                    true => (declared + 1 >= there, declared),
                    // The writer hasn't come to its end, or died.
                    false => (there == 0, there),
                };
                let samples = start..start + bytes / 2 * 2;
                return rate.map(|rate| Self {
                    rate,
                    samples,
                    whole,
                });
            }
            at = at.checked_add(8 + size as usize + size as usize % 2)?;
        }
    }

    /// How many samples.
    pub fn count(&self) -> u64 {
        (self.samples.end - self.samples.start) / 2
    }
}

/// The header of a WAV of 16-bit PCM with so many bytes of samples.
pub fn header(channels: u16, rate: u32, bytes: u64) -> [u8; HEADER] {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX - 36);
    let block = channels * 2;
    let mut out = [0; HEADER];
    let mut put = |at: usize, part: &[u8]| out[at..at + part.len()].copy_from_slice(part);
    put(0, b"RIFF");
    put(4, &(36 + bytes).to_le_bytes());
    put(8, b"WAVEfmt \x10\0\0\0\x01\0");
    put(22, &channels.to_le_bytes());
    put(24, &rate.to_le_bytes());
    put(28, &(rate * u32::from(block)).to_le_bytes());
    put(32, &block.to_le_bytes());
    put(34, &16u16.to_le_bytes());
    put(36, b"data");
    put(40, &bytes.to_le_bytes());
    out
}

/// Sample by sample, left and right in turn. The shorter one is silent at its end.
pub fn interleave(left: &[u8], right: &[u8]) -> Vec<u8> {
    pairs(left, right)
        .flat_map(|(l, r)| [l[0], l[1], r[0], r[1]])
        .collect()
}

/// Both added up, cut at what a sample can hold.
pub fn mix(left: &[u8], right: &[u8]) -> Vec<u8> {
    pairs(left, right)
        .flat_map(|(l, r)| {
            i16::from_le_bytes(l)
                .saturating_add(i16::from_le_bytes(r))
                .to_le_bytes()
        })
        .collect()
}

fn pairs(left: &[u8], right: &[u8]) -> impl Iterator<Item = ([u8; 2], [u8; 2])> {
    let sample = |of: &[u8], at: usize| match of.get(at..at + 2) {
        Some(two) => [two[0], two[1]],
        None => [0, 0],
    };
    let most = left.len().max(right.len()) / 2;
    (0..most).map(move |n| (sample(left, n * 2), sample(right, n * 2)))
}

#[cfg(test)]
mod tests {
    use super::super::wav;
    use super::*;

    #[test]
    fn a_file_of_asterisks_is_read_whole_and_unfinished() {
        let file = wav::encode(&[1, 2, 3]);
        let mono = Mono::read(&file, file.len() as u64).unwrap();
        assert_eq!(
            (mono.rate, mono.samples.clone(), mono.whole),
            (8000, 44..50, true)
        );
        assert_eq!(mono.count(), 3);
        // Begun: the header still says 0.
        let mut begun = file.clone();
        begun[40..44].fill(0);
        let mono = Mono::read(&begun, 50).unwrap();
        assert_eq!((mono.samples.clone(), mono.whole), (44..50, false));
        // A header alone is a recording of nothing.
        assert!(Mono::read(&begun, 44).unwrap().whole);
        for (what, head) in [
            ("cut", &file[..30]),
            ("no WAV", b"RIFFxxxxOGGSfmt ".as_slice()),
            ("empty", &[]),
        ] {
            assert_eq!(Mono::read(head, 50), None, "{what}");
        }
        let mut stereo = file;
        stereo[22] = 2;
        assert_eq!(Mono::read(&stereo, 50), None);
    }

    #[test]
    fn a_header_is_that_of_the_same_samples() {
        assert_eq!(header(1, 8000, 6), wav::encode(&[1, 2, 3])[..44]);
        let stereo = [&header(2, 8000, 8)[..], &interleave(&[0, 1, 2, 3], &[4, 5])].concat();
        assert_eq!(&stereo[44..], [0, 1, 4, 5, 2, 3, 0, 0]);
        // Mixed to one by the reader of prompts: (256 + 1284) / 2.
        assert_eq!(wav::decode("x", &stereo).unwrap().samples[0], 770);
    }

    #[test]
    fn a_mix_is_cut_and_not_turned_over() {
        let two = |a: i16, b: i16| mix(&a.to_le_bytes(), &b.to_le_bytes());
        assert_eq!(two(30_000, 30_000), i16::MAX.to_le_bytes());
        assert_eq!(two(-30_000, 1), (-29_999i16).to_le_bytes());
    }
}
