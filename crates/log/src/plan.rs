//! What is there of a log and what is missing: the answer of `ristoro topics plan`.

use std::fmt;

use uuid::Uuid;

use crate::topic::Topic;

/// What was found of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicPlan {
    /// The log's identity, once its founding record is written.
    pub log_id: Option<Uuid>,
    /// Every topic of ours, in the order of the data's way.
    pub topics: Vec<PlannedTopic>,
}

/// What was found of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedTopic {
    /// The topic.
    pub topic: Topic,
    /// Its partitions; none where the topic is missing.
    pub partition_count: u32,
    /// How many of them have no first record yet.
    pub without_genesis: u32,
    /// Settings that could lose records, such as a retention time, each as `name=value, not value`.
    pub wrong_settings: Vec<String>,
}

impl TopicPlan {
    /// The plan of a log of which nothing is there.
    pub(crate) fn nothing() -> Self {
        let missing = |topic| PlannedTopic {
            topic,
            partition_count: 0,
            without_genesis: 0,
            wrong_settings: Vec::new(),
        };
        Self { log_id: None, topics: Topic::ALL.into_iter().map(missing).collect() }
    }

    /// Tells whether the log can be opened as it is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let partition_count = self.topics.first().map_or(0, |topic| topic.partition_count);
        self.log_id.is_some()
            && self.topics.iter().all(PlannedTopic::is_complete)
            && self.conflicts(partition_count).next().is_none()
    }

    /// Gives the topics whose partition count is another than the wanted one, which nothing can change.
    pub fn conflicts(&self, partition_count: u32) -> impl Iterator<Item = &PlannedTopic> {
        self.topics.iter().filter(move |topic| {
            topic.partition_count != 0 && topic.partition_count != partition_count
        })
    }
}

impl PlannedTopic {
    fn is_complete(&self) -> bool {
        self.partition_count > 0 && self.without_genesis == 0 && self.wrong_settings.is_empty()
    }
}

impl fmt::Display for PlannedTopic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition_count, without_genesis, wrong_settings } = self;
        match (partition_count, without_genesis) {
            (0, _) => write!(formatter, "{topic}: missing")?,
            (count, 0) => write!(formatter, "{topic}: {count} partitions")?,
            (count, empty) => {
                write!(formatter, "{topic}: {count} partitions, {empty} without a first record")?;
            }
        }
        for setting in wrong_settings {
            write!(formatter, "; {setting}")?;
        }
        Ok(())
    }
}
