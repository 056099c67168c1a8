//! The speaker of a rehearsed call: plays by arithmetic.

use crate::audio::Sound;
use crate::call::Prompt;
use crate::net::speaker::{PlaybackId, SpeakerEvent};

/// Characters a second that a calm voice speaks.
const CHARS_A_SECOND: u64 = 14;
/// The shortest word, milliseconds.
const SHORTEST_MS: u64 = 300;

/// How long a voice speaks a text, milliseconds.
pub(super) fn spoken_ms(text: &str) -> u64 {
    (text.chars().count() as u64 * 1000 / CHARS_A_SECOND).max(SHORTEST_MS)
}

#[derive(Debug)]
struct Playing {
    id: PlaybackId,
    length_ms: u64,
    started: bool,
    /// When it began, moved on by its pauses.
    since_ms: u64,
    paused_ms: Option<u64>,
}

impl Playing {
    fn played_ms(&self, now_ms: u64) -> u64 {
        let now_ms = self.paused_ms.unwrap_or(now_ms);
        now_ms.saturating_sub(self.since_ms).min(self.length_ms)
    }
}

/// The speaker.
#[derive(Debug, Default)]
pub(super) struct Mouth(Option<Playing>);

impl Mouth {
    /// A prompt as a sound: a file as it is, a text as long as a voice would speak it.
    pub(super) fn sound(prompt: Prompt) -> Sound {
        match prompt {
            Prompt::Sound(sound) => sound,
            Prompt::Text(saying) => {
                let ms = spoken_ms(&saying.text) * 100 / u64::from(saying.speed_percent.max(10));
                Sound::silence(saying.text, ms)
            }
        }
    }

    /// Begins; what played before is stopped.
    pub(super) fn play(
        &mut self,
        id: PlaybackId,
        sound: Sound,
        now_ms: u64,
    ) -> Option<SpeakerEvent> {
        let stopped = self.stop(now_ms);
        self.0 = Some(Playing {
            id,
            length_ms: sound.duration_ms(),
            started: false,
            since_ms: now_ms,
            paused_ms: None,
        });
        stopped
    }

    pub(super) fn pause(&mut self, now_ms: u64) {
        if let Some(playing) = &mut self.0 {
            playing.paused_ms.get_or_insert(now_ms);
        }
    }

    pub(super) fn resume(&mut self, now_ms: u64) {
        if let Some(playing) = &mut self.0
            && let Some(paused_ms) = playing.paused_ms.take()
        {
            playing.since_ms += now_ms.saturating_sub(paused_ms);
        }
    }

    pub(super) fn stop(&mut self, now_ms: u64) -> Option<SpeakerEvent> {
        let playing = self.0.take()?;
        Some(SpeakerEvent::Ended {
            id: playing.id,
            played_ms: playing.played_ms(now_ms),
            whole: false,
        })
    }

    /// When it next has something to tell.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let playing = self.0.as_ref()?;
        match (playing.started, playing.paused_ms) {
            (false, _) => Some(playing.since_ms),
            (true, Some(_)) => None,
            (true, None) => Some(playing.since_ms + playing.length_ms),
        }
    }

    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<SpeakerEvent> {
        if self.next_ms().is_none_or(|at_ms| at_ms > now_ms) {
            return None;
        }
        let playing = self.0.as_mut()?;
        if !playing.started {
            playing.started = true;
            return Some(SpeakerEvent::Started { id: playing.id });
        }
        let ended = SpeakerEvent::Ended {
            id: playing.id,
            played_ms: playing.length_ms,
            whole: true,
        };
        self.0 = None;
        Some(ended)
    }
}
