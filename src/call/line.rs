//! The blocking handle by which a dialog holds its call. A dialog runs on a thread of its own and waits here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp, Zoned};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::answerer::Who;
use super::fields::Fields;
use super::recording::Recorded;
use super::reply::{Reply, ReplyKind};
use super::request::{Ask, BargeIn, MAX_PAUSE_MS, MessageAsk, Prompt, Request, Turn};
use crate::ident::{CallId, ChannelId, Phone};
use crate::net::web::{WebAnswer, WebOrder};

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We called.
    Outgoing,
    /// They called.
    Incoming,
}

impl Direction {
    /// The word of SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        }
    }
}

/// What a dialog may know of its call.
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// 1C's id.
    pub call_id: CallId,
    /// The attempt's channel.
    pub channel_id: ChannelId,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Who called whom.
    pub direction: Direction,
    /// The person's number; absent where an incoming call hides it.
    pub phone: Option<Phone>,
    /// The dialog's name.
    pub dialog: String,
    /// What 1C gave.
    pub params: Map<String, Value>,
    /// A prompt file to be played first.
    pub file: Option<String>,
}

/// A note that needs no answer: it goes into the history in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// One of [`super::history::kind`].
    pub kind: &'static str,
    /// Its particulars.
    pub data: Fields,
}

/// What the session receives from its dialog. Small: a call's queue has room for 32 from the start.
#[derive(Debug)]
pub enum LineMessage {
    /// To be answered.
    Request(Box<Request>, oneshot::Sender<Answer>),
    /// To be kept.
    Note(Box<Note>),
}

/// What the session answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Request::Turn`].
    Reply(Reply),
    /// To [`Request::Transfer`]: a dial status word (`answered`, `busy`, `no_answer`, `failed`).
    Transfer(&'static str),
    /// To [`Request::Message`] and [`Request::MessageStop`]; `None`: it can't be recorded, or nothing was.
    Recorded(Option<Recorded>),
    /// To [`Request::Web`].
    Web(WebAnswer),
    /// To [`Request::Tone`]: it takes a message now.
    Tone(Who),
    /// No person answered: nothing was done, and the dialog is to end.
    Machine(Who),
    /// To all others.
    Done,
    /// The call is over; nothing was done.
    HungUp,
}

/// Tells a busy script that its call is over. Shared with the script's progress hook.
#[derive(Debug, Default)]
pub struct HangUpFlag {
    /// Milliseconds of the Unix clock at the hang-up; 0 before.
    since: AtomicU64,
}

impl HangUpFlag {
    /// The call is over.
    pub fn raise(&self) {
        let now = Timestamp::now().as_millisecond();
        let now = u64::try_from(now).unwrap_or(1).max(1);
        // The first moment counts.
        let _ = self
            .since
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// How long the call has been over, milliseconds; `None` while it lives.
    pub fn raised_for_ms(&self) -> Option<u64> {
        match self.since.load(Ordering::Relaxed) {
            0 => None,
            since => {
                let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(since);
                Some(now.saturating_sub(since))
            }
        }
    }
}

/// The call is over: the dialog is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The person hung up, or the call was ended from outside.
    #[error("the person hung up")]
    HungUp,
    /// No person answered.
    #[error("a machine answered: {}", .0.as_str())]
    Machine(Who),
}

/// Messages of one dialog that may wait.
pub const LINE_QUEUE: usize = 64;

/// A dialog's handle of its call. All methods block the dialog's own thread; none outlives the call.
#[derive(Debug, Clone)]
pub struct Line {
    info: Arc<CallInfo>,
    messages: mpsc::Sender<LineMessage>,
    flag: Arc<HangUpFlag>,
    rehearsed: Option<Rehearsed>,
}

/// A rehearsal's wall clock: when the call began, and how long it has gone on, milliseconds.
#[derive(Debug, Clone)]
struct Rehearsed {
    began: Zoned,
    elapsed_ms: Arc<AtomicU64>,
}

impl Line {
    /// A line and the end that the session (or a test) serves.
    pub fn new(
        info: impl Into<Arc<CallInfo>>,
    ) -> (Self, mpsc::Receiver<LineMessage>, Arc<HangUpFlag>) {
        let (messages, receiver) = mpsc::channel(LINE_QUEUE);
        let flag = Arc::new(HangUpFlag::default());
        let line = Self {
            info: info.into(),
            messages,
            flag: Arc::clone(&flag),
            rehearsed: None,
        };
        (line, receiver, flag)
    }

    /// The same line under a rehearsal's wall clock: the call began at `began`, `elapsed_ms` milliseconds ago.
    pub fn rehearsed(mut self, began: Zoned, elapsed_ms: Arc<AtomicU64>) -> Self {
        self.rehearsed = Some(Rehearsed { began, elapsed_ms });
        self
    }

    /// What time it is for the dialog, in its zone: this machine's, unless it is a rehearsal.
    pub fn now(&self) -> Zoned {
        let Some(Rehearsed { began, elapsed_ms }) = &self.rehearsed else {
            return Zoned::now();
        };
        let ms = i64::try_from(elapsed_ms.load(Ordering::Relaxed)).unwrap_or(0);
        began
            .checked_add(SignedDuration::from_millis(ms))
            .unwrap_or_else(|_| began.clone())
    }

    /// What is known of the call.
    pub fn info(&self) -> &CallInfo {
        &self.info
    }

    /// Raised at hang-up.
    pub fn hang_up_flag(&self) -> &Arc<HangUpFlag> {
        &self.flag
    }

    fn request(&self, request: Request) -> Result<Answer, LineError> {
        let (sender, receiver) = oneshot::channel();
        self.messages
            .blocking_send(LineMessage::Request(Box::new(request), sender))
            .map_err(|_| LineError::HungUp)?;
        match receiver.blocking_recv() {
            Ok(Answer::HungUp) | Err(_) => Err(LineError::HungUp),
            Ok(Answer::Machine(who)) => Err(LineError::Machine(who)),
            Ok(answer) => Ok(answer),
        }
    }

    /// Speaks, listens, or both. A hang-up meanwhile is a reply of kind [`ReplyKind::HangUp`]; on a call that is over
    /// already it is [`LineError::HungUp`].
    pub fn turn(&self, turn: Turn) -> Result<Reply, LineError> {
        match self.request(Request::Turn(Box::new(turn)))? {
            Answer::Reply(reply) => Ok(reply),
            _ => Ok(Reply::empty(ReplyKind::Failed)),
        }
    }

    /// Speaks; returns when heard or cut.
    pub fn play(&self, prompts: Vec<Prompt>, barge_in: BargeIn) -> Result<Reply, LineError> {
        self.turn(Turn {
            prompts,
            barge_in,
            window: None,
        })
    }

    /// Asks, and asks again: silence and misunderstanding have their own prompts before the question.
    pub fn ask(&self, ask: &Ask) -> Result<Reply, LineError> {
        let mut lead: &[Prompt] = &[];
        let mut attempt = 1;
        loop {
            let question = ask
                .prompts
                .get(attempt as usize - 1)
                .or(ask.prompts.last())
                .map_or(&[][..], Vec::as_slice);
            let mut reply = self.turn(Turn {
                prompts: lead.iter().chain(question).cloned().collect(),
                barge_in: ask.barge_in,
                window: Some(ask.window.clone()),
            })?;
            reply.attempts = attempt;
            let heard = matches!(reply.kind, ReplyKind::Speech | ReplyKind::TooLong);
            let good = match reply.kind {
                ReplyKind::HangUp | ReplyKind::Failed | ReplyKind::Played => true,
                ReplyKind::Digits => ask
                    .digits
                    .as_ref()
                    .is_none_or(|wanted| wanted.contains(&reply.digits.as_str().len())),
                ReplyKind::Speech => match &ask.digits {
                    Some(wanted) => {
                        wanted.contains(&reply.digits.as_str().len())
                            || (!ask.window.expect.is_empty() && reply.intent().is_some())
                    }
                    None => ask.window.expect.is_empty() || reply.intent().is_some(),
                },
                ReplyKind::NoInput | ReplyKind::TooLong => false,
            };
            if good || attempt >= ask.attempts {
                return Ok(reply);
            }
            lead = if heard || reply.kind == ReplyKind::Digits {
                &ask.no_match
            } else {
                &ask.no_input
            };
            attempt += 1;
        }
    }

    /// Waits; what is said meanwhile is kept for the next window.
    pub fn pause(&self, ms: u64) -> Result<(), LineError> {
        self.request(Request::Pause {
            ms: ms.min(MAX_PAUSE_MS),
        })
        .map(drop)
    }

    /// Begins to record the call.
    pub fn record(&self) -> Result<(), LineError> {
        self.request(Request::Record).map(drop)
    }

    /// Ends the recording.
    pub fn record_stop(&self) -> Result<(), LineError> {
        self.request(Request::RecordStop).map(drop)
    }

    /// Records a message: says what is to be said, and takes down what the person says until that has ended. The reply's
    /// kind tells how; a hang-up ends a message like any other, and the dialog may still `finish`.
    ///
    /// It is recorded from before the beep on: whoever speaks over it loses nothing.
    pub fn message(&self, ask: &MessageAsk) -> Result<Reply, LineError> {
        if !ask.prompts.is_empty() {
            let reply = self.play(ask.prompts.clone(), ask.barge_in)?;
            if reply.kind == ReplyKind::HangUp {
                return Ok(reply);
            }
        }
        if !matches!(self.request(Request::Message)?, Answer::Recorded(Some(_))) {
            return Ok(Reply::empty(ReplyKind::Failed));
        }
        let said = self.turn(Turn {
            prompts: ask.beep.iter().cloned().map(Prompt::Sound).collect(),
            barge_in: BargeIn::Off,
            window: Some(ask.window.clone()),
        });
        let by = said.as_ref().map_or(ReplyKind::HangUp, |reply| reply.kind);
        let stopped = self.request(Request::MessageStop { by });
        let mut reply = said?;
        if let Ok(Answer::Recorded(recorded)) = stopped {
            reply.recorded = recorded;
        }
        Ok(reply)
    }

    /// Connects the person to another one; returns when that talk is over, or was not to be.
    pub fn transfer(&self, number: Phone, timeout_ms: u64) -> Result<&'static str, LineError> {
        match self.request(Request::Transfer { number, timeout_ms })? {
            Answer::Transfer(status) => Ok(status),
            _ => Ok("failed"),
        }
    }

    /// Asks another server, and says `filler` meanwhile. A hang-up ends the wait.
    pub fn web(&self, order: WebOrder, filler: Vec<Prompt>) -> Result<WebAnswer, LineError> {
        match self.request(Request::Web { order, filler })? {
            Answer::Web(answer) => Ok(answer),
            // The turn's end that a hang-up brings.
            _ => Err(LineError::HungUp),
        }
    }

    /// A machine answered ([`LineError::Machine`]): waits until it takes a message. Then the dialog speaks to it, and
    /// nothing that it says cuts a prompt. `None`: it takes none.
    pub fn tone(&self) -> Result<Option<Who>, LineError> {
        match self.request(Request::Tone)? {
            Answer::Tone(who) => Ok(Some(who)),
            Answer::Done => Ok(None),
            // The turn's end that a hang-up brings.
            _ => Err(LineError::HungUp),
        }
    }

    /// Hangs up. The dialog may go on and `finish`, but is not heard any more.
    pub fn hang_up(&self) -> Result<(), LineError> {
        self.request(Request::HangUp).map(drop)
    }

    /// Leaves a note in the history. Works after the hang-up too, until the session is gone.
    pub fn note(&self, kind: &'static str, data: Fields) {
        let _ = self
            .messages
            .blocking_send(LineMessage::Note(Box::new(Note { kind, data })));
    }
}
