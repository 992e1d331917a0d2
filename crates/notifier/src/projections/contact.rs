//! Who has which subscription now, and how they are reached: `holder` and `roster_page`, and what differs from the pages
//! in `member_difference` and `contact`. Personal data.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::future::BoxFuture;
use ristoro_domain::roster::{Contact, Profile, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_log::Topic;
use ristoro_proto::roster_page::ImportedBatch;
use ristoro_runtime::accepted::Accepted;
use ristoro_runtime::projection::{FoldError, Projection, decode};
use ristoro_runtime::stored::{decode_error, signed, unsigned};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::roster_page::{self, Pages};

/// Folds subscriber.v1.
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
                    roster(tx, record).await?;
                } else if let Some(subscriber) = stream.strip_prefix("subscriber/") {
                    personal(tx, subscriber, decode(record)?).await?;
                }
            }
            Ok(())
        })
    }
}

/// Keeps a batch; numbers that are set aside become a subscription by an event of its own.
async fn roster(tx: &mut PgConnection, record: &Accepted) -> Result<(), FoldError> {
    if !ImportedBatch::is_kind(&record.envelope.kind) {
        return decode::<RosterEvent>(record).map(|_| ());
    }
    let batch: ImportedBatch = decode(record)?;
    let mut holders: Vec<(&str, &str, u64)> = batch.holders().collect();
    // Neighbours in the index come one after the other.
    holders.sort_unstable();
    sqlx::query(
        "insert into holder (subscriber, subscription, number) \
         select * from unnest($1::text[], $2::text[], $3::bigint[])",
    )
    .bind(holders.iter().map(|(subscriber, ..)| *subscriber).collect::<Vec<_>>())
    .bind(holders.iter().map(|(_, subscription, _)| *subscription).collect::<Vec<_>>())
    .bind(holders.iter().map(|(.., number)| signed(*number)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    Ok(roster_page::insert(tx, batch).await?)
}

async fn personal(
    tx: &mut PgConnection,
    subscriber: &str,
    event: SubscriberEvent,
) -> Result<(), sqlx::Error> {
    match event {
        SubscriberEvent::SubscriptionStarted { subscription, number, profile, .. } => {
            start(tx, subscriber, (&subscription, number), &profile).await
        }
        SubscriberEvent::PlanChanged { subscription, profile, .. } => sqlx::query(
            "insert into member_difference (number, subscriber, subscription, service, cohort) \
             select number, subscriber, subscription, $3, $4 from holder \
             where subscriber = $1 and subscription = $2 \
             on conflict (number) do update set cohort = $4",
        )
        .bind(subscriber)
        .bind(&subscription)
        .bind(&profile.service)
        .bind(&profile.cohort)
        .execute(tx)
        .await
        .map(|_| ()),
        SubscriberEvent::ContactSet { contact } => set_contact(tx, subscriber, &contact).await,
        SubscriberEvent::SubscriptionEnded { .. }
        | SubscriberEvent::PayeeSet { .. }
        | SubscriberEvent::AccountSet { .. }
        | SubscriberEvent::TroubleReported { .. } => Ok(()),
    }
}

/// Keeps a subscription that has a number which was set aside for it.
async fn start(
    tx: &mut PgConnection,
    subscriber: &str,
    (subscription, number): (&str, u64),
    profile: &Profile,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into holder (subscriber, subscription, number) values ($1, $2, $3)")
        .bind(subscriber)
        .bind(subscription)
        .bind(signed(number))
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into member_difference (number, subscriber, subscription, service, cohort) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(signed(number))
    .bind(subscriber)
    .bind(subscription)
    .bind(&profile.service)
    .bind(&profile.cohort)
    .execute(tx)
    .await
    .map(|_| ())
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
/// The database's, and `Decode` for a page that no version of this program wrote.
pub async fn members(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, Member>, sqlx::Error> {
    let mut pages = Pages::default();
    let mut members = differing(connection, numbers).await?;
    for number in numbers {
        if let Entry::Vacant(vacant) = members.entry(*number)
            && let Some(page) = pages.page(connection, *number).await?
            && let Some(row) = page.row(*number).map_err(decode_error)?
        {
            vacant.insert(Member {
                number: *number,
                subscriber: row.subscriber,
                subscription: row.subscription,
                service: row.profile.service.clone(),
                cohort: row.profile.cohort.clone(),
                email: None,
                locale: None,
                suppressed: false,
            });
        }
    }
    reach(connection, &mut pages, &mut members).await?;
    Ok(members)
}

/// Gives those of the numbers that are not as their batch says, without how they are reached.
async fn differing(
    connection: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, Member>, sqlx::Error> {
    let rows = sqlx::query(
        "select number, subscriber, subscription, service, cohort from member_difference \
         where number = any($1)",
    )
    .bind(numbers.iter().copied().map(signed).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let member = |row: &PgRow| {
        let number = unsigned(row.try_get("number")?);
        let member = Member {
            number,
            subscriber: row.try_get("subscriber")?,
            subscription: row.try_get("subscription")?,
            service: row.try_get("service")?,
            cohort: row.try_get("cohort")?,
            email: None,
            locale: None,
            suppressed: false,
        };
        Ok((number, member))
    };
    rows.iter().map(member).collect()
}

/// Adds how members are reached.
async fn reach(
    connection: &mut PgConnection,
    pages: &mut Pages,
    members: &mut BTreeMap<u64, Member>,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "select own.number, contact.subscriber is not null as is_set, contact.email, contact.locale, \
         suppressed.subscriber is not null as is_suppressed, \
         array(select holder.number from holder where holder.subscriber = own.subscriber) as numbers \
         from unnest($1::bigint[], $2::text[]) as own (number, subscriber) \
         left join contact on contact.subscriber = own.subscriber \
         left join suppressed on suppressed.subscriber = own.subscriber order by own.number",
    )
    .bind(members.keys().copied().map(signed).collect::<Vec<_>>())
    .bind(members.values().map(|member| member.subscriber.as_str()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let number = unsigned(row.try_get("number")?);
        let Some(member) = members.get_mut(&number) else { continue };
        let contact = if row.try_get("is_set")? {
            let (email, locale) = (row.try_get("email")?, row.try_get("locale")?);
            Contact { email, locale, phone: None }
        } else {
            let numbers: Vec<i64> = row.try_get("numbers")?;
            first_contact(connection, pages, numbers.into_iter().map(unsigned).collect()).await?
        };
        member.suppressed = row.try_get("is_suppressed")?;
        member.email = contact.email.filter(|_| !member.suppressed);
        member.locale = contact.locale;
    }
    Ok(())
}

/// Gives how a subscriber with these numbers is reached as the first batch says, and in it the last row: later batches
/// bring a known person further subscriptions, and nothing else.
async fn first_contact(
    connection: &mut PgConnection,
    pages: &mut Pages,
    numbers: BTreeSet<u64>,
) -> Result<Contact, sqlx::Error> {
    for number in &numbers {
        // A number that was set aside lies on no page.
        let Some(page) = pages.page(connection, *number).await? else { continue };
        let last = numbers.range(..=page.last_number()).next_back().unwrap_or(number);
        let row = page.row(*last).map_err(decode_error)?;
        return Ok(row.map(|row| row.contact).unwrap_or_default());
    }
    Ok(Contact::default())
}

/// Finds the subscriptions with the provider's id, of one subscriber or of any, in number order.
///
/// # Errors
/// The database's, and `Decode` for a page that no version of this program wrote.
pub async fn find(
    connection: &mut PgConnection,
    subscription: &str,
    subscriber: Option<&str>,
) -> Result<Vec<Member>, sqlx::Error> {
    let numbers: Vec<i64> = sqlx::query_scalar(
        "select number from holder where subscription = $1 and ($2::text is null or subscriber = $2) \
         order by number limit 3",
    )
    .bind(subscription)
    .bind(subscriber)
    .fetch_all(&mut *connection)
    .await?;
    let numbers: Vec<u64> = numbers.into_iter().map(unsigned).collect();
    Ok(members(connection, &numbers).await?.into_values().collect())
}

/// Tells whether somebody has this id.
///
/// # Errors
/// The database's.
pub async fn is_known(
    connection: &mut PgConnection,
    subscriber: &str,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("select exists (select from holder where subscriber = $1) as known")
        .bind(subscriber)
        .fetch_one(connection)
        .await?;
    row.try_get("known")
}
