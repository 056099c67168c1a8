//! A long queue costs a look no more than a short one, and lanes without room cost a step each.

use std::time::{Duration, Instant};

use super::*;
use crate::store::lanes;
use crate::store::{Seat, Seats};

/// Room for so many, of some dialogs only.
#[derive(Clone)]
struct Only {
    left: usize,
    dialogs: &'static [&'static str],
    asked: usize,
}

impl Seats for Only {
    fn left(&self) -> usize {
        self.left
    }

    fn dialog_has_room(&mut self, dialog: &str) -> bool {
        self.asked += 1;
        self.dialogs.contains(&dialog)
    }

    fn route_has_room(&mut self, route: &str) -> bool {
        route != "full"
    }

    fn turn(&self, _: &str) -> u64 {
        0
    }

    fn seat(&mut self, _: &str, _: &str, _: Option<&str>) -> Seat {
        self.left -= 1;
        Seat::Trunk("t".to_owned())
    }
}

/// So many queued orders, in four dialogs and three routes.
fn fill(path: &std::path::Path, count: u32) {
    let conn = rusqlite::Connection::open(path).unwrap();
    let sql = format!(
        "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < {count})
         INSERT INTO calls (id, direction, phone, dialog, params, priority, attempts, body_hash, status, data, attempt, due,
             ready, cancel, recovered, created, changed, route)
         SELECT 'o' || i, 'outgoing', '+79' || (100000000 + i), substr('abcd', 1 + i % 4, 1), '{{}}', i % 7 - 3, 1, '', 'queued', '{{}}', 0,
             0, 1, 0, 0, 0, 0, substr('    79  full', 1 + 4 * (i % 3), 4) FROM k"
    );
    conn.execute_batch(&sql).unwrap();
}

#[tokio::test]
async fn every_step_is_one_in_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sqlite");
    let store = Store::open(&path).unwrap();
    fill(&path, 100);
    let conn = rusqlite::Connection::open(&path).unwrap();
    for (sql, wanted) in [
        (lanes::dialog_after(), "(dialog>?)"),
        (lanes::route_after(), "(dialog=? AND route>?)"),
        (lanes::head_of(), "(dialog=? AND route=?)"),
    ] {
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut steps = Vec::new();
        for n in 1..=plan.parameter_count() {
            plan.raw_bind_parameter(n, 0).unwrap();
        }
        let mut rows = plan.raw_query();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>(3).unwrap());
        }
        let expect = format!("SEARCH calls USING INDEX calls_lanes {wanted}");
        assert_eq!(steps, [expect], "no scan, and nothing sorted: {sql}");
    }
    drop(store);
}

#[tokio::test]
async fn a_hundred_thousand_that_wait_cost_a_look_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sqlite");
    let store = Store::open(&path).unwrap();
    fill(&path, 100_000);
    let (mut with_room, mut without) = (Duration::MAX, Duration::MAX);
    for _ in 0..20 {
        let seats = Only {
            left: 5,
            dialogs: &["b", "c"],
            asked: 0,
        };
        let began = Instant::now();
        let looked = store
            .take_seated(at(10), seats, &everybody())
            .await
            .unwrap();
        with_room = with_room.min(began.elapsed());
        assert_eq!(looked.due.len(), 5);
        for due in &looked.due {
            assert!(["b", "c"].contains(&due.order.dialog.as_str()));
            assert_eq!((due.order.priority, due.trunk.as_deref()), (3, Some("t")));
        }
        let nobody = Only {
            left: 5,
            dialogs: &[],
            asked: 0,
        };
        let began = Instant::now();
        let looked = store
            .take_seated(at(10), nobody, &everybody())
            .await
            .unwrap();
        without = without.min(began.elapsed());
        assert_eq!(
            (looked.due.len(), looked.seats.asked),
            (0, 4),
            "once a dialog"
        );
    }
    println!(
        "a look at 100,000 queued orders: {with_room:?} for five, {without:?} where none has room"
    );
    assert!(with_room < Duration::from_millis(50), "{with_room:?}");
    assert!(without < Duration::from_millis(10), "{without:?}");
}

#[tokio::test]
async fn orders_that_are_queued_follow_the_trunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sqlite");
    let store = Store::open(&path).unwrap();
    fill(&path, 30);
    store
        .set_router(|phone| phone.as_str()[..3].to_owned())
        .await
        .unwrap();
    store.add_order(&order("new"), "h", at(0)).await.unwrap();
    let conn = rusqlite::Connection::open(&path).unwrap();
    let routes: Vec<(String, u32)> = conn
        .prepare("SELECT route, count(*) FROM calls GROUP BY route")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(routes, [("+79".to_owned(), 31)]);
}
