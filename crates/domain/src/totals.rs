//! Totals of a set of decisions: people, and sums by legal nature, grant type and currency.

use std::collections::BTreeMap;

use crate::money::{Currency, Money, MoneyError};
use crate::remedy::{Remedy, RemedyKind};

/// What is summed together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TotalKey {
    /// The legal nature.
    pub kind: RemedyKind,
    /// The grant's type, as `Grant::type_name` gives it.
    pub grant: &'static str,
    /// The currency, for money, credit and vouchers.
    pub currency: Option<Currency>,
}

/// One sum.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct GrantTotal {
    /// Subscriptions that get it.
    pub count: u64,
    /// The sum in minor units; zero where the grant has no amount.
    pub minor: i64,
}

/// Totals of a set of decisions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Totals {
    /// Subscriptions looked at, zeros included.
    pub count: u64,
    /// Subscriptions that get something.
    pub entitled: u64,
    /// The sums.
    pub grants: BTreeMap<TotalKey, GrantTotal>,
}

/// Gives the static name of a grant type that was read from elsewhere.
#[must_use]
pub fn grant_type(name: &str) -> Option<&'static str> {
    ["money", "credit", "voucher", "term", "quota"].into_iter().find(|known| *known == name)
}

impl Totals {
    /// Adds what `people` subscriptions get, each the same remedies.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn add(&mut self, remedies: &[Remedy], people: u64) -> Result<(), MoneyError> {
        self.count += people;
        if !remedies.is_empty() {
            self.entitled += people;
        }
        let times = i64::try_from(people).map_err(|_| MoneyError::OutOfRange)?;
        for remedy in remedies {
            let amount = remedy.grant.amount();
            let key = TotalKey {
                kind: remedy.kind,
                grant: remedy.grant.type_name(),
                currency: amount.map(|money| money.currency),
            };
            let minor = amount.map_or(0, |money| money.minor);
            let minor = minor.checked_mul(times).ok_or(MoneyError::OutOfRange)?;
            self.add_sum(key, GrantTotal { count: people, minor })?;
        }
        Ok(())
    }

    /// Adds other totals.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn merge(&mut self, other: &Totals) -> Result<(), MoneyError> {
        self.count += other.count;
        self.entitled += other.entitled;
        other.grants.iter().try_for_each(|(key, sum)| self.add_sum(*key, *sum))
    }

    fn add_sum(&mut self, key: TotalKey, sum: GrantTotal) -> Result<(), MoneyError> {
        let total = self.grants.entry(key).or_default();
        total.count += sum.count;
        total.minor = total.minor.checked_add(sum.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(())
    }

    /// Gives the sum of money, credit and vouchers of each currency, in the currencies' order.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn amounts(&self) -> Result<Vec<Money>, MoneyError> {
        let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
        for (key, total) in &self.grants {
            let Some(currency) = key.currency else { continue };
            let sum = sums.entry(currency).or_default();
            *sum = sum.checked_add(total.minor).ok_or(MoneyError::OutOfRange)?;
        }
        Ok(sums.into_iter().map(|(currency, minor)| Money::new(minor, currency)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::{Grant, Payer};

    #[test]
    fn totals_count_people_and_sum_by_sort() {
        let money = |minor| Remedy {
            kind: RemedyKind::Indemnity,
            grant: Grant::Money(Money::new(minor, Currency::EUR)),
            payer: Payer::Operator,
        };
        let quota = Remedy {
            kind: RemedyKind::Goodwill,
            grant: Grant::Quota { bytes: 1 },
            payer: Payer::Operator,
        };
        let mut totals = Totals::default();
        totals.add(&[money(3000)], 2).unwrap();
        totals.add(&[money(600), quota], 1).unwrap();
        totals.add(&[], 4).unwrap();
        assert_eq!((totals.count, totals.entitled), (7, 3));
        assert_eq!(totals.amounts().unwrap(), vec![Money::new(6600, Currency::EUR)]);
        let mut twice = totals.clone();
        twice.merge(&totals).unwrap();
        assert_eq!(twice.amounts().unwrap(), vec![Money::new(13200, Currency::EUR)]);
        assert_eq!(totals.add(&[money(i64::MAX)], 2), Err(MoneyError::OutOfRange));
    }
}
