//! The threads on which dialogs run. One that has ended its dialog waits a while for the next: to make a thread costs as
//! much as all the rest of a short call's bookkeeping.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Virtual size of a dialog's stack; only what is touched becomes resident.
const STACK: usize = 4 << 20;
/// A thread without work ends after this.
const IDLE: Duration = Duration::from_secs(10);
/// Threads that wait for work, at most: each keeps the stack that its last dialog touched (some 20 KiB).
const MOST_IDLE: usize = 256;

type Work = Box<dyn FnOnce() + Send>;

/// The threads; as many at once as there are dialogs, which `calls.at_once` bounds.
#[derive(Clone, Debug, Default)]
pub struct DialogThreads(Arc<Mutex<Idle>>);

#[derive(Debug, Default)]
struct Idle {
    next: u64,
    /// Used last stands last, and is used first: its stack is warm, and the others may end.
    waiting: Vec<(u64, SyncSender<Work>)>,
}

impl DialogThreads {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it on a thread of its own.
    ///
    /// # Errors
    ///
    /// The system gives no more threads; the work is dropped.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let work: Work = Box::new(work);
        let waiting = self.idle().waiting.pop();
        let work = match waiting {
            // A thread that is listed has not ended: it takes itself off the list first.
            Some((_, thread)) => match thread.send(work) {
                Ok(()) => return Ok(()),
                Err(back) => back.0,
            },
            None => work,
        };
        let threads = self.clone();
        std::thread::Builder::new()
            .name("dialog".to_owned())
            .stack_size(STACK)
            .spawn(move || threads.live(work))
            .map(drop)
    }

    /// A thread's life.
    fn live(&self, first: Work) {
        // A thread is off the list while it has work: one place is enough.
        let (sender, queue) = sync_channel(1);
        let mut work = first;
        loop {
            work();
            let Some(number) = self.wait(&sender) else {
                return;
            };
            match self.next(number, &queue) {
                Some(next) => work = next,
                None => return,
            }
        }
    }

    /// Joins those that wait; `None`: there are enough of them.
    fn wait(&self, sender: &SyncSender<Work>) -> Option<u64> {
        let mut idle = self.idle();
        if idle.waiting.len() >= MOST_IDLE {
            return None;
        }
        let number = idle.next;
        idle.next += 1;
        idle.waiting.push((number, sender.clone()));
        Some(number)
    }

    fn next(&self, number: u64, queue: &Receiver<Work>) -> Option<Work> {
        match queue.recv_timeout(IDLE) {
            Ok(work) => return Some(work),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let mut idle = self.idle();
        let listed = idle.waiting.len();
        idle.waiting.retain(|(other, _)| *other != number);
        let still_listed = idle.waiting.len() < listed;
        drop(idle);
        // Taken off the list by somebody else: its work is on its way.
        if still_listed {
            None
        } else {
            queue.recv().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};

    #[test]
    fn threads_are_used_again_and_none_waits_for_another() {
        let threads = DialogThreads::default();
        let (told, ids) = mpsc::sync_channel::<ThreadId>(50);
        for _ in 0..20 {
            let told = told.clone();
            threads
                .run(move || told.send(thread::current().id()).unwrap())
                .unwrap();
            ids.recv().unwrap();
            // It lists itself right after its work.
            while threads.idle().waiting.is_empty() {
                thread::yield_now();
            }
        }
        assert_eq!(threads.idle().waiting.len(), 1, "one thread did it all");
        // Fifty that wait for each other are fifty threads.
        let gate = Arc::new(std::sync::Barrier::new(51));
        for _ in 0..50 {
            let (told, gate) = (told.clone(), Arc::clone(&gate));
            threads
                .run(move || {
                    told.send(thread::current().id()).unwrap();
                    gate.wait();
                })
                .unwrap();
        }
        gate.wait();
        let seen: HashSet<ThreadId> = ids.iter().take(50).collect();
        assert_eq!(seen.len(), 50);
    }

    #[test]
    fn a_panic_costs_its_own_thread_only() {
        let threads = DialogThreads::default();
        let (told, done) = mpsc::sync_channel(1);
        let held = told.clone();
        threads
            .run(move || {
                let _held = held;
                panic!("meant");
            })
            .unwrap();
        threads.run(move || told.send(()).unwrap()).unwrap();
        done.recv().unwrap();
        assert!(
            done.recv().is_err(),
            "the first one's end was told by its drop"
        );
    }
}
