//! Whether Asterisk reaches us: a test call that leads to nobody but us, made on the real ports.
//!
//! The call's channel sends its sound to a socket of ours and runs our AGI ([`visit`]). So one call of four seconds shows AGI,
//! the medium, the folder of prompts, the folder of recordings, RTP, and which events we are told. No telephone rings.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::link::{Link, PATIENCE};
use super::modules::Modules;
use super::visit;
use crate::config::{AsteriskConfig, Config, MediaConfig, MediaKind};
use crate::ident::{ChannelId, Token};
use crate::net::agi::{self, AgiLimits, AgiStats};
use crate::net::ami::{AmiError, CallEvent, Subscription};
use crate::net::media::{Expected, MediaHub, MediaLink};
use crate::wire::agi::VariableName;
use crate::wire::ami::{Action, EventKind, Originate, RecordInto, Target};
use crate::wire::app::App;
use crate::wire::dial::{DialString, RtpCodec};

/// A person who hears "да, конечно".
pub(super) const UTTERANCE: &[u8] = include_bytes!("utterance.wav");
/// The whole test call.
const WHOLE: Duration = Duration::from_secs(25);
/// Between two looks at how far it has come.
const LOOK: Duration = Duration::from_millis(100);
/// A channel that isn't there any more, or not yet, after this never came to us.
const NEVER_CAME: Duration = Duration::from_secs(4);
/// The recording is on disk within this after its end.
const WRITTEN: Duration = Duration::from_secs(2);
/// A WAV file that holds no sound.
const WAV_HEADER: u64 = 44;

/// What the test call showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Why there was no call at all.
    pub(super) no_call: Option<NoCall>,
    /// Our AGI server was reached.
    pub(super) agi: bool,
    /// What CONTROL STREAM FILE said of our prompt.
    pub(super) sound: Option<i64>,
    /// Of the medium: `fine`, `none`, or what was wrong.
    pub(super) medium: Option<String>,
    /// Frames of sound that came back to us, over RTP.
    pub(super) frames: Option<u64>,
    /// What came of recording.
    pub(super) recording: Option<Recording>,
    /// The account is told of calls, and of keys.
    pub(super) call_events: bool,
    pub(super) key_events: Option<bool>,
}

/// Why there was no call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoCall {
    /// Neither chan_rtp nor chan_audiosocket: nothing that leads to us.
    NoCarrier,
    /// Our own ports are held by another program.
    Ports,
    /// The prompt can't be written into this folder.
    Sounds(PathBuf, String),
    /// Asterisk refuses to place it.
    Refused(String),
    /// A bug of ours, or a socket that failed.
    Failed(String),
}

/// What came of recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recording {
    /// So many bytes, seen by us.
    Seen(u64),
    /// Asterisk refuses.
    Refused(String),
    /// It says that it records; in our folder there is nothing.
    NotSeen,
}

/// The ports, held for the call where no server holds them.
struct Ground {
    hub: MediaHub,
    agi: SocketAddr,
    /// Our AGI server, where no other holds its port.
    served: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Ground {
    /// Gives the ports back: who asks for them next finds them free.
    async fn leave(self) {
        self.stop.cancel();
        self.hub.close().await;
        if let Some(served) = self.served {
            let _ = tokio::time::timeout(PATIENCE, served).await;
        }
    }
}

/// Makes the call. `beside`: a server of ours runs and holds the ports.
pub(super) async fn call(
    config: &Config,
    our_address: IpAddr,
    beside: bool,
    modules: &Modules,
    link: &Link,
) -> Seen {
    let token = Token::fresh();
    let mut tested = Tested {
        asterisk: &config.asterisk,
        link,
        token: &token,
        channel: ChannelId::fresh(),
    };
    let no_call = |why| Seen {
        no_call: Some(why),
        ..Seen::default()
    };
    let prompt = match tested.write_prompt() {
        Ok(prompt) => prompt,
        Err(error) => {
            let folder = config.asterisk.sounds.clone();
            return no_call(NoCall::Sounds(folder, error.to_string()));
        }
    };
    let seen = match ground(config, our_address, beside) {
        Ok(ground) => {
            let seen = tested.run(&ground, our_address, modules).await;
            ground.leave().await;
            seen
        }
        Err(_) => no_call(NoCall::Ports),
    };
    let _ = std::fs::remove_file(prompt);
    seen
}

fn ground(config: &Config, our_address: IpAddr, beside: bool) -> Result<Ground, String> {
    let stop = CancellationToken::new();
    let mut media = config.media.clone();
    if beside {
        // The server holds its own; ours only carries the call's sound.
        media = MediaConfig {
            audiosocket_listen: SocketAddr::new(media.audiosocket_listen.ip(), 0),
            websocket_listen: SocketAddr::new(media.websocket_listen.ip(), 0),
            ..media
        };
    }
    let hub = MediaHub::bind(&media).map_err(|e| e.to_string())?;
    if beside {
        return Ok(Ground {
            hub,
            agi: config.asterisk.agi_listen,
            served: None,
            stop,
        });
    }
    let listener = agi::listen(config.asterisk.agi_listen).map_err(|e| e.to_string())?;
    let agi = listener.local_addr().map_err(|e| e.to_string())?;
    let (held, asterisk) = (hub.clone(), Arc::new(config.asterisk.clone()));
    let served = tokio::spawn(agi::serve(
        listener,
        AgiLimits::default(),
        Arc::new(AgiStats::default()),
        stop.clone(),
        move |connection| {
            let (hub, asterisk) = (held.clone(), Arc::clone(&asterisk));
            async move {
                let path = connection.environment().script().path.clone();
                if let [first, token] = path.as_slice()
                    && first == visit::PATH
                {
                    let host = visit::Host {
                        hub: &hub,
                        our_address,
                        asterisk: &asterisk,
                    };
                    visit::receive(connection, token, host).await;
                }
            }
        },
    ));
    Ok(Ground {
        hub,
        agi,
        served: Some(served),
        stop,
    })
}

struct Tested<'a> {
    asterisk: &'a AsteriskConfig,
    link: &'a Link,
    token: &'a Token,
    channel: ChannelId,
}

impl Tested<'_> {
    fn write_prompt(&self) -> std::io::Result<PathBuf> {
        let folder = &self.asterisk.sounds;
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.wav", visit::sound_name(self.token)));
        std::fs::write(&path, UTTERANCE)?;
        Ok(path)
    }

    async fn run(&mut self, ground: &Ground, our_address: IpAddr, modules: &Modules) -> Seen {
        let mut seen = Seen::default();
        let carrier = match carrier(&ground.hub, our_address, modules) {
            Ok(carrier) => carrier,
            Err(why) => {
                seen.no_call = Some(why);
                return seen;
            }
        };
        let (mut expected, place, rtp) = carrier;
        let agi = SocketAddr::new(our_address, ground.agi.port());
        let app = App::new("AGI")
            .and_then(|app| {
                app.arg(&format!(
                    "agi://{agi}/{}/{}",
                    visit::PATH,
                    self.token.as_str()
                ))
            })
            .and_then(|app| app.arg(modules.medium.as_str()));
        let app = match app {
            Ok(app) => app,
            Err(error) => {
                seen.no_call = Some(NoCall::Failed(error.to_string()));
                return seen;
            }
        };
        let mut events = self.link.ami.subscribe(&self.channel);
        let mut call = Originate::new(place, Target::App(app));
        call.channel_id = Some(self.channel.clone());
        call.timeout_ms = Some(5_000);
        if let Err(error) = self.link.ami.originate(&call, PATIENCE).await {
            seen.no_call = Some(match error {
                AmiError::Refused { message, .. } => NoCall::Refused(message),
                other => NoCall::Failed(other.to_string()),
            });
            return seen;
        }
        let carried = expected.link(PATIENCE).await.ok();
        let followed = tokio::time::timeout(WHOLE, self.follow(&mut events, &mut seen)).await;
        if followed.is_err() {
            tracing::debug!("doctor: the test call took too long");
        }
        if rtp {
            seen.frames = carried.map(count);
        }
        let _ = self.link.ami.hang_up(&self.channel, 16, PATIENCE).await;
        seen
    }

    /// Until the visit is done or the channel is gone.
    async fn follow(&self, events: &mut Subscription, seen: &mut Seen) {
        let from = Instant::now();
        let mut recording = None;
        let mut ticks = tokio::time::interval(LOOK);
        let mut gone = false;
        let (mut pressed, mut keys) = (false, 0);
        loop {
            tokio::select! {
                event = events.next() => {
                    if let CallEvent::Event(event) = event {
                        seen.call_events |= matches!(event.kind(), EventKind::Newchannel { .. } | EventKind::Newstate { .. });
                        keys += usize::from(matches!(event.kind(), EventKind::DtmfEnd { .. } | EventKind::DtmfBegin { .. }));
                        gone |= matches!(event.kind(), EventKind::Hangup { .. }) && event.unique_id() == Some(self.channel.as_str());
                    }
                }
                _ = ticks.tick() => {
                    let state = self.variable(visit::STATE).await;
                    seen.agi |= state.is_some();
                    if state.is_some() && recording.is_none() {
                        recording = Some(self.record().await);
                        pressed = self.press().await;
                    }
                    let done = state.as_deref() == Some(visit::DONE);
                    if done {
                        let played = self.variable(visit::SOUND).await;
                        seen.sound = played.and_then(|told| told.parse().ok());
                        // A channel on which nothing plays has nobody who reads its keys.
                        seen.key_events = (pressed && seen.sound == Some(0)).then_some(keys > 0);
                        seen.medium = self.variable(visit::MEDIUM).await;
                    }
                    let lost = !seen.agi && from.elapsed() > NEVER_CAME;
                    if done || gone || lost {
                        break;
                    }
                }
            }
        }
        if let Some(Ok(name)) = &recording {
            seen.recording = Some(self.recorded(name).await);
        } else if let Some(Err(error)) = recording {
            seen.recording = Some(Recording::Refused(error));
        }
    }

    async fn variable(&self, name: &str) -> Option<String> {
        let name = VariableName::plain(name).ok()?;
        let action = Action::variable(&self.channel, &name).ok()?;
        let answer = self.link.ami.ask(action, PATIENCE).await.ok()?;
        let value = answer.value("Value").filter(|value| !value.is_empty());
        value.filter(|_| answer.is_success()).map(str::to_owned)
    }

    /// Has the channel receive a key, of which we should be told.
    async fn press(&self) -> bool {
        match Action::receive_key(&self.channel, '5') {
            Ok(action) => self.link.ami.order(action, PATIENCE).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Begins a recording; its file's name.
    async fn record(&self) -> Result<String, String> {
        let name = format!("{}.wav", visit::sound_name(self.token));
        let folder = self.asterisk.recordings_in_asterisk.trim_end_matches('/');
        let action = Action::mix_monitor(
            &self.channel,
            &RecordInto::Mixed(&format!("{folder}/{name}")),
        )
        .map_err(|e| e.to_string())?;
        match self.link.ami.order(action, PATIENCE).await {
            Ok(_) => Ok(name),
            Err(AmiError::Refused { message, .. }) => Err(message),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Ends it; what of it is in our folder.
    async fn recorded(&self, name: &str) -> Recording {
        if let Ok(action) = Action::stop_mix_monitor(&self.channel, None) {
            let _ = self.link.ami.order(action, PATIENCE).await;
        }
        let path = self.asterisk.recordings.join(name);
        let until = Instant::now() + WRITTEN;
        let mut bytes = None;
        while Instant::now() < until {
            bytes = std::fs::metadata(&path).ok().map(|data| data.len());
            if bytes.is_some_and(|bytes| bytes > WAV_HEADER) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let _ = std::fs::remove_file(&path);
        bytes.map_or(Recording::NotSeen, Recording::Seen)
    }
}

/// A channel that leads to us and rings nobody; whether it is RTP.
fn carrier(
    hub: &MediaHub,
    our_address: IpAddr,
    modules: &Modules,
) -> Result<(Expected, DialString, bool), NoCall> {
    let token = Token::fresh();
    let kind = if modules.has("chan_rtp") {
        MediaKind::Rtp
    } else if modules.has("chan_audiosocket") {
        MediaKind::AudiosocketTap
    } else {
        return Err(NoCall::NoCarrier);
    };
    let expected = hub
        .expect(token.clone(), kind)
        .map_err(|e| NoCall::Failed(e.to_string()))?;
    let ours = SocketAddr::new(our_address, expected.address().port());
    let place = match kind {
        MediaKind::Rtp => DialString::unicast_rtp(ours, RtpCodec::Alaw),
        _ => DialString::audio_socket(ours, &token),
    };
    Ok((expected, place, kind == MediaKind::Rtp))
}

fn count(mut link: MediaLink) -> u64 {
    let mut frames = 0;
    while link.frames.try_recv().is_some() {
        frames += 1;
    }
    frames
}
