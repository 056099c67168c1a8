//! The state of one turn: its prompts, its window, its times.

use std::collections::VecDeque;

use super::ear::Utterance;
use super::request::{BargeIn, Window};
use crate::audio::Sound;
use crate::call::fields::{Fields, fields};
use crate::ident::Spoken;
use crate::net::speaker::PlaybackId;
use crate::phrases::Understanding;

/// A medium needs so long at most to begin a prompt, milliseconds.
const START_SLACK_MS: u64 = 5_000;

/// A turn that goes on.
#[derive(Debug)]
pub(super) struct TurnState {
    /// Prompts to come.
    pub(super) queue: VecDeque<Sound>,
    /// The prompt that plays, or is about to.
    pub(super) playing: Option<Playing>,
    /// When the turn began.
    pub(super) begun_ms: u64,
    /// When the first prompt was first heard.
    pub(super) first_started_ms: Option<u64>,
    /// When the prompts ended or were cut.
    pub(super) prompts_over_ms: Option<u64>,
    /// What cuts them.
    pub(super) barge_in: BargeIn,
    /// They were cut.
    pub(super) barged_in: bool,
    /// The utterance that has already paused a prompt: it doesn't pause it again.
    pub(super) paused_for: Option<u64>,
    /// The window.
    pub(super) window: Option<WindowState>,
}

impl TurnState {
    pub(super) fn new(
        sounds: Vec<Sound>,
        barge_in: BargeIn,
        window: Option<WindowState>,
        now_ms: u64,
    ) -> Self {
        Self {
            queue: sounds.into(),
            playing: None,
            begun_ms: now_ms,
            first_started_ms: None,
            prompts_over_ms: None,
            barge_in,
            barged_in: false,
            paused_for: None,
            window,
        }
    }

    /// It takes a message.
    pub(super) fn takes_message(&self) -> bool {
        let window = self.window.as_ref();
        window.is_some_and(|window| window.rule.message.is_some())
    }

    pub(super) fn prompts_over(&self) -> bool {
        self.prompts_over_ms.is_some()
    }

    /// When the last prompt will end, if nothing holds it; `None` while it can't be known, or when it is over.
    pub(super) fn prompts_end_ms(&self) -> Option<u64> {
        let playing = self.playing.as_ref()?;
        if playing.started_ms.is_none() || playing.paused_ms.is_some() {
            return None;
        }
        let rest: u64 = self.queue.iter().map(Sound::duration_ms).sum();
        Some(playing.ends_ms() + rest)
    }
}

/// A prompt on its way to the person.
#[derive(Debug)]
pub(super) struct Playing {
    pub(super) id: PlaybackId,
    pub(super) sound: Sound,
    /// It was ordered from here on: the medium broke there.
    from_ms: u64,
    ordered_ms: u64,
    /// When its first sample was sent.
    pub(super) started_ms: Option<u64>,
    /// Since when it is paused.
    pub(super) paused_ms: Option<u64>,
    /// How long it was paused in all.
    held_ms: u64,
}

impl Playing {
    pub(super) fn new(id: PlaybackId, sound: Sound, now_ms: u64) -> Self {
        Self {
            id,
            sound,
            from_ms: 0,
            ordered_ms: now_ms,
            started_ms: None,
            paused_ms: None,
            held_ms: 0,
        }
    }

    /// It waits as long as the prompt before it would have been held, if that was.
    pub(super) fn held_like(mut self, before: Option<&Self>) -> Self {
        self.paused_ms = before.and_then(|before| before.paused_ms);
        self
    }

    /// It is not ordered yet: the prompt before it ended while a voice held that. One that was ordered is held only once it
    /// is heard.
    pub(super) fn waits(&self) -> bool {
        self.paused_ms.is_some() && self.started_ms.is_none()
    }

    pub(super) fn resume(&mut self, now_ms: u64) {
        if let Some(since) = self.paused_ms.take() {
            self.held_ms += now_ms.saturating_sub(since);
        }
    }

    /// The medium broke: it stands where it was last heard.
    pub(super) fn lose(&mut self, now_ms: u64) {
        self.from_ms = self.played_ms(now_ms);
        self.ordered_ms = now_ms;
        self.started_ms = None;
        self.paused_ms = None;
        self.held_ms = 0;
    }

    /// It is ordered once more, from where it stands.
    pub(super) fn order_again(&mut self, id: PlaybackId, now_ms: u64) {
        self.lose(now_ms);
        self.id = id;
    }

    /// How much of it was heard, milliseconds from its start, by our clock.
    pub(super) fn played_ms(&self, now_ms: u64) -> u64 {
        let until_ms = self.paused_ms.unwrap_or(now_ms);
        let played_ms = self.started_ms.map_or(0, |started_ms| {
            until_ms.saturating_sub(started_ms + self.held_ms)
        });
        (self.from_ms + played_ms).min(self.sound.duration_ms())
    }

    /// A line of the history about it: what happens, and where in it.
    pub(super) fn told(&self, event: &str, now_ms: u64) -> Fields {
        fields!({"event": event, "name": self.sound.name, "played_ms": self.played_ms(now_ms)})
    }

    /// When it ends, if nothing holds it any more.
    pub(super) fn ends_ms(&self) -> u64 {
        let start = self.started_ms.unwrap_or(self.ordered_ms + START_SLACK_MS);
        start + self.held_ms + self.sound.duration_ms().saturating_sub(self.from_ms)
    }
}

/// A message, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct MessageSoFar {
    /// What was said, utterance by utterance.
    pub(super) parts: Vec<Spoken>,
    /// The first utterance.
    pub(super) first: Option<u64>,
    /// When its voice was last heard; `None`: not yet.
    pub(super) last_ms: Option<u64>,
}

/// A listening window.
#[derive(Debug)]
pub(super) struct WindowState {
    pub(super) rule: Window,
    /// Its number in the call.
    pub(super) number: u64,
    /// When it opened.
    pub(super) open_ms: Option<u64>,
    /// Keys so far.
    pub(super) digits: String,
    pub(super) last_digit_ms: u64,
    /// The keys are complete before their number is.
    pub(super) terminated: bool,
    /// What was said of the message that it takes.
    pub(super) message: MessageSoFar,
    quiet_left_ms: u64,
    quiet_since_ms: Option<u64>,
}

impl WindowState {
    pub(super) fn new(rule: Window, number: u64) -> Self {
        Self {
            quiet_left_ms: rule.timeout_ms,
            rule,
            number,
            open_ms: None,
            digits: String::new(),
            last_digit_ms: 0,
            terminated: false,
            message: MessageSoFar::default(),
            quiet_since_ms: None,
        }
    }

    /// A key. The terminator ends what has begun; one more than wanted is nothing.
    pub(super) fn press(&mut self, digit: char, at_ms: u64) {
        let Some(rule) = self.rule.digits else { return };
        if self.rule.message.is_some() {
            // Only the key that ends it means anything.
            if rule.terminator == Some(digit) {
                self.digits = digit.to_string();
                self.terminated = true;
            }
        } else if rule.terminator == Some(digit) {
            self.terminated |= !self.digits.is_empty();
        } else if !self.terminated && self.digits.len() < rule.max_digits as usize {
            self.digits.push(digit);
            self.last_digit_ms = at_ms;
        }
    }

    /// There are keys, and no further one is awaited.
    pub(super) fn keys_complete(&self) -> bool {
        let most = self.rule.digits.map_or(0, |rule| rule.max_digits as usize);
        !self.digits.is_empty() && (self.terminated || self.digits.len() >= most)
    }

    /// What this text is, among the expected answers.
    pub(super) fn understand(&self, text: &str) -> Understanding {
        self.rule.answers.understand(text, &self.rule.expect)
    }

    /// This text is an expected answer.
    pub(super) fn is_expected(&self, text: &str) -> bool {
        !self.rule.expect.is_empty() && self.understand(text).intent.is_some()
    }

    /// The timeout runs only while it is quiet; `at_ms` is when that began or ended.
    pub(super) fn quiet(&mut self, quiet: bool, at_ms: u64) {
        match (quiet, self.quiet_since_ms) {
            (true, None) => self.quiet_since_ms = Some(at_ms),
            (false, Some(since)) => {
                self.quiet_left_ms = self
                    .quiet_left_ms
                    .saturating_sub(at_ms.saturating_sub(since));
                self.quiet_since_ms = None;
            }
            _ => {}
        }
    }

    /// Of a message: the silence counts anew after each voice. `since_ms`: since when nobody speaks.
    pub(super) fn message_quiet(&mut self, since_ms: Option<u64>) {
        self.quiet_since_ms = since_ms;
        self.quiet_left_ms = match (self.rule.message, self.message.last_ms) {
            (Some(rule), Some(_)) => rule.end_silence_ms,
            _ => self.rule.timeout_ms,
        };
    }

    /// When the silence has lasted too long.
    pub(super) fn no_input_ms(&self) -> Option<u64> {
        self.quiet_since_ms.map(|since| since + self.quiet_left_ms)
    }
}

/// Rule 9: the times of a turn, on the call's clock.
#[derive(Debug)]
pub(super) struct TurnTimes {
    window: u64,
    last_key_ms: Option<u64>,
    end_of_speech_ms: Option<u64>,
    end_of_utterance_ms: Option<u64>,
    final_text_ms: Option<u64>,
    pub(super) decision_ms: Option<u64>,
    pub(super) first_audio_ms: Option<u64>,
}

impl TurnTimes {
    /// The times of a window that keys or `utterance` closed.
    pub(super) fn of(window: &WindowState, utterance: Option<&Utterance>) -> Self {
        let keyed = utterance.is_none() && !window.digits.is_empty();
        Self {
            window: window.number,
            last_key_ms: keyed.then_some(window.last_digit_ms),
            end_of_speech_ms: utterance.and_then(|u| u.voice_end_ms),
            end_of_utterance_ms: utterance.and_then(|u| u.ended_ms),
            final_text_ms: utterance.and_then(|u| u.text_ms),
            decision_ms: None,
            first_audio_ms: None,
        }
    }

    pub(super) fn told(&self) -> Fields {
        fields!({
            "window": self.window, "last_key_ms": self.last_key_ms,
            "end_of_speech_ms": self.end_of_speech_ms, "end_of_utterance_ms": self.end_of_utterance_ms,
            "final_text_ms": self.final_text_ms, "decision_ms": self.decision_ms,
            "first_audio_ms": self.first_audio_ms,
        })
    }
}
