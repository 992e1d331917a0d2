//! How far new tables are while they are built, looked at again and again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ristoro_proto::ops::v1 as ops;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::system::System;
use crate::stack::{Error, SERVICES};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(250);

/// How far a service's newest tables were at a time.
#[derive(Clone, Debug)]
pub struct Sample {
    at: Duration,
    service: &'static str,
    /// By consumer: the records that were folded, and how many there were.
    consumers: BTreeMap<String, (u64, u64)>,
}

/// Looks at all services until somebody stops it.
///
/// # Errors
/// A refusal.
pub async fn samples(
    system: &System,
    begun: Instant,
    stop: &CancellationToken,
) -> Result<Vec<Sample>, Error> {
    let mut samples = Vec::new();
    while !stop.is_cancelled() {
        for service in SERVICES {
            let schemas = system.schemas(service).await?;
            let Some(newest) = schemas.last().filter(|_| schemas.len() > 1) else { continue };
            let consumers = by_consumer(newest);
            samples.push(Sample { at: begun.elapsed(), service, consumers });
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    Ok(samples)
}

fn by_consumer(schema: &ops::Projection) -> BTreeMap<String, (u64, u64)> {
    let mut consumers = BTreeMap::new();
    for one in &schema.partitions {
        let (folded, records): &mut (u64, u64) = consumers.entry(one.consumer.clone()).or_default();
        *folded += one.next_offset.min(one.end_offset);
        *records += one.end_offset;
    }
    consumers
}

impl Sample {
    /// Makes the JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({
            "seconds": self.at.as_secs_f64(),
            "service": self.service,
            "consumers": self.consumers,
        })
    }
}

/// How long each service's tables took: until its last sample before everything was folded.
#[must_use]
pub fn folded_after(samples: &[Sample]) -> BTreeMap<&'static str, Duration> {
    let mut after = BTreeMap::new();
    for sample in samples {
        let whole = sample.consumers.values().all(|(folded, records)| folded == records);
        if whole {
            after.entry(sample.service).or_insert(sample.at);
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_folded_at_the_first_look_that_sees_every_consumer_at_its_end() {
        let sample = |seconds, service, folded| Sample {
            at: Duration::from_secs(seconds),
            service,
            consumers: [("a".to_owned(), (5, 5)), ("b".to_owned(), (folded, 9))].into(),
        };
        let all = [sample(1, "payout", 3), sample(2, "payout", 9), sample(3, "payout", 9)];
        assert_eq!(folded_after(&all), BTreeMap::from([("payout", Duration::from_secs(2))]));
        assert!(folded_after(&all[..1]).is_empty());
    }
}
