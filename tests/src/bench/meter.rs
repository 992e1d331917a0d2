//! What a piece of work took: wall time, CPU-seconds and memory of all processes, with a canary on either side.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cpu;

/// Steps of the canary: a fifth of a second in a release build, and not much longer in one for debugging.
const STEPS: u64 = if cfg!(debug_assertions) { 5_000_000 } else { 200_000_000 };

/// What a piece of work took.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Usage {
    /// From its start to its end.
    pub wall: Duration,
    /// CPU-seconds by process.
    pub cpu: BTreeMap<&'static str, f64>,
    /// The most memory of each process, in MiB.
    pub peaks: BTreeMap<&'static str, u64>,
    /// How long a fixed piece of work took just before and just after.
    pub canaries: [Duration; 2],
}

/// A measurement that is under way.
#[derive(Debug)]
pub struct Meter {
    canary: Duration,
    before: BTreeMap<&'static str, f64>,
    begun: Instant,
}

impl Meter {
    /// Begins to measure.
    #[must_use]
    pub fn start(processes: &BTreeMap<&'static str, u32>) -> Self {
        let canary = canary();
        cpu::forget_peaks(processes);
        Self { canary, before: cpu::seconds(processes), begun: Instant::now() }
    }

    /// Tells how long it has been measuring.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends the measurement; processes that were not there at its start count from theirs.
    #[must_use]
    pub fn stop(self, processes: &BTreeMap<&'static str, u32>) -> Usage {
        let wall = self.begun.elapsed();
        let cpu = used(&self.before, &cpu::seconds(processes));
        Usage { wall, cpu, peaks: cpu::peaks(processes), canaries: [self.canary, canary()] }
    }
}

impl Usage {
    /// CPU-seconds of all processes.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.cpu.values().sum()
    }

    /// The longer of the two canaries.
    #[must_use]
    pub fn canary(&self) -> Duration {
        self.canaries[0].max(self.canaries[1])
    }

    /// Writes CPU-seconds by process.
    #[must_use]
    pub fn by_process(&self) -> String {
        let parts = self.cpu.iter().map(|(name, seconds)| format!("{name} {seconds:.2}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Writes the most memory of each process, in MiB.
    #[must_use]
    pub fn memory(&self) -> String {
        let parts = self.peaks.iter().map(|(name, mebibytes)| format!("{name} {mebibytes}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Makes the JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({
            "wall_seconds": self.wall.as_secs_f64(),
            "cpu_seconds": self.cpu_seconds(),
            "cpu_seconds_by_process": self.cpu,
            "peak_mebibytes": self.peaks,
            "canary_seconds": self.canaries.map(|canary| canary.as_secs_f64()),
        })
    }
}

fn used(
    before: &BTreeMap<&'static str, f64>,
    after: &BTreeMap<&'static str, f64>,
) -> BTreeMap<&'static str, f64> {
    after.iter().map(|(name, after)| (*name, after - before.get(name).unwrap_or(&0.0))).collect()
}

/// How long a fixed piece of work takes: longer where the machine is busy with other things.
fn canary() -> Duration {
    let begun = Instant::now();
    let mixed = (0..STEPS).fold(1_u64, |mixed, step| mixed.wrapping_mul(step | 1) ^ step);
    std::hint::black_box(mixed);
    begun.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_counts_from_where_it_stood_or_from_its_own_start() {
        let before = BTreeMap::from([("payout", 3.0)]);
        let after = BTreeMap::from([("payout", 4.5), ("notifier", 0.5)]);
        let usage = Usage { cpu: used(&before, &after), ..Usage::default() };
        assert_eq!(usage.cpu, BTreeMap::from([("payout", 1.5), ("notifier", 0.5)]));
        assert_eq!(usage.cpu_seconds(), 2.0);
    }

    #[test]
    fn the_worse_canary_counts() {
        let canaries = [Duration::from_millis(3), Duration::from_millis(5)];
        let usage = Usage { canaries, ..Usage::default() };
        assert_eq!(usage.canary(), Duration::from_millis(5));
    }
}
