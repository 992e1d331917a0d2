//! One partition's subscriptions in number order, a chunk at a time, each with its decision.

use std::collections::BTreeMap;

use ristoro_domain::columns::Columns;
use ristoro_domain::decided::Chunk;
use ristoro_domain::policy::{Context, Evaluator, Granted, ReasonIndex, Refusal};
use ristoro_domain::settlement::Pins;
use sqlx::PgConnection;

use super::AssessError;
use super::inputs::Earlier;
use crate::projections::decision::chunks_between;
use crate::projections::subscription::{RosterRow, read_range};

/// Where a walk is.
#[derive(Debug)]
pub struct Walk {
    partition: u32,
    roster_offset: u64,
    after_number: u64,
}

/// A chunk of people as they were at the pins, with what they had been granted by then.
#[derive(Debug)]
pub struct Read {
    /// The people, in number order; never empty.
    pub rows: Vec<RosterRow>,
    granted: BTreeMap<u64, Vec<Granted>>,
}

/// A chunk of people with the evaluator's reason of each.
#[derive(Debug)]
pub struct Walked {
    /// The people, in number order; never empty.
    pub rows: Vec<RosterRow>,
    /// Each one's reason in the evaluator.
    pub reasons: Vec<ReasonIndex>,
}

/// What every chunk of an assessment is decided with.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// What the decisions depend on.
    pub pins: &'a Pins,
    /// Completed assessments of the outage, whose grants count as given.
    pub earlier: &'a [Earlier],
}

impl Walk {
    /// Begins behind a number; 0 for the partition's first.
    #[must_use]
    pub fn new(partition: u32, pins: &Pins, after_number: u64) -> Self {
        let roster_offset = pins.roster_offsets.get(partition as usize).copied();
        Self { partition, roster_offset: roster_offset.unwrap_or_default(), after_number }
    }

    /// Decides up to `size` further people; none when the partition is through.
    ///
    /// # Errors
    /// `Refused` where the policy refuses a case, `Database`.
    pub async fn next(
        &mut self,
        connection: &mut PgConnection,
        evaluator: &mut Evaluator<'_>,
        basis: Basis<'_>,
        size: u32,
    ) -> Result<Option<Walked>, AssessError> {
        let Some(read) = self.read(connection, basis, size).await? else { return Ok(None) };
        let reasons = read.decide(evaluator, basis)?;
        Ok(Some(Walked { rows: read.rows, reasons }))
    }

    /// Reads up to `size` further people, for one evaluator or several; none when the partition is through.
    ///
    /// # Errors
    /// `Database`.
    pub async fn read(
        &mut self,
        connection: &mut PgConnection,
        basis: Basis<'_>,
        size: u32,
    ) -> Result<Option<Read>, AssessError> {
        let (partition, after) = (self.partition, self.after_number);
        let rows =
            read_range(connection, partition, after, i64::from(size), self.roster_offset).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
        let granted = self.granted(connection, basis, first.number, last.number).await?;
        self.after_number = last.number;
        Ok(Some(Read { rows, granted }))
    }

    async fn granted(
        &self,
        connection: &mut PgConnection,
        basis: Basis<'_>,
        first: u64,
        last: u64,
    ) -> Result<BTreeMap<u64, Vec<Granted>>, AssessError> {
        let mut granted: BTreeMap<u64, Vec<Granted>> = BTreeMap::new();
        for earlier in basis.earlier {
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
    /// Gives the evaluator's reason of each of them.
    ///
    /// # Errors
    /// Where the policy refuses a case.
    pub fn decide(
        &self,
        evaluator: &mut Evaluator<'_>,
        basis: Basis<'_>,
    ) -> Result<Vec<ReasonIndex>, Refusal> {
        let mut reasons = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let context = Context {
                reports: &row.reports,
                granted: self.granted.get(&row.number).map_or(&[], Vec::as_slice),
                known_at: basis.pins.known_at,
                ..Context::default()
            };
            reasons.push(evaluator.decide(&row.subscription, &context)?);
        }
        Ok(reasons)
    }
}

impl Walked {
    /// Makes the chunk that goes on the log: its own dictionary, in the order of first use.
    #[must_use]
    pub fn chunk(&self, evaluator: &Evaluator<'_>) -> Chunk {
        let mut places: BTreeMap<ReasonIndex, u32> = BTreeMap::new();
        let mut chunk = Chunk { reasons: Vec::new(), columns: Columns::default() };
        for (row, reason) in self.rows.iter().zip(&self.reasons) {
            let next = u32::try_from(places.len()).expect("a chunk has few reasons");
            let place = *places.entry(*reason).or_insert(next);
            if place == next {
                chunk.reasons.push(evaluator.reasons()[reason.0 as usize].clone());
            }
            chunk.columns.push(row.number, place).expect("the roster gives ascending numbers");
        }
        chunk
    }
}
