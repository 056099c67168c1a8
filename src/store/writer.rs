//! The one thread that writes. What waits together is committed together ("group commit"): a hundred orders that come
//! at once cost one fsync. Each answer is sent after the commit that holds it. What nobody waits for in a hurry (history,
//! an attempt's end) lingers for a moment, so that a busy server makes tens of transactions a second, not thousands: most
//! pages that a call changes are changed by its neighbours too, and are written once for all of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{Notify, Semaphore, oneshot, watch};

use super::error::{Result, StoreError};
use super::record::CallbackRules;
use super::tails::Tails;

/// Jobs that may wait; more senders wait for room.
pub(super) const QUEUE: usize = 1_024;
/// Most jobs in one transaction.
const BATCH: usize = 512;
/// A job that is in no hurry waits at most so long for company.
pub(super) const LINGER: Duration = Duration::from_millis(40);
/// The same for what must not be forgotten by a crash: that it rings at the person's.
pub(super) const SHORT_LINGER: Duration = Duration::from_millis(20);

/// What a job works in: the open transaction, and what is to be told to others after its commit.
pub(super) struct Tx<'a> {
    pub(super) conn: &'a Connection,
    /// What is known of calls without asking.
    pub(super) tails: &'a mut Tails,
    /// The newest change written.
    pub(super) cursor: i64,
    /// An order may have become due sooner than was known.
    pub(super) wake: bool,
    /// Events that found no room.
    pub(super) events_lost: u64,
    /// Who is told by callbacks.
    pub(super) callbacks: Arc<CallbackRules>,
    /// A delivery was written, or may be tried sooner.
    pub(super) deliver: bool,
}

impl Tx<'_> {
    /// What was done in it is rolled back.
    fn undone(&mut self, cursor: i64) {
        self.tails.forget_all();
        (self.cursor, self.wake, self.events_lost, self.deliver) = (cursor, false, 0, false);
    }
}

/// How a job wants to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durable {
    /// On disk before the answer: survives a power cut.
    Yes,
    /// In the log some [`LINGER`] later: survives the process from then on, reaches the disk with the next durable job or
    /// checkpoint.
    Later,
    /// A line of history: as [`Durable::Later`], and where something fails it stands or falls with the lines beside it.
    Line,
}

/// Done again from the start where the transaction had to be rolled back.
type Work<T> = Box<dyn FnMut(&mut Tx<'_>) -> Result<T> + Send>;

/// One thing to write, and who waits for its answer.
struct Job<T> {
    durable: Durable,
    work: Work<T>,
    result: Option<Result<T>>,
    answer: Option<oneshot::Sender<Result<T>>>,
}

trait AnyJob: Send {
    fn durable(&self) -> Durable;
    /// Does the work, once more after a rollback; `false`: it failed, and what it wrote is to be rolled back.
    fn work(&mut self, tx: &mut Tx<'_>) -> bool;
    fn answer(self: Box<Self>, committed: Result<()>);
}

impl<T: Send> AnyJob for Job<T> {
    fn durable(&self) -> Durable {
        self.durable
    }

    fn work(&mut self, tx: &mut Tx<'_>) -> bool {
        let result = (self.work)(tx);
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
            (None, Err(error)) => tracing::error!(%error, "what happened in a call was not kept"),
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
    /// A callback may be due.
    pub(super) deliver: Arc<Notify>,
    /// Who is told by callbacks.
    pub(super) callbacks: Mutex<Arc<CallbackRules>>,
    /// Why the last commit failed.
    pub(super) fault: Mutex<Option<String>>,
    /// Events that were lost.
    pub(super) events_lost: AtomicU64,
    /// Attempts that ended, by outcome.
    pub(super) ended: super::tally::Tally,
}

/// What waits to be written.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn AnyJob>>,
    /// When the most impatient of them wants to be written.
    due: Option<Instant>,
    closed: bool,
}

/// The queue between the senders and the thread. Not a channel: a job in no hurry must not wake the thread each time.
struct Jobs {
    queue: Mutex<Queue>,
    work: Condvar,
    room: Semaphore,
}

impl Jobs {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Box<dyn AnyJob>, linger: Duration) -> Result<()> {
        let due = Instant::now() + linger;
        let mut queue = self.queue();
        if queue.closed {
            return Err(StoreError::Closed);
        }
        queue.jobs.push_back(job);
        // The first job begins the linger; then only less patience or a full batch cuts it short.
        let sooner = queue.due.is_none_or(|others| due < others);
        let wake = sooner || queue.jobs.len() == BATCH;
        if sooner {
            queue.due = Some(due);
        }
        drop(queue);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// The next batch; `false`: closed, and nothing is left.
    fn take(&self, batch: &mut Vec<Box<dyn AnyJob>>) -> bool {
        let mut queue = self.queue();
        while queue.jobs.is_empty() && !queue.closed {
            queue = self
                .work
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        while let Some(due) = queue.due
            && !queue.closed
            && queue.jobs.len() < BATCH
        {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.work.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let most = queue.jobs.len().min(BATCH);
        batch.extend(queue.jobs.drain(..most));
        // The most impatient may stand behind those that were taken.
        if queue.jobs.is_empty() {
            queue.due = None;
        }
        drop(queue);
        self.room.add_permits(batch.len());
        !batch.is_empty()
    }
}

/// The writer's handle. Dropping it ends the thread after what waits is written.
pub(super) struct Writer {
    jobs: Arc<Jobs>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(conn: Connection, told: Arc<Told>) -> std::io::Result<Self> {
        let jobs = Arc::new(Jobs {
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Semaphore::new(QUEUE),
        });
        let queue = Arc::clone(&jobs);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_all(&conn, &queue, &told))?;
        Ok(Self {
            jobs,
            thread: Some(thread),
        })
    }

    async fn send(&self, job: Box<dyn AnyJob>, linger: Duration) -> Result<()> {
        let room = self
            .jobs
            .room
            .acquire()
            .await
            .map_err(|_| StoreError::Closed)?;
        room.forget();
        self.jobs.push(job, linger)
    }

    async fn answered<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
        linger: Duration,
    ) -> Result<T> {
        let (answer, committed) = oneshot::channel();
        let job = Job {
            durable: Durable::Yes,
            work: Box::new(work),
            result: None,
            answer: Some(answer),
        };
        self.send(Box::new(job), linger).await?;
        committed.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes and waits for the commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.answered(work, Duration::ZERO).await
    }

    /// The same for whom [`LINGER`] more is nothing.
    pub(super) async fn write_soon<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.answered(work, LINGER).await
    }

    /// The same for what a crash must not forget so easily.
    pub(super) async fn write_sooner<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.answered(work, SHORT_LINGER).await
    }

    /// Hands over for writing, in order with all else; waits only for room in the queue.
    pub(super) async fn hand_over(
        &self,
        durable: Durable,
        work: impl FnMut(&mut Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let job = Job {
            durable,
            work: Box::new(work),
            result: None,
            answer: None,
        };
        self.send(Box::new(job), LINGER).await
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.queue().closed = true;
        self.jobs.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // What waits is bounded, so this is short; a broken writer has said so in its panic.
            let _ = thread.join();
        }
    }
}

/// Closes the queue when the thread ends, however it ends: nobody must wait for a writer that is gone.
struct Closes<'a>(&'a Jobs);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.closed = true;
        queue.jobs.clear();
        drop(queue);
        self.0.room.close();
    }
}

fn write_all(conn: &Connection, jobs: &Jobs, told: &Told) {
    let _closes = Closes(jobs);
    let mut batch: Vec<Box<dyn AnyJob>> = Vec::with_capacity(BATCH);
    let (mut synced, mut tails) = (Synced::Unknown, Tails::default());
    while jobs.take(&mut batch) {
        let committed = commit(conn, &mut batch, told, &mut synced, &mut tails);
        if committed.is_err() {
            tails.forget_all();
        }
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

/// What `PRAGMA synchronous` was set to last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Synced {
    Unknown,
    /// The log is synced at each commit.
    Full,
    /// The log is synced at checkpoints only.
    Normal,
}

/// One transaction of many jobs. A job that fails takes no other with it.
fn commit(
    conn: &Connection,
    batch: &mut [Box<dyn AnyJob>],
    told: &Told,
    synced: &mut Synced,
    tails: &mut Tails,
) -> Result<()> {
    let durable = batch.iter().any(|job| job.durable() == Durable::Yes);
    let (wanted, level) = match durable {
        true => (Synced::Full, "FULL"),
        false => (Synced::Normal, "NORMAL"),
    };
    if *synced != wanted {
        *synced = Synced::Unknown;
        conn.pragma_update(None, "synchronous", level)?;
        *synced = wanted;
    }
    let cursor = *told.cursor.borrow();
    let mut tx = Tx {
        conn,
        tails,
        cursor,
        wake: false,
        events_lost: 0,
        callbacks: Arc::clone(
            &told
                .callbacks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        ),
        deliver: false,
    };
    run(conn, "BEGIN IMMEDIATE")?;
    let worked = match work(&mut tx, batch) {
        true => Ok(()),
        false => work_apart(&mut tx, batch, cursor),
    };
    let worked = worked.and_then(|()| run(conn, "COMMIT"));
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
    if tx.deliver {
        told.deliver.notify_one();
    }
    Ok(())
}

/// All jobs on each other, in the hope that none fails after it has written: a savepoint for each would cost as much as
/// the job. `false`: one did.
fn work(tx: &mut Tx<'_>, batch: &mut [Box<dyn AnyJob>]) -> bool {
    batch.iter_mut().all(|job| {
        let before = tx.conn.total_changes();
        // A refusal has written nothing; and the transaction goes on, as it doesn't where the disk is full.
        job.work(tx) || (tx.conn.total_changes() == before && !tx.conn.is_autocommit())
    })
}

/// From the start once more: each job, and each run of lines between them, stands or falls by itself.
fn work_apart(tx: &mut Tx<'_>, batch: &mut [Box<dyn AnyJob>], cursor: i64) -> Result<()> {
    // SQLite may have rolled back already, as it does where the disk is full.
    if !tx.conn.is_autocommit() {
        run(tx.conn, "ROLLBACK")?;
    }
    tx.undone(cursor);
    run(tx.conn, "BEGIN IMMEDIATE")?;
    for jobs in
        batch.chunk_by_mut(|a, b| a.durable() == Durable::Line && b.durable() == Durable::Line)
    {
        run(tx.conn, "SAVEPOINT job")?;
        let cursor = tx.cursor;
        // All of them are worked off: none may be left without its answer.
        let mut failed = 0;
        for job in jobs {
            failed += u32::from(!job.work(tx));
        }
        if failed > 0 {
            run(tx.conn, "ROLLBACK TO job")?;
            tx.cursor = cursor;
            tx.tails.forget_all();
        }
        run(tx.conn, "RELEASE job")?;
    }
    Ok(())
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
