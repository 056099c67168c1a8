//! The way to Asterisk: the manager's port, the login, the version, and what it sends us at all.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::clock;
use super::finding::Findings;
use crate::config::Config;
use crate::net::ami::{Ami, AmiConfig, AmiDown, AmiPeer, AmiState};
use crate::wire::ami::{Action, Event, EventKind};

/// Asterisk answers an action within this.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// `FullyBooted` comes within this after the login, or the account is not told of it.
const BOOT: Duration = Duration::from_secs(3);
/// For all of the link: connection, banner, login, boot.
const UP: Duration = Duration::from_secs(20);
/// Oldest version that the media were tried on.
const OLDEST: u32 = 16;

/// A link that is up. Its end ends the connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) ami: Ami,
    pub(super) peer: AmiPeer,
    /// `FullyBooted` came: the account reads class `system`.
    pub(super) reads_system: bool,
    _stop: DropGuard,
}

/// Connects once; tells how it went.
pub(super) async fn look(config: &Config, findings: &mut Findings) -> Option<Link> {
    let stop = CancellationToken::new();
    let mut asked = AmiConfig::new(
        config.asterisk.ami.clone(),
        config.asterisk.user.clone(),
        config.asterisk.secret.clone(),
    );
    asked.timing.boot = BOOT;
    let (ami, _) = Ami::start(asked, stop.clone());
    let stop = stop.drop_guard();
    let mut events = ami.events();
    let peer = match first(&ami).await {
        Ok(peer) => peer,
        Err(down) => {
            refused(config, &down, findings);
            return None;
        }
    };
    told(config, &peer, findings);
    compare_clocks(&ami, findings).await;
    Some(Link {
        ami,
        peer,
        reads_system: booted(&mut events),
        _stop: stop,
    })
}

/// The first verdict; the client itself would try again for ever.
async fn first(ami: &Ami) -> Result<AmiPeer, AmiDown> {
    let mut state = ami.state();
    let known = state.wait_for(|state| {
        !matches!(
            state,
            AmiState::Down {
                reason: AmiDown::Connecting
            }
        )
    });
    match tokio::time::timeout(UP, known).await {
        Ok(Ok(state)) => match &*state {
            AmiState::Up(peer) => Ok(peer.clone()),
            AmiState::Down { reason } => Err(reason.clone()),
        },
        Ok(Err(_)) => Err(AmiDown::Stopped),
        Err(_) => Err(AmiDown::Silent("answer")),
    }
}

fn booted(events: &mut broadcast::Receiver<Arc<Event>>) -> bool {
    loop {
        match events.try_recv() {
            Ok(event) if matches!(event.kind(), EventKind::FullyBooted) => return true,
            Ok(_) | Err(broadcast::error::TryRecvError::Lagged(_)) => {}
            Err(_) => return false,
        }
    }
}

fn refused(config: &Config, down: &AmiDown, findings: &mut Findings) {
    let at = &config.asterisk.ami;
    let user = &config.asterisk.user;
    let port = at.rsplit(':').next().unwrap_or("5038");
    match down {
        AmiDown::Refused { message, .. } => findings.fault(
            "asterisk",
            (
                &format!("AMI {at}: Asterisk не пускает пользователя «{user}»: {message}"),
                &format!("AMI {at}: Asterisk refuses the user {user:?}: {message}"),
            ),
            (
                &format!("в manager.conf: [{user}] secret = то же, что asterisk.secret; permit = адрес этой машины; потом: asterisk -rx \"manager reload\""),
                &format!("in manager.conf: [{user}] secret = the same as asterisk.secret; permit = this machine's address; then: asterisk -rx \"manager reload\""),
            ),
        ),
        AmiDown::Connect { error, .. } => findings.fault(
            "asterisk",
            (
                &format!("AMI {at}: нет связи: {error}"),
                &format!("AMI {at}: no connection: {error}"),
            ),
            (
                &format!("в manager.conf: [general] enabled = yes, port = {port}, bindaddr = адрес, который видит эта машина; запущен ли Asterisk: systemctl status asterisk"),
                &format!("in manager.conf: [general] enabled = yes, port = {port}, bindaddr = an address that this machine reaches; does Asterisk run: systemctl status asterisk"),
            ),
        ),
        other => findings.fault(
            "asterisk",
            (
                &format!("AMI {at}: отвечает не Asterisk, или слишком медленно: {other}"),
                &format!("AMI {at}: this is no Asterisk, or too slow: {other}"),
            ),
            (
                "в asterisk.ami нужен порт manager.conf (обычно 5038), не SIP и не HTTP",
                "asterisk.ami wants the port of manager.conf (usually 5038), not SIP, not HTTP",
            ),
        ),
    }
}

fn told(config: &Config, peer: &AmiPeer, findings: &mut Findings) {
    let at = &config.asterisk.ami;
    let version = match peer.asterisk_version.as_str() {
        "" => "?",
        version => version,
    };
    let major = version.split('.').next().and_then(|v| v.parse().ok());
    let what = (
        format!("AMI {at}: Asterisk {version}, вход есть"),
        format!("AMI {at}: Asterisk {version}, logged in"),
    );
    let what = (what.0.as_str(), what.1.as_str());
    if major.is_some_and(|major: u32| major < OLDEST) {
        findings.warning(
            "asterisk",
            what,
            (
                "Говорун проверен на Asterisk 16 и новее: обновите Asterisk",
                "Govorun was tried on Asterisk 16 and later: update it",
            ),
        );
    } else {
        findings.ok("asterisk", what);
    }
}

async fn compare_clocks(ami: &Ami, findings: &mut Findings) {
    let asked = Timestamp::now();
    if let Ok(pong) = ami.ask(Action::ping(), PATIENCE).await
        && let Some(theirs) = pong.value("Timestamp").and_then(|t| t.parse().ok())
    {
        clock::against_asterisk(theirs, asked, Timestamp::now(), findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn each_reason_names_its_mend() {
        let config = Config::default();
        for (down, what, mend) in [
            (
                AmiDown::Refused {
                    user: "govorun".to_owned(),
                    message: "Authentication failed".to_owned(),
                },
                "не пускает пользователя «govorun»: Authentication failed",
                "[govorun] secret =",
            ),
            (
                AmiDown::Connect {
                    address: "127.0.0.1:5038".to_owned(),
                    error: "Connection refused".to_owned(),
                },
                "нет связи: Connection refused",
                "enabled = yes, port = 5038",
            ),
            (
                AmiDown::Silent("banner"),
                "отвечает не Asterisk",
                "asterisk.ami",
            ),
        ] {
            let mut found = Findings::new(Language::Ru);
            refused(&config, &down, &mut found);
            assert_eq!(found.all[0].level, Level::Fault);
            assert!(found.all[0].what.contains(what), "{found:?}");
            assert!(found.all[0].mend.contains(mend), "{found:?}");
        }
    }
}
