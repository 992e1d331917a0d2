//! Orders in chunks: one row per chunk, found by binary search where one person is asked for.

use prost::Message as _;
use ristoro_domain::columns::Columns;
use ristoro_domain::order::{Channel, Event, Order, OrderChunk, OrderLine};
use ristoro_domain::payout_chunk::OrderPhase;
use ristoro_domain::time::Instant;
use ristoro_proto::dictionary;
use ristoro_proto::payout::v1::PayoutsOrdered;
use ristoro_proto::payout_order::{order_in, order_out};
use ristoro_proto::wire::Wire as _;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::packed::{Packed, entry_of, unpacked};
use ristoro_runtime::projection::FoldError;
use ristoro_runtime::stored::{decode_error, instant, signed, small, unsigned, unsigned_small};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// A chunk with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkRow {
    /// The chunk's number, which is its version.
    pub number: u64,
    /// Its orders.
    pub chunk: OrderChunk,
    /// When it was ordered.
    pub occurred_at: Instant,
    /// How its stream stands.
    pub phase: OrderPhase,
    /// Whether anything happened to its people.
    pub differs: bool,
}

fn phase_number(phase: OrderPhase) -> i16 {
    match phase {
        OrderPhase::Ordered => 1,
        OrderPhase::Released => 2,
        OrderPhase::Voided => 3,
    }
}

fn phase_of(number: i16) -> Result<OrderPhase, sqlx::Error> {
    let all = [OrderPhase::Ordered, OrderPhase::Released, OrderPhase::Voided];
    all.into_iter().find(|phase| phase_number(*phase) == number).ok_or_else(|| {
        sqlx::Error::Protocol(format!("order_stream.state {number} is no state of this program"))
    })
}

/// Keeps a chunk.
///
/// # Errors
/// `Payload` for a chunk that no version of this program orders, and the database's.
pub async fn insert_chunk(
    tx: &mut PgConnection,
    assessment: &str,
    chunk: &OrderChunk,
    record: &Accepted,
) -> Result<(), FoldError> {
    let packed = Packed::of(&chunk.columns, record.position)?;
    let dictionary = PayoutsOrdered {
        orders: chunk.orders.iter().map(order_out).collect(),
        ..PayoutsOrdered::default()
    };
    sqlx::query(
        "insert into order_chunk (assessment, partition, chunk, first_number, last_number, record_offset, \
         occurred_at, roster_offset, skipped, numbers, entries, orders, lines, channels, transfers, \
         invoices, grants) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14, $15, $16, $17)",
    )
    .bind(assessment)
    .bind(small(record.position.partition))
    .bind(signed(record.envelope.version))
    .bind(packed.first_number)
    .bind(packed.last_number)
    .bind(signed(record.position.offset))
    .bind(record.envelope.occurred_at.as_microsecond())
    .bind(signed(chunk.roster_offset))
    .bind(chunk.skipped)
    .bind(packed.numbers)
    .bind(packed.entries)
    .bind(dictionary.encode_to_vec())
    .bind(lines_json(&chunk.orders))
    .bind(channels(chunk))
    .bind(people_on(chunk, Channel::Transfer))
    .bind(people_on(chunk, Channel::Invoice))
    .bind(people_on(chunk, Channel::Provisioning))
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "insert into order_stream (assessment, partition, chunks, ordered, state) values ($1, $2, 1, $3, 1) \
         on conflict (assessment, partition) \
         do update set chunks = order_stream.chunks + 1, ordered = order_stream.ordered + $3",
    )
    .bind(assessment)
    .bind(small(record.position.partition))
    .bind(i64::try_from(chunk.columns.len()).expect("a chunk is small"))
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives the bit of a channel in `order_chunk.channels`.
#[must_use]
pub fn channel_bit(channel: Channel) -> i16 {
    match channel {
        Channel::Transfer => 1,
        Channel::Invoice => 2,
        Channel::Provisioning => 4,
        Channel::Unclaimed => 8,
    }
}

fn channels(chunk: &OrderChunk) -> i16 {
    let lines = chunk.orders.iter().flat_map(|order| &order.lines);
    lines.fold(0, |bits, line| bits | channel_bit(line.channel))
}

fn people_on(chunk: &OrderChunk, channel: Channel) -> i32 {
    let has: Vec<bool> = chunk.orders.iter().map(|order| order.has(channel)).collect();
    let people = chunk.columns.entries().iter().filter(|entry| has[**entry as usize]).count();
    i32::try_from(people).expect("a chunk is small")
}

/// Ends an order stream.
///
/// # Errors
/// The database's.
pub async fn end(
    tx: &mut PgConnection,
    assessment: &str,
    phase: OrderPhase,
    record: &Accepted,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into order_stream (assessment, partition, chunks, ordered, state, ended_offset, ended_at) \
         values ($1, $2, 0, 0, $3, $4, $5) on conflict (assessment, partition) \
         do update set state = $3, ended_offset = $4, ended_at = $5",
    )
    .bind(assessment)
    .bind(small(record.position.partition))
    .bind(phase_number(phase))
    .bind(signed(record.position.offset))
    .bind(record.envelope.occurred_at.as_microsecond())
    .execute(tx)
    .await
    .map(|_| ())
}

/// How far the orders of an assessment are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Subscriptions that something is ordered for.
    pub ordered: u64,
    /// Partitions whose orders are released.
    pub released_partitions: u32,
    /// Partitions whose orders are void.
    pub voided_partitions: u32,
}

/// Tells how far the orders of an assessment are.
///
/// # Errors
/// The database's.
pub async fn progress(
    connection: &mut PgConnection,
    assessment: &str,
) -> Result<Progress, sqlx::Error> {
    let row = sqlx::query(
        "select coalesce(sum(ordered), 0)::bigint as ordered, \
         (count(*) filter (where state = $2))::integer as released, \
         (count(*) filter (where state = $3))::integer as voided \
         from order_stream where assessment = $1",
    )
    .bind(assessment)
    .bind(phase_number(OrderPhase::Released))
    .bind(phase_number(OrderPhase::Voided))
    .fetch_one(connection)
    .await?;
    Ok(Progress {
        ordered: unsigned(row.try_get("ordered")?),
        released_partitions: unsigned_small(row.try_get("released")?),
        voided_partitions: unsigned_small(row.try_get("voided")?),
    })
}

/// Writes what SQL shows of each order: a list per order of its lines.
fn lines_json(orders: &[Order]) -> String {
    let line = |line: &OrderLine| {
        let remedy = &line.remedy;
        let amount = remedy.grant.amount();
        let minor = amount.map_or_else(|| "null".to_owned(), |money| money.minor.to_string());
        let currency =
            amount.map_or_else(|| "null".to_owned(), |money| format!("\"{}\"", money.currency));
        format!(
            "{{\"channel\":\"{}\",\"kind\":\"{}\",\"grant\":\"{}\",\"minor\":{minor},\"currency\":{currency},\
             \"payer\":\"{}\"}}",
            line.channel.name(),
            remedy.kind.name(),
            remedy.grant.type_name(),
            remedy.payer.name()
        )
    };
    let list = |order: &Order| {
        let lines: Vec<String> = order.lines.iter().map(line).collect();
        format!("[{}]", lines.join(","))
    };
    format!("[{}]", orders.iter().map(list).collect::<Vec<_>>().join(","))
}

/// The columns that `chunk_row` reads. A look whether anything happened to the chunk's people spares most of them three
/// statements that would find nothing.
const SELECT: &str = "select chunk, roster_offset, skipped, first_number, numbers, entries, orders, state, occurred_at, \
    exists (select from payout_difference as one where one.assessment = wanted.assessment \
    and one.number between first_number and last_number) \
    or exists (select from reservation as one where (one.assessment, one.partition, one.chunk) \
    = (wanted.assessment, wanted.partition, wanted.chunk)) \
    or exists (select from grant_lease as one where (one.assessment, one.partition, one.chunk) \
    = (wanted.assessment, wanted.partition, wanted.chunk)) \
    or exists (select from grant_outcome as one where (one.assessment, one.partition, one.chunk) \
    = (wanted.assessment, wanted.partition, wanted.chunk)) as differs \
    from order_chunk as wanted join order_stream using (assessment, partition)";

/// Gives chunks of a partition behind a chunk, in order.
///
/// # Errors
/// The database's.
pub async fn chunks_after(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    after: u64,
    limit: i64,
) -> Result<Vec<ChunkRow>, sqlx::Error> {
    let text = format!(
        "{SELECT} where assessment = $1 and partition = $2 and chunk > $3 order by chunk limit $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(assessment)
        .bind(small(partition))
        .bind(signed(after))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(chunk_row).collect()
}

/// Where a list of people goes on: behind a number, in chunks that use one of these channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Behind {
    /// The number.
    pub number: u64,
    /// Bits of channels, as `channel_bit` gives them.
    pub channels: i16,
}

/// Gives the next chunk of a partition that has people behind a number.
///
/// # Errors
/// The database's.
pub async fn next_chunk(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    behind: Behind,
) -> Result<Option<ChunkRow>, sqlx::Error> {
    let text = format!(
        "{SELECT} where assessment = $1 and partition = $2 and last_number > $3 and channels & $4 <> 0 \
         order by chunk limit 1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(assessment)
        .bind(small(partition))
        .bind(signed(behind.number))
        .bind(behind.channels)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(chunk_row).transpose()
}

/// Gives one chunk by its number.
///
/// # Errors
/// The database's.
pub async fn chunk_at(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    chunk: u64,
) -> Result<Option<ChunkRow>, sqlx::Error> {
    let before = chunk.saturating_sub(1);
    let found = chunks_after(connection, assessment, partition, before, 1).await?;
    Ok(found.into_iter().find(|row| row.number == chunk))
}

/// Gives the chunk that orders something for a number.
///
/// # Errors
/// The database's.
pub async fn chunk_of(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    number: u64,
) -> Result<Option<ChunkRow>, sqlx::Error> {
    let row = row_of(connection, assessment, partition, number).await?;
    let found = row.as_ref().map(chunk_row).transpose()?;
    Ok(found.filter(|row| row.chunk.order_of(number).is_some()))
}

/// Gives of the chunk that orders something for a number only what is about that number.
///
/// # Errors
/// The database's.
pub async fn own(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    number: u64,
) -> Result<Option<ChunkRow>, sqlx::Error> {
    let Some(row) = row_of(connection, assessment, partition, number).await? else {
        return Ok(None);
    };
    let (numbers, entries) = (row.try_get("numbers")?, row.try_get("entries")?);
    let Some(entry) = entry_of(number, row.try_get("first_number")?, numbers, entries)? else {
        return Ok(None);
    };
    let orders: Vec<u8> = row.try_get("orders")?;
    let order = dictionary::entry(orders, entry.into()).map_err(decode_error)?;
    let order = order.ok_or_else(|| sqlx::Error::Decode("a chunk lacks an order".into()))?;
    let mut columns = Columns::default();
    columns.push(number, 0).map_err(decode_error)?;
    let orders = vec![order_in(&order).map_err(decode_error)?];
    placed(&row, orders, columns).map(Some)
}

async fn row_of(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
    number: u64,
) -> Result<Option<PgRow>, sqlx::Error> {
    let text = format!(
        "{SELECT} where assessment = $1 and partition = $2 and first_number <= $3 \
         order by first_number desc limit 1"
    );
    sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(assessment)
        .bind(small(partition))
        .bind(signed(number))
        .fetch_optional(connection)
        .await
}

fn chunk_row(row: &PgRow) -> Result<ChunkRow, sqlx::Error> {
    let orders: Vec<u8> = row.try_get("orders")?;
    let event = Event::decode("PayoutsOrdered", &orders.into()).map_err(decode_error)?;
    let Event::PayoutsOrdered(chunk) = event else {
        unreachable!("the type that was asked for decodes to its own variant")
    };
    let first_number = row.try_get("first_number")?;
    let columns = unpacked(first_number, row.try_get("numbers")?, row.try_get("entries")?)?;
    placed(row, chunk.orders, columns)
}

fn placed(row: &PgRow, orders: Vec<Order>, columns: Columns) -> Result<ChunkRow, sqlx::Error> {
    let roster_offset = unsigned(row.try_get("roster_offset")?);
    Ok(ChunkRow {
        number: unsigned(row.try_get("chunk")?),
        chunk: OrderChunk { orders, columns, roster_offset, skipped: row.try_get("skipped")? },
        differs: row.try_get("differs")?,
        occurred_at: instant(row.try_get("occurred_at")?)?,
        phase: phase_of(row.try_get("state")?)?,
    })
}
