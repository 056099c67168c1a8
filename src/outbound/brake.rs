//! Holds the dialing while Asterisk is away, or a trunk has no room. Pure: time is an argument.
//!
//! ```text
//! free ──failed──▶ waiting ──wait over──▶ probing (one call) ──no failure for PROBE──▶ free
//!                     ▲                       │
//!                     └──────── failed ───────┘  (twice the wait)
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// How long a brake holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The first wait; each further one is twice as long.
    first: Duration,
    most: Duration,
    /// A probe that hasn't failed for so long is taken as a success.
    probe: Duration,
    /// So many failures without a success between them before it holds at all.
    failures: u32,
}

/// Asterisk is away: nothing can be dialed.
pub(super) const ASTERISK: Patience = Patience {
    first: Duration::from_secs(1),
    most: Duration::from_secs(30),
    probe: Duration::from_secs(2),
    failures: 1,
};

/// A trunk answers congestion. One number's network may be congested, too: three answers in a row are the trunk's own.
pub(super) const TRUNK: Patience = Patience {
    first: Duration::from_secs(2),
    most: Duration::from_secs(60),
    probe: Duration::from_secs(10),
    failures: 3,
};

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
    patience: Patience,
    state: State,
    wait: Duration,
    failures: u32,
}

impl Brake {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            state: State::Free,
            wait: Duration::ZERO,
            failures: 0,
        }
    }

    /// What may be started now.
    pub(super) fn room(&mut self, now: Instant) -> Room {
        match self.state {
            State::Waiting { until } if now >= until => self.state = State::Probing { since: None },
            State::Probing { since: Some(since) } if now >= since + self.patience.probe => {
                self.free();
            }
            _ => {}
        }
        match self.state {
            State::Free => Room::Any,
            State::Waiting { until } => Room::None(until),
            State::Probing { since: None } => Room::One,
            State::Probing { since: Some(since) } => Room::None(since + self.patience.probe),
        }
    }

    /// A call was started.
    pub(super) fn started(&mut self, now: Instant) {
        if let State::Probing { since } = &mut self.state {
            since.get_or_insert(now);
        }
    }

    fn free(&mut self) {
        self.state = State::Free;
        self.wait = Duration::ZERO;
        self.failures = 0;
    }

    /// A start went well. What was started before the wait and ends well in it doesn't end it.
    pub(super) fn succeeded(&mut self) {
        match self.state {
            State::Free | State::Probing { since: Some(_) } => self.free(),
            State::Waiting { .. } | State::Probing { since: None } => {}
        }
    }

    /// A start failed. Many that fail together count once.
    pub(super) fn failed(&mut self, now: Instant) {
        match self.state {
            State::Waiting { .. } => return,
            State::Free => {
                self.failures += 1;
                if self.failures < self.patience.failures {
                    return;
                }
            }
            State::Probing { .. } => {}
        }
        self.wait = (self.wait * 2).clamp(self.patience.first, self.patience.most);
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
        let mut brake = Brake::new(ASTERISK);
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
            assert_eq!(brake.room(now), Room::None(now + ASTERISK.probe));
        }
        now += ASTERISK.probe;
        assert_eq!(brake.room(now), Room::Any);
        brake.failed(now);
        assert_eq!(brake.room(now), Room::None(now + ASTERISK.first));
    }

    #[test]
    fn a_trunk_is_given_three_answers_and_its_probe_a_verdict() {
        let now = Instant::now();
        let mut brake = Brake::new(TRUNK);
        brake.failed(now);
        brake.failed(now);
        brake.succeeded();
        brake.failed(now);
        brake.failed(now);
        assert_eq!(brake.room(now), Room::Any, "two in a row are not three");
        brake.failed(now);
        let until = now + TRUNK.first;
        assert_eq!(brake.room(now), Room::None(until));
        brake.succeeded();
        assert_eq!(brake.room(now), Room::None(until), "an older call's end");
        assert_eq!(brake.room(until), Room::One);
        brake.started(until);
        brake.failed(until);
        assert_eq!(brake.room(until), Room::None(until + 2 * TRUNK.first));
        let again = until + 2 * TRUNK.first;
        assert_eq!(brake.room(again), Room::One);
        brake.started(again);
        brake.succeeded();
        assert_eq!(brake.room(again), Room::Any);
    }
}
