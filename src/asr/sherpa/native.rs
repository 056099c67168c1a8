//! The native library behind the pool: sherpa-onnx by its own crate (C API, ONNX Runtime).
//!
//! Two facts of it shape this file. A stream's reset keeps the network's memory of the utterance before, so each utterance
//! gets a new stream. And it calls a stream ready only when there is audio beyond the next step: with T-one each partial
//! would come 300 ms late. A T-one step is a plain count of samples, so we count them ourselves, after a trial at the start
//! that the library counts likewise (it ends the process if it is told to decode what isn't there).

use std::path::Path;
use std::time::{Duration, Instant};

use sherpa_onnx::{OnlineRecognizer, OnlineRecognizerConfig, OnlineStream};

use super::model::{ModelFiles, ModelKind};
use super::pool::{Engine, HeardText};
use super::{Sherpa, SherpaConfig, SherpaError};
use crate::audio::Frame;
use crate::audio::frame::{FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE};
use crate::audio::resample::Doubler;

/// T-one's step: 2400 samples. Its own pipeline puts one of silence before and one after a phrase.
const T_ONE_STEP: usize = 15;
/// Zipformers take features of 10 ms each and step by 160 to 640 ms: often enough to lose no time.
const ZIPFORMER_STEP: usize = 5;
/// Silence that lets a zipformer's last words through.
const ZIPFORMER_TAIL: usize = 33;

/// A model that is loaded.
pub struct Native {
    recognizer: OnlineRecognizer,
    t_one: bool,
    /// Steps may be decoded as soon as they are whole.
    eager: bool,
    /// How long a second of audio took when the model was tried.
    cost: Duration,
}

/// One utterance's stream.
pub struct NativeEar {
    stream: OnlineStream,
    /// To 16 kHz, for models that want it.
    doubler: Option<Doubler>,
    frames: usize,
    /// T-one's steps that were decoded.
    steps: usize,
}

impl Sherpa<Native> {
    /// Checks the folder, loads the model and tries it on a second of silence: takes a second or two, and stays on the
    /// calling thread meanwhile.
    pub fn load(config: &SherpaConfig) -> Result<Self, SherpaError> {
        let files = ModelFiles::find(&config.model).map_err(|error| SherpaError::Model {
            name: config.name.clone(),
            error,
        })?;
        let from = Instant::now();
        let native = Native::load(&files).ok_or_else(|| SherpaError::Refused {
            name: config.name.clone(),
            folder: config.model.clone(),
        })?;
        let cost_ms = native.cost.as_secs_f64() * 1e3;
        let keeps_up_with = (config.threads as f64 * 1e3 / cost_ms.max(0.01)) as usize;
        let SherpaConfig {
            name,
            threads,
            streams,
            ..
        } = config;
        tracing::info!(
            recognizer = name,
            threads,
            streams,
            load_ms = from.elapsed().as_millis() as u64,
            cost_ms_per_second = format!("{cost_ms:.1}"),
            keeps_up_with,
            "model loaded"
        );
        if keeps_up_with < *streams {
            tracing::warn!(
                recognizer = name,
                streams,
                keeps_up_with,
                "more streams than these threads can serve if all speak at once: calls past that go to the next recognizer when this one is 10 s late"
            );
        }
        Self::with_engine(native, name, *threads, *streams)
    }
}

impl Native {
    fn load(files: &ModelFiles) -> Option<Self> {
        let mut config = OnlineRecognizerConfig::default();
        let text = |path: &Path| Some(path.to_string_lossy().into_owned());
        let model = &mut config.model_config;
        model.tokens = text(&files.tokens);
        let t_one = match &files.kind {
            ModelKind::TOne { model: file } => {
                model.t_one_ctc.model = text(file);
                true
            }
            ModelKind::Transducer {
                encoder,
                decoder,
                joiner,
            } => {
                model.transducer.encoder = text(encoder);
                model.transducer.decoder = text(decoder);
                model.transducer.joiner = text(joiner);
                false
            }
        };
        // The calls are what runs at the same time, not the parts of one call's network.
        model.num_threads = 1;
        config.feat_config.sample_rate = rate(t_one);
        config.decoding_method = Some("greedy_search".to_owned());
        let mut native = Self {
            recognizer: OnlineRecognizer::create(&config)?,
            t_one,
            eager: false,
            cost: Duration::ZERO,
        };
        native.eager = t_one && native.counts_as_we_do();
        native.cost = native.trial();
        Some(native)
    }

    /// What a second of audio costs. The first second is not counted: the runtime makes its plans then.
    fn trial(&self) -> Duration {
        let mut ear = self.open();
        // 1200 ms are whole steps of every model.
        let sound = vec![Frame::SILENCE; 60];
        self.hear(&mut ear, &sound);
        self.decode(&mut [&mut ear]);
        let from = Instant::now();
        for _ in 0..3 {
            self.hear(&mut ear, &sound);
            self.decode(&mut [&mut ear]);
        }
        from.elapsed().mul_f64(1.0 / 3.6)
    }

    /// Whether `n` steps of samples are `n` steps for the library: then it has one "beyond" the first with exactly two,
    /// and not with one sample less.
    fn counts_as_we_do(&self) -> bool {
        let rate = rate(true);
        let step = T_ONE_STEP * FRAME_SAMPLES;
        (2..20).all(|n| {
            let stream = self.recognizer.create_stream();
            stream.accept_waveform(rate, &vec![0.0; n * step - 1]);
            let mut decoded = 0;
            while self.recognizer.is_ready(&stream) {
                self.recognizer.decode(&stream);
                decoded += 1;
            }
            let before = decoded == n - 2;
            stream.accept_waveform(rate, &[0.0]);
            before && self.recognizer.is_ready(&stream)
        })
    }

    fn is_ready(&self, ear: &NativeEar) -> bool {
        if self.eager {
            ear.frames / T_ONE_STEP > ear.steps
        } else {
            self.recognizer.is_ready(&ear.stream)
        }
    }

    fn silence(&self, ear: &mut NativeEar, frames: usize) {
        self.hear(ear, &vec![Frame::SILENCE; frames]);
    }
}

fn rate(t_one: bool) -> i32 {
    let rate = if t_one { SAMPLE_RATE } else { 2 * SAMPLE_RATE };
    rate as i32
}

impl Engine for Native {
    type Ear = NativeEar;

    fn step_frames(&self) -> usize {
        if self.t_one {
            T_ONE_STEP
        } else {
            ZIPFORMER_STEP
        }
    }

    fn open(&self) -> NativeEar {
        let mut ear = NativeEar {
            stream: self.recognizer.create_stream(),
            doubler: (!self.t_one).then(Doubler::default),
            frames: 0,
            steps: 0,
        };
        if self.t_one {
            self.silence(&mut ear, T_ONE_STEP);
        }
        ear
    }

    fn hear(&self, ear: &mut NativeEar, frames: &[Frame]) {
        let mut samples = Vec::with_capacity(frames.len() * FRAME_SAMPLES * 2);
        for frame in frames {
            match &mut ear.doubler {
                Some(doubler) => {
                    let mut wide = [0f32; FRAME_SAMPLES * 2];
                    doubler.push(frame, &mut wide);
                    samples.extend_from_slice(&wide);
                }
                None => samples.extend(frame.0.iter().map(|s| f32::from(*s) / 32_768.0)),
            }
        }
        ear.frames += frames.len();
        if !samples.is_empty() {
            ear.stream.accept_waveform(rate(self.t_one), &samples);
        }
    }

    fn finish(&self, ear: &mut NativeEar) {
        let tail = if self.t_one {
            // To a whole step, one of silence, and one that isn't decoded where the library wants to see beyond.
            let beyond = if self.eager { 0 } else { T_ONE_STEP };
            (T_ONE_STEP - ear.frames % T_ONE_STEP) % T_ONE_STEP + T_ONE_STEP + beyond
        } else {
            ZIPFORMER_TAIL
        };
        self.silence(ear, tail);
        ear.stream.input_finished();
    }

    fn decode(&self, ears: &mut [&mut NativeEar]) {
        loop {
            let mut ready: Vec<&OnlineStream> = Vec::with_capacity(ears.len());
            for ear in ears.iter_mut() {
                if self.is_ready(ear) {
                    ear.steps += 1;
                    ready.push(&ear.stream);
                }
            }
            if ready.is_empty() {
                return;
            }
            self.recognizer.decode_multiple_streams(&ready);
        }
    }

    fn text(&self, ear: &NativeEar) -> HeardText {
        let Some(result) = self.recognizer.get_result(&ear.stream) else {
            return HeardText::default();
        };
        let times = result.timestamps.unwrap_or_default();
        let before_ms = if self.t_one {
            T_ONE_STEP as u64 * FRAME_MS
        } else {
            0
        };
        let ms = |seconds: &f32| ((seconds * 1e3).max(0.0) as u64).saturating_sub(before_ms);
        HeardText {
            text: result.text,
            start_ms: times.first().map(ms),
            end_ms: times.last().map(ms),
        }
    }
}
