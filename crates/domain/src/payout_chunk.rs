//! What all records of a partition made of one chunk of payouts: who is free, held, reserved, lent or done.
//!
//! Holds, reservations, leases and exports stand on streams of their own, so only their order on the partition says
//! which of them took effect. Every reader folds it here: a payout that was held or reserved earlier is left out of a
//! later reservation, lease or export, and a hold that follows a reservation or a running lease has no effect.

use std::collections::BTreeMap;

use crate::grant;
use crate::money::{Money, MoneyError};
use crate::order::{Channel, Order, OrderChunk};
use crate::payout::{self, Event, Failure, Motion};
use crate::reservation::ReservedRow;
use crate::time::Instant;

/// How far the orders of an assessment's partition are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OrderPhase {
    /// Ordered; nothing may be paid yet.
    #[default]
    Ordered,
    /// The assessment was completed.
    Released,
    /// The assessment was cancelled or stopped.
    Voided,
}

/// Where one person's payout differs from the chunk's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The version of the person's own stream.
    pub version: u64,
    /// Whether a hold is in effect.
    pub held: bool,
    /// The last attempt, from 1.
    pub attempt: u32,
    /// The attempt that the transfer is under.
    pub transfer_attempt: u32,
    /// Why the transfer's attempt failed.
    pub failure: Option<Failure>,
    /// The offset of the last retry on the partition.
    pub retried_at: Option<u64>,
}

/// What a payment file holds of a chunk: those that took effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    /// The file.
    pub file: String,
    /// Whether the partition's reservation was released, since the file was cancelled.
    pub released: bool,
    /// Who, in the order of the numbers.
    pub rows: Vec<ReservedRow>,
}

/// What became of a person's grant or invoice credit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Given {
    /// For the decider of grants.
    pub place: grant::Place,
    /// The last lease.
    pub lease: String,
    /// The offset of the last failure on the partition.
    pub failed_at: Option<u64>,
    /// How often it failed: each further attempt has a key of its own.
    pub failures: u32,
}

/// One chunk with everything that happened to its people.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChunkStanding {
    /// Who gets what.
    pub orders: OrderChunk,
    /// How far the orders are.
    pub phase: OrderPhase,
    /// Those whose own stream has an event.
    pub people: BTreeMap<u64, Standing>,
    /// What files hold, in the order of the partition.
    pub holdings: Vec<Holding>,
    /// Those with whom a lease, a delivery or an export has to do.
    pub given: BTreeMap<u64, Given>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            version: 0,
            held: false,
            attempt: 1,
            transfer_attempt: 1,
            failure: None,
            retried_at: None,
        }
    }
}

impl Standing {
    /// Folds an event of the person's own stream. `motion` is what was under way before it; it decides on a hold.
    #[must_use]
    pub fn after(mut self, event: &Event, offset: u64, motion: Option<&Motion>) -> Self {
        self.version += 1;
        match event {
            Event::PayoutHeld { .. } => self.held |= motion.is_none(),
            Event::PayoutReleased { .. } => self.held = false,
            Event::PayoutRejected { reason_code } => {
                self.failure = Some(Failure { returned: false, reason_code: reason_code.clone() });
            }
            Event::PayoutReturned { reason_code } => {
                self.failure = Some(Failure { returned: true, reason_code: reason_code.clone() });
            }
            Event::PayoutRetried { attempt } => {
                self.attempt = *attempt;
                self.retried_at = Some(offset);
                if self.failure.take().is_some() {
                    self.transfer_attempt = *attempt;
                }
            }
        }
        self
    }
}

impl ChunkStanding {
    /// Gives where a person stands.
    #[must_use]
    pub fn standing(&self, number: u64) -> Standing {
        self.people.get(&number).cloned().unwrap_or_default()
    }

    fn order(&self, number: u64) -> Option<&Order> {
        self.orders.order_of(number)
    }

    fn has(&self, number: u64, channel: Channel) -> bool {
        self.order(number).is_some_and(|order| order.has(channel))
    }

    /// Tells whether a person's payout may move: ordered for good and not held.
    fn may_move(&self, number: u64) -> bool {
        self.phase == OrderPhase::Released && !self.people.get(&number).is_some_and(|it| it.held)
    }

    /// Gives the file that a person's transfer is in, at the bank or not.
    #[must_use]
    pub fn reserved_in(&self, number: u64) -> Option<&str> {
        let attempt = self.people.get(&number).map_or(1, |it| it.transfer_attempt);
        let holds = |holding: &&Holding| {
            let place = holding.rows.binary_search_by_key(&number, |row| row.number);
            !holding.released && place.is_ok_and(|place| holding.rows[place].attempt == attempt)
        };
        self.holdings.iter().find(holds).map(|holding| holding.file.as_str())
    }

    /// Gives the file in which a person's money is under way: nothing held it back, and it has not come back.
    #[must_use]
    pub fn under_way_in(&self, number: u64) -> Option<&str> {
        let standing = self.standing(number);
        let moves = !standing.held && standing.failure.is_none();
        self.reserved_in(number).filter(|_| moves)
    }

    /// Gives what a file may pay a person now, none where there is nothing or it may not.
    ///
    /// # Errors
    /// `OutOfRange`, `CurrencyMismatch`.
    pub fn transferable(&self, number: u64) -> Result<Option<(Money, u32)>, MoneyError> {
        let standing = self.standing(number);
        let free = standing.failure.is_none() && self.reserved_in(number).is_none();
        if !free || !self.may_move(number) {
            return Ok(None);
        }
        let money = self.order(number).map_or(Ok(None), Order::transfer)?;
        Ok(money.map(|money| (money, standing.transfer_attempt)))
    }

    /// Gives those of the rows that a reservation at this place of the partition takes.
    ///
    /// # Errors
    /// As `transferable`.
    pub fn reserve(&self, rows: &[ReservedRow]) -> Result<Vec<ReservedRow>, MoneyError> {
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            let free = self.transferable(row.number)?;
            if free.is_some_and(|(money, attempt)| {
                money.minor == row.amount_minor && attempt == row.attempt
            }) {
                taken.push(*row);
            }
        }
        Ok(taken)
    }

    /// Gives what is under way of a person's payout, so that a hold at this time comes too late.
    #[must_use]
    pub fn motion(&self, number: u64, at: Instant) -> Option<Motion> {
        let failed = self.people.get(&number).is_some_and(|it| it.failure.is_some());
        if let Some(file) = self.reserved_in(number).filter(|_| !failed) {
            return Some(Motion::File { file: file.to_owned() });
        }
        let given = self.given.get(&number);
        if let Some(given) = given.filter(|given| given.place.is_lent(at)) {
            return Some(Motion::Lease { lease: given.lease.clone() });
        }
        let place = given.map(|given| given.place).unwrap_or_default();
        let order = self.order(number)?;
        let done = order.lines.iter().all(|line| match line.channel {
            Channel::Transfer | Channel::Unclaimed => false,
            Channel::Invoice => place.exported,
            Channel::Provisioning => place.delivered,
        });
        done.then_some(Motion::Done)
    }

    /// Gives the command that holds a person's payout, as of what this chunk shows of it.
    #[must_use]
    pub fn hold(&self, number: u64, note: String, at: Instant) -> payout::Command {
        let standing = self.standing(number);
        // A hold that had no effect stands in the way of none that shall have one.
        let void_until = if standing.held { 0 } else { standing.version };
        payout::Command::Hold { note, void_until, motion: self.motion(number, at) }
    }

    /// Tells whether a failed grant was ordered again.
    #[must_use]
    pub fn is_retried(&self, number: u64) -> bool {
        let retried_at = self.people.get(&number).and_then(|it| it.retried_at);
        let failed_at = self.given.get(&number).and_then(|it| it.failed_at);
        retried_at.is_some() && retried_at > failed_at
    }

    /// Tells whether a lease at this place of the partition takes a person's grants.
    #[must_use]
    pub fn may_lend(&self, number: u64, at: Instant) -> bool {
        let place = self.given.get(&number).map(|it| it.place).unwrap_or_default();
        self.may_move(number)
            && self.has(number, Channel::Provisioning)
            && place.lendable(at, self.is_retried(number))
    }

    /// Tells whether an export at this place of the partition takes a person's invoice credits.
    #[must_use]
    pub fn may_export(&self, number: u64) -> bool {
        let exported = self.given.get(&number).is_some_and(|it| it.place.exported);
        self.may_move(number) && self.has(number, Channel::Invoice) && !exported
    }

    /// Gives what the decider of grants has to know of this chunk.
    #[must_use]
    pub fn grants(&self) -> grant::State {
        let place = |(number, given): (&u64, &Given)| (*number, given.place);
        let leases = self.given.values().map(|given| given.lease.clone());
        grant::State {
            places: self.given.iter().map(place).collect(),
            leases: leases.filter(|lease| !lease.is_empty()).collect(),
        }
    }

    /// Sums what these people get over a channel, by currency.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn amounts(&self, numbers: &[u64], channel: Channel) -> Result<Vec<Money>, MoneyError> {
        let mut sums: BTreeMap<_, Money> = BTreeMap::new();
        for order in numbers.iter().filter_map(|number| self.order(*number)) {
            for money in order.on(channel).filter_map(|remedy| remedy.grant.amount()) {
                let sum = sums.entry(money.currency).or_insert(Money::new(0, money.currency));
                *sum = sum.checked_add(money)?;
            }
        }
        Ok(sums.into_values().collect())
    }
}

#[cfg(test)]
mod tests;
