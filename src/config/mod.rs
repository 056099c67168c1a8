//! Settings of the server, usable: checked, with every default filled in. Reading them is [`read()`]; the raw form is a
//! tree of YAML in which every value knows its line, so that all mistakes are told together.

mod callback;
mod fault;
mod history;
mod hours;
mod nearest;
mod node;
mod read;
mod rules;
mod table;
#[cfg(test)]
mod tests;
mod trunks;
mod web;
mod yandex;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::ident::Secret;

pub use callback::CallbackConfig;
pub use fault::{ConfigFault, Wanted, Wrong};
pub use hours::{Hours, HoursWrong, Span};
pub use nearest::nearest;
pub use read::{Surroundings, is_url, read};
pub use rules::{
    After, Counts, MAX_ATTEMPTS, Preset, RETRIED, RUSSIA, Retry, RuleSet, RulesConfig, SHORT,
    zone_named,
};

/// The language of errors and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    /// Russian.
    #[default]
    Ru,
    /// English.
    En,
}

/// All settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Language of errors.
    pub language: Language,
    /// The folder of dialogs.
    pub scripts: ScriptsConfig,
    /// The SQLite file.
    pub store: PathBuf,
    /// HTTP for 1C.
    pub http: HttpConfig,
    /// The Asterisk.
    pub asterisk: AsteriskConfig,
    /// The trunks; none: one that dials `asterisk.channel`.
    pub trunks: Vec<TrunkConfig>,
    /// Where the caller's audio comes in.
    pub media: MediaConfig,
    /// Recognizers in order of preference; at least one.
    pub recognizers: Vec<RecognizerConfig>,
    /// Voices in order of preference; may be empty (prompt files only).
    pub voices: Vec<VoiceConfig>,
    /// How many calls, how fast.
    pub calls: CallsConfig,
    /// Who may be called when.
    pub rules: RulesConfig,
    /// Whom dialogs may ask in mid-call.
    pub web: WebConfig,
    /// What is kept of calls, and for how long.
    pub history: HistoryConfig,
}

/// `history:`. Durations count from the call's end (a recording's from its beginning); 0: for ever, without bound.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryConfig {
    /// Which events of Asterisk's.
    pub asterisk_events: AsteriskEvents,
    /// Calls, with all that belongs to them, milliseconds.
    pub keep_ms: u64,
    /// The lines of their history, milliseconds.
    pub keep_events_ms: u64,
    /// Their recordings, milliseconds.
    pub keep_recordings_ms: u64,
    /// All recordings together, bytes; the oldest go first.
    pub recordings_bytes: u64,
    /// The store, bytes; the oldest histories go first, then the oldest calls.
    pub store_bytes: u64,
    /// Telephone numbers are masked in the store after [`Self::mask_after_ms`].
    pub mask_phones: bool,
    /// What was said and keyed stays in the store after [`Self::mask_after_ms`].
    pub keep_texts: bool,
    /// How long after its end a call is masked, milliseconds: 1C reads it before.
    pub mask_after_ms: u64,
}

/// `history.asterisk_events`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AsteriskEvents {
    /// Every event of the call's channels.
    #[default]
    All,
    /// No event.
    None,
    /// Those of these names, in any case: `Hangup`, `DialEnd`.
    Named(Vec<String>),
}

impl AsteriskEvents {
    /// Whether the event called `name` is kept.
    pub fn keeps(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Named(names) => names.iter().any(|kept| kept.eq_ignore_ascii_case(name)),
        }
    }
}

/// `web:`
#[derive(Clone, Debug, PartialEq)]
pub struct WebConfig {
    /// Addresses that dialogs may reach, and all below them; none: nothing is reached.
    pub hosts: Vec<WebHost>,
    /// Longest request, unless the dialog says otherwise, milliseconds.
    pub timeout_ms: u64,
    /// A PEM file with an authority to trust besides the system's own.
    pub ca: Option<PathBuf>,
}

/// One of `web.hosts`.
#[derive(Clone, Debug, PartialEq)]
pub struct WebHost {
    /// `https://host:port/path`, `http://` likewise.
    pub url: String,
    /// For Basic; empty: none.
    pub user: String,
    /// For Basic.
    pub password: Secret,
    /// For Bearer; empty: none.
    pub token: Secret,
}

impl WebHost {
    /// One that wants no key.
    pub fn open(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            user: String::new(),
            password: Secret::default(),
            token: Secret::default(),
        }
    }
}

/// `scripts:`
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptsConfig {
    /// The folder that is watched.
    pub folder: PathBuf,
    /// Looks for changes by reading the folder every so often instead of by the system's notices: for network folders. Milliseconds; 0 = notices.
    pub poll_ms: u64,
}

/// `http:`
#[derive(Clone, Debug, PartialEq)]
pub struct HttpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Bearer tokens that are let in.
    pub tokens: Vec<Secret>,
    /// Users that are let in by Basic.
    pub users: Vec<(String, Secret)>,
    /// Whom the ends of calls are told.
    pub callback: CallbackConfig,
}

/// `asterisk:`
#[derive(Clone, Debug, PartialEq)]
pub struct AsteriskConfig {
    /// AMI, `host:port`.
    pub ami: String,
    /// AMI user.
    pub user: String,
    /// AMI secret.
    pub secret: Secret,
    /// Where our FastAGI server listens.
    pub agi_listen: SocketAddr,
    /// The host by which Asterisk reaches us (AGI, AudioSocket, WebSocket, RTP).
    pub our_host: String,
    /// The channel to dial, with `{phone}` in it: `PJSIP/{phone}@trunk`.
    pub channel: String,
    /// Caller id shown to the person; empty: the trunk's own.
    pub caller_id: String,
    /// How long it may ring, milliseconds.
    pub ring_timeout_ms: u64,
    /// The channel to transfer to, with `{phone}` in it; empty: as `channel`.
    pub transfer_channel: String,
    /// Folder for prompts that Asterisk plays, as we see it.
    pub sounds: PathBuf,
    /// The same folder as Asterisk sees it.
    pub sounds_in_asterisk: String,
    /// Folder for recordings, as Asterisk sees it.
    pub recordings_in_asterisk: String,
    /// The same folder as we see it.
    pub recordings: PathBuf,
    /// 2: what the person says and what they hear go to a file each, and are fetched as stereo; 1: mixed in one file.
    pub recording_channels: u8,
    /// `websocket_client.conf`'s name of the connection to us (chan_websocket).
    pub websocket_client: String,
}

/// One of `trunks:`
#[derive(Clone, Debug, PartialEq)]
pub struct TrunkConfig {
    /// Its name in history and metrics.
    pub name: String,
    /// The channel to dial, with `{phone}` in it: `PJSIP/{phone}@trunk1`.
    pub channel: String,
    /// Beginnings of the numbers that it serves, digits with the country's code; none: all numbers.
    pub prefixes: Vec<String>,
    /// Its share among the trunks with the same prefix, 1 to 1000.
    pub weight: u32,
    /// Calls at once; 0: no limit of its own.
    pub at_once: usize,
    /// Starts a second; 0: no limit of its own.
    pub starts_per_second: f64,
    /// Caller id shown to the person; empty: the trunk's own.
    pub caller_id: String,
    /// How long it may ring, milliseconds.
    pub ring_timeout_ms: u64,
}

/// How the caller is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MediaKind {
    /// By the Asterisk's version and modules.
    #[default]
    Auto,
    /// The third-party module app_audiofork.
    Audiofork,
    /// ChanSpy into an AudioSocket channel.
    AudiosocketTap,
    /// ChanSpy into an RTP channel.
    Rtp,
    /// The dialplan application AudioSocket: both ways.
    Audiosocket,
    /// chan_websocket: both ways.
    ChanWebsocket,
}

impl MediaKind {
    /// All, with the words of the config.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("auto", Self::Auto),
        ("audiofork", Self::Audiofork),
        ("audiosocket_tap", Self::AudiosocketTap),
        ("rtp", Self::Rtp),
        ("audiosocket", Self::Audiosocket),
        ("chan_websocket", Self::ChanWebsocket),
    ];

    /// The word of the config and of history.
    pub fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("auto", |(word, _)| word)
    }
}

/// `media:`
#[derive(Clone, Debug, PartialEq)]
pub struct MediaConfig {
    /// Which way.
    pub kind: MediaKind,
    /// Where our AudioSocket server listens.
    pub audiosocket_listen: SocketAddr,
    /// Where our WebSocket server listens (audiofork, chan_websocket).
    pub websocket_listen: SocketAddr,
    /// The address that RTP sockets bind to; their ports come from the range.
    pub rtp_listen: std::net::IpAddr,
    /// First and last RTP port; 0 to 0: any.
    pub rtp_ports: (u16, u16),
}

/// One of `recognizers:`
#[derive(Clone, Debug, PartialEq)]
pub enum RecognizerConfig {
    /// A vosk-server.
    Vosk {
        /// Its name in history.
        name: String,
        /// `ws://host:port`.
        url: String,
        /// Send `{"reset" : 1}` when our own voice activity hears the utterance end.
        reset_on_end: bool,
        /// Send the config message; the C++ server takes it for audio.
        config_message: bool,
        /// Samples a second that the server is given.
        sample_rate: u32,
        /// Recognize only the phrases that the dialog knows.
        grammar: bool,
        /// Send only voice.
        speech_only: Option<SpeechOnly>,
    },
    /// Yandex SpeechKit.
    Yandex {
        /// Its name in history.
        name: String,
        /// Address and key.
        cloud: YandexCloud,
        /// The model.
        model: String,
        /// `ru-RU`.
        language: String,
        /// Who ends utterances.
        eou: YandexEou,
        /// The vendor's classifier: longest pause between words, milliseconds; 0 leaves it to the vendor.
        max_pause_ms: u64,
        /// Numbers and dates as figures, as the vendor writes them, instead of words.
        normalization: bool,
        /// Longest session before a new one takes over, milliseconds of audio.
        longest_session_ms: u64,
        /// Most bytes of audio of one session.
        session_bytes: u64,
        /// Silence is sent after so long without audio, milliseconds.
        idle_ms: u64,
        /// How long a final text is awaited before the last partial stands for it, milliseconds.
        final_timeout_ms: u64,
        /// Send only voice.
        speech_only: Option<SpeechOnly>,
    },
    /// A model inside the server (cargo feature `sherpa`).
    Sherpa {
        /// Its name in history.
        name: String,
        /// The folder with the model.
        model: PathBuf,
        /// Threads for all calls.
        threads: usize,
        /// Most streams at once.
        streams: usize,
        /// Send only voice.
        speech_only: Option<SpeechOnly>,
    },
    /// The keyboard.
    Typed,
}

impl RecognizerConfig {
    /// A vosk-server at `url`, with the usual settings.
    pub fn vosk(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self::Vosk {
            name: name.into(),
            url: url.into(),
            reset_on_end: true,
            config_message: true,
            sample_rate: 8_000,
            grammar: false,
            speech_only: None,
        }
    }

    /// Its name in history and in dialogs.
    pub fn name(&self) -> &str {
        match self {
            Self::Vosk { name, .. } | Self::Yandex { name, .. } | Self::Sherpa { name, .. } => name,
            Self::Typed => "typed",
        }
    }

    /// Whether only voice is sent to it.
    pub fn speech_only(&self) -> Option<SpeechOnly> {
        match self {
            Self::Vosk { speech_only, .. }
            | Self::Yandex { speech_only, .. }
            | Self::Sherpa { speech_only, .. } => *speech_only,
            Self::Typed => None,
        }
    }
}

/// Audio around a voice that is sent with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeechOnly {
    /// Before its onset, milliseconds.
    pub before_ms: u64,
    /// After its end, milliseconds.
    pub after_ms: u64,
}

/// How to reach Yandex Cloud.
#[derive(Clone, Debug, PartialEq)]
pub struct YandexCloud {
    /// `https://host:port`; empty: the vendor's.
    pub url: String,
    /// A service account's key; empty: `iam_token_command`.
    pub api_key: Secret,
    /// Program and arguments that print an IAM token.
    pub iam_token_command: Vec<String>,
    /// The folder, for accounts of people; empty: the service account's own.
    pub folder_id: String,
    /// A PEM file with an authority to trust besides the system's own.
    pub ca: Option<PathBuf>,
}

/// Who decides that an utterance has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum YandexEou {
    /// Our own voice activity.
    #[default]
    External,
    /// The vendor.
    Default,
    /// The vendor, sooner.
    High,
}

/// One of `voices:`
#[derive(Clone, Debug, PartialEq)]
pub enum VoiceConfig {
    /// A program that writes WAV.
    Command {
        /// Its name in history and in the cache.
        name: String,
        /// Program and arguments; `{text}` and `{out}` are replaced. Without `{text}` the text goes to its standard input.
        command: Vec<String>,
        /// Longest run, milliseconds.
        timeout_ms: u64,
        /// Folder of the cache.
        cache: PathBuf,
        /// Bound of the cache, bytes.
        cache_bytes: u64,
    },
    /// Yandex SpeechKit.
    Yandex {
        /// Its name in history and in the cache.
        name: String,
        /// Address and key.
        cloud: YandexCloud,
        /// The model; empty: the vendor's usual one.
        model: String,
        /// The voice.
        voice: String,
        /// Its role; empty: the usual one.
        role: String,
        /// 0.1 to 3; 1 is usual.
        speed: f64,
        /// Ask for long texts at once instead of by sentences.
        unsafe_mode: bool,
        /// Longest synthesis, milliseconds.
        timeout_ms: u64,
        /// Folder of the cache.
        cache: PathBuf,
        /// Bound of the cache, bytes.
        cache_bytes: u64,
    },
}

/// `calls:`
#[derive(Clone, Debug, PartialEq)]
pub struct CallsConfig {
    /// Calls at once, incoming ones included.
    pub at_once: usize,
    /// Outgoing starts a second.
    pub starts_per_second: f64,
    /// Outgoing calls at once of a dialog that doesn't say otherwise; 0: no limit of its own.
    pub dialog_at_once: usize,
    /// Outgoing starts a second of a dialog that doesn't say otherwise; 0: no limit of its own.
    pub dialog_starts_per_second: f64,
    /// At the stop calls that go on may end by themselves for so long, milliseconds.
    pub drain_ms: u64,
    /// Wait before another attempt of an order, milliseconds.
    pub retry_after_ms: u64,
    /// Longest call, milliseconds.
    pub longest_ms: u64,
    /// What the operator says before the answer is recognized, too.
    pub early_media: bool,
    /// Said when a dialog's fault ends its call.
    pub fallback: String,
}

impl Config {
    /// The trunks that are dialed by: those of `trunks`, or the one that `asterisk.channel` stands for.
    pub fn trunks_in_use(&self) -> Vec<TrunkConfig> {
        if !self.trunks.is_empty() {
            return self.trunks.clone();
        }
        vec![TrunkConfig {
            name: "trunk".to_owned(),
            channel: self.asterisk.channel.clone(),
            prefixes: Vec::new(),
            weight: 1,
            at_once: 0,
            starts_per_second: 0.0,
            caller_id: self.asterisk.caller_id.clone(),
            ring_timeout_ms: self.asterisk.ring_timeout_ms,
        }]
    }

    /// Names of the voices, in their order.
    pub fn voice_names(&self) -> Vec<String> {
        let name = |voice: &VoiceConfig| match voice {
            VoiceConfig::Command { name, .. } | VoiceConfig::Yandex { name, .. } => name.clone(),
        };
        self.voices.iter().map(name).collect()
    }

    /// Reads the settings from the file `path`; `${NAME}` is looked up by `env`. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// All mistakes at once, each with its place, what is wrong and what to do.
    pub fn load(
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<ConfigFault>> {
        let text = std::fs::read(path).and_then(|bytes| {
            let no_text = |_| std::io::Error::new(std::io::ErrorKind::InvalidData, "UTF-8");
            String::from_utf8(bytes).map_err(no_text)
        });
        let text = text.map_err(|error| {
            vec![ConfigFault {
                file: path.to_owned(),
                line: 0,
                column: 0,
                key: String::new(),
                wrong: Wrong::Unreadable(match error.kind() {
                    std::io::ErrorKind::NotFound => "такого файла нет".to_owned(),
                    std::io::ErrorKind::PermissionDenied => "нет прав на чтение".to_owned(),
                    std::io::ErrorKind::InvalidData => "он не в UTF-8".to_owned(),
                    _ => error.to_string(),
                }),
                language: Language::Ru,
            }]
        })?;
        let around = Surroundings {
            env,
            is_folder: &Path::is_dir,
            has_sherpa: cfg!(feature = "sherpa"),
        };
        read(&text, path, around)
    }
}

impl Default for HistoryConfig {
    fn default() -> Self {
        const DAY: u64 = 24 * 3_600_000;
        Self {
            asterisk_events: AsteriskEvents::All,
            keep_ms: 365 * DAY,
            keep_events_ms: 90 * DAY,
            keep_recordings_ms: 90 * DAY,
            recordings_bytes: 50 << 30,
            store_bytes: 0,
            mask_phones: false,
            keep_texts: true,
            mask_after_ms: 3_600_000,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            language: Language::Ru,
            scripts: ScriptsConfig {
                folder: PathBuf::from("scripts"),
                poll_ms: 0,
            },
            store: PathBuf::from("govorun.sqlite"),
            http: HttpConfig {
                listen: local(8080),
                tokens: Vec::new(),
                users: Vec::new(),
                callback: CallbackConfig::default(),
            },
            asterisk: AsteriskConfig {
                ami: "127.0.0.1:5038".to_owned(),
                user: "govorun".to_owned(),
                secret: Secret::default(),
                agi_listen: local(4573),
                our_host: "127.0.0.1".to_owned(),
                channel: "PJSIP/{phone}@trunk".to_owned(),
                caller_id: String::new(),
                ring_timeout_ms: 45_000,
                transfer_channel: String::new(),
                sounds: PathBuf::from("/var/lib/asterisk/sounds/govorun"),
                sounds_in_asterisk: "/var/lib/asterisk/sounds/govorun".to_owned(),
                recordings: PathBuf::from("/var/spool/asterisk/monitor/govorun"),
                recordings_in_asterisk: "/var/spool/asterisk/monitor/govorun".to_owned(),
                recording_channels: 2,
                websocket_client: "govorun".to_owned(),
            },
            trunks: Vec::new(),
            media: MediaConfig {
                kind: MediaKind::Auto,
                audiosocket_listen: local(4574),
                websocket_listen: local(4575),
                rtp_listen: std::net::IpAddr::from([127, 0, 0, 1]),
                rtp_ports: (0, 0),
            },
            recognizers: vec![RecognizerConfig::vosk("vosk", "ws://127.0.0.1:2700")],
            voices: Vec::new(),
            calls: CallsConfig {
                at_once: 100,
                starts_per_second: 5.0,
                dialog_at_once: 0,
                dialog_starts_per_second: 0.0,
                drain_ms: 60_000,
                retry_after_ms: 600_000,
                longest_ms: 900_000,
                early_media: false,
                fallback: "Извините, произошла ошибка. Мы перезвоним вам позже.".to_owned(),
            },
            rules: RulesConfig::default(),
            web: WebConfig {
                hosts: Vec::new(),
                timeout_ms: 5_000,
                ca: None,
            },
            history: HistoryConfig::default(),
        }
    }
}
