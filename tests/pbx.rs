//! The AGI server and the AMI client against a real Asterisk 16 and 22 (see tests/lab/README.md). Where the lab can't
//! be set up, it says so on stderr and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use govorun::ident::{ChannelId, Phone, Secret};
use govorun::net::agi::{self, AgiConnection, AgiLimits, AgiStats, Gone};
use govorun::net::ami::{Ami, AmiConfig, AmiDown, AmiError, AmiNotice, CallEvent, Subscription};
use govorun::wire::agi::{Answer, Command, ControlStream, VariableName};
use govorun::wire::ami::{Action, Control, DialStatus, Direction, EventKind, Originate, Target};
use govorun::wire::app::App;
use govorun::wire::dial::{CallerId, DialTemplate};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(10);

/// One Asterisk of the lab with our server and client beside it.
struct Lab {
    env: HashMap<String, String>,
    folder: tempfile::TempDir,
    version: &'static str,
    base: u16,
    ami: Ami,
    agi: String,
    calls: mpsc::Receiver<AgiConnection>,
    stop: CancellationToken,
}

fn script(name: &str, args: &[&str]) -> i32 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lab")
        .join(name);
    let done = Process::new(path).args(args).status().unwrap();
    done.code().unwrap_or(1)
}

impl Lab {
    async fn start(version: &'static str, base: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        match script("up.sh", &[version, &base.to_string(), dir]) {
            0 => {}
            77 => {
                eprintln!("SKIPPED: no Asterisk {version} in the lab");
                return None;
            }
            code => panic!("up.sh ended with {code}"),
        }
        let env: HashMap<String, String> = std::fs::read_to_string(folder.path().join("lab.env"))
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let listener = agi::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, calls) = mpsc::channel(10);
        let stop = CancellationToken::new();
        let handler = move |call| {
            let sender = sender.clone();
            async move {
                let _ = sender.send(call).await;
            }
        };
        let stats = Arc::new(AgiStats::default());
        tokio::spawn(agi::serve(
            listener,
            AgiLimits::default(),
            stats,
            stop.clone(),
            handler,
        ));
        let secret = Secret::new(env["LAB_AMI_SECRET"].as_str());
        let mut config = AmiConfig::new(format!("127.0.0.1:{base}"), &env["LAB_AMI_USER"], secret);
        config.filters = vec!["!Event: RTCP.*".to_owned()];
        let (ami, _) = Ami::start(config, stop.clone());
        let peer = ami.up(SOON).await.unwrap();
        eprintln!("{peer:?}");
        assert!(peer.asterisk_version.starts_with(version), "{peer:?}");
        assert!(!peer.started.is_empty());
        Some(Self {
            env,
            folder,
            version,
            base,
            ami,
            agi: format!("agi://{address}"),
            calls,
            stop,
        })
    }

    fn call(&self, number: &str) -> Originate {
        let template = DialTemplate::parse("Local/{digits}@phones/n").unwrap();
        let app = App::new("AGI")
            .unwrap()
            .arg(&format!("{}/out/00ff?x=%D0%B4", self.agi))
            .unwrap();
        let mut call = Originate::new(
            template.dial(&Phone::parse(number).unwrap()),
            Target::App(app),
        );
        call.channel_id = Some(ChannelId::fresh());
        call.other_channel_id = Some(ChannelId::fresh());
        call.timeout_ms = Some(20_000);
        call
    }

    async fn answered(&mut self, call: &Originate) -> (AgiConnection, Subscription) {
        let events = self.ami.subscribe(call.channel_id.as_ref().unwrap());
        self.ami.originate(call, SOON).await.unwrap();
        let agi = timeout(SOON, self.calls.recv()).await.unwrap().unwrap();
        (agi, events)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.cancel();
        script("down.sh", &[self.folder.path().to_str().unwrap()]);
    }
}

/// The first event of which `pick` makes something.
async fn find<T>(
    events: &mut Subscription,
    pick: impl Fn(&govorun::wire::ami::Event) -> Option<T>,
) -> T {
    let search = async {
        loop {
            if let CallEvent::Event(event) = events.next().await
                && let Some(found) = pick(&event)
            {
                return found;
            }
        }
    };
    timeout(SOON, search).await.expect("the event comes")
}

async fn on(version: &'static str, base: u16) {
    let Some(mut lab) = Lab::start(version, base).await else {
        return;
    };
    a_conversation(&mut lab).await;
    digits_and_hang_up(&mut lab).await;
    failures(&lab).await;
    questions(&lab).await;
    gone_and_back(&mut lab).await;
}

/// Texts arrive as they are, a prompt is held and stopped, a hang-up is noticed.
async fn a_conversation(lab: &mut Lab) {
    let tricky = r#"a,b=c "quoted" \ back (open [x ${EXTEN} 'да' & | ; =, B=2"#;
    let name = VariableName::new("GOVORUN_TEXT").unwrap();
    let mut call = lab.call("89190000001");
    call.variables = vec![
        (name.clone(), tricky.to_owned()),
        (VariableName::new("__GOVORUN_TWO").unwrap(), "2".to_owned()),
    ];
    call.caller_id = Some(CallerId::new("Клиника \"Рога\"", "74951234567").unwrap());
    let id = call.channel_id.clone().unwrap();
    let (mut agi, mut events) = lab.answered(&call).await;
    let env = agi.environment();
    assert_eq!(env.unique_id(), id.as_str());
    assert_eq!(env.script().path, ["out", "00ff"]);
    assert_eq!(env.script().query("x"), Some("д"));
    assert_eq!(env.value("accountcode"), Some(""));

    let ask = |name: &VariableName| Command::variable(name).unwrap();
    assert_eq!(
        agi.execute(ask(&name)).await.unwrap().value(),
        Some(tricky),
        "by Originate"
    );
    let two = VariableName::new("GOVORUN_TWO").unwrap();
    assert_eq!(agi.execute(ask(&two)).await.unwrap().value(), Some("2"));
    let injected = VariableName::new("B").unwrap();
    assert_eq!(agi.execute(ask(&injected)).await.unwrap(), Answer::done(0));

    let set = Command::set_variable(&name, tricky).unwrap();
    assert_eq!(agi.execute(set).await.unwrap(), Answer::done(1));
    assert_eq!(
        agi.execute(ask(&name)).await.unwrap().value(),
        Some(tricky),
        "by AGI"
    );
    lab.ami
        .order(Action::set_variable(&id, &name, tricky).unwrap(), SOON)
        .await
        .unwrap();
    assert_eq!(
        agi.execute(ask(&name)).await.unwrap().value(),
        Some(tricky),
        "by AMI"
    );
    let state = VariableName::new("CHANNEL(state)").unwrap();
    let full = agi
        .execute(Command::full_variable(&state).unwrap())
        .await
        .unwrap();
    assert_eq!(full.value(), Some("Up"));
    assert_eq!(
        agi.execute(Command::channel_status())
            .await
            .unwrap()
            .result(),
        Some(6)
    );

    // The longest line, and forms of answers.
    // All of it is stored; GET VARIABLE shows 1,023 bytes at most, GET FULL VARIABLE more.
    let long = "ж".repeat(1000);
    agi.execute(Command::set_variable(&name, &long).unwrap())
        .await
        .unwrap();
    let short = agi.execute(ask(&name)).await.unwrap();
    let full = agi
        .execute(Command::full_variable(&name).unwrap())
        .await
        .unwrap();
    eprintln!(
        "of 2,000 bytes: {:?}, {:?}",
        short.value().map(str::len),
        full.value().map(str::len)
    );
    assert_eq!(full.value(), Some(long.as_str()));
    let no_app = App::new("NoSuchApp").unwrap();
    assert_eq!(
        agi.execute(Command::exec(&no_app).unwrap())
            .await
            .unwrap()
            .result(),
        Some(-2)
    );
    agi.execute(Command::verbose("говорун", 1).unwrap())
        .await
        .unwrap();

    // A prompt, held and stopped while AGI is blocked in it.
    let file = format!("{}/yes_certainly", lab.env["LAB_PEOPLE_ASTERISK"]);
    let people = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio/ru");
    let longest = std::fs::read_dir(people)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "wav"))
        .max_by_key(|entry| entry.metadata().unwrap().len())
        .map(|entry| {
            entry
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        });
    let file = longest.map_or(file, |name| {
        format!("{}/{name}", lab.env["LAB_PEOPLE_ASTERISK"])
    });
    let stream = ControlStream {
        file: &file,
        ..Default::default()
    };
    let play = || Command::control_stream_file(&stream).unwrap();
    let whole = agi.execute(play()).await.unwrap();
    eprintln!("heard to its end: {whole:?}");
    assert_eq!((whole.result(), whole.endpos()), (Some(0), Some(-1)));
    let ami = lab.ami.clone();
    let (stopped, ()) = tokio::join!(agi.execute(play()), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for control in [Control::Pause, Control::Pause, Control::Stop] {
            assert!(ami.control_playback(&id, control, SOON).await.unwrap());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let stopped = stopped.unwrap();
    eprintln!("stopped: {stopped:?}");
    assert!(
        stopped.endpos().is_some_and(|at| (100..1000).contains(&at)),
        "{stopped:?}"
    );
    let missing = ControlStream {
        file: "no/such \"file\"",
        ..Default::default()
    };
    let missing = agi
        .execute(Command::control_stream_file(&missing).unwrap())
        .await
        .unwrap();
    assert_eq!(missing.result(), Some(-1), "{missing:?}");

    assert!(lab.ami.channel_alive(&id, SOON).await.unwrap());
    let mut signal = agi.gone_signal();
    assert!(lab.ami.hang_up(&id, 16, SOON).await.unwrap());
    assert_eq!(timeout(SOON, agi.until_gone()).await.unwrap(), Gone::HungUp);
    assert_eq!(signal.wait().await, Gone::HungUp);
    assert_eq!(agi.execute(play()).await.unwrap(), Answer::Dead);
    drop(agi);
    let cause = find(&mut events, |event| match event.kind() {
        EventKind::Hangup { cause } if event.unique_id() == Some(id.as_str()) => Some(*cause),
        _ => None,
    });
    assert_eq!(cause.await, 16);
    assert!(!lab.ami.channel_alive(&id, SOON).await.unwrap());
}

async fn digits_and_hang_up(lab: &mut Lab) {
    let call = lab.call("89120000001");
    let id = call.channel_id.clone().unwrap();
    let (mut agi, mut events) = lab.answered(&call).await;
    // Dropped while it waits: its answer must not become the next command's.
    let waits = timeout(
        Duration::from_millis(200),
        agi.execute(Command::wait_for_digit(8000)),
    )
    .await;
    assert!(waits.is_err());
    let digit = find(&mut events, |event| match event.kind() {
        EventKind::DtmfEnd {
            digit,
            direction: Direction::Received,
            ..
        } if event.unique_id() == Some(id.as_str()) => Some(*digit),
        _ => None,
    });
    assert_eq!(digit.await, '2');
    assert_eq!(agi.execute(Command::noop()).await.unwrap(), Answer::done(0));
    assert_eq!(
        agi.execute(Command::hang_up()).await.unwrap(),
        Answer::done(1)
    );
    assert_eq!(timeout(SOON, agi.until_gone()).await.unwrap(), Gone::HungUp);
}

async fn failures(lab: &Lab) {
    for (number, status) in [
        ("89130000001", DialStatus::Busy),
        ("89150000001", DialStatus::Congestion),
    ] {
        let call = lab.call(number);
        let mut events = lab.ami.subscribe(call.channel_id.as_ref().unwrap());
        lab.ami.originate(&call, SOON).await.unwrap();
        let (mut ended, mut failed) = (None, false);
        while ended.is_none() || !failed {
            match find(&mut events, |event| Some(event.kind().clone())).await {
                EventKind::DialEnd { status } => ended = Some(status),
                EventKind::OriginateResponse { success, .. } => failed = !success,
                _ => {}
            }
        }
        assert_eq!(ended, Some(status));
    }
}

async fn questions(lab: &Lab) {
    assert!(lab.ami.has_module("res_agi", SOON).await.unwrap());
    assert!(!lab.ami.has_module("app_no_such", SOON).await.unwrap());
    let channels = lab.ami.ask(Action::channels(), SOON).await.unwrap();
    assert!(
        channels.is_success() && channels.list_cut == 0,
        "{channels:?}"
    );
    assert!(
        !lab.ami
            .channel_alive(&ChannelId::from_asterisk("no-such"), SOON)
            .await
            .unwrap()
    );
    let gone = ChannelId::from_asterisk("no-such");
    assert!(
        !lab.ami
            .control_playback(&gone, Control::Stop, SOON)
            .await
            .unwrap()
    );
    assert!(!lab.ami.hang_up(&gone, 16, SOON).await.unwrap());

    let (stop, secret) = (CancellationToken::new(), Secret::new("wrong"));
    let config = AmiConfig::new(
        format!("127.0.0.1:{}", lab.base),
        &lab.env["LAB_AMI_USER"],
        secret,
    );
    let (stranger, _) = Ami::start(config, stop.clone());
    let mut state = stranger.state();
    let _ = timeout(
        SOON,
        state.wait_for(|s| {
            matches!(
                s,
                govorun::net::ami::AmiState::Down {
                    reason: AmiDown::Refused { .. }
                }
            )
        }),
    )
    .await
    .expect("the wrong secret is told")
    .unwrap();
    stop.cancel();
}

/// Asterisk is killed in the middle of a call and started again.
async fn gone_and_back(lab: &mut Lab) {
    let call = lab.call("89190000001");
    let id = call.channel_id.clone().unwrap();
    let (mut agi, mut events) = lab.answered(&call).await;
    let dir = lab.folder.path().to_str().unwrap().to_owned();
    script("down.sh", &[&dir, "--kill"]);
    assert_eq!(timeout(SOON, agi.until_gone()).await.unwrap(), Gone::Closed);
    let error = lab
        .ami
        .ask(Action::ping(), Duration::from_millis(100))
        .await
        .unwrap_err();
    // Down; or, if the ping was on its way when the link broke, cut off or unanswered.
    assert!(!matches!(error, AmiError::Refused { .. }), "{error}");
    let asked = tokio::spawn({
        let ami = lab.ami.clone();
        async move { ami.channel_alive(&id, Duration::from_secs(30)).await }
    });
    assert_eq!(
        script("up.sh", &[lab.version, &lab.base.to_string(), &dir]),
        0
    );
    assert!(!asked.await.unwrap().unwrap());
    let notices = async {
        loop {
            if let CallEvent::Link(AmiNotice::Reconnected { restarted }) = events.next().await {
                return restarted;
            }
        }
    };
    assert!(timeout(SOON, notices).await.unwrap(), "it sees the restart");
    assert_eq!(lab.ami.counts().stray, 0);
}

/// Ports of this process' own: two runs of these tests must not stop each other's Asterisks.
fn ports() -> u16 {
    20_000 + u16::try_from(std::process::id() % 60).unwrap() * 200
}

#[tokio::test]
async fn asterisk_16() {
    on("16", ports()).await;
}

#[tokio::test]
async fn asterisk_22() {
    on("22", ports() + 100).await;
}
