//! A recognizer as the config lists it: which audio it is given, what it was used for, and whether it works.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::probe::{ProbeFault, probe};
use super::tape::{Gate, TapeReader};
use super::usage::{Usage, Used};
use super::{AsrEvent, Recognizer, StreamOptions};

/// See the module.
#[derive(Debug)]
pub struct Listed {
    inner: Arc<dyn Recognizer>,
    gate: Option<Gate>,
    usage: Arc<Usage>,
    fitness: Mutex<Fitness>,
}

/// What the last probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fitness {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It answered within so many ms.
    Works {
        /// How many.
        ms: u64,
    },
    /// It doesn't work.
    Fails(ProbeFault),
}

impl Listed {
    /// With `gate`, only voice is sent.
    pub fn new(inner: Arc<dyn Recognizer>, gate: Option<Gate>) -> Self {
        Self {
            inner,
            gate,
            usage: Arc::default(),
            fitness: Mutex::default(),
        }
    }

    /// What it was used for.
    pub fn used(&self) -> Used {
        self.usage.read()
    }

    /// What the last probe found.
    pub fn fitness(&self) -> Fitness {
        self.state().clone()
    }

    /// Asks it now; keeps what was found.
    pub async fn probe(&self, limit: Duration) -> Fitness {
        let found = match probe(&*self.inner, limit).await {
            Ok(took) => Fitness::Works {
                ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            },
            Err(fault) => Fitness::Fails(fault),
        };
        *self.state() = found.clone();
        found
    }

    fn state(&self) -> MutexGuard<'_, Fitness> {
        self.fitness.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recognizer for Listed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn open(&self, audio: TapeReader, options: StreamOptions) -> mpsc::Receiver<AsrEvent> {
        self.usage.opened();
        let audio = audio.gated(self.gate).counted(Arc::clone(&self.usage));
        self.inner.open(audio, options)
    }
}
