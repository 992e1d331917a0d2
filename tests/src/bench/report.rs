//! What was measured, leg by leg, and what it comes to: medians of the ratios of pairs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::scripts::Script;

/// Who ran.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// The services.
    Ristoro,
    /// A script of SQL.
    Script(Script),
}

/// One leg.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Leg {
    /// From the start to the last row.
    pub wall: Duration,
    /// CPU-seconds by process.
    pub cpu: BTreeMap<&'static str, f64>,
    /// The most memory of each process, in MiB.
    pub peaks: BTreeMap<&'static str, u64>,
    /// From the start to the first payout that a query finds.
    pub first: Duration,
    /// The simulation before it.
    pub simulated: Duration,
    /// What came to the log, in bytes on disk.
    pub log_bytes: u64,
    /// How long a fixed piece of work took just before.
    pub canary: Duration,
}

/// Everything that was measured.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// The import of the roster.
    pub import: Leg,
    /// Pair, side and leg, in the order in which they ran.
    pub legs: Vec<(u32, Side, Leg)>,
}

impl Side {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Ristoro => "ristoro",
            Side::Script(script) => script.name(),
        }
    }
}

impl Leg {
    /// CPU-seconds of all processes.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.cpu.values().sum()
    }

    /// Tells of it in a line.
    #[must_use]
    pub fn line(&self, side: Side, accounts: u64) -> String {
        let parts: Vec<String> =
            self.cpu.iter().map(|(name, seconds)| format!("{name} {seconds:.2}")).collect();
        let mut line = format!(
            "{}: {:.2} s, {:.2} CPU-s ({:.2} us an account): {}",
            side.name(),
            self.wall.as_secs_f64(),
            self.cpu_seconds(),
            self.cpu_seconds() * 1e6 / accounts as f64,
            parts.join(", ")
        );
        if !self.first.is_zero() {
            line.push_str(&format!(
                "; first payout after {} ms, simulated in {:.2} s",
                self.first.as_millis(),
                self.simulated.as_secs_f64()
            ));
        }
        if self.log_bytes > 0 {
            let each = self.log_bytes as f64 / accounts as f64;
            line.push_str(&format!("; {each:.1} bytes of log an account"));
        }
        if !self.peaks.is_empty() {
            let peaks: Vec<String> =
                self.peaks.iter().map(|(name, mebibytes)| format!("{name} {mebibytes}")).collect();
            line.push_str(&format!("; MiB at most: {}", peaks.join(", ")));
        }
        if !self.canary.is_zero() {
            line.push_str(&format!("; canary {} ms", self.canary.as_millis()));
        }
        line
    }

    fn value(&self) -> Value {
        json!({
            "wall_seconds": self.wall.as_secs_f64(),
            "cpu_seconds": self.cpu_seconds(),
            "cpu_seconds_by_process": self.cpu,
            "peak_mebibytes": self.peaks,
            "first_payout_seconds": self.first.as_secs_f64(),
            "simulation_seconds": self.simulated.as_secs_f64(),
            "log_bytes": self.log_bytes,
            "canary_seconds": self.canary.as_secs_f64(),
        })
    }
}

/// The middle, the least and the most of some ratios.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The middle one; the lower of two.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// Gives the spread of numbers; none of none.
#[must_use]
pub fn spread(mut numbers: Vec<f64>) -> Option<Spread> {
    numbers.sort_by(f64::total_cmp);
    let median = *numbers.get(numbers.len().checked_sub(1)? / 2)?;
    Some(Spread { median, least: *numbers.first()?, most: *numbers.last()? })
}

impl Report {
    /// Gives the ratios of ristoro's legs to a script's, pair by pair.
    #[must_use]
    pub fn ratios(&self, script: Script, of: fn(&Leg) -> f64) -> Option<Spread> {
        let find = |pair: u32, side: Side| {
            let leg = self.legs.iter().find(|(at, by, _)| (*at, *by) == (pair, side));
            leg.map(|(_, _, leg)| of(leg))
        };
        let pairs = self.legs.iter().map(|(pair, _, _)| *pair).max()? + 1;
        let ratio = |pair| Some(find(pair, Side::Ristoro)? / find(pair, Side::Script(script))?);
        spread((0..pairs).filter_map(ratio).collect())
    }

    /// Writes the closing lines.
    #[must_use]
    pub fn lines(&self, accounts: u64) -> Vec<String> {
        let own = self.legs.iter().filter(|(_, side, _)| *side == Side::Ristoro);
        let each = own.map(|(_, _, leg)| leg.cpu_seconds() * 1e6 / accounts as f64).collect();
        let mut lines = Vec::new();
        if let Some(Spread { median, least, most }) = spread(each) {
            lines.push(format!("CPU an account: {median:.2} us ({least:.2} to {most:.2})"));
        }
        for script in Script::ALL {
            let measures: [(&str, fn(&Leg) -> f64); 2] =
                [("CPU", Leg::cpu_seconds), ("wall", |leg| leg.wall.as_secs_f64())];
            for (name, of) in measures {
                if let Some(Spread { median, least, most }) = self.ratios(script, of) {
                    lines.push(format!(
                        "{name} as a ratio to {}: {median:.3} ({least:.3} to {most:.3})",
                        script.name()
                    ));
                }
            }
        }
        lines
    }

    /// Makes the JSON.
    #[must_use]
    pub fn value(&self, subscriptions: u64) -> Value {
        let spread = |found: Option<Spread>| {
            found
                .map(|found| json!({"median": found.median, "min": found.least, "max": found.most}))
        };
        let ratio = |script: &Script| {
            json!({
                "script": script.name(),
                "cpu": spread(self.ratios(*script, Leg::cpu_seconds)),
                "wall": spread(self.ratios(*script, |leg| leg.wall.as_secs_f64())),
            })
        };
        let leg = |(pair, side, leg): &(u32, Side, Leg)| json!({"pair": pair + 1, "side": side.name(), "measured": leg.value()});
        json!({
            "subscriptions": subscriptions,
            "import": self.import.value(),
            "legs": self.legs.iter().map(leg).collect::<Vec<_>>(),
            "ratios": Script::ALL.iter().map(ratio).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_legs_of_the_same_pair() {
        let leg = |seconds| Leg { wall: Duration::from_secs(seconds), ..Leg::default() };
        let legs = vec![
            (0, Side::Ristoro, leg(1)),
            (0, Side::Script(Script::S2), leg(4)),
            (1, Side::Script(Script::S2), leg(2)),
            (1, Side::Ristoro, leg(3)),
            (2, Side::Ristoro, leg(1)),
            (2, Side::Script(Script::S2), leg(1)),
        ];
        let report = Report { legs, ..Report::default() };
        let spread = report.ratios(Script::S2, |leg| leg.wall.as_secs_f64()).unwrap();
        assert_eq!((spread.least, spread.median, spread.most), (0.25, 1.0, 1.5));
        assert_eq!(report.ratios(Script::S1, Leg::cpu_seconds), None);
    }
}
