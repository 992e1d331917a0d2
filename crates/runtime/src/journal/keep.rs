//! Keeps the journal: a consumer in the control schema, one for each topic that the service writes commands to.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use ristoro_log::{Cause, Topic};
use sqlx::PgConnection;

use super::verdict_text;
use crate::consumer::Apply;
use crate::position::heads::{Judged, Judgement};
use crate::position::{stored, stored_partition};
use crate::projection::FoldError;
use crate::service::core::Core;

/// Writes one topic's journal.
pub(crate) struct Keep {
    pub core: Arc<Core>,
    pub topic: Topic,
}

impl Apply for Keep {
    fn apply<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        judgement: &'a Judgement,
        _skipped: &'a BTreeSet<u64>,
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            self.keep_events(tx, judgement).await?;
            self.keep_outcomes(tx, judgement).await?;
            Ok(())
        })
    }
}

impl Keep {
    async fn keep_events(
        &self,
        connection: &mut PgConnection,
        judgement: &Judgement,
    ) -> Result<(), sqlx::Error> {
        let (mut streams, mut versions) = (Vec::new(), Vec::new());
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        let mut envelopes: Vec<Vec<u8>> = Vec::new();
        for record in judgement.accepted() {
            if !self.core.journaled(self.topic, &record.envelope.stream) {
                continue;
            }
            streams.push(record.envelope.stream.as_str());
            versions.push(stored(record.envelope.version));
            partitions.push(stored_partition(record.position.partition));
            offsets.push(stored(record.position.offset));
            envelopes.push(record.envelope.encode().to_vec());
        }
        if streams.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into journal_event (topic, stream, version, partition, \"offset\", envelope)
             select $1, * from unnest($2::text[], $3::bigint[], $4::integer[], $5::bigint[], $6::bytea[])",
        )
        .bind(self.topic.name())
        .bind(streams)
        .bind(versions)
        .bind(partitions)
        .bind(offsets)
        .bind(envelopes)
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn keep_outcomes(
        &self,
        connection: &mut PgConnection,
        judgement: &Judgement,
    ) -> Result<(), sqlx::Error> {
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        let (mut streams, mut versions) = (Vec::new(), Vec::new());
        let (mut ids, mut verdicts) = (Vec::new(), Vec::new());
        for Judged { record, verdict } in judgement.judged.iter().filter(|one| asked(one)) {
            partitions.push(stored_partition(record.position.partition));
            offsets.push(stored(record.position.offset));
            streams.push(record.envelope.stream.as_str());
            versions.push(stored_or_last(record.envelope.version));
            ids.push(record.envelope.command_id);
            verdicts.push(verdict_text(*verdict));
        }
        if partitions.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into command_outcome
                 (topic, partition, \"offset\", stream, version, command_id, verdict)
             select $1, * from unnest($2::integer[], $3::bigint[], $4::text[], $5::bigint[], $6::uuid[],
                 $7::text[])",
        )
        .bind(self.topic.name())
        .bind(partitions)
        .bind(offsets)
        .bind(streams)
        .bind(versions)
        .bind(ids)
        .bind(verdicts)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Tells whether somebody waits for the verdict on a record.
fn asked(one: &Judged) -> bool {
    let envelope = &one.record.envelope;
    envelope.command_id.is_some()
        || match envelope.cause {
            Cause::Command(_) | Cause::Claim(_) => true,
            Cause::Log(_) => false,
        }
}

/// A foreign record may claim any version; it is void, and only must not stop the journal.
fn stored_or_last(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ristoro_log::Verdict;

    use super::*;

    #[test]
    fn a_version_out_of_range_does_not_stop_the_journal() {
        assert_eq!(stored_or_last(7), 7);
        assert_eq!(stored_or_last(u64::MAX), i64::MAX);
    }

    #[test]
    fn verdicts_have_distinct_names() {
        let all = [
            Verdict::Accepted,
            Verdict::Duplicate,
            Verdict::Conflict,
            Verdict::Gap,
            Verdict::RepeatedCommand,
        ];
        let names: BTreeSet<&str> = all.into_iter().map(verdict_text).collect();
        assert_eq!(names.len(), all.len());
    }
}
