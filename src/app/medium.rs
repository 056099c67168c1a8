//! Picks the medium when Asterisk comes up, and again when it comes back: it may be another one.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::call::medium::{ASKED, Installed};
use crate::config::MediaKind;
use crate::net::ami::{Ami, AmiState};

/// Asterisk answers within this.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is in use, for /healthz and the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Medium {
    /// Which; `Auto` while it isn't known.
    pub kind: MediaKind,
    /// Why this one, or what is missing.
    pub reason: String,
}

/// Follows the link to Asterisk until `stop`.
pub(super) async fn follow(
    ami: Ami,
    wanted: MediaKind,
    medium: watch::Sender<MediaKind>,
    told: watch::Sender<Medium>,
    stop: CancellationToken,
) {
    let mut state = ami.state();
    loop {
        let version = match &*state.borrow_and_update() {
            AmiState::Up(peer) => Some(peer.asterisk_version.clone()),
            AmiState::Down { .. } => None,
        };
        if let Some(version) = version {
            let picked = pick(&ami, wanted, version).await;
            tracing::info!(
                media = picked.kind.as_str(),
                reason = picked.reason,
                "medium"
            );
            medium.send_replace(picked.kind);
            told.send_replace(picked);
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

async fn pick(ami: &Ami, wanted: MediaKind, version: String) -> Medium {
    let mut installed = Installed {
        version,
        modules: Vec::new(),
    };
    for module in ASKED {
        match ami.has_module(module, DEADLINE).await {
            Ok(true) => installed.modules.push(module.to_owned()),
            Ok(false) => {}
            Err(error) => {
                return Medium {
                    kind: wanted,
                    reason: format!(
                        "the modules are not known ({error}): give the AMI user `system` in `write` of manager.conf"
                    ),
                };
            }
        }
    }
    if wanted == MediaKind::Auto {
        return match installed.choose() {
            Some((kind, reason)) => Medium { kind, reason },
            None => Medium {
                kind: MediaKind::Auto,
                reason: format!(
                    "Asterisk {} has nothing to hear a caller by: load app_chanspy with chan_rtp or chan_audiosocket",
                    installed.version
                ),
            },
        };
    }
    let missing = installed.missing_for(wanted);
    let reason = if missing.is_empty() {
        format!("Asterisk {}: chosen in the config", installed.version)
    } else {
        format!(
            "chosen in the config, but Asterisk {} has no {}: load it, or set media.kind to auto",
            installed.version,
            missing.join(", ")
        )
    };
    Medium {
        kind: wanted,
        reason,
    }
}
