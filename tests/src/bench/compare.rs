//! What both sides came to, through their public SQL; and single people, as callers ask for them.

use std::collections::BTreeMap;

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::types::reason_in;
use sqlx::{PgConnection, Row as _};

use crate::stack::{Caller, Error};

/// People who are asked for one by one.
const ASKED: u64 = 1_000;

/// Results that have to be equal.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Outcome {
    /// How many entitlements give something, their sum in minor units, and a digest over (subscription, kind, amount).
    pub entitlements: Vec<String>,
    /// Payouts and their sum by channel.
    pub payouts: Vec<String>,
    /// Debits and credits by account.
    pub ledger: Vec<String>,
    /// Notices.
    pub notices: Vec<String>,
}

/// The digest is the sum of every line's hash: it depends on no order, and needs no sort.
const OF_SCRIPTS: [&str; 4] = [
    "select concat_ws(' ', count(*), sum(amount_minor), \
     sum(hashtextextended(concat_ws(':', subscription, kind, amount_minor), 0)::numeric)) \
     from entitlement join roster using (number)",
    "select concat_ws(' ', channel, count(*), sum(amount_minor)) from payout group by channel order by 1",
    "select concat_ws(' ', account, sum(debit_minor), sum(credit_minor)) from ledger group by account order by 1",
    "select concat_ws(' ', count(*)) from notification",
];

const OF_RISTORO: [&str; 4] = [
    "select concat_ws(' ', count(*), sum(amount_minor), \
     sum(hashtextextended(concat_ws(':', subscription, kind, amount_minor), 0)::numeric)) \
     from eligibility.entitlement join eligibility.holder using (number) where assessment = ",
    "select concat_ws(' ', channel, count(*), sum(amount_minor)) from payout.payout \
     where released and assessment = ",
    "select concat_ws(' ', account, sum(debit_minor), sum(credit_minor)) from payout.posting where assessment = ",
    "select concat_ws(' ', count(*)) from notifier.notice where queue_state = 2 and assessment = ",
];
const GROUPS: [&str; 4] = ["", " group by channel order by 1", " group by account order by 1", ""];

impl Outcome {
    /// Reads what a script made.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_script(connection: &mut PgConnection) -> Result<Self, Error> {
        Self::read(connection, OF_SCRIPTS.map(str::to_owned)).await
    }

    /// Reads what an assessment came to.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_assessment(
        connection: &mut PgConnection,
        assessment: &str,
    ) -> Result<Self, Error> {
        let mut texts = OF_RISTORO.map(str::to_owned);
        for (text, group) in texts.iter_mut().zip(GROUPS) {
            *text = format!("{text}'{}'{group}", assessment.replace('\'', "''"));
        }
        Self::read(connection, texts).await
    }

    async fn read(connection: &mut PgConnection, texts: [String; 4]) -> Result<Self, Error> {
        let mut found = Vec::new();
        for text in texts {
            let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&mut *connection).await?;
            let lines = rows.iter().map(|row| row.try_get::<String, _>(0));
            found.push(lines.collect::<Result<Vec<_>, _>>()?);
        }
        let [entitlements, payouts, ledger, notices] =
            <[Vec<String>; 4]>::try_from(found).map_err(|_| "four questions have four answers")?;
        Ok(Self { entitlements, payouts, ledger, notices })
    }
}

/// Gives the amounts of random people in minor units, as a script decided them; nothing for those without.
///
/// # Errors
/// The database's.
pub async fn some(
    connection: &mut PgConnection,
    subscriptions: u64,
) -> Result<BTreeMap<u64, i64>, Error> {
    let mut amounts = BTreeMap::new();
    for place in 0..ASKED {
        // Spread over the roster, the same people in every run.
        let number = 1 + place.wrapping_mul(0x9e37_79b9_7f4a_7c15) % subscriptions;
        let row = sqlx::query("select amount_minor from entitlement where number = $1")
            .bind(i64::try_from(number)?)
            .fetch_optional(&mut *connection)
            .await?;
        amounts.insert(number, row.map_or(Ok(0), |row| row.try_get(0))?);
    }
    Ok(amounts)
}

/// Asks for the same people by gRPC and says who differs.
///
/// # Errors
/// A refusal, or a difference.
pub async fn ask(
    caller: &Caller,
    assessment: &str,
    amounts: &BTreeMap<u64, i64>,
) -> Result<(), Error> {
    let mut client = EntitlementServiceClient::new(caller.channel.clone());
    for (number, amount) in amounts {
        let name = format!("assessments/{assessment}/entitlements/s{number}");
        let get = api::GetEntitlementRequest { name: name.clone(), ..Default::default() };
        let answer = client.get_entitlement(caller.request(get)).await?.into_inner();
        let reason = answer.entitlement.and_then(|found| found.reason).unwrap_or_default();
        let remedies = reason_in(&reason)?.remedies;
        let money = remedies.iter().filter_map(|remedy| remedy.grant.amount());
        let found: i64 = money.map(|money| money.minor).sum();
        if found != *amount {
            return Err(format!("{name} is {found}, and {amount} by the script").into());
        }
    }
    Ok(())
}
