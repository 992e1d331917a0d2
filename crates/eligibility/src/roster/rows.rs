//! What the rows of one partition ask for, and what becomes of each of them.

use std::collections::BTreeMap;

use ristoro_domain::roster::ImportRow;
use ristoro_domain::roster::check::RowFault;
use ristoro_domain::roster::plan::{Step, last_contact, last_payee, steps};
use ristoro_domain::subscriber::{Ask, Base};
use ristoro_domain::time::Instant;

/// A row with its place in the caller's file.
pub type PlacedRow = (u64, ImportRow);

/// What became of a row; a later word counts for more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// It was known already.
    Unchanged,
    /// It changed something known.
    Changed,
    /// It brought a new subscription.
    Imported,
    /// It was not taken.
    Rejected,
}

/// A subscription of somebody who is on the roster already.
#[derive(Debug)]
pub struct Further {
    /// Its first period.
    pub row: ImportRow,
    /// When that ended, where nothing follows it directly.
    pub ended_at: Option<Instant>,
}

/// What rows ask for.
#[derive(Default, Debug)]
pub struct Plan {
    /// New people's subscriptions.
    pub batch: Vec<ImportRow>,
    /// Known people's new subscriptions.
    pub further: Vec<Further>,
    /// What to ask of each subscriber's stream, in order.
    pub asks: BTreeMap<String, Vec<Ask>>,
    /// What became of each row.
    pub fates: Vec<Option<Fate>>,
    /// Why rows are not taken: place in the file, and fault.
    pub rejects: Vec<(u64, RowFault)>,
}

/// Plans rows against what is recorded of the people in them.
pub fn plan(rows: &[PlacedRow], known: &BTreeMap<String, Base>) -> Plan {
    let mut people: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (_, row)) in rows.iter().enumerate() {
        people.entry(&row.subscriber).or_default().push(place);
    }
    let mut plan = Plan { fates: vec![None; rows.len()], ..Plan::default() };
    for (subscriber, places) in people {
        plan.person(subscriber, &places, rows, known.get(subscriber));
    }
    plan
}

impl Plan {
    fn person(
        &mut self,
        subscriber: &str,
        places: &[usize],
        rows: &[PlacedRow],
        base: Option<&Base>,
    ) {
        let mut subscriptions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for place in places {
            subscriptions.entry(&rows[*place].1.subscription).or_default().push(*place);
        }
        let begin = self.batch.len();
        for (subscription, places) in subscriptions {
            let of_one: Vec<&ImportRow> = places.iter().map(|place| &rows[*place].1).collect();
            let held = base.and_then(|base| base.holdings.get(subscription));
            for step in steps(held, &of_one) {
                self.take(step, &places, rows, base.is_some());
            }
        }
        let is_taken = |place: &&usize| self.fates[**place] != Some(Fate::Rejected);
        let taken: Vec<usize> = places.iter().filter(is_taken).copied().collect();
        match base {
            None => self.describe(begin, &taken, rows),
            Some(base) => self.revise(subscriber, &taken, rows, base),
        }
    }

    fn take(&mut self, step: Step, places: &[usize], rows: &[PlacedRow], person_is_known: bool) {
        match step {
            Step::Begin { row, ended_at } => {
                let mut begun = rows[places[row]].1.clone();
                begun.valid_to = ended_at;
                self.set(places[row], Fate::Imported);
                if person_is_known {
                    self.further.push(Further { row: begun, ended_at });
                } else {
                    self.batch.push(begun);
                }
            }
            Step::Change { row, ask } => {
                self.set(places[row], Fate::Changed);
                let subscriber = rows[places[row]].1.subscriber.clone();
                self.asks.entry(subscriber).or_default().push(ask);
            }
            Step::Nothing { row } => self.set(places[row], Fate::Unchanged),
            Step::Refuse { row, fault } => {
                self.set(places[row], Fate::Rejected);
                self.rejects.push((rows[places[row]].0, fault));
            }
        }
    }

    /// Gives all of a new person's subscriptions in the batch the contact and payee that the file ends with.
    fn describe(&mut self, begin: usize, taken: &[usize], rows: &[PlacedRow]) {
        let of_person: Vec<&ImportRow> = taken.iter().map(|place| &rows[*place].1).collect();
        let (contact, payee) = (last_contact(&of_person), last_payee(&of_person));
        for row in &mut self.batch[begin..] {
            row.contact = contact.clone().unwrap_or_default();
            row.payee.clone_from(&payee);
        }
    }

    /// Asks for another contact and payee where the file ends with others than are recorded.
    fn revise(&mut self, subscriber: &str, taken: &[usize], rows: &[PlacedRow], base: &Base) {
        let of_person: Vec<&ImportRow> = taken.iter().map(|place| &rows[*place].1).collect();
        let contact = last_contact(&of_person).filter(|contact| *contact != base.contact);
        let payee = last_payee(&of_person).filter(|payee| base.payee.as_ref() != Some(payee));
        let asks = [
            contact.map(|contact| Ask::SetContact { contact }),
            payee.map(|payee| Ask::SetPayee { payee: Some(payee) }),
        ];
        for ask in asks.into_iter().flatten() {
            self.asks.entry(subscriber.to_owned()).or_default().push(ask);
            taken.last().iter().for_each(|place| self.set(**place, Fate::Changed));
        }
    }

    fn set(&mut self, place: usize, fate: Fate) {
        self.fates[place] = self.fates[place].max(Some(fate));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ristoro_domain::facts::{Class, FeePeriod, Segment};
    use ristoro_domain::roster::{Contact, Profile};
    use ristoro_domain::subscriber::Holding;

    use super::*;

    fn row(subscriber: &str, subscription: &str, email: Option<&str>) -> ImportRow {
        ImportRow {
            subscription: subscription.to_owned(),
            subscriber: subscriber.to_owned(),
            profile: Arc::new(Profile {
                service: "libero-mail".to_owned(),
                plan: "free".to_owned(),
                segment: Segment::Consumer,
                class: Class::Free,
                cohort: None,
                fee: None,
                fee_period: FeePeriod::Month,
            }),
            valid_from: "2022-09-01T00:00:00Z".parse().unwrap(),
            valid_to: None,
            contact: Contact { email: email.map(str::to_owned), ..Contact::default() },
            payee: None,
        }
    }

    fn known(row: &ImportRow) -> BTreeMap<String, Base> {
        let holding = Holding::begin(1, Arc::clone(&row.profile), row.valid_from, row.valid_to);
        let holdings = BTreeMap::from([(row.subscription.clone(), holding)]);
        let base = Base { holdings, contact: row.contact.clone(), payee: row.payee.clone() };
        BTreeMap::from([(row.subscriber.clone(), base)])
    }

    #[test]
    fn a_new_person_has_the_contact_that_the_file_ends_with() {
        let rows = [
            (1, row("p", "t", Some("old@example.org"))),
            (2, row("p", "s", Some("new@example.org"))),
            (3, row("p", "u", None)),
        ];
        let plan = plan(&rows, &BTreeMap::new());
        let emails: Vec<_> = plan.batch.iter().map(|row| row.contact.email.as_deref()).collect();
        assert_eq!(emails, [Some("new@example.org"); 3]);
        assert!(plan.asks.is_empty() && plan.further.is_empty());
    }

    #[test]
    fn a_known_person_s_other_contact_is_a_change_and_the_same_one_is_not() {
        let first = row("p", "s", Some("old@example.org"));
        let known = known(&first);
        assert_eq!(plan(&[(1, first)], &known).fates, [Some(Fate::Unchanged)]);
        let other = plan(&[(1, row("p", "s", Some("new@example.org")))], &known);
        assert_eq!((other.fates, other.asks["p"].len()), (vec![Some(Fate::Changed)], 1));
    }

    #[test]
    fn a_known_person_s_new_subscription_is_a_further_one() {
        let known = known(&row("p", "s", None));
        let plan = plan(&[(1, row("p", "t", None)), (2, row("q", "s", None))], &known);
        assert_eq!((plan.further.len(), plan.batch.len()), (1, 1));
        assert_eq!(plan.fates, [Some(Fate::Imported); 2]);
    }
}
