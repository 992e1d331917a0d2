//! How long answers took, and when questions are due.

use std::time::Duration;

use serde_json::{Value, json};

/// When the questions of an open loop are due: evenly, whether or not earlier ones are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Questions a second.
    pub per_second: u32,
}

impl Schedule {
    /// Tells when a question, counted from 0, is due after the start.
    #[must_use]
    pub fn due(self, place: u64) -> Duration {
        let nanoseconds = u128::from(place) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// What a number of latencies come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Latencies {
    /// How many.
    pub count: u64,
    /// Half took no longer.
    pub p50: Duration,
    /// 90 % took no longer.
    pub p90: Duration,
    /// 99 % took no longer.
    pub p99: Duration,
    /// 99.9 % took no longer.
    pub p999: Duration,
    /// The longest.
    pub most: Duration,
}

impl Latencies {
    /// Sums up.
    #[must_use]
    pub fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |per_mille| percentile(&all, per_mille);
        let (p50, p90, p99, p999) = (at(500), at(900), at(990), at(999));
        Self { count: all.len() as u64, p50, p90, p99, p999, most: at(1000) }
    }

    /// Makes the JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({
            "count": self.count,
            "p50_seconds": self.p50.as_secs_f64(),
            "p90_seconds": self.p90.as_secs_f64(),
            "p99_seconds": self.p99.as_secs_f64(),
            "p999_seconds": self.p999.as_secs_f64(),
            "max_seconds": self.most.as_secs_f64(),
        })
    }

    /// Writes the percentiles and the longest in milliseconds, for a table.
    #[must_use]
    pub fn cells(&self) -> [String; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.most].map(milliseconds)
    }
}

/// Writes milliseconds.
#[must_use]
pub fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// Gives the least that this share of sorted numbers does not exceed (the nearest rank); zero of none.
fn percentile(sorted: &[Duration], per_mille: usize) -> Duration {
    let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numbers_that_were_measured() {
        let all = (1..=1000).rev().map(Duration::from_millis).collect();
        let found = Latencies::of(all);
        let expected = [500, 900, 990, 999, 1000].map(Duration::from_millis);
        assert_eq!([found.p50, found.p90, found.p99, found.p999, found.most], expected);
        let one = Latencies::of(vec![Duration::from_millis(7)]);
        assert_eq!((one.count, one.p50, one.p999), (1, one.most, one.most));
        assert_eq!(Latencies::of(Vec::new()), Latencies::default());
    }

    #[test]
    fn the_share_that_a_percentile_names_takes_no_longer() {
        let all: Vec<Duration> = (1..=7).map(Duration::from_millis).collect();
        // 90 % of seven are 6.3 numbers: the seventh is the least that as many do not exceed.
        assert_eq!(percentile(&all, 900), Duration::from_millis(7));
        assert_eq!(percentile(&all, 500), Duration::from_millis(4));
    }

    #[test]
    fn questions_are_due_evenly_and_without_drift() {
        let schedule = Schedule { per_second: 1_000 };
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_millis(1));
        let thirds = Schedule { per_second: 3 };
        assert_eq!(thirds.due(3_000_000), Duration::from_secs(1_000_000));
    }
}
