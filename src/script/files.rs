//! The folder of dialogs as bytes: read whole, bounded, before anything is compiled.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::call::Fault;
use crate::config::Language;

use super::tr;

/// Files that one folder may hold.
pub const MAX_FILES: usize = 5_000;
/// Longest `.rhai` or `.yaml` file, bytes.
pub const MAX_TEXT_BYTES: u64 = 512 * 1024;
/// Longest sound file, bytes: about ten minutes at 8 kHz.
pub const MAX_SOUND_BYTES: u64 = 10 * 1024 * 1024;
/// All files together, bytes.
pub const MAX_TOTAL_BYTES: u64 = 512 * 1024 * 1024;

/// Contents by path inside the folder, with `/` between: `lib/dates.rhai`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a change would change: path, length and time of each file. Cheap to make, compared instead of contents.
pub(super) type Fingerprint = BTreeMap<String, (u64, Option<SystemTime>)>;

/// Whether that is what an editor or a copying program has left for a moment, or hidden.
pub(crate) fn is_left_behind(name: &str) -> bool {
    name.starts_with(['.', '~', '#'])
}

/// Whether a file belongs to the dialogs. Editors' own files, guides and tests do not.
pub(super) fn belongs(path: &str) -> bool {
    let (folder, name) = path.split_once('/').unwrap_or(("", path));
    if is_left_behind(name) || name.contains('/') {
        return false;
    }
    match folder {
        // `.d.rhai` tells an editor the words.
        "" => {
            (name.ends_with(".rhai") && !name.ends_with(".d.rhai"))
                || (name.ends_with(".yaml") && !name.ends_with(".test.yaml"))
        }
        "lib" => name.ends_with(".rhai"),
        "sounds" => name.ends_with(".wav") || name == "texts.yaml",
        _ => false,
    }
}

/// Lists what belongs to the dialogs.
pub(super) fn fingerprint(folder: &Path) -> io::Result<Fingerprint> {
    let mut found = Fingerprint::new();
    for (sub, required) in [("", true), ("lib", false), ("sounds", false)] {
        let entries = match fs::read_dir(folder.join(sub)) {
            Ok(entries) => entries,
            Err(error) if !required && error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if sub.is_empty() {
                name
            } else {
                format!("{sub}/{name}")
            };
            if !belongs(&path) {
                continue;
            }
            // Follows links; a file that vanished meanwhile is none.
            let Ok(data) = fs::metadata(entry.path()) else {
                continue;
            };
            if data.is_file() {
                found.insert(path, (data.len(), data.modified().ok()));
            }
        }
    }
    Ok(found)
}

/// How often a folder that changes under the reader is read anew.
const MAX_READINGS: usize = 4;

/// Reads the folder, as it was at one moment. Every file that is too long is told, and every one that can't be read.
pub fn read(folder: &Path, language: Language) -> Result<Files, Vec<Fault>> {
    let mut files = Err(Vec::new());
    for _ in 0..MAX_READINGS {
        let before = fingerprint(folder).ok();
        files = read_once(folder, language);
        // Else it may be a file of before a change beside one of after it.
        if before == fingerprint(folder).ok() {
            return files;
        }
    }
    files.and(Err(vec![Fault {
        file: folder.display().to_string(),
        line: 0,
        column: 0,
        message: tr!(
            language,
            "файлы всё время меняются: подождите, пока они запишутся",
            "the files change all the time: wait until they are written"
        ),
    }]))
}

fn read_once(folder: &Path, language: Language) -> Result<Files, Vec<Fault>> {
    let shown = folder.display().to_string();
    let whole = |message| {
        vec![Fault {
            file: shown.clone(),
            line: 0,
            column: 0,
            message,
        }]
    };
    let found = fingerprint(folder).map_err(|error| {
        whole(tr!(
            language,
            "папка сценариев не читается: {error}",
            "the folder of dialogs can't be read: {error}"
        ))
    })?;
    let count = found.len();
    if count > MAX_FILES {
        return Err(whole(tr!(
            language,
            "в папке {count} файлов, можно не больше {MAX_FILES}",
            "{count} files in the folder, {MAX_FILES} are the most"
        )));
    }
    let total: u64 = found.values().map(|(bytes, _)| bytes).sum();
    if total > MAX_TOTAL_BYTES {
        return Err(whole(tr!(
            language,
            "файлы занимают {total} байт, можно не больше {MAX_TOTAL_BYTES}",
            "the files hold {total} bytes, {MAX_TOTAL_BYTES} are the most"
        )));
    }
    let mut files = Files::new();
    let mut faults = Vec::new();
    for path in found.into_keys() {
        let most = if path.ends_with(".wav") {
            MAX_SOUND_BYTES
        } else {
            MAX_TEXT_BYTES
        };
        match read_bounded(&folder.join(&path), most) {
            Ok(Some(bytes)) => {
                files.insert(path, bytes);
            }
            Ok(None) => faults.push(Fault {
                file: path,
                line: 0,
                column: 0,
                message: tr!(
                    language,
                    "файл длиннее {most} байт",
                    "the file is longer than {most} bytes"
                ),
            }),
            Err(error) => faults.push(Fault {
                file: path,
                line: 0,
                column: 0,
                message: tr!(
                    language,
                    "файл не читается: {error}",
                    "the file can't be read: {error}"
                ),
            }),
        }
    }
    if faults.is_empty() {
        Ok(files)
    } else {
        Err(faults)
    }
}

/// The file's bytes, or `None` where there are more than `most`; it may grow while it is read.
fn read_bounded(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dialogs_and_what_they_need_are_read() {
        for (path, want) in [
            ("a.rhai", true),
            ("a.yaml", true),
            ("phrases.yaml", true),
            ("a.test.yaml", false),
            ("govorun.d.rhai", false),
            (".a.rhai.swp", false),
            (".#a.rhai", false),
            ("#a.rhai#", false),
            ("a.rhai~", false),
            ("README.md", false),
            ("lib/b.rhai", true),
            ("lib/b.yaml", false),
            ("sounds/c.wav", true),
            ("sounds/texts.yaml", true),
            ("sounds/README.md", false),
            ("other/d.rhai", false),
        ] {
            assert_eq!(belongs(path), want, "{path}");
        }
    }

    #[test]
    fn too_long_a_file_and_no_folder_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let long = vec![b' '; usize::try_from(MAX_TEXT_BYTES).unwrap() + 1];
        fs::write(folder.path().join("long.rhai"), long).unwrap();
        fs::write(folder.path().join("good.rhai"), "").unwrap();
        let faults = read(folder.path(), Language::En).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].file, "long.rhai");
        fs::remove_file(folder.path().join("long.rhai")).unwrap();
        assert_eq!(read(folder.path(), Language::En).unwrap().len(), 1);
        assert!(read(&folder.path().join("none"), Language::Ru).is_err());
    }
}
