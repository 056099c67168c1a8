//! A recognizer as the config lists it: which audio it is given, what it was used for, and whether it works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::probe::{ProbeFault, probe};
use super::tape::{Gate, TapeReader};
use super::usage::{Usage, Used};
use super::{AsrEvent, Cause, Fared, Recognizer, StreamOptions};

/// Streams that were refused for want of room, or were too slow, one after another, before it counts as not working: until
/// then fewer calls may be all that it needs.
const OVERLOADED: u32 = 5;

/// See the module.
#[derive(Debug)]
pub struct Listed {
    inner: Arc<dyn Recognizer>,
    gate: Option<Gate>,
    usage: Arc<Usage>,
    fitness: watch::Sender<Fitness>,
    failed: AtomicU64,
    /// Streams that failed since one has answered.
    in_a_row: AtomicU32,
}

/// What the last probe found, or a call since.
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
            fitness: watch::Sender::default(),
            failed: AtomicU64::new(0),
            in_a_row: AtomicU32::new(0),
        }
    }

    /// What it was used for.
    pub fn used(&self) -> Used {
        self.usage.read()
    }

    /// Streams of calls that failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// What the last probe found, or a call since.
    pub fn fitness(&self) -> Fitness {
        self.fitness.borrow().clone()
    }

    /// Waits until it doesn't work.
    pub async fn fails(&self) {
        let mut fitness = self.fitness.subscribe();
        // The sender is ours.
        let _ = fitness.wait_for(|f| matches!(f, Fitness::Fails(_))).await;
    }

    /// Asks it now; keeps what was found.
    pub async fn probe(&self, limit: Duration) -> Fitness {
        let found = match probe(&*self.inner, limit).await {
            Ok(took) => Fitness::Works {
                ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            },
            Err(fault) => Fitness::Fails(fault),
        };
        if matches!(found, Fitness::Works { .. }) {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
        self.fitness.send_replace(found.clone());
        found
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

    fn fared(&self, how: Fared<'_>) {
        let Fared::Failed(cause, reason) = how else {
            self.in_a_row.store(0, Ordering::Relaxed);
            return;
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let overloaded = matches!(cause, Cause::Quota | Cause::Slow);
        if !overloaded || in_a_row >= OVERLOADED {
            let reason = reason.to_owned();
            let fault = ProbeFault { cause, reason };
            self.fitness.send_replace(Fitness::Fails(fault));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::typed::Typed;

    #[tokio::test]
    async fn what_calls_tell_of_it_counts_until_the_next_probe() {
        let one = Listed::new(Arc::new(Typed::new()), None);
        let works = |one: &Listed| matches!(one.fitness(), Fitness::Works { .. });
        one.probe(Duration::from_secs(1)).await;
        for _ in 0..OVERLOADED - 1 {
            one.fared(Fared::Failed(Cause::Quota, "no room"));
        }
        assert!(works(&one), "refused for want of room: fewer calls will do");
        one.fared(Fared::Answers);
        one.fared(Fared::Failed(Cause::Slow, "it is behind"));
        assert!(works(&one));
        one.fared(Fared::Failed(Cause::Unreachable, "nobody is there"));
        assert!(!works(&one));
        one.fails().await;
        assert_eq!(one.failed(), u64::from(OVERLOADED) + 1);
        one.probe(Duration::from_secs(1)).await;
        assert!(works(&one));
        for _ in 0..OVERLOADED {
            one.fared(Fared::Failed(Cause::Quota, "no room"));
        }
        assert!(!works(&one), "it takes nobody any more");
    }
}
