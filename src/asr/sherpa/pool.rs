//! The threads that recognize for all calls: whoever is free takes what is due, several calls in one batch.
//!
//! A call has at most one job here at a time and gives its ear away with it, so that nothing is locked while a network
//! runs and the queue is never longer than the calls are many.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::audio::Frame;

/// Most calls in one batch: past that a batch's delay costs more than it saves.
const BATCH: usize = 16;

/// What recognizes: the native library, or a test's double.
pub trait Engine: Send + Sync + 'static {
    /// What one utterance is heard with.
    type Ear: Send + 'static;
    /// Frames that are decoded at once; fewer only wait.
    fn step_frames(&self) -> usize;
    /// An ear that has heard nothing.
    fn open(&self) -> Self::Ear;
    /// Takes audio; decodes nothing yet.
    fn hear(&self, ear: &mut Self::Ear, frames: &[Frame]);
    /// The utterance has ended: all that was heard is to be decoded.
    fn finish(&self, ear: &mut Self::Ear);
    /// Decodes what can be in all of them.
    fn decode(&self, ears: &mut [&mut Self::Ear]);
    /// The text so far.
    fn text(&self, ear: &Self::Ear) -> HeardText;
}

/// What an ear has heard so far. Times count from its opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeardText {
    /// The text.
    pub text: String,
    /// Where its first token begins.
    pub start_ms: Option<u64>,
    /// Where its last token begins.
    pub end_ms: Option<u64>,
}

/// An ear with its share of the bound on streams.
pub(super) struct Seat<Ear> {
    ear: Ear,
    _permit: OwnedSemaphorePermit,
}

/// Work on one ear.
pub(super) struct Job<Ear> {
    pub(super) seat: Option<Seat<Ear>>,
    pub(super) permit: Option<OwnedSemaphorePermit>,
    pub(super) frames: Vec<Frame>,
    /// The utterance ends with these frames; the next begins with a new ear.
    pub(super) finish: bool,
    pub(super) done: oneshot::Sender<Done<Ear>>,
}

/// Work that was done.
pub(super) struct Done<Ear> {
    pub(super) seat: Seat<Ear>,
    pub(super) heard: HeardText,
}

struct Queue<Ear> {
    jobs: VecDeque<Job<Ear>>,
    /// Threads that wait for work.
    idle: usize,
    closed: bool,
}

struct Shared<E: Engine> {
    engine: E,
    queue: Mutex<Queue<E::Ear>>,
    due: Condvar,
}

impl<E: Engine> Shared<E> {
    fn queue(&self) -> MutexGuard<'_, Queue<E::Ear>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch: an even share of what waits, so that no thread idles while another has two calls to serve.
    fn take(&self) -> Option<Vec<Job<E::Ear>>> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() {
            if queue.closed {
                return None;
            }
            queue.idle += 1;
            queue = self.due.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
        let share = queue.jobs.len().div_ceil(queue.idle + 1).min(BATCH);
        let batch = queue.jobs.drain(..share).collect();
        if !queue.jobs.is_empty() {
            self.due.notify_one();
        }
        Some(batch)
    }

    fn work(&self) {
        while let Some(mut batch) = self.take() {
            let mut seats = Vec::with_capacity(batch.len());
            for job in &mut batch {
                // A call that is gone costs nothing more.
                if job.done.is_closed() {
                    seats.push(None);
                    continue;
                }
                let seat = match (job.seat.take(), job.permit.take()) {
                    (Some(seat), _) => Some(seat),
                    (None, Some(permit)) => Some(Seat {
                        ear: self.engine.open(),
                        _permit: permit,
                    }),
                    (None, None) => None,
                };
                seats.push(seat.map(|mut seat| {
                    self.engine.hear(&mut seat.ear, &job.frames);
                    if job.finish {
                        self.engine.finish(&mut seat.ear);
                    }
                    seat
                }));
            }
            let mut ears: Vec<&mut E::Ear> = seats
                .iter_mut()
                .flatten()
                .map(|seat| &mut seat.ear)
                .collect();
            if !ears.is_empty() {
                self.engine.decode(&mut ears);
            }
            for (job, seat) in batch.into_iter().zip(seats) {
                let Some(mut seat) = seat else { continue };
                let heard = self.engine.text(&seat.ear);
                if job.finish {
                    seat.ear = self.engine.open();
                }
                let _ = job.done.send(Done { seat, heard });
            }
        }
    }
}

/// The pool's handle: the threads end when the last of it is dropped and the queue is done.
pub(super) struct Pool<E: Engine> {
    shared: Arc<Shared<E>>,
    seats: Arc<Semaphore>,
    bound: usize,
}

impl<E: Engine> Pool<E> {
    /// Starts `threads` threads, named `name-0` and so on, for at most `bound` streams at once.
    pub(super) fn start(
        engine: E,
        name: &str,
        threads: usize,
        bound: usize,
    ) -> std::io::Result<Self> {
        let pool = Self {
            shared: Arc::new(Shared {
                engine,
                queue: Mutex::new(Queue {
                    jobs: VecDeque::new(),
                    idle: 0,
                    closed: false,
                }),
                due: Condvar::new(),
            }),
            seats: Arc::new(Semaphore::new(bound)),
            bound,
        };
        for n in 0..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            std::thread::Builder::new()
                .name(format!("{name}-{n}"))
                .spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    pub(super) fn step_frames(&self) -> usize {
        self.shared.engine.step_frames().max(1)
    }

    pub(super) fn bound(&self) -> usize {
        self.bound
    }

    /// A share of the bound; `None` where all are taken. It comes back when the stream's ear is dropped.
    pub(super) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// Streams that are open.
    pub(super) fn open_streams(&self) -> usize {
        self.bound.saturating_sub(self.seats.available_permits())
    }

    pub(super) fn push(&self, job: Job<E::Ear>) {
        self.shared.queue().jobs.push_back(job);
        self.shared.due.notify_one();
    }
}

impl<E: Engine> Drop for Pool<E> {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.due.notify_all();
    }
}
