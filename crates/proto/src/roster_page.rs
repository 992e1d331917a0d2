//! A batch of the roster as a table keeps it: the event's own columns, without those that the table's service has no
//! use for.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use ristoro_domain::roster::{ImportRow, Profile};

use crate::eligibility::v1::{self as wire, SubscriptionsImported};
use crate::roster::{IMPORTED, check_columns, period_in};
use crate::subscriber::{contact_in, payee_in, profile_in};
use crate::types::bad;
use crate::wire::{Wire, WireError, decode_message};

const PAGE: &str = "roster_page";

/// Which columns of personal data a page keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Personal {
    /// How people are reached, without their telephones.
    Contacts,
    /// Where people are paid.
    Payees,
}

/// A page that was read; a person's own columns are decoded where that person is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct RosterPage {
    columns: Columns,
    profiles: Vec<Arc<Profile>>,
}

/// `SubscriptionsImported` with texts and messages as their bytes, which have the same form on the wire: a page has a
/// thousand people, and mostly one is wanted.
#[derive(Clone, PartialEq, Message)]
struct Columns {
    #[prost(uint64, tag = "1")]
    first_number: u64,
    #[prost(message, repeated, tag = "2")]
    profiles: Vec<wire::Profile>,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    subscriptions: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "4")]
    subscribers: Vec<Bytes>,
    #[prost(uint32, repeated, tag = "5")]
    profile: Vec<u32>,
    #[prost(sint64, repeated, tag = "6")]
    valid_from_s: Vec<i64>,
    #[prost(sint64, repeated, tag = "7")]
    valid_to_s: Vec<i64>,
    #[prost(bytes = "bytes", repeated, tag = "8")]
    contacts: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    payees: Vec<Bytes>,
}

/// A batch as its event has it, for tables that keep it as a page and need no row of it apart.
#[derive(Clone, PartialEq, Debug)]
pub struct ImportedBatch(SubscriptionsImported);

impl Wire for ImportedBatch {
    fn kind(&self) -> &'static str {
        IMPORTED
    }

    fn encode(&self) -> Bytes {
        self.0.encode_to_vec().into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        if kind != IMPORTED {
            return Err(WireError::UnknownKind { kind: kind.to_owned() });
        }
        let message: SubscriptionsImported = decode_message(kind, payload)?;
        check_columns(&message)?;
        Ok(Self(message))
    }
}

impl ImportedBatch {
    /// Says whether an event is such a batch.
    #[must_use]
    pub fn is_kind(kind: &str) -> bool {
        kind == IMPORTED
    }

    /// Gives the number of its first subscription; the others follow by one.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.0.first_number
    }

    /// Gives how many subscriptions it brings.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.subscriptions.len() as u64
    }

    /// Gives (subscriber, subscription, number) of each, in the order of the numbers.
    pub fn holders(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let pairs = self.0.subscribers.iter().zip(&self.0.subscriptions).zip(self.0.first_number..);
        pairs.map(|((subscriber, subscription), number)| {
            (subscriber.as_str(), subscription.as_str(), number)
        })
    }

    /// Packs it as a page.
    #[must_use]
    pub fn page(mut self, personal: Personal) -> Vec<u8> {
        let columns = &mut self.0;
        match personal {
            Personal::Contacts => {
                columns.payees.clear();
                columns.contacts.iter_mut().for_each(|contact| contact.phone.clear());
            }
            Personal::Payees => columns.contacts.clear(),
        }
        columns.encode_to_vec()
    }

    /// Packs it in two parts: what a policy sees, and who it is. Both parts one after the other are the whole page.
    #[must_use]
    pub fn parts(mut self) -> (Vec<u8>, Vec<u8>) {
        let who = SubscriptionsImported {
            subscribers: std::mem::take(&mut self.0.subscribers),
            contacts: std::mem::take(&mut self.0.contacts),
            payees: std::mem::take(&mut self.0.payees),
            ..SubscriptionsImported::default()
        };
        (self.0.encode_to_vec(), who.encode_to_vec())
    }
}

impl RosterPage {
    /// Reads a page, or its first part.
    ///
    /// # Errors
    /// For bytes that no version of this program wrote.
    pub fn read(bytes: impl Into<Bytes>) -> Result<Self, WireError> {
        let mut columns: Columns = decode_message(PAGE, &bytes.into())?;
        let profiles = std::mem::take(&mut columns.profiles).into_iter();
        let profiles = profiles.map(|profile| profile_in(profile, PAGE).map(Arc::new));
        Ok(Self { profiles: profiles.collect::<Result<_, _>>()?, columns })
    }

    /// Gives the number of its first subscription; the others follow by one.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.columns.first_number
    }

    /// Gives the number of its last subscription.
    #[must_use]
    pub fn last_number(&self) -> u64 {
        (self.first_number() + self.columns.subscriptions.len() as u64).saturating_sub(1)
    }

    /// Gives the row of a number: of another page none, and without the personal data that the page does not keep.
    ///
    /// # Errors
    /// For columns that no version of this program wrote.
    pub fn row(&self, number: u64) -> Result<Option<ImportRow>, WireError> {
        let columns = &self.columns;
        let Some(place) = self.place(number) else { return Ok(None) };
        let (Some(subscription), Some(subscriber)) =
            (columns.subscriptions.get(place), columns.subscribers.get(place))
        else {
            return Ok(None);
        };
        let period = columns.valid_from_s.get(place).zip(columns.valid_to_s.get(place));
        let (from, to) = period.ok_or_else(|| bad(PAGE, "valid_from_s", "is too short"))?;
        let (valid_from, valid_to) = period_in(*from, *to)?;
        let contact = columns.contacts.get(place).map(|bytes| decode_message(PAGE, bytes));
        let payee = columns.payees.get(place).map(|bytes| decode_message(PAGE, bytes));
        Ok(Some(ImportRow {
            subscription: text(subscription, "subscriptions")?,
            subscriber: text(subscriber, "subscribers")?,
            profile: self.profile_at(place)?,
            valid_from,
            valid_to,
            contact: contact.transpose()?.map(contact_in).unwrap_or_default(),
            payee: payee.transpose()?.and_then(payee_in),
        }))
    }

    /// Gives the profile of a number: of another page none.
    ///
    /// # Errors
    /// For columns that no version of this program wrote.
    pub fn profile(&self, number: u64) -> Result<Option<Arc<Profile>>, WireError> {
        let place = self.place(number).filter(|place| *place < self.columns.subscriptions.len());
        place.map(|place| self.profile_at(place)).transpose()
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first_number())?).ok()
    }

    fn profile_at(&self, place: usize) -> Result<Arc<Profile>, WireError> {
        let profile = self.columns.profile.get(place);
        let profile = profile.and_then(|at| self.profiles.get(*at as usize)).map(Arc::clone);
        profile.ok_or_else(|| bad(PAGE, "profile", "names none that is there"))
    }
}

fn text(bytes: &Bytes, field: &'static str) -> Result<String, WireError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| bad(PAGE, field, "is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use ristoro_domain::facts::{Class, FeePeriod, Segment};
    use ristoro_domain::roster::{Contact, Payee, RosterEvent};

    use super::*;

    fn rows() -> Vec<ImportRow> {
        let profile = |plan: &str| Profile {
            service: "libero-mail".to_owned(),
            plan: plan.to_owned(),
            segment: Segment::Consumer,
            class: Class::Principal,
            cohort: None,
            fee: None,
            fee_period: FeePeriod::Year,
        };
        let row = |place: u32| ImportRow {
            subscription: format!("s{place}"),
            subscriber: format!("p{place}"),
            profile: Arc::new(profile(if place == 2 { "plus-5gb" } else { "free" })),
            valid_from: "2022-09-01T00:00:00Z".parse().unwrap(),
            valid_to: (place == 3).then(|| "2023-01-25T00:00:00Z".parse().unwrap()),
            contact: Contact {
                email: Some(format!("p{place}@mail.example")),
                phone: Some("+39 06 555".to_owned()),
                locale: None,
            },
            payee: (place == 2).then(|| Payee { iban: "IT60".to_owned(), name: "Ada".to_owned() }),
        };
        (1..=3).map(row).collect()
    }

    fn batch() -> ImportedBatch {
        let event = RosterEvent::SubscriptionsImported { first_number: 7, rows: rows() };
        ImportedBatch::decode(event.kind(), &event.encode()).unwrap()
    }

    #[test]
    fn a_page_gives_its_rows_back_with_the_personal_data_that_it_keeps() {
        for personal in [Personal::Contacts, Personal::Payees] {
            let page = RosterPage::read(batch().page(personal)).unwrap();
            assert_eq!((page.first_number(), page.last_number()), (7, 9));
            assert!(page.row(6).unwrap().is_none() && page.row(10).unwrap().is_none());
            for (number, mut row) in (7..).zip(rows()) {
                match personal {
                    Personal::Contacts => (row.payee, row.contact.phone) = (None, None),
                    Personal::Payees => row.contact = Contact::default(),
                }
                assert_eq!(page.row(number).unwrap(), Some(row));
            }
        }
    }

    #[test]
    fn the_parts_of_a_page_are_the_whole_batch() {
        let batch = batch();
        assert_eq!((batch.first_number(), batch.count()), (7, 3));
        assert_eq!(batch.holders().last(), Some(("p3", "s3", 9)));
        let (seen, who) = batch.parts();
        let first = RosterPage::read(seen.clone()).unwrap();
        let page = RosterPage::read([seen, who].concat()).unwrap();
        for (number, row) in (7..).zip(rows()) {
            assert_eq!(first.profile(number).unwrap().as_ref(), Some(&row.profile));
            assert_eq!(page.row(number).unwrap(), Some(row));
        }
        assert!(first.profile(6).unwrap().is_none() && first.profile(10).unwrap().is_none());
    }
}
