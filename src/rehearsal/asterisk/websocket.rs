//! The two WebSocket media: app_audiofork's tap and chan_websocket, which Asterisk dials and which queues our audio.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::sync::CancellationToken;

use crate::audio::Frame;
use crate::audio::frame::FRAME_MS;
use crate::wire::{audiofork, chan_websocket};

use super::both_ways::{Ear, closed};
use super::channel::{Channel, state};
use super::dialing;
use super::meter::{self, Meter};
use super::record::{HungUpBy, What};
use super::voice::{Sink, SinkKind, Tally, VoiceOrder};
use super::world::{World, locked};

/// How long a connection and its handshake may take.
const CONNECT: Duration = Duration::from_secs(2);
/// Frames that may wait to be sent: 1 s.
const FRAMES: usize = 50;
/// Bytes of a frame.
const FRAME_BYTES: usize = 320;
/// Frames at which MEDIA_XON follows an XOFF.
const XON_FRAMES: u64 = 800;

type Socket = WebSocketStream<TcpStream>;

async fn open(url: &str, protocol: &'static str) -> Result<Socket, String> {
    let mut request = url
        .into_client_request()
        .map_err(|error| format!("{url}: {error}"))?;
    let address = request.uri().authority().map(ToString::to_string);
    let address = address.ok_or_else(|| format!("{url} names no host"))?;
    let header = HeaderValue::from_static(protocol);
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, header);
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(256 * 1024)
        .max_message_size(Some(chan_websocket::MAX_AUDIO + 36));
    let work = async {
        let stream = TcpStream::connect(&address)
            .await
            .map_err(|error| format!("{address}: {error}"))?;
        let _ = stream.set_nodelay(true);
        let opened = client_async_with_config(request, stream, Some(config)).await;
        let (socket, _) = opened.map_err(|error| format!("{url}: {error}"))?;
        Ok(socket)
    };
    let opened = timeout(CONNECT, work).await;
    opened.map_err(|_| format!("{address} does not answer"))?
}

/// Makes the person's voice go to `queue`.
async fn hear(channel: &Channel) -> (mpsc::Receiver<Frame>, Arc<Tally>, CancellationToken) {
    let (queue, frames) = mpsc::channel(FRAMES);
    let tally = Arc::new(Tally::default());
    let gone = CancellationToken::new();
    let sink = Sink {
        kind: SinkKind::Queue(queue),
        tally: Arc::clone(&tally),
        gone: gone.clone(),
    };
    let _ = channel.voice.send(VoiceOrder::Add(sink)).await;
    (frames, tally, gone)
}

fn audio(frame: &Frame) -> Message {
    Message::Binary(Bytes::copy_from_slice(&frame.to_le_bytes()))
}

/// `AudioFork(ws://host:port/path,options)`: runs in the background until the call's end.
pub(super) fn fork(world: &Arc<World>, channel: &Arc<Channel>, data: &str) {
    const KIND: &str = "audiofork";
    let url = data.split(',').next().unwrap_or_default().to_owned();
    let (world_too, channel) = (Arc::clone(world), Arc::clone(channel));
    world.spawn(async move {
        let mut socket = match open(&url, audiofork::SUBPROTOCOL).await {
            Ok(socket) => socket,
            Err(reason) => {
                let what = What::MediaRefused { kind: KIND, reason };
                return channel.note(&world_too, what);
            }
        };
        channel.note(&world_too, What::MediaOpened { kind: KIND });
        let (mut frames, tally, gone) = hear(&channel).await;
        let name = Message::Text(channel.name.as_str().into());
        let mut lives = socket.send(name).await.is_ok();
        while lives {
            tokio::select! {
                biased;
                () = channel.hung.cancelled() => break,
                () = channel.cut_media.notified() => break,
                Some(frame) = frames.recv() => lives = socket.send(audio(&frame)).await.is_ok(),
                message = socket.next() => lives = matches!(message, Some(Ok(_))),
            }
        }
        gone.cancel();
        let _ = timeout(CONNECT, socket.close(None)).await;
        channel.note(&world_too, closed(KIND, &tally, &Meter::default()));
    });
}

/// `Dial(WebSocket/name/c(slin)v(a=b,c=d))`: -1 where the person hung up, else 0; DIALSTATUS tells the rest.
pub(super) async fn dial(world: &Arc<World>, channel: &Arc<Channel>, place: &str) -> i64 {
    const KIND: &str = "chan_websocket";
    let id = format!("1763600000.{}", world.next_number());
    let linked = channel.linked.clone();
    let (mut leg, _voice) = dialing::new_channel(world, id, linked, "WebSocket/", String::new());
    leg.is_side = true;
    let query = place.split_once("v(").map_or("", |(_, rest)| rest);
    let query = query.split(')').next().unwrap_or_default();
    let query = query.replace(',', "&");
    let address = *locked(&world.websocket);
    let opened = match address {
        _ if world.faults.refuses_media() => Err("refused on demand".to_owned()),
        Some(address) if world.has_module("chan_websocket") => {
            let url = format!("ws://{address}/media?{query}");
            open(&url, chan_websocket::SUBPROTOCOL).await
        }
        Some(_) => Err("chan_websocket is not loaded".to_owned()),
        None => Err("websocket_client.conf names no server".to_owned()),
    };
    let socket = match opened {
        Ok(socket) => socket,
        Err(reason) => {
            channel.note(world, What::MediaRefused { kind: KIND, reason });
            channel.set_variable("DIALSTATUS", "CHANUNAVAIL");
            return 0;
        }
    };
    channel.set_variable("DIALSTATUS", "ANSWER");
    channel.note(world, What::MediaOpened { kind: KIND });
    let leg = Arc::new(leg);
    world.enter(&leg);
    world.emit("call", "Newchannel", leg.pairs(""));
    leg.set_state(state::UP);
    world.emit("call", "Newstate", leg.pairs(""));
    let both = channel.pairs("").into_iter().chain(leg.pairs("Dest"));
    let answered = [("DialStatus", "ANSWER".to_owned())];
    world.emit("call", "DialEnd", both.chain(answered));
    let (frames, tally, gone) = hear(channel).await;
    let mut talk = Talk {
        world,
        channel,
        leg: &leg,
        socket,
        queue: Queue::default(),
        next: Instant::now(),
    };
    let mut ear = Ear::new(world, channel);
    let result = talk.run(frames, &mut ear).await;
    gone.cancel();
    let _ = timeout(CONNECT, talk.socket.close(None)).await;
    ear.close(KIND, &tally);
    leg.hang_up(16, HungUpBy::Us);
    dialing::gone(world, &leg);
    result
}

/// What waits in Asterisk's queue: frames (their peaks) and what is told when they were played.
#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    frames: u64,
    /// Bytes of a frame that is not whole yet, while buffering.
    rest: Vec<u8>,
    buffering: bool,
    paused: bool,
    full: bool,
}

#[derive(Debug)]
enum Item {
    Frame(u16),
    Told(String),
}

impl Queue {
    /// Audio of ours; gives XOFF where that is due.
    fn push(&mut self, bytes: &[u8]) -> Option<&'static str> {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / FRAME_BYTES * FRAME_BYTES;
        for frame in self.rest[..whole].chunks(FRAME_BYTES) {
            if self.frames < chan_websocket::QUEUE_FRAMES {
                self.frames += 1;
                self.items.push_back(Item::Frame(meter::peak(frame)));
            }
        }
        self.rest.drain(..whole);
        if !self.buffering {
            self.pad();
        }
        let full = self.frames >= chan_websocket::XOFF_FRAMES && !self.full;
        self.full |= full;
        full.then_some("MEDIA_XOFF")
    }

    /// What is left of a frame is filled with silence.
    fn pad(&mut self) {
        if !self.rest.is_empty() {
            self.frames += 1;
            self.items.push_back(Item::Frame(meter::peak(&self.rest)));
            self.rest.clear();
        }
    }

    /// A command of ours; gives what is answered at once. `None` ends the channel.
    fn command(&mut self, text: &str) -> Option<Option<String>> {
        let (name, id) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let mut answer = None;
        match name {
            "HANGUP" => return None,
            "START_MEDIA_BUFFERING" => self.buffering = true,
            "STOP_MEDIA_BUFFERING" => {
                self.pad();
                self.buffering = false;
                let told = format!("MEDIA_BUFFERING_COMPLETED {id}");
                self.items.push_back(Item::Told(told.trim_end().to_owned()));
            }
            "MARK_MEDIA" => {
                let told = format!("MEDIA_MARK_PROCESSED {id}");
                self.items.push_back(Item::Told(told));
            }
            "FLUSH_MEDIA" => {
                self.items.clear();
                self.rest.clear();
                self.frames = 0;
                self.buffering = false;
                answer = self.room().map(str::to_owned);
            }
            "PAUSE_MEDIA" => self.paused = true,
            "CONTINUE_MEDIA" => self.paused = false,
            "GET_STATUS" => {
                answer = Some(format!(
                    "STATUS queue_length:{} xon_level:{XON_FRAMES} xoff_level:{} queue_full:false bulk_media:{} media_paused:{}",
                    self.frames,
                    chan_websocket::XOFF_FRAMES,
                    self.buffering,
                    self.paused
                ));
            }
            "REPORT_QUEUE_DRAINED" => self.items.push_back(Item::Told("QUEUE_DRAINED".to_owned())),
            "ANSWER" => {}
            _ => answer = Some(format!("ERROR error_text:Unknown command {name}")),
        }
        Some(answer)
    }

    /// XON where that is due.
    fn room(&mut self) -> Option<&'static str> {
        let room = self.full && self.frames <= XON_FRAMES;
        self.full &= !room;
        room.then_some("MEDIA_XON")
    }

    /// 20 ms went by: the frame that is played, and what is told with it.
    fn play(&mut self, told: &mut Vec<String>) -> Option<u16> {
        if self.paused {
            return None;
        }
        let mut played = None;
        while let Some(item) = self.items.front() {
            match item {
                Item::Frame(_) if played.is_some() => break,
                Item::Frame(peak) => {
                    played = Some(*peak);
                    self.frames -= 1;
                    self.items.pop_front();
                }
                Item::Told(text) => {
                    told.push(text.clone());
                    self.items.pop_front();
                }
            }
        }
        told.extend(self.room().map(str::to_owned));
        played
    }
}

struct Talk<'a> {
    world: &'a World,
    channel: &'a Channel,
    leg: &'a Channel,
    socket: Socket,
    queue: Queue,
    /// When the next frame is played.
    next: Instant,
}

impl Talk<'_> {
    async fn run(&mut self, mut frames: mpsc::Receiver<Frame>, ear: &mut Ear<'_>) -> i64 {
        let mut digits = self.channel.digits.subscribe();
        let start = format!(
            "MEDIA_START connection_id:govorun channel:{} channel_id:{} format:slin optimal_frame_size:{FRAME_BYTES} ptime:{FRAME_MS}",
            self.leg.name, self.leg.id
        );
        if !self.tell(start).await {
            return 0;
        }
        loop {
            let playing = !self.queue.items.is_empty() && !self.queue.paused;
            if !playing {
                self.next = self.next.max(Instant::now());
            }
            let quiet = ear.quiet();
            let lives = tokio::select! {
                biased;
                () = self.channel.hung.cancelled() => return -1,
                () = self.channel.redirected.cancelled() => return -1,
                () = self.channel.cut_media.notified() => return 0,
                () = sleep_until(self.next), if playing => self.play(ear).await,
                message = self.socket.next() => match message {
                    Some(Ok(message)) => self.take(message).await,
                    _ => false,
                },
                Some(frame) = frames.recv() => self.socket.send(audio(&frame)).await.is_ok(),
                digit = digits.recv() => self.digit(digit).await,
                () = quiet => true,
            };
            if !lives {
                return 0;
            }
        }
    }

    async fn tell(&mut self, text: String) -> bool {
        self.socket.send(Message::Text(text.into())).await.is_ok()
    }

    async fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Binary(bytes) => match self.queue.push(&bytes) {
                Some(told) => self.tell(told.to_owned()).await,
                None => true,
            },
            Message::Text(text) => match self.queue.command(text.as_str()) {
                Some(Some(told)) => self.tell(told).await,
                Some(None) => true,
                None => false,
            },
            Message::Close(_) => false,
            _ => true,
        }
    }

    async fn play(&mut self, ear: &mut Ear<'_>) -> bool {
        let mut told = Vec::new();
        if let Some(peak) = self.queue.play(&mut told) {
            ear.hear(peak);
            self.next += Duration::from_millis(FRAME_MS);
        }
        for text in told {
            if !self.tell(text).await {
                return false;
            }
        }
        true
    }

    async fn digit(&mut self, digit: Result<char, broadcast::error::RecvError>) -> bool {
        let Ok(digit) = digit else { return true };
        if digit == dialing::ANSWER_MARK {
            return true;
        }
        // Seen: the same key once more as an event of the WebSocket channel, the other way round.
        let pairs = [
            ("Digit", digit.to_string()),
            ("Direction", "Sent".to_owned()),
            ("DurationMs", "100".to_owned()),
        ];
        let pairs = self.leg.pairs("").into_iter().chain(pairs);
        self.world.emit("dtmf", "DTMFEnd", pairs);
        let text = format!("DTMF_END digit:{digit} channel_id:{}", self.leg.id);
        self.tell(text).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_plays_in_order_and_flushes_at_once() {
        let mut queue = Queue::default();
        let mut told = Vec::new();
        assert_eq!(queue.command("START_MEDIA_BUFFERING"), Some(None));
        assert_eq!(queue.push(&[1; 500]), None);
        assert_eq!(queue.frames, 1, "the rest waits for more");
        assert_eq!(queue.command("STOP_MEDIA_BUFFERING 7"), Some(None));
        assert_eq!(queue.frames, 2, "or for the end");
        assert!(queue.play(&mut told).is_some() && told.is_empty());
        queue.command("PAUSE_MEDIA");
        assert_eq!(queue.play(&mut told), None);
        queue.command("CONTINUE_MEDIA");
        assert!(queue.play(&mut told).is_some());
        assert_eq!(told, ["MEDIA_BUFFERING_COMPLETED 7"]);

        assert_eq!(queue.push(&[1; 320 * 950]), Some("MEDIA_XOFF"));
        queue.command("MARK_MEDIA 3");
        let flushed = queue.command("FLUSH_MEDIA");
        assert_eq!(flushed, Some(Some("MEDIA_XON".to_owned())));
        told.clear();
        assert_eq!(queue.play(&mut told), None);
        assert!(told.is_empty(), "what was flushed is never told");
        assert_eq!(queue.command("HANGUP"), None);
        assert!(queue.command("NONSENSE").flatten().is_some());
    }

    #[test]
    fn the_queue_has_an_end() {
        let mut queue = Queue::default();
        queue.push(&[0; 320 * 1_200]);
        assert_eq!(queue.frames, chan_websocket::QUEUE_FRAMES);
        let mut told = Vec::new();
        for _ in 0..200 {
            queue.play(&mut told);
        }
        assert_eq!(told, ["MEDIA_XON"]);
    }
}
