//! The media servers against real bytes on loopback, as Asterisk and as strangers send them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::audio::{Frame, Sound, g711};
use crate::config::{Config, MediaConfig, MediaKind};
use crate::ident::Token;
use crate::net::speaker::{SpeakerEvent, SpeakerOrder};
use crate::wire::audiosocket::{self, Message};
use crate::wire::rtp;

mod websocket;

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

async fn next(frames: &mut FrameReceiver) -> Frame {
    timeout(SOON, frames.recv()).await.unwrap().unwrap()
}

/// Reads until the server closes.
async fn rest(peer: &mut TcpStream) -> Vec<u8> {
    let mut out = Vec::new();
    // A reset is a close as well.
    let _ = timeout(SOON, peer.read_to_end(&mut out)).await.unwrap();
    out
}

/// Asterisk's application ends after 2 s without audio either way, so silence is sent while nothing plays. A tap sends nothing.
#[tokio::test(start_paused = true)]
async fn a_quiet_application_is_kept_alive() {
    let hub = hub();
    let (mut peer, link) = audiosocket(&hub, MediaKind::Audiosocket).await;
    let mut message = vec![0; audiosocket::AUDIO_MESSAGE];
    for _ in 0..6 {
        let asked = tokio::time::Instant::now();
        timeout(Duration::from_secs(2), peer.read_exact(&mut message))
            .await
            .expect("within 2 s")
            .unwrap();
        assert_eq!(message, audio_message(&Frame::SILENCE));
        assert!(asked.elapsed() < Duration::from_millis(600));
    }
    drop(link);
    let (mut peer, _link) = audiosocket(&hub, MediaKind::AudiosocketTap).await;
    let silent = timeout(Duration::from_secs(3), peer.read_exact(&mut message)).await;
    assert!(silent.is_err(), "a tap only hears");
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
    assert_eq!(hub.counts().overflowed, 10);
    for n in 0..500 {
        assert_eq!(link.frames.try_recv(), Some(frame(n)));
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
    let counted = async {
        while hub.counts().disordered != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, counted).await.unwrap();
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
