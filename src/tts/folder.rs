//! A folder of WAV files named by the hash of what they hold: written whole or not at all, bounded by size, the longest
//! unused go first. Files of other names are never read, counted or deleted, whatever folder the config points to.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use md5::{Digest, Md5};

use super::TtsError;

/// After a clean-up the folder is this much of its bound, in percent, so that not every file brings the next clean-up.
const KEPT_PERCENT: u64 = 90;
/// Half-written files of a process that was killed are removed after this.
const STALE: Duration = Duration::from_secs(3_600);

static UNIQUE: AtomicU64 = AtomicU64::new(0);

/// See the module. All methods block: call them from a blocking thread.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    max_bytes: u64,
    /// Files used within this time stay, whatever the bound says: they may be playing.
    keep_for: Duration,
    /// Others (Asterisk's own user) may read.
    shared: bool,
    /// Bytes in it, once they were counted.
    bytes: Mutex<Option<u64>>,
}

/// 32 hexadecimal digits of the MD5 of `parts`, each with its length before it.
pub(super) fn hash(parts: &[&[u8]]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update((part.len() as u64).to_le_bytes());
        md5.update(part);
    }
    md5.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

impl Folder {
    pub(super) fn new(path: PathBuf, max_bytes: u64, keep_for: Duration, shared: bool) -> Self {
        Self {
            path,
            max_bytes,
            keep_for,
            shared,
            bytes: Mutex::new(None),
        }
    }

    /// Whether the file is there; marks it as used now.
    pub(super) fn touch(&self, hash: &str) -> bool {
        let file = fs::File::open(self.file(hash));
        file.is_ok_and(|f| {
            // Another owner's file can't be marked; it still can be read.
            let _ = f.set_modified(SystemTime::now());
            true
        })
    }

    /// The file's bytes, if it is there; marks it as used now.
    pub(super) fn read(&self, hash: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.file(hash)).ok()?;
        self.touch(hash);
        Some(bytes)
    }

    /// Writes the file, then cleans up if the folder is over its bound.
    pub(super) fn write(&self, hash: &str, bytes: &[u8]) -> Result<(), TtsError> {
        self.write_whole(hash, bytes).map_err(|e| TtsError::Disk {
            path: self.path.clone(),
            reason: format!("can't write a sound: {e}"),
        })?;
        // A poisoned lock holds a number, nothing that could be broken.
        let mut known = self.bytes.lock().unwrap_or_else(|p| p.into_inner());
        let total = match *known {
            Some(total) => total.saturating_add(bytes.len() as u64),
            None => self.clean(u64::MAX),
        };
        *known = Some(if total > self.max_bytes {
            self.clean(self.max_bytes)
        } else {
            total
        });
        Ok(())
    }

    /// Takes away a file that turned out to be broken.
    pub(super) fn remove(&self, hash: &str) {
        let _ = fs::remove_file(self.file(hash));
    }

    fn file(&self, hash: &str) -> PathBuf {
        self.path.join(format!("{hash}.wav"))
    }

    fn write_whole(&self, hash: &str, bytes: &[u8]) -> io::Result<()> {
        if !self.path.is_dir() {
            fs::create_dir_all(&self.path)?;
            self.open_to_others(&self.path, 0o755)?;
        }
        let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let name = format!(".{hash}.{}-{unique}.tmp", std::process::id());
        let temporary = self.path.join(name);
        let written = fs::File::create_new(&temporary)
            .and_then(|mut f| f.write_all(bytes))
            .and_then(|()| self.open_to_others(&temporary, 0o644))
            .and_then(|()| fs::rename(&temporary, self.file(hash)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn open_to_others(&self, path: &Path, mode: u32) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        if self.shared {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// Removes the longest unused files while there are more than `most` bytes; what is left.
    fn clean(&self, most: u64) -> u64 {
        let now = SystemTime::now();
        let age = |meta: &fs::Metadata| {
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            now.duration_since(used).unwrap_or_default()
        };
        let mut files = Vec::new();
        let mut total = 0;
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let (path, Ok(meta)) = (entry.path(), entry.metadata()) else {
                continue;
            };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if is_ours(&name, ".wav", "") {
                total += meta.len();
                files.push((age(&meta), meta.len(), path));
            } else if name.ends_with(".tmp") && is_ours(&name, "", ".") && age(&meta) > STALE {
                let _ = fs::remove_file(path);
            }
        }
        if total <= most {
            return total;
        }
        let goal = most / 100 * KEPT_PERCENT;
        files.sort_unstable_by_key(|(age, ..)| std::cmp::Reverse(*age));
        for (age, bytes, path) in files {
            if total <= goal || age < self.keep_for {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total -= bytes;
            }
        }
        total
    }
}

/// `before`, 32 hexadecimal digits, and `ending` if one is given.
fn is_ours(name: &str, ending: &str, before: &str) -> bool {
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    let Some((hash, rest)) = rest.split_at_checked(32) else {
        return false;
    };
    hash.bytes().all(|b| b.is_ascii_hexdigit()) && (ending.is_empty() || rest == ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn the_longest_unused_go_and_strangers_stay() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("sounds");
        let folder = Folder::new(path.clone(), 1_000, Duration::ZERO, false);
        let hashes: Vec<String> = (0..6u8).map(|n| hash(&[&[n]])).collect();
        folder.write(&hashes[0], &[0; 300]).unwrap();
        fs::write(path.join("holiday.wav"), [0; 5_000]).unwrap();
        let aged = |hash: &str, s: u64| {
            let file = fs::File::open(path.join(format!("{hash}.wav"))).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(s))
                .unwrap();
        };
        aged(&hashes[0], 50);
        for (n, hash) in hashes.iter().enumerate().take(3).skip(1) {
            folder.write(hash, &[0; 300]).unwrap();
            aged(hash, 50 - 10 * n as u64);
        }
        assert!(folder.read(&hashes[0]).is_some(), "used: now the youngest");
        folder.write(&hashes[3], &[0; 300]).unwrap();
        let left = names(&path);
        assert!(left.contains(&"holiday.wav".to_owned()));
        assert!(
            !folder.touch(&hashes[1]),
            "the longest unused went: {left:?}"
        );
        assert!(folder.touch(&hashes[0]) && folder.touch(&hashes[3]));
        // What may be playing stays even over the bound.
        let careful = Folder::new(path.clone(), 100, Duration::from_secs(60), false);
        careful.write(&hashes[4], &[0; 300]).unwrap();
        careful.write(&hashes[5], &[0; 300]).unwrap();
        assert!(
            careful.touch(&hashes[4]) && careful.touch(&hashes[5]) && careful.touch(&hashes[0])
        );
    }

    #[test]
    fn half_written_files_of_a_killed_process_are_swept() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().to_owned(), 1_000, Duration::ZERO, false);
        let temporary = format!(".{}.1-1.tmp", hash(&[b"x"]));
        fs::write(home.path().join(&temporary), [0; 10]).unwrap();
        folder.write(&hash(&[b"a"]), &[0; 10]).unwrap();
        assert!(
            home.path().join(&temporary).exists(),
            "it may be another's that is at work"
        );
        let file = fs::File::open(home.path().join(&temporary)).unwrap();
        file.set_modified(SystemTime::now() - STALE * 2).unwrap();
        let folder = Folder::new(home.path().to_owned(), 1_000, Duration::ZERO, false);
        folder.write(&hash(&[b"b"]), &[0; 10]).unwrap();
        assert_eq!(names(home.path()).len(), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let folder = Folder::new(file.join("below"), 1_000, Duration::ZERO, true);
        let told = folder
            .write(&hash(&[b"a"]), &[0; 10])
            .unwrap_err()
            .to_string();
        assert!(told.contains("below"), "{told}");
    }
}
