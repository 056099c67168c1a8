//! Connects a call with its medium: which sound comes from where, and who plays the prompts.
//!
//! | medium | hears by | speaks by |
//! | --- | --- | --- |
//! | `rtp`, `audiosocket_tap` | ChanSpy, from the channel's first sign of life on | AGI and ControlPlayback |
//! | `audiofork` | the module's application, run from AGI | AGI and ControlPlayback |
//! | `audiosocket`, `chan_websocket` | one socket, opened from AGI, which it holds | the same socket |

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::agi_line::AgiLine;
use super::hearing::{Hearing, HearingOrder};
use super::parts::CallParts;
use crate::config::MediaKind;
use crate::ident::{ChannelId, Token};
use crate::net::media::{Expected, FrameReceiver, LinkGuard};
use crate::net::speaker::Speaker;
use crate::wire::agi::Command;
use crate::wire::ami::{Originate, Target};
use crate::wire::app::App;
use crate::wire::dial::{DialString, RtpCodec};

/// Asterisk connects within this.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A spy channel is "answered" at once; this bounds a wait that should not be.
const SPY_TIMEOUT_MS: u32 = 10_000;
/// ChanSpy's options: by unique id, no beep, only what the person says, ends with the channel (both ways of ending).
const SPY_OPTIONS: &str = "uqoSE";

/// A medium that hears and speaks on one socket holds AGI while it lives.
pub(super) fn is_both_way(medium: MediaKind) -> bool {
    matches!(medium, MediaKind::Audiosocket | MediaKind::ChanWebsocket)
}

/// A medium that hears and speaks, connected.
pub(super) struct Connected {
    pub(super) speaker: Speaker,
    pub(super) frames: FrameReceiver,
    /// Hangs the medium up when dropped.
    pub(super) guard: LinkGuard,
}

/// A tap on a channel; dropping it ends it.
#[derive(Debug)]
pub(super) struct Tap(AbortHandle);

impl Drop for Tap {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Tap {
    /// Waits for the stream and passes its frames on; the stream lives as long as the tap.
    fn listen(mut expected: Expected, hearing: mpsc::Sender<HearingOrder>) -> Self {
        let task = tokio::spawn(async move {
            match expected.link(CONNECT_DEADLINE).await {
                Ok(link) => {
                    let _ = hearing.send(HearingOrder::Frames(link.frames)).await;
                    let _guard = link.guard;
                    std::future::pending::<()>().await;
                }
                Err(error) => {
                    let _ = hearing
                        .send(HearingOrder::NoFrames(error.to_string()))
                        .await;
                }
            }
        });
        Self(task.abort_handle())
    }

    /// Puts a tap on a channel, if somebody listens and the medium is one that can be there before the answer. The frames
    /// go to `hearing` as soon as Asterisk has connected.
    pub(super) async fn begin(
        parts: &Arc<CallParts>,
        medium: MediaKind,
        channel: &ChannelId,
        hearing: &Hearing,
    ) -> Result<Option<Self>, String> {
        if !hearing.listens || !matches!(medium, MediaKind::AudiosocketTap | MediaKind::Rtp) {
            return Ok(None);
        }
        Self::spy(parts, medium, channel, hearing.orders.clone())
            .await
            .map(Some)
    }

    /// Puts ChanSpy on a channel.
    pub(super) async fn spy(
        parts: &CallParts,
        medium: MediaKind,
        channel: &ChannelId,
        hearing: mpsc::Sender<HearingOrder>,
    ) -> Result<Self, String> {
        let token = Token::fresh();
        let expected = parts
            .hub
            .expect(token.clone(), medium)
            .map_err(|e| e.to_string())?;
        let ours = parts.reached_at(expected.address());
        let place = if medium == MediaKind::Rtp {
            DialString::unicast_rtp(ours, RtpCodec::Alaw)
        } else {
            DialString::audio_socket(ours, &token)
        };
        let tap = Self::listen(expected, hearing);
        let target = App::new("ChanSpy")
            .and_then(|app| app.arg(channel.as_str()))
            .and_then(|app| app.arg(SPY_OPTIONS))
            .map_err(|e| e.to_string())?;
        let mut originate = Originate::new(place, Target::App(target));
        originate.timeout_ms = Some(SPY_TIMEOUT_MS);
        let asked = parts.ami.originate(&originate, CONNECT_DEADLINE).await;
        asked.map_err(|e| e.to_string())?;
        Ok(tap)
    }

    /// Runs the module's application, which forks the caller's audio to our WebSocket server and returns at once.
    pub(super) async fn fork(
        parts: &CallParts,
        agi: &AgiLine,
        hearing: mpsc::Sender<HearingOrder>,
    ) -> Result<Self, String> {
        let token = Token::fresh();
        let expected = parts
            .hub
            .expect(token.clone(), MediaKind::Audiofork)
            .map_err(|e| e.to_string())?;
        let ours = parts.reached_at(expected.address());
        let url = format!("ws://{ours}/tap/{}", token.as_str());
        let app = App::new("AudioFork")
            .and_then(|app| app.arg(&url))
            .and_then(|app| app.arg("D(in)"))
            .map_err(|e| e.to_string())?;
        let command = Command::exec(&app).map_err(|e| e.to_string())?;
        let tap = Self::listen(expected, hearing);
        let answer = agi.execute(command).await.map_err(|e| e.to_string())?;
        match answer.result() {
            Some(result) if result >= 0 => Ok(tap),
            _ => Err(format!("AudioFork: {answer:?}; is app_audiofork loaded?")),
        }
    }
}

/// Opens a socket for both ways from AGI, which is held until the socket closes.
pub(super) async fn both_way(
    parts: Arc<CallParts>,
    agi: AgiLine,
    medium: MediaKind,
) -> Result<Connected, String> {
    let token = Token::fresh();
    let mut expected = parts
        .hub
        .expect(token.clone(), medium)
        .map_err(|e| e.to_string())?;
    let app = if medium == MediaKind::Audiosocket {
        App::new("AudioSocket")
            .and_then(|app| app.arg(&token.as_uuid()))
            .and_then(|app| app.arg(&parts.reached_at(expected.address()).to_string()))
    } else {
        let place = DialString::web_socket(&parts.asterisk.websocket_client, &token)
            .map_err(|e| e.to_string())?;
        // "g": AGI goes on when we hang that channel up.
        App::new("Dial")
            .and_then(|app| app.arg(place.as_str()))
            .and_then(|app| app.arg(""))
            .and_then(|app| app.arg("g"))
    };
    let command = Command::exec(&app.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let running = tokio::spawn(async move { agi.execute(command).await });
    let link = tokio::select! {
        link = expected.link(CONNECT_DEADLINE) => link.map_err(|e| e.to_string())?,
        answer = running => return Err(match answer {
            Ok(Ok(answer)) => format!("Asterisk ended the application at once: {answer:?}"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "stopped".to_owned(),
        }),
    };
    Ok(Connected {
        speaker: link.speaker.ok_or("the stream has no way back")?,
        frames: link.frames,
        guard: link.guard,
    })
}
