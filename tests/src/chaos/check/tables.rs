//! Positions, heads, counts of voids and plain tables against the log.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_log::Topic;
use uuid::Uuid;

use super::super::Error;
use super::super::cluster::{Cluster, SERVICES};
use super::super::reader::{Story, Worth};
use super::Findings;

/// Gives the schemas with positions: the tables of each service and its control.
fn schemas() -> Vec<String> {
    let of = |(service, _)| [format!("{service}_1"), format!("{service}_control")];
    SERVICES.into_iter().flat_map(of).collect()
}

/// Counts the partitions of consumers that have not come to the log's end.
///
/// # Errors
/// Where Postgres refuses.
pub async fn behind(cluster: &Cluster, ends: &BTreeMap<(Topic, u32), u64>) -> Result<usize, Error> {
    let mut behind = 0;
    for schema in schemas() {
        let sql = format!("select topic, partition, next_offset from {schema}.log_position");
        for row in cluster.rows(&sql).await? {
            let key = (row[0].parse()?, row[1].parse()?);
            behind += usize::from(ends.get(&key).copied() != row[2].parse().ok());
        }
    }
    Ok(behind)
}

/// Compares everything that every consumer keeps of the envelopes.
///
/// # Errors
/// Where Postgres refuses.
pub async fn check(cluster: &Cluster, story: &Story, findings: &mut Findings) -> Result<(), Error> {
    for schema in schemas() {
        let consumers = positions(cluster, story, &schema, findings).await?;
        heads(cluster, story, (&schema, &consumers), findings).await?;
        voids(cluster, story, (&schema, &consumers), findings).await?;
    }
    for (service, _) in SERVICES {
        outputs(cluster, story, service, findings).await?;
        let sql = format!("select count(*) from {service}_control.poison");
        let poison = cluster.rows(&sql).await?;
        findings.same(|| format!("poison of {service}"), &poison, &vec![vec!["0".to_owned()]]);
    }
    versions(cluster, story, findings).await
}

/// Compares positions; gives the consumers with their topics.
async fn positions(
    cluster: &Cluster,
    story: &Story,
    schema: &str,
    findings: &mut Findings,
) -> Result<BTreeMap<String, Topic>, Error> {
    let mut consumers = BTreeMap::new();
    let sql = format!("select consumer, topic, partition, next_offset from {schema}.log_position");
    for row in cluster.rows(&sql).await? {
        let (topic, partition): (Topic, u32) = (row[1].parse()?, row[2].parse()?);
        let end = story.ends.get(&(topic, partition)).copied().unwrap_or_default();
        let what = || format!("{schema}: {} on {topic}/{partition}", row[0]);
        findings.same(what, &row[3].parse::<u64>()?, &end);
        consumers.insert(row[0].clone(), topic);
    }
    findings.holds(|| format!("{schema} has no consumer"), !consumers.is_empty());
    Ok(consumers)
}

async fn heads(
    cluster: &Cluster,
    story: &Story,
    (schema, consumers): (&str, &BTreeMap<String, Topic>),
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut kept: BTreeMap<&str, BTreeMap<String, (u64, Vec<u8>)>> = BTreeMap::new();
    let sql = format!("select consumer, stream, version, event_id from {schema}.stream_head");
    for row in cluster.rows(&sql).await? {
        let Some((consumer, _)) = consumers.get_key_value(&row[0]) else {
            findings.add(format!("{schema}: {} has heads and no position", row[0]));
            continue;
        };
        let id = row[3].parse::<Uuid>()?.as_bytes().to_vec();
        let head = (row[2].parse()?, id);
        kept.entry(consumer).or_default().insert(row[1].clone(), head);
    }
    let nothing = BTreeMap::new();
    for (consumer, topic) in consumers {
        let should = story.heads.get(topic).unwrap_or(&nothing);
        let is = kept.get(consumer.as_str()).unwrap_or(&nothing);
        let streams: BTreeSet<&String> = should.keys().chain(is.keys()).collect();
        for stream in streams {
            let what = || format!("{schema}: {consumer}'s head of {stream}");
            findings.same(what, &is.get(stream), &should.get(stream));
        }
    }
    Ok(())
}

async fn voids(
    cluster: &Cluster,
    story: &Story,
    (schema, consumers): (&str, &BTreeMap<String, Topic>),
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut kept = BTreeMap::new();
    let sql = format!("select consumer, partition, reason, records from {schema}.void_count");
    for row in cluster.rows(&sql).await? {
        kept.insert((row[0].clone(), row[1].parse()?, row[2].clone()), row[3].parse()?);
    }
    for (consumer, topic) in consumers {
        for ((of, partition, worth), count) in &story.counts {
            if of == topic && *worth != Worth::Accepted {
                let key = (consumer.clone(), *partition, worth.name().to_owned());
                let what = || format!("{schema}: {key:?} on {topic}");
                findings.same(what, &kept.remove(&key), &Some(*count));
            }
        }
    }
    findings.holds(|| format!("{schema} counts voids that are none: {kept:?}"), kept.is_empty());
    Ok(())
}

/// What a stage remembers to have written counts on the log.
async fn outputs(
    cluster: &Cluster,
    story: &Story,
    service: &str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let sql = format!(
        "select stage, topic, stream, version, event_id from {service}_control.stage_output"
    );
    let rows = cluster.rows(&sql).await?;
    let mut written: BTreeMap<(Topic, &str, u64), &[u8]> = BTreeMap::new();
    for entry in story.entries.iter().filter(|entry| entry.worth == Worth::Accepted) {
        let envelope = &entry.envelope;
        let key = (entry.position.topic, envelope.stream.as_str(), envelope.version);
        written.insert(key, &envelope.event_id);
    }
    for row in rows {
        let key = (row[1].parse()?, row[2].as_str(), row[3].parse()?);
        let id = row[4].parse::<Uuid>()?;
        let is = written.get(&key).copied();
        let what = || format!("what {} remembers of {} {}", row[0], row[2], row[3]);
        findings.same(what, &is, &Some(id.as_bytes().as_slice()));
    }
    Ok(())
}

/// Compares the versions that plain tables show of outages and people.
async fn versions(cluster: &Cluster, story: &Story, findings: &mut Findings) -> Result<(), Error> {
    let shown = [
        (Topic::Outage, "outage/", "select outage, version from outage.outage"),
        (
            Topic::Outage,
            "outage/",
            "select outage, max(version) from eligibility.outage_event group by outage",
        ),
        (
            Topic::Outage,
            "outage/",
            "select outage, max(version) from notifier.outage_event group by outage",
        ),
        (
            Topic::Subscriber,
            "subscriber/",
            "select subscriber, stream_version from eligibility.person where stream_version > 0",
        ),
        (
            Topic::Settlement,
            "settlement/",
            "select outage, max(version) from eligibility.settlement_event group by outage",
        ),
        (Topic::Payout, "payment-file/", "select file, version from payout.payment_file"),
    ];
    for (topic, prefix, sql) in shown {
        let mut kept = BTreeMap::new();
        for row in cluster.rows(sql).await? {
            kept.insert(row[0].clone(), row[1].parse::<u64>()?);
        }
        let heads = story.heads.get(&topic).into_iter().flatten();
        let heads = heads.filter_map(|(stream, head)| Some((stream.strip_prefix(prefix)?, head.0)));
        for (id, version) in heads {
            findings.same(|| format!("`{sql}` of {id}"), &kept.remove(id), &Some(version));
        }
        findings.holds(|| format!("`{sql}` has what nobody wrote: {kept:?}"), kept.is_empty());
    }
    Ok(())
}
