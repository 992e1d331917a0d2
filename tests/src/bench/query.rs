//! Point queries by gRPC: idle, at a rate, at the rate while an outage is settled, and as many as can be answered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::load::{COLUMNS, Load, at_rate, closed};
use super::meter::{Meter, Usage};
use super::people::People;
use super::report::{Shown, table};
use super::system::{Size, System};
use crate::stack::Error;

/// How long connections and caches are warmed.
const WARMING: Duration = Duration::from_secs(1);
/// More outages than this are not settled to fill the time: small ones are over at once.
const OUTAGES: u32 = 5;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Queries {
    /// What it is run on.
    pub size: Size,
    /// Questions a second of the open loops.
    pub rate: u32,
    /// How long each open loop goes on; the closed ones take a third of it.
    pub time: Duration,
    /// Callers of the last, closed loop.
    pub callers: usize,
}

/// One leg.
#[derive(Clone, Debug)]
pub struct Leg {
    name: &'static str,
    load: Load,
    usages: Vec<Usage>,
}

/// What queries came to.
#[derive(Clone, Debug)]
pub struct Report {
    queries: Queries,
    legs: Vec<Leg>,
}

/// Runs it. `say` is told what happens.
///
/// # Errors
/// Where the system fails, or an answer is wrong.
pub async fn run(queries: &Queries, say: impl Fn(&str)) -> Result<Report, Error> {
    say("the services start");
    let mut system = System::start(queries.size, 0).await?;
    say(&format!("{} subscriptions are imported", queries.size.subscriptions));
    system.import().await?;
    let settled = system.propose().await?;
    system.settle(&settled).await?;
    let subscriptions = queries.size.subscriptions;
    let people = People::connect(&system.stack, &settled.assessment, subscriptions).await?;
    let people = Arc::new(people);
    closed(&people, 4, WARMING).await?;
    let mut legs = Vec::new();
    for name in ["idle", "at the rate", "at the rate, settling", "saturated"] {
        let leg = match name {
            "at the rate, settling" => settling(&mut system, queries, &people, name).await?,
            _ => quiet(&system, queries, &people, name).await?,
        };
        say(&format!("{name}: {:.0} answers a second", leg.load.per_second()));
        legs.push(leg);
    }
    system.stack.stop().await?;
    Ok(Report { queries: *queries, legs })
}

/// A leg during which nothing else goes on.
async fn quiet(
    system: &System,
    queries: &Queries,
    people: &Arc<People>,
    name: &'static str,
) -> Result<Leg, Error> {
    let meter = Meter::start(&system.stack.processes());
    let load = match name {
        "idle" => closed(people, 1, queries.time / 3).await?,
        "at the rate" => {
            at_rate(people, queries.rate, queries.time, &CancellationToken::new()).await?
        }
        _ => closed(people, queries.callers, queries.time / 3).await?,
    };
    Ok(Leg { name, load, usages: vec![meter.stop(&system.stack.processes())] })
}

/// Queries from the approval of other outages to their last rows; what comes before an approval is not counted.
async fn settling(
    system: &mut System,
    queries: &Queries,
    people: &Arc<People>,
    name: &'static str,
) -> Result<Leg, Error> {
    let (mut load, mut usages) = (Load::default(), Vec::new());
    while load.wall < queries.time && (usages.len() as u32) < OUTAGES {
        let proposed = system.propose().await?;
        let stop = CancellationToken::new();
        let meter = Meter::start(&system.stack.processes());
        let asked = async { at_rate(people, queries.rate, Duration::MAX, &stop).await };
        let settled = async {
            let settled = system.settle(&proposed).await;
            stop.cancel();
            settled
        };
        let (asked, settled) = tokio::join!(asked, settled);
        settled?;
        load.add(asked?);
        usages.push(meter.stop(&system.stack.processes()));
    }
    Ok(Leg { name, load, usages })
}

impl Report {
    /// How many questions had no answer, in all legs.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.legs.iter().map(|leg| leg.load.failures()).sum()
    }
}

impl Leg {
    fn value(&self) -> Value {
        json!({
            "leg": self.name,
            "answered": self.load.value(),
            "measured": self.usages.iter().map(Usage::value).collect::<Vec<_>>(),
        })
    }

    fn line(&self) -> String {
        let cpu: f64 = self.usages.iter().map(Usage::cpu_seconds).sum();
        let canaries = self.usages.iter().map(Usage::canary).max().unwrap_or_default();
        let answers = self.load.latencies(None).count;
        format!(
            "{}: {:.0} answers a second over {:.2} s; {:.0} CPU-us of services and servers an answer; sent late by {:.2} \
             ms at most; canary {} ms",
            self.name,
            self.load.per_second(),
            self.load.wall.as_secs_f64(),
            cpu * 1e6 / answers.max(1) as f64,
            self.load.late.as_secs_f64() * 1e3,
            canaries.as_millis()
        )
    }
}

impl Shown for Report {
    fn value(&self) -> Value {
        json!({
            "subscriptions": self.queries.size.subscriptions,
            "rate_per_second": self.queries.rate,
            "callers": self.queries.callers,
            "errors": self.failures(),
            "legs": self.legs.iter().map(Leg::value).collect::<Vec<_>>(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let rows: Vec<_> = self.legs.iter().flat_map(|leg| leg.load.rows(leg.name)).collect();
        let mut lines = table(&COLUMNS, &rows);
        lines.extend(self.legs.iter().map(Leg::line));
        let failed = self.legs.iter().filter_map(|leg| leg.load.first_failure());
        lines.extend(failed.map(|failure| format!("no answer: {failure}")));
        lines
    }
}
