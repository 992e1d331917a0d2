//! Payment files: who is in them (`reserve`), as which transfers (`transfer`), and the bytes (`content`).

pub mod content;
pub mod reserve;
pub mod transfer;

use ristoro_log::Topic;
use ristoro_runtime::views::Views;
use sqlx::PgConnection;

use crate::projections::payment_file::FileRow;

/// Tells whether the tables of a snapshot have come as far on a partition as a file draws from.
///
/// # Errors
/// The database's.
pub async fn passed_pins(
    view: &mut PgConnection,
    row: &FileRow,
    partition: u32,
) -> Result<bool, sqlx::Error> {
    let positions = Views::positions(view).await?;
    let passed = |topic: Topic, pins: &[u64]| {
        let pin = pins.get(partition as usize).copied().unwrap_or(0);
        positions.get(&(topic, partition)).copied().unwrap_or(0) >= pin
    };
    Ok(passed(Topic::Payout, &row.creation.payout_offsets)
        && passed(Topic::Subscriber, &row.creation.roster_offsets))
}
