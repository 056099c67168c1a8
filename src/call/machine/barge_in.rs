//! What cuts a prompt (rule 6): words, by the prompt's own rule. A voice without words only pauses it (the timers
//! `BargeIn` and `Resume`).

use super::super::ear::Utterance;
use super::super::request::BargeIn;
use super::super::turn::TurnState;
use super::{CallMachine, Doing};
use crate::phrases::backchannel::is_backchannel;

/// What the prompt's rule says of an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It cuts the prompt; the word of the history.
    Cuts(&'static str),
    /// It doesn't, or not yet; the window may still take it.
    Waits,
    /// It was no answer: it is left to the history.
    Leaves,
}

impl CallMachine {
    /// What the person says over the prompt cuts it now; if so, by what.
    pub(super) fn cuts_prompt(&mut self, now: u64) -> Option<&'static str> {
        let Doing::Turn(turn) = &self.doing else {
            return None;
        };
        if !turn.barge_in.opens_at_start() {
            return None;
        }
        let has_window = turn.window.is_some();
        let mut leave = Vec::new();
        let mut cut = None;
        for u in self.said_over(turn)? {
            match self.verdict(u, now) {
                Verdict::Cuts(by) => {
                    cut = Some((u.id, by));
                    break;
                }
                Verdict::Leaves => leave.push(u.id),
                Verdict::Waits => {}
            }
        }
        if let Some((id, _)) = cut {
            // The one that cuts is the answer; what was not enough before it isn't.
            let before = self.said_over(turn)?.take_while(|u| u.id != id);
            leave = before.filter(|u| u.text.is_some()).map(|u| u.id).collect();
            if !has_window {
                self.has_cut = Some(id);
            }
        }
        if has_window {
            for id in leave {
                if let Some(left) = self.ear.take(id, now) {
                    self.note_utterance(&left, "left", now);
                }
            }
        }
        cut.map(|(_, by)| by)
    }

    /// The words over the prompt that its rule has to judge, oldest first.
    fn said_over<'a>(&'a self, turn: &'a TurnState) -> Option<impl Iterator<Item = &'a Utterance>> {
        let reach = match &turn.window {
            Some(window) => self.reach(window.open_ms?, window.rule.carry_ms),
            None => self.reach(turn.begun_ms, 0),
        };
        let judged = self.has_cut.filter(|_| turn.window.is_none());
        Some(self.ear.within(reach).filter(move |u| {
            let listened = |window| super::was_listening(u, window, reach);
            !u.words().is_empty()
                && !turn.window.as_ref().is_some_and(listened)
                && judged != Some(u.id)
        }))
    }

    /// Words came in the prompt's first moments: they cut it when those are over.
    pub(super) fn guard_ends_ms(&self) -> Option<u64> {
        let Doing::Turn(turn) = &self.doing else {
            return None;
        };
        let BargeIn::Speech { guard_ms, .. } = turn.barge_in else {
            return None;
        };
        turn.playing.as_ref()?;
        self.said_over(turn)?.next()?;
        Some(turn.first_started_ms? + guard_ms)
    }

    fn verdict(&self, u: &Utterance, now: u64) -> Verdict {
        let Doing::Turn(turn) = &self.doing else {
            return Verdict::Waits;
        };
        let complete = u.text.is_some();
        let words = u.words().as_str();
        let cuts = match turn.barge_in {
            BargeIn::Speech { guard_ms, .. } => {
                let guard_until = turn.first_started_ms.unwrap_or(now) + guard_ms;
                (now >= guard_until || complete).then_some("speech")
            }
            BargeIn::Words(least) => {
                (words.split_whitespace().count() >= least as usize).then_some("words")
            }
            BargeIn::Intent => turn
                .window
                .as_ref()
                .is_some_and(|w| !is_backchannel(words) && w.is_expected(words))
                .then_some("intent"),
            BargeIn::Digits | BargeIn::Off => None,
        };
        match cuts {
            Some(by) => Verdict::Cuts(by),
            // Too few words to cut may be answer enough when the prompt is over.
            None if !complete || (turn.barge_in != BargeIn::Intent && !is_backchannel(words)) => {
                Verdict::Waits
            }
            None => Verdict::Leaves,
        }
    }
}
