//! How domain values stand in the tables: words for enums, microseconds for times.

use ristoro_domain::facts::{Cause, Severity};
use ristoro_domain::outage::Origin;
use ristoro_domain::signal::SignalKind;
use ristoro_domain::time::{Instant, Window};
use ristoro_runtime::stored::instant;
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Stores a time. Times of outages are whole microseconds from the edge on.
#[must_use]
pub fn micros(instant: Instant) -> i64 {
    instant.as_microsecond()
}

/// Reads a column of times.
///
/// # Errors
/// The database's, and `Decode`.
pub fn time(row: &PgRow, column: &str) -> Result<Instant, sqlx::Error> {
    instant(row.try_get(column)?)
}

/// Reads a column of times that may be null.
///
/// # Errors
/// The database's, and `Decode`.
pub fn optional_time(row: &PgRow, column: &str) -> Result<Option<Instant>, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column)?.map(instant).transpose()
}

/// Reads the window of the columns `{prefix}_from` and `{prefix}_to`.
///
/// # Errors
/// The database's, and `Decode`.
pub fn window(row: &PgRow, prefix: &str) -> Result<Option<Window>, sqlx::Error> {
    let Some(from) = optional_time(row, &format!("{prefix}_from"))? else { return Ok(None) };
    Ok(Some(Window { from, to: optional_time(row, &format!("{prefix}_to"))? }))
}

/// Stores a window as two columns.
#[must_use]
pub fn ends(window: Option<Window>) -> (Option<i64>, Option<i64>) {
    let to = window.and_then(|window| window.to);
    (window.map(|window| micros(window.from)), to.map(micros))
}

/// Makes the database's error of a word that no version of this program wrote.
#[must_use]
pub fn unknown(word: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{word:?} is no word of this table").into())
}

/// Stores a severity.
#[must_use]
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Degraded => "degraded",
        Severity::Total => "total",
    }
}

/// Reads a severity.
///
/// # Errors
/// `Decode`.
pub fn severity(word: &str) -> Result<Severity, sqlx::Error> {
    let all = [Severity::Degraded, Severity::Total];
    let found = all.into_iter().find(|severity| severity_word(*severity) == word);
    found.ok_or_else(|| unknown(word))
}

/// Stores a cause.
#[must_use]
pub fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Fault => "fault",
        Cause::Planned => "planned",
        Cause::ForceMajeure => "force_majeure",
        Cause::Customer => "customer",
    }
}

/// Reads a cause.
///
/// # Errors
/// `Decode`.
pub fn cause(word: &str) -> Result<Cause, sqlx::Error> {
    let all = [Cause::Fault, Cause::Planned, Cause::ForceMajeure, Cause::Customer];
    let found = all.into_iter().find(|cause| cause_word(*cause) == word);
    found.ok_or_else(|| unknown(word))
}

/// Stores an origin.
#[must_use]
pub fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Declared => "declared",
        Origin::Observed => "observed",
    }
}

/// Reads an origin.
///
/// # Errors
/// `Decode`.
pub fn origin(word: &str) -> Result<Origin, sqlx::Error> {
    let all = [Origin::Declared, Origin::Observed];
    let found = all.into_iter().find(|origin| origin_word(*origin) == word);
    found.ok_or_else(|| unknown(word))
}

/// Stores a signal's kind.
#[must_use]
pub fn kind_word(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::Stated => "stated",
        SignalKind::Measured => "measured",
    }
}

/// Reads a signal's kind.
///
/// # Errors
/// `Decode`.
pub fn kind(word: &str) -> Result<SignalKind, sqlx::Error> {
    let all = [SignalKind::Stated, SignalKind::Measured];
    all.into_iter().find(|kind| kind_word(*kind) == word).ok_or_else(|| unknown(word))
}
