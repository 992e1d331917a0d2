//! `SignalService`: take in what feeds report, and show it.

use std::pin::Pin;

use prost::Message;
use ristoro_domain::signal::{Feed, ObserveSignals, Signal, SignalPart};
use ristoro_log::Position;
use ristoro_proto::outage::v1 as api;
use ristoro_proto::outage::v1::signal_service_server::SignalService;
use ristoro_proto::signal::signal_in;
use ristoro_runtime::command::{CommandRequest, Commands};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Principal, Role, command_request, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::refused::command_status;
use ristoro_runtime::status::{self, invalid};
use ristoro_runtime::views::{self, Views};
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::input::whole_microseconds;
use super::message::signal_message;
use super::outage::{READERS, WAIT};
use super::refused::signal_refused;
use crate::projections::signal::{self, SignalKey};
use crate::streams::feed_stream;

/// How large the signals of one record are at most, encoded, in bytes.
const RECORD_BYTES: usize = 256 * 1024;
/// How many signals a message may bring.
const SIGNALS: usize = 10_000;
/// How many components a signal may name.
const COMPONENTS: usize = 200;
/// How many parts a signal may have.
const PARTS: usize = 1_000;
/// How long a feed's name may be.
const FEED: usize = 100;

/// Serves signals.
#[derive(Clone, Debug)]
pub struct Signals {
    views: Views,
    commands: Commands,
}

/// A call that submits signals, as far as it has come.
struct Submission {
    feed: String,
    by: CommandRequest,
    records: u64,
    received: u64,
    last: Option<Position>,
}

impl Signals {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, commands: Commands) -> Self {
        Self { views, commands }
    }

    /// Takes in a whole call. Any stream of messages will do, so that tests need no connection.
    ///
    /// # Errors
    /// The first message's that cannot be taken in; those before it were.
    pub async fn take_in(
        &self,
        principal: &Principal,
        metadata: &MetadataMap,
        mut messages: Pin<
            &mut (dyn Stream<Item = Result<api::SubmitSignalsRequest, Status>> + Send),
        >,
    ) -> Result<api::SubmitSignalsResponse, Status> {
        let mut submission: Option<Submission> = None;
        let mut batch_number: u32 = 0;
        while let Some(message) = messages.next().await.transpose()? {
            let current = match submission.take() {
                Some(current) => same(current, &message)?,
                None => begin(principal, metadata, &message)?,
            };
            let current = submission.insert(current);
            edge::count("signals", message.signals.len(), 1..=SIGNALS)?;
            current.received += message.signals.len() as u64;
            for signals in batches(message.signals)? {
                self.observe(current, batch_number, signals).await?;
                batch_number += 1;
            }
        }
        let done = submission.ok_or_else(|| invalid("signals", "the call has no message"))?;
        Ok(api::SubmitSignalsResponse {
            received: done.received,
            records: done.records,
            consistency_token: edge::consistency_token(done.last.as_slice()),
        })
    }

    /// Writes one record. Its request_id follows from the call's and the batch's number, so a repeated call writes none.
    async fn observe(
        &self,
        submission: &mut Submission,
        batch_number: u32,
        signals: Vec<Signal>,
    ) -> Result<(), Status> {
        let request_id =
            Uuid::new_v5(&submission.by.request_id, &u64::from(batch_number).to_be_bytes());
        let by = CommandRequest { request_id, ..submission.by.clone() };
        let stream = feed_stream(&submission.feed, self.commands.partition_count());
        let command = ObserveSignals { signals };
        let done = self.commands.execute::<Feed>(&stream, &by, &command).await;
        let done = done.map_err(|error| command_status(error, signal_refused))?;
        submission.records += u64::from(done.changed);
        submission.last = done.token.last().copied().or(submission.last);
        Ok(())
    }
}

#[tonic::async_trait]
impl SignalService for Signals {
    async fn submit_signals(
        &self,
        request: Request<Streaming<api::SubmitSignalsRequest>>,
    ) -> Result<Response<api::SubmitSignalsResponse>, Status> {
        let principal = require(&request, &[Role::Observer])?;
        let metadata = request.metadata().clone();
        let messages = request.into_inner();
        tokio::pin!(messages);
        let response = self.take_in(&principal, &metadata, messages).await?;
        Ok(Response::new(response))
    }

    async fn list_signals(
        &self,
        request: Request<api::ListSignalsRequest>,
    ) -> Result<Response<api::ListSignalsResponse>, Status> {
        let readers: Vec<Role> = READERS.into_iter().chain([Role::Observer]).collect();
        require(&request, &readers)?;
        let request = request.into_inner();
        let feed = edge::optional_text("feed", &request.feed, FEED)?;
        let source_id = edge::optional_text("source_id", &request.source_id, edge::MAXIMUM_ID)?;
        let scope = format!("signals {feed:?} {source_id:?}");
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        let after = page.after.as_deref().map_or(Ok(SignalKey::default()), key)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let rows = signal::list(&mut view, feed, source_id, &after, page.fetch()).await;
        let mut rows = rows.map_err(database)?;
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let next_page_token = page.cut(&mut rows, |row| {
            format!("{}/{}/{}", row.key.version, row.key.place, row.key.feed)
        });
        let signals = rows.iter().map(signal_message).collect();
        Ok(Response::new(api::ListSignalsResponse { signals, next_page_token, as_of }))
    }
}

fn begin(
    principal: &Principal,
    metadata: &MetadataMap,
    message: &api::SubmitSignalsRequest,
) -> Result<Submission, Status> {
    let (id, only) = (&message.request_id, message.validate_only);
    let by = command_request(principal, id, only, "", metadata)?;
    edge::id("feed", &message.feed)?;
    edge::text("feed", &message.feed, 1..=FEED)?;
    if message.feed.contains('/') {
        return Err(invalid("feed", "has a slash: it stands before the slash of a source's name"));
    }
    Ok(Submission { feed: message.feed.clone(), by, records: 0, received: 0, last: None })
}

fn same(current: Submission, message: &api::SubmitSignalsRequest) -> Result<Submission, Status> {
    if message.feed != current.feed {
        return Err(invalid("feed", "is another one than in the call's first message"));
    }
    if edge::uuid("request_id", &message.request_id)? != current.by.request_id {
        return Err(invalid("request_id", "is another one than in the call's first message"));
    }
    Ok(current)
}

/// Checks the signals of a message and cuts them into batches for a record each.
fn batches(signals: Vec<api::Signal>) -> Result<Vec<Vec<Signal>>, Status> {
    let (mut all, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (index, message) in signals.into_iter().enumerate() {
        let size = message.encoded_len();
        if size > RECORD_BYTES {
            let problem = format!("has {size} bytes: write at most {RECORD_BYTES}");
            return Err(invalid(&format!("signals[{index}]"), problem));
        }
        let signal = read(&format!("signals[{index}]"), message)?;
        if bytes + size > RECORD_BYTES && !batch.is_empty() {
            all.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(signal);
    }
    all.push(batch);
    Ok(all)
}

fn read(field: &str, message: api::Signal) -> Result<Signal, Status> {
    let part = |name: &str| format!("{field}.{name}");
    edge::id(&part("source_id"), &message.source_id)?;
    edge::id(&part("provider"), &message.provider)?;
    edge::text(&part("title"), &message.title, 1..=1_000)?;
    if !message.service.is_empty() {
        edge::id(&part("service"), &message.service)?;
    }
    let least = usize::from(message.service.is_empty());
    edge::count(&part("components"), message.components.len(), least..=COMPONENTS)?;
    for component in &message.components {
        edge::id(&part("components"), component)?;
    }
    edge::instant(&part("began_at"), message.began_at.as_ref())?;
    edge::optional_instant(&part("ended_at"), message.ended_at.as_ref())?;
    edge::instant(&part("modified_at"), message.modified_at.as_ref())?;
    edge::count(&part("parts"), message.parts.len(), 0..=PARTS)?;
    for (index, one) in message.parts.iter().enumerate() {
        let part = |name: &str| format!("{field}.parts[{index}].{name}");
        edge::id(&part("component"), &one.component)?;
        edge::instant(&part("began_at"), one.began_at.as_ref())?;
        edge::optional_instant(&part("ended_at"), one.ended_at.as_ref())?;
    }
    let signal = signal_in(message).map_err(|error| invalid(field, error.to_string()))?;
    let part = |part: SignalPart| SignalPart {
        began_at: whole_microseconds(part.began_at),
        ended_at: part.ended_at.map(whole_microseconds),
        ..part
    };
    Ok(Signal {
        parts: signal.parts.into_iter().map(part).collect(),
        began_at: whole_microseconds(signal.began_at),
        ended_at: signal.ended_at.map(whole_microseconds),
        modified_at: whole_microseconds(signal.modified_at),
        ..signal
    })
}

fn key(text: &str) -> Result<SignalKey, Status> {
    let mut parts = text.splitn(3, '/');
    let mut read = || {
        let (version, place) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(SignalKey { feed: parts.next()?.to_owned(), version, place })
    };
    read().ok_or_else(|| invalid("page_token", "is none that this query gave"))
}
