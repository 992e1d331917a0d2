//! A service that was away while an outage was settled, and then answers all of it.

use std::time::{Duration, Instant};

use ristoro_log::Topic;
use serde_json::{Value, json};

use super::meter::{Meter, Usage};
use super::report::{Shown, table};
use super::system::{Size, System};
use crate::stack::Error;

/// The services that follow the decisions; each is away once.
const AWAY: [&str; 2] = ["payout", "notifier"];
/// What both of them read to make what follows from decisions.
const READ: [Topic; 2] = [Topic::Settlement, Topic::Entitlement];

/// One service's turn.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The service.
    pub service: &'static str,
    /// The records that it had missed.
    pub records: u64,
    /// From its start until it was ready.
    pub ready: Duration,
    /// From its start until everything was released.
    pub usage: Usage,
}

/// What catching up came to.
#[derive(Clone, Debug)]
pub struct Report {
    subscriptions: u64,
    /// In the order in which they ran.
    pub turns: Vec<Turn>,
}

/// Runs it. `say` is told what happens.
///
/// # Errors
/// Where the system fails.
pub async fn run(size: Size, say: impl Fn(&str)) -> Result<Report, Error> {
    say("the services start");
    let mut system = System::start(size, 0).await?;
    say(&format!("{} subscriptions are imported", size.subscriptions));
    system.import().await?;
    let mut report = Report { subscriptions: size.subscriptions, turns: Vec::new() };
    for service in AWAY {
        let turn = turn(&mut system, service).await?;
        say(&report.line(&turn));
        report.turns.push(turn);
    }
    system.stack.stop().await?;
    Ok(report)
}

/// Settles an outage without a service, all but what it does, and starts it.
async fn turn(system: &mut System, service: &'static str) -> Result<Turn, Error> {
    let proposed = system.propose().await?;
    system.until_folded().await?;
    system.stack.end(service).await?;
    let before = to_read(system).await?;
    system.approve(&proposed).await?;
    system.until_decided(&proposed).await?;
    for other in AWAY.into_iter().filter(|other| *other != service) {
        system.until_released(&proposed, other).await?;
    }
    let records = to_read(system).await? - before;
    let meter = Meter::start(&system.stack.processes());
    let begun = Instant::now();
    system.stack.start_again(service).await?;
    let ready = begun.elapsed();
    system.until_settled(&proposed, begun).await?;
    let usage = meter.stop(&system.stack.processes());
    Ok(Turn { service, records, ready, usage })
}

async fn to_read(system: &System) -> Result<u64, Error> {
    let ends = system.stack.ends().await?;
    let read = ends.iter().filter(|end| READ.contains(&end.topic));
    Ok(read.map(|end| end.offset).sum())
}

impl Report {
    fn people_per_second(&self, turn: &Turn) -> f64 {
        self.subscriptions as f64 / turn.usage.wall.as_secs_f64()
    }

    fn line(&self, turn: &Turn) -> String {
        format!(
            "{}: {} records in {:.2} s, {:.2} CPU-s: {}; {:.0} people a second; canary {} ms",
            turn.service,
            turn.records,
            turn.usage.wall.as_secs_f64(),
            turn.usage.cpu_seconds(),
            turn.usage.by_process(),
            self.people_per_second(turn),
            turn.usage.canary().as_millis()
        )
    }
}

impl Turn {
    fn records_per_second(&self) -> f64 {
        self.records as f64 / self.usage.wall.as_secs_f64()
    }
}

impl Shown for Report {
    fn value(&self) -> Value {
        let turn = |turn: &Turn| {
            json!({
                "service": turn.service,
                "records": turn.records,
                "records_per_second": turn.records_per_second(),
                "people_per_second": self.people_per_second(turn),
                "ready_seconds": turn.ready.as_secs_f64(),
                "measured": turn.usage.value(),
            })
        };
        json!({
            "subscriptions": self.subscriptions,
            "turns": self.turns.iter().map(turn).collect::<Vec<_>>(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let row = |turn: &Turn| {
            vec![
                turn.service.to_owned(),
                format!("{:.2}", turn.usage.wall.as_secs_f64()),
                format!("{:.2}", turn.ready.as_secs_f64()),
                turn.records.to_string(),
                format!("{:.0}", turn.records_per_second()),
                format!("{:.0}", self.people_per_second(turn)),
                format!("{:.2}", turn.usage.cpu_seconds()),
            ]
        };
        let columns =
            ["away", "seconds", "until ready", "records", "records/s", "people/s", "CPU-s"];
        let mut lines = table(&columns, &self.turns.iter().map(row).collect::<Vec<_>>());
        lines.extend(self.turns.iter().map(|turn| self.line(turn)));
        lines
    }
}
