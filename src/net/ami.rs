//! The AMI client: one connection to Asterisk's manager that is kept up, actions with their answers, events of calls.
//!
//! ```text
//!   Ami (a handle, cloned freely) ── requests ──▶ link task ──▶ Asterisk
//!     ▲ state, subscribe                              │
//!     └── Subscription ◀── routes (by channel id) ◀───┘ events
//! ```
//!
//! Nothing asked is forgotten. While the link is down, an action waits for it, and is sent or ends with
//! [`AmiError::Down`] at its deadline. An action that was sent when the link broke ends with [`AmiError::Unknown`]:
//! Asterisk may have carried it out. Only [`Ami::ask`], for what does no harm twice, sends it again by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::ident::{ChannelId, Secret, Token};
use crate::wire::ami::{Action, ActionError, Control, Event, Originate, Response};

use super::backoff::Backoff;
use link::{Outcome, Request};
use routes::Routes;
pub use routes::{AmiNotice, CallEvent, EVENT_QUEUE, EVENT_RESERVE, Subscription};

mod link;
mod routes;
#[cfg(test)]
mod tests;

/// Actions that may wait for the link task. Those who come later wait in their own `send`.
const REQUESTS: usize = 256;
/// Events that a reader of [`Ami::events`] may lag behind.
const ALL_EVENTS: usize = 2048;

/// Where Asterisk's manager is, and who we are to it.
#[derive(Clone, Debug)]
pub struct AmiConfig {
    /// `host:port`.
    pub address: String,
    /// The section's name in manager.conf.
    pub user: String,
    /// Its secret; only a digest of it goes over the wire.
    pub secret: Secret,
    /// Which classes of events to be sent. The account's `read` has to hold them.
    pub events: String,
    /// Regular expressions for AMI's `Filter`, such as `!Event: VarSet`; needs `system` in the account's `write`.
    pub filters: Vec<String>,
    /// Patience.
    pub timing: AmiTiming,
}

impl AmiConfig {
    /// With the usual events: `system,call,dtmf,user`. `agi` would add two long events to each AGI command, which
    /// we know anyway.
    pub fn new(address: impl Into<String>, user: impl Into<String>, secret: Secret) -> Self {
        Self {
            address: address.into(),
            user: user.into(),
            secret,
            events: "system,call,dtmf,user".to_owned(),
            filters: Vec::new(),
            timing: AmiTiming::default(),
        }
    }
}

/// How long the link waits for what.
#[derive(Clone, Debug)]
pub struct AmiTiming {
    /// For a connection, and for each answer during the login. 5 s.
    pub answer: Duration,
    /// For `FullyBooted` after the login: Asterisk takes logins before it can place calls. An account without `system`
    /// in `read` never hears it, and goes on without. 10 s.
    pub boot: Duration,
    /// Silence after which we ping. 10 s.
    pub idle: Duration,
    /// Silence after the ping that is the link's end. 5 s.
    pub dead: Duration,
    /// Between tries: 0.5 s to 30 s.
    pub backoff: Backoff,
    /// Between tries when the login is refused: someone has to mend the config. 30 s.
    pub refused: Duration,
}

impl Default for AmiTiming {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            boot: Duration::from_secs(10),
            idle: Duration::from_secs(10),
            dead: Duration::from_secs(5),
            // One connection, and every order waits for it.
            backoff: Backoff::new(Duration::from_millis(250), Duration::from_secs(3)),
            refused: Duration::from_secs(30),
        }
    }
}

/// Whether Asterisk can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmiState {
    /// Not now.
    Down {
        /// Why.
        reason: AmiDown,
    },
    /// Logged in and booted.
    Up(AmiPeer),
}

/// Who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmiPeer {
    /// AMI's version, from the banner.
    pub ami_version: String,
    /// Asterisk's version, such as `22.10.1`; empty if the account may not ask (`system` or `reporting` in `write`).
    pub asterisk_version: String,
    /// When it was started, as it tells it; another text means that it was restarted.
    pub started: String,
}

/// Why the link is down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmiDown {
    /// The first try isn't over yet.
    #[error("still connecting")]
    Connecting,
    /// No connection.
    #[error("can't connect to {address}: {error}")]
    Connect {
        /// Where.
        address: String,
        /// The system's words.
        error: String,
    },
    /// The login was refused.
    #[error(
        "Asterisk refuses the login of {user:?}: {message}; compare user and secret with manager.conf, and its permit lines"
    )]
    Refused {
        /// Who.
        user: String,
        /// Asterisk's words.
        message: String,
    },
    /// It breaks the protocol, or isn't a manager.
    #[error("{0}")]
    Protocol(String),
    /// No answer.
    #[error("no {0} in time")]
    Silent(&'static str),
    /// The connection ended.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The stop signal.
    #[error("stopped")]
    Stopped,
}

/// Why an action has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmiError {
    /// The link didn't come up before the deadline. The action was not sent.
    #[error("{action} was not sent, Asterisk's manager is away: {reason}")]
    Down {
        /// Which action.
        action: &'static str,
        /// Why the link is down.
        reason: AmiDown,
    },
    /// Sent, and not answered before the deadline. It may have been carried out.
    #[error("{action} was not answered in time; it may have been carried out")]
    NoAnswer {
        /// Which action.
        action: &'static str,
    },
    /// Sent, then the link was lost. It may have been carried out.
    #[error("{action} was cut off when the link was lost; it may have been carried out")]
    Unknown {
        /// Which action.
        action: &'static str,
    },
    /// Asterisk answered with an error.
    #[error("Asterisk refuses {action}: {message}")]
    Refused {
        /// Which action.
        action: &'static str,
        /// Asterisk's words.
        message: String,
    },
    /// It can't be encoded. Not sent.
    #[error(transparent)]
    Action(#[from] ActionError),
}

impl AmiError {
    /// Asterisk may have carried the action out.
    pub fn may_have_run(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::Unknown { .. })
    }
}

/// What went by, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AmiCounts {
    /// Times that the link came up.
    pub links: u64,
    /// Events read.
    pub events: u64,
    /// Events dropped because a call didn't read its own.
    pub dropped: u64,
    /// Of these, the ones that a call can't do without.
    pub dropped_vital: u64,
    /// Responses to nothing that is waited for (its deadline had passed).
    pub stray: u64,
}

#[derive(Debug, Default)]
struct Counters {
    links: AtomicU64,
    events: AtomicU64,
    stray: AtomicU64,
}

/// The way to the link task.
#[derive(Clone, Debug)]
enum Way {
    Closed,
    Open(mpsc::Sender<Request>),
    Stopped,
}

#[derive(Debug)]
struct Shared {
    state: watch::Sender<AmiState>,
    way: watch::Sender<Way>,
    routes: Arc<Routes>,
    all: broadcast::Sender<Arc<Event>>,
    counters: Counters,
    /// Begins our ActionIDs: events of others' originates hold theirs.
    prefix: String,
    next: AtomicU64,
}

/// A handle on the client. Clones share one link.
#[derive(Clone, Debug)]
pub struct Ami {
    shared: Arc<Shared>,
}

impl Ami {
    /// Starts the client. The task ends after `stop`: it logs off, and whatever is still asked ends with an error.
    pub fn start(config: AmiConfig, stop: CancellationToken) -> (Self, JoinHandle<()>) {
        let shared = Arc::new(Shared {
            state: watch::Sender::new(AmiState::Down {
                reason: AmiDown::Connecting,
            }),
            way: watch::Sender::new(Way::Closed),
            routes: Arc::new(Routes::default()),
            all: broadcast::Sender::new(ALL_EVENTS),
            counters: Counters::default(),
            prefix: format!("g{}-", &Token::fresh().as_str()[..8]),
            next: AtomicU64::new(1),
        });
        let task = tokio::spawn(link::run(Arc::clone(&shared), config, stop));
        (Self { shared }, task)
    }

    /// Whether Asterisk can be asked, and every change of it.
    pub fn state(&self) -> watch::Receiver<AmiState> {
        self.shared.state.subscribe()
    }

    /// Waits until the link is up.
    pub async fn up(&self, within: Duration) -> Result<AmiPeer, AmiDown> {
        let mut state = self.state();
        let up = state.wait_for(|state| {
            matches!(
                state,
                AmiState::Up(_)
                    | AmiState::Down {
                        reason: AmiDown::Stopped
                    }
            )
        });
        let found = tokio::time::timeout(within, up)
            .await
            .ok()
            .and_then(Result::ok)
            .map(|s| s.clone());
        match found.unwrap_or_else(|| self.shared.state.borrow().clone()) {
            AmiState::Up(peer) => Ok(peer),
            AmiState::Down { reason } => Err(reason),
        }
    }

    /// What went by.
    pub fn counts(&self) -> AmiCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (dropped, dropped_vital) = self.shared.routes.dropped();
        AmiCounts {
            links: read(&self.shared.counters.links),
            events: read(&self.shared.counters.events),
            dropped,
            dropped_vital,
            stray: read(&self.shared.counters.stray),
        }
    }

    /// The events of one call: of its channel and of its family (`Linkedid`), from now on. More ids can be added.
    ///
    /// For an outgoing call subscribe before its Originate.
    pub fn subscribe(&self, channel: &ChannelId) -> Subscription {
        Routes::subscribe(&self.shared.routes, channel)
    }

    /// All events of all calls. A reader that lags more than 2,048 behind is told how many it lost.
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.shared.all.subscribe()
    }

    /// Sends an action and waits for its answer, an `Error` answer included. It is never sent twice: if the link
    /// breaks after it was sent, the end is [`AmiError::Unknown`].
    pub async fn send(&self, action: Action, within: Duration) -> Result<Response, AmiError> {
        self.send_until(action, Instant::now() + within, false)
            .await
    }

    /// The same for an action that does no harm when it is carried out twice (questions, Hangup): if the link breaks,
    /// it is sent again over the next one.
    pub async fn ask(&self, action: Action, within: Duration) -> Result<Response, AmiError> {
        self.send_until(action, Instant::now() + within, true).await
    }

    async fn send_until(
        &self,
        action: Action,
        until: Instant,
        repeatable: bool,
    ) -> Result<Response, AmiError> {
        let name = action.name();
        let mut way = self.shared.way.subscribe();
        loop {
            let requests =
                match timeout_at(until, way.wait_for(|way| !matches!(way, Way::Closed))).await {
                    Ok(Ok(way)) => match &*way {
                        Way::Open(requests) => requests.clone(),
                        Way::Stopped | Way::Closed => return Err(self.away(name)),
                    },
                    Ok(Err(_)) | Err(_) => return Err(self.away(name)),
                };
            let (reply, answer) = oneshot::channel();
            let request = Request {
                action: action.clone(),
                id: self.shared.next.fetch_add(1, Ordering::Relaxed),
                reply,
            };
            match timeout_at(until, requests.send(request)).await {
                Ok(Ok(())) => {}
                // That link is gone; the way is closed before its queue is.
                Ok(Err(_)) => continue,
                Err(_) => return Err(self.away(name)),
            }
            match timeout_at(until, answer).await {
                Ok(Ok(Outcome::Answered(response))) => return Ok(response),
                Ok(Ok(Outcome::NotSent)) => {}
                Ok(Ok(Outcome::CutOff)) | Ok(Err(_)) if repeatable => {}
                Ok(Ok(Outcome::CutOff)) | Ok(Err(_)) => {
                    return Err(AmiError::Unknown { action: name });
                }
                Err(_) => return Err(AmiError::NoAnswer { action: name }),
            }
        }
    }

    fn away(&self, action: &'static str) -> AmiError {
        let reason = match &*self.shared.state.borrow() {
            AmiState::Down { reason } => reason.clone(),
            AmiState::Up(_) => AmiDown::Silent("room for another action"),
        };
        AmiError::Down { action, reason }
    }

    /// Places a call. `Ok` means queued: what comes of it comes as events of `channel_id`.
    pub async fn originate(&self, call: &Originate, within: Duration) -> Result<(), AmiError> {
        self.done(call.action()?, within, false).await.map(drop)
    }

    /// Hangs a channel up. `Ok(false)`: it was gone already.
    pub async fn hang_up(
        &self,
        channel: &ChannelId,
        cause: u8,
        within: Duration,
    ) -> Result<bool, AmiError> {
        gone_is_fine(
            self.done(Action::hang_up(channel, cause)?, within, true)
                .await,
        )
    }

    /// Stops, holds or moves the CONTROL STREAM FILE that plays on a channel. `Ok(false)`: the channel is gone.
    /// `Pause` twice would go on: it is never sent twice.
    pub async fn control_playback(
        &self,
        channel: &ChannelId,
        control: Control,
        within: Duration,
    ) -> Result<bool, AmiError> {
        let again = control == Control::Stop;
        gone_is_fine(
            self.done(Action::control_playback(channel, control)?, within, again)
                .await,
        )
    }

    /// Whether a channel still lives: to be asked after [`AmiNotice::Reconnected`].
    pub async fn channel_alive(
        &self,
        channel: &ChannelId,
        within: Duration,
    ) -> Result<bool, AmiError> {
        gone_is_fine(self.done(Action::status(channel)?, within, true).await)
    }

    /// Whether a module (`app_audiofork`) is loaded.
    pub async fn has_module(&self, module: &str, within: Duration) -> Result<bool, AmiError> {
        let response = self.ask(Action::module_check(module)?, within).await?;
        let denied = response
            .message()
            .to_ascii_lowercase()
            .contains("permission");
        if !response.is_success() && denied {
            return Err(AmiError::Refused {
                action: "ModuleCheck",
                message: response.message().to_owned(),
            });
        }
        Ok(response.is_success())
    }

    /// An action, sent once, whose `Error` answer is an error here.
    pub async fn order(&self, action: Action, within: Duration) -> Result<Response, AmiError> {
        self.done(action, within, false).await
    }

    async fn done(
        &self,
        action: Action,
        within: Duration,
        repeatable: bool,
    ) -> Result<Response, AmiError> {
        let name = action.name();
        let response = self
            .send_until(action, Instant::now() + within, repeatable)
            .await?;
        if response.is_success() {
            Ok(response)
        } else {
            Err(AmiError::Refused {
                action: name,
                message: response.message().to_owned(),
            })
        }
    }
}

/// Asterisk's `No such channel`: not an error where the channel may just have gone.
fn gone_is_fine(result: Result<Response, AmiError>) -> Result<bool, AmiError> {
    match result {
        Ok(_) => Ok(true),
        Err(AmiError::Refused { message, .. })
            if message.to_ascii_lowercase().contains("no such channel")
                || message.to_ascii_lowercase().contains("not found") =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
