//! One call without a telephone: the live machine, the live dialog on its thread, and a virtual clock. Time jumps to
//! whatever happens next; while the dialog computes it stands still.
//!
//! ```text
//!   dialog's thread ──request──▶ Rehearsal ──Event──▶ CallMachine
//!        ▲                        │  ▲                   │
//!        └──────── Answer ────────┘  └───── Command ─────┘
//!                                 │  ▲
//!                          Scene  ▼  │  Next
//!                                Person (a test case, a terminal, a recorded call)
//! ```
//!
//! What the session does over sockets is done here by arithmetic: prompts take as long as their files (or their text, spoken
//! calmly), voice activity and recognizer tell of speech as late as the real ones do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jiff::Zoned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::coverage::Watch;
use super::mouth::Mouth;
use super::scene::{Act, Heard, HistoryLine, Next, Person, Scene};
use super::voice::Voices;
use crate::call::answerer::{Awaited, Decider};
use crate::call::event::{Command, Event};
use crate::call::history::kind;
use crate::call::line::{Answer, HangUpFlag, LineMessage};
use crate::call::machine::CallMachine;
use crate::call::{
    BargeIn, CallInfo, DialogEnd, Direction, EndedBy, Fault, Line, Prompt, Recorded, Reply,
    ReplyKind, Request, Turn, Who,
};
use crate::net::web::{WebAnswer, WebOrder};
use crate::script::Dialog;
use crate::script::run::STACK_BYTES;

/// A call is ended after this, as `calls.longest` ends a live one.
const LONGEST_MS: u64 = 15 * 60 * 1000;
/// Between two keys.
const KEY_MS: u64 = 150;
/// Steps of the loop; a call of fifteen minutes takes a few thousand.
const MAX_STEPS: usize = 1_000_000;

/// What a rehearsal begins with.
pub struct Opening {
    /// The dialog.
    pub dialog: Dialog,
    /// What it may know of its call.
    pub info: CallInfo,
    /// The time and zone at the answer.
    pub began: Zoned,
    /// Counts what is reached.
    pub watch: Option<Arc<Watch>>,
}

/// What came of it.
#[derive(Debug)]
pub struct Held {
    /// What the dialog left.
    pub end: DialogEnd,
    /// Why it ended.
    pub by: EndedBy,
    /// What 1C would be told.
    pub outcome: String,
    /// Everything that happened, in order.
    pub lines: Vec<HistoryLine>,
    /// The prompts that began to sound.
    pub heard: Vec<Heard>,
    /// How long it went on, milliseconds.
    pub length_ms: u64,
}

/// A server that is asked.
#[derive(Debug)]
struct Asking {
    /// The filler still plays.
    fills: bool,
    /// When it answers; `None`: it has.
    at_ms: Option<u64>,
    answer: WebAnswer,
}

/// Holds a dialog with `person` to its end. Blocks the thread; no runtime is needed, nor allowed.
pub fn hold(opening: Opening, person: &mut dyn Person) -> Held {
    let elapsed = Arc::new(AtomicU64::new(0));
    let choice = opening.dialog.choice();
    let outgoing = opening.info.direction == Direction::Outgoing;
    let decider = outgoing.then(|| (Decider::new(choice.answers, 0), choice.on_machine));
    let (line, messages, flag) = Line::new(opening.info);
    let line = line.rehearsed(opening.began, Arc::clone(&elapsed));
    let dialog = match &opening.watch {
        Some(watch) => opening.dialog.watched(watch.probe()),
        None => opening.dialog,
    };
    let thread = thread::Builder::new()
        .name("dialog".to_owned())
        .stack_size(STACK_BYTES * 2)
        .spawn(move || dialog.run(line));
    let mut rehearsal = Rehearsal {
        machine: CallMachine::finding_out(decider),
        answered_by: None,
        takes_message: false,
        messages,
        flag,
        elapsed,
        waiting: None,
        mouth: Mouth::default(),
        voices: Voices::default(),
        keys: Vec::new(),
        scene: Scene::default(),
        ended_by: None,
        replied: false,
        watch: opening.watch,
        question: None,
        asking: None,
        recordings: 0,
        message: None,
    };
    let end = match thread {
        Ok(thread) => {
            rehearsal.serve(person);
            thread
                .join()
                .unwrap_or_else(|_| dead("the dialog's thread died"))
        }
        Err(error) => dead(&format!("no thread for the dialog: {error}")),
    };
    rehearsal.close(end)
}

fn dead(message: &str) -> DialogEnd {
    DialogEnd {
        fault: Some(Fault {
            file: String::new(),
            line: 0,
            column: 0,
            message: message.to_owned(),
        }),
        ..DialogEnd::default()
    }
}

struct Rehearsal {
    machine: CallMachine,
    messages: mpsc::Receiver<LineMessage>,
    flag: Arc<HangUpFlag>,
    elapsed: Arc<AtomicU64>,
    /// The dialog waits for this answer.
    waiting: Option<oneshot::Sender<Answer>>,
    mouth: Mouth,
    voices: Voices,
    /// Keys to come, with their times.
    keys: Vec<(u64, char)>,
    scene: Scene,
    ended_by: Option<EndedBy>,
    replied: bool,
    watch: Option<Arc<Watch>>,
    /// The question that is open: where it stands, and the answers that it expects.
    question: Option<(String, usize, Vec<String>)>,
    asking: Option<Asking>,
    /// A machine has answered: the dialog is to end.
    answered_by: Option<Who>,
    /// And leaves it a message.
    takes_message: bool,
    /// How many recordings were begun.
    recordings: u32,
    /// The message of the person that is recorded: its number, and since when.
    message: Option<(u32, u64)>,
}

impl Rehearsal {
    fn serve(&mut self, person: &mut dyn Person) {
        for _ in 0..MAX_STEPS {
            self.obey(person);
            if self.waiting.is_none() {
                match self.messages.blocking_recv() {
                    Some(message) => self.asked(message, person),
                    None => return,
                }
                continue;
            }
            if self.scene.now_ms >= LONGEST_MS {
                self.note(
                    kind::FAULT,
                    json!({"message": "the call is longer than 15 minutes"}),
                    person,
                );
                self.over(EndedBy::Us, person);
                continue;
            }
            let own = self.next_ms();
            let wake = match person.next(&self.scene) {
                Next::Do(act) => {
                    self.act(act, person);
                    continue;
                }
                Next::At(at_ms) => Some(own.map_or(at_ms, |own| own.min(at_ms))),
                Next::Nothing => own,
            };
            let Some(wake) = wake else {
                // Nothing would ever happen again: a mistake of ours, told rather than waited for.
                self.note(
                    kind::FAULT,
                    json!({"message": "nothing more can happen"}),
                    person,
                );
                self.over(EndedBy::Fault, person);
                continue;
            };
            let reached = person.pass(self.scene.now_ms, wake.max(self.scene.now_ms));
            self.go_to(reached, person);
        }
        self.over(EndedBy::Fault, person);
        // Nobody answers any more: the dialog ends by itself.
        self.messages.close();
    }

    /// The next thing that happens without the person's doing more.
    fn next_ms(&self) -> Option<u64> {
        let keys = self.keys.first().map(|(at_ms, _)| *at_ms);
        [
            self.machine.wait_until(),
            self.mouth.next_ms(),
            self.voices.next_ms(),
            keys,
            self.asking.as_ref().and_then(|asking| asking.at_ms),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Moves the clock, and does the one thing that is due first.
    fn go_to(&mut self, at_ms: u64, person: &mut dyn Person) {
        let now = at_ms.max(self.scene.now_ms);
        self.scene.now_ms = now;
        self.elapsed.store(now, Ordering::Relaxed);
        if let Some(event) = self.mouth.take_due(now) {
            self.scene.mouth(&event);
            self.machine.handle(Event::Speaker(event), now);
        } else if let Some(event) = self.voices.take_due(now) {
            self.machine.handle(event, now);
        } else if self.keys.first().is_some_and(|(at_ms, _)| *at_ms <= now) {
            let (_, key) = self.keys.remove(0);
            self.machine.handle(Event::Digit(key), now);
        } else {
            self.machine.handle(Event::Clock, now);
        }
        self.web_goes_on(person);
        self.obey(person);
    }

    fn act(&mut self, act: Act, person: &mut dyn Person) {
        let now = self.scene.now_ms;
        self.scene.acts += 1;
        match act {
            Act::Speak(voice) => self.voices.begin(voice, now),
            Act::Press(keys) => {
                let from = self.keys.last().map_or(now, |(at_ms, _)| at_ms + KEY_MS);
                for (n, key) in keys.chars().enumerate() {
                    self.keys.push((from + n as u64 * KEY_MS, key));
                }
            }
            Act::HangUp => self.over(EndedBy::Person, person),
        }
    }

    fn obey(&mut self, person: &mut dyn Person) {
        while let Some(command) = self.machine.poll() {
            let now = self.scene.now_ms;
            match command {
                // This medium never breaks: always from the start.
                Command::Play { id, sound, .. } => {
                    let cut = self.mouth.play(id, sound, now);
                    if let Some(event) = cut {
                        self.machine.handle(Event::Speaker(event), now);
                    }
                }
                Command::PausePlayback => self.mouth.pause(now),
                Command::ResumePlayback => self.mouth.resume(now),
                Command::StopPlayback => {
                    if let Some(event) = self.mouth.stop(now) {
                        self.scene.mouth(&event);
                        self.machine.handle(Event::Speaker(event), now);
                    }
                }
                Command::EndUtterance => self.voices.end_utterance(now),
                Command::Reply(reply) => {
                    self.replied |= reply.kind.is_answer();
                    if let (Some(watch), Some((file, line, expect))) =
                        (&self.watch, self.question.take())
                    {
                        watch.answered(&file, line, &expect, reply.intent());
                    }
                    self.scene.turn_over();
                    match &mut self.asking {
                        Some(asking) => {
                            asking.fills = false;
                            self.web_goes_on(person);
                        }
                        None => self.answer(Answer::Reply(reply)),
                    }
                }
                Command::PauseOver => self.answer(Answer::Done),
                Command::Machine(who) => {
                    self.answered_by = Some(who);
                    self.asking = None;
                    self.scene.turn_over();
                    self.answer(Answer::Machine(who));
                }
                Command::Awaited(who, awaited) => self.answer(match awaited {
                    Awaited::NoMessage => Answer::Done,
                    Awaited::Tone | Awaited::Silence => Answer::Tone(who),
                }),
                Command::Note { kind, at_ms, data } => self.keep(kind, at_ms, data.value(), person),
            }
        }
    }

    fn asked(&mut self, message: LineMessage, person: &mut dyn Person) {
        let (request, sender) = match message {
            LineMessage::Note(note) => return self.note(note.kind, note.data.value(), person),
            LineMessage::Request(request, sender) => (*request, sender),
        };
        if let Request::MessageStop { by } = request {
            let _ = sender.send(Answer::Recorded(self.message_stop(by, person)));
            return;
        }
        if self.ended_by.is_some() {
            let _ = sender.send(Answer::HungUp);
            return;
        }
        if let Some(who) = self.answered_by.filter(|_| !self.takes_message)
            && !matches!(request, Request::Tone | Request::HangUp)
        {
            let _ = sender.send(Answer::Machine(who));
            return;
        }
        self.waiting = Some(sender);
        let now = self.scene.now_ms;
        match request {
            Request::Turn(turn) => self.turn(*turn),
            Request::Pause { ms } => self.machine.handle(Event::Pause { ms }, now),
            Request::Record => {
                self.recordings += 1;
                let began = json!({"event": "began", "what": "call", "number": self.recordings});
                self.note(kind::RECORDING, began, person);
                self.answer(Answer::Done);
            }
            Request::RecordStop => {
                self.note(kind::RECORDING, json!({"event": "ended"}), person);
                self.answer(Answer::Done);
            }
            Request::Message => {
                self.recordings += 1;
                let number = self.recordings;
                let began = json!({"event": "began", "what": "message", "number": number});
                self.note(kind::RECORDING, began, person);
                self.message = Some((number, now));
                self.answer(Answer::Recorded(Some(Recorded { number, ms: 0 })));
            }
            // Answered above.
            Request::MessageStop { .. } => {}
            Request::Tone if self.answered_by.is_some() && !self.takes_message => {
                self.takes_message = true;
                self.machine.handle(Event::AwaitTone, now);
            }
            Request::Tone => self.answer(Answer::Done),
            Request::Transfer { number, .. } => {
                self.machine.stop_finding_out();
                self.note(
                    kind::TRANSFER,
                    json!({"event": "began", "to": number.as_str()}),
                    person,
                );
                let status = person.transferred(number.as_str());
                self.note(
                    kind::TRANSFER,
                    json!({"event": "ended", "status": status}),
                    person,
                );
                self.answer(Answer::Transfer(status));
            }
            Request::Web { order, filler } => self.ask_web(&order, filler, person),
            Request::HangUp => {
                self.answer(Answer::Done);
                self.over(EndedBy::Dialog, person);
            }
        }
    }

    fn message_stop(&mut self, by: ReplyKind, person: &mut dyn Person) -> Option<Recorded> {
        let (number, began_ms) = self.message.take()?;
        let ms = self.scene.now_ms.saturating_sub(began_ms);
        let ended = json!({
            "event": "ended", "what": "message", "number": number, "by": by.as_str(), "length_ms": ms,
        });
        self.note(kind::RECORDING, ended, person);
        Some(Recorded { number, ms })
    }

    /// The server's answer comes when the person of the rehearsal says; the filler plays meanwhile.
    fn ask_web(&mut self, order: &WebOrder, filler: Vec<Prompt>, person: &mut dyn Person) {
        let began = json!({"event": "began", "method": order.method.as_str(), "url": order.url});
        self.note(kind::WEB, began, person);
        let (after_ms, answer) = person.asked(order);
        let fills = !filler.is_empty();
        if fills {
            self.turn(Turn {
                prompts: filler,
                barge_in: BargeIn::Off,
                window: None,
            });
        }
        self.asking = Some(Asking {
            fills,
            at_ms: Some(self.scene.now_ms + after_ms),
            answer,
        });
        self.web_goes_on(person);
    }

    /// The server answers when its time has come; the dialog goes on when the filler is over, too.
    fn web_goes_on(&mut self, person: &mut dyn Person) {
        let now = self.scene.now_ms;
        let Some(asking) = &mut self.asking else {
            return;
        };
        if asking.at_ms.is_some_and(|at_ms| at_ms <= now) {
            asking.at_ms = None;
            let fault = asking.answer.fault.as_ref().map(ToString::to_string);
            let (status, data) = (asking.answer.status, asking.answer.data.clone());
            let ended = json!({"event": "ended", "status": status, "fault": fault, "data": data});
            self.note(kind::WEB, ended, person);
        }
        if self
            .asking
            .as_ref()
            .is_some_and(|asking| asking.at_ms.is_none() && !asking.fills)
            && let Some(asking) = self.asking.take()
        {
            self.answer(Answer::Web(asking.answer));
        }
    }

    fn turn(&mut self, turn: Turn) {
        let sounds: Vec<_> = turn.prompts.into_iter().map(Mouth::sound).collect();
        self.scene.turn(sounds.len(), turn.window.is_some());
        let window = turn.window.as_ref();
        self.scene.message = window.is_some_and(|window| window.message.is_some());
        if let (Some(watch), Some(window)) = (&self.watch, &turn.window)
            && !window.expect.is_empty()
            && let Some((file, line)) = watch.at()
        {
            self.question = Some((file, line, window.expect.clone()));
        }
        let event = Event::Turn {
            sounds,
            barge_in: turn.barge_in,
            window: turn.window,
        };
        self.machine.handle(event, self.scene.now_ms);
    }

    fn over(&mut self, by: EndedBy, person: &mut dyn Person) {
        if self.ended_by.is_some() {
            return;
        }
        self.ended_by = Some(by);
        self.scene.over = true;
        self.note(kind::HANG_UP, json!({"by": by.as_str()}), person);
        self.machine.handle(Event::HangUp, self.scene.now_ms);
        self.obey(person);
        self.flag.raise();
        self.asking = None;
        self.answer(Answer::Reply(Reply::empty(ReplyKind::HangUp)));
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(answer);
        }
    }

    fn note(&mut self, kind: &'static str, data: Value, person: &mut dyn Person) {
        self.keep(kind, self.scene.now_ms, data, person);
    }

    fn keep(&mut self, kind: &'static str, at_ms: u64, data: Value, person: &mut dyn Person) {
        let line = HistoryLine { at_ms, kind, data };
        self.scene.saw(&line);
        person.saw(&line);
        self.scene.lines.push(line);
    }

    fn close(mut self, end: DialogEnd) -> Held {
        let mut nobody = Nobody;
        self.over(EndedBy::Dialog, &mut nobody);
        let by = self.ended_by.unwrap_or(EndedBy::Dialog);
        if let Some(fault) = &end.fault {
            let data = json!({"file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message});
            self.note(kind::FAULT, data, &mut nobody);
        }
        let outcome = end.outcome_after(by, self.replied);
        Held {
            outcome,
            by,
            end,
            length_ms: self.scene.now_ms,
            lines: self.scene.lines,
            heard: self.scene.heard,
        }
    }
}

/// The person after the dialog's end.
struct Nobody;

impl Person for Nobody {
    fn next(&mut self, _scene: &Scene) -> Next {
        Next::Nothing
    }
}
