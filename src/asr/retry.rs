//! How a recognizer's lost connection is made anew: when, how long, and what is said of it.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::tape::TapeReader;
use super::{AsrEvent, tell};
use crate::net::backoff::Backoff;

/// How patient to be.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long to try, without one sound answer.
    pub give_up_after: Duration,
    /// How many connections may be lost in one utterance.
    pub losses: u32,
}

/// One stream's troubles.
#[derive(Debug)]
pub struct Retry {
    /// `recognizer "vosk" at ws://127.0.0.1:2700`
    who: String,
    patience: Patience,
    /// Since when there is no sound answer.
    trouble: Option<Instant>,
    /// Connections lost in this utterance.
    losses: u32,
    backoff: Backoff,
    /// Audio that this connection was given a second time, ms.
    again_ms: u64,
    ready: bool,
}

/// What to do about a loss.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Connect again.
    Again,
    /// Give up, for this reason.
    GiveUp(String),
    /// Nobody is there to go on for.
    Leave,
}

impl Retry {
    /// For the recognizer `name` at `place`.
    pub fn new(name: &str, place: &str, patience: Patience) -> Self {
        Self {
            who: format!("recognizer {name:?} at {place}"),
            patience,
            trouble: None,
            losses: 0,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(2)),
            again_ms: 0,
            ready: false,
        }
    }

    /// Who it is, for messages.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// No sound answer came since the last loss.
    pub fn in_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// A connection begins, and so much audio is sent again.
    pub fn begins(&mut self, again_ms: u64) {
        self.again_ms = again_ms;
    }

    /// An utterance was told, or a connection held long: what was lost before counts no more.
    pub fn forgive(&mut self) {
        self.losses = 0;
    }

    /// A sound answer came.
    pub async fn well(&mut self, events: &mpsc::Sender<AsrEvent>) {
        if let Some(since) = self.trouble.take() {
            self.backoff.reset();
            let text = format!(
                "{}: answers again after {} ms, {} ms of audio were sent again",
                self.who,
                since.elapsed().as_millis(),
                self.again_ms,
            );
            tell(events, AsrEvent::Note { text }).await;
        }
        if !self.ready {
            self.ready = true;
            tell(events, AsrEvent::Ready).await;
        }
    }

    /// The connection was lost: tells it, and waits before the next try.
    pub async fn lost(
        &mut self,
        reason: &str,
        audio: &TapeReader,
        events: &mpsc::Sender<AsrEvent>,
    ) -> Next {
        let first = self.trouble.is_none();
        let since = *self.trouble.get_or_insert_with(Instant::now);
        self.losses += 1;
        let wait = self.backoff.next_random();
        if since.elapsed() + wait > self.patience.give_up_after
            || self.losses > self.patience.losses
        {
            return Next::GiveUp(format!(
                "{}: {reason}; gave up after {:.1} s and {} connections",
                self.who,
                since.elapsed().as_secs_f64(),
                self.losses,
            ));
        }
        if first {
            let text = format!("{}: {reason}; connecting again", self.who);
            tell(events, AsrEvent::Note { text }).await;
        }
        match self.meanwhile(audio, events, sleep(wait)).await {
            Some(()) => Next::Again,
            None => Next::Leave,
        }
    }

    /// Waits for `work`. `None`: the call has ended meanwhile, and there is nothing more to do for it. Who said something
    /// and hung up at once is still heard, if the server is well.
    pub async fn meanwhile<T>(
        &self,
        audio: &TapeReader,
        events: &mpsc::Sender<AsrEvent>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::pin!(work);
        loop {
            if audio.is_closed() && self.in_trouble() {
                return None;
            }
            tokio::select! {
                done = &mut work => return Some(done),
                () = audio.news(u64::MAX / 2), if !audio.is_closed() => {}
                () = events.closed() => return None,
            }
        }
    }
}
