//! Events of `roster/{partition}`, columnar, and the one type for whatever stands on the subscriber topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use ristoro_domain::roster::{Holder, ImportRow, Profile, RosterEvent};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::time::Instant;

use crate::eligibility::v1 as out;
use crate::subscriber::{
    contact_in, contact_out, knows, payee_in, payee_out, profile_in, profile_out,
};
use crate::types::bad;
use crate::wire::{Wire, WireError, decode_message};

pub(crate) const IMPORTED: &str = "SubscriptionsImported";
const RESERVED: &str = "NumbersReserved";

/// How a period that still runs is written.
const OPEN_S: i64 = i64::MIN;

/// A record of the subscriber topic, of either sort of stream. For readers that fold the whole topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubscriberRecord {
    /// Of `roster/{partition}`.
    Roster(RosterEvent),
    /// Of `subscriber/{subscriber}`.
    Person(SubscriberEvent),
}

impl Wire for SubscriberRecord {
    fn kind(&self) -> &'static str {
        match self {
            SubscriberRecord::Roster(event) => event.kind(),
            SubscriberRecord::Person(event) => event.kind(),
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            SubscriberRecord::Roster(event) => event.encode(),
            SubscriberRecord::Person(event) => event.encode(),
        }
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        if knows(kind) {
            return SubscriberEvent::decode(kind, payload).map(SubscriberRecord::Person);
        }
        RosterEvent::decode(kind, payload).map(SubscriberRecord::Roster)
    }
}

impl Wire for RosterEvent {
    fn kind(&self) -> &'static str {
        match self {
            RosterEvent::SubscriptionsImported { .. } => IMPORTED,
            RosterEvent::NumbersReserved { .. } => RESERVED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            RosterEvent::SubscriptionsImported { first_number, rows } => {
                imported_out(*first_number, rows).encode_to_vec().into()
            }
            RosterEvent::NumbersReserved { first_number, holders } => out::NumbersReserved {
                first_number: *first_number,
                subscriptions: holders.iter().map(|holder| holder.subscription.clone()).collect(),
                subscribers: holders.iter().map(|holder| holder.subscriber.clone()).collect(),
            }
            .encode_to_vec()
            .into(),
        }
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            IMPORTED => imported_in(decode_message(kind, payload)?),
            RESERVED => reserved_in(decode_message(kind, payload)?),
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

fn imported_out(first_number: u64, rows: &[ImportRow]) -> out::SubscriptionsImported {
    // Profiles are written in the order of their first row, so the bytes depend on the rows alone.
    let mut places: BTreeMap<&Profile, u32> = BTreeMap::new();
    let mut message = out::SubscriptionsImported { first_number, ..Default::default() };
    for row in rows {
        let next = u32::try_from(message.profiles.len()).expect("a batch is bounded");
        let place = *places.entry(&row.profile).or_insert(next);
        if place == next {
            message.profiles.push(profile_out(&row.profile));
        }
        message.profile.push(place);
        message.subscriptions.push(row.subscription.clone());
        message.subscribers.push(row.subscriber.clone());
        message.valid_from_s.push(row.valid_from.as_second());
        message.valid_to_s.push(row.valid_to.map_or(OPEN_S, Instant::as_second));
        message.contacts.push(contact_out(&row.contact));
        message.payees.push(payee_out(row.payee.as_ref()));
    }
    message
}

/// Checks that all columns have the same length.
pub(crate) fn check_columns(message: &out::SubscriptionsImported) -> Result<(), WireError> {
    let count = message.subscriptions.len();
    let columns = [
        ("subscribers", message.subscribers.len()),
        ("profile", message.profile.len()),
        ("valid_from_s", message.valid_from_s.len()),
        ("valid_to_s", message.valid_to_s.len()),
        ("contacts", message.contacts.len()),
        ("payees", message.payees.len()),
    ];
    match columns.into_iter().find(|(_, length)| *length != count) {
        Some((field, length)) => {
            Err(bad(IMPORTED, field, format!("has {length} entries for {count} subscriptions")))
        }
        None => Ok(()),
    }
}

/// Reads when a plan of a batch began, and when it ended; none while it runs.
///
/// # Errors
/// For seconds that are no time.
pub fn period_in(from_s: i64, to_s: i64) -> Result<(Instant, Option<Instant>), WireError> {
    let second = |value, field| Instant::from_second(value).map_err(|e| bad(IMPORTED, field, e));
    let to = (to_s != OPEN_S).then(|| second(to_s, "valid_to_s")).transpose()?;
    Ok((second(from_s, "valid_from_s")?, to))
}

fn imported_in(message: out::SubscriptionsImported) -> Result<RosterEvent, WireError> {
    check_columns(&message)?;
    let profiles = message
        .profiles
        .into_iter()
        .map(|profile| profile_in(profile, IMPORTED).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::with_capacity(message.subscriptions.len());
    let people = message.subscribers.into_iter().zip(message.contacts).zip(message.payees);
    let ids = message.subscriptions.into_iter().zip(people);
    for (place, (subscription, ((subscriber, contact), payee))) in ids.enumerate() {
        let profile = usize::try_from(message.profile[place]).ok();
        let profile = profile.and_then(|place| profiles.get(place));
        let (valid_from, valid_to) =
            period_in(message.valid_from_s[place], message.valid_to_s[place])?;
        rows.push(ImportRow {
            subscription,
            subscriber,
            profile: profile
                .cloned()
                .ok_or_else(|| bad(IMPORTED, "profile", "names a profile that is not there"))?,
            valid_from,
            valid_to,
            contact: contact_in(contact),
            payee: payee_in(payee),
        });
    }
    Ok(RosterEvent::SubscriptionsImported { first_number: message.first_number, rows })
}

fn reserved_in(message: out::NumbersReserved) -> Result<RosterEvent, WireError> {
    if message.subscribers.len() != message.subscriptions.len() {
        return Err(bad(RESERVED, "subscribers", "is not as long as subscriptions"));
    }
    let pairs = message.subscribers.into_iter().zip(message.subscriptions);
    let holders =
        pairs.map(|(subscriber, subscription)| Holder { subscriber, subscription }).collect();
    Ok(RosterEvent::NumbersReserved { first_number: message.first_number, holders })
}
