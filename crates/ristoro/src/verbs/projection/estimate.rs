//! How long it still takes until tables are built.
//!
//! A record of one consumer costs many times what one of another does, and the light ones are through first: each consumer
//! is judged by its own records, and the slowest one is how long it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use ristoro_proto::ops::v1 as api;

use super::folded;
use crate::rate::Rate;

/// What the rates are taken over: many batches, of which each moves a consumer by a step.
const WINDOW: Duration = Duration::from_secs(30);
/// Before a consumer took so many steps its rate is one or two batches'.
const STEPS: u32 = 3;

/// What is known of the consumers.
#[derive(Debug, Default)]
pub struct Estimate(BTreeMap<String, Consumer>);

#[derive(Debug)]
struct Consumer {
    rate: Rate,
    steps: u32,
    folded: u64,
}

impl Estimate {
    /// Takes how far the tables are by a time, which never goes back; gives how long they still take, where that can be
    /// told.
    pub fn add(&mut self, at: Duration, projection: &api::Projection) -> Option<Duration> {
        let mut longest = Duration::ZERO;
        let mut known = true;
        for (consumer, (folded, records)) in by_consumer(projection) {
            match self.of_consumer(at, consumer, (folded, records)) {
                Some(left) => longest = longest.max(left),
                None => known = false,
            }
        }
        known.then_some(longest)
    }

    fn of_consumer(
        &mut self,
        at: Duration,
        consumer: &str,
        (folded, records): (u64, u64),
    ) -> Option<Duration> {
        if folded >= records {
            return Some(Duration::ZERO);
        }
        // What comes before its first records is its start, which does not come again.
        if folded == 0 {
            return None;
        }
        let known = self.0.entry(consumer.to_owned()).or_insert_with(|| Consumer {
            rate: Rate::over(WINDOW),
            steps: 0,
            folded,
        });
        known.steps += u32::from(known.folded != folded);
        known.folded = folded;
        known.rate.add(at, folded);
        if known.steps < STEPS { None } else { known.rate.left(records) }
    }
}

/// Gives each consumer's folded records, and how many there are.
fn by_consumer(projection: &api::Projection) -> BTreeMap<&str, (u64, u64)> {
    let mut consumers: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for one in &projection.partitions {
        let (folded_so_far, records) = consumers.entry(&one.consumer).or_default();
        let (folded, of) = folded(one);
        *folded_so_far += folded;
        *records += of;
    }
    consumers
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// A rebuild of all services with 100,000 subscriptions and one assessment, at a pace of 12 percent.
    const RECORDED: &str = include_str!("estimate/recorded.json");

    #[derive(Deserialize)]
    struct Look {
        ms: u64,
        consumers: BTreeMap<String, (u64, u64)>,
    }

    fn projection(consumers: &BTreeMap<String, (u64, u64)>) -> api::Projection {
        let one = |(consumer, (folded, records)): (&String, &(u64, u64))| api::PartitionProgress {
            consumer: consumer.clone(),
            next_offset: *folded,
            end_offset: *records,
            ..api::PartitionProgress::default()
        };
        let partitions = consumers.iter().map(one).collect();
        api::Projection { partitions, ..api::Projection::default() }
    }

    #[test]
    fn after_a_tenth_of_a_recorded_rebuild_the_estimate_is_right_within_a_fifth() {
        let recorded: BTreeMap<String, Vec<Look>> = serde_json::from_str(RECORDED).unwrap();
        assert_eq!(recorded.len(), 3);
        for (service, looks) in recorded {
            let begun = looks.iter().find(|look| look.consumers.values().any(|one| one.0 > 0));
            let (begun, end) = (begun.unwrap().ms, looks.last().unwrap().ms);
            let mut estimate = Estimate::default();
            let mut estimated = 0;
            for look in &looks {
                let left =
                    estimate.add(Duration::from_millis(look.ms), &projection(&look.consumers));
                let Some(left) = left else { continue };
                let (took, whole) = (look.ms.saturating_sub(begun), end - begun);
                if took * 10 < whole {
                    continue;
                }
                let expected = took + u64::try_from(left.as_millis()).unwrap();
                let apart = expected.abs_diff(whole) * 100 / whole;
                assert!(apart <= 20, "{service} after {took} of {whole} ms: {expected} ms in all");
                estimated += 1;
            }
            assert!(estimated * 10 >= looks.len() * 7, "{service}: only {estimated} estimates");
        }
    }

    #[test]
    fn the_slowest_consumer_is_how_long_it_takes() {
        let mut estimate = Estimate::default();
        let at = |light: u64, heavy: u64| {
            projection(
                &[("light".to_owned(), (light, 1_000)), ("heavy".to_owned(), (heavy, 100))].into(),
            )
        };
        let looks = [(0, 0), (250, 10), (500, 20), (750, 30), (1_000, 40)];
        let left = (0..).zip(looks).map(|(second, (light, heavy))| {
            estimate.add(Duration::from_secs(second), &at(light, heavy))
        });
        let left = left.collect::<Vec<_>>();
        assert_eq!(left[..4], [None; 4]);
        assert_eq!(left[4], Some(Duration::from_secs(6)));
    }
}
