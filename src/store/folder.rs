//! The folder of recordings: from a name as Asterisk sees it to files as we do. Nothing outside of the folder is ever
//! named, whatever stands in the store.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::call::recording::{CALLER, ROBOT};
use crate::config::AsteriskConfig;

/// The folder, as we see it and as Asterisk does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingsFolder {
    ours: PathBuf,
    in_asterisk: String,
}

/// A name that isn't below `asterisk.recordings_in_asterisk`: that setting was another one when the call was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a recording that isn't in asterisk.recordings_in_asterisk")]
pub struct Outside;

impl RecordingsFolder {
    /// By `asterisk.recordings` and `asterisk.recordings_in_asterisk`.
    pub fn new(asterisk: &AsteriskConfig) -> Self {
        Self {
            ours: asterisk.recordings.clone(),
            in_asterisk: asterisk.recordings_in_asterisk.clone(),
        }
    }

    /// The files that a recording is: one, or what the person said and what they heard.
    ///
    /// # Errors
    /// [`Outside`]
    pub fn files(&self, file: &str, channels: u8) -> Result<Vec<PathBuf>, Outside> {
        let folder = self.in_asterisk.trim_end_matches('/');
        let inside = file.strip_prefix(folder).and_then(|f| f.strip_prefix('/'));
        let inside = Path::new(inside.ok_or(Outside)?);
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if inside.as_os_str().is_empty() || !inside.components().all(plain) {
            return Err(Outside);
        }
        let path = self.ours.join(inside);
        if channels < 2 {
            return Ok(vec![path]);
        }
        let text = path.to_string_lossy();
        let name = text.strip_suffix(".wav").ok_or(Outside)?;
        Ok(vec![
            PathBuf::from(format!("{name}{CALLER}")),
            PathBuf::from(format!("{name}{ROBOT}")),
        ])
    }

    /// Opens one of [`Self::files`], unless a link leads it out of the folder.
    ///
    /// # Errors
    /// The system's; what leads outside is as if it weren't there.
    pub fn open(&self, path: &Path) -> io::Result<std::fs::File> {
        let (folder, real) = (self.ours.canonicalize()?, path.canonicalize()?);
        if !real.starts_with(&folder) || !real.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        std::fs::File::open(real)
    }

    /// Deletes a recording's files; those that aren't there are deleted already.
    ///
    /// # Errors
    /// The system's, of the first that can't be deleted.
    pub fn delete(&self, file: &str, channels: u8) -> io::Result<()> {
        let Ok(files) = self.files(file, channels) else {
            // Not ours any more: whoever moved the folder has them.
            return Ok(());
        };
        for path in files {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes of a recording's files together; `None`: none of them is there.
    pub fn bytes(&self, file: &str, channels: u8) -> Option<u64> {
        let files = self.files(file, channels).ok()?;
        let sizes = files
            .iter()
            .filter_map(|path| std::fs::metadata(path).ok().map(|meta| meta.len()));
        sizes.reduce(|a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(ours: &Path) -> RecordingsFolder {
        RecordingsFolder {
            ours: ours.to_owned(),
            in_asterisk: "/var/spool/rec/".to_owned(),
        }
    }

    #[test]
    fn names_are_mapped_and_never_lead_outside() {
        let folder = folder(Path::new("/mnt/rec"));
        let one = |file: &str| folder.files(file, 1).map(|mut files| files.remove(0));
        assert_eq!(
            one("/var/spool/rec/a/b.wav"),
            Ok(PathBuf::from("/mnt/rec/a/b.wav"))
        );
        let two = folder.files("/var/spool/rec/x.wav", 2).unwrap();
        assert_eq!(
            two,
            ["/mnt/rec/x-caller.wav", "/mnt/rec/x-robot.wav"].map(PathBuf::from)
        );
        for wrong in [
            "/var/spool/rec/../passwd",
            "/var/spool/rec/a/../../x.wav",
            "/var/spool/rec//etc/passwd",
            "/var/spool/recordings/x.wav",
            "/var/spool/rec/",
            "/etc/passwd",
            "x.wav",
            "",
        ] {
            assert_eq!(one(wrong), Err(Outside), "{wrong}");
        }
        assert_eq!(folder.files("/var/spool/rec/x.gsm", 2), Err(Outside));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_outside_is_not_opened() {
        let place = tempfile::tempdir().unwrap();
        let (inside, outside) = (place.path().join("rec"), place.path().join("secret"));
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(&outside, "secret").unwrap();
        std::fs::write(inside.join("real.wav"), "sound").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("link.wav")).unwrap();
        std::os::unix::fs::symlink(inside.join("real.wav"), inside.join("good.wav")).unwrap();
        let folder = folder(&inside);
        let open = |name: &str| folder.open(&inside.join(name)).map_err(|e| e.kind());
        assert!(open("real.wav").is_ok() && open("good.wav").is_ok());
        for name in ["link.wav", "none.wav", "."] {
            assert_eq!(open(name).unwrap_err(), io::ErrorKind::NotFound, "{name}");
        }
        folder.delete("/var/spool/rec/link.wav", 1).unwrap();
        folder.delete("/var/spool/rec/link.wav", 1).unwrap();
        assert!(outside.exists() && !inside.join("link.wav").exists());
    }
}
