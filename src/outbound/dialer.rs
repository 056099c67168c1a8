//! The loop that takes due orders and has them placed.
//!
//! It never drops a wait in which an order could already have been taken: what the queue has handed out is placed, or
//! put back, or told how it ended.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::brake::{Brake, Room};
use super::limits::{Lines, Pace, Taken};
use super::queue::Queue;
use super::rules::Rules;
use crate::call::{Summary, outcome};
use crate::store::{Admit, Due, Result, StoreError, Then};

/// Longest sleep: a wall clock that was set forward is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Shortest: a queue that promises and doesn't give can't make the loop spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// Wait before a store that failed is asked again.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Tries at telling the store how an attempt ended; after these only [`crate::store::Store::recover`] will close it.
const STORE_TRIES: u32 = 120;

/// The wall clock, from outside.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What came of placing a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Placed {
    /// It was placed, and this is its end.
    Ended(Summary),
    /// Asterisk is away: nothing was dialed, for reasons that are no fault of this order. It goes back into the queue,
    /// the attempt doesn't count, and the dialer holds on for a while.
    NotPlaced {
        /// Why, for the history.
        reason: String,
    },
}

/// Who places calls: the application.
pub trait Place: Send + Sync + 'static {
    /// Waits until calls can be placed at all: while Asterisk is away orders stay queued, untouched. May be dropped at
    /// any time.
    fn ready(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Dials, talks, and answers when it is all over. Marks `ringing` and `answered` in the store itself. A panic in
    /// here ends that order with `runtime_error` and nothing else.
    fn place(&self, due: Due) -> impl Future<Output = Placed> + Send;
}

/// Takes orders and has them placed.
pub struct Dialer<Q, P> {
    /// Where the orders are.
    pub queue: Q,
    /// Who dials them.
    pub placer: Arc<P>,
    /// How many at once; shared with incoming calls.
    pub lines: Lines,
    /// How many a second.
    pub starts_per_second: f64,
    /// Who may be called now, and what follows an attempt.
    pub rules: Arc<Rules>,
    /// The wall clock.
    pub clock: Clock,
}

/// How one attempt's task ended.
enum End {
    Told,
    NotPlaced,
}

/// What a wait is for, besides the stop and the ends of calls.
enum For<'a> {
    Moment(Instant),
    Order(Instant, &'a Notify),
    Line(&'a mut Option<Taken>),
}

impl<Q: Queue, P: Place> Dialer<Q, P> {
    /// Runs until `stop`; then starts nothing more and returns when all that talks has ended (a caller that can't wait so
    /// long drops the run: the calls are cut).
    pub async fn run(self, stop: CancellationToken) {
        let notify = self.queue.due_changed();
        let admit: Arc<dyn Admit> = self.rules.clone();
        let mut pace = Pace::new(self.starts_per_second, Instant::now());
        let mut brake = Brake::new();
        let mut calls = JoinSet::new();
        let mut line = None;
        while !stop.is_cancelled() {
            while let Some(end) = calls.try_join_next() {
                heed(end.ok(), &mut brake);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(end) = calls.join_next() => {
                    heed(end.ok(), &mut brake);
                    continue;
                }
                () = self.placer.ready() => {}
                () = tokio::time::sleep(LONGEST_SLEEP) => {
                    // Orders expire all the same.
                    if let Err(error) = self.queue.take_due((self.clock)(), 0, &admit).await {
                        tracing::error!(%error, "can't look for expired orders");
                    }
                    continue;
                }
            }
            let wait = self
                .step(&mut pace, &mut brake, &mut calls, &mut line, &notify)
                .await;
            let Some(wait) = wait else { continue };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(end) = calls.join_next() => heed(end.ok(), &mut brake),
                () = wait_for(wait, &self.lines) => {}
            }
        }
        drop(line);
        if !calls.is_empty() {
            tracing::info!(calls = calls.len(), "waiting for the calls that go on");
        }
        while calls.join_next().await.is_some() {}
    }

    /// Starts what may be started; answers what to wait for, or `None`: look again at once.
    async fn step<'a>(
        &self,
        pace: &mut Pace,
        brake: &mut Brake,
        calls: &mut JoinSet<End>,
        line: &'a mut Option<Taken>,
        notify: &'a Notify,
    ) -> Option<For<'a>> {
        let now = Instant::now();
        // A line that was waited for is held through this step only, lest an incoming call miss it.
        let mut free: Vec<Taken> = line.take().into_iter().collect();
        let most = match brake.room(now) {
            Room::None(until) => return Some(For::Moment(until)),
            Room::One => 1,
            Room::Any => usize::MAX,
        };
        let most = most.min(pace.allowed(now));
        if most == 0 {
            return Some(For::Moment(pace.ready_at(now)));
        }
        while free.len() < most {
            let Some(another) = self.lines.try_take() else {
                break;
            };
            free.push(another);
        }
        if free.is_empty() {
            return Some(For::Line(line));
        }
        let wall = (self.clock)();
        let admit: Arc<dyn Admit> = self.rules.clone();
        let taken = match self.queue.take_due(wall, free.len(), &admit).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(%error, "can't take orders");
                return Some(For::Moment(Instant::now() + STORE_WAIT));
            }
        };
        if taken.is_empty() {
            drop(free);
            let at = self.next_look(wall).await;
            return Some(For::Order(at, notify));
        }
        pace.spend(taken.len());
        brake.started(Instant::now());
        for (due, line) in taken.into_iter().zip(free) {
            calls.spawn(attempt(
                self.queue.clone(),
                Arc::clone(&self.placer),
                Arc::clone(&self.rules),
                Arc::clone(&self.clock),
                due,
                line,
            ));
        }
        None
    }

    /// When to look into the queue again.
    async fn next_look(&self, wall: Timestamp) -> Instant {
        let sleep = match self.queue.next_due(wall).await {
            Ok(Some(at)) => Duration::try_from(at.duration_since(wall)).unwrap_or(Duration::ZERO),
            Ok(None) => LONGEST_SLEEP,
            Err(error) => {
                tracing::error!(%error, "can't ask for the next order");
                STORE_WAIT
            }
        };
        Instant::now() + sleep.clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
    }
}

async fn wait_for(wait: For<'_>, lines: &Lines) {
    match wait {
        For::Moment(at) => tokio::time::sleep_until(at).await,
        For::Order(at, notify) => {
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = notify.notified() => {}
            }
        }
        For::Line(line) => *line = lines.take().await,
    }
}

fn heed(end: Option<End>, brake: &mut Brake) {
    if let Some(End::NotPlaced) = end {
        brake.failed(Instant::now());
    }
}

/// One attempt, from its placing to its end in the store. The line is held until then.
async fn attempt<Q: Queue, P: Place>(
    queue: Q,
    placer: Arc<P>,
    rules: Arc<Rules>,
    clock: Clock,
    due: Due,
    line: Taken,
) -> End {
    let (order, number) = (due.order.clone(), due.attempt);
    let placed = AssertUnwindSafe(placer.place(due)).catch_unwind().await;
    let now = clock();
    let (summary, then) = match placed {
        Ok(Placed::Ended(summary)) => {
            let then = rules.after(&order, number, &summary, now);
            (summary, then)
        }
        Ok(Placed::NotPlaced { reason }) => {
            tracing::warn!(call_id = %order.id, %reason, "not placed, back into the queue");
            until_kept(|| queue.put_back(&order.id, number, &reason, now, now)).await;
            drop(line);
            return End::NotPlaced;
        }
        Err(_) => {
            tracing::error!(call_id = %order.id, "placing the call panicked");
            // Nobody knows how far it came: not to be tried again.
            (broken(), Then::Finish)
        }
    };
    until_kept(|| queue.attempt_ended(&order.id, number, &summary, then.clone(), now)).await;
    drop(line);
    End::Told
}

/// Tells the store until it has it: a full disk holds the line, but loses nothing.
async fn until_kept<T, F: Future<Output = Result<T>>>(mut tell: impl FnMut() -> F) {
    for _ in 0..STORE_TRIES {
        match tell().await {
            Ok(_) => return,
            Err(error @ (StoreError::NoAttempt { .. } | StoreError::Closed)) => {
                tracing::error!(%error, "the end of an attempt found no place");
                return;
            }
            Err(error) => tracing::error!(%error, "the end of an attempt is not kept yet"),
        }
        tokio::time::sleep(STORE_WAIT).await;
    }
}

fn broken() -> Summary {
    Summary {
        outcome: outcome::RUNTIME_ERROR.to_owned(),
        data: serde_json::Map::new(),
        answered: false,
        cause: None,
        version: None,
        call_again: None,
        talk_ms: 0,
        recording: None,
    }
}
