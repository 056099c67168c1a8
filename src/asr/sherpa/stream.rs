//! One call's stream: keeps its audio until the pool takes it, tells what was heard, and ends utterances.
//!
//! ```text
//! feed ─▶ waiting ──(a whole step, or the utterance's end)──▶ pool ──▶ partial
//!            ▲                                                  └────▶ final, and a new ear
//!            └ over 10 s late: Failed, the next recognizer takes over
//! ```
//!
//! An utterance ends where the call says so ([`AsrInput::EndOfUtterance`], its own voice activity). If nobody says it, it
//! ends when [`OWN_END_MS`] of audio have brought no new text, or after [`LONGEST_MS`]. The library's own endpointing isn't
//! used: with T-one it counts steps of 300 ms as if they were 30 ms, so that its rules fire ten times too late.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::pool::{Done, Engine, HeardText, Job, Pool, Seat};
use crate::asr::{AsrEvent, AsrInput, FEED_FRAMES};
use crate::audio::Frame;
use crate::audio::frame::FRAME_MS;
use crate::ident::Spoken;

/// Audio without new text that ends an utterance when nobody else ends it, milliseconds.
pub const OWN_END_MS: u64 = 1_500;
/// The longest utterance, milliseconds of audio since its first text.
pub const LONGEST_MS: u64 = 60_000;
/// A job that is late by more than this is given up, and the stream with it.
const BEHIND: Duration = Duration::from_secs(10);
/// Audio that may wait: 10 s, and as much again that a failed recognizer hands over at once.
const MAX_WAITING: usize = 2 * FEED_FRAMES;
/// Ends of utterances that may wait.
const MAX_ENDS: usize = 64;
/// Steps in one job: more would hold up the other calls of its batch.
const MAX_STEPS: usize = 2;

pub(super) struct Stream<E: Engine> {
    name: String,
    pool: Arc<Pool<E>>,
    inputs: mpsc::Receiver<AsrInput>,
    events: mpsc::Sender<AsrEvent>,
    /// Audio that no job has taken, each frame with the time of its coming.
    waiting: VecDeque<(Frame, Instant)>,
    /// Where utterances end, in frames from the stream's start.
    ends: VecDeque<End>,
    /// Frames that jobs took.
    taken: u64,
    /// The ear, while no job has it.
    seat: Option<Seat<E::Ear>>,
    permit: Option<OwnedSemaphorePermit>,
    flight: Option<Flight<E::Ear>>,
    /// The last partial.
    said: String,
    /// Frame at which it changed.
    changed: u64,
    /// Frame at which the ear began.
    ear_from: u64,
    /// Frame at which the utterance's first text came.
    text_from: u64,
    closed: bool,
}

#[derive(Clone, Copy)]
struct End {
    at: u64,
    /// When it came.
    told: Instant,
    /// Its final is told even if it is empty: somebody waits for it.
    asked: bool,
}

struct Flight<Ear> {
    done: oneshot::Receiver<Done<Ear>>,
    /// The end that it finishes.
    end: Option<End>,
    /// Since when it is due.
    due: Instant,
}

impl<E: Engine> Stream<E> {
    pub(super) fn new(
        name: String,
        pool: Arc<Pool<E>>,
        permit: OwnedSemaphorePermit,
        inputs: mpsc::Receiver<AsrInput>,
        events: mpsc::Sender<AsrEvent>,
    ) -> Self {
        Self {
            name,
            pool,
            inputs,
            events,
            waiting: VecDeque::new(),
            ends: VecDeque::new(),
            taken: 0,
            seat: None,
            permit: Some(permit),
            flight: None,
            said: String::new(),
            changed: 0,
            ear_from: 0,
            text_from: 0,
            closed: false,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            while self.flight.is_none() && self.due() {
                if let Some(end) = self.start_job() {
                    self.tell_final(HeardText::default(), end).await;
                }
            }
            if self.closed && self.flight.is_none() && self.ends.is_empty() {
                return;
            }
            let late = self
                .flight
                .as_ref()
                .map_or_else(Instant::now, |flight| flight.due + BEHIND);
            tokio::select! {
                done = landed(&mut self.flight) => match done {
                    Some(done) => self.landed(done).await,
                    None => return self.fail("its threads have ended".to_owned()).await,
                },
                // What comes faster than that waits in the feed, and whoever fills it sees that it is full.
                input = self.inputs.recv(), if !self.closed && self.waiting.len() < MAX_WAITING => {
                    self.take(input);
                }
                () = sleep_until(late), if self.flight.is_some() => {
                    return self.fail(self.behind()).await;
                }
                () = self.events.closed() => return,
            }
        }
    }

    fn take(&mut self, input: Option<AsrInput>) {
        match input {
            Some(AsrInput::Audio(frame)) => self.waiting.push_back((frame, Instant::now())),
            Some(AsrInput::EndOfUtterance) => self.end_here(true),
            Some(AsrInput::Typed(_)) => {}
            None => {
                self.closed = true;
                self.end_here(false);
            }
        }
    }

    fn end_here(&mut self, asked: bool) {
        if self.ends.len() < MAX_ENDS {
            self.ends.push_back(End {
                at: self.taken + self.waiting.len() as u64,
                told: Instant::now(),
                asked,
            });
        }
    }

    /// Whether a job can be made of what waits.
    fn due(&self) -> bool {
        !self.ends.is_empty() || self.waiting.len() >= self.pool.step_frames()
    }

    /// Gives the next audio to the pool. `Some`: there was none to give, and this utterance ends empty.
    fn start_job(&mut self) -> Option<End> {
        let step = self.pool.step_frames();
        let end = self.ends.front().copied();
        let until = end.map_or(usize::MAX, |end| {
            usize::try_from(end.at.saturating_sub(self.taken)).unwrap_or(usize::MAX)
        });
        let mut frames = self.waiting.len().min(until).min(MAX_STEPS * step);
        let end = end.filter(|_| frames == until);
        if end.is_some() {
            self.ends.pop_front();
            if frames == 0 && self.taken == self.ear_from {
                return end;
            }
        } else {
            // The ear began on a step, and stays on one until it ends.
            frames -= frames % step;
        }
        let due = match (end, frames) {
            (Some(end), _) => end.told,
            (None, n) => self
                .waiting
                .get(n.saturating_sub(1))
                .map_or_else(Instant::now, |(_, came)| *came),
        };
        self.taken += frames as u64;
        let frames = self
            .waiting
            .drain(..frames)
            .map(|(frame, _)| frame)
            .collect();
        let (told, done) = oneshot::channel();
        self.pool.push(Job {
            seat: self.seat.take(),
            permit: self.permit.take(),
            frames,
            finish: end.is_some(),
            done: told,
        });
        self.flight = Some(Flight { done, end, due });
        None
    }

    async fn landed(&mut self, done: Done<E::Ear>) {
        let end = self.flight.take().and_then(|flight| flight.end);
        self.seat = Some(done.seat);
        if let Some(end) = end {
            return self.tell_final(done.heard, end).await;
        }
        let text = done.heard.text.trim();
        if !text.is_empty() && text != self.said {
            if self.said.is_empty() {
                self.text_from = self.taken;
            }
            text.clone_into(&mut self.said);
            self.changed = self.taken;
            let text = Spoken::new(self.said.clone());
            // One that finds the queue full is left out: the next says more.
            let _ = self.events.try_send(AsrEvent::Partial { text });
        }
        let still = (self.taken - self.changed) * FRAME_MS;
        let long = (self.taken - self.text_from) * FRAME_MS;
        if !self.said.is_empty() && (still >= OWN_END_MS || long >= LONGEST_MS) {
            self.ends.push_front(End {
                at: self.taken,
                told: Instant::now(),
                asked: false,
            });
        }
    }

    async fn tell_final(&mut self, heard: HeardText, end: End) {
        let from_ms = self.ear_from * FRAME_MS;
        let to_ms = self.taken * FRAME_MS;
        self.ear_from = self.taken;
        self.changed = self.taken;
        let partial = std::mem::take(&mut self.said);
        let text = match heard.text.trim() {
            // What was told as a partial is never taken back by silence.
            "" => partial,
            text => text.to_owned(),
        };
        if text.is_empty() && !end.asked {
            return;
        }
        let at = |ms: Option<u64>| ms.map(|ms| (from_ms + ms).min(to_ms));
        let event = AsrEvent::Final {
            text: Spoken::new(text),
            start_ms: at(heard.start_ms),
            end_ms: at(heard.end_ms),
        };
        let _ = self.events.send(event).await;
    }

    fn behind(&self) -> String {
        format!(
            "recognizer {:?} is more than {} s behind: its threads can't keep up with {} calls at once; lower `streams` or raise `threads`",
            self.name,
            BEHIND.as_secs(),
            self.pool.open_streams(),
        )
    }

    async fn fail(&mut self, reason: String) {
        let _ = self.events.send(AsrEvent::Failed { reason }).await;
    }
}

/// `None`: the pool lost the job.
async fn landed<Ear>(flight: &mut Option<Flight<Ear>>) -> Option<Done<Ear>> {
    match flight {
        Some(flight) => (&mut flight.done).await.ok(),
        None => std::future::pending().await,
    }
}
