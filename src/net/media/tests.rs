//! The media servers against real bytes on loopback, as Asterisk and as strangers send them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;
use crate::audio::{Frame, Sound, g711};
use crate::config::{Config, MediaConfig, MediaKind};
use crate::ident::Token;
use crate::net::speaker::{SpeakerEvent, SpeakerOrder};
use crate::wire::audiosocket::{self, Message};
use crate::wire::{audiofork, chan_websocket, rtp};

const SOON: Duration = Duration::from_secs(5);

fn config() -> MediaConfig {
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    MediaConfig {
        audiosocket_listen: any,
        websocket_listen: any,
        ..Config::default().media
    }
}

fn hub() -> MediaHub {
    MediaHub::bind(&config()).unwrap()
}

fn frame(n: usize) -> Frame {
    let mut samples = [0i16; 160];
    for (i, s) in samples.iter_mut().enumerate() {
        *s = (n * 163 + i * 7) as i16;
    }
    Frame(samples)
}

fn uuid_message(token: &Token) -> Vec<u8> {
    let hex = token.as_str();
    let mut uuid = [0u8; 16];
    for (i, byte) in uuid.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).unwrap();
    }
    let mut out = Vec::new();
    audiosocket::encode(Message::Uuid(uuid), &mut out);
    out
}

fn audio_message(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    let samples = &frame.to_le_bytes();
    audiosocket::encode(
        Message::Audio {
            rate: 8_000,
            samples,
        },
        &mut out,
    );
    out
}

/// Connects as Asterisk's AudioSocket and gets the link.
async fn audiosocket(hub: &MediaHub, kind: MediaKind) -> (TcpStream, MediaLink) {
    let token = Token::fresh();
    let mut expected = hub.expect(token.clone(), kind).unwrap();
    let mut peer = TcpStream::connect(expected.address()).await.unwrap();
    peer.write_all(&uuid_message(&token)).await.unwrap();
    let link = expected.link(SOON).await.unwrap();
    (peer, link)
}

async fn next(frames: &mut tokio::sync::mpsc::Receiver<Frame>) -> Frame {
    timeout(SOON, frames.recv()).await.unwrap().unwrap()
}

/// Reads until the server closes.
async fn rest(peer: &mut TcpStream) -> Vec<u8> {
    let mut out = Vec::new();
    // A reset is a close as well.
    let _ = timeout(SOON, peer.read_to_end(&mut out)).await.unwrap();
    out
}

#[tokio::test]
async fn frames_are_whole_however_tcp_cuts_them() {
    let hub = hub();
    for piece in [1usize, 7, 322, 323, 324, 1_000, 100_000] {
        let token = Token::fresh();
        let mut expected = hub
            .expect(token.clone(), MediaKind::AudiosocketTap)
            .unwrap();
        let mut peer = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
        peer.set_nodelay(true).unwrap();
        let mut bytes = uuid_message(&token);
        for n in 0..6 {
            bytes.extend(audio_message(&frame(n)));
            bytes.extend([0x03, 0, 1, b'5']);
        }
        bytes.extend(audiosocket::HANGUP);
        for chunk in bytes.chunks(piece) {
            peer.write_all(chunk).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut link = expected.link(SOON).await.unwrap();
        for n in 0..6 {
            assert_eq!(next(&mut link.frames).await, frame(n), "pieces of {piece}");
        }
        assert_eq!(link.frames.recv().await, None);
        assert_eq!(link.closed.await, Ok(LinkEnd::HungUp));
        assert_eq!(link.info.frames(), 6);
        assert_eq!(rest(&mut peer).await, b"", "closed after the hang-up");
    }
    assert_eq!(hub.counts().paired, 7);
    assert_eq!(hub.expected(), 0);
}

#[tokio::test]
async fn wide_audio_is_halved_and_other_rates_are_refused_by_name() {
    let hub = hub();
    let (mut peer, mut link) = audiosocket(&hub, MediaKind::AudiosocketTap).await;
    let mut wide = vec![0x12, 2, 128];
    wide.extend([0x00, 0x10].repeat(320));
    for _ in 0..3 {
        peer.write_all(&wide).await.unwrap();
    }
    next(&mut link.frames).await;
    assert!((next(&mut link.frames).await.0[80] - 0x1000).abs() < 20);
    peer.write_all(&[0x16, 0, 2, 0, 0]).await.unwrap();
    let Ok(LinkEnd::Broken(reason)) = link.closed.await else {
        panic!("not refused");
    };
    assert!(
        reason.contains("48000") && reason.contains("c(slin)"),
        "{reason}"
    );
}

#[tokio::test]
async fn strangers_get_nothing_and_take_nothing() {
    let hub = hub();
    let token = Token::fresh();
    let mut expected = hub
        .expect(token.clone(), MediaKind::AudiosocketTap)
        .unwrap();
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.0\r\n\r\n",
        &[0x10, 0, 2, 1, 1],
        &[0x01, 0, 4, 1, 2, 3, 4],
        &[0xee],
    ];
    for bytes in garbage {
        let mut peer = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
        peer.write_all(bytes).await.unwrap();
        assert_eq!(rest(&mut peer).await, b"");
    }
    let mut peer = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
    peer.write_all(&uuid_message(&Token::fresh()))
        .await
        .unwrap();
    assert_eq!(rest(&mut peer).await, b"");
    // A token of the other server's kind is no key here.
    let web = Token::fresh();
    let _web = hub.expect(web.clone(), MediaKind::Audiofork).unwrap();
    let mut peer = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
    peer.write_all(&uuid_message(&web)).await.unwrap();
    assert_eq!(rest(&mut peer).await, b"");
    assert_eq!(hub.expected(), 2, "nothing was taken");
    let counts = hub.counts();
    assert_eq!((counts.malformed, counts.unknown, counts.paired), (4, 2, 0));

    let mut peer = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
    peer.write_all(&uuid_message(&token)).await.unwrap();
    expected.link(SOON).await.unwrap();
    // The same token once more: it was handed over, exactly once.
    let mut thief = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
    thief.write_all(&uuid_message(&token)).await.unwrap();
    assert_eq!(rest(&mut thief).await, b"");
    assert_eq!(hub.counts().unknown, 3);
}

#[tokio::test]
async fn port_checks_cost_nothing_and_the_silent_are_dropped() {
    let hub = hub();
    for address in [hub.audiosocket_addr(), hub.websocket_addr()] {
        for _ in 0..50 {
            drop(TcpStream::connect(address).await.unwrap());
        }
    }
    let settled = async {
        while hub.counts().closed < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, settled).await.unwrap();
    let mut silent = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
    let mut slow = TcpStream::connect(hub.websocket_addr()).await.unwrap();
    slow.write_all(b"GET /tap/").await.unwrap();
    // From here on time runs by itself whenever nothing else does.
    tokio::time::pause();
    assert_eq!(rest(&mut silent).await, b"");
    assert_eq!(rest(&mut slow).await, b"");
    assert_eq!(hub.counts().silent, 2);
}

#[tokio::test]
async fn an_expectation_ends_with_its_call() {
    let hub = hub();
    let token = Token::fresh();
    let mut expected = hub.expect(token.clone(), MediaKind::Audiosocket).unwrap();
    assert!(matches!(
        hub.expect(token.clone(), MediaKind::Audiosocket),
        Err(MediaError::Twice)
    ));
    let error = expected
        .link(Duration::from_millis(10))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error
            .starts_with("no audiosocket stream came within 10 ms: does Asterisk reach 127.0.0.1:"),
        "{error}"
    );
    drop(expected);
    assert_eq!(hub.expected(), 0);
    let mut peer = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
    peer.write_all(&uuid_message(&token)).await.unwrap();
    assert_eq!(rest(&mut peer).await, b"");
    assert!(matches!(
        hub.expect(token, MediaKind::Auto),
        Err(MediaError::Undecided)
    ));
}

#[tokio::test]
async fn dropping_the_link_hangs_up_and_closes() {
    let hub = hub();
    for kind in [MediaKind::AudiosocketTap, MediaKind::Audiosocket] {
        let (mut peer, link) = audiosocket(&hub, kind).await;
        peer.write_all(&audio_message(&frame(1))).await.unwrap();
        link.close();
        assert_eq!(rest(&mut peer).await, audiosocket::HANGUP);
    }
    // A peer that just goes away.
    let (peer, link) = audiosocket(&hub, MediaKind::Audiosocket).await;
    drop(peer);
    assert_eq!(link.closed.await, Ok(LinkEnd::Closed));
}

#[tokio::test]
async fn only_the_asterisks_address_is_let_in() {
    let hub = hub();
    hub.only_from(vec![[10, 9, 8, 7].into()]);
    let mut peer = TcpStream::connect(hub.audiosocket_addr()).await.unwrap();
    assert_eq!(rest(&mut peer).await, b"");
    assert_eq!(hub.counts().foreign, 1);
}

#[tokio::test]
async fn calls_that_come_together_are_all_heard_and_a_restart_binds_again() {
    let hub = hub();
    let mut calls = Vec::new();
    for n in 0..200 {
        let token = Token::fresh();
        let expected = hub
            .expect(token.clone(), MediaKind::AudiosocketTap)
            .unwrap();
        let address = hub.audiosocket_addr();
        let peer = tokio::spawn(async move {
            let mut peer = TcpStream::connect(address).await.unwrap();
            peer.write_all(&uuid_message(&token)).await.unwrap();
            peer.write_all(&audio_message(&frame(n))).await.unwrap();
            peer
        });
        calls.push((expected, peer));
    }
    let mut links = Vec::new();
    for (n, (mut expected, peer)) in calls.into_iter().enumerate() {
        let mut link = expected.link(SOON).await.unwrap();
        assert_eq!(next(&mut link.frames).await, frame(n));
        links.push((link, peer.await.unwrap()));
    }
    let mut again = config();
    again.audiosocket_listen = hub.audiosocket_addr();
    let error = MediaHub::bind(&again).unwrap_err().to_string();
    assert!(
        error.starts_with("media.audiosocket_listen: cannot listen on 127.0.0.1:"),
        "{error}"
    );
    drop(hub);
    // Streams outlive the listener, and don't hold its port.
    let rebound = async {
        while MediaHub::bind(&again).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, rebound).await.unwrap();
    let (link, peer) = &mut links[0];
    peer.write_all(&audio_message(&frame(9))).await.unwrap();
    assert_eq!(next(&mut link.frames).await, frame(9));
}

#[tokio::test]
async fn what_a_call_does_not_take_is_counted_after_10_s() {
    let hub = hub();
    let (mut peer, mut link) = audiosocket(&hub, MediaKind::AudiosocketTap).await;
    for n in 0..510 {
        peer.write_all(&audio_message(&frame(n))).await.unwrap();
    }
    peer.write_all(&audiosocket::HANGUP).await.unwrap();
    assert_eq!(link.closed.await, Ok(LinkEnd::HungUp));
    assert_eq!((link.info.frames(), link.info.overflowed()), (510, 10));
    for n in 0..500 {
        assert_eq!(link.frames.try_recv(), Ok(frame(n)));
    }
}

/// Reads audio messages until `until` frames came; gives them with their arrival in ms.
async fn read_frames(peer: &mut TcpStream, until: usize) -> Vec<(u64, Frame)> {
    let began = tokio::time::Instant::now();
    let mut frames = Vec::new();
    for _ in 0..until {
        let mut message = [0u8; audiosocket::AUDIO_MESSAGE];
        timeout(SOON, peer.read_exact(&mut message))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(message[..3], [0x10, 1, 64]);
        let at = began.elapsed().as_millis() as u64;
        frames.push((at, Frame::from_le_bytes(&message[3..]).unwrap()));
    }
    frames
}

#[tokio::test]
async fn an_audiosocket_speaks_at_the_pace_of_speech() {
    let hub = hub();
    let (mut peer, link) = audiosocket(&hub, MediaKind::Audiosocket).await;
    let mut speaker = link.speaker.unwrap();
    let samples: Vec<i16> = (0..25).flat_map(|n| frame(n).0).collect();
    let sound = Sound::new("prompt", samples);
    let play = |id, from_ms| SpeakerOrder::Play {
        id,
        sound: sound.clone(),
        from_ms,
    };
    speaker.orders.send(play(1, 100)).await.unwrap();
    let frames = read_frames(&mut peer, 20).await;
    for (n, (_, got)) in frames.iter().enumerate() {
        assert_eq!(*got, frame(n + 5));
    }
    let took = frames.last().unwrap().0;
    assert!((330..700).contains(&took), "20 frames in {took} ms");
    assert_eq!(
        speaker.events.recv().await,
        Some(SpeakerEvent::Started { id: 1 })
    );
    let ended = SpeakerEvent::Ended {
        id: 1,
        played_ms: 500,
        whole: true,
    };
    assert_eq!(speaker.events.recv().await, Some(ended));

    speaker.orders.send(play(2, 0)).await.unwrap();
    read_frames(&mut peer, 4).await;
    speaker.orders.send(SpeakerOrder::Stop).await.unwrap();
    assert_eq!(
        speaker.events.recv().await,
        Some(SpeakerEvent::Started { id: 2 })
    );
    let Some(SpeakerEvent::Ended {
        id: 2,
        played_ms,
        whole: false,
    }) = speaker.events.recv().await
    else {
        panic!("not stopped");
    };
    // It hears all the while.
    peer.write_all(&audio_message(&frame(3))).await.unwrap();
    let mut hearing = link.frames;
    assert_eq!(next(&mut hearing).await, frame(3));
    // What was told as played is what was sent; then nothing more comes but the hang-up.
    read_frames(&mut peer, (played_ms / 20 - 4) as usize).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    drop(link.guard);
    assert_eq!(rest(&mut peer).await, audiosocket::HANGUP);
    assert_eq!(speaker.events.recv().await, None);
}

type Client = WebSocketStream<TcpStream>;

async fn dial(
    hub: &MediaHub,
    path: &str,
    protocol: Option<&str>,
) -> Result<(Client, Option<String>), u16> {
    let mut request = format!("ws://{}{path}", hub.websocket_addr())
        .into_client_request()
        .unwrap();
    if let Some(protocol) = protocol {
        let value = HeaderValue::from_str(protocol).unwrap();
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", value);
    }
    let stream = TcpStream::connect(hub.websocket_addr()).await.unwrap();
    match client_async(request, stream).await {
        Ok((client, response)) => {
            let chosen = response.headers().get("Sec-WebSocket-Protocol");
            Ok((client, chosen.map(|v| v.to_str().unwrap().to_owned())))
        }
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            Err(response.status().as_u16())
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn audiofork_is_heard_with_and_without_its_first_text() {
    let hub = hub();
    for name in [None, Some("PJSIP/trunk-0000001a")] {
        let token = Token::fresh();
        let mut expected = hub.expect(token.clone(), MediaKind::Audiofork).unwrap();
        let (mut client, protocol) = dial(&hub, &audiofork::path(&token), Some("echo"))
            .await
            .unwrap();
        assert_eq!(protocol.as_deref(), Some("echo"));
        if let Some(name) = name {
            client.send(WsMessage::text(name)).await.unwrap();
        }
        let mut link = expected.link(SOON).await.unwrap();
        assert!(link.speaker.is_none());
        for n in 0..5 {
            client
                .send(WsMessage::binary(frame(n).to_le_bytes().to_vec()))
                .await
                .unwrap();
        }
        for n in 0..5 {
            assert_eq!(next(&mut link.frames).await, frame(n));
        }
        assert_eq!(link.info.channel(), name);
        client.close(None).await.unwrap();
        assert_eq!(link.closed.await, Ok(LinkEnd::HungUp));
    }
}

#[tokio::test]
async fn unmasked_frames_of_older_releases_are_heard() {
    let hub = hub();
    let token = Token::fresh();
    let mut expected = hub.expect(token.clone(), MediaKind::Audiofork).unwrap();
    let mut peer = TcpStream::connect(hub.websocket_addr()).await.unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: echo\r\nSec-WebSocket-Version: 13\r\n\r\n",
        audiofork::path(&token)
    );
    peer.write_all(request.as_bytes()).await.unwrap();
    let mut link = expected.link(SOON).await.unwrap();
    let mut answer = vec![0u8; 2_048];
    let length = peer.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
    assert!(answer.contains("sec-websocket-protocol: echo"), "{answer}");
    let mut bytes = Vec::new();
    for n in 0..3 {
        bytes.extend([0x82, 126, 1, 64]);
        bytes.extend(frame(n).to_le_bytes());
    }
    for chunk in bytes.chunks(100) {
        peer.write_all(chunk).await.unwrap();
    }
    for n in 0..3 {
        assert_eq!(next(&mut link.frames).await, frame(n));
    }
    // It goes without a closing handshake.
    drop(peer);
    assert!(matches!(link.closed.await, Ok(LinkEnd::Closed)));
}

#[tokio::test]
async fn wrong_paths_tokens_and_subprotocols_are_turned_away() {
    let hub = hub();
    let fork = Token::fresh();
    let media = Token::fresh();
    let _fork = hub.expect(fork.clone(), MediaKind::Audiofork).unwrap();
    let _media = hub.expect(media.clone(), MediaKind::ChanWebsocket).unwrap();
    let cases = [
        ("/".to_owned(), Some("echo")),
        ("/tap/123".to_owned(), Some("echo")),
        (audiofork::path(&Token::fresh()), Some("echo")),
        (audiofork::path(&media), Some("echo")),
        (audiofork::path(&fork), Some("media")),
        (chan_websocket::path(&fork), Some("media")),
        (chan_websocket::path(&media), Some("echo, chat")),
    ];
    for (path, protocol) in cases {
        let status = dial(&hub, &path, protocol).await.unwrap_err();
        assert_eq!(status, 404, "{path} {protocol:?}");
    }
    let mut plain = TcpStream::connect(hub.websocket_addr()).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    rest(&mut plain).await;
    assert_eq!(hub.expected(), 2);
    let counts = hub.counts();
    assert_eq!((counts.unknown, counts.malformed), (3, 5));
}

struct Channel {
    client: Client,
    link: MediaLink,
}

const START: &str = "MEDIA_START connection_id:g channel:WebSocket/g/0x1 channel_id:1.1 format:slin optimal_frame_size:320 ptime:20";

async fn channel(hub: &MediaHub, start: &str, query: bool) -> Channel {
    let token = Token::fresh();
    let mut expected = hub.expect(token.clone(), MediaKind::ChanWebsocket).unwrap();
    let path = if query {
        format!("/media?{}", chan_websocket::parameter(&token))
    } else {
        chan_websocket::path(&token)
    };
    let (mut client, protocol) = dial(hub, &path, Some("media")).await.unwrap();
    assert_eq!(protocol.as_deref(), Some("media"));
    // Audio before the start is heard too.
    client
        .send(WsMessage::binary(frame(0).to_le_bytes().to_vec()))
        .await
        .unwrap();
    client.send(WsMessage::text(start)).await.unwrap();
    let link = expected.link(SOON).await.unwrap();
    Channel { client, link }
}

impl Channel {
    async fn text(&mut self) -> String {
        loop {
            match timeout(SOON, self.client.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap()
            {
                WsMessage::Text(text) => return text.to_string(),
                WsMessage::Binary(bytes) => {
                    panic!("{} bytes of audio instead of a command", bytes.len())
                }
                _ => {}
            }
        }
    }

    async fn audio(&mut self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while out.len() < bytes {
            match timeout(SOON, self.client.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap()
            {
                WsMessage::Binary(piece) => {
                    assert!(piece.len() <= chan_websocket::MAX_AUDIO);
                    out.extend_from_slice(&piece);
                }
                other => panic!("{other:?} after {} bytes", out.len()),
            }
        }
        out
    }

    async fn say(&mut self, text: &str) {
        self.client.send(WsMessage::text(text)).await.unwrap();
    }
}

#[tokio::test]
async fn chan_websocket_hears_speaks_stops_and_hangs_up() {
    let hub = hub();
    let mut channel = channel(&hub, START, false).await;
    assert_eq!(next(&mut channel.link.frames).await, frame(0));
    assert_eq!(channel.link.info.channel(), Some("WebSocket/g/0x1"));
    let samples: Vec<i16> = (0..40).flat_map(|n| frame(n).0).collect();
    let sound = Sound::new("prompt", samples.clone());
    let mut speaker = channel.link.speaker.take().unwrap();
    let play = |id| SpeakerOrder::Play {
        id,
        sound: sound.clone(),
        from_ms: 0,
    };

    speaker.orders.send(play(7)).await.unwrap();
    assert_eq!(channel.text().await, "START_MEDIA_BUFFERING");
    let audio = channel.audio(samples.len() * 2).await;
    assert!(
        audio
            .chunks(2)
            .zip(&samples)
            .all(|(b, s)| i16::from_le_bytes([b[0], b[1]]) == *s)
    );
    assert_eq!(channel.text().await, "STOP_MEDIA_BUFFERING 1");
    channel.say("MEDIA_BUFFERING_COMPLETED 1").await;
    assert_eq!(
        speaker.events.recv().await,
        Some(SpeakerEvent::Started { id: 7 })
    );
    let ended = SpeakerEvent::Ended {
        id: 7,
        played_ms: 800,
        whole: true,
    };
    assert_eq!(speaker.events.recv().await, Some(ended));

    speaker.orders.send(play(8)).await.unwrap();
    channel.text().await;
    channel.audio(samples.len() * 2).await;
    channel.text().await;
    for (order, command) in [
        (SpeakerOrder::Pause, "PAUSE_MEDIA"),
        (SpeakerOrder::Resume, "CONTINUE_MEDIA"),
    ] {
        speaker.orders.send(order).await.unwrap();
        assert_eq!(channel.text().await, command);
    }
    speaker.orders.send(SpeakerOrder::Stop).await.unwrap();
    assert_eq!(channel.text().await, "GET_STATUS");
    assert_eq!(channel.text().await, "FLUSH_MEDIA");
    channel
        .say("STATUS channel_id:1 queue_length:30 xon_level:800 xoff_level:900 queue_full:false bulk_media:false media_paused:false")
        .await;
    assert_eq!(
        speaker.events.recv().await,
        Some(SpeakerEvent::Started { id: 8 })
    );
    let ended = SpeakerEvent::Ended {
        id: 8,
        played_ms: 200,
        whole: false,
    };
    assert_eq!(speaker.events.recv().await, Some(ended));

    drop(channel.link);
    assert_eq!(
        timeout(SOON, channel.client.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap(),
        WsMessage::text("HANGUP")
    );
    assert!(matches!(
        channel.client.next().await,
        Some(Ok(WsMessage::Close(_)))
    ));
}

#[tokio::test]
async fn json_and_alaw_are_answered_in_kind() {
    let hub = hub();
    let start = r#"{"event":"MEDIA_START","channel":"WebSocket/g/0x1","format":"alaw","optimal_frame_size":160,"ptime":20}"#;
    let mut channel = channel(&hub, start, true).await;
    next(&mut channel.link.frames).await;
    channel
        .client
        .send(WsMessage::binary(vec![g711::alaw_encode(1_000); 160]))
        .await
        .unwrap();
    assert!((next(&mut channel.link.frames).await.0[5] - 1_000).abs() < 40);
    let speaker = channel.link.speaker.take().unwrap();
    let sound = Sound::new("s", vec![1_000i16; 1_600]);
    speaker
        .orders
        .send(SpeakerOrder::Play {
            id: 1,
            sound,
            from_ms: 0,
        })
        .await
        .unwrap();
    assert_eq!(
        channel.text().await,
        r#"{"command":"START_MEDIA_BUFFERING"}"#
    );
    assert_eq!(
        channel.audio(1_600).await,
        vec![g711::alaw_encode(1_000); 1_600]
    );
    assert_eq!(
        channel.text().await,
        r#"{"command":"STOP_MEDIA_BUFFERING","correlation_id":"1"}"#
    );
}

#[tokio::test]
async fn a_channel_that_cannot_be_used_never_reaches_the_call() {
    let hub = hub();
    for first in [
        START.replace("format:slin", "format:opus"),
        "what?".to_owned(),
    ] {
        let token = Token::fresh();
        let mut expected = hub.expect(token.clone(), MediaKind::ChanWebsocket).unwrap();
        let (mut client, _) = dial(&hub, &chan_websocket::path(&token), None)
            .await
            .unwrap();
        client.send(WsMessage::text(first)).await.unwrap();
        let error = expected.link(SOON).await.unwrap_err().to_string();
        assert_eq!(error, "the chan_websocket stream ended before it was ready");
    }
}

#[tokio::test]
async fn rtp_is_heard_in_order_and_strangers_are_not() {
    let hub = hub();
    let mut expected = hub.expect(Token::fresh(), MediaKind::Rtp).unwrap();
    let address = expected.address();
    let mut link = expected.link(SOON).await.unwrap();
    let asterisk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let alaw = |level: i16| [g711::alaw_encode(level); 160];
    asterisk.send_to(b"not rtp", address).await.unwrap();
    for sequence in [65_534u16, 0, 65_535, 1] {
        let level = (sequence.wrapping_add(2) as i16) * 1_000 + 500;
        asterisk
            .send_to(&rtp::encode(8, sequence, 7, &alaw(level)), address)
            .await
            .unwrap();
        stranger
            .send_to(&rtp::encode(8, sequence, 7, &alaw(-30_000)), address)
            .await
            .unwrap();
    }
    for level in [500i16, 1_500, 2_500, 3_500] {
        let got = next(&mut link.frames).await.0[9];
        assert!((got - level).abs() < 130, "{got} is not {level}");
    }
    // What waits for a lost packet is not kept for ever.
    asterisk
        .send_to(&rtp::encode(8, 3, 7, &alaw(5_500)), address)
        .await
        .unwrap();
    next(&mut link.frames).await;
    // A new stream from the same socket, in another coding, is Asterisk's too.
    let linear: Vec<u8> = 700i16.to_be_bytes().repeat(160);
    asterisk
        .send_to(&rtp::encode(10, 900, 8, &linear), address)
        .await
        .unwrap();
    assert_eq!(next(&mut link.frames).await, Frame([700; 160]));
    assert_eq!((link.info.ignored(), link.info.disordered()), (5, 1));
    link.close();
}

#[tokio::test]
async fn rtp_ports_stay_in_their_range_and_run_out_with_a_reason() {
    // Two neighbouring ports that are free now.
    let mut config = config();
    let hub = loop {
        let probe = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        if port < u16::MAX && std::net::UdpSocket::bind(("127.0.0.1", port + 1)).is_ok() {
            config.rtp_ports = (port, port + 1);
            break MediaHub::bind(&config).unwrap();
        }
    };
    let (first, last) = config.rtp_ports;
    let one = hub.expect(Token::fresh(), MediaKind::Rtp).unwrap();
    let two = hub.expect(Token::fresh(), MediaKind::Rtp).unwrap();
    let mut ports = [one.address().port(), two.address().port()];
    ports.sort_unstable();
    assert_eq!(ports, [first, last]);
    let error = hub
        .expect(Token::fresh(), MediaKind::Rtp)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!(
            "media.rtp_ports: cannot listen on 127.0.0.1:{first}-{last}"
        )),
        "{error}"
    );
    drop(one);
    let freed = async {
        while hub.expect(Token::fresh(), MediaKind::Rtp).is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(SOON, freed).await.unwrap();
}
