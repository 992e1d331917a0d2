//! One partition's subscriptions in number order, a chunk at a time, each with its decision.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use ristoro_domain::columns::Columns;
use ristoro_domain::decided::Chunk;
use ristoro_domain::facts::Subscription;
use ristoro_domain::money::Money;
use ristoro_domain::policy::{Evaluator, Granted, ReasonIndex, Refusal};
use ristoro_domain::remedy::{Carried, Reason, RemedyKind};
use ristoro_domain::settlement::Pins;
use sqlx::PgConnection;

use super::AssessError;
use super::inputs::{Earlier, Inputs};
use crate::projections::decision::chunks_between;
use crate::projections::everybody::{Everybody, People, Told};

/// Where a walk is.
#[derive(Debug)]
pub struct Walk {
    partition: u32,
    everybody: Everybody,
}

/// People in number order as they were at the pins, with what they had been granted by then; never empty.
#[derive(Debug)]
pub struct Read {
    people: People,
    granted: BTreeMap<u64, Vec<Granted>>,
    leftovers: Vec<Left>,
}

/// What an assessment left of each, by number: amounts below the minimum payout.
type Left = (String, BTreeMap<u64, Vec<Granted>>);

/// What is known of one person's case beside the subscription, whichever policy asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    number: u64,
    /// What the roster tells.
    pub told: Told<'a>,
    /// What was granted for the outage before.
    pub granted: &'a [Granted],
    leftovers: &'a [Left],
}

impl<'a> Known<'a> {
    /// Gives what an assessment left of the person.
    #[must_use]
    pub fn carried_from(&self, assessment: &str) -> &'a [Granted] {
        let left = self.leftovers.iter().find(|(id, _)| id == assessment);
        left.and_then(|(_, people)| people.get(&self.number)).map_or(&[], Vec::as_slice)
    }
}

impl Walk {
    /// Begins behind a number; 0 for the partition's first.
    #[must_use]
    pub fn new(partition: u32, pins: &Pins, after_number: u64) -> Self {
        let roster_offset = pins.roster_offsets.get(partition as usize).copied();
        let roster_offset = roster_offset.unwrap_or_default();
        Self { partition, everybody: Everybody::behind(partition, after_number, roster_offset) }
    }

    /// Reads up to `size` further people, for one policy or several of the same outage; none when the partition is through.
    ///
    /// # Errors
    /// `Database`.
    pub async fn read(
        &mut self,
        connection: &mut PgConnection,
        policies: &[Inputs],
        size: u32,
    ) -> Result<Option<Read>, AssessError> {
        let people = self.everybody.take(connection, size as usize).await?;
        let mut numbers = people.numbers();
        let Some(first) = numbers.next() else { return Ok(None) };
        let last = numbers.next_back().unwrap_or(first);
        drop(numbers);
        // All policies share what was granted for the outage before.
        let earlier = policies.first().map_or(&[][..], |inputs| &inputs.earlier);
        let granted = self.granted(connection, earlier, first, last).await?;
        let mut leftovers: Vec<Left> = Vec::new();
        for from in policies.iter().filter_map(Inputs::carried_from) {
            if leftovers.iter().all(|(id, _)| id != from) {
                let left = self.left(connection, from, first..=last).await?;
                leftovers.push((from.to_owned(), left));
            }
        }
        Ok(Some(Read { people, granted, leftovers }))
    }

    /// Gives what an assessment left below the minimum payout. Whoever it did not decide came later and has nothing there.
    async fn left(
        &self,
        connection: &mut PgConnection,
        assessment: &str,
        numbers: RangeInclusive<u64>,
    ) -> Result<BTreeMap<u64, Vec<Granted>>, AssessError> {
        let partition = self.partition;
        let chunks =
            chunks_between(connection, assessment, partition, numbers.clone(), i64::MAX).await?;
        let mut left = BTreeMap::new();
        for chunk in chunks.iter().map(|row| &row.chunk) {
            for (number, entry) in chunk.columns.iter().filter(|(n, _)| numbers.contains(n)) {
                let Some(reason) = chunk.reasons.get(entry as usize) else { continue };
                if !reason.carried.is_empty() {
                    left.insert(number, left_by(reason));
                }
            }
        }
        Ok(left)
    }

    async fn granted(
        &self,
        connection: &mut PgConnection,
        earlier: &[Earlier],
        first: u64,
        last: u64,
    ) -> Result<BTreeMap<u64, Vec<Granted>>, AssessError> {
        let mut granted: BTreeMap<u64, Vec<Granted>> = BTreeMap::new();
        for earlier in earlier {
            let (id, numbers) = (&earlier.assessment, first..=last);
            let chunks =
                chunks_between(connection, id, self.partition, numbers.clone(), i64::MAX).await?;
            for chunk in chunks.iter().map(|row| &row.chunk) {
                for (number, entry) in chunk.columns.iter().filter(|(n, _)| numbers.contains(n)) {
                    let Some(reason) = chunk.reasons.get(entry as usize) else { continue };
                    let given = granted_by(reason, &earlier.policy);
                    if !given.is_empty() {
                        granted.entry(number).or_default().extend(given);
                    }
                }
            }
        }
        Ok(granted)
    }
}

/// Gives what a decision granted for its outage: with what it carried over to the next one, and without what had been
/// carried over to it, which is for other outages.
fn granted_by(reason: &Reason, policy: &str) -> Vec<Granted> {
    let granted = |kind, money| Granted { kind, money, policy: policy.to_owned() };
    let carries = |kind: RemedyKind| reason.carried.iter().any(|carried| carried.kind == kind);
    let mut given = Vec::new();
    let mut paid: BTreeMap<RemedyKind, i64> = BTreeMap::new();
    for remedy in &reason.remedies {
        match remedy.grant.amount() {
            Some(money) if carries(remedy.kind) => {
                *paid.entry(remedy.kind).or_default() += money.minor;
            }
            money => given.push(granted(remedy.kind, money)),
        }
    }
    for Carried { kind, before, left } in &reason.carried {
        let paid = paid.get(kind).copied().unwrap_or_default();
        let minor = paid + left.minor - before.minor;
        if minor > 0 {
            given.push(granted(*kind, Some(Money::new(minor, left.currency))));
        }
    }
    given
}

/// Gives what a decision left for the next assessment.
fn left_by(reason: &Reason) -> Vec<Granted> {
    let left = reason.carried.iter().filter(|carried| carried.left.minor > 0);
    let granted =
        |one: &Carried| Granted { kind: one.kind, money: Some(one.left), policy: String::new() };
    left.map(granted).collect()
}

impl Read {
    /// Gives the numbers.
    pub fn numbers(&self) -> impl ExactSizeIterator<Item = u64> {
        self.people.numbers()
    }

    /// Shows what a policy sees of each.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn show<E>(
        &self,
        mut each: impl FnMut(&Subscription, Known<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.people.show(|number, subscription, told| {
            let granted = self.granted.get(&number).map_or(&[][..], Vec::as_slice);
            each(subscription, Known { number, told, granted, leftovers: &self.leftovers })
        })
    }

    /// Gives the evaluator's reason of each of them, decided from the evaluator's own inputs.
    ///
    /// # Errors
    /// Where the policy refuses a case.
    pub fn decide(
        &self,
        evaluator: &mut Evaluator<'_>,
        inputs: &Inputs,
    ) -> Result<Vec<ReasonIndex>, Refusal> {
        let mut reasons = Vec::with_capacity(self.numbers().len());
        self.show(|subscription, known| {
            reasons.push(inputs.decide(evaluator, subscription, known)?);
            Ok(())
        })?;
        Ok(reasons)
    }

    /// Makes the chunk that goes on the log: its own dictionary, in the order of first use.
    #[must_use]
    pub fn chunk(&self, evaluator: &Evaluator<'_>, reasons: &[ReasonIndex]) -> Chunk {
        let mut places: BTreeMap<ReasonIndex, u32> = BTreeMap::new();
        let mut chunk = Chunk { reasons: Vec::new(), columns: Columns::default() };
        for (number, reason) in self.numbers().zip(reasons) {
            let next = u32::try_from(places.len()).expect("a chunk has few reasons");
            let place = *places.entry(*reason).or_insert(next);
            if place == next {
                chunk.reasons.push(evaluator.reasons()[reason.0 as usize].clone());
            }
            chunk.columns.push(number, place).expect("the roster gives ascending numbers");
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use ristoro_domain::money::Currency;
    use ristoro_domain::remedy::{Grant, Payer, Remedy};

    use super::*;

    fn euros(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    /// Checks what a decision of an indemnity grants that paid so much, with so much from before and left over.
    #[track_caller]
    fn check(paid: i64, (before, left): (i64, i64), granted: Option<i64>) {
        let (kind, payer) = (RemedyKind::Indemnity, Payer::Operator);
        let remedy = Remedy { kind, grant: Grant::Money(euros(paid)), payer };
        let quota = Remedy { kind, grant: Grant::Quota { bytes: 1 }, payer };
        let carried = Carried { kind, before: euros(before), left: euros(left) };
        let reason = Reason {
            remedies: if paid > 0 { vec![quota, remedy] } else { vec![quota] },
            carried: if (before, left) == (0, 0) { Vec::new() } else { vec![carried] },
            ..Reason::default()
        };
        let one = |money| Granted { kind, money, policy: "p".to_owned() };
        let mut expected = vec![one(None)];
        expected.extend(granted.map(|minor| one(Some(euros(minor)))));
        assert_eq!(granted_by(&reason, "p"), expected);
    }

    #[test]
    fn what_is_granted_for_an_outage_is_without_what_others_left() {
        check(500, (0, 0), Some(500));
        check(0, (0, 60), Some(60));
        check(0, (30, 60), Some(30));
        check(0, (60, 60), None);
        check(110, (60, 0), Some(50));
        check(110, (110, 0), None);
    }
}
