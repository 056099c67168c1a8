//! A window that takes a whole message (`record(#{ message: true })`): utterance after utterance, until it is quiet for long,
//! a key is pressed, it is as long as it may be, or the person hangs up.

use super::super::ear::Utterance;
use super::super::event::Command;
use super::super::history::kind;
use super::super::reply::{Reply, ReplyKind};
use super::super::turn::{MessageSoFar, WindowState};
use super::{CallMachine, Doing};
use crate::call::fields::fields;
use crate::ident::Spoken;

/// So much voice is speech even where no word of it is understood, milliseconds.
const VOICE_MS: u64 = 500;
/// Utterances of a message whose words are kept; the recording has them all.
const MAX_UTTERANCES: usize = 500;

impl CallMachine {
    /// What was said and keyed over the prompt before it is no part of it.
    pub(super) fn forget_for_message(&mut self) {
        self.ear.forget_uncuttable();
        self.typed_ahead.clear();
    }

    fn message_window(&mut self) -> Option<&mut WindowState> {
        let window = self.window()?;
        let takes = window.rule.message.is_some() && window.open_ms.is_some();
        takes.then_some(window)
    }

    /// The message that is being taken.
    pub(super) fn message_so_far(&mut self) -> Option<&mut MessageSoFar> {
        self.message_window().map(|window| &mut window.message)
    }

    /// Something was heard to its end: words, or voice enough for speech.
    pub(super) fn voice_in_message(&mut self, u: &Utterance) {
        let ended_ms = u.last_heard_ms().unwrap_or(u.onset_ms);
        let spoke = !u.words().is_empty() || ended_ms.saturating_sub(u.onset_ms) >= VOICE_MS;
        let Some(window) = self.message_window() else {
            return;
        };
        if spoke && window.open_ms.is_some_and(|open_ms| ended_ms >= open_ms) {
            let last_ms = window.message.last_ms.get_or_insert(ended_ms);
            *last_ms = ended_ms.max(*last_ms);
        }
    }

    /// Takes what is complete; a key ends the message.
    pub(super) fn take_message(&mut self, prompts_over: bool, now: u64) {
        while let Some(id) = self.candidate().filter(|u| u.text.is_some()).map(|u| u.id) {
            self.take_in(id, now);
        }
        let Some(window) = self.message_window() else {
            return;
        };
        if prompts_over && window.keys_complete() {
            self.close_message(ReplyKind::Digits, now);
        }
    }

    fn take_in(&mut self, id: u64, now: u64) {
        let taken = self.ear.take(id, now);
        if let (Some(u), Some(message)) = (taken, self.message_so_far()) {
            message.first.get_or_insert(u.id);
            if !u.words().is_empty() && message.parts.len() < MAX_UTTERANCES {
                message.parts.push(u.words().clone());
            }
        }
    }

    /// Keeps the silence of a message: it counts from the last voice, and not while one is heard or its text awaited.
    /// Tells whether one is taken.
    pub(super) fn watches_message(&mut self) -> bool {
        let speaks = self.candidate().is_some();
        let Doing::Turn(turn) = &mut self.doing else {
            return false;
        };
        let over_ms = turn.prompts_over_ms;
        let Some(window) = &mut turn.window else {
            return false;
        };
        let Some(rule) = window.rule.message else {
            return false;
        };
        let since_ms = over_ms.filter(|_| rule.heard && !speaks && window.digits.is_empty());
        let since_ms = since_ms.map(|over_ms| over_ms.max(window.message.last_ms.unwrap_or(0)));
        window.message_quiet(since_ms);
        true
    }

    /// It was quiet for long enough.
    pub(super) fn message_is_silent(&mut self, now: u64) {
        let said = self
            .message_so_far()
            .is_some_and(|message| message.last_ms.is_some());
        let reason = if said {
            ReplyKind::Speech
        } else {
            ReplyKind::NoInput
        };
        self.close_message(reason, now);
    }

    /// The message is over; what is still being said belongs to it.
    pub(super) fn close_message(&mut self, reason: ReplyKind, now: u64) {
        while let Some(u) = self.candidate().cloned() {
            self.take_in(u.id, now);
            if u.text.is_none() {
                self.note_utterance(&u, "complete", now);
                self.commands.push_back(Command::EndUtterance);
            }
        }
        let Doing::Turn(turn) = std::mem::replace(&mut self.doing, Doing::Idle) else {
            return;
        };
        let Some(window) = turn.window else {
            return;
        };
        self.floor_ms = now;
        self.ear.forget_uncuttable();
        self.tell_times(now);
        let mut reply = Reply::empty(reason);
        let words: Vec<&str> = window.message.parts.iter().map(Spoken::as_str).collect();
        reply.text = Spoken::new(words.join(" "));
        reply.parts = window.message.parts;
        reply.digits = Spoken::new(window.digits);
        let data = fields!({
            "window": window.number, "reason": reason.as_str(), "opened_ms": window.open_ms, "message": true,
            "utterance": window.message.first, "expect": 0,
            "digits": (reason == ReplyKind::Digits).then(|| reply.digits.as_str()),
        });
        self.note(kind::WINDOW, now, data);
        self.commands.push_back(Command::Reply(reply));
    }
}
