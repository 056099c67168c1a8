//! What all calls share.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

use super::dialog_threads::DialogThreads;
use super::journal::Journal;
use super::registry::Registry;
use super::timing::{AnswererTimes, TurnTimings};
use crate::asr::Recognizer;
use crate::config::{AsteriskConfig, CallsConfig, MediaKind};
use crate::ident::Token;
use crate::net::agi::AgiConnection;
use crate::net::ami::Ami;
use crate::net::media::MediaHub;
use crate::net::web::Web;
use crate::tts::{AsteriskFiles, Prompts};
use crate::wire::dial::DialTemplate;

/// The parts; every call holds an `Arc` of them.
#[derive(Debug)]
pub struct CallParts {
    /// Asterisk's manager interface.
    pub ami: Ami,
    /// Our servers for the caller's audio.
    pub hub: MediaHub,
    /// Recognizers, in order of preference.
    pub recognizers: Vec<Arc<dyn Recognizer>>,
    /// Texts to sounds.
    pub prompts: Arc<Prompts>,
    /// Sounds to files that Asterisk plays.
    pub files: Arc<AsteriskFiles>,
    /// Where histories go.
    pub journal: Arc<dyn Journal>,
    /// Calls that go on.
    pub registry: Registry,
    /// Threads for dialogs.
    pub threads: DialogThreads,
    /// How long people wait.
    pub timings: Arc<TurnTimings>,
    /// Who answers, and how soon that is known.
    pub answerers: Arc<AnswererTimes>,
    /// Whom dialogs may ask in mid-call.
    pub web: Arc<Web>,
    /// AGI connections that are awaited.
    pub awaited: Awaited,
    /// The medium in use; changes when Asterisk comes back as another.
    pub medium: watch::Receiver<MediaKind>,
    /// `host:port` of our FastAGI server, as Asterisk reaches it.
    pub agi_address: String,
    /// The address by which Asterisk reaches our media servers.
    pub our_address: IpAddr,
    /// The channel to transfer to.
    pub transfer_channel: DialTemplate,
    /// Settings.
    pub asterisk: AsteriskConfig,
    /// Settings.
    pub calls: CallsConfig,
}

impl CallParts {
    /// One of our servers as Asterisk reaches it.
    pub(super) fn reached_at(&self, listens: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.our_address, listens.port())
    }
}

/// Outgoing calls whose AGI connection is to come: paired by a token that can't be guessed, each given away once.
#[derive(Clone, Debug, Default)]
pub struct Awaited(Arc<Mutex<HashMap<Token, oneshot::Sender<AgiConnection>>>>);

impl Awaited {
    /// Waits for the connection that presents `token`; forgotten when the answer is dropped.
    pub(super) fn expect(&self, token: &Token) -> Expected {
        let (sender, connection) = oneshot::channel();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token.clone(), sender);
        Expected {
            awaited: self.clone(),
            token: token.clone(),
            connection,
        }
    }

    /// Hands a connection to the call that awaits it. Gives it back where nobody does.
    pub fn hand_over(
        &self,
        token: &Token,
        connection: AgiConnection,
    ) -> Result<(), Box<AgiConnection>> {
        let sender = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(token);
        match sender {
            Some(sender) => sender.send(connection).map_err(Box::new),
            None => Err(Box::new(connection)),
        }
    }
}

/// One awaited connection.
#[derive(Debug)]
pub(super) struct Expected {
    awaited: Awaited,
    token: Token,
    pub(super) connection: oneshot::Receiver<AgiConnection>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.awaited
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.token);
    }
}
