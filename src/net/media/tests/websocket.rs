//! WebSocket streams: audiofork masked and unmasked, chan_websocket in both forms, strangers.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{SOON, frame, hub, next, rest};
use crate::audio::{Sound, g711};
use crate::config::MediaKind;
use crate::ident::Token;
use crate::net::media::{LinkEnd, MediaHub, MediaLink};
use crate::net::speaker::{SpeakerEvent, SpeakerOrder};
use crate::wire::{audiofork, chan_websocket};

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
