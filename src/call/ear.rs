//! What the person says, cut into utterances (rules 1 to 3 of "Hearing"): voice activity gives onset and end, the
//! recognizer gives texts, and the two are joined here whatever their order. Pure.
//!
//! ```text
//!             voice or text              silence, or a final          final, or settle
//!   (nothing) ─────────────▶ open ──────────────────────▶ ended ─────────────────────▶ complete ──▶ taken
//!                             ▲  voice again before the    │                                    └──▶ left
//!                             └────────────────────────────┘ no text ever: noise
//! ```
//!
//! A recognizer answers in order, one final an utterance. Where an utterance was closed before its final ([`Ear::settle`],
//! [`Ear::take`], [`Ear::close_front_by_partial`]), that final is *owed*: when it comes it belongs to what was closed.
//! A final that comes while the voice has come back after a short silence is a *part*: "да" … "нет" in one breath is one
//! utterance of two parts.

use std::collections::VecDeque;

use crate::ident::Spoken;

/// Complete utterances that may wait for a window; the oldest leaves (into the history) when one more comes.
pub const MAX_WAITING: usize = 32;
/// Utterances whose text may be outstanding.
const MAX_PENDING: usize = 8;
/// Finals within one breath; the last ends it.
const MAX_PARTS: usize = 8;
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
    /// Since when its final text is awaited: its end, or a later takeover by another recognizer.
    pub awaited_ms: Option<u64>,
    /// The text so far, all parts.
    pub partial: Spoken,
    /// Since when the text so far has stood.
    pub partial_since_ms: u64,
    /// What the recognizer has finished within it; one or none, mostly.
    pub parts: Vec<Spoken>,
    /// What the recognizer has not finished.
    segment: Spoken,
    /// The last text; the utterance is complete.
    pub text: Option<Spoken>,
    /// When the last text came.
    pub text_ms: Option<u64>,
    /// It was said over a prompt that can't be cut, for which the next window makes up.
    pub over_uncuttable: bool,
    /// The voice came back in it after a short silence, and no text was finished since.
    resumed: bool,
}

impl Utterance {
    /// The person still speaks.
    pub fn is_open(&self) -> bool {
        self.ended_ms.is_none()
    }

    /// Its words so far, or its last ones.
    pub fn words(&self) -> &Spoken {
        self.text.as_ref().unwrap_or(&self.partial)
    }

    /// When it was last heard; `None` while it goes on.
    pub fn last_heard_ms(&self) -> Option<u64> {
        self.voice_end_ms.or(self.ended_ms)
    }

    /// Its parts, the unfinished one too.
    pub fn all_parts(&self) -> Vec<Spoken> {
        let unfinished = (!self.segment.is_empty()).then_some(&self.segment);
        self.parts.iter().chain(unfinished).cloned().collect()
    }

    /// The recognizer has finished all that it has given.
    pub fn is_all_final(&self) -> bool {
        self.segment.is_empty()
    }

    /// Takes the unfinished words in as the last part.
    fn finish_segment(&mut self, text: Spoken) {
        self.segment = Spoken::default();
        if !text.is_empty() {
            self.parts.push(text);
        }
        self.join();
    }

    fn join(&mut self) {
        let all = self.parts.iter().chain([&self.segment]);
        let words: Vec<&str> = all.map(Spoken::as_str).collect();
        self.partial = Spoken::new(words.join(" ").trim());
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

/// The text of an utterance that was closed before its final came; the recognizer still owes that.
#[derive(Clone, Debug)]
struct Owed {
    text: Spoken,
    since_ms: u64,
}

/// An utterance that was taken while the person was still speaking it: its rest is no utterance of its own.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    /// When it was taken.
    pub since_ms: u64,
    /// When the voice ended.
    pub voice_end_ms: Option<u64>,
}

/// Which utterances a window, or a prompt that may be cut, takes.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// It opened then: what was still being said is in it.
    pub open_ms: u64,
    /// Onsets from here on are in it (`carry`).
    pub from_ms: u64,
    /// What began before this is never in it: it belongs to a window that keys have closed.
    pub floor_ms: u64,
}

impl Reach {
    fn takes(self, u: &Utterance) -> bool {
        u.onset_ms >= self.floor_ms
            && (u.onset_ms >= self.from_ms
                || u.over_uncuttable
                || u.last_heard_ms().is_none_or(|end| end >= self.open_ms))
    }
}

/// The ear of one call.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    pending: VecDeque<Utterance>,
    complete: VecDeque<Utterance>,
    owed: VecDeque<Owed>,
    tail: Option<Tail>,
    told: VecDeque<Heard>,
    voice: bool,
    count: u64,
}

impl Ear {
    /// The next thing that the machine has to know.
    pub fn next_told(&mut self) -> Option<Heard> {
        self.told.pop_front()
    }

    /// The person's voice is heard now.
    pub fn voice_is_on(&self) -> bool {
        self.voice
    }

    /// The oldest utterance that isn't complete.
    pub fn pending(&self) -> Option<&Utterance> {
        self.pending.front()
    }

    /// That utterance's text is still awaited, or it waits for a window.
    pub fn knows(&self, id: u64) -> bool {
        self.complete
            .iter()
            .chain(&self.pending)
            .any(|u| u.id == id)
    }

    /// The newest utterance, if the person may still be speaking it.
    pub fn open(&self) -> Option<&Utterance> {
        self.pending.back().filter(|u| u.is_open())
    }

    /// What is still being said of an utterance that was taken already.
    pub fn tail(&self) -> Option<Tail> {
        self.tail
    }

    /// All that a window takes, complete or not, oldest first.
    pub fn within(&self, reach: Reach) -> impl Iterator<Item = &Utterance> {
        let all = self.complete.iter().chain(&self.pending);
        all.filter(move |u| reach.takes(u))
    }

    /// Takes an utterance away for a window. One that isn't complete is closed with its partial; its final is owed.
    pub fn take(&mut self, id: u64, now_ms: u64) -> Option<Utterance> {
        if let Some(at) = self.complete.iter().position(|u| u.id == id) {
            return self.complete.remove(at);
        }
        let at = self.pending.iter().position(|u| u.id == id)?;
        let taken = self.pending.remove(at)?;
        self.owe(taken.segment.clone(), now_ms);
        Some(taken)
    }

    /// All that no window took, at the call's end.
    pub fn drain(&mut self) -> impl Iterator<Item = Utterance> + '_ {
        self.complete.drain(..).chain(self.pending.drain(..))
    }

    /// What is said now is said over a prompt that can't be cut.
    pub fn mark_over_uncuttable(&mut self) {
        if let Some(open) = self.pending.back_mut().filter(|u| u.is_open()) {
            open.over_uncuttable = true;
        }
    }

    /// The window has made up for an uncuttable prompt.
    pub fn forget_uncuttable(&mut self) {
        for u in self.complete.iter_mut().chain(&mut self.pending) {
            u.over_uncuttable = false;
        }
    }

    /// Another recognizer has taken over and hears again what has no last text yet. Tells whether it has to be asked for
    /// one: the person has ended.
    pub fn taken_over(&mut self, now_ms: u64) -> bool {
        for owed in &mut self.owed {
            owed.since_ms = now_ms;
        }
        for u in &mut self.pending {
            if u.awaited_ms.is_some() {
                u.awaited_ms = Some(now_ms);
            }
        }
        self.open().is_none()
            && self.tail.is_none()
            && !(self.owed.is_empty() && self.pending.is_empty())
    }

    /// A text is here; what has been awaited for too long is not what it belongs to. A final that is owed for `give_up_ms`
    /// won't come any more; and where another utterance has begun, one that got no word in `settle_ms` was noise.
    pub fn expire(&mut self, settle_ms: u64, give_up_ms: u64, now_ms: u64) {
        let late = |owed: &Owed| owed.since_ms + give_up_ms <= now_ms;
        while self.tail.is_none() && self.owed.front().is_some_and(late) {
            self.owed.pop_front();
        }
        let silent = |u: &Utterance| {
            u.partial.is_empty() && u.awaited_ms.is_some_and(|at| at + settle_ms <= now_ms)
        };
        while self.owed.is_empty() && self.pending.len() > 1 && silent(&self.pending[0]) {
            self.give_up();
        }
    }

    fn owe(&mut self, text: Spoken, now_ms: u64) {
        if self.owed.len() == MAX_PENDING {
            self.owed.pop_front();
        }
        self.owed.push_back(Owed {
            text,
            since_ms: now_ms,
        });
    }

    fn begin(&mut self, onset_ms: u64, now_ms: u64) {
        self.count += 1;
        if self.pending.len() == MAX_PENDING {
            // A recognizer that owes eight texts is not going to give the first.
            self.give_front_up(now_ms);
        }
        self.pending.push_back(Utterance {
            id: self.count,
            onset_ms,
            voice_end_ms: None,
            ended_ms: None,
            awaited_ms: None,
            partial: Spoken::default(),
            partial_since_ms: now_ms,
            parts: Vec::new(),
            segment: Spoken::default(),
            text: None,
            text_ms: None,
            over_uncuttable: false,
            resumed: false,
        });
    }

    fn give_front_up(&mut self, now_ms: u64) {
        if self.pending.front().is_some_and(|u| u.partial.is_empty()) {
            self.told.extend(self.pending.pop_front().map(Heard::Noise));
        } else {
            self.close_front_by_partial(now_ms);
        }
    }

    /// Voice began at `at_ms`: a new utterance, or the same after a short silence.
    pub fn voice_started(&mut self, at_ms: u64, now_ms: u64) {
        self.voice = true;
        match (self.pending.back_mut(), &mut self.tail) {
            (Some(open), _) if open.is_open() => {
                open.resumed |= open.voice_end_ms.take().is_some();
            }
            (_, Some(tail)) => tail.voice_end_ms = None,
            _ => self.begin(at_ms, now_ms),
        }
    }

    /// Voice ended at `at_ms`.
    pub fn voice_ended(&mut self, at_ms: u64) {
        self.voice = false;
        if let Some(open) = self.pending.back_mut().filter(|u| u.is_open()) {
            open.voice_end_ms = Some(at_ms.max(open.onset_ms));
        } else if let Some(tail) = &mut self.tail {
            tail.voice_end_ms = Some(at_ms.max(tail.since_ms));
        }
    }

    /// The silence after the voice has lasted: the open utterance, or what was left of a taken one, has ended. Tells
    /// whether there was one.
    pub fn end(&mut self, now_ms: u64) -> bool {
        if let Some(open) = self.pending.back_mut().filter(|u| u.is_open()) {
            open.ended_ms = Some(now_ms);
            open.awaited_ms = Some(now_ms);
            return true;
        }
        if self.tail.take().is_some() {
            for owed in &mut self.owed {
                owed.since_ms = now_ms;
            }
            return true;
        }
        false
    }

    /// A text so far. Tells whether it is the first of an utterance.
    pub fn partial(&mut self, text: &Spoken, now_ms: u64) -> bool {
        let Some(fresh) = self.not_owed(text) else {
            return false;
        };
        if fresh.is_empty() {
            return false;
        }
        if self.pending.is_empty() {
            self.begin(now_ms.saturating_sub(TEXT_LAG_MS), now_ms);
        }
        let Some(front) = self.pending.front_mut() else {
            return false;
        };
        if front.segment == fresh {
            return false;
        }
        let first = front.partial.is_empty();
        front.segment = fresh;
        front.partial_since_ms = now_ms;
        front.join();
        first
    }

    /// A last text. An empty one after words means the words (the recognizer's final is lost, its partials were right).
    pub fn final_text(&mut self, text: &Spoken, now_ms: u64) {
        let Some(text) = self.not_owed_final(text) else {
            return;
        };
        if self.pending.is_empty() {
            if text.is_empty() {
                return;
            }
            self.begin(now_ms.saturating_sub(TEXT_LAG_MS), now_ms);
        }
        let voice = self.voice;
        let only_one = self.pending.len() == 1;
        let Some(front) = self.pending.front_mut() else {
            return;
        };
        let text = if text.is_empty() {
            front.segment.clone()
        } else {
            text
        };
        let speaks = front.is_open() && voice && only_one;
        if text.is_empty() && front.parts.is_empty() {
            // Nothing yet: while they speak its words are to come.
            if !speaks {
                self.told.extend(self.pending.pop_front().map(Heard::Noise));
            }
            return;
        }
        front.finish_segment(text);
        front.partial_since_ms = now_ms;
        if speaks && front.resumed && front.parts.len() < MAX_PARTS {
            front.resumed = false;
            return;
        }
        self.complete_front(now_ms);
    }

    /// The final didn't come in time, or no words follow a part: what there is is the text.
    pub fn settle(&mut self, now_ms: u64) {
        if let Some(front) = self.pending.front().filter(|u| !u.partial.is_empty()) {
            if front.is_open() && front.segment.is_empty() {
                // All of it is final: nothing is owed.
                self.complete_front(now_ms);
            } else if !front.is_open() {
                self.close_front_by_partial(now_ms);
            }
        }
    }

    /// The partial will do already (`early`, `settle`). What is still said of it is its tail.
    pub fn close_front_by_partial(&mut self, now_ms: u64) {
        let Some(front) = self.pending.front_mut() else {
            return;
        };
        let (segment, open, voice_end_ms) =
            (front.segment.clone(), front.is_open(), front.voice_end_ms);
        front.finish_segment(segment.clone());
        self.owe(segment, now_ms);
        if open {
            self.tail = Some(Tail {
                since_ms: now_ms,
                voice_end_ms,
            });
        }
        self.complete_front(now_ms);
    }

    /// No text will come any more: it was noise.
    pub fn give_up(&mut self) {
        let front = self.pending.front();
        if front.is_some_and(|u| !u.is_open() && u.partial.is_empty()) {
            self.told.extend(self.pending.pop_front().map(Heard::Noise));
        }
    }

    /// Completes the oldest pending utterance with its parts; a waiting one may have to make room.
    fn complete_front(&mut self, now_ms: u64) {
        let Some(mut done) = self.pending.pop_front() else {
            return;
        };
        done.text = Some(done.partial.clone());
        done.text_ms = Some(now_ms);
        done.ended_ms.get_or_insert(now_ms);
        self.told.push_back(Heard::Complete(done.clone()));
        self.complete.push_back(done);
        if self.complete.len() > MAX_WAITING {
            self.told.extend(self.complete.pop_front().map(Heard::Left));
        }
    }

    /// `text` without what an utterance closed early has already given; `None` where all of it is that utterance's.
    fn not_owed(&self, text: &Spoken) -> Option<Spoken> {
        let Some(owed) = self.owed.front() else {
            return Some(text.clone());
        };
        if self.pending.is_empty() {
            // Still the utterance that was closed early, and not a new one: voice activity would have told.
            return None;
        }
        match without_prefix(text.as_str(), owed.text.as_str()) {
            Some(rest) => Some(Spoken::new(rest)),
            // Other words: the recognizer is past what it owes.
            None => Some(text.clone()),
        }
    }

    /// The same for a last text, which pays what is owed.
    fn not_owed_final(&mut self, text: &Spoken) -> Option<Spoken> {
        let Some(owed) = self.owed.pop_front() else {
            return Some(text.clone());
        };
        let awaited = self.pending.front().is_some_and(|u| !u.is_open());
        match without_prefix(text.as_str(), owed.text.as_str()) {
            // The recognizer went on into the next utterance: the rest is that one's.
            Some(rest) if !rest.is_empty() && !self.pending.is_empty() => {
                return Some(Spoken::new(rest));
            }
            // Other words, when another text is awaited: the owed one was never to come.
            None if awaited && !text.is_empty() => return Some(text.clone()),
            _ => {}
        }
        // The recognizer has ended it, whoever goes on.
        self.tail = None;
        if !text.is_empty() && *text != owed.text {
            self.told.push_back(Heard::LateFinal(text.clone()));
        }
        None
    }
}

/// What follows the words of `prefix` in `text`; `None` where `text` doesn't begin with them.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.trim().strip_prefix(prefix.trim())?;
    (rest.is_empty() || prefix.trim().is_empty() || rest.starts_with(char::is_whitespace))
        .then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Spoken {
        Spoken::new(text)
    }

    /// What was told since: `+text` complete, `~` noise, `-text` left, `>text` a late final.
    fn told(ear: &mut Ear) -> Vec<String> {
        std::iter::from_fn(|| ear.next_told())
            .map(|heard| match heard {
                Heard::Complete(u) => format!("+{}", u.words().as_str()),
                Heard::Noise(_) => "~".to_owned(),
                Heard::Left(u) => format!("-{}", u.words().as_str()),
                Heard::LateFinal(text) => format!(">{}", text.as_str()),
            })
            .collect()
    }

    fn voice(ear: &mut Ear, from_ms: u64, to_ms: u64) {
        ear.voice_started(from_ms, from_ms + 50);
        ear.voice_ended(to_ms);
    }

    #[test]
    fn an_empty_final_means_the_last_partial() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        assert!(ear.partial(&said("да приеду"), 500));
        ear.voice_ended(900);
        ear.end(1600);
        ear.final_text(&said(""), 1700);
        assert_eq!(told(&mut ear), ["+да приеду"]);
    }

    #[test]
    fn a_final_that_never_comes_is_the_partial_and_counts_once_when_it_does() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        ear.partial(&said("да"), 400);
        ear.voice_ended(600);
        ear.settle(700);
        assert!(told(&mut ear).is_empty(), "still open");
        ear.end(1300);
        ear.settle(1800);
        assert_eq!(told(&mut ear), ["+да"]);
        ear.final_text(&said("да"), 2500);
        assert!(told(&mut ear).is_empty() && ear.pending().is_none());
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
        ear.final_text(&said("да завтра"), 3400);
        assert_eq!(told(&mut ear), ["+да", "+завтра"]);
    }

    #[test]
    fn a_final_that_was_lost_does_not_swallow_the_next_one() {
        let mut ear = Ear::default();
        voice(&mut ear, 100, 500);
        ear.partial(&said("да"), 600);
        ear.end(1200);
        ear.settle(1700);
        voice(&mut ear, 2000, 2400);
        assert!(ear.partial(&said("нет"), 2500));
        ear.end(3100);
        ear.final_text(&said("нет"), 3300);
        assert_eq!(told(&mut ear), ["+да", "+нет"]);
        // And one that is owed for too long is not waited for.
        voice(&mut ear, 5000, 5400);
        ear.partial(&said("раз"), 5500);
        ear.end(6100);
        ear.settle(6600);
        ear.expire(500, 3000, 9700);
        ear.partial(&said("два"), 9700);
        assert_eq!(ear.pending().unwrap().partial, said("два"));
    }

    #[test]
    fn a_cough_does_not_take_the_words_after_it() {
        let mut ear = Ear::default();
        voice(&mut ear, 100, 300);
        ear.end(1000);
        voice(&mut ear, 2000, 2300);
        ear.expire(500, 3000, 2400);
        ear.partial(&said("да"), 2400);
        assert_eq!(told(&mut ear), ["~"]);
        assert_eq!(ear.pending().unwrap().onset_ms, 2000);
    }

    #[test]
    fn the_rest_of_a_taken_utterance_is_no_utterance_of_its_own() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        ear.partial(&said("да"), 400);
        ear.close_front_by_partial(700);
        assert!(!ear.partial(&said("да завтра"), 900));
        ear.voice_ended(1200);
        ear.voice_started(1400, 1450);
        ear.voice_ended(1600);
        assert_eq!(ear.tail().unwrap().voice_end_ms, Some(1600));
        assert!(ear.end(2300), "its end is told to the recognizer");
        ear.final_text(&said("да завтра"), 2400);
        assert_eq!(told(&mut ear), ["+да", ">да завтра"]);
        assert!(ear.pending().is_none() && ear.tail().is_none());
    }

    #[test]
    fn two_answers_in_one_breath_are_parts_of_one_utterance() {
        let mut ear = Ear::default();
        voice(&mut ear, 100, 500);
        ear.partial(&said("да"), 600);
        ear.voice_started(900, 950);
        ear.final_text(&said("да"), 1000);
        assert!(told(&mut ear).is_empty(), "they go on");
        assert!(!ear.partial(&said("ой нет"), 1200), "not its first words");
        ear.voice_ended(1400);
        ear.end(2100);
        ear.final_text(&said("ой нет"), 2200);
        let Some(Heard::Complete(u)) = ear.next_told() else {
            panic!("not complete")
        };
        assert_eq!((u.onset_ms, u.words().as_str()), (100, "да ой нет"));
        assert_eq!(u.parts, [said("да"), said("ой нет")]);
    }

    #[test]
    fn a_final_in_a_steady_voice_ends_the_utterance() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        ear.final_text(&said("да"), 900);
        assert_eq!(told(&mut ear), ["+да"], "a noisy line never falls silent");
        ear.partial(&said("приеду"), 1500);
        assert_eq!(ear.pending().unwrap().onset_ms, 1200);
    }

    #[test]
    fn a_recognizer_that_takes_over_is_asked_for_what_has_ended() {
        let mut ear = Ear::default();
        assert!(!ear.taken_over(50), "nothing was said");
        voice(&mut ear, 100, 500);
        assert!(!ear.taken_over(600), "it goes on");
        ear.end(1200);
        assert!(ear.taken_over(1500));
        let front = ear.pending().unwrap();
        assert_eq!((front.ended_ms, front.awaited_ms), (Some(1200), Some(1500)));
    }

    #[test]
    fn more_utterances_than_may_wait_are_told_not_dropped() {
        let mut ear = Ear::default();
        for n in 0..MAX_PENDING as u64 + 1 {
            voice(&mut ear, n * 1000, n * 1000 + 100);
            ear.end(n * 1000 + 800);
        }
        assert_eq!(told(&mut ear), ["~"]);
        let mut ear = Ear::default();
        for n in 0..MAX_WAITING as u64 + 1 {
            ear.final_text(&said(&n.to_string()), n);
        }
        assert_eq!(told(&mut ear).last().unwrap(), "-0");
    }

    #[test]
    fn a_voice_without_words_is_noise() {
        let mut ear = Ear::default();
        ear.voice_started(100, 150);
        ear.final_text(&said(""), 300);
        assert!(told(&mut ear).is_empty(), "they still speak");
        ear.voice_ended(400);
        ear.end(1100);
        ear.final_text(&said(""), 1200);
        assert_eq!(told(&mut ear), ["~"]);
    }

    #[test]
    fn a_short_silence_does_not_cut_an_utterance() {
        let mut ear = Ear::default();
        voice(&mut ear, 100, 400);
        ear.voice_started(700, 750);
        assert_eq!(ear.open().unwrap().onset_ms, 100);
        assert_eq!(ear.open().unwrap().voice_end_ms, None);
    }

    #[test]
    fn a_window_takes_by_onset_with_carry() {
        let mut ear = Ear::default();
        for (start, text) in [(1000, "раз"), (3000, "два")] {
            voice(&mut ear, start, start + 300);
            ear.end(start + 1000);
            ear.final_text(&said(text), start + 1100);
        }
        let first = |ear: &Ear, open_ms: u64, floor_ms: u64| {
            let reach = Reach {
                open_ms,
                from_ms: open_ms - 1500,
                floor_ms,
            };
            ear.within(reach).next().map(|u| u.onset_ms)
        };
        assert_eq!(first(&ear, 4000, 0), Some(3000));
        assert_eq!(first(&ear, 2500, 0), Some(1000));
        assert_eq!(
            first(&ear, 2500, 2000),
            Some(3000),
            "keys took what was before"
        );
        assert_eq!(first(&ear, 9000, 0), None);
        ear.voice_started(5000, 5000);
        assert_eq!(first(&ear, 9000, 0), Some(5000), "still speaking");
        ear.voice_ended(9100);
        ear.end(9800);
        assert_eq!(
            first(&ear, 9000, 0),
            Some(5000),
            "they spoke when it opened"
        );
    }

    #[test]
    fn text_without_voice_activity_makes_utterances_too() {
        let mut ear = Ear::default();
        assert!(ear.partial(&said("нет"), 1000));
        assert_eq!(ear.open().unwrap().onset_ms, 700);
        ear.final_text(&said("нет"), 1500);
        ear.final_text(&said("потом"), 2500);
        assert_eq!(told(&mut ear), ["+нет", "+потом"]);
    }
}
