//! RIFF WAVE files: prompts in (any usual form), recordings and prompts for Asterisk out (8 kHz mono 16 bit).
//!
//! Read: PCM of 8, 16, 24, 32 bits, 32-bit float, A-law, mu-law; 1 to 8 channels (mixed to one); 4 to 192 kHz.

use super::frame::SAMPLE_RATE;
use super::{Sound, g711, resample};

/// Longest prompt, seconds.
pub const MAX_SECONDS: u64 = 600;
/// Largest file: [`MAX_SECONDS`] of 48 kHz stereo at 32 bits.
pub const MAX_FILE_BYTES: usize = 256 << 20;
/// Sample rates that are taken.
pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Most channels that are mixed.
pub const MAX_CHANNELS: u16 = 8;

/// What is wrong with a WAV file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// Not a WAV at all.
    #[error(
        "this is not a WAV file (it begins with {found:?}): convert it, e.g. `ffmpeg -i in -ar 8000 -ac 1 out.wav`"
    )]
    NotWav {
        /// The first bytes, printable.
        found: String,
    },
    /// A chunk that has to be there is not.
    #[error("the WAV file has no {chunk:?} chunk: it is damaged or cut off, save it again")]
    Missing {
        /// Its four letters.
        chunk: &'static str,
    },
    /// The file ends inside a chunk.
    #[error(
        "chunk {chunk:?} should have {declared} bytes but only {there} are there: the file is cut off, copy it again"
    )]
    Truncated {
        /// Its four letters.
        chunk: String,
        /// What its header says.
        declared: u64,
        /// What the file holds.
        there: u64,
    },
    /// A form of samples that we don't read.
    #[error(
        "samples of format {format} with {bits} bits are not read: save as PCM 16 bit (`ffmpeg -i in -c:a pcm_s16le out.wav`)"
    )]
    Format {
        /// `wFormatTag`.
        format: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// A rate that nobody records at.
    #[error("{rate} samples a second is out of 4000 to 192000: save at 8000")]
    Rate {
        /// What the file says.
        rate: u32,
    },
    /// None or too many channels.
    #[error("{channels} channels, 1 to {MAX_CHANNELS} are taken: save as mono")]
    Channels {
        /// What the file says.
        channels: u16,
    },
    /// Over the cap.
    #[error("{seconds} s long, at most {MAX_SECONDS} s are taken: split the prompt")]
    TooLong {
        /// Its length.
        seconds: u64,
    },
    /// Over the cap.
    #[error("{bytes} bytes long, at most {MAX_FILE_BYTES} are taken: save as 8 kHz mono 16 bit")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No sound in it.
    #[error("the WAV file holds no samples: record it again")]
    Empty,
}

/// How samples are written in the file.
#[derive(Clone, Copy)]
enum Coding {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    ALaw,
    MuLaw,
}

impl Coding {
    fn of(format: u16, bits: u16) -> Result<Self, WavError> {
        match (format, bits) {
            (1, 8) => Ok(Self::Unsigned8),
            (1, 16) => Ok(Self::Signed16),
            (1, 24) => Ok(Self::Signed24),
            (1, 32) => Ok(Self::Signed32),
            (3, 32) => Ok(Self::Float32),
            (6, 8) => Ok(Self::ALaw),
            (7, 8) => Ok(Self::MuLaw),
            _ => Err(WavError::Format { format, bits }),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::ALaw | Self::MuLaw => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
        }
    }

    fn read(self, b: &[u8]) -> f32 {
        match self {
            Self::Unsigned8 => (f32::from(b[0]) - 128.0) / 128.0,
            Self::Signed16 => f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0,
            Self::Signed24 => i32::from_le_bytes([0, b[0], b[1], b[2]]) as f32 / 2_147_483_648.0,
            Self::Signed32 => i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 2_147_483_648.0,
            Self::Float32 => {
                let sample = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                if sample.is_finite() { sample } else { 0.0 }
            }
            Self::ALaw => f32::from(g711::alaw_decode(b[0])) / 32_768.0,
            Self::MuLaw => f32::from(g711::ulaw_decode(b[0])) / 32_768.0,
        }
    }
}

struct Format {
    coding: Coding,
    channels: u16,
    rate: u32,
}

/// Reads a WAV file as a prompt called `name`, at 8 kHz mono.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Sound, WavError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(WavError::TooLarge { bytes: bytes.len() });
    }
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        let found = bytes[..bytes.len().min(4)].escape_ascii().to_string();
        return Err(WavError::NotWav { found });
    }
    let mut format = None;
    let mut rest = &bytes[12..];
    while let Some((header, body)) = rest.split_at_checked(8) {
        let declared = u64::from(u32_at(header, 4));
        let there = body.len() as u64;
        let id = &header[..4];
        if id == b"data" {
            let format = format.ok_or(WavError::Missing { chunk: "fmt " })?;
            // Programs that write to a pipe can't know the length; they leave 0 or a huge number.
            let streamed = declared == 0 || declared >= 0x7fff_0000;
            if declared > there && !streamed {
                return Err(truncated(id, declared, there));
            }
            let length = if streamed { there } else { declared };
            return samples(name, &body[..length as usize], &format);
        }
        if declared > there {
            return Err(truncated(id, declared, there));
        }
        let (chunk, after) = body.split_at(declared as usize);
        if id == b"fmt " {
            format = Some(read_format(chunk)?);
        }
        // Chunks are padded to an even length; the last one's pad may be missing.
        rest = after.get(declared as usize % 2..).unwrap_or_default();
    }
    Err(WavError::Missing {
        chunk: if format.is_some() { "data" } else { "fmt " },
    })
}

/// Writes 8 kHz mono 16-bit samples as a WAV file, as Asterisk plays it.
pub fn encode(samples: &[i16]) -> Vec<u8> {
    let data = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut out = Vec::with_capacity(44 + samples.len() * 2);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + data).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    for half in [1u16, 1] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    out.extend_from_slice(&(SAMPLE_RATE * 2).to_le_bytes());
    for half in [2u16, 16] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data.to_le_bytes());
    out.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    out
}

fn read_format(chunk: &[u8]) -> Result<Format, WavError> {
    if chunk.len() < 16 {
        return Err(truncated(b"fmt ", 16, chunk.len() as u64));
    }
    let u16_at = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
    let (mut format, bits) = (u16_at(0), u16_at(14));
    if format == 0xfffe {
        // WAVE_FORMAT_EXTENSIBLE: the real tag begins the sub-format's GUID.
        if chunk.len() < 26 {
            return Err(truncated(b"fmt ", 40, chunk.len() as u64));
        }
        format = u16_at(24);
    }
    let channels = u16_at(2);
    if channels == 0 || channels > MAX_CHANNELS {
        return Err(WavError::Channels { channels });
    }
    let rate = u32_at(chunk, 4);
    if !RATES.contains(&rate) {
        return Err(WavError::Rate { rate });
    }
    Ok(Format {
        coding: Coding::of(format, bits)?,
        channels,
        rate,
    })
}

fn samples(name: &str, data: &[u8], format: &Format) -> Result<Sound, WavError> {
    let each = format.coding.bytes();
    let block = each * usize::from(format.channels);
    let count = data.len() / block;
    if count == 0 {
        return Err(WavError::Empty);
    }
    let seconds = (count as u64).div_ceil(u64::from(format.rate));
    if seconds > MAX_SECONDS {
        return Err(WavError::TooLong { seconds });
    }
    let mono: Vec<f32> = data
        .chunks_exact(block)
        .map(|block| {
            let sum: f32 = block
                .chunks_exact(each)
                .map(|b| format.coding.read(b))
                .sum();
            sum / f32::from(format.channels)
        })
        .collect();
    Ok(Sound::new(name, resample::to_8k(&mono, format.rate)))
}

fn truncated(id: &[u8], declared: u64, there: u64) -> WavError {
    WavError::Truncated {
        chunk: id.escape_ascii().to_string(),
        declared,
        there,
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut fmt = Vec::new();
        fmt.extend_from_slice(&format.to_le_bytes());
        fmt.extend_from_slice(&channels.to_le_bytes());
        fmt.extend_from_slice(&rate.to_le_bytes());
        fmt.extend_from_slice(&[0; 6]);
        fmt.extend_from_slice(&bits.to_le_bytes());
        riff(&[(b"fmt ", &fmt), (b"LIST", b"odd"), (b"data", data)])
    }

    fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut out = b"RIFF\0\0\0\0WAVE".to_vec();
        for (id, body) in chunks {
            out.extend_from_slice(*id);
            out.extend_from_slice(&(body.len() as u32).to_le_bytes());
            out.extend_from_slice(body);
            if body.len() % 2 == 1 {
                out.push(0);
            }
        }
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let samples: Vec<i16> = (0..800).map(|n| (n * 37 - 12_000) as i16).collect();
        let sound = decode("p", &encode(&samples)).unwrap();
        assert_eq!(&sound.samples[..], &samples[..]);
        assert_eq!(sound.duration_ms(), 100);
    }

    #[test]
    fn every_form_of_samples_is_read() {
        // 0.25 of full scale in each coding.
        let cases: [(u16, u16, &[u8]); 7] = [
            (1, 8, &[160]),
            (1, 16, &[0x00, 0x20]),
            (1, 24, &[0x00, 0x00, 0x20]),
            (1, 32, &[0x00, 0x00, 0x00, 0x20]),
            (3, 32, &0.25f32.to_le_bytes()),
            (6, 8, &[g711::alaw_encode(8_192)]),
            (7, 8, &[g711::ulaw_encode(8_192)]),
        ];
        for (format, bits, one) in cases {
            for channels in [1u16, 2] {
                let data = one.repeat(usize::from(channels) * 400);
                let sound = decode("x", &file(format, channels, 8_000, bits, &data)).unwrap();
                assert_eq!(sound.samples.len(), 400);
                assert!(
                    (sound.samples[200] - 8_192).abs() < 260,
                    "{format}/{bits}: {}",
                    sound.samples[200]
                );
            }
        }
        let mut extensible = vec![0u8; 40];
        extensible[..2].copy_from_slice(&[0xfe, 0xff]);
        extensible[2] = 1;
        extensible[4..8].copy_from_slice(&16_000u32.to_le_bytes());
        extensible[14] = 16;
        extensible[24] = 1;
        let wide = riff(&[(b"fmt ", &extensible), (b"data", &[0; 640])]);
        assert_eq!(decode("x", &wide).unwrap().samples.len(), 160);
    }

    #[test]
    fn faults_name_the_chunk_and_the_mend() {
        let cases: [(Vec<u8>, &str); 10] = [
            (
                b"ID3\x04mp3".to_vec(),
                "not a WAV file (it begins with \"ID3\\\\x04\")",
            ),
            (Vec::new(), "not a WAV file"),
            (riff(&[]), "no \"fmt \" chunk"),
            (riff(&[(b"data", &[0; 4])]), "no \"fmt \" chunk"),
            (file(85, 1, 8_000, 0, &[]), "format 85 with 0 bits"),
            (file(1, 1, 100, 16, &[0; 4]), "100 samples a second"),
            (file(1, 0, 8_000, 16, &[0; 4]), "0 channels"),
            (file(1, 1, 8_000, 16, &[]), "no samples"),
            (file(1, 1, 4_000, 8, &vec![0; 4_000 * 601]), "601 s long"),
            (
                {
                    let mut cut = file(1, 1, 8_000, 16, &[0; 400]);
                    cut.truncate(cut.len() - 100);
                    cut
                },
                "chunk \"data\" should have 400 bytes but only 300",
            ),
        ];
        for (bytes, want) in cases {
            let error = decode("x", &bytes).unwrap_err().to_string();
            assert!(error.contains(want), "{error:?} lacks {want:?}");
        }
    }

    #[test]
    fn a_pipes_unknown_length_takes_what_is_there() {
        let mut bytes = encode(&[7; 80]);
        bytes[40..44].copy_from_slice(&0xffff_ffffu32.to_le_bytes());
        assert_eq!(decode("x", &bytes).unwrap().samples.len(), 80);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
            if head {
                bytes.splice(0..0, file(1, 1, 8_000, 16, &[])[..36].to_vec());
            }
            let _ = decode("x", &bytes);
        }
    }
}
