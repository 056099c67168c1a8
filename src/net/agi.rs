//! The FastAGI server: Asterisk connects for each call, tells of it, and then does what it is told.
//!
//! [`serve`] accepts, reads the environment within a deadline and caps, and hands an [`AgiConnection`] to a handler.
//! A peer that closes at once (a monitor's port check), stays silent or talks something else is dropped, counted in
//! [`AgiStats`] and costs nothing more.
//!
//! Who owns the connection drives it: there is no task behind it. [`AgiConnection::execute`] sends one command and
//! waits for its answer; between commands [`AgiConnection::until_gone`] waits for the hang-up. Both may be
//! dropped at any point: an answer that nobody waits for any more is still paired with its own command.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wire::agi::{Answer, AnswerError, Command, Environment, EnvironmentError, Line};

#[cfg(test)]
mod tests;

/// Connections that may wait to be accepted: calls come in bursts.
const BACKLOG: u32 = 1024;
/// First size of a connection's read buffer: an environment of Asterisk 16 to 22 has 600 to 900 bytes, an answer some 30.
const READ_BUFFER: usize = 1024;
/// Rest after a failed accept (no file descriptors left, mostly).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// What a server grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgiLimits {
    /// Connections at once, those that still send their environment included. Default 4,000.
    pub connections: usize,
    /// How long a peer may take for its environment. Default 5 s.
    pub environment: Duration,
}

impl Default for AgiLimits {
    fn default() -> Self {
        Self {
            connections: 4000,
            environment: Duration::from_secs(5),
        }
    }
}

/// What came in and what was dropped, since the start.
#[derive(Debug, Default)]
pub struct AgiStats {
    served: AtomicU64,
    closed: AtomicU64,
    silent: AtomicU64,
    malformed: AtomicU64,
    over_limit: AtomicU64,
    accept_failed: AtomicU64,
}

/// [`AgiStats`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgiCounts {
    /// Connections that were handed to the handler.
    pub served: u64,
    /// Peers that closed before their environment was whole.
    pub closed: u64,
    /// Peers that didn't send it in time.
    pub silent: u64,
    /// Peers that sent something else, or too much.
    pub malformed: u64,
    /// Connections refused because there were too many.
    pub over_limit: u64,
    /// Times that accepting failed.
    pub accept_failed: u64,
}

impl AgiStats {
    /// The counts now.
    pub fn counts(&self) -> AgiCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AgiCounts {
            served: read(&self.served),
            closed: read(&self.closed),
            silent: read(&self.silent),
            malformed: read(&self.malformed),
            over_limit: read(&self.over_limit),
            accept_failed: read(&self.accept_failed),
        }
    }
}

/// A listener as the server wants it: SO_REUSEADDR (a restart must not fail on old connections) and a long backlog.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop`: each connection with a whole environment is given to `handler`, on a task of its own. Returns
/// once all handlers have returned; connections that are still in their environment are dropped at the stop.
///
/// A handler that would rather pass the connection on (to a queue, to the call that its token names) just does so:
/// it counts against the limit until it is dropped.
pub async fn serve<H, F>(
    listener: TcpListener,
    limits: AgiLimits,
    stats: Arc<AgiStats>,
    stop: CancellationToken,
    handler: H,
) where
    H: Fn(AgiConnection) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                stats.accept_failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, "agi: accepting failed");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let before = stats.over_limit.fetch_add(1, Ordering::Relaxed);
            if before.is_multiple_of(100) {
                tracing::warn!(
                    limit = limits.connections,
                    refused = before + 1,
                    "agi: too many connections"
                );
            }
            continue;
        };
        let (stats, stop, handler) = (Arc::clone(&stats), stop.clone(), handler.clone());
        tasks.spawn(async move {
            let greeted = tokio::select! {
                biased;
                greeted = greet(stream, peer, place, limits.environment) => greeted,
                () = stop.cancelled() => return,
            };
            match greeted {
                Ok(connection) => {
                    stats.served.fetch_add(1, Ordering::Relaxed);
                    handler(connection).await;
                }
                Err(dropped) => dropped.count(&stats, peer),
            }
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Why a peer was dropped before it was a call.
enum Dropped {
    Closed,
    Silent,
    Malformed(EnvironmentError),
}

impl Dropped {
    fn count(self, stats: &AgiStats, peer: SocketAddr) {
        let counter = match self {
            Self::Closed => {
                tracing::debug!(%peer, "agi: closed before its environment was whole");
                &stats.closed
            }
            Self::Silent => {
                tracing::warn!(%peer, "agi: sent no environment in time");
                &stats.silent
            }
            Self::Malformed(error) => {
                tracing::warn!(%peer, %error, "agi: refused");
                &stats.malformed
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

async fn greet(
    mut stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    deadline: Duration,
) -> Result<AgiConnection, Dropped> {
    // Commands are short and answered one by one: waiting to join them would only add delay.
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(READ_BUFFER);
    let read = async {
        loop {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return Err(Dropped::Closed),
                Ok(_) => {}
            }
            match Environment::decode(&buffer) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(error) => return Err(Dropped::Malformed(error)),
            }
        }
    };
    let (environment, start) = tokio::time::timeout(deadline, read)
        .await
        .map_err(|_| Dropped::Silent)??;
    Ok(AgiConnection {
        stream,
        peer,
        environment,
        buffer,
        start,
        outgoing: Vec::new(),
        sent: 0,
        owed: 0,
        gone: watch::Sender::new(None),
        _place: place,
    })
}

/// How a connection's call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Asterisk said `HANGUP`: the channel is gone. Commands that work on dead channels still do.
    HungUp,
    /// The connection was closed or lost; nothing can be asked any more.
    Closed,
    /// The peer broke the protocol; nothing can be asked any more.
    Broken,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AgiError {
    /// Asterisk closed the connection, or it was lost.
    #[error("the AGI connection was closed")]
    Closed,
    /// The network's error.
    #[error("the AGI connection was lost: {0}")]
    Lost(#[from] io::Error),
    /// Not an answer.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// An answer to nothing: the pairing is lost.
    #[error("the peer answered what was not asked")]
    Unasked,
}

/// One call's FastAGI connection. Dropping it closes it: Asterisk then goes on in the dialplan.
#[derive(Debug)]
pub struct AgiConnection {
    stream: TcpStream,
    peer: SocketAddr,
    environment: Environment,
    buffer: Vec<u8>,
    /// Where in `buffer` the unread begins.
    start: usize,
    /// The command that is being written, and how much of it is.
    outgoing: Vec<u8>,
    sent: usize,
    /// Answers still to come: 0 or 1.
    owed: u8,
    gone: watch::Sender<Option<Gone>>,
    _place: OwnedSemaphorePermit,
}

/// Tells from anywhere that an [`AgiConnection`]'s call is gone, as soon as its owner has read so.
#[derive(Clone, Debug)]
pub struct GoneSignal(watch::Receiver<Option<Gone>>);

impl GoneSignal {
    /// How it ended, if it did.
    pub fn now(&self) -> Option<Gone> {
        *self.0.borrow()
    }

    /// Waits for the end. A connection that is dropped ends too.
    pub async fn wait(&mut self) -> Gone {
        match self.0.wait_for(Option::is_some).await {
            Ok(gone) => (*gone).unwrap_or(Gone::Closed),
            Err(_) => Gone::Closed,
        }
    }
}

impl AgiConnection {
    /// What Asterisk told about the call.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Asterisk's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How the call ended, as far as was read.
    pub fn gone(&self) -> Option<Gone> {
        *self.gone.borrow()
    }

    /// For others who want to know the end. It fires while this connection's owner waits in [`Self::execute`] or
    /// [`Self::until_gone`].
    pub fn gone_signal(&self) -> GoneSignal {
        GoneSignal(self.gone.subscribe())
    }

    /// Sends a command and waits for its answer, which for a playback takes as long as it plays.
    ///
    /// Cancel-safe: if this future is dropped, the command was or will be sent, and the next call first waits for its
    /// answer and drops it. A `HANGUP` on the way only sets the signal: the answer still comes.
    pub async fn execute(&mut self, command: Command) -> Result<Answer, AgiError> {
        let answer = self.try_execute(command).await;
        if let Err(error) = &answer {
            self.end(match error {
                AgiError::Closed | AgiError::Lost(_) => Gone::Closed,
                AgiError::Answer(_) | AgiError::Unasked => Gone::Broken,
            });
        }
        answer
    }

    async fn try_execute(&mut self, command: Command) -> Result<Answer, AgiError> {
        if matches!(self.gone(), Some(Gone::Closed | Gone::Broken)) {
            return Err(AgiError::Closed);
        }
        self.flush().await?;
        while self.owed > 0 {
            self.read_line().await?;
        }
        self.outgoing = command.into_bytes();
        self.sent = 0;
        self.owed = 1;
        self.flush().await?;
        loop {
            if let Some(answer) = self.read_line().await? {
                return Ok(answer);
            }
        }
    }

    /// Waits for the end of the call while no command is wanted. Cancel-safe. Answers to commands whose future was
    /// dropped are read and forgotten meanwhile.
    pub async fn until_gone(&mut self) -> Gone {
        loop {
            if let Some(gone) = self.gone() {
                return gone;
            }
            let read = async {
                self.flush().await?;
                self.read_line().await
            };
            match read.await {
                Ok(_) => {}
                Err(AgiError::Closed | AgiError::Lost(_)) => self.end(Gone::Closed),
                Err(error) => {
                    tracing::warn!(peer = %self.peer, %error, "agi: dropped");
                    self.end(Gone::Broken);
                }
            }
        }
    }

    /// Writes what is left of the command. Cancel-safe.
    async fn flush(&mut self) -> Result<(), AgiError> {
        while self.sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.sent..]).await? {
                0 => return Err(AgiError::Closed),
                written => self.sent += written,
            }
        }
        Ok(())
    }

    /// Reads one line of Asterisk's; the answer if it was one. Cancel-safe.
    async fn read_line(&mut self) -> Result<Option<Answer>, AgiError> {
        loop {
            if let Some((line, used)) = Line::decode(&self.buffer[self.start..])? {
                self.start += used;
                if self.start == self.buffer.len() {
                    self.buffer.clear();
                    self.start = 0;
                }
                return match line {
                    Line::Answer(_) if self.owed == 0 => Err(AgiError::Unasked),
                    Line::Answer(answer) => {
                        self.owed -= 1;
                        Ok(Some(answer))
                    }
                    Line::HangUp => {
                        self.end(Gone::HungUp);
                        Ok(None)
                    }
                    Line::Progress => Ok(None),
                };
            }
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            // The decoder's caps bound the buffer: what is over them is an error above.
            self.buffer.reserve(READ_BUFFER / 4);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(AgiError::Closed);
            }
        }
    }

    /// A hang-up may be followed by the connection's end, not the other way round.
    fn end(&self, gone: Gone) {
        self.gone.send_if_modified(|now| {
            let news = matches!(
                (*now, gone),
                (None, _) | (Some(Gone::HungUp), Gone::Closed | Gone::Broken)
            );
            if news {
                *now = Some(gone);
            }
            news
        });
    }
}
