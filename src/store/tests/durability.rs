//! What was acknowledged is there, after kill -9 too; and how long acknowledging takes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

const CHILD: &str = "GOVORUN_TEST_STORE";

/// Not a test of its own: the process that is killed. Writes orders for ever and says each one that was acknowledged.
#[tokio::test]
async fn child_writes_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Store::open(path).unwrap();
    store.recover(at(0), at(0)).await.unwrap();
    let round = std::process::id();
    let (told, mut lines) = tokio::sync::mpsc::channel::<String>(100);
    // Several at once, so that commits hold more than one.
    for task in 0..4 {
        let (store, told) = (store.clone(), told.clone());
        tokio::spawn(async move {
            for n in 0.. {
                let name = format!("p{round}-{task}-{n}");
                let mut order = order(&name);
                order.callback = Some("http://127.0.0.1:9/hs/calls".to_owned());
                add(&store, &order, at(0)).await;
                told.send(name.clone()).await.unwrap();
                if n % 3 == 0 {
                    store.cancel(&id(&name), at(0)).await.unwrap();
                }
                store.take_due(at(1), 1, &everybody()).await.unwrap();
            }
        });
    }
    let mut out = std::io::stdout().lock();
    while let Some(name) = lines.recv().await {
        writeln!(out, "\nacknowledged {name}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn every_acknowledged_order_survives_kill_9() {
    let place = Place::new();
    let mut acknowledged = Vec::new();
    for round in 0..8u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::durability::child_writes_until_killed",
                "--nocapture",
            ])
            .env(CHILD, &place.path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut killer = None;
        for line in lines {
            let Ok(line) = line else { break };
            if let Some(name) = line.strip_prefix("acknowledged ") {
                acknowledged.push(name.to_owned());
                // At another point of its work each time, once it works.
                if killer.is_none() {
                    let number = child.id().to_string();
                    killer = Some(std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_millis(3 + 11 * round));
                        let killed = Command::new("kill").args(["-9", &number]).status();
                        assert!(killed.unwrap().success());
                    }));
                }
            }
        }
        let status = child.wait().unwrap();
        assert!(killer.is_some(), "the child never worked: {status}");
        killer.unwrap().join().unwrap();
        assert!(!status.success());
    }
    // The last line of a round may be cut in the middle.
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = place.open();
        for name in &acknowledged {
            let call = store.call(&id(name)).await.unwrap();
            assert!(call.is_some(), "{name} was acknowledged and is gone");
        }
        // Dialing and never rang: all queued again, none counted twice, the cursor without a hole.
        store.recover(at(10), at(10)).await.unwrap();
        let (mut cursor, mut states) = (0, std::collections::HashMap::new());
        loop {
            let (page, next) = store.changes(cursor, MAX_PAGE).await.unwrap();
            if page.is_empty() {
                break;
            }
            for change in page {
                cursor += 1;
                assert_eq!(change.cursor, cursor);
                states.insert(change.id.clone(), (change.status, change.attempt));
            }
            assert_eq!(cursor, next);
        }
        assert!(states.len() >= acknowledged.len());
        assert!(states.values().all(|state| matches!(
            state,
            (Status::Queued, 0) | (Status::Finished, 1) | (Status::Cancelled, _)
        )));
        // An end and its callback are one transaction: neither is there without the other.
        let ends = states
            .values()
            .filter(|(status, _)| status.is_final())
            .count();
        let waiting = store.callback_counts().await.unwrap().0;
        assert!(ends > 10, "{ends}");
        assert_eq!(waiting, ends as u64);
    });
}

/// Prints what taking orders costs; fails only where it is hopeless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_orders() {
    let place = Place::new();
    let store = place.open();
    let began = Instant::now();
    let all: Vec<_> = (0..10_000)
        .map(|n| (order(&format!("b{n}")), "hash".to_owned()))
        .collect();
    for part in all.chunks(1_000) {
        store.add_orders(part.to_vec(), at(0)).await.unwrap();
    }
    let batched = began.elapsed();

    let began = Instant::now();
    let clients: Vec<_> = (0..50)
        .map(|client| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..40 {
                    add(&store, &order(&format!("c{client}-{n}")), at(0)).await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let together = began.elapsed();

    let began = Instant::now();
    for n in 0..100 {
        add(&store, &order(&format!("s{n}")), at(0)).await;
    }
    let single = began.elapsed();

    let began = Instant::now();
    let mut taken = 0;
    loop {
        let due = store.take_due(at(1), 100, &everybody()).await.unwrap();
        if due.is_empty() {
            break;
        }
        taken += due.len();
    }
    let taking = began.elapsed();
    assert_eq!(taken, 12_100);
    let began = Instant::now();
    let (page, _) = store.changes(12_000, 100).await.unwrap();
    assert_eq!(page.len(), 100);
    let page = began.elapsed();
    let out = format!(
        "10,000 orders in batches of 1,000: {batched:?}; 2,000 by 50 clients at once: {together:?}; \
         100 one after another: {single:?}; 12,100 taken by hundreds: {taking:?}; a page of 100 changes: {page:?}\n"
    );
    std::io::stdout().write_all(out.as_bytes()).unwrap();
    assert!(batched < Duration::from_secs(60), "{out}");
}

/// Jobs are done together in the hope that none fails; one that fails after it has written takes no other with it, and
/// none is done twice in the end.
#[tokio::test]
async fn a_job_that_fails_takes_no_other_with_it() {
    let place = Place::new();
    let store = place.open();
    let cursor = *store.newest_change().borrow();
    // The writer is held until all of them stand in one batch.
    let (go, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let holding = store.clone();
    let holds = tokio::spawn(async move {
        let work = move |_: &mut Tx<'_>| {
            let _ = held.lock().unwrap().recv();
            Ok(())
        };
        holding.inner.writer.write(work).await
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let fails = |tx: &mut Tx<'_>| {
        calls::add(tx, &order("half"), "", "hash", at(0))?;
        Err::<(), _>(StoreError::Closed)
    };
    let refuses = |_: &mut Tx<'_>| Err::<(), _>(StoreError::Exists { id: "x".to_owned() });
    let (first, second) = (order("first"), order("second"));
    let (a, b, c, d, ()) = tokio::join!(
        store.add_order(&first, "hash", at(0)),
        store.inner.writer.write(fails),
        store.inner.writer.write(refuses),
        store.add_order(&second, "hash", at(0)),
        async { go.send(()).unwrap() }
    );
    holds.await.unwrap().unwrap();
    assert!(matches!(a, Ok(Added::New(_))), "{a:?}");
    assert!(matches!(b, Err(StoreError::Closed)), "{b:?}");
    assert!(matches!(c, Err(StoreError::Exists { .. })), "{c:?}");
    assert!(matches!(d, Ok(Added::New(_))), "{d:?}");
    assert!(store.call(&id("half")).await.unwrap().is_none());
    let (changes, last) = store.changes(cursor, 10).await.unwrap();
    let ids: Vec<_> = changes.iter().map(|change| change.id.as_str()).collect();
    assert_eq!(ids, ["first", "second"]);
    assert_eq!(*store.newest_change().borrow(), last);
    let lines = store.events(&id("second"), 0, 10).await.unwrap().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
}
