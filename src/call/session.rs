//! A call that talks: joins the dialog's line, the machine, the speaker, the hearing and Asterisk's events. It decides
//! nothing; [`super::machine`] does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::answerer::{Awaited, Decider, OnMachine, Who};
use super::clock::CallClock;
use super::dialog_threads::DialogThreads;
use super::event::{Command, Event};
use super::hearing::{Heard, Hearing, HearingOrder};
use super::history::kind;
use super::journal::CallJournal;
use super::line::{Answer, CallInfo, HangUpFlag, Line, LineMessage};
use super::link::{self, Connected, Tap};
use super::machine::CallMachine;
use super::pbx::{Pbx, Told};
use super::recording::{Recorded, Recording, What};
use super::reply::{Reply, ReplyKind};
use super::request::{MAX_PROMPTS, Prompt, Request, Saying, Turn};
use super::summary::{DialogEnd, EndedBy, Fault};
use super::voicing::{self, Voiced};
use crate::audio::Sound;
use crate::call::fields::fields;
use crate::net::media::LinkGuard;
use crate::net::speaker::{Speaker, SpeakerOrder};
use crate::net::web::{WebAnswer, WebOrder};
use crate::tts::Prompts;

mod medium;

/// A dialog: what a session runs on a thread of its own.
pub type Dialog = Box<dyn FnOnce(Line) -> DialogEnd + Send>;

/// After the hang-up a dialog may still tidy up for so long.
const AFTER_HANG_UP: Duration = Duration::from_secs(5);

/// How a talk ended.
#[derive(Debug)]
pub(super) struct Talked {
    pub(super) end: DialogEnd,
    pub(super) by: EndedBy,
    /// Something was said or keyed.
    pub(super) replied: bool,
    /// It was no person who answered.
    pub(super) machine: bool,
    pub(super) recording: Option<String>,
}

/// What a talk needs.
pub(super) struct Session {
    pub(super) info: Arc<CallInfo>,
    pub(super) clock: CallClock,
    pub(super) speaker: Speaker,
    /// Keeps a both-way medium open.
    pub(super) guard: Option<LinkGuard>,
    pub(super) hearing: Hearing,
    /// Who answered is to be found out.
    pub(super) decider: Option<(Decider, OnMachine)>,
    pub(super) pbx: Pbx,
    pub(super) prompts: Arc<Prompts>,
    pub(super) journal: CallJournal,
    pub(super) stop: CancellationToken,
    pub(super) longest: Duration,
    pub(super) fallback: String,
}

/// Work that ends later.
enum Job {
    Sounds(Turn, Vec<Voiced>),
    Recording(Result<Option<Recording>, String>),
    /// A message is being recorded.
    Message(Result<Recording, String>),
    /// And no longer.
    MessageStopped(Result<(), String>),
    Transfer(
        Result<&'static str, String>,
        Result<Option<Connected>, String>,
    ),
    Web(WebAnswer),
    /// The medium is open again.
    BothWays(Result<Option<Connected>, String>),
    Tap(Result<Tap, String>),
}

/// A server is being asked: the dialog gets its answer when the filler is over, too.
struct Asking {
    filler: bool,
    answer: Option<WebAnswer>,
}

/// Whether a machine has answered, and what the dialog knows of it.
#[derive(Clone, Copy)]
enum Machine {
    None,
    /// The dialog is to end; it learns that by its next request.
    Told(Who),
    /// The dialog leaves it a message.
    TakesMessage,
}

/// The state of [`Session::talk`]'s loop.
struct Talk {
    machine: CallMachine,
    messages: mpsc::Receiver<LineMessage>,
    flag: Arc<HangUpFlag>,
    /// Who waits for an answer.
    waiting: Option<oneshot::Sender<Answer>>,
    jobs: JoinSet<Job>,
    asking: Option<Asking>,
    /// A turn's texts are becoming sounds.
    preparing: Option<AbortHandle>,
    answered_by: Machine,
    ended_by: Option<EndedBy>,
    /// The medium has ended: by a hang-up, which Asterisk then tells until this moment, or by a fault.
    medium_lost: Option<tokio::time::Instant>,
    /// How often it was opened again.
    opened_again: u32,
    /// The speaker ended with it.
    mute: bool,
    /// The person talks to somebody else, and AGI is busy with that.
    transferring: bool,
    replied: bool,
    recording: Option<String>,
    /// The recordings of the call that go on, by Asterisk's ids, where it told them.
    recordings: Vec<Option<String>>,
    /// The message that is being recorded, and since when.
    message: Option<(Recording, u64)>,
}

impl Session {
    /// Holds the dialog to its end, or the person's. Gives back the journal and Asterisk's end of the call.
    ///
    /// Boxed, lest the futures of those who wait for it hold room for it twice.
    pub(super) async fn talk(mut self: Box<Self>, dialog: Dialog) -> (Talked, CallJournal, Pbx) {
        let (line, messages, flag) = Line::new(Arc::clone(&self.info));
        let mut talk = Talk {
            machine: CallMachine::finding_out(self.decider.take()),
            messages,
            flag,
            waiting: None,
            jobs: JoinSet::new(),
            asking: None,
            preparing: None,
            answered_by: Machine::None,
            ended_by: None,
            medium_lost: self.is_deaf().then(tokio::time::Instant::now),
            opened_again: 0,
            mute: false,
            transferring: false,
            replied: false,
            recording: None,
            recordings: Vec::new(),
            message: None,
        };
        let mut end = spawn_dialog(&self.pbx.parts().threads, line, dialog);
        let end = self.serve(&mut talk, &mut end).await;
        if end.fault.is_some() && talk.ended_by.is_none() {
            self.apologize(&mut talk).await;
        }
        self.over(&mut talk, EndedBy::Dialog);
        self.journal.flush().await;
        let talked = Talked {
            end,
            by: talk.ended_by.unwrap_or(EndedBy::Dialog),
            replied: talk.replied,
            machine: talk.machine.met_machine(),
            recording: talk.recording,
        };
        (talked, self.journal, self.pbx)
    }

    /// The loop, until the dialog has ended.
    async fn serve(
        &mut self,
        talk: &mut Talk,
        end: &mut oneshot::Receiver<DialogEnd>,
    ) -> DialogEnd {
        let mut deadline = tokio::time::Instant::now() + self.longest;
        loop {
            self.obey(talk).await;
            self.journal.flush_due().await;
            let timer = talk.machine.wait_until().map(|ms| self.clock.instant(ms));
            let wake = [timer, self.journal.due()]
                .into_iter()
                .flatten()
                .fold(deadline, tokio::time::Instant::min);
            tokio::select! {
                biased;
                ended = &mut *end => {
                    // Notes that the dialog left last.
                    while let Ok(message) = talk.messages.try_recv() {
                        self.asked(talk, message);
                    }
                    self.obey(talk).await;
                    return ended.unwrap_or_else(|_| dead_thread(&self.info));
                }
                Some(message) = talk.messages.recv() => self.asked(talk, message),
                heard = self.hearing.next() => self.heard(talk, heard),
                event = self.speaker.events.recv(), if !talk.mute => match event {
                    Some(event) => talk.machine.handle(Event::Speaker(event), self.clock.now_ms()),
                    None => {
                        talk.mute = true;
                        // A hang-up closes it, too.
                        if talk.ended_by.is_none() {
                            self.medium_ended(talk);
                        }
                    }
                },
                // Media are opened by AGI, most of them.
                () = until(talk.medium_lost), if talk.ended_by.is_none() && !talk.transferring => self.open_again(talk),
                told = self.pbx.next(), if talk.ended_by.is_none() => self.told(talk, told),
                Some(job) = talk.jobs.join_next() => if let Ok(job) = job { self.job_done(talk, job) },
                () = self.stop.cancelled(), if talk.ended_by.is_none() => self.over(talk, EndedBy::Us),
                () = tokio::time::sleep_until(wake) => {
                    let now = tokio::time::Instant::now();
                    if now >= deadline {
                        if talk.ended_by.is_some() {
                            // The dialog does not end by itself; its thread is stopped by the script's own limits.
                            self.journal.note(kind::FAULT, fields!({"message": "the dialog did not end after the hang-up"}));
                            return DialogEnd::default();
                        }
                        self.journal.note(kind::FAULT, fields!({"message": "the call is longer than calls.longest allows"}));
                        self.over(talk, EndedBy::Us);
                    }
                    talk.machine.handle(Event::Clock, self.clock.now_ms());
                }
            }
            if talk.ended_by.is_some() && talk.flag.raised_for_ms().is_none() {
                talk.flag.raise();
                deadline = tokio::time::Instant::now() + AFTER_HANG_UP;
            }
        }
    }

    /// Does what the machine decided.
    async fn obey(&mut self, talk: &mut Talk) {
        while let Some(command) = talk.machine.poll() {
            let order = match command {
                Command::Play { id, sound, from_ms } => SpeakerOrder::Play { id, sound, from_ms },
                Command::PausePlayback => SpeakerOrder::Pause,
                Command::ResumePlayback => SpeakerOrder::Resume,
                Command::StopPlayback => SpeakerOrder::Stop,
                Command::EndUtterance => {
                    let _ = self.hearing.orders.try_send(HearingOrder::EndUtterance);
                    continue;
                }
                Command::Reply(_) if talk.asking.is_some() => {
                    talk.asked_web(|asking| asking.filler = false);
                    continue;
                }
                Command::Reply(reply) => {
                    talk.replied |= reply.kind.is_answer();
                    talk.answer(Answer::Reply(reply));
                    continue;
                }
                Command::PauseOver => {
                    talk.answer(Answer::Done);
                    continue;
                }
                Command::Machine(who) => {
                    talk.machine_answered(who);
                    continue;
                }
                Command::Awaited(who, awaited) => {
                    talk.answer(match awaited {
                        Awaited::NoMessage => Answer::Done,
                        Awaited::Tone | Awaited::Silence => Answer::Tone(who),
                    });
                    continue;
                }
                Command::Note { kind, at_ms, data } => {
                    match kind {
                        kind::TURN => self.pbx.parts().timings.observe(&data.value()),
                        kind::ANSWERER => self.pbx.parts().answerers.observe(&data.value()),
                        _ => {}
                    }
                    self.journal.note_at(kind, at_ms, data);
                    continue;
                }
            };
            // A speaker that takes no orders is gone, and its closed events tell so.
            let _ = self.speaker.orders.send(order).await;
        }
    }

    /// The dialog asks for something.
    fn asked(&mut self, talk: &mut Talk, message: LineMessage) {
        let (request, sender) = match message {
            LineMessage::Note(note) => {
                self.journal.note(note.kind, note.data);
                return;
            }
            LineMessage::Request(request, sender) => (*request, sender),
        };
        if let Request::MessageStop { by } = request {
            let _ = sender.send(Answer::Recorded(self.message_stop(talk, by)));
            return;
        }
        if talk.ended_by.is_some() {
            let _ = sender.send(Answer::HungUp);
            return;
        }
        if let Machine::Told(who) = talk.answered_by
            && !matches!(request, Request::Tone | Request::HangUp)
        {
            let _ = sender.send(Answer::Machine(who));
            return;
        }
        talk.waiting = Some(sender);
        match request {
            Request::Turn(turn) => self.prepare(talk, *turn),
            Request::Tone if matches!(talk.answered_by, Machine::Told(_)) => {
                talk.answered_by = Machine::TakesMessage;
                talk.machine.handle(Event::AwaitTone, self.clock.now_ms());
            }
            Request::Tone => talk.answer(Answer::Done),
            Request::Pause { ms } => talk
                .machine
                .handle(Event::Pause { ms }, self.clock.now_ms()),
            Request::Record => {
                let start = self.pbx.record(&self.info, What::Call);
                talk.jobs
                    .spawn(async move { Job::Recording(start.await.map(Some)) });
            }
            Request::RecordStop => {
                let stop = self.record_stop(talk);
                talk.jobs
                    .spawn(async move { Job::Recording(stop.await.map(|()| None)) });
            }
            Request::Message => {
                let start = self.pbx.record(&self.info, What::Message);
                talk.jobs.spawn(async move { Job::Message(start.await) });
            }
            // Answered above.
            Request::MessageStop { .. } => {}
            Request::Transfer { number, timeout_ms } => {
                talk.machine.stop_finding_out();
                self.journal.note(
                    kind::TRANSFER,
                    fields!({"event": "began", "to": number.as_str()}),
                );
                if link::is_both_way(self.pbx.medium()) {
                    // Such a medium holds AGI; it ends with its guard, and another follows the transfer.
                    self.guard = None;
                    self.speaker = Speaker::gone();
                    talk.mute = true;
                }
                talk.transferring = true;
                let transfer = self.pbx.transfer(&number, timeout_ms);
                let again = self.pbx.medium_again();
                talk.jobs.spawn(async move {
                    let status = transfer.await;
                    Job::Transfer(status, again.await)
                });
            }
            Request::Web { order, filler } => self.ask_web(talk, order, filler),
            Request::HangUp => {
                talk.answer(Answer::Done);
                self.over(talk, EndedBy::Dialog);
                tokio::spawn(self.pbx.hang_up());
            }
        }
    }

    /// Ends all that `record()` began, each by its id: without one a message might be what ends. Where nothing was begun
    /// here, the dialplan's recording ends.
    fn record_stop(
        &self,
        talk: &mut Talk,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let mut begun = std::mem::take(&mut talk.recordings);
        if begun.is_empty() {
            begun.push(None);
        }
        let stops: Vec<_> = begun
            .iter()
            .map(|id| self.pbx.record_stop(id.as_deref()))
            .collect();
        async move {
            let mut ended = Ok(());
            for stop in stops {
                ended = ended.and(stop.await);
            }
            ended
        }
    }

    /// The message has ended; what is known of it. Asterisk ends its file beside the loop, or has done with the channel.
    fn message_stop(&mut self, talk: &mut Talk, by: ReplyKind) -> Option<Recorded> {
        let (message, began_ms) = talk.message.take()?;
        let ms = self.clock.now_ms().saturating_sub(began_ms);
        self.journal.note(
            kind::RECORDING,
            fields!({
                "event": "ended", "what": message.what.as_str(), "number": message.number, "by": by.as_str(),
                "length_ms": ms,
            }),
        );
        // Without its id another recording might be the one that ends.
        if talk.ended_by.is_none() && message.id.is_some() {
            let stop = self.pbx.record_stop(message.id.as_deref());
            talk.jobs
                .spawn(async move { Job::MessageStopped(stop.await) });
        }
        Some(Recorded {
            number: message.number,
            ms,
        })
    }

    /// A recording has begun.
    fn note_recording(&mut self, recording: &Recording) {
        let Recording {
            what,
            file,
            number,
            channels,
            ..
        } = recording;
        self.journal.note(
            kind::RECORDING,
            fields!({"event": "began", "what": what.as_str(), "number": number, "channels": channels, "file": file}),
        );
    }

    /// Asks a server beside the loop, and lets the filler play.
    fn ask_web(&mut self, talk: &mut Talk, order: WebOrder, filler: Vec<Prompt>) {
        self.journal.note(
            kind::WEB,
            fields!({"event": "began", "method": order.method.as_str(), "url": order.url}),
        );
        let web = Arc::clone(&self.pbx.parts().web);
        talk.jobs
            .spawn(async move { Job::Web(web.ask(&order).await) });
        talk.asking = Some(Asking {
            filler: !filler.is_empty(),
            answer: None,
        });
        if !filler.is_empty() {
            let turn = Turn {
                prompts: filler,
                barge_in: super::request::BargeIn::Off,
                window: None,
            };
            self.prepare(talk, turn);
        }
    }

    /// Turns a turn's texts into sounds, beside the loop.
    fn prepare(&mut self, talk: &mut Talk, mut turn: Turn) {
        turn.prompts.truncate(MAX_PROMPTS);
        if turn.prompts.iter().all(|p| matches!(p, Prompt::Sound(_))) {
            let sounds = std::mem::take(&mut turn.prompts);
            let sounds = sounds.into_iter().filter_map(|p| match p {
                Prompt::Sound(sound) => Some(sound),
                Prompt::Text(_) => None,
            });
            self.begin(talk, sounds.collect(), turn);
            return;
        }
        let prompts = Arc::clone(&self.prompts);
        let preparing = talk.jobs.spawn(async move {
            let sounds = voicing::voice(&prompts, std::mem::take(&mut turn.prompts)).await;
            Job::Sounds(turn, sounds)
        });
        talk.preparing = Some(preparing);
    }

    fn begin(&mut self, talk: &mut Talk, sounds: Vec<Sound>, turn: Turn) {
        let event = Event::Turn {
            sounds,
            barge_in: turn.barge_in,
            window: turn.window,
        };
        talk.machine.handle(event, self.clock.now_ms());
    }

    fn job_done(&mut self, talk: &mut Talk, job: Job) {
        match job {
            Job::Sounds(turn, sounds) => {
                let mut ready = Vec::with_capacity(sounds.len());
                for sound in sounds {
                    match sound {
                        Voiced::Sound(sound) => ready.push(sound),
                        Voiced::Failed {
                            text,
                            reason,
                            instead,
                        } => {
                            let name = instead.as_ref().map(|sound| &sound.name);
                            self.journal.note(
                                kind::FAULT,
                                fields!({"message": reason, "text": text, "instead": name}),
                            );
                            ready.extend(instead);
                        }
                    }
                }
                self.begin(talk, ready, turn);
            }
            Job::Web(answer) => {
                let fault = answer.fault.as_ref();
                self.journal.note(
                    kind::WEB,
                    fields!({"event": "ended", "status": answer.status, "fault": fault.map(ToString::to_string), "data": answer.data}),
                );
                talk.asked_web(|asking| asking.answer = Some(answer));
            }
            Job::Recording(Ok(Some(recording))) => {
                self.note_recording(&recording);
                talk.recording = Some(recording.file);
                talk.recordings.push(recording.id);
                talk.answer(Answer::Done);
            }
            Job::Message(Ok(recording)) => {
                self.note_recording(&recording);
                // The call's own recording goes first.
                let _ = talk.recording.get_or_insert(recording.file.clone());
                let recorded = Recorded {
                    number: recording.number,
                    ms: 0,
                };
                talk.message = Some((recording, self.clock.now_ms()));
                talk.answer(Answer::Recorded(Some(recorded)));
            }
            Job::Message(Err(message)) => {
                self.recording_failed(&message);
                talk.answer(Answer::Recorded(None));
            }
            Job::MessageStopped(Ok(())) => {}
            Job::MessageStopped(Err(message)) => self.recording_failed(&message),
            Job::Recording(Ok(None)) => {
                self.journal
                    .note(kind::RECORDING, fields!({"event": "ended"}));
                talk.answer(Answer::Done);
            }
            Job::Recording(Err(message)) => {
                self.recording_failed(&message);
                talk.answer(Answer::Done);
            }
            Job::Transfer(status, again) => {
                talk.transferring = false;
                let status = status.unwrap_or_else(|message| {
                    self.journal.note(
                        kind::FAULT,
                        fields!({"message": format!("transfer: {message}")}),
                    );
                    "failed"
                });
                self.journal.note(
                    kind::TRANSFER,
                    fields!({"event": "ended", "status": status}),
                );
                match again {
                    Ok(None) => {}
                    Ok(Some(connected)) => {
                        talk.medium_lost = None;
                        self.connect(talk, connected);
                    }
                    // The person hung up meanwhile, mostly: Asterisk tells.
                    Err(reason) => self.medium_is_lost(talk, &reason),
                }
                talk.answer(Answer::Transfer(status));
            }
            // It would hold AGI, which the transfer waits for; another one follows that.
            Job::BothWays(_) if talk.transferring => {}
            Job::BothWays(Ok(connected)) => {
                if let Some(connected) = connected {
                    self.connect(talk, connected);
                }
                self.journal.note(kind::MEDIA, fields!({"event": "back"}));
                talk.machine.handle(Event::MediumBack, self.clock.now_ms());
            }
            Job::Tap(Ok(tap)) => {
                self.pbx.keep_tap(tap);
                self.journal.note(kind::MEDIA, fields!({"event": "back"}));
            }
            Job::BothWays(Err(reason)) | Job::Tap(Err(reason)) => {
                self.medium_is_lost(talk, &reason);
            }
        }
    }

    fn recording_failed(&mut self, message: &str) {
        self.journal.note(
            kind::FAULT,
            fields!({"message": format!("recording: {message}")}),
        );
    }

    fn heard(&mut self, talk: &mut Talk, heard: Heard) {
        let event = match heard {
            Heard::VoiceStarted { at_ms } => Event::VoiceStarted { at_ms },
            Heard::VoiceEnded { at_ms } => Event::VoiceEnded { at_ms },
            Heard::Partial(text) => Event::Partial(text),
            Heard::Final(text) => Event::Final(text),
            Heard::TakenOver => Event::TakenOver,
            Heard::Tone(tone) => Event::Tone(tone),
            // Before the answer: told already, or too late.
            Heard::Early { .. } | Heard::EarlyVoice => return,
            Heard::Deaf { reason } => {
                self.journal.note(
                    kind::RECOGNIZER,
                    fields!({"event": "none_left", "reason": reason}),
                );
                Event::Deaf { reason }
            }
            Heard::Recognizer { name, note } => {
                self.journal
                    .note(kind::RECOGNIZER, fields!({"name": name, "event": note}));
                return;
            }
            Heard::FramesEnded => {
                // A both-way medium's speaker tells it, too.
                if !link::is_both_way(self.pbx.medium()) {
                    self.medium_ended(talk);
                }
                return;
            }
            Heard::Audio { note } => {
                self.journal.note(kind::MEDIA, fields!({"event": note}));
                return;
            }
        };
        talk.machine.handle(event, self.clock.now_ms());
    }

    fn told(&mut self, talk: &mut Talk, told: Told) {
        match told {
            Told::Event(event) => {
                self.journal.note(kind::ASTERISK, Arc::clone(&event));
                if let Some(digit) = self.pbx.digit(&event) {
                    talk.machine
                        .handle(Event::Digit(digit), self.clock.now_ms());
                } else if self.pbx.is_our_hang_up(&event) {
                    self.over(talk, EndedBy::Person);
                }
            }
            Told::HungUp => self.over(talk, EndedBy::Person),
            Told::Lost(reason) => {
                self.journal.note(kind::FAULT, fields!({"message": reason}));
                self.over(talk, EndedBy::Fault);
            }
            Told::Note(note) => self.journal.note(kind::ASTERISK, fields!({"event": note})),
        }
    }

    /// The call is over, for the first reason that came.
    fn over(&mut self, talk: &mut Talk, by: EndedBy) {
        if talk.ended_by.is_some() {
            return;
        }
        talk.ended_by = Some(by);
        self.journal
            .note(kind::HANG_UP, fields!({"by": by.as_str()}));
        talk.machine.handle(Event::HangUp, self.clock.now_ms());
        while let Some(command) = talk.machine.poll() {
            match command {
                Command::Reply(reply) => talk.answer(Answer::Reply(reply)),
                Command::PauseOver => talk.answer(Answer::Done),
                Command::Note { kind, at_ms, data } => self.journal.note_at(kind, at_ms, data),
                Command::StopPlayback => {
                    let _ = self.speaker.orders.try_send(SpeakerOrder::Stop);
                }
                _ => {}
            }
        }
        talk.asking = None;
        // A turn whose sounds were still being made.
        talk.answer(Answer::Reply(Reply::empty(ReplyKind::HangUp)));
        talk.jobs.abort_all();
    }

    /// The dialog's fault ends the call politely.
    async fn apologize(&mut self, talk: &mut Talk) {
        if self.fallback.is_empty() {
            return;
        }
        let (sender, receiver) = oneshot::channel();
        let turn = Turn {
            prompts: vec![Prompt::Text(Saying::plain(self.fallback.clone()))],
            barge_in: super::request::BargeIn::Off,
            window: None,
        };
        self.asked(
            talk,
            LineMessage::Request(Box::new(Request::Turn(Box::new(turn))), sender),
        );
        // The same loop serves it: the "dialog" now is one that waits for this answer.
        let (done, mut over) = oneshot::channel();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(voicing::DEADLINE * 2, receiver).await;
            let _ = done.send(DialogEnd::default());
        });
        self.serve(talk, &mut over).await;
    }
}

impl Talk {
    /// The dialog is to end, whatever it waits for; a transfer or a recording that has begun goes on beside.
    fn machine_answered(&mut self, who: Who) {
        self.answered_by = Machine::Told(who);
        self.asking = None;
        if let Some(preparing) = self.preparing.take() {
            preparing.abort();
        }
        self.answer(Answer::Machine(who));
    }

    /// The server has answered, or the filler is over; the dialog goes on when both have.
    fn asked_web(&mut self, change: impl FnOnce(&mut Asking)) {
        let Some(mut asking) = self.asking.take() else {
            return;
        };
        change(&mut asking);
        match asking.answer.take() {
            Some(answer) if !asking.filler => self.answer(Answer::Web(answer)),
            answer => {
                asking.answer = answer;
                self.asking = Some(asking);
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(answer);
        }
    }
}

/// Waits until that moment, if there is one.
async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The end of a dialog whose thread died: a fault of ours, told as one.
fn dead_thread(info: &CallInfo) -> DialogEnd {
    DialogEnd {
        fault: Some(Fault {
            file: info.dialog.clone(),
            line: 0,
            column: 0,
            message: "the dialog's thread died".to_owned(),
        }),
        ..DialogEnd::default()
    }
}

/// Runs the dialog on a thread of its own; its end comes through the channel, which closes if the thread panics.
fn spawn_dialog(
    threads: &DialogThreads,
    line: Line,
    dialog: Dialog,
) -> oneshot::Receiver<DialogEnd> {
    let (sender, receiver) = oneshot::channel();
    let work = move || {
        let _ = sender.send(dialog(line));
    };
    if let Err(error) = threads.run(work) {
        tracing::error!(%error, "no thread for a dialog");
    }
    receiver
}
