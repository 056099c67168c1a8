//! A recognizer inside the server: streaming models of sherpa-onnx (T-one, zipformer) from a folder, on a pool of threads
//! that all calls share.
//!
//! - [`onnx`], [`model`]: what is in the folder, checked before the native library sees it.
//! - [`pool`]: the threads; several calls in one batch; a bound on streams.
//! - [`stream`]: one call: partials, finals, ends of utterances, being late.
//! - `native`: the library itself, only with the cargo feature `sherpa`.

pub mod model;
#[cfg(feature = "sherpa")]
pub mod native;
pub mod onnx;
pub mod pool;
pub mod stream;

#[cfg(all(test, feature = "sherpa"))]
mod native_tests;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::tape::TapeReader;
use super::{AsrEvent, Cause, EVENT_QUEUE, Recognizer, StreamOptions};
use model::ModelError;
use pool::{Engine, Pool};
use stream::Stream;

/// Which model, and how much of the machine it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SherpaConfig {
    /// Its name in the config and in history.
    pub name: String,
    /// The folder with the model.
    pub model: PathBuf,
    /// Threads for all calls, 1 or more.
    pub threads: usize,
    /// Most streams at once; past that the next recognizer is asked.
    pub streams: usize,
}

/// Why the recognizer can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SherpaError {
    /// The folder is wrong.
    #[error("recognizer {name:?}: {error}")]
    Model {
        /// The recognizer.
        name: String,
        /// Why.
        error: ModelError,
    },
    /// The library refused what looked sound.
    #[error(
        "recognizer {name:?}: sherpa-onnx refused the model in {folder} (its reason is on stderr, above); take a streaming model made for sherpa-onnx 2"
    )]
    Refused {
        /// The recognizer.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// The system gives no thread.
    #[error("recognizer {name:?}: can't start {threads} threads: {error}; lower `threads`")]
    Threads {
        /// The recognizer.
        name: String,
        /// How many were wanted.
        threads: usize,
        /// Why.
        error: std::io::Error,
    },
}

/// See the module.
pub struct Sherpa<E: Engine> {
    name: String,
    pool: Arc<Pool<E>>,
}

impl<E: Engine> Sherpa<E> {
    /// A recognizer over `engine`; see [`SherpaConfig`] for the rest.
    pub fn with_engine(
        engine: E,
        name: &str,
        threads: usize,
        streams: usize,
    ) -> Result<Self, SherpaError> {
        let pool =
            Pool::start(engine, name, threads, streams).map_err(|error| SherpaError::Threads {
                name: name.to_owned(),
                threads,
                error,
            })?;
        Ok(Self {
            name: name.to_owned(),
            pool: Arc::new(pool),
        })
    }

    /// Streams that are open now.
    pub fn open_streams(&self) -> usize {
        self.pool.open_streams()
    }
}

impl<E: Engine> std::fmt::Debug for Sherpa<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sherpa")
            .field("name", &self.name)
            .field("open_streams", &self.open_streams())
            .finish_non_exhaustive()
    }
}

impl<E: Engine> Recognizer for Sherpa<E> {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, audio: TapeReader, _options: StreamOptions) -> mpsc::Receiver<AsrEvent> {
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        match self.pool.admit() {
            Some(permit) => {
                let pool = Arc::clone(&self.pool);
                let stream = Stream::new(self.name.clone(), pool, permit, audio, told);
                tokio::spawn(stream.run());
            }
            None => {
                let reason = format!(
                    "recognizer {:?}: all of its {} streams are in use (`streams`)",
                    self.name,
                    self.pool.bound()
                );
                // The queue is new and has room.
                let _ = told.try_send(AsrEvent::Failed {
                    cause: Cause::Quota,
                    reason,
                });
            }
        }
        events
    }
}
