//! The end of a scan: completed as approved, stopped because it differs, or void.

use ristoro_domain::decided::Event;
use ristoro_domain::settlement::{Command, Proposal, Settlement};
use ristoro_domain::time::Instant;
use ristoro_domain::totals::Totals;
use ristoro_log::Topic;
use ristoro_runtime::command::{CommandError, CommandRequest, StreamRef};
use ristoro_runtime::service::WorkerContext;
use uuid::Uuid;

use super::ScanError;
use super::open::at_end;
use super::stream::Shown;
use crate::assess::AssessError;
use crate::projections::assessment::{self, AssessmentRow};
use crate::projections::decision::{self, ScanRow};
use crate::projections::stored::StoredEvent;

/// The namespace of the request ids of this loop's own commands.
const NAMESPACE: Uuid = Uuid::from_u128(0x1b0a_6f0e_52c3_4d59_8d1e_5a60_3f7c_9e21);

/// Completes or stops an assessment once every partition has its result. Tells whether it did.
pub(super) async fn settle(
    context: &WorkerContext,
    row: &AssessmentRow,
) -> Result<bool, ScanError> {
    let mut view = context.views.begin().await?;
    let scans = decision::scans(&mut view, &row.assessment).await?;
    let Some((name, command)) = verdict(&row.proposal, &scans)? else { return Ok(false) };
    // The end belongs to the trace of the approval, and so does all that follows from it.
    let events = assessment::events(&mut view, &row.proposal.outage).await?;
    view.rollback().await?;
    let approved = |event: &StoredEvent| event.position.to_string() == row.approved_position;
    let traceparent = events.into_iter().find(approved).map(|event| event.traceparent);
    let stream = settlement_stream(context, &row.proposal.outage);
    let request = CommandRequest {
        request_id: Uuid::new_v5(&NAMESPACE, format!("{name} {}", row.assessment).as_bytes()),
        actor: "system:eligibility.scan".to_owned(),
        traceparent: traceparent.unwrap_or_default(),
        occurred_at: Instant::now(),
        expected_version: None,
        validate_only: false,
        content: None,
    };
    match context.commands.execute::<Settlement>(&stream, &request, &command).await {
        Ok(_) => Ok(true),
        // Somebody cancelled it meanwhile: the table will say so.
        Err(CommandError::Rejected(rejection)) => {
            tracing::info!(assessment = row.assessment, %rejection, "the settlement moved on");
            Ok(false)
        }
        Err(error) => Err(ScanError::Command { command: name, problem: error.to_string() }),
    }
}

/// Gives the stream of an outage's settlement.
pub(crate) fn settlement_stream(context: &WorkerContext, outage: &str) -> StreamRef {
    let count = context.log.partition_count();
    StreamRef::keyed(Topic::Settlement, format!("settlement/{outage}"), outage, count)
}

/// Gives the command that ends an assessment, with its name; none before every partition has its result.
///
/// # Errors
/// The totals', where they leave 64 bits.
pub fn verdict(
    proposal: &Proposal,
    scans: &[ScanRow],
) -> Result<Option<(&'static str, Command)>, AssessError> {
    let assessment = proposal.assessment.clone();
    let (mut totals, mut chunks) = (Totals::default(), Vec::new());
    for (partition, expected) in proposal.digests.iter().enumerate() {
        let scan = scans.iter().find(|scan| scan.partition as usize == partition);
        let Some((found_totals, found)) = scan.and_then(|scan| scan.result.as_ref()) else {
            return Ok(None);
        };
        if found != expected {
            let partition = u32::try_from(partition).expect("partitions are few");
            return Ok(Some(("stop", Command::Stop { assessment, partition, found: *found })));
        }
        totals.merge(found_totals)?;
        chunks.push(scan.map_or(0, |scan| scan.chunks));
    }
    Ok(Some(("complete", Command::Complete { assessment, totals, chunks })))
}

/// Ends the partition's stream of every assessment that was cancelled or stopped. Tells whether there was one.
pub(super) async fn void(context: &WorkerContext, partition: u32) -> Result<bool, ScanError> {
    let mut view = context.views.begin().await?;
    let mut ended = Vec::new();
    for row in assessment::to_void(&mut view, partition).await? {
        let scans = decision::scans(&mut view, &row.assessment).await?;
        ended.push((row, scans.into_iter().find(|scan| scan.partition == partition)));
    }
    view.rollback().await?;
    let mut records = Vec::new();
    for (row, known) in &ended {
        let cause = (row.ended_position.as_str(), "its end");
        let mut stream = at_end(context, row, partition, cause).await?;
        match stream.shown(known.as_ref()) {
            // Its end may stand where the tables do not show it yet, and a second one would count as well.
            Shown::Elsewhere | Shown::Ended { voided: true } => {}
            Shown::Open | Shown::Ended { voided: false } => {
                records.push(stream.record(&Event::ScanVoided));
            }
        }
    }
    if !records.is_empty() {
        // Another worker's chunk may come first; then this record is void and the next round writes behind it.
        context.log.append(&records).await?;
    }
    Ok(false)
}
