//! What may be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Dials into a server with many calls at once and tells what they cost it.
#[derive(Clone, Debug, clap::Parser)]
pub(crate) struct Arguments {
    /// Calls at once.
    #[arg(long, default_value_t = 200)]
    pub(crate) calls: usize,
    /// The load "calls" makes so many times as many calls in all.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long each call of the load "audio" is heard, seconds.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// How often each caller of the load "talk" speaks.
    #[arg(long, default_value_t = 3)]
    pub(crate) turns: usize,
    /// How the server hears: as `media.kind` in its config.
    #[arg(long, value_enum, default_value_t = Media::AudiosocketTap)]
    pub(crate) media: Media,
    /// The server's program; the one beside this example if it isn't told.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// A server that runs already: its FastAGI address.
    #[arg(long, requires = "pid")]
    pub(crate) agi: Option<SocketAddr>,
    /// And its process.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// And its `media.websocket_listen`, for chan_websocket.
    #[arg(long)]
    pub(crate) websocket: Option<SocketAddr>,
    /// Where this program's AMI listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) ami: SocketAddr,
    /// Where this program's recognizer listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) vosk: SocketAddr,
    /// Only writes the dialogs and the prompt that a running server needs.
    #[arg(long)]
    pub(crate) write_dialogs: Option<PathBuf>,
    /// Only these loads; all if none is named. CPU a second of audio wants "calls" beside it.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) loads: Vec<Kind>,
    /// Leaves the floor out.
    #[arg(long)]
    pub(crate) no_floor: bool,
}

impl Arguments {
    /// Whether this load is asked for.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        self.loads.is_empty() || self.loads.contains(&kind)
    }
}

/// A load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Heard for some seconds.
    Audio,
    /// The same without a recognizer's connection.
    Voice,
    /// Calls that nobody hears.
    Unheard,
    /// Calls that are heard.
    Calls,
    /// The same, steadily.
    Paced,
    /// Prompt, word, prompt, word.
    Talk,
}

/// A medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Media {
    /// AudioSocket and ChanSpy.
    AudiosocketTap,
    /// UnicastRTP and ChanSpy.
    Rtp,
    /// app_audiofork.
    Audiofork,
    /// The application AudioSocket, both ways.
    Audiosocket,
    /// Asterisk's WebSocket channel, both ways.
    ChanWebsocket,
}

impl Media {
    /// As the config names it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AudiosocketTap => "audiosocket_tap",
            Self::Rtp => "rtp",
            Self::Audiofork => "audiofork",
            Self::Audiosocket => "audiosocket",
            Self::ChanWebsocket => "chan_websocket",
        }
    }

    /// The floor's path whose bytes are like it.
    pub(crate) fn on_the_floor(self) -> &'static str {
        match self {
            Self::AudiosocketTap | Self::Audiosocket | Self::Rtp => "audiosocket",
            Self::Audiofork | Self::ChanWebsocket => "audiofork",
        }
    }
}
