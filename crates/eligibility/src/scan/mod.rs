//! The scan: approved assessments become decisions, chunk by chunk, on streams that only this loop writes.
//!
//! A chunk's content, number and event id are functions of the pins and of what stands before it, so a crash, a retry
//! or a second worker that believes to own the partition appends the same records again, and they are void.

pub mod finish;
mod open;
pub mod stream;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use ristoro_domain::settlement::Status;
use ristoro_log::LogError;
use ristoro_runtime::journal::JournalError;
use ristoro_runtime::service::{Worker, WorkerContext, WorkerError};

use crate::assess::AssessError;
use crate::projections::assessment::{self, AssessmentRow};
use open::OpenScan;

/// How long the loop rests when there is nothing to decide.
const REST: Duration = Duration::from_millis(100);
/// How long a scan rests that cannot go on.
const TROUBLE_REST: Duration = Duration::from_secs(1);

/// The scan's loop.
#[derive(Debug)]
pub struct Scan;

/// Why a scan cannot go on now. All of it passes or is looked at by people; nothing is decided meanwhile.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    /// A table or the journal has not come as far as a pin.
    #[error("the tables have not come as far as the pins")]
    NotYet,
    /// The zone data of this program is not the pinned one.
    #[error(
        "the assessment is pinned to time-zone data {pinned}, this program has {own}: run the release with it"
    )]
    TimeZoneData {
        /// The pinned version.
        pinned: String,
        /// This program's.
        own: &'static str,
    },
    /// A stored position is unreadable.
    #[error("assessment {assessment} has no readable position of {what}")]
    Position {
        /// The assessment.
        assessment: String,
        /// What the position is of.
        what: &'static str,
    },
    /// The decisions could not be computed.
    #[error(transparent)]
    Assess(#[from] AssessError),
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A settlement command failed.
    #[error("the settlement did not take {command}: {problem}")]
    Command {
        /// Which.
        command: &'static str,
        /// Why.
        problem: String,
    },
}

impl Worker for Scan {
    fn name(&self) -> &'static str {
        "eligibility.scan"
    }

    fn run(&self, context: WorkerContext) -> BoxFuture<'_, Result<(), WorkerError>> {
        Box::pin(async move {
            let mut open = BTreeMap::new();
            while !context.shutdown.is_cancelled() {
                let rest = match turn(&context, &mut open).await {
                    Ok(true) => continue,
                    Ok(false) | Err(ScanError::NotYet) => REST,
                    Err(error) => {
                        tracing::error!(%error, "the scan stands still");
                        open.clear();
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

/// Does one round: some chunks of each open scan in turn, so that a small outage is not held up by a big one. Tells
/// whether anything was done.
async fn turn(
    context: &WorkerContext,
    open: &mut BTreeMap<(String, u32), OpenScan>,
) -> Result<bool, ScanError> {
    let owned = context.owned.borrow().clone();
    let mut view = context.views.begin().await?;
    let deciding = assessment::in_state(&mut view, Status::Deciding).await?;
    view.rollback().await?;
    let wanted = |id: &String, partition: &u32| {
        owned.contains(partition) && deciding.iter().any(|row| row.assessment == *id)
    };
    open.retain(|(id, partition), _| wanted(id, partition));
    let mut busy = false;
    for row in &deciding {
        for partition in owned.iter().filter(|p| in_roster(row, **p)) {
            busy |= advance(context, open, row, *partition).await?;
        }
        busy |= finish::settle(context, row).await?;
    }
    for partition in &owned {
        busy |= finish::void(context, *partition).await?;
    }
    Ok(busy)
}

/// Tells whether the assessment was proposed with this partition.
fn in_roster(row: &AssessmentRow, partition: u32) -> bool {
    (partition as usize) < row.proposal.pins.roster_offsets.len()
}

async fn advance(
    context: &WorkerContext,
    open: &mut BTreeMap<(String, u32), OpenScan>,
    row: &AssessmentRow,
    partition: u32,
) -> Result<bool, ScanError> {
    let key = (row.assessment.clone(), partition);
    if !open.contains_key(&key) {
        match OpenScan::resume(context, row, partition).await {
            Ok(scan) => open.insert(key.clone(), scan),
            Err(ScanError::NotYet) => return Ok(false),
            Err(error) => return Err(error),
        };
    }
    let Some(scan) = open.get_mut(&key) else { return Ok(false) };
    let result = scan.advance(context).await;
    if result.is_err() {
        // What reached the log is not known: the next round reads it back from the journal.
        open.remove(&key);
    }
    result
}
