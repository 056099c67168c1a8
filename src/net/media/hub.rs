//! Pairs streams with calls: listeners, expectations, and what was turned away.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::link::{self, LinkTask, MediaLink, Unheard};
use super::{audiosocket, rtp, websocket};
use crate::config::{MediaConfig, MediaKind};
use crate::ident::Token;
use crate::net::agi::listen;

/// How long a connection may take to tell its token.
pub const PAIRING: Duration = Duration::from_secs(3);
/// Connections that may be about to tell their token; more are dropped at once.
pub const STRANGERS: usize = 512;
/// Rest after a failed accept (no file descriptors left, mostly).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// What can't be done.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// A port in use, or an address that isn't ours.
    #[error(
        "{key}: cannot listen on {address}: {source}; choose another port or end the program that holds it"
    )]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The same token twice.
    #[error("a stream with this token is already expected")]
    Twice,
    /// `auto` has to be decided before.
    #[error("media kind `auto` is no medium: it has to be chosen before a call")]
    Undecided,
    /// It never came.
    #[error("no {medium} stream came within {ms} ms: does Asterisk reach {address}?", medium = kind.as_str())]
    NeverCame {
        /// Which medium.
        kind: MediaKind,
        /// How long it was awaited.
        ms: u64,
        /// Where it was awaited.
        address: SocketAddr,
    },
    /// It came and ended before it could be used.
    #[error("the {medium} stream ended before it was ready", medium = kind.as_str())]
    Stillborn {
        /// Which medium.
        kind: MediaKind,
    },
}

/// Why a connection got nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("closed before it told its token (a port check?)")]
    Closed,
    #[error("told no token within {} s", PAIRING.as_secs())]
    Silent,
    #[error("{0}")]
    Garbage(String),
    #[error("its token is not expected (any more)")]
    Unknown,
    #[error("its token belongs to a call that is heard by {}", .0.as_str())]
    OtherMedium(MediaKind),
    #[error("its address is not the Asterisk's")]
    Address,
}

/// What came and what was turned away, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounts {
    /// Streams that were paired with their call.
    pub paired: u64,
    /// Peers that closed before they told a token.
    pub closed: u64,
    /// Peers that told none in time.
    pub silent: u64,
    /// Peers that said something else.
    pub malformed: u64,
    /// Peers with a token that nobody expects, or for another medium.
    pub unknown: u64,
    /// Peers from an address that is not let in.
    pub foreign: u64,
    /// Connections over [`STRANGERS`].
    pub over_limit: u64,
    /// Times that accepting failed.
    pub accept_failed: u64,
    /// Frames of streams that ended which the call didn't take for 10 s: they were lost.
    pub overflowed: u64,
    /// RTP packets of streams that ended that were lost, doubled or came too late.
    pub disordered: u64,
}

#[derive(Debug, Default)]
struct Counters {
    paired: AtomicU64,
    closed: AtomicU64,
    silent: AtomicU64,
    malformed: AtomicU64,
    unknown: AtomicU64,
    foreign: AtomicU64,
    over_limit: AtomicU64,
    accept_failed: AtomicU64,
}

/// The media servers. Clones are the same servers; they stop when the last is dropped, streams go on.
#[derive(Clone, Debug)]
pub struct MediaHub {
    shared: Arc<Shared>,
    audiosocket: SocketAddr,
    websocket: SocketAddr,
    rtp: IpAddr,
    rtp_ports: (u16, u16),
    accepting: TaskTracker,
    stop: CancellationToken,
    _stop: Arc<DropGuard>,
}

impl MediaHub {
    /// Listens where the config says. To be called on a tokio runtime.
    pub fn bind(config: &MediaConfig) -> Result<Self, MediaError> {
        let open = |key, address: SocketAddr| {
            let fail = |source| MediaError::Listen {
                key,
                address: address.to_string(),
                source,
            };
            let listener = listen(address).map_err(fail)?;
            let local = listener.local_addr().map_err(fail)?;
            Ok((listener, local))
        };
        let (sockets, audiosocket) = open("media.audiosocket_listen", config.audiosocket_listen)?;
        let (webs, websocket) = open("media.websocket_listen", config.websocket_listen)?;
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            counters: Counters::default(),
            unheard: Arc::default(),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            peers: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let accepting = TaskTracker::new();
        let hub = Self {
            shared: shared.clone(),
            audiosocket,
            websocket,
            rtp: config.rtp_listen,
            rtp_ports: config.rtp_ports,
            accepting: accepting.clone(),
            stop: stop.clone(),
            _stop: Arc::new(stop.clone().drop_guard()),
        };
        accepting.spawn(accept(
            sockets,
            shared.clone(),
            stop.clone(),
            Server::AudioSocket,
        ));
        accepting.spawn(accept(webs, shared, stop, Server::WebSocket));
        accepting.close();
        Ok(hub)
    }

    /// Stops the servers; when it returns, their ports are free.
    pub async fn close(self) {
        self.stop.cancel();
        self.accepting.wait().await;
    }

    /// Where the AudioSocket server listens.
    pub fn audiosocket_addr(&self) -> SocketAddr {
        self.audiosocket
    }

    /// Where the WebSocket server listens.
    pub fn websocket_addr(&self) -> SocketAddr {
        self.websocket
    }

    /// Takes streams from these addresses only; an empty list lets all in (tokens still decide).
    pub fn only_from(&self, peers: Vec<IpAddr>) {
        *self
            .shared
            .peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// A stream with `token` will come; to be called before Asterisk is told to connect.
    pub fn expect(&self, token: Token, kind: MediaKind) -> Result<Expected, MediaError> {
        let address = match kind {
            MediaKind::Auto => return Err(MediaError::Undecided),
            MediaKind::Audiofork | MediaKind::ChanWebsocket => self.websocket,
            MediaKind::AudiosocketTap | MediaKind::Audiosocket => self.audiosocket,
            MediaKind::Rtp => {
                let (socket, address) = rtp::bind(self.rtp, self.rtp_ports)?;
                let (link, task) = link::link(kind, address, &self.shared.unheard);
                let peers = self.shared.peers();
                tokio::spawn(rtp::hear(socket, peers, task));
                self.shared.counters.paired.fetch_add(1, Ordering::Relaxed);
                return Ok(Expected {
                    token,
                    kind,
                    address,
                    stream: Stream::Here(Some(Box::new(link))),
                    shared: self.shared.clone(),
                });
            }
        };
        let (deliver, arrival) = oneshot::channel();
        let mut pending = self.shared.pending();
        if pending.contains_key(&token) {
            return Err(MediaError::Twice);
        }
        pending.insert(token.clone(), Pending { kind, deliver });
        drop(pending);
        Ok(Expected {
            token,
            kind,
            address,
            stream: Stream::Coming(arrival),
            shared: self.shared.clone(),
        })
    }

    /// What came and what was turned away so far.
    pub fn counts(&self) -> MediaCounts {
        let c = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MediaCounts {
            paired: read(&c.paired),
            closed: read(&c.closed),
            silent: read(&c.silent),
            malformed: read(&c.malformed),
            unknown: read(&c.unknown),
            foreign: read(&c.foreign),
            over_limit: read(&c.over_limit),
            accept_failed: read(&c.accept_failed),
            overflowed: read(&self.shared.unheard.overflowed),
            disordered: read(&self.shared.unheard.disordered),
        }
    }

    /// Streams that are expected and haven't come.
    pub fn expected(&self) -> usize {
        self.shared.pending().len()
    }
}

/// A stream that a call waits for. Dropping it ends the expectation.
#[derive(Debug)]
pub struct Expected {
    token: Token,
    kind: MediaKind,
    address: SocketAddr,
    stream: Stream,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Stream {
    /// RTP has no connection to wait for: its socket is the stream.
    Here(Option<Box<MediaLink>>),
    Coming(oneshot::Receiver<MediaLink>),
}

impl Expected {
    /// Where Asterisk has to connect or send to: our own address as it is bound (the host that Asterisk knows us by
    /// may be another), and the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token that it has to tell.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Waits for the stream. May be dropped and called again until it has given the link.
    pub async fn link(&mut self, within: Duration) -> Result<MediaLink, MediaError> {
        let stillborn = MediaError::Stillborn { kind: self.kind };
        match &mut self.stream {
            Stream::Here(link) => link.take().map(|link| *link).ok_or(stillborn),
            Stream::Coming(arrival) => match tokio::time::timeout(within, arrival).await {
                Ok(Ok(link)) => Ok(link),
                Ok(Err(_)) => Err(stillborn),
                Err(_) => Err(MediaError::NeverCame {
                    kind: self.kind,
                    ms: within.as_millis() as u64,
                    address: self.address,
                }),
            },
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        // Closed first, so that a stream which is being paired right now finds nobody.
        if let Stream::Coming(arrival) = &mut self.stream {
            arrival.close();
            let mut pending = self.shared.pending();
            if pending
                .get(&self.token)
                .is_some_and(|p| p.deliver.is_closed())
            {
                pending.remove(&self.token);
            }
        }
    }
}

/// What the servers' tasks know.
#[derive(Debug)]
pub(super) struct Shared {
    pending: Mutex<HashMap<Token, Pending>>,
    counters: Counters,
    unheard: Arc<Unheard>,
    strangers: Arc<Semaphore>,
    peers: Mutex<Vec<IpAddr>>,
}

/// An expectation, claimed by the stream that told its token.
#[derive(Debug)]
pub(super) struct Pending {
    kind: MediaKind,
    deliver: oneshot::Sender<MediaLink>,
}

impl Pending {
    /// The stream's two sides; the call gets its own by [`Paired::deliver`].
    pub(super) fn pair(self, shared: &Shared, peer: SocketAddr) -> (Paired, LinkTask) {
        let (link, task) = link::link(self.kind, peer, &shared.unheard);
        (
            Paired {
                link,
                deliver: self.deliver,
            },
            task,
        )
    }
}

/// A stream whose call is known and hasn't been told.
pub(super) struct Paired {
    link: MediaLink,
    deliver: oneshot::Sender<MediaLink>,
}

impl Paired {
    /// Hands the link over. A call that is gone drops it, which ends the stream.
    pub(super) fn deliver(self, shared: &Shared) {
        shared.counters.paired.fetch_add(1, Ordering::Relaxed);
        let _ = self.deliver.send(self.link);
    }
}

impl Shared {
    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<Token, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> Vec<IpAddr> {
        self.peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes the expectation of `token`, if it is for one of `kinds`: nobody else gets it.
    pub(super) fn claim(&self, token: &Token, kinds: &[MediaKind]) -> Result<Pending, Refusal> {
        let mut pending = self.pending();
        match pending.get(token) {
            None => Err(Refusal::Unknown),
            Some(found) if !kinds.contains(&found.kind) => Err(Refusal::OtherMedium(found.kind)),
            Some(_) => pending.remove(token).ok_or(Refusal::Unknown),
        }
    }

    fn refuse(&self, server: Server, peer: SocketAddr, refusal: &Refusal) {
        let c = &self.counters;
        let counter = match refusal {
            Refusal::Closed => &c.closed,
            Refusal::Silent => &c.silent,
            Refusal::Garbage(_) => &c.malformed,
            Refusal::Unknown | Refusal::OtherMedium(_) => &c.unknown,
            Refusal::Address => &c.foreign,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        // Monitors check ports all day long.
        if *refusal == Refusal::Closed {
            tracing::debug!(%peer, server = server.as_str(), "{refusal}");
        } else {
            tracing::warn!(%peer, server = server.as_str(), reason = %refusal, "media connection dropped");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Server {
    AudioSocket,
    WebSocket,
}

impl Server {
    fn as_str(self) -> &'static str {
        match self {
            Self::AudioSocket => "audiosocket",
            Self::WebSocket => "websocket",
        }
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: CancellationToken,
    server: Server,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                shared
                    .counters
                    .accept_failed
                    .fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, server = server.as_str(), "accepting a media connection failed");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let Ok(seat) = shared.strangers.clone().try_acquire_owned() else {
            shared.counters.over_limit.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let met = meet(&shared, server, stream, peer).await;
            drop(seat);
            match met {
                Ok(met) => met.run(&shared).await,
                Err(refusal) => shared.refuse(server, peer, &refusal),
            }
        });
    }
}

/// A connection that told a token, and claimed it.
enum Met {
    AudioSocket(Box<audiosocket::Stream>),
    WebSocket(Box<websocket::Stream>),
}

impl Met {
    async fn run(self, shared: &Shared) {
        match self {
            Self::AudioSocket(stream) => stream.run(shared).await,
            Self::WebSocket(stream) => Box::pin(stream.run(shared)).await,
        }
    }
}

async fn meet(
    shared: &Arc<Shared>,
    server: Server,
    stream: TcpStream,
    peer: SocketAddr,
) -> Result<Met, Refusal> {
    let peers = shared.peers();
    if !peers.is_empty() && !peers.contains(&peer.ip()) {
        return Err(Refusal::Address);
    }
    // Without it a command of 20 bytes may wait 40 ms for company. A socket that refuses it is about to fail anyway.
    let _ = stream.set_nodelay(true);
    let meeting = async {
        Ok(match server {
            Server::AudioSocket => {
                let meeting = Box::pin(audiosocket::meet(shared, stream, peer));
                Met::AudioSocket(Box::new(meeting.await?))
            }
            Server::WebSocket => {
                let meeting = Box::pin(websocket::meet(shared, stream, peer));
                Met::WebSocket(Box::new(meeting.await?))
            }
        })
    };
    match tokio::time::timeout(PAIRING, meeting).await {
        Ok(met) => met,
        Err(_) => Err(Refusal::Silent),
    }
}
