//! One partition of one approved assessment on its way.

use ristoro_domain::decided::Event;
use ristoro_domain::policy::digest::{Digest, canonical};
use ristoro_domain::policy::{Evaluator, Memo, Refusal};
use ristoro_domain::settlement::Pins;
use ristoro_domain::time::time_zone_data;
use ristoro_domain::totals::Totals;
use ristoro_log::{Position, Topic};
use ristoro_runtime::heavy::heavy;
use ristoro_runtime::service::WorkerContext;
use ristoro_runtime::views::Views;
use sqlx::PgConnection;

use super::ScanError;
use super::stream::{ScanCause, ScanStream, Shown};
use crate::assess::walk::Walk;
use crate::assess::{AssessError, Inputs};
use crate::projections::assessment::{self, AssessmentRow};
use crate::projections::decision;

/// Chunks that go to the log together.
const CHUNKS_AN_APPEND: usize = 4;

/// A scan that can go on.
#[derive(Debug)]
pub(super) struct OpenScan {
    stream: ScanStream,
    inputs: Inputs,
    chunk_size: u32,
    walk: Walk,
    /// What was decided before: few people differ in what a policy can see.
    memo: Memo,
    digest: Digest,
    totals: Totals,
    done: bool,
}

/// Finds the end of a partition's stream in the journal; the cause is what the next record follows from.
pub(super) async fn at_end(
    context: &WorkerContext,
    row: &AssessmentRow,
    partition: u32,
    (cause, what): (&str, &'static str),
) -> Result<ScanStream, ScanError> {
    let unreadable = || ScanError::Position { assessment: row.assessment.clone(), what };
    let position: Position = cause.parse().map_err(|_| unreadable())?;
    let id = format!("scan/{}/{partition}", row.assessment);
    let head = context.journal.head(Topic::Entitlement, &id).await?;
    let mut view = context.views.begin().await?;
    let events = assessment::events(&mut view, &row.proposal.outage).await?;
    let caused = events.iter().find(|event| event.position == position);
    let caused = caused.ok_or(ScanError::NotYet)?;
    let (occurred_at, traceparent) = (caused.occurred_at, caused.traceparent.clone());
    let cause = ScanCause { position, occurred_at, traceparent };
    Ok(ScanStream::behind(head, &row.assessment, partition, cause))
}

impl OpenScan {
    /// Picks up where the log stands. What was decided before is read back for the digest.
    pub(super) async fn resume(
        context: &WorkerContext,
        row: &AssessmentRow,
        partition: u32,
    ) -> Result<Self, ScanError> {
        let pins = &row.proposal.pins;
        let own = time_zone_data();
        if pins.time_zone_data != own {
            return Err(ScanError::TimeZoneData { pinned: pins.time_zone_data.clone(), own });
        }
        let cause = (row.approved_position.as_str(), "its approval");
        let stream = at_end(context, row, partition, cause).await?;
        let mut view = context.views.begin().await?;
        passed_pins(&mut view, pins, partition).await?;
        let inputs = match Inputs::pinned(&mut view, &row.proposal.outage, pins).await {
            Err(AssessError::UnknownOutage(_) | AssessError::UnknownPolicy(_)) => {
                return Err(ScanError::NotYet);
            }
            other => other?,
        };
        let mut scan = Self {
            walk: Walk::new(partition, pins, 0),
            memo: Memo::default(),
            stream,
            inputs,
            chunk_size: row.proposal.chunk_size,
            digest: Digest::new(),
            totals: Totals::default(),
            done: false,
        };
        scan.read_back(&mut view, row, partition).await?;
        view.rollback().await?;
        Ok(scan)
    }

    async fn read_back(
        &mut self,
        view: &mut PgConnection,
        row: &AssessmentRow,
        partition: u32,
    ) -> Result<(), ScanError> {
        let scans = decision::scans(view, &row.assessment).await?;
        let known = scans.iter().find(|scan| scan.partition == partition);
        self.done = match self.stream.shown(known) {
            Shown::Elsewhere => return Err(ScanError::NotYet),
            Shown::Open => false,
            Shown::Ended { .. } => true,
        };
        let mut after = 0;
        while !self.done {
            let numbers = after + 1..=i64::MAX as u64;
            let id = &row.assessment;
            let found = decision::chunks_between(view, id, partition, numbers, 100).await?;
            let Some(last) = found.last().and_then(|row| row.chunk.columns.numbers().last()) else {
                break;
            };
            after = *last;
            for chunk in found.iter().map(|row| &row.chunk) {
                self.fold(chunk)?;
            }
        }
        self.walk = Walk::new(partition, &self.inputs.pins, after);
        Ok(())
    }

    fn fold(&mut self, chunk: &ristoro_domain::decided::Chunk) -> Result<(), ScanError> {
        let written: Vec<_> =
            chunk.reasons.iter().map(|reason| canonical(&reason.remedies)).collect();
        let mut people = vec![0_u64; chunk.reasons.len()];
        for (number, entry) in chunk.columns.iter() {
            self.digest.push(number, &written[entry as usize]).map_err(AssessError::from)?;
            people[entry as usize] += 1;
        }
        for (reason, count) in chunk.reasons.iter().zip(people) {
            self.totals.add(&reason.remedies, count).map_err(AssessError::from)?;
        }
        Ok(())
    }

    /// Decides and appends some chunks; tells whether there was anything to do.
    pub(super) async fn advance(&mut self, context: &WorkerContext) -> Result<bool, ScanError> {
        if self.done {
            return Ok(false);
        }
        let mut records = Vec::new();
        let mut view = context.views.begin().await?;
        let chunks = decide(self, &mut view).await?;
        view.rollback().await?;
        let through = chunks.len() < CHUNKS_AN_APPEND;
        heavy(|| {
            for chunk in chunks {
                self.fold(&chunk)?;
                records.push(self.stream.record(&Event::EntitlementsDecided(chunk)));
            }
            Ok::<_, ScanError>(())
        })?;
        if through {
            let completed = Event::ScanCompleted {
                totals: self.totals.clone(),
                digest: std::mem::take(&mut self.digest).finish(),
                chunks: self.stream.version(),
            };
            records.push(self.stream.record(&completed));
            self.done = true;
        }
        context.log.append(&records).await?;
        Ok(true)
    }
}

/// Decides up to one append's chunks; fewer only where the partition is through.
async fn decide(
    scan: &mut OpenScan,
    view: &mut PgConnection,
) -> Result<Vec<ristoro_domain::decided::Chunk>, ScanError> {
    let memo = std::mem::take(&mut scan.memo);
    let mut evaluator = Evaluator::with_memo(&scan.inputs.policy, &scan.inputs.outage, memo);
    let inputs = std::slice::from_ref(&scan.inputs);
    let mut chunks = Vec::with_capacity(CHUNKS_AN_APPEND);
    while chunks.len() < CHUNKS_AN_APPEND {
        let Some(read) = scan.walk.read(view, inputs, scan.chunk_size).await? else {
            break;
        };
        let decided = heavy(|| {
            let reasons = read.decide(&mut evaluator, &scan.inputs)?;
            Ok(read.chunk(&evaluator, &reasons))
        });
        chunks.push(decided.map_err(|refusal: Refusal| AssessError::from(refusal))?);
    }
    scan.memo = evaluator.into_memo();
    Ok(chunks)
}

/// Checks that the roster's table has passed its pin.
async fn passed_pins(
    view: &mut PgConnection,
    pins: &Pins,
    partition: u32,
) -> Result<(), ScanError> {
    let positions = Views::positions(view).await?;
    let pinned = pins.roster_offsets.get(partition as usize).copied().unwrap_or_default();
    let reached = positions.get(&(Topic::Subscriber, partition)).copied().unwrap_or_default();
    if reached < pinned { Err(ScanError::NotYet) } else { Ok(()) }
}
