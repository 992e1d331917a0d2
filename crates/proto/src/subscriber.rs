//! Events of `subscriber/{subscriber}`, and the parts that they share with the roster's batches.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use ristoro_domain::facts::{Account, Class, FeePeriod, Segment};
use ristoro_domain::roster::{Contact, Payee, Profile};
use ristoro_domain::subscriber::SubscriberEvent;
use ristoro_domain::time::Instant;

use crate::eligibility::v1 as out;
use crate::types::{amount_in, amount_out, bad, date_in, date_out, instant, required, timestamp};
use crate::wire::{Wire, WireError, decode_message};

const STARTED: &str = "SubscriptionStarted";
const CHANGED: &str = "PlanChanged";
const ENDED: &str = "SubscriptionEnded";
const CONTACT: &str = "ContactSet";
const PAYEE: &str = "PayeeSet";
const ACCOUNT: &str = "AccountSet";
const TROUBLE: &str = "TroubleReported";

/// Says whether a kind is one of a subscriber's own stream.
pub(crate) fn knows(kind: &str) -> bool {
    [STARTED, CHANGED, ENDED, CONTACT, PAYEE, ACCOUNT, TROUBLE].contains(&kind)
}

impl Wire for SubscriberEvent {
    fn kind(&self) -> &'static str {
        match self {
            SubscriberEvent::SubscriptionStarted { .. } => STARTED,
            SubscriberEvent::PlanChanged { .. } => CHANGED,
            SubscriberEvent::SubscriptionEnded { .. } => ENDED,
            SubscriberEvent::ContactSet { .. } => CONTACT,
            SubscriberEvent::PayeeSet { .. } => PAYEE,
            SubscriberEvent::AccountSet { .. } => ACCOUNT,
            SubscriberEvent::TroubleReported { .. } => TROUBLE,
        }
    }

    fn encode(&self) -> Bytes {
        let bytes = match self {
            SubscriberEvent::SubscriptionStarted { subscription, number, profile, valid_from } => {
                out::SubscriptionStarted {
                    subscription: subscription.clone(),
                    number: *number,
                    profile: Some(profile_out(profile)),
                    valid_from: Some(timestamp(*valid_from)),
                }
                .encode_to_vec()
            }
            SubscriberEvent::PlanChanged { subscription, profile, changed_at } => {
                out::PlanChanged {
                    subscription: subscription.clone(),
                    profile: Some(profile_out(profile)),
                    changed_at: Some(timestamp(*changed_at)),
                }
                .encode_to_vec()
            }
            SubscriberEvent::SubscriptionEnded { subscription, ended_at } => {
                let ended_at = Some(timestamp(*ended_at));
                out::SubscriptionEnded { subscription: subscription.clone(), ended_at }
                    .encode_to_vec()
            }
            SubscriberEvent::ContactSet { contact } => {
                out::ContactSet { contact: Some(contact_out(contact)) }.encode_to_vec()
            }
            SubscriberEvent::PayeeSet { payee } => {
                let payee = payee.as_ref().map(|payee| payee_out(Some(payee)));
                out::PayeeSet { payee }.encode_to_vec()
            }
            SubscriberEvent::AccountSet { subscription, account } => {
                let account = Some(account_out(account));
                out::AccountSet { subscription: subscription.clone(), account }.encode_to_vec()
            }
            SubscriberEvent::TroubleReported { subscription, component, reported_at } => {
                out::TroubleReported {
                    subscription: subscription.clone(),
                    component: component.clone().unwrap_or_default(),
                    reported_at: Some(timestamp(*reported_at)),
                }
                .encode_to_vec()
            }
        };
        bytes.into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            STARTED => started_in(decode_message(kind, payload)?),
            CHANGED => changed_in(decode_message(kind, payload)?),
            ENDED => {
                let message: out::SubscriptionEnded = decode_message(kind, payload)?;
                let ended_at = time_in(message.ended_at, ENDED, "ended_at")?;
                let subscription = message.subscription;
                Ok(SubscriberEvent::SubscriptionEnded { subscription, ended_at })
            }
            CONTACT => {
                let message: out::ContactSet = decode_message(kind, payload)?;
                let contact = contact_in(required(message.contact, CONTACT, "contact")?);
                Ok(SubscriberEvent::ContactSet { contact })
            }
            PAYEE => {
                let message: out::PayeeSet = decode_message(kind, payload)?;
                Ok(SubscriberEvent::PayeeSet { payee: message.payee.and_then(payee_in) })
            }
            ACCOUNT => {
                let message: out::AccountSet = decode_message(kind, payload)?;
                let account = account_in(&required(message.account, ACCOUNT, "account")?)?;
                Ok(SubscriberEvent::AccountSet { subscription: message.subscription, account })
            }
            TROUBLE => {
                let message: out::TroubleReported = decode_message(kind, payload)?;
                Ok(SubscriberEvent::TroubleReported {
                    subscription: message.subscription,
                    component: given(message.component),
                    reported_at: time_in(message.reported_at, TROUBLE, "reported_at")?,
                })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

fn started_in(message: out::SubscriptionStarted) -> Result<SubscriberEvent, WireError> {
    let profile = required(message.profile, STARTED, "profile")?;
    Ok(SubscriberEvent::SubscriptionStarted {
        subscription: message.subscription,
        number: message.number,
        profile: Arc::new(profile_in(profile, STARTED)?),
        valid_from: time_in(message.valid_from, STARTED, "valid_from")?,
    })
}

fn changed_in(message: out::PlanChanged) -> Result<SubscriberEvent, WireError> {
    let profile = required(message.profile, CHANGED, "profile")?;
    Ok(SubscriberEvent::PlanChanged {
        subscription: message.subscription,
        profile: Arc::new(profile_in(profile, CHANGED)?),
        changed_at: time_in(message.changed_at, CHANGED, "changed_at")?,
    })
}

fn time_in(
    time: Option<prost_types::Timestamp>,
    kind: &'static str,
    field: &'static str,
) -> Result<Instant, WireError> {
    instant(&required(time, kind, field)?, kind, field)
}

/// An empty text stands for none.
fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Writes a profile.
#[must_use]
pub fn profile_out(profile: &Profile) -> out::Profile {
    out::Profile {
        service: profile.service.clone(),
        plan: profile.plan.clone(),
        segment: segment_out(profile.segment).into(),
        class: class_out(profile.class).into(),
        cohort: profile.cohort.clone().unwrap_or_default(),
        fee: profile.fee.map(amount_out),
        fee_period: fee_period_out(profile.fee_period).into(),
    }
}

/// Reads a profile.
///
/// # Errors
/// `Field` where something is missing or not known.
pub fn profile_in(profile: out::Profile, kind: &'static str) -> Result<Profile, WireError> {
    let fee = profile.fee.as_ref().map(|fee| amount_in(fee, kind, "profile.fee"));
    Ok(Profile {
        segment: segment_in(profile.segment)
            .ok_or_else(|| bad(kind, "profile.segment", format!("is {}", profile.segment)))?,
        class: class_in(profile.class)
            .ok_or_else(|| bad(kind, "profile.class", format!("is {}", profile.class)))?,
        fee_period: fee_period_in(profile.fee_period)
            .ok_or_else(|| bad(kind, "profile.fee_period", format!("is {}", profile.fee_period)))?,
        fee: fee.transpose()?,
        cohort: given(profile.cohort),
        service: profile.service,
        plan: profile.plan,
    })
}

/// Writes a contact.
#[must_use]
pub fn contact_out(contact: &Contact) -> out::Contact {
    out::Contact {
        email: contact.email.clone().unwrap_or_default(),
        phone: contact.phone.clone().unwrap_or_default(),
        locale: contact.locale.clone().unwrap_or_default(),
    }
}

/// Reads a contact.
#[must_use]
pub fn contact_in(contact: out::Contact) -> Contact {
    Contact {
        email: given(contact.email),
        phone: given(contact.phone),
        locale: given(contact.locale),
    }
}

/// Writes a payee; none as an empty one.
#[must_use]
pub fn payee_out(payee: Option<&Payee>) -> out::Payee {
    payee.map_or_else(out::Payee::default, |payee| out::Payee {
        iban: payee.iban.clone(),
        name: payee.name.clone(),
    })
}

/// Reads a payee; an empty account is none.
#[must_use]
pub fn payee_in(payee: out::Payee) -> Option<Payee> {
    let iban = given(payee.iban)?;
    Some(Payee { iban, name: payee.name })
}

/// Writes an account.
#[must_use]
pub fn account_out(account: &Account) -> out::Account {
    out::Account {
        in_arrears: account.in_arrears,
        unpaid_since: date_out(account.unpaid_since),
        quota_bytes: account.quota_bytes,
        term_end: date_out(account.term_end),
    }
}

fn account_in(account: &out::Account) -> Result<Account, WireError> {
    Ok(Account {
        in_arrears: account.in_arrears,
        unpaid_since: date_in(&account.unpaid_since, ACCOUNT, "account.unpaid_since")?,
        quota_bytes: account.quota_bytes,
        term_end: date_in(&account.term_end, ACCOUNT, "account.term_end")?,
    })
}

/// Writes a segment.
#[must_use]
pub fn segment_out(segment: Segment) -> out::Segment {
    match segment {
        Segment::Consumer => out::Segment::Consumer,
        Segment::Business => out::Segment::Business,
    }
}

/// Reads a segment; none where it is not set or not known.
#[must_use]
pub fn segment_in(number: i32) -> Option<Segment> {
    match out::Segment::try_from(number) {
        Ok(out::Segment::Consumer) => Some(Segment::Consumer),
        Ok(out::Segment::Business) => Some(Segment::Business),
        Ok(out::Segment::Unspecified) | Err(_) => None,
    }
}

/// Writes a class.
#[must_use]
pub fn class_out(class: Class) -> out::Class {
    match class {
        Class::Principal => out::Class::Principal,
        Class::Accessory => out::Class::Accessory,
        Class::Free => out::Class::Free,
    }
}

/// Reads a class; none where it is not set or not known.
#[must_use]
pub fn class_in(number: i32) -> Option<Class> {
    match out::Class::try_from(number) {
        Ok(out::Class::Principal) => Some(Class::Principal),
        Ok(out::Class::Accessory) => Some(Class::Accessory),
        Ok(out::Class::Free) => Some(Class::Free),
        Ok(out::Class::Unspecified) | Err(_) => None,
    }
}

/// Writes a fee's period.
#[must_use]
pub fn fee_period_out(period: FeePeriod) -> out::FeePeriod {
    match period {
        FeePeriod::Month => out::FeePeriod::Month,
        FeePeriod::Year => out::FeePeriod::Year,
    }
}

/// Reads a fee's period; none where it is not set or not known.
#[must_use]
pub fn fee_period_in(number: i32) -> Option<FeePeriod> {
    match out::FeePeriod::try_from(number) {
        Ok(out::FeePeriod::Month) => Some(FeePeriod::Month),
        Ok(out::FeePeriod::Year) => Some(FeePeriod::Year),
        Ok(out::FeePeriod::Unspecified) | Err(_) => None,
    }
}
