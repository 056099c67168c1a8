//! The client against a scripted manager over loopback.

use super::*;
use crate::ident::Phone;
use crate::wire::ami::{Banner, EventKind, Packet, PacketDecoder, Target, md5_key};
use crate::wire::app::App;
use crate::wire::dial::DialTemplate;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn config(address: SocketAddr) -> AmiConfig {
    let mut config = AmiConfig::new(address.to_string(), "govorun", Secret::new("secret"));
    config.timing = AmiTiming {
        answer: ms(500),
        boot: ms(200),
        idle: ms(300),
        dead: ms(60),
        backoff: Backoff::new(ms(10), ms(40)),
        refused: ms(100),
    };
    config
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Asterisk's side of one connection.
struct Manager {
    stream: TcpStream,
    decoder: PacketDecoder,
}

impl Manager {
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        Self {
            stream,
            decoder: PacketDecoder::default(),
        }
    }

    /// A connection with the login done.
    async fn logged_in(listener: &TcpListener, started: &str) -> Self {
        let mut manager = Self::accept(listener).await;
        manager.log_in("secret").await;
        manager.introduce(started).await;
        manager
    }

    async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn log_in(&mut self, secret: &str) {
        let banner = Banner {
            version: "5.0.4".to_owned(),
        };
        self.raw(banner.encode().as_bytes()).await;
        let challenge = self.next().await;
        assert_eq!(
            (challenge.name(), challenge.value("AuthType")),
            ("Challenge", Some("MD5"))
        );
        self.answer(
            &challenge,
            &[("Response", "Success"), ("Challenge", "4711")],
        )
        .await;
        let login = self.next().await;
        assert_eq!(
            (login.name(), login.value("Username")),
            ("Login", Some("govorun"))
        );
        if login.value("Key") != Some(&md5_key("4711", &Secret::new(secret))) {
            self.answer(
                &login,
                &[("Response", "Error"), ("Message", "Authentication failed")],
            )
            .await;
            return;
        }
        // Events may come before the answer.
        self.event(&[("Event", "SuccessfulAuth"), ("Service", "AMI")])
            .await;
        self.answer(
            &login,
            &[
                ("Response", "Success"),
                ("Message", "Authentication accepted"),
            ],
        )
        .await;
        self.event(&[("Event", "FullyBooted"), ("Status", "Fully Booted")])
            .await;
    }

    async fn introduce(&mut self, started: &str) {
        let settings = self.next().await;
        assert_eq!(settings.name(), "CoreSettings");
        self.answer(
            &settings,
            &[("Response", "Success"), ("AsteriskVersion", "16.28.0")],
        )
        .await;
        let status = self.next().await;
        assert_eq!(status.name(), "CoreStatus");
        let answer = [
            ("Response", "Success"),
            ("CoreStartupDate", "2026-11-22"),
            ("CoreStartupTime", started),
        ];
        self.answer(&status, &answer).await;
    }

    async fn next(&mut self) -> Packet {
        timeout(SOON, self.read())
            .await
            .unwrap()
            .expect("an action")
    }

    /// The next action; none at the connection's end.
    async fn read(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.decoder.next().unwrap() {
                return Some(packet);
            }
            if self
                .stream
                .read_buf(self.decoder.buffer())
                .await
                .unwrap_or(0)
                == 0
            {
                return None;
            }
        }
    }

    async fn answer(&mut self, action: &Packet, pairs: &[(&str, &str)]) {
        let id = action.action_id().unwrap();
        let mut all = pairs.to_vec();
        all.insert(1, ("ActionID", id));
        self.event(&all).await;
    }

    async fn event(&mut self, pairs: &[(&str, &str)]) {
        let mut bytes = Vec::new();
        Packet::from_pairs(pairs.iter().copied())
            .unwrap()
            .encode_into(&mut bytes);
        self.raw(&bytes).await;
    }
}

fn start(address: SocketAddr) -> (Ami, CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let (ami, task) = Ami::start(config(address), stop.clone());
    (ami, stop, task)
}

/// Client and manager, logged in.
async fn pair() -> (Ami, Manager, TcpListener, CancellationToken) {
    let listener = listener().await;
    let (ami, stop, _) = start(listener.local_addr().unwrap());
    let manager = Manager::logged_in(&listener, "10:00:00").await;
    ami.up(SOON).await.unwrap();
    (ami, manager, listener, stop)
}

async fn down(ami: &Ami, want: impl Fn(&AmiDown) -> bool) -> AmiDown {
    let mut state = ami.state();
    let found = state.wait_for(|state| matches!(state, AmiState::Down { reason } if want(reason)));
    match timeout(SOON, found).await.unwrap().unwrap().clone() {
        AmiState::Down { reason } => reason,
        AmiState::Up(_) => unreachable!(),
    }
}

fn call(id: &ChannelId) -> Originate {
    let channel = DialTemplate::parse("PJSIP/{phone}@trunk")
        .unwrap()
        .dial(&Phone::parse("112").unwrap());
    let app = App::new("AGI")
        .unwrap()
        .arg("agi://127.0.0.1/out/1")
        .unwrap();
    let mut call = Originate::new(channel, Target::App(app));
    call.channel_id = Some(id.clone());
    call
}

#[tokio::test]
async fn a_call_is_placed_and_its_events_come() {
    let (ami, mut manager, _listener, _stop) = pair().await;
    let peer = ami.up(ms(0)).await.unwrap();
    assert_eq!(
        (peer.asterisk_version.as_str(), peer.ami_version.as_str()),
        ("16.28.0", "5.0.4")
    );
    let id = ChannelId::from_asterisk("govorun-1");
    let mut events = ami.subscribe(&id);
    let mut all = ami.events();
    let asterisk = tokio::spawn(async move {
        let originate = manager.next().await;
        assert_eq!(originate.value("ChannelId"), Some("govorun-1"));
        manager
            .event(&[
                ("Event", "Newchannel"),
                ("Uniqueid", "govorun-1"),
                ("ChannelState", "0"),
            ])
            .await;
        manager
            .answer(
                &originate,
                &[
                    ("Response", "Success"),
                    ("Message", "Originate successfully queued"),
                ],
            )
            .await;
        manager
            .event(&[
                ("Event", "Newchannel"),
                ("Uniqueid", "other"),
                ("Linkedid", "other"),
            ])
            .await;
        manager
            .event(&[
                ("Event", "DialEnd"),
                ("DestLinkedid", "govorun-1"),
                ("DialStatus", "BUSY"),
            ])
            .await;
        // Names no channel: the ActionID tells.
        manager
            .answer(
                &originate,
                &[
                    ("Event", "OriginateResponse"),
                    ("Response", "Failure"),
                    ("Uniqueid", "<unknown>"),
                ],
            )
            .await;
        manager
    });
    ami.originate(&call(&id), SOON).await.unwrap();
    let mut names = Vec::new();
    while names.len() < 3 {
        match timeout(SOON, events.next()).await.unwrap() {
            CallEvent::Event(event) => names.push(event.name().to_owned()),
            CallEvent::Link(notice) => panic!("{notice:?}"),
        }
    }
    assert_eq!(names, ["Newchannel", "DialEnd", "OriginateResponse"]);
    for want in ["Newchannel", "Newchannel", "DialEnd", "OriginateResponse"] {
        assert_eq!(all.recv().await.unwrap().name(), want);
    }
    assert!(events.try_next().is_none());
    asterisk.await.unwrap();
}

#[tokio::test]
async fn answers_are_paired_whatever_their_order() {
    let (ami, mut manager, _listener, _stop) = pair().await;
    let asterisk = tokio::spawn(async move {
        let mut actions = Vec::new();
        for _ in 0..50 {
            actions.push(manager.next().await);
        }
        for action in actions.iter().rev() {
            let module = action.value("Module").unwrap().to_owned();
            manager
                .answer(action, &[("Response", "Success"), ("Version", &module)])
                .await;
        }
        manager
    });
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..50 {
        let ami = ami.clone();
        asked.spawn(async move {
            let action = Action::module_check(&number.to_string()).unwrap();
            let response = ami.ask(action, SOON).await.unwrap();
            assert_eq!(response.value("Version"), Some(number.to_string().as_str()));
        });
    }
    while let Some(done) = asked.join_next().await {
        done.unwrap();
    }
    asterisk.await.unwrap();
    assert_eq!(ami.counts().stray, 0);
}

#[tokio::test]
async fn a_list_is_one_answer() {
    let (ami, mut manager, _listener, _stop) = pair().await;
    let id = ChannelId::from_asterisk("1.2");
    let asterisk = tokio::spawn(async move {
        let status = manager.next().await;
        assert_eq!(status.value("Channel"), Some("1.2"));
        manager
            .answer(&status, &[("Response", "Success"), ("EventList", "start")])
            .await;
        manager
            .event(&[("Event", "VarSet"), ("Uniqueid", "1.2")])
            .await;
        manager
            .answer(&status, &[("Event", "Status"), ("Uniqueid", "1.2")])
            .await;
        manager
            .answer(
                &status,
                &[("Event", "StatusComplete"), ("EventList", "Complete")],
            )
            .await;
        let status = manager.next().await;
        manager
            .answer(
                &status,
                &[("Response", "Error"), ("Message", "No such channel")],
            )
            .await;
        let hang_up = manager.next().await;
        manager
            .answer(
                &hang_up,
                &[("Response", "Error"), ("Message", "Permission denied")],
            )
            .await;
        manager
    });
    let response = ami.ask(Action::status(&id).unwrap(), SOON).await.unwrap();
    assert_eq!(response.list.len(), 1);
    assert!(!ami.channel_alive(&id, SOON).await.unwrap());
    let refused = ami.hang_up(&id, 16, SOON).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Asterisk refuses Hangup: Permission denied"
    );
    asterisk.await.unwrap();
}

#[tokio::test]
async fn a_wrong_secret_is_said_and_tried_again_slowly() {
    let listener = listener().await;
    let (ami, _stop, _) = start(listener.local_addr().unwrap());
    let mut manager = Manager::accept(&listener).await;
    manager.log_in("another").await;
    let reason = down(&ami, |reason| matches!(reason, AmiDown::Refused { .. })).await;
    assert!(
        reason
            .to_string()
            .contains("login of \"govorun\": Authentication failed"),
        "{reason}"
    );
    let refused = Instant::now();
    let error = ami.ask(Action::ping(), ms(20)).await.unwrap_err();
    assert!(
        matches!(
            &error,
            AmiError::Down {
                action: "Ping",
                reason: AmiDown::Refused { .. }
            }
        ),
        "{error}"
    );
    assert!(!error.may_have_run());
    // Mended: the next try comes through, but not at once.
    let _manager = Manager::logged_in(&listener, "1").await;
    assert!(refused.elapsed() >= ms(80));
    ami.up(SOON).await.unwrap();
}

#[tokio::test]
async fn what_is_asked_while_it_is_down_waits_for_the_link() {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (ami, _stop, _) = start(address);
    let reason = down(&ami, |reason| matches!(reason, AmiDown::Connect { .. })).await;
    assert!(reason.to_string().contains(&address.to_string()));
    let late = ami.send(Action::ping(), ms(30)).await.unwrap_err();
    assert!(matches!(late, AmiError::Down { .. }));
    let waiting = tokio::spawn({
        let ami = ami.clone();
        async move { ami.send(Action::ping(), SOON).await }
    });
    tokio::time::sleep(ms(30)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let mut manager = Manager::logged_in(&listener, "1").await;
    let ping = manager.next().await;
    manager
        .answer(&ping, &[("Response", "Success"), ("Ping", "Pong")])
        .await;
    assert_eq!(waiting.await.unwrap().unwrap().value("Ping"), Some("Pong"));
}

#[tokio::test]
async fn a_lost_link_tells_what_may_have_run() {
    let (ami, mut manager, listener, _stop) = pair().await;
    let id = ChannelId::from_asterisk("govorun-1");
    let mut events = ami.subscribe(&id);
    let once = tokio::spawn({
        let (ami, call) = (ami.clone(), call(&id));
        async move { ami.originate(&call, SOON).await }
    });
    let again = tokio::spawn({
        let (ami, id) = (ami.clone(), id.clone());
        async move { ami.channel_alive(&id, SOON).await }
    });
    let mut asked = [
        manager.next().await.name().to_owned(),
        manager.next().await.name().to_owned(),
    ];
    asked.sort();
    assert_eq!(asked, ["Originate", "Status"]);
    drop(manager);
    let error = once.await.unwrap().unwrap_err();
    assert_eq!(
        error,
        AmiError::Unknown {
            action: "Originate"
        }
    );
    assert!(error.may_have_run());

    // Asterisk was restarted: the question comes again, the order doesn't.
    let mut manager = Manager::logged_in(&listener, "10:00:09").await;
    let status = manager.next().await;
    assert_eq!(status.name(), "Status");
    manager
        .answer(
            &status,
            &[("Response", "Error"), ("Message", "No such channel")],
        )
        .await;
    assert!(!again.await.unwrap().unwrap());
    let mut notices = Vec::new();
    while let Some(event) = events.try_next() {
        match event {
            CallEvent::Link(notice) => notices.push(notice),
            CallEvent::Event(event) => panic!("{}", event.name()),
        }
    }
    assert_eq!(
        notices,
        [AmiNotice::Lost, AmiNotice::Reconnected { restarted: true }]
    );
    assert_eq!(ami.counts().links, 2);

    // And once more, without a restart.
    drop(manager);
    let _manager = Manager::logged_in(&listener, "10:00:09").await;
    assert!(matches!(
        timeout(SOON, events.next()).await.unwrap(),
        CallEvent::Link(AmiNotice::Lost)
    ));
    assert!(matches!(
        timeout(SOON, events.next()).await.unwrap(),
        CallEvent::Link(AmiNotice::Reconnected { restarted: false })
    ));
}

#[tokio::test]
async fn a_late_answer_is_nobody_elses() {
    let (ami, mut manager, _listener, _stop) = pair().await;
    let asterisk = tokio::spawn(async move {
        let late = manager.next().await;
        let next = manager.next().await;
        manager
            .answer(&late, &[("Response", "Error"), ("Message", "late")])
            .await;
        manager
            .answer(&next, &[("Response", "Success"), ("Message", "mine")])
            .await;
        manager
    });
    let error = ami.send(Action::core_status(), ms(30)).await.unwrap_err();
    assert_eq!(
        error,
        AmiError::NoAnswer {
            action: "CoreStatus"
        }
    );
    assert_eq!(
        ami.send(Action::ping(), SOON).await.unwrap().message(),
        "mine"
    );
    asterisk.await.unwrap();
}

#[tokio::test]
async fn silence_is_pinged_and_then_the_end() {
    let (ami, mut manager, _listener, _stop) = pair().await;
    for _ in 0..2 {
        let ping = manager.next().await;
        assert_eq!(ping.name(), "Ping");
        manager
            .answer(&ping, &[("Response", "Success"), ("Ping", "Pong")])
            .await;
    }
    assert_eq!(manager.next().await.name(), "Ping");
    let reason = down(&ami, |reason| matches!(reason, AmiDown::Silent(_))).await;
    assert_eq!(reason.to_string(), "no answer to a ping in time");
    assert_eq!(ami.counts().stray, 0);
}

#[tokio::test]
async fn strangers_silence_and_floods_are_told_and_outlived() {
    let listener = listener().await;
    let (ami, _stop, _) = start(listener.local_addr().unwrap());
    let mut ssh = Manager::accept(&listener).await;
    ssh.raw(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    let reason = down(&ami, |reason| matches!(reason, AmiDown::Protocol(_))).await;
    assert!(
        reason.to_string().contains("SSH-2.0") && reason.to_string().contains("manager's port"),
        "{reason}"
    );

    let _silent = Manager::accept(&listener).await;
    down(&ami, |reason| *reason == AmiDown::Silent("banner")).await;

    let mut mute = Manager::accept(&listener).await;
    mute.raw(b"Asterisk Call Manager/5.0.4\r\n").await;
    down(&ami, |reason| {
        *reason == AmiDown::Silent("answer to the login")
    })
    .await;

    let mut flood = Manager::logged_in(&listener, "1").await;
    ami.up(SOON).await.unwrap();
    let _ = flood.stream.write_all(&vec![b'x'; 100_000]).await;
    let reason = down(&ami, |reason| matches!(reason, AmiDown::Protocol(_))).await;
    assert!(reason.to_string().contains("65536"), "{reason}");

    let _manager = Manager::logged_in(&listener, "1").await;
    ami.up(SOON).await.unwrap();
}

#[tokio::test]
async fn an_account_without_system_comes_up_too() {
    let listener = listener().await;
    let (ami, _stop, _) = start(listener.local_addr().unwrap());
    let mut manager = Manager::accept(&listener).await;
    manager.raw(b"Asterisk Call Manager/11.0.0\r\n").await;
    let challenge = manager.next().await;
    manager
        .answer(&challenge, &[("Response", "Success"), ("Challenge", "1")])
        .await;
    let login = manager.next().await;
    manager.answer(&login, &[("Response", "Success")]).await;
    for _ in 0..2 {
        let question = manager.next().await;
        manager
            .answer(
                &question,
                &[("Response", "Error"), ("Message", "Permission denied")],
            )
            .await;
    }
    assert_eq!(ami.up(SOON).await.unwrap().asterisk_version, "");
}

#[tokio::test]
async fn it_logs_off_and_answers_whoever_still_asks() {
    let listener = listener().await;
    let (ami, stop, task) = start(listener.local_addr().unwrap());
    let mut manager = Manager::logged_in(&listener, "1").await;
    ami.up(SOON).await.unwrap();
    let asking = tokio::spawn({
        let ami = ami.clone();
        async move { ami.ask(Action::ping(), SOON).await }
    });
    assert_eq!(manager.next().await.name(), "Ping");
    stop.cancel();
    assert_eq!(manager.next().await.name(), "Logoff");
    manager.raw(b"Response: Goodbye\r\n\r\n").await;
    drop(manager);
    timeout(SOON, task).await.unwrap().unwrap();
    let stopped = |error| {
        matches!(
            error,
            AmiError::Down {
                reason: AmiDown::Stopped,
                ..
            }
        )
    };
    assert!(stopped(asking.await.unwrap().unwrap_err()));
    assert!(stopped(ami.send(Action::ping(), SOON).await.unwrap_err()));
    assert_eq!(ami.up(SOON).await, Err(AmiDown::Stopped));
}

#[tokio::test]
async fn packets_cut_anywhere_are_read() {
    let (ami, mut manager, _listener, _stop) = pair().await;
    let mut events = ami.subscribe(&ChannelId::from_asterisk("1"));
    for byte in b"Event: DTMFEnd\r\nUniqueid: 1\r\nDigit: 7\r\nDirection: Received\r\nDurationMs: 80\r\n\r\n" {
        manager.raw(&[*byte]).await;
    }
    match timeout(SOON, events.next()).await.unwrap() {
        CallEvent::Event(event) => assert!(matches!(
            event.kind(),
            EventKind::DtmfEnd {
                digit: '7',
                duration_ms: 80,
                ..
            }
        )),
        CallEvent::Link(notice) => panic!("{notice:?}"),
    }
}
