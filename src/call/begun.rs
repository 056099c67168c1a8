//! What every call has from its first moment on, whoever called whom: its journal, its hearing, its place in the registry,
//! Asterisk's events of it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::choice::Choice;
use super::clock::CallClock;
use super::hearing::{Hearing, HearingOrder};
use super::history::kind;
use super::journal::CallJournal;
use super::line::CallInfo;
use super::link::Tap;
use super::parts::CallParts;
use super::registry::Entered;
use crate::asr::StreamOptions;
use crate::call::fields::fields;
use crate::config::MediaKind;
use crate::net::ami::Subscription;

/// A call that has begun, and isn't connected yet.
pub(super) struct Begun {
    pub(super) parts: Arc<CallParts>,
    pub(super) info: Arc<CallInfo>,
    pub(super) clock: CallClock,
    pub(super) journal: CallJournal,
    pub(super) hearing: Hearing,
    pub(super) events: Subscription,
    pub(super) medium: MediaKind,
    pub(super) stop: CancellationToken,
    /// The call can be found while this lives.
    pub(super) entered: Entered,
}

impl Begun {
    /// Begins it. Asterisk's events are kept from here on: an outgoing call is placed after this.
    pub(super) fn new(
        parts: Arc<CallParts>,
        info: Arc<CallInfo>,
        choice: &Choice,
        stop: CancellationToken,
    ) -> Self {
        let clock = CallClock::start();
        let mut journal = CallJournal::new(
            Arc::clone(&parts.journal),
            info.call_id.clone(),
            info.attempt,
            clock,
        );
        let options = StreamOptions {
            call: info.call_id.to_string(),
            phrases: Arc::clone(&choice.phrases),
            last: false,
        };
        let hearing = Hearing::start(choice.of(&parts.recognizers), options, clock);
        let orders = hearing.orders.clone();
        let entered = parts.registry.enter(&info.call_id, stop.clone(), orders);
        let medium = *parts.medium.borrow();
        journal.note(
            kind::MEDIA,
            fields!({"event": "chosen", "media": medium.as_str()}),
        );
        Self {
            events: parts.ami.subscribe(&info.channel_id),
            parts,
            info,
            clock,
            journal,
            hearing,
            medium,
            stop,
            entered,
        }
    }

    /// Puts a tap on the channel, where the medium is one; a call that can't be heard goes on.
    pub(super) async fn tap(&mut self) -> Option<Tap> {
        let channel = &self.info.channel_id;
        match Tap::begin(&self.parts, self.medium, channel, &self.hearing).await {
            Ok(tap) => tap,
            Err(reason) => {
                let failed = fields!({"event": "failed", "reason": reason});
                self.journal.note(kind::MEDIA, failed);
                None
            }
        }
    }

    /// The person answered: not a word from here on is lost.
    pub(super) fn hear_from_now(&self) {
        let _ = self.hearing.orders.try_send(HearingOrder::Listen);
    }
}
