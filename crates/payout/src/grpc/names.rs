//! Names of payouts, assessments, files and subscriptions, and what the calls of this service have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use ristoro_domain::roster::partition_of_number;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_runtime::edge::{self, SubscriptionKey};
use ristoro_runtime::refused::Refused;
use ristoro_runtime::status::{self, invalid, refuse};
use sqlx::PgConnection;
use tonic::{Code, Status};

use crate::projections::account::{self, Member, Named};
use crate::projections::payout_switch;
use crate::projections::standing::{self, Chunk};

/// The name of an assessment.
pub const ASSESSMENT: &str = "assessments/{assessment}";
/// The name of a payout.
pub const PAYOUT: &str = "assessments/{assessment}/payouts/{subscription}";
/// The name of a payment file.
pub const PAYMENT_FILE: &str = "paymentFiles/{file}";
/// The name of a subscription.
pub const SUBSCRIPTION: &str = "subscribers/{subscriber}/subscriptions/{subscription}";
/// How long a read waits for the positions that it needs.
pub const WAIT: Duration = Duration::from_secs(5);
/// Characters of a note at most.
const NOTE: usize = 1_000;

/// A payout that was asked for, as of one snapshot.
#[derive(Clone, Debug)]
pub struct FoundPayout {
    /// The assessment.
    pub assessment: String,
    /// Whose it is.
    pub member: Member,
    /// The chunk that it stands in.
    pub chunk: Chunk,
}

/// Reads a note.
///
/// # Errors
/// INVALID_ARGUMENT where it is missing or too long.
pub fn note(text: &str) -> Result<String, Status> {
    edge::text("note", text, 1..=NOTE).map(str::to_owned)
}

/// Reads `assessments/{assessment}`.
///
/// # Errors
/// INVALID_ARGUMENT for any other name.
pub fn assessment_id(field: &str, name: &str) -> Result<String, Status> {
    edge::parse_name::<1>(field, ASSESSMENT, name).map(|[id]| id)
}

/// Reads `paymentFiles/{file}`.
///
/// # Errors
/// INVALID_ARGUMENT for any other name.
pub fn file_id(name: &str) -> Result<String, Status> {
    edge::parse_name::<1>("name", PAYMENT_FILE, name).map(|[id]| id)
}

/// Writes the name of a payout.
#[must_use]
pub fn payout_name(assessment: &str, member: &Member) -> String {
    let subscriber = (!member.unique).then(|| member.subscriber.clone());
    let key = SubscriptionKey { subscriber, subscription: member.subscription.clone() };
    format!("{}/payouts/{}", edge::format_name(ASSESSMENT, &[assessment]), key.segment())
}

/// Writes the name of a subscription.
#[must_use]
pub fn subscription_name(member: &Member) -> String {
    edge::format_name(SUBSCRIPTION, &[&member.subscriber, &member.subscription])
}

/// Writes the name of a payment file.
#[must_use]
pub fn file_name(file: &str) -> String {
    edge::format_name(PAYMENT_FILE, &[file])
}

/// Gives the ids of numbers; a number without a name is one of a roster that the tables have not come to.
///
/// # Errors
/// The database's, as a status.
pub async fn members(
    view: &mut PgConnection,
    numbers: &[u64],
) -> Result<BTreeMap<u64, Member>, Status> {
    account::members(view, numbers).await.map_err(|error| status::database(&error))
}

/// Finds the subscriptions that the names of payouts tell, and their assessments. `field` names the field of a place.
///
/// # Errors
/// NOT_FOUND, and INVALID_ARGUMENT where a name is none or names several.
pub async fn find_members(
    view: &mut PgConnection,
    names: &[&str],
    field: impl Fn(usize) -> String,
) -> Result<Vec<(String, Member)>, Status> {
    let key = |(place, name): (usize, &&str)| edge::subscription_key(&field(place), PAYOUT, name);
    let keys = names.iter().enumerate().map(key).collect::<Result<Vec<_>, _>>()?;
    let wishes: Vec<Named<'_>> = keys
        .iter()
        .map(|(_, key)| Named {
            subscription: &key.subscription,
            subscriber: key.subscriber.as_deref(),
        })
        .collect();
    let found = account::find(view, &wishes).await.map_err(|error| status::database(&error))?;
    let mut members = Vec::with_capacity(names.len());
    for (place, (mut found, (assessment, _))) in found.into_iter().zip(keys).enumerate() {
        match found.len() {
            0 => return Err(status::not_found("ristoro.dev/Payout", names[place])),
            1 => members.push((assessment, found.swap_remove(0))),
            many => {
                let problem =
                    format!("names {many} subscriptions: write {{subscriber}}~{{subscription}}");
                return Err(invalid(&field(place), problem));
            }
        }
    }
    Ok(members)
}

/// Finds a payout by its name.
///
/// # Errors
/// As `find_members`, and NOT_FOUND where the assessment gives the subscription nothing.
pub async fn find_payout(view: &mut PgConnection, name: &str) -> Result<FoundPayout, Status> {
    let mut found = find_members(view, &[name], |_| "name".to_owned()).await?;
    let (assessment, member) = found.swap_remove(0);
    let partition = partition_of_number(member.number);
    let chunk = standing::own(view, &assessment, partition, member.number).await;
    let chunk = chunk.map_err(|error| status::database(&error))?;
    let chunk = chunk.ok_or_else(|| status::not_found("ristoro.dev/Payout", name))?;
    Ok(FoundPayout { assessment, member, chunk })
}

/// Refuses an effect while payouts are stopped.
///
/// # Errors
/// FAILED_PRECONDITION with the reason why they are.
pub async fn not_stopped(view: &mut PgConnection) -> Result<(), Status> {
    let stopped = payout_switch::stopped(view).await.map_err(|error| status::database(&error))?;
    match stopped {
        None => Ok(()),
        Some(note) => {
            let message = format!("payouts are stopped ({note}): resume them first");
            Err(refuse(Code::FailedPrecondition, ErrorReason::PayoutsStopped, message, &[]))
        }
    }
}

/// Says that something is in a state that does not allow a command.
#[must_use]
pub fn wrong_state() -> Refused {
    Refused::precondition(ErrorReason::WrongState)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_is_named_by_its_subscription_and_by_its_subscriber_where_it_must() {
        let member = |unique| Member {
            number: 1,
            subscriber: "p/1".to_owned(),
            subscription: "s~1".to_owned(),
            unique,
        };
        assert_eq!(payout_name("a1", &member(true)), "assessments/a1/payouts/s%7E1");
        assert_eq!(payout_name("a1", &member(false)), "assessments/a1/payouts/p%2F1~s%7E1");
        assert_eq!(subscription_name(&member(true)), "subscribers/p%2F1/subscriptions/s%7E1");
    }
}
