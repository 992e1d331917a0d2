//! Payment files as their own streams tell of them; what is in them stands in `reservation`.

use ristoro_domain::ledger;
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::payment_file::{Creation, Event, FileContent, Status, Submission};
use ristoro_domain::time::Instant;
use ristoro_proto::wire::Wire;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::FoldError;
use ristoro_runtime::stored::{decode_error, instant, signed, small, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::posting::{self, Entry};

/// One payment file as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRow {
    /// Its id.
    pub file: String,
    /// The version of its stream.
    pub version: u64,
    /// How far it is.
    pub status: Status,
    /// How it began.
    pub creation: Creation,
    /// When.
    pub created_at: Instant,
    /// Who approved it; empty until then.
    pub approved_by: String,
    /// What was approved.
    pub approved: Option<FileContent>,
    /// Why it was cancelled; empty otherwise.
    pub note: String,
    /// What went to the bank.
    pub submission: Option<Submission>,
}

/// Folds an event of `payment-file/{file}`.
///
/// # Errors
/// `Payload` where the sum leaves 64 bits, and the database's.
pub async fn fold(
    tx: &mut PgConnection,
    file: &str,
    record: &Accepted,
    event: &Event,
) -> Result<(), FoldError> {
    let version = signed(record.envelope.version);
    sqlx::query("update payment_file set version = $2 where file = $1")
        .bind(file)
        .bind(version)
        .execute(&mut *tx)
        .await?;
    let query = match event {
        Event::PaymentFileCreated(_) => sqlx::query(
            "insert into payment_file (file, partition, version, status, creation, created_at) \
             values ($1, $2, $3, 'created', $4, $5)",
        )
        .bind(file)
        .bind(small(record.position.partition))
        .bind(version)
        .bind(record.envelope.payload.to_vec())
        .bind(record.envelope.occurred_at.as_microsecond()),
        Event::PaymentFileApproved(content) => sqlx::query(
            "update payment_file set status = 'approved', approved_by = $2, approved_digest = $3, \
             approved_count = $4, approved_minor = $5, approved_currency = $6 where file = $1",
        )
        .bind(file)
        .bind(&record.envelope.actor)
        .bind(content.digest.as_slice())
        .bind(signed(content.count))
        .bind(content.total.minor)
        .bind(content.total.currency.code()),
        Event::PaymentFileCancelled { note } => {
            sqlx::query("update payment_file set status = 'cancelled', note = $2 where file = $1")
                .bind(file)
                .bind(note)
        }
        Event::PaymentFileSubmitted(submission) => {
            post_submission(tx, file, record).await?;
            sqlx::query(
                "update payment_file set status = 'submitted', message_id = $2, submitted_at = $3, sha256 = $4 \
                 where file = $1",
            )
            .bind(file)
            .bind(&submission.message_id)
            .bind(submission.created_at.as_microsecond())
            .bind(submission.sha256.as_slice())
        }
        // What the bank says of a transfer becomes an event of that payout's own stream.
        Event::PaymentFileReported { .. } => return Ok(()),
    };
    query.execute(tx).await?;
    Ok(())
}

/// Posts what was approved: it left for the bank.
async fn post_submission(
    tx: &mut PgConnection,
    file: &str,
    record: &Accepted,
) -> Result<(), FoldError> {
    let unreadable = |problem: String| FoldError::Payload { position: record.position, problem };
    let approved = find(tx, file).await?.and_then(|row| row.approved);
    let approved = approved.ok_or_else(|| unreadable("it was never approved".to_owned()))?;
    let postings = ledger::submitted(approved.total);
    let postings = postings.map_err(|error| unreadable(error.to_string()))?;
    let entry = Entry { assessment: "", chunk: 0, file, reason: "submitted" };
    posting::insert(tx, record, entry, postings).await?;
    Ok(())
}

const SELECT: &str = "select file, version, status, creation, created_at, approved_by, approved_digest, \
                      approved_count, approved_minor, approved_currency, note, message_id, submitted_at, sha256 \
                      from payment_file";

/// Gives one file.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    file: &str,
) -> Result<Option<FileRow>, sqlx::Error> {
    let text = format!("{SELECT} where file = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(file).fetch_optional(connection).await?;
    row.as_ref().map(file_row).transpose()
}

/// Lists files in the order in which they were created, behind a time in microseconds and an id.
///
/// # Errors
/// The database's.
pub async fn list(
    connection: &mut PgConnection,
    (after, after_file): (i64, &str),
    limit: i64,
) -> Result<Vec<FileRow>, sqlx::Error> {
    let text =
        format!("{SELECT} where (created_at, file) > ($1, $2) order by created_at, file limit $3");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(after)
        .bind(after_file)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(file_row).collect()
}

/// Lists the files that still have something to do on a partition: to be filled, or to be released after they were
/// cancelled.
///
/// # Errors
/// The database's.
pub async fn unfinished(
    connection: &mut PgConnection,
    partition: u32,
) -> Result<Vec<FileRow>, sqlx::Error> {
    let text = format!(
        "{SELECT} where (status = 'created' and not exists (select from reservation_stream as known \
         where known.file = payment_file.file and known.partition = $1 and known.phase > 1)) \
         or (status = 'cancelled' and not exists (select from reservation_stream as known \
         where known.file = payment_file.file and known.partition = $1 and known.phase = 3)) \
         order by created_at, file"
    );
    let rows =
        sqlx::query(sqlx::AssertSqlSafe(text)).bind(small(partition)).fetch_all(connection).await?;
    rows.iter().map(file_row).collect()
}

fn file_row(row: &PgRow) -> Result<FileRow, sqlx::Error> {
    let payload: Vec<u8> = row.try_get("creation")?;
    let event = Event::decode("PaymentFileCreated", &payload.into()).map_err(decode_error)?;
    let Event::PaymentFileCreated(creation) = event else {
        unreachable!("the type that was asked for decodes to its own variant")
    };
    Ok(FileRow {
        file: row.try_get("file")?,
        version: unsigned(row.try_get("version")?),
        status: status(row.try_get("status")?)?,
        creation: *creation,
        created_at: instant(row.try_get("created_at")?)?,
        approved_by: row.try_get("approved_by")?,
        approved: approved(row)?,
        note: row.try_get("note")?,
        submission: submission(row)?,
    })
}

fn status(name: &str) -> Result<Status, sqlx::Error> {
    let all = [Status::Created, Status::Approved, Status::Cancelled, Status::Submitted];
    let found = all.into_iter().find(|status| status.name() == name);
    found.ok_or_else(|| sqlx::Error::Protocol(format!("payment_file.status {name} is none")))
}

fn approved(row: &PgRow) -> Result<Option<FileContent>, sqlx::Error> {
    let (digest, currency): (Option<Vec<u8>>, Option<String>) =
        (row.try_get("approved_digest")?, row.try_get("approved_currency")?);
    let (count, minor): (Option<i64>, Option<i64>) =
        (row.try_get("approved_count")?, row.try_get("approved_minor")?);
    let (Some(digest), Some(currency), Some(count), Some(minor)) = (digest, currency, count, minor)
    else {
        return Ok(None);
    };
    let currency: Currency = currency.parse().map_err(decode_error)?;
    let digest = <[u8; 32]>::try_from(digest.as_slice()).map_err(decode_error)?;
    let total = Money::new(minor, currency);
    Ok(Some(FileContent { digest, count: unsigned(count), total }))
}

fn submission(row: &PgRow) -> Result<Option<Submission>, sqlx::Error> {
    let at: Option<i64> = row.try_get("submitted_at")?;
    let sha256: Option<Vec<u8>> = row.try_get("sha256")?;
    let Some((at, sha256)) = at.zip(sha256) else { return Ok(None) };
    let sha256 = <[u8; 32]>::try_from(sha256.as_slice()).map_err(decode_error)?;
    let (message_id, created_at) = (row.try_get("message_id")?, instant(at)?);
    Ok(Some(Submission { message_id, created_at, sha256 }))
}
