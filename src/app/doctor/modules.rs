//! Modules of Asterisk: for the medium, which `auto` takes, and what else calls use.

use super::finding::Findings;
use super::link::{Link, PATIENCE};
use crate::call::medium::{ASKED, Installed};
use crate::config::{Config, MediaKind};

/// Besides [`ASKED`].
const BESIDE: [&str; 5] = [
    "app_dial",
    "app_mixmonitor",
    "format_wav",
    "codec_alaw",
    "res_websocket_client",
];

/// What is loaded, and the medium that comes of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Modules {
    loaded: Vec<String>,
    /// `Auto`: nothing can hear a caller.
    pub(super) medium: MediaKind,
}

impl Modules {
    pub(super) fn has(&self, module: &str) -> bool {
        self.loaded.iter().any(|m| m == module)
    }
}

/// Asks for each; `None` where the user may not ask, which [`super::rights`] tells.
pub(super) async fn look(config: &Config, link: &Link, findings: &mut Findings) -> Option<Modules> {
    let mut loaded = Vec::new();
    for module in ASKED.iter().chain(&BESIDE) {
        if link.ami.has_module(module, PATIENCE).await.ok()? {
            loaded.push((*module).to_owned());
        }
    }
    let version = link.peer.asterisk_version.clone();
    Some(judge(config.media.kind, version, loaded, findings))
}

fn judge(
    wanted: MediaKind,
    version: String,
    loaded: Vec<String>,
    findings: &mut Findings,
) -> Modules {
    let installed = Installed {
        version,
        modules: loaded.clone(),
    };
    let medium = medium(wanted, &installed, findings);
    let modules = Modules { loaded, medium };
    let taps = !matches!(medium, MediaKind::Audiosocket | MediaKind::ChanWebsocket);
    let fault = "fault";
    let mut needed = vec![(
        "res_agi",
        fault,
        "без него нет ни одного разговора",
        "no dialog without it",
    )];
    if taps {
        needed.push((
            "format_wav",
            fault,
            "без него не сыграть ни одной фразы",
            "no prompt plays without it",
        ));
    }
    if medium == MediaKind::Rtp {
        needed.push((
            "codec_alaw",
            fault,
            "без него звук по RTP не перекодировать",
            "RTP's sound can't be converted without it",
        ));
    }
    if medium == MediaKind::ChanWebsocket {
        needed.push((
            "res_websocket_client",
            fault,
            "без него Asterisk не подключится к нам",
            "Asterisk can't connect to us without it",
        ));
    }
    needed.push((
        "app_dial",
        "warning",
        "без него не перевести на человека",
        "no transfer without it",
    ));
    needed.push((
        "app_mixmonitor",
        "warning",
        "без него не записать разговор",
        "no recording without it",
    ));
    for (module, level, ru, en) in needed {
        if modules.has(module) {
            continue;
        }
        let what = (
            format!("в Asterisk не загружен {module}: {ru}"),
            format!("Asterisk has no {module} loaded: {en}"),
        );
        let mend = load(&[module]);
        let (what, mend) = ((&*what.0, &*what.1), (&*mend.0, &*mend.1));
        if level == fault {
            findings.fault("modules", what, mend);
        } else {
            findings.warning("modules", what, mend);
        }
    }
    modules
}

fn medium(wanted: MediaKind, installed: &Installed, findings: &mut Findings) -> MediaKind {
    if wanted == MediaKind::Auto {
        let Some((kind, reason)) = installed.choose() else {
            let mend = load(&["app_chanspy", "chan_rtp"]);
            findings.fault(
                "modules",
                (
                    "media.kind auto: слышать человека нечем, нет ни ChanSpy с RTP или AudioSocket, ни другого способа",
                    "media.kind auto: nothing can hear a caller, neither ChanSpy with RTP or AudioSocket nor another way",
                ),
                (&mend.0, &mend.1),
            );
            return MediaKind::Auto;
        };
        findings.ok(
            "modules",
            (
                &format!("media.kind auto возьмёт {} ({reason})", kind.as_str()),
                &format!("media.kind auto takes {} ({reason})", kind.as_str()),
            ),
        );
        return kind;
    }
    let missing = installed.missing_for(wanted);
    let kind = wanted.as_str();
    if missing.is_empty() {
        findings.ok(
            "modules",
            (
                &format!("media.kind {kind}: модули на месте"),
                &format!("media.kind {kind}: its modules are there"),
            ),
        );
    } else {
        let mend = load(&missing);
        let all = missing.join(", ");
        findings.fault(
            "modules",
            (
                &format!(
                    "media.kind {kind}: в Asterisk {} не загружены {all}",
                    installed.version
                ),
                &format!(
                    "media.kind {kind}: Asterisk {} has no {all} loaded",
                    installed.version
                ),
            ),
            (
                &format!("{}; или в govorun.yaml: media: kind: auto", mend.0),
                &format!("{}; or in govorun.yaml: media: kind: auto", mend.1),
            ),
        );
    }
    wanted
}

fn load(modules: &[&str]) -> (String, String) {
    let now: Vec<String> = modules
        .iter()
        .map(|m| format!("asterisk -rx \"module load {m}.so\""))
        .collect();
    let kept: Vec<String> = modules.iter().map(|m| format!("load = {m}.so")).collect();
    let (now, kept) = (now.join("; "), kept.join(", "));
    (
        format!("{now}; навсегда: в modules.conf {kept} (и нет noload)"),
        format!("{now}; for good: in modules.conf {kept} (and no noload)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn what_is_not_loaded_is_named_with_its_command() {
        let stock = [
            "res_agi",
            "app_chanspy",
            "chan_rtp",
            "app_dial",
            "app_mixmonitor",
            "format_wav",
            "codec_alaw",
        ];
        let check = |wanted, gone: &str| {
            let loaded = stock.iter().filter(|m| **m != gone);
            let mut found = Findings::new(Language::Ru);
            let loaded = loaded.map(|m| (*m).to_owned()).collect();
            let modules = judge(wanted, "16.28".to_owned(), loaded, &mut found);
            (modules.medium, found.all)
        };
        let (medium, found) = check(MediaKind::Auto, "");
        assert_eq!((medium, found.len()), (MediaKind::Rtp, 1));
        assert!(found[0].what.starts_with("media.kind auto возьмёт rtp"));
        let (medium, found) = check(MediaKind::Auto, "app_chanspy");
        assert_eq!((medium, found[0].level), (MediaKind::Auto, Level::Fault));
        assert!(found[0].mend.contains("module load app_chanspy.so"));
        let (_, found) = check(MediaKind::Audiosocket, "");
        assert_eq!(found[0].level, Level::Fault);
        assert!(found[0].mend.contains("module load app_audiosocket.so"));
        for (gone, level) in [
            ("res_agi", Level::Fault),
            ("format_wav", Level::Fault),
            ("codec_alaw", Level::Fault),
            ("app_dial", Level::Warning),
            ("app_mixmonitor", Level::Warning),
        ] {
            let (_, found) = check(MediaKind::Auto, gone);
            assert_eq!(found[1].level, level, "{gone}");
            assert!(
                found[1].mend.contains(&format!("load = {gone}.so")),
                "{found:?}"
            );
        }
    }
}
