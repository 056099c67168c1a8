//! How long to wait before the next try at something that failed. Pure: time and chance are arguments.

use std::time::Duration;

/// Doubling waits with jitter: the n-th lies between half and the whole of `first * 2^n`, never over `most`.
///
/// The jitter keeps many clients of one peer from coming back at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Default for Backoff {
    /// 0.5 s to 30 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(30))
    }
}

impl Backoff {
    /// Waits from `first` to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self {
            first: first.min(most),
            most,
            failures: 0,
        }
    }

    /// The wait after one more failure; `chance` is any number, evenly random.
    pub fn next(&mut self, chance: u32) -> Duration {
        let whole = self
            .first
            .saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(self.most);
        self.failures = self.failures.saturating_add(1);
        whole / 2 + (whole / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }

    /// The same with chance from the system's random source; the whole wait where it has none.
    pub fn next_random(&mut self) -> Duration {
        let chance = getrandom::u32().unwrap_or(u32::MAX);
        self.next(chance)
    }

    /// It worked: the next failure starts anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.next(u32::MAX).as_millis()).collect();
        assert_eq!(
            waits,
            [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
        );
        for _ in 0..100 {
            assert_eq!(backoff.next(u32::MAX), Duration::from_secs(30));
        }
        backoff.reset();
        assert_eq!(backoff.next(0), Duration::from_millis(250));
    }

    #[test]
    fn jitter_takes_at_most_a_half() {
        for chance in [0, 1, 1 << 31, u32::MAX] {
            let wait = Backoff::default().next(chance);
            assert!((250..=500).contains(&wait.as_millis()), "{wait:?}");
        }
        let mut backoff = Backoff::default();
        let wait = backoff.next_random();
        assert!((250..=500).contains(&wait.as_millis()), "{wait:?}");
    }
}
