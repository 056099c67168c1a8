//! The sound sets of files that ran, kept on disk: what a server talks by that is started while its folder has a fault, or
//! while the network folder isn't there; and what a rollback goes back to, which a restart must not undo.
//!
//! ```text
//! govorun.dialogs/index.json           which ran, newest first, and from which one somebody went back
//! govorun.dialogs/3f2a90c1d4e5/        the files of one, under its id
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Language;

use super::files::{self, Files};
use super::version::ID_CHARS;

/// The index's file.
const INDEX: &str = "index.json";
/// Ends the names of what is being written.
const FRESH: &str = ".new";

/// Which sets ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    /// The folder's version, where a rollback keeps it from running.
    pub(super) held: Option<String>,
    /// What new calls get, and before it what they got, newest first.
    pub(super) ran: Vec<Ran>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ran {
    /// Its id, and its folder's name.
    pub(super) version: String,
    /// Since when it ran.
    pub(super) since: Timestamp,
}

/// Keeps `files` as those of version `id`.
pub(super) fn add(place: &Path, id: &str, files: &Files) -> io::Result<()> {
    let whole = place.join(id);
    if whole.is_dir() {
        return Ok(());
    }
    let new = fresh(&whole);
    remove(&new)?;
    fs::create_dir_all(&new)?;
    for (path, bytes) in files {
        let file = new.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, bytes)?;
    }
    // Last: what a crash cut off has another name.
    fs::rename(new, whole)
}

/// Replaces the index, and removes what it doesn't name.
pub(super) fn list(place: &Path, index: &Index) -> io::Result<()> {
    fs::create_dir_all(place)?;
    let (whole, text) = (place.join(INDEX), serde_json::to_string_pretty(index)?);
    let new = fresh(&whole);
    fs::write(&new, text)?;
    fs::rename(new, whole)?;
    let named: BTreeSet<&str> = index.ran.iter().map(|ran| ran.version.as_str()).collect();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        let old = name
            .to_str()
            .is_some_and(|name| is_set(name) && !named.contains(name));
        if old {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether that is a set's folder, whole or cut off. Nothing else is touched: the place might be somebody's own folder.
fn is_set(name: &str) -> bool {
    let id = name.strip_suffix(FRESH).unwrap_or(name);
    id.len() == ID_CHARS && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What is kept; nothing where there is no index, or it can't be read.
pub(super) fn index(place: &Path) -> Index {
    let text = fs::read(place.join(INDEX)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The files of one.
pub(super) fn files(place: &Path, id: &str, language: Language) -> Option<Files> {
    files::read(&place.join(id), language).ok()
}

/// Beside what it will be: written first, then renamed.
fn fresh(whole: &Path) -> PathBuf {
    let mut name = whole.as_os_str().to_owned();
    name.push(FRESH);
    name.into()
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("govorun.dialogs");
        assert_eq!(index(&place), Index::default());
        let set = |text: &str| -> Files {
            [
                ("d.rhai", text),
                ("lib/а.rhai", "fn f() {}"),
                ("sounds/texts.yaml", ""),
            ]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into()
        };
        let of = |all: &[&str]| Index {
            held: all.get(1).map(|id| (*id).to_owned()),
            ran: all
                .iter()
                .map(|id| Ran {
                    version: (*id).to_owned(),
                    since: Timestamp::UNIX_EPOCH,
                })
                .collect(),
        };
        for all in [
            &["111111111111"][..],
            &["222222222222", "111111111111"],
            &["333333333333", "222222222222"],
        ] {
            add(&place, all[0], &set(all[0])).unwrap();
            list(&place, &of(all)).unwrap();
            assert_eq!(index(&place), of(all));
            for id in all {
                assert_eq!(files(&place, id, Language::Ru), Some(set(id)));
            }
        }
        assert_eq!(files(&place, "111111111111", Language::Ru), None);
        // A crash in the middle of the next one, and of the next index.
        fs::create_dir(place.join("555555555555.new")).unwrap();
        fs::write(place.join("index.json.new"), "{").unwrap();
        // Somebody's own.
        fs::write(place.join("d.rhai"), "").unwrap();
        assert_eq!(index(&place), of(&["333333333333", "222222222222"]));
        add(&place, "444444444444", &set("444444444444")).unwrap();
        list(&place, &of(&["444444444444"])).unwrap();
        let left: BTreeSet<_> = fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(
            left,
            BTreeSet::from(["444444444444".into(), INDEX.into(), "d.rhai".into()])
        );
        fs::write(place.join(INDEX), "{").unwrap();
        assert_eq!(index(&place), Index::default());
    }
}
