//! Asterisk's side of a talking call: what it tells (events, hang-up, keys) and what it is asked for (record, transfer,
//! hang up).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::agi_line::AgiLine;
use super::hearing::HearingOrder;
use super::line::CallInfo;
use super::link::{self, Connected, Tap};
use super::parts::CallParts;
use super::recording::{self, Recording, What};
use crate::config::MediaKind;
use crate::ident::{ChannelId, Phone};
use crate::net::agi::{Gone, GoneSignal};
use crate::net::ami::{AmiNotice, AmiState, CallEvent, Subscription};
use crate::wire::agi::{Command, VariableName};
use crate::wire::ami::{self, Action, Direction, EventKind, RecordInto};
use crate::wire::app::App;

/// Asterisk says within this whether a channel lives.
const ALIVE_DEADLINE: Duration = Duration::from_secs(5);
/// Asterisk answers an action within this.
const ACTION_DEADLINE: Duration = Duration::from_secs(5);

/// The handle.
#[derive(Debug)]
pub(super) struct Pbx {
    parts: Arc<CallParts>,
    channel: ChannelId,
    agi: AgiLine,
    gone: GoneSignal,
    told_gone: bool,
    events: Subscription,
    /// Whether the channel outlived the loss of the link, being asked.
    check: Option<JoinHandle<Option<String>>>,
    cause: Option<u32>,
    gone_channel: bool,
    transferred: bool,
    /// How many recordings were begun.
    recordings: u32,
    /// Kept while the call lives: dropping it ends the tap.
    tap: Option<Tap>,
    medium: MediaKind,
}

impl Pbx {
    pub(super) fn new(
        parts: &Arc<CallParts>,
        channel: ChannelId,
        agi: AgiLine,
        events: Subscription,
        tap: Option<Tap>,
        medium: MediaKind,
    ) -> Self {
        Self {
            parts: Arc::clone(parts),
            gone: agi.gone(),
            told_gone: false,
            channel,
            agi,
            events,
            check: None,
            cause: None,
            gone_channel: false,
            transferred: false,
            recordings: 0,
            tap,
            medium,
        }
    }

    /// Which medium the call has.
    pub(super) fn medium(&self) -> MediaKind {
        self.medium
    }

    /// The medium anew, after a transfer that is over. Nothing where the medium needs no such thing.
    pub(super) fn medium_again(
        &self,
    ) -> impl Future<Output = Result<Option<Connected>, String>> + Send + use<> {
        let (parts, agi, medium) = (Arc::clone(&self.parts), self.agi.clone(), self.medium);
        async move {
            if link::is_both_way(medium) {
                link::both_way(parts, agi, medium).await.map(Some)
            } else {
                Ok(None)
            }
        }
    }

    /// The tap anew, where it broke and the person is still there.
    pub(super) fn tap_again(
        &self,
        hearing: mpsc::Sender<HearingOrder>,
    ) -> impl Future<Output = Result<Tap, String>> + Send + use<> {
        let (parts, agi, medium) = (Arc::clone(&self.parts), self.agi.clone(), self.medium);
        let channel = self.channel.clone();
        async move {
            if medium == MediaKind::Audiofork {
                Tap::fork(&parts, &agi, hearing).await
            } else {
                Tap::spy(&parts, medium, &channel, hearing).await
            }
        }
    }

    /// Keeps it while the call lives.
    pub(super) fn keep_tap(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    /// There is a tap, as far as is known.
    pub(super) fn is_tapped(&self) -> bool {
        self.tap.is_some()
    }

    /// The shared parts.
    pub(super) fn parts(&self) -> &Arc<CallParts> {
        &self.parts
    }

    /// The next thing that Asterisk tells. Cancel-safe.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            event = self.events.next() => match event {
                CallEvent::Event(event) => {
                    self.mark(&event);
                    Told::Event(event)
                }
                CallEvent::Link(notice) => {
                    // Asked beside, so that this future may be dropped at any time.
                    let (parts, channel) = (Arc::clone(&self.parts), self.channel.clone());
                    self.check = Some(tokio::spawn(async move {
                        lost(&parts, &channel, &notice).await
                    }));
                    Told::Note(format!("AMI: {notice:?}"))
                }
            },
            lost = checked(&mut self.check) => {
                self.check = None;
                match lost {
                    Some(reason) => Told::Lost(reason),
                    None => Told::Note("AMI: the channel lives".to_owned()),
                }
            }
            gone = self.gone.wait(), if !self.told_gone => {
                self.told_gone = true;
                match gone {
                    Gone::HungUp => Told::HungUp,
                    // Asterisk says HANGUP first, so this is its death, or the network's.
                    Gone::Closed => Told::Lost("the AGI connection was lost".to_owned()),
                    Gone::Broken => Told::Lost("the AGI peer broke the protocol".to_owned()),
                }
            }
        }
    }

    /// The next event alone, for the end of the call.
    pub(super) async fn next_event(&mut self) -> Option<Arc<ami::Event>> {
        match self.events.next().await {
            CallEvent::Event(event) => {
                self.mark(&event);
                Some(event)
            }
            CallEvent::Link(_) => None,
        }
    }

    fn mark(&mut self, event: &ami::Event) {
        if let EventKind::Hangup { cause } = event.kind()
            && self.is_ours(event)
        {
            self.cause = Some(u32::from(*cause));
            self.gone_channel = true;
        }
    }

    fn is_ours(&self, event: &ami::Event) -> bool {
        event.value("Uniqueid") == Some(self.channel.as_str())
    }

    /// The key that this event tells of. Asterisk tells the same key again for a bridged channel, with its own id or as
    /// sent: only what the person's own channel received counts.
    pub(super) fn digit(&self, event: &ami::Event) -> Option<char> {
        match event.kind() {
            EventKind::DtmfEnd {
                digit, direction, ..
            } if *direction == Direction::Received && self.is_ours(event) => Some(*digit),
            _ => None,
        }
    }

    /// Our channel is gone.
    pub(super) fn is_our_hang_up(&self, event: &ami::Event) -> bool {
        matches!(event.kind(), EventKind::Hangup { .. }) && self.is_ours(event)
    }

    /// The hang-up's cause, once told. After a transfer it is the other leg's, and says nothing.
    pub(super) fn cause(&self) -> Option<u32> {
        self.cause
    }

    /// Begins a recording; each of a call has a file of its own.
    ///
    /// A message is a MixMonitor of its own, of the caller's direction: it runs beside the call's recording, blocks no AGI
    /// (as RECORD FILE does, and whoever speaks then is deaf to everything else), needs no tap, and what was said is on
    /// disk even where this process dies in the middle of it.
    pub(super) fn record(
        &mut self,
        info: &CallInfo,
        what: What,
    ) -> impl Future<Output = Result<Recording, String>> + Send + use<> {
        let settings = &self.parts.asterisk;
        self.recordings += 1;
        let number = self.recordings;
        let name = self.recording_name(info, number);
        let mut recording = Recording {
            what,
            file: format!("{name}.wav"),
            number,
            channels: match what {
                What::Call => settings.recording_channels,
                What::Message => 1,
            },
            id: None,
        };
        let ami = self.parts.ami.clone();
        let sync = match &*ami.state().borrow() {
            AmiState::Up(peer) => wants_sync(&peer.asterisk_version),
            AmiState::Down { .. } => true,
        };
        let part = |ending: &str| format!("{name}{ending}");
        let into = match (what, recording.channels) {
            (What::Message, _) => RecordInto::Said {
                said: &recording.file,
                sync,
            },
            (What::Call, 2) => RecordInto::Apart {
                said: &part(recording::CALLER),
                heard: &part(recording::ROBOT),
                sync,
            },
            (What::Call, _) => RecordInto::Mixed(&recording.file),
        };
        let action = Action::mix_monitor(&self.channel, &into);
        async move {
            let action = action.map_err(|e| e.to_string())?;
            let done = ami.order(action, ACTION_DEADLINE).await;
            let done = done.map_err(|e| e.to_string())?;
            recording.id = done.value("MixMonitorID").map(str::to_owned);
            Ok(recording)
        }
    }

    /// The path of a recording as Asterisk sees it, without ending.
    fn recording_name(&self, info: &CallInfo, number: u32) -> String {
        let folder = &self.parts.asterisk.recordings_in_asterisk;
        let folder = folder.trim_end_matches('/');
        // A call's id may hold what a file's name can't: MixMonitor's own rule is stricter.
        let id: String = info
            .call_id
            .as_str()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let channel = self.channel.as_str().replace('.', "_");
        let again = if number > 1 {
            format!("-{number}")
        } else {
            String::new()
        };
        format!("{folder}/{id}-{}-{channel}{again}", info.attempt)
    }

    /// Ends the recording; of several the one with that id.
    pub(super) fn record_stop(
        &self,
        id: Option<&str>,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let action = Action::stop_mix_monitor(&self.channel, id);
        let ami = self.parts.ami.clone();
        async move {
            let action = action.map_err(|e| e.to_string())?;
            let done = ami.order(action, ACTION_DEADLINE).await;
            done.map(drop).map_err(|e| e.to_string())
        }
    }

    /// Dials the other person and waits until that talk is over, or is not to be. AGI has to be free: media that hold it
    /// are closed before.
    pub(super) fn transfer(
        &mut self,
        number: &Phone,
        timeout_ms: u64,
    ) -> impl Future<Output = Result<&'static str, String>> + Send + use<> {
        self.transferred = true;
        let dial = self.parts.transfer_channel.dial(number);
        let agi = self.agi.clone();
        async move {
            // "g": go on here when the other person hangs up first.
            let app = App::new("Dial")
                .and_then(|app| app.arg(dial.as_str()))
                .and_then(|app| app.arg(&(timeout_ms.div_ceil(1000)).to_string()))
                .and_then(|app| app.arg("g"))
                .map_err(|e| e.to_string())?;
            let command = Command::exec(&app).map_err(|e| e.to_string())?;
            agi.execute(command).await.map_err(|e| e.to_string())?;
            let name = VariableName::plain("DIALSTATUS").map_err(|e| e.to_string())?;
            let command = Command::variable(&name).map_err(|e| e.to_string())?;
            let answer = agi.execute(command).await.map_err(|e| e.to_string())?;
            Ok(match answer.value() {
                Some("ANSWER") => "answered",
                Some("BUSY") => "busy",
                Some("NOANSWER") => "no_answer",
                Some("CANCEL") => "hung_up",
                _ => "failed",
            })
        }
    }

    /// Hangs up once more, whatever is known: Asterisk has not told that the channel is gone.
    pub(super) fn hang_up_again(&self) -> impl Future<Output = ()> + Send + use<> {
        let (ami, channel) = (self.parts.ami.clone(), self.channel.clone());
        async move {
            // "No such channel" is as good an answer.
            let _ = ami.hang_up(&channel, 16, ACTION_DEADLINE).await;
        }
    }

    /// Hangs up, if that is still to be done, and lets the channel go. The answer is the Hangup event.
    pub(super) fn hang_up(&self) -> impl Future<Output = ()> + Send + use<> {
        let gone = self.gone_channel || self.gone.now().is_some();
        let (ami, agi, channel) = (
            self.parts.ami.clone(),
            self.agi.clone(),
            self.channel.clone(),
        );
        async move {
            if !gone && ami.hang_up(&channel, 16, ACTION_DEADLINE).await.is_err() {
                // AMI is away: AGI can hang up its own channel too, once what it does is done.
                let by_agi = agi.execute(Command::hang_up());
                let _ = tokio::time::timeout(ACTION_DEADLINE, by_agi).await;
            }
            agi.close();
        }
    }
}

/// Whether MixMonitor has to be told to keep the two directions in step. From 20 on it does so by itself, and complains
/// of the letter; what isn't known is told.
fn wants_sync(version: &str) -> bool {
    let major = version.split(|c: char| !c.is_ascii_digit()).next();
    major
        .and_then(|major| major.parse::<u32>().ok())
        .is_none_or(|major| major < 20)
}

async fn checked(check: &mut Option<JoinHandle<Option<String>>>) -> Option<String> {
    match check {
        Some(check) => check.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// What Asterisk tells a talking call.
#[derive(Debug)]
pub(super) enum Told {
    /// An event of the call's channels.
    Event(Arc<ami::Event>),
    /// The AGI connection says that the channel hung up.
    HungUp,
    /// Asterisk went away.
    Lost(String),
    /// For the history.
    Note(String),
}

/// Whether a notice about the link to Asterisk means that this channel is gone; if so, in words.
pub(super) async fn lost(
    parts: &CallParts,
    channel: &ChannelId,
    notice: &AmiNotice,
) -> Option<String> {
    let AmiNotice::Reconnected { restarted } = notice else {
        return None;
    };
    let alive = !restarted
        && parts
            .ami
            .channel_alive(channel, ALIVE_DEADLINE)
            .await
            .unwrap_or(true);
    // Where it can't be known the AGI connection tells.
    (!alive).then(|| "Asterisk came back without this channel".to_owned())
}
