//! Places one attempt: Originate, the tap at its first sign of life, then either the talk or the reason why there is none.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::agi_line::AgiLine;
use super::answerer::{Announcements, By, Decider, OnMachine};
use super::begun::Begun;
use super::cause::Unanswered;
use super::choice::Choice;
use super::hearing::{Heard, HearingOrder};
use super::history::kind;
use super::line::CallInfo;
use super::link::Tap;
use super::parts::CallParts;
use super::pbx::lost;
use super::session::Dialog;
use super::summary::{Summary, outcome};
use super::talk::{self, Answered};
use super::trunk::TrunkLine;
use crate::call::fields::fields;
use crate::ident::{Phone, Token};
use crate::net::ami::CallEvent;
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
    info: Arc<CallInfo>,
    phone: Phone,
    trunk: Arc<TrunkLine>,
    dialog: Dialog,
    choice: Choice,
    stop: CancellationToken,
) -> Placed {
    let call = Begun::new(parts, info, &choice, stop);
    let early = call.parts.calls.early_media && call.hearing.listens;
    if early {
        let _ = call.hearing.orders.try_send(HearingOrder::Early);
    }
    let token = Token::fresh();
    let mut attempt = Attempt {
        agi: call.parts.awaited.expect(&token),
        seen: Unanswered::default(),
        announcements: early.then(|| Announcements::new(Arc::clone(&choice.answers))),
        on_machine: call
            .hearing
            .listens
            .then_some((Arc::clone(&choice.answers), choice.on_machine)),
        owed: 0,
        answered_ms: None,
        tap: None,
        answered: false,
        trunk,
        call,
    };
    match attempt.originate(&phone, &token).await {
        Ok(()) => attempt.wait_and_talk(dialog).await,
        Err(reason) => {
            let journal = &mut attempt.call.journal;
            journal.note(kind::FAULT, fields!({"message": reason}));
            journal.flush().await;
            Placed::NotDialed(reason)
        }
    }
}

struct Attempt {
    call: Begun,
    trunk: Arc<TrunkLine>,
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
                    self.call.parts.agi_address,
                    token.as_str()
                ))
            })
            .map_err(|e| e.to_string())?;
        let mut originate = Originate::new(self.trunk.channel.dial(phone), Target::App(target));
        originate.channel_id = Some(self.call.info.channel_id.clone());
        originate.timeout_ms = u32::try_from(self.trunk.ring_timeout_ms).ok();
        originate.caller_id.clone_from(&self.trunk.caller_id);
        self.call.journal.flush().await;
        match self
            .call
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
        self.call.journal.flush().await;
        match waited {
            Waited::Agi(connection) => {
                self.call.hear_from_now();
                // A Local channel can be answered before we have read its Newchannel.
                if self.tap.is_none() {
                    self.tap = self.call.tap().await;
                }
                self.call.journal.answered().await;
                let answered_ms = self.answered_ms.unwrap_or(self.call.clock.now_ms());
                let decider = self
                    .on_machine
                    .map(|(answers, on_machine)| (Decider::new(answers, answered_ms), on_machine));
                let answered = Answered {
                    call: self.call,
                    decider,
                    agi: AgiLine::start(*connection),
                    tap: self.tap,
                };
                Placed::Ended(Box::new(talk::hold(answered, dialog).await))
            }
            Waited::Unanswered => {
                self.await_announcement().await;
                self.tell_announced();
                let outcome = if self.call.stop.is_cancelled() {
                    outcome::RUNTIME_ERROR
                } else {
                    self.seen.outcome()
                };
                Placed::Ended(Box::new(self.end(outcome).await))
            }
            Waited::Failed(reason) => {
                self.call
                    .journal
                    .note(kind::FAULT, fields!({"message": reason}));
                Placed::Ended(Box::new(self.end(outcome::RUNTIME_ERROR).await))
            }
        }
    }

    async fn end(&mut self, outcome: &str) -> Summary {
        self.call.journal.flush().await;
        Summary {
            answered: self.answered,
            cause: self.seen.cause,
            ..Summary::new(outcome)
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
                told = self.call.events.next() => match told {
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
                        self.call.journal.note(kind::ASTERISK, fields!({"event": format!("AMI link: {notice:?}")}));
                        if let Some(reason) = lost(&self.call.parts, &self.call.info.channel_id, &notice).await {
                            return Waited::Failed(reason);
                        }
                    }
                },
                heard = self.call.hearing.next(), if self.announcements.is_some() && !self.answered => {
                    self.heard_early(heard);
                    self.call.journal.flush_due().await;
                }
                () = self.call.stop.cancelled(), if !ending => {
                    self.seen.we_hung_up = true;
                    ending = true;
                    deadline = tokio::time::Instant::now() + OTHERS_FOLLOW;
                    self.hang_up().await;
                }
                () = tokio::time::sleep_until(deadline) => {
                    if ending {
                        if self.answered && !self.call.stop.is_cancelled() {
                            return Waited::Failed(format!(
                                "answered, but Asterisk did not connect to agi://{}: can it reach us?", self.call.parts.agi_address));
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
        let ours = event.value("Uniqueid") == Some(self.call.info.channel_id.as_str());
        self.call.journal.note(kind::ASTERISK, Arc::clone(event));
        let ends = match event.kind() {
            EventKind::Newchannel { .. } if ours => {
                self.tap = self.call.tap().await;
                false
            }
            EventKind::Newstate { state } if ours => {
                match state {
                    ChannelState::Ringing | ChannelState::Ring if !self.seen.rang => {
                        self.seen.rang = true;
                        self.call.journal.ringing().await;
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
        self.call.journal.flush().await;
        ends
    }

    /// Something of before the answer.
    fn heard_early(&mut self, heard: Heard) {
        match heard {
            Heard::Early { text, is_final } => {
                let now_ms = self.call.clock.now_ms();
                if let Some(announcements) = &mut self.announcements {
                    announcements.text(text.as_str(), is_final, now_ms);
                }
                if is_final {
                    self.owed = self.owed.saturating_sub(1);
                    self.call.journal.note(
                        kind::ANSWERER,
                        fields!({"event": "announced", "text": text.as_str()}),
                    );
                }
            }
            Heard::EarlyVoice => self.owed += 1,
            Heard::Recognizer { name, note } => self
                .call
                .journal
                .note(kind::RECOGNIZER, fields!({"name": name, "event": note})),
            Heard::Audio { note } => self
                .call
                .journal
                .note(kind::MEDIA, fields!({"event": note})),
            // One that never came, or broke: another is put on at the answer.
            Heard::FramesEnded => self.tap = None,
            _ => {}
        }
    }

    /// The call is over, but not yet the recognizer's last text of it.
    async fn await_announcement(&mut self) {
        if self.announcements.is_none() {
            return;
        }
        // What waits already.
        while let Ok(heard) = tokio::time::timeout(Duration::ZERO, self.call.hearing.next()).await {
            self.heard_early(heard);
        }
        let _ = self
            .call
            .hearing
            .orders
            .try_send(HearingOrder::EndUtterance);
        let deadline = tokio::time::Instant::now() + TEXT_FOLLOWS;
        while self.owed > 0
            && let Ok(heard) = tokio::time::timeout_at(deadline, self.call.hearing.next()).await
        {
            self.heard_early(heard);
        }
    }

    /// Nobody answered: what the operator said of it, and by what the outcome is known.
    fn tell_announced(&mut self) {
        let said = self.announcements.take().and_then(|a| a.said());
        self.seen.announced = said.as_ref().map(|said| said.what);
        self.call.hearing.sent.note(&mut self.call.journal);
        let outcome = self.seen.outcome();
        if outcome != outcome::UNREACHABLE && outcome != outcome::INVALID_NUMBER && said.is_none() {
            return;
        }
        let by = if self.seen.outcome_by_words() == Some(outcome) {
            By::Words
        } else {
            By::Cause
        };
        let verdict = fields!({
            "event": "verdict", "who": outcome, "by": by.as_str(), "before_answer": true,
            "phrase": said.map(|said| said.phrase),
        });
        self.call.parts.answerers.observe(&verdict.value());
        self.call.journal.note(kind::ANSWERER, verdict);
    }

    /// The person answered, though AGI has yet to connect.
    fn up(&mut self) {
        self.answered = true;
        self.answered_ms.get_or_insert(self.call.clock.now_ms());
        self.call.hear_from_now();
    }

    async fn hang_up(&self) {
        let ami = &self.call.parts.ami;
        if let Err(error) = ami
            .hang_up(&self.call.info.channel_id, 16, ORIGINATE_DEADLINE)
            .await
        {
            tracing::warn!(call = %self.call.info.call_id, %error, "a call that rings can't be hung up");
        }
    }
}
