//! An import: rows by partition, new people in batches, known people by events of their own.
//!
//! Every row is planned against what is recorded, so an import that is sent again, whole or in part, changes nothing.
//! Who is known is looked up together with the roster's count, and a batch is refused if the count has moved since: so
//! nobody gets two numbers for one subscription, however many imports run at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use ristoro_domain::roster::check::RowFault;
use ristoro_domain::roster::{
    Holder, ImportRow, MAXIMUM_BATCH, Roster, RosterCommand, RosterRejection,
};
use ristoro_domain::subscriber::Ask;
use ristoro_log::position::partition_of;
use ristoro_log::{Position, Topic};
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_runtime::command::{CommandError, CommandRequest, StreamRef};
use ristoro_runtime::refused::command_status;
use ristoro_runtime::status;
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use uuid::Uuid;

use super::batches::batches;
use super::personal::{Subscribers, WAIT};
use super::roster_refused;
pub use super::rows::PlacedRow;
use super::rows::{Fate, Further, plan};
use crate::projections::holding::{Recorded, people, reserved};
use crate::projections::roster;

/// How often a partition's rows are planned again because others were added meanwhile.
const ATTEMPTS: usize = 50;
/// How long a partition's rows wait before they look at the table again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Subscribers of a partition who are asked at the same time: a command's time is waiting.
const ASKED_AT_ONCE: usize = 16;

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
    /// Where the tables must have come to show it: the last position of each partition.
    pub token: BTreeSet<Position>,
}

impl Imported {
    /// Adds what became of other rows.
    pub fn add(&mut self, other: Imported) {
        self.imported += other.imported;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.rejects.extend(other.rejects);
        self.see(other.token);
    }

    fn count(&mut self, fates: &[Option<Fate>]) {
        let count = |fate| fates.iter().filter(|of| **of == Some(fate)).count() as u64;
        self.imported = count(Fate::Imported);
        self.changed = count(Fate::Changed);
        self.unchanged = count(Fate::Unchanged);
    }

    /// Keeps of each partition the last position only.
    fn see(&mut self, positions: impl IntoIterator<Item = Position>) {
        for position in positions {
            let earlier = |known: &Position| {
                (known.topic, known.partition) == (position.topic, position.partition)
            };
            let known = self.token.iter().copied().find(earlier);
            if known.is_none_or(|known| known < position) {
                self.token.retain(|other| Some(*other) != known);
                self.token.insert(position);
            }
        }
    }
}

/// Takes rows, all partitions at the same time.
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
    let partitions = by_partition.into_iter().map(|(partition, rows)| {
        let fates = vec![None; rows.len()];
        let done = Imported::default();
        PartitionImport { subscribers, request, partition, rows, fates, done }.run()
    });
    let mut imported = Imported::default();
    for done in try_join_all(partitions).await? {
        imported.add(done);
    }
    Ok(imported)
}

/// Says what an import of rows would do, and does nothing.
///
/// # Errors
/// The database's, as a status.
pub async fn preview(subscribers: &Subscribers, rows: &[PlacedRow]) -> Result<Imported, Status> {
    let mut view = subscribers.views.begin().await.map_err(|error| status::database(&error))?;
    let known = people(&mut view, &ids(rows), Recorded::Current).await;
    let plan = plan(rows, &known.map_err(|error| status::database(&error))?);
    let mut imported = Imported::default();
    imported.count(&plan.fates);
    imported.rejects = plan.rejects.into_iter().map(reject).collect();
    Ok(imported)
}

fn ids(rows: &[PlacedRow]) -> Vec<String> {
    let ids: BTreeSet<&String> = rows.iter().map(|(_, row)| &row.subscriber).collect();
    ids.into_iter().cloned().collect()
}

fn reject((place, fault): (u64, RowFault)) -> (u64, String, String) {
    (place, fault.column.to_owned(), fault.reason)
}

struct PartitionImport<'a> {
    subscribers: &'a Subscribers,
    request: &'a CommandRequest,
    partition: u32,
    rows: Vec<PlacedRow>,
    /// What became of each row in all attempts: what an earlier one imported, a later one finds recorded.
    fates: Vec<Option<Fate>>,
    done: Imported,
}

enum Failure {
    /// Others were added: who is known has to be looked up again, where the table shows them.
    Moved {
        count: u64,
    },
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

impl PartitionImport<'_> {
    async fn run(mut self) -> Result<Imported, Status> {
        for _ in 0..ATTEMPTS {
            match self.attempt().await {
                Err(Failure::Moved { count }) => self.until(count).await?,
                Err(Failure::Status(status)) => return Err(*status),
                Ok(()) => {
                    self.done.count(&self.fates);
                    return Ok(self.done);
                }
            }
        }
        let message =
            "other imports add people faster than this one: send it again when they are done";
        Err(status::refuse(Code::Aborted, ErrorReason::VersionConflict, message, &[]))
    }

    /// Waits until the table shows as many numbers as the roster's stream had given out when it refused a batch. The
    /// refusal comes from the journal, which may be ahead of the table.
    async fn until(&self, count: u64) -> Result<(), Status> {
        let deadline = tokio::time::Instant::now() + WAIT;
        let database = |error: sqlx::Error| status::database(&error);
        loop {
            let mut view = self.subscribers.views.begin().await.map_err(database)?;
            let shown = roster::count(&mut view, self.partition).await.map_err(database)?;
            view.rollback().await.map_err(database)?;
            if shown >= count || tokio::time::Instant::now() >= deadline {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn attempt(&mut self) -> Result<(), Failure> {
        let mut view = self.subscribers.views.begin().await?;
        let mut count = roster::count(&mut view, self.partition).await?;
        let known = people(&mut view, &ids(&self.rows), Recorded::Current).await?;
        view.rollback().await?;
        let plan = plan(&self.rows, &known);
        for (all, now) in self.fates.iter_mut().zip(&plan.fates) {
            *all = (*all).max(*now);
        }
        self.done.rejects = plan.rejects.into_iter().map(reject).collect();
        self.add(&mut count, &plan.batch).await?;
        let mut asks = self.begin(&mut count, plan.further).await?;
        for (subscriber, more) in plan.asks {
            asks.entry(subscriber).or_default().extend(more);
        }
        self.ask(asks).await
    }

    /// Adds new people's rows in batches; the tables need not show one before the next.
    async fn add(&mut self, count: &mut u64, rows: &[ImportRow]) -> Result<(), Failure> {
        let mut last = Vec::new();
        for batch in batches(rows) {
            let id = batch_request(self.request, batch);
            let (partition, rows) = (self.partition, batch.to_vec());
            let command = RosterCommand::Import { partition, after_count: *count, rows };
            last = self.execute(&id, &command).await?;
            *count += batch.len() as u64;
        }
        self.shown(&last).await
    }

    /// Waits until the tables show what was recorded last.
    async fn shown(&self, last: &[Position]) -> Result<(), Failure> {
        Ok(self.subscribers.views.wait(last, WAIT).await?)
    }

    /// Sets numbers aside for further subscriptions of known people, and says how to begin those.
    async fn begin(
        &mut self,
        count: &mut u64,
        further: Vec<Further>,
    ) -> Result<BTreeMap<String, Vec<Ask>>, Failure> {
        let mut asks: BTreeMap<String, Vec<Ask>> = BTreeMap::new();
        if further.is_empty() {
            return Ok(asks);
        }
        let owners: Vec<String> = further.iter().map(|one| one.row.subscriber.clone()).collect();
        let held = self.reserved(&owners).await?;
        let key = |one: &Further| (one.row.subscriber.clone(), one.row.subscription.clone());
        let holders: Vec<Holder> = further
            .iter()
            .map(key)
            .filter(|key| !held.contains_key(key))
            .map(|(subscriber, subscription)| Holder { subscriber, subscription })
            .collect();
        for batch in holders.chunks(MAXIMUM_BATCH) {
            let names = batch.iter().map(|holder| (&holder.subscriber, &holder.subscription));
            let id = derived(self.request, &digest("reserved", names));
            let (partition, holders) = (self.partition, batch.to_vec());
            let command = RosterCommand::Reserve { partition, after_count: *count, holders };
            let last = self.execute(&id, &command).await?;
            self.shown(&last).await?;
            *count += batch.len() as u64;
        }
        let held = self.reserved(&owners).await?;
        for one in further {
            let (subscriber, subscription) = key(&one);
            let number = held.get(&(subscriber.clone(), subscription.clone())).copied();
            let Some(number) = number else { return Err(Failure::Moved { count: *count }) };
            let asks = asks.entry(subscriber).or_default();
            asks.push(Ask::Start {
                subscription: subscription.clone(),
                number,
                profile: one.row.profile,
                valid_from: one.row.valid_from,
            });
            asks.extend(one.ended_at.map(|ended_at| Ask::End { subscription, ended_at }));
        }
        Ok(asks)
    }

    async fn reserved(
        &self,
        owners: &[String],
    ) -> Result<BTreeMap<(String, String), u64>, Failure> {
        let mut view = self.subscribers.views.begin().await?;
        let held = reserved(&mut view, owners).await?;
        view.rollback().await?;
        Ok(held)
    }

    /// Asks each subscriber's stream in order, and many subscribers at the same time.
    async fn ask(&mut self, asks: BTreeMap<String, Vec<Ask>>) -> Result<(), Failure> {
        let (subscribers, request) = (self.subscribers, self.request);
        let mut tokens = stream::iter(asks)
            .map(|(subscriber, asks)| async move {
                let mut token = Vec::new();
                for ask in asks {
                    let command = personal(request, &subscriber, &ask);
                    token = subscribers.ask(&subscriber, &command, ask).await?.token;
                }
                Ok::<_, Status>(token)
            })
            .buffer_unordered(ASKED_AT_ONCE);
        while let Some(token) = tokens.try_next().await? {
            self.done.see(token);
        }
        Ok(())
    }

    async fn execute(
        &mut self,
        request: &CommandRequest,
        command: &RosterCommand,
    ) -> Result<Vec<Position>, Failure> {
        let (commands, partition) = (&self.subscribers.commands, self.partition);
        let stream =
            StreamRef::numbered(Topic::Subscriber, format!("roster/{partition}"), partition);
        match commands.execute::<Roster>(&stream, request, command).await {
            Ok(done) => {
                self.done.see(done.token.iter().copied());
                Ok(done.token)
            }
            Err(CommandError::Rejected(RosterRejection::RosterMoved { count, .. })) => {
                Err(Failure::Moved { count })
            }
            Err(error) => Err(command_status(error, roster_refused).into()),
        }
    }
}

/// Names the command that asks something of a subscriber's stream.
///
/// A contact, payee or account is no part of any id, not even hashed: ids outlive an erasure. Such a command may have a fresh
/// one, since what is recorded already is not asked for again.
fn personal(request: &CommandRequest, subscriber: &str, ask: &Ask) -> CommandRequest {
    match ask {
        Ask::SetContact { .. } | Ask::SetPayee { .. } | Ask::SetAccount { .. } => {
            CommandRequest { request_id: Uuid::new_v4(), ..derived(request, "") }
        }
        Ask::Start { .. }
        | Ask::ChangePlan { .. }
        | Ask::End { .. }
        | Ask::ReportTrouble { .. } => derived(request, &format!("{subscriber}\n{ask:?}")),
    }
}

/// Names the command that adds a batch: who is in it makes it the same, whenever the import is sent again.
#[must_use]
pub fn batch_request(request: &CommandRequest, batch: &[ImportRow]) -> CommandRequest {
    let names = batch.iter().map(|row| (&row.subscriber, &row.subscription));
    derived(request, &digest("imported", names))
}

fn derived(request: &CommandRequest, name: &str) -> CommandRequest {
    let request_id = Uuid::new_v5(&request.request_id, name.as_bytes());
    CommandRequest { request_id, expected_version: None, ..request.clone() }
}

fn digest<'a>(what: &str, names: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(what);
    for (subscriber, subscription) in names {
        hasher.update(format!("\n{subscriber}\n{subscription}"));
    }
    ristoro_runtime::edge::hex(&hasher.finalize())
}
