//! Generated data: rosters of people whom nobody will ever pay by mistake.

pub mod iban;
mod random;
mod roster;

use std::io::Write;

use ristoro_domain::roster::read::COLUMNS;

pub use roster::{CsvRow, roster};

/// Writes rows as an import file with its header, and gives how many it wrote.
///
/// # Errors
/// The writer's.
pub fn write_csv(
    rows: impl Iterator<Item = CsvRow>,
    writer: impl Write,
) -> Result<u64, csv::Error> {
    let mut file = csv::Writer::from_writer(writer);
    file.write_record(COLUMNS)?;
    let mut written = 0;
    for row in rows {
        file.write_record(row.fields())?;
        written += 1;
    }
    file.flush()?;
    Ok(written)
}
