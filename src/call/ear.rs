//! What the person says, cut into utterances (rules 1 to 3 of "Hearing"): voice activity gives onset and end, the
//! recognizer gives texts, and the two are joined here whatever their order. Pure.
//!
//! ```text
//!             voice or text              silence, or a final          final, or settle
//!   (nothing) ─────────────▶ open ──────────────────────▶ ended ─────────────────────▶ complete ──▶ taken
//!                             ▲  voice again before the    │                                    └──▶ left
//!                             └────────────────────────────┘ no text ever: noise
//! ```

use std::collections::VecDeque;

use crate::ident::Spoken;

/// Complete utterances that may wait for a window; the oldest leaves (into the history) when one more comes.
pub const MAX_WAITING: usize = 32;
/// Utterances whose text may be outstanding.
const MAX_PENDING: usize = 8;
/// A recognizer that works without our voice activity tells of speech about so long after its onset, milliseconds.
const TEXT_LAG_MS: u64 = 300;

/// One utterance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// Its number in the call.
    pub id: u64,
    /// When it began.
    pub onset_ms: u64,
    /// When the voice (last) ended.
    pub voice_end_ms: Option<u64>,
    /// When it was taken for ended.
    pub ended_ms: Option<u64>,
    /// The text so far.
    pub partial: Spoken,
    /// Since when the text so far has stood.
    pub partial_since_ms: u64,
    /// The last text; the utterance is complete.
    pub text: Option<Spoken>,
    /// When the last text came.
    pub text_ms: Option<u64>,
}

impl Utterance {
    /// The person still speaks.
    pub fn is_open(&self) -> bool {
        self.ended_ms.is_none()
    }
}

/// What the ear wants its machine to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An utterance is complete.
    Complete(Utterance),
    /// One had no text: a cough, a door.
    Noise(Utterance),
    /// One was never taken and makes room.
    Left(Utterance),
    /// A final text came after its utterance was closed by its partial.
    LateFinal(Spoken),
}

/// The ear of one call.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    pending: VecDeque<Utterance>,
    complete: VecDeque<Utterance>,
    /// Texts of utterances that were closed before their final came; the recognizer still owes these finals.
    owed: VecDeque<Spoken>,
    voice: bool,
    count: u64,
}

impl Ear {
    /// The person's voice is heard now.
    pub fn voice_is_on(&self) -> bool {
        self.voice
    }

    /// The oldest utterance that isn't complete.
    pub fn pending(&self) -> Option<&Utterance> {
        self.pending.front()
    }

    /// The newest utterance, if the person may still be speaking it.
    pub fn open(&self) -> Option<&Utterance> {
        self.pending.back().filter(|u| u.is_open())
    }

    /// The first utterance, complete or not, that a window open since `open_ms` takes: its onset lies in the window or at
    /// most `carry_ms` before it, or the person was still speaking when it opened.
    pub fn first_for(&self, open_ms: u64, carry_ms: u64) -> Option<&Utterance> {
        let from_ms = open_ms.saturating_sub(carry_ms);
        self.complete.iter().chain(&self.pending).find(|u| {
            u.onset_ms >= from_ms || u.voice_end_ms.is_none_or(|end| end >= open_ms) && u.is_open()
        })
    }

    /// Takes an utterance away for a window. One that isn't complete is closed with its partial; its final is owed.
    pub fn take(&mut self, id: u64) -> Option<Utterance> {
        if let Some(at) = self.complete.iter().position(|u| u.id == id) {
            return self.complete.remove(at);
        }
        let at = self.pending.iter().position(|u| u.id == id)?;
        let taken = self.pending.remove(at)?;
        self.owe(taken.partial.clone());
        Some(taken)
    }

    /// All that no window took, at the call's end.
    pub fn drain(&mut self) -> impl Iterator<Item = Utterance> + '_ {
        self.complete.drain(..).chain(self.pending.drain(..))
    }

    fn owe(&mut self, text: Spoken) {
        if self.owed.len() == MAX_PENDING {
            self.owed.pop_front();
        }
        self.owed.push_back(text);
    }

    fn begin(&mut self, onset_ms: u64, now_ms: u64) -> &mut Utterance {
        self.count += 1;
        if self.pending.len() == MAX_PENDING {
            // A recognizer that owes eight texts is not going to give the first.
            self.pending.pop_front();
        }
        self.pending.push_back(Utterance {
            id: self.count,
            onset_ms,
            voice_end_ms: None,
            ended_ms: None,
            partial: Spoken::default(),
            partial_since_ms: now_ms,
            text: None,
            text_ms: None,
        });
        let last = self.pending.len() - 1;
        &mut self.pending[last]
    }

    /// Voice began at `at_ms`: a new utterance, or the same after a short silence.
    pub fn voice_started(&mut self, at_ms: u64, now_ms: u64) {
        self.voice = true;
        match self.pending.back_mut() {
            Some(open) if open.is_open() => open.voice_end_ms = None,
            _ => {
                self.begin(at_ms, now_ms);
            }
        }
    }

    /// Voice ended at `at_ms`.
    pub fn voice_ended(&mut self, at_ms: u64) {
        self.voice = false;
        if let Some(open) = self.pending.back_mut().filter(|u| u.is_open()) {
            open.voice_end_ms = Some(at_ms);
        }
    }

    /// The silence after the voice has lasted: the open utterance has ended. Tells whether there was one.
    pub fn end(&mut self, now_ms: u64) -> bool {
        match self.pending.back_mut().filter(|u| u.is_open()) {
            Some(open) => {
                open.ended_ms = Some(now_ms);
                true
            }
            None => false,
        }
    }

    /// A text so far. Tells whether it said something new.
    pub fn partial(&mut self, text: &Spoken, now_ms: u64) -> bool {
        let fresh = self.not_owed(text);
        if fresh.is_empty() {
            return false;
        }
        if self.pending.is_empty() {
            if self.owed.is_empty() {
                self.begin(now_ms.saturating_sub(TEXT_LAG_MS), now_ms);
            } else {
                // Still the utterance that was closed early, and not a new one: voice activity would have told.
                return false;
            }
        }
        let Some(front) = self.pending.front_mut() else {
            return false;
        };
        if front.partial == fresh {
            return false;
        }
        front.partial = fresh;
        front.partial_since_ms = now_ms;
        true
    }

    /// A last text. An empty one after words means the words (the recognizer's final is lost, its partials were right).
    pub fn final_text(&mut self, text: &Spoken, now_ms: u64) -> Option<Heard> {
        let text = if let Some(closed_with) = self.owed.pop_front() {
            let rest = without_prefix(text.as_str(), closed_with.as_str());
            match rest {
                // The recognizer went on into the next utterance: the rest is that one's.
                Some(rest) if !rest.is_empty() && !self.pending.is_empty() => Spoken::new(rest),
                _ => {
                    return (!text.is_empty() && *text != closed_with)
                        .then(|| Heard::LateFinal(text.clone()));
                }
            }
        } else {
            text.clone()
        };
        if self.pending.is_empty() {
            if text.is_empty() {
                return None;
            }
            self.begin(now_ms.saturating_sub(TEXT_LAG_MS), now_ms);
        }
        let voice = self.voice;
        let only_one = self.pending.len() == 1;
        let front = self.pending.front_mut()?;
        let text = if text.is_empty() {
            front.partial.clone()
        } else {
            text
        };
        if text.is_empty() {
            if front.is_open() && voice && only_one {
                // Nothing yet, and they still speak: its words are to come.
                return None;
            }
            return self.pending.pop_front().map(Heard::Noise);
        }
        self.complete_front(text, now_ms)
    }

    /// The final didn't come in time: the last partial is the text. `None` where there is none yet.
    pub fn settle(&mut self, now_ms: u64) -> Option<Heard> {
        let front = self.pending.front().filter(|u| !u.is_open())?;
        if front.partial.is_empty() {
            return None;
        }
        self.close_front_by_partial(now_ms)
    }

    /// The partial will do already (`early`).
    pub fn close_front_by_partial(&mut self, now_ms: u64) -> Option<Heard> {
        let text = self.pending.front()?.partial.clone();
        self.owe(text.clone());
        self.complete_front(text, now_ms)
    }

    /// No text will come any more: it was noise.
    pub fn give_up(&mut self) -> Option<Heard> {
        let front = self.pending.front().filter(|u| !u.is_open())?;
        if !front.partial.is_empty() {
            return None;
        }
        self.pending.pop_front().map(Heard::Noise)
    }

    /// Completes the oldest pending utterance; a waiting one may have to make room, which is told instead by
    /// [`Ear::overflow`].
    fn complete_front(&mut self, text: Spoken, now_ms: u64) -> Option<Heard> {
        let mut done = self.pending.pop_front()?;
        done.text = Some(text);
        done.text_ms = Some(now_ms);
        done.ended_ms.get_or_insert(now_ms);
        self.complete.push_back(done.clone());
        Some(Heard::Complete(done))
    }

    /// The oldest untaken utterance, if too many wait.
    pub fn overflow(&mut self) -> Option<Heard> {
        if self.complete.len() <= MAX_WAITING {
            return None;
        }
        self.complete.pop_front().map(Heard::Left)
    }

    /// `text` without what the utterances closed early have already given.
    fn not_owed(&self, text: &Spoken) -> Spoken {
        match self.owed.front() {
            Some(closed_with) => {
                Spoken::new(without_prefix(text.as_str(), closed_with.as_str()).unwrap_or_default())
            }
            None => text.clone(),
        }
    }
}

/// What follows the words of `prefix` in `text`; `None` where `text` doesn't begin with them.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.trim().strip_prefix(prefix.trim())?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Spoken {
        Spoken::new(text)
    }

    fn text_of(heard: Option<Heard>) -> String {
        match heard {
            Some(Heard::Complete(u)) => u.text.unwrap_or_default().as_str().to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_empty_final_means_the_last_partial() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        assert!(ear.partial(&said("да приеду"), 500));
        ear.voice_ended(900);
        ear.end(1600);
        assert_eq!(text_of(ear.final_text(&said(""), 1700)), "да приеду");
    }

    #[test]
    fn a_final_that_never_comes_is_the_partial_and_counts_once_when_it_does() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        ear.partial(&said("да"), 400);
        ear.voice_ended(600);
        assert!(ear.settle(700).is_none(), "still open");
        ear.end(1300);
        assert_eq!(text_of(ear.settle(1800)), "да");
        assert_eq!(ear.final_text(&said("да"), 2500), None);
        assert!(ear.pending().is_none());
    }

    #[test]
    fn what_follows_an_early_close_belongs_to_the_next_utterance() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        ear.partial(&said("да"), 400);
        ear.voice_ended(500);
        ear.end(1200);
        ear.settle(1700);
        ear.voice_started(2000, 2050);
        assert!(ear.partial(&said("да завтра"), 2300));
        assert_eq!(ear.pending().unwrap().partial, said("завтра"));
        ear.voice_ended(2600);
        ear.end(3300);
        assert_eq!(text_of(ear.final_text(&said("да завтра"), 3400)), "завтра");
    }

    #[test]
    fn a_voice_without_words_is_noise() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        assert_eq!(ear.final_text(&said(""), 300), None, "they still speak");
        ear.voice_ended(400);
        ear.end(1100);
        assert!(matches!(
            ear.final_text(&said(""), 1200),
            Some(Heard::Noise(_))
        ));
    }

    #[test]
    fn a_short_silence_does_not_cut_an_utterance() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        ear.voice_ended(400);
        ear.voice_started(700, 750);
        assert_eq!(ear.open().unwrap().onset_ms, 100);
        assert_eq!(ear.open().unwrap().voice_end_ms, None);
    }

    #[test]
    fn a_window_takes_by_onset_with_carry() {
        let mut ear = Ear::default();
        for (start, text) in [(1000, "раз"), (3000, "два")] {
            ear.voice_started(start, start);
            ear.voice_ended(start + 300);
            ear.end(start + 1000);
            ear.final_text(&said(text), start + 1100);
        }
        assert_eq!(ear.first_for(4000, 1500).unwrap().onset_ms, 3000);
        assert_eq!(ear.first_for(2500, 1500).unwrap().onset_ms, 1000);
        assert!(ear.first_for(9000, 1500).is_none());
        ear.voice_started(5000, 5000);
        assert_eq!(
            ear.first_for(9000, 1500).unwrap().onset_ms,
            5000,
            "still speaking"
        );
    }

    #[test]
    fn text_without_voice_activity_makes_utterances_too() {
        let mut ear = Ear::default();
        assert!(ear.partial(&said("нет"), 1000));
        assert_eq!(ear.open().unwrap().onset_ms, 700);
        assert_eq!(text_of(ear.final_text(&said("нет"), 1500)), "нет");
        assert_eq!(text_of(ear.final_text(&said("потом"), 2500)), "потом");
    }
}
