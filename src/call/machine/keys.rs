//! Keys (rule 8): the first one stops prompt and recognition; those typed ahead wait for a window that wants them.

use super::super::history::kind;
use super::super::request::BargeIn;
use super::super::turn::TurnState;
use super::{CallMachine, Doing};
use crate::call::fields::fields;

/// Keys pressed ahead of a window that may wait for it.
const MAX_TYPED_AHEAD: usize = 32;
/// How old a key pressed ahead may be, milliseconds.
const TYPED_AHEAD_MS: u64 = 15_000;

impl CallMachine {
    pub(super) fn on_digit(&mut self, digit: char, now: u64) {
        self.note(kind::DIGIT, now, fields!({"digit": digit.to_string()}));
        let Doing::Turn(turn) = &mut self.doing else {
            self.type_ahead(digit, now);
            return;
        };
        let barge_in = turn.barge_in;
        let cuts = match &mut turn.window {
            Some(window) if window.rule.digits.is_some() => {
                window.open_ms.get_or_insert(now);
                window.press(digit, now);
                barge_in != BargeIn::Off
            }
            // A window that wants no keys: they may still cut its prompt, where the dialog says so.
            Some(_) => barge_in == BargeIn::Digits,
            None => {
                self.type_ahead(digit, now);
                barge_in != BargeIn::Off
            }
        };
        if cuts {
            self.cut_prompts("digits", now);
        }
    }

    fn type_ahead(&mut self, digit: char, now: u64) {
        if self.typed_ahead.len() == MAX_TYPED_AHEAD {
            self.typed_ahead.pop_front();
        }
        self.typed_ahead.push_back((digit, now));
    }

    /// A window that wants keys takes those that were typed ahead, and needs no prompt then.
    pub(super) fn give_typed_ahead(&mut self, turn: &mut TurnState, now: u64) {
        let Some(window) = &mut turn.window else {
            return;
        };
        for (digit, at_ms) in self.typed_ahead.drain(..) {
            if now.saturating_sub(at_ms) <= TYPED_AHEAD_MS {
                window.press(digit, now);
            }
        }
        if !window.digits.is_empty() && turn.barge_in != BargeIn::Off {
            turn.queue.clear();
        }
    }
}
