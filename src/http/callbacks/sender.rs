//! Delivers the outbox.
//!
//! ```text
//! waiting ──2xx──▶ delivered
//!    │ ▲
//!    │ └─ no 2xx: again after first_retry, twice that, … longest_retry, with jitter
//!    └── give_up_after is over ──▶ failed ──retry (a person)──▶ waiting
//! ```
//!
//! Each host has deliveries of its own at once ([`CallbackConfig::per_host`]). One that can't be reached is asked by one
//! delivery at a time, ever more seldom, and holds up nobody else's. What is on its way is known here only: after a
//! crash the store still has it waiting, and it is sent again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::{HttpState, report};
use super::sign::signature;
use crate::config::CallbackConfig;
use crate::store::{Callback, Change, Result, Tried};

/// Deliveries at once, to all hosts together.
const AT_ONCE: usize = 64;
/// Longest sleep: a wall clock that was set forward is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Wait before a store that failed is asked again.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// First and longest wait before a host that can't be reached is asked again.
const HOST_WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// One POST.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Where to.
    pub url: String,
    /// Ours beside the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// Why a POST was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostFault {
    /// The receiver's status, where it answered.
    pub answer: Option<u16>,
    /// Why, in words.
    pub text: String,
    /// Another delivery to that host would fare no better just now.
    pub unreachable: bool,
}

/// Who posts: the application. Answers the receiver's 2xx.
pub type Post =
    Arc<dyn Fn(Parcel) -> BoxFuture<'static, std::result::Result<u16, PostFault>> + Send + Sync>;

/// What is counted, for `/metrics`.
#[derive(Debug, Default)]
pub(in crate::http) struct Counts {
    pub(in crate::http) delivered: AtomicU64,
    pub(in crate::http) failed_tries: AtomicU64,
    pub(in crate::http) given_up: AtomicU64,
}

/// A host's state, as long as something waits for it.
#[derive(Debug, Default)]
struct Host {
    busy: HashSet<i64>,
    /// Not to be asked before; `None`: it answers.
    until: Option<Instant>,
    wait: Duration,
}

impl Host {
    /// How many more deliveries may go out to it now.
    fn room(&self, most: usize, now: Instant) -> usize {
        let most = match self.until {
            None => most,
            Some(until) if now >= until => 1,
            Some(_) => 0,
        };
        most.saturating_sub(self.busy.len())
    }

    fn failed(&mut self, now: Instant, chance: f64) {
        if self.until.is_some_and(|until| now < until) {
            // Many that fail together count once.
            return;
        }
        self.wait = (self.wait * 2).clamp(HOST_WAIT.0, HOST_WAIT.1);
        self.until = Some(now + jittered(self.wait, chance));
    }

    fn answered(&mut self) {
        (self.until, self.wait) = (None, Duration::ZERO);
    }
}

/// How a try ended.
struct Done {
    host: String,
    n: i64,
    reached: bool,
}

/// See the module.
pub struct Sender {
    state: HttpState,
    config: CallbackConfig,
    post: Post,
}

impl Sender {
    /// Delivers what `state`'s store has, by `post`.
    pub fn new(state: HttpState, config: CallbackConfig, post: Post) -> Self {
        Self {
            state,
            config,
            post,
        }
    }

    /// Runs until `stop`; what is on its way then is cut, and sent again after the next start.
    pub async fn run(self, stop: CancellationToken) {
        let shared = Arc::new(self);
        let changed = shared.state.store().callbacks_changed();
        let mut hosts: HashMap<String, Host> = HashMap::new();
        let mut tasks: JoinSet<Done> = JoinSet::new();
        while !stop.is_cancelled() {
            while let Some(done) = tasks.try_join_next() {
                heed(done.ok(), &mut hosts);
            }
            let sleep = match shared.send_due(&mut hosts, &mut tasks).await {
                Ok(sleep) => sleep,
                Err(error) => {
                    tracing::error!(%error, "can't look for callbacks");
                    STORE_WAIT
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = tasks.join_next() => heed(done.ok(), &mut hosts),
                () = changed.notified() => {}
                () = tokio::time::sleep(sleep.min(LONGEST_SLEEP)) => {}
            }
        }
    }

    /// Sends what may be sent now; how long to sleep unless something happens.
    async fn send_due(
        self: &Arc<Self>,
        hosts: &mut HashMap<String, Host>,
        tasks: &mut JoinSet<Done>,
    ) -> Result<Duration> {
        let store = self.state.store();
        let receivers = store.callback_receivers().await?;
        hosts.retain(|name, host| {
            !host.busy.is_empty() || receivers.iter().any(|receiver| receiver.host == *name)
        });
        let mut sleep = LONGEST_SLEEP;
        for receiver in receivers {
            let (wall, now) = (self.state.now(), Instant::now());
            let host = hosts.entry(receiver.host.clone()).or_default();
            let room = host
                .room(self.config.per_host, now)
                .min(AT_ONCE - tasks.len().min(AT_ONCE));
            if room == 0 {
                // The end of one that is on its way wakes us, too.
                if let Some(until) = host.until {
                    sleep = sleep.min(until.saturating_duration_since(now));
                }
                continue;
            }
            if receiver.due > wall {
                let wait = Duration::try_from(receiver.due.duration_since(wall));
                sleep = sleep.min(wait.unwrap_or(Duration::ZERO));
                continue;
            }
            let due = store
                .callbacks_due(&receiver.host, wall, room + host.busy.len())
                .await?;
            let fresh = due
                .into_iter()
                .filter(|(callback, _)| !host.busy.contains(&callback.n));
            let fresh: Vec<(Callback, Change)> = fresh.take(room).collect();
            for (callback, change) in fresh {
                host.busy.insert(callback.n);
                let sender = Arc::clone(self);
                tasks.spawn(async move { sender.deliver(callback, change).await });
            }
        }
        Ok(sleep)
    }

    /// One try, and what came of it in the store.
    async fn deliver(&self, callback: Callback, change: Change) -> Done {
        let body = report::change(&change, &self.state.telling()).to_string();
        let timestamp = self.state.now().as_second();
        let mut headers = vec![
            ("x-govorun-delivery", delivery(&callback)),
            ("x-govorun-timestamp", timestamp.to_string()),
        ];
        let secret = self.config.secret.reveal();
        if !secret.is_empty() {
            headers.push(("x-govorun-signature", signature(secret, timestamp, &body)));
        }
        let parcel = Parcel {
            url: callback.url.clone(),
            headers,
            body,
        };
        let posted = (self.post)(parcel).await;
        let now = self.state.now();
        let (tried, reached) = match posted {
            Ok(answer) => {
                self.state
                    .callback_counts()
                    .delivered
                    .fetch_add(1, Ordering::Relaxed);
                (Tried::Delivered { answer }, true)
            }
            Err(fault) => {
                self.state
                    .callback_counts()
                    .failed_tries
                    .fetch_add(1, Ordering::Relaxed);
                let again = self.again(&callback, now);
                if again.is_none() {
                    self.state
                        .callback_counts()
                        .given_up
                        .fetch_add(1, Ordering::Relaxed);
                    tracing::error!(call = %callback.id, delivery = callback.n, host = callback.host, error = fault.text, "a callback was given up");
                } else if callback.tries == 0 {
                    tracing::warn!(call = %callback.id, delivery = callback.n, host = callback.host, error = fault.text, "a callback was not taken; it will be tried again");
                }
                if fault.unreachable {
                    self.give_up_the_rest(&callback, &fault.text, now).await;
                }
                let failed = Tried::Failed {
                    answer: fault.answer,
                    error: fault.text,
                    again,
                };
                (failed, !fault.unreachable)
            }
        };
        while let Err(error) = self
            .state
            .store()
            .callback_tried(callback.n, tried.clone(), self.state.now())
            .await
        {
            // Unkept, a delivered one would be sent again at once.
            tracing::error!(%error, delivery = callback.n, "what came of a callback is not kept yet");
            tokio::time::sleep(STORE_WAIT).await;
        }
        Done {
            host: callback.host,
            n: callback.n,
            reached,
        }
    }

    /// When a delivery that has failed once more is tried again; `None`: not any more.
    fn again(&self, callback: &Callback, now: Timestamp) -> Option<Timestamp> {
        let wait = wait(&self.config, callback.tries, chance());
        let at = now.checked_add(SignedDuration::try_from(wait).ok()?).ok()?;
        let end = callback.since.checked_add(self.give_up_after()).ok()?;
        (at < end).then_some(at)
    }

    fn give_up_after(&self) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(self.config.give_up_after_ms).unwrap_or(i64::MAX))
    }

    /// A host that is silent is asked by few of its deliveries: those that have waited too long for it are given up with them.
    async fn give_up_the_rest(&self, callback: &Callback, error: &str, now: Timestamp) {
        let Ok(since) = now.checked_sub(self.give_up_after()) else {
            return;
        };
        let store = self.state.store();
        match store
            .give_up_callbacks(&callback.host, since, error, now)
            .await
        {
            Ok(0) => {}
            Ok(many) => {
                self.state
                    .callback_counts()
                    .given_up
                    .fetch_add(many as u64, Ordering::Relaxed);
                tracing::error!(
                    host = callback.host,
                    many,
                    error,
                    "callbacks to a silent host were given up"
                );
            }
            Err(error) => tracing::error!(%error, "can't give callbacks up"),
        }
    }
}

/// The same for each try of one delivery, and another for every other one, in another store too.
fn delivery(callback: &Callback) -> String {
    format!("{}-{}", callback.n, callback.created.as_millisecond())
}

/// The wait after try number `tries + 1`.
fn wait(config: &CallbackConfig, tries: u32, chance: f64) -> Duration {
    let doubled = config.first_retry_ms.saturating_mul(1 << tries.min(40));
    jittered(
        Duration::from_millis(doubled.min(config.longest_retry_ms)),
        chance,
    )
}

/// Between three quarters and five quarters of `whole`, lest all come back at one moment.
fn jittered(whole: Duration, chance: f64) -> Duration {
    whole.mul_f64(0.75 + chance / 2.0)
}

/// 0 to 1, evenly; the middle where the system has no chance to give.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX))
}

fn heed(done: Option<Done>, hosts: &mut HashMap<String, Host>) {
    // A task that panicked leaves its number busy; the log has its panic, and a restart sends it again.
    let Some(done) = done else { return };
    if let Some(host) = hosts.get_mut(&done.host) {
        host.busy.remove(&done.n);
        if done.reached {
            host.answered();
        } else {
            host.failed(Instant::now(), chance());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound_with_jitter() {
        let config = CallbackConfig::default();
        for (tries, ms) in [
            (0, 5_000),
            (1, 10_000),
            (5, 160_000),
            (8, 900_000),
            (60, 900_000),
        ] {
            let whole = Duration::from_millis(ms);
            assert_eq!(wait(&config, tries, 0.5), whole, "{tries}");
            assert_eq!(wait(&config, tries, 0.0), whole.mul_f64(0.75));
            assert_eq!(wait(&config, tries, 1.0), whole.mul_f64(1.25));
        }
    }

    #[test]
    fn a_silent_host_is_asked_ever_more_seldom_by_one() {
        let mut host = Host::default();
        let mut now = Instant::now();
        assert_eq!(host.room(4, now), 4);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            host.failed(now, 0.5);
            host.failed(now, 0.5);
            assert_eq!(host.room(4, now), 0);
            now += Duration::from_secs(seconds);
            assert_eq!(host.room(4, now), 1, "{seconds}");
        }
        host.busy.insert(1);
        assert_eq!(host.room(4, now), 0);
        host.busy.clear();
        host.answered();
        assert_eq!(host.room(4, now), 4);
    }
}
