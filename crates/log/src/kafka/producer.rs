//! Appends: the acknowledgements of one append are counted in the delivery callback, and the last one wakes its caller.
//! (`flush` would take 100 ms a call.)

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use super::detached::Detached;
use super::settings;
use crate::append::RawRecord;
use crate::port::LogError;

/// The client's queue is full: how long until the next try.
const FULL_QUEUE_WAIT: Duration = Duration::from_millis(2);

/// An idempotent producer with its own thread.
pub(super) struct Producer {
    client: Detached<ThreadedProducer<Deliveries>>,
}

struct Deliveries;

/// One record's place in its append.
struct Delivery {
    place: usize,
    append: Arc<Append>,
}

/// An append that waits for its acknowledgements.
struct Append(Mutex<Waiting>);

struct Waiting {
    offsets: Vec<u64>,
    unanswered: usize,
    failure: Option<KafkaError>,
    caller: Option<oneshot::Sender<Result<Vec<u64>, LogError>>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        settings::Reports.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        settings::Reports.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Box<Delivery>) {
        let answer = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        delivery.append.answer(delivery.place, answer);
    }
}

impl Append {
    fn answer(&self, place: usize, answer: Result<i64, KafkaError>) {
        let mut waiting = self.0.lock().expect("no holder of this lock panics");
        waiting.unanswered -= 1;
        match answer.map(u64::try_from) {
            Ok(Ok(offset)) => waiting.offsets[place] = offset,
            // An acknowledgement without an offset says nothing about where the record is.
            Ok(Err(_)) => {
                let code = RDKafkaErrorCode::InvalidMessage;
                waiting.failure = Some(KafkaError::MessageProduction(code));
            }
            Err(error) => waiting.failure = Some(error),
        }
        if waiting.unanswered > 0 {
            return;
        }
        let outcome = match waiting.failure.take() {
            None => Ok(std::mem::take(&mut waiting.offsets)),
            Some(error) => Err(unavailable(&error)),
        };
        // A caller that has given up needs no answer.
        waiting.caller.take().map(|caller| caller.send(outcome).is_ok());
    }
}

/// Maps a client's error to one whose outcome is unknown.
pub(super) fn unavailable(error: &KafkaError) -> LogError {
    LogError::Unavailable(format!("Kafka: {error}"))
}

impl Producer {
    /// Starts a producer; it connects by itself.
    ///
    /// # Errors
    /// `Unavailable` where the settings are refused.
    pub(super) fn start(bootstrap: &str) -> Result<Self, LogError> {
        let client = settings::producer(bootstrap).create_with_context(Deliveries);
        Ok(Self { client: Detached::new(client.map_err(|error| unavailable(&error))?) })
    }

    /// Tells whether the producer can never write again, so that another has to be started.
    pub(super) fn is_dead(&self) -> bool {
        self.client.client().fatal_error().is_some()
    }

    /// Appends and waits for all acknowledgements.
    ///
    /// # Errors
    /// `Unavailable`, `Missing`.
    pub(super) async fn append(&self, records: &[RawRecord]) -> Result<Vec<u64>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (caller, answer) = oneshot::channel();
        let append = Arc::new(Append(Mutex::new(Waiting {
            offsets: vec![0; records.len()],
            unanswered: records.len(),
            failure: None,
            caller: Some(caller),
        })));
        for (place, record) in records.iter().enumerate() {
            let mut delivery = Box::new(Delivery { place, append: Arc::clone(&append) });
            while let Some(again) = self.send(record, delivery)? {
                delivery = again;
                tokio::time::sleep(FULL_QUEUE_WAIT).await;
            }
        }
        answer.await.map_err(|_| LogError::Unavailable("Kafka: the producer has ended".into()))?
    }

    /// Queues a record, or gives its delivery back where the queue is full.
    fn send(
        &self,
        record: &RawRecord,
        delivery: Box<Delivery>,
    ) -> Result<Option<Box<Delivery>>, LogError> {
        let RawRecord { topic, partition, value } = record;
        let number = i32::try_from(*partition)
            .map_err(|_| LogError::Missing { topic: *topic, partition: *partition })?;
        let message = BaseRecord::<'_, (), [u8], _>::with_opaque_to(topic.name(), delivery)
            .partition(number)
            .payload(value);
        match self.client.send(message) {
            Ok(()) => Ok(None),
            Err((error, message)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => Ok(Some(message.delivery_opaque)),
                Some(
                    RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownTopicOrPartition,
                ) => Err(LogError::Missing { topic: *topic, partition: *partition }),
                Some(_) | None => Err(unavailable(&error)),
            },
        }
    }
}
