//! `media: auto`: which way the caller is heard, by the Asterisk's version and modules. Pure; the answers are asked over AMI.

use crate::config::MediaKind;

/// What AMI told of the Asterisk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// `CoreSettings`' `AsteriskVersion`: `16.28.0~dfsg-0+deb11u4`.
    pub version: String,
    /// Those of [`ASKED`] that are loaded.
    pub modules: Vec<String>,
}

/// The modules that decide, as `ModuleCheck` wants them.
pub const ASKED: [&str; 7] = [
    "app_audiofork",
    "app_chanspy",
    "chan_audiosocket",
    "app_audiosocket",
    "chan_rtp",
    "chan_websocket",
    "res_agi",
];

impl Installed {
    fn has(&self, module: &str) -> bool {
        self.modules.iter().any(|m| m == module)
    }

    /// What `kind` needs and is not loaded; empty: it can be used.
    pub fn missing_for(&self, kind: MediaKind) -> Vec<&'static str> {
        let needed: &[&'static str] = match kind {
            MediaKind::Auto => &[],
            MediaKind::Audiofork => &["app_audiofork"],
            MediaKind::AudiosocketTap => &["chan_audiosocket", "app_chanspy"],
            MediaKind::Rtp => &["chan_rtp", "app_chanspy"],
            MediaKind::Audiosocket => &["app_audiosocket"],
            MediaKind::ChanWebsocket => &["chan_websocket"],
        };
        needed.iter().copied().filter(|m| !self.has(m)).collect()
    }

    /// The choice and its reason. Taps come first: they hear before the answer, and Asterisk itself plays the prompts.
    /// Of the taps, TCP (AudioSocket) loses nothing where RTP may; `None`: nothing here can hear a caller.
    pub fn choose(&self) -> Option<(MediaKind, String)> {
        let order = [
            (
                MediaKind::AudiosocketTap,
                "ChanSpy into an AudioSocket channel, stock since 18",
            ),
            (MediaKind::Audiofork, "the module app_audiofork is loaded"),
            (
                MediaKind::Rtp,
                "ChanSpy into an RTP channel, stock since 16",
            ),
            (
                MediaKind::Audiosocket,
                "ChanSpy is not loaded; AudioSocket carries both ways",
            ),
            (
                MediaKind::ChanWebsocket,
                "ChanSpy is not loaded; chan_websocket carries both ways",
            ),
        ];
        order
            .into_iter()
            .find(|(kind, _)| self.missing_for(*kind).is_empty())
            .map(|(kind, why)| (kind, format!("Asterisk {}: {why}", self.version)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_asterisks_are_served() {
        let table: [(&[&str], Option<MediaKind>); 5] = [
            (&["app_chanspy", "chan_rtp"], Some(MediaKind::Rtp)),
            (
                &["app_chanspy", "chan_rtp", "app_audiofork"],
                Some(MediaKind::Audiofork),
            ),
            (
                &[
                    "app_chanspy",
                    "chan_rtp",
                    "chan_audiosocket",
                    "app_audiosocket",
                    "chan_websocket",
                ],
                Some(MediaKind::AudiosocketTap),
            ),
            (&["app_audiosocket"], Some(MediaKind::Audiosocket)),
            (&[], None),
        ];
        for (modules, expect) in table {
            let installed = Installed {
                version: "x".to_owned(),
                modules: modules.iter().map(|m| (*m).to_owned()).collect(),
            };
            assert_eq!(installed.choose().map(|c| c.0), expect, "{modules:?}");
        }
    }
}
