//! A few connections that only read. In WAL mode they neither wait for the writer nor make it wait.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::error::{Result, StoreError};
use super::schema;

/// Reads at once; more wait.
const READERS: usize = 4;

/// The connections that aren't in use.
#[derive(Clone)]
pub(super) struct Readers {
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut idle = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let conn = Connection::open_with_flags(
                path,
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            conn.busy_timeout(std::time::Duration::from_secs(5))?;
            schema::stable_plans(&conn)?;
            conn.set_prepared_statement_cache_capacity(32);
            idle.push(conn);
        }
        Ok(Self {
            turns: Arc::new(Semaphore::new(READERS)),
            idle: Arc::new(Mutex::new(idle)),
        })
    }

    /// Runs `look` on a blocking thread, in one transaction: it sees one moment.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let read = tokio::task::spawn_blocking(move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            // Each turn has its connection; only a look that panicked could have lost one.
            let Some(mut conn) = taken else {
                return Err(StoreError::Closed);
            };
            let seen = conn
                .transaction()
                .map_err(StoreError::from)
                .and_then(|moment| look(&moment));
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(conn);
            drop(turn);
            seen
        });
        read.await.map_err(|_| StoreError::Closed)?
    }
}
