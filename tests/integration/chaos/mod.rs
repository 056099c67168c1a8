//! Orders by the thousand into a server that is killed with -9 again and again, over trunks and to people that fail at
//! random, while AMI, Asterisk and the receiver of callbacks go away at random: every order ends exactly once, no attempt is
//! dialed twice, limits hold at each moment, whoever reads `changes` has each once and in order, and each end is told to the
//! receiver at least once.
//!
//! The short version runs with all other tests. The full one, some ten minutes:
//!
//! ```text
//! cargo test --locked --test integration chaos::ten_thousand -- --ignored --exact --nocapture
//! ```

mod judge;
pub mod process;
pub mod receiver;
mod town;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use govorun::rehearsal::asterisk::{FakeAsterisk, Options};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::vosk::VoskDouble;
use process::{Den, Process};
use receiver::Receiver;
use town::Dice;

/// Orders of one batch.
const BATCH: usize = 500;
/// Attempts of each order.
const ATTEMPTS: u32 = 3;

/// What is done, and for how long at most.
#[derive(Clone, Copy, Debug)]
struct Plan {
    orders: usize,
    kills: usize,
    /// Between two kills, milliseconds.
    between_kills: (u64, u64),
    /// Asterisk dies so often, with all its calls.
    restarts: usize,
    limit: Duration,
    seed: u64,
}

/// What 1C has read.
#[derive(Debug, Default)]
struct Read {
    changes: Vec<Value>,
    ended: HashSet<String>,
}

/// Orders all of it, as a 1C that doesn't give up: what was cut off is sent again.
async fn order_all(den: Arc<Den>, orders: usize) {
    for first in (0..orders).step_by(BATCH) {
        let batch: Vec<Value> = (first..(first + BATCH).min(orders))
            .map(|n| {
                json!({
                    "id": format!("o{n}"), "phone": town::phone(n), "dialog": town::dialog(n), "attempts": ATTEMPTS,
                    "priority": if n % 50 == 0 { 5 } else { 0 },
                })
            })
            .collect();
        let body = Value::Array(batch);
        loop {
            match den.ask("POST", "/api/v1/calls/batch", Some(&body)).await {
                Ok((status, _)) if status < 300 => break,
                Ok((status, answer)) => panic!("{status}: {answer}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Reads the changes as they come, each from where the last answer ended.
async fn read_changes(den: Arc<Den>, read: Arc<Mutex<Read>>, stop: CancellationToken) {
    let mut cursor = 0;
    while !stop.is_cancelled() {
        let path = format!("/api/v1/changes?after={cursor}&limit=1000");
        let Ok((200, page)) = den.ask("GET", &path, None).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let changes = page["changes"].as_array().unwrap();
        {
            let mut read = read.lock().unwrap();
            for change in changes {
                let ends = ["finished", "expired", "cancelled"];
                if ends.contains(&change["status"].as_str().unwrap()) {
                    let id = change["id"].as_str().unwrap().to_owned();
                    read.ended.insert(id);
                }
                read.changes.push(change.clone());
            }
        }
        cursor = page["cursor"].as_i64().unwrap();
        if changes.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// AMI is cut, or away for a moment; rarely Asterisk dies. Answers when it died.
async fn trouble(
    asterisk: Arc<FakeAsterisk>,
    dice: Dice,
    restarts: usize,
    stop: CancellationToken,
) -> (usize, Vec<u64>) {
    let (mut troubles, mut deaths) = (0, Vec::new());
    loop {
        let wait = Duration::from_millis(dice.between(700, 3_000));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return (troubles, deaths),
        }
        troubles += 1;
        match dice.below(20) {
            0..8 => asterisk.drop_ami(),
            18 | 19 if deaths.len() < restarts => {
                let record = asterisk.record();
                deaths.push(record.now_us());
                let down = Duration::from_millis(dice.between(50, 400));
                asterisk.restart(down).await;
            }
            _ => {
                asterisk.close_ami(true);
                tokio::time::sleep(Duration::from_millis(dice.between(50, 600))).await;
                asterisk.close_ami(false);
            }
        }
    }
}

async fn run(plan: Plan) {
    let began = Instant::now();
    let dice = Dice::new(plan.seed);
    let people = Dice::new(plan.seed ^ 0xABCD);
    let options = Options::new(move |dialed| town::person(&people, dialed));
    let asterisk = Arc::new(FakeAsterisk::start(options).await.unwrap());
    let vosk = VoskDouble::by_loudness(&crate::app::WORDS).await;
    let calm = CancellationToken::new();
    let receiver = Receiver::start(Dice::new(plan.seed ^ 0x5555), calm.clone()).await;
    let told = Some(receiver.address);
    let den = Arc::new(Den::new(asterisk.ami_addr(), &vosk.url, told));
    let mut process = Process::start(&den).await;

    let stop = CancellationToken::new();
    let read = Arc::new(Mutex::new(Read::default()));
    let ordering = tokio::spawn(order_all(Arc::clone(&den), plan.orders));
    let reading = tokio::spawn(read_changes(
        Arc::clone(&den),
        Arc::clone(&read),
        stop.clone(),
    ));
    let troubling = tokio::spawn(trouble(
        Arc::clone(&asterisk),
        dice.clone(),
        plan.restarts,
        stop.clone(),
    ));
    for kill in 0..plan.kills {
        let (from, to) = plan.between_kills;
        tokio::time::sleep(Duration::from_millis(dice.between(from, to))).await;
        process.kill();
        process = Process::start(&den).await;
        if kill % 10 == 9 {
            let ended = read.lock().unwrap().ended.len();
            let seconds = began.elapsed().as_secs();
            println!("{} kills, {ended} orders ended, {seconds} s", kill + 1);
        }
    }
    ordering.await.unwrap();
    while read.lock().unwrap().ended.len() < plan.orders {
        let ended = read.lock().unwrap().ended.len();
        assert!(
            began.elapsed() < plan.limit,
            "{ended} of {} orders ended within {:?}\n{}",
            plan.orders,
            plan.limit,
            den.log()
                .lines()
                .rev()
                .take(40)
                .collect::<Vec<_>>()
                .join("\n")
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Whatever would still be dialed has its time.
    tokio::time::sleep(Duration::from_secs(3)).await;
    // What is still to be told has its time, too; the receiver is there now.
    calm.cancel();
    let waiting = Instant::now();
    while judge::taken(&receiver.told()).len() < plan.orders {
        let late = waiting.elapsed() > Duration::from_secs(90);
        let taken = judge::taken(&receiver.told()).len();
        assert!(!late, "{taken} of {} ends were told", plan.orders);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    stop.cancel();
    let (troubles, deaths) = troubling.await.unwrap();
    reading.await.unwrap();
    process.kill();
    let took = began.elapsed();
    let read = std::mem::take(&mut *read.lock().unwrap());
    let figures = judge::judge(
        &den,
        &asterisk.record().entries(),
        &read.changes,
        plan.orders,
        &deaths,
    )
    .await;
    let told = judge::told(&receiver.told(), &read.changes);
    println!(
        "CHAOS | {} orders, {} kills -9, {troubles} times AMI away, {} deaths of Asterisk, {} s\n{figures}{told}",
        plan.orders,
        plan.kills,
        deaths.len(),
        took.as_secs(),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_orders_and_five_kills() {
    run(Plan {
        orders: 300,
        kills: 5,
        between_kills: (500, 1_500),
        restarts: 1,
        limit: Duration::from_secs(150),
        seed: 20_261_129,
    })
    .await;
}

#[ignore = "some ten minutes: see the module"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand() {
    let seed = std::env::var("GOVORUN_CHAOS_SEED");
    let seed = seed.ok().and_then(|seed| seed.parse().ok());
    run(Plan {
        orders: 10_000,
        kills: 100,
        between_kills: (500, 4_500),
        restarts: 10,
        limit: Duration::from_secs(3_000),
        seed: seed.unwrap_or(20_261_129),
    })
    .await;
}
