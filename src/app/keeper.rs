//! Counts what ended for reports, masks and deletes with time (`history:`). One task beside the calls: small transactions
//! with a pause after each, so that no call waits for it; what is left over a round is done in the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::config::HistoryConfig;
use crate::http::{Metric, Number};
use crate::store::{KeptRecording, Masks, Place, RecordingsFolder, Step, Store, StoreError};

/// How often is counted.
const COUNT: Duration = Duration::from_secs(2);
/// How often is looked for what is old.
const ROUND: Duration = Duration::from_secs(60);
/// Between two transactions.
const PAUSE: Duration = Duration::from_millis(20);
/// Attempts of one counting.
const COUNTED: usize = 250;
/// Steps of one kind in a round: some thousands of calls.
const STEPS: usize = 400;
/// Recordings that are looked at together.
const RECORDINGS: usize = 200;
/// Whatever the bounds, what ended so lately stays, seconds.
const FRESH_S: i64 = 3_600;
/// Limits of calls to a number look so far back: a month. Calls stay for as long, whatever the store's bound.
const LIMITS_DAYS: i64 = 32;
/// Asterisk has closed a recording so long after its attempt, seconds.
const CLOSED_S: i64 = 15;
/// Free pages given back in one step; where fewer bytes than [`FREE`] are free they wait for what comes.
const PAGES: u32 = 1_000;
const FREE: u64 = 64 << 20;

/// What was done since the start.
#[derive(Debug, Default)]
pub(super) struct Kept {
    calls: AtomicU64,
    lines: AtomicU64,
    recordings: AtomicU64,
    undeletable: AtomicU64,
    masked: AtomicU64,
    counted: AtomicU64,
    recordings_bytes: AtomicU64,
}

impl Kept {
    /// For `/metrics`.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let counter = |name, help, of: &AtomicU64| Metric {
            name,
            help,
            number: Number::Counter(of.load(Ordering::Relaxed)),
        };
        vec![
            counter(
                "govorun_history_deleted_calls_total",
                "old calls that were deleted",
                &self.calls,
            ),
            counter(
                "govorun_history_deleted_lines_total",
                "lines of old histories that were deleted",
                &self.lines,
            ),
            counter(
                "govorun_history_deleted_recordings_total",
                "old recordings that were deleted",
                &self.recordings,
            ),
            counter(
                "govorun_history_undeletable_recordings_total",
                "times that a recording could not be deleted: look at the rights on asterisk.recordings",
                &self.undeletable,
            ),
            counter(
                "govorun_history_masked_calls_total",
                "calls that were masked",
                &self.masked,
            ),
            counter(
                "govorun_history_counted_total",
                "ended attempts and calls that reports have counted",
                &self.counted,
            ),
            Metric {
                name: "govorun_recordings_bytes",
                help: "all recordings that are kept",
                number: Number::Gauge(self.recordings_bytes.load(Ordering::Relaxed)),
            },
        ]
    }
}

/// The task's own.
pub(super) struct Keeper {
    pub(super) store: Store,
    pub(super) folder: RecordingsFolder,
    pub(super) history: HistoryConfig,
    pub(super) zone: TimeZone,
    pub(super) kept: Arc<Kept>,
}

/// The time so many milliseconds before; nothing where it is to be kept for ever.
fn before(now: Timestamp, ms: u64) -> Option<Timestamp> {
    let span = SignedDuration::from_millis(i64::try_from(ms).ok().filter(|ms| *ms > 0)?);
    now.checked_sub(span).ok()
}

impl Keeper {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut round = tokio::time::Instant::now() + ROUND / 2;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(COUNT) => {}
            }
            let work = async {
                let whole = self.count().await?;
                if whole && tokio::time::Instant::now() >= round {
                    round = tokio::time::Instant::now() + ROUND;
                    self.round(Timestamp::now()).await?;
                }
                Ok::<_, StoreError>(())
            };
            tokio::select! {
                () = stop.cancelled() => return,
                done = work => if let Err(error) = done {
                    tracing::warn!(%error, "history: not counted, masked or deleted now; it is tried again");
                }
            }
        }
    }

    /// Counts what has ended; whether that was all. What isn't counted is neither masked nor deleted.
    async fn count(&self) -> Result<bool, StoreError> {
        for _ in 0..STEPS {
            let texts = self.history.keep_texts;
            let counted = self.store.count_ended(&self.zone, texts, COUNTED).await?;
            self.kept
                .counted
                .fetch_add(counted as u64, Ordering::Relaxed);
            if counted < COUNTED {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }

    /// All that is old at `now`, as far as one round goes.
    pub(super) async fn round(&self, now: Timestamp) -> Result<(), StoreError> {
        self.mask(now).await?;
        self.recordings(now).await?;
        if let Some(before) = before(now, self.history.keep_ms) {
            self.calls(before).await?;
            self.store.delete_counts(before, &self.zone).await?;
        }
        if let Some(before) = before(now, self.history.keep_events_ms) {
            for _ in 0..STEPS {
                if !self.events(before).await?.more {
                    break;
                }
            }
        }
        self.bound(now).await?;
        self.shrink().await
    }

    async fn mask(&self, now: Timestamp) -> Result<(), StoreError> {
        let masks = Masks {
            phones: self.history.mask_phones,
            texts: !self.history.keep_texts,
        };
        let Some(before) = before(now, self.history.mask_after_ms) else {
            return Ok(());
        };
        if !masks.phones && !masks.texts {
            return Ok(());
        }
        for _ in 0..STEPS {
            let step = self.store.mask(masks, before).await?;
            self.kept.masked.fetch_add(step.calls, Ordering::Relaxed);
            if !step.more {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        // Limits of calls to a number count its past month by it.
        let counted = now - SignedDuration::from_hours(24 * LIMITS_DAYS);
        for _ in 0..STEPS {
            let before = before.min(counted);
            if !masks.phones || !self.store.forget_numbers(before).await?.more {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn events(&self, before: Timestamp) -> Result<Step, StoreError> {
        let step = self.store.delete_events(before).await?;
        if step.rows > 0 {
            self.kept.lines.fetch_add(step.rows, Ordering::Relaxed);
            tracing::debug!(
                calls = step.calls,
                lines = step.rows,
                "history: old lines deleted"
            );
        }
        tokio::time::sleep(PAUSE).await;
        Ok(step)
    }

    /// Deletes calls that ended before that, oldest first; those whose recordings can't be deleted stay. Answers how many.
    async fn calls(&self, before: Timestamp) -> Result<u64, StoreError> {
        let (mut after, mut deleted) = (Place::default(), 0);
        for _ in 0..STEPS {
            let old = self.store.old_calls(after, before).await?;
            let Some((last, _)) = old.last() else { break };
            after = *last;
            let mut free = Vec::new();
            for (place, recordings) in old {
                if self.delete(recordings).await?.1 == 0 {
                    free.push(place);
                }
            }
            deleted += self.store.delete_calls(free).await?;
            tokio::time::sleep(PAUSE).await;
        }
        if deleted > 0 {
            self.kept.calls.fetch_add(deleted, Ordering::Relaxed);
            tracing::info!(calls = deleted, %before, "history: old calls deleted");
        }
        Ok(deleted)
    }

    /// Deletes their files; how many of them, and how many can't be deleted.
    async fn delete(&self, recordings: Vec<KeptRecording>) -> Result<(u64, u64), StoreError> {
        if recordings.is_empty() {
            return Ok((0, 0));
        }
        let folder = self.folder.clone();
        let tried = tokio::task::spawn_blocking(move || {
            let delete = |one: KeptRecording| (folder.delete(&one.file, one.channels), one);
            recordings.into_iter().map(delete).collect::<Vec<_>>()
        });
        let (mut gone, mut failed) = (Vec::new(), 0);
        for (tried, one) in tried.await.map_err(|_| StoreError::Closed)? {
            match tried {
                Ok(()) => gone.push((one.key, None)),
                Err(error) => {
                    if failed == 0 {
                        tracing::warn!(file = %one.file, %error, "history: a recording can't be deleted: may this user write in asterisk.recordings?");
                    }
                    failed += 1;
                }
            }
        }
        let deleted = gone.len() as u64;
        self.store.measured(gone, Timestamp::now()).await?;
        self.kept.recordings.fetch_add(deleted, Ordering::Relaxed);
        self.kept.undeletable.fetch_add(failed, Ordering::Relaxed);
        Ok((deleted, failed))
    }

    async fn recordings(&self, now: Timestamp) -> Result<(), StoreError> {
        let closed = now - SignedDuration::from_secs(CLOSED_S);
        for _ in 0..STEPS {
            let new = self.store.unmeasured_recordings(closed, RECORDINGS).await?;
            let many = new.len() == RECORDINGS;
            let folder = self.folder.clone();
            let measured = tokio::task::spawn_blocking(move || {
                let measure = |one: KeptRecording| (one.key, folder.bytes(&one.file, one.channels));
                new.into_iter().map(measure).collect::<Vec<_>>()
            });
            let measured = measured.await.map_err(|_| StoreError::Closed)?;
            if !measured.is_empty() {
                self.store.measured(measured, now).await?;
            }
            if !many {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let mut deleted = 0;
        let fresh = (now - SignedDuration::from_secs(FRESH_S)).as_millisecond();
        if let Some(before) = before(now, self.history.keep_recordings_ms) {
            let mut after = i64::MIN;
            for _ in 0..STEPS {
                let until = before.as_millisecond();
                let old = self.store.kept_recordings(after, until, RECORDINGS).await?;
                let Some(last) = old.last() else { break };
                after = last.began;
                deleted += self.delete(old).await?.0;
                tokio::time::sleep(PAUSE).await;
            }
        }
        let mut bytes = self.store.recordings_bytes().await?;
        let bound = self.history.recordings_bytes;
        let mut after = i64::MIN;
        while bound > 0 && bytes > bound {
            let mut old = self.store.kept_recordings(after, fresh, RECORDINGS).await?;
            let mut over = bytes - bound;
            let enough = old.iter().position(|one| {
                let here = one.bytes.unwrap_or(0);
                let done = over <= here;
                over = over.saturating_sub(here);
                done
            });
            old.truncate(enough.map_or(old.len(), |at| at + 1));
            let Some(last) = old.last() else { break };
            after = last.began;
            deleted += self.delete(old).await?.0;
            bytes = self.store.recordings_bytes().await?;
            tokio::time::sleep(PAUSE).await;
        }
        self.kept.recordings_bytes.store(bytes, Ordering::Relaxed);
        if deleted > 0 {
            tracing::info!(
                recordings = deleted,
                kept_bytes = bytes,
                "history: old recordings deleted"
            );
        }
        Ok(())
    }

    /// Keeps the store under its bound: histories go first, then calls.
    async fn bound(&self, now: Timestamp) -> Result<(), StoreError> {
        let bound = self.history.store_bytes;
        let fresh = now - SignedDuration::from_secs(FRESH_S);
        for _ in 0..STEPS {
            if bound == 0 || self.store.bytes().await?.0 <= bound {
                return Ok(());
            }
            if self.events(fresh).await?.calls > 0 {
                continue;
            }
            let counted = now - SignedDuration::from_hours(24 * LIMITS_DAYS);
            let old = self.store.old_calls(Place::default(), counted).await?;
            let Some((last, _)) = old.last() else {
                tracing::warn!(
                    bound,
                    "history: the store is over history.store_bytes, and no call in it is older than a month"
                );
                return Ok(());
            };
            let until = last.until();
            if self.calls(until).await? == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Gives room back to the disk, unless it will soon be wanted again.
    async fn shrink(&self) -> Result<(), StoreError> {
        for _ in 0..STEPS {
            let (used, free) = self.store.bytes().await?;
            if free < FREE.max(used / 4) {
                break;
            }
            self.store.shrink(PAGES).await?;
            if self.store.bytes().await?.1 >= free {
                // A store of an older version can't: its free pages are used for what comes.
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::call::history::kind;
    use crate::call::recording::What;
    use crate::call::{HistoryEvent, Order, Summary, outcome};
    use crate::config::Config;
    use crate::ident::{CallId, Phone};
    use crate::store::{Admit, Everybody, RecordingFound, RecordingRecord, RecordingWanted, Then};

    const DAY: u64 = 86_400_000;

    struct Kit {
        place: tempfile::TempDir,
        keeper: Keeper,
    }

    fn at(day: u64) -> Timestamp {
        Timestamp::from_millisecond(1_780_000_000_000 + (day * DAY) as i64).unwrap()
    }

    impl Kit {
        fn new(change: impl FnOnce(&mut HistoryConfig)) -> Self {
            let place = tempfile::tempdir().unwrap();
            let mut asterisk = Config::default().asterisk;
            asterisk.recordings = place.path().join("rec");
            asterisk.recordings_in_asterisk = "/rec".to_owned();
            std::fs::create_dir(&asterisk.recordings).unwrap();
            let mut history = HistoryConfig::default();
            change(&mut history);
            let keeper = Keeper {
                store: Store::open(place.path().join("g.sqlite")).unwrap(),
                folder: RecordingsFolder::new(&asterisk),
                history,
                zone: TimeZone::UTC,
                kept: Arc::default(),
            };
            Self { place, keeper }
        }

        fn files(&self) -> Vec<String> {
            let folder = std::fs::read_dir(self.place.path().join("rec")).unwrap();
            let name = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name();
            let mut all: Vec<String> = folder.map(|e| name(e).to_string_lossy().into()).collect();
            all.sort();
            all
        }

        /// A call that ended on that day, with a recording of two files.
        async fn call(&self, name: &str, day: u64, bytes: usize) -> CallId {
            let store = &self.keeper.store;
            let id = CallId::parse(name).unwrap();
            let order = Order::simple(
                id.clone(),
                Phone::parse("89121234567").unwrap(),
                "d".to_owned(),
            );
            store.add_order(&order, "h", at(day)).await.unwrap();
            let everybody: Arc<dyn Admit> = Arc::new(Everybody);
            store.take_due(at(day), 1, &everybody).await.unwrap();
            let file = format!("/rec/{name}.wav");
            self.began(&id, day, json!({"number": 1, "channels": 2, "file": file}))
                .await;
            for part in ["caller", "robot"] {
                self.write(&format!("{name}-{part}.wav"), bytes / 2);
            }
            let summary = Summary {
                answered: true,
                talk_ms: 1,
                ..Summary::new(outcome::COMPLETED)
            };
            store
                .attempt_ended(&id, 1, &summary, Then::Finish, at(day))
                .await
                .unwrap();
            id
        }

        /// A message that the call took.
        async fn message(&self, id: &CallId, day: u64, bytes: usize) {
            let name = format!("{}-2.wav", id.as_str());
            let file = format!("/rec/{name}");
            let data = json!({"what": "message", "number": 2, "channels": 1, "file": file});
            self.began(id, day, data).await;
            self.write(&name, bytes);
            // Lines of a history are handed over; nothing of a call comes after its end, which is waited for.
            while self.recording(id, What::Message).await.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }

        async fn began(&self, id: &CallId, day: u64, mut data: Value) {
            data["event"] = "began".into();
            let line = HistoryEvent {
                at: at(day),
                at_ms: None,
                kind: kind::RECORDING,
                data: data.into(),
            };
            self.keeper.store.record(id, 1, vec![line]).await.unwrap();
        }

        fn write(&self, name: &str, bytes: usize) {
            let path = self.place.path().join("rec").join(name);
            std::fs::write(path, vec![0; bytes]).unwrap();
        }

        async fn recording(&self, id: &CallId, what: What) -> Option<RecordingRecord> {
            let wanted = RecordingWanted {
                what: Some(what),
                ..RecordingWanted::default()
            };
            match self.keeper.store.recording(id, wanted).await.unwrap() {
                RecordingFound::Found(found) => Some(found),
                _ => None,
            }
        }

        async fn is_deleted(&self, id: &CallId, what: What) -> bool {
            let found = self.recording(id, what).await;
            found.expect("a recording").deleted.is_some()
        }

        async fn kept(&self, id: &CallId) -> (bool, usize) {
            let store = &self.keeper.store;
            let lines = store.events(id, 0, 100).await.unwrap();
            (
                store.call(id).await.unwrap().is_some(),
                lines.map_or(0, |l| l.len()),
            )
        }
    }

    #[tokio::test]
    async fn by_age_recordings_and_histories_go_first_and_then_calls() {
        let kit = Kit::new(|h| {
            h.keep_ms = 300 * DAY;
            h.keep_events_ms = 50 * DAY;
            h.keep_recordings_ms = 100 * DAY;
        });
        let old = kit.call("old", 1, 1000).await;
        let middle = kit.call("middle", 250, 1000).await;
        let new = kit.call("new", 280, 1000).await;
        assert!(kit.keeper.count().await.unwrap());
        kit.keeper.round(at(310)).await.unwrap();
        assert_eq!(kit.kept(&old).await, (false, 0));
        assert_eq!(kit.kept(&middle).await, (true, 0));
        assert!(kit.kept(&new).await.1 > 0);
        assert_eq!(
            kit.files(),
            [
                "middle-caller.wav",
                "middle-robot.wav",
                "new-caller.wav",
                "new-robot.wav"
            ]
        );
        let numbers: Vec<_> = kit
            .keeper
            .kept
            .metrics()
            .into_iter()
            .map(|m| (m.name, m.number))
            .collect();
        assert!(numbers.contains(&("govorun_history_deleted_calls_total", Number::Counter(1))));
        assert!(numbers.contains(&("govorun_recordings_bytes", Number::Gauge(2000))));
        // At the next round there is nothing to do.
        kit.keeper.round(at(310)).await.unwrap();
        assert_eq!(kit.kept(&middle).await, (true, 0));
        // For ever is for ever.
        let kit = Kit::new(|h| {
            h.keep_ms = 0;
            h.keep_events_ms = 0;
            h.keep_recordings_ms = 0;
            h.recordings_bytes = 0;
        });
        let old = kit.call("old", 1, 1000).await;
        kit.keeper.round(at(5000)).await.unwrap();
        assert!(kit.kept(&old).await.1 > 0 && kit.files().len() == 2);
    }

    #[tokio::test]
    async fn messages_go_as_recordings_do_each_by_its_age() {
        let kit = Kit::new(|h| h.keep_recordings_ms = 100 * DAY);
        let old = kit.call("old", 1, 1_000).await;
        kit.message(&old, 1, 500).await;
        let new = kit.call("new", 280, 1_000).await;
        kit.message(&new, 280, 500).await;
        kit.keeper.round(at(310)).await.unwrap();
        assert_eq!(
            kit.files(),
            ["new-2.wav", "new-caller.wav", "new-robot.wav"]
        );
        let numbers = kit.keeper.kept.metrics();
        let bytes = numbers
            .iter()
            .find(|m| m.name == "govorun_recordings_bytes");
        assert_eq!(bytes.map(|m| &m.number), Some(&Number::Gauge(1_500)));
        // The call itself stays, and says that they are gone.
        assert!(kit.kept(&old).await.0);
        for what in [What::Call, What::Message] {
            assert!(kit.is_deleted(&old, what).await, "{what:?}");
            assert!(!kit.is_deleted(&new, what).await, "{what:?}");
        }
    }

    #[tokio::test]
    async fn by_size_the_oldest_recordings_go_and_no_more_than_needed() {
        let kit = Kit::new(|h| h.recordings_bytes = 2_500);
        for (n, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            kit.call(name, 1 + n as u64, 1000).await;
        }
        kit.keeper.round(at(6)).await.unwrap();
        assert_eq!(
            kit.files(),
            ["c-caller.wav", "c-robot.wav", "d-caller.wav", "d-robot.wav"]
        );
        let id = CallId::parse("a").unwrap();
        assert!(kit.is_deleted(&id, What::Call).await);
        // What an admin deleted by hand is noted, and is no fault.
        std::fs::remove_file(kit.place.path().join("rec/d-caller.wav")).unwrap();
        std::fs::remove_file(kit.place.path().join("rec/d-robot.wav")).unwrap();
        kit.keeper.round(at(200)).await.unwrap();
        assert_eq!(kit.files(), [""; 0]);
    }

    #[tokio::test]
    async fn a_call_stays_while_its_recording_cannot_be_deleted() {
        let kit = Kit::new(|h| {
            h.keep_ms = 10 * DAY;
            h.keep_recordings_ms = 0;
        });
        let stuck = kit.call("stuck", 1, 1000).await;
        let fine = kit.call("fine", 2, 1000).await;
        // A folder in the file's place can't be removed as a file, by root neither.
        let path = kit.place.path().join("rec/stuck-caller.wav");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        kit.keeper.round(at(100)).await.unwrap();
        assert!(kit.kept(&stuck).await.0 && !kit.kept(&fine).await.0);
        std::fs::remove_dir(&path).unwrap();
        kit.keeper.round(at(100)).await.unwrap();
        assert!(!kit.kept(&stuck).await.0);
        assert!(!Path::new(&path).exists());
    }

    #[tokio::test]
    async fn over_its_bound_the_store_loses_histories_before_calls() {
        let kit = Kit::new(|h| h.store_bytes = 1);
        let days = [("a", 1), ("b", 39), ("c", 40)];
        let mut ids = Vec::new();
        for (name, day) in days {
            ids.push(kit.call(name, day, 10).await);
        }
        kit.keeper.bound(at(40)).await.unwrap();
        assert_eq!(kit.kept(&ids[0]).await, (false, 0));
        // Within a month a call stays, by which limits count; within the hour its history does.
        assert_eq!(kit.kept(&ids[1]).await, (true, 0));
        assert!(kit.kept(&ids[2]).await.1 > 0);
    }
}
