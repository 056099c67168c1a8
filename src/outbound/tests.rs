//! The dialer over a real store and a fake placer, under tokio's paused time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::call::{Order, Status, Summary};
use crate::ident::{CallId, Phone};
use crate::store::{Admit, CallRecord, Due, Looked, Result, Seats, Store, Then};

mod dialing;

/// The store, asked from blocking threads: tokio's paused clock stands still meanwhile, so that what the disk takes
/// costs no time of the test.
#[derive(Clone)]
struct Still(Store, Arc<AtomicUsize>);

async fn still<T: Send + 'static>(
    ask: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let here = Handle::current();
    spawn_blocking(move || here.block_on(ask)).await.unwrap()
}

impl Queue for Still {
    async fn take_seated<S: Seats>(
        &self,
        now: Timestamp,
        seats: S,
        admit: &Arc<dyn Admit>,
    ) -> Result<Looked<S>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let (store, admit) = (self.0.clone(), Arc::clone(admit));
        still(async move { store.take_seated(now, seats, &admit).await }).await
    }

    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        self.0.next_due(now).await
    }

    fn due_changed(&self) -> Arc<Notify> {
        self.0.due_changed()
    }

    async fn attempt_ended(
        &self,
        id: &CallId,
        attempt: u32,
        summary: &Summary,
        then: Then,
        at: Timestamp,
    ) -> Result<Status> {
        let (store, id, summary) = (self.0.clone(), id.clone(), summary.clone());
        still(async move { store.attempt_ended(&id, attempt, &summary, then, at).await }).await
    }

    async fn put_back(
        &self,
        id: &CallId,
        attempt: u32,
        reason: &str,
        again_at: Timestamp,
        now: Timestamp,
    ) -> Result<Status> {
        let (store, id, reason) = (self.0.clone(), id.clone(), reason.to_owned());
        still(async move { store.put_back(&id, attempt, &reason, again_at, now).await }).await
    }
}

/// One placing: which, when, and whether Asterisk was there.
#[derive(Clone, Debug)]
struct Start {
    id: String,
    dialog: String,
    trunk: Option<String>,
    attempt: u32,
    at: f64,
    placed: bool,
}

/// Places nothing: waits so long, and answers by the order's dialog: `busy`, `panic`, `confirmed`, `later` ...
struct Fake {
    begin: Instant,
    talk: Duration,
    away: Mutex<Option<Instant>>,
    open: watch::Sender<bool>,
    /// Trunks that answer congestion, at once.
    congested: Mutex<Vec<String>>,
    starts: Mutex<Vec<Start>>,
    live: Mutex<(usize, usize)>,
}

impl Place for Fake {
    async fn ready(&self) {
        let mut open = self.open.subscribe();
        let _ = open.wait_for(|open| *open).await;
    }

    async fn place(&self, due: Due) -> Placed {
        let now = Instant::now();
        let away = self.away.lock().unwrap().is_some_and(|until| now < until);
        self.starts.lock().unwrap().push(Start {
            id: due.order.id.to_string(),
            dialog: due.order.dialog.clone(),
            trunk: due.trunk.clone(),
            attempt: due.attempt,
            at: (now - self.begin).as_secs_f64(),
            placed: !away,
        });
        if away {
            return Placed::NotPlaced {
                reason: "AMI is away".to_owned(),
            };
        }
        let trunk = due.trunk.unwrap_or_default();
        if self.congested.lock().unwrap().contains(&trunk) {
            return Placed::Ended(summary("congestion", None));
        }
        {
            let mut live = self.live.lock().unwrap();
            live.0 += 1;
            live.1 = live.1.max(live.0);
        }
        sleep(self.talk).await;
        self.live.lock().unwrap().0 -= 1;
        assert_ne!(due.order.dialog, "panic", "as asked");
        let again = (due.order.dialog == "later").then(|| moment(self.begin, 3_600));
        Placed::Ended(summary(&due.order.dialog, again))
    }
}

fn summary(outcome: &str, call_again: Option<Timestamp>) -> Summary {
    Summary {
        call_again,
        ..Summary::new(outcome)
    }
}

/// The wall clock: a fixed moment and tokio's time since the beginning.
fn moment(begin: Instant, plus_seconds: i64) -> Timestamp {
    let passed = SignedDuration::try_from(Instant::now() - begin).unwrap();
    Timestamp::from_second(1_780_000_000 + plus_seconds).unwrap()
        + if plus_seconds == 0 {
            passed
        } else {
            SignedDuration::ZERO
        }
}

struct Rig {
    _folder: tempfile::TempDir,
    store: Store,
    fake: Arc<Fake>,
    lines: Lines,
    stop: CancellationToken,
    run: Option<JoinHandle<()>>,
    rate: f64,
    dialing: Dialing,
    dialogs: Arc<Mutex<Dialogs>>,
    /// Looks into the queue.
    looks: Arc<AtomicUsize>,
}

impl Rig {
    fn new(at_once: usize, rate: f64, talk_s: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Store::open(folder.path().join("store.sqlite")).unwrap(),
            _folder: folder,
            fake: Arc::new(Fake {
                begin: Instant::now(),
                talk: Duration::from_secs(talk_s),
                away: Mutex::new(None),
                open: watch::Sender::new(true),
                congested: Mutex::default(),
                starts: Mutex::new(Vec::new()),
                live: Mutex::new((0, 0)),
            }),
            lines: Lines::new(at_once),
            stop: CancellationToken::new(),
            run: None,
            rate,
            dialing: Dialing::new(vec![Trunk::plain("trunk")], at_once),
            dialogs: Arc::default(),
            looks: Arc::default(),
        }
    }

    fn start(&mut self) {
        let begin = self.fake.begin;
        let dialer = Dialer {
            queue: Still(self.store.clone(), Arc::clone(&self.looks)),
            placer: Arc::clone(&self.fake),
            lines: self.lines.clone(),
            starts_per_second: self.rate,
            dialing: self.dialing.clone(),
            dialogs: {
                let dialogs = Arc::clone(&self.dialogs);
                Arc::new(move || Arc::clone(&dialogs.lock().unwrap()))
            },
            rules: Arc::new(Rules::new(600_000)),
            clock: Arc::new(move || moment(begin, 0)),
        };
        self.run = Some(tokio::spawn(dialer.run(self.stop.clone())));
    }

    fn order(id: &str, outcome: &str) -> Order {
        let id = CallId::parse(id).unwrap();
        Order::simple(id, Phone::parse("+79121234567").unwrap(), outcome)
    }

    async fn add(&self, orders: Vec<Order>) {
        let (store, now) = (self.store.clone(), moment(self.fake.begin, 0));
        let orders = orders.into_iter().map(|o| (o, "hash".to_owned())).collect();
        still(async move { store.add_orders(orders, now).await })
            .await
            .unwrap();
    }

    async fn call(&self, id: &str) -> CallRecord {
        let id = CallId::parse(id).unwrap();
        self.store.call(&id).await.unwrap().unwrap()
    }

    fn starts(&self) -> Vec<Start> {
        self.fake.starts.lock().unwrap().clone()
    }

    /// `id#attempt@second` of all that was placed.
    fn told(&self) -> Vec<String> {
        self.starts()
            .iter()
            .map(|s| format!("{}#{}@{:.0}", s.id, s.attempt, s.at))
            .collect()
    }

    async fn drain(&mut self) {
        self.stop.cancel();
        self.run.take().unwrap().await.unwrap();
    }
}

/// Every attempt was placed exactly once; those that Asterisk wasn't there for don't count.
fn nothing_twice(starts: &[Start]) {
    let mut seen = HashMap::new();
    for start in starts.iter().filter(|start| start.placed) {
        let before = seen.insert((start.id.clone(), start.attempt), start.at);
        assert!(before.is_none(), "{start:?} and at {before:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_hold_at_each_moment() {
    let mut rig = Rig::new(5, 3.0, 4);
    let names = (0..40).map(|n| Rig::order(&format!("o{n}"), "confirmed"));
    rig.add(names.collect()).await;
    rig.start();
    sleep(Duration::from_secs(120)).await;
    let starts = rig.starts();
    assert_eq!(starts.len(), 40);
    nothing_twice(&starts);
    assert_eq!(rig.fake.live.lock().unwrap().1, 5, "all lines are used");
    for (n, start) in starts.iter().enumerate() {
        let second = starts[n..].iter().filter(|s| s.at < start.at + 0.999);
        assert!(second.count() <= 4, "{start:?}");
    }
    // 5 lines for 4 s each: 40 calls take 32 s and the first ones' spread.
    let last = starts.last().unwrap().at;
    assert!((28.0..34.0).contains(&last), "{last}");
    assert_eq!(rig.lines.taken(), 0);
    rig.drain().await;
    assert_eq!(rig.call("o39").await.status, Status::Finished);
}

#[tokio::test(start_paused = true)]
async fn before_asterisk_is_there_orders_are_not_touched() {
    let mut rig = Rig::new(5, 10.0, 4);
    rig.fake.open.send_replace(false);
    let mut short = Rig::order("short", "confirmed");
    short.expires = Some(moment(rig.fake.begin, 50));
    rig.add(vec![Rig::order("waits", "confirmed"), short]).await;
    rig.start();
    sleep(Duration::from_secs(100)).await;
    assert_eq!(rig.starts().len(), 0);
    assert_eq!(rig.call("short").await.status, Status::Expired);
    let waits = rig.call("waits").await;
    assert_eq!((waits.status, waits.attempt), (Status::Queued, 0));
    rig.fake.open.send_replace(true);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(rig.told(), ["waits#1@100"]);
    // It goes while a call talks: that call goes on, and is told.
    rig.fake.open.send_replace(false);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(rig.call("waits").await.status, Status::Finished);
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_reached_and_not_passed() {
    let mut rig = Rig::new(1_000, 100.0, 30);
    let names = (0..500).map(|n| Rig::order(&format!("o{n}"), "confirmed"));
    rig.add(names.collect()).await;
    rig.start();
    sleep(Duration::from_secs(60)).await;
    let starts = rig.starts();
    assert_eq!(starts.len(), 500);
    nothing_twice(&starts);
    for (n, start) in starts.iter().enumerate() {
        let second = starts[n..].iter().take_while(|s| s.at < start.at + 0.999);
        assert!(second.count() <= 105, "{start:?}");
    }
    let last = starts.last().unwrap().at;
    assert!((4.8..5.6).contains(&last), "{last}");
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn priority_then_age_then_time() {
    let mut rig = Rig::new(1, 10.0, 10);
    let mut orders = Vec::new();
    for (name, priority, not_before) in [
        ("old", 0, None),
        ("young", 0, None),
        ("urgent", 9, None),
        ("timed", 50, Some(25)),
    ] {
        let mut order = Rig::order(name, "confirmed");
        order.priority = priority;
        order.not_before = not_before.map(|s| moment(rig.fake.begin, s));
        orders.push(order);
    }
    rig.add(orders).await;
    rig.start();
    sleep(Duration::from_secs(100)).await;
    let told = rig.told();
    let expect = ["urgent#1@0", "old#1@10", "young#1@20", "timed#1@30"];
    assert_eq!(told, expect);
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn another_attempt_comes_in_its_time() {
    let mut rig = Rig::new(10, 100.0, 5);
    let mut busy = Rig::order("busy", "busy");
    busy.attempts = 3;
    let later = Rig::order("later", "later");
    let mut short = Rig::order("short", "no_answer");
    short.attempts = 3;
    short.expires = Some(moment(rig.fake.begin, 700));
    rig.add(vec![busy, later, short]).await;
    rig.start();
    sleep(Duration::from_secs(10_000)).await;
    let mut told = rig.told();
    told.sort();
    assert_eq!(
        told,
        [
            "busy#1@0",
            "busy#2@605",
            "busy#3@1210",
            "later#1@0",
            "later#2@3600",
            "short#1@0",
            "short#2@605"
        ]
    );
    for (id, outcome, attempts) in [
        ("busy", "busy", 3),
        ("later", "later", 2),
        ("short", "no_answer", 2),
    ] {
        let call = rig.call(id).await;
        assert_eq!(call.status, Status::Finished, "{id}");
        assert_eq!(call.outcome.as_deref(), Some(outcome));
        assert_eq!(call.attempt_list.len(), attempts);
    }
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_order_wakes_the_sleeper() {
    let mut rig = Rig::new(2, 10.0, 5);
    rig.start();
    sleep(Duration::from_secs(17)).await;
    rig.add(vec![Rig::order("a", "confirmed")]).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.told(), ["a#1@17"]);
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn while_asterisk_is_away_nothing_is_lost_and_little_is_tried() {
    let mut rig = Rig::new(20, 50.0, 5);
    *rig.fake.away.lock().unwrap() = Some(rig.fake.begin + Duration::from_secs(40));
    let names = (0..60).map(|n| Rig::order(&format!("o{n}"), "confirmed"));
    rig.add(names.collect()).await;
    rig.start();
    sleep(Duration::from_secs(300)).await;
    let starts = rig.starts();
    let tries = starts.iter().filter(|start| !start.placed).count();
    assert!((5..=12).contains(&tries), "{tries} tries in 40 s");
    nothing_twice(&starts);
    let placed = starts.iter().filter(|start| start.placed).count();
    assert_eq!(placed, 60);
    assert!(
        starts.iter().all(|start| start.attempt == 1),
        "no try counts as an attempt"
    );
    for n in [0, 30, 59] {
        let call = rig.call(&format!("o{n}")).await;
        assert_eq!((call.status, call.attempt), (Status::Finished, 1));
    }
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_what_talks_and_starts_nothing() {
    let mut rig = Rig::new(2, 10.0, 30);
    let names = ["a", "b", "c"].map(|name| Rig::order(name, "confirmed"));
    rig.add(names.to_vec()).await;
    rig.start();
    sleep(Duration::from_secs(10)).await;
    rig.drain().await;
    let waited = (Instant::now() - rig.fake.begin).as_secs();
    assert_eq!(waited, 30, "until the last call's end");
    assert_eq!(rig.starts().len(), 2);
    assert_eq!(rig.call("b").await.status, Status::Finished);
    assert_eq!(rig.call("c").await.status, Status::Queued);
}

#[tokio::test(start_paused = true)]
async fn incoming_calls_take_lines_too() {
    let mut rig = Rig::new(2, 10.0, 5);
    let incoming = [rig.lines.try_take().unwrap(), rig.lines.try_take().unwrap()];
    rig.add(vec![Rig::order("a", "confirmed")]).await;
    rig.start();
    sleep(Duration::from_secs(60)).await;
    assert!(rig.starts().is_empty());
    drop(incoming);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.told(), ["a#1@60"]);
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_own_order_only() {
    let mut rig = Rig::new(1, 10.0, 5);
    let mut bad = Rig::order("bad", "panic");
    bad.attempts = 5;
    rig.add(vec![bad, Rig::order("good", "confirmed")]).await;
    rig.start();
    sleep(Duration::from_secs(60)).await;
    rig.drain().await;
    let bad = rig.call("bad").await;
    assert_eq!(bad.outcome.as_deref(), Some("runtime_error"));
    assert_eq!((bad.status, bad.attempt), (Status::Finished, 1));
    let good = rig.call("good").await;
    assert_eq!(good.outcome.as_deref(), Some("confirmed"));
}
