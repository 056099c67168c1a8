//! The one thread that writes. What waits together is committed together ("group commit"): a hundred orders that come
//! at once cost one fsync. Each answer is sent after the commit that holds it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::error::{Result, StoreError};

/// Jobs that may wait; more senders wait for room.
pub(super) const QUEUE: usize = 1_024;
/// Most jobs in one transaction.
const BATCH: usize = 256;

/// What a job works in: the open transaction, and what is to be told to others after its commit.
pub(super) struct Tx<'a> {
    pub(super) conn: &'a Connection,
    /// The newest change written.
    pub(super) cursor: i64,
    /// An order may have become due sooner than was known.
    pub(super) wake: bool,
    /// Events that found no room.
    pub(super) events_lost: u64,
}

/// How a job wants to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durable {
    /// On disk before the answer: survives a power cut.
    Yes,
    /// In the log before the answer: survives the process, reaches the disk with the next durable job or checkpoint.
    Later,
}

type Work<T> = Box<dyn FnOnce(&mut Tx<'_>) -> Result<T> + Send>;

/// One thing to write, and who waits for its answer.
struct Job<T> {
    durable: Durable,
    work: Option<Work<T>>,
    result: Option<Result<T>>,
    answer: Option<oneshot::Sender<Result<T>>>,
}

trait AnyJob: Send {
    fn durable(&self) -> Durable;
    /// Does the work; `false`: it failed, and what it wrote is to be rolled back.
    fn work(&mut self, tx: &mut Tx<'_>) -> bool;
    fn answer(self: Box<Self>, committed: Result<()>);
}

impl<T: Send> AnyJob for Job<T> {
    fn durable(&self) -> Durable {
        self.durable
    }

    fn work(&mut self, tx: &mut Tx<'_>) -> bool {
        let result = self
            .work
            .take()
            .map_or(Err(StoreError::Closed), |work| work(tx));
        let good = result.is_ok();
        self.result = Some(result);
        good
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        match (self.answer, result) {
            // Nobody waits any more: what was written stays written.
            (Some(sender), result) => drop(sender.send(result)),
            (None, Err(error)) => tracing::warn!(%error, "history was not kept"),
            (None, Ok(_)) => {}
        }
    }
}

/// What the writer tells to others.
#[derive(Debug)]
pub(super) struct Told {
    /// The newest change's cursor; a hint to look, never to be skipped by.
    pub(super) cursor: watch::Sender<i64>,
    /// An order may be due.
    pub(super) due: Arc<Notify>,
    /// Why the last commit failed.
    pub(super) fault: Mutex<Option<String>>,
    /// Events that were lost.
    pub(super) events_lost: AtomicU64,
}

/// The writer's handle. Dropping it ends the thread after what waits is written.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn AnyJob>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(conn: Connection, told: Arc<Told>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_all(&conn, queue, &told))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    async fn send(&self, job: Box<dyn AnyJob>) -> Result<()> {
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).await.map_err(|_| StoreError::Closed)
    }

    /// Writes and waits for the commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, committed) = oneshot::channel();
        self.send(Box::new(Job {
            durable: Durable::Yes,
            work: Some(Box::new(work)),
            result: None,
            answer: Some(answer),
        }))
        .await?;
        committed.await.map_err(|_| StoreError::Closed)?
    }

    /// Hands over for writing, in order with all else; waits only for room in the queue.
    pub(super) async fn hand_over(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.send(Box::new(Job {
            durable: Durable::Later,
            work: Some(Box::new(work)),
            result: None,
            answer: None,
        }))
        .await
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // What waits is bounded, so this is short; a broken writer has said so in its panic.
            let _ = thread.join();
        }
    }
}

fn write_all(conn: &Connection, mut queue: mpsc::Receiver<Box<dyn AnyJob>>, told: &Told) {
    let mut batch: Vec<Box<dyn AnyJob>> = Vec::with_capacity(BATCH);
    while let Some(first) = queue.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH {
            let Ok(next) = queue.try_recv() else { break };
            batch.push(next);
        }
        let committed = commit(conn, &mut batch, told);
        {
            let mut fault = told.fault.lock().unwrap_or_else(PoisonError::into_inner);
            *fault = committed.as_ref().err().map(ToString::to_string);
        }
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = batch.len(), "the store could not write");
        }
        for job in batch.drain(..) {
            job.answer(committed.clone());
        }
    }
}

/// One transaction of many jobs. A job that fails is rolled back alone.
fn commit(conn: &Connection, batch: &mut [Box<dyn AnyJob>], told: &Told) -> Result<()> {
    let durable = batch.iter().any(|job| job.durable() == Durable::Yes);
    // In WAL mode FULL syncs the log at each commit, NORMAL at checkpoints only.
    let level = if durable { "FULL" } else { "NORMAL" };
    conn.pragma_update(None, "synchronous", level)?;
    let mut tx = Tx {
        conn,
        cursor: *told.cursor.borrow(),
        wake: false,
        events_lost: 0,
    };
    run(conn, "BEGIN IMMEDIATE")?;
    let worked = work(&mut tx, batch).and_then(|()| run(conn, "COMMIT"));
    if let Err(error) = worked {
        // SQLite may have rolled back already, as it does where the disk is full.
        if !conn.is_autocommit() {
            run(conn, "ROLLBACK")?;
        }
        return Err(error);
    }
    told.events_lost
        .fetch_add(tx.events_lost, Ordering::Relaxed);
    told.cursor.send_if_modified(|cursor| {
        let newer = tx.cursor > *cursor;
        *cursor = tx.cursor.max(*cursor);
        newer
    });
    if tx.wake {
        told.due.notify_one();
    }
    Ok(())
}

fn work(tx: &mut Tx<'_>, batch: &mut [Box<dyn AnyJob>]) -> Result<()> {
    for job in batch {
        run(tx.conn, "SAVEPOINT job")?;
        let cursor = tx.cursor;
        if !job.work(tx) {
            run(tx.conn, "ROLLBACK TO job")?;
            tx.cursor = cursor;
        }
        run(tx.conn, "RELEASE job")?;
    }
    Ok(())
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
