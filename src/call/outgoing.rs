//! Places one attempt: Originate, the tap at its first sign of life, then either the talk or the reason why there is none.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use tokio_util::sync::CancellationToken;

use super::agi_line::AgiLine;
use super::answerer::{Announcements, By, Decider, OnMachine};
use super::cause::Unanswered;
use super::choice::Choice;
use super::clock::CallClock;
use super::hearing::{Heard, Hearing, HearingOrder};
use super::history::kind;
use super::journal::CallJournal;
use super::line::CallInfo;
use super::link::Tap;
use super::parts::CallParts;
use super::pbx::lost;
use super::session::Dialog;
use super::summary::{Summary, outcome};
use super::talk::{self, Answered};
use super::trunk::TrunkLine;
use crate::asr::StreamOptions;
use crate::config::MediaKind;
use crate::ident::{Phone, Token};
use crate::net::ami::{CallEvent, Subscription};
use crate::phrases::Answers;
use crate::wire::ami::{self, ChannelState, EventKind, Originate, Target};
use crate::wire::app::App;

/// Asterisk takes an Originate within this, or the attempt is a runtime error.
const ORIGINATE_DEADLINE: Duration = Duration::from_secs(10);
/// After the ringing time Asterisk itself should have told the end within this.
const RING_GRACE: Duration = Duration::from_secs(5);
/// The three events that tell an end come in any order; after the first the others follow within this, and nothing
/// is waited for once all have come.
const OTHERS_FOLLOW: Duration = Duration::from_millis(300);
/// A recognizer tells what was announced within this after the call's end.
const TEXT_FOLLOWS: Duration = Duration::from_secs(3);
/// After the answer AGI connects within this.
const AGI_FOLLOWS: Duration = Duration::from_secs(5);

/// What came of placing an attempt.
#[derive(Debug)]
pub enum Placed {
    /// The attempt ended so.
    Ended(Box<Summary>),
    /// Asterisk never got the order: the attempt may be made again.
    NotDialed(String),
}

/// Places the call of `info` and holds its dialog.
pub async fn place(
    parts: Arc<CallParts>,
    info: CallInfo,
    phone: Phone,
    trunk: Arc<TrunkLine>,
    dialog: Dialog,
    choice: Choice,
    stop: CancellationToken,
) -> Placed {
    let clock = CallClock::start();
    let journal = CallJournal::new(
        Arc::clone(&parts.journal),
        info.call_id.clone(),
        info.attempt,
        clock,
    );
    let options = StreamOptions {
        call: info.call_id.to_string(),
        phrases: Arc::clone(&choice.phrases),
        last: false,
    };
    let hearing = Hearing::start(choice.of(&parts.recognizers), options, clock);
    let entered = parts
        .registry
        .enter(&info.call_id, stop.clone(), hearing.orders.clone());
    let medium = *parts.medium.borrow();
    let early = parts.calls.early_media && hearing.listens;
    if early {
        let _ = hearing.orders.try_send(HearingOrder::Early);
    }
    let token = Token::fresh();
    let mut attempt = Attempt {
        events: parts.ami.subscribe(&info.channel_id),
        agi: parts.awaited.expect(&token),
        seen: Unanswered::default(),
        announcements: early.then(|| Announcements::new(Arc::clone(&choice.answers))),
        on_machine: hearing
            .listens
            .then_some((Arc::clone(&choice.answers), choice.on_machine)),
        owed: 0,
        answered_ms: None,
        tap: None,
        answered: false,
        medium,
        parts: Arc::clone(&parts),
        trunk,
        info,
        clock,
        journal,
        hearing,
        stop,
    };
    let placed = match attempt.originate(&phone, &token).await {
        Ok(()) => attempt.wait_and_talk(dialog).await,
        Err(reason) => {
            attempt
                .journal
                .note(kind::FAULT, json!({"message": reason}));
            attempt.journal.flush().await;
            Placed::NotDialed(reason)
        }
    };
    drop(entered);
    placed
}

struct Attempt {
    parts: Arc<CallParts>,
    trunk: Arc<TrunkLine>,
    info: CallInfo,
    clock: CallClock,
    journal: CallJournal,
    hearing: Hearing,
    events: Subscription,
    agi: super::parts::Expected,
    seen: Unanswered,
    /// What is said before the answer, where that is to be heard.
    announcements: Option<Announcements>,
    /// Last texts of it that are still to come.
    owed: u32,
    /// What machines say, and what is to be done about them.
    on_machine: Option<(Arc<Answers>, OnMachine)>,
    answered_ms: Option<u64>,
    tap: Option<Tap>,
    answered: bool,
    medium: MediaKind,
    stop: CancellationToken,
}

/// How the wait for an answer ended.
enum Waited {
    Agi(Box<crate::net::agi::AgiConnection>),
    Unanswered,
    Failed(String),
}

impl Attempt {
    async fn originate(&mut self, phone: &Phone, token: &Token) -> Result<(), String> {
        let target = App::new("AGI")
            .and_then(|app| {
                app.arg(&format!(
                    "agi://{}/out/{}",
                    self.parts.agi_address,
                    token.as_str()
                ))
            })
            .map_err(|e| e.to_string())?;
        let mut originate = Originate::new(self.trunk.channel.dial(phone), Target::App(target));
        originate.channel_id = Some(self.info.channel_id.clone());
        originate.timeout_ms = u32::try_from(self.trunk.ring_timeout_ms).ok();
        originate.caller_id.clone_from(&self.trunk.caller_id);
        self.journal.note(
            kind::MEDIA,
            json!({"event": "chosen", "media": self.medium.as_str()}),
        );
        self.journal.flush().await;
        match self
            .parts
            .ami
            .originate(&originate, ORIGINATE_DEADLINE)
            .await
        {
            // It may have been dialed: the events tell, or the wait ends by time.
            Err(error) if !error.may_have_run() => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    async fn wait_and_talk(mut self, dialog: Dialog) -> Placed {
        let waited = self.wait().await;
        self.journal.flush().await;
        match waited {
            Waited::Agi(connection) => {
                self.hear_from_now();
                // A Local channel can be answered before we have read its Newchannel.
                if self.tap.is_none() {
                    self.begin_tap().await;
                }
                self.journal.answered().await;
                let answered_ms = self.answered_ms.unwrap_or(self.clock.now_ms());
                let decider = self
                    .on_machine
                    .map(|(answers, on_machine)| (Decider::new(answers, answered_ms), on_machine));
                let answered = Answered {
                    parts: self.parts,
                    info: self.info,
                    clock: self.clock,
                    journal: self.journal,
                    hearing: self.hearing,
                    decider,
                    events: self.events,
                    agi: AgiLine::start(*connection),
                    tap: self.tap,
                    medium: self.medium,
                    stop: self.stop,
                };
                Placed::Ended(Box::new(talk::hold(answered, dialog).await))
            }
            Waited::Unanswered => {
                self.await_announcement().await;
                self.tell_announced();
                let outcome = if self.stop.is_cancelled() {
                    outcome::RUNTIME_ERROR
                } else {
                    self.seen.outcome()
                };
                Placed::Ended(Box::new(self.end(outcome).await))
            }
            Waited::Failed(reason) => {
                self.journal.note(kind::FAULT, json!({"message": reason}));
                Placed::Ended(Box::new(self.end(outcome::RUNTIME_ERROR).await))
            }
        }
    }

    async fn end(&mut self, outcome: &str) -> Summary {
        self.journal.flush().await;
        Summary {
            outcome: outcome.to_owned(),
            data: Map::new(),
            answered: self.answered,
            cause: self.seen.cause,
            version: None,
            call_again: None,
            do_not_call: None,
            talk_ms: 0,
            recording: None,
        }
    }

    /// Waits until AGI connects or Asterisk says why it won't.
    async fn wait(&mut self) -> Waited {
        let ring = Duration::from_millis(self.trunk.ring_timeout_ms);
        let mut deadline = tokio::time::Instant::now() + ring + RING_GRACE;
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                agi = &mut self.agi.connection => return match agi {
                    Ok(connection) => Waited::Agi(Box::new(connection)),
                    Err(_) => Waited::Failed("the AGI server is gone".to_owned()),
                },
                told = self.events.next() => match told {
                    CallEvent::Event(event) => {
                        let was_answered = self.answered;
                        if self.see(&event).await && !ending {
                            ending = true;
                            deadline = tokio::time::Instant::now() + OTHERS_FOLLOW;
                        }
                        if self.seen.is_whole() && !self.answered {
                            return Waited::Unanswered;
                        }
                        if self.answered && !was_answered && !ending {
                            deadline = tokio::time::Instant::now() + AGI_FOLLOWS;
                        }
                    }
                    CallEvent::Link(notice) => {
                        self.journal.note(kind::ASTERISK, json!({"event": format!("AMI link: {notice:?}")}));
                        if let Some(reason) = lost(&self.parts, &self.info.channel_id, &notice).await {
                            return Waited::Failed(reason);
                        }
                    }
                },
                heard = self.hearing.next(), if self.announcements.is_some() && !self.answered => {
                    self.heard_early(heard);
                    self.journal.flush_due().await;
                }
                () = self.stop.cancelled(), if !ending => {
                    self.seen.we_hung_up = true;
                    ending = true;
                    deadline = tokio::time::Instant::now() + OTHERS_FOLLOW;
                    self.hang_up().await;
                }
                () = tokio::time::sleep_until(deadline) => {
                    if ending {
                        if self.answered && !self.stop.is_cancelled() {
                            return Waited::Failed(format!(
                                "answered, but Asterisk did not connect to agi://{}: can it reach us?", self.parts.agi_address));
                        }
                        return Waited::Unanswered;
                    }
                    self.seen.we_hung_up = !self.answered;
                    ending = true;
                    deadline = tokio::time::Instant::now() + OTHERS_FOLLOW;
                    self.hang_up().await;
                }
            }
        }
    }

    /// Takes an event in; tells whether it tells the end.
    async fn see(&mut self, event: &Arc<ami::Event>) -> bool {
        let ours = event.value("Uniqueid") == Some(self.info.channel_id.as_str());
        self.journal.note(kind::ASTERISK, Arc::clone(event));
        let ends = match event.kind() {
            EventKind::Newchannel { .. } if ours => {
                self.begin_tap().await;
                false
            }
            EventKind::Newstate { state } if ours => {
                match state {
                    ChannelState::Ringing | ChannelState::Ring if !self.seen.rang => {
                        self.seen.rang = true;
                        self.journal.ringing().await;
                    }
                    ChannelState::Up => self.up(),
                    _ => {}
                }
                false
            }
            EventKind::DialEnd { status } => {
                if *status == ami::DialStatus::Answer {
                    self.up();
                    false
                } else {
                    self.seen.dial_status = Some(status.as_str().to_owned());
                    true
                }
            }
            EventKind::Hangup { cause } if ours => {
                self.seen.cause = Some(u32::from(*cause));
                true
            }
            EventKind::OriginateResponse { success, reason } if ours => {
                if *success {
                    self.up();
                    false
                } else {
                    self.seen.reason = Some(*reason);
                    true
                }
            }
            _ => false,
        };
        self.journal.flush().await;
        ends
    }

    /// Something of before the answer.
    fn heard_early(&mut self, heard: Heard) {
        match heard {
            Heard::Early { text, is_final } => {
                let now_ms = self.clock.now_ms();
                if let Some(announcements) = &mut self.announcements {
                    announcements.text(text.as_str(), is_final, now_ms);
                }
                if is_final {
                    self.owed = self.owed.saturating_sub(1);
                    self.journal.note(
                        kind::ANSWERER,
                        json!({"event": "announced", "text": text.as_str()}),
                    );
                }
            }
            Heard::EarlyVoice => self.owed += 1,
            Heard::Recognizer { name, note } => self
                .journal
                .note(kind::RECOGNIZER, json!({"name": name, "event": note})),
            Heard::Audio { note } => self.journal.note(kind::MEDIA, json!({"event": note})),
            _ => {}
        }
    }

    /// The call is over, but not yet the recognizer's last text of it.
    async fn await_announcement(&mut self) {
        if self.announcements.is_none() {
            return;
        }
        // What waits already.
        while let Ok(heard) = tokio::time::timeout(Duration::ZERO, self.hearing.next()).await {
            self.heard_early(heard);
        }
        let _ = self.hearing.orders.try_send(HearingOrder::EndUtterance);
        let deadline = tokio::time::Instant::now() + TEXT_FOLLOWS;
        while self.owed > 0
            && let Ok(heard) = tokio::time::timeout_at(deadline, self.hearing.next()).await
        {
            self.heard_early(heard);
        }
    }

    /// Nobody answered: what the operator said of it, and by what the outcome is known.
    fn tell_announced(&mut self) {
        let said = self.announcements.take().and_then(|a| a.said());
        self.seen.announced = said.as_ref().map(|said| said.what);
        for (name, seconds) in self.hearing.sent.seconds() {
            self.journal.note(
                kind::RECOGNIZER,
                json!({"name": name, "event": "sent", "seconds": seconds}),
            );
        }
        let outcome = self.seen.outcome();
        if outcome != outcome::UNREACHABLE && outcome != outcome::INVALID_NUMBER && said.is_none() {
            return;
        }
        let by = if self.seen.outcome_by_words() == Some(outcome) {
            By::Words
        } else {
            By::Cause
        };
        let verdict = json!({
            "event": "verdict", "who": outcome, "by": by.as_str(), "before_answer": true,
            "phrase": said.map(|said| said.phrase),
        });
        self.parts.answerers.observe(&verdict);
        self.journal.note(kind::ANSWERER, verdict);
    }

    /// The person answered: not a word from here on is lost, though AGI has yet to connect.
    fn up(&mut self) {
        self.answered = true;
        self.answered_ms.get_or_insert(self.clock.now_ms());
        self.hear_from_now();
    }

    fn hear_from_now(&mut self) {
        let _ = self.hearing.orders.try_send(HearingOrder::Listen);
    }

    async fn begin_tap(&mut self) {
        let tap = Tap::begin(
            &self.parts,
            self.medium,
            &self.info.channel_id,
            &self.hearing,
        );
        match tap.await {
            Ok(tap) => self.tap = tap,
            Err(reason) => self
                .journal
                .note(kind::MEDIA, json!({"event": "failed", "reason": reason})),
        }
    }

    async fn hang_up(&self) {
        let ami = &self.parts.ami;
        if let Err(error) = ami
            .hang_up(&self.info.channel_id, 16, ORIGINATE_DEADLINE)
            .await
        {
            tracing::warn!(call = %self.info.call_id, %error, "a call that rings can't be hung up");
        }
    }
}
