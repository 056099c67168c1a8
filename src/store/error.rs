//! Why the store refused or failed.

use std::path::PathBuf;

/// What can go wrong with the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The folder isn't there, or may not be written.
    #[error(
        "can't write beside the store {path:?}: {reason}; create the folder and let this user write there"
    )]
    Folder {
        /// The store's file.
        path: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// Another process has it open.
    #[error(
        "the store {path:?} is in use by another govorun{holder}; stop that one, or give this one another `store`"
    )]
    Held {
        /// The store's file.
        path: PathBuf,
        /// ` (process N)` where the holder wrote its number.
        holder: String,
    },
    /// Something else lies in the store's place.
    #[error("{path:?} is no store of govorun's ({reason}); move it away or give another `store`")]
    NotOurs {
        /// The store's file.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// A later program wrote it.
    #[error(
        "the store {path:?} is of version {found}, this program knows up to {known}; run the newer program"
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// SQLite failed: a full disk, a damaged file.
    #[error("the store failed: {0}")]
    Sqlite(String),
    /// A row can't be read as what it should be.
    #[error("the store holds a wrong {what}: {reason}")]
    Corrupt {
        /// Which column.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// No such call, or not that attempt of it.
    #[error("no call {id}, or its attempt {attempt} isn't the one that goes on")]
    NoAttempt {
        /// The call.
        id: String,
        /// The attempt that was named.
        attempt: u32,
    },
    /// An incoming call with an id that exists.
    #[error("there is a call {id} already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The writer has ended: the process is going down, or the writer broke.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.to_string())
    }
}

/// The store's results.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
