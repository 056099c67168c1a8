//! How far a SpeechKit stream has come: what is to be sent next, what has to be heard again in the next session, and
//! which events the replies make. Pure: no socket; time is an argument, ms from the stream's start.
//!
//! An utterance's text is its finals (`parts`) and the partial after them. It is told once, by the first of:
//! the vendor's end of utterance; a final after an end that was confirmed before it; [`QUIET_MS`] without news after a
//! final whose utterance we ended; `final_timeout` after an end that a living server leaves unanswered.
//! Positions are samples from the stream's start.

use std::collections::VecDeque;

use crate::asr::AsrEvent;
use crate::asr::tape::{TapeReader, from_ms, to_ms};
use crate::ident::Spoken;
use crate::wire::yandex::{HeardText, SttEvent, SttReply};

/// Samples of one message: 100 ms.
pub(super) const MESSAGE_SAMPLES: u64 = 800;
/// A final without the vendor's end of utterance stands when nothing new came for so long after our own end.
pub(super) const QUIET_MS: u64 = 500;
/// How far the vendor's times may be off, ms.
const TIME_SLACK_MS: u64 = 200;
/// Most ends that may wait for their answer.
const MAX_ENDS: usize = 64;
/// Most finals of one utterance; more are joined to the last.
const MAX_PARTS: usize = 100;

/// What has to be known of the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// We end utterances, by the message `eou`.
    pub external: bool,
    /// Longest session, ms of audio.
    pub session_ms: u64,
    /// Longest session, bytes of audio.
    pub session_bytes: u64,
    /// How long an end may stay unanswered by a server that lives, ms.
    pub final_timeout_ms: u64,
}

/// What goes out next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// Samples at 8 kHz.
    Audio(Vec<i16>),
    /// The utterance has ended.
    Eou,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: u64,
    /// When all audio before it was sent.
    asked_ms: u64,
    /// The vendor said the end, but owes the text.
    confirmed: bool,
}

#[derive(Clone, Debug)]
struct Part {
    text: String,
    start: Option<u64>,
    end: Option<u64>,
    /// Audio before this is in it at most.
    until: u64,
}

/// An utterance that was told by its partial: its final may still come.
#[derive(Clone, Debug)]
struct Settled {
    until: u64,
    text: String,
}

/// The state of one stream, over all its sessions.
#[derive(Debug)]
pub(super) struct Progress {
    limits: Limits,
    pub(super) audio: TapeReader,
    /// How much of this session's audio had been sent before.
    again: u64,
    /// Audio before this was told.
    told_until: u64,
    ends: VecDeque<End>,
    parts: Vec<Part>,
    partial: HeardText,
    /// The last text told as a partial.
    shown: String,
    /// When the last text came.
    news_ms: u64,
    /// When the server last gave a sign of life.
    heard_ms: Option<u64>,
    index: Option<i64>,
    told_index: Option<i64>,
    settled: Option<Settled>,
    closed: bool,
    finished: bool,
}

impl Progress {
    pub(super) fn new(audio: TapeReader, limits: Limits) -> Self {
        Self {
            limits,
            told_until: audio.start(),
            audio,
            again: 0,
            ends: VecDeque::new(),
            parts: Vec::new(),
            partial: HeardText::default(),
            shown: String::new(),
            news_ms: 0,
            heard_ms: None,
            index: None,
            told_index: None,
            settled: None,
            closed: false,
            finished: false,
        }
    }

    /// An utterance ended at `at`, and all before it was sent. Whether that is asked for.
    fn asks(&mut self, at: u64, now_ms: u64) -> bool {
        // Where the vendor decides, our end only helps with a text that is there and that he forgot to end.
        let of_use = self.limits.external || self.has_text();
        let asks = of_use && self.ends.len() < MAX_ENDS;
        if asks {
            self.ends.push_back(End {
                at,
                asked_ms: now_ms,
                confirmed: false,
            });
        }
        asks
    }

    /// No more audio comes.
    pub(super) fn is_closed(&self) -> bool {
        self.audio.is_closed()
    }

    /// All is sent: the session's sending half may be closed.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// A new session begins: all that is kept goes out again. Tells how much of it was sent before, ms.
    pub(super) fn begin_session(&mut self) -> u64 {
        self.again = self.audio.rewind();
        // Their audio goes out again, and they with it.
        self.ends.clear();
        // What will be heard again is forgotten; of a very long utterance the beginning can't be, and stays.
        self.parts.retain(|part| part.until <= self.audio.start());
        self.partial = HeardText::default();
        self.heard_ms = None;
        self.index = None;
        self.told_index = None;
        self.closed = false;
        self.finished = false;
        to_ms(self.again)
    }

    /// This session is as long as it may be: the next one has to be opened. Before the very end only between utterances.
    pub(super) fn wants_new_session(&self) -> bool {
        // In thousandths of the limit that is nearer.
        let share = |ms: u64, samples: u64| {
            let time = ms * 1_000 / self.limits.session_ms.max(1);
            time.max(samples * 2_000 / self.limits.session_bytes.max(1))
        };
        let used = share(self.audio.session_ms(), self.audio.session_samples());
        let idle = !self.has_text() && self.ends.is_empty();
        let late = used >= 1_000 || self.audio.is_broken_up();
        // Never for nothing but what was sent again: that would go round for ever.
        let fresh = used > share(to_ms(self.again), self.again) + 250;
        fresh && !self.is_closed() && (late || used >= 750 && idle)
    }

    /// What to send now, if anything is due.
    pub(super) fn next(&mut self, now_ms: u64) -> Option<Outgoing> {
        if self.finished {
            return None;
        }
        let closed = self.audio.is_closed();
        loop {
            let ready = self.audio.ready();
            match self.audio.end_of_utterance() {
                Some(at) => {
                    if self.asks(at, now_ms) && self.limits.external {
                        return Some(Outgoing::Eou);
                    }
                }
                None if ready.samples >= MESSAGE_SAMPLES || (ready.samples > 0 && ready.whole) => {
                    return Some(Outgoing::Audio(
                        self.audio.take(ready.samples.min(MESSAGE_SAMPLES)),
                    ));
                }
                None => break,
            }
        }
        if closed && !self.closed {
            self.closed = true;
            let end = self.audio.cursor();
            let asked = self.ends.back().is_some_and(|last| last.at == end);
            if end > self.told_until && !asked && self.asks(end, now_ms) && self.limits.external {
                return Some(Outgoing::Eou);
            }
        }
        if !self.has_text() && self.ends.is_empty() {
            // What a gate left out brings no reply that would say so.
            self.audio.forget_skipped();
        }
        self.finished = closed;
        None
    }

    /// Takes one reply; the events that it makes, if it says anything new.
    pub(super) fn heard(&mut self, reply: SttReply, now_ms: u64) -> [Option<AsrEvent>; 2] {
        self.heard_ms = Some(now_ms);
        let before = match &reply.event {
            SttEvent::Partial(text) | SttEvent::Final(text) => self.end_before(text),
            _ => None,
        };
        self.index = reply.final_index.or(self.index);
        let event = match reply.event {
            SttEvent::Partial(text) => self.heard_partial(text, reply.received_ms, now_ms),
            SttEvent::Final(text) => self.heard_final(text, now_ms),
            SttEvent::Refined(text) => self.heard_refined(text),
            SttEvent::EndOfUtterance { time_ms } => self.heard_end(time_ms),
            SttEvent::Other => {
                self.forget_silence(reply.received_ms);
                None
            }
        };
        [before, event]
    }

    /// The utterance that we ended, where `text` belongs to the next one already and nothing else ended it.
    fn end_before(&mut self, text: &HeardText) -> Option<AsrEvent> {
        if !self.has_text() || text.text.is_empty() {
            return None;
        }
        let start = self.position(text.start_ms)?;
        let until = self.ends.front()?.at;
        (start + slack() >= until).then(|| self.tell_settled(until))?
    }

    /// What has waited long enough for an answer.
    pub(super) fn settle(&mut self, now_ms: u64) -> Option<AsrEvent> {
        if self.due_ms()? > now_ms {
            return None;
        }
        let until = self
            .ends
            .front()
            .map(|end| end.at)
            .max(self.parts.last().map(|part| part.until))?;
        self.tell_settled(until)
    }

    /// Tells what there is; a final that comes later for its partial is known.
    fn tell_settled(&mut self, until: u64) -> Option<AsrEvent> {
        let text = self.partial.text.clone();
        let told = self.tell(until);
        if !text.is_empty() {
            self.settled = Some(Settled { until, text });
        }
        told
    }

    /// When [`Progress::settle`] has something to do.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let patience = self.limits.final_timeout_ms;
        let only_parts = !self.parts.is_empty() && self.partial.text.is_empty();
        let Some(asked) = self.ends.front().map(|end| end.asked_ms) else {
            // The vendor is to end utterances, and forgot this one.
            return (only_parts && !self.limits.external).then_some(self.news_ms + patience);
        };
        if only_parts && self.news_ms >= asked {
            return Some(self.news_ms + QUIET_MS);
        }
        // A dead server settles nothing: the audio goes to the next session instead.
        (self.heard_ms? > asked).then_some(asked + patience)
    }

    /// Since when the server owes a sign of life: an end was sent and nothing at all has come since.
    pub(super) fn owed_since_ms(&self) -> Option<u64> {
        let asked = self.ends.front()?.asked_ms;
        let dead = self.heard_ms.is_none_or(|heard| heard <= asked);
        dead.then_some(asked)
    }

    /// No more comes: what there is, is the final.
    pub(super) fn give_up(&mut self) -> Option<AsrEvent> {
        // Of a session that was lost only the last partial told is left.
        let shown = std::mem::take(&mut self.shown);
        if shown.len() > self.text().len() {
            self.parts.clear();
            self.partial.text = shown;
        }
        self.closed = true;
        self.tell(self.audio.end())
    }

    /// An utterance has words already.
    pub(super) fn has_text(&self) -> bool {
        !self.parts.is_empty() || !self.partial.text.is_empty()
    }

    fn heard_partial(
        &mut self,
        text: HeardText,
        received_ms: Option<u64>,
        now_ms: u64,
    ) -> Option<AsrEvent> {
        if text.text.is_empty() {
            self.forget_silence(received_ms);
            return None;
        }
        let old = self.settled.as_ref().map_or(0, |settled| settled.until);
        if self.position(text.end_ms).is_some_and(|end| end <= old) {
            return None;
        }
        if text.text != self.partial.text {
            self.news_ms = now_ms;
        }
        self.partial = text;
        self.show()
    }

    fn heard_final(&mut self, mut last: HeardText, now_ms: u64) -> Option<AsrEvent> {
        let partial = std::mem::take(&mut self.partial);
        if last.text.is_empty() {
            last = partial;
        }
        let (start, end) = (self.position(last.start_ms), self.position(last.end_ms));
        if let Some(settled) = self
            .settled
            .take_if(|s| end.is_some_and(|end| end <= s.until))
        {
            // The final of an utterance that its partial told already: only what is new in it counts.
            last.text = without_prefix(&last.text, &settled.text)
                .unwrap_or(&last.text)
                .to_owned();
        }
        if last.text.is_empty() {
            return None;
        }
        self.news_ms = now_ms;
        let part = Part {
            text: last.text,
            start: start.filter(|_| last.end_ms > 0),
            end,
            until: end.unwrap_or(self.audio.cursor()),
        };
        let full = self.parts.len() >= MAX_PARTS;
        match self.parts.last_mut().filter(|_| full) {
            Some(joined) => {
                joined.text = format!("{} {}", joined.text, part.text);
                joined.end = part.end;
                joined.until = part.until;
            }
            None => self.parts.push(part),
        }
        match self.ends.front() {
            Some(end) if end.confirmed => self.tell(end.at),
            _ => self.show(),
        }
    }

    /// The last final with figures: it comes right after it, or is of no use any more.
    fn heard_refined(&mut self, refined: HeardText) -> Option<AsrEvent> {
        let last = self.parts.last_mut()?;
        if refined.text.is_empty() {
            return None;
        }
        last.text = refined.text;
        self.show()
    }

    fn heard_end(&mut self, time_ms: u64) -> Option<AsrEvent> {
        let at = self.position(time_ms);
        let repeated = match at {
            Some(at) => self.told_until > 0 && at <= self.told_until,
            None => self.parts.is_empty() && self.index.is_some() && self.index == self.told_index,
        };
        if repeated {
            return None;
        }
        if self.parts.is_empty() {
            let nothing = self.partial.text.is_empty();
            let end = self.ends.front_mut()?;
            if nothing {
                let at = end.at;
                return self.tell(at);
            }
            end.confirmed = true;
            return None;
        }
        let heard_until = self.parts.last().map_or(0, |part| part.until);
        let said = at.unwrap_or(heard_until).max(heard_until);
        let all = self.ends.iter().map(|end| end.at);
        let mine = all.clone().take_while(|at| *at <= said + slack()).last();
        let until = mine.or(all.clone().next());
        self.tell(until.unwrap_or(said.min(self.audio.cursor())))
    }

    /// The text so far, if it is another than the last one told.
    fn show(&mut self) -> Option<AsrEvent> {
        let text = self.text();
        if text == self.shown {
            return None;
        }
        self.shown.clone_from(&text);
        Some(AsrEvent::Partial {
            text: Spoken::new(text),
        })
    }

    fn text(&self) -> String {
        let partial = Some(self.partial.text.as_str()).filter(|text| !text.is_empty());
        let parts = self.parts.iter().map(|part| part.text.as_str());
        parts.chain(partial).collect::<Vec<_>>().join(" ")
    }

    /// Tells the utterance as final; what lies before `until` isn't needed any more.
    fn tell(&mut self, until: u64) -> Option<AsrEvent> {
        let text = self.text();
        let start = self.parts.first().and_then(|part| part.start);
        let end = self.parts.last().and_then(|part| part.end);
        let times = start.zip(end).filter(|(start, end)| start <= end);
        self.parts.clear();
        self.partial = HeardText::default();
        self.shown.clear();
        self.told_index = self.index;
        self.told_until = self.told_until.max(until);
        self.ends.retain(|end| end.at > until);
        self.audio.forget(until);
        // At the call's end we ask for what there may be; that there is none is no news.
        let worth_telling = !text.is_empty() || (self.limits.external && !self.closed);
        worth_telling.then(|| AsrEvent::Final {
            text: Spoken::new(text),
            start_ms: times.map(|(start, _)| to_ms(start)),
            end_ms: times.map(|(_, end)| to_ms(end)),
        })
    }

    /// Where a ms of the session lies in the stream; `None` where it can't be true, or isn't told (0).
    fn position(&self, ms: u64) -> Option<u64> {
        let sound = ms > 0 && ms <= self.audio.session_ms() + TIME_SLACK_MS;
        sound.then(|| self.audio.position(ms).min(self.audio.cursor()))
    }

    /// The server heard no word in what it got: only a possible onset is kept.
    fn forget_silence(&mut self, received_ms: Option<u64>) {
        if self.has_text() || !self.ends.is_empty() {
            return;
        }
        let heard = received_ms.map_or(Some(self.audio.cursor()), |ms| self.position(ms));
        if let Some(heard) = heard {
            self.audio.forget_silence(heard);
        }
    }
}

/// [`TIME_SLACK_MS`] in samples.
fn slack() -> u64 {
    from_ms(TIME_SLACK_MS)
}

/// What follows the words of `prefix` in `text`; `None` where `text` doesn't begin with them.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim_start())
}

#[cfg(test)]
mod tests;
