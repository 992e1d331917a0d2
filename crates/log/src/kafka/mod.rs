//! The log on a Kafka: an idempotent producer, assigned partitions, no broker transactions.
//!
//! A broker that is away looks like silence to a reader, and like `Unavailable` to everyone else.

mod detached;
mod inquirer;
mod producer;
mod reader;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::append::RawRecord;
use crate::genesis::{FOUNDING_PARTITION, LogIdentity, all_partitions};
use crate::plan::{PlannedTopic, TopicPlan};
use crate::port::{Limits, LogError, Record};
use crate::position::Position;
use crate::topic::Topic;
use inquirer::{Edge, Inquirer};
use producer::Producer;
pub use reader::KafkaReader;
use settings::{ANSWER_LIMIT, Appetite, LEADER_WAIT};

/// A log on a Kafka.
#[derive(Clone)]
pub struct KafkaLog {
    identity: LogIdentity,
    client: Arc<Client>,
}

struct Client {
    bootstrap: String,
    producer: Mutex<Arc<Producer>>,
    inquirer: Inquirer,
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { identity, client } = self;
        write!(formatter, "KafkaLog({}, {})", client.bootstrap, identity.log_id)
    }
}

impl KafkaLog {
    /// Opens a log and checks that all its partitions are there and begin with the same log's genesis.
    ///
    /// # Errors
    /// `Missing`, `Foreign`, `Unavailable`.
    pub async fn open(bootstrap: &str) -> Result<Self, LogError> {
        let client = Client::start(bootstrap)?;
        let identity = client.identity().await?;
        Ok(Self { identity, client: Arc::new(client) })
    }

    /// Makes what is missing of a log and opens it. Safe to be called by many at once; see `genesis`.
    ///
    /// # Errors
    /// `Foreign` where topics are there with another partition count or another log's records; `Unavailable`.
    pub async fn create(
        bootstrap: &str,
        log_id: Uuid,
        partition_count: u32,
    ) -> Result<Self, LogError> {
        let client = Client::start(bootstrap)?;
        client.make_topics(partition_count).await?;
        let founding = [FOUNDING_PARTITION];
        if client.inquirer.offsets(&founding, Edge::Next).await? == [0] {
            let wanted = LogIdentity::founded_now(log_id, partition_count);
            client.append(&[genesis(&wanted, FOUNDING_PARTITION)]).await?;
        }
        let first = client.read_many(&founding).await?.pop().flatten().map(|record| record.value);
        let Position { topic, partition, .. } = FOUNDING_PARTITION;
        let first = first.ok_or(LogError::Missing { topic, partition })?;
        let identity = LogIdentity::from_genesis(FOUNDING_PARTITION, &first)?;
        let all: Vec<_> = all_partitions(partition_count).collect();
        let ends = client.inquirer.offsets(&all, Edge::Next).await?;
        let empty = all.iter().zip(ends).filter(|(_, end)| *end == 0);
        let missing: Vec<_> = empty.map(|(position, _)| genesis(&identity, *position)).collect();
        client.append(&missing).await?;
        let identity = client.new_identity().await?;
        Ok(Self { identity, client: Arc::new(client) })
    }

    /// Makes the topics without their first records, for a copy that brings them along.
    pub(crate) async fn for_copy(bootstrap: &str, identity: LogIdentity) -> Result<Self, LogError> {
        let client = Client::start(bootstrap)?;
        client.make_topics(identity.partition_count).await?;
        Ok(Self { identity, client: Arc::new(client) })
    }

    /// Gives what is there of a log.
    ///
    /// # Errors
    /// `Unavailable`, `Foreign` where a first record is none.
    pub async fn plan(bootstrap: &str) -> Result<TopicPlan, LogError> {
        let client = Client::start(bootstrap)?;
        let found = client.inquirer.topics().await?;
        let there: Vec<Topic> = found.keys().copied().collect();
        let mut wrong = client.inquirer.wrong_settings(&there).await?;
        let mut plan = TopicPlan { log_id: None, topics: Vec::new() };
        for topic in Topic::ALL {
            let partition_count = found.get(&topic).copied().unwrap_or(0);
            let all: Vec<_> = (0..partition_count)
                .map(|partition| Position { topic, partition, offset: 0 })
                .collect();
            let firsts = client.read_many(&all).await?;
            let empty = firsts.iter().filter(|first| first.is_none()).count();
            if topic == FOUNDING_PARTITION.topic
                && let Some(Some(first)) = firsts.first()
            {
                let identity = LogIdentity::from_genesis(FOUNDING_PARTITION, &first.value)?;
                plan.log_id = Some(identity.log_id);
            }
            plan.topics.push(PlannedTopic {
                topic,
                partition_count,
                without_genesis: u32::try_from(empty).expect("not more than all partitions"),
                wrong_settings: wrong.remove(&topic).unwrap_or_default(),
            });
        }
        Ok(plan)
    }

    /// Gives the log's identity.
    #[must_use]
    pub fn identity(&self) -> LogIdentity {
        self.identity
    }

    /// Appends encoded records; see the port.
    pub(crate) async fn append(&self, records: &[RawRecord]) -> Result<Vec<u64>, LogError> {
        self.client.append(records).await
    }

    /// Opens a reader; see the port.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn reader(&self, assignment: &[Position]) -> Result<KafkaReader, LogError> {
        KafkaReader::start(&self.client.bootstrap, Appetite::All, assignment)
    }

    /// Gives the offset of the next record of each partition.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`.
    pub async fn end_offsets(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        let all = (0..self.identity.partition_count).map(|partition| Position {
            topic,
            partition,
            offset: 0,
        });
        self.client.inquirer.offsets(&all.collect::<Vec<_>>(), Edge::Next).await
    }

    /// Gives single records; see the port.
    ///
    /// # Errors
    /// `Missing`, `Unavailable`, `Foreign` where a record is no longer there.
    pub async fn read_many(&self, positions: &[Position]) -> Result<Vec<Option<Record>>, LogError> {
        self.client.read_many(positions).await
    }
}

fn genesis(identity: &LogIdentity, position: Position) -> RawRecord {
    let Position { topic, partition, .. } = position;
    RawRecord { topic, partition, value: identity.genesis(topic, partition) }
}

impl Client {
    fn start(bootstrap: &str) -> Result<Self, LogError> {
        Ok(Self {
            bootstrap: bootstrap.to_owned(),
            producer: Mutex::new(Arc::new(Producer::start(bootstrap)?)),
            inquirer: Inquirer::start(bootstrap)?,
        })
    }

    /// Makes missing topics, and refuses to go on where one has another partition count.
    async fn make_topics(&self, partition_count: u32) -> Result<(), LogError> {
        let found = self.inquirer.topics().await?;
        for (topic, count) in &found {
            if *count != partition_count {
                return Err(LogError::Foreign(format!(
                    "{topic} has {count} partitions and not {partition_count}, which nothing can change"
                )));
            }
        }
        // Also those that were found: an answer about topics may be a moment behind, the maker's never is.
        self.inquirer.make_topics(&Topic::ALL, partition_count).await
    }

    /// Gives the identity of a log that was made just now, which not every broker knows of yet.
    async fn new_identity(&self) -> Result<LogIdentity, LogError> {
        let deadline = Instant::now() + ANSWER_LIMIT;
        loop {
            match self.identity().await {
                Err(LogError::Missing { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(LEADER_WAIT).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn identity(&self) -> Result<LogIdentity, LogError> {
        let found = self.inquirer.topics().await?;
        let [first, ..] = Topic::ALL;
        let partition_count =
            *found.get(&first).ok_or(LogError::Missing { topic: first, partition: 0 })?;
        for topic in Topic::ALL {
            match found.get(&topic) {
                None => return Err(LogError::Missing { topic, partition: 0 }),
                Some(count) if *count != partition_count => {
                    return Err(LogError::Foreign(format!(
                        "{topic} has {count} partitions, {first} has {partition_count}"
                    )));
                }
                Some(_) => {}
            }
        }
        let all: Vec<_> = all_partitions(partition_count).collect();
        let firsts = self.read_many(&all).await?.into_iter();
        let firsts: Vec<Option<Bytes>> =
            firsts.map(|record| record.map(|record| record.value)).collect();
        LogIdentity::agreed(partition_count, &firsts)
    }

    async fn append(&self, records: &[RawRecord]) -> Result<Vec<u64>, LogError> {
        let producer = Arc::clone(&self.producer.lock().expect("no holder of this lock panics"));
        let outcome = producer.append(records).await;
        if outcome.is_err() && producer.is_dead() {
            let mut current = self.producer.lock().expect("no holder of this lock panics");
            if Arc::ptr_eq(&current, &producer) {
                tracing::warn!("the Kafka producer can write no more and is replaced");
                *current = Arc::new(Producer::start(&self.bootstrap)?);
            }
        }
        outcome
    }

    /// Gives the record at each position, none where the end is not beyond it.
    async fn read_many(&self, positions: &[Position]) -> Result<Vec<Option<Record>>, LogError> {
        let ends = self.inquirer.offsets(positions, Edge::Next).await?;
        let firsts = self.inquirer.offsets(positions, Edge::First).await?;
        let mut wanted = BTreeMap::new();
        for (place, position) in positions.iter().enumerate() {
            let first = firsts[place];
            if position.offset < first {
                return Err(LogError::Foreign(format!(
                    "{position} is deleted, {first} is the first"
                )));
            }
            if position.offset < ends[place] {
                wanted.insert(*position, place);
            }
        }
        let mut found: Vec<Option<Record>> = vec![None; positions.len()];
        if wanted.is_empty() {
            return Ok(found);
        }
        let there: Vec<Position> = wanted.keys().copied().collect();
        let mut reader = KafkaReader::start(&self.bootstrap, Appetite::First, &there)?;
        let deadline = Instant::now() + ANSWER_LIMIT;
        while !wanted.is_empty() {
            let records = timeout_at(deadline, reader.poll(Limits::default())).await;
            let records = records
                .map_err(|_| LogError::Unavailable("Kafka: reading took too long".to_owned()))??;
            for record in records {
                if let Some(place) = wanted.remove(&record.position) {
                    found[place] = Some(record);
                }
            }
        }
        Ok(found)
    }
}
