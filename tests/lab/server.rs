//! The server under test, inside this process; and its log.

use std::io::Write;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use govorun::app::{Instead, Runtime};
use govorun::config::{Config, MediaKind, RecognizerConfig};
use govorun::ident::Secret;
use tokio_util::sync::CancellationToken;

use super::dialogs::Place;
use super::one_c::{OneC, TOKEN};
use super::stand::Asterisk;

/// People at the other end of the PBX itself.
pub const LOCAL: &str = "Local/{phone}@phones/n";
/// People behind the SIP trunk.
pub const SIP: &str = "PJSIP/{phone}@trunk";

/// Nobody is to be understood.
pub const NO_EARS: &str = "none";

fn buffer() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(Arc::default)
}

struct Tee;

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        buffer()
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that the servers of this process have logged.
pub fn log() -> String {
    let bytes = buffer().lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last lines of it.
pub fn logged(lines: usize) -> String {
    let log = log();
    let from = log.lines().count().saturating_sub(lines);
    log.lines().skip(from).collect::<Vec<_>>().join("\n")
}

fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(|| Tee)
            .init();
    });
}

/// Settings of a server before this Asterisk.
pub fn settings(
    asterisk: &Asterisk,
    place: &Place,
    kind: MediaKind,
    ears: &str,
    channel: &str,
) -> Config {
    let any = "127.0.0.1:0".parse().unwrap();
    let env = &asterisk.env;
    let mut config = Config::default();
    config.scripts.folder = place.scripts();
    config.store = place.folder.path().join("govorun.sqlite");
    config.http.listen = any;
    config.http.tokens = vec![Secret::new(TOKEN)];
    config.asterisk.ami = format!("127.0.0.1:{}", env["LAB_AMI_PORT"]);
    config.asterisk.user = env["LAB_AMI_USER"].clone();
    config.asterisk.secret = Secret::new(env["LAB_AMI_SECRET"].as_str());
    config.asterisk.agi_listen = any;
    config.asterisk.channel = channel.to_owned();
    config.asterisk.transfer_channel = LOCAL.to_owned();
    config.asterisk.ring_timeout_ms = 6_000;
    config.asterisk.sounds = env["LAB_SOUNDS_HOST"].clone().into();
    config.asterisk.sounds_in_asterisk = env["LAB_SOUNDS_ASTERISK"].clone();
    config.asterisk.recordings = format!("{}/monitor", env["LAB_SPOOL_HOST"]).into();
    config.asterisk.recordings_in_asterisk = format!("{}/monitor", env["LAB_SPOOL_ASTERISK"]);
    config.media.kind = kind;
    config.media.audiosocket_listen = any;
    config.media.websocket_listen = any;
    if kind == MediaKind::ChanWebsocket {
        config.media.websocket_listen.set_port(asterisk.port(90));
    }
    // Where nothing is to be understood the keyboard listens: nobody is called whom no recognizer hears.
    config.recognizers = match ears {
        NO_EARS => vec![RecognizerConfig::Typed],
        url => vec![RecognizerConfig::vosk("lab".to_owned(), url.to_owned())],
    };
    config.calls.starts_per_second = 20.0;
    config.calls.retry_after_ms = 500;
    config
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub runtime: Runtime,
    pub one_c: OneC,
}

impl Server {
    /// Starts it and waits until it knows its medium.
    pub async fn start(config: Config) -> Self {
        keep_log();
        let stop = CancellationToken::new();
        let runtime = match Runtime::start(config, Instead::default(), stop).await {
            Ok(runtime) => runtime,
            Err(error) => panic!("the server does not start:\n{error}"),
        };
        let mut medium = runtime.medium.clone();
        let known = medium.wait_for(|m| !m.reason.is_empty());
        let known = tokio::time::timeout(Duration::from_secs(15), known).await;
        assert!(known.is_ok(), "no medium within 15 s\n{}", logged(40));
        let one_c = OneC(runtime.http);
        Self { runtime, one_c }
    }

    pub async fn stop(self) {
        self.runtime.shut_down().await;
    }
}
