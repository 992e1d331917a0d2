//! All tables built again from the log's first record, while people ask the old ones.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::caller;
use super::load::{COLUMNS, Load, at_rate};
use super::meter::{Meter, Usage};
use super::people::People;
use super::report::{Shown, table};
use super::system::{Size, System};
use crate::stack::Error;

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
    usage: Usage,
    load: Load,
}

/// Runs it: a rebuild that is switched to, and another one that is compared with it. `say` is told what happens.
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
    let asked = at_rate(&people, rebuild.rate, Duration::MAX, &stop);
    let rebuilt = async {
        let verb = ["projection", "rebuild", "--all", "--no-compare"];
        let rebuilt = caller::verb(&system.stack, &verb).await;
        stop.cancel();
        rebuilt
    };
    let (load, rebuilt) = tokio::join!(asked, rebuilt);
    let usage = meter.stop(&system.stack.processes());
    let (load, (schemas, _)) = (load?, rebuilt?);
    let live = |schema: &Value| schema["live"] == json!(true);
    if !schemas.as_array().is_some_and(|all| all.len() == 4 && all.iter().all(live)) {
        return Err(format!("not all rebuilt tables are live: {schemas:#}").into());
    }
    say("they are built once more and compared");
    caller::verb(&system.stack, &["projection", "rebuild", "--all", "--no-switch"]).await?;
    system.stack.stop().await?;
    Ok(Report { rebuild: *rebuild, usage, load })
}

impl Report {
    /// How many questions had no answer.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.load.failures()
    }

    fn per_second(&self) -> f64 {
        self.rebuild.size.subscriptions as f64 / self.usage.wall.as_secs_f64()
    }
}

impl Shown for Report {
    fn value(&self) -> Value {
        json!({
            "subscriptions": self.rebuild.size.subscriptions,
            "rate_per_second": self.rebuild.rate,
            "subscriptions_per_second": self.per_second(),
            "measured": self.usage.value(),
            "answered": self.load.value(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = table(&COLUMNS, &self.load.rows("while rebuilding"));
        lines.push(format!(
            "rebuilt and switched in {:.2} s, {:.2} CPU-s: {}; {:.0} subscriptions a second; canary {} ms",
            self.usage.wall.as_secs_f64(),
            self.usage.cpu_seconds(),
            self.usage.by_process(),
            self.per_second(),
            self.usage.canary().as_millis()
        ));
        lines.extend(self.load.first_failure().map(|failure| format!("no answer: {failure}")));
        lines
    }
}
