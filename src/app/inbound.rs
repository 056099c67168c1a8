//! What an AGI connection is: the answer to one of our own calls, or a call that comes in.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::doctor::visit;
use crate::call::{CallParts, Dialog, incoming};
use crate::ident::Token;
use crate::net::agi::AgiConnection;
use crate::outbound::{Dialing, Lines};
use crate::script::Library;
use crate::store::Store;

/// Takes AGI connections.
#[derive(Clone, Debug)]
pub(super) struct Inbound {
    pub(super) parts: Arc<CallParts>,
    pub(super) store: Store,
    pub(super) library: Arc<Library>,
    pub(super) lines: Lines,
    pub(super) dialing: Dialing,
    pub(super) stop: CancellationToken,
}

impl Inbound {
    /// `/out/<token>` belongs to the call that awaits it; `/doctor/<token>` is the doctor's test call; `/<dialog>` is an
    /// incoming call. Anything else is dropped, and Asterisk goes on in its dialplan.
    pub(super) async fn take(&self, connection: AgiConnection) {
        let path = &connection.environment().script().path;
        match path.as_slice() {
            [first, token] if first == "out" => {
                let Ok(token) = Token::parse(token) else {
                    tracing::warn!(peer = %connection.peer(), "agi: not a token");
                    return;
                };
                if self.parts.awaited.hand_over(&token, connection).is_err() {
                    tracing::warn!("agi: nobody awaits this token (any more)");
                }
            }
            [first, token] if first == visit::PATH => {
                let token = token.clone();
                let host = visit::Host {
                    hub: &self.parts.hub,
                    our_address: self.parts.our_address,
                    asterisk: &self.parts.asterisk,
                };
                visit::receive(connection, &token, host).await;
            }
            [dialog] => {
                let dialog = dialog.clone();
                self.incoming(connection, &dialog).await;
            }
            _ => {
                let script = connection
                    .environment()
                    .value("network_script")
                    .unwrap_or_default();
                tracing::warn!(
                    script,
                    "agi: the path names no dialog: agi://host:port/<dialog> is wanted"
                );
            }
        }
    }

    async fn incoming(&self, connection: AgiConnection, name: &str) {
        let Some(dialog) = self.library.dialog(name) else {
            tracing::warn!(
                dialog = name,
                "an incoming call names a dialog that is not there"
            );
            return;
        };
        if self.dialing.drains() {
            tracing::info!("drain: an incoming call goes on in the dialplan");
            return;
        }
        let Some(line) = self.lines.try_take() else {
            tracing::warn!("an incoming call over calls.at_once goes on in the dialplan");
            return;
        };
        let now = Timestamp::now();
        let info = Arc::new(incoming::info(connection.environment(), name, now));
        if let Err(error) = self.store.add_incoming(Arc::clone(&info), now).await {
            tracing::error!(%error, "an incoming call can't be kept, and goes on in the dialplan");
            return;
        }
        let choice = dialog.choice();
        let dialog: Dialog = Box::new(move |line| dialog.run(line));
        let call = info.call_id.clone();
        let stop = self.stop.child_token();
        let summary = incoming::answer(
            Arc::clone(&self.parts),
            info,
            connection,
            dialog,
            choice,
            stop,
        )
        .await;
        // The person is gone: the next one need not wait for the disk.
        drop(line);
        tracing::info!(%call, outcome = summary.outcome, "incoming call ended");
        let now = Timestamp::now();
        if let Err(error) = self.store.incoming_ended(&call, summary, now).await {
            tracing::error!(%call, %error, "the call's end is not kept");
        }
    }
}
