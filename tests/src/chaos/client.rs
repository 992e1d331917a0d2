//! Callers that never give up too early: a call without an answer is sent again, to another process, under the same
//! request id; and every command is written down with what became of it.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ristoro_log::Position;
use ristoro_proto::ops::v1::ListProjectionsRequest;
use ristoro_proto::ops::v1::projection_service_client::ProjectionServiceClient;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::cluster::{Cluster, SERVICES, token};

/// How long one attempt may take; a frozen process answers nothing at all.
const ATTEMPT: Duration = Duration::from_secs(4);
/// The same for calls that take their time.
const LONG: Duration = Duration::from_secs(30);
/// How long a caller tries in all.
const PATIENCE: Duration = Duration::from_secs(90);
/// The rest between two attempts.
const REST: Duration = Duration::from_millis(150);

/// What became of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was acknowledged: its record stands there.
    Acknowledged {
        /// Where, as the answer's token says.
        token: String,
        /// The version of the stream that the answer told, where it tells the record's own.
        version: Option<u64>,
    },
    /// It was refused.
    Refused(Code),
    /// Nobody knows.
    Unknown,
}

/// One command as its caller remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Which call.
    pub kind: &'static str,
    /// Its request id.
    pub request_id: Uuid,
    /// The version that it was sent for, if for one.
    pub expected: Option<u64>,
    /// What became of it.
    pub fate: Fate,
}

/// Everything that was commanded.
#[derive(Debug, Default)]
pub struct Book {
    sent: Mutex<Vec<Sent>>,
    retries: AtomicUsize,
}

/// What an answer says that the log must bear out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The consistency token.
    pub token: String,
    /// The version, where the answer tells that of the command's own record.
    pub version: Option<u64>,
}

/// A command that is about to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command {
    /// Which call.
    pub kind: &'static str,
    /// Its request id.
    pub request_id: Uuid,
    /// The version that it is for, if for one.
    pub expected: Option<u64>,
    /// Whether the caller tries again where there is no answer, or leaves it at not knowing.
    pub persistent: bool,
}

/// A caller of one service.
#[derive(Clone, Debug)]
pub struct Caller {
    channels: Arc<Vec<Channel>>,
    next: Arc<AtomicUsize>,
    token: MetadataValue<Ascii>,
    book: Arc<Book>,
}

/// One person's callers of all services.
#[derive(Clone, Debug)]
pub struct Person {
    /// The outage service.
    pub outage: Caller,
    /// The eligibility service.
    pub eligibility: Caller,
    /// The payout service.
    pub payout: Caller,
    /// The notifier service.
    pub notifier: Caller,
}

impl Person {
    /// Makes the callers; connections are opened when they are needed.
    ///
    /// # Errors
    /// Where an address is none.
    pub fn new(
        cluster: &Cluster,
        name: &str,
        book: &Arc<Book>,
    ) -> Result<Self, tonic::transport::Error> {
        let caller = |service: &str| {
            let mut channels = Vec::new();
            for worker in cluster.workers_of(service) {
                let endpoint = Endpoint::from_shared(worker.endpoint.clone())?;
                channels.push(endpoint.connect_timeout(ATTEMPT).connect_lazy());
            }
            let token = format!("Bearer {}", token(name));
            Ok(Caller {
                channels: Arc::new(channels),
                next: Arc::new(AtomicUsize::new(0)),
                token: token.parse().expect("tokens here are plain letters"),
                book: Arc::clone(book),
            })
        };
        let [outage, eligibility, payout, notifier] = SERVICES.map(|(service, _)| service);
        Ok(Self {
            outage: caller(outage)?,
            eligibility: caller(eligibility)?,
            payout: caller(payout)?,
            notifier: caller(notifier)?,
        })
    }
}

/// Tells whether an answer settles what became of a call; all others are no answer.
fn is_settled(code: Code) -> bool {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated
        | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Internal
        | Code::Unavailable => false,
    }
}

/// Lets a lost race and an outcome that nobody knows pass: the log will be asked about both.
///
/// # Errors
/// Any other refusal.
pub fn tolerated<T>(outcome: Result<T, Status>) -> Result<Option<T>, Status> {
    match outcome {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if status.code() == Code::Aborted || !is_settled(status.code()) => Ok(None),
        Err(status) => Err(status),
    }
}

impl Caller {
    /// Makes a request as this caller.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request.set_timeout(ATTEMPT);
        request
    }

    /// Waits until the first process takes connections.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn until_first_answers(&self) -> Result<(), Status> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut client = ProjectionServiceClient::new(self.channels[0].clone());
            let request = self.request(ListProjectionsRequest::default());
            match client.list_projections(request).await {
                Ok(_) => return Ok(()),
                Err(status) if Instant::now() > deadline => return Err(status),
                Err(_) => tokio::time::sleep(REST).await,
            }
        }
    }

    /// Makes a request whose message is a stream, with more time.
    pub fn stream<T>(&self, messages: T) -> Request<T> {
        let mut request = self.request(messages);
        request.set_timeout(LONG);
        request
    }

    /// Asks what takes longer, in the same way.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn ask_long<T, F, A>(&self, call: F) -> Result<T, Status>
    where
        F: Fn(Channel) -> A,
        A: Future<Output = Result<Response<T>, Status>>,
    {
        self.until((LONG, PATIENCE), call).await
    }

    /// Asks until there is an answer; each attempt goes to the next process.
    ///
    /// # Errors
    /// The refusal, or the last failure once the patience is over.
    pub async fn ask<T, F, A>(&self, call: F) -> Result<T, Status>
    where
        F: Fn(Channel) -> A,
        A: Future<Output = Result<Response<T>, Status>>,
    {
        self.until((ATTEMPT, PATIENCE), call).await
    }

    async fn until<T, F, A>(
        &self,
        (time, patience): (Duration, Duration),
        call: F,
    ) -> Result<T, Status>
    where
        F: Fn(Channel) -> A,
        A: Future<Output = Result<Response<T>, Status>>,
    {
        let deadline = Instant::now() + patience;
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed) % self.channels.len();
            let attempt = tokio::time::timeout(time, call(self.channels[place].clone()));
            let status = match attempt.await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer came in time"),
            };
            if is_settled(status.code()) || Instant::now() >= deadline {
                return Err(status);
            }
            self.book.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(REST).await;
        }
    }

    /// Sends a command, and writes down what became of it.
    ///
    /// # Errors
    /// The refusal, or the last failure where nobody knows.
    pub async fn command<T, F, A>(
        &self,
        command: Command,
        told: impl FnOnce(&T) -> Told,
        call: F,
    ) -> Result<T, Status>
    where
        F: Fn(Channel) -> A,
        A: Future<Output = Result<Response<T>, Status>>,
    {
        let patience = if command.persistent { PATIENCE } else { Duration::ZERO };
        let outcome = self.until((ATTEMPT, patience), call).await;
        let fate = match &outcome {
            Ok(answer) => {
                let Told { token, version } = told(answer);
                Fate::Acknowledged { token, version }
            }
            Err(status) if is_settled(status.code()) => Fate::Refused(status.code()),
            Err(_) => Fate::Unknown,
        };
        let Command { kind, request_id, expected, .. } = command;
        self.book.write(Sent { kind, request_id, expected, fate });
        outcome
    }
}

impl Command {
    /// Makes a command under a fresh request id that is sent until there is an answer.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self { kind, request_id: Uuid::new_v4(), expected: None, persistent: true }
    }

    /// Names the version that it is for.
    #[must_use]
    pub fn on(self, version: u64) -> Self {
        Self { expected: Some(version), ..self }
    }

    /// Gives its request id as messages carry it.
    #[must_use]
    pub fn id(&self) -> String {
        self.request_id.to_string()
    }

    /// Gives the version that it is for as messages carry it; empty for any.
    #[must_use]
    pub fn etag(&self) -> String {
        self.expected.map_or_else(String::new, |version| version.to_string())
    }
}

impl Book {
    fn write(&self, sent: Sent) {
        self.sent.lock().expect("no holder of this lock panics").push(sent);
    }

    /// Gives everything that was commanded so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("no holder of this lock panics").clone()
    }

    /// Counts the calls that were sent again.
    #[must_use]
    pub fn retries(&self) -> usize {
        self.retries.load(Ordering::Relaxed)
    }
}

impl Told {
    /// Takes the token and nothing else.
    #[must_use]
    pub fn token(token: &str) -> Self {
        Self { token: token.to_owned(), version: None }
    }

    /// Reads the positions of a token.
    ///
    /// # Panics
    /// Where it is none, which no service of ours may answer.
    #[must_use]
    pub fn positions(token: &str) -> Vec<Position> {
        let parts = token.split(',').filter(|part| !part.is_empty());
        parts.map(|part| part.parse().expect("tokens hold positions")).collect()
    }
}
