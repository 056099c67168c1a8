//! One call's stream: gives the pool its audio, tells what was heard, and ends utterances.
//!
//! ```text
//! tape ──(a whole step, or the utterance's end)──▶ pool ──▶ partial
//!   ▲                                               └────▶ final, and a new ear
//!   └ over 10 s late: Failed, the next recognizer takes over
//! ```
//!
//! An utterance ends where the call says so ([`TapeReader::end_of_utterance`], its own voice activity). If nobody says it, it
//! ends when [`OWN_END_MS`] of audio have brought no new text, or after [`LONGEST_MS`]. The library's own endpointing isn't
//! used: with T-one it counts steps of 300 ms as if they were 30 ms, so that its rules fire ten times too late.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::pool::{Done, Engine, HeardText, Job, Pool, Seat};
use crate::asr::tape::{TapeReader, to_ms};
use crate::asr::{AsrEvent, BEHIND, Cause};
use crate::audio::frame::FRAME_SAMPLES;
use crate::ident::Spoken;

/// Audio without new text that ends an utterance when nobody else ends it, milliseconds.
pub const OWN_END_MS: u64 = 1_500;
/// The longest utterance, milliseconds of audio since its first text.
pub const LONGEST_MS: u64 = 60_000;
/// Steps in one job: more would hold up the other calls of its batch.
const MAX_STEPS: u64 = 2;

pub(super) struct Stream<E: Engine> {
    name: String,
    pool: Arc<Pool<E>>,
    audio: TapeReader,
    events: mpsc::Sender<AsrEvent>,
    /// When the stream was opened: audio that was there before came late through no fault of ours.
    opened: Instant,
    /// The ear, while no job has it.
    seat: Option<Seat<E::Ear>>,
    permit: Option<OwnedSemaphorePermit>,
    flight: Option<Flight<E::Ear>>,
    /// The last partial.
    said: String,
    /// Sample at which it changed.
    changed: u64,
    /// Sample at which the ear began.
    ear_from: u64,
    /// Sample at which the utterance's first text came.
    text_from: u64,
    /// Nobody else ended this utterance: we do.
    own_end: bool,
    ready: bool,
}

#[derive(Clone, Copy)]
struct End {
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
        audio: TapeReader,
        events: mpsc::Sender<AsrEvent>,
    ) -> Self {
        let here = audio.start();
        Self {
            name,
            pool,
            audio,
            events,
            opened: Instant::now(),
            seat: None,
            permit: Some(permit),
            flight: None,
            said: String::new(),
            changed: here,
            ear_from: here,
            text_from: here,
            own_end: false,
            ready: false,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            // Asked before the audio is, so that none is left behind.
            let closed = self.audio.is_closed();
            while self.flight.is_none() {
                match self.start_job() {
                    Some(Some(end)) => self.tell_final(HeardText::default(), end).await,
                    Some(None) => {}
                    None => break,
                }
            }
            if closed && self.flight.is_none() {
                return;
            }
            let step = self.step();
            let late = self
                .flight
                .as_ref()
                .map_or_else(Instant::now, |flight| flight.due + BEHIND);
            tokio::select! {
                done = landed(&mut self.flight) => match done {
                    Some(done) => self.landed(done).await,
                    None => return self.fail("its threads have ended".to_owned()).await,
                },
                () = self.audio.news(step), if self.flight.is_none() => {}
                () = sleep_until(late), if self.flight.is_some() => {
                    return self.fail(self.behind()).await;
                }
                () = self.events.closed() => return,
            }
        }
    }

    /// Samples of a step.
    fn step(&self) -> u64 {
        (self.pool.step_frames() * FRAME_SAMPLES) as u64
    }

    /// Gives the next audio to the pool, if there is enough. `Some(Some)`: an utterance ended without any.
    fn start_job(&mut self) -> Option<Option<End>> {
        let step = self.step();
        let ready = self.audio.ready();
        let closed = self.audio.is_closed();
        let cursor = self.audio.cursor();
        let mark = self.audio.next_end();
        let mut samples = ready.samples.min(MAX_STEPS * step);
        let end = if self.own_end {
            samples = 0;
            Some(End { asked: false })
        } else if mark == Some(cursor + samples) {
            Some(End { asked: true })
        } else if closed && mark.is_none() && samples == ready.samples {
            (cursor + samples > self.ear_from).then_some(End { asked: false })
        } else {
            None
        };
        if end.is_none() {
            // The ear began on a step, and stays on one until it ends, or a gate leaves audio out.
            if !ready.whole || samples < ready.samples {
                samples -= samples % step;
            }
            if samples == 0 {
                self.audio.forget_skipped();
                return None;
            }
        }
        let came = self.audio.end() - (cursor + samples);
        let due = Instant::now() - Duration::from_millis(to_ms(came).min(60_000));
        let frames = self.audio.take_frames(samples);
        if end.is_some() {
            self.own_end = false;
            let _ = self.audio.end_of_utterance();
            if frames.is_empty() && cursor == self.ear_from {
                return Some(end);
            }
        }
        let (told, done) = oneshot::channel();
        self.pool.push(Job {
            seat: self.seat.take(),
            permit: self.permit.take(),
            frames,
            finish: end.is_some(),
            done: told,
        });
        self.flight = Some(Flight {
            done,
            end,
            due: due.max(self.opened),
        });
        Some(None)
    }

    async fn landed(&mut self, done: Done<E::Ear>) {
        let end = self.flight.take().and_then(|flight| flight.end);
        self.seat = Some(done.seat);
        if let Some(end) = end {
            return self.tell_final(done.heard, end).await;
        }
        if !self.ready {
            self.ready = true;
            let _ = self.events.send(AsrEvent::Ready).await;
        }
        let taken = self.audio.cursor();
        let text = done.heard.text.trim();
        if !text.is_empty() && text != self.said {
            if self.said.is_empty() {
                self.text_from = taken;
            }
            text.clone_into(&mut self.said);
            self.changed = taken;
            let text = Spoken::new(self.said.clone());
            // One that finds the queue full is left out: the next says more.
            let _ = self.events.try_send(AsrEvent::Partial { text });
        }
        if self.said.is_empty() {
            self.audio.forget_silence(taken);
            return;
        }
        let still_ms = to_ms(taken - self.changed);
        let long_ms = to_ms(taken - self.text_from);
        self.own_end = still_ms >= OWN_END_MS || long_ms >= LONGEST_MS;
    }

    async fn tell_final(&mut self, heard: HeardText, end: End) {
        let taken = self.audio.cursor();
        let at = |ms: Option<u64>| ms.map(|ms| to_ms(self.audio.position(ms).min(taken)));
        let (start_ms, end_ms) = (at(heard.start_ms), at(heard.end_ms));
        self.ear_from = taken;
        self.changed = taken;
        // The next ear's times count from here.
        self.audio.rebase();
        self.audio.forget(taken);
        let partial = std::mem::take(&mut self.said);
        let text = match heard.text.trim() {
            // What was told as a partial is never taken back by silence.
            "" => partial,
            text => text.to_owned(),
        };
        if text.is_empty() && !end.asked {
            return;
        }
        let event = AsrEvent::Final {
            text: Spoken::new(text),
            start_ms,
            end_ms,
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
        let _ = self
            .events
            .send(AsrEvent::Failed {
                cause: Cause::Slow,
                reason,
            })
            .await;
    }
}

/// `None`: the pool lost the job.
async fn landed<Ear>(flight: &mut Option<Flight<Ear>>) -> Option<Done<Ear>> {
    match flight {
        Some(flight) => (&mut flight.done).await.ok(),
        None => std::future::pending().await,
    }
}
