//! One call's clock: milliseconds since the attempt began. All times of its history are read off it.

use tokio::time::Instant;

/// The clock; every part of the call holds a copy.
#[derive(Clone, Copy, Debug)]
pub struct CallClock(Instant);

impl CallClock {
    /// Starts at zero now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    pub fn now_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant of a time on this clock.
    pub fn instant(self, at_ms: u64) -> Instant {
        self.0 + std::time::Duration::from_millis(at_ms)
    }
}
