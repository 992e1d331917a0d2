//! `ristoro migrate`: brings the tables of all services up to date without starting any.

use anyhow::{Context, Result};
use clap::Args;
use ristoro_log::EventLog;
use ristoro_runtime::config::{connect, load};
use ristoro_runtime::service::Service;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{Columns, Output, print_list};
use crate::verbs::doctor::database::applied;
use crate::verbs::log::unreachable;
use crate::verbs::service::{Given, specs};

const COLUMNS: Columns<'static> = &[
    ("service", "service"),
    ("live schema", "schema"),
    ("migrations", "migrations"),
    ("new", "new"),
];

/// Migrates.
#[derive(Debug, Args)]
#[command(
    after_help = "Safe at any time and as often as one likes: what is up to date stays as it is, and services \
that start meanwhile wait. The log has to be there: ristoro topics apply.

Example:
  ristoro migrate --config ristoro.toml"
)]
pub struct Migrate {
    #[command(flatten)]
    given: Given,
}

impl Migrate {
    /// Migrates one service after the other.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let config = load(&self.given.sources())?;
        let pool = connect(&config).await?;
        let log = EventLog::open(&config.log).await;
        let log = log.map_err(|error| unreachable(&config.log, error))?;
        let mut done: Vec<Value> = Vec::new();
        for spec in specs() {
            let before = applied(&pool, spec.name).await?;
            let migrated = Service::migrate(&spec, (pool.clone(), log.clone())).await;
            let live = migrated.with_context(|| format!("the tables of {}", spec.name))?;
            let all = applied(&pool, spec.name).await?;
            let schema = format!("{}_{live}", spec.name);
            done.push(json!({
                "service": spec.name, "schema": schema, "migrations": all, "new": all - before,
            }));
        }
        print_list(output, &done, COLUMNS)?;
        Ok(Answer::Yes)
    }
}
