//! A folder of WAV files named by the hash of what they hold: written whole or not at all, bounded by size, the longest
//! unused go first. Files of other names are never read, counted or deleted, whatever folder the config points to.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use md5::{Digest, Md5};

use super::TtsError;
use crate::ident::Token;

/// After a clean-up the folder is this much of its bound, in percent, so that not every file brings the next clean-up.
const KEPT_PERCENT: u64 = 90;
/// Half-written files of a process that was killed are removed after this.
const STALE: Duration = Duration::from_secs(3_600);

/// Others write here, too (a second voice, a second server): after so many of our own files all are counted anew.
const RECOUNT_AFTER: u32 = 50;

/// See the module. All methods block: call them from a blocking thread.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    max_bytes: u64,
    /// Files used within this time stay, whatever the bound says: they may be playing.
    keep_for: Duration,
    /// Others (Asterisk's own user) may read.
    shared: bool,
    /// Bytes in it, once they were counted, and how many files we wrote since.
    bytes: Mutex<Option<(u64, u32)>>,
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

    /// Whether the file is there with `bytes` in it; marks it as used now. One of another length was cut by a crash.
    pub(super) fn touch(&self, hash: &str, bytes: usize) -> bool {
        let file = fs::File::open(self.file(hash));
        file.is_ok_and(|f| {
            let whole = f.metadata().is_ok_and(|m| m.len() == bytes as u64);
            // Another owner's file can't be marked; it still can be read.
            let _ = f.set_modified(SystemTime::now());
            whole
        })
    }

    /// The file's bytes, if it is there; marks it as used now.
    pub(super) fn read(&self, hash: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.file(hash)).ok()?;
        self.touch(hash, bytes.len());
        Some(bytes)
    }

    /// Writes the file, then cleans up if the folder is over its bound. On a full disk half of the folder is given up for
    /// the new file.
    pub(super) fn write(&self, hash: &str, bytes: &[u8]) -> Result<(), TtsError> {
        let mut written = self.write_whole(hash, bytes);
        if written.as_ref().is_err_and(|e| {
            matches!(
                e.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        }) {
            let half = self.clean(u64::MAX) / 2;
            self.clean(half);
            written = self.write_whole(hash, bytes);
        }
        written.map_err(|e| TtsError::Disk {
            path: self.path.clone(),
            reason: format!("can't write a sound: {e}"),
        })?;
        // A poisoned lock holds numbers, nothing that could be broken.
        let mut known = self.bytes.lock().unwrap_or_else(|p| p.into_inner());
        let (total, files) = match *known {
            Some((total, files)) if files < RECOUNT_AFTER => {
                (total.saturating_add(bytes.len() as u64), files + 1)
            }
            _ => (self.clean(u64::MAX), 0),
        };
        *known = Some(if total > self.max_bytes {
            (self.clean(self.max_bytes), 0)
        } else {
            (total, files)
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
        // Two servers in two containers may have the same process id, and so has one that was killed and started anew.
        let name = format!(".{hash}.{}.tmp", Token::fresh().as_str());
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
            !folder.touch(&hashes[1], 300),
            "the longest unused went: {left:?}"
        );
        assert!(folder.touch(&hashes[0], 300) && folder.touch(&hashes[3], 300));
        // What may be playing stays even over the bound.
        let careful = Folder::new(path.clone(), 100, Duration::from_secs(60), false);
        careful.write(&hashes[4], &[0; 300]).unwrap();
        careful.write(&hashes[5], &[0; 300]).unwrap();
        assert!(
            careful.touch(&hashes[4], 300)
                && careful.touch(&hashes[5], 300)
                && careful.touch(&hashes[0], 300)
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
    fn two_servers_on_one_folder_keep_its_bound() {
        let home = tempfile::tempdir().unwrap();
        let folders: Vec<Folder> = (0..2)
            .map(|_| Folder::new(home.path().to_owned(), 20_000, Duration::ZERO, true))
            .collect();
        std::thread::scope(|s| {
            for (who, folder) in folders.iter().enumerate() {
                s.spawn(move || {
                    for n in 0..150u8 {
                        // Every second file is the same for both.
                        let owner = if n % 2 == 0 { 9 } else { who };
                        let hash = hash(&[&[n, owner as u8]]);
                        folder.write(&hash, &[n; 500]).unwrap();
                        // The other may have cleaned it away; it is never half there.
                        assert!(folder.read(&hash).is_none_or(|b| b == [n; 500]));
                    }
                });
            }
        });
        let left: u64 = fs::read_dir(home.path())
            .unwrap()
            .map(|e| e.unwrap().metadata().unwrap().len())
            .sum();
        let most = 20_000 + u64::from(RECOUNT_AFTER) * 500;
        assert!(left <= most, "{left}");
        assert!(names(home.path()).iter().all(|n| n.ends_with(".wav")));
    }

    #[test]
    fn a_full_disk_gives_up_the_oldest_for_the_newest() {
        let home = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "govorun-test"])
            .arg(home.path())
            .stderr(std::process::Stdio::null())
            .status();
        if !mounted.is_ok_and(|s| s.success()) {
            println!("SKIP: no small file system can be mounted here (not root?)");
            return;
        }
        let folder = Folder::new(home.path().to_owned(), 1 << 30, Duration::ZERO, false);
        let mut results = Vec::new();
        for n in 0..40u8 {
            let hash = hash(&[&[n]]);
            let written = folder.write(&hash, &[n; 4_000]);
            results.push(written.map(|()| match folder.read(&hash) {
                Some(bytes) if bytes == [n; 4_000] => {}
                other => panic!("{n}: {other:?}"),
            }));
        }
        let too_large = folder.write(&hash(&[b"x"]), &[0; 100_000]);
        let left = names(home.path());
        let unmounted = std::process::Command::new("umount")
            .arg(home.path())
            .status();
        assert!(unmounted.unwrap().success());
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert!(too_large.unwrap_err().to_string().contains("can't write"));
        assert!(left.iter().all(|n| n.ends_with(".wav")), "{left:?}");
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
