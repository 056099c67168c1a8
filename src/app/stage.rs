//! The whole server on a stage: a double of Asterisk instead of a telephone, the keyboard instead of a recognizer,
//! silence instead of a voice, a store that is thrown away. `talk`, `demo` and tests stand on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Instead, Runtime};
use crate::asr::typed::Typed;
use crate::config::{Config, MediaKind, RecognizerConfig};
use crate::ident::{CallId, Secret, Token};
use crate::rehearsal::asterisk::{FakeAsterisk, FarEnd, Options, PersonOnLine};
use crate::tts::Silent;

/// How long somebody to whom the call is transferred stays, milliseconds.
const COLLEAGUE_MS: u64 = 1_500;

/// How the stage is set.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The dialogs.
    pub scripts: PathBuf,
    /// Where everything that the server writes goes.
    pub folder: PathBuf,
    /// The person's number. Whoever else is dialed (a transfer) answers, listens for a moment and hangs up.
    pub phone: String,
    /// How long prompts are: milliseconds a character.
    pub char_ms: u64,
    /// Prompts play so many times faster.
    pub prompt_speed: u32,
    /// How long the person takes for a word.
    pub word: Duration,
    /// How long it rings, milliseconds.
    pub ring_ms: u64,
    /// How the caller is heard.
    pub media: MediaKind,
}

/// A server with its double of Asterisk, both on loopback.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub runtime: Runtime,
    /// The bearer token that its HTTP wants.
    pub token: String,
    asterisk: FakeAsterisk,
}

impl Stage {
    /// Starts both. The error is for people.
    pub async fn start(scene: Scene) -> Result<Self, String> {
        let (ring_ms, phone) = (scene.ring_ms, scene.phone.clone());
        let mut options = Options::new(move |number| {
            let answers = FarEnd::answers_after(ring_ms);
            if number == phone {
                answers
            } else {
                answers.wait(COLLEAGUE_MS).hang_up()
            }
        });
        options.prompt_speed = scene.prompt_speed;
        options.secret = Secret::new(Token::fresh().as_str());
        options.recordings = Some(scene.folder.join("recordings"));
        let config = config(&scene, &options)?;
        let token = config
            .http
            .tokens
            .first()
            .map(|t| t.reveal().to_owned())
            .unwrap_or_default();
        let asterisk = FakeAsterisk::start(options)
            .await
            .map_err(|error| format!("двойник Asterisk не запустился: {error}"))?;
        let config = Config {
            asterisk: crate::config::AsteriskConfig {
                ami: asterisk.ami_addr().to_string(),
                ..config.asterisk
            },
            ..config
        };
        let instead = Instead {
            recognizers: Some(vec![Arc::new(Typed::at_pace(scene.word))]),
            voices: Some(vec![Arc::new(Silent {
                char_ms: scene.char_ms,
            })]),
        };
        let runtime = Runtime::start(config, instead, CancellationToken::new())
            .await
            .map_err(|error| error.to_string())?;
        asterisk.set_websocket(runtime.hub.websocket_addr());
        Ok(Self {
            runtime,
            token,
            asterisk,
        })
    }

    /// The person says something. False: nobody hears them any more.
    pub fn say(&self, call: &CallId, words: &str) -> bool {
        self.runtime.registry.type_in(call, words)
    }

    /// The person presses a key. False: there is no call.
    pub fn press(&self, key: char) -> bool {
        let lines = self.lines();
        lines.iter().for_each(|line| line.digit(key));
        !lines.is_empty()
    }

    /// The person hangs up. False: there is no call.
    pub fn hang_up(&self) -> bool {
        let lines = self.lines();
        lines.iter().for_each(|line| line.hang_up());
        !lines.is_empty()
    }

    /// Where the double's AMI listens.
    pub fn ami(&self) -> SocketAddr {
        self.asterisk.ami_addr()
    }

    /// Ends both, politely.
    pub async fn leave(self) {
        self.runtime.shut_down().await;
    }

    /// The person on the line: on a stage there is one call at a time, by a channel id that we gave; legs of a transfer
    /// have ids of Asterisk's own.
    fn lines(&self) -> Vec<PersonOnLine> {
        let channels = self.asterisk.channels();
        let ours = channels
            .iter()
            .filter(|channel| channel.starts_with("govorun-"));
        ours.filter_map(|channel| self.asterisk.line(channel))
            .collect()
    }
}

/// Settings that touch nothing outside of the scene's folder and loopback.
fn config(scene: &Scene, options: &Options) -> Result<Config, String> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let folder = |name: &str| {
        let path = scene.folder.join(name);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok::<_, String>(path)
    };
    let sounds = folder("sounds")?;
    let recordings = folder("recordings")?;
    let in_asterisk = |path: &Path| path.to_string_lossy().into_owned();
    let mut config = Config::default();
    config.scripts.folder.clone_from(&scene.scripts);
    config.store = scene.folder.join("govorun.sqlite");
    config.http.listen = any;
    config.http.tokens = vec![Secret::new(Token::fresh().as_str())];
    config.asterisk.user.clone_from(&options.user);
    config.asterisk.secret = options.secret.clone();
    config.asterisk.agi_listen = any;
    config.asterisk.sounds_in_asterisk = in_asterisk(&sounds);
    config.asterisk.sounds = sounds;
    config.asterisk.recordings_in_asterisk = in_asterisk(&recordings);
    config.asterisk.recordings = recordings;
    config.media.kind = scene.media;
    config.media.audiosocket_listen = any;
    config.media.websocket_listen = any;
    config.recognizers = vec![RecognizerConfig::Typed];
    config.calls.starts_per_second = 100.0;
    Ok(config)
}
