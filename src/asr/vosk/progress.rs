//! How far a Vosk stream has come: what is to be sent next, what each reply answers, what has to be heard again after a
//! reconnect, and which events the replies make. Pure: no socket, no clock.

use std::collections::VecDeque;

use crate::asr::AsrEvent;
use crate::asr::tape::{TapeReader, to_ms};
use crate::ident::Spoken;
use crate::wire::vosk::{FinalText, Reply};

/// Samples of one audio message: 100 ms.
pub(super) const MESSAGE_SAMPLES: u64 = 800;
/// Messages that may wait for their reply. The server answers each; 3 s without an answer and the audio waits on the tape.
pub(super) const MAX_UNANSWERED: usize = 30;
/// How far a word may seem to end after the audio that was sent, for models that look ahead, ms.
const TIME_SLACK_MS: u64 = 1_000;

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
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) audio: TapeReader,
    /// The server ends utterances when told.
    resets: bool,
    /// Where the last final's audio ended.
    boundary: u64,
    unanswered: VecDeque<Sent>,
    eof_sent: bool,
    eof_answered: bool,
    partial: String,
    /// A final with words came since the last answered reset: that reset's own empty final says nothing new.
    told: bool,
}

impl Progress {
    pub(super) fn new(audio: TapeReader, resets: bool) -> Self {
        Self {
            boundary: audio.start(),
            audio,
            resets,
            unanswered: VecDeque::new(),
            eof_sent: false,
            eof_answered: false,
            partial: String::new(),
            told: false,
        }
    }

    /// The last final was told: nothing is to be waited for.
    pub(super) fn is_done(&self) -> bool {
        self.eof_answered
    }

    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Audio that comes can be sent at once.
    pub(super) fn wants_audio(&self) -> bool {
        self.unanswered.len() < MAX_UNANSWERED && !self.eof_sent
    }

    /// A new connection begins: all that is kept goes out again. Tells how much of it was sent before, ms.
    pub(super) fn begin_connection(&mut self) -> u64 {
        self.unanswered.clear();
        self.eof_sent = false;
        to_ms(self.audio.rewind())
    }

    /// What to send now, if anything is due and the server isn't too far behind.
    pub(super) fn next(&mut self) -> Option<Outgoing> {
        if !self.wants_audio() {
            return None;
        }
        let closed = self.audio.is_closed();
        loop {
            let ready = self.audio.ready();
            match self.audio.end_of_utterance() {
                Some(at) if self.resets => {
                    self.unanswered.push_back(Sent::Reset { at });
                    return Some(Outgoing::Reset);
                }
                Some(_) => {}
                None if ready.samples >= MESSAGE_SAMPLES || (ready.samples > 0 && ready.whole) => {
                    let samples = self.audio.take(ready.samples.min(MESSAGE_SAMPLES));
                    let until = self.audio.cursor();
                    self.unanswered.push_back(Sent::Audio { until });
                    return Some(Outgoing::Audio(samples));
                }
                None => break,
            }
        }
        if self.partial.is_empty() && self.unanswered.is_empty() {
            // What a gate left out brings no reply that would say so.
            self.audio.forget_skipped();
        }
        closed.then(|| {
            self.eof_sent = true;
            self.unanswered.push_back(Sent::Eof);
            Outgoing::Eof
        })
    }

    /// Takes one reply; the event that it makes, if it says anything new.
    pub(super) fn heard(&mut self, reply: Reply) -> Option<AsrEvent> {
        let sent = self.unanswered.pop_front();
        let until = match sent {
            Some(Sent::Audio { until }) => until,
            Some(Sent::Reset { at }) => at,
            Some(Sent::Eof) => {
                self.eof_answered = true;
                self.audio.cursor()
            }
            // A reply too many: it can only be about what was sent so far.
            None => self.audio.cursor(),
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
                self.audio.forget_silence(until.min(self.unasked()));
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
        self.audio.forget(until);
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
        let place = |seconds: f64| to_ms(self.audio.position((seconds * 1000.0).round() as u64));
        let (start, end) = (place(first.start), place(final_word.end));
        let boundary = to_ms(self.boundary);
        let sound = end > boundary && start <= end && end <= to_ms(until) + TIME_SLACK_MS;
        sound.then(|| (start.max(boundary), end))
    }

    /// The first end that waits for its answer: what lies before it is still needed for its reset.
    fn unasked(&self) -> u64 {
        let resets = self.unanswered.iter().filter_map(|sent| match sent {
            Sent::Reset { at } => Some(*at),
            _ => None,
        });
        resets.min().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::tape::{KEPT_IN_SILENCE, MAX_KEPT, Tape};
    use crate::audio::Frame;
    use crate::wire::vosk::TimedWord;

    fn progress() -> (Tape, Progress) {
        let tape = Tape::new();
        let progress = Progress::new(tape.reader(), true);
        (tape, progress)
    }

    fn push(tape: &Tape, ms: u64) {
        for _ in 0..ms / 20 {
            tape.push(&Frame([7; 160]));
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
        let (tape, mut p) = progress();
        push(&tape, 240);
        assert_eq!(sent(&mut p), ["100 ms", "100 ms"]);
        tape.end_of_utterance();
        tape.end_of_utterance();
        push(&tape, 100);
        assert_eq!(sent(&mut p), ["40 ms", "Reset", "100 ms"]);
        push(&tape, 20);
        drop(tape);
        assert_eq!(sent(&mut p), ["20 ms", "Eof"]);
    }

    #[test]
    fn a_slow_server_makes_the_audio_wait_and_loses_none() {
        let (tape, mut p) = progress();
        push(&tape, 5_000);
        assert_eq!(sent(&mut p).len(), MAX_UNANSWERED);
        p.heard(Reply::Partial("да".into()));
        assert_eq!(sent(&mut p), ["100 ms"]);
        push(&tape, 8_100);
        assert_eq!(to_ms(tape.unread()), 10_000);
        let mut total = 0;
        while p.unanswered() > 0 {
            p.heard(Reply::Partial("да".into()));
            total += sent(&mut p).len();
        }
        assert_eq!(total, 100);
    }

    #[test]
    fn finals_and_resets() {
        let (tape, mut p) = progress();
        push(&tape, 400);
        tape.end_of_utterance();
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
        push(&tape, 200);
        tape.end_of_utterance();
        sent(&mut p);
        p.heard(Reply::Partial(String::new()));
        p.heard(Reply::Partial(String::new()));
        assert_eq!(told(p.heard(empty())), " None None");
        // An empty final after partials: the last partial is it.
        push(&tape, 200);
        sent(&mut p);
        assert_eq!(told(p.heard(Reply::Partial("нет".into()))), "~нет");
        assert_eq!(told(p.heard(empty())), "нет None None");
        // Nobody asked and nothing was said.
        push(&tape, 100);
        sent(&mut p);
        assert_eq!(told(p.heard(empty())), "-");
    }

    #[test]
    fn a_reconnect_sends_the_utterance_again_and_times_stay_right() {
        let (tape, mut p) = progress();
        push(&tape, 1_000);
        sent(&mut p);
        for _ in 0..10 {
            p.heard(last("раз", 0.2, 0.9));
        }
        push(&tape, 1_000);
        tape.end_of_utterance();
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
        let (tape, mut p) = progress();
        push(&tape, 2_000);
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
        let (tape, mut p) = progress();
        for _ in 0..600 {
            push(&tape, 100);
            sent(&mut p);
            p.heard(Reply::Partial(String::new()));
        }
        assert_eq!(tape.kept(), KEPT_IN_SILENCE);
        for _ in 0..600 {
            push(&tape, 100);
            sent(&mut p);
            p.heard(Reply::Partial("э".into()));
        }
        assert_eq!(tape.kept(), MAX_KEPT);
        assert_eq!(p.begin_connection(), 30_000);
        assert_eq!(told(p.give_up()), "э None None");
    }
}
