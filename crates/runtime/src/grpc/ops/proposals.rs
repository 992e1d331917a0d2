//! Proposals to skip a record, kept in the control schema until another person approves one.
//!
//! They are no facts: only the approved skip is, and that is an event on the log.

use std::collections::BTreeSet;

use ristoro_log::Position;
use sha2::{Digest, Sha256};
use sqlx::{PgPool, Row};

use crate::edge::hex;
use crate::position::{stored, stored_partition};
use crate::schema::{self, Mode, ServiceName};

/// What one person proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Proposal {
    pub(super) position: Position,
    pub(super) consumers: BTreeSet<String>,
    pub(super) note: String,
    pub(super) proposer: String,
}

impl Proposal {
    /// Gives what an approval must name, so that nobody approves what he did not see.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let position = self.position.to_string();
        let parts = [&position, &self.note, &self.proposer];
        for part in parts.into_iter().chain(&self.consumers) {
            // The length stands before each part, so that no two lists of parts hash alike.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex(&hash.finalize())
    }
}

/// Keeps a proposal; a later one for the same record takes its place.
pub(super) async fn keep(
    pool: &PgPool,
    service: ServiceName,
    proposal: &Proposal,
) -> Result<(), sqlx::Error> {
    let mut transaction = schema::begin(pool, &service.control(), Mode::Write).await?;
    sqlx::query(
        "insert into skip_proposal (topic, partition, \"offset\", consumers, note, proposer, digest)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (topic, partition, \"offset\") do update
         set consumers = excluded.consumers, note = excluded.note, proposer = excluded.proposer,
             digest = excluded.digest, proposed_at = excluded.proposed_at",
    )
    .bind(proposal.position.topic.name())
    .bind(stored_partition(proposal.position.partition))
    .bind(stored(proposal.position.offset))
    .bind(proposal.consumers.iter().cloned().collect::<Vec<_>>())
    .bind(&proposal.note)
    .bind(&proposal.proposer)
    .bind(proposal.digest())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Finds the proposal for a record.
pub(super) async fn find(
    pool: &PgPool,
    service: ServiceName,
    position: Position,
) -> Result<Option<Proposal>, sqlx::Error> {
    let mut transaction = schema::begin(pool, &service.control(), Mode::Snapshot).await?;
    let row = sqlx::query(
        "select consumers, note, proposer from skip_proposal
         where topic = $1 and partition = $2 and \"offset\" = $3",
    )
    .bind(position.topic.name())
    .bind(stored_partition(position.partition))
    .bind(stored(position.offset))
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.rollback().await?;
    let Some(row) = row else { return Ok(None) };
    let consumers: Vec<String> = row.try_get("consumers")?;
    Ok(Some(Proposal {
        position,
        consumers: consumers.into_iter().collect(),
        note: row.try_get("note")?,
        proposer: row.try_get("proposer")?,
    }))
}

#[cfg(test)]
mod tests {
    use ristoro_log::Topic;

    use super::*;

    #[test]
    fn a_digest_differs_with_every_part() {
        let proposal = Proposal {
            position: Position { topic: Topic::Payout, partition: 0, offset: 7 },
            consumers: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
            note: "unreadable".to_owned(),
            proposer: "anna".to_owned(),
        };
        let digest = proposal.digest();
        assert_eq!((digest.len(), &digest), (64, &proposal.clone().digest()));
        let others = [
            Proposal { proposer: "bo".to_owned(), ..proposal.clone() },
            Proposal { note: "unreadable!".to_owned(), ..proposal.clone() },
            Proposal { consumers: BTreeSet::from(["ab".to_owned()]), ..proposal.clone() },
            Proposal { position: Position { offset: 8, ..proposal.position }, ..proposal.clone() },
        ];
        assert!(others.iter().all(|other| other.digest() != digest));
    }
}
