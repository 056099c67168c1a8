//! Opening the file: the lock against a second server, the pragmas, the migrations.
//!
//! A new version is one more file in `migrations/` and one more row of [`STEPS`]; a file that has been released never changes.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use rusqlite_migration::{M, Migrations};

use super::error::{Result, StoreError};

/// The steps from an empty file to the newest version, oldest first.
const STEPS: [&str; 10] = [
    include_str!("migrations/0001_calls.sql"),
    include_str!("migrations/0002_events.sql"),
    include_str!("migrations/0003_lines.sql"),
    include_str!("migrations/0004_rules.sql"),
    include_str!("migrations/0005_dialing.sql"),
    include_str!("migrations/0006_callbacks.sql"),
    include_str!("migrations/0007_archive.sql"),
    include_str!("migrations/0008_messages.sql"),
    include_str!("migrations/0009_machines.sql"),
    include_str!("migrations/0010_ended.sql"),
];

/// The newest version that this program knows: how many steps there are.
pub const VERSION: u32 = STEPS.len() as u32;

/// `application_id` of our files: "Govo".
pub(super) const APPLICATION_ID: i32 = 0x476f_766f;

pub(super) fn migrations() -> Migrations<'static> {
    Migrations::new(STEPS.iter().map(|sql| M::up(sql)).collect())
}

/// Takes `<store>.lock` for as long as the file lives. The system frees it when the process ends, however it ends.
pub(super) fn lock(path: &Path) -> Result<File> {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let folder = |error: std::io::Error| StoreError::Folder {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&name)
        .map_err(folder)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut number = String::new();
            let _ = file.take(20).read_to_string(&mut number);
            let holder = match number.trim().parse::<u32>() {
                Ok(process) => format!(" (process {process})"),
                Err(_) => String::new(),
            };
            return Err(StoreError::Held {
                path: path.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(error)) => return Err(folder(error)),
    }
    // The number only serves the message above.
    let _ = file.set_len(0);
    let _ = file.rewind();
    let _ = write!(file, "{}", std::process::id());
    Ok(file)
}

/// A statement is planned once, whatever it is asked for: else SQLite (3.53, `sqlite3ExprIsInteger`) looks at the value of
/// each `LIMIT ?` and plans the statement anew whenever another one is bound.
pub(super) fn stable_plans(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

/// Opens the file for writing and brings it to the newest version.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let not_ours = |reason: &str| StoreError::NotOurs {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_ours("not an SQLite file"),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::Folder {
                path: path.to_owned(),
                reason: error.to_string(),
            }
        }
        _ => StoreError::from(error),
    };
    let mut conn = Connection::open(path).map_err(failed)?;
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = pragma("user_version").map_err(failed)?;
    let application = pragma("application_id").map_err(failed)?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    // An empty file is a new store; anything else carries our mark.
    if application != i64::from(APPLICATION_ID) && (tables > 0 || version != 0) {
        return Err(not_ours("an SQLite file of another program"));
    }
    match u32::try_from(version) {
        Ok(found) if found > VERSION => {
            return Err(StoreError::Newer {
                path: path.to_owned(),
                found,
                known: VERSION,
            });
        }
        Ok(_) => {}
        Err(_) => return Err(not_ours("its version is out of range")),
    }
    // Of a new file only: what is deleted gives its room back, step by step. An older one would have to be written anew.
    if tables == 0 {
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(failed)?;
    }
    conn.pragma_update(None, "journal_mode", "WAL")
        .map_err(failed)?;
    conn.pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    conn.pragma_update(None, "foreign_keys", true)
        .map_err(failed)?;
    // What a savepoint could undo is kept in memory: SQLite's own place for it is a file of 4 KiB writes.
    conn.pragma_update(None, "temp_store", "MEMORY")
        .map_err(failed)?;
    // Words come from Rust's own types; to check them costs each write of a call a table in memory. Tests do check them.
    conn.pragma_update(None, "ignore_check_constraints", !cfg!(debug_assertions))
        .map_err(failed)?;
    // A log that grew once gives its room back.
    // Pages that many calls change are copied back once for all of them.
    conn.pragma_update(None, "wal_autocheckpoint", 4_000)
        .map_err(failed)?;
    conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
        .map_err(failed)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))
        .map_err(failed)?;
    stable_plans(&conn).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(96);
    migrations().to_latest(&mut conn).map_err(|error| {
        StoreError::Sqlite(format!("bringing it to version {VERSION}: {error}"))
    })?;
    Ok(conn)
}

/// Bytes on disk: the file and its write-ahead log.
pub(super) fn bytes(path: &Path) -> u64 {
    let mut log: OsString = path.as_os_str().to_owned();
    log.push("-wal");
    [path.to_owned(), PathBuf::from(log)]
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok())
        .map(|meta| meta.len())
        .sum()
}
