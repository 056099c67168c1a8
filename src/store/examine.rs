//! A look at a store's file from outside, beside a running server or without one: for `doctor`. Changes nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{Result, StoreError};
use super::schema::{APPLICATION_ID, VERSION, bytes};

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The file's version; [`VERSION`] is the newest, an older one is brought there at the next start.
    pub version: u32,
    /// Bytes on disk, with the write-ahead log.
    pub bytes: u64,
    /// SQLite's first complaint about the file; `None`: it is sound, as far as was looked.
    pub damage: Option<String>,
    /// The whole file was looked at; `false`: the patience ended before.
    pub whole: bool,
}

/// Opens `path` for reading and lets SQLite check it (`quick_check`), for at most `patience`. Blocks.
///
/// # Errors
///
/// [`StoreError::NotOurs`], [`StoreError::Newer`], or SQLite's own.
pub fn examine(path: &Path, patience: Duration) -> Result<Examined> {
    let not_ours = |reason: &str| StoreError::NotOurs {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_ours("not an SQLite file"),
        _ => StoreError::from(error),
    };
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.busy_timeout(Duration::from_secs(2))?;
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(failed)?;
    if application != i64::from(APPLICATION_ID) {
        return Err(not_ours("an SQLite file of another program"));
    }
    let version = u32::try_from(pragma("user_version").map_err(failed)?)
        .map_err(|_| not_ours("its version is out of range"))?;
    if version > VERSION {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found: version,
            known: VERSION,
        });
    }
    let checked = {
        // Ends with this block: its other end is gone then.
        let (_checking, over) = mpsc::sync_channel::<()>(1);
        let interrupt = conn.get_interrupt_handle();
        let watch = move || {
            if over.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        };
        // Without it the check only takes as long as it takes.
        let _ = std::thread::Builder::new()
            .name("store-patience".to_owned())
            .stack_size(64 * 1024)
            .spawn(watch);
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    };
    let (damage, whole) = match checked {
        Ok(word) if word == "ok" => (None, true),
        Ok(complaint) => (Some(complaint), true),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => (None, false),
            Some(ErrorCode::DatabaseCorrupt) => (Some(error.to_string()), true),
            _ => return Err(error.into()),
        },
    };
    Ok(Examined {
        version,
        bytes: bytes(path),
        damage,
        whole,
    })
}

/// The process that holds the store open, if one does and wrote its number.
pub fn holder(path: &Path) -> Option<u32> {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".lock");
    let file = std::fs::File::open(PathBuf::from(name)).ok()?;
    // Nobody holds it: the number is of one that has ended.
    if file.try_lock_shared().is_ok() {
        return None;
    }
    let number = std::io::read_to_string(file).ok()?;
    number.trim().parse().ok()
}
