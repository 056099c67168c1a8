//! What the network says before the answer (early media), for a recognizer: only speech goes there. Ring-back and busy tones
//! are voices to voice activity, now and then; a recognizer that is paid by the second must not hear them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::hearing::Sent;
use crate::asr::tape::Tape;
use crate::asr::{AsrEvent, Cause, Fared, Recognizer, StreamOptions};
use crate::audio::Frame;
use crate::audio::frame::FRAME_MS;
use crate::audio::tone::ToneDetector;
use crate::audio::vad::{Vad, VadOptions, VoiceEvent};

/// A voice goes to the recognizer when it has lasted so long, and was no tone, milliseconds.
const SURE_MS: u64 = 300;
/// With so much of what was before it, frames (0.8 s).
const BEFORE: usize = 40;
/// A silence of so long ends what is announced, milliseconds.
const SILENCE_MS: u64 = 700;
/// Most that a call's early media costs, milliseconds of audio.
const MOST_MS: u64 = 60_000;

/// The early media of one call.
pub(super) struct EarlyMedia {
    recognizers: VecDeque<Arc<dyn Recognizer>>,
    options: StreamOptions,
    sent: Sent,
    name: String,
    /// The recognizer's, once something was said.
    stream: Option<(Tape, mpsc::Receiver<AsrEvent>)>,
    vad: Vad,
    tones: ToneDetector,
    /// A tone was heard in this voice.
    is_tone: bool,
    before: VecDeque<Frame>,
    speaks: bool,
    sent_ms: u64,
}

impl EarlyMedia {
    /// Nothing was heard yet.
    pub(super) fn new(
        recognizers: VecDeque<Arc<dyn Recognizer>>,
        options: StreamOptions,
        sent: Sent,
    ) -> Self {
        Self {
            recognizers,
            options,
            sent,
            name: String::new(),
            stream: None,
            vad: Vad::new(VadOptions {
                hangover_ms: SILENCE_MS,
                ..VadOptions::default()
            }),
            tones: ToneDetector::default(),
            is_tone: false,
            before: VecDeque::with_capacity(BEFORE),
            speaks: false,
            sent_ms: 0,
        }
    }

    /// The recognizer in use.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The recognizer has failed: the next announcement goes to the next one.
    pub(super) fn failed(&mut self, why: Option<(Cause, &str)>) {
        self.stream = None;
        let gone = self.recognizers.pop_front();
        if let (Some(recognizer), Some((cause, reason))) = (gone, why) {
            recognizer.fared(Fared::Failed(cause, reason));
        }
        self.speaks = false;
    }

    /// One frame from the network. Tells whether something begins to be said.
    pub(super) fn hear(&mut self, frame: &Frame) -> bool {
        self.tones.push(frame);
        let voice = self.vad.push(frame);
        if matches!(voice, Some(VoiceEvent::Started { .. })) {
            self.is_tone = false;
        }
        self.is_tone |= self.tones.now().is_some();
        if self.speaks {
            self.send(frame);
            if self.is_tone || matches!(voice, Some(VoiceEvent::Ended { .. })) {
                self.end();
            }
            return false;
        }
        if self.before.len() == BEFORE {
            self.before.pop_front();
        }
        self.before.push_back(*frame);
        if !self.is_tone && self.vad.voice_ms() >= SURE_MS {
            self.begin();
        }
        self.speaks
    }

    fn begin(&mut self) {
        if self.stream.is_none() {
            let Some(recognizer) = self.recognizers.front() else {
                return;
            };
            self.name = recognizer.name().to_owned();
            let tape = Tape::new();
            let audio = tape.reader().counted(self.sent.count(&self.name));
            let texts = recognizer.open(audio, self.options.clone());
            self.stream = Some((tape, texts));
        }
        self.speaks = true;
        if let Some((tape, _)) = &self.stream {
            tape.voice_started(self.sent_ms);
        }
        for frame in std::mem::take(&mut self.before) {
            self.send(&frame);
        }
    }

    fn send(&mut self, frame: &Frame) {
        if self.sent_ms >= MOST_MS {
            return;
        }
        self.sent_ms += FRAME_MS;
        if let Some((tape, _)) = &self.stream {
            tape.push(frame);
        }
    }

    /// The call is over: what was said is to be told.
    pub(super) fn finish(&mut self) {
        if self.speaks {
            self.end();
        }
    }

    fn end(&mut self) {
        self.speaks = false;
        if let Some((tape, _)) = &self.stream {
            tape.voice_ended(self.sent_ms);
            tape.end_of_utterance();
        }
    }
}

/// The recognizer's next text; never, while there is none.
pub(super) async fn next_text(early: &mut Option<Box<EarlyMedia>>) -> Option<AsrEvent> {
    match early.as_mut().and_then(|early| early.stream.as_mut()) {
        Some((_, texts)) => texts.recv().await,
        None => std::future::pending().await,
    }
}
