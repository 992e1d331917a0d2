//! One chunk of payouts with everything that the tables know to have happened to its people.

use ristoro_domain::payout_chunk::ChunkStanding;
use sqlx::PgConnection;

use super::order::{self, ChunkRow};
use super::{difference, grant, reservation};

/// A chunk with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// The chunk's number.
    pub number: u64,
    /// When it was ordered.
    pub ordered_at: ristoro_domain::time::Instant,
    /// Its people.
    pub standing: ChunkStanding,
}

/// Reads a chunk by its number.
///
/// # Errors
/// The database's.
pub async fn at(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    chunk: u64,
) -> Result<Option<Chunk>, sqlx::Error> {
    match order::chunk_at(connection, assessment, partition, chunk).await? {
        Some(row) => of(connection, assessment, partition, row).await.map(Some),
        None => Ok(None),
    }
}

/// Reads the chunk that orders something for a number.
///
/// # Errors
/// The database's.
pub async fn of_number(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    number: u64,
) -> Result<Option<Chunk>, sqlx::Error> {
    match order::chunk_of(connection, assessment, partition, number).await? {
        Some(row) => of(connection, assessment, partition, row).await.map(Some),
        None => Ok(None),
    }
}

/// Reads of the chunk that orders something for a number only what is about that number.
///
/// # Errors
/// The database's.
pub async fn own(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    number: u64,
) -> Result<Option<Chunk>, sqlx::Error> {
    match order::own(connection, assessment, partition, number).await? {
        Some(row) => of(connection, assessment, partition, row).await.map(Some),
        None => Ok(None),
    }
}

/// Reads what happened to the people of a chunk.
///
/// # Errors
/// The database's.
pub async fn of(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    row: ChunkRow,
) -> Result<Chunk, sqlx::Error> {
    let numbers = row.chunk.columns.numbers();
    let mut standing = ChunkStanding { phase: row.phase, ..ChunkStanding::default() };
    if let (Some(first), Some(last), true) = (numbers.first(), numbers.last(), row.differs) {
        standing.people = difference::standings(connection, assessment, (*first, *last)).await?;
        standing.holdings =
            reservation::holdings(connection, assessment, partition, row.number).await?;
        standing.given = grant::given(connection, assessment, partition, row.number).await?;
    }
    standing.orders = row.chunk;
    Ok(Chunk { number: row.number, ordered_at: row.occurred_at, standing })
}
