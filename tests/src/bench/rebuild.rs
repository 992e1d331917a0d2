//! All tables built again from the log's first record, while people ask the old ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::caller;
use super::load::{COLUMNS, Load, at_rate};
use super::meter::{Meter, Usage};
use super::people::People;
use super::progress::{self, Sample};
use super::report::{Shown, table};
use super::system::{Size, System};
use crate::stack::{Error, SERVICES};

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Rebuild {
    /// What it is run on.
    pub size: Size,
    /// Questions a second meanwhile.
    pub rate: u32,
}

/// What a rebuild came to.
#[derive(Clone, Debug)]
pub struct Report {
    rebuild: Rebuild,
    /// Those who were given something by the one assessment that there was.
    entitlements: u64,
    usage: Usage,
    load: Load,
    samples: Vec<Sample>,
    /// The switch of all services back to the old tables, with the start of the program that asks for it.
    back: Duration,
    /// The questions from before that switch until after it.
    back_load: Load,
}

/// Runs it: a rebuild that is switched to and gone back from, and another one that is compared with it. `say` is told
/// what happens.
///
/// # Errors
/// Where the system fails, an answer is wrong, or tables differ.
pub async fn run(rebuild: &Rebuild, say: impl Fn(&str)) -> Result<Report, Error> {
    say("the services start");
    let mut system = System::start(rebuild.size, 0).await?;
    let subscriptions = rebuild.size.subscriptions;
    say(&format!("{subscriptions} subscriptions are imported"));
    system.import().await?;
    let settled = system.propose().await?;
    system.settle(&settled).await?;
    system.until_folded().await?;
    let people = People::connect(&system.stack, &settled.assessment, subscriptions).await?;
    let people = Arc::new(people);
    say("all tables are built again, and the new ones are switched to");
    let meter = Meter::start(&system.stack.processes());
    let stop = CancellationToken::new();
    let rebuilt = async {
        let rebuilt = verb(&system, &["rebuild", "--all", "--no-compare"]).await;
        stop.cancel();
        rebuilt
    };
    let asked = at_rate(&people, rebuild.rate, Duration::MAX, &stop);
    let looked = progress::samples(&system, Instant::now(), &stop);
    let (load, samples, rebuilt) = tokio::join!(asked, looked, rebuilt);
    let usage = meter.stop(&system.stack.processes());
    let (load, samples, _) = (load?, samples?, rebuilt?);
    say("the old tables are gone back to");
    let stop = CancellationToken::new();
    let asked = at_rate(&people, rebuild.rate, Duration::MAX, &stop);
    let back = async {
        let back = verb(&system, &["back", "--all"]).await;
        stop.cancel();
        back
    };
    let (back_load, back) = tokio::join!(asked, back);
    let (back_load, back) = (back_load?, back?);
    say("they are built once more and compared");
    caller::verb(&system.stack, &["projection", "rebuild", "--all", "--no-switch"]).await?;
    system.stack.stop().await?;
    let entitlements = settled.entitled();
    Ok(Report { rebuild: *rebuild, entitlements, usage, load, samples, back, back_load })
}

/// Runs a verb after which all tables that it is about are live; gives how long it took.
async fn verb(system: &System, arguments: &[&str]) -> Result<Duration, Error> {
    let verb = [&["projection"], arguments].concat();
    let (schemas, client) = caller::verb(&system.stack, &verb).await?;
    let live = |schema: &Value| schema["live"] == json!(true);
    if !schemas.as_array().is_some_and(|all| all.len() == SERVICES.len() && all.iter().all(live)) {
        return Err(format!("not all tables are live: {schemas:#}").into());
    }
    Ok(client.wall)
}

impl Report {
    /// How many questions had no answer.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.load.failures() + self.back_load.failures()
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.usage.wall.as_secs_f64()
    }
}

impl Shown for Report {
    fn value(&self) -> Value {
        let folded = progress::folded_after(&self.samples);
        let folded: BTreeMap<_, _> =
            folded.into_iter().map(|(service, after)| (service, after.as_secs_f64())).collect();
        json!({
            "subscriptions": self.rebuild.size.subscriptions,
            "rate_per_second": self.rebuild.rate,
            "subscriptions_per_second": self.per_second(self.rebuild.size.subscriptions),
            "entitlements": self.entitlements,
            "entitlements_per_second": self.per_second(self.entitlements),
            "measured": self.usage.value(),
            "answered": self.load.value(),
            "folded_after_seconds": folded,
            "progress": self.samples.iter().map(Sample::value).collect::<Vec<_>>(),
            "back_seconds": self.back.as_secs_f64(),
            "answered_while_going_back": self.back_load.value(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let mut rows = self.load.rows("while rebuilding");
        rows.extend(self.back_load.rows("while going back"));
        let mut lines = table(&COLUMNS, &rows);
        lines.push(format!(
            "rebuilt and switched in {:.2} s, {:.2} CPU-s: {}; {:.0} subscriptions and {:.0} entitlements a second; \
             canary {} ms",
            self.usage.wall.as_secs_f64(),
            self.usage.cpu_seconds(),
            self.usage.by_process(),
            self.per_second(self.rebuild.size.subscriptions),
            self.per_second(self.entitlements),
            self.usage.canary().as_millis()
        ));
        for (service, after) in progress::folded_after(&self.samples) {
            lines.push(format!("{service}: folded after {:.2} s", after.as_secs_f64()));
        }
        lines.push(format!("back to the old tables in {:.2} s", self.back.as_secs_f64()));
        let failures = [&self.load, &self.back_load].into_iter().filter_map(Load::first_failure);
        lines.extend(failures.map(|failure| format!("no answer: {failure}")));
        lines
    }
}
