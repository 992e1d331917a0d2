//! The loop that fills payment files: each partition's owner reserves chunk by chunk, closes the partition's stream, and
//! releases it once the file is cancelled.
//!
//! Ownership is a hint. Two workers that fill the same partition write claims of their own, and the stream's version
//! lets one of them through; whether each payout is in the file is decided by its place on the partition.

use std::time::Duration;

use futures::future::BoxFuture;
use ristoro_domain::money::MoneyError;
use ristoro_domain::payment_file::Status;
use ristoro_domain::reservation::{
    Command, Phase, Rejection, Reservation, Reserved, ReservedRow, State,
};
use ristoro_domain::time::Instant;
use ristoro_log::StreamHead;
use ristoro_runtime::command::StreamRef;
use ristoro_runtime::service::{Worker, WorkerContext, WorkerError};
use sqlx::PgConnection;

use super::transfer::is_payable;
use super::{content, passed_pins};
use crate::claim::{self, Author, Claim, ClaimError, Claims};
use crate::projections::draw::{self, Place};
use crate::projections::payment_file::{self, FileRow};
use crate::projections::{account, reservation, standing};
use crate::streams::reserve_stream;

/// How long the loop rests when there is nothing to reserve.
const REST: Duration = Duration::from_millis(100);
/// How long it rests when it cannot go on.
const TROUBLE_REST: Duration = Duration::from_secs(1);
/// Chunks that are looked at in one snapshot.
const CHUNKS_A_READ: i64 = 32;

/// The loop.
#[derive(Debug)]
pub struct Reserve;

/// Why the loop cannot go on now.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A chunk's amounts leave 64 bits.
    #[error("amounts of chunk {chunk} of {assessment} cannot be summed: {source}")]
    Sum {
        /// The assessment.
        assessment: String,
        /// The chunk.
        chunk: u64,
        /// What is wrong with them.
        source: MoneyError,
    },
    /// The record could not be written.
    #[error("a reservation could not be claimed: {0}")]
    Claim(#[from] ClaimError<Rejection>),
}

/// What a partition of a file needs next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The stream.
    pub stream: StreamRef,
    /// Its last record.
    pub head: Option<StreamHead>,
    /// What the record has to be decided on.
    pub state: State,
    /// What has to be decided.
    pub command: Command,
}

impl Worker for Reserve {
    fn name(&self) -> &'static str {
        "payout.reserve"
    }

    fn run(&self, context: WorkerContext) -> BoxFuture<'_, Result<(), WorkerError>> {
        Box::pin(async move {
            let (log, journal) = (context.log.clone(), context.journal.clone());
            let claims = Claims::new(log, journal, context.views.clone());
            while !context.shutdown.is_cancelled() {
                let rest = match turn(&context, &claims).await {
                    Ok(true) => continue,
                    Ok(false) => REST,
                    Err(error) => {
                        tracing::error!(%error, "the reservation of payment files stands still");
                        TROUBLE_REST
                    }
                };
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = context.shutdown.cancelled() => {}
                }
            }
            Ok(())
        })
    }
}

/// Does one step of each file on each partition. Tells whether anything was done.
async fn turn(context: &WorkerContext, claims: &Claims) -> Result<bool, ReserveError> {
    let owned = context.owned.borrow().clone();
    let mut busy = false;
    for partition in owned {
        let mut view = context.views.begin().await?;
        let files = payment_file::unfinished(&mut view, partition).await?;
        view.rollback().await?;
        for row in files.iter().filter(|row| has(row, partition)) {
            busy |= advance(context, claims, &row.file, partition).await?;
        }
    }
    Ok(busy)
}

/// Tells whether a file was created with this partition.
fn has(row: &FileRow, partition: u32) -> bool {
    (partition as usize) < row.creation.payout_offsets.len()
}

async fn advance(
    context: &WorkerContext,
    claims: &Claims,
    file: &str,
    partition: u32,
) -> Result<bool, ReserveError> {
    let mut view = context.views.begin().await?;
    let step = step(&mut view, file, partition).await?;
    view.rollback().await?;
    let Some(Step { stream, head, state, command }) = step else { return Ok(false) };
    let author = Author {
        actor: "system:payout.reserve".to_owned(),
        traceparent: String::new(),
        occurred_at: Instant::now(),
    };
    let claimed = claims.claim::<Reservation>((&stream, head), &state, &command, &author).await;
    match claimed {
        Ok(Claim::Won { .. } | Claim::Lost) => Ok(true),
        Ok(Claim::Nothing) => Ok(false),
        // Another worker ended the stream meanwhile; the next look shows it.
        Err(ClaimError::Rejected(rejection)) => {
            tracing::info!(file, partition, %rejection, "a reservation moved on");
            Ok(true)
        }
        Err(error @ (ClaimError::Unknown(_) | ClaimError::Log(_))) => Err(error.into()),
    }
}

/// Decides what a partition of a file needs next, all on one snapshot; nothing while the tables are behind its pins.
///
/// # Errors
/// `Database`, `Sum`.
pub async fn step(
    view: &mut PgConnection,
    file: &str,
    partition: u32,
) -> Result<Option<Step>, ReserveError> {
    let Some(row) = payment_file::find(view, file).await? else { return Ok(None) };
    if !passed_pins(view, &row, partition).await? {
        return Ok(None);
    }
    let stream = reserve_stream(file, partition);
    let head = claim::head(view, &stream).await?;
    let known = reservation::stream(view, file, partition).await?;
    let (state, count) = known.map_or((State::default(), 0), |known| (known.state, known.count));
    let command = match (row.status, state.phase) {
        (Status::Cancelled, Phase::Open | Phase::Closed) => Command::Release,
        (Status::Created, Phase::Open) => {
            match next(view, &row, partition, (&state, count)).await? {
                Some(reserved) => Command::Reserve(reserved),
                None => Command::Close(content::closing(view, &row, partition).await?),
            }
        }
        (Status::Created | Status::Approved | Status::Submitted | Status::Cancelled, _) => {
            return Ok(None);
        }
    };
    Ok(Some(Step { stream, head, state, command }))
}

/// Finds the next chunk that has something for the file, and what; none where the file has enough or all.
async fn next(
    view: &mut PgConnection,
    row: &FileRow,
    partition: u32,
    (state, count): (&State, u64),
) -> Result<Option<Reserved>, ReserveError> {
    let creation = &row.creation;
    let at = |pins: &[u64]| pins.get(partition as usize).copied().unwrap_or(0);
    let room = at(&creation.partition_limits).saturating_sub(count);
    let assessments: Vec<String> = creation.assessments.iter().cloned().collect();
    let before = (partition, at(&creation.payout_offsets));
    let cursor = state.cursor.clone();
    let mut after = cursor.map(|(assessment, chunk)| Place { assessment, chunk });
    if room == 0 {
        return Ok(None);
    }
    loop {
        let places =
            draw::with_transfers(view, before, &assessments, after.as_ref(), CHUNKS_A_READ).await?;
        if places.is_empty() {
            return Ok(None);
        }
        for place in &places {
            let rows = rows_of(view, row, partition, place, room).await?;
            if !rows.is_empty() {
                let (assessment, chunk) = (place.assessment.clone(), place.chunk);
                return Ok(Some(Reserved { assessment, chunk, rows }));
            }
        }
        after = places.last().cloned();
    }
}

/// Gives those of a chunk whom the file may and can pay, at most as many as it has room for.
async fn rows_of(
    view: &mut PgConnection,
    row: &FileRow,
    partition: u32,
    place: &Place,
    room: u64,
) -> Result<Vec<ReservedRow>, ReserveError> {
    let creation = &row.creation;
    let chunk = standing::at(view, &place.assessment, partition, place.chunk).await?;
    let Some(chunk) = chunk else { return Ok(Vec::new()) };
    let sum = |source| ReserveError::Sum {
        assessment: place.assessment.clone(),
        chunk: place.chunk,
        source,
    };
    let mut free = Vec::new();
    for number in chunk.standing.orders.columns.numbers() {
        let found = chunk.standing.transferable(*number).map_err(sum)?;
        let ours = found.filter(|(money, _)| money.currency == creation.currency);
        free.extend(ours.map(|(money, attempt)| ReservedRow {
            number: *number,
            amount_minor: money.minor,
            attempt,
        }));
    }
    // Few of a chunk are paid by transfer: accounts are looked up for these alone.
    let numbers: Vec<u64> = free.iter().map(|one| one.number).collect();
    let roster_offset = creation.roster_offsets.get(partition as usize).copied().unwrap_or(0);
    let accounts = account::accounts(view, &numbers, roster_offset).await?;
    let payable = |one: &ReservedRow| {
        let account = accounts.get(&one.number);
        account.is_some_and(|account| is_payable(creation, &place.assessment, one, account))
    };
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    Ok(free.into_iter().filter(payable).take(room).collect())
}
