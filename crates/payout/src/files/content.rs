//! What a payment file holds, computed again from the reservations: its digest and its bytes.
//!
//! Payees are read as of the file's pins, so that every replica, now and after a rebuild, makes the same bytes.

use std::num::NonZeroUsize;

use ristoro_domain::money::MoneyError;
use ristoro_domain::payment_file::FileContent;
use ristoro_domain::reservation::{Closing, Phase, ReservationDigest};
use ristoro_domain::time::Instant;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::transfer::{debtor, transfer};
use crate::projections::account;
use crate::projections::payment_file::FileRow;
use crate::projections::reservation::{self, StreamRow};
use crate::sepa::identifier::IdentifierProblem;
use crate::sepa::{PaymentFileHeader, RuleViolation, Transfer, write};

/// Transfers that a bank books as one debit.
const TRANSFERS_A_BLOCK: NonZeroUsize = NonZeroUsize::new(10_000).expect("it is above zero");

/// Why a file has no content.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A partition's stream states something other than what it holds.
    #[error(
        "partition {partition} of payment file {file} holds something other than it states: `ristoro ledger check`"
    )]
    Differs {
        /// The file.
        file: String,
        /// The partition.
        partition: u32,
    },
    /// The sums leave 64 bits.
    #[error("the sums of payment file {file} leave the range of amounts: {source}")]
    Sum {
        /// The file.
        file: String,
        /// What is wrong with them.
        source: MoneyError,
    },
    /// A payee of the file's pin is not in the tables.
    #[error("the account of number {number} is not known as of payment file {file}")]
    NoAccount {
        /// The file.
        file: String,
        /// The subscription's number.
        number: u64,
    },
    /// The id is no UUID, so it has no place in the bank's identifiers.
    #[error("{file} is no id of a payment file")]
    Id {
        /// The id.
        file: String,
    },
    /// An attempt has no place in the bank's identifiers.
    #[error(transparent)]
    Identifier(#[from] IdentifierProblem),
    /// The file breaks a rule of the bank.
    #[error(transparent)]
    Rule(#[from] RuleViolation),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Computes what a partition of a file holds.
///
/// # Errors
/// The database's.
pub async fn closing(
    view: &mut PgConnection,
    row: &FileRow,
    partition: u32,
) -> Result<Closing, sqlx::Error> {
    let mut digest = ReservationDigest::default();
    for held in reservation::held_chunks(view, &row.file, partition).await? {
        held.rows.iter().for_each(|one| digest.add(&held.assessment, one));
    }
    Ok(digest.finish(row.creation.currency))
}

/// Computes what a file holds; none while a partition is still being filled.
///
/// # Errors
/// `Differs` where a stream states something else, `Sum`, and the database's.
pub async fn content(
    view: &mut PgConnection,
    row: &FileRow,
) -> Result<Option<FileContent>, ContentError> {
    let streams = reservation::streams(view, &row.file).await?;
    let Some(stated) = stated(row, &streams) else { return Ok(None) };
    for (partition, stated) in (0..).zip(&stated) {
        if closing(view, row, partition).await? != *stated {
            return Err(ContentError::Differs { file: row.file.clone(), partition });
        }
    }
    let content = FileContent::of(&stated, row.creation.currency);
    content.map(Some).map_err(|source| ContentError::Sum { file: row.file.clone(), source })
}

/// Gives what the ends of all partitions state; none while one is open, or once the file was released.
#[must_use]
pub fn stated(row: &FileRow, streams: &[StreamRow]) -> Option<Vec<Closing>> {
    let partitions = row.creation.payout_offsets.len();
    let closings: Vec<Closing> = streams
        .iter()
        .filter(|stream| stream.state.phase == Phase::Closed)
        .filter_map(|stream| stream.closing)
        .collect();
    (closings.len() == partitions).then_some(closings)
}

/// Writes the file that was created at a time.
///
/// # Errors
/// `Rule` for what the bank would refuse, and what else keeps a file from being written.
pub async fn bytes(
    view: &mut PgConnection,
    row: &FileRow,
    created_at: Instant,
) -> Result<Vec<u8>, ContentError> {
    let id = || ContentError::Id { file: row.file.clone() };
    let header = PaymentFileHeader {
        file: Uuid::try_parse(&row.file).map_err(|_| id())?,
        created_at,
        execution_date: row.creation.execution_date,
        initiating_party: row.creation.debtor.name.clone(),
        transfers_per_block: TRANSFERS_A_BLOCK,
    };
    let transfers = transfers(view, row).await?;
    Ok(write(&header, &debtor(&row.creation), &transfers)?)
}

async fn transfers(view: &mut PgConnection, row: &FileRow) -> Result<Vec<Transfer>, ContentError> {
    let mut transfers = Vec::new();
    for (partition, roster_offset) in (0..).zip(&row.creation.roster_offsets) {
        for held in reservation::held_chunks(view, &row.file, partition).await? {
            let numbers: Vec<u64> = held.rows.iter().map(|one| one.number).collect();
            let accounts = account::accounts(view, &numbers, *roster_offset).await?;
            for one in &held.rows {
                let file = || row.file.clone();
                let known = accounts.get(&one.number);
                let known =
                    known.ok_or(ContentError::NoAccount { file: file(), number: one.number })?;
                transfers.push(transfer(&held.assessment, one, known)?);
            }
        }
    }
    Ok(transfers)
}

/// Gives the SHA-256 of bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
