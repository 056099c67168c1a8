//! What the handlers share: the store, the settings, and what the app joins to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::callbacks::Counts;
use super::health::{HealthPart, Metric};
use super::refusal::Refusal;
use super::report::Telling;
use super::serve::Limits;
use super::titles::Titles;
use crate::config::{Config, HttpConfig, Language};
use crate::ident::CallId;
use crate::outbound::{Dialing, Lines, Rules};
use crate::script::Library;
use crate::store::{RecordingsFolder, Store};

/// Batches that are read at once: each may take many times its size while it is checked.
const BATCHES_AT_ONCE: usize = 4;

/// The state of the HTTP server; clones share it. Built once by the app: `HttpState::new(..).with_health(..)`.
#[derive(Clone)]
pub struct HttpState {
    shared: Arc<Shared>,
}

/// Whether an address may be told; else why not.
type Allowed = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

#[derive(Clone)]
struct Shared {
    language: Language,
    http: HttpConfig,
    store: Store,
    library: Arc<Library>,
    health: Arc<dyn Fn() -> Vec<HealthPart> + Send + Sync>,
    metrics: Arc<dyn Fn() -> Vec<Metric> + Send + Sync>,
    hang_up: Arc<dyn Fn(&CallId) + Send + Sync>,
    callback_allowed: Allowed,
    dialing: Option<(Dialing, Lines)>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    zone: TimeZone,
    recordings: RecordingsFolder,
    limits: Limits,
    rules: Arc<Rules>,
    counters: Arc<Counters>,
    callback_counts: Arc<Counts>,
    batches: Arc<Semaphore>,
    stop: CancellationToken,
}

/// How many answers of each class were given.
#[derive(Debug, Default)]
pub(super) struct Counters {
    classes: [AtomicU64; 6],
}

impl Counters {
    pub(super) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).min(5);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
    }

    /// `(class, count)`: 2 for 2xx.
    pub(super) fn read(&self) -> impl Iterator<Item = (usize, u64)> {
        let count = |class: usize| self.classes[class].load(Ordering::Relaxed);
        (2..=5).map(move |class| (class, count(class)))
    }
}

impl HttpState {
    /// A server over `store` and `library` that reports no other parts and hangs up nothing; the `with_` methods join these.
    pub fn new(store: Store, library: Arc<Library>, http: HttpConfig, language: Language) -> Self {
        Self {
            shared: Arc::new(Shared {
                language,
                http,
                store,
                library,
                health: Arc::new(Vec::new),
                metrics: Arc::new(Vec::new),
                hang_up: Arc::new(|_| {}),
                callback_allowed: Arc::new(|_| Ok(())),
                dialing: None,
                now: Arc::new(Timestamp::now),
                zone: TimeZone::system(),
                recordings: RecordingsFolder::new(&Config::default().asterisk),
                limits: Limits::default(),
                rules: Arc::new(Rules::new(600_000)),
                counters: Arc::default(),
                callback_counts: Arc::default(),
                batches: Arc::new(Semaphore::new(BATCHES_AT_ONCE)),
                stop: CancellationToken::new(),
            }),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }

    /// What `/healthz` tells beside the store.
    pub fn with_health(self, health: impl Fn() -> Vec<HealthPart> + Send + Sync + 'static) -> Self {
        self.with(|s| s.health = Arc::new(health))
    }

    /// What `/metrics` tells beside HTTP and the store.
    pub fn with_metrics(self, metrics: impl Fn() -> Vec<Metric> + Send + Sync + 'static) -> Self {
        self.with(|s| s.metrics = Arc::new(metrics))
    }

    /// Called with a call that is dialing or talking when 1C cancels it.
    pub fn with_hang_up(self, hang_up: impl Fn(&CallId) + Send + Sync + 'static) -> Self {
        self.with(|s| s.hang_up = Arc::new(hang_up))
    }

    /// The dialing, to be drained, and the lines that calls hold.
    pub fn with_dialing(self, dialing: Dialing, lines: Lines) -> Self {
        self.with(|s| s.dialing = Some((dialing, lines)))
    }

    /// Whether callbacks to an address are tried at all; else why not.
    pub fn with_callback_check(
        self,
        allowed: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.with(|s| s.callback_allowed = Arc::new(allowed))
    }

    /// Another clock and time zone than the system's.
    pub fn with_clock(
        self,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        zone: TimeZone,
    ) -> Self {
        self.with(|s| {
            s.now = Arc::new(now);
            s.zone = zone;
        })
    }

    /// Where recordings lie.
    pub fn with_recordings(self, recordings: RecordingsFolder) -> Self {
        self.with(|s| s.recordings = recordings)
    }

    /// Other limits of connections than the usual.
    pub fn with_limits(self, limits: Limits) -> Self {
        self.with(|s| s.limits = limits)
    }

    /// The rules that orders may name.
    pub fn with_rules(self, rules: Arc<Rules>) -> Self {
        self.with(|s| s.rules = rules)
    }

    pub(super) fn with_stop(self, stop: CancellationToken) -> Self {
        self.with(|s| s.stop = stop)
    }

    pub(super) fn language(&self) -> Language {
        self.shared.language
    }

    pub(super) fn http(&self) -> &HttpConfig {
        &self.shared.http
    }

    pub(super) fn store(&self) -> &Store {
        &self.shared.store
    }

    pub(super) fn library(&self) -> &Arc<Library> {
        &self.shared.library
    }

    pub(super) fn parts(&self) -> Vec<HealthPart> {
        (self.shared.health)()
    }

    pub(super) fn extra_metrics(&self) -> Vec<Metric> {
        (self.shared.metrics)()
    }

    /// An order's callback is refused where it would never be tried.
    pub(super) fn check_callback(&self, url: Option<&str>) -> Result<(), Refusal> {
        let Some(url) = url else { return Ok(()) };
        (self.shared.callback_allowed)(url).map_err(|why| {
            tracing::warn!(%why, "an order's callback was refused");
            Refusal::field(
                "callback_not_allowed",
                "callback",
                "на этот адрес не сообщаем: он не из http.callback.hosts или служебный; если получатель там, впишите его туда",
                "nothing is told to that address: it isn't in http.callback.hosts, or no receiver lives at such a one; if one does, write it there",
            )
        })
    }

    pub(super) fn hang_up(&self, id: &CallId) {
        (self.shared.hang_up)(id);
    }

    pub(super) fn dialing(&self) -> Option<&Dialing> {
        self.shared.dialing.as_ref().map(|(dialing, _)| dialing)
    }

    /// Calls that go on, whoever began them.
    pub(super) fn going_on(&self) -> usize {
        let dialing = self.shared.dialing.as_ref();
        dialing.map_or(0, |(_, lines)| lines.taken())
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.shared.now)()
    }

    pub(super) fn recordings(&self) -> &RecordingsFolder {
        &self.shared.recordings
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.shared.zone
    }

    /// What reports are written with just now.
    pub(super) fn telling(&self) -> Telling {
        Telling {
            zone: self.shared.zone.clone(),
            titles: Titles::new(self.shared.language, self.shared.library.current()),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn rules(&self) -> &Arc<Rules> {
        &self.shared.rules
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(super) fn callback_counts(&self) -> &Counts {
        &self.shared.callback_counts
    }

    pub(super) fn batches(&self) -> &Semaphore {
        &self.shared.batches
    }

    /// Ends long polls when the server stops.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.shared.stop
    }
}
