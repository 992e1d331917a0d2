//! The streams of this service: their names and where they live.

use ristoro_log::Topic;
use ristoro_runtime::command::StreamRef;

/// Names the stream of an outage.
#[must_use]
pub fn outage_stream(outage: &str, partition_count: u32) -> StreamRef {
    StreamRef::keyed(Topic::Outage, format!("outage/{outage}"), outage, partition_count)
}

/// Names the stream of a feed.
#[must_use]
pub fn feed_stream(feed: &str, partition_count: u32) -> StreamRef {
    StreamRef::keyed(Topic::Signal, format!("feed/{feed}"), feed, partition_count)
}

/// Tells whether this service decides on a stream.
#[must_use]
pub fn is_journaled(topic: Topic, stream: &str) -> bool {
    match topic {
        Topic::Outage => stream.starts_with("outage/"),
        Topic::Signal => stream.starts_with("feed/"),
        Topic::Subscriber
        | Topic::Policy
        | Topic::Settlement
        | Topic::Entitlement
        | Topic::Claim
        | Topic::Payout
        | Topic::Notice
        | Topic::Ops => false,
    }
}
