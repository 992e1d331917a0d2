//! Reads assigned partitions on a thread of its own and hands the records over a bounded channel.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::producer::unavailable;
use super::settings::{self, Appetite, Reports};
use crate::port::{Limits, LogError, Record};
use crate::position::Position;
use crate::topic::Topic;

/// Batches that wait to be taken; with the client's own queue they bound a reader's memory.
const WAITING_BATCHES: usize = 4;
/// Records and bytes of one batch at most.
const BATCH_RECORDS: usize = 2_000;
const BATCH_BYTES: usize = 1 << 20;
/// How long the thread of an idle reader takes to see that nobody reads any more.
const IDLE: Duration = Duration::from_millis(100);

type Batch = Result<Vec<Record>, LogError>;

/// Reads a Kafka log.
#[derive(Debug)]
pub struct KafkaReader {
    batches: mpsc::Receiver<Batch>,
    taken: VecDeque<Record>,
    failure: Option<LogError>,
}

impl KafkaReader {
    /// Starts to read.
    ///
    /// # Errors
    /// `Unavailable` where the client cannot be made.
    pub(super) fn start(
        bootstrap: &str,
        appetite: Appetite,
        assignment: &[Position],
    ) -> Result<Self, LogError> {
        let config = settings::consumer(bootstrap, appetite);
        let consumer: BaseConsumer<Reports> =
            config.create_with_context(Reports).map_err(|error| unavailable(&error))?;
        consumer.assign(&partition_list(assignment)?).map_err(|error| unavailable(&error))?;
        let next = assignment.iter().map(|at| ((at.topic, at.partition), at.offset)).collect();
        let (sender, batches) = mpsc::channel(WAITING_BATCHES);
        let fetch = Fetch { consumer, next };
        std::thread::Builder::new()
            .name("kafka-reader".into())
            .spawn(move || fetch.run(&sender))
            .map_err(|error| LogError::Unavailable(format!("no thread for a reader: {error}")))?;
        Ok(Self { batches, taken: VecDeque::new(), failure: None })
    }

    /// Gives the next records; see the port.
    ///
    /// # Errors
    /// `Unavailable`, `Foreign`, `Missing`; after any of them the reader is at its end.
    pub async fn poll(&mut self, limits: Limits) -> Result<Vec<Record>, LogError> {
        if self.taken.is_empty() && self.failure.is_none() {
            match tokio::time::timeout(limits.wait, self.batches.recv()).await {
                Ok(Some(batch)) => self.put(batch),
                Ok(None) => return Err(ended()),
                Err(_) => return Ok(Vec::new()),
            }
        }
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < limits.records && bytes < limits.bytes {
            if self.taken.is_empty() && self.failure.is_none() {
                match self.batches.try_recv() {
                    Ok(batch) => self.put(batch),
                    Err(_) => break,
                }
            }
            let Some(record) = self.taken.pop_front() else { break };
            bytes += record.value.len();
            records.push(record);
        }
        match self.failure.take_if(|_| records.is_empty()) {
            Some(failure) => Err(failure),
            None => Ok(records),
        }
    }

    fn put(&mut self, batch: Batch) {
        match batch {
            Ok(records) => self.taken.extend(records),
            Err(error) => self.failure = Some(error),
        }
    }
}

fn ended() -> LogError {
    LogError::Unavailable("Kafka: this reader has failed before, open another".to_owned())
}

/// Makes the client library's list of partitions and offsets.
pub(super) fn partition_list(positions: &[Position]) -> Result<TopicPartitionList, LogError> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for position in positions {
        let Position { topic, partition, offset } = *position;
        let number =
            i32::try_from(partition).map_err(|_| LogError::Missing { topic, partition })?;
        let offset = i64::try_from(offset)
            .map_err(|_| LogError::Foreign(format!("{position} is beyond any end")))?;
        list.add_partition_offset(topic.name(), number, Offset::Offset(offset))
            .map_err(|error| unavailable(&error))?;
    }
    Ok(list)
}

/// The thread's part.
struct Fetch {
    consumer: BaseConsumer<Reports>,
    next: BTreeMap<(Topic, u32), u64>,
}

impl Fetch {
    /// Fetches until nobody takes the records any more or the log fails.
    fn run(mut self, sender: &mpsc::Sender<Batch>) {
        while !sender.is_closed() {
            let (records, failure) = match self.batch() {
                Ok(records) => (records, None),
                Err((records, failure)) => (records, Some(failure)),
            };
            if !records.is_empty() && sender.blocking_send(Ok(records)).is_err() {
                return;
            }
            if let Some(failure) = failure {
                // A reader that is gone needs no failure.
                sender.blocking_send(Err(failure)).ok();
                return;
            }
        }
    }

    /// Gives what is there, at most a batch; a failure comes with the records before it.
    fn batch(&mut self) -> Result<Vec<Record>, (Vec<Record>, LogError)> {
        let (mut records, mut bytes, mut wait) = (Vec::new(), 0, IDLE);
        while records.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            let outcome = match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => record(&message, &mut self.next),
                Some(Err(error)) if is_passing(&error) => continue,
                Some(Err(error)) => Err(failure(&error)),
            };
            match outcome {
                Ok(record) => {
                    bytes += record.value.len();
                    records.push(record);
                }
                Err(failure) => return Err((records, failure)),
            }
            wait = Duration::ZERO;
        }
        Ok(records)
    }
}

/// Takes a message over and checks that none before it is missing.
fn record(
    message: &BorrowedMessage<'_>,
    next: &mut BTreeMap<(Topic, u32), u64>,
) -> Result<Record, LogError> {
    let unknown =
        || LogError::Foreign(format!("a record of {} was not asked for", message.topic()));
    let topic: Topic = message.topic().parse().map_err(|_| unknown())?;
    let partition = u32::try_from(message.partition()).map_err(|_| unknown())?;
    let offset = u64::try_from(message.offset()).map_err(|_| unknown())?;
    let position = Position { topic, partition, offset };
    let expected = next.get_mut(&(topic, partition)).ok_or_else(unknown)?;
    if *expected != offset {
        return Err(LogError::Foreign(format!("{position} follows offset {expected} - 1")));
    }
    *expected += 1;
    let value = Bytes::copy_from_slice(message.payload().unwrap_or_default());
    Ok(Record { position, value })
}

/// Tells whether the client gets over an error by itself, as it does when a broker is away.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::NotCoordinator
        )
    )
}

fn failure(error: &KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            LogError::Foreign("an assigned offset is beyond the end or no longer there".to_owned())
        }
        Some(_) | None => unavailable(error),
    }
}
