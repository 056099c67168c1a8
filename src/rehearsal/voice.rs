//! A voice as the machine is told of it: voice activity and recognizer, each as late as the real one.

use crate::audio::tone::Tone;
use crate::call::event::Event;
use crate::ident::Spoken;

/// Voice activity is sure of a voice so long after its onset, milliseconds.
const VOICE_TOLD_MS: u64 = 60;
/// And of its end so long after it: shorter pauses lie inside of words.
const END_TOLD_MS: u64 = 200;
/// A recognizer that is asked for its final text gives it after this.
const FINAL_MS: u64 = 100;
/// One that isn't asked ends an utterance by itself after so much silence.
const BY_ITSELF_MS: u64 = 1_200;
/// A machine beeps so long after its greeting.
const BEEP_AFTER_MS: u64 = 400;
/// For so long.
const BEEP_MS: u64 = 400;
/// At that frequency.
const BEEP_HZ: u32 = 1_000;
/// And its end is noticed so much later.
const BEEP_TOLD_MS: u64 = 40;
/// A character takes so long to be said.
const CHAR_MS: u64 = 70;
/// And the shortest word.
const WORD_MS: u64 = 250;

/// Something that the person says, or a noise. Times in milliseconds from its onset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// How long it is heard.
    pub length_ms: u64,
    /// The recognizer's texts on the way.
    pub partials: Vec<(u64, String)>,
    /// Its last text; empty: a noise.
    pub text: String,
    /// When the last text comes, at the latest; by itself: when the utterance has ended.
    pub text_ms: Option<u64>,
    /// A machine's beep follows so long after its end.
    pub beep_ms: Option<u64>,
}

impl Voice {
    /// A text as a calm person says it, word by word.
    pub fn says(text: &str) -> Self {
        let mut so_far = String::new();
        let mut at_ms = 0;
        let mut partials = Vec::new();
        for word in text.split_whitespace() {
            at_ms += (word.chars().count() as u64 * CHAR_MS).max(WORD_MS);
            if !so_far.is_empty() {
                so_far.push(' ');
            }
            so_far.push_str(word);
            partials.push((at_ms, so_far.clone()));
        }
        Self {
            length_ms: at_ms.max(WORD_MS),
            partials,
            text: so_far,
            text_ms: None,
            beep_ms: None,
        }
    }

    /// An answering machine's greeting, and its beep.
    pub fn machine(text: &str) -> Self {
        Self {
            beep_ms: Some(BEEP_AFTER_MS),
            ..Self::says(text)
        }
    }

    /// A beep alone.
    pub fn beep() -> Self {
        Self {
            beep_ms: Some(0),
            ..Self::default()
        }
    }

    /// A noise without words.
    pub fn noise(length_ms: u64) -> Self {
        Self {
            length_ms,
            ..Self::default()
        }
    }
}

/// What is on its way from the person to the machine.
#[derive(Debug, Default)]
pub(super) struct Voices {
    /// In the order of their times.
    coming: Vec<(u64, Event)>,
    /// Last texts that are owed: end of their voice, text, when they come at the latest.
    owed: Vec<(u64, String, u64)>,
}

impl Voices {
    pub(super) fn begin(&mut self, voice: Voice, now_ms: u64) {
        let end_ms = now_ms + voice.length_ms;
        if let Some(after_ms) = voice.beep_ms {
            let from_ms = end_ms + after_ms;
            let to_ms = from_ms + BEEP_MS;
            let tone = Tone {
                from_ms,
                to_ms,
                hz: BEEP_HZ,
            };
            self.push(to_ms + BEEP_TOLD_MS, Event::Tone(tone));
            if voice.length_ms == 0 {
                return;
            }
        }
        self.push(
            now_ms + VOICE_TOLD_MS.min(voice.length_ms),
            Event::VoiceStarted { at_ms: now_ms },
        );
        for (at_ms, text) in voice.partials {
            self.push(now_ms + at_ms, Event::Partial(Spoken::new(text)));
        }
        self.push(end_ms + END_TOLD_MS, Event::VoiceEnded { at_ms: end_ms });
        let latest_ms = voice
            .text_ms
            .map_or(end_ms + BY_ITSELF_MS, |ms| now_ms + ms);
        self.owed.push((end_ms, voice.text, latest_ms));
    }

    fn push(&mut self, at_ms: u64, event: Event) {
        let at = self.coming.partition_point(|(other, _)| *other <= at_ms);
        self.coming.insert(at, (at_ms, event));
    }

    /// The machine wants the last text now.
    pub(super) fn end_utterance(&mut self, now_ms: u64) {
        if let Some((_, _, latest_ms)) = self.owed.iter_mut().find(|(end_ms, ..)| *end_ms <= now_ms)
        {
            *latest_ms = (*latest_ms).min(now_ms + FINAL_MS);
        }
    }

    pub(super) fn next_ms(&self) -> Option<u64> {
        let coming = self.coming.first().map(|(at_ms, _)| *at_ms);
        let owed = self.owed.iter().map(|(_, _, latest_ms)| *latest_ms).min();
        coming.into_iter().chain(owed).min()
    }

    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<Event> {
        if self
            .coming
            .first()
            .is_some_and(|(at_ms, _)| *at_ms <= now_ms)
        {
            return Some(self.coming.remove(0).1);
        }
        let due = self
            .owed
            .iter()
            .position(|(_, _, latest_ms)| *latest_ms <= now_ms)?;
        Some(Event::Final(Spoken::new(self.owed.remove(due).1)))
    }
}
