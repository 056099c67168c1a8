//! The call machine: decides, does nothing, reads no clock. One [`Event`] in with its time, [`Command`]s out until there
//! is none, then "wait until".
//!
//! ```text
//!            Turn                prompts over,            one reason:
//!   idle ───────────▶ turn ───────────────────▶ window ──────────────────────▶ idle (Reply)
//!    │  ▲              │ prompts play; the       speech digits no_input
//!    │  │ PauseOver    │ window may be open      too_long failed
//!    ▼  │              │ over them already
//!   pausing            └──────── HangUp, from everywhere ─────────▶ over
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `machine` | events in, what a window takes, its one end |
//! | `machine/prompts` | what plays, and where it was held or cut |
//! | `machine/barge_in` | what cuts a prompt |
//! | `machine/keys` | keys, typed ahead too |
//! | `machine/message` | a window that takes a whole message |
//! | `machine/answered` | who answered ([`super::answerer`]), and what that ends |
//! | `machine/deadlines` | the timer table ([`super::timer`]), derived from the state after every event |

mod answered;
mod barge_in;
mod deadlines;
mod keys;
mod message;
mod prompts;

use std::collections::VecDeque;

use super::answerer::{Decider, OnMachine};
use super::ear::{Ear, Heard, Reach, Utterance};
use super::event::{Command, Event};
use super::history::kind;
use super::reply::{Reply, ReplyKind};
use super::request::{BargeIn, Window};
use super::timer::{Timer, Timers};
use super::turn::{TurnState, TurnTimes, WindowState};
use crate::audio::Sound;
use crate::call::fields::{Fields, fields};
use crate::ident::Spoken;
use crate::net::speaker::PlaybackId;
use crate::phrases::backchannel::is_backchannel;

/// What the call is doing.
#[derive(Debug)]
enum Doing {
    /// The dialog thinks.
    Idle,
    /// The dialog waits until then.
    Pausing(u64),
    /// It speaks, listens, or both.
    Turn(Box<TurnState>),
    /// The call is over.
    Over,
}

/// How utterances are cut; the last window's settings hold until the next one's.
#[derive(Clone, Copy, Debug)]
struct Cutting {
    end_silence_ms: u64,
    settle_ms: u64,
    give_up_ms: u64,
    max_speech_ms: u64,
}

impl Default for Cutting {
    fn default() -> Self {
        Self {
            end_silence_ms: 700,
            settle_ms: 500,
            give_up_ms: 3_000,
            max_speech_ms: 20_000,
        }
    }
}

/// One call's decisions.
#[derive(Debug)]
pub struct CallMachine {
    doing: Doing,
    ear: Ear,
    timers: Timers,
    commands: VecDeque<Command>,
    playbacks: PlaybackId,
    windows: u64,
    /// Prompts that were cut and whose end the medium has yet to tell.
    cut: VecDeque<(PlaybackId, String)>,
    /// The utterance that cut a prompt without a window: it cuts no further such one, and waits for its window.
    has_cut: Option<u64>,
    typed_ahead: VecDeque<(char, u64)>,
    /// What began before the last key of a window that keys closed belongs to that window.
    floor_ms: u64,
    deaf: bool,
    cutting: Cutting,
    times: Option<TurnTimes>,
    /// Who answered is to be found out.
    decider: Option<(Decider, OnMachine)>,
    /// The last verdict was that no person answered; outlives the decider, which ends with the call.
    met_machine: bool,
    /// The dialog leaves a machine a message: nothing that it says cuts a prompt.
    leaves_message: bool,
    now_ms: u64,
}

impl Default for CallMachine {
    fn default() -> Self {
        Self {
            doing: Doing::Idle,
            ear: Ear::default(),
            timers: Timers::default(),
            commands: VecDeque::new(),
            playbacks: 0,
            windows: 0,
            cut: VecDeque::new(),
            has_cut: None,
            typed_ahead: VecDeque::new(),
            floor_ms: 0,
            deaf: false,
            cutting: Cutting::default(),
            times: None,
            decider: None,
            met_machine: false,
            leaves_message: false,
            now_ms: 0,
        }
    }
}

impl CallMachine {
    /// Takes one event at `now_ms`. Time never runs backwards: an earlier `now_ms` counts as the last one.
    pub fn handle(&mut self, event: Event, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        let now = self.now_ms;
        // What was due before this event happened before it.
        self.run(now);
        self.hear_who_answered(&event, now);
        // Before the window takes a machine's words for an answer.
        self.tell_who_answered(now);
        self.take(event, now);
        self.run(now);
        self.tell_who_answered(now);
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When to come back with [`Event::Clock`], if nothing else happens.
    pub fn wait_until(&self) -> Option<u64> {
        let decider = self.decider.as_ref();
        let deciding = decider.and_then(|(decider, _)| decider.wait_until(self.now_ms));
        self.timers.next().into_iter().chain(deciding).min()
    }

    /// The dialog can be given no more requests.
    pub fn is_over(&self) -> bool {
        matches!(self.doing, Doing::Over)
    }

    fn run(&mut self, now: u64) {
        // Each firing moves the state on; the bound only keeps a mistake here from spinning a core.
        for _ in 0..64 {
            self.listen(now);
            self.decide(now);
            self.watch_silence(now);
            self.timers = Timers::of(|timer| self.deadline(timer));
            match self.timers.take_due(now) {
                Some(timer) => self.fire(timer, now),
                None => return,
            }
        }
    }

    fn take(&mut self, event: Event, now: u64) {
        if self.is_over() {
            if matches!(event, Event::Turn { .. }) {
                let reply = Reply::empty(ReplyKind::HangUp);
                self.commands.push_back(Command::Reply(reply));
            }
            if matches!(event, Event::Pause { .. }) {
                self.commands.push_back(Command::PauseOver);
            }
            return;
        }
        match event {
            Event::Turn {
                sounds,
                barge_in,
                window,
            } => self.begin_turn(sounds, barge_in, window, now),
            Event::Pause { ms } => {
                self.decided(now);
                self.doing = Doing::Pausing(now + ms);
            }
            Event::Speaker(event) => self.on_speaker(event, now),
            Event::VoiceStarted { at_ms } => self.ear.voice_started(at_ms.min(now), now),
            Event::VoiceEnded { at_ms } => self.ear.voice_ended(at_ms.min(now)),
            Event::Partial(text) => self.on_partial(&text, now),
            Event::Final(text) => {
                if !text.is_empty() {
                    self.expire(now);
                }
                self.ear.final_text(&text, now);
            }
            Event::TakenOver => {
                if self.ear.taken_over(now) {
                    self.commands.push_back(Command::EndUtterance);
                }
            }
            Event::Deaf { .. } => self.deaf = true,
            Event::MediumLost => self.prompt_lost(now),
            Event::MediumBack => self.prompt_again(now),
            Event::Digit(digit) => self.on_digit(digit, now),
            Event::HangUp => self.hang_up(now),
            Event::Tone(_) | Event::AwaitTone | Event::Clock => {}
        }
    }

    // --- turns

    fn begin_turn(
        &mut self,
        sounds: Vec<Sound>,
        barge_in: BargeIn,
        window: Option<Window>,
        now: u64,
    ) {
        self.decided(now);
        let window = window.map(|rule| {
            self.cutting = Cutting {
                end_silence_ms: rule.end_silence_ms,
                settle_ms: rule.settle_ms,
                give_up_ms: rule.give_up_ms,
                max_speech_ms: rule.max_speech_ms,
            };
            self.windows += 1;
            WindowState::new(rule, self.windows)
        });
        let barge_in = if self.leaves_message {
            BargeIn::Off
        } else {
            barge_in
        };
        let mut turn = TurnState::new(sounds, barge_in, window, now);
        if turn.takes_message() {
            self.forget_for_message();
        }
        self.give_typed_ahead(&mut turn, now);
        self.doing = Doing::Turn(Box::new(turn));
        self.play_next(now);
    }

    /// Rule 9: the dialog has decided.
    fn decided(&mut self, now: u64) {
        if let Some(times) = &mut self.times {
            times.decision_ms.get_or_insert(now);
        }
    }

    /// The times of the turn before are complete, or never will be.
    fn tell_times(&mut self, now: u64) {
        if let Some(times) = self.times.take() {
            self.note(kind::TURN, now, times.told());
        }
    }

    // --- what was heard

    /// The first words of an utterance are kept with their time: they are what may cut a prompt.
    fn on_partial(&mut self, text: &Spoken, now: u64) {
        self.expire(now);
        if self.ear.partial(text, now)
            && let Some(u) = self.ear.pending().cloned()
        {
            self.note_utterance(&u, "first_words", now);
        }
    }

    fn expire(&mut self, now: u64) {
        let Cutting {
            settle_ms,
            give_up_ms,
            ..
        } = self.cutting;
        self.ear.expire(settle_ms, give_up_ms, now);
    }

    /// Keeps what has become of utterances, and marks those that are said over a prompt that can't be cut.
    fn listen(&mut self, now: u64) {
        if let Doing::Turn(turn) = &self.doing
            && turn.playing.is_some()
            && !turn.barge_in.opens_at_start()
        {
            self.ear.mark_over_uncuttable();
        }
        while let Some(heard) = self.ear.next_told() {
            match heard {
                Heard::Complete(u) => {
                    self.voice_in_message(&u);
                    self.note_utterance(&u, "complete", now);
                }
                Heard::Noise(u) => {
                    self.voice_in_message(&u);
                    self.note_utterance(&u, "noise", now);
                }
                Heard::Left(u) => self.note_utterance(&u, "left", now),
                Heard::LateFinal(text) => self.note(
                    kind::UTTERANCE,
                    now,
                    fields!({"state": "late_final", "text": text.as_str()}),
                ),
            }
        }
    }

    fn note_utterance(&mut self, u: &Utterance, state: &'static str, now: u64) {
        let data = fields!({
            "id": u.id, "state": state, "text": u.words().as_str(),
            "onset_ms": u.onset_ms, "end_ms": u.last_heard_ms(),
        });
        self.note(kind::UTTERANCE, now, data);
    }

    /// What a window takes (rules 3 and 6).
    fn reach(&self, open_ms: u64, carry_ms: u64) -> Reach {
        Reach {
            open_ms,
            from_ms: open_ms.saturating_sub(carry_ms),
            floor_ms: self.floor_ms,
        }
    }

    /// The first utterance that the open window takes.
    fn candidate(&self) -> Option<&Utterance> {
        let Doing::Turn(turn) = &self.doing else {
            return None;
        };
        let window = turn.window.as_ref()?;
        let reach = self.reach(window.open_ms?, window.rule.carry_ms);
        let mut all = self.ear.within(reach);
        all.find(|u| !was_listening(u, window, reach))
    }

    /// Looks at the whole state and acts on what has become true: windows open, prompts are cut, windows close.
    fn decide(&mut self, now: u64) {
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        let prompts_over = turn.prompts_over();
        let Some(window) = &mut turn.window else {
            if prompts_over {
                let mut reply = Reply::empty(ReplyKind::Played);
                reply.barged_in = turn.barged_in;
                self.doing = Doing::Idle;
                self.commands.push_back(Command::Reply(reply));
            } else if let Some(by) = self.cuts_prompt(now) {
                self.cut_prompts(by, now);
                self.decide(now);
            }
            return;
        };
        if window.open_ms.is_none() && (prompts_over || turn.barge_in.opens_at_start()) {
            window.open_ms = Some(now);
        }
        if window.open_ms.is_none() {
            return;
        }
        if window.rule.message.is_some() {
            return self.take_message(prompts_over, now);
        }
        if !window.digits.is_empty() {
            if prompts_over && window.keys_complete() {
                self.close(ReplyKind::Digits, None, now);
            }
            return;
        }
        if !prompts_over {
            if let Some(by) = self.cuts_prompt(now) {
                self.cut_prompts(by, now);
                self.decide(now);
            }
            return;
        }
        let keys = window.rule.digits.is_some();
        let first = self.candidate();
        let worded = first.is_some_and(|u| !u.words().is_empty());
        if let Some(id) = first.filter(|u| u.text.is_some()).map(|u| u.id) {
            let taken = self.ear.take(id, now);
            self.close(ReplyKind::Speech, taken, now);
        } else if self.deaf && !keys && !worded {
            self.close(ReplyKind::Failed, None, now);
        }
    }

    /// `timeout` runs while the window is open, the prompts are over, no key was pressed and nobody speaks.
    fn watch_silence(&mut self, now: u64) {
        if self.watches_message() {
            return;
        }
        let spoken = self
            .candidate()
            .filter(|u| !self.deaf || !u.words().is_empty())
            .map(|u| u.onset_ms);
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        let prompts_over = turn.prompts_over();
        let Some(window) = turn.window.as_mut().filter(|w| w.open_ms.is_some()) else {
            return;
        };
        let quiet = prompts_over && spoken.is_none() && window.digits.is_empty();
        window.quiet(quiet, spoken.unwrap_or(now).min(now));
    }

    /// Closes the window for exactly one reason and answers the turn.
    fn close(&mut self, reason: ReplyKind, utterance: Option<Utterance>, now: u64) {
        let Doing::Turn(turn) = std::mem::replace(&mut self.doing, Doing::Idle) else {
            return;
        };
        let Some(window) = turn.window else {
            return;
        };
        let mut reply = Reply::empty(reason);
        reply.barged_in = turn.barged_in;
        if reason == ReplyKind::Digits {
            reply.digits = Spoken::new(window.digits.clone());
            self.floor_ms = now;
        }
        if let Some(u) = &utterance {
            reply.text = u.words().clone();
            reply.parts = u.all_parts();
            let understood = window.understand(reply.text.as_str());
            if let Some(intent) = understood.intent {
                let others = understood.candidates.into_iter().map(|m| m.name);
                let others: Vec<String> = others.filter(|name| *name != intent).collect();
                reply.intents = std::iter::once(intent).chain(others).collect();
            }
            reply.digits = understood.digits.unwrap_or_default();
        }
        if utterance.is_some() || reason == ReplyKind::Digits {
            self.tell_times(now);
            self.times = Some(TurnTimes::of(&window, utterance.as_ref()));
        }
        self.ear.forget_uncuttable();
        let data = fields!({
            "window": window.number, "reason": reason.as_str(), "opened_ms": window.open_ms,
            "utterance": utterance.as_ref().map(|u| u.id), "intent": reply.intent(),
            // How many answers were expected; 0: any text was one.
            "expect": window.rule.expect.len(),
            "digits": (reason == ReplyKind::Digits).then(|| reply.digits.as_str()),
            "barged_in": reply.barged_in,
        });
        self.note(kind::WINDOW, now, data);
        self.commands.push_back(Command::Reply(reply));
    }

    fn hang_up(&mut self, now: u64) {
        self.decider = None;
        self.stop_for_hang_up(now);
        match &mut self.doing {
            Doing::Turn(turn) if turn.takes_message() => {
                self.close_message(ReplyKind::HangUp, now);
            }
            Doing::Turn(turn) if turn.window.is_some() => self.close(ReplyKind::HangUp, None, now),
            Doing::Turn(_) => {
                let reply = Reply::empty(ReplyKind::HangUp);
                self.commands.push_back(Command::Reply(reply));
            }
            Doing::Pausing(_) => self.commands.push_back(Command::PauseOver),
            Doing::Idle | Doing::Over => {}
        }
        self.listen(now);
        self.doing = Doing::Over;
        let left: Vec<Utterance> = self.ear.drain().collect();
        for u in &left {
            self.note_utterance(u, "left", now);
        }
        self.tell_times(now);
    }

    // --- timers

    fn fire(&mut self, timer: Timer, now: u64) {
        match timer {
            Timer::Pause => {
                self.doing = Doing::Idle;
                self.commands.push_back(Command::PauseOver);
            }
            Timer::EndSilence => {
                if self.ear.end(now) {
                    self.commands.push_back(Command::EndUtterance);
                }
            }
            Timer::Settle => self.ear.settle(now),
            Timer::GiveUp => self.ear.give_up(),
            Timer::Early => self.ear.close_front_by_partial(now),
            Timer::Open => {
                if let Some(window) = self.window() {
                    window.open_ms = Some(now);
                }
            }
            Timer::Prompt => self.give_prompt_up(now),
            Timer::BargeIn => match self.cuts_prompt(now) {
                Some(by) => self.cut_prompts(by, now),
                None => self.pause_prompt(now),
            },
            Timer::Resume => self.resume_prompt(now),
            Timer::NoInput if self.message_so_far().is_some() => self.message_is_silent(now),
            Timer::NoInput if self.deaf => self.close(ReplyKind::Failed, None, now),
            Timer::NoInput => self.close(ReplyKind::NoInput, None, now),
            Timer::Interdigit => {
                if let Some(window) = self.window() {
                    window.terminated = true;
                }
            }
            Timer::MaxSpeech if self.message_so_far().is_some() => {
                self.close_message(ReplyKind::TooLong, now);
            }
            Timer::MaxSpeech => {
                let open = self.ear.open().map(|u| u.id);
                let taken = open.and_then(|id| self.ear.take(id, now));
                if let Some(u) = &taken {
                    self.note_utterance(u, "complete", now);
                    self.commands.push_back(Command::EndUtterance);
                    self.close(ReplyKind::TooLong, taken, now);
                }
            }
        }
    }

    fn window(&mut self) -> Option<&mut WindowState> {
        match &mut self.doing {
            Doing::Turn(turn) => turn.window.as_mut(),
            _ => None,
        }
    }

    fn note(&mut self, kind: &'static str, at_ms: u64, data: Fields) {
        self.commands.push_back(Command::Note { kind, at_ms, data });
    }
}

/// "Угу", "алло" before the window was open was listening, not answering; unless it is an expected answer that the
/// window's `carry` reaches.
fn was_listening(u: &Utterance, window: &WindowState, reach: Reach) -> bool {
    u.text.is_some()
        && u.last_heard_ms().is_some_and(|end| end < reach.open_ms)
        && is_backchannel(u.words().as_str())
        && !(u.onset_ms >= reach.from_ms && window.is_expected(u.words().as_str()))
}

#[cfg(test)]
#[path = "machine_message_tests.rs"]
mod message_tests;
#[cfg(test)]
#[path = "machine_properties.rs"]
mod properties;
#[cfg(test)]
#[path = "machine_rig.rs"]
mod rig;
#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
