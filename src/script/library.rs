//! The dialogs as the server holds them: the current version, and what became of the last reload.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use crate::call::Fault;
use crate::config::Language;

use super::files;
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
    /// Why what is in the folder now was refused; empty: it is what runs.
    pub faults: Vec<Fault>,
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
}

/// The dialogs of one folder.
pub struct Library {
    folder: PathBuf,
    language: Language,
    named: Named,
    current: RwLock<Arc<Version>>,
    swaps: watch::Sender<()>,
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
        let library = Self {
            folder: folder.into(),
            language,
            named,
            swaps: watch::Sender::new(()),
            current: RwLock::new(Version::empty(language)),
            last: Mutex::new(Last {
                since: Timestamp::now(),
                faults: Vec::new(),
            }),
        };
        library.reload();
        library
    }

    /// A library of one version that was compiled in memory; a reload reads nothing.
    pub fn fixed(version: Arc<Version>) -> Self {
        Self {
            folder: PathBuf::new(),
            language: version.language(),
            named: Named::default(),
            swaps: watch::Sender::new(()),
            current: RwLock::new(version),
            last: Mutex::new(Last {
                since: Timestamp::now(),
                faults: Vec::new(),
            }),
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
            compiled.version.ok_or(compiled.faults)
        });
        match loaded {
            Ok(version) => {
                last.faults.clear();
                if version.id() == self.current().id() {
                    return Reloaded::Same;
                }
                last.since = Timestamp::now();
                let id = version.id().to_owned();
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = version;
                self.swaps.send_replace(());
                Reloaded::Swapped { version: id }
            }
            Err(faults) => {
                last.faults.clone_from(&faults);
                Reloaded::Refused { faults }
            }
        }
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
        }
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library({:?}, {:?})", self.folder, self.current())
    }
}
