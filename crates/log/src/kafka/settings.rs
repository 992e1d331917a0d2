//! The client's settings, each with its reason. Measurements stand in the design notes on local servers.

use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

use crate::append::MAX_VALUE_BYTES;

/// An append that is not acknowledged by then counts as unknown. A broker is back within 10 s even on a busy machine.
pub(super) const APPEND_LIMIT_MS: u64 = 15_000;
/// A question about topics or offsets that is not answered by then has failed.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Between two tries to get an answer that needs a leader or a broker that knows of a new topic.
pub(super) const LEADER_WAIT: Duration = Duration::from_millis(50);

/// How much a consumer asks for at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Appetite {
    /// A stream of records.
    All,
    /// One record of each partition.
    First,
}

fn common(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", "ristoro")
        // The default of 10 s turns a broker's restart of 2 s into 10 s without acknowledgements.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("retry.backoff.max.ms", "500")
        .set("socket.nagle.disable", "true")
        .set("socket.timeout.ms", "10000")
        .set("log.connection.close", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// Settings of the producer.
pub(super) fn producer(bootstrap: &str) -> ClientConfig {
    let mut config = common(bootstrap);
    config
        // Repeats of the client's own stay in order and are written once.
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        // Records of one append are queued faster than they are sent, so waiting for more gains nothing.
        .set("linger.ms", "0")
        .set("message.max.bytes", (MAX_VALUE_BYTES + 40_000).to_string())
        .set("batch.size", MAX_VALUE_BYTES.to_string())
        .set("message.timeout.ms", APPEND_LIMIT_MS.to_string())
        .set("request.timeout.ms", "10000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "131072");
    config
}

/// Settings of a consumer with assigned partitions.
pub(super) fn consumer(bootstrap: &str, appetite: Appetite) -> ClientConfig {
    let mut config = common(bootstrap);
    let (partition_bytes, queued_kbytes) = match appetite {
        Appetite::All => ("1048576", "32768"),
        Appetite::First => ("16384", "4096"),
    };
    config
        // The client library demands a group, which is never joined: partitions are assigned, offsets kept elsewhere.
        .set("group.id", "ristoro")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that is not there means another log or a truncated one.
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_uncommitted")
        .set("allow.auto.create.topics", "false")
        // A broker answers as soon as it has something; this only bounds the idle wait.
        .set("fetch.wait.max.ms", "200")
        .set("fetch.error.backoff.ms", "100")
        .set("fetch.message.max.bytes", partition_bytes)
        .set("queued.max.messages.kbytes", queued_kbytes);
    config
}

/// Settings of the client that asks about topics and offsets.
pub(super) fn inquirer(bootstrap: &str) -> ClientConfig {
    let mut config = common(bootstrap);
    config.set("isolation.level", "read_uncommitted").set("allow.auto.create.topics", "false");
    config
}

/// Sends what the client library reports to the program's own log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice => tracing::warn!(facility, "Kafka client: {message}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, "Kafka client: {message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // A broker that is away is reported by whoever waits for it.
        tracing::debug!(%error, reason, "Kafka client");
    }
}

impl ConsumerContext for Reports {}
