//! An import: rows by partition, new people in batches, known people by events of their own.
//!
//! Ids of the commands follow from the import's request id and from who is in them, and every row is planned against
//! what is recorded, so an import that is sent again, whole or in part, changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::roster::plan::{Step, last_contact, last_payee, steps};
use ristoro_domain::roster::{Holder, ImportRow, Roster, RosterCommand, RosterRejection};
use ristoro_domain::subscriber::{Ask, Base};
use ristoro_log::position::partition_of;
use ristoro_log::{Position, Topic};
use ristoro_runtime::command::{CommandError, CommandRequest, StreamRef};
use ristoro_runtime::refused::command_status;
use ristoro_runtime::status;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use uuid::Uuid;

use super::personal::{Subscribers, WAIT};
use super::roster_refused;
use crate::projections::holding::{Recorded, people, reserved};
use crate::projections::roster;

/// Rows of one batch event: far below the log's limit on a record.
const BATCH: usize = 500;
/// How often a partition's rows are planned again because others were added meanwhile.
const ATTEMPTS: usize = 5;

/// A row with its place in the caller's file.
pub type PlacedRow = (u64, ImportRow);

/// What became of rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// Rows that brought a new subscription.
    pub imported: u64,
    /// Rows that changed something known.
    pub changed: u64,
    /// Rows that were known already.
    pub unchanged: u64,
    /// Rows that were not taken: place, column, reason.
    pub rejects: Vec<(u64, String, String)>,
    /// Where the tables must have come to show it.
    pub token: Vec<Position>,
}

/// What rows of a partition ask for.
#[derive(Default)]
struct Plan {
    batch: Vec<ImportRow>,
    further: Vec<(ImportRow, Option<ristoro_domain::time::Instant>)>,
    asks: Vec<(String, Ask)>,
}

/// Takes rows.
///
/// # Errors
/// Why the outcome is not known: the same rows must be sent again.
pub async fn import(
    subscribers: &Subscribers,
    request: &CommandRequest,
    rows: Vec<PlacedRow>,
) -> Result<Imported, Status> {
    let count = subscribers.commands.partition_count();
    let mut by_partition: BTreeMap<u32, Vec<PlacedRow>> = BTreeMap::new();
    for row in rows {
        by_partition.entry(partition_of(&row.1.subscriber, count)).or_default().push(row);
    }
    let mut imported = Imported::default();
    for (partition, rows) in by_partition {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match import_partition(subscribers, request, partition, &rows, &mut imported).await {
                // Others were added: who is known has to be looked up again.
                Err(Failure::Moved) if attempt < ATTEMPTS => {}
                Err(Failure::Moved) => return Err(status::shutting_down()),
                Err(Failure::Status(status)) => return Err(*status),
                Ok(()) => break,
            }
        }
    }
    Ok(imported)
}

enum Failure {
    Moved,
    Status(Box<Status>),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Status(Box::new(status::database(&error)))
    }
}

async fn import_partition(
    subscribers: &Subscribers,
    request: &CommandRequest,
    partition: u32,
    rows: &[PlacedRow],
    imported: &mut Imported,
) -> Result<(), Failure> {
    subscribers.views.wait(&imported.token, WAIT).await?;
    let mut view = subscribers.views.begin().await?;
    let after_count = roster::count(&mut view, partition).await?;
    let ids: BTreeSet<&String> = rows.iter().map(|(_, row)| &row.subscriber).collect();
    let ids: Vec<String> = ids.into_iter().cloned().collect();
    let known = people(&mut view, &ids, Recorded::Current).await?;
    view.rollback().await?;
    let mut counts = Imported::default();
    let plan = plan(rows, &known, &mut counts);
    let mut token = add(subscribers, request, (partition, after_count), plan.batch).await?;
    if !plan.further.is_empty() {
        let seen = after_count + counts.imported - plan.further.len() as u64;
        let further = further(subscribers, request, (partition, seen), plan.further).await?;
        token.extend(further);
    }
    subscribers.views.wait(&token, WAIT).await?;
    for (subscriber, ask) in plan.asks {
        let name = format!("{subscriber}\n{ask:?}");
        let command = derived(request, &name);
        token.extend(subscribers.ask(&subscriber, &command, ask).await?.token);
    }
    imported.imported += counts.imported;
    imported.changed += counts.changed;
    imported.unchanged += counts.unchanged;
    imported.rejects.extend(counts.rejects);
    imported.token.extend(token);
    Ok(())
}

fn plan(rows: &[PlacedRow], known: &BTreeMap<String, Base>, counts: &mut Imported) -> Plan {
    let mut by_person: BTreeMap<&str, BTreeMap<&str, Vec<&PlacedRow>>> = BTreeMap::new();
    for row in rows {
        let person = by_person.entry(&row.1.subscriber).or_default();
        person.entry(&row.1.subscription).or_default().push(row);
    }
    let mut plan = Plan::default();
    for (subscriber, subscriptions) in by_person {
        let base = known.get(subscriber);
        let mut given = Vec::new();
        for (subscription, rows) in &subscriptions {
            let plain: Vec<&ImportRow> = rows.iter().map(|row| &row.1).collect();
            let held = base.and_then(|base| base.holdings.get(*subscription));
            for step in steps(held, &plain) {
                take(step, rows, base.is_some(), &mut plan, counts);
            }
            given.extend(plain);
        }
        let Some(base) = base else { continue };
        let mut ask = |ask| plan.asks.push((subscriber.to_owned(), ask));
        if let Some(contact) = last_contact(&given).filter(|contact| *contact != base.contact) {
            ask(Ask::SetContact { contact });
        }
        if let Some(payee) = last_payee(&given).filter(|payee| base.payee.as_ref() != Some(payee)) {
            ask(Ask::SetPayee { payee: Some(payee) });
        }
    }
    plan
}

fn take(
    step: Step,
    rows: &[&PlacedRow],
    person_is_known: bool,
    plan: &mut Plan,
    counts: &mut Imported,
) {
    match step {
        Step::Begin { row, ended_at } => {
            let mut begun = rows[row].1.clone();
            begun.valid_to = ended_at;
            counts.imported += 1;
            if person_is_known {
                plan.further.push((begun, ended_at));
            } else {
                plan.batch.push(begun);
            }
        }
        Step::Change { row, ask } => {
            counts.changed += 1;
            plan.asks.push((rows[row].1.subscriber.clone(), ask));
        }
        Step::Nothing { .. } => counts.unchanged += 1,
        Step::Refuse { row, fault } => {
            counts.rejects.push((rows[row].0, fault.column.to_owned(), fault.reason));
        }
    }
}

/// Adds new people's rows in batches.
async fn add(
    subscribers: &Subscribers,
    request: &CommandRequest,
    (partition, mut after_count): (u32, u64),
    rows: Vec<ImportRow>,
) -> Result<Vec<Position>, Failure> {
    let mut token = Vec::new();
    for batch in rows.chunks(BATCH) {
        let names = batch.iter().map(|row| (&row.subscriber, &row.subscription));
        let id = derived(request, &digest(names));
        let rows = batch.to_vec();
        let command = RosterCommand::Import { partition, after_count, rows };
        token = execute(subscribers, partition, &id, &command).await?;
        after_count += batch.len() as u64;
    }
    Ok(token)
}

/// Sets numbers aside for further subscriptions of known people, and begins those.
async fn further(
    subscribers: &Subscribers,
    request: &CommandRequest,
    (partition, after_count): (u32, u64),
    rows: Vec<(ImportRow, Option<ristoro_domain::time::Instant>)>,
) -> Result<Vec<Position>, Failure> {
    let holder = |row: &ImportRow| Holder {
        subscriber: row.subscriber.clone(),
        subscription: row.subscription.clone(),
    };
    let owners: Vec<String> = rows.iter().map(|(row, _)| row.subscriber.clone()).collect();
    let mut view = subscribers.views.begin().await?;
    let held = reserved(&mut view, &owners).await?;
    view.rollback().await?;
    let unreserved =
        |row: &&ImportRow| !held.contains_key(&(row.subscriber.clone(), row.subscription.clone()));
    let holders: Vec<Holder> =
        rows.iter().map(|(row, _)| row).filter(unreserved).map(holder).collect();
    let mut token = Vec::new();
    let mut seen = after_count;
    for batch in holders.chunks(BATCH) {
        let names = batch.iter().map(|holder| (&holder.subscriber, &holder.subscription));
        let id = derived(request, &digest(names));
        let command =
            RosterCommand::Reserve { partition, after_count: seen, holders: batch.to_vec() };
        token = execute(subscribers, partition, &id, &command).await?;
        seen += batch.len() as u64;
    }
    subscribers.views.wait(&token, WAIT).await?;
    let mut view = subscribers.views.begin().await?;
    let held = reserved(&mut view, &owners).await?;
    view.rollback().await?;
    for (row, ended_at) in rows {
        let key = (row.subscriber.clone(), row.subscription.clone());
        let Some(number) = held.get(&key).copied() else { return Err(Failure::Moved) };
        let (subscriber, subscription) = key;
        let start = Ask::Start {
            subscription: subscription.clone(),
            number,
            profile: row.profile,
            valid_from: row.valid_from,
        };
        let id = derived(request, &format!("start {subscriber}\n{subscription}"));
        token.extend(subscribers.ask(&subscriber, &id, start).await?.token);
        if let Some(ended_at) = ended_at {
            let id = derived(request, &format!("end {subscriber}\n{subscription}"));
            let end = Ask::End { subscription, ended_at };
            token.extend(subscribers.ask(&subscriber, &id, end).await?.token);
        }
    }
    Ok(token)
}

async fn execute(
    subscribers: &Subscribers,
    partition: u32,
    request: &CommandRequest,
    command: &RosterCommand,
) -> Result<Vec<Position>, Failure> {
    let stream = StreamRef::numbered(Topic::Subscriber, format!("roster/{partition}"), partition);
    match subscribers.commands.execute::<Roster>(&stream, request, command).await {
        Ok(done) => Ok(done.token),
        Err(CommandError::Rejected(RosterRejection::RosterMoved { .. })) => Err(Failure::Moved),
        Err(error) => Err(command_status(error, roster_refused).into()),
    }
}

fn derived(request: &CommandRequest, name: &str) -> CommandRequest {
    let request_id = Uuid::new_v5(&request.request_id, name.as_bytes());
    CommandRequest { request_id, expected_version: None, ..request.clone() }
}

fn digest<'a>(names: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut hasher = Sha256::new();
    for (subscriber, subscription) in names {
        hasher.update(format!("{subscriber}\n{subscription}\n"));
    }
    crate::grpc::assessment_message::hex(&hasher.finalize())
}
