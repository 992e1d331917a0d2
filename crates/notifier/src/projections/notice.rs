//! The fold of notice.v1 into all tables of notices.

use futures::future::BoxFuture;
use ristoro_domain::decider::Decider;
use ristoro_domain::dispatch::{Dispatch, Event as DispatchEvent, Outcome, Wave};
use ristoro_domain::notice::{Event as NoticeEvent, QueueEvent};
use ristoro_domain::recipient::RecipientSuppressed;
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use sqlx::PgConnection;

use super::chunk::{self, QueueState};
use super::notice_row::{self, Difference};
use super::{retry, suppressed, wave};
use crate::streams::{ChunkKey, DispatchKey, parse_numbered};

/// Folds notice.v1.
#[derive(Debug)]
pub struct Notices;

impl Projection for Notices {
    fn name(&self) -> &'static str {
        "notifier.notices"
    }

    fn topic(&self) -> Topic {
        Topic::Notice
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                fold_one(tx, record).await?;
            }
            Ok(())
        })
    }
}

async fn fold_one(tx: &mut PgConnection, record: &Accepted) -> Result<(), FoldError> {
    let stream = record.envelope.stream.as_str();
    let partition = record.position.partition;
    if let Some((assessment, _)) = parse_numbered(stream, "queue") {
        queue(tx, record, assessment, decode(record)?).await?;
    } else if let Some(key) = DispatchKey::parse(stream) {
        dispatch(tx, record, &key, &decode(record)?).await?;
    } else if let Some((assessment, number)) = parse_numbered(stream, "notice") {
        let key = (assessment, number, record.position.offset);
        match decode(record)? {
            NoticeEvent::NoticeBounced { status_code } => {
                notice_row::insert(tx, key, None, Difference::Bounced, &status_code).await?;
            }
            NoticeEvent::NoticeRetried { attempt } => {
                notice_row::insert(tx, key, Some(attempt), Difference::Retried, "").await?;
                retry::insert(tx, (assessment, partition), number, attempt).await?;
            }
        }
    } else if let Some(subscriber) = stream.strip_prefix("recipient/") {
        let event: RecipientSuppressed = decode(record)?;
        suppressed::insert(tx, subscriber, &event.note).await?;
    }
    Ok(())
}

async fn queue(
    tx: &mut PgConnection,
    record: &Accepted,
    assessment: &str,
    event: QueueEvent,
) -> Result<(), FoldError> {
    let partition = record.position.partition;
    match event {
        QueueEvent::NoticesQueued(queued) => {
            let (assessment, chunk) = (assessment.to_owned(), record.envelope.version);
            let key = ChunkKey { assessment, partition, chunk };
            chunk::insert(tx, &key, record, &queued).await?;
        }
        QueueEvent::NoticesReleased { outage, .. } => {
            chunk::end(tx, assessment, partition, &QueueState::Released { outage }).await?;
        }
        QueueEvent::NoticesVoided => {
            chunk::end(tx, assessment, partition, &QueueState::Voided).await?;
        }
    }
    Ok(())
}

async fn dispatch(
    tx: &mut PgConnection,
    record: &Accepted,
    key: &DispatchKey,
    event: &DispatchEvent,
) -> Result<(), FoldError> {
    let before = wave::load(tx, key, record.envelope.version).await?;
    let outcomes = outcomes(&before, event);
    let after = Dispatch::evolve(before, event);
    let (started_version, outage_position) = match event {
        DispatchEvent::DispatchStarted { outage_position, .. } => {
            (record.envelope.version, outage_position.as_str())
        }
        DispatchEvent::DispatchTakenOver { started_version, .. }
        | DispatchEvent::DispatchHandedBack { started_version }
        | DispatchEvent::DispatchReported { started_version, .. } => (*started_version, ""),
    };
    let Some(changed) = after.wave(started_version) else {
        let problem = format!("no wave of this dispatch began at version {started_version}");
        return Err(FoldError::Payload { position: record.position, problem });
    };
    wave::save(tx, key, changed, outage_position).await?;
    let is_start = matches!(event, DispatchEvent::DispatchStarted { .. });
    if is_start && key.attempt == 1 {
        chunk::count_started(tx, &key.chunk, changed.places.len()).await?;
    }
    let differing: Vec<(u32, Outcome)> = outcomes
        .into_iter()
        .filter(|(_, outcome)| key.attempt > 1 || *outcome != Outcome::Sent)
        .collect();
    let is_retry = is_start && key.attempt > 1;
    if differing.is_empty() && !is_retry {
        return Ok(());
    }
    let numbers = numbers(tx, record, key).await?;
    let number = |place: u32| numbers.get(place as usize).copied().unwrap_or_default();
    if is_retry {
        let numbers: Vec<u64> = changed.places.iter().map(|place| number(*place)).collect();
        retry::mark_started(tx, &key.chunk.assessment, key.attempt, &numbers).await?;
    }
    let differing: Vec<(u64, Outcome)> =
        differing.into_iter().map(|(place, outcome)| (number(place), outcome)).collect();
    let at = (key.chunk.assessment.as_str(), record.position.offset);
    Ok(notice_row::insert_outcomes(tx, at, key.attempt, &differing).await?)
}

/// Gives the places whose outcome an event states, or leaves in doubt.
fn outcomes(before: &Dispatch, event: &DispatchEvent) -> Vec<(u32, Outcome)> {
    match event {
        DispatchEvent::DispatchStarted { .. } | DispatchEvent::DispatchHandedBack { .. } => {
            Vec::new()
        }
        DispatchEvent::DispatchTakenOver { .. } => {
            before.left_in_doubt(event).iter().map(|place| (*place, Outcome::Unknown)).collect()
        }
        DispatchEvent::DispatchReported { started_version, outcomes, .. } => {
            let places = before.wave(*started_version).map_or(&[][..], Wave::next_places);
            places.iter().copied().zip(outcomes.iter().copied()).collect()
        }
    }
}

async fn numbers(
    tx: &mut PgConnection,
    record: &Accepted,
    key: &DispatchKey,
) -> Result<Vec<u64>, FoldError> {
    let chunk = chunk::read(tx, &key.chunk).await?;
    let chunk = chunk.ok_or_else(|| FoldError::Payload {
        position: record.position,
        problem: format!("there is no chunk {} of this queue", key.chunk.chunk),
    })?;
    Ok(chunk.columns.numbers().to_vec())
}
