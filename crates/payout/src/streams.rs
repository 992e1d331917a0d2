//! The streams of this service: their names and where they live.

use ristoro_domain::roster::partition_of_number;
use ristoro_log::Topic;
use ristoro_runtime::command::StreamRef;

/// Names the orders of an assessment on a partition.
#[must_use]
pub fn order_stream(assessment: &str, partition: u32) -> String {
    format!("order/{assessment}/{partition}")
}

/// Names the stream of one person's payout, on the partition that stands in the number.
#[must_use]
pub fn payout_stream(assessment: &str, number: u64) -> StreamRef {
    let partition = partition_of_number(number);
    StreamRef::numbered(Topic::Payout, format!("payout/{assessment}/{number}"), partition)
}

/// Names the stream of a payment file.
#[must_use]
pub fn file_stream(file: &str, partition_count: u32) -> StreamRef {
    StreamRef::keyed(Topic::Payout, format!("payment-file/{file}"), file, partition_count)
}

/// Names what a payment file reserves on a partition.
#[must_use]
pub fn reserve_stream(file: &str, partition: u32) -> StreamRef {
    StreamRef::numbered(Topic::Payout, format!("reserve/{file}/{partition}"), partition)
}

/// Names the leases, outcomes and exports of an assessment on a partition.
#[must_use]
pub fn grant_stream(assessment: &str, partition: u32) -> StreamRef {
    StreamRef::numbered(Topic::Payout, format!("grant/{assessment}/{partition}"), partition)
}

/// Names the stream on which all payouts are stopped and resumed.
#[must_use]
pub fn switch_stream(partition_count: u32) -> StreamRef {
    StreamRef::keyed(Topic::Ops, "ops/payouts".to_owned(), "payouts", partition_count)
}

/// Tells whether commands of this service decide on a stream's events. Order streams are written by stages, reservations
/// and grants by claims that decide on the tables: for these the heads are enough.
#[must_use]
pub fn is_journaled(topic: Topic, stream: &str) -> bool {
    match topic {
        Topic::Payout => stream.starts_with("payout/") || stream.starts_with("payment-file/"),
        Topic::Ops => stream == "ops/payouts",
        Topic::Signal
        | Topic::Outage
        | Topic::Subscriber
        | Topic::Policy
        | Topic::Settlement
        | Topic::Entitlement
        | Topic::Claim
        | Topic::Notice => false,
    }
}
