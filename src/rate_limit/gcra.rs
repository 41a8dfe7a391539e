//! The generic cell rate algorithm.

use super::limits::Limit;

/// A limit and its usage, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Theoretical arrival time.
    pub(super) arrival: u64,
    /// Emission interval.
    interval: u64,
    burst: u32,
}

impl Bucket {
    pub(super) fn new(arrival: u64, limit: Limit) -> Self {
        Self { arrival, interval: limit.emission_interval(), burst: limit.burst }
    }

    /// Returns the number of calls that are allowed at once now.
    pub(super) fn remaining_calls(self, now: u64) -> u64 {
        (now + self.interval * u64::from(self.burst)).saturating_sub(self.arrival.max(now)) / self.interval
    }

    /// Returns the microseconds until the next call is allowed; `None` if it is allowed now.
    pub(super) fn wait(self, now: u64) -> Option<u64> {
        let next_arrival = self.arrival.max(now) + self.interval;
        let earliest = next_arrival.saturating_sub(self.interval * u64::from(self.burst));
        earliest.checked_sub(now).filter(|wait| *wait > 0)
    }
}

/// The time until a limit allows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wait {
    /// Microseconds.
    pub(super) micros: u64,
    /// Index of the limit.
    pub(super) index: usize,
}

/// Counts a call at `now` if every limit allows it; otherwise changes nothing and returns the longest wait.
pub(super) fn count_by_gcra(now: u64, buckets: &mut [Bucket]) -> Option<Wait> {
    let waits = buckets.iter().enumerate().filter_map(|(index, bucket)| Some(Wait { micros: bucket.wait(now)?, index }));
    let longest = waits.max();
    if longest.is_none() {
        for bucket in buckets {
            bucket.arrival = bucket.arrival.max(now) + bucket.interval;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::super::limits::MICROS_PER_SECOND;
    use super::*;

    const SECOND: u64 = MICROS_PER_SECOND;

    #[test]
    fn rate_limit_burst_is_allowed_then_even_pace() {
        let mut bucket = [Bucket { arrival: 0, interval: SECOND, burst: 3 }];
        let mut is_allowed = |now| count_by_gcra(now, &mut bucket).is_none();
        let burst: Vec<bool> = (0..5).map(|_| is_allowed(100 * SECOND)).collect();
        assert_eq!(burst, [true, true, true, false, false]);
        let paced: Vec<bool> = (0..10).map(|half| is_allowed(100 * SECOND + half * SECOND / 2)).collect();
        assert_eq!(paced, [false, false, true, false, true, false, true, false, true, false]);
        assert!((0..3).all(|_| is_allowed(200 * SECOND)), "after a pause the full burst is available");
    }

    #[test]
    fn rate_limit_one_of_two_exceeded_counts_neither() {
        let mut buckets = [10, 1].map(|burst| Bucket { arrival: 0, interval: SECOND, burst });
        assert_eq!(count_by_gcra(50 * SECOND, &mut buckets), None);
        let before = buckets;
        assert_eq!(count_by_gcra(50 * SECOND, &mut buckets), Some(Wait { micros: SECOND, index: 1 }));
        assert_eq!(buckets, before);
    }
}
