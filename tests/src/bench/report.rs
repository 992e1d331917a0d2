//! What was measured, leg by leg, and what it comes to: medians of the ratios of pairs.

use std::time::Duration;

use serde_json::{Value, json};

use super::import::Imported;
use super::meter::Usage;
use super::scripts::Script;

/// What is compared of two legs.
type Measure = (&'static str, fn(&Leg) -> f64);

const MEASURES: [Measure; 2] =
    [("cpu", |leg| leg.usage.cpu_seconds()), ("wall", |leg| leg.usage.wall.as_secs_f64())];

/// Who ran.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// The services.
    Ristoro,
    /// A script of SQL.
    Script(Script),
}

/// What a measurement came to, in the forms in which it is printed.
pub trait Shown {
    /// Makes the one JSON object.
    fn value(&self) -> Value;
    /// Writes the lines for people.
    fn lines(&self) -> Vec<String>;
}

/// Writes a table: the first column to the left, figures to the right.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let header = header.iter().map(|&cell| cell.to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&header).chain(rows).collect();
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

/// One leg of the race.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Leg {
    /// From the start to the last row.
    pub usage: Usage,
    /// From the start to the first payout that a query finds.
    pub first: Duration,
    /// The simulation before it.
    pub simulated: Duration,
    /// What came to the log, in bytes on disk.
    pub log_bytes: u64,
}

/// Everything that a race came to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// How many subscriptions.
    pub subscriptions: u64,
    /// The import of the roster.
    pub import: Imported,
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
    /// Tells of it in a line.
    #[must_use]
    pub fn line(&self, side: Side, accounts: u64) -> String {
        let usage = &self.usage;
        let mut line = format!(
            "{}: {:.2} s, {:.2} CPU-s ({:.2} us an account): {}",
            side.name(),
            usage.wall.as_secs_f64(),
            usage.cpu_seconds(),
            usage.cpu_seconds() * 1e6 / accounts as f64,
            usage.by_process()
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
        line.push_str(&format!(
            "; MiB at most: {}; canary {} ms",
            usage.memory(),
            usage.canary().as_millis()
        ));
        line
    }

    fn value(&self) -> Value {
        let mut value = self.usage.value();
        value["first_payout_seconds"] = self.first.as_secs_f64().into();
        value["simulation_seconds"] = self.simulated.as_secs_f64().into();
        value["log_bytes"] = self.log_bytes.into();
        value
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
}

impl Shown for Report {
    fn lines(&self) -> Vec<String> {
        let own = self.legs.iter().filter(|(_, side, _)| *side == Side::Ristoro);
        let each = |leg: &Leg| leg.usage.cpu_seconds() * 1e6 / self.subscriptions as f64;
        let mut lines = Vec::new();
        if let Some(Spread { median, least, most }) =
            spread(own.map(|(_, _, leg)| each(leg)).collect())
        {
            lines.push(format!("CPU an account: {median:.2} us ({least:.2} to {most:.2})"));
        }
        for script in Script::ALL {
            for (name, of) in MEASURES {
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

    fn value(&self) -> Value {
        let spread = |found: Option<Spread>| {
            found
                .map(|found| json!({"median": found.median, "min": found.least, "max": found.most}))
        };
        let ratio = |script: &Script| {
            let mut ratio = json!({"script": script.name()});
            for (name, of) in MEASURES {
                ratio[name] = spread(self.ratios(*script, of)).into();
            }
            ratio
        };
        let leg = |(pair, side, leg): &(u32, Side, Leg)| json!({"pair": pair + 1, "side": side.name(), "measured": leg.value()});
        json!({
            "subscriptions": self.subscriptions,
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
        let leg = |seconds| {
            let usage = Usage { wall: Duration::from_secs(seconds), ..Usage::default() };
            Leg { usage, ..Leg::default() }
        };
        let legs = vec![
            (0, Side::Ristoro, leg(1)),
            (0, Side::Script(Script::S2), leg(4)),
            (1, Side::Script(Script::S2), leg(2)),
            (1, Side::Ristoro, leg(3)),
            (2, Side::Ristoro, leg(1)),
            (2, Side::Script(Script::S2), leg(1)),
        ];
        let report = Report { legs, ..Report::default() };
        let spread = report.ratios(Script::S2, |leg| leg.usage.wall.as_secs_f64()).unwrap();
        assert_eq!((spread.least, spread.median, spread.most), (0.25, 1.0, 1.5));
        assert_eq!(report.ratios(Script::S1, |leg| leg.usage.cpu_seconds()), None);
    }

    #[test]
    fn figures_of_a_table_stand_to_the_right() {
        let rows =
            [vec!["idle".to_owned(), "7".to_owned()], vec!["loaded".to_owned(), "11".to_owned()]];
        assert_eq!(table(&["leg", "ms"], &rows), ["leg     ms", "idle     7", "loaded  11"]);
    }
}
