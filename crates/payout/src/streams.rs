//! The streams of this service: their names and where they live.

use ristoro_log::Topic;

/// Names the orders of an assessment on a partition.
#[must_use]
pub fn order_stream(assessment: &str, partition: u32) -> String {
    format!("order/{assessment}/{partition}")
}

/// Tells whether commands of this service decide on a stream. Order streams are written by stages alone, which need
/// their heads and not their events.
#[must_use]
pub fn is_journaled(topic: Topic, stream: &str) -> bool {
    match topic {
        Topic::Payout => !stream.starts_with("order/"),
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
