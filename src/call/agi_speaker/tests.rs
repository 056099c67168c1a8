//! Against the double of Asterisk, whose ControlPlayback has no effect before a file plays.

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::call::agi_line::AgiLine;
use crate::ident::Secret;
use crate::net::agi::{self, AgiLimits, AgiStats};
use crate::net::ami::AmiConfig;
use crate::rehearsal::asterisk::{FakeAsterisk, FarEnd, HeardPrompt, Incoming, Options, PromptEnd};

const SOON: Duration = Duration::from_secs(5);

struct Rig {
    asterisk: FakeAsterisk,
    ami: Ami,
    channel: ChannelId,
    speaker: Speaker,
    _line: AgiLine,
    _stop: tokio_util::sync::DropGuard,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn new() -> Self {
        let options = Options::new(|_| FarEnd::answers());
        let asterisk = FakeAsterisk::start(options).await.unwrap();
        let stop = CancellationToken::new();
        let config = AmiConfig::new(
            asterisk.ami_addr().to_string(),
            "govorun",
            Secret::new("secret"),
        );
        let (ami, _task) = Ami::start(config, stop.clone());
        ami.up(SOON).await.unwrap();
        let listener = agi::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let script = format!("agi://{}/x", listener.local_addr().unwrap());
        let (served, mut connections) = mpsc::channel::<AgiConnection>(1);
        let handler = move |connection| {
            let served = served.clone();
            async move {
                let _ = served.send(connection).await;
            }
        };
        tokio::spawn(agi::serve(
            listener,
            AgiLimits::default(),
            Arc::new(AgiStats::default()),
            stop.clone(),
            handler,
        ));
        let call = Incoming {
            answered: true,
            ..Incoming::default()
        };
        let channel = asterisk.incoming(&script, call, FarEnd::answers().wait(60_000));
        let channel = ChannelId::from_asterisk(&channel);
        let connection = timeout(SOON, connections.recv()).await.unwrap().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let as_seen = folder.path().display().to_string();
        let files = AsteriskFiles::new(folder.path().to_owned(), &as_seen, 10_000_000).unwrap();
        let line = AgiLine::start(connection);
        let speaker = line
            .speaker(ami.clone(), Arc::new(files), channel.clone())
            .await;
        Self {
            asterisk,
            ami,
            channel,
            speaker,
            _line: line,
            _stop: stop.drop_guard(),
            _folder: folder,
        }
    }

    async fn order(&self, order: SpeakerOrder) {
        self.speaker.orders.send(order).await.unwrap();
    }

    async fn play(&mut self, id: PlaybackId, ms: u64) {
        let sound = Sound::silence(format!("sound {id}"), ms);
        let from_ms = 0;
        self.order(SpeakerOrder::Play { id, sound, from_ms }).await;
        assert_eq!(self.told().await, SpeakerEvent::Started { id });
    }

    async fn told(&mut self) -> SpeakerEvent {
        let event = timeout(SOON, self.speaker.events.recv()).await;
        event.expect("an event").expect("a speaker")
    }

    /// Waits until so many stretches of sound are over.
    async fn over(&self, count: usize) -> Vec<HeardPrompt> {
        let over = |prompts: &[HeardPrompt]| prompts.iter().filter(|p| p.how.is_some()).count();
        let call = self.asterisk.call_that(|call| over(&call.prompts) >= count);
        call.await.expect("the prompts' ends").prompts
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test]
async fn a_pause_holds_however_late_asterisk_opens_the_file() {
    for late in [0, 250, 700] {
        let mut rig = Rig::new().await;
        rig.asterisk.take_agi_late(ms(late));
        rig.play(1, 1_500).await;
        tokio::time::sleep(ms(50)).await;
        rig.order(SpeakerOrder::Pause).await;
        // Longer than the file: it holds, or it would have ended.
        tokio::time::sleep(ms(late + 1_800)).await;
        let heard = rig.over(1).await;
        assert_eq!(heard.len(), 1, "{late}: {heard:?}");
        assert_eq!(heard[0].how, Some(PromptEnd::Stopped), "{late}");
        assert!(heard[0].played_ms <= 300, "{late}: {heard:?}");
        assert!(rig.speaker.events.try_recv().is_err(), "it is not over");
        rig.asterisk.take_agi_late(ms(0));
        rig.order(SpeakerOrder::Resume).await;
        let ended = rig.told().await;
        let (id, played_ms, whole) = (1, 1_500, true);
        let want = SpeakerEvent::Ended {
            id,
            played_ms,
            whole,
        };
        assert_eq!(ended, want, "{late}");
        let heard = rig.over(2).await;
        let first = heard[0].played_ms;
        let took = (heard[1].ended_us.unwrap() - heard[1].started_us) / 1_000;
        assert!(
            took.abs_diff(1_500 - first) < 200,
            "{late}: it goes on at {first} ms, and took {took} ms"
        );
    }
}

#[tokio::test]
async fn who_holds_and_lets_go_at_once_loses_nothing() {
    let mut rig = Rig::new().await;
    rig.asterisk.take_agi_late(ms(150));
    rig.play(1, 600).await;
    for _ in 0..3 {
        rig.order(SpeakerOrder::Pause).await;
        rig.order(SpeakerOrder::Resume).await;
    }
    let SpeakerEvent::Ended {
        played_ms, whole, ..
    } = rig.told().await
    else {
        panic!("not ended")
    };
    assert_eq!((played_ms, whole), (600, true));
}

#[tokio::test]
async fn a_stop_that_nobody_wants_costs_no_word() {
    let mut rig = Rig::new().await;
    rig.play(1, 900).await;
    tokio::time::sleep(ms(300)).await;
    let stray = rig.ami.control_playback(&rig.channel, Control::Stop, SOON);
    assert!(stray.await.unwrap());
    let ended = rig.told().await;
    assert!(
        matches!(ended, SpeakerEvent::Ended { whole: true, .. }),
        "{ended:?}"
    );
    let heard = rig.over(2).await;
    assert_eq!(
        heard.iter().map(|p| p.how).collect::<Vec<_>>(),
        [Some(PromptEnd::Stopped), Some(PromptEnd::Whole)]
    );
}

#[tokio::test]
async fn what_is_held_is_ended_by_a_stop_and_by_the_next_sound() {
    let mut rig = Rig::new().await;
    for next in [false, true] {
        rig.play(1, 3_000).await;
        tokio::time::sleep(ms(300)).await;
        rig.order(SpeakerOrder::Pause).await;
        tokio::time::sleep(ms(300)).await;
        if next {
            let (id, sound) = (2, Sound::silence("next", 200));
            rig.order(SpeakerOrder::Play {
                id,
                sound,
                from_ms: 0,
            })
            .await;
        } else {
            rig.order(SpeakerOrder::Stop).await;
        }
        let SpeakerEvent::Ended {
            id: 1,
            played_ms,
            whole: false,
        } = rig.told().await
        else {
            panic!("not ended")
        };
        assert!((200..500).contains(&played_ms), "{played_ms}");
    }
    assert_eq!(rig.told().await, SpeakerEvent::Started { id: 2 });
    assert!(matches!(
        rig.told().await,
        SpeakerEvent::Ended {
            id: 2,
            whole: true,
            ..
        }
    ));
}

#[tokio::test]
async fn a_stop_is_taken_though_asterisk_is_late_by_seconds() {
    let mut rig = Rig::new().await;
    rig.asterisk.take_agi_late(ms(2_600));
    rig.play(1, 20_000).await;
    rig.order(SpeakerOrder::Stop).await;
    let SpeakerEvent::Ended {
        played_ms,
        whole: false,
        ..
    } = rig.told().await
    else {
        panic!("not ended")
    };
    assert!(played_ms <= 1_300, "{played_ms}");
}
