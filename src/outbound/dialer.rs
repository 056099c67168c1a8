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

use super::board::{Dialogs, Held};
use super::brake::{self, Brake, Room};
use super::dialing::{Dialing, Seated};
use super::limits::{Lines, Pace, Taken};
use super::queue::Queue;
use super::rules::Rules;
use crate::call::{Summary, outcome};
use crate::store::{Admit, Due, Looked, Result, StoreError, Then};

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
    /// The trunks, the drain, what the recognizers can bear; shared with the rest of the server.
    pub dialing: Dialing,
    /// The dialogs' limits as they are now; the same `Arc` as long as nothing has changed.
    pub dialogs: Arc<dyn Fn() -> Dialogs + Send + Sync>,
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

/// What a wait is for, besides the stop, more room and the ends of calls.
enum Wait {
    Moment(Instant),
    Order(Instant),
    Line,
}

/// What the loop knows from one look to the next.
struct Going {
    pace: Pace,
    brake: Brake,
    calls: JoinSet<End>,
    line: Option<Taken>,
    /// The last look took all that it might: there may be more that wait.
    hungry: bool,
}

impl<Q: Queue, P: Place> Dialer<Q, P> {
    /// Runs until `stop`; then starts nothing more and returns when all that talks has ended (a caller that can't wait so
    /// long drops the run: the calls are cut). While [`Dialing::drain`] is on it starts nothing, and lets orders expire.
    pub async fn run(self, stop: CancellationToken) {
        let notify = self.queue.due_changed();
        let admit: Arc<dyn Admit> = self.rules.clone();
        let mut going = Going {
            // Nothing saved up: what was started a moment ago, before a crash, counts too.
            pace: Pace::cold(self.starts_per_second, Instant::now()),
            brake: Brake::new(brake::ASTERISK),
            calls: JoinSet::new(),
            line: None,
            hungry: false,
        };
        while !stop.is_cancelled() {
            while let Some(end) = going.calls.try_join_next() {
                heed(end.ok(), &mut going.brake);
            }
            let ready = async {
                self.dialing.undrained().await;
                self.placer.ready().await;
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(end) = going.calls.join_next() => {
                    heed(end.ok(), &mut going.brake);
                    continue;
                }
                () = ready => {}
                () = tokio::time::sleep(LONGEST_SLEEP) => {
                    // Orders expire all the same.
                    let nothing = self.dialing.offer(0, 0);
                    if let Err(error) = self.queue.take_seated((self.clock)(), nothing, &admit).await {
                        tracing::error!(%error, "can't look for expired orders");
                    }
                    continue;
                }
            }
            if self.dialing.drains() {
                // It began while Asterisk was waited for.
                continue;
            }
            let wait = self.step(&mut going, &admit).await;
            let Some(wait) = wait else { continue };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(end) = going.calls.join_next() => heed(end.ok(), &mut going.brake),
                () = self.dialing.changed() => {}
                line = wait_for(wait, &self.lines, &notify) => going.line = line,
            }
        }
        let mut calls = going.calls;
        drop(going.line);
        if !calls.is_empty() {
            tracing::info!(calls = calls.len(), "waiting for the calls that go on");
        }
        while calls.join_next().await.is_some() {}
    }

    /// Starts what may be started; answers what to wait for, or `None`: look again at once.
    async fn step(&self, going: &mut Going, admit: &Arc<dyn Admit>) -> Option<Wait> {
        let now = Instant::now();
        // A line that was waited for is held through this step only, lest an incoming call miss it.
        let mut free: Vec<Taken> = going.line.take().into_iter().collect();
        let hungry = u64::from(going.hungry);
        let most = match going.brake.room(now) {
            Room::None(until) => {
                self.dialing.hold([(Held::Asterisk, 1)]);
                return Some(Wait::Moment(until));
            }
            Room::One => 1,
            Room::Any => usize::MAX,
        };
        let most = most.min(going.pace.allowed(now));
        if most == 0 {
            self.dialing.hold([(Held::Rate, hungry)]);
            return Some(Wait::Moment(going.pace.ready_at(now)));
        }
        while free.len() < most {
            let Some(another) = self.lines.try_take() else {
                break;
            };
            free.push(another);
        }
        if free.is_empty() {
            self.dialing.hold([(Held::Lines, hungry)]);
            return Some(Wait::Line);
        }
        let wall = (self.clock)();
        self.dialing.set_dialogs(&(self.dialogs)());
        let ours = free.len() + going.calls.len();
        let incoming = self.lines.taken().saturating_sub(ours);
        let offer = self.dialing.offer(free.len(), incoming);
        let looked = match self.queue.take_seated(wall, offer, admit).await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!(%error, "can't take orders");
                return Some(Wait::Moment(Instant::now() + STORE_WAIT));
            }
        };
        let Looked { due, seats, more } = looked;
        self.dialing.hold(seats.held());
        going.hungry = due.len() == free.len();
        if due.is_empty() {
            drop(free);
            if more {
                return None;
            }
            // What is due and has no room isn't looked at again before something has changed.
            let at = self.next_look(wall).await;
            let room = seats.held().next().and_then(|_| self.dialing.next_room());
            let soonest = Instant::now() + SHORTEST_SLEEP;
            return Some(Wait::Order(
                room.map_or(at, |room| room.min(at)).max(soonest),
            ));
        }
        going.pace.spend(due.len());
        going.brake.started(Instant::now());
        for (due, line) in due.into_iter().zip(free) {
            let seated = self.dialing.start(&due.order.dialog, due.trunk.as_deref());
            let attempt = Attempt {
                queue: self.queue.clone(),
                placer: Arc::clone(&self.placer),
                rules: Arc::clone(&self.rules),
                clock: Arc::clone(&self.clock),
                line,
                seated,
            };
            going.calls.spawn(attempt.run(due));
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

/// A line, where that is what was waited for.
async fn wait_for(wait: Wait, lines: &Lines, orders: &Notify) -> Option<Taken> {
    match wait {
        Wait::Moment(at) => tokio::time::sleep_until(at).await,
        Wait::Order(at) => {
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = orders.notified() => {}
            }
        }
        Wait::Line => return lines.take().await,
    }
    None
}

fn heed(end: Option<End>, brake: &mut Brake) {
    if let Some(End::NotPlaced) = end {
        brake.failed(Instant::now());
    }
}

/// One attempt. The line and the room on its trunk are held until its end is in the store.
struct Attempt<Q, P> {
    queue: Q,
    placer: Arc<P>,
    rules: Arc<Rules>,
    clock: Clock,
    line: Taken,
    seated: Seated,
}

impl<Q: Queue, P: Place> Attempt<Q, P> {
    async fn run(self, due: Due) -> End {
        let (order, number, before) = (due.order.clone(), due.attempt, due.before.clone());
        let placed = if due.trunk.is_some() {
            AssertUnwindSafe(self.placer.place(due))
                .catch_unwind()
                .await
        } else {
            tracing::error!(call_id = %order.id, "no trunk serves this number: see trunks[].prefixes");
            Ok(Placed::Ended(Summary::new(outcome::INVALID_NUMBER)))
        };
        let now = (self.clock)();
        let (summary, then) = match placed {
            Ok(Placed::Ended(summary)) => {
                self.seated.answered(Some(&summary.outcome));
                let then = self.rules.after(&order, number, &before, &summary, now);
                (summary, then)
            }
            Ok(Placed::NotPlaced { reason }) => {
                tracing::warn!(call_id = %order.id, %reason, "not placed, back into the queue");
                until_kept(|| self.queue.put_back(&order.id, number, &reason, now, now)).await;
                drop((self.line, self.seated));
                return End::NotPlaced;
            }
            Err(_) => {
                tracing::error!(call_id = %order.id, "placing the call panicked");
                // Nobody knows how far it came: not to be tried again.
                (Summary::new(outcome::RUNTIME_ERROR), Then::Finish)
            }
        };
        until_kept(|| {
            self.queue
                .attempt_ended(&order.id, number, &summary, then.clone(), now)
        })
        .await;
        drop((self.line, self.seated));
        End::Told
    }
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
