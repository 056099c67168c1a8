//! How many calls at once, how many starts a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The lines of `calls.at_once`, shared by outgoing and incoming calls. Clones share one set.
#[derive(Clone, Debug)]
pub struct Lines {
    free: Arc<Semaphore>,
    all: usize,
}

/// A taken line; free again when dropped.
#[derive(Debug)]
pub struct Taken {
    _permit: OwnedSemaphorePermit,
}

impl Lines {
    /// So many lines, at least one.
    pub fn new(at_once: usize) -> Self {
        let all = at_once.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(all)),
            all,
        }
    }

    /// Takes a line if one is free: for an incoming call.
    pub fn try_take(&self) -> Option<Taken> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Taken { _permit: permit })
    }

    /// Waits for a line. Dropping the wait takes nothing.
    pub(super) async fn take(&self) -> Option<Taken> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Taken { _permit: permit })
    }

    /// Lines that are taken now.
    pub fn taken(&self) -> usize {
        self.all - self.free.available_permits()
    }
}

/// A token bucket: starts are spread evenly, with a burst of a twentieth of a second's worth (at least one), so no
/// second ever holds more than 1.05 times the rate, rounded up.
#[derive(Debug)]
pub(super) struct Pace {
    rate: f64,
    burst: f64,
    tokens: f64,
    since: Instant,
}

/// Tokens are counted in fractions; so much short of one is one.
const SLACK: f64 = 1e-6;

impl Pace {
    /// `rate` starts a second; one that makes no sense counts as one a second.
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        let rate = if rate.is_finite() && rate > 0.0 {
            // No slower than one a day: the waits below stay representable.
            rate.max(1.0 / 86_400.0)
        } else {
            1.0
        };
        let burst = (rate / 20.0).floor().max(1.0);
        Self {
            rate,
            burst,
            tokens: burst,
            since: now,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.since = now;
    }

    /// One that has nothing saved up: what was started a moment ago, before this process was, counts too. The first start
    /// comes within a second, or sooner where the rate is higher.
    pub(super) fn cold(rate: f64, now: Instant) -> Self {
        let mut pace = Self::new(rate, now);
        pace.tokens = (1.0 - pace.rate).max(0.0);
        pace
    }

    /// Another rate from now on.
    pub(super) fn set_rate(&mut self, rate: f64, now: Instant) {
        let fresh = Self::new(rate, now);
        if (fresh.rate - self.rate).abs() > f64::EPSILON {
            self.refill(now);
            let tokens = self.tokens.min(fresh.burst);
            *self = Self { tokens, ..fresh };
        }
    }

    /// How many may start now.
    pub(super) fn allowed(&mut self, now: Instant) -> usize {
        self.refill(now);
        // Between 0 and the burst.
        (self.tokens + SLACK).max(0.0) as usize
    }

    /// So many started.
    pub(super) fn spend(&mut self, starts: usize) {
        self.tokens -= starts as f64;
    }

    /// When the next one may start.
    pub(super) fn ready_at(&mut self, now: Instant) -> Instant {
        self.refill(now);
        if self.tokens + SLACK >= 1.0 {
            return now;
        }
        now + Duration::from_secs_f64((1.0 - self.tokens) / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_than_the_rate_and_its_burst() {
        for rate in [0.5, 1.0, 3.0, 7.0, 40.0, 333.0] {
            let begin = Instant::now();
            let mut pace = Pace::new(rate, begin);
            let (mut now, mut starts) = (begin, Vec::new());
            while now < begin + Duration::from_secs(20) {
                let allowed = pace.allowed(now);
                pace.spend(allowed);
                starts.extend(std::iter::repeat_n(now, allowed));
                now = pace.ready_at(now).max(now + Duration::from_millis(1));
            }
            let most = (rate * 1.05).ceil().max(1.0) as usize;
            for (n, start) in starts.iter().enumerate() {
                let second = *start + Duration::from_millis(999);
                let held = starts[n..].iter().take_while(|at| **at < second).count();
                assert!(held <= most, "rate {rate}: {held} in a second");
            }
            let expect = rate * 20.0;
            let made = starts.len() as f64;
            assert!(
                made > expect * 0.9 && made < expect * 1.1 + 1.0,
                "{rate}: {made}"
            );
        }
    }

    #[test]
    fn a_fresh_process_starts_with_nothing_saved_up() {
        for (rate, first_ms) in [(0.01, 1_000), (0.5, 1_000), (1.0, 1_000), (10.0, 100)] {
            let begin = Instant::now();
            let mut pace = Pace::cold(rate, begin);
            let waits = pace.ready_at(begin) - begin;
            let expect = Duration::from_millis(first_ms);
            assert!(
                waits.abs_diff(expect) < Duration::from_millis(2),
                "{rate}: {waits:?}"
            );
        }
        let begin = Instant::now();
        let mut pace = Pace::cold(100.0, begin);
        pace.set_rate(1.0, begin);
        assert_eq!(pace.allowed(begin), 0);
        assert_eq!(pace.allowed(begin + Duration::from_secs(60)), 1);
    }

    #[test]
    fn what_was_not_used_is_not_saved_up() {
        let begin = Instant::now();
        let mut pace = Pace::new(5.0, begin);
        assert_eq!(pace.allowed(begin + Duration::from_secs(3_600)), 1);
    }

    #[test]
    fn a_rate_without_sense_is_one_a_second() {
        for rate in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            let begin = Instant::now();
            let mut pace = Pace::new(rate, begin);
            pace.spend(1);
            assert_eq!(pace.ready_at(begin), begin + Duration::from_secs(1));
        }
    }

    #[tokio::test]
    async fn lines_are_free_again_when_dropped() {
        let lines = Lines::new(2);
        let one = lines.try_take().unwrap();
        let two = lines.take().await.unwrap();
        assert!(lines.try_take().is_none());
        assert_eq!(lines.taken(), 2);
        drop(one);
        assert_eq!(lines.taken(), 1);
        assert!(lines.try_take().is_some());
        drop(two);
        assert_eq!(lines.taken(), 0);
    }
}
