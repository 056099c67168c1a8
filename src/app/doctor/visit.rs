//! The doctor's test call as it arrives at our FastAGI port: in `doctor` itself, or in the server that runs and holds the ports.
//!
//! ```text
//! doctor ── Originate(<a channel that leads to us>, AGI(agi://us/doctor/<token>,<medium>)) ──▶ Asterisk ── FastAGI ──▶ receive
//!    ▲                                                                                                                 │
//!    └── Getvar GOVORUN_DOCTOR, _SOUND, _MEDIUM ── Asterisk ◀── SET VARIABLE ── plays, opens the medium ◀─────────────────┘
//! ```
//!
//! What is done is fixed: one prompt by a name that holds the token, one stream of our own. A stranger who comes here
//! learns nothing and can ask for nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::config::{AsteriskConfig, MediaKind};
use crate::ident::Token;
use crate::net::agi::{AgiConnection, AgiError};
use crate::net::media::MediaHub;
use crate::wire::agi::{Command, CommandError, ControlStream, VariableName, VariableNameError};
use crate::wire::app::{App, AppError};
use crate::wire::dial::{DialError, DialString};

/// First segment of the AGI path.
pub(crate) const PATH: &str = "doctor";
/// How far it has come: [`HERE`], then [`DONE`].
pub(super) const STATE: &str = "GOVORUN_DOCTOR";
/// CONTROL STREAM FILE's result: 0 played, -1 no such file.
pub(super) const SOUND: &str = "GOVORUN_DOCTOR_SOUND";
/// [`FINE`], [`NONE`], or what was wrong.
pub(super) const MEDIUM: &str = "GOVORUN_DOCTOR_MEDIUM";
pub(super) const HERE: &str = "here";
pub(super) const DONE: &str = "done";
pub(super) const FINE: &str = "fine";
/// The medium has no connection of its own: `rtp` is seen by the test call's sound.
pub(super) const NONE: &str = "none";

/// All of it takes at most so long.
const WHOLE: Duration = Duration::from_secs(20);
/// Asterisk connects the medium within this.
const CONNECT: Duration = Duration::from_secs(3);
/// The results are read within this; then the channel goes.
const READ: Duration = Duration::from_secs(5);

/// The process that holds the ports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    pub(crate) hub: &'a MediaHub,
    /// As Asterisk reaches us.
    pub(crate) our_address: IpAddr,
    pub(crate) asterisk: &'a AsteriskConfig,
}

/// The test prompt's name without its ending, in the folder of prompts.
pub(super) fn sound_name(token: &Token) -> String {
    format!("govorun-doctor-{}", token.as_str())
}

/// Why the visit broke off: for the log.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Agi(#[from] AgiError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Name(#[from] VariableNameError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// Does all of it, and lets the channel go.
pub(crate) async fn receive(mut agi: AgiConnection, token: &str, host: Host<'_>) {
    let Ok(token) = Token::parse(token) else {
        tracing::warn!(peer = %agi.peer(), "agi: not a token");
        return;
    };
    let medium = agi.environment().arg(1).and_then(kind_of);
    match tokio::time::timeout(WHOLE, examine(&mut agi, &token, medium, host)).await {
        Ok(Ok(())) => tracing::debug!("doctor: the test call was here"),
        Ok(Err(error)) => tracing::info!(%error, "doctor: the test call broke off"),
        Err(_) => tracing::info!("doctor: the test call took too long"),
    }
}

fn kind_of(word: &str) -> Option<MediaKind> {
    let mut words = MediaKind::WORDS.iter();
    words
        .find(|(known, _)| *known == word)
        .map(|(_, kind)| *kind)
}

async fn examine(
    agi: &mut AgiConnection,
    token: &Token,
    medium: Option<MediaKind>,
    host: Host<'_>,
) -> Result<(), Broken> {
    set(agi, STATE, HERE).await?;
    let folder = host.asterisk.sounds_in_asterisk.trim_end_matches('/');
    let file = format!("{folder}/{}", sound_name(token));
    let play = Command::control_stream_file(&ControlStream {
        file: &file,
        ..ControlStream::default()
    })?;
    let played = agi.execute(play).await?.result().unwrap_or(-1);
    set(agi, SOUND, &played.to_string()).await?;
    let told = match medium {
        Some(kind) => open(agi, kind, host).await?,
        None => NONE.to_owned(),
    };
    // Errors of others may hold line breaks, and are long.
    let told: String = crate::wire::line::one_line(&told)
        .chars()
        .take(200)
        .collect();
    set(agi, MEDIUM, &told).await?;
    set(agi, STATE, DONE).await?;
    let _ = tokio::time::timeout(READ, agi.until_gone()).await;
    Ok(())
}

/// Opens a stream of this medium on the test call, as a call would, and closes it.
async fn open(agi: &mut AgiConnection, kind: MediaKind, host: Host<'_>) -> Result<String, Broken> {
    let token = Token::fresh();
    if matches!(kind, MediaKind::Auto | MediaKind::Rtp) {
        return Ok(NONE.to_owned());
    }
    let mut expected = match host.hub.expect(token.clone(), kind) {
        Ok(expected) => expected,
        Err(error) => return Ok(error.to_string()),
    };
    let ours = SocketAddr::new(host.our_address, expected.address().port());
    let dial = |place: &DialString| App::new("Dial")?.arg(place.as_str())?.arg("3")?.arg("g");
    let app = match kind {
        MediaKind::Audiosocket => App::new("AudioSocket")?
            .arg(&token.as_uuid())?
            .arg(&ours.to_string())?,
        MediaKind::Audiofork => App::new("AudioFork")?
            .arg(&format!("ws://{ours}/tap/{}", token.as_str()))?
            .arg("D(in)")?,
        MediaKind::ChanWebsocket => dial(&DialString::web_socket(
            &host.asterisk.websocket_client,
            &token,
        )?)?,
        MediaKind::AudiosocketTap | MediaKind::Rtp | MediaKind::Auto => {
            dial(&DialString::audio_socket(ours, &token))?
        }
    };
    let name = app.name().to_owned();
    let command = Command::exec(&app)?;
    // Dropping the command leaves its answer to the next one, which waits for it; dropping the link ends it.
    tokio::select! {
        link = expected.link(CONNECT) => Ok(match link {
            Ok(_) => FINE.to_owned(),
            Err(error) => error.to_string(),
        }),
        answer = agi.execute(command) => {
            let answer = answer?;
            // It may have come in the very moment in which the application ended.
            if expected.link(Duration::from_millis(100)).await.is_ok() {
                return Ok(FINE.to_owned());
            }
            Ok(format!("{name}: {answer:?}"))
        }
    }
}

async fn set(agi: &mut AgiConnection, name: &str, value: &str) -> Result<(), Broken> {
    let name = VariableName::plain(name)?;
    agi.execute(Command::set_variable(&name, value)?).await?;
    Ok(())
}
