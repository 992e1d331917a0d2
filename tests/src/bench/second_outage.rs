//! A small outage that is settled in the middle of a large settlement, and the same one when nothing else goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::caller::Hit;
use super::meter::{Meter, Usage};
use super::report::{Shown, spread, table};
use super::system::{Size, Stage, System};
use crate::stack::Error;

/// How often it is looked whether the large one has begun to pay.
const LOOK: Duration = Duration::from_millis(5);

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Second {
    /// What it is run on.
    pub size: Size,
    /// Pairs: once idle, once in the middle.
    pub pairs: u32,
}

/// The small outage, settled once.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    /// People who were given something.
    pub entitled: u64,
    /// From its declaration until everything was released.
    pub whole: Duration,
    /// Its simulation, which is within that.
    pub simulated: Duration,
}

/// The small outage idle and in the middle of the large one.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Nothing else going on.
    pub idle: Small,
    /// In the middle.
    pub during: Small,
    /// Whether the large one was not yet settled when the small one was.
    pub large_went_on: bool,
    /// From the approval of the large one until both were settled.
    pub usage: Usage,
}

/// What it came to.
#[derive(Clone, Debug)]
pub struct Report {
    subscriptions: u64,
    /// In the order in which they ran.
    pub pairs: Vec<Pair>,
}

/// Runs it. `say` is told what happens.
///
/// # Errors
/// Where the system fails.
pub async fn run(second: &Second, say: impl Fn(&str)) -> Result<Report, Error> {
    say("the services start");
    let mut system = System::start(second.size, 0).await?;
    let subscriptions = second.size.subscriptions;
    say(&format!("{subscriptions} subscriptions are imported"));
    system.import().await?;
    // What the first one of all pays for once is in none of the pairs.
    small(&mut system).await?;
    let mut report = Report { subscriptions, pairs: Vec::new() };
    for _ in 0..second.pairs {
        let pair = pair(&mut system).await?;
        say(&pair.line());
        report.pairs.push(pair);
    }
    system.stack.stop().await?;
    Ok(report)
}

async fn pair(system: &mut System) -> Result<Pair, Error> {
    let large = system.propose().await?;
    let idle = small(system).await?;
    let meter = Meter::start(&system.stack.processes());
    let begun = Instant::now();
    system.approve(&large).await?;
    while system.stage(&large).await? == Stage::Waiting {
        tokio::time::sleep(LOOK).await;
    }
    let during = small(system).await?;
    let large_went_on = system.stage(&large).await? != Stage::Settled;
    system.until_settled(&large, begun).await?;
    let usage = meter.stop(&system.stack.processes());
    Ok(Pair { idle, during, large_went_on, usage })
}

/// Declares a small outage and settles it.
async fn small(system: &mut System) -> Result<Small, Error> {
    let begun = Instant::now();
    let proposed = system.propose_for(Hit::Few).await?;
    system.settle(&proposed).await?;
    let (whole, simulated) = (begun.elapsed(), proposed.simulated);
    Ok(Small { entitled: proposed.entitled(), whole, simulated })
}

impl Pair {
    /// How much longer the small one took in the middle, in seconds.
    fn held_up(&self) -> f64 {
        self.during.whole.as_secs_f64() - self.idle.whole.as_secs_f64()
    }

    fn line(&self) -> String {
        format!(
            "{} people: {:.2} s idle, {:.2} s in the middle ({:+.2} s), {}; canary {} ms",
            self.during.entitled,
            self.idle.whole.as_secs_f64(),
            self.during.whole.as_secs_f64(),
            self.held_up(),
            if self.large_went_on { "before the large one" } else { "after the large one" },
            self.usage.canary().as_millis()
        )
    }

    fn value(&self) -> Value {
        let small = |small: &Small| {
            json!({
                "entitled": small.entitled,
                "wall_seconds": small.whole.as_secs_f64(),
                "simulation_seconds": small.simulated.as_secs_f64(),
            })
        };
        json!({
            "idle": small(&self.idle),
            "during": small(&self.during),
            "held_up_seconds": self.held_up(),
            "large_went_on": self.large_went_on,
            "measured": self.usage.value(),
        })
    }
}

impl Shown for Report {
    fn value(&self) -> Value {
        let held_up = spread(self.pairs.iter().map(Pair::held_up).collect());
        json!({
            "subscriptions": self.subscriptions,
            "held_up_seconds": held_up.map(|found| {
                json!({"median": found.median, "min": found.least, "max": found.most})
            }),
            "pairs": self.pairs.iter().map(Pair::value).collect::<Vec<_>>(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let seconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
        let row = |pair: &Pair| {
            vec![
                pair.during.entitled.to_string(),
                seconds(pair.idle.whole),
                seconds(pair.during.whole),
                seconds(pair.during.simulated),
                format!("{:+.2}", pair.held_up()),
                if pair.large_went_on { "yes" } else { "no" }.to_owned(),
                seconds(pair.usage.wall),
            ]
        };
        let columns = [
            "people",
            "idle s",
            "in the middle s",
            "of it simulation s",
            "held up s",
            "large went on",
            "both s",
        ];
        let mut lines = table(&columns, &self.pairs.iter().map(row).collect::<Vec<_>>());
        let held_up = spread(self.pairs.iter().map(Pair::held_up).collect());
        lines.extend(held_up.map(|found| {
            format!("held up by {:.2} s ({:.2} to {:.2})", found.median, found.least, found.most)
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_how_much_longer_the_small_one_took() {
        let small = |ms| Small {
            entitled: 300,
            whole: Duration::from_millis(ms),
            simulated: Duration::from_millis(100),
        };
        let pair = |idle, during| Pair {
            idle: small(idle),
            during: small(during),
            large_went_on: true,
            usage: Usage::default(),
        };
        let pairs = vec![pair(500, 2_500), pair(500, 1_000), pair(500, 750)];
        let value = Report { subscriptions: 9, pairs }.value();
        assert_eq!(value["held_up_seconds"], json!({"median": 0.5, "min": 0.25, "max": 2.0}));
    }
}
