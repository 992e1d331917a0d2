//! A batch of the roster as a table keeps it: the event's own columns, without those that the table's service has no
//! use for.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use ristoro_domain::roster::{ImportRow, Profile};

use crate::eligibility::v1::SubscriptionsImported;
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

/// A page that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct RosterPage {
    columns: SubscriptionsImported,
    profiles: Vec<Arc<Profile>>,
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
    /// Reads a page.
    ///
    /// # Errors
    /// For bytes that no version of this program wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let mut columns: SubscriptionsImported =
            decode_message(PAGE, &Bytes::copy_from_slice(bytes))?;
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
        let Some(place) = number.checked_sub(self.first_number()) else { return Ok(None) };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let (Some(subscription), Some(subscriber)) =
            (columns.subscriptions.get(place), columns.subscribers.get(place))
        else {
            return Ok(None);
        };
        let profile = columns.profile.get(place).and_then(|at| self.profiles.get(*at as usize));
        let profile = profile.ok_or_else(|| bad(PAGE, "profile", "names none that is there"))?;
        let period = columns.valid_from_s.get(place).zip(columns.valid_to_s.get(place));
        let (from, to) = period.ok_or_else(|| bad(PAGE, "valid_from_s", "is too short"))?;
        let (valid_from, valid_to) = period_in(*from, *to)?;
        Ok(Some(ImportRow {
            subscription: subscription.clone(),
            subscriber: subscriber.clone(),
            profile: Arc::clone(profile),
            valid_from,
            valid_to,
            contact: columns.contacts.get(place).cloned().map(contact_in).unwrap_or_default(),
            payee: columns.payees.get(place).cloned().and_then(payee_in),
        }))
    }
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
            let page = RosterPage::read(&batch().page(personal)).unwrap();
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
        let page = RosterPage::read(&[seen, who].concat()).unwrap();
        for (number, row) in (7..).zip(rows()) {
            assert_eq!(page.row(number).unwrap(), Some(row));
        }
    }
}
