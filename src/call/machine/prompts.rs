//! What plays, one prompt after the other, and where in it (milliseconds from its start) it was held or cut.
//!
//! Our clock tells at once where a prompt stands; the medium tells exactly when it has stopped ("cut").

use super::super::event::Command;
use super::super::history::kind;
use super::super::turn::Playing;
use super::{CallMachine, Doing};
use crate::audio::Sound;
use crate::call::fields::fields;
use crate::net::speaker::SpeakerEvent;

/// Cut prompts whose end the medium may owe.
const MAX_CUT: usize = 32;

impl CallMachine {
    /// Starts the next prompt of the turn, or marks that they are over.
    pub(super) fn play_next(&mut self, now: u64) {
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        let before = turn.playing.take();
        match turn.queue.pop_front() {
            Some(sound) => {
                self.playbacks += 1;
                let playing = Playing::new(self.playbacks, sound.clone(), now);
                let playing = playing.held_like(before.as_ref());
                let waits = playing.waits();
                turn.playing = Some(playing);
                if !waits {
                    self.order_play(sound, 0);
                }
            }
            None => {
                turn.prompts_over_ms.get_or_insert(now);
            }
        }
    }

    /// Orders the playback that was counted last.
    fn order_play(&mut self, sound: Sound, from_ms: u64) {
        self.commands.push_back(Command::Play {
            id: self.playbacks,
            sound,
            from_ms,
        });
    }

    pub(super) fn on_speaker(&mut self, event: SpeakerEvent, now: u64) {
        let id = match &event {
            SpeakerEvent::Started { id }
            | SpeakerEvent::Ended { id, .. }
            | SpeakerEvent::Failed { id, .. } => *id,
        };
        if let Some(at) = self.cut.iter().position(|(cut, _)| *cut == id) {
            self.cut_prompt_told(at, &event, now);
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
                playing.started_ms.get_or_insert(now);
                turn.first_started_ms.get_or_insert(now);
                self.note(
                    kind::PROMPT,
                    now,
                    fields!({"event": "started", "name": name}),
                );
                if let Some(times) = &mut self.times {
                    times.first_audio_ms = Some(now);
                }
                self.tell_times(now);
            }
            SpeakerEvent::Ended {
                played_ms, whole, ..
            } => {
                let event = if whole { "ended" } else { "stopped" };
                self.note(
                    kind::PROMPT,
                    now,
                    fields!({"event": event, "name": name, "played_ms": played_ms}),
                );
                self.play_next(now);
            }
            SpeakerEvent::Failed { reason, .. } => {
                self.note(
                    kind::PROMPT,
                    now,
                    fields!({"event": "failed", "name": name, "reason": reason}),
                );
                self.play_next(now);
            }
        }
    }

    /// The medium tells of a prompt that was cut: the exact place, where it had begun.
    fn cut_prompt_told(&mut self, at: usize, event: &SpeakerEvent, now: u64) {
        if matches!(event, SpeakerEvent::Started { .. }) {
            return;
        }
        if let (Some((_, name)), SpeakerEvent::Ended { played_ms, .. }) =
            (self.cut.remove(at), event)
        {
            self.note(
                kind::PROMPT,
                now,
                fields!({"event": "cut", "name": name, "played_ms": played_ms}),
            );
        }
    }

    /// The person cuts the prompts.
    pub(super) fn cut_prompts(&mut self, by: &'static str, now: u64) {
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        turn.queue.clear();
        turn.prompts_over_ms.get_or_insert(now);
        if let Some(playing) = turn.playing.take() {
            turn.barged_in = true;
            let mut told = playing.told("barge_in", now);
            told.push("by", by);
            self.note(kind::PROMPT, now, told);
            if playing.waits() {
                return;
            }
            if self.cut.len() == MAX_CUT {
                self.cut.pop_front();
            }
            self.cut.push_back((playing.id, playing.sound.name));
            self.commands.push_back(Command::StopPlayback);
        }
    }

    /// The call ends in the middle of a prompt.
    pub(super) fn stop_for_hang_up(&mut self, now: u64) {
        if let Doing::Turn(turn) = &mut self.doing
            && let Some(playing) = turn.playing.take().filter(|playing| !playing.waits())
        {
            self.commands.push_back(Command::StopPlayback);
            self.note(kind::PROMPT, now, playing.told("stopped", now));
        }
    }

    /// A voice holds the prompt.
    pub(super) fn pause_prompt(&mut self, now: u64) {
        let voice = self.ear.open().map(|u| u.id);
        let Doing::Turn(turn) = &mut self.doing else {
            return;
        };
        turn.paused_for = voice;
        if let Some(playing) = &mut turn.playing {
            playing.paused_ms = Some(now);
            let told = playing.told("paused", now);
            self.commands.push_back(Command::PausePlayback);
            self.note(kind::PROMPT, now, told);
        }
    }

    /// Nothing was understood: the prompt goes on.
    pub(super) fn resume_prompt(&mut self, now: u64) {
        if let Doing::Turn(turn) = &mut self.doing
            && let Some(playing) = &mut turn.playing
        {
            if playing.waits() {
                playing.lose(now);
                let sound = playing.sound.clone();
                return self.order_play(sound, 0);
            }
            playing.resume(now);
            let told = playing.told("resumed", now);
            self.commands.push_back(Command::ResumePlayback);
            self.note(kind::PROMPT, now, told);
        }
    }

    /// The medium broke in the middle of the prompt, or before it.
    pub(super) fn prompt_lost(&mut self, now: u64) {
        if let Doing::Turn(turn) = &mut self.doing
            && let Some(playing) = &mut turn.playing
        {
            let told = playing.told("lost", now);
            playing.lose(now);
            self.note(kind::PROMPT, now, told);
        }
    }

    /// The medium is there again: the prompt goes on from where it was last heard.
    pub(super) fn prompt_again(&mut self, now: u64) {
        if let Doing::Turn(turn) = &mut self.doing
            && let Some(playing) = &mut turn.playing
        {
            self.playbacks += 1;
            playing.order_again(self.playbacks, now);
            let (sound, from_ms) = (playing.sound.clone(), playing.played_ms(now));
            let told = playing.told("again", now);
            self.order_play(sound, from_ms);
            self.note(kind::PROMPT, now, told);
        }
    }

    /// The medium doesn't tell the prompt's end.
    pub(super) fn give_prompt_up(&mut self, now: u64) {
        if let Doing::Turn(turn) = &mut self.doing
            && let Some(playing) = turn.playing.take()
        {
            self.commands.push_back(Command::StopPlayback);
            self.note(kind::PROMPT, now, playing.told("stuck", now));
            self.play_next(now);
        }
    }
}
