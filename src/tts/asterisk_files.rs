//! Sounds as files that Asterisk plays: written once each, by content, into a folder that both sides see.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::TtsError;
use super::folder::{Folder, hash};
use crate::audio::{Sound, wav};

/// Files used within this time are never cleaned up: longer than any prompt plays.
const KEEP_FOR: Duration = Duration::from_secs(3_600);
/// A file that was seen in its place is not looked for again within this time.
const TRUST: Duration = Duration::from_secs(60);
/// Sounds whose names are remembered.
const MAX_REMEMBERED: usize = 4_096;

/// The folder of sounds. One for the process, shared by calls.
#[derive(Debug)]
pub struct AsteriskFiles {
    folder: Arc<Folder>,
    as_seen: String,
    remembered: Mutex<HashMap<usize, Remembered>>,
}

/// A sound whose file is known, by where its samples lie in memory.
#[derive(Debug)]
struct Remembered {
    /// Alive: the same samples. Gone: the address may be another sound's by now.
    samples: Weak<[i16]>,
    name: String,
    seen: Instant,
}

impl AsteriskFiles {
    /// Writes into `folder`, which Asterisk sees as `as_seen` (the same path where both run on one machine). At most
    /// about `max_bytes`; the longest unused go first.
    pub fn new(folder: PathBuf, as_seen: &str, max_bytes: u64) -> Result<Self, TtsError> {
        let wrong = |wrong| {
            Err(TtsError::AsteriskPath {
                path: as_seen.to_owned(),
                wrong,
            })
        };
        if !as_seen.starts_with('/') {
            return wrong("must be a whole path, beginning with /");
        }
        if !Self::may_be_seen_as(as_seen) {
            return wrong("can't hold white space or & , | \" ' \\ $ { }");
        }
        Ok(Self {
            folder: Arc::new(Folder::new(folder, max_bytes, KEEP_FOR, true)),
            as_seen: as_seen.trim_end_matches('/').to_owned(),
            remembered: Mutex::new(HashMap::new()),
        })
    }

    /// Whether Asterisk can be told that path: "&" parts a list of files, "," and "|" arguments, quotes AGI's words.
    pub fn may_be_seen_as(as_seen: &str) -> bool {
        let bad = |c: char| c.is_control() || c.is_whitespace() || "&,|\"'\\${}".contains(c);
        as_seen.starts_with('/') && !as_seen.chars().any(bad)
    }

    /// Makes sure that Asterisk can play `sound`: the path to tell it, without ending.
    pub async fn publish(&self, sound: &Sound) -> Result<String, TtsError> {
        if let Some(name) = self.recall(sound) {
            return Ok(name);
        }
        let (folder, samples) = (Arc::clone(&self.folder), Arc::clone(&sound.samples));
        let writing = tokio::task::spawn_blocking(move || {
            let wav = wav::encode(&samples);
            let hash = hash(&[&wav]);
            if !folder.touch(&hash, wav.len()) {
                folder.write(&hash, &wav)?;
            }
            Ok(hash)
        });
        let hash = writing.await.map_err(|e| TtsError::Disk {
            path: PathBuf::from(&self.as_seen),
            reason: e.to_string(),
        })??;
        let name = format!("{}/{hash}", self.as_seen);
        self.remember(sound, &name);
        Ok(name)
    }

    fn recall(&self, sound: &Sound) -> Option<String> {
        // A poisoned lock holds a list of names, nothing that could be broken.
        let remembered = self.remembered.lock().unwrap_or_else(|p| p.into_inner());
        let known = remembered.get(&address(&sound.samples))?;
        let same = known
            .samples
            .upgrade()
            .is_some_and(|s| Arc::ptr_eq(&s, &sound.samples));
        (same && known.seen.elapsed() < TRUST).then(|| known.name.clone())
    }

    fn remember(&self, sound: &Sound, name: &str) {
        let mut remembered = self.remembered.lock().unwrap_or_else(|p| p.into_inner());
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, known| known.samples.strong_count() > 0);
        }
        if remembered.len() < MAX_REMEMBERED {
            let known = Remembered {
                samples: Arc::downgrade(&sound.samples),
                name: name.to_owned(),
                seen: Instant::now(),
            };
            remembered.insert(address(&sound.samples), known);
        }
    }
}

fn address(samples: &Arc<[i16]>) -> usize {
    Arc::as_ptr(samples).cast::<i16>() as usize
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_sound_is_one_file_that_others_can_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("made/sounds");
        let files = AsteriskFiles::new(folder.clone(), "/var/spool/govorun/", 1 << 20).unwrap();
        let sound = Sound::new("Привет & пока", vec![500i16; 8_000]);
        let name = files.publish(&sound).await.unwrap();
        let base = name.strip_prefix("/var/spool/govorun/").unwrap();
        assert_eq!(base.len(), 32);
        let file = folder.join(format!("{base}.wav"));
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&folder)), (0o644, 0o755));
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(bytes.len(), 44 + 16_000);
        assert_eq!(wav::decode("x", &bytes).unwrap().samples, sound.samples);
        // The same samples under another name, in other memory: the same file, not written again.
        let before = std::fs::metadata(&file).unwrap().len();
        let again = Sound::new("другое", vec![500i16; 8_000]);
        assert_eq!(files.publish(&again).await.unwrap(), name);
        assert_eq!(files.publish(&sound).await.unwrap(), name);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), before);
        // What a crash cut off is written anew by the next start.
        std::fs::write(&file, b"RIFF").unwrap();
        let next = AsteriskFiles::new(folder.clone(), "/var/spool/govorun/", 1 << 20).unwrap();
        assert_eq!(next.publish(&sound).await.unwrap(), name);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), before);
        assert_ne!(
            files.publish(&Sound::silence("s", 100)).await.unwrap(),
            name
        );
    }

    #[tokio::test]
    async fn a_folder_that_asterisk_would_misread_is_refused() {
        for path in [
            "sounds", "", "/a b", "/a&b", "/a,b", "/a\"b", "/a\nb", "/${x}",
        ] {
            let told = AsteriskFiles::new(PathBuf::from("/tmp"), path, 1).unwrap_err();
            assert!(told.to_string().contains("as Asterisk sees it"), "{told}");
        }
        let files = AsteriskFiles::new(PathBuf::from("/proc/no/such"), "/x", 1).unwrap();
        let told = files.publish(&Sound::silence("s", 20)).await.unwrap_err();
        assert!(told.to_string().contains("/proc/no/such"), "{told}");
    }
}
