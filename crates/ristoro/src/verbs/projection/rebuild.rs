//! `ristoro projection rebuild`: fresh schemas, progress, a comparison with the live tables, and the switch.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::future::join_all;
use ristoro_proto::ops::v1 as api;
use ristoro_proto::ops::v1::ErrorReason::{self, RebuildInProgress, WrongState};
use ristoro_runtime::status::reason_text;
use serde_json::Value;
use tonic::Status;
use tonic_types::StatusExt;
use uuid::Uuid;

use super::estimate::Estimate;
use super::which::Which;
use super::{client_of, folded_in_all, list, pace, shown, switch};
use crate::Answer;
use crate::call::Sending;
use crate::client::{Caller, Service};
use crate::output::{Columns, Output, line, print_list};
use crate::progress::{Bars, Progress};

/// Builds tables anew.
#[derive(Debug, Args)]
#[command(after_help = "Example: ristoro projection rebuild --all

The live tables go on serving all the while. The comparison reads both as a whole once they stand at the same place of
the log; --no-compare leaves it out where the log never stands still. The old schemas are fed on after the switch:
`ristoro projection back` makes them live again, `ristoro projection drop` removes them.

What builds the tables is the service: interrupting this command leaves it at work. The same command takes it up again,
`ristoro projection pace` slows it down or lets it stand still, and `ristoro projection drop` calls it off.")]
pub struct Rebuild {
    #[command(flatten)]
    which: Which,
    /// Of its time, in percent, that each process spends on the new tables: fewer leave more to everything else
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    pace: u32,
    /// Leaves the live tables live
    #[arg(long)]
    no_switch: bool,
    /// Does not compare the tables with the live ones
    #[arg(long)]
    no_compare: bool,
}

const COLUMNS: Columns<'static> = &[
    ("schema", "name"),
    ("records", "folded"),
    ("was live", "was_live"),
    ("different tables", "different_tables"),
    ("live now", "live"),
];

/// A schema that was built, and what the comparison found, where there was one.
struct Built {
    projection: api::Projection,
    comparison: Option<api::ProjectionComparison>,
}

impl Rebuild {
    /// Starts all rebuilds, follows them together, and switches when every one of them is as it should be.
    pub async fn run(self, caller: &Caller, output: Output) -> Result<Answer> {
        let services = self.which.services(&list(caller).await?)?;
        let mut names = Vec::new();
        for service in &services {
            names.push(start(caller, *service, self.pace).await?);
        }
        let bars = Bars::new();
        let width = names.iter().map(String::len).max().unwrap_or_default();
        let followed = names.iter().map(|name| {
            let progress = bars.add(format!("{name:width$}"));
            follow(caller, name, !self.no_compare, progress)
        });
        let mut built: Vec<Built> = join_all(followed).await.into_iter().collect::<Result<_>>()?;
        drop(bars);
        let equal = |one: &Built| {
            one.comparison.as_ref().is_none_or(|found| found.different_tables.is_empty())
        };
        let good = built.iter().all(equal);
        let mut rows = Vec::new();
        for one in &mut built {
            if good && !self.no_switch {
                make_live(caller, one).await?;
            }
            rows.push(row(output, one));
        }
        print_list(output, &rows, COLUMNS)?;
        if output == Output::Table {
            line(&format!("\n{}", self.conclusion(good)))?;
        }
        Ok(if good { Answer::Yes } else { Answer::No })
    }

    fn conclusion(&self, good: bool) -> &'static str {
        match (good, self.no_switch, self.no_compare) {
            (false, ..) => {
                "Some tables differ from the live ones: nothing was switched. Look at the tables named above; \
                 `ristoro projection switch` takes the new ones, `ristoro projection drop` removes them."
            }
            (true, true, true) => "Built; not compared, not switched.",
            (true, true, false) => "Built and equal to the live tables; not switched.",
            (true, false, true) => {
                "Built and live; not compared. The old ones are fed on until they are dropped."
            }
            (true, false, false) => {
                "Built, equal to the tables that were live, and live now. The old ones are fed on until they are dropped."
            }
        }
    }
}

/// Starts a rebuild at a pace, or takes up the one that is being made.
async fn start(caller: &Caller, service: Service, pace_percent: u32) -> Result<String> {
    let name = format!("projections/{}", service.name());
    let request = api::RebuildProjectionRequest {
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
        name: name.clone(),
    };
    let mut client = client_of(caller, &name)?;
    let built = match client.rebuild_projection(caller.request(request)).await {
        Ok(answer) => answer.into_inner().projection.context("the answer has no schema")?.name,
        Err(status) => match under_way(&status) {
            Some(built) => {
                eprintln!("{built} is being built already: it is taken up");
                built
            }
            None => {
                return Err(status).with_context(|| format!("the rebuild of {name} did not start"));
            }
        },
    };
    match pace(caller, &built, pace_percent, &Sending::fresh()).await {
        // It was complete before it could be taken up.
        Err(error) if error.downcast_ref().is_some_and(|status| has(status, WrongState)) => {}
        paced => drop(paced.with_context(|| format!("the pace of {built}"))?),
    }
    Ok(built)
}

/// Tells whether a refusal has a reason.
fn has(status: &Status, reason: ErrorReason) -> bool {
    status.get_details_error_info().is_some_and(|told| told.reason == reason_text(reason))
}

/// Gives the schema that is being built already, where that is why another was refused.
fn under_way(status: &Status) -> Option<String> {
    let mut told = status.get_details_error_info()?;
    if has(status, RebuildInProgress) { told.metadata.remove("resource") } else { None }
}

/// Follows a schema that is being built until it can be switched to.
pub async fn watch(caller: &Caller, name: &str) -> Result<api::Projection> {
    Ok(follow(caller, name, false, Progress::new(name)).await?.projection)
}

async fn follow(caller: &Caller, name: &str, compare: bool, progress: Progress) -> Result<Built> {
    let request = api::WatchRebuildRequest { name: name.to_owned(), compare };
    let mut client = client_of(caller, name)?;
    let updates = client.watch_rebuild(caller.request(request)).await;
    let mut updates = updates.with_context(|| name.to_owned())?.into_inner();
    let (mut last, mut noted) = (None, false);
    let (begun, mut estimate) = (Instant::now(), Estimate::default());
    while let Some(update) = updates.message().await.with_context(|| name.to_owned())? {
        let Some(projection) = update.projection else { continue };
        let (folded, records) = folded_in_all(&projection);
        progress.at_left(folded, records, estimate.add(begun.elapsed(), &projection));
        if folded == records && projection.state() == api::ProjectionState::CatchingUp && !noted {
            progress.note(if compare { "indexes, then the comparison" } else { "indexes" });
            noted = true;
        }
        if projection.state() == api::ProjectionState::Stopped {
            bail!(
                "{name}: a consumer stands still at a record that it cannot fold: see `ristoro poison list`"
            );
        }
        last = Some(Built { projection, comparison: update.comparison });
    }
    last.with_context(|| format!("{name}: the watch ended without an answer"))
}

/// Switches to a schema, unless another is live by now than the one that it was compared with.
async fn make_live(caller: &Caller, built: &mut Built) -> Result<()> {
    let expected = built.comparison.as_ref().map_or("", |found| found.live.as_str());
    let name = &built.projection.name;
    let switched = switch(caller, name, expected, &Sending::fresh()).await;
    let switched = switched.with_context(|| format!("the switch to {name}"))?;
    built.projection = switched.context("the answer has no schema")?;
    Ok(())
}

fn row(output: Output, built: &Built) -> Value {
    let mut row = shown(output, &built.projection);
    let Some(found) = &built.comparison else {
        row["was_live"] = Value::Null;
        row["different_tables"] = Value::Null;
        return row;
    };
    row["was_live"] = found.live.as_str().into();
    row["different_tables"] = match found.different_tables.as_slice() {
        [] if output == Output::Table => "none".into(),
        tables => tables.into(),
    };
    row
}
