//! The timer table: when each of [`Timer`]'s rows is due, read off the state. The one place where deadlines are made.

use super::super::ear::Utterance;
use super::super::request::BargeIn;
use super::super::timer::Timer;
use super::super::turn::{Playing, TurnState, WindowState};
use super::{CallMachine, Doing};

/// A medium that has not told of a prompt's end so long after it should have is stuck, milliseconds.
const PROMPT_SLACK_MS: u64 = 10_000;
/// Where only the recognizer heard the utterance, its text has to stand so much longer than `end_silence`, milliseconds.
const TEXT_ONLY_MS: u64 = 2_000;

impl CallMachine {
    /// When `timer` is due, if it runs in this state.
    pub(super) fn deadline(&self, timer: Timer) -> Option<u64> {
        if self.is_over() {
            return None;
        }
        match timer {
            Timer::Pause => match self.doing {
                Doing::Pausing(until_ms) => Some(until_ms),
                _ => None,
            },
            Timer::Prompt => {
                let playing = self.turn()?.playing.as_ref()?;
                let holds = playing.paused_ms.is_some();
                (!holds).then(|| playing.ends_ms() + PROMPT_SLACK_MS)
            }
            Timer::Open => {
                let turn = self.turn()?;
                let window = turn.window.as_ref().filter(|w| w.open_ms.is_none())?;
                Some(turn.prompts_end_ms()?.saturating_sub(window.rule.early_ms))
            }
            Timer::BargeIn => {
                let both = [self.pauses_ms(), self.guard_ends_ms()];
                both.into_iter().flatten().min()
            }
            Timer::Resume => {
                let turn = self.turn()?;
                let paused_ms = turn.playing.as_ref()?.paused_ms?;
                let BargeIn::Speech { resume_ms, .. } = turn.barge_in else {
                    return Some(paused_ms);
                };
                // A voice that is known for noise holds nothing any longer.
                let open = turn.paused_for.is_some_and(|id| self.ear.knows(id));
                Some(paused_ms + if open { resume_ms } else { 0 })
            }
            Timer::NoInput => self.open_window()?.no_input_ms(),
            Timer::Interdigit => {
                let over_ms = self.turn()?.prompts_over_ms?;
                let window = self.open_window()?;
                let rule = window.rule.digits?;
                let runs = !window.digits.is_empty() && !window.keys_complete();
                runs.then(|| window.last_digit_ms.max(over_ms) + rule.interdigit_ms)
            }
            Timer::EndSilence => self.ends_ms(),
            Timer::Settle => {
                let front = self.ear.pending().filter(|u| !u.partial.is_empty())?;
                match front.awaited_ms {
                    Some(awaited_ms) => {
                        Some(awaited_ms + self.text_wait_ms(self.cutting.settle_ms))
                    }
                    // A part is there, and the voice that came back says nothing: noise.
                    None if front.is_all_final() => Some(
                        front.partial_since_ms
                            + self.cutting.end_silence_ms
                            + self.cutting.settle_ms,
                    ),
                    None => None,
                }
            }
            Timer::GiveUp => {
                let front = self.ear.pending().filter(|u| u.partial.is_empty())?;
                Some(front.awaited_ms? + self.text_wait_ms(self.cutting.give_up_ms))
            }
            Timer::MaxSpeech => self.too_long_ms(),
            Timer::Early => {
                let window = self.open_window().filter(|w| w.rule.early)?;
                let u = self.candidate().filter(|u| u.text.is_none())?;
                let first = self.ear.pending().is_some_and(|front| front.id == u.id);
                (first && window.digits.is_empty() && window.is_expected(u.partial.as_str()))
                    .then(|| u.partial_since_ms + window.rule.stand_ms)
            }
        }
    }

    fn turn(&self) -> Option<&TurnState> {
        match &self.doing {
            Doing::Turn(turn) => Some(turn),
            _ => None,
        }
    }

    fn open_window(&self) -> Option<&WindowState> {
        let window = self.turn()?.window.as_ref();
        window.filter(|w| w.open_ms.is_some())
    }

    /// Without a recognizer no text comes any more.
    fn text_wait_ms(&self, wait_ms: u64) -> u64 {
        if self.deaf { 0 } else { wait_ms }
    }

    /// When the utterance that goes on, or the rest of a taken one, has ended.
    fn ends_ms(&self) -> Option<u64> {
        let silence_ms = self.cutting.end_silence_ms;
        let voice = self.ear.voice_is_on();
        if let Some(open) = self.ear.open() {
            return match open.voice_end_ms {
                Some(end_ms) => Some(end_ms + silence_ms),
                None if !voice => Some(open.partial_since_ms + silence_ms + TEXT_ONLY_MS),
                None => None,
            };
        }
        let tail = self.ear.tail()?;
        Some(match tail.voice_end_ms {
            Some(end_ms) => end_ms + silence_ms,
            None if !voice => tail.since_ms + silence_ms + TEXT_ONLY_MS,
            None => tail.since_ms + self.cutting.max_speech_ms,
        })
    }

    /// When the voice that is heard has lasted long enough to pause the prompt.
    fn pauses_ms(&self) -> Option<u64> {
        let turn = self.turn()?;
        let playing: &Playing = turn.playing.as_ref().filter(|p| p.paused_ms.is_none())?;
        let BargeIn::Speech {
            min_voice_ms,
            guard_ms,
            ..
        } = turn.barge_in
        else {
            return None;
        };
        let u: &Utterance = self.ear.open().filter(|u| u.onset_ms >= self.floor_ms)?;
        let judged = turn.paused_for == Some(u.id) || self.has_cut == Some(u.id);
        if self.deaf || judged || !self.ear.voice_is_on() {
            return None;
        }
        let guarded_ms = u.onset_ms.max(turn.first_started_ms? + guard_ms) + min_voice_ms;
        Some(guarded_ms.max(playing.started_ms?))
    }

    /// When the window's utterance has lasted too long. What isn't words counts from the prompt's end: on a noisy line it
    /// may have begun long before.
    fn too_long_ms(&self) -> Option<u64> {
        let over_ms = self.turn()?.prompts_over_ms?;
        let window = self.open_window().filter(|w| w.digits.is_empty())?;
        if let Some(message) = window.rule.message {
            return Some(over_ms + message.longest_ms);
        }
        let u = self.candidate().filter(|u| u.text.is_none())?;
        self.ear.open().filter(|open| open.id == u.id)?;
        let mut since_ms = u
            .onset_ms
            .max(window.open_ms?.saturating_sub(window.rule.carry_ms));
        if u.partial.is_empty() {
            since_ms = since_ms.max(over_ms);
        }
        Some(since_ms + window.rule.max_speech_ms)
    }
}
