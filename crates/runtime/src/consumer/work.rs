//! The loop of a consumer: read, work partition by partition, survive everything but a foreign log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ristoro_log::{Limits, LogError, Position, Record, Topic};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::assign::{Assignment, assign, cursors};
use super::pace::Pace;
use super::pending::Pending;
use super::{Consumer, GroupError};
use crate::poison;
use crate::position::Cursor;
use crate::telemetry::link_traces;

/// The longest pause before a record whose needs are not there yet is tried again.
const NOT_YET_LIMIT: Duration = Duration::from_secs(1);

/// How often a partition that stands still looks whether it may go on.
const STOPPED_PAUSE: Duration = Duration::from_secs(2);

/// The records whose traces a batch is linked to: the first of many.
const TRACES: usize = 100;

/// How long a start waits for the operators' topic before it says so.
const SKIPS_PATIENCE: Duration = Duration::from_secs(5);

/// How often the lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(5);

struct Working<'a> {
    consumer: &'a Consumer,
    partitions: BTreeSet<u32>,
    assignment: Assignment,
    pending: BTreeMap<u32, Pending>,
    /// The partitions that are on the list of those that stand still.
    listed: BTreeSet<u32>,
    pace: Pace,
    /// How long the last batch took.
    worked: Duration,
    lag_at: Instant,
    caught_up: bool,
}

pub(super) async fn run(
    consumer: Consumer,
    mut owned: watch::Receiver<BTreeSet<u32>>,
    shutdown: CancellationToken,
) -> Result<(), LogError> {
    skips_known(&consumer, &shutdown).await;
    let mut failures = Pending::default();
    while !shutdown.is_cancelled() {
        let partitions = owned.borrow_and_update().clone();
        if partitions.is_empty() {
            consumer.core.telemetry.readiness.ready(&consumer.name);
            tokio::select! {
                () = shutdown.cancelled() => {}
                changed = owned.changed() => if changed.is_err() { return Ok(()) },
            }
            continue;
        }
        let worked = async {
            let mut working = Working::begin(&consumer, partitions).await?;
            failures.went_on();
            working.until(&mut owned, &shutdown).await
        };
        match worked.await {
            Ok(()) => {}
            Err(GroupError::Log(error @ LogError::Foreign(_))) => return Err(error),
            Err(error) => {
                tracing::warn!(consumer = %consumer.name, %error, "reading begins anew");
                let settings = &consumer.core.settings;
                failures.back_off(settings.backoff, settings.backoff_limit);
                let pause = failures.pause();
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep_until(pause) => {}
                }
            }
        }
    }
    Ok(())
}

/// Waits until the service has followed the operators' topic to its end of now.
///
/// A consumer that begins from nothing would else fold a record before it learns that it is skipped.
async fn skips_known(consumer: &Consumer, shutdown: &CancellationToken) {
    let core = &consumer.core;
    let skips = [poison::skip_consumer(core.service)];
    if skips.contains(&consumer.name) {
        return;
    }
    let control = core.service.control();
    while !shutdown.is_cancelled() {
        let known = async {
            let topic = Topic::Ops;
            let deadline = Instant::now() + SKIPS_PATIENCE;
            for (partition, end) in (0..).zip(core.log.end_offsets(topic).await?) {
                let position = Position { topic, partition, offset: end.saturating_sub(1) };
                let known = core.board.wait(&core.pool, &control, &skips, position, deadline);
                known.await.map_err(|error| LogError::Unavailable(error.to_string()))?;
            }
            Ok::<(), LogError>(())
        };
        match known.await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(consumer = %consumer.name, %error, "waiting for the skipped records");
                tokio::time::sleep(core.settings.backoff).await;
            }
        }
    }
}

impl<'a> Working<'a> {
    async fn begin(consumer: &'a Consumer, partitions: BTreeSet<u32>) -> Result<Self, GroupError> {
        let assignment = assign(consumer, &partitions).await?;
        for (partition, cursor) in &assignment.cursors {
            consumer.report(*partition, cursor);
        }
        let listed = poison::settle(consumer, &assignment.cursors).await?;
        Ok(Self {
            consumer,
            partitions,
            assignment,
            pending: BTreeMap::new(),
            listed,
            pace: consumer.pace.clone(),
            worked: Duration::ZERO,
            lag_at: Instant::now(),
            caught_up: false,
        })
    }

    /// Works until the partitions change or the shutdown.
    async fn until(
        &mut self,
        owned: &mut watch::Receiver<BTreeSet<u32>>,
        shutdown: &CancellationToken,
    ) -> Result<(), GroupError> {
        loop {
            let now = Instant::now();
            let due: Vec<u32> = self.due(now);
            for partition in due {
                if shutdown.is_cancelled() || owned.has_changed().unwrap_or(true) {
                    return Ok(());
                }
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    _ = owned.changed() => return Ok(()),
                    () = self.pace.keep(self.worked) => {}
                }
                let begun = Instant::now();
                self.work(partition).await?;
                self.worked = begun.elapsed();
            }
            // What was dropped while a partition could not go on is read again.
            if self.pending.values().any(|pending| pending.is_empty() && pending.truncated) {
                return Ok(());
            }
            self.look_around().await?;
            let wait = self.wait(Instant::now());
            let limits = self.limits(wait);
            let records = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = owned.changed() => return Ok(()),
                records = self.assignment.reader.poll(limits) => records?,
            };
            let linger =
                !records.is_empty() && records.len() < self.consumer.core.settings.batch_records;
            self.keep(records);
            if linger {
                self.linger().await?;
            }
        }
    }

    /// Lets a batch fill up for a moment: fewer, larger transactions.
    async fn linger(&mut self) -> Result<(), GroupError> {
        let linger = self.consumer.core.settings.linger;
        if linger.is_zero() {
            return Ok(());
        }
        tokio::time::sleep(linger).await;
        let limits = self.limits(Duration::ZERO);
        let more = self.assignment.reader.poll(limits).await?;
        self.keep(more);
        Ok(())
    }

    fn limits(&self, wait: Duration) -> Limits {
        let settings = &self.consumer.core.settings;
        Limits { records: settings.batch_records, bytes: settings.batch_bytes, wait }
    }

    fn keep(&mut self, records: Vec<Record>) {
        for record in records {
            let partition = record.position.partition;
            let cursor = self.assignment.cursors.get(&partition);
            if cursor.is_some_and(|cursor| record.position.offset >= cursor.next_offset) {
                let pending = self.pending.entry(partition).or_default();
                pending.push(record, &self.consumer.core.settings);
            }
        }
    }

    fn due(&self, now: Instant) -> Vec<u32> {
        let due = |(partition, pending): (&u32, &Pending)| {
            pending.due(now).is_some_and(|at| at <= now).then_some(*partition)
        };
        self.pending.iter().filter_map(due).collect()
    }

    /// Gives how long a poll may wait: until the next partition is due, and never long.
    fn wait(&self, now: Instant) -> Duration {
        let next = self.pending.values().filter_map(|pending| pending.due(now)).min();
        let limit = Limits::default().wait;
        next.map_or(limit, |at| at.saturating_duration_since(now).min(limit))
    }

    /// Works on one batch of one partition.
    async fn work(&mut self, partition: u32) -> Result<(), GroupError> {
        let consumer = self.consumer;
        let Some(cursor) = self.assignment.cursors.get(&partition).copied() else {
            return Ok(());
        };
        let Some(pending) = self.pending.get(&partition) else { return Ok(()) };
        let records = pending.batch(&consumer.core.settings);
        let span = tracing::info_span!(
            "batch", consumer = %consumer.name, topic = %consumer.topic, partition,
            records = records.len()
        );
        link_traces(&span, traces(records).iter().map(String::as_str));
        let count = records.len() as u64;
        match consumer.group(partition, &cursor, records).instrument(span).await {
            Ok(next) => self.passed(partition, next, count).await,
            Err(error) => self.failed(partition, error).await,
        }
    }

    async fn passed(&mut self, partition: u32, next: Cursor, count: u64) -> Result<(), GroupError> {
        let consumer = self.consumer;
        self.assignment.cursors.insert(partition, next);
        consumer.report(partition, &next);
        let (topic, offset) = (consumer.topic, next.next_offset);
        let metrics = &consumer.core.telemetry.metrics;
        metrics.read(&consumer.label(), Position { topic, partition, offset }, count);
        let Some(pending) = self.pending.get_mut(&partition) else { return Ok(()) };
        pending.pass(offset);
        pending.went_on();
        if self.listed.contains(&partition) {
            self.settle().await?;
        }
        Ok(())
    }

    async fn failed(&mut self, partition: u32, error: GroupError) -> Result<(), GroupError> {
        let consumer = self.consumer;
        let settings = &consumer.core.settings;
        let Some(pending) = self.pending.get_mut(&partition) else { return Ok(()) };
        match error {
            GroupError::Fence => self.read_again().await?,
            GroupError::NotYet => pending.back_off(settings.backoff, NOT_YET_LIMIT),
            GroupError::Poison { position, problem } => {
                if pending.stopped_at != Some(position) {
                    poison::stop(consumer, position, pending.front(), &problem).await?;
                    pending.stopped_at = Some(position);
                    self.listed.insert(partition);
                }
                pending.retry_in(STOPPED_PAUSE);
            }
            GroupError::Log(error) => return Err(GroupError::Log(error)),
            error @ (GroupError::Database(_) | GroupError::Command(_)) => {
                tracing::warn!(consumer = %consumer.name, partition, %error, "a batch is tried again");
                pending.back_off(settings.backoff, settings.backoff_limit);
                self.read_again().await?;
            }
        }
        Ok(())
    }

    /// Takes what was passed off the list of poison.
    async fn settle(&mut self) -> Result<(), GroupError> {
        let still = poison::settle(self.consumer, &self.assignment.cursors).await?;
        for partition in self.listed.difference(&still) {
            let (topic, partition) = (self.consumer.topic, *partition);
            let place = Position { topic, partition, offset: 0 };
            tracing::info!(consumer = %self.consumer.name, %topic, partition, "it goes on");
            self.consumer.core.telemetry.metrics.resumed(&self.consumer.label(), place);
        }
        self.listed = still;
        Ok(())
    }

    /// Reads the positions again: another worker may have moved them.
    async fn read_again(&mut self) -> Result<(), GroupError> {
        self.assignment.cursors = cursors(self.consumer, &self.partitions).await?;
        for (partition, cursor) in &self.assignment.cursors {
            self.consumer.report(*partition, cursor);
            if let Some(pending) = self.pending.get_mut(partition) {
                pending.pass(cursor.next_offset);
            }
        }
        if !self.listed.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }

    /// Measures the lag now and then, and says when the consumer has caught up for the first time.
    async fn look_around(&mut self) -> Result<(), GroupError> {
        let consumer = self.consumer;
        let cursors = &self.assignment.cursors;
        if !self.caught_up {
            let ends = &self.assignment.ends;
            let behind = |(partition, cursor): (&u32, &Cursor)| {
                ends.get(*partition as usize).is_some_and(|end| cursor.next_offset < *end)
            };
            self.caught_up = !cursors.iter().any(behind);
            if self.caught_up {
                consumer.core.telemetry.readiness.ready(&consumer.name);
            }
        }
        if self.lag_at > Instant::now() {
            return Ok(());
        }
        self.lag_at = Instant::now() + LAG_INTERVAL;
        let ends = consumer.core.log.end_offsets(consumer.topic).await?;
        for (partition, cursor) in cursors {
            let (topic, offset) = (consumer.topic, cursor.next_offset);
            let next = Position { topic, partition: *partition, offset };
            let end = ends.get(*partition as usize).copied().unwrap_or(0);
            consumer.core.telemetry.metrics.lag(&consumer.label(), next, end);
        }
        Ok(())
    }
}

impl Consumer {
    /// Tells those who wait how far the consumer has come.
    pub(crate) fn report(&self, partition: u32, cursor: &Cursor) {
        let place = (self.topic, partition);
        self.core.board.report(&self.schema, &self.name, place, cursor.next_offset);
    }
}

/// Gives the trace contexts of a batch's records.
fn traces(records: &[Record]) -> BTreeSet<String> {
    let envelope = |record: &Record| ristoro_log::Envelope::decode(record.value.clone()).ok();
    let all = records.iter().take(TRACES).filter_map(envelope).map(|envelope| envelope.traceparent);
    all.filter(|traceparent| !traceparent.is_empty()).collect()
}
