//! One partition's subscriptions in number order, a chunk at a time, each with its decision.

use std::collections::BTreeMap;

use ristoro_domain::columns::Columns;
use ristoro_domain::decided::Chunk;
use ristoro_domain::facts::Subscription;
use ristoro_domain::policy::{Evaluator, Granted, ReasonIndex, Refusal};
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
}

/// What is known of one person's case beside the subscription, whichever policy asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// What the roster tells.
    pub told: Told<'a>,
    /// What was granted for the outage before.
    pub granted: &'a [Granted],
}

impl Walk {
    /// Begins behind a number; 0 for the partition's first.
    #[must_use]
    pub fn new(partition: u32, pins: &Pins, after_number: u64) -> Self {
        let roster_offset = pins.roster_offsets.get(partition as usize).copied();
        let roster_offset = roster_offset.unwrap_or_default();
        Self { partition, everybody: Everybody::behind(partition, after_number, roster_offset) }
    }

    /// Reads up to `size` further people, for one evaluator or several; none when the partition is through.
    ///
    /// # Errors
    /// `Database`.
    pub async fn read(
        &mut self,
        connection: &mut PgConnection,
        earlier: &[Earlier],
        size: u32,
    ) -> Result<Option<Read>, AssessError> {
        let people = self.everybody.take(connection, size as usize).await?;
        let mut numbers = people.numbers();
        let Some(first) = numbers.next() else { return Ok(None) };
        let last = numbers.next_back().unwrap_or(first);
        drop(numbers);
        let granted = self.granted(connection, earlier, first, last).await?;
        Ok(Some(Read { people, granted }))
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
                    for remedy in &reason.remedies {
                        granted.entry(number).or_default().push(Granted {
                            kind: remedy.kind,
                            money: remedy.grant.amount(),
                            policy: earlier.policy.clone(),
                        });
                    }
                }
            }
        }
        Ok(granted)
    }
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
            each(subscription, Known { told, granted })
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
