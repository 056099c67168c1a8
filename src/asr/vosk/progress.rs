//! How far a Vosk stream has come: what is to be sent next, what each reply answers, what has to be heard again after a
//! reconnect, and which events the replies make. Pure: no socket, no clock.

use std::collections::VecDeque;

use crate::asr::AsrEvent;
use crate::audio::Frame;
use crate::audio::frame::SAMPLE_RATE;
use crate::ident::Spoken;
use crate::wire::vosk::{FinalText, Reply};

/// Samples of one audio message: 100 ms.
pub(super) const MESSAGE_SAMPLES: usize = 800;
/// Messages that may wait for their reply. The server answers each; 3 s without an answer and the audio waits here.
pub(super) const MAX_UNANSWERED: usize = 30;
/// Audio that waits unsent: 10 s. Past that the feed fills.
const MAX_UNSENT: u64 = 10 * SAMPLE_RATE as u64;
/// Audio kept for a reconnect: 30 s of one utterance, the oldest goes first.
const MAX_KEPT: usize = 30 * SAMPLE_RATE as usize;
/// Audio kept while the server hears no word: an onset that it had no time to notice.
const KEPT_IN_SILENCE: u64 = 3 * SAMPLE_RATE as u64;
/// How far a word may seem to end after the audio that was sent, for models that look ahead, ms.
const TIME_SLACK_MS: u64 = 1_000;
/// Most events of silence: `EndOfUtterance` marks that may wait.
const MAX_ENDS: usize = 64;

/// What goes out next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// Samples at 8 kHz.
    Audio(Vec<i16>),
    /// End the utterance.
    Reset,
    /// End the stream.
    Eof,
}

/// What was sent and waits for its reply. Positions are samples from the stream's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Audio { until: u64 },
    Reset { at: u64 },
    Eof,
}

/// The state of one stream, over all its connections.
#[derive(Debug, Default)]
pub(super) struct Progress {
    kept: VecDeque<i16>,
    /// Position of the first kept sample.
    start: u64,
    /// Position of the next sample to send.
    cursor: u64,
    /// Where this connection's audio began: the server counts its times from here.
    base: u64,
    /// Where the last final's audio ended.
    boundary: u64,
    ends: VecDeque<u64>,
    ends_sent: usize,
    unanswered: VecDeque<Sent>,
    closed: bool,
    eof_sent: bool,
    eof_answered: bool,
    partial: String,
    /// A final with words came since the last answered reset: that reset's own empty final says nothing new.
    told: bool,
}

impl Progress {
    /// Takes the next 20 ms.
    pub(super) fn push(&mut self, frame: &Frame) {
        self.kept.extend(frame.0);
        let over = self.kept.len().saturating_sub(MAX_KEPT);
        if over > 0 {
            self.forget(self.start + over as u64);
        }
    }

    /// The utterance has ended here, says our own voice activity.
    pub(super) fn push_end(&mut self) {
        let here = self.end();
        if self.ends.back() != Some(&here) && self.ends.len() < MAX_ENDS {
            self.ends.push_back(here);
        }
    }

    /// No more audio comes.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The last final was told: nothing is to be waited for.
    pub(super) fn is_done(&self) -> bool {
        self.eof_answered
    }

    /// There is room for more audio.
    pub(super) fn wants_audio(&self) -> bool {
        !self.closed && self.end() - self.cursor < MAX_UNSENT
    }

    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// A new connection begins: all that is kept goes out again. Tells how much of it was sent before, ms.
    pub(super) fn begin_connection(&mut self) -> u64 {
        let again = self.cursor - self.start;
        self.cursor = self.start;
        self.base = self.start;
        self.ends_sent = 0;
        self.unanswered.clear();
        self.eof_sent = false;
        to_ms(again)
    }

    /// What to send now, if anything is due and the server isn't too far behind.
    pub(super) fn next(&mut self) -> Option<Outgoing> {
        if self.unanswered.len() >= MAX_UNANSWERED || self.eof_sent {
            return None;
        }
        let mark = self.ends.get(self.ends_sent).copied();
        if let Some(at) = mark.filter(|at| *at <= self.cursor) {
            self.ends_sent += 1;
            self.unanswered.push_back(Sent::Reset { at });
            return Some(Outgoing::Reset);
        }
        let until = mark.unwrap_or(self.end());
        let ready = usize::try_from(until - self.cursor).unwrap_or(usize::MAX);
        if ready >= MESSAGE_SAMPLES || (ready > 0 && (mark.is_some() || self.closed)) {
            let from = usize::try_from(self.cursor - self.start).unwrap_or(usize::MAX);
            let samples: Vec<i16> = self
                .kept
                .iter()
                .skip(from)
                .take(ready.min(MESSAGE_SAMPLES))
                .copied()
                .collect();
            self.cursor += samples.len() as u64;
            self.unanswered
                .push_back(Sent::Audio { until: self.cursor });
            return Some(Outgoing::Audio(samples));
        }
        if self.closed {
            self.eof_sent = true;
            self.unanswered.push_back(Sent::Eof);
            return Some(Outgoing::Eof);
        }
        None
    }

    /// Takes one reply; the event that it makes, if it says anything new.
    pub(super) fn heard(&mut self, reply: Reply) -> Option<AsrEvent> {
        let sent = self.unanswered.pop_front();
        let until = match sent {
            Some(Sent::Audio { until }) => until,
            Some(Sent::Reset { at }) => {
                self.ends.pop_front();
                self.ends_sent = self.ends_sent.saturating_sub(1);
                at
            }
            Some(Sent::Eof) => {
                self.eof_answered = true;
                self.cursor
            }
            // A reply too many: it can only be about what was sent so far.
            None => self.cursor,
        };
        match reply {
            Reply::Partial(text) => self.heard_partial(text, until),
            Reply::Final(last) => {
                let is_reset = matches!(sent, Some(Sent::Reset { .. }));
                self.heard_final(last, until, is_reset)
            }
        }
    }

    /// The connection is lost for good: the last partial is the final, if there was one.
    pub(super) fn give_up(&mut self) -> Option<AsrEvent> {
        let text = std::mem::take(&mut self.partial);
        (!text.is_empty()).then(|| AsrEvent::Final {
            text: Spoken::new(text),
            start_ms: None,
            end_ms: None,
        })
    }

    fn heard_partial(&mut self, text: String, until: u64) -> Option<AsrEvent> {
        if text.is_empty() {
            if self.partial.is_empty() {
                self.forget(until.saturating_sub(KEPT_IN_SILENCE).min(self.unasked()));
            }
            return None;
        }
        if text == self.partial {
            return None;
        }
        self.partial.clone_from(&text);
        Some(AsrEvent::Partial {
            text: Spoken::new(text),
        })
    }

    fn heard_final(&mut self, last: FinalText, until: u64, is_reset: bool) -> Option<AsrEvent> {
        let partial = std::mem::take(&mut self.partial);
        let (start_ms, end_ms) = self.times(&last, until).unzip();
        let text = if last.text.is_empty() {
            partial
        } else {
            last.text
        };
        self.forget(until);
        self.boundary = self.boundary.max(until);
        let worth_telling = !text.is_empty() || (is_reset && !self.told);
        self.told = if is_reset {
            false
        } else {
            self.told || !text.is_empty()
        };
        worth_telling.then(|| AsrEvent::Final {
            text: Spoken::new(text),
            start_ms,
            end_ms,
        })
    }

    /// Where the words stand, ms from the stream's start; `None` where the server's times can't be true.
    fn times(&self, last: &FinalText, until: u64) -> Option<(u64, u64)> {
        let (first, final_word) = (last.words.first()?, last.words.last()?);
        let base = to_ms(self.base);
        let start = base + (first.start * 1000.0).round() as u64;
        let end = base + (final_word.end * 1000.0).round() as u64;
        let boundary = to_ms(self.boundary);
        let sound = end > boundary && start <= end && end <= to_ms(until) + TIME_SLACK_MS;
        sound.then(|| (start.max(boundary), end))
    }

    fn end(&self) -> u64 {
        self.start + self.kept.len() as u64
    }

    /// The first mark that waits for its answer: what lies before it is still needed for its reset.
    fn unasked(&self) -> u64 {
        self.ends.front().copied().unwrap_or(u64::MAX)
    }

    fn forget(&mut self, before: u64) {
        let n = before.min(self.end()).saturating_sub(self.start);
        self.kept.drain(
            ..usize::try_from(n)
                .unwrap_or(usize::MAX)
                .min(self.kept.len()),
        );
        self.start += n;
        self.cursor = self.cursor.max(self.start);
    }
}

fn to_ms(samples: u64) -> u64 {
    samples * 1000 / u64::from(SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::vosk::TimedWord;

    fn push(progress: &mut Progress, ms: u64) {
        for _ in 0..ms / 20 {
            progress.push(&Frame([7; 160]));
        }
    }

    fn sent(progress: &mut Progress) -> Vec<String> {
        std::iter::from_fn(|| progress.next())
            .map(|out| match out {
                Outgoing::Audio(samples) => format!("{} ms", samples.len() / 8),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn last(text: &str, start: f64, end: f64) -> Reply {
        Reply::Final(FinalText {
            text: text.into(),
            words: vec![TimedWord {
                word: text.into(),
                start,
                end,
            }],
            confidence: None,
        })
    }

    fn empty() -> Reply {
        Reply::Final(FinalText::default())
    }

    fn told(event: Option<AsrEvent>) -> String {
        match event {
            None => "-".into(),
            Some(AsrEvent::Partial { text }) => format!("~{}", text.as_str()),
            Some(AsrEvent::Final {
                text,
                start_ms,
                end_ms,
            }) => format!("{} {start_ms:?} {end_ms:?}", text.as_str()),
            Some(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn audio_goes_in_100_ms_and_an_end_flushes_the_rest() {
        let mut p = Progress::default();
        push(&mut p, 240);
        assert_eq!(sent(&mut p), ["100 ms", "100 ms"]);
        p.push_end();
        p.push_end();
        push(&mut p, 100);
        assert_eq!(sent(&mut p), ["40 ms", "Reset", "100 ms"]);
        push(&mut p, 20);
        p.close();
        assert_eq!(sent(&mut p), ["20 ms", "Eof"]);
    }

    #[test]
    fn a_slow_server_makes_the_audio_wait_and_loses_none() {
        let mut p = Progress::default();
        push(&mut p, 5_000);
        assert_eq!(sent(&mut p).len(), MAX_UNANSWERED);
        p.heard(Reply::Partial("да".into()));
        assert_eq!(sent(&mut p), ["100 ms"]);
        while p.wants_audio() {
            push(&mut p, 20);
        }
        assert_eq!(to_ms(p.end()), 3_100 + 10_000);
        let mut total = 0;
        while p.unanswered() > 0 {
            p.heard(Reply::Partial("да".into()));
            total += sent(&mut p).len();
        }
        assert_eq!(total, 100);
    }

    #[test]
    fn finals_and_resets() {
        let mut p = Progress::default();
        push(&mut p, 400);
        p.push_end();
        sent(&mut p);
        assert_eq!(told(p.heard(Reply::Partial(String::new()))), "-");
        assert_eq!(told(p.heard(Reply::Partial("да".into()))), "~да");
        assert_eq!(told(p.heard(Reply::Partial("да".into()))), "-");
        // The server's own endpointer was quicker than our reset, whose answer then says nothing.
        assert_eq!(
            told(p.heard(last("да", 0.1, 0.3))),
            "да Some(100) Some(300)"
        );
        assert_eq!(told(p.heard(empty())), "-");
        // The next utterance: a cough. Its empty final is told, because it is asked for.
        push(&mut p, 200);
        p.push_end();
        sent(&mut p);
        p.heard(Reply::Partial(String::new()));
        p.heard(Reply::Partial(String::new()));
        assert_eq!(told(p.heard(empty())), " None None");
        // An empty final after partials: the last partial is it.
        push(&mut p, 200);
        sent(&mut p);
        assert_eq!(told(p.heard(Reply::Partial("нет".into()))), "~нет");
        assert_eq!(told(p.heard(empty())), "нет None None");
        // Nobody asked and nothing was said.
        push(&mut p, 100);
        sent(&mut p);
        assert_eq!(told(p.heard(empty())), "-");
    }

    #[test]
    fn a_reconnect_sends_the_utterance_again_and_times_stay_right() {
        let mut p = Progress::default();
        push(&mut p, 1_000);
        sent(&mut p);
        for _ in 0..10 {
            p.heard(last("раз", 0.2, 0.9));
        }
        push(&mut p, 1_000);
        p.push_end();
        sent(&mut p);
        assert_eq!(told(p.heard(Reply::Partial("да".into()))), "~да");
        assert_eq!(p.begin_connection(), 1_000);
        let again = sent(&mut p);
        assert_eq!((again.len(), again.last().unwrap().as_str()), (11, "Reset"));
        assert_eq!(told(p.heard(Reply::Partial("да".into()))), "-");
        for _ in 0..9 {
            assert_eq!(told(p.heard(Reply::Partial("да".into()))), "-");
        }
        assert_eq!(
            told(p.heard(last("да", 0.25, 0.75))),
            "да Some(1250) Some(1750)"
        );
    }

    #[test]
    fn times_that_cannot_be_are_not_told() {
        let mut p = Progress::default();
        push(&mut p, 2_000);
        sent(&mut p);
        for _ in 0..10 {
            p.heard(last("раз", 0.1, 0.5));
        }
        // Before the last final's end (a server that counts from the utterance), and after the audio.
        assert_eq!(told(p.heard(last("да", 0.1, 0.5))), "да None None");
        assert_eq!(told(p.heard(last("да", 1.0, 9.0))), "да None None");
    }

    #[test]
    fn memory_is_bounded_in_speech_and_small_in_silence() {
        let mut p = Progress::default();
        for _ in 0..600 {
            push(&mut p, 100);
            sent(&mut p);
            p.heard(Reply::Partial(String::new()));
        }
        assert_eq!(to_ms(p.kept.len() as u64), 3_000);
        for _ in 0..600 {
            push(&mut p, 100);
            sent(&mut p);
            p.heard(Reply::Partial("э".into()));
        }
        assert_eq!(p.kept.len(), MAX_KEPT);
        assert_eq!(p.begin_connection(), 30_000);
        assert_eq!(told(p.give_up()), "э None None");
    }
}
