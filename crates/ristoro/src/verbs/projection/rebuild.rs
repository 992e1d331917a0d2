//! `ristoro projection rebuild`: fresh schemas, progress, a comparison with the live tables, and the switch.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use futures::future::join_all;
use ristoro_proto::ops::v1 as api;
use serde_json::Value;
use uuid::Uuid;

use super::{client_of, folded, list, shown, switch};
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
`ristoro projection switch` goes back, `ristoro projection drop` removes them.")]
pub struct Rebuild {
    /// The tables of all services behind --endpoint
    #[arg(long, required_unless_present = "service", conflicts_with = "service")]
    all: bool,
    /// The tables of one service; may be repeated
    #[arg(long)]
    service: Vec<Service>,
    /// Leaves the live tables live
    #[arg(long)]
    no_switch: bool,
    /// Does not compare the tables with the live ones
    #[arg(long)]
    no_compare: bool,
}

impl ValueEnum for Service {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
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
        let services = self.services(caller).await?;
        let mut names = Vec::new();
        for service in &services {
            names.push(start(caller, *service).await?);
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

    /// Gives the services that are meant, and makes sure that each of them answers before any rebuild starts.
    async fn services(&self, caller: &Caller) -> Result<Vec<Service>> {
        let listed = list(caller).await?;
        let there = |service: &Service| {
            let prefix = format!("projections/{}/", service.name());
            listed.iter().any(|one| one.name.starts_with(&prefix))
        };
        let wanted = if self.all { Service::ALL.to_vec() } else { self.service.clone() };
        for service in &wanted {
            if !there(service) && !self.all {
                bail!("nobody behind --endpoint serves the {} service", service.name());
            }
        }
        let found: Vec<Service> = wanted.into_iter().filter(there).collect();
        if found.is_empty() {
            bail!("nobody behind --endpoint serves a service with tables");
        }
        Ok(found)
    }
}

async fn start(caller: &Caller, service: Service) -> Result<String> {
    let name = format!("projections/{}", service.name());
    let request = api::RebuildProjectionRequest {
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
        name: name.clone(),
    };
    let mut client = client_of(caller, &name)?;
    let answer = client.rebuild_projection(caller.request(request)).await;
    let answer = answer.with_context(|| format!("the rebuild of {name} did not start"))?;
    let projection = answer.into_inner().projection;
    Ok(projection.context("the answer has no schema")?.name)
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
    while let Some(update) = updates.message().await.with_context(|| name.to_owned())? {
        let Some(projection) = update.projection else { continue };
        let (folded, records) = folded(&projection);
        progress.at(folded, records);
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
