//! The dialogs as the server holds them: the current version, and what became of the last reload.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use crate::call::Fault;
use crate::config::Language;

use super::files::{self, Files};
use super::keep;
use super::run::Dialog;
use super::version::{Named, Version};

/// A dialog as HTTP lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DialogInfo {
    /// Its name in orders.
    pub name: String,
    /// What people call it; empty where its YAML gives none.
    pub title: String,
}

/// What the library holds, and what is wrong with the folder.
#[derive(Clone, Debug, Serialize)]
pub struct LibraryStatus {
    /// The version that new calls get.
    pub version: String,
    /// Since when, by the wall clock.
    pub since: Timestamp,
    /// Its dialogs.
    pub dialogs: Vec<DialogInfo>,
    /// Why what is in the folder now was refused; empty: it is what runs, unless it was rolled back from.
    pub faults: Vec<Fault>,
    /// What looks like a slip in the version that new calls get.
    pub warnings: Vec<Fault>,
    /// The folder's version, where a rollback keeps it from running.
    pub rolled_back_from: Option<String>,
    /// Older versions that a rollback can bring back, newest first.
    pub older: Vec<OlderVersion>,
}

/// A version that ran before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OlderVersion {
    /// Its id, as calls and their history name it.
    pub version: String,
    /// Since when it had run, by the wall clock.
    pub since: Timestamp,
}

/// Older versions that are kept.
pub const MAX_OLDER: usize = 10;

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// What new calls got before.
    pub from: String,
    /// What they get now.
    pub version: String,
}

/// Why there is no rollback.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// Nothing ran before.
    #[error("there is no older version: the dialogs have not changed yet")]
    NoOlder,
    /// That version isn't kept.
    #[error("there is no version {version:?}; there are: {}", known.join(", "))]
    Unknown {
        /// Which was wanted.
        version: String,
        /// Which are kept.
        known: Vec<String>,
    },
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq)]
pub enum Reloaded {
    /// New calls get this version now.
    Swapped {
        /// Its id.
        version: String,
    },
    /// The files say what they said.
    Same,
    /// The old version goes on.
    Refused {
        /// What has to be mended.
        faults: Vec<Fault>,
    },
}

struct Last {
    since: Timestamp,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    /// What ran before, newest first.
    older: VecDeque<(Arc<Version>, Timestamp)>,
    /// The folder's version, where a rollback keeps it from running.
    held: Option<String>,
}

impl Last {
    fn new() -> Self {
        Self {
            since: Timestamp::now(),
            faults: Vec::new(),
            warnings: Vec::new(),
            older: VecDeque::new(),
            held: None,
        }
    }

    /// Keeps what ran until now.
    fn keep(&mut self, version: Arc<Version>) {
        // The empty one of before the first reading is nothing to go back to.
        if version.dialogs().next().is_some() {
            self.older.push_front((version, self.since));
            self.older.truncate(MAX_OLDER);
        }
        self.since = Timestamp::now();
    }
}

/// The dialogs of one folder.
pub struct Library {
    folder: PathBuf,
    language: Language,
    named: Named,
    current: RwLock<Arc<Version>>,
    swaps: watch::Sender<()>,
    /// Where the sound sets that ran are kept, for the next start.
    kept: Option<PathBuf>,
    /// Held while a reload runs, so that two can't overtake each other.
    last: Mutex<Last>,
}

impl Library {
    /// Reads the folder. Where it has faults the library is empty, and [`Self::status`] tells them; a reload mends it.
    pub fn open(folder: impl Into<PathBuf>, language: Language) -> Self {
        Self::open_for(folder, language, Named::default())
    }

    /// The same where the server's voices and recognizers are known: dialogs that name another one are faulty.
    pub fn open_for(folder: impl Into<PathBuf>, language: Language, named: Named) -> Self {
        Self::open_kept(folder, language, named, None)
    }

    /// The same where each sound set is kept in a folder `kept`: if the dialogs have faults at the start, or their folder
    /// isn't there, new calls get the set that was sound last, and the faults are told. A rollback of before the start holds.
    pub fn open_kept(
        folder: impl Into<PathBuf>,
        language: Language,
        named: Named,
        kept: Option<PathBuf>,
    ) -> Self {
        let library = Self {
            folder: folder.into(),
            language,
            named,
            swaps: watch::Sender::new(()),
            kept,
            current: RwLock::new(Version::empty(language)),
            last: Mutex::new(Last::new()),
        };
        library.take_kept();
        library.reload();
        library
    }

    /// What ran before the start. What has another id by now is left out: somebody changed its files; and so is what names
    /// a voice that is no more.
    fn take_kept(&self) {
        let Some(place) = &self.kept else { return };
        let keep::Index { held, ran } = keep::index(place);
        let mut sound = ran.into_iter().filter_map(|ran| {
            let files = keep::files(place, &ran.version, self.language)?;
            let compiled = Version::compile_for(&files, self.language, &self.named);
            let version = compiled.version.filter(|v| v.id() == ran.version)?;
            Some((version, ran.since))
        });
        let Some((current, since)) = sound.next() else {
            return;
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.since = since;
        last.older = sound.take(MAX_OLDER).collect();
        last.held = held.filter(|held| held != current.id());
        self.put(current);
    }

    /// Keeps what runs now, and what ran before; `files`: of what is new.
    fn keep(&self, last: &Last, files: Option<&Files>) {
        let Some(place) = &self.kept else { return };
        let current = self.current();
        let added = files.map_or(Ok(()), |files| keep::add(place, current.id(), files));
        let ran = |version: &Version, since| keep::Ran {
            version: version.id().to_owned(),
            since,
        };
        let older = last.older.iter().map(|(old, since)| ran(old, *since));
        let index = keep::Index {
            held: last.held.clone(),
            ran: std::iter::once(ran(&current, last.since))
                .chain(older)
                .collect(),
        };
        if let Err(error) = added.and_then(|()| keep::list(place, &index)) {
            tracing::warn!(
                folder = %place.display(),
                %error,
                "the sound dialogs can't be kept for the next start"
            );
        }
    }

    /// A library of one version that was compiled in memory; a reload reads nothing.
    pub fn fixed(version: Arc<Version>) -> Self {
        Self {
            folder: PathBuf::new(),
            language: version.language(),
            named: Named::default(),
            swaps: watch::Sender::new(()),
            kept: None,
            current: RwLock::new(version),
            last: Mutex::new(Last::new()),
        }
    }

    /// Tells of every swap from now on.
    pub fn swaps(&self) -> watch::Receiver<()> {
        self.swaps.subscribe()
    }

    /// The watched folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version that new calls get.
    pub fn current(&self) -> Arc<Version> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The dialog of that name in the current version. It keeps its version to its end.
    pub fn dialog(&self, name: &str) -> Option<Dialog> {
        self.current().dialog(name)
    }

    /// Reads the folder anew: a sound set replaces the old one for new calls, a faulty one is refused.
    pub fn reload(&self) -> Reloaded {
        if self.folder.as_os_str().is_empty() {
            return Reloaded::Same;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = files::read(&self.folder, self.language).and_then(|files| {
            let compiled = Version::compile_for(&files, self.language, &self.named);
            let version = compiled.version.ok_or(compiled.faults)?;
            Ok((version, compiled.warnings, files))
        });
        match loaded {
            Ok((version, warnings, files)) => {
                last.faults.clear();
                let current = self.current();
                if last.held.as_deref() == Some(version.id()) {
                    // Somebody went back from just this; only a change of the files ends that.
                    return Reloaded::Same;
                }
                let went_back = last.held.take().is_some();
                last.warnings = warnings;
                if version.id() == current.id() {
                    if went_back {
                        self.keep(&last, None);
                    }
                    return Reloaded::Same;
                }
                last.keep(current);
                let id = version.id().to_owned();
                last.older.retain(|(older, _)| older.id() != id);
                self.put(version);
                self.keep(&last, Some(&files));
                Reloaded::Swapped { version: id }
            }
            Err(faults) => {
                last.faults.clone_from(&faults);
                Reloaded::Refused { faults }
            }
        }
    }

    fn put(&self, version: Arc<Version>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = version;
        self.swaps.send_replace(());
    }

    /// Gives new calls an older version: the one before, or the one that is named. It stays until the files change; calls
    /// that go on keep theirs.
    pub fn rollback(&self, to: Option<&str>) -> Result<RolledBack, RollbackError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match to {
            None => (!last.older.is_empty())
                .then_some(0)
                .ok_or(RollbackError::NoOlder)?,
            Some(id) => last
                .older
                .iter()
                .position(|(older, _)| older.id() == id)
                .ok_or_else(|| RollbackError::Unknown {
                    version: id.to_owned(),
                    known: last.older.iter().map(|(v, _)| v.id().to_owned()).collect(),
                })?,
        };
        let (version, _) = last.older.remove(at).ok_or(RollbackError::NoOlder)?;
        let from = self.current();
        let folders = last.held.take().unwrap_or_else(|| from.id().to_owned());
        last.held = (folders != version.id()).then_some(folders);
        last.warnings.clear();
        let told = RolledBack {
            from: from.id().to_owned(),
            version: version.id().to_owned(),
        };
        last.keep(from);
        self.put(version);
        self.keep(&last, None);
        tracing::warn!(
            from = told.from,
            version = told.version,
            "dialogs rolled back: new calls use the older version until the files change"
        );
        Ok(told)
    }

    /// What it holds.
    pub fn status(&self) -> LibraryStatus {
        let current = self.current();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        LibraryStatus {
            version: current.id().to_owned(),
            since: last.since,
            dialogs: current
                .dialogs()
                .map(|(name, title)| DialogInfo {
                    name: name.to_owned(),
                    title: title.to_owned(),
                })
                .collect(),
            faults: last.faults.clone(),
            warnings: last.warnings.clone(),
            rolled_back_from: last.held.clone(),
            older: last
                .older
                .iter()
                .map(|(version, since)| OlderVersion {
                    version: version.id().to_owned(),
                    since: *since,
                })
                .collect(),
        }
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library({:?}, {:?})", self.folder, self.current())
    }
}
