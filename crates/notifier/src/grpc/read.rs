//! Notices as the tables have them, and how they are shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use ristoro_domain::dispatch::Dispatch;
use ristoro_domain::roster::partition_of_number;
use ristoro_log::{Position, Topic};
use ristoro_proto::notifier::v1 as api;
use ristoro_proto::types::{remedy_out, timestamp};
use ristoro_runtime::edge::{self, SubscriptionKey};
use ristoro_runtime::status;
use sqlx::PgConnection;
use tonic::Status;

use super::standing::{Standing, attempt, standing};
use crate::channels::mail::Order;
use crate::projections::chunk::{self, ChunkRow, QueueState};
use crate::projections::contact::{self, Member};
use crate::projections::{notice_row, wave};
use crate::streams::ChunkKey;

/// The name of a notice.
pub(super) const NOTICE: &str = "assessments/{assessment}/notices/{subscription}";
/// The name of an assessment.
pub(super) const ASSESSMENT: &str = "assessments/{assessment}";
/// The name of a subscription.
const SUBSCRIPTION: &str = "subscribers/{subscriber}/subscriptions/{subscription}";
/// Chunks that a list reads at once, and how often for one page.
const CHUNKS_A_READ: i64 = 4;
const READS_A_PAGE: usize = 25;

/// A notice that was found.
pub(super) struct Found {
    /// The chunk that it is in.
    pub(super) chunk: Arc<ChunkRow>,
    /// Its place there.
    pub(super) place: u32,
    /// Who it is about.
    pub(super) member: Member,
    /// How far it is.
    pub(super) standing: Standing,
    /// The outage, once the queue is released.
    pub(super) queue: QueueState,
    key: SubscriptionKey,
}

/// A page of notices.
pub(super) struct Listed {
    /// In number order.
    pub(super) notices: Vec<api::Notice>,
    /// The last number that was looked at, where there may be more.
    pub(super) more_after: Option<u64>,
}

impl Found {
    /// Gives what ordered the message.
    pub(super) fn order(&self) -> Order<'_> {
        let (number, attempt) = (self.member.number, self.standing.attempt);
        Order { chunk: &self.chunk.key, number, attempt }
    }

    /// Shows it.
    pub(super) fn message(&self) -> Result<api::Notice, Status> {
        let assessment = &self.chunk.key.assessment;
        let parent = edge::format_name(ASSESSMENT, &[assessment]);
        let queued_at = Position {
            topic: Topic::Notice,
            partition: self.chunk.key.partition,
            offset: self.chunk.record_offset,
        };
        let remedies = self.chunk.told(self.place).map_err(|error| status::database(&error))?;
        let Member { subscriber, subscription, number, .. } = &self.member;
        Ok(api::Notice {
            name: format!("{parent}/notices/{}", self.key.segment()),
            subscription: edge::format_name(SUBSCRIPTION, &[subscriber, subscription]),
            number: *number,
            state: self.standing.state.into(),
            attempt: self.standing.attempt,
            remedies: remedies.iter().map(remedy_out).collect(),
            mailbox_restored_at: self.standing.wave_at.map(timestamp),
            status_code: self.standing.status_code.clone(),
            queued_at_position: queued_at.to_string(),
            reference: self.order().reference(),
        })
    }
}

/// Finds a notice by its name.
pub(super) async fn find(view: &mut PgConnection, name: &str) -> Result<Found, Status> {
    let (assessment, key) = edge::subscription_key("name", NOTICE, name)?;
    let not_found = || status::not_found("ristoro.dev/Notice", name);
    let database = |error: sqlx::Error| status::database(&error);
    let subscriber = key.subscriber.as_deref();
    let mut members = contact::find(view, &key.subscription, subscriber).await.map_err(database)?;
    if members.len() > 1 {
        let problem = "names several subscriptions: write {subscriber}~{subscription}";
        return Err(status::invalid("name", problem));
    }
    let member = members.pop().ok_or_else(not_found)?;
    let (number, partition) = (member.number, partition_of_number(member.number));
    let chunk = chunk::of_number(view, &assessment, partition, number).await.map_err(database)?;
    let chunk = chunk.ok_or_else(not_found)?;
    let place = chunk.place_of(number).ok_or_else(not_found)?;
    let queue = chunk::queue_state(view, &assessment, partition).await.map_err(database)?;
    let rows = notice_row::last(view, &assessment, &[number]).await.map_err(database)?;
    let keys = [chunk.key.clone()];
    let dispatches = wave::of_chunks(view, &assessment, &keys).await.map_err(database)?;
    let row = rows.get(&number);
    let dispatch = dispatches.get(&(chunk.key.clone(), attempt(row)));
    let standing = standing(&queue, row, dispatch, place);
    let chunk = Arc::new(chunk);
    Ok(Found { chunk, place, member, standing, queue, key })
}

/// Lists notices of an assessment behind a number.
pub(super) async fn list(
    view: &mut PgConnection,
    assessment: &str,
    after: u64,
    only: api::NoticeState,
    limit: usize,
) -> Result<Listed, sqlx::Error> {
    let mut notices = Vec::new();
    let mut after = after;
    let partition = partition_of_number(after);
    let first = chunk::of_number(view, assessment, partition, after).await?;
    let mut chunks: Vec<ChunkRow> = first.into_iter().collect();
    for _ in 0..READS_A_PAGE {
        chunks.extend(chunk::behind(view, assessment, after, CHUNKS_A_READ).await?);
        let last = chunks.last().and_then(|chunk| chunk.columns.numbers().last()).copied();
        let Some(last) = last else { return Ok(Listed { notices, more_after: None }) };
        let found = read_chunks(view, assessment, std::mem::take(&mut chunks)).await?;
        let wanted = |found: &&Found| {
            let any = only == api::NoticeState::Unspecified;
            found.member.number > after && (any || found.standing.state == only)
        };
        for found in found.iter().filter(wanted) {
            if notices.len() == limit {
                let more_after = notices.last().map(|notice: &api::Notice| notice.number);
                return Ok(Listed { notices, more_after });
            }
            let message = found.message();
            notices.push(message.map_err(|problem| sqlx::Error::Decode(Box::new(problem)))?);
        }
        if last <= after {
            // The chunk that `after` stands in was the last.
            return Ok(Listed { notices, more_after: None });
        }
        after = last;
    }
    Ok(Listed { notices, more_after: Some(after) })
}

/// Gives everybody in some chunks, in number order.
async fn read_chunks(
    view: &mut PgConnection,
    assessment: &str,
    chunks: Vec<ChunkRow>,
) -> Result<Vec<Found>, sqlx::Error> {
    let keys: Vec<ChunkKey> = chunks.iter().map(|chunk| chunk.key.clone()).collect();
    let dispatches: BTreeMap<(ChunkKey, u32), Dispatch> =
        wave::of_chunks(view, assessment, &keys).await?;
    let mut found = Vec::new();
    for chunk in chunks {
        let queue = chunk::queue_state(view, assessment, chunk.key.partition).await?;
        let chunk = Arc::new(chunk);
        let numbers = chunk.columns.numbers();
        let mut members = contact::members(view, numbers).await?;
        let rows = notice_row::last(view, assessment, numbers).await?;
        for (place, number) in (0..).zip(numbers.iter().copied()) {
            // Whoever is told stands in the roster; its table may be behind in another process.
            let Some(member) = members.remove(&number) else { continue };
            let row = rows.get(&number);
            let dispatch = dispatches.get(&(chunk.key.clone(), attempt(row)));
            let standing = standing(&queue, row, dispatch, place);
            let key = SubscriptionKey {
                subscriber: Some(member.subscriber.clone()),
                subscription: member.subscription.clone(),
            };
            let (chunk, queue) = (Arc::clone(&chunk), queue.clone());
            found.push(Found { chunk, place, member, standing, queue, key });
        }
    }
    Ok(found)
}
