//! What is kept: orders, attempts, history, and the changes that 1C reads. One SQLite file.
//!
//! - One thread writes (`writer`), a few connections read. What [`Store::add_order`] and its like have answered is
//!   on disk (WAL, `synchronous=FULL`), so a 2xx given after it survives a power cut. History lines alone may wait for
//!   the next durable write.
//! - Time is an argument everywhere; it is kept to the millisecond.
//! - The methods of [`Store`] are a narrow surface of the runtime's own words: nobody outside of this module sees SQL.
//!
//! # What another database would have to give
//!
//! For several runtimes on one queue another database may stand in one day; nothing of it is built. No caller would change but
//! for the type, if it gives these words with these promises:
//!
//! | words | whose | the promise |
//! | --- | --- | --- |
//! | [`Store::add_order`], [`Store::add_many`] | HTTP | durable when answered; one id, one order, whoever repeats it at the same moment |
//! | [`Store::take_seated`] | the dialer (`outbound::queue::Queue`) | what is answered is nobody else's: one runtime gets an order, with its attempt and channel id; judged (`Admit`) in the same transaction |
//! | [`Store::attempt_ended`], [`Store::put_back`] | the dialer | once an attempt: a second end is refused, and changes nothing |
//! | [`Store::next_due`], [`Store::due_changed`] | the dialer | a hint only; a database without a bell may be asked each second |
//! | [`Store::recover`] | the start | of this runtime's own calls only: with several, each attempt has to name its runtime |
//! | [`Store::changes`], [`Store::newest_change`] | HTTP, callbacks | no cursor is seen before all lower ones are: a plain sequence of PostgreSQL does not give that, since a later number may commit first |
//! | [`Store::record`], [`Store::events`] | calls, HTTP | in each call's order; may be lost in a crash, never torn |
//! | do-not-call, callbacks, retention, reports | HTTP, the background | plain rows; a callback is written with its change |
//!
//! The dialer's words are a trait, because its tests put a queue of their own there. HTTP and the calls' journal use the
//! type itself: a second trait of thirty words with one implementation would only be written twice.
//!
//! # States
//!
//! ```text
//! add_order ──▶ queued ──take_due──▶ dialing ──answered──▶ talking
//!                 ▲  │                 │ │                    │
//!                 │  ├─expires─▶ expired │                    │
//!                 │  └─cancel──▶ cancelled ◀── cancel asked ──┤
//!                 └──put_back, Retry──┘ └───attempt_ended─────┴──▶ finished
//! add_incoming ───────────────────────────────────────────▶ talking
//! ```
//!
//! Each arrow writes one row of `changes` in its own transaction.
//!
//! # After a crash ([`Store::recover`])
//!
//! A call that was dialing, with neither a ringing nor an answered mark, is taken as never having rung: it is queued
//! again and the attempt doesn't count. It can't be known whether it rang between Asterisk's event and our mark; the
//! rule then is to call rather than to lose the order, which may ring one person twice within that moment. It is some 20 ms
//! long (in a hundred kills at 45 calls a second 81 of 12,581 dialings fell into it: `tests/integration/chaos`); how many fell into
//! the last crash is `govorun_redialed`. [`MAX_RECOVERIES`] crashes of one order close it. All that rang or talked is closed with `runtime_error`.

mod admit;
mod amend;
mod archive;
mod buckets;
mod callbacks;
mod calls;
mod changes;
mod counting;
mod do_not_call;
mod error;
mod events;
mod examine;
mod export;
mod facts;
mod folder;
mod keep;
mod lanes;
mod many;
mod readers;
mod record;
mod recordings;
mod recover;
mod reports;
mod row;
mod schema;
mod tails;
mod take;
mod tally;
mod upkeep;
mod waits;
mod writer;

#[cfg(test)]
mod tests;

pub use admit::{Admit, Count, Everybody, Past, Reason, Verdict, Windows, everybody};
pub use archive::Archive;
pub use error::{Result, StoreError};
pub use events::{MAX_EVENT_BYTES, MAX_EVENTS};
pub use examine::{Examined, examine, holder};
pub use export::{Export, ExportFormat, ExportOf, ExportQuery, csv_cell};
pub use folder::{Outside, RecordingsFolder};
pub use keep::{KeptRecording, Masks, Place, RecordingKey, Step};
pub use lanes::{AnySeats, Seat, Seats};
pub use record::{
    Added, Amended, AttemptRecord, CallRecord, Callback, CallbackRules, CallbackState, Cancelled,
    Change, Due, Ended, EventRecord, Fate, Health, Listed, Looked, MAX_CALLBACKS, MAX_TRANSCRIPT,
    Receiver, Recovered, Speaker, Taken, Then, TranscriptLine, Tried, Wanted,
};
pub use recordings::{MAX_RECORDINGS, RecordingFound, RecordingRecord, RecordingWanted};
pub use recover::MAX_RECOVERIES;
pub use reports::{Report, ReportQuery, StageReport, Times, UnmatchedText};
pub use schema::VERSION;
pub use tally::{OWN, Standing};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::call::{CallInfo, HistoryEvent, Order, OrderPatch, Status, Summary};
use crate::ident::{CallId, Phone};
use readers::Readers;
use writer::{Durable, Told, Tx, Writer};

/// Most rows of one page of events or changes, and of one [`Store::take_due`].
pub const MAX_PAGE: usize = 1_000;

/// From a number to its route: which trunks serve it (`outbound::trunks`).
type Router = Box<dyn Fn(&Phone) -> String + Send + Sync>;

/// The store's handle; clones share one store. The last clone's end closes the file.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    told: Arc<Told>,
    readers: Readers,
    writer: Writer,
    router: OnceLock<Router>,
    // Last: freed when the writer has ended.
    _lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the file, makes it where there is none, brings an older one to this version. Blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`], [`StoreError::Folder`], [`StoreError::NotOurs`], [`StoreError::Newer`], or SQLite's own.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let lock = schema::lock(path)?;
        let conn = schema::open(path)?;
        let told = Arc::new(Told {
            cursor: watch::Sender::new(changes::newest(&conn)?),
            due: Arc::new(Notify::new()),
            deliver: Arc::new(Notify::new()),
            callbacks: Mutex::default(),
            fault: Mutex::new(None),
            events_lost: AtomicU64::new(0),
            ended: tally::Tally::default(),
        });
        let readers = Readers::open(path)?;
        let writer = Writer::start(conn, Arc::clone(&told))
            .map_err(|error| StoreError::Sqlite(format!("no thread to write on: {error}")))?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                told,
                readers,
                writer,
                router: OnceLock::new(),
                _lock: lock,
            }),
        })
    }

    // --- routes

    /// Orders stand in lanes by the route that `router` gives their number; to be set once, before anything is added or
    /// taken. Orders that are queued already are given the route that it says now.
    pub async fn set_router(
        &self,
        router: impl Fn(&Phone) -> String + Send + Sync + 'static,
    ) -> Result<()> {
        let store = self.clone();
        // A second one is ignored.
        let _ = self.inner.router.set(Box::new(router));
        self.inner
            .writer
            .write(move |tx| calls::reroute(tx, &|phone| store.route(phone)))
            .await
    }

    fn route(&self, phone: &Phone) -> String {
        let router = self.inner.router.get();
        router.map_or(String::new(), |route| route(phone))
    }

    // --- orders

    /// Takes an order; on disk when answered. Harmless to repeat: the same `body_hash` under the same id is
    /// [`Added::Same`], another one [`Added::Conflict`].
    pub async fn add_order(&self, order: &Order, body_hash: &str, now: Timestamp) -> Result<Added> {
        let (order, hash) = (order.clone(), body_hash.to_owned());
        let route = self.route(&order.phone);
        self.inner
            .writer
            .write(move |tx| calls::add(tx, &order, &route, &hash, now))
            .await
    }

    /// Takes many orders in one transaction: all answers, in their order, after one commit. A conflict refuses its own
    /// order only.
    pub async fn add_orders(
        &self,
        orders: Vec<(Order, String)>,
        now: Timestamp,
    ) -> Result<Vec<Added>> {
        let routes: Vec<String> = orders
            .iter()
            .map(|(order, _)| self.route(&order.phone))
            .collect();
        self.inner
            .writer
            .write(move |tx| {
                orders
                    .iter()
                    .zip(&routes)
                    .map(|((order, hash), route)| calls::add(tx, order, route, hash, now))
                    .collect()
            })
            .await
    }

    /// The same, told in short. `all_or_none`: where one id has another order nothing is kept, and the answer says which.
    pub async fn add_many(
        &self,
        orders: Vec<(Order, String)>,
        all_or_none: bool,
        now: Timestamp,
    ) -> Result<Vec<Taken>> {
        let routes: Vec<String> = orders
            .iter()
            .map(|(order, _)| self.route(&order.phone))
            .collect();
        self.inner
            .writer
            .write(move |tx| many::add(tx, &orders, &routes, all_or_none, now))
            .await
    }

    /// Changes an order that waits; on disk when answered. Harmless to repeat. Where what changes decides when it may be
    /// called, `admit` judges it anew within the same transaction.
    pub async fn amend(
        &self,
        id: &CallId,
        patch: OrderPatch,
        admit: &Arc<dyn Admit>,
        now: Timestamp,
    ) -> Result<Amended> {
        let (id, admit) = (id.clone(), Arc::clone(admit));
        self.inner
            .writer
            .write(move |tx| amend::amend(tx, &id, &patch, &*admit, now))
            .await
    }

    /// The call of that id, if this very order made it.
    pub async fn repeated(&self, id: &CallId, body_hash: &str) -> Result<Option<CallRecord>> {
        let (id, hash) = (id.clone(), body_hash.to_owned());
        self.inner
            .readers
            .read(move |conn| row::repeated(conn, &id, &hash))
            .await
    }

    /// Cancels: at once where it is queued, else by a mark that [`Store::attempt_ended`] heeds (and the caller hangs up).
    pub async fn cancel(&self, id: &CallId, now: Timestamp) -> Result<Cancelled> {
        let id = id.clone();
        self.inner
            .writer
            .write(move |tx| calls::cancel(tx, &id, now))
            .await
    }

    // --- dialing

    /// Moves orders whose time has come to `dialing`, each with a new attempt, channel id and trunk, as `seats` have room:
    /// higher priority first, then the dialog whose turn it is, then older. Each is judged by `admit` within the same
    /// transaction; what isn't to be called now waits or is refused, with the rule in its history. Orders that ran out
    /// become `expired`. At most [`MAX_PAGE`] orders, and a bounded number of verdicts ([`Looked::more`]).
    pub async fn take_seated<S: Seats>(
        &self,
        now: Timestamp,
        seats: S,
        admit: &Arc<dyn Admit>,
    ) -> Result<Looked<S>> {
        let admit = Arc::clone(admit);
        self.inner
            .writer
            .write(move |tx| take::take_seated(tx, now, seats.clone(), &*admit))
            .await
    }

    /// [`Store::take_seated`] with room for at most `limit` of anything.
    pub async fn take_due(
        &self,
        now: Timestamp,
        limit: usize,
        admit: &Arc<dyn Admit>,
    ) -> Result<Vec<Due>> {
        let looked = self.take_seated(now, AnySeats(limit), admit).await?;
        Ok(looked.due)
    }

    /// When an order's time will come, or one expires: `now` or later; `None`: neither will. What is due already and has no
    /// room doesn't count: it is there for [`Store::take_seated`] as soon as it has.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        self.inner
            .readers
            .read(move |conn| calls::next_due(conn, now))
            .await
    }

    /// Is notified when an order may have become due sooner than [`Store::next_due`] told. For one waiter.
    pub fn due_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.inner.told.due)
    }

    /// It rings at the person's. `false`: that attempt has ended, nothing was changed.
    pub async fn ringing(&self, id: &CallId, attempt: u32, at: Timestamp) -> Result<bool> {
        let id = id.clone();
        self.inner
            .writer
            .write_sooner(move |tx| calls::ringing(tx, &id, attempt, at))
            .await
    }

    /// The person answered: `talking`. `false`: that attempt has ended, or was answered already; nothing was changed.
    pub async fn answered(&self, id: &CallId, attempt: u32, at: Timestamp) -> Result<bool> {
        let id = id.clone();
        self.inner
            .writer
            .write_sooner(move |tx| calls::answered(tx, &id, attempt, at))
            .await
    }

    /// An attempt ended. Answers the status that this led to: where 1C has cancelled meanwhile it is `cancelled`, unless
    /// the dialog had ended by its own word.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoAttempt`] where it isn't the attempt that goes on: it ended already, or never began.
    pub async fn attempt_ended(
        &self,
        id: &CallId,
        attempt: u32,
        summary: &Summary,
        then: Then,
        at: Timestamp,
    ) -> Result<Status> {
        let (id, summary) = (id.clone(), summary.clone());
        let outcome = summary.outcome.clone();
        let ended = self
            .inner
            .writer
            .write_soon(move |tx| calls::attempt_ended(tx, &id, attempt, &summary, &then, at))
            .await;
        if ended.is_ok() {
            self.inner.told.ended.count(&outcome);
        }
        ended
    }

    /// An incoming call ended: as [`Self::attempt_ended`], and nobody waits for it. What can't be kept is logged.
    pub async fn incoming_ended(&self, id: &CallId, summary: Summary, at: Timestamp) -> Result<()> {
        let id = id.clone();
        self.inner.told.ended.count(&summary.outcome);
        self.inner
            .writer
            .hand_over(Durable::Yes, move |tx| {
                calls::attempt_ended(tx, &id, 1, &summary, &Then::Finish, at).map(drop)
            })
            .await
    }

    /// Attempts that ended since the start, by outcome: the runtime's words, and [`OWN`] for all of the dialogs' own.
    pub fn ended(&self) -> Vec<(&'static str, u64)> {
        self.inner.told.ended.read()
    }

    /// Calls that go on, and how long the queue has been behind.
    pub async fn standing(&self) -> Result<Standing> {
        self.inner.readers.read(tally::standing).await
    }

    /// An attempt couldn't even be begun (Asterisk is away): it doesn't count, and the order is queued again, not before
    /// `again_at`. Where 1C has cancelled meanwhile it is cancelled.
    pub async fn put_back(
        &self,
        id: &CallId,
        attempt: u32,
        reason: &str,
        again_at: Timestamp,
        now: Timestamp,
    ) -> Result<Status> {
        let (id, reason) = (id.clone(), reason.to_owned());
        self.inner
            .writer
            .write(move |tx| calls::put_back(tx, &id, attempt, &reason, again_at, now))
            .await
    }

    /// A call came in, was answered, and talks: nobody on the telephone waits for a disk. Its end is told by
    /// [`Store::incoming_ended`].
    ///
    /// # Errors
    ///
    /// Those of the last write, if the store doesn't write: it is tried once more, and waited for.
    pub async fn add_incoming(&self, info: impl Into<Arc<CallInfo>>, at: Timestamp) -> Result<()> {
        let info = info.into();
        let work = move |tx: &mut Tx<'_>| calls::add_incoming(tx, &info, at);
        if self.fault().is_none() {
            self.inner.writer.hand_over(Durable::Later, work).await
        } else {
            self.inner.writer.write(work).await
        }
    }

    /// Sets right what a crash cut off; to be called once, before anything is dialed. Orders that never rang are queued
    /// again, not before `again_at` (later than `now` by the ringing time limit: then Asterisk can't still be ringing there).
    pub async fn recover(&self, now: Timestamp, again_at: Timestamp) -> Result<Vec<Recovered>> {
        self.inner
            .writer
            .write(move |tx| recover::recover(tx, now, again_at))
            .await
    }

    // --- the do-not-call list

    /// Puts numbers on the list, all in one transaction; on disk when answered. What is queued for them ends as
    /// `do_not_call`. Each answer is `false` where the number was there already: that entry stays as it was.
    pub async fn add_do_not_call(&self, entries: Vec<Listed>) -> Result<Vec<bool>> {
        self.inner
            .writer
            .write(move |tx| {
                entries
                    .iter()
                    .map(|entry| do_not_call::add(tx, entry))
                    .collect()
            })
            .await
    }

    /// Takes a number off the list. `false`: it wasn't there.
    pub async fn remove_do_not_call(&self, phone: &Phone) -> Result<bool> {
        let phone = phone.clone();
        self.inner
            .writer
            .write(move |tx| do_not_call::remove(tx, &phone))
            .await
    }

    /// The entry of a number.
    pub async fn do_not_call(&self, phone: &Phone) -> Result<Option<Listed>> {
        let phone = phone.clone();
        self.inner
            .readers
            .read(move |conn| do_not_call::find(conn, &phone))
            .await
    }

    /// A page of the list after place `after` (0: from the first), in the order of listing, at most `limit` and
    /// [`MAX_PAGE`] entries, and the place to go on from.
    pub async fn do_not_call_page(&self, after: i64, limit: usize) -> Result<(Vec<Listed>, i64)> {
        let limit = limit.min(MAX_PAGE);
        self.inner
            .readers
            .read(move |conn| do_not_call::page(conn, after, limit))
            .await
    }

    // --- callbacks

    /// Says who is told by callbacks from now on.
    pub fn tell_by(&self, rules: CallbackRules) {
        let callbacks = self.inner.told.callbacks.lock();
        *callbacks.unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Is notified when a delivery may have become due. For one waiter.
    pub fn callbacks_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.inner.told.deliver)
    }

    /// Hosts that deliveries wait for, each with the time of its next one.
    pub async fn callback_receivers(&self) -> Result<Vec<Receiver>> {
        self.inner.readers.read(callbacks::receivers).await
    }

    /// At most `limit` deliveries of a host whose time has come, longest due first, each with the change that it tells. One
    /// call's later delivery isn't among them while an earlier one waits. They are due until [`Store::callback_tried`].
    pub async fn callbacks_due(
        &self,
        host: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Callback, Change)>> {
        let (host, limit) = (host.to_owned(), limit.min(MAX_PAGE));
        self.inner
            .readers
            .read(move |conn| callbacks::due(conn, &host, now, limit))
            .await
    }

    /// Notes what came of a try.
    pub async fn callback_tried(&self, n: i64, tried: Tried, now: Timestamp) -> Result<()> {
        self.inner
            .writer
            .write_soon(move |tx| callbacks::tried(tx, n, &tried, now))
            .await
    }

    /// Gives up some of what has waited for a silent host since before `since`; how many.
    pub async fn give_up_callbacks(
        &self,
        host: &str,
        since: Timestamp,
        error: &str,
        now: Timestamp,
    ) -> Result<usize> {
        let (host, error) = (host.to_owned(), error.to_owned());
        self.inner
            .writer
            .write_soon(move |tx| callbacks::give_up(tx, &host, since, &error, now))
            .await
    }

    /// Has a delivery tried at once that waits or was given up; how it stands then. `None`: there is none of that number.
    pub async fn retry_callback(&self, n: i64, now: Timestamp) -> Result<Option<Callback>> {
        self.inner
            .writer
            .write(move |tx| callbacks::retry(tx, n, now))
            .await
    }

    /// A page of deliveries, in that state or in any: what comes after number `after`, at most `limit` and [`MAX_PAGE`].
    pub async fn callbacks(
        &self,
        state: Option<CallbackState>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Callback>> {
        let limit = limit.min(MAX_PAGE);
        self.inner
            .readers
            .read(move |conn| callbacks::page(conn, state, after, limit))
            .await
    }

    /// How many deliveries wait, and how many were given up.
    pub async fn callback_counts(&self) -> Result<(u64, u64)> {
        self.inner.readers.read(callbacks::counts).await
    }

    // --- history

    /// Keeps history, in order with all else that this call writes. Waits for room only; a failure is logged and
    /// counted. `attempt` 0: of the order itself.
    pub async fn record(&self, id: &CallId, attempt: u32, events: Vec<HistoryEvent>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let id = id.clone();
        self.inner
            .writer
            .hand_over(Durable::Line, move |tx| {
                events::record(tx, &id, attempt, &events)
            })
            .await
    }

    /// Why the last write failed.
    fn fault(&self) -> Option<String> {
        let fault = self.inner.told.fault.lock();
        fault.unwrap_or_else(PoisonError::into_inner).clone()
    }

    // --- reading

    /// A call with all that belongs to it.
    pub async fn call(&self, id: &CallId) -> Result<Option<CallRecord>> {
        let id = id.clone();
        self.inner
            .readers
            .read(move |conn| row::call(conn, &id))
            .await
    }

    /// The recording of a call that is wanted; the last of several.
    pub async fn recording(&self, id: &CallId, wanted: RecordingWanted) -> Result<RecordingFound> {
        let id = id.clone();
        self.inner
            .readers
            .read(move |conn| recordings::find(conn, &id, wanted))
            .await
    }

    /// A page of a call's history: what comes after number `after`, at most `limit` and [`MAX_PAGE`] lines.
    /// `None`: there is no such call.
    pub async fn events(
        &self,
        id: &CallId,
        after: u64,
        limit: usize,
    ) -> Result<Option<Vec<EventRecord>>> {
        let (id, limit) = (id.clone(), limit.min(MAX_PAGE));
        self.inner
            .readers
            .read(move |conn| events::page(conn, &id, after, limit))
            .await
    }

    /// A page of changes: what comes after cursor `after` (0: from the first), oldest first, at most `limit` and
    /// [`MAX_PAGE`], and the cursor to go on from. Nothing is ever skipped or told twice.
    pub async fn changes(&self, after: i64, limit: usize) -> Result<(Vec<Change>, i64)> {
        let limit = limit.min(MAX_PAGE);
        self.inner
            .readers
            .read(move |conn| changes::page(conn, after, limit))
            .await
    }

    /// The newest change's cursor, as it grows: to wait on before asking for [`Store::changes`] again.
    pub fn newest_change(&self) -> watch::Receiver<i64> {
        self.inner.told.cursor.subscribe()
    }

    /// How the store fares, for `/healthz`.
    pub async fn health(&self) -> Result<Health> {
        let fault = self.fault();
        let path = self.inner.path.clone();
        let events_lost = self.inner.told.events_lost.load(Ordering::Relaxed);
        self.inner
            .readers
            .read(move |conn| {
                Ok(Health {
                    fault,
                    bytes: schema::bytes(&path),
                    queued: calls::queued(conn)?,
                    events_lost,
                })
            })
            .await
    }
}
