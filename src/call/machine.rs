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
//! Timers are derived from the state after every event (`arm`), so none can outlive it.

use std::collections::VecDeque;

use serde_json::json;

use super::ear::{Ear, Heard, Utterance};
use super::event::{Command, Event};
use super::history::kind;
use super::reply::{Reply, ReplyKind};
use super::request::{BargeIn, Window};
use super::timer::{Timer, Timers};
use super::turn::{Playing, TurnState, TurnTimes, WindowState};
use crate::audio::Sound;
use crate::ident::Spoken;
use crate::net::speaker::{PlaybackId, SpeakerEvent};
use crate::phrases::backchannel::is_backchannel;

/// A prompt paused by a voice goes on after this, if nothing was understood.
const RESUME_MS: u64 = 2_000;
/// A medium that has not told of a prompt's end so long after it should have is stuck.
const PROMPT_SLACK_MS: u64 = 10_000;
/// An ended utterance without any text is given up after this.
const GIVE_UP_MS: u64 = 3_000;
/// A partial that is an expected answer has to stand so long (`early`).
const EARLY_MS: u64 = 300;
/// Where only the recognizer heard the utterance, its text has to stand so much longer than `end_silence`.
const TEXT_ONLY_MS: u64 = 2_000;
/// Keys pressed ahead of a window that may wait for it.
const MAX_TYPED_AHEAD: usize = 32;
/// How old a key pressed ahead may be.
const TYPED_AHEAD_MS: u64 = 15_000;

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
    typed_ahead: VecDeque<(char, u64)>,
    deaf: Option<String>,
    end_silence_ms: u64,
    settle_ms: u64,
    times: Option<TurnTimes>,
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
            typed_ahead: VecDeque::new(),
            deaf: None,
            end_silence_ms: 700,
            settle_ms: 500,
            times: None,
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
        self.take(event, now);
        self.run(now);
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When to come back with [`Event::Clock`], if nothing else happens.
    pub fn wait_until(&self) -> Option<u64> {
        self.timers.next()
    }

    /// The dialog can be given no more requests.
    pub fn is_over(&self) -> bool {
        matches!(self.doing, Doing::Over)
    }

    fn run(&mut self, now: u64) {
        // Each firing moves the state on; the bound only keeps a mistake here from spinning a core.
        for _ in 0..64 {
            self.decide(now);
            self.arm(now);
            match self.timers.take_due(now) {
                Some(timer) => self.fire(timer, now),
                None => return,
            }
        }
    }

    fn take(&mut self, event: Event, now: u64) {
        if self.is_over() {
            if matches!(event, Event::Turn { .. }) {
                self.commands
                    .push_back(Command::Reply(Reply::empty(ReplyKind::HangUp)));
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
            Event::Pause { ms } => self.doing = Doing::Pausing(now + ms),
            Event::Speaker(event) => self.on_speaker(event, now),
            Event::VoiceStarted { at_ms } => self.ear.voice_started(at_ms.min(now), now),
            Event::VoiceEnded { at_ms } => self.ear.voice_ended(at_ms.min(now)),
            Event::Partial(text) => self.on_partial(&text, now),
            Event::Final(text) => {
                let heard = self.ear.final_text(&text, now);
                self.on_heard(heard, now);
            }
            Event::Deaf { reason } => self.deaf = Some(reason),
            Event::Digit(digit) => self.on_digit(digit, now),
            Event::HangUp => self.hang_up(now),
            Event::Clock => {}
        }
    }

    // --- turns and prompts

    fn begin_turn(
        &mut self,
        sounds: Vec<Sound>,
        barge_in: BargeIn,
        window: Option<Window>,
        now: u64,
    ) {
        if let Some(times) = &mut self.times {
            times.decision_ms = Some(now);
        }
        if let Some(rule) = &window {
            self.end_silence_ms = rule.end_silence_ms;
            self.settle_ms = rule.settle_ms;
        }
        let window = window.map(|rule| {
            self.windows += 1;
            WindowState::new(rule, self.windows)
        });
        let mut turn = TurnState::new(sounds, barge_in, window, now);
        if let Some(window) = &mut turn.window {
            if let Some(rule) = window.rule.digits {
                for (digit, at_ms) in self.typed_ahead.drain(..) {
                    if now.saturating_sub(at_ms) <= TYPED_AHEAD_MS && Some(digit) != rule.terminator
                    {
                        window.press(digit, at_ms);
                    }
                }
            }
            self.typed_ahead.clear();
            if !window.digits.is_empty() && barge_in != BargeIn::Off {
                turn.queue.clear();
            }
        }
        self.doing = Doing::Turn(Box::new(turn));
        self.play_next(now);
    }

    /// Starts the next prompt of the turn, or marks that they are over.
    fn play_next(&mut self, now: u64) {
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        match turn.queue.pop_front() {
            Some(sound) => {
                self.playbacks += 1;
                turn.playing = Some(Playing::new(self.playbacks, sound.clone(), now));
                self.commands.push_back(Command::Play {
                    id: self.playbacks,
                    sound,
                });
            }
            None => {
                turn.playing = None;
                turn.prompts_over_ms.get_or_insert(now);
            }
        }
    }

    fn on_speaker(&mut self, event: SpeakerEvent, now: u64) {
        let id = match &event {
            SpeakerEvent::Started { id }
            | SpeakerEvent::Ended { id, .. }
            | SpeakerEvent::Failed { id, .. } => *id,
        };
        if let (Some(at), SpeakerEvent::Ended { played_ms, .. }) =
            (self.cut.iter().position(|(cut, _)| *cut == id), &event)
            && let Some((_, name)) = self.cut.remove(at)
        {
            let played_ms = *played_ms;
            self.note(
                kind::PROMPT,
                now,
                json!({"event": "cut", "name": name, "played_ms": played_ms}),
            );
            return;
        }
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        let Some(playing) = turn.playing.as_mut().filter(|p| p.id == id) else {
            return;
        };
        let name = playing.sound.name.clone();
        match event {
            SpeakerEvent::Started { .. } => {
                playing.started_ms = Some(now);
                turn.first_started_ms.get_or_insert(now);
                self.note(kind::PROMPT, now, json!({"event": "started", "name": name}));
                if let Some(mut times) = self.times.take() {
                    times.first_audio_ms = Some(now);
                    self.note(kind::TURN, now, times.to_json());
                }
            }
            SpeakerEvent::Ended {
                played_ms, whole, ..
            } => {
                let event = if whole { "ended" } else { "stopped" };
                self.note(
                    kind::PROMPT,
                    now,
                    json!({"event": event, "name": name, "played_ms": played_ms}),
                );
                self.play_next(now);
            }
            SpeakerEvent::Failed { reason, .. } => {
                self.note(
                    kind::PROMPT,
                    now,
                    json!({"event": "failed", "name": name, "reason": reason}),
                );
                self.play_next(now);
            }
        }
    }

    /// The person cuts the prompts.
    fn cut_prompts(&mut self, by: &'static str, now: u64) {
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        turn.queue.clear();
        turn.prompts_over_ms.get_or_insert(now);
        if let Some(playing) = turn.playing.take() {
            turn.barged_in = true;
            if self.cut.len() == MAX_TYPED_AHEAD {
                self.cut.pop_front();
            }
            self.cut.push_back((playing.id, playing.sound.name));
            self.commands.push_back(Command::StopPlayback);
            self.note(kind::PROMPT, now, json!({"event": "barge_in", "by": by}));
        }
    }

    // --- keys

    fn on_digit(&mut self, digit: char, now: u64) {
        self.note(kind::DIGIT, now, json!({"digit": digit.to_string()}));
        let Doing::Turn(turn) = &mut self.doing else {
            self.type_ahead(digit, now);
            return;
        };
        let Some(window) = &mut turn.window else {
            let cuts = turn.barge_in != BargeIn::Off;
            self.type_ahead(digit, now);
            if cuts {
                self.cut_prompts("digits", now);
            }
            return;
        };
        let Some(rule) = window.rule.digits else {
            return;
        };
        window.open_ms.get_or_insert(now);
        if rule.terminator == Some(digit) {
            window.terminated = !window.digits.is_empty();
        } else {
            window.press(digit, now);
        }
        if turn.barge_in != BargeIn::Off {
            self.cut_prompts("digits", now);
        }
    }

    fn type_ahead(&mut self, digit: char, now: u64) {
        if self.typed_ahead.len() == MAX_TYPED_AHEAD {
            self.typed_ahead.pop_front();
        }
        self.typed_ahead.push_back((digit, now));
    }

    // --- what was heard

    /// The first words of an utterance are kept with their time: they are what may cut a prompt.
    fn on_partial(&mut self, text: &Spoken, now: u64) {
        let first = self.ear.pending().is_none_or(|u| u.partial.is_empty());
        if self.ear.partial(text, now)
            && first
            && let Some(u) = self.ear.pending().cloned()
        {
            self.note_utterance(&u, "first_words", now);
        }
    }

    fn on_heard(&mut self, heard: Option<Heard>, now: u64) {
        match heard {
            None => {}
            Some(Heard::Complete(u)) => self.note_utterance(&u, "complete", now),
            Some(Heard::Noise(u)) => self.note_utterance(&u, "noise", now),
            Some(Heard::Left(u)) => self.note_utterance(&u, "left", now),
            Some(Heard::LateFinal(text)) => {
                self.note(
                    kind::UTTERANCE,
                    now,
                    json!({"state": "late_final", "text": text.as_str()}),
                );
            }
        }
        while let Some(Heard::Left(u)) = self.ear.overflow() {
            self.note_utterance(&u, "left", now);
        }
    }

    fn note_utterance(&mut self, u: &Utterance, state: &'static str, now: u64) {
        let text = u.text.as_ref().unwrap_or(&u.partial);
        let data = json!({
            "id": u.id, "state": state, "text": text.as_str(),
            "onset_ms": u.onset_ms, "end_ms": u.voice_end_ms.or(u.ended_ms),
        });
        self.note(kind::UTTERANCE, now, data);
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
        let Some(open_ms) = window.open_ms else {
            return;
        };
        if !window.digits.is_empty() {
            let full = window
                .rule
                .digits
                .is_some_and(|rule| window.digits.len() >= rule.max_digits as usize);
            if prompts_over && (full || window.terminated) {
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
        let carry_ms = window.rule.carry_ms;
        let keys = window.rule.digits.is_some();
        if let Some(id) = self
            .ear
            .first_for(open_ms, carry_ms)
            .filter(|u| u.text.is_some())
            .map(|u| u.id)
        {
            let taken = self.ear.take(id);
            self.close(ReplyKind::Speech, taken, now);
        } else if self.deaf.is_some() && !keys {
            self.close(ReplyKind::Failed, None, now);
        }
    }

    /// What the person says over the prompt cuts it now; if so, by what. An utterance that is complete and doesn't cut is
    /// left to the history: the prompt's own rule has judged it.
    fn cuts_prompt(&mut self, now: u64) -> Option<&'static str> {
        let Doing::Turn(turn) = &self.doing else {
            return None;
        };
        let barge_in = turn.barge_in;
        if !barge_in.opens_at_start() {
            return None;
        }
        let (open_ms, carry_ms) = match &turn.window {
            Some(window) => (window.open_ms?, window.rule.carry_ms),
            None => (turn.begun_ms, 0),
        };
        let u = self.ear.first_for(open_ms, carry_ms)?;
        let text = u.text.as_ref().unwrap_or(&u.partial);
        if text.is_empty() {
            return None;
        }
        let complete = u.text.is_some();
        let id = u.id;
        let by = match barge_in {
            BargeIn::Speech { guard_ms, .. } => {
                let guard_until = turn.first_started_ms.unwrap_or(now) + guard_ms;
                if now < guard_until && !complete {
                    return None;
                }
                Some("speech")
            }
            BargeIn::Words(least) => {
                (text.as_str().split_whitespace().count() >= least as usize).then_some("words")
            }
            BargeIn::Intent if is_backchannel(text.as_str()) => None,
            BargeIn::Intent => turn
                .window
                .as_ref()
                .is_some_and(|w| w.is_expected(text.as_str()))
                .then_some("intent"),
            BargeIn::Digits | BargeIn::Off => None,
        };
        if by.is_none()
            && complete
            && turn.window.is_some()
            && let Some(left) = self.ear.take(id)
        {
            self.note_utterance(&left, "left", now);
        }
        by
    }

    /// Closes the window for exactly one reason and answers the turn.
    fn close(&mut self, reason: ReplyKind, utterance: Option<Utterance>, now: u64) {
        let Doing::Turn(turn) = std::mem::replace(&mut self.doing, Doing::Idle) else {
            return;
        };
        let mut turn = *turn;
        if let Some(playing) = turn.playing.take() {
            self.cut.push_back((playing.id, playing.sound.name));
            self.commands.push_back(Command::StopPlayback);
        }
        let Some(window) = turn.window else {
            return;
        };
        let mut reply = Reply::empty(reason);
        reply.barged_in = turn.barged_in;
        if reason == ReplyKind::Digits {
            reply.digits = Spoken::new(window.digits.clone());
        }
        if let Some(u) = &utterance {
            reply.text = u.text.clone().unwrap_or_else(|| u.partial.clone());
            reply.parts = vec![reply.text.clone()];
            let understood = window.understand(reply.text.as_str());
            if let Some(intent) = understood.intent {
                let others = understood.candidates.into_iter().map(|m| m.name);
                let others: Vec<String> = others.filter(|name| *name != intent).collect();
                reply.intents = std::iter::once(intent).chain(others).collect();
            }
            reply.digits = understood.digits.unwrap_or_default();
            self.times = Some(TurnTimes::of(u));
        }
        let data = json!({
            "window": window.number, "reason": reason.as_str(), "opened_ms": window.open_ms,
            "utterance": utterance.as_ref().map(|u| u.id), "intent": reply.intent(),
            "digits": (reason == ReplyKind::Digits).then(|| reply.digits.as_str()),
            "barged_in": reply.barged_in,
        });
        self.note(kind::WINDOW, now, data);
        self.commands.push_back(Command::Reply(reply));
    }

    fn hang_up(&mut self, now: u64) {
        match &mut self.doing {
            Doing::Turn(turn) if turn.window.is_some() => self.close(ReplyKind::HangUp, None, now),
            Doing::Turn(_) => {
                self.commands.push_back(Command::StopPlayback);
                self.commands
                    .push_back(Command::Reply(Reply::empty(ReplyKind::HangUp)));
            }
            Doing::Pausing(_) => self.commands.push_back(Command::PauseOver),
            Doing::Idle | Doing::Over => {}
        }
        self.doing = Doing::Over;
        let left: Vec<Utterance> = self.ear.drain().collect();
        for u in &left {
            self.note_utterance(u, "left", now);
        }
        if let Some(times) = self.times.take() {
            self.note(kind::TURN, now, times.to_json());
        }
    }

    // --- timers

    /// Sets every timer from the state.
    fn arm(&mut self, now: u64) {
        self.timers.clear_all();
        if self.is_over() {
            return;
        }
        let timers = &mut self.timers;
        if let Some(open) = self.ear.open() {
            match open.voice_end_ms {
                Some(end_ms) => timers.set(Timer::EndSilence, end_ms + self.end_silence_ms),
                None if !self.ear.voice_is_on() => {
                    timers.set(
                        Timer::EndSilence,
                        open.partial_since_ms + self.end_silence_ms + TEXT_ONLY_MS,
                    );
                }
                None => {}
            }
        }
        if let Some((front, ended_ms)) = self.ear.pending().and_then(|u| Some((u, u.ended_ms?))) {
            if front.partial.is_empty() {
                timers.set(Timer::GiveUp, ended_ms + GIVE_UP_MS);
            } else {
                timers.set(Timer::Settle, ended_ms + self.settle_ms);
            }
        }
        match &mut self.doing {
            Doing::Pausing(until) => timers.set(Timer::Pause, *until),
            Doing::Turn(turn) => turn.arm(timers, &self.ear, now),
            Doing::Idle | Doing::Over => {}
        }
    }

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
            Timer::Settle => {
                let heard = self.ear.settle(now);
                self.on_heard(heard, now);
            }
            Timer::GiveUp => {
                let heard = self.ear.give_up();
                self.on_heard(heard, now);
            }
            Timer::Early => {
                let heard = self.ear.close_front_by_partial(now);
                self.on_heard(heard, now);
            }
            Timer::Prompt | Timer::Open | Timer::BargeIn | Timer::Resume => {
                self.fire_prompt(timer, now);
            }
            Timer::NoInput if self.deaf.is_some() => self.close(ReplyKind::Failed, None, now),
            Timer::NoInput => self.close(ReplyKind::NoInput, None, now),
            Timer::Interdigit => {
                if let Doing::Turn(turn) = &mut self.doing
                    && let Some(window) = &mut turn.window
                {
                    window.terminated = true;
                }
            }
            Timer::MaxSpeech => {
                let Some(id) = self.ear.open().map(|u| u.id) else {
                    return;
                };
                let taken = self.ear.take(id);
                self.commands.push_back(Command::EndUtterance);
                self.close(ReplyKind::TooLong, taken, now);
            }
        }
    }

    fn fire_prompt(&mut self, timer: Timer, now: u64) {
        let voice = self.ear.open().map(|u| u.id);
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        if timer == Timer::Open {
            if let Some(window) = &mut turn.window {
                window.open_ms = Some(now);
            }
            return;
        }
        let Some(playing) = &mut turn.playing else {
            return;
        };
        let name = playing.sound.name.clone();
        let event = match timer {
            Timer::BargeIn => {
                turn.paused_for = voice;
                playing.paused_ms = Some(now);
                self.commands.push_back(Command::PausePlayback);
                "paused"
            }
            Timer::Resume => {
                playing.resume(now);
                self.commands.push_back(Command::ResumePlayback);
                "resumed"
            }
            _ => {
                self.commands.push_back(Command::StopPlayback);
                self.play_next(now);
                "stuck"
            }
        };
        self.note(kind::PROMPT, now, json!({"event": event, "name": name}));
    }

    fn note(&mut self, kind: &'static str, at_ms: u64, data: serde_json::Value) {
        self.commands.push_back(Command::Note { kind, at_ms, data });
    }
}

impl TurnState {
    /// Sets the timers of this turn from its state.
    fn arm(&mut self, timers: &mut Timers, ear: &Ear, now: u64) {
        if let Some(playing) = &self.playing {
            if let Some(paused_ms) = playing.paused_ms {
                timers.set(Timer::Resume, paused_ms + RESUME_MS);
            } else {
                timers.set(Timer::Prompt, playing.ends_ms(now) + PROMPT_SLACK_MS);
                self.arm_barge_in(timers, ear);
            }
        }
        let prompts_end = self.prompts_end_ms(now);
        let prompts_over = self.prompts_over();
        let Some(window) = &mut self.window else {
            return;
        };
        let Some(open_ms) = window.open_ms else {
            if let Some(end_ms) = prompts_end {
                timers.set(Timer::Open, end_ms.saturating_sub(window.rule.early_ms));
            }
            return;
        };
        if !window.digits.is_empty() {
            if let (Some(rule), false) = (window.rule.digits, window.terminated) {
                timers.set(Timer::Interdigit, window.last_digit_ms + rule.interdigit_ms);
            }
            window.quiet(false, now);
            return;
        }
        let candidate = ear.first_for(open_ms, window.rule.carry_ms);
        window.quiet(prompts_over && candidate.is_none(), now);
        if let Some(at_ms) = window.no_input_ms() {
            timers.set(Timer::NoInput, at_ms);
        }
        if let Some(u) = candidate.filter(|u| u.text.is_none()) {
            if u.is_open() && prompts_over && ear.open().is_some_and(|open| open.id == u.id) {
                let speaks_since = u.onset_ms.max(open_ms.saturating_sub(window.rule.carry_ms));
                timers.set(Timer::MaxSpeech, speaks_since + window.rule.max_speech_ms);
            }
            if window.rule.early
                && ear.pending().is_some_and(|front| front.id == u.id)
                && window.is_expected(u.partial.as_str())
            {
                timers.set(Timer::Early, u.partial_since_ms + EARLY_MS);
            }
        }
    }

    fn arm_barge_in(&self, timers: &mut Timers, ear: &Ear) {
        let (
            BargeIn::Speech {
                min_voice_ms,
                guard_ms,
            },
            Some(started_ms),
            Some(open),
        ) = (self.barge_in, self.first_started_ms, ear.open())
        else {
            return;
        };
        if ear.voice_is_on() && self.paused_for != Some(open.id) {
            timers.set(
                Timer::BargeIn,
                open.onset_ms.max(started_ms + guard_ms) + min_voice_ms,
            );
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
