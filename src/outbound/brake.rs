//! Holds the dialing while Asterisk is away. Pure: time is an argument.
//!
//! ```text
//! free ──failed──▶ waiting ──wait over──▶ probing (one call) ──no failure for PROBE──▶ free
//!                     ▲                       │
//!                     └──────── failed ───────┘  (twice the wait)
//! ```

use std::time::Duration;

use tokio::time::Instant;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(30);
/// A probe that hasn't failed for so long is taken as a success.
const PROBE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum State {
    Free,
    Waiting { until: Instant },
    Probing { since: Option<Instant> },
}

/// What may be started now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// As many as the limits allow.
    Any,
    /// One, to see whether it works again.
    One,
    /// None before that moment.
    None(Instant),
}

/// The brake.
#[derive(Debug)]
pub(super) struct Brake {
    state: State,
    wait: Duration,
}

impl Brake {
    pub(super) fn new() -> Self {
        Self {
            state: State::Free,
            wait: Duration::ZERO,
        }
    }

    /// What may be started now.
    pub(super) fn room(&mut self, now: Instant) -> Room {
        match self.state {
            State::Waiting { until } if now >= until => self.state = State::Probing { since: None },
            State::Probing { since: Some(since) } if now >= since + PROBE => {
                self.state = State::Free;
                self.wait = Duration::ZERO;
            }
            _ => {}
        }
        match self.state {
            State::Free => Room::Any,
            State::Waiting { until } => Room::None(until),
            State::Probing { since: None } => Room::One,
            State::Probing { since: Some(since) } => Room::None(since + PROBE),
        }
    }

    /// A call was started.
    pub(super) fn started(&mut self, now: Instant) {
        if let State::Probing { since } = &mut self.state {
            since.get_or_insert(now);
        }
    }

    /// A start failed. Many that fail together count once.
    pub(super) fn failed(&mut self, now: Instant) {
        if let State::Waiting { .. } = self.state {
            return;
        }
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, MOST_WAIT);
        self.state = State::Waiting {
            until: now + self.wait,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_lengthen_the_wait_and_a_good_probe_ends_it() {
        let mut now = Instant::now();
        let mut brake = Brake::new();
        assert_eq!(brake.room(now), Room::Any);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            brake.failed(now);
            brake.failed(now);
            let wait = Duration::from_secs(seconds);
            assert_eq!(brake.room(now), Room::None(now + wait));
            now += wait;
            assert_eq!(brake.room(now), Room::One);
            assert_eq!(brake.room(now), Room::One, "until it is used");
            brake.started(now);
            assert_eq!(brake.room(now), Room::None(now + PROBE));
        }
        now += PROBE;
        assert_eq!(brake.room(now), Room::Any);
        brake.failed(now);
        assert_eq!(brake.room(now), Room::None(now + FIRST_WAIT));
    }
}
