//! What a database remembers: whether its tables fit this program, and whether they were folded from this log.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_log::{EventLog, Position, Topic};
use ristoro_runtime::schema::own_migrations;
use ristoro_runtime::service::ServiceSpec;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

use super::Finding;
use super::checks::unanswered;
use super::database::{Ran, live, ran, reading, standing_still};
use crate::verbs::service::specs;

/// Looks at the tables of all services.
pub async fn all(pool: &PgPool, log: Option<&EventLog>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for spec in specs() {
        match of(pool, log, &spec).await {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(unanswered(spec.name, &error)),
        }
    }
    findings
}

async fn of(
    pool: &PgPool,
    log: Option<&EventLog>,
    spec: &ServiceSpec,
) -> Result<Vec<Finding>, sqlx::Error> {
    let check = format!("{} tables", spec.name);
    let Some(live) = live(pool, spec.name).await? else {
        let text = "it has no tables yet: run `ristoro migrate`, or start it, which makes them";
        return Ok(vec![Finding::warn(&check, text)]);
    };
    let mut findings = vec![migrations(pool, spec, live).await?];
    if let Some(log) = log {
        findings.push(origin(pool, log, spec.name, live).await?);
    }
    let still = standing_still(pool, spec.name).await?;
    if !still.is_empty() {
        let text = format!("stands still: {}; see `ristoro poison list`", still.join(", "));
        findings.push(Finding::bad(&check, text));
    }
    Ok(findings)
}

/// Compares the migrations that have run with those of this program.
async fn migrations(pool: &PgPool, spec: &ServiceSpec, live: i32) -> Result<Finding, sqlx::Error> {
    let check = format!("{} tables", spec.name);
    let (control, tables) = (format!("{}_control", spec.name), format!("{}_{live}", spec.name));
    let [(consumer_table, consumer), (control_table, own)] = own_migrations();
    let mut difference = Difference::default();
    for (schema, table, known) in [
        (&control, consumer_table, consumer),
        (&control, control_table, own),
        (&tables, consumer_table, consumer),
        (&tables, "_sqlx_migrations", spec.migrations),
    ] {
        difference.take(known, &ran(pool, schema, table).await?);
    }
    let Difference { pending, changed, newer } = difference;
    let schema = tables;
    Ok(if newer > 0 {
        let text = format!(
            "{schema} was migrated by a newer program ({newer} unknown migrations): use that one"
        );
        Finding::bad(&check, text)
    } else if changed > 0 {
        let text = format!(
            "{schema} was made by other migrations than this program's ({changed} differ): rebuild it in a new database"
        );
        Finding::bad(&check, text)
    } else if pending > 0 {
        let text = format!(
            "{schema} lacks {pending} migrations: run `ristoro migrate`, or start the service, which runs them"
        );
        Finding::warn(&check, text)
    } else {
        Finding::ok(&check, format!("{schema} is live and up to date"))
    })
}

#[derive(Default)]
struct Difference {
    pending: usize,
    changed: usize,
    newer: usize,
}

impl Difference {
    fn take(&mut self, known: &Migrator, ran: &[Ran]) {
        let ran: BTreeMap<i64, &[u8]> =
            ran.iter().map(|one| (one.version, &one.checksum[..])).collect();
        let known: BTreeMap<i64, &[u8]> =
            known.iter().map(|one| (one.version, &one.checksum[..])).collect();
        self.newer += ran.keys().filter(|version| !known.contains_key(version)).count();
        for (version, checksum) in known {
            match ran.get(&version) {
                None => self.pending += 1,
                Some(other) if *other != checksum => self.changed += 1,
                Some(_) => {}
            }
        }
    }
}

/// Checks that the tables were folded from this log, and that it is not shorter than what was read.
async fn origin(
    pool: &PgPool,
    log: &EventLog,
    service: &'static str,
    live: i32,
) -> Result<Finding, sqlx::Error> {
    let check = format!("{service} reading");
    let reading = reading(pool, service, live).await?;
    if let Some(other) = reading.log_ids.iter().find(|log_id| **log_id != log.log_id()) {
        let text = format!(
            "its tables were folded from log {other}, and this is log {}: connect it to its own log, or to a new database",
            log.log_id()
        );
        return Ok(Finding::bad(&check, text));
    }
    let mut ends: BTreeMap<Topic, Vec<u64>> = BTreeMap::new();
    let topics: BTreeSet<Topic> =
        reading.farthest.iter().map(|(_, position)| position.topic).collect();
    for topic in topics {
        match log.end_offsets(topic).await {
            Ok(found) => ends.insert(topic, found),
            Err(error) => return Ok(Finding::bad(&check, error.to_string())),
        };
    }
    let mut behind = 0;
    for (consumer, position) in reading.farthest {
        let Position { topic, partition, offset } = position;
        let end = ends[&topic].get(partition as usize).copied().unwrap_or_default();
        if offset > end {
            let text = format!(
                "{consumer} has read up to {position}, and the log ends at {end}: it was truncated or made anew"
            );
            return Ok(Finding::bad(&check, text));
        }
        behind += end - offset;
    }
    Ok(Finding::ok(&check, format!("its tables are of this log, {behind} records behind its end")))
}
