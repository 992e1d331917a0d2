//! Batches read by hand: who stands in a chunk, and what each is given.

use std::collections::BTreeMap;

use prost::Message;
use ristoro_log::Topic;
use ristoro_proto::eligibility::v1::{EntitlementsDecided, SubscriptionsImported};
use ristoro_proto::log::v1::remedy::Grant;
use ristoro_proto::log::v1::{Payer, Remedy, RemedyKind};

use super::{Entry, Story};

/// One remedy as the tables spell it: kind, grant and minor units.
pub type Given = (String, String, i64);

/// What one chunk decides: numbers, each with what it is given.
pub type Decided = BTreeMap<u64, Vec<Given>>;

/// A chunk of an assessment: its partition and its number.
pub type ChunkKey = (String, u32, u64);

/// Decodes the payload of a record that counts.
///
/// # Panics
/// Where it is something else, which no record that counts may be.
#[must_use]
pub fn payload<M: Message + Default>(entry: &Entry) -> M {
    M::decode(entry.envelope.payload.clone()).unwrap_or_else(|error| {
        panic!("{} is no {}: {error}", entry.position, entry.envelope.r#type)
    })
}

/// Reads `{prefix}/{id}/{partition}`.
#[must_use]
pub fn parse<'a>(stream: &'a str, prefix: &str) -> Option<(&'a str, u32)> {
    let (id, partition) = stream.strip_prefix(prefix)?.strip_prefix('/')?.rsplit_once('/')?;
    Some((id, partition.parse().ok()?))
}

/// Spreads a column of distances to numbers; none where there is no entry.
#[must_use]
pub fn numbers(first: u64, steps: &[u32], entries: usize) -> Vec<u64> {
    if entries == 0 {
        return Vec::new();
    }
    let mut numbers = vec![first];
    for step in steps {
        let last = numbers[numbers.len() - 1];
        numbers.push(last + u64::from(*step));
    }
    assert_eq!(numbers.len(), entries, "one number for each entry");
    numbers
}

/// Spells a remedy as the tables do.
#[must_use]
pub fn given(remedy: &Remedy) -> Given {
    let kind = match RemedyKind::try_from(remedy.kind) {
        Ok(RemedyKind::Indemnity) => "indemnity",
        Ok(RemedyKind::Refund) => "refund",
        Ok(RemedyKind::Damages) => "damages",
        Ok(RemedyKind::Goodwill) => "goodwill",
        Ok(RemedyKind::Unspecified) | Err(_) => "none",
    };
    assert_eq!(remedy.payer, i32::from(Payer::Operator), "nobody else pays here");
    let (grant, minor) = match &remedy.grant {
        Some(Grant::Money(amount)) => ("money", amount.minor),
        Some(Grant::Credit(amount)) => ("credit", amount.minor),
        Some(Grant::Voucher(amount)) => ("voucher", amount.minor),
        Some(Grant::Term(_)) => ("term", 0),
        Some(Grant::Quota(_)) => ("quota", 0),
        None => ("none", 0),
    };
    (kind.to_owned(), grant.to_owned(), minor)
}

/// Gives everybody's decisions, chunk by chunk.
#[must_use]
pub fn decisions(story: &Story) -> BTreeMap<ChunkKey, Decided> {
    let mut chunks = BTreeMap::new();
    for entry in story.accepted(Topic::Entitlement) {
        let Some((assessment, partition)) = parse(&entry.envelope.stream, "scan") else { continue };
        if entry.envelope.r#type != "EntitlementsDecided" {
            continue;
        }
        let batch: EntitlementsDecided = payload(entry);
        let people = numbers(batch.first_number, &batch.steps, batch.reason.len());
        let reasons: Vec<Vec<Given>> = batch
            .reasons
            .iter()
            .map(|reason| reason.remedies.iter().map(given).collect())
            .collect();
        let decided = people.into_iter().zip(&batch.reason);
        let decided = decided.map(|(number, reason)| (number, reasons[*reason as usize].clone()));
        let key = (assessment.to_owned(), partition, entry.envelope.version);
        assert_eq!(chunks.insert(key, decided.collect()), None, "a chunk counts once");
    }
    chunks
}

/// Gives the number of every subscription with its subscriber and its own id.
#[must_use]
pub fn roster(story: &Story) -> BTreeMap<u64, (String, String)> {
    let mut roster = BTreeMap::new();
    for entry in story.accepted(Topic::Subscriber) {
        if entry.envelope.r#type != "SubscriptionsImported" {
            continue;
        }
        let batch: SubscriptionsImported = payload(entry);
        let people = batch.subscribers.into_iter().zip(batch.subscriptions);
        for (number, person) in (batch.first_number..).zip(people) {
            assert_eq!(roster.insert(number, person), None, "a number is given once");
        }
    }
    roster
}
