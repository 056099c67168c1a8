//! The cursor never skips and never repeats, whoever writes meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::call::outcome;

/// One writer's orders, each led through a whole life.
async fn live(store: Store, writer: usize, orders: usize) -> usize {
    let mut written = 0;
    for n in 0..orders {
        let order = order(&format!("w{writer}-{n}"));
        add(&store, &order, at(0)).await;
        written += 1;
        match n % 3 {
            0 => {
                // Another writer may have taken it already: then its end is the change.
                let cancelled = store.cancel(&order.id, at(1)).await.unwrap();
                written += usize::from(cancelled == Cancelled::Now);
            }
            // Takes any order, its own or not: it is the number that counts.
            _ => {
                for due in store.take_due(at(1), 1, &everybody()).await.unwrap() {
                    let (id, summary) = (&due.order.id, summary(outcome::BUSY));
                    store.answered(id, due.attempt, at(2)).await.unwrap();
                    store
                        .attempt_ended(id, due.attempt, &summary, Then::Finish, at(3))
                        .await
                        .unwrap();
                    written += 3;
                }
            }
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_polling_reader_has_each_change_once_and_in_order() {
    let place = Place::new();
    let store = place.open();
    let over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, over) = (store.clone(), Arc::clone(&over));
        async move {
            let (mut cursor, mut seen) = (0, Vec::new());
            loop {
                // Read before the look: what was written before it is in the page.
                let last = over.load(Ordering::SeqCst);
                let (page, next) = store.changes(cursor, 7).await.unwrap();
                let empty = page.is_empty();
                seen.extend(page);
                cursor = next;
                if last && empty {
                    return seen;
                }
            }
        }
    });
    let writers: Vec<_> = (0..8)
        .map(|writer| tokio::spawn(live(store.clone(), writer, 30)))
        .collect();
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    assert_eq!(seen.len(), written);
    let cursors: Vec<i64> = seen.iter().map(|change| change.cursor).collect();
    assert_eq!(cursors, (1..=written as i64).collect::<Vec<_>>());
    // Per call the states come in the order of the diagram.
    let mut last = std::collections::HashMap::new();
    for change in &seen {
        let before = last.insert(change.id.clone(), change.status);
        let legal = match change.status {
            Status::Queued => before.is_none(),
            Status::Dialing => before == Some(Status::Queued),
            Status::Cancelled => {
                matches!(before, Some(Status::Queued | Status::Talking))
            }
            Status::Talking => before == Some(Status::Dialing),
            Status::Finished => before == Some(Status::Talking),
            Status::Expired => false,
        };
        assert!(legal, "{before:?} → {change:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the pages are cut and however often both sides restart, their sum is the whole.
    #[test]
    fn pages_of_any_size_add_up(sizes in prop::collection::vec(1usize..9, 1..12), orders in 1usize..25, restart in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let mut store = place.open();
            let (mut cursor, mut seen, mut added) = (0, Vec::new(), 0);
            for size in sizes.iter().cycle().take(200) {
                if added < orders {
                    add(&store, &order(&format!("o{added}")), at(0)).await;
                    added += 1;
                }
                if restart && added == orders / 2 {
                    drop(store);
                    store = place.open();
                }
                let (page, next) = store.changes(cursor, *size).await.unwrap();
                assert!(page.len() <= *size);
                cursor = next;
                seen.extend(page.into_iter().map(|change| change.id.to_string()));
            }
            let all: Vec<String> = (0..orders).map(|n| format!("o{n}")).collect();
            assert_eq!(seen, all);
        });
    }
}
