//! The store, on real files.

mod archive;
mod cursor;
mod durability;
mod lanes;
mod million;
mod opening;
mod plans;
mod verdicts;
mod words;

use std::path::PathBuf;

use jiff::{Timestamp, ToSpan};
use serde_json::Map;

use super::*;
use crate::call::Order;
use crate::ident::Phone;

/// A folder that goes with the test, and the store's file in it.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("govorun.sqlite");
        Self {
            _folder: folder,
            path,
        }
    }

    fn open(&self) -> Store {
        Store::open(&self.path).unwrap()
    }
}

/// The tests' clock: seconds after a fixed moment.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000).unwrap() + seconds.seconds()
}

fn id(text: &str) -> CallId {
    CallId::parse(text).unwrap()
}

fn order(text: &str) -> Order {
    Order::simple(id(text), Phone::parse("+79121234567").unwrap(), "confirm")
}

fn summary(outcome: &str) -> Summary {
    Summary::new(outcome)
}

fn again(seconds: i64) -> Then {
    let reason = Reason::new("busy", "занято");
    Then::Retry {
        at: at(seconds),
        reason,
        wanted: None,
    }
}

async fn add(store: &Store, order: &Order, now: Timestamp) {
    let added = store.add_order(order, "hash", now).await.unwrap();
    assert!(matches!(added, Added::New(_)), "{added:?}");
}

async fn status(store: &Store, call: &str) -> &'static str {
    store
        .call(&id(call))
        .await
        .unwrap()
        .unwrap()
        .status
        .as_str()
}

/// All changes, as `id status` lines.
async fn changes(store: &Store) -> Vec<String> {
    let (changes, _) = store.changes(0, MAX_PAGE).await.unwrap();
    changes
        .iter()
        .map(|change| format!("{} {}", change.id, change.status.as_str()))
        .collect()
}
