//! The double, tried over real sockets by our own client and server: each side of the wire by what it tells the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::audio::wav;
use crate::ident::{ChannelId, Phone, Token};
use crate::wire::agi::{Answer, Command, ControlStream, Environment, Line, VariableName};
use crate::wire::ami::{
    Action, Challenge, Control, Originate, Packet, PacketDecoder, Response, Target,
};
use crate::wire::app::App;
use crate::wire::audiosocket::{self, Message};
use crate::wire::dial::{DialString, DialTemplate, RtpCodec};

const SECOND: Duration = Duration::from_secs(1);

/// An AMI client without any cleverness.
struct Manager {
    stream: TcpStream,
    decoder: PacketDecoder,
    events: Vec<Packet>,
}

impl Manager {
    async fn connect(asterisk: &FakeAsterisk) -> Self {
        let stream = TcpStream::connect(asterisk.ami_addr()).await.unwrap();
        let decoder = PacketDecoder::default();
        let events = Vec::new();
        let mut manager = Self {
            stream,
            decoder,
            events,
        };
        while manager.decoder.banner().unwrap().is_none() {
            manager
                .stream
                .read_buf(manager.decoder.buffer())
                .await
                .unwrap();
        }
        manager
    }

    async fn log_in(asterisk: &FakeAsterisk) -> Self {
        let mut manager = Self::connect(asterisk).await;
        assert!(manager.enter("secret").await.is_success());
        manager
    }

    async fn enter(&mut self, secret: &str) -> Response {
        let challenge = self.ask(&Action::challenge()).await;
        let challenge = Challenge::from_response(&challenge).unwrap();
        let login = Action::login("govorun", &Secret::new(secret), &challenge, "on").unwrap();
        self.ask(&login).await
    }

    async fn packet(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.decoder.next().unwrap() {
                return Some(packet);
            }
            let read = self.stream.read_buf(self.decoder.buffer());
            if !matches!(
                timeout(5 * SECOND, read).await.expect("Asterisk speaks"),
                Ok(1..)
            ) {
                return None;
            }
        }
    }

    async fn ask(&mut self, action: &Action) -> Response {
        let mut bytes = Vec::new();
        action.encode_into("t1", &mut bytes);
        self.stream.write_all(&bytes).await.unwrap();
        loop {
            let packet = self.packet().await.unwrap();
            if packet.name() != "OriginateResponse"
                && packet.pairs().next().unwrap().0 == "Response"
            {
                return Response::new(packet);
            }
            self.events.push(packet);
        }
    }

    /// Takes events until one of that name for that channel came.
    async fn event(&mut self, name: &str, channel: &str) -> Packet {
        let fits = |packet: &Packet| {
            let id = packet
                .value("Uniqueid")
                .or_else(|| packet.value("DestUniqueid"));
            packet.name() == name && id == Some(channel)
        };
        loop {
            if let Some(at) = self.events.iter().position(fits) {
                return self.events.remove(at);
            }
            let packet = self.packet().await.unwrap();
            self.events.push(packet);
        }
    }
}

/// A FastAGI server for one call.
struct Agi {
    stream: TcpStream,
    environment: Environment,
    buffer: Vec<u8>,
}

impl Agi {
    async fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = timeout(5 * SECOND, listener.accept())
            .await
            .unwrap()
            .unwrap();
        let mut buffer = Vec::new();
        let (environment, used) = loop {
            stream.read_buf(&mut buffer).await.unwrap();
            if let Some(found) = Environment::decode(&buffer).unwrap() {
                break found;
            }
        };
        buffer.drain(..used);
        Self {
            stream,
            environment,
            buffer,
        }
    }

    async fn send(&mut self, command: &Command) {
        self.stream.write_all(command.as_bytes()).await.unwrap();
    }

    /// The next line; nothing when the connection is over.
    async fn line(&mut self) -> Option<Line> {
        loop {
            if let Some((line, used)) = Line::decode(&self.buffer).unwrap() {
                self.buffer.drain(..used);
                return Some(line);
            }
            let read = timeout(5 * SECOND, self.stream.read_buf(&mut self.buffer)).await;
            if !matches!(read.expect("Asterisk answers"), Ok(1..)) {
                return None;
            }
        }
    }

    async fn ask(&mut self, command: &Command) -> Answer {
        self.send(command).await;
        match self.line().await {
            Some(Line::Answer(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }
}

fn tone(ms: u64) -> Sound {
    let samples: Vec<i16> = (0..ms * 8)
        .map(|n| if n % 20 < 10 { 8_000 } else { -8_000 })
        .collect();
    Sound::new(format!("tone{ms}"), samples)
}

fn play(file: &str) -> Command {
    Command::control_stream_file(&ControlStream {
        file,
        ..ControlStream::default()
    })
    .unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn originate(phone: &str, id: &str, agi: SocketAddr) -> Action {
    let dial = DialTemplate::parse("PJSIP/{phone}@trunk")
        .unwrap()
        .dial(&Phone::parse(phone).unwrap());
    let app = App::new("AGI")
        .unwrap()
        .arg(&format!("agi://{agi}/out/token"))
        .unwrap();
    let mut call = Originate::new(dial, Target::App(app));
    call.channel_id = Some(ChannelId::from_asterisk(id));
    call.timeout_ms = Some(150);
    call.variables = vec![(VariableName::new("WHO").unwrap(), "a,b".to_owned())];
    call.action().unwrap()
}

/// A call that is answered, with its AGI.
async fn talking(
    far_end: FarEnd,
    options: impl FnOnce(Options) -> Options,
) -> (FakeAsterisk, Manager, Agi) {
    let asterisk = FakeAsterisk::start(options(Options::new(move |_| far_end.clone())))
        .await
        .unwrap();
    let mut manager = Manager::log_in(&asterisk).await;
    let (listener, address) = listener().await;
    assert!(
        manager
            .ask(&originate("79001234567", "c1", address))
            .await
            .is_success()
    );
    let agi = Agi::accept(&listener).await;
    (asterisk, manager, agi)
}

#[tokio::test]
async fn logins_are_checked() {
    let asterisk = FakeAsterisk::start(Options::new(|_| FarEnd::busy()))
        .await
        .unwrap();
    let mut stranger = Manager::connect(&asterisk).await;
    assert!(!stranger.ask(&Action::ping()).await.is_success());
    let mut wrong = Manager::connect(&asterisk).await;
    assert_eq!(
        wrong.enter("guess").await.message(),
        "Authentication failed"
    );
    assert!(wrong.packet().await.is_none(), "and closed");
    let mut good = Manager::log_in(&asterisk).await;
    assert_eq!(good.packet().await.unwrap().name(), "FullyBooted");
    let version = good.ask(&Action::core_settings()).await;
    assert_eq!(version.value("AsteriskVersion"), Some("22.10.1"));
    assert!(
        good.ask(&Action::module_check("chan_websocket").unwrap())
            .await
            .is_success()
    );
    assert!(
        !good
            .ask(&Action::module_check("app_audiofork").unwrap())
            .await
            .is_success()
    );
}

#[tokio::test]
async fn calls_fail_as_asterisk_tells_it() {
    let directory = |number: &str| match number {
        "71" => FarEnd::busy(),
        "72" => FarEnd::rings(),
        "73" => FarEnd::fails(Refusal::Congestion),
        "74" => FarEnd::fails(Refusal::Unallocated),
        _ => FarEnd::announces(&tone(60)),
    };
    let asterisk = FakeAsterisk::start(Options::new(directory)).await.unwrap();
    let mut manager = Manager::log_in(&asterisk).await;
    let (_, nowhere) = listener().await;
    for (number, status, cause, reason) in [
        ("71", Some("BUSY"), "17", "0"),
        ("72", None, "19", "3"),
        ("73", Some("CONGESTION"), "34", "0"),
        ("74", Some("NOANSWER"), "1", "0"),
        ("75", Some("NOANSWER"), "19", "0"),
    ] {
        let id = format!("c{number}");
        manager.ask(&originate(number, &id, nowhere)).await;
        manager.event("Newchannel", &id).await;
        assert_eq!(
            manager.event("Hangup", &id).await.value("Cause"),
            Some(cause),
            "{number}"
        );
        let told = manager.event("OriginateResponse", &id).await;
        assert_eq!(
            (told.value("Response"), told.value("Reason")),
            (Some("Failure"), Some(reason))
        );
        if let Some(status) = status {
            assert_eq!(
                manager.event("DialEnd", &id).await.value("DialStatus"),
                Some(status)
            );
        }
    }
    assert_eq!(asterisk.calls().len(), 5);
    assert!(
        asterisk
            .calls()
            .iter()
            .all(|call| !call.answered && call.end.is_some())
    );
    assert!(asterisk.channels().is_empty());
}

#[tokio::test]
async fn a_prompt_is_paused_resumed_and_stopped_at_the_right_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hello.wav"),
        wav::encode(&tone(3_000).samples),
    )
    .unwrap();
    let sounds = folder.path().to_owned();
    let far_end = FarEnd::answers_after(0)
        .until_prompt_starts()
        .until_prompt_ends()
        .hang_up();
    let (asterisk, mut manager, mut agi) = talking(far_end, |options| Options {
        sounds: Some(sounds),
        ..options
    })
    .await;
    assert_eq!(agi.environment.unique_id(), "c1");
    assert_eq!(agi.environment.script().path, ["out", "token"]);
    let name = VariableName::new("WHO").unwrap();
    assert_eq!(
        agi.ask(&Command::variable(&name).unwrap()).await.value(),
        Some("a,b")
    );
    assert_eq!(agi.ask(&play("nobody")).await, Answer::with_endpos(-1, 0));

    let channel = ChannelId::from_asterisk("c1");
    agi.send(&play("hello")).await;
    assert!(asterisk.prompt_heard("hello").await.unwrap().how.is_none());
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 0..2 {
        manager
            .ask(&Action::control_playback(&channel, Control::Pause).unwrap())
            .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    manager
        .ask(&Action::control_playback(&channel, Control::Stop).unwrap())
        .await;
    let Some(Line::Answer(answer)) = agi.line().await else {
        panic!("an answer")
    };
    let heard = answer.endpos().unwrap();
    assert!(
        (390..520).contains(&heard),
        "{heard} ms: the pause doesn't count"
    );

    // The person hangs up once the prompt is over.
    assert_eq!(agi.line().await, Some(Line::HangUp));
    assert_eq!(agi.ask(&play("hello")).await, Answer::Dead);
    assert_eq!(agi.ask(&Command::noop()).await, Answer::done(0));
    drop(agi);
    let gone = manager.event("Hangup", "c1").await;
    assert_eq!(gone.value("Cause"), Some("16"));
    let call = asterisk.call_that(|call| call.end.is_some()).await.unwrap();
    assert_eq!(call.end, Some((16, HungUpBy::Person)));
    assert_eq!(call.prompts[0].how, Some(PromptEnd::Stopped));
}

#[tokio::test]
async fn keys_are_events_and_end_prompts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("menu.wav"),
        wav::encode(&tone(2_000).samples),
    )
    .unwrap();
    let sounds = folder.path().to_owned();
    let far_end = FarEnd::answers().until_prompt_starts().wait(50).digit('2');
    let (_asterisk, mut manager, mut agi) = talking(far_end, |options| Options {
        sounds: Some(sounds),
        ..options
    })
    .await;
    let menu = ControlStream {
        file: "menu",
        escape_digits: "12#",
        ..ControlStream::default()
    };
    let answer = agi.ask(&Command::control_stream_file(&menu).unwrap()).await;
    assert_eq!(answer.result(), Some(50));
    let key = manager.event("DTMFEnd", "c1").await;
    assert_eq!(
        (key.value("Digit"), key.value("Direction")),
        (Some("2"), Some("Received"))
    );
    manager.event("AGIExecEnd", "c1").await;
}

/// Reads audio until so many frames that aren't silent came; gives them and the UUID.
async fn frames_of(stream: &mut TcpStream, wanted: usize) -> (Token, Vec<Vec<u8>>) {
    let (mut buffer, mut token, mut frames) = (Vec::new(), None, Vec::new());
    while frames.len() < wanted {
        assert!(
            timeout(5 * SECOND, stream.read_buf(&mut buffer))
                .await
                .unwrap()
                .unwrap()
                > 0
        );
        while let Some((message, used)) = audiosocket::decode(&buffer).unwrap() {
            match message {
                Message::Uuid(bytes) => token = Some(Token::from_bytes(bytes)),
                Message::Audio { samples, .. } if meter::peak(samples) > 0 => {
                    frames.push(samples.to_vec());
                }
                _ => {}
            }
            buffer.drain(..used);
        }
    }
    (token.unwrap(), frames)
}

fn spy(channel: DialString, on: &str) -> Action {
    let app = App::new("ChanSpy")
        .unwrap()
        .arg(on)
        .unwrap()
        .arg("uqoSE")
        .unwrap();
    let mut tap = Originate::new(channel, Target::App(app));
    tap.channel_id = Some(ChannelId::from_asterisk("tap"));
    tap.action().unwrap()
}

#[tokio::test]
async fn a_tap_hears_the_person_and_ends_with_the_call() {
    let far_end = FarEnd::answers_after(0)
        .wait(100)
        .say(&tone(200))
        .wait(100)
        .hang_up();
    let (asterisk, mut manager, agi) = talking(far_end, |options| options).await;
    let (media, address) = listener().await;
    let token = Token::fresh();
    manager
        .ask(&spy(DialString::audio_socket(address, &token), "c1"))
        .await;
    let (mut stream, _) = media.accept().await.unwrap();
    let (told, frames) = frames_of(&mut stream, 10).await;
    assert_eq!(told, token);
    assert_eq!(
        frames[0],
        tone(20)
            .samples
            .iter()
            .flat_map(|s| s.to_le_bytes())
            .collect::<Vec<_>>()
    );
    drop(agi);
    manager.event("Hangup", "tap").await;
    let call = asterisk.call_that(|call| call.end.is_some()).await.unwrap();
    assert_eq!(call.media, ["audiosocket_tap"]);
    // A spy on nothing ends at once.
    manager
        .ask(&spy(DialString::audio_socket(address, &token), "c1"))
        .await;
    manager.event("Hangup", "tap").await;
}

#[tokio::test]
async fn rtp_comes_in_order_and_in_the_codec_that_was_asked_for() {
    let far_end = FarEnd::answers_after(0).wait(100).say(&tone(200));
    let (_asterisk, mut manager, _agi) = talking(far_end, |options| options.version_16()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    manager
        .ask(&spy(DialString::unicast_rtp(at, RtpCodec::Alaw), "c1"))
        .await;
    let mut bytes = [0; 2048];
    let mut last: Option<u16> = None;
    for _ in 0..12 {
        let length = timeout(5 * SECOND, socket.recv(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        let packet = crate::wire::rtp::decode(&bytes[..length]).unwrap();
        assert_eq!(
            (packet.coding, packet.payload.len()),
            (crate::wire::rtp::Coding::ALaw, 160)
        );
        assert!(last.is_none_or(|last| packet.sequence == last.wrapping_add(1)));
        last = Some(packet.sequence);
    }
    // Debian's 16 has no AudioSocket.
    let token = Token::fresh();
    manager
        .ask(&spy(DialString::audio_socket(at, &token), "c1"))
        .await;
    let refused = manager.event("OriginateResponse", "tap").await;
    assert_eq!(
        refused.value("Response"),
        Some("Success"),
        "the first tap's"
    );
    let refused = manager.event("OriginateResponse", "tap").await;
    assert_eq!(refused.value("Response"), Some("Failure"));
}

#[tokio::test]
async fn audiosocket_goes_both_ways_and_agi_goes_on_after_it() {
    let far_end = FarEnd::answers_after(0)
        .until_prompt_starts()
        .digit('5')
        .until_prompt_ends()
        .say(&tone(100));
    let (asterisk, _manager, mut agi) = talking(far_end, |options| options).await;
    let (media, address) = listener().await;
    let token = Token::fresh();
    let app = App::new("AudioSocket")
        .unwrap()
        .arg(&token.as_uuid())
        .unwrap()
        .arg(&address.to_string())
        .unwrap();
    agi.send(&Command::exec(&app).unwrap()).await;
    let (mut stream, _) = media.accept().await.unwrap();
    let mut bytes = Vec::new();
    for frame in tone(200).samples.chunks(160) {
        let samples: Vec<u8> = frame.iter().flat_map(|s| s.to_le_bytes()).collect();
        bytes.clear();
        audiosocket::encode(
            Message::Audio {
                rate: 8_000,
                samples: &samples,
            },
            &mut bytes,
        );
        stream.write_all(&bytes).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The person speaks once we are silent.
    let (told, _) = frames_of(&mut stream, 5).await;
    assert_eq!(told, token);
    stream.write_all(&audiosocket::HANGUP).await.unwrap();
    assert_eq!(agi.line().await, Some(Line::Answer(Answer::done(0))));
    assert_eq!(agi.ask(&Command::channel_status()).await.result(), Some(6));
    let call = asterisk.calls().remove(0);
    assert_eq!((call.digits.as_str(), call.media[0]), ("5", "audiosocket"));
    let prompt = &call.prompts[0];
    assert!((180..=320).contains(&prompt.played_ms), "{prompt:?}");
}

#[tokio::test]
async fn a_transfer_tells_how_it_went() {
    let directory = |number: &str| match number {
        "79001234567" => FarEnd::answers_after(0),
        "100" => FarEnd::answers_after(20).wait(50).hang_up(),
        _ => FarEnd::busy(),
    };
    let asterisk = FakeAsterisk::start(Options::new(directory)).await.unwrap();
    let mut manager = Manager::log_in(&asterisk).await;
    let (listener, address) = listener().await;
    manager.ask(&originate("79001234567", "c1", address)).await;
    let mut agi = Agi::accept(&listener).await;
    for (number, status) in [("100", "ANSWER"), ("101", "BUSY")] {
        let app = App::new("Dial")
            .unwrap()
            .arg(&format!("PJSIP/{number}@trunk"))
            .unwrap();
        let app = app.arg("5").unwrap().arg("g").unwrap();
        assert_eq!(
            agi.ask(&Command::exec(&app).unwrap()).await,
            Answer::done(0)
        );
        let name = VariableName::new("DIALSTATUS").unwrap();
        assert_eq!(
            agi.ask(&Command::variable(&name).unwrap()).await.value(),
            Some(status)
        );
    }
    assert_eq!(asterisk.calls().len(), 1, "a second leg is no call");
    assert_eq!(
        agi.ask(&Command::exec(&App::new("Nonsense").unwrap()).unwrap())
            .await
            .result(),
        Some(-2)
    );
}

#[tokio::test]
async fn a_call_comes_in() {
    let asterisk = FakeAsterisk::start(Options::new(|_| FarEnd::busy()))
        .await
        .unwrap();
    let (listener, address) = listener().await;
    let id = asterisk.incoming(
        &format!("agi://{address}/inbound?a=b"),
        Incoming::default(),
        FarEnd::default().digit('1'),
    );
    let mut agi = Agi::accept(&listener).await;
    assert_eq!(agi.environment.unique_id(), id);
    assert_eq!(agi.environment.caller_id(), Some("79001234567"));
    assert_eq!(agi.environment.dialed(), Some("74950000000"));
    assert_eq!(agi.ask(&Command::channel_status()).await.result(), Some(4));
    assert_eq!(agi.ask(&Command::answer()).await, Answer::done(0));
    assert_eq!(
        asterisk
            .call_that(|call| call.digits == "1")
            .await
            .unwrap()
            .channel,
        id
    );
    assert_eq!(agi.ask(&Command::hang_up()).await, Answer::done(1));
    assert_eq!(agi.line().await, Some(Line::HangUp));
    drop(agi);
    let call = asterisk.call_that(|call| call.end.is_some()).await.unwrap();
    assert_eq!(call.end, Some((0, HungUpBy::Us)));
}

#[tokio::test]
async fn everything_can_break() {
    let (asterisk, mut manager, mut agi) =
        talking(FarEnd::answers_after(0), |options| options).await;
    asterisk.delay_answers(Duration::from_millis(100));
    let asked = std::time::Instant::now();
    assert!(manager.ask(&Action::ping()).await.is_success());
    assert!(asked.elapsed() >= Duration::from_millis(100));
    asterisk.delay_answers(Duration::ZERO);

    asterisk.agi_garbage("c1", b"what?\n");
    agi.send(&Command::noop()).await;
    let mut bytes = [0; 6];
    agi.stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"what?\n");

    asterisk.drop_ami();
    while manager.packet().await.is_some() {}
    assert_eq!(asterisk.channels(), ["c1"], "calls live without AMI");
    asterisk.refuse_logins(true);
    let mut refused = Manager::connect(&asterisk).await;
    assert!(!refused.enter("secret").await.is_success());
    asterisk.refuse_logins(false);

    let down = asterisk.restart(Duration::from_millis(100));
    let check = async {
        assert!(agi.line().await.is_none(), "all its connections are gone");
        assert!(TcpStream::connect(asterisk.ami_addr()).await.is_err());
    };
    tokio::join!(down, check);
    assert!(asterisk.channels().is_empty());
    let back = async {
        while TcpStream::connect(asterisk.ami_addr()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(2 * SECOND, back).await.unwrap();
    Manager::log_in(&asterisk).await;
}

#[tokio::test]
async fn it_ends_with_its_owner() {
    let (asterisk, mut manager, mut agi) =
        talking(FarEnd::answers_after(0), |options| options).await;
    let world = Arc::downgrade(&asterisk.world);
    drop(asterisk);
    assert!(agi.line().await.is_none());
    while manager.packet().await.is_some() {}
    let gone = async {
        while world.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(2 * SECOND, gone).await.expect("no task keeps it");
}
