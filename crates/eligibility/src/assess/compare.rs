//! Who gains and who loses if one policy stands in the place of another, and which rules make it so.
//!
//! People are counted by what both policies give them and why; nobody is listed. Amounts are never converted.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use ristoro_domain::money::{Currency, Money, MoneyError};
use ristoro_domain::policy::Policy;
use ristoro_domain::remedy::Reason;

/// The most groups of people that a comparison shows.
const DRIVER_LIMIT: usize = 20;

/// How people fare under another policy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Effect {
    /// They get more.
    Gain,
    /// They get less.
    Loss,
    /// They get the same.
    Same,
    /// They get amounts of different currencies.
    Incomparable,
}

/// What a decision rests on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Grounds {
    /// The ids of the rules that give something, in the policy's order.
    Rules(Vec<String>),
    /// Why nothing is given, in UPPER_SNAKE.
    Nothing(String),
}

/// What people have in common who fare alike: how, and on what both decisions rest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Driver {
    /// How they fare.
    pub effect: Effect,
    /// What the first policy rests on.
    pub first: Grounds,
    /// What the other one rests on.
    pub other: Grounds,
}

/// People, and sums over all of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// How many people.
    pub people: u64,
    /// The sums by currency, in minor units.
    pub sums: BTreeMap<Currency, i64>,
}

/// One policy against another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// Those who get more under the other policy, and how much more.
    pub gain: Change,
    /// Those who get less, and how much less.
    pub loss: Change,
    /// How many people get the same.
    pub same: u64,
    /// How many people get amounts of different currencies.
    pub incomparable: u64,
    /// What drives it, with the other policy's amounts less the first one's.
    pub drivers: BTreeMap<Driver, Change>,
}

/// The drivers that are shown, and what is left of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranked<'a> {
    /// The largest differences, the largest first.
    pub shown: Vec<(&'a Driver, &'a Change)>,
    /// How many drivers are left.
    pub left: usize,
    /// Those that are left, all in one.
    pub rest: Change,
}

impl Comparison {
    /// Adds people for whom both policies have the same reasons.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn add(
        &mut self,
        first: (&Policy, &Reason),
        other: (&Policy, &Reason),
        people: u64,
    ) -> Result<(), MoneyError> {
        let differences = differences(first.1, other.1)?;
        let effect = effect(&differences);
        match effect {
            Effect::Gain => self.gain.add(people, &differences, 1)?,
            Effect::Loss => self.loss.add(people, &differences, -1)?,
            Effect::Same => self.same += people,
            Effect::Incomparable => self.incomparable += people,
        }
        let driver = Driver { effect, first: grounds(first), other: grounds(other) };
        self.drivers.entry(driver).or_default().add(people, &differences, 1)
    }

    /// Adds what was found among other people.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn merge(&mut self, found: &Self) -> Result<(), MoneyError> {
        self.gain.merge(&found.gain)?;
        self.loss.merge(&found.loss)?;
        self.same += found.same;
        self.incomparable += found.incomparable;
        for (driver, change) in &found.drivers {
            self.drivers.entry(driver.clone()).or_default().merge(change)?;
        }
        Ok(())
    }

    /// Ranks the drivers by their differences.
    ///
    /// Of several currencies the largest figure places a driver; that compares figures and converts none.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub fn ranked(&self) -> Result<Ranked<'_>, MoneyError> {
        let mut shown: Vec<_> = self.drivers.iter().collect();
        let size = |change: &Change| change.sums.values().map(|minor| minor.unsigned_abs()).max();
        shown.sort_by_key(|(_, change)| Reverse((size(change), change.people)));
        let left = shown.split_off(shown.len().min(DRIVER_LIMIT));
        let mut rest = Change::default();
        left.iter().try_for_each(|(_, change)| rest.merge(change))?;
        Ok(Ranked { shown, left: left.len(), rest })
    }
}

impl Change {
    fn add(&mut self, people: u64, each: &[Difference], sign: i64) -> Result<(), MoneyError> {
        self.people += people;
        let times = i64::try_from(people).map_err(|_| MoneyError::OutOfRange)?;
        for one in each {
            let minor = one.minor()?.checked_mul(sign).and_then(|minor| minor.checked_mul(times));
            self.add_sum(one.currency, minor.ok_or(MoneyError::OutOfRange)?)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.people += other.people;
        other.sums.iter().try_for_each(|(currency, minor)| self.add_sum(*currency, *minor))
    }

    fn add_sum(&mut self, currency: Currency, minor: i64) -> Result<(), MoneyError> {
        let sum = self.sums.entry(currency).or_default();
        *sum = sum.checked_add(minor).ok_or(MoneyError::OutOfRange)?;
        Ok(())
    }

    /// Gives the sums as amounts, in the currencies' order.
    pub fn amounts(&self) -> impl Iterator<Item = Money> {
        self.sums.iter().map(|(currency, minor)| Money::new(*minor, *currency))
    }
}

/// What one person gets in one currency under both policies.
struct Difference {
    currency: Currency,
    first: i64,
    other: i64,
}

impl Difference {
    fn minor(&self) -> Result<i64, MoneyError> {
        self.other.checked_sub(self.first).ok_or(MoneyError::OutOfRange)
    }
}

/// Sums what a reason gives in money, credit and vouchers, by currency.
///
/// # Errors
/// `OutOfRange` where a sum leaves 64 bits.
pub fn sums(reason: &Reason) -> Result<BTreeMap<Currency, i64>, MoneyError> {
    let mut sums = Change::default();
    for money in reason.remedies.iter().filter_map(|remedy| remedy.grant.amount()) {
        sums.add_sum(money.currency, money.minor)?;
    }
    Ok(sums.sums)
}

/// Says why a reason gives nothing, in UPPER_SNAKE.
#[must_use]
pub fn why_nothing(reason: &Reason) -> &str {
    let why = reason.trace.iter().map(|line| line.excluded.as_str()).find(|why| !why.is_empty());
    why.unwrap_or("NOTHING_OWED")
}

fn differences(first: &Reason, other: &Reason) -> Result<Vec<Difference>, MoneyError> {
    let (first, other) = (sums(first)?, sums(other)?);
    let mut differences: Vec<Difference> = Vec::new();
    for (currency, minor) in &first {
        let other = other.get(currency).copied().unwrap_or_default();
        differences.push(Difference { currency: *currency, first: *minor, other });
    }
    for (currency, minor) in other.iter().filter(|(currency, _)| !first.contains_key(currency)) {
        differences.push(Difference { currency: *currency, first: 0, other: *minor });
    }
    Ok(differences)
}

fn effect(differences: &[Difference]) -> Effect {
    match differences {
        [] => Effect::Same,
        [one] => match one.other.cmp(&one.first) {
            Ordering::Greater => Effect::Gain,
            Ordering::Less => Effect::Loss,
            Ordering::Equal => Effect::Same,
        },
        [_, _, ..] => Effect::Incomparable,
    }
}

fn grounds((policy, reason): (&Policy, &Reason)) -> Grounds {
    if reason.remedies.is_empty() {
        return Grounds::Nothing(why_nothing(reason).to_owned());
    }
    let gives =
        |id: &str| reason.trace.iter().any(|line| line.rule == id && line.excluded.is_empty());
    let rules = policy.rules().iter().filter(|rule| gives(&rule.id));
    Grounds::Rules(rules.map(|rule| rule.id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use ristoro_domain::policy::shipped;
    use ristoro_domain::remedy::{Grant, Payer, Remedy, RemedyKind, TraceLine};

    use super::*;

    fn policy(id: &str) -> Policy {
        let known = shipped().iter().find(|one| one.id == id).unwrap();
        Policy::parse(known.file, known.text).unwrap()
    }

    fn line(rule: &str, excluded: &str) -> TraceLine {
        let (rule, excluded) = (rule.to_owned(), excluded.to_owned());
        TraceLine { rule, excluded, ..TraceLine::default() }
    }

    /// A reason that gives amounts by a rule, each `EUR 30.00`.
    fn gives(rule: &str, amounts: &[&str]) -> Reason {
        let remedy = |amount: &&str| {
            let (currency, amount) = amount.split_once(' ').unwrap();
            let money = Money::parse(amount, currency.parse().unwrap()).unwrap();
            let grant = Grant::Money(money);
            Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator }
        };
        let trace =
            vec![line("trigger", ""), line(rule, ""), line("late-answer", "NOTHING_COUNTED")];
        Reason { remedies: amounts.iter().map(remedy).collect(), trace, ..Reason::default() }
    }

    fn nothing(excluded: &str) -> Reason {
        let trace = vec![line("trigger", ""), line("affected", excluded)];
        Reason { trace, ..Reason::default() }
    }

    fn storage() -> Reason {
        let grant = Grant::Quota { bytes: 1 };
        let remedy = Remedy { kind: RemedyKind::Goodwill, grant, payer: Payer::Operator };
        Reason {
            remedies: vec![remedy],
            trace: vec![line("more-storage", "")],
            ..Reason::default()
        }
    }

    /// Compares reasons of AGCOM's policy with reasons of Ofcom's, each pair for so many people.
    fn compared(pairs: &[(Reason, Reason, u64)]) -> Comparison {
        let (first, other) = (policy("agcom-347-18"), policy("ofcom"));
        let mut comparison = Comparison::default();
        for (left, right, people) in pairs {
            comparison.add((&first, left), (&other, right), *people).unwrap();
        }
        comparison
    }

    #[track_caller]
    fn check(first: Reason, other: Reason, effect: Effect, sums: &[(&str, i64)]) {
        let comparison = compared(&[(first, other, 2)]);
        let sums = sums.iter().map(|(code, minor)| (code.parse().unwrap(), *minor)).collect();
        let [(driver, change)] = comparison.ranked().unwrap().shown[..] else {
            panic!("one driver")
        };
        assert_eq!((driver.effect, change), (effect, &Change { people: 2, sums }));
        let Comparison { gain, loss, same, incomparable, .. } = comparison;
        let people = [gain.people, loss.people, same, incomparable];
        let expected = match effect {
            Effect::Gain => [2, 0, 0, 0],
            Effect::Loss => [0, 2, 0, 0],
            Effect::Same => [0, 0, 2, 0],
            Effect::Incomparable => [0, 0, 0, 2],
        };
        assert_eq!(people, expected);
    }

    #[test]
    fn people_gain_lose_stay_or_cannot_be_compared() {
        let gives = |amounts: &[&str]| gives("outage-days", amounts);
        let none = || nothing("NOT_AFFECTED");
        check(gives(&["EUR 5.00"]), gives(&["EUR 6.50"]), Effect::Gain, &[("EUR", 300)]);
        check(gives(&["EUR 6.50"]), gives(&["EUR 5.00"]), Effect::Loss, &[("EUR", -300)]);
        check(gives(&["EUR 5.00"]), gives(&["EUR 5.00"]), Effect::Same, &[("EUR", 0)]);
        check(none(), gives(&["GBP 5.00"]), Effect::Gain, &[("GBP", 1_000)]);
        check(gives(&["EUR 5.00"]), none(), Effect::Loss, &[("EUR", -1_000)]);
        check(none(), none(), Effect::Same, &[]);
        check(none(), storage(), Effect::Same, &[]);
        let differ = [("EUR", -1_000), ("GBP", 800)];
        check(gives(&["EUR 5.00"]), gives(&["GBP 4.00"]), Effect::Incomparable, &differ);
        check(gives(&["EUR 2.00", "EUR 3.00"]), gives(&["EUR 5.00"]), Effect::Same, &[("EUR", 0)]);
    }

    #[test]
    fn what_is_gained_and_lost_is_summed_apart() {
        let (five, nine) = (|| gives("outage-days", &["EUR 5.00"]), || gives("x", &["EUR 9.00"]));
        let pairs = [(five(), nine(), 3), (nine(), five(), 2), (nine(), nothing("LATE"), 1)];
        let comparison = compared(&pairs);
        assert_eq!(comparison.gain, Change { people: 3, sums: [(Currency::EUR, 1_200)].into() });
        assert_eq!(comparison.loss, Change { people: 3, sums: [(Currency::EUR, 1_700)].into() });
    }

    #[test]
    fn drivers_name_rules_or_why_nothing_is_given() {
        let comparison = compared(&[
            (gives("outage-days", &["EUR 5.00"]), nothing("NOT_REPORTED"), 1),
            (nothing("NOT_AFFECTED"), gives("missed-appointment", &["GBP 25.00"]), 4),
        ]);
        let ranked = comparison.ranked().unwrap();
        let named: Vec<_> =
            ranked.shown.iter().map(|(driver, _)| (&driver.first, &driver.other)).collect();
        let rules = |rule: &str| Grounds::Rules(vec![rule.to_owned()]);
        let none = |reason: &str| Grounds::Nothing(reason.to_owned());
        // A rule of one policy is not looked for in the other, and a line that gives nothing is no rule that gives.
        let expected = [
            (&none("NOT_AFFECTED"), &rules("missed-appointment")),
            (&rules("outage-days"), &none("NOT_REPORTED")),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn the_largest_differences_come_first_and_the_rest_is_summed() {
        let pair = |cents: u64| {
            let amount = format!("EUR {}.00", cents);
            (nothing(&format!("REASON_{cents}")), gives("x", &[&amount]), 1)
        };
        let mut comparison = compared(&(1..=22).map(pair).collect::<Vec<_>>());
        let ranked = comparison.ranked().unwrap();
        assert_eq!(ranked.shown.len(), 20);
        assert_eq!(ranked.shown[0].0.first, Grounds::Nothing("REASON_22".to_owned()));
        assert_eq!(ranked.shown[19].0.first, Grounds::Nothing("REASON_3".to_owned()));
        let rest = Change { people: 2, sums: [(Currency::EUR, 300)].into() };
        assert_eq!((ranked.left, ranked.rest), (2, rest));
        let other = compared(&[pair(22)]);
        comparison.merge(&other).unwrap();
        assert_eq!(comparison.ranked().unwrap().shown[0].1.people, 2);
        assert_eq!(comparison.gain.people, 23);
    }
}
