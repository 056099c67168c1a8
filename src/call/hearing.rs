//! Hears one call: the caller's frames in, voice and texts out. A task of its own, so that nothing that a dialog or a
//! prompt does can hold up the audio.
//!
//! Rule 1 of "Hearing": the caller is recognized from the answer to the end; gaps are filled with silence by the clock.
//! Rule 10: a recognizer that fails is replaced by the next, which is given the utterance's audio again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::clock::CallClock;
use crate::asr::{AsrEvent, AsrInput, FEED_FRAMES, Recognizer, RecognizerStream, StreamOptions};
use crate::audio::Frame;
use crate::audio::frame::FRAME_MS;
use crate::audio::gaps::GapFiller;
use crate::audio::vad::{Vad, VadOptions, VoiceEvent};
use crate::ident::Spoken;

/// Audio kept in silence, frames (1 s): for a recognizer that takes over, and before the answer for what is said between
/// it and our learning of it.
const LEAD_FRAMES: usize = 50;
/// Audio kept of an utterance for the same, frames (8 s): it has to fit the new stream's queue with room to spare.
const UTTERANCE_FRAMES: usize = FEED_FRAMES - 100;
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
    /// For the history: about a recognizer.
    Recognizer { name: String, note: String },
    /// For the history: about the audio.
    Audio { note: String },
    /// No recognizer is left.
    Deaf { reason: String },
}

/// What the hearing is told.
#[derive(Debug)]
pub(super) enum HearingOrder {
    /// The person answered: recognize from now on, and a moment before.
    Listen,
    /// The frames come from here now.
    Frames(mpsc::Receiver<Frame>),
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
    pub(super) events: mpsc::Receiver<Heard>,
}

impl Hearing {
    /// Starts the task. It ends when the handle is dropped.
    pub(super) fn start(
        recognizers: Vec<Arc<dyn Recognizer>>,
        options: StreamOptions,
        clock: CallClock,
    ) -> Self {
        let (orders, orders_rx) = mpsc::channel(16);
        let (events_tx, events) = mpsc::channel(EVENTS);
        let task = Task {
            clock,
            options,
            recognizers: recognizers.into(),
            name: String::new(),
            stream: None,
            frames: None,
            gaps: GapFiller::new(0),
            vad: Vad::new(VadOptions {
                hangover_ms: HANGOVER_MS,
                ..VadOptions::default()
            }),
            voice: false,
            untold: false,
            listens_since_ms: None,
            real_frames: 0,
            told_no_audio: false,
            recent: VecDeque::new(),
            events: events_tx,
        };
        tokio::spawn(task.run(orders_rx));
        Self { orders, events }
    }
}

struct Task {
    clock: CallClock,
    options: StreamOptions,
    /// Recognizers not yet tried.
    recognizers: VecDeque<Arc<dyn Recognizer>>,
    /// The one in use.
    name: String,
    stream: Option<RecognizerStream>,
    frames: Option<mpsc::Receiver<Frame>>,
    gaps: GapFiller,
    vad: Vad,
    voice: bool,
    /// A voice was heard whose last text is still to come.
    untold: bool,
    /// Where the audio clock began, on the call's clock; `None` before the answer.
    listens_since_ms: Option<u64>,
    real_frames: u64,
    told_no_audio: bool,
    recent: VecDeque<Frame>,
    events: mpsc::Sender<Heard>,
}

impl Task {
    async fn run(mut self, mut orders: mpsc::Receiver<HearingOrder>) {
        let mut tick = tokio::time::interval(GAP_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                frame = next_frame(&mut self.frames) => match frame {
                    Some(frame) => self.arrived(frame).await,
                    None => {
                        self.frames = None;
                        self.tell(Heard::Audio { note: "the medium ended".to_owned() }).await;
                    }
                },
                event = next_event(&mut self.stream) => self.recognized(event).await,
                _ = tick.tick() => self.fill().await,
            }
        }
    }

    async fn obey(&mut self, order: HearingOrder) {
        match order {
            HearingOrder::Frames(frames) => self.frames = Some(frames),
            HearingOrder::NoFrames(reason) => self.tell(Heard::Audio { note: reason }).await,
            HearingOrder::Listen if self.listens_since_ms.is_none() => {
                let before = self.recent.len() as u64 * FRAME_MS;
                let now_ms = self.clock.now_ms();
                self.listens_since_ms = Some(now_ms.saturating_sub(before));
                self.gaps = GapFiller::new(now_ms);
                let kept: Vec<Frame> = self.recent.drain(..).collect();
                self.next_recognizer().await;
                for frame in kept {
                    self.hear(frame).await;
                }
            }
            HearingOrder::Listen => {}
            HearingOrder::EndUtterance => self.feed(AsrInput::EndOfUtterance).await,
            HearingOrder::Typed(text) => self.feed(AsrInput::Typed(text)).await,
        }
    }

    async fn arrived(&mut self, frame: Frame) {
        self.real_frames += 1;
        if self.listens_since_ms.is_none() {
            self.keep(frame);
            return;
        }
        self.fill().await;
        if let Some(frame) = self.gaps.push(self.clock.now_ms(), frame) {
            self.hear(frame).await;
        }
    }

    async fn fill(&mut self) {
        let Some(since_ms) = self.listens_since_ms else {
            return;
        };
        let now_ms = self.clock.now_ms();
        for _ in 0..self.gaps.fill(now_ms) {
            self.hear(Frame::SILENCE).await;
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
    async fn hear(&mut self, frame: Frame) {
        let began_ms = self.listens_since_ms.unwrap_or(0);
        match self.vad.push(&frame) {
            Some(VoiceEvent::Started { at_ms }) => {
                self.voice = true;
                self.untold = true;
                self.tell(Heard::VoiceStarted {
                    at_ms: began_ms + at_ms,
                })
                .await;
            }
            Some(VoiceEvent::Ended { at_ms }) => {
                self.voice = false;
                self.tell(Heard::VoiceEnded {
                    at_ms: began_ms + at_ms,
                })
                .await;
            }
            None => {}
        }
        self.keep(frame);
        self.feed(AsrInput::Audio(frame)).await;
    }

    /// Keeps what a recognizer that takes over would need: of silence a moment, of an utterance all until its text.
    fn keep(&mut self, frame: Frame) {
        let most = if self.voice || self.untold {
            UTTERANCE_FRAMES
        } else {
            LEAD_FRAMES
        };
        self.recent.push_back(frame);
        while self.recent.len() > most {
            self.recent.pop_front();
        }
    }

    async fn feed(&mut self, input: AsrInput) {
        let Some(stream) = &self.stream else { return };
        if stream.feed.try_send(input).is_err() {
            let reason = if stream.feed.is_closed() {
                "it ended its stream"
            } else {
                "it is more than 10 s behind"
            };
            self.failed(reason.to_owned()).await;
        }
    }

    async fn recognized(&mut self, event: Option<AsrEvent>) {
        match event {
            Some(AsrEvent::Partial { text }) => self.tell(Heard::Partial(text)).await,
            Some(AsrEvent::Final { text, .. }) => {
                self.untold = false;
                self.tell(Heard::Final(text)).await;
            }
            Some(AsrEvent::Note { text }) => {
                let name = self.name.clone();
                self.tell(Heard::Recognizer { name, note: text }).await;
            }
            Some(AsrEvent::Failed { reason }) => self.failed(reason).await,
            None => self.failed("it ended its stream".to_owned()).await,
        }
    }

    async fn failed(&mut self, reason: String) {
        self.stream = None;
        let name = std::mem::take(&mut self.name);
        self.tell(Heard::Recognizer {
            name: name.clone(),
            note: format!("failed: {reason}"),
        })
        .await;
        if self.recognizers.is_empty() {
            self.tell(Heard::Deaf {
                reason: format!("{name}: {reason}"),
            })
            .await;
        } else {
            self.next_recognizer().await;
            self.tell(Heard::TakenOver).await;
            // What it may have missed.
            if let Some(stream) = &self.stream {
                for frame in &self.recent {
                    if stream.feed.try_send(AsrInput::Audio(*frame)).is_err() {
                        break;
                    }
                }
            }
        }
    }

    async fn next_recognizer(&mut self) {
        let Some(recognizer) = self.recognizers.pop_front() else {
            let reason = "no recognizer is configured".to_owned();
            self.tell(Heard::Deaf { reason }).await;
            return;
        };
        self.name = recognizer.name().to_owned();
        self.stream = Some(recognizer.open(self.options.clone()));
        let name = self.name.clone();
        self.tell(Heard::Recognizer {
            name,
            note: "opened".to_owned(),
        })
        .await;
    }

    async fn tell(&mut self, heard: Heard) {
        // A call that is gone hears nothing any more; the task ends with its orders.
        let _ = self.events.send(heard).await;
    }
}

async fn next_frame(frames: &mut Option<mpsc::Receiver<Frame>>) -> Option<Frame> {
    match frames {
        Some(frames) => frames.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_event(stream: &mut Option<RecognizerStream>) -> Option<AsrEvent> {
    match stream {
        Some(stream) => stream.events.recv().await,
        None => std::future::pending().await,
    }
}
