//! One call's audio, kept once. The call records; the recognizer in use reads at its own pace, and what it is done with is
//! forgotten. A new session of it, or the next recognizer, begins where the kept audio begins: with the utterance whose
//! text was not told yet.
//!
//! ```text
//!      start                    cursor                 end
//!        ├── may be needed again ──┼── waits for its reader ──┤ ◄── push
//!        └ forget() moves it       └ take() moves it
//! ```
//!
//! Positions are samples from the stream's start. Memory: blocks of 200 ms; in silence [`KEPT_IN_SILENCE`] and what is on
//! its way, in speech the utterance, never over [`MAX_KEPT`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::usage::Usage;
use crate::audio::Frame;
use crate::audio::frame::{FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE};

/// Audio kept of one utterance: 30 s, the oldest goes first.
pub const MAX_KEPT: u64 = 30 * SAMPLE_RATE as u64;
/// Audio kept while nobody speaks: 0.6 s, for an onset that nobody had time to notice.
pub const KEPT_IN_SILENCE: u64 = SAMPLE_RATE as u64 * 6 / 10;
/// Audio kept before a voice that goes on, or whose text is still to come: 0.5 s.
const KEPT_BEFORE_VOICE: u64 = SAMPLE_RATE as u64 / 2;
/// A voice that brought no text for so long after its end is given up: 3 s.
const VOICE_WITHOUT_TEXT: u64 = 3 * SAMPLE_RATE as u64;
/// Voices are told late by their onset: a gate skips no audio that is younger than this, 0.3 s.
const VOICE_LAG: u64 = SAMPLE_RATE as u64 * 3 / 10;
/// How often a reader that skips silence looks, 1 s.
const LOOK: u64 = SAMPLE_RATE as u64;
/// Frames in a block.
const BLOCK: usize = 10;
/// Most ends of utterances and stretches of voice that are remembered.
const MAX_MARKS: usize = 64;
/// Most typed lines that wait.
const MAX_TYPED: usize = 32;
/// Most places of a session where audio was left out or silence put in.
const MAX_BREAKS: usize = 256;

/// The recorder's half: one a call. Dropped, it ends the stream.
#[derive(Debug)]
pub struct Tape {
    shared: Arc<Shared>,
}

/// A recognizer's half.
#[derive(Debug)]
pub struct TapeReader {
    shared: Arc<Shared>,
    usage: Vec<Arc<Usage>>,
    gate: Option<Gate>,
    cursor: u64,
    /// Where this session's audio began.
    base: u64,
    /// Where this session's times don't go evenly with the call's.
    breaks: VecDeque<Break>,
    /// The last end of utterance that was read.
    mark: u64,
}

/// Which audio is read: voice with a moment around it, samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Audio before a voice's onset.
    pub before: u64,
    /// Audio after its end.
    pub after: u64,
}

impl Gate {
    /// From milliseconds.
    pub fn from_ms(before_ms: u64, after_ms: u64) -> Self {
        Self {
            before: from_ms(before_ms),
            after: from_ms(after_ms),
        }
    }
}

/// Audio that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// How much.
    pub samples: u64,
    /// It isn't worth waiting for more: an end of utterance, a gap or the stream's end follows.
    pub whole: bool,
}

#[derive(Clone, Copy, Debug)]
struct Break {
    /// Samples of the session that were sent before it.
    sent: u64,
    /// Silence that was put in, ms.
    silence_ms: u64,
    /// Samples that were left out.
    skipped: u64,
}

#[derive(Debug)]
struct Shared {
    reel: Mutex<Reel>,
    news: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    to: Option<u64>,
}

#[derive(Debug, Default)]
struct Reel {
    blocks: VecDeque<Box<[Frame; BLOCK]>>,
    /// The last block that was forgotten, to be used again.
    spare: Option<Box<[Frame; BLOCK]>>,
    start: u64,
    end: u64,
    /// How far a reader came.
    read: u64,
    /// The reader wants to know when the end is here.
    wake_at: u64,
    marks: VecDeque<u64>,
    /// The last end that a reader which took over finds here: who asks for it once more means that one.
    found: Option<u64>,
    voices: VecDeque<Span>,
    typed: VecDeque<String>,
    closed: bool,
    readers: usize,
}

impl Default for Tape {
    fn default() -> Self {
        Self::new()
    }
}

impl Tape {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                reel: Mutex::default(),
                news: Notify::new(),
            }),
        }
    }

    /// A reader from the beginning of what is kept. The one before it reads no more.
    pub fn reader(&self) -> TapeReader {
        let mut reel = self.shared.lock();
        reel.read = reel.start;
        reel.wake_at = 0;
        reel.readers += 1;
        reel.found = reel.marks.back().copied();
        TapeReader {
            shared: Arc::clone(&self.shared),
            usage: Vec::new(),
            gate: None,
            cursor: reel.start,
            base: reel.start,
            breaks: VecDeque::new(),
            mark: reel.start,
        }
    }

    /// Takes the next 20 ms.
    pub fn push(&self, frame: &Frame) {
        let wake = {
            let mut reel = self.shared.lock();
            reel.push(frame);
            reel.end >= reel.wake_at
        };
        if wake {
            self.shared.news.notify_one();
        }
    }

    /// Keeps only the last `samples`: for audio before anybody listens.
    pub fn keep_last(&self, samples: u64) {
        let mut reel = self.shared.lock();
        let before = reel.end.saturating_sub(samples);
        reel.forget(before);
    }

    /// Samples that are kept.
    pub fn kept(&self) -> u64 {
        let reel = self.shared.lock();
        reel.end - reel.start
    }

    /// Samples that wait for their reader.
    pub fn unread(&self) -> u64 {
        let reel = self.shared.lock();
        reel.end - reel.read.clamp(reel.start, reel.end)
    }

    /// Our own voice activity heard a voice begin, at this ms of the audio.
    pub fn voice_started(&self, at_ms: u64) {
        {
            let mut reel = self.shared.lock();
            if reel.voices.len() >= MAX_MARKS {
                reel.voices.pop_front();
            }
            let from = from_ms(at_ms);
            reel.voices.push_back(Span { from, to: None });
        }
        self.shared.news.notify_one();
    }

    /// It heard it end, at this ms of the audio.
    pub fn voice_ended(&self, at_ms: u64) {
        let mut reel = self.shared.lock();
        if let Some(voice) = reel.voices.back_mut() {
            voice.to = Some(from_ms(at_ms).max(voice.from));
        }
    }

    /// The utterance has ended here: give the final now, if the protocol can.
    pub fn end_of_utterance(&self) {
        {
            let mut reel = self.shared.lock();
            let end = reel.end;
            if let Some(found) = reel.found.take()
                && reel.marks.back() == Some(&found)
                && !reel.voices.iter().any(|v| v.to.is_none_or(|to| to > found))
            {
                return;
            }
            if reel.marks.back() != Some(&end) && reel.marks.len() < MAX_MARKS {
                reel.marks.push_back(end);
            }
        }
        self.shared.news.notify_one();
    }

    /// What a person typed instead of saying it (the `typed` recognizer only; others ignore it).
    pub fn typed(&self, line: String) {
        {
            let mut reel = self.shared.lock();
            if reel.typed.len() < MAX_TYPED {
                reel.typed.push_back(line);
            }
        }
        self.shared.news.notify_one();
    }

    /// Somebody reads.
    pub fn has_reader(&self) -> bool {
        self.shared.lock().readers > 0
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.news.notify_one();
    }
}

impl Drop for TapeReader {
    fn drop(&mut self) {
        self.shared.lock().readers -= 1;
    }
}

impl TapeReader {
    /// Reads only voice, with a moment before and after it.
    #[must_use]
    pub fn gated(mut self, gate: Option<Gate>) -> Self {
        self.gate = gate;
        self
    }

    /// Counts there too what is read.
    #[must_use]
    pub fn counted(mut self, usage: Arc<Usage>) -> Self {
        self.usage.push(usage);
        self
    }

    /// A new session: all that is kept is read again. How much of it was read before, samples.
    pub fn rewind(&mut self) -> u64 {
        let reel = self.shared.lock();
        let again = self.cursor.saturating_sub(reel.start);
        self.cursor = reel.start;
        self.mark = reel.start;
        drop(reel);
        self.rebase();
        again
    }

    /// A new session that begins here: its times count from the cursor.
    pub fn rebase(&mut self) {
        self.base = self.cursor;
        self.breaks.clear();
    }

    /// Waits until `samples` more can be read, or anything else is new. May return for nothing.
    pub async fn news(&self, samples: u64) {
        {
            let mut reel = self.shared.lock();
            let quiet = self
                .gate
                .is_some_and(|gate| reel.is_quiet(gate, self.cursor));
            reel.wake_at = self.cursor + if quiet { LOOK } else { samples };
            if reel.end >= reel.wake_at {
                // Past it already: at the next frame, lest an eager reader spins.
                reel.wake_at = reel.end + 1;
            }
        }
        self.shared.news.notified().await;
    }

    /// What can be read now, up to the next end of utterance. Skips what the gate leaves out.
    pub fn ready(&mut self) -> Ready {
        let (cursor, until, whole) = {
            let mut reel = self.shared.lock();
            let from = self.cursor.max(reel.start);
            let (skip_to, until) = match self.gate {
                Some(gate) => reel.pass(gate, from),
                None => (from, reel.end),
            };
            let mark = reel.marks.iter().find(|at| **at > self.mark).copied();
            let until = mark.map_or(until, |at| until.min(at));
            let cursor = mark.map_or(skip_to, |at| skip_to.min(at).max(from));
            reel.read = reel.read.max(cursor);
            let until = until.max(cursor);
            (
                cursor,
                until,
                reel.closed || until < reel.end || mark.is_some(),
            )
        };
        self.skip_to(cursor);
        Ready {
            samples: until - cursor,
            whole,
        }
    }

    fn skip_to(&mut self, cursor: u64) {
        let skipped = cursor - self.cursor;
        if skipped == 0 {
            return;
        }
        if self.session_samples() == 0 {
            // Nothing of this session was read: it begins here.
            self.base += skipped;
        } else {
            self.note_break(0, skipped);
        }
        self.cursor = cursor;
    }

    /// Where the next end of utterance is, read up to or not.
    pub fn next_end(&self) -> Option<u64> {
        let reel = self.shared.lock();
        reel.marks.iter().find(|at| **at > self.mark).copied()
    }

    /// The next end of utterance, where all before it was read.
    pub fn end_of_utterance(&mut self) -> Option<u64> {
        let reel = self.shared.lock();
        let at = reel.marks.iter().find(|at| **at > self.mark).copied()?;
        // Behind silence that the gate leaves out it need not wait until that is certain to be silence.
        let silent = self.gate.is_some_and(|gate| {
            let (from, until) = reel.pass(gate, self.cursor);
            until.min(at) <= from
        });
        (at <= self.cursor || silent).then(|| {
            self.mark = at;
            at
        })
    }

    /// A typed line.
    pub fn typed(&mut self) -> Option<String> {
        self.shared.lock().typed.pop_front()
    }

    /// Reads at most `samples`, whole frames.
    pub fn take(&mut self, samples: u64) -> Vec<i16> {
        let mut all = Vec::with_capacity(usize::try_from(samples).unwrap_or(0));
        self.take_each(samples, |frame| all.extend_from_slice(&frame.0));
        all
    }

    /// The same, as frames.
    pub fn take_frames(&mut self, samples: u64) -> Vec<Frame> {
        let mut all = Vec::new();
        self.take_each(samples, |frame| all.push(*frame));
        all
    }

    fn take_each(&mut self, samples: u64, mut each: impl FnMut(&Frame)) {
        let from = self.cursor;
        let read_ms = {
            let mut reel = self.shared.lock();
            let until = (from + samples).min(reel.end);
            while self.cursor < until && self.cursor >= reel.start {
                let Some(frame) = reel.frame(self.cursor) else {
                    break;
                };
                each(frame);
                self.cursor += FRAME_SAMPLES as u64;
            }
            reel.read = reel.read.max(self.cursor);
            to_ms(self.cursor - from)
        };
        self.count(read_ms);
    }

    /// All is read, and none of it is needed.
    pub fn pass_over(&mut self) {
        let mut reel = self.shared.lock();
        self.cursor = reel.end;
        self.base = reel.end;
        reel.read = reel.end;
        reel.forget(self.cursor);
    }

    /// Silence of so many ms was sent beside the audio.
    pub fn put_silence(&mut self, ms: u64) {
        self.note_break(ms, 0);
        self.count(ms);
    }

    fn count(&self, ms: u64) {
        for usage in &self.usage {
            usage.sent(ms);
        }
    }

    fn note_break(&mut self, silence_ms: u64, skipped: u64) {
        let sent = self.session_samples();
        let full = self.is_broken_up();
        match self.breaks.back_mut() {
            Some(last) if last.sent == sent || full => {
                last.silence_ms += silence_ms;
                last.skipped += skipped;
            }
            _ => self.breaks.push_back(Break {
                sent,
                silence_ms,
                skipped,
            }),
        }
    }

    /// What lies before isn't needed any more.
    pub fn forget(&mut self, before: u64) {
        let mut reel = self.shared.lock();
        reel.forget(before.min(self.cursor));
    }

    /// No word was heard up to here: what may be an onset is kept.
    pub fn forget_silence(&mut self, heard_until: u64) {
        let mut reel = self.shared.lock();
        let heard = heard_until.min(self.cursor);
        let mut keep_from = heard.saturating_sub(KEPT_IN_SILENCE);
        let alive = |voice: &&Span| voice.to.is_none_or(|to| to + VOICE_WITHOUT_TEXT > heard);
        if let Some(voice) = reel.voices.iter().find(alive) {
            keep_from = keep_from.min(voice.from.saturating_sub(KEPT_BEFORE_VOICE));
        }
        reel.forget(keep_from);
    }

    /// As [`Self::forget_silence`], of what the gate left out.
    pub fn forget_skipped(&mut self) {
        if self.gate.is_some() {
            self.forget_silence(self.cursor);
        }
    }

    /// Not all audio is read.
    pub fn is_gated(&self) -> bool {
        self.gate.is_some()
    }

    /// The first sample that is kept.
    pub fn start(&self) -> u64 {
        self.shared.lock().start
    }

    /// The next sample to be read.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Where the recording is.
    pub fn end(&self) -> u64 {
        self.shared.lock().end
    }

    /// No more comes.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Samples of this session.
    pub fn session_samples(&self) -> u64 {
        let skipped: u64 = self.breaks.iter().map(|b| b.skipped).sum();
        self.cursor - self.base - skipped
    }

    /// The session's length as its server counts it, ms.
    pub fn session_ms(&self) -> u64 {
        let silent: u64 = self.breaks.iter().map(|b| b.silence_ms).sum();
        to_ms(self.session_samples()) + silent
    }

    /// This session has no room for more breaks.
    pub fn is_broken_up(&self) -> bool {
        self.breaks.len() >= MAX_BREAKS
    }

    /// Where a ms of the session lies in the stream.
    pub fn position(&self, session_ms: u64) -> u64 {
        let (mut silent, mut skipped) = (0, 0);
        for one in &self.breaks {
            let at = to_ms(one.sent) + silent;
            if at >= session_ms {
                break;
            }
            silent += one.silence_ms.min(session_ms - at);
            skipped += one.skipped;
        }
        self.base + from_ms(session_ms - silent) + skipped
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Reel> {
        // A poisoned lock holds samples, nothing that could be broken.
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reel {
    fn push(&mut self, frame: &Frame) {
        let at = self.index(self.end);
        if at.0 == self.blocks.len() {
            let empty = || Box::new([Frame::SILENCE; BLOCK]);
            self.blocks
                .push_back(self.spare.take().unwrap_or_else(empty));
        }
        if let Some(block) = self.blocks.get_mut(at.0) {
            block[at.1] = *frame;
        }
        self.end += FRAME_SAMPLES as u64;
        if self.end - self.start > MAX_KEPT {
            self.forget(self.end - MAX_KEPT);
        }
    }

    /// Block and frame in it.
    fn index(&self, position: u64) -> (usize, usize) {
        let first = self.start / FRAME_SAMPLES as u64;
        let origin = first - first % BLOCK as u64;
        let n = usize::try_from(position / FRAME_SAMPLES as u64 - origin).unwrap_or(usize::MAX);
        (n / BLOCK, n % BLOCK)
    }

    fn frame(&self, position: u64) -> Option<&Frame> {
        let at = self.index(position);
        self.blocks.get(at.0).map(|block| &block[at.1])
    }

    /// Forgets whole frames.
    fn forget(&mut self, before: u64) {
        let before = before - before % FRAME_SAMPLES as u64;
        if before <= self.start {
            return;
        }
        let before = before.min(self.end);
        let per_block = (BLOCK * FRAME_SAMPLES) as u64;
        let blocks = before / per_block - self.start / per_block;
        for _ in 0..blocks {
            self.spare = self.blocks.pop_front().or(self.spare.take());
        }
        self.start = before;
        self.marks.retain(|at| *at > before);
        self.voices.retain(|v| v.to.is_none_or(|to| to > before));
    }

    /// No voice that `gate` lets through goes on at `from`.
    fn is_quiet(&self, gate: Gate, from: u64) -> bool {
        let last = self.voices.back();
        last.is_none_or(|voice| voice.to.is_some_and(|to| to + gate.after <= from))
    }

    /// From where, and until where, `gate` lets audio through after `from`.
    fn pass(&self, gate: Gate, from: u64) -> (u64, u64) {
        let whole = |at: u64| at - at % FRAME_SAMPLES as u64;
        let after = |voice: &&Span| voice.to.is_none_or(|to| to + gate.after > from);
        match self.voices.iter().find(after) {
            None => {
                let quiet = self.end.saturating_sub(gate.before + VOICE_LAG);
                (from.max(whole(quiet)), 0)
            }
            Some(voice) => {
                let begin = from.max(whole(voice.from.saturating_sub(gate.before)));
                let until = voice.to.map_or(self.end, |to| whole(to + gate.after));
                (begin.min(self.end), until.min(self.end))
            }
        }
    }
}

/// Milliseconds of so many samples.
pub fn to_ms(samples: u64) -> u64 {
    samples * FRAME_MS / FRAME_SAMPLES as u64
}

/// Samples in so many milliseconds.
pub fn from_ms(ms: u64) -> u64 {
    ms * FRAME_SAMPLES as u64 / FRAME_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(tape: &Tape, ms: u64) {
        for n in 0..ms / 20 {
            tape.push(&Frame([n as i16; FRAME_SAMPLES]));
        }
    }

    /// What is read now, as `from-to` ms, and ends as `|`.
    fn read(reader: &mut TapeReader) -> String {
        let mut all = Vec::new();
        loop {
            let ready = reader.ready();
            if reader.end_of_utterance().is_some() {
                all.push("|".to_owned());
            } else if ready.samples > 0 {
                let from = to_ms(reader.cursor());
                assert_eq!(reader.take(ready.samples).len() as u64, ready.samples);
                all.push(format!("{from}-{}", to_ms(reader.cursor())));
            } else {
                return all.join(" ");
            }
        }
    }

    #[test]
    fn audio_is_read_in_order_and_forgotten_by_frames() {
        let tape = Tape::new();
        let mut reader = tape.reader();
        push(&tape, 1_000);
        tape.end_of_utterance();
        tape.end_of_utterance();
        push(&tape, 500);
        assert_eq!(read(&mut reader), "0-1000 | 1000-1500");
        assert_eq!(read(&mut reader), "");
        reader.forget(from_ms(615));
        assert_eq!((to_ms(tape.kept()), to_ms(reader.start())), (900, 600));
        // A new session, and then another recognizer: both hear what is kept, with its end.
        assert_eq!(to_ms(reader.rewind()), 900);
        assert_eq!(reader.take(160), [30; 160]);
        assert_eq!(read(&mut reader), "620-1000 | 1000-1500");
        drop(reader);
        let mut next = tape.reader();
        // The call asks the new one for the text that the old one owed.
        tape.end_of_utterance();
        assert_eq!(read(&mut next), "600-1000 | 1000-1500");
        tape.end_of_utterance();
        assert_eq!(read(&mut next), "|");
        drop(next);
        assert!(!tape.has_reader());
    }

    #[test]
    fn memory_is_bounded_and_small_in_silence() {
        let tape = Tape::new();
        let mut reader = tape.reader();
        push(&tape, 60_000);
        assert_eq!(tape.kept(), MAX_KEPT);
        assert_eq!(read(&mut reader), "30000-60000");
        reader.forget_silence(reader.cursor());
        assert_eq!(tape.kept(), KEPT_IN_SILENCE);
        let blocks = |tape: &Tape| tape.shared.lock().blocks.len();
        assert!(blocks(&tape) <= 6, "{} blocks", blocks(&tape));
        // A voice goes on: all of it is kept, and a moment before it.
        tape.voice_started(60_500);
        push(&tape, 5_000);
        read(&mut reader);
        reader.forget_silence(reader.cursor());
        assert_eq!(to_ms(tape.kept()), 5_000);
        tape.voice_ended(64_000);
        push(&tape, 3_000);
        read(&mut reader);
        reader.forget_silence(reader.cursor());
        assert_eq!(tape.kept(), KEPT_IN_SILENCE, "no word came of it");
    }

    #[test]
    fn a_gate_lets_only_voice_through_and_times_stay_right() {
        let tape = Tape::new();
        let mut reader = tape.reader().gated(Some(Gate::from_ms(500, 800)));
        push(&tape, 5_000);
        assert_eq!(read(&mut reader), "");
        push(&tape, 100);
        tape.voice_started(5_000);
        assert_eq!(read(&mut reader), "4500-5100");
        push(&tape, 900);
        tape.voice_ended(5_800);
        push(&tape, 2_000);
        tape.end_of_utterance();
        assert_eq!(read(&mut reader), "5100-6600 |");
        push(&tape, 4_000);
        assert_eq!(read(&mut reader), "");
        tape.voice_started(12_000);
        push(&tape, 1_000);
        assert_eq!(read(&mut reader), "11500-13000");
        assert_eq!(
            (to_ms(reader.session_samples()), reader.session_ms()),
            (3_600, 3_600)
        );
        for (session_ms, call_ms) in [(0, 4_500), (1_000, 5_500), (2_100, 6_600), (2_600, 12_000)] {
            assert_eq!(to_ms(reader.position(session_ms)), call_ms, "{session_ms}");
        }
        // Signs of life in the pause count for the server, and for nobody else.
        tape.voice_ended(12_500);
        push(&tape, 5_000);
        read(&mut reader);
        reader.put_silence(100);
        push(&tape, 2_000);
        read(&mut reader);
        reader.put_silence(100);
        tape.voice_started(19_900);
        push(&tape, 500);
        assert_eq!(read(&mut reader), "19400-20500");
        assert_eq!(reader.session_ms(), 2_100 + 1_800 + 200 + 1_100);
        assert_eq!(to_ms(reader.position(2_100 + 1_800 + 200 + 600)), 20_000);
    }

    #[tokio::test]
    async fn a_reader_is_woken_for_what_it_waits_for() {
        let tape = Tape::new();
        let mut reader = tape.reader();
        let soon = async |reader: &TapeReader| {
            let wait = std::time::Duration::from_millis(20);
            tokio::time::timeout(wait, reader.news(800)).await.is_ok()
        };
        push(&tape, 80);
        while soon(&reader).await {}
        push(&tape, 20);
        assert!(soon(&reader).await, "a whole message");
        read(&mut reader);
        assert!(!soon(&reader).await);
        tape.end_of_utterance();
        assert!(soon(&reader).await, "an end");
        drop(tape);
        assert!(soon(&reader).await && reader.is_closed(), "the end of all");
    }
}
