//! Payouts as messages: how far each line is.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::order::{Channel, OrderLine};
use ristoro_domain::payment_file::Status as FileStatus;
use ristoro_domain::payout_chunk::{ChunkStanding, OrderPhase};
use ristoro_domain::time::Instant;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout_order::channel_out;
use ristoro_proto::types::remedy_out;
use ristoro_runtime::{edge, status};
use sqlx::PgConnection;
use tonic::Status;

use super::names::{file_name, payout_name, subscription_name};
use crate::projections::account::Member;
use crate::projections::standing::Chunk;
use crate::projections::{difference, payment_file};

/// What payouts of some chunks need besides the chunks: which files are at the bank.
#[derive(Clone, Debug, Default)]
pub struct Context {
    submitted: BTreeSet<String>,
    now: Instant,
}

impl Context {
    /// Looks up the files that hold people of a chunk.
    ///
    /// # Errors
    /// The database's, as a status.
    pub async fn of(view: &mut PgConnection, chunk: &Chunk) -> Result<Self, Status> {
        let mut submitted = BTreeSet::new();
        for holding in &chunk.standing.holdings {
            let row = payment_file::find(view, &holding.file).await;
            let row = row.map_err(|error| status::database(&error))?;
            if row.is_some_and(|row| row.status == FileStatus::Submitted) {
                submitted.insert(holding.file.clone());
            }
        }
        Ok(Self { submitted, now: Instant::now() })
    }

    /// Tells how far a line of a person's payout is.
    #[must_use]
    pub fn state(&self, chunk: &ChunkStanding, number: u64, line: &OrderLine) -> api::PayoutState {
        match chunk.phase {
            OrderPhase::Ordered => return api::PayoutState::Ordered,
            OrderPhase::Voided => return api::PayoutState::Voided,
            OrderPhase::Released => {}
        }
        let moved = match line.channel {
            Channel::Transfer => self.transfer_state(chunk, number),
            Channel::Invoice | Channel::Provisioning => {
                self.given_state(chunk, number, line.channel)
            }
            Channel::Unclaimed => None,
        };
        match moved {
            Some(state) => state,
            None if chunk.standing(number).held => api::PayoutState::Held,
            None if line.channel == Channel::Unclaimed => api::PayoutState::Unclaimed,
            None => api::PayoutState::Released,
        }
    }

    fn transfer_state(&self, chunk: &ChunkStanding, number: u64) -> Option<api::PayoutState> {
        if let Some(failure) = chunk.standing(number).failure {
            return Some(match failure.returned {
                true => api::PayoutState::Returned,
                false => api::PayoutState::Rejected,
            });
        }
        let file = chunk.reserved_in(number)?;
        Some(match self.submitted.contains(file) {
            true => api::PayoutState::Submitted,
            false => api::PayoutState::Reserved,
        })
    }

    fn given_state(
        &self,
        chunk: &ChunkStanding,
        number: u64,
        channel: Channel,
    ) -> Option<api::PayoutState> {
        let place = chunk.given.get(&number)?.place;
        if channel == Channel::Invoice {
            return place.exported.then_some(api::PayoutState::Exported);
        }
        if place.delivered {
            return Some(api::PayoutState::Delivered);
        }
        if place.failed && !chunk.is_retried(number) {
            return Some(api::PayoutState::Failed);
        }
        place.is_lent(self.now).then_some(api::PayoutState::Leased)
    }

    /// Writes a person's payout; `hold_note` is why it is held.
    #[must_use]
    pub fn message(
        &self,
        (assessment, member): (&str, &Member),
        chunk: &Chunk,
        hold_note: String,
    ) -> api::Payout {
        let number = member.number;
        let standing = chunk.standing.standing(number);
        let line = |line: &OrderLine| api::PayoutLine {
            remedy: Some(remedy_out(&line.remedy)),
            channel: channel_out(line.channel).into(),
            state: self.state(&chunk.standing, number, line).into(),
            amount: line.remedy.grant.amount().map(edge::money_message),
        };
        let order = chunk.standing.orders.order_of(number);
        let lines = order.map(|order| order.lines.iter().map(line).collect());
        let failure = standing.failure.map(|failure| failure.reason_code);
        api::Payout {
            name: payout_name(assessment, member),
            subscription: subscription_name(member),
            number,
            lines: lines.unwrap_or_default(),
            held: standing.held,
            hold_note,
            attempt: standing.attempt,
            payment_file: chunk.standing.reserved_in(number).map(file_name).unwrap_or_default(),
            reason_code: failure.unwrap_or_default(),
            etag: standing.version.to_string(),
            ordered_at: Some(edge::timestamp(chunk.ordered_at)),
        }
    }
}

/// Gives why each of some people of a chunk is held; those who are not are left out.
///
/// # Errors
/// The database's, as a status.
pub async fn hold_notes(
    view: &mut PgConnection,
    assessment: &str,
    chunk: &ChunkStanding,
    numbers: &[u64],
) -> Result<BTreeMap<u64, String>, Status> {
    let mut notes = BTreeMap::new();
    for number in numbers {
        let standing = chunk.standing(*number);
        if !standing.held {
            continue;
        }
        let held = difference::effective_hold(view, assessment, *number).await;
        if let Some(note) = held.map_err(|error| status::database(&error))? {
            notes.insert(*number, note);
        }
    }
    Ok(notes)
}
