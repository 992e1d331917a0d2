//! Asks the brokers about topics, offsets and settings. The client library's calls block, so each runs on a thread for that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::detached::Detached;
use super::producer::unavailable;
use super::settings::{self, ANSWER_LIMIT, LEADER_WAIT, Reports};
use crate::port::LogError;
use crate::position::Position;
use crate::topic::Topic;

/// What every topic of ours is made with. Business time stands in the envelope, so the broker may stamp records: it
/// refuses those of a writer whose clock is an hour ahead otherwise.
const TOPIC_SETTINGS: [(&str, &str); 4] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("message.timestamp.type", "LogAppendTime"),
];

/// Which end of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edge {
    /// The first record that is still there.
    First,
    /// Where the next record will stand.
    Next,
}

/// A client that only asks.
#[derive(Clone)]
pub(super) struct Inquirer {
    bootstrap: String,
    client: Arc<Detached<BaseConsumer<Reports>>>,
}

impl Inquirer {
    /// Starts a client; it connects by itself.
    ///
    /// # Errors
    /// `Unavailable` where the settings are refused.
    pub(super) fn start(bootstrap: &str) -> Result<Self, LogError> {
        let client = settings::inquirer(bootstrap).create_with_context(Reports);
        let client = Detached::new(client.map_err(|error| unavailable(&error))?);
        Ok(Self { bootstrap: bootstrap.to_owned(), client: Arc::new(client) })
    }

    /// Gives our topics that are there, with their partition counts.
    pub(super) async fn topics(&self) -> Result<BTreeMap<Topic, u32>, LogError> {
        let metadata = self.ask(|client| client.fetch_metadata(None, ANSWER_LIMIT)).await?;
        let ours = metadata.topics().iter().filter_map(|found| {
            let topic = found.name().parse::<Topic>().ok()?;
            Some((topic, u32::try_from(found.partitions().len()).ok()?))
        });
        Ok(ours.filter(|(_, partition_count)| *partition_count > 0).collect())
    }

    /// Gives an end of each partition, in the positions' order; their own offsets do not matter.
    pub(super) async fn offsets(
        &self,
        positions: &[Position],
        edge: Edge,
    ) -> Result<Vec<u64>, LogError> {
        if positions.is_empty() {
            return Ok(Vec::new()); // The client refuses to ask about nothing.
        }
        // The protocol writes the two ends as the times -2 and -1.
        let time = match edge {
            Edge::First => Offset::Beginning,
            Edge::Next => Offset::End,
        };
        let deadline = Instant::now() + ANSWER_LIMIT;
        let (mut inquirer, mut wait) = (self.clone(), LEADER_WAIT);
        loop {
            let mut times = TopicPartitionList::with_capacity(positions.len());
            for Position { topic, partition, .. } in positions.iter().copied() {
                let number =
                    i32::try_from(partition).map_err(|_| LogError::Missing { topic, partition })?;
                times
                    .add_partition_offset(topic.name(), number, time)
                    .map_err(|error| unavailable(&error))?;
            }
            let answer =
                inquirer.ask(move |client| client.offsets_for_times(times, ANSWER_LIMIT)).await;
            match answer.and_then(|answer| offsets_of(&answer, positions)) {
                // A topic that was made just now has no leader yet, and a restarted broker leads nothing at once. The
                // client that saw a topic missing goes on to say so for long: another one asks.
                Err(LogError::Unavailable(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                    inquirer = Self::start(&self.bootstrap)?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Makes topics; one that is there already, or is made by somebody else meanwhile, stays as it is.
    pub(super) async fn make_topics(
        &self,
        topics: &[Topic],
        partition_count: u32,
    ) -> Result<(), LogError> {
        let count = i32::try_from(partition_count)
            .map_err(|_| LogError::Unavailable(format!("{partition_count} partitions")))?;
        // -1: as many replicas as the broker makes by itself.
        let news = topics.iter().map(|topic| {
            let new = NewTopic::new(topic.name(), count, TopicReplication::Fixed(-1));
            TOPIC_SETTINGS.iter().fold(new, |new, (name, value)| new.set(name, value))
        });
        let news: Vec<_> = news.collect();
        let answers = self.admin()?.create_topics(&news, &admin_options()).await;
        for answer in answers.map_err(|error| unavailable(&error))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(LogError::Unavailable(format!(
                        "Kafka refuses to make the topic {topic}: {code}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Gives each topic's settings that could lose records.
    pub(super) async fn wrong_settings(
        &self,
        topics: &[Topic],
    ) -> Result<BTreeMap<Topic, Vec<String>>, LogError> {
        if topics.is_empty() {
            return Ok(BTreeMap::new()); // As above.
        }
        let resources: Vec<_> =
            topics.iter().map(|topic| ResourceSpecifier::Topic(topic.name())).collect();
        let answers = self.admin()?.describe_configs(&resources, &admin_options()).await;
        let answers = answers.map_err(|error| unavailable(&error))?;
        let mut wrong = BTreeMap::new();
        for (topic, answer) in topics.iter().zip(answers) {
            let settings = answer
                .map_err(|code| LogError::Unavailable(format!("settings of {topic}: {code}")))?;
            let settings = settings.entry_map();
            let mut found = Vec::new();
            // Who stamps a record is a matter of taste; the others decide whether it stays.
            for (name, wanted) in &TOPIC_SETTINGS[..3] {
                let value = settings.get(name).and_then(|entry| entry.value.as_deref());
                if value != Some(*wanted) {
                    found.push(format!("{name}={}, not {wanted}", value.unwrap_or("?")));
                }
            }
            wrong.insert(*topic, found);
        }
        Ok(wrong)
    }

    fn admin(&self) -> Result<Detached<AdminClient<DefaultClientContext>>, LogError> {
        let admin = settings::inquirer(&self.bootstrap).create();
        admin.map(Detached::new).map_err(|error| unavailable(&error))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer<Reports>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, LogError> {
        let client = Arc::clone(&self.client);
        let answer = tokio::task::spawn_blocking(move || {
            // What the client has to report piles up unless it is taken.
            while client.poll(Duration::ZERO).is_some() {}
            question(&client)
        });
        let answer =
            answer.await.map_err(|_| LogError::Unavailable("a thread ended".to_owned()))?;
        answer.map_err(|error| unavailable(&error))
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_LIMIT)).operation_timeout(Some(ANSWER_LIMIT))
}

fn offsets_of(answer: &TopicPartitionList, positions: &[Position]) -> Result<Vec<u64>, LogError> {
    let mut offsets = Vec::with_capacity(positions.len());
    for position in positions {
        let Position { topic, partition, .. } = *position;
        let missing = || LogError::Missing { topic, partition };
        let number = i32::try_from(partition).map_err(|_| missing())?;
        let found = answer.find_partition(topic.name(), number).ok_or_else(missing)?;
        found.error().map_err(|error| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopic) => missing(),
            Some(_) | None => unavailable(&error),
        })?;
        let offset = found.offset();
        let Some(offset) = offset.to_raw().and_then(|offset| u64::try_from(offset).ok()) else {
            let problem = format!("Kafka gives {offset:?} as an end of {topic}/{partition}");
            return Err(LogError::Unavailable(problem));
        };
        offsets.push(offset);
    }
    Ok(offsets)
}
