//! Hears one call: the caller's frames in, voice and texts out. A task of its own, so that nothing that a dialog or a
//! prompt does can hold up the audio.
//!
//! Rule 1 of "Hearing": the caller is recognized from the answer to the end; gaps are filled with silence by the clock.
//! Rule 10: a recognizer that fails is replaced by the next, which is given the utterance's audio again: the call's
//! [`Tape`] keeps it once for all of them.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::clock::CallClock;
use super::early::{self, EarlyMedia};
use super::fields::fields;
use super::history::kind;
use super::journal::CallJournal;
use crate::asr::tape::{KEPT_IN_SILENCE, Tape, to_ms};
use crate::asr::usage::Usage;
use crate::asr::{AsrEvent, BEHIND, Cause, Fared, Recognizer, StreamOptions};
use crate::audio::Frame;
use crate::audio::gaps::GapFiller;
use crate::audio::tone::{Tone, ToneDetector, ToneEvent};
use crate::audio::vad::{Vad, VadOptions, VoiceEvent};
use crate::ident::Spoken;
use crate::net::media::FrameReceiver;

/// How often gaps are looked for.
const GAP_TICK: Duration = Duration::from_millis(100);
/// After so long without one frame the history says that no audio comes.
const NO_AUDIO_MS: u64 = 3_000;
/// A pause inside a word; a longer one is told, and the machine decides by `end_silence` whether it ends the utterance.
const HANGOVER_MS: u64 = 200;
/// Events that may wait for the call.
const EVENTS: usize = 64;

/// What was heard, on the call's clock.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// Voice began.
    VoiceStarted { at_ms: u64 },
    /// Voice ended.
    VoiceEnded { at_ms: u64 },
    /// A text so far.
    Partial(Spoken),
    /// A last text.
    Final(Spoken),
    /// Another recognizer has taken over and hears the utterance again.
    TakenOver,
    /// A single tone was heard to its end.
    Tone(Tone),
    /// Something begins to be said before the answer; one last text of it follows.
    EarlyVoice,
    /// A text of before the answer.
    Early { text: Spoken, is_final: bool },
    /// For the history: about a recognizer.
    Recognizer { name: String, note: String },
    /// For the history: about the audio.
    Audio { note: String },
    /// The medium ended: no frame comes any more.
    FramesEnded,
    /// No recognizer is left.
    Deaf { reason: String },
}

/// What the hearing is told.
#[derive(Debug)]
pub(super) enum HearingOrder {
    /// Recognize what is said before the answer: the operator's announcements.
    Early,
    /// The person answered: recognize from now on, and a moment before.
    Listen,
    /// The frames come from here now.
    Frames(FrameReceiver),
    /// No frames will come, and why.
    NoFrames(String),
    /// Final text, please.
    EndUtterance,
    /// A person at the keyboard.
    Typed(String),
}

/// The handle.
#[derive(Debug)]
pub(super) struct Hearing {
    pub(super) orders: mpsc::Sender<HearingOrder>,
    /// `None`: nobody listens.
    events: Option<mpsc::Receiver<Heard>>,
    pub(super) sent: Sent,
    /// Somebody does.
    pub(super) listens: bool,
}

/// What each recognizer of a call was sent; may be read after the call.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<Mutex<Vec<Counted>>>);

/// A recognizer's name, and what it was sent.
type Counted = (String, Arc<Usage>);

impl Sent {
    pub(super) fn count(&self, name: &str) -> Arc<Usage> {
        let usage = Arc::new(Usage::default());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((name.to_owned(), Arc::clone(&usage)));
        usage
    }

    /// Tells the call's history: a line for each, in the order of their use, with the seconds of audio.
    pub(super) fn note(&self, journal: &mut CallJournal) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, usage) in all.iter() {
            let seconds = usage.read().sent_ms as f64 / 1000.0;
            let data = fields!({"name": name, "event": "sent", "seconds": seconds});
            journal.note(kind::RECOGNIZER, data);
        }
    }
}

impl Hearing {
    /// Starts the task, which ends when the handle is dropped. Without recognizers there is none: orders go nowhere, a both-way
    /// medium's frames too.
    pub(super) fn start(
        recognizers: Option<Vec<Arc<dyn Recognizer>>>,
        options: StreamOptions,
        clock: CallClock,
    ) -> Self {
        let sent = Sent::default();
        let Some(recognizers) = recognizers else {
            return Self {
                orders: NOBODY.clone(),
                events: None,
                sent,
                listens: false,
            };
        };
        let (orders, orders_rx) = mpsc::channel(16);
        let (events_tx, events) = mpsc::channel(EVENTS);
        let task = Task {
            clock,
            options,
            recognizers: recognizers.into(),
            name: String::new(),
            current: None,
            tape: Tape::new(),
            texts: None,
            sent: sent.clone(),
            frames: None,
            gaps: GapFiller::new(0),
            early: None,
            tones: ToneDetector::default(),
            vad: Vad::new(VadOptions {
                hangover_ms: HANGOVER_MS,
                ..VadOptions::default()
            }),
            partial: None,
            listens_since_ms: None,
            real_frames: 0,
            told_no_audio: false,
            events: events_tx,
        };
        tokio::spawn(task.run(orders_rx));
        Self {
            orders,
            events: Some(events),
            sent,
            listens: true,
        }
    }

    /// The next thing that was heard. Cancel-safe.
    pub(super) async fn next(&mut self) -> Heard {
        if let Some(events) = &mut self.events {
            if let Some(heard) = events.recv().await {
                return heard;
            }
            // The task is gone with all that it could tell.
            self.events = None;
        }
        std::future::pending().await
    }
}

/// Who takes the orders of a call that nobody listens to.
static NOBODY: LazyLock<mpsc::Sender<HearingOrder>> = LazyLock::new(|| mpsc::channel(1).0);

struct Task {
    clock: CallClock,
    options: StreamOptions,
    /// Recognizers not yet tried.
    recognizers: VecDeque<Arc<dyn Recognizer>>,
    /// The one in use.
    name: String,
    current: Option<Arc<dyn Recognizer>>,
    /// The caller's audio.
    tape: Tape,
    texts: Option<mpsc::Receiver<AsrEvent>>,
    sent: Sent,
    frames: Option<FrameReceiver>,
    gaps: GapFiller,
    /// What is heard before the answer.
    early: Option<Box<EarlyMedia>>,
    tones: ToneDetector,
    vad: Vad,
    /// The last partial whose final is still to come.
    partial: Option<Spoken>,
    /// Where the audio clock began, on the call's clock; `None` before the answer.
    listens_since_ms: Option<u64>,
    real_frames: u64,
    told_no_audio: bool,
    events: mpsc::Sender<Heard>,
}

impl Task {
    async fn run(mut self, mut orders: mpsc::Receiver<HearingOrder>) {
        let mut tick = tokio::time::interval(GAP_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // What has come is heard before the tick finds it missing.
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                frame = next_frame(&mut self.frames) => match frame {
                    Some(frame) => self.arrived(frame).await,
                    None => {
                        self.frames = None;
                        self.tell(Heard::FramesEnded).await;
                    }
                },
                event = next_event(&mut self.texts) => self.recognized(event).await,
                event = early::next_text(&mut self.early) => self.announced(event).await,
                _ = tick.tick() => self.fill(0).await,
            }
        }
    }

    async fn obey(&mut self, order: HearingOrder) {
        match order {
            HearingOrder::Frames(frames) => self.frames = Some(frames),
            HearingOrder::NoFrames(reason) => {
                self.tell(Heard::Audio { note: reason }).await;
                // As one that broke: it is opened again.
                self.tell(Heard::FramesEnded).await;
            }
            HearingOrder::Early if self.listens_since_ms.is_none() => {
                let recognizers = self.recognizers.iter().cloned().collect();
                self.early = Some(Box::new(EarlyMedia::new(
                    recognizers,
                    self.options.clone(),
                    self.sent.clone(),
                )));
            }
            HearingOrder::Early => {}
            HearingOrder::Listen if self.listens_since_ms.is_none() => {
                self.early = None;
                let before = to_ms(self.tape.kept());
                let now_ms = self.clock.now_ms();
                self.listens_since_ms = Some(now_ms.saturating_sub(before));
                self.gaps = GapFiller::new(now_ms);
                let kept = self.tape.reader().take_frames(u64::from(u32::MAX));
                self.tape = Tape::new();
                self.next_recognizer().await;
                for frame in &kept {
                    self.hear(frame).await;
                }
            }
            HearingOrder::Listen => {}
            HearingOrder::EndUtterance => {
                if let Some(early) = &mut self.early {
                    early.finish();
                }
                self.tape.end_of_utterance();
            }
            HearingOrder::Typed(text) => self.tape.typed(text),
        }
    }

    /// A frame, and those that came with it.
    async fn arrived(&mut self, first: Frame) {
        if self.listens_since_ms.is_some() {
            let more = self.frames.as_ref().map_or(0, FrameReceiver::waiting);
            self.fill(1 + more).await;
        }
        let mut next = Some(first);
        while let Some(frame) = next {
            self.real_frames += 1;
            if self.listens_since_ms.is_none() {
                self.tape.push(&frame);
                self.tape.keep_last(KEPT_IN_SILENCE);
                let begins = self.early.as_mut().is_some_and(|early| early.hear(&frame));
                if begins {
                    self.tell(Heard::EarlyVoice).await;
                }
            } else if let Some(frame) = self.gaps.push(self.clock.now_ms(), frame) {
                self.hear(&frame).await;
            }
            next = self.frames.as_mut().and_then(FrameReceiver::try_recv);
        }
    }

    /// Silence where nothing came, before `waiting` frames that did.
    async fn fill(&mut self, waiting: usize) {
        let Some(since_ms) = self.listens_since_ms else {
            return;
        };
        let now_ms = self.clock.now_ms();
        for _ in 0..self.gaps.fill(now_ms, waiting) {
            self.hear(&Frame::SILENCE).await;
        }
        if self.texts.is_some() && to_ms(self.tape.unread()) > BEHIND.as_millis() as u64 {
            let reason = format!("it is more than {} s behind", BEHIND.as_secs());
            self.failed(Cause::Slow, reason).await;
        }
        if self.real_frames == 0 && !self.told_no_audio && now_ms > since_ms + NO_AUDIO_MS {
            self.told_no_audio = true;
            let note = format!(
                "not one frame from Asterisk in {NO_AUDIO_MS} ms: the caller can't be heard"
            );
            self.tell(Heard::Audio { note }).await;
        }
    }

    /// One frame of the call, real or filled in.
    async fn hear(&mut self, frame: &Frame) {
        let began_ms = self.listens_since_ms.unwrap_or(0);
        self.tape.push(frame);
        if let Some(ToneEvent::Ended(tone)) = self.tones.push(frame) {
            let tone = Tone {
                from_ms: began_ms + tone.from_ms,
                to_ms: began_ms + tone.to_ms,
                ..tone
            };
            self.tell(Heard::Tone(tone)).await;
        }
        match self.vad.push(frame) {
            Some(VoiceEvent::Started { at_ms }) => {
                self.tape.voice_started(at_ms);
                self.tell(Heard::VoiceStarted {
                    at_ms: began_ms + at_ms,
                })
                .await;
            }
            Some(VoiceEvent::Ended { at_ms }) => {
                self.tape.voice_ended(at_ms);
                self.tell(Heard::VoiceEnded {
                    at_ms: began_ms + at_ms,
                })
                .await;
            }
            None => {}
        }
    }

    async fn recognized(&mut self, event: Option<AsrEvent>) {
        match event {
            Some(AsrEvent::Ready) => {
                self.fared(Fared::Answers);
                self.tell_of_it("answers".to_owned()).await;
            }
            Some(AsrEvent::Partial { text }) => {
                self.partial = Some(text.clone());
                self.tell(Heard::Partial(text)).await;
            }
            Some(AsrEvent::Final { text, .. }) => {
                self.partial = None;
                self.tell(Heard::Final(text)).await;
            }
            Some(AsrEvent::Note { text }) => self.tell_of_it(text).await,
            Some(AsrEvent::Failed { cause, reason }) => self.failed(cause, reason).await,
            None => {
                let reason = "it ended its stream".to_owned();
                self.failed(Cause::Unreachable, reason).await;
            }
        }
    }

    /// The same of before the answer: it tells, and ends nothing.
    async fn announced(&mut self, event: Option<AsrEvent>) {
        let Some(early) = &mut self.early else { return };
        let name = early.name().to_owned();
        match event {
            Some(AsrEvent::Partial { text }) => {
                let is_final = false;
                self.tell(Heard::Early { text, is_final }).await;
            }
            Some(AsrEvent::Final { text, .. }) => {
                let is_final = true;
                self.tell(Heard::Early { text, is_final }).await;
            }
            Some(AsrEvent::Ready | AsrEvent::Note { .. }) => {}
            Some(AsrEvent::Failed { cause, reason }) => {
                early.failed(Some((cause, &reason)));
                let note = format!("failed before the answer: {reason}");
                self.tell(Heard::Recognizer { name, note }).await;
            }
            None => early.failed(None),
        }
    }

    fn fared(&self, how: Fared<'_>) {
        if let Some(recognizer) = &self.current {
            recognizer.fared(how);
        }
    }

    async fn failed(&mut self, cause: Cause, reason: String) {
        self.fared(Fared::Failed(cause, &reason));
        self.texts = None;
        self.tell_of_it(format!("failed: {reason}")).await;
        if self.recognizers.is_empty() {
            // Nobody will say it better.
            if let Some(text) = self.partial.take() {
                self.tell(Heard::Final(text)).await;
            }
            let reason = format!("{}: {reason}", self.name);
            self.tell(Heard::Deaf { reason }).await;
        } else {
            self.next_recognizer().await;
            self.tell(Heard::TakenOver).await;
        }
    }

    /// It begins with what is kept: what the one before it may have missed.
    async fn next_recognizer(&mut self) {
        let Some(recognizer) = self.recognizers.pop_front() else {
            let reason = "no recognizer is configured".to_owned();
            self.tell(Heard::Deaf { reason }).await;
            return;
        };
        self.name = recognizer.name().to_owned();
        let options = StreamOptions {
            last: self.recognizers.is_empty(),
            ..self.options.clone()
        };
        let audio = self.tape.reader().counted(self.sent.count(&self.name));
        self.texts = Some(recognizer.open(audio, options));
        self.current = Some(recognizer);
        let kept_ms = to_ms(self.tape.kept());
        self.tell_of_it("opened".to_owned()).await;
        if kept_ms > 0 {
            self.tell_of_it(format!("is given {kept_ms} ms of audio that were kept"))
                .await;
        }
    }

    async fn tell_of_it(&mut self, note: String) {
        let name = self.name.clone();
        self.tell(Heard::Recognizer { name, note }).await;
    }

    async fn tell(&mut self, heard: Heard) {
        // A call that is gone hears nothing any more; the task ends with its orders.
        let _ = self.events.send(heard).await;
    }
}

async fn next_frame(frames: &mut Option<FrameReceiver>) -> Option<Frame> {
    match frames {
        Some(frames) => frames.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_event(texts: &mut Option<mpsc::Receiver<AsrEvent>>) -> Option<AsrEvent> {
    match texts {
        Some(texts) => texts.recv().await,
        None => std::future::pending().await,
    }
}
