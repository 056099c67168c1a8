//! A recording as the bytes of one WAV file, any piece of which can be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::UNIX_EPOCH;

use crate::audio::stereo::{self, HEADER, Mono};
use crate::store::RecordingsFolder;

/// More of a file than its header needs.
const HEAD: usize = 4_096;

/// Which of a recording's sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// Both: stereo where they were recorded apart, the person left; else as it was recorded.
    Both,
    /// What the person said.
    Caller,
    /// What they heard.
    Robot,
    /// Both in one channel.
    Mix,
}

impl Channel {
    pub(super) const WORDS: [(&'static str, Self); 4] = [
        ("both", Self::Both),
        ("caller", Self::Caller),
        ("robot", Self::Robot),
        ("mix", Self::Mix),
    ];
}

/// Why there is no such sound.
#[derive(Debug)]
pub(super) enum NoSound {
    /// It was recorded in one channel: there is no caller without the robot.
    Mixed,
    /// A message: nobody but the person is on it.
    NoRobot,
    /// The file is gone, or never was.
    Gone,
    /// It is no WAV that we know.
    Broken,
    /// The system's word.
    Io(io::Error),
}

impl From<io::Error> for NoSound {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            _ => Self::Io(error),
        }
    }
}

/// The sound, open.
#[derive(Debug)]
pub(super) struct Sound {
    form: Form,
    /// Bytes of it all.
    pub(super) length: u64,
    /// Asterisk has written it to its end.
    pub(super) whole: bool,
    /// Changes when a file does.
    pub(super) tag: String,
}

#[derive(Debug)]
enum Form {
    /// A file as it is.
    File(File),
    /// Made of two.
    Made {
        header: [u8; HEADER],
        parts: [(File, Mono); 2],
        stereo: bool,
    },
}

struct Opened {
    file: File,
    length: u64,
    mono: Option<Mono>,
    stamp: u128,
}

fn open(folder: &RecordingsFolder, path: &std::path::Path) -> io::Result<Opened> {
    let file = folder.open(path)?;
    let meta = file.metadata()?;
    let mut head = vec![0; HEAD];
    let read = read_full(&file, &mut head, 0)?;
    let changed = meta.modified()?.duration_since(UNIX_EPOCH);
    Ok(Opened {
        mono: Mono::read(&head[..read], meta.len()),
        length: meta.len(),
        stamp: changed.map_or(0, |since| since.as_millis()),
        file,
    })
}

/// Reads until `into` is full or the file ends.
fn read_full(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(&mut into[done..], at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

impl Sound {
    /// Opens what `channel` is of a recording. Blocks.
    pub(super) fn open(
        folder: &RecordingsFolder,
        file: &str,
        channels: u8,
        channel: Channel,
    ) -> Result<Self, NoSound> {
        let files = folder.files(file, channels).map_err(|_| NoSound::Gone)?;
        let one = match (files.as_slice(), channel) {
            ([one], Channel::Both | Channel::Mix) => one,
            ([_], _) => return Err(NoSound::Mixed),
            ([caller, _], Channel::Caller) => caller,
            ([_, robot], Channel::Robot) => robot,
            ([caller, robot], _) => return Self::made(folder, caller, robot, channel),
            _ => return Err(NoSound::Gone),
        };
        let opened = open(folder, one)?;
        Ok(Self {
            length: opened.length,
            whole: opened.mono.as_ref().is_none_or(|mono| mono.whole) && opened.length > 0,
            tag: format!("{:x}-{:x}", opened.length, opened.stamp),
            form: Form::File(opened.file),
        })
    }

    fn made(
        folder: &RecordingsFolder,
        caller: &std::path::Path,
        robot: &std::path::Path,
        channel: Channel,
    ) -> Result<Self, NoSound> {
        let (left, right) = (open(folder, caller)?, open(folder, robot)?);
        let (Some(said), Some(heard)) = (left.mono, right.mono) else {
            return Err(NoSound::Broken);
        };
        if said.rate != heard.rate {
            return Err(NoSound::Broken);
        }
        let stereo = channel == Channel::Both;
        let (channels, each) = if stereo { (2, 4) } else { (1, 2) };
        let bytes = said.count().max(heard.count()) * each;
        Ok(Self {
            length: HEADER as u64 + bytes,
            whole: said.whole && heard.whole,
            tag: format!(
                "{:x}-{:x}-{:x}-{:x}-{channels}",
                left.length, left.stamp, right.length, right.stamp
            ),
            form: Form::Made {
                header: stereo::header(channels, said.rate, bytes),
                parts: [(left.file, said), (right.file, heard)],
                stereo,
            },
        })
    }

    /// At most `most` bytes from `at` on; fewer only at the end, none behind it. Blocks.
    pub(super) fn read(&self, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let end = self.length.min(at.saturating_add(most as u64));
        let wanted = usize::try_from(end.saturating_sub(at)).unwrap_or(0);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let (header, parts, stereo) = match &self.form {
            Form::File(file) => {
                let mut bytes = vec![0; wanted];
                // A file that shrank meanwhile: better silence than a broken length.
                read_full(file, &mut bytes, at)?;
                return Ok(bytes);
            }
            Form::Made {
                header,
                parts,
                stereo,
            } => (header, parts, *stereo),
        };
        if at < HEADER as u64 {
            let from = usize::try_from(at).unwrap_or(0);
            return Ok(header[from..(from + wanted).min(HEADER)].to_vec());
        }
        // Whole samples around what is wanted, then cut.
        let each = if stereo { 4 } else { 2 };
        let first = (at - HEADER as u64) / each;
        let last = (end - HEADER as u64).div_ceil(each);
        let mut two = [Vec::new(), Vec::new()];
        for (bytes, (file, mono)) in two.iter_mut().zip(parts) {
            let from = (mono.samples.start + first * 2).min(mono.samples.end);
            let to = (mono.samples.start + last * 2).min(mono.samples.end);
            bytes.resize(usize::try_from(to - from).unwrap_or(0), 0);
            read_full(file, bytes, from)?;
        }
        // Beyond the end of one it is silent.
        let frames = usize::try_from(last - first).unwrap_or(0);
        two[0].resize(frames * 2, 0);
        let joined = if stereo {
            stereo::interleave(&two[0], &two[1])
        } else {
            stereo::mix(&two[0], &two[1])
        };
        let skip = usize::try_from((at - HEADER as u64) % each).unwrap_or(0);
        Ok(joined[skip..skip + wanted].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav;
    use crate::config::Config;

    fn place(said: &[i16], heard: &[i16]) -> (tempfile::TempDir, RecordingsFolder) {
        let place = tempfile::tempdir().unwrap();
        let mut asterisk = Config::default().asterisk;
        asterisk.recordings = place.path().to_owned();
        asterisk.recordings_in_asterisk = "/rec".to_owned();
        std::fs::write(place.path().join("x-caller.wav"), wav::encode(said)).unwrap();
        std::fs::write(place.path().join("x-robot.wav"), wav::encode(heard)).unwrap();
        (place, RecordingsFolder::new(&asterisk))
    }

    /// Whatever the pieces, their sum is the file.
    #[test]
    fn pieces_of_any_size_add_up() {
        let said: Vec<i16> = (0..300).map(|n| n * 7).collect();
        let heard: Vec<i16> = (0..200).map(|n| -n * 11).collect();
        let (_place, folder) = place(&said, &heard);
        for (channel, length) in [
            (Channel::Both, 44 + 300 * 4),
            (Channel::Mix, 44 + 300 * 2),
            (Channel::Caller, 44 + 300 * 2),
            (Channel::Robot, 44 + 200 * 2),
        ] {
            let sound = Sound::open(&folder, "/rec/x.wav", 2, channel).unwrap();
            assert!(sound.whole);
            assert_eq!(sound.length, length);
            let mut whole = Vec::new();
            while whole.len() < length as usize {
                whole.extend(sound.read(whole.len() as u64, 1 << 20).unwrap());
            }
            assert_eq!(whole.len() as u64, length);
            for piece in [1, 3, 43, 44, 45, 101] {
                let mut sum = Vec::new();
                loop {
                    let part = sound.read(sum.len() as u64, piece).unwrap();
                    if part.is_empty() {
                        break;
                    }
                    sum.extend(part);
                }
                assert_eq!(sum, whole, "{channel:?} by {piece}");
            }
            let heard = wav::decode("x", &whole).unwrap();
            match channel {
                Channel::Caller => assert_eq!(heard.samples[..], said),
                Channel::Both => assert_eq!(whole[44 + 4 * 10..][..4], [70, 0, 146, 255]),
                Channel::Mix => assert_eq!(heard.samples[250], 1750),
                Channel::Robot => assert_eq!(heard.samples[199], -2189),
            }
        }
    }

    #[test]
    fn what_is_not_there_says_why() {
        let (place, folder) = place(&[1, 2], &[3]);
        let open = |file, channels, channel| Sound::open(&folder, file, channels, channel);
        let mixed = open("/rec/x-caller.wav", 1, Channel::Caller);
        assert!(matches!(mixed, Err(NoSound::Mixed)));
        assert!(open("/rec/x-caller.wav", 1, Channel::Mix).is_ok());
        for file in ["/rec/none.wav", "/elsewhere/x.wav"] {
            assert!(matches!(open(file, 2, Channel::Both), Err(NoSound::Gone)));
        }
        std::fs::write(place.path().join("x-robot.wav"), "RIFF").unwrap();
        let broken = open("/rec/x.wav", 2, Channel::Both);
        assert!(matches!(broken, Err(NoSound::Broken)));
    }
}
