//! Durations in buckets of 5 %: counters of them can be added up over days, and still tell percentiles.

use std::sync::OnceLock;

/// The longest duration that is told apart, milliseconds: an hour.
const MOST: u64 = 3_600_000;

/// Upper bounds, milliseconds: each at most 5 % over the one before.
fn bounds() -> &'static [u64] {
    static BOUNDS: OnceLock<Vec<u64>> = OnceLock::new();
    BOUNDS.get_or_init(|| {
        let mut all = vec![0, 1];
        let mut last = 1u64;
        while last < MOST {
            last = (last + 1).max(last * 105 / 100);
            all.push(last);
        }
        all
    })
}

/// The bound of the bucket that `ms` falls into.
pub(super) fn bound(ms: u64) -> u64 {
    let all = bounds();
    let at = all.partition_point(|bound| *bound < ms);
    all.get(at).or(all.last()).copied().unwrap_or(ms)
}

/// The value that `percent` of all don't exceed, by `(bound, count)` in the order of bounds; `None` of nothing.
pub(super) fn percentile(counted: &[(u64, u64)], percent: u64) -> Option<u64> {
    let all: u64 = counted.iter().map(|(_, count)| count).sum();
    let wanted = (all * percent).div_ceil(100).max(1);
    let mut sum = 0;
    counted.iter().find_map(|(bound, count)| {
        sum += count;
        (sum >= wanted).then_some(*bound)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_at_most_five_percent_over() {
        assert_eq!((bound(0), bound(1), bound(20)), (0, 1, 20));
        for ms in [37u64, 123, 700, 1_234, 59_999, 1_000_000] {
            let told = bound(ms);
            assert!(ms <= told && told * 100 <= ms * 105 + 100, "{ms}: {told}");
        }
        assert_eq!(bound(MOST * 2), *bounds().last().unwrap());
        let counted = [(10, 50), (20, 45), (100, 5)];
        let told = [50, 95, 99].map(|p| percentile(&counted, p));
        assert_eq!(told, [Some(10), Some(20), Some(100)]);
        assert_eq!(percentile(&[], 50), None);
    }
}
