//! What the dialer needs of a store: five words, so that another database can stand in.

use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::call::{Status, Summary};
use crate::ident::CallId;
use crate::store::{Admit, Looked, Result, Seats, Store, Then};

/// The queue of orders. What each word promises is written at [`Store`]'s method of that name.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Takes what is due, admitted and has room, atomically: what is answered is nobody else's.
    fn take_seated<S: Seats>(
        &self,
        now: Timestamp,
        seats: S,
        admit: &Arc<dyn Admit>,
    ) -> impl Future<Output = Result<Looked<S>>> + Send;

    /// When to look again.
    fn next_due(&self, now: Timestamp) -> impl Future<Output = Result<Option<Timestamp>>> + Send;

    /// Notified when that may have become sooner.
    fn due_changed(&self) -> Arc<Notify>;

    /// The end of an attempt, and what follows.
    fn attempt_ended(
        &self,
        id: &CallId,
        attempt: u32,
        summary: &Summary,
        then: Then,
        at: Timestamp,
    ) -> impl Future<Output = Result<Status>> + Send;

    /// An attempt that couldn't be begun and doesn't count.
    fn put_back(
        &self,
        id: &CallId,
        attempt: u32,
        reason: &str,
        again_at: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<Status>> + Send;
}

impl Queue for Store {
    async fn take_seated<S: Seats>(
        &self,
        now: Timestamp,
        seats: S,
        admit: &Arc<dyn Admit>,
    ) -> Result<Looked<S>> {
        Store::take_seated(self, now, seats, admit).await
    }

    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        Store::next_due(self, now).await
    }

    fn due_changed(&self) -> Arc<Notify> {
        Store::due_changed(self)
    }

    async fn attempt_ended(
        &self,
        id: &CallId,
        attempt: u32,
        summary: &Summary,
        then: Then,
        at: Timestamp,
    ) -> Result<Status> {
        Store::attempt_ended(self, id, attempt, summary, then, at).await
    }

    async fn put_back(
        &self,
        id: &CallId,
        attempt: u32,
        reason: &str,
        again_at: Timestamp,
        now: Timestamp,
    ) -> Result<Status> {
        Store::put_back(self, id, attempt, reason, again_at, now).await
    }
}
