//! Where a call's history goes: a trait, so that a call knows nothing of the store and a test can read along.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::clock::CallClock;
use super::history::{Data, HistoryEvent};
use crate::ident::CallId;

/// A future that a trait object gives.
pub type Kept<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Keeps what happens in calls. An answer means "taken over": in order, and not lost unless the process dies.
pub trait Journal: Send + Sync + std::fmt::Debug {
    /// Keeps these lines of an attempt's history.
    fn record<'a>(&'a self, call: &'a CallId, attempt: u32, events: Vec<HistoryEvent>) -> Kept<'a>;
    /// The far end rings.
    fn ringing<'a>(&'a self, call: &'a CallId, attempt: u32) -> Kept<'a>;
    /// The person answered.
    fn answered<'a>(&'a self, call: &'a CallId, attempt: u32) -> Kept<'a>;
}

/// One attempt's lines, gathered and handed over together.
#[derive(Debug)]
pub(super) struct CallJournal {
    journal: Arc<dyn Journal>,
    call: CallId,
    attempt: u32,
    clock: CallClock,
    lines: Vec<HistoryEvent>,
    /// When the oldest of them came.
    since: Option<Instant>,
}

/// Lines wait so long for company: each handing over costs as much as a line.
const GATHER: Duration = Duration::from_millis(100);
/// Lines that are not waited beyond.
const GATHERED: usize = 32;

impl CallJournal {
    pub(super) fn new(
        journal: Arc<dyn Journal>,
        call: CallId,
        attempt: u32,
        clock: CallClock,
    ) -> Self {
        Self {
            journal,
            call,
            attempt,
            clock,
            lines: Vec::new(),
            since: None,
        }
    }

    /// A line of now.
    pub(super) fn note(&mut self, kind: &'static str, data: impl Into<Data>) {
        self.note_at(kind, self.clock.now_ms(), data);
    }

    /// A line of that moment.
    pub(super) fn note_at(&mut self, kind: &'static str, at_ms: u64, data: impl Into<Data>) {
        self.since.get_or_insert_with(Instant::now);
        self.lines.push(HistoryEvent {
            at: Timestamp::now(),
            at_ms: Some(at_ms),
            kind,
            data: data.into(),
        });
    }

    /// When [`Self::flush_due`] will have something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + GATHER)
    }

    /// Hands over what has waited long enough, or is much.
    pub(super) async fn flush_due(&mut self) {
        let due = self.due().is_some_and(|due| due <= Instant::now());
        if due || self.lines.len() >= GATHERED {
            self.flush().await;
        }
    }

    /// Hands over what was gathered.
    pub(super) async fn flush(&mut self) {
        self.since = None;
        if !self.lines.is_empty() {
            let lines = std::mem::take(&mut self.lines);
            self.journal.record(&self.call, self.attempt, lines).await;
        }
    }

    pub(super) async fn ringing(&mut self) {
        self.flush().await;
        self.journal.ringing(&self.call, self.attempt).await;
    }

    pub(super) async fn answered(&mut self) {
        self.flush().await;
        self.journal.answered(&self.call, self.attempt).await;
    }
}
