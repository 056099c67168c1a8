//! Gives the dialer's due orders to the telephone.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::medium::Medium;
use crate::call::{CallInfo, CallParts, Dialog, Direction, Summary, TrunkLine, outcome, outgoing};
use crate::config::MediaKind;
use crate::net::ami::AmiState;
use crate::outbound::{Place, Placed};
use crate::script::Library;
use crate::store::Due;

/// Places calls through Asterisk.
#[derive(Debug)]
pub(super) struct Placer {
    pub(super) parts: Arc<CallParts>,
    /// By name.
    pub(super) trunks: HashMap<String, Arc<TrunkLine>>,
    /// What a crash left behind in Asterisk is gone: until then its limits aren't ours to fill.
    pub(super) cleared: watch::Receiver<bool>,
    pub(super) library: Arc<Library>,
    pub(super) medium: watch::Receiver<Medium>,
    pub(super) stop: CancellationToken,
}

impl Place for Placer {
    async fn ready(&self) {
        let mut link = self.parts.ami.state();
        let mut medium = self.medium.clone();
        // Neither sender goes before the server does. A medium that can't be had has its reason, which `place` tells.
        let _ = link.wait_for(|s| matches!(s, AmiState::Up(_))).await;
        let known = |m: &Medium| m.kind != MediaKind::Auto || !m.reason.is_empty();
        let _ = medium.wait_for(known).await;
        let _ = self.cleared.clone().wait_for(|cleared| *cleared).await;
    }

    async fn place(&self, due: Due) -> Placed {
        let medium = self.medium.borrow().clone();
        if medium.kind == MediaKind::Auto {
            let reason = if medium.reason.is_empty() {
                "Asterisk is not there yet".to_owned()
            } else {
                medium.reason
            };
            return Placed::NotPlaced { reason };
        }
        let Due {
            order,
            attempt,
            channel_id,
            trunk,
            ..
        } = due;
        let Some(trunk) = trunk.and_then(|name| self.trunks.get(&name)) else {
            let reason = "its trunk is not there".to_owned();
            return Placed::NotPlaced { reason };
        };
        let Some(dialog) = self.library.dialog(&order.dialog) else {
            // It was there when the order came in; since then the analysts have taken it away.
            tracing::error!(call = %order.id, dialog = order.dialog, "the dialog is gone");
            return Placed::Ended(Summary::new(outcome::SCRIPT_ERROR));
        };
        let info = CallInfo {
            call_id: order.id.clone(),
            channel_id,
            attempt,
            direction: Direction::Outgoing,
            phone: Some(order.phone.clone()),
            dialog: order.dialog.clone(),
            params: order.params.clone(),
            file: order.file.clone(),
        };
        let choice = dialog.choice();
        let dialog: Dialog = Box::new(move |line| dialog.run(line));
        let stop = self.stop.child_token();
        let parts = Arc::clone(&self.parts);
        let trunk = Arc::clone(trunk);
        match outgoing::place(
            parts,
            Arc::new(info),
            order.phone,
            trunk,
            dialog,
            choice,
            stop,
        )
        .await
        {
            outgoing::Placed::Ended(summary) => {
                tracing::info!(call = %order.id, attempt, outcome = summary.outcome, "call ended");
                Placed::Ended(*summary)
            }
            outgoing::Placed::NotDialed(reason) => Placed::NotPlaced { reason },
        }
    }
}
