//! Joins all parts into the running server. The only place that knows every one of them.
//!
//! ```text
//! 1C ──▶ http ──▶ store ◀── dialer ──▶ call::outgoing ─┐
//!                   ▲                                   ├──▶ dialog (script) on its thread
//! Asterisk ──▶ net::agi ──▶ call::incoming / awaited ───┘
//! ```

mod callbacks;
mod dialing;
pub mod doctor;
mod inbound;
mod journal;
mod keeper;
mod medium;
mod metrics;
mod place;
mod probe;
mod recognizers;
mod services;
mod stage;
mod voices;
mod warmth;

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::asr::Recognizer;
use crate::asr::listed::Listed;
use crate::call::dialog_threads::DialogThreads;
use crate::call::{Awaited, CallParts, Fault, Registry};
use crate::config::{Config, Language, MediaKind};
use crate::http::{self, HealthPart, HttpState};
use crate::net::agi::{self, AgiLimits, AgiStats};
use crate::net::ami::{Ami, AmiConfig, AmiState};
use crate::net::media::{MediaError, MediaHub};
use crate::net::web::Web;
use crate::outbound::{Dialer, Dialing, Lines, Rules};
use crate::script::{Library, Named, Watch};
use crate::store::{RecordingsFolder, Store};
use crate::tts::{AsteriskFiles, Prompts, Voice, Warming};
use crate::wire::dial::DialTemplate;

pub use medium::Medium;
pub use probe::probe;
pub use recognizers::ask_once;
pub use services::recognizers as listed_recognizers;
pub use stage::{Scene, Stage};
pub use voices::ask_voices;

/// Prompt files for Asterisk are bounded to so many bytes; the longest unused go first.
const PROMPT_FILES_BYTES: u64 = 1 << 30;
/// At the stop what goes on may end for so long.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often a drain looks whether it is done.
const DRAIN_BEAT: Duration = Duration::from_millis(50);

/// Why the server did not start: everything that is wrong, each with its mend.
#[derive(Debug)]
pub enum StartError {
    /// Settings that can't be used here and now: a port in use, a folder that can't be written.
    Settings(Vec<String>),
    /// The dialogs have faults, and there is no older version to go on with.
    Scripts(Vec<Fault>),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settings(faults) => f.write_str(&faults.join("\n")),
            Self::Scripts(faults) => {
                for (n, fault) in faults.iter().enumerate() {
                    let sep = if n > 0 { "\n" } else { "" };
                    let Fault {
                        file,
                        line,
                        column,
                        message,
                    } = fault;
                    write!(f, "{sep}{file}:{line}:{column}: {message}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for StartError {}

/// What may be put in the place of the config's own: rehearsal's keyboard and silent voice.
#[derive(Debug, Default)]
pub struct Instead {
    /// Instead of `recognizers`.
    pub recognizers: Option<Vec<Arc<dyn Recognizer>>>,
    /// Instead of `voices`.
    pub voices: Option<Vec<Arc<dyn Voice>>>,
}

/// A running server.
#[derive(Debug)]
pub struct Runtime {
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Where FastAGI listens.
    pub agi: SocketAddr,
    /// Our servers for audio.
    pub hub: MediaHub,
    /// The store.
    pub store: Store,
    /// The dialogs.
    pub library: Arc<Library>,
    /// The calls that go on.
    pub registry: Registry,
    /// The link to Asterisk.
    pub ami: Ami,
    /// Which medium is in use, and why.
    pub medium: watch::Receiver<Medium>,
    /// The trunks, the drain.
    pub dialing: Dialing,
    /// The lines that calls hold.
    pub lines: Lines,
    stop: CancellationToken,
    tasks: TaskTracker,
    _watch: Option<Watch>,
}

impl Runtime {
    /// Starts everything; `stop` ends it.
    pub async fn start(
        config: Config,
        instead: Instead,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let mut faults = Vec::new();
        let mut keep = |fault: String| faults.push(fault);
        let missing = match instead.voices {
            None => probe::probe(&config),
            Some(_) => Vec::new(),
        };
        missing.into_iter().for_each(&mut keep);
        let store = Store::open(&config.store)
            .map_err(|e| keep(e.to_string()))
            .ok();
        let names = instead.voices.is_none().then(|| config.voice_names());
        let listed = instead.recognizers.map_or_else(
            || services::recognizers(&config, &mut keep),
            |all| {
                Some(
                    all.into_iter()
                        .map(|one| Arc::new(Listed::new(one, None)))
                        .collect(),
                )
            },
        );
        let voices = instead
            .voices
            .or_else(|| services::voices(&config, &mut keep));
        let template = |text: &str, key: &str, keep: &mut dyn FnMut(String)| {
            DialTemplate::parse(text)
                .map_err(|e| keep(format!("{key}: {e}")))
                .ok()
        };
        let trunks = dialing::lines(&config, &mut keep);
        let transfer_channel = match config.asterisk.transfer_channel.as_str() {
            // Told already where it is one of the trunks.
            "" => DialTemplate::parse(&config.asterisk.channel).ok(),
            text => template(text, "asterisk.transfer_channel", &mut keep),
        };
        let files = AsteriskFiles::new(
            config.asterisk.sounds.clone(),
            &config.asterisk.sounds_in_asterisk,
            PROMPT_FILES_BYTES,
        )
        .map_err(|_| keep(probe::seen_path(config.language)))
        .ok();
        let web = Web::new(&config.web).map_err(|e| keep(e.to_string())).ok();
        let our_address = resolve(&config.asterisk.our_host)
            .map_err(|e| keep(format!("asterisk.our_host: {e}")))
            .ok();
        let in_use = |key: &str, address: &str, e: &std::io::Error| {
            config.language.pick(
                format!("{key}: не удаётся слушать {address}: {e}; укажите другой порт или завершите программу, которая его занимает"),
                format!("{key}: can't listen on {address}: {e}; choose another port or end the program that holds it"),
            )
        };
        let agi_at = config.asterisk.agi_listen;
        let agi_listener = agi::listen(agi_at)
            .map_err(|e| keep(in_use("asterisk.agi_listen", &agi_at.to_string(), &e)))
            .ok();
        let http_at = config.http.listen;
        let http_listener = TcpListener::bind(http_at)
            .await
            .map_err(|e| keep(in_use("http.listen", &http_at.to_string(), &e)))
            .ok();
        let hub = MediaHub::bind(&config.media)
            .map_err(|e| match &e {
                MediaError::Listen {
                    key,
                    address,
                    source,
                } => keep(in_use(key, address, source)),
                _ => keep(e.to_string()),
            })
            .ok();
        let (Some(store), Some(listed), Some(voices), Some(transfer_channel)) =
            (store, listed, voices, transfer_channel)
        else {
            return Err(StartError::Settings(faults));
        };
        let (
            Some(files),
            Some(web),
            Some(our_address),
            Some(agi_listener),
            Some(http_listener),
            Some(hub),
        ) = (files, web, our_address, agi_listener, http_listener, hub)
        else {
            return Err(StartError::Settings(faults));
        };
        let local = |address: std::io::Result<SocketAddr>| {
            address.map_err(|e| StartError::Settings(vec![e.to_string()]))
        };
        let agi_address = local(agi_listener.local_addr())?;
        let http_address = local(http_listener.local_addr())?;

        if !faults.is_empty() {
            return Err(StartError::Settings(faults));
        }
        // Instead of the config's voices speaks another one, to whom their names mean nothing.
        let library = Arc::new(Library::open_kept(
            &config.scripts.folder,
            config.language,
            Named {
                voices: names,
                recognizers: Some(listed.iter().map(|r| r.name().to_owned()).collect()),
            },
            Some(config.store.with_extension("dialogs")),
        ));
        let status = library.status();
        if !status.faults.is_empty() {
            if status.dialogs.is_empty() {
                return Err(StartError::Scripts(status.faults));
            }
            for fault in &status.faults {
                tracing::error!(
                    file = fault.file,
                    line = fault.line,
                    column = fault.column,
                    "dialogs refused, those that were sound last are used: {}",
                    fault.message
                );
            }
        }
        if let Some(from) = &status.rolled_back_from {
            tracing::warn!(
                version = status.version,
                from = *from,
                "dialogs were rolled back before the start: new calls use the older version until the files change"
            );
        }
        let watch = Watch::start(Arc::clone(&library), config.scripts.poll_ms)
            .map_err(|e| StartError::Settings(vec![format!("scripts.folder: {e}")]))?;

        let (ami, ami_task) = Ami::start(
            AmiConfig::new(
                config.asterisk.ami.clone(),
                config.asterisk.user.clone(),
                config.asterisk.secret.clone(),
            ),
            stop.clone(),
        );
        let dialing = Dialing::new(dialing::trunks(&config), config.calls.at_once);
        let routes = Arc::clone(dialing.trunks());
        if let Err(error) = store.set_router(move |phone| routes.route(phone)).await {
            return Err(StartError::Settings(vec![error.to_string()]));
        }
        // Before the first change is written: what a crash cut off is told, too.
        callbacks::rules(&store, &config);
        let ring_ms = trunks.values().map(|trunk| trunk.ring_timeout_ms).max();
        let (cleared, redialed) =
            services::recover(&store, &ami, ring_ms.unwrap_or(60_000), &stop).await;
        let (medium_in, medium) = watch::channel(config.media.kind);
        let (told_in, told) = watch::channel(Medium::default());
        let registry = Registry::default();
        let prompts = Arc::new(Prompts::new(voices));
        let warming = Arc::new(Warming::new(Arc::clone(&prompts)));
        let parts = Arc::new(CallParts {
            ami: ami.clone(),
            hub: hub.clone(),
            recognizers: listed
                .iter()
                .map(|one| Arc::clone(one) as Arc<dyn Recognizer>)
                .collect(),
            prompts: Arc::clone(&prompts),
            files: Arc::new(files),
            journal: Arc::new(journal::StoreJournal {
                store: store.clone(),
                asterisk_events: config.history.asterisk_events.clone(),
            }),
            registry: registry.clone(),
            threads: DialogThreads::default(),
            timings: Arc::default(),
            answerers: Arc::default(),
            web: Arc::new(web),
            awaited: Awaited::default(),
            medium,
            agi_address: SocketAddr::new(our_address, agi_address.port()).to_string(),
            our_address,
            transfer_channel,
            asterisk: config.asterisk.clone(),
            calls: config.calls.clone(),
        });

        let lines = Lines::new(config.calls.at_once);
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            let _ = ami_task.await;
        });
        tasks.spawn(medium::follow(
            ami.clone(),
            config.media.kind,
            medium_in,
            told_in,
            stop.clone(),
        ));
        tasks.spawn(warmth::follow(
            Arc::clone(&library),
            Arc::clone(&warming),
            config.calls.fallback.clone(),
            stop.clone(),
        ));
        let inbound = inbound::Inbound {
            parts: Arc::clone(&parts),
            store: store.clone(),
            library: Arc::clone(&library),
            lines: lines.clone(),
            dialing: dialing.clone(),
            stop: stop.clone(),
        };
        let limits = AgiLimits::default();
        let agi_stats = Arc::new(AgiStats::default());
        let stats = Arc::clone(&agi_stats);
        tasks.spawn(agi::serve(
            agi_listener,
            limits,
            stats,
            stop.clone(),
            move |connection| {
                let inbound = inbound.clone();
                async move { inbound.take(connection).await }
            },
        ));
        let placer = place::Placer {
            parts: Arc::clone(&parts),
            trunks,
            cleared,
            library: Arc::clone(&library),
            medium: told.clone(),
            stop: stop.clone(),
        };
        let rules = Arc::new(Rules::from_config(&config, TimeZone::system()));
        let dialer = Dialer {
            queue: store.clone(),
            placer: Arc::new(placer),
            lines: lines.clone(),
            starts_per_second: config.calls.starts_per_second,
            dialing: dialing.clone(),
            dialogs: Arc::new(dialing::limits(Arc::clone(&library), &config.calls)),
            rules: Arc::clone(&rules),
            clock: Arc::new(Timestamp::now),
        };
        tasks.spawn(dialer.run(stop.clone()));
        let kept = Arc::<keeper::Kept>::default();
        let keeper = keeper::Keeper {
            store: store.clone(),
            folder: RecordingsFolder::new(&config.asterisk),
            history: config.history.clone(),
            zone: TimeZone::system(),
            kept: Arc::clone(&kept),
        };
        tasks.spawn(keeper.run(stop.clone()));
        let courier = callbacks::courier(&config);
        let state = HttpState::new(
            store.clone(),
            Arc::clone(&library),
            config.http.clone(),
            config.language,
        )
        .with_rules(Arc::clone(&rules))
        .with_health(health(
            &ami,
            &told,
            &library,
            &listed,
            &dialing,
            config.language,
        ))
        .with_metrics({
            let parts = metrics::of(
                &ami,
                &hub,
                &agi_stats,
                &registry,
                (&parts.timings, &parts.answerers),
                (prompts, warming),
                listed.clone(),
            );
            let (dialing, lines) = (dialing.clone(), lines.clone());
            move || {
                let mut all = parts();
                all.extend(dialing::metrics(&dialing, &lines, redialed));
                all.extend(kept.metrics());
                all
            }
        })
        .with_dialing(dialing.clone(), lines.clone())
        .with_recordings(RecordingsFolder::new(&config.asterisk))
        .with_hang_up({
            let registry = registry.clone();
            move |call| {
                registry.cancel(call);
            }
        })
        .with_callback_check({
            let courier = Arc::clone(&courier);
            move |url| courier.check(url).map_err(|fault| fault.to_string())
        });
        let sender = callbacks::sender(state.clone(), &config, courier);
        tasks.spawn(sender.run(stop.clone()));
        let http_stop = stop.clone();
        tasks.spawn(async move {
            if let Err(error) = http::serve(http_listener, state, http_stop).await {
                tracing::error!(%error, "http");
            }
        });
        let incoming = {
            let (lines, dialing) = (lines.clone(), dialing.clone());
            move || lines.taken().saturating_sub(dialing.outgoing())
        };
        tasks.spawn(recognizers::tell(
            listed.clone(),
            Arc::clone(&parts.timings),
            dialing.clone(),
            incoming,
            stop.clone(),
        ));
        tasks.spawn(recognizers::watch(listed, config.language, stop.clone()));
        tasks.close();
        Ok(Self {
            http: http_address,
            agi: agi_address,
            hub,
            store,
            library,
            registry,
            ami,
            medium: told,
            dialing,
            lines,
            stop,
            tasks,
            _watch: Some(watch),
        })
    }

    /// Waits for the stop signal, then for everything that goes on, but not for ever.
    pub async fn finished(self) {
        self.stop.cancelled().await;
        if tokio::time::timeout(FAREWELL, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(calls = self.registry.count(), "stopped while calls went on");
        }
    }

    /// Starts nothing more, and waits for the calls that go on to end by themselves, at most for `limit`. How many were left.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.dialing.drain(true);
        let done = async {
            while self.lines.taken() > 0 {
                tokio::time::sleep(DRAIN_BEAT).await;
            }
        };
        let _ = tokio::time::timeout(limit, done).await;
        self.lines.taken()
    }

    /// Ends it and waits.
    pub async fn shut_down(self) {
        self.stop.cancel();
        self.finished().await;
    }
}

/// What `/healthz` tells of the parts.
fn health(
    ami: &Ami,
    medium: &watch::Receiver<Medium>,
    library: &Arc<Library>,
    recognizers: &[Arc<Listed>],
    dialing: &Dialing,
    language: Language,
) -> impl Fn() -> Vec<HealthPart> + Send + Sync + 'static {
    let (ami, medium, library) = (ami.state(), medium.clone(), Arc::clone(library));
    let (listed, dialing) = (recognizers.to_vec(), dialing.clone());
    move || {
        let asterisk = match &*ami.borrow() {
            AmiState::Up(peer) => HealthPart {
                name: "asterisk",
                ok: true,
                text: peer.asterisk_version.clone(),
            },
            AmiState::Down { reason } => HealthPart {
                name: "asterisk",
                ok: false,
                text: reason.to_string(),
            },
        };
        let medium = medium.borrow().clone();
        vec![
            asterisk,
            HealthPart {
                name: "media",
                ok: medium.kind != MediaKind::Auto,
                text: format!("{}: {}", medium.kind.as_str(), medium.reason),
            },
            recognizers::health(&listed, language),
            dialing::health(&dialing, language),
            HealthPart {
                name: "scripts",
                // A refused reload is no outage: the old version goes on. Its faults are at /api/v1/dialogs.
                ok: true,
                text: library.current().id().to_owned(),
            },
        ]
    }
}

fn resolve(host: &str) -> Result<IpAddr, String> {
    if let Ok(ip) = host.parse() {
        return Ok(ip);
    }
    (host, 0)
        .to_socket_addrs()
        .map_err(|e| format!("{host}: {e}"))?
        .map(|a| a.ip())
        .find(IpAddr::is_ipv4)
        .ok_or_else(|| format!("{host} has no IPv4 address"))
}
