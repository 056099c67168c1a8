//! Calls that were, read from the file beside a server that goes on (or without one): for `replay`.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::error::Result;
use super::export::{Export, ExportQuery};
use super::record::{CallRecord, EventRecord};
use super::{MAX_EVENTS, events, row};
use crate::ident::CallId;

/// A store's file, only read. Blocks.
pub struct Archive(Connection);

impl Archive {
    /// Opens the file; it must be there.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub fn open(path: &Path) -> Result<Self> {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        Ok(Self(conn))
    }

    /// A call with its attempts and all of its history; `None`: there is none of that id.
    pub fn call(&self, id: &CallId) -> Result<Option<(CallRecord, Vec<EventRecord>)>> {
        let Some(call) = row::call(&self.0, id)? else {
            return Ok(None);
        };
        let most = usize::try_from(MAX_EVENTS).unwrap_or(usize::MAX);
        let events = events::page(&self.0, id, 0, most)?.unwrap_or_default();
        Ok(Some((call, events)))
    }

    /// Writes an export, piece by piece.
    pub fn export(
        &self,
        query: ExportQuery,
        write: &mut dyn FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<std::io::Result<()>> {
        let mut export = Export::new(query);
        while let Some(bytes) = export.next(&self.0)? {
            if let Err(error) = write(&bytes) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// The last `limit` answered calls of a dialog that have ended, newest first.
    pub fn last(&self, dialog: &str, limit: usize) -> Result<Vec<CallId>> {
        let mut statement = self.0.prepare_cached(
            "SELECT id FROM calls WHERE dialog = ?1 AND status IN ('finished', 'cancelled') \
             AND EXISTS (SELECT 1 FROM attempts WHERE call_n = n AND answered IS NOT NULL) ORDER BY n DESC LIMIT ?2",
        )?;
        let mut rows =
            statement.query(params![dialog, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut ids = Vec::new();
        while let Some(found) = rows.next()? {
            ids.push(row::call_id(
                found.get_ref(0)?.as_str().unwrap_or_default(),
            )?);
        }
        Ok(ids)
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archive")
    }
}
