//! Holds against what moved: nothing of a held payout may go into a file, a lease or an export before it is let go.

use ristoro_domain::ledger::Account;
use ristoro_domain::money::{Currency, Money, MoneyError};
use ristoro_domain::order::Channel;
use ristoro_domain::payout_chunk::ChunkStanding;
use ristoro_runtime::stored::{small, unsigned};
use sqlx::{PgConnection, Row};

use super::check::Findings;

/// A hold that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Broken {
    number: u64,
    /// What moved; none where the rows of the person contradict each other on whether it is held.
    channel: Option<Channel>,
}

/// Finds what moved between a hold that took effect and its release, and whose last row tells another hold than the rows
/// before it.
pub(super) async fn broken(
    connection: &mut PgConnection,
    assessment: &str,
    partition: u32,
) -> Result<Vec<Broken>, sqlx::Error> {
    let rows = sqlx::query(
        "with one as (select * from payout_difference where assessment = $1 and partition = $2), \
         held as (select number, record_offset as since, (select min(record_offset) from one as later \
         where later.number = one.number and later.version > one.version and later.kind = 'let_go') as until \
         from one where kind = 'held' and motion is null), \
         moved as (select 'transfer' as channel, record_offset, numbers from reservation \
         where assessment = $1 and partition = $2 union all \
         select 'provisioning', record_offset, numbers from grant_lease \
         where assessment = $1 and partition = $2 union all \
         select 'invoice', record_offset, numbers from grant_outcome \
         where assessment = $1 and partition = $2 and outcome = 3), \
         last as (select distinct on (number) number, version, held from one order by number, version desc) \
         select distinct number, channel from held join moved on number = any(numbers) \
         and record_offset > since and (until is null or record_offset < until) union all \
         select number, null from last where held <> exists (select from one as hold \
         where hold.number = last.number and kind = 'held' and motion is null and not exists (select from one as later \
         where later.number = last.number and later.version > hold.version and later.kind = 'let_go')) \
         order by 1, 2",
    )
    .bind(assessment)
    .bind(small(partition))
    .fetch_all(connection)
    .await?;
    let broken = |row: &sqlx::postgres::PgRow| {
        let channel: Option<&str> = row.try_get("channel")?;
        let number = unsigned(row.try_get("number")?);
        Ok(Broken { number, channel: channel.and_then(Channel::named) })
    };
    rows.iter().map(broken).collect()
}

/// Notes those of a chunk.
pub(super) fn note(
    subject: &str,
    chunk: &ChunkStanding,
    broken: &[Broken],
    found: &mut Findings,
) -> Result<(), MoneyError> {
    let (first, last) = match chunk.orders.columns.numbers() {
        [] => return Ok(()),
        [first, .., last] => (*first, *last),
        [only] => (*only, *only),
    };
    for one in broken.iter().filter(|one| (first..=last).contains(&one.number)) {
        let (account, what) = match one.channel {
            Some(channel) => (Account::payable(channel).name(), "moved while it was held"),
            None => ("", "is held by its last row and not by those before, or the other way round"),
        };
        let subject = format!("{subject}: number {} {what}", one.number);
        let mut amounts = match one.channel {
            Some(channel) => chunk.amounts(&[one.number], channel)?,
            None => Vec::new(),
        };
        if amounts.is_empty() {
            // What has no amount moved all the same.
            amounts.push(Money::new(0, Currency::EUR));
        }
        for amount in amounts {
            found.note(&subject, account, (i128::from(amount.minor), 0), amount.currency);
        }
    }
    Ok(())
}
