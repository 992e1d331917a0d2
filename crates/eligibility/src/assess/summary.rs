//! What a policy gives, summed up: totals, groups, amounts and reasons for nothing.

use std::collections::BTreeMap;

use ristoro_domain::money::{Money, MoneyError};
use ristoro_domain::remedy::{Payer, Reason};
use ristoro_domain::totals::Totals;

use super::compare::{sums, why_nothing};
use super::groups::Groups;

/// What a policy gives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Simulation {
    /// People and sums.
    pub totals: Totals,
    /// Per partition, the digest of the decisions; empty for policies that are only tried.
    pub digests: Vec<[u8; 32]>,
    /// The same by (dimension, value).
    pub groups: BTreeMap<(&'static str, String), Totals>,
    /// How many people get which amount.
    pub amounts: BTreeMap<Money, u64>,
    /// How many people get nothing, by reason.
    pub zeros: BTreeMap<String, u64>,
    /// Why a policy that is only tried could not decide somebody; then the rest says nothing.
    pub refused: Option<String>,
}

const PAYERS: [Payer; 2] = [Payer::Operator, Payer::Fund];

impl Simulation {
    /// Adds people who have the same reason, under everything but their groups.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn add(&mut self, reason: &Reason, people: u64) -> Result<(), MoneyError> {
        self.totals.add(&reason.remedies, people)?;
        for (currency, minor) in sums(reason)? {
            *self.amounts.entry(Money::new(minor, currency)).or_default() += people;
        }
        if reason.remedies.is_empty() {
            *self.zeros.entry(why_nothing(reason).to_owned()).or_default() += people;
        }
        for payer in PAYERS {
            let paid: Vec<_> =
                reason.remedies.iter().filter(|one| one.payer == payer).cloned().collect();
            let key = ("payer", payer.name().to_owned());
            self.groups.entry(key).or_default().add(&paid, people)?;
        }
        Ok(())
    }

    /// Adds people of one group who have the same reason, under their group alone.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn add_to_groups(
        &mut self,
        (groups, number): (&Groups, u32),
        reason: &Reason,
        people: u64,
    ) -> Result<(), MoneyError> {
        for key in groups.group(number).values() {
            self.groups.entry(key).or_default().add(&reason.remedies, people)?;
        }
        Ok(())
    }

    /// Adds what was found among other people; digests stay as they are.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn merge(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.totals.merge(&other.totals)?;
        for (key, totals) in &other.groups {
            self.groups.entry(key.clone()).or_default().merge(totals)?;
        }
        for (amount, count) in &other.amounts {
            *self.amounts.entry(*amount).or_default() += count;
        }
        for (why, count) in &other.zeros {
            *self.zeros.entry(why.clone()).or_default() += count;
        }
        // Whoever is found first must not decide what is said.
        self.refused = self.refused.take().into_iter().chain(other.refused.clone()).min();
        Ok(())
    }

    /// Drops payers who pay nothing to anybody, once everybody is in.
    pub fn drop_idle_payers(&mut self) {
        self.groups.retain(|(dimension, _), totals| *dimension != "payer" || totals.entitled > 0);
    }
}

#[cfg(test)]
mod tests {
    use ristoro_domain::money::Currency;
    use ristoro_domain::remedy::{Grant, Remedy, RemedyKind};

    use super::*;

    /// A reason with so many cents by each payer.
    fn reason(paid: &[(Payer, i64)]) -> Reason {
        let remedy = |(payer, minor): &(Payer, i64)| {
            let grant = Grant::Money(Money::new(*minor, Currency::EUR));
            Remedy { kind: RemedyKind::Indemnity, grant, payer: *payer }
        };
        Reason { remedies: paid.iter().map(remedy).collect(), ..Reason::default() }
    }

    /// Gives (payer, people looked at, people who get something of it, cents) of each payer.
    fn payers(simulation: &Simulation) -> Vec<(&str, u64, u64, i64)> {
        let groups = simulation.groups.iter();
        let payers = groups.filter(|((dimension, _), _)| *dimension == "payer");
        let figures = payers.map(|((_, payer), totals)| {
            let cents = totals.amounts().unwrap().iter().map(|money| money.minor).sum();
            (payer.as_str(), totals.count, totals.entitled, cents)
        });
        figures.collect()
    }

    #[test]
    fn a_payer_has_what_it_pays_itself() {
        let mut simulation = Simulation::default();
        simulation.add(&reason(&[(Payer::Fund, 300), (Payer::Operator, 100)]), 2).unwrap();
        simulation.add(&reason(&[(Payer::Operator, 50)]), 3).unwrap();
        let mut others = Simulation::default();
        others.add(&reason(&[]), 4).unwrap();
        simulation.merge(&others).unwrap();
        simulation.drop_idle_payers();
        assert_eq!(payers(&simulation), [("fund", 9, 2, 600), ("operator", 9, 5, 350)]);
        // Whoever gets something of both gets one amount.
        let amounts: Vec<(i64, u64)> =
            simulation.amounts.iter().map(|(amount, people)| (amount.minor, *people)).collect();
        assert_eq!(amounts, [(50, 3), (400, 2)]);
        assert_eq!(simulation.zeros, [("NOTHING_OWED".to_owned(), 4)].into());
    }

    #[test]
    fn a_payer_who_pays_nobody_is_not_shown() {
        let mut simulation = Simulation::default();
        simulation.add(&reason(&[(Payer::Operator, 50)]), 3).unwrap();
        simulation.drop_idle_payers();
        assert_eq!(payers(&simulation), [("operator", 3, 3, 150)]);
    }

    #[test]
    fn what_is_said_of_a_refusal_does_not_depend_on_who_is_first() {
        let refused =
            |text: &str| Simulation { refused: Some(text.to_owned()), ..Simulation::default() };
        for order in [["b", "a"], ["a", "b"]] {
            let mut simulation = Simulation::default();
            order.iter().for_each(|text| simulation.merge(&refused(text)).unwrap());
            assert_eq!(simulation.refused.as_deref(), Some("a"));
        }
    }
}
