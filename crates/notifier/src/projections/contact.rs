//! Who has which subscription now, and how they are reached: `subscription` and `contact`. Personal data.

use std::collections::BTreeMap;
use std::fmt;

use futures::future::BoxFuture;
use ristoro_domain::roster::{Contact, ImportRow, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_log::Topic;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{signed, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

/// Folds subscriber.v1 into `subscription` and `contact`.
#[derive(Debug)]
pub struct Contacts;

/// A subscription and its subscriber, as they are now.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// The subscription's number.
    pub number: u64,
    /// The provider's subscriber id.
    pub subscriber: String,
    /// The provider's subscription id.
    pub subscription: String,
    /// The service, such as `libero-mail`.
    pub service: String,
    /// The group of mailboxes that is restored together.
    pub cohort: Option<String>,
    /// The address; none where none is known, or where nobody is to write.
    pub email: Option<String>,
    /// The language as a BCP 47 tag.
    pub locale: Option<String>,
    /// Whether nobody is to write to the subscriber.
    pub suppressed: bool,
}

// Printed by tests and logs, so it never shows the address.
impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Member({})", self.number)
    }
}

impl Projection for Contacts {
    fn name(&self) -> &'static str {
        "notifier.contacts"
    }

    fn topic(&self) -> Topic {
        Topic::Subscriber
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        records: &'a [Accepted],
    ) -> BoxFuture<'a, Result<(), FoldError>> {
        Box::pin(async move {
            for record in records {
                let stream = &record.envelope.stream;
                if stream.starts_with("roster/") {
                    // Numbers that are set aside become a subscription by an event of its own.
                    if let RosterEvent::SubscriptionsImported { first_number, rows } =
                        decode(record)?
                    {
                        import(tx, first_number, &rows).await?;
                    }
                } else if let Some(subscriber) = stream.strip_prefix("subscriber/") {
                    personal(tx, subscriber, decode(record)?).await?;
                }
            }
            Ok(())
        })
    }
}

async fn import(
    tx: &mut PgConnection,
    first_number: u64,
    rows: &[ImportRow],
) -> Result<(), sqlx::Error> {
    let texts = |text: fn(&ImportRow) -> &String| rows.iter().map(text).collect::<Vec<_>>();
    let numbers: Vec<i64> = (first_number..).take(rows.len()).map(signed).collect();
    sqlx::query(
        "insert into subscription (number, subscriber, subscription, service, cohort) \
         select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])",
    )
    .bind(numbers)
    .bind(texts(|row| &row.subscriber))
    .bind(texts(|row| &row.subscription))
    .bind(texts(|row| &row.profile.service))
    .bind(rows.iter().map(|row| row.profile.cohort.as_ref()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    // A batch may bring two subscriptions of one person: the later row says how they are reached.
    sqlx::query(
        "insert into contact (subscriber, email, locale) \
         select distinct on (subscriber) subscriber, email, locale \
         from unnest($1::text[], $2::text[], $3::text[]) with ordinality \
         as row (subscriber, email, locale, place) order by subscriber, place desc \
         on conflict (subscriber) do nothing",
    )
    .bind(texts(|row| &row.subscriber))
    .bind(rows.iter().map(|row| row.contact.email.as_ref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.contact.locale.as_ref()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
}

async fn personal(
    tx: &mut PgConnection,
    subscriber: &str,
    event: SubscriberEvent,
) -> Result<(), sqlx::Error> {
    match event {
        SubscriberEvent::SubscriptionStarted { subscription, number, profile, .. } => sqlx::query(
            "insert into subscription (number, subscriber, subscription, service, cohort) \
                 values ($1, $2, $3, $4, $5)",
        )
        .bind(signed(number))
        .bind(subscriber)
        .bind(&subscription)
        .bind(&profile.service)
        .bind(&profile.cohort)
        .execute(tx)
        .await
        .map(|_| ()),
        SubscriberEvent::PlanChanged { subscription, profile, .. } => sqlx::query(
            "update subscription set cohort = $3 where subscriber = $1 and subscription = $2",
        )
        .bind(subscriber)
        .bind(&subscription)
        .bind(&profile.cohort)
        .execute(tx)
        .await
        .map(|_| ()),
        SubscriberEvent::ContactSet { contact } => set_contact(tx, subscriber, &contact).await,
        SubscriberEvent::SubscriptionEnded { .. }
        | SubscriberEvent::PayeeSet { .. }
        | SubscriberEvent::TroubleReported { .. } => Ok(()),
    }
}

async fn set_contact(
    tx: &mut PgConnection,
    subscriber: &str,
    contact: &Contact,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into contact (subscriber, email, locale) values ($1, $2, $3) \
         on conflict (subscriber) do update set email = $2, locale = $3",
    )
    .bind(subscriber)
    .bind(&contact.email)
    .bind(&contact.locale)
    .execute(tx)
    .await
    .map(|_| ())
}

/// Gives those of the numbers that are known, by number.
///
/// # Errors
/// The database's.
pub async fn members(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, Member>, sqlx::Error> {
    let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
    let rows = sqlx::query(
        "select number, subscriber, subscription, service, cohort, email, locale, suppressed \
         from member where number = any($1)",
    )
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| member(row).map(|found| (found.number, found))).collect()
}

/// Finds the subscriptions with the provider's id, of one subscriber or of any, in number order.
///
/// # Errors
/// The database's.
pub async fn find(
    connection: &mut PgConnection,
    subscription: &str,
    subscriber: Option<&str>,
) -> Result<Vec<Member>, sqlx::Error> {
    let rows = sqlx::query(
        "select number, subscriber, subscription, service, cohort, email, locale, suppressed \
         from member where subscription = $1 and ($2::text is null or subscriber = $2) \
         order by number limit 3",
    )
    .bind(subscription)
    .bind(subscriber)
    .fetch_all(connection)
    .await?;
    rows.iter().map(member).collect()
}

/// Tells whether somebody has this id.
///
/// # Errors
/// The database's.
pub async fn is_known(
    connection: &mut PgConnection,
    subscriber: &str,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("select exists (select from contact where subscriber = $1) as known")
        .bind(subscriber)
        .fetch_one(connection)
        .await?;
    row.try_get("known")
}

fn member(row: &PgRow) -> Result<Member, sqlx::Error> {
    let suppressed: bool = row.try_get("suppressed")?;
    let email: Option<String> = row.try_get("email")?;
    Ok(Member {
        number: unsigned(row.try_get("number")?),
        subscriber: row.try_get("subscriber")?,
        subscription: row.try_get("subscription")?,
        service: row.try_get("service")?,
        cohort: row.try_get("cohort")?,
        email: email.filter(|_| !suppressed),
        locale: row.try_get("locale")?,
        suppressed,
    })
}
