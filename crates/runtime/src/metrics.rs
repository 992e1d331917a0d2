//! The counters, gauges and histograms of a service, and the page that shows them.
//!
//! Names begin with `ristoro_`; labels never hold anything about a person.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use ristoro_log::{Position, Verdict};

/// Upper bounds of the latency buckets, in seconds: from a cache hit to the default deadline.
const LATENCY_SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

#[derive(Clone, Hash, PartialEq, Eq, EncodeLabelSet, Debug)]
struct ConsumerLabels {
    consumer: String,
    topic: String,
    partition: u32,
}

#[derive(Clone, Hash, PartialEq, Eq, EncodeLabelSet, Debug)]
struct VoidLabels {
    consumer: String,
    verdict: String,
}

#[derive(Clone, Hash, PartialEq, Eq, EncodeLabelSet, Debug)]
struct CommandLabels {
    topic: String,
    outcome: String,
}

#[derive(Clone, Hash, PartialEq, Eq, EncodeLabelSet, Debug)]
struct CallLabels {
    method: String,
    code: String,
}

#[derive(Clone, Hash, PartialEq, Eq, EncodeLabelSet, Debug)]
struct MethodLabels {
    method: String,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandOutcome {
    /// Its event was accepted, or the state already was what it asks for.
    Done,
    /// The decider refused it.
    Rejected,
    /// The expected version was not the current one.
    Conflict,
    /// Whether it took effect is not known yet.
    Unknown,
    /// Something failed before anything was appended.
    Failed,
}

/// The verdict on a record that is an accepted one once more.
const DUPLICATE: &str = "duplicate";
/// Why a record has no effect.
const VOID: [&str; 5] = [DUPLICATE, "conflict", "gap", "repeated_command", "undecodable"];

/// All metrics of one service. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    records: Family<ConsumerLabels, Counter>,
    voids: Family<VoidLabels, Counter>,
    altered_duplicates: Family<VoidLabels, Counter>,
    next_offset: Family<ConsumerLabels, Gauge>,
    lag: Family<ConsumerLabels, Gauge>,
    stopped: Family<ConsumerLabels, Gauge>,
    poison_stops: Family<ConsumerLabels, Counter>,
    commands: Family<CommandLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<MethodLabels, Histogram, fn() -> Histogram>,
    calls_in_work: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let latency: fn() -> Histogram = || Histogram::new(LATENCY_SECONDS);
        let mut metrics = Self {
            registry: Arc::default(),
            records: Family::default(),
            voids: Family::default(),
            altered_duplicates: Family::default(),
            next_offset: Family::default(),
            lag: Family::default(),
            stopped: Family::default(),
            poison_stops: Family::default(),
            commands: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(latency),
            calls_in_work: Gauge::default(),
        };
        metrics.registry = Arc::new(metrics.registered());
        metrics
    }
}

impl Metrics {
    fn registered(&self) -> Registry {
        let mut all = Registry::with_prefix("ristoro");
        all.register("records", "Records read from the log, voids too", self.records.clone());
        all.register("voids", "Records without effect, by verdict", self.voids.clone());
        let help = "Duplicates whose payload differs from the accepted record's; must stay 0";
        all.register("altered_duplicates", help, self.altered_duplicates.clone());
        let help = "Offset of the next record to read";
        all.register("next_offset", help, self.next_offset.clone());
        all.register("lag_records", "End offset less next offset", self.lag.clone());
        let help = "1 while a consumer stands still at a record that it cannot fold";
        all.register("consumer_stopped", help, self.stopped.clone());
        let help = "Times that a record could not be folded";
        all.register("poison_stops", help, self.poison_stops.clone());
        all.register("commands", "Commands, by outcome", self.commands.clone());
        all.register("grpc_calls", "Calls answered, by method and code", self.calls.clone());
        let help = "Time until a call's answer began, in seconds";
        all.register("grpc_call_seconds", help, self.call_seconds.clone());
        let help = "Calls in work, open streams too";
        all.register("grpc_calls_in_work", help, self.calls_in_work.clone());
        all
    }

    /// Counts records that a consumer has read, and where it stands now: `next` is the next to read.
    pub fn read(&self, consumer: &str, next: Position, count: u64) {
        let labels = labels(consumer, next);
        self.records.get_or_create(&labels).inc_by(count);
        self.next_offset.get_or_create(&labels).set(number(next.offset));
    }

    /// Sets how far a consumer is behind: the end's offset less that of `next`.
    pub fn lag(&self, consumer: &str, next: Position, end_offset: u64) {
        let behind = end_offset.saturating_sub(next.offset);
        let labels = labels(consumer, next);
        self.lag.get_or_create(&labels).set(number(behind));
        // What alarms watch is there from the beginning, at 0: of a series that begins at 1 no increase is seen.
        drop(self.stopped.get_or_create(&labels));
        drop(self.poison_stops.get_or_create(&labels));
        drop(self.altered_duplicates.get_or_create(&void_labels(consumer, DUPLICATE)));
        for verdict in VOID {
            drop(self.voids.get_or_create(&void_labels(consumer, verdict)));
        }
    }

    /// Counts a record without effect; an accepted one is not counted.
    pub fn void(&self, consumer: &str, verdict: Verdict) {
        let verdict = match verdict {
            Verdict::Accepted => return,
            Verdict::Duplicate => DUPLICATE,
            Verdict::Conflict => "conflict",
            Verdict::Gap => "gap",
            Verdict::RepeatedCommand => "repeated_command",
        };
        self.count_void(consumer, verdict);
    }

    /// Counts a record that is no envelope.
    pub fn undecodable(&self, consumer: &str) {
        self.count_void(consumer, "undecodable");
    }

    fn count_void(&self, consumer: &str, verdict: &str) {
        self.voids.get_or_create(&void_labels(consumer, verdict)).inc();
    }

    /// Counts a duplicate whose payload is not the accepted record's: somebody derives differently. An alarm.
    pub fn altered_duplicate(&self, consumer: &str) {
        self.altered_duplicates.get_or_create(&void_labels(consumer, DUPLICATE)).inc();
    }

    /// Says that a consumer stands still at a record that it cannot fold.
    pub fn stopped(&self, consumer: &str, at: Position) {
        let labels = labels(consumer, at);
        self.poison_stops.get_or_create(&labels).inc();
        self.stopped.get_or_create(&labels).set(1);
    }

    /// Says that a consumer goes on.
    pub fn resumed(&self, consumer: &str, at: Position) {
        self.stopped.get_or_create(&labels(consumer, at)).set(0);
    }

    /// Counts a command on a stream of this topic.
    pub fn command(&self, topic: ristoro_log::Topic, outcome: CommandOutcome) {
        let outcome = match outcome {
            CommandOutcome::Done => "done",
            CommandOutcome::Rejected => "rejected",
            CommandOutcome::Conflict => "conflict",
            CommandOutcome::Unknown => "unknown",
            CommandOutcome::Failed => "failed",
        };
        let labels = CommandLabels { topic: topic.to_string(), outcome: outcome.to_owned() };
        self.commands.get_or_create(&labels).inc();
    }

    /// Counts a call that was answered, and the time until its answer began.
    pub fn call(&self, method: &str, code: tonic::Code, took: Duration) {
        let labels = CallLabels { method: method.to_owned(), code: format!("{code:?}") };
        self.calls.get_or_create(&labels).inc();
        let labels = MethodLabels { method: method.to_owned() };
        self.call_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a call as being in work until the guard is dropped.
    #[must_use]
    pub fn call_in_work(&self) -> CallInWork {
        self.calls_in_work.inc();
        CallInWork { gauge: self.calls_in_work.clone() }
    }

    /// Writes all metrics in the OpenMetrics text format.
    #[must_use]
    pub fn page(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

/// A call in work; see `Metrics::call_in_work`.
#[derive(Debug)]
pub struct CallInWork {
    gauge: Gauge,
}

impl Drop for CallInWork {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

fn void_labels(consumer: &str, verdict: &str) -> VoidLabels {
    VoidLabels { consumer: consumer.to_owned(), verdict: verdict.to_owned() }
}

fn labels(consumer: &str, position: Position) -> ConsumerLabels {
    ConsumerLabels {
        consumer: consumer.to_owned(),
        topic: position.topic.to_string(),
        partition: position.partition,
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ristoro_log::Topic;

    use super::*;

    #[test]
    fn what_was_counted_stands_on_the_page() {
        let metrics = Metrics::default();
        let next = Position { topic: Topic::Payout, partition: 3, offset: 40 };
        metrics.clone().read("payout.orders", next, 7);
        metrics.lag("payout.orders", next, 42);
        metrics.void("payout.orders", Verdict::Gap);
        metrics.void("payout.orders", Verdict::Accepted);
        metrics.stopped("payout.orders", next);
        metrics.command(Topic::Payout, CommandOutcome::Rejected);
        metrics.call("/a.B/C", tonic::Code::NotFound, Duration::from_millis(3));
        let page = metrics.page();
        let labels = r#"{consumer="payout.orders",topic="ristoro.payout.v1",partition="3"}"#;
        for line in [
            format!("ristoro_records_total{labels} 7"),
            format!("ristoro_next_offset{labels} 40"),
            format!("ristoro_lag_records{labels} 2"),
            format!("ristoro_consumer_stopped{labels} 1"),
            r#"ristoro_voids_total{consumer="payout.orders",verdict="gap"} 1"#.to_owned(),
            r#"ristoro_voids_total{consumer="payout.orders",verdict="undecodable"} 0"#.to_owned(),
            "ristoro_altered_duplicates_total{consumer=\"payout.orders\",verdict=\"duplicate\"} 0"
                .to_owned(),
            r#"ristoro_commands_total{topic="ristoro.payout.v1",outcome="rejected"} 1"#.to_owned(),
            r#"ristoro_grpc_calls_total{method="/a.B/C",code="NotFound"} 1"#.to_owned(),
            r#"ristoro_grpc_call_seconds_bucket{le="0.005",method="/a.B/C"} 1"#.to_owned(),
        ] {
            assert!(page.contains(&line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("verdict=\"accepted\""));
    }
}
