//! The last sound set of files, kept on disk: what a server talks by that is started while its folder has a fault, or
//! while the network folder isn't there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Language;

use super::files::{self, Files};

/// Holds the version's id; the folder is whole only with it.
const MARK: &str = ".version";

/// Beside the place: written first, then renamed.
fn fresh(place: &Path) -> PathBuf {
    place.with_extension("dialogs-new")
}

/// Puts `files` in the place of those that were kept before.
pub(super) fn save(place: &Path, id: &str, files: &Files) -> io::Result<()> {
    let new = fresh(place);
    remove(&new)?;
    for (path, bytes) in files {
        let file = new.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, bytes)?;
    }
    fs::create_dir_all(&new)?;
    // Last: a set that was cut off has none.
    fs::write(new.join(MARK), id)?;
    remove(place)?;
    fs::rename(new, place)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What is kept, with its id; `None` where nothing whole is.
pub(super) fn load(place: &Path, language: Language) -> Option<(String, Files)> {
    // Between the two renames of a save only the new one is there.
    [place.to_owned(), fresh(place)].iter().find_map(|folder| {
        let id = fs::read_to_string(folder.join(MARK)).ok()?;
        let files = files::read(folder, language).ok()?;
        Some((id, files))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_last_comes_back_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("govorun.dialogs");
        assert!(load(&place, Language::Ru).is_none());
        let set = |text: &str| -> Files {
            [
                ("d.rhai", text),
                ("lib/а.rhai", "fn f() {}"),
                ("sounds/texts.yaml", ""),
            ]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into()
        };
        for id in ["one", "two"] {
            save(&place, id, &set(id)).unwrap();
            assert_eq!(load(&place, Language::Ru), Some((id.to_owned(), set(id))));
        }
        // A crash in the middle of the next save.
        fs::rename(&place, fresh(&place)).unwrap();
        assert_eq!(load(&place, Language::Ru).unwrap().0, "two");
        fs::remove_file(fresh(&place).join(MARK)).unwrap();
        assert!(load(&place, Language::Ru).is_none());
        save(&place, "three", &set("three")).unwrap();
        assert_eq!(load(&place, Language::Ru).unwrap().0, "three");
    }
}
