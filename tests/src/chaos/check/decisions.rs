//! Everybody is decided once by every completed assessment, ordered and told of what was decided, and the tables show
//! the same.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_log::Topic;
use ristoro_proto::notifier::v1::NoticesQueued;
use ristoro_proto::payout::v1::{Channel, PayoutsOrdered};

use super::super::Error;
use super::super::cluster::{Cluster, PARTITIONS};
use super::super::reader::Story;
use super::super::reader::columns::{
    ChunkKey, Decided, Given, decisions, given, numbers, parse, payload, roster,
};
use super::Findings;

/// One line of an order: its channel and what is given.
pub type Line = (String, Given);

/// What one chunk orders.
pub type Ordered = BTreeMap<u64, Vec<Line>>;

/// How the streams of an assessment ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Released after this many chunks.
    Released(u64),
    /// Void.
    Voided,
}

/// What the log says of all assessments.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Assessed {
    /// Decisions by chunk.
    pub decided: BTreeMap<ChunkKey, Decided>,
    /// Orders by chunk.
    pub ordered: BTreeMap<ChunkKey, Ordered>,
    /// Notices by chunk.
    pub queued: BTreeMap<ChunkKey, BTreeSet<u64>>,
    /// How order streams ended.
    pub orders: BTreeMap<(String, u32), End>,
    /// How queues ended.
    pub queues: BTreeMap<(String, u32), End>,
    /// How scans ended: whether they were completed.
    pub scans: BTreeMap<(String, u32), bool>,
    /// Assessments that were completed.
    pub completed: BTreeSet<String>,
}

impl Assessed {
    /// Reads the log.
    #[must_use]
    pub fn read(story: &Story) -> Self {
        let mut assessed = Self { decided: decisions(story), ..Self::default() };
        for entry in story.accepted(Topic::Entitlement) {
            if let Some((id, partition)) = parse(&entry.envelope.stream, "scan") {
                let completed = match entry.envelope.r#type.as_str() {
                    "ScanCompleted" => true,
                    "ScanVoided" => false,
                    _ => continue,
                };
                assessed.scans.insert((id.to_owned(), partition), completed);
            }
        }
        assessed.read_orders(story);
        assessed.read_queues(story);
        for entry in story.accepted(Topic::Settlement) {
            if entry.envelope.r#type == "AssessmentCompleted" {
                let event: ristoro_proto::eligibility::v1::AssessmentCompleted = payload(entry);
                assessed.completed.insert(event.assessment);
            }
        }
        assessed
    }

    fn read_orders(&mut self, story: &Story) {
        for entry in story.accepted(Topic::Payout) {
            let Some((id, partition)) = parse(&entry.envelope.stream, "order") else { continue };
            let (stream, version) = ((id.to_owned(), partition), entry.envelope.version);
            match entry.envelope.r#type.as_str() {
                "PayoutsOrdered" => {
                    let batch: PayoutsOrdered = payload(entry);
                    self.ordered.insert((stream.0, partition, version), ordered(&batch));
                }
                "OrdersReleased" => {
                    self.orders.insert(stream, End::Released(version - 1));
                }
                "OrdersVoided" => {
                    self.orders.insert(stream, End::Voided);
                }
                other => panic!("{other} does not belong to {}", entry.envelope.stream),
            }
        }
    }

    fn read_queues(&mut self, story: &Story) {
        for entry in story.accepted(Topic::Notice) {
            let Some((id, partition)) = parse(&entry.envelope.stream, "queue") else { continue };
            let (stream, version) = ((id.to_owned(), partition), entry.envelope.version);
            match entry.envelope.r#type.as_str() {
                "NoticesQueued" => {
                    let batch: NoticesQueued = payload(entry);
                    let people = numbers(batch.first_number, &batch.steps, batch.place.len());
                    let key = (stream.0, partition, version);
                    self.queued.insert(key, people.into_iter().collect());
                }
                "NoticesReleased" => {
                    self.queues.insert(stream, End::Released(version - 1));
                }
                "NoticesVoided" => {
                    self.queues.insert(stream, End::Voided);
                }
                other => panic!("{other} does not belong to {}", entry.envelope.stream),
            }
        }
    }

    /// Compares the streams with one another: nobody is missing, nobody is there twice.
    pub fn check(&self, story: &Story, findings: &mut Findings) {
        let mut everybody: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
        for number in roster(story).into_keys() {
            let partition = u32::try_from(number >> 48).expect("partitions are few");
            everybody.entry(partition).or_default().insert(number);
        }
        for (assessment, partition) in self.scans.keys() {
            self.check_partition(assessment, *partition, &everybody, findings);
        }
        for assessment in &self.completed {
            for partition in 0..PARTITIONS {
                let scan = self.scans.get(&(assessment.clone(), partition));
                let what = || format!("the scan of {assessment} on {partition}");
                findings.same(what, &scan, &Some(&true));
            }
        }
        for key in self.ordered.keys().chain(self.queued.keys()) {
            let known = self.decided.contains_key(key);
            findings.holds(|| format!("{key:?} answers a chunk that nobody decided"), known);
        }
    }

    fn check_partition(
        &self,
        assessment: &str,
        partition: u32,
        everybody: &BTreeMap<u32, BTreeSet<u64>>,
        findings: &mut Findings,
    ) {
        let stream = (assessment.to_owned(), partition);
        let first = (assessment.to_owned(), partition, 0);
        let last = (assessment.to_owned(), partition, u64::MAX);
        let mut decided = BTreeSet::new();
        let mut chunks = 0;
        for (key, chunk) in self.decided.range(first..last) {
            chunks += 1;
            findings.same(|| format!("the number of {key:?}"), &key.2, &chunks);
            for number in chunk.keys() {
                let once = decided.insert(*number);
                findings.holds(|| format!("{number} is decided twice by {assessment}"), once);
            }
            let entitled: BTreeMap<u64, &Vec<Given>> = chunk
                .iter()
                .filter(|(_, given)| !given.is_empty())
                .map(|(number, given)| (*number, given))
                .collect();
            let ordered = self.ordered.get(key).cloned().unwrap_or_default();
            let ordered: BTreeMap<u64, Vec<Given>> = ordered
                .into_iter()
                .map(|(number, lines)| (number, lines.into_iter().map(|line| line.1).collect()))
                .collect();
            let ordered = ordered.iter().map(|(number, given)| (*number, given)).collect();
            findings.same(|| format!("the orders of {key:?}"), &ordered, &entitled);
            let told = self.queued.get(key).cloned().unwrap_or_default();
            let entitled: BTreeSet<u64> = entitled.into_keys().collect();
            findings.same(|| format!("the notices of {key:?}"), &told, &entitled);
        }
        let end = match self.completed.contains(assessment) {
            true => End::Released(chunks),
            false => End::Voided,
        };
        findings.same(
            || format!("the end of orders {stream:?}"),
            &self.orders.get(&stream),
            &Some(&end),
        );
        findings.same(
            || format!("the end of notices {stream:?}"),
            &self.queues.get(&stream),
            &Some(&end),
        );
        if end != End::Voided {
            let all = everybody.get(&partition).cloned().unwrap_or_default();
            findings.same(|| format!("who is decided by {stream:?}"), &decided, &all);
        }
    }

    /// Compares the plain rows of entitlements and payouts.
    ///
    /// # Errors
    /// Where Postgres refuses.
    pub async fn check_tables(
        &self,
        cluster: &Cluster,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let mut should: BTreeMap<String, u64> = BTreeMap::new();
        for ((assessment, _, _), chunk) in &self.decided {
            for (number, given) in chunk {
                for (kind, grant, minor) in given {
                    let row = format!("{assessment}|{number}|{kind}|{grant}|{minor}");
                    *should.entry(row).or_default() += 1;
                }
            }
        }
        let sql = "select assessment, number, kind, grant_type, coalesce(amount_minor, 0) \
                   from eligibility.entitlement";
        same_rows(cluster, sql, should, findings).await?;
        let mut should: BTreeMap<String, u64> = BTreeMap::new();
        for ((assessment, partition, _), chunk) in &self.ordered {
            let end = self.orders.get(&(assessment.clone(), *partition));
            let released = if matches!(end, Some(End::Released(_))) { "t" } else { "f" };
            for (number, lines) in chunk {
                for (channel, (kind, grant, minor)) in lines {
                    let line = format!("{channel}|{kind}|{grant}|{minor}|{released}");
                    *should.entry(format!("{assessment}|{number}|{line}")).or_default() += 1;
                }
            }
        }
        let sql = "select assessment, number, channel, kind, grant_type, \
                   coalesce(amount_minor, 0), released from payout.payout";
        same_rows(cluster, sql, should, findings).await
    }
}

async fn same_rows(
    cluster: &Cluster,
    sql: &str,
    mut should: BTreeMap<String, u64>,
    findings: &mut Findings,
) -> Result<(), Error> {
    for row in cluster.rows(sql).await? {
        let row = row.join("|");
        let left = should.get_mut(&row).filter(|left| **left > 0);
        findings.holds(|| format!("`{sql}` has {row}, which nobody wrote"), left.is_some());
        if let Some(left) = left {
            *left -= 1;
        }
    }
    for (row, left) in should.into_iter().filter(|(_, left)| *left > 0) {
        findings.add(format!("`{sql}` lacks {row} {left} times"));
    }
    Ok(())
}

fn ordered(batch: &PayoutsOrdered) -> Ordered {
    let people = numbers(batch.first_number, &batch.steps, batch.order.len());
    let line = |line: &ristoro_proto::payout::v1::OrderLine| {
        let channel = match line.channel() {
            Channel::Transfer => "transfer",
            Channel::Invoice => "invoice",
            Channel::Provisioning => "provisioning",
            Channel::Unclaimed => "unclaimed",
            Channel::Unspecified => "none",
        };
        let remedy = line.remedy.as_ref().expect("a line gives something");
        (channel.to_owned(), given(remedy))
    };
    let orders: Vec<Vec<Line>> =
        batch.orders.iter().map(|order| order.lines.iter().map(line).collect()).collect();
    let lines = batch.order.iter().map(|place| orders[*place as usize].clone());
    people.into_iter().zip(lines).collect()
}
