//! The events that led to a decision: the recorded states of the subscription, and what was said of outage, policy and
//! settlement.

use ristoro_domain::facts::Account;
use ristoro_domain::settlement::Proposal;
use ristoro_log::{Position, Topic};
use ristoro_proto::roster_page::RosterPage;
use ristoro_runtime::stored::{decode_error, signed, unsigned};
use sqlx::{PgConnection, Row};

use super::account;
use super::stored::{StoredEvent, stored_event};

/// Gives the offsets at which a subscription's states were recorded, below a pin, with what each says in words.
///
/// # Errors
/// The database's.
pub async fn roster(
    connection: &mut PgConnection,
    number: u64,
    roster_offset: u64,
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "select recorded_at, service, plans, null as people from subscription where number = $1 and recorded_at < $2 \
         union all \
         select recorded_at, '', '{}', people from (select recorded_at, people from roster_page \
         where first_number <= $1 order by first_number desc limit 1) as page where recorded_at < $2",
    )
    .bind(signed(number))
    .bind(signed(roster_offset))
    .fetch_all(&mut *connection)
    .await?;
    let mut states = Vec::new();
    for row in &rows {
        let (service, plans): (String, Vec<String>) = match row.try_get("people")? {
            None => (row.try_get("service")?, row.try_get("plans")?),
            Some::<Vec<u8>>(people) => {
                let page = RosterPage::read(people).map_err(decode_error)?;
                let profile = page.profile(number).map_err(decode_error)?;
                let Some(profile) = profile else { continue };
                (profile.service.clone(), vec![profile.plan.clone()])
            }
        };
        let text = format!("the roster has {service} on {}", plans.join(", then "));
        states.push((unsigned(row.try_get("recorded_at")?), text));
    }
    let accounts = account::recorded(connection, number, roster_offset).await?;
    states.extend(accounts.iter().map(|(recorded_at, account)| (*recorded_at, words(account))));
    states.sort_by_key(|(recorded_at, _)| *recorded_at);
    Ok(states)
}

/// Puts an account into words.
fn words(account: &Account) -> String {
    let Account { in_arrears, unpaid_since, quota_bytes, term_end } = account;
    let known = [
        in_arrears.then(|| "payments are overdue".to_owned()),
        unpaid_since.map(|day| format!("an invoice of {day} is unpaid")),
        quota_bytes.map(|bytes| format!("storage of {bytes} bytes")),
        term_end.map(|day| format!("the term ends on {day}")),
    ];
    let known: Vec<String> = known.into_iter().flatten().collect();
    match known.is_empty() {
        true => "the account is in order".to_owned(),
        false => format!("the account: {}", known.join(", ")),
    }
}

/// Gives the events of the outage up to the proposal's pin, the publication of its policy, and the events of the settlement.
///
/// Of those of the outage only what says the cause comes with its payload: who was back when can be much.
///
/// # Errors
/// The database's.
pub async fn events(
    connection: &mut PgConnection,
    proposal: &Proposal,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let pins = &proposal.pins;
    let pinned: Option<Position> = pins.outage_position.parse().ok();
    let rows = sqlx::query(
        "select 1 as part, version, partition, record_offset, kind, occurred_at, actor, traceparent, \
         case when kind in ('OutageDeclared', 'CauseDetermined') then payload else '' end as payload from outage_event where outage = $1 and record_offset <= $2 \
         union all \
         select 2, stream_version, partition, record_offset, 'PolicyPublished', published_at, published_by, '', '' \
         from policy where policy = $3 and policy_version = $4 \
         union all \
         select 3, version, partition, record_offset, kind, occurred_at, actor, traceparent, payload \
         from settlement_event where outage = $1 \
         order by part, version",
    )
    .bind(&proposal.outage)
    .bind(pinned.map_or(i64::MAX, |position| signed(position.offset)))
    .bind(&pins.policy)
    .bind(&pins.policy_version)
    .fetch_all(connection)
    .await?;
    let event = |row: &sqlx::postgres::PgRow| {
        let (topic, stream) = match row.try_get::<i32, _>("part")? {
            1 => (Topic::Outage, format!("outage/{}", proposal.outage)),
            2 => (Topic::Policy, format!("policy/{}", pins.policy)),
            _ => (Topic::Settlement, format!("settlement/{}", proposal.outage)),
        };
        stored_event(row, topic, stream)
    };
    rows.iter().map(event).collect()
}
