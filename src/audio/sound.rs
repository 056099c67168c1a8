//! A prompt, whole in memory: what every medium plays from.

use std::sync::Arc;

use super::frame::SAMPLE_RATE;

/// A prompt's sound at 8 kHz mono. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Sound {
    /// What history calls it: the file's name without ending, or the text that was synthesized.
    pub name: String,
    /// The samples.
    pub samples: Arc<[i16]>,
}

impl Sound {
    /// Wraps samples under a name.
    pub fn new(name: impl Into<String>, samples: impl Into<Arc<[i16]>>) -> Self {
        Self {
            name: name.into(),
            samples: samples.into(),
        }
    }

    /// Silence of `ms` milliseconds.
    pub fn silence(name: impl Into<String>, ms: u64) -> Self {
        let samples = usize::try_from(ms * u64::from(SAMPLE_RATE) / 1000).unwrap_or(0);
        Self::new(name, vec![0i16; samples])
    }

    /// How long it plays, milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(SAMPLE_RATE)
    }
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sound({:?}, {} ms)", self.name, self.duration_ms())
    }
}
