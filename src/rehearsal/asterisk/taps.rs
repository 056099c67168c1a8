//! Taps: `Originate` of an AudioSocket or UnicastRTP channel that runs ChanSpy on a call.

use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::ident::Token;

use super::channel::Channel;
use super::meter::Meter;
use super::record::{HungUpBy, What};
use super::voice::{RtpSender, Sink, SinkKind, Tally, VoiceOrder};
use super::world::World;
use super::{both_ways, channel::state, dialing};

/// What an Originate of a tap asks for.
#[derive(Debug)]
pub(super) struct Tapping {
    pub(super) action_id: Option<String>,
    pub(super) channel_id: Option<String>,
    /// `AudioSocket/host:port/UUID/c(slin)` or `UnicastRTP/host:port/c(alaw)`.
    pub(super) dial: String,
    /// The unique id or the name of the call to be heard.
    pub(super) spied: String,
}

/// Where a tap sends.
enum Place {
    AudioSocket { token: Token, address: String },
    Rtp { address: String, alaw: bool },
}

impl Place {
    fn parse(dial: &str) -> Option<Self> {
        let mut parts = dial.split('/');
        let technology = parts.next()?;
        let address = parts.next()?.to_owned();
        match technology {
            "AudioSocket" => {
                let token = Token::parse(parts.next()?).ok()?;
                Some(Self::AudioSocket { token, address })
            }
            "UnicastRTP" => {
                let alaw = parts.next() == Some("c(alaw)");
                Some(Self::Rtp { address, alaw })
            }
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::AudioSocket { .. } => "audiosocket_tap",
            Self::Rtp { .. } => "rtp",
        }
    }

    fn module(&self) -> &'static str {
        match self {
            Self::AudioSocket { .. } => "chan_audiosocket",
            Self::Rtp { .. } => "chan_rtp",
        }
    }

    async fn open(&self, world: &World) -> std::io::Result<SinkKind> {
        if world.faults.refuses_media() {
            return Err(std::io::Error::other("refused on demand"));
        }
        match self {
            Self::AudioSocket { token, address } => Ok(SinkKind::AudioSocket {
                stream: Arc::new(both_ways::open(token, address).await?),
                pending: Vec::new(),
                tap: true,
            }),
            Self::Rtp { address, alaw } => {
                let socket = UdpSocket::bind("127.0.0.1:0").await?;
                socket.connect(address).await?;
                let start = world.options.rtp_start;
                Ok(SinkKind::Rtp(RtpSender {
                    socket,
                    alaw: *alaw,
                    sequence: start,
                    timestamp: u32::from(start) * 160,
                    ssrc: 0x6f76_6f72 ^ u32::from(start),
                    last: None,
                }))
            }
        }
    }
}

/// Whether an Originate's channel is a tap's.
pub(super) fn is_tap(dial: &str) -> bool {
    dial.starts_with("AudioSocket/") || dial.starts_with("UnicastRTP/")
}

/// Starts a tap; it ends with the call, or when our side closes.
pub(super) fn start(world: &Arc<World>, tapping: Tapping) {
    let world_too = Arc::clone(world);
    world.spawn(async move { tap(world_too, tapping).await });
}

async fn tap(world: Arc<World>, tapping: Tapping) {
    let own = tapping.channel_id.clone();
    let id = own.unwrap_or_else(|| format!("1763700000.{}", world.next_number()));
    let (mut channel, _voice) =
        dialing::new_channel(&world, id.clone(), id, &tapping.dial, String::new());
    channel.is_side = true;
    let channel = Arc::new(channel);
    let originated = |response: &str, reason| {
        let action_id = tapping.action_id.as_deref();
        dialing::originated(&world, &channel, action_id, response, reason, "ChanSpy");
    };
    // Asterisk 16 knows no AudioSocket at all; later ones tell congestion where nobody listens.
    let refused = if world.major() < 18 { 0 } else { 8 };
    let place = Place::parse(&tapping.dial).filter(|place| world.has_module(place.module()));
    let (Some(place), true) = (place, world.has_module("app_chanspy")) else {
        return originated("Failure", 0);
    };
    let call = world
        .find(&tapping.spied)
        .filter(|call| !call.hung.is_cancelled());
    let kind = place.kind();
    let opened = match place.open(&world).await {
        Ok(opened) => opened,
        Err(error) => {
            if let Some(call) = call {
                let reason = error.to_string();
                call.note(&world, What::MediaRefused { kind, reason });
            }
            return originated("Failure", refused);
        }
    };
    world.enter(&channel);
    world.emit("call", "Newchannel", channel.pairs(""));
    channel.set_state(state::UP);
    world.emit("call", "Newstate", channel.pairs(""));
    originated("Success", 4);
    match call {
        Some(call) => spy(&world, &channel, &call, opened, kind).await,
        // Seen: a spy on an id that isn't there ends at once.
        None => drop(opened),
    }
    channel.hang_up(16, HungUpBy::Us);
    dialing::gone(&world, &channel);
}

async fn spy(
    world: &Arc<World>,
    channel: &Arc<Channel>,
    call: &Arc<Channel>,
    kind_of_sink: SinkKind,
    kind: &'static str,
) {
    let tally = Arc::new(Tally::default());
    let gone = CancellationToken::new();
    let sink = Sink {
        kind: kind_of_sink,
        tally: Arc::clone(&tally),
        gone: gone.clone(),
    };
    call.note(world, What::MediaOpened { kind });
    let _ = call.voice.send(VoiceOrder::Add(sink)).await;
    let spyee = [
        ("SpyeeChannel", call.name.clone()),
        ("SpyeeUniqueid", call.id.clone()),
        ("SpyerUniqueid", channel.id.clone()),
    ];
    world.emit("call", "ChanSpyStart", spyee);
    tokio::select! {
        () = call.hung.cancelled() => {}
        () = channel.hung.cancelled() => {}
        () = gone.cancelled() => {}
        () = call.cut_media.notified() => {}
    }
    gone.cancel();
    call.note(world, both_ways::closed(kind, &tally, &Meter::default()));
    world.emit(
        "call",
        "ChanSpyStop",
        [("SpyerUniqueid", channel.id.clone())],
    );
}
