//! The roster of one partition: batches of new subscriptions, and the numbers that they get.
//!
//! A number is the partition in the bits from 48 on, then a running count. The state is the count and a digest
//! of the last batch, however long the history is.

pub mod check;
pub mod entry;
pub mod plan;
pub mod read;

use sha2::{Digest, Sha256};

pub use entry::{Contact, ImportRow, Payee, Profile};

use crate::decider::Decider;

/// The bits of a number that count within its partition.
pub const COUNT_BITS: u32 = 48;
/// Rows of one batch at most, so that a batch stays far below the log's limit on a record.
pub const MAXIMUM_BATCH: usize = 1_000;

/// What is asked of a partition's roster. `after_count` is the count as of which the writer looked up who is
/// known: if anybody was added since, the look-up has to be repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RosterCommand {
    /// Adds subscriptions of people who are not on the roster.
    Import {
        /// The partition.
        partition: u32,
        /// The count that was seen.
        after_count: u64,
        /// The rows, in the order of their numbers.
        rows: Vec<ImportRow>,
    },
    /// Sets numbers aside for further subscriptions of people who are on the roster.
    Reserve {
        /// The partition.
        partition: u32,
        /// The count that was seen.
        after_count: u64,
        /// Whose, in the order of their numbers.
        holders: Vec<Holder>,
    },
}

/// The two ids of a subscription.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Holder {
    /// The provider's subscriber id.
    pub subscriber: String,
    /// The provider's subscription id.
    pub subscription: String,
}

/// What happened to a partition's roster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RosterEvent {
    /// New subscriptions, numbered from `first_number` on.
    SubscriptionsImported {
        /// The number of the first; the others follow by one.
        first_number: u64,
        /// The rows, in the order of their numbers.
        rows: Vec<ImportRow>,
    },
    /// Numbers for further subscriptions of known people, who get them by an event of their own.
    NumbersReserved {
        /// The number of the first; the others follow by one.
        first_number: u64,
        /// Whose, in the order of their numbers.
        holders: Vec<Holder>,
    },
}

/// Why a batch is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RosterRejection {
    /// Others were added since the writer looked up who is known.
    #[error(
        "the roster has {count} subscriptions, the import was planned on {after_count}: plan it again"
    )]
    RosterMoved {
        /// The count that the writer saw.
        after_count: u64,
        /// The count now.
        count: u64,
    },
    /// The batch is empty or too long.
    #[error("a batch has {rows} rows: send 1 to {MAXIMUM_BATCH}")]
    BatchSize {
        /// Its rows.
        rows: usize,
    },
    /// The partition has given out all its numbers.
    #[error("partition {partition} has no numbers left")]
    NumbersExhausted {
        /// The partition.
        partition: u32,
    },
}

/// What decisions depend on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RosterState {
    /// How many numbers were given out.
    pub count: u64,
    /// The count before the last event, and the SHA-256 of the ids in it: the same batch again is known by these.
    last: Option<(u64, [u8; 32])>,
}

/// Decides on `roster/<partition>`.
#[derive(Clone, Copy, Debug)]
pub struct Roster;

impl Decider for Roster {
    type Command = RosterCommand;
    type Event = RosterEvent;
    type Rejection = RosterRejection;
    type State = RosterState;

    // A partition's roster has thousands of batches, and each event says how many numbers came before it.
    const STATE_IS_IN_LAST_EVENT: bool = true;

    fn decide(
        state: &RosterState,
        command: &RosterCommand,
    ) -> Result<Option<RosterEvent>, RosterRejection> {
        let (partition, after_count) = match command {
            RosterCommand::Import { partition, after_count, .. }
            | RosterCommand::Reserve { partition, after_count, .. } => (*partition, *after_count),
        };
        let candidate = match command {
            RosterCommand::Import { rows, .. } => RosterEvent::SubscriptionsImported {
                first_number: number(partition, after_count + 1),
                rows: rows.clone(),
            },
            RosterCommand::Reserve { holders, .. } => RosterEvent::NumbersReserved {
                first_number: number(partition, after_count + 1),
                holders: holders.clone(),
            },
        };
        let length = length(&candidate);
        if length == 0 || length > MAXIMUM_BATCH {
            return Err(RosterRejection::BatchSize { rows: length });
        }
        if state.last == Some((after_count, digest(&candidate))) {
            return Ok(None);
        }
        if state.count != after_count {
            return Err(RosterRejection::RosterMoved { after_count, count: state.count });
        }
        if (state.count + length as u64) >> COUNT_BITS != 0 {
            return Err(RosterRejection::NumbersExhausted { partition });
        }
        Ok(Some(candidate))
    }

    fn evolve(_before: RosterState, event: &RosterEvent) -> RosterState {
        let first_number = match event {
            RosterEvent::SubscriptionsImported { first_number, .. }
            | RosterEvent::NumbersReserved { first_number, .. } => *first_number,
        };
        let before = (first_number & ((1 << COUNT_BITS) - 1)).saturating_sub(1);
        let count = before + length(event) as u64;
        RosterState { count, last: Some((before, digest(event))) }
    }
}

/// Gives the number of the `count`th subscription of a partition, from 1.
#[must_use]
pub fn number(partition: u32, count: u64) -> u64 {
    (u64::from(partition) << COUNT_BITS) | count
}

/// Gives the partition that stands in a number.
#[must_use]
pub fn partition_of_number(number: u64) -> u32 {
    u32::try_from(number >> COUNT_BITS).expect("16 bits are left")
}

fn length(event: &RosterEvent) -> usize {
    match event {
        RosterEvent::SubscriptionsImported { rows, .. } => rows.len(),
        RosterEvent::NumbersReserved { holders, .. } => holders.len(),
    }
}

/// Hashes who is in a batch. Ids are what makes it the same batch: a subscription is numbered once.
fn digest(event: &RosterEvent) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut add = |subscriber: &str, subscription: &str| {
        for id in [subscriber, subscription] {
            hasher.update((id.len() as u64).to_be_bytes());
            hasher.update(id.as_bytes());
        }
    };
    match event {
        RosterEvent::SubscriptionsImported { rows, .. } => {
            rows.iter().for_each(|row| add(&row.subscriber, &row.subscription));
            hasher.update(b"imported");
        }
        RosterEvent::NumbersReserved { holders, .. } => {
            holders.iter().for_each(|holder| add(&holder.subscriber, &holder.subscription));
            hasher.update(b"reserved");
        }
    }
    hasher.finalize().into()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::decider::{check, fold};
    use crate::facts::{Class, FeePeriod, Segment};
    use crate::money::{Currency, Money};
    use std::sync::Arc;

    /// A row for tests of the roster.
    pub(crate) fn row(subscriber: &str, subscription: &str) -> ImportRow {
        let profile = Profile {
            service: "libero-mail".into(),
            plan: "plus-5gb".into(),
            segment: Segment::Consumer,
            class: Class::Principal,
            cohort: Some("c1".into()),
            fee: Some(Money::new(1999, Currency::EUR)),
            fee_period: FeePeriod::Year,
        };
        ImportRow {
            subscription: subscription.into(),
            subscriber: subscriber.into(),
            profile: Arc::new(profile),
            valid_from: "2022-09-01T00:00:00Z".parse().unwrap(),
            valid_to: None,
            contact: Contact::default(),
            payee: None,
        }
    }

    fn import(after_count: u64, subscribers: &[&str]) -> RosterCommand {
        let rows = subscribers.iter().map(|id| row(id, "s")).collect();
        RosterCommand::Import { partition: 3, after_count, rows }
    }

    fn imported(count: u64, subscribers: &[&str]) -> RosterEvent {
        let rows = subscribers.iter().map(|id| row(id, "s")).collect();
        RosterEvent::SubscriptionsImported { first_number: (3 << 48) | count, rows }
    }

    #[test]
    fn numbers_run_on_from_batch_to_batch() {
        check::<Roster>(&[], &import(0, &["a", "b"]), Ok(Some(imported(1, &["a", "b"]))));
        let history = [imported(1, &["a", "b"])];
        check::<Roster>(&history, &import(2, &["c"]), Ok(Some(imported(3, &["c"]))));
        let holders = vec![Holder { subscriber: "a".into(), subscription: "t".into() }];
        let reserve =
            RosterCommand::Reserve { partition: 3, after_count: 2, holders: holders.clone() };
        let reserved = RosterEvent::NumbersReserved { first_number: (3 << 48) | 3, holders };
        check::<Roster>(&history, &reserve, Ok(Some(reserved.clone())));
        let history = [imported(1, &["a", "b"]), reserved];
        assert_eq!(fold::<Roster>(&history).count, 3);
        check::<Roster>(&history, &import(3, &["c"]), Ok(Some(imported(4, &["c"]))));
    }

    #[test]
    fn a_batch_planned_on_an_older_roster_is_planned_again() {
        let history = [imported(1, &["a", "b"])];
        let moved = RosterRejection::RosterMoved { after_count: 0, count: 2 };
        check::<Roster>(&history, &import(0, &["a", "c"]), Err(moved));
        check::<Roster>(&history, &import(0, &["a", "b"]), Ok(None));
    }

    #[test]
    fn the_last_event_alone_gives_the_state() {
        let history = [imported(1, &["a", "b"]), imported(3, &["c"])];
        assert_eq!(fold::<Roster>(&history), fold::<Roster>(&history[1..]));
    }

    #[test]
    fn a_batch_has_a_size() {
        check::<Roster>(&[], &import(0, &[]), Err(RosterRejection::BatchSize { rows: 0 }));
        let many = vec!["a"; MAXIMUM_BATCH + 1];
        let too_many = RosterRejection::BatchSize { rows: MAXIMUM_BATCH + 1 };
        check::<Roster>(&[], &import(0, &many), Err(too_many));
    }

    #[test]
    fn the_partition_stands_in_the_number() {
        assert_eq!(number(3, 7), 844_424_930_131_975);
        assert_eq!(partition_of_number(number(3, 7)), 3);
        assert_eq!(partition_of_number(number(0, 7)), 0);
    }
}
