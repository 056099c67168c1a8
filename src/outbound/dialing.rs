//! The dialing as the rest of the server sees it: how it stands, what the recognizers can bear, the drain.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::board::{Board, Dialogs, Ears, Held, Sitting, Stands};
use super::governor::Seen;
use super::offer::Offer;
use super::trunks::{Trunk, Trunks};

/// The handle; clones share one dialing.
#[derive(Clone, Debug)]
pub struct Dialing {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    trunks: Arc<Trunks>,
    board: Mutex<Board>,
    drains: watch::Sender<bool>,
    /// There may be more room than a moment ago.
    changed: Notify,
}

impl Dialing {
    /// Over these trunks, with so many calls at once.
    pub fn new(trunks: Vec<Trunk>, at_once: usize) -> Self {
        let trunks = Arc::new(Trunks::new(trunks));
        Self {
            inner: Arc::new(Inner {
                board: Mutex::new(Board::new(Arc::clone(&trunks), at_once, Instant::now())),
                trunks,
                drains: watch::Sender::new(false),
                changed: Notify::new(),
            }),
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.inner
            .board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The trunks.
    pub fn trunks(&self) -> &Arc<Trunks> {
        &self.inner.trunks
    }

    /// How it stands.
    pub fn stands(&self) -> Stands {
        self.board().stands(Instant::now())
    }

    /// Which recognizers work. Dialogs that none of theirs hears wait.
    pub fn set_ears(&self, ears: Ears) {
        if self.board().set_ears(ears) {
            self.inner.changed.notify_one();
        }
    }

    /// What a period showed of the recognizers; `calls` of it is filled in with ours and `incoming`.
    pub fn observe(&self, seen: Seen, incoming: usize) {
        let mut board = self.board();
        let calls = board.heard() + incoming;
        if board.observe(Seen { calls, ..seen }) {
            self.inner.changed.notify_one();
        }
    }

    /// Outgoing calls that dial or talk.
    pub fn outgoing(&self) -> usize {
        self.board().outgoing()
    }

    /// From now on nothing is started, or things are started again. What goes on goes on. False: it was so already.
    pub fn drain(&self, on: bool) -> bool {
        self.inner
            .drains
            .send_if_modified(|drains| std::mem::replace(drains, on) != on)
    }

    /// Whether nothing is started.
    pub fn drains(&self) -> bool {
        *self.inner.drains.borrow()
    }

    /// Waits until things may be started.
    pub(super) async fn undrained(&self) {
        let mut drains = self.inner.drains.subscribe();
        // The sender is ours.
        let _ = drains.wait_for(|drains| !*drains).await;
    }

    /// Waits until there may be more room than a moment ago. For one waiter.
    pub(super) async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    pub(super) fn set_dialogs(&self, dialogs: &Dialogs) {
        self.board().set_dialogs(dialogs, Instant::now());
    }

    pub(super) fn offer(&self, left: usize, incoming: usize) -> Offer {
        self.board().offer(left, incoming, Instant::now())
    }

    pub(super) fn hold(&self, held: impl IntoIterator<Item = (Held, u64)>) {
        self.board().hold(held);
    }

    pub(super) fn next_room(&self) -> Option<Instant> {
        self.board().next_room(Instant::now())
    }

    pub(super) fn start(&self, dialog: &str, trunk: Option<&str>) -> Seated {
        let sitting = self.board().started(dialog, trunk, Instant::now());
        Seated {
            dialing: self.clone(),
            sitting,
        }
    }
}

/// The room that a call has; free when dropped.
#[derive(Debug)]
pub(super) struct Seated {
    dialing: Dialing,
    sitting: Sitting,
}

impl Seated {
    /// What the trunk answered.
    pub(super) fn answered(&self, outcome: Option<&str>) {
        let mut board = self.dialing.board();
        board.answered(&self.sitting, outcome, Instant::now());
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.dialing.board().ended(&self.sitting);
    }
}
