//! What a walk counts: people who share a group and the reasons of every policy, and never a list of people.

use std::collections::{BTreeMap, HashMap};

use ristoro_domain::facts::{Outage, Subscription};
use ristoro_domain::money::MoneyError;
use ristoro_domain::policy::digest::{Digest, canonical};
use ristoro_domain::policy::{Evaluator, ReasonIndex, Refusal};
use ristoro_domain::remedy::Reason;

use super::Inputs;
use super::compare::Comparison;
use super::groups::Groups;
use super::simulate::{Purpose, Simulated};
use super::summary::Simulation;
use super::walk::Known;

/// One policy of those that are simulated side by side.
pub(super) struct Column<'a> {
    inputs: &'a Inputs,
    evaluator: Evaluator<'a>,
    /// What each reason adds to the digest, since most people share theirs.
    canonical: Vec<Vec<u8>>,
    digest: Digest,
    refused: Option<String>,
}

/// How many people share a group and their reasons.
pub(super) struct Tally {
    groups: Groups,
    /// By the group's number and each column's reason.
    counts: HashMap<Box<[u32]>, u64>,
    key: Vec<u32>,
}

impl<'a> Column<'a> {
    /// Begins with nobody.
    pub(super) fn new(inputs: &'a Inputs) -> Self {
        Self {
            inputs,
            evaluator: Evaluator::new(&inputs.policy, &inputs.outage),
            canonical: Vec::new(),
            digest: Digest::new(),
            refused: None,
        }
    }

    /// Decides one person; gives the reason's number, or 0 once the policy was refused somebody.
    ///
    /// # Errors
    /// Where the policy refuses the case and that is not to be passed over.
    fn decide(
        &mut self,
        (number, subscription): (u64, &Subscription),
        known: Known<'_>,
        purpose: Purpose,
    ) -> Result<u32, Refusal> {
        if self.refused.is_some() {
            return Ok(0);
        }
        let reason = match self.inputs.decide(&mut self.evaluator, subscription, known) {
            Ok(reason) => reason.0,
            Err(refusal) if purpose == Purpose::Try && refusal.is_about_the_policy() => {
                self.refused = Some(refusal.to_string());
                return Ok(0);
            }
            Err(refusal) => return Err(refusal),
        };
        if purpose == Purpose::Propose {
            let unknown = self.evaluator.reasons().iter().skip(self.canonical.len());
            self.canonical.extend(unknown.map(|reason| canonical(&reason.remedies)));
            let bytes = &self.canonical[reason as usize];
            self.digest.push(number, bytes).expect("a walk gives ascending numbers");
        }
        Ok(reason)
    }

    /// Gives the digest of a partition that is through, and begins that of the next.
    pub(super) fn finish(&mut self) -> [u8; 32] {
        std::mem::take(&mut self.digest).finish()
    }

    fn reason(&self, number: u32) -> &Reason {
        self.evaluator.reason(ReasonIndex(number))
    }
}

impl Tally {
    /// Begins with nobody.
    pub(super) fn new(outage: &Outage) -> Self {
        Self { groups: Groups::new(outage), counts: HashMap::new(), key: Vec::new() }
    }

    /// Decides one person under every policy, and counts who is alike.
    ///
    /// # Errors
    /// Where a policy refuses the case and that is not to be passed over.
    pub(super) fn take(
        &mut self,
        columns: &mut [Column<'_>],
        (number, subscription): (u64, &Subscription),
        known: Known<'_>,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        self.key.clear();
        self.key.push(self.groups.number_of(subscription));
        for column in columns {
            self.key.push(column.decide((number, subscription), known, purpose)?);
        }
        match self.counts.get_mut(self.key.as_slice()) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(self.key.as_slice().into(), 1);
            }
        }
        Ok(())
    }

    /// Sums up what was counted.
    ///
    /// # Errors
    /// `OutOfRange` where a sum leaves 64 bits.
    pub(super) fn summed(&self, columns: &[Column<'_>]) -> Result<Simulated, MoneyError> {
        let mut simulated = Simulated::new(columns.len());
        for (place, column) in columns.iter().enumerate() {
            simulated.simulations[place] = self.simulation(place, column)?;
        }
        let Some((first, others)) = columns.split_first() else { return Ok(simulated) };
        for (place, other) in others.iter().enumerate() {
            simulated.comparisons[place] = self.comparison(first, (place + 1, other))?;
        }
        Ok(simulated)
    }

    fn simulation(&self, place: usize, column: &Column<'_>) -> Result<Simulation, MoneyError> {
        let mut simulation =
            Simulation { refused: column.refused.clone(), ..Simulation::default() };
        if column.refused.is_some() {
            return Ok(simulation);
        }
        for (reason, people) in self.by(|key| key[1 + place]) {
            simulation.add(column.reason(reason), people)?;
        }
        for ((group, reason), people) in self.by(|key| (key[0], key[1 + place])) {
            simulation.add_to_groups((&self.groups, group), column.reason(reason), people)?;
        }
        Ok(simulation)
    }

    fn comparison(
        &self,
        first: &Column<'_>,
        (place, other): (usize, &Column<'_>),
    ) -> Result<Comparison, MoneyError> {
        let mut comparison = Comparison::default();
        if first.refused.is_some() || other.refused.is_some() {
            return Ok(comparison);
        }
        for ((left, right), people) in self.by(|key| (key[1], key[1 + place])) {
            let left = (&first.inputs.policy, first.reason(left));
            let right = (&other.inputs.policy, other.reason(right));
            comparison.add(left, right, people)?;
        }
        Ok(comparison)
    }

    /// Gives how many people share a part of the key.
    fn by<K: Ord>(&self, part: impl Fn(&[u32]) -> K) -> BTreeMap<K, u64> {
        let mut counts = BTreeMap::new();
        for (key, people) in &self.counts {
            *counts.entry(part(key)).or_default() += people;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use ristoro_domain::facts::Class;
    use ristoro_domain::policy::{Policy, shipped};
    use ristoro_domain::settlement::Pins;

    use super::super::testing::{outage, subscription, window};
    use super::*;

    fn inputs(policy: &str) -> Inputs {
        let known = shipped().iter().find(|one| one.id == policy).unwrap();
        let policy = Policy::parse(known.file, known.text).unwrap();
        let pins = Pins {
            policy: policy.id().to_owned(),
            policy_version: policy.version().to_owned(),
            policy_position: String::new(),
            outage_position: String::new(),
            roster_offsets: Vec::new(),
            settlement_version: 0,
            time_zone_data: String::new(),
            known_at: None,
            payment_day: None,
            leftovers: None,
        };
        Inputs { policy, outage: outage(), announced_at: None, pins, earlier: Vec::new() }
    }

    /// Simulates policies for so many people of each class.
    fn simulated(policies: &[&str], people: &[(Class, u64)]) -> Simulated {
        let inputs: Vec<Inputs> = policies.iter().map(|policy| inputs(policy)).collect();
        let mut columns: Vec<Column<'_>> = inputs.iter().map(Column::new).collect();
        let mut tally = Tally::new(&inputs[0].outage);
        let always = [("plus-5gb", window("2020-01-01T00:00:00Z", None))];
        let classes = people.iter().flat_map(|(class, count)| (0..*count).map(|_| *class));
        for (number, class) in (1..).zip(classes) {
            let somebody = Subscription { class, ..subscription("s", &always) };
            let known = Known::default();
            tally.take(&mut columns, (number, &somebody), known, Purpose::Propose).unwrap();
        }
        tally.summed(&columns).unwrap()
    }

    fn amounts(simulation: &Simulation) -> Vec<(i64, u64)> {
        simulation.amounts.iter().map(|(amount, people)| (amount.minor, *people)).collect()
    }

    /// For flights everybody has the same reason, for telecoms there are three: the places of reasons differ.
    #[test]
    fn each_policy_has_its_own_reasons() {
        let people = [(Class::Principal, 3), (Class::Free, 2), (Class::Accessory, 4)];
        let found = simulated(&["eu-261", "agcom-347-18", "eu-261"], &people);
        let [flights, telecoms, again] = found.simulations.as_slice() else { panic!("three") };
        assert_eq!((amounts(flights), flights.zeros.len()), (vec![], 1));
        assert_eq!(amounts(telecoms), [(500, 2), (1_250, 4), (3_000, 3)]);
        assert_eq!(again, flights);
        let class = |value: &str| &telecoms.groups[&("class", value.to_owned())];
        let cents = |value: &str| class(value).amounts().unwrap()[0].minor;
        assert_eq!([cents("principal"), cents("free"), cents("accessory")], [9_000, 1_000, 5_000]);
        assert_eq!(class("free").count, 2);
        let [instead, same] = found.comparisons.as_slice() else { panic!("two") };
        let gain: Vec<i64> = instead.gain.sums.values().copied().collect();
        assert_eq!((instead.gain.people, gain, same.same), (9, vec![15_000], 9));
    }

    #[test]
    fn what_is_counted_does_not_grow_with_people() {
        let inputs = inputs("agcom-347-18");
        let mut columns = [Column::new(&inputs)];
        let mut tally = Tally::new(&inputs.outage);
        let always = [("plus-5gb", window("2020-01-01T00:00:00Z", None))];
        for number in 1..=500_u64 {
            let class = if number.is_multiple_of(2) { Class::Free } else { Class::Principal };
            let somebody = Subscription { class, ..subscription(&format!("s{number}"), &always) };
            let known = Known::default();
            tally.take(&mut columns, (number, &somebody), known, Purpose::Try).unwrap();
        }
        assert_eq!((tally.counts.len(), tally.counts.values().sum::<u64>()), (2, 500));
    }
}
