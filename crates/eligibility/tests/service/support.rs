//! The real service on a Postgres of its own, callers with tokens, and an outage on its log.

use std::time::Duration;

use ristoro_domain::facts::{Cause, Severity};
use ristoro_domain::outage;
use ristoro_domain::time::{Instant, Window};
use ristoro_eligibility::{routes, spec};
use ristoro_local::{Postgres, PostgresOptions, cache_directory};
use ristoro_log::envelope::derived_event_id;
use ristoro_log::memory::MemoryLog;
use ristoro_log::position::partition_of;
use ristoro_log::{Cause as RecordCause, Envelope, EventLog, NewRecord, Topic};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;
use ristoro_proto::wire::Wire;
use ristoro_runtime::grpc::{GrpcRoutes, Principals, ServeError, ServeOptions, bind, serve};
use ristoro_runtime::service::{Service, Settings};
use ristoro_runtime::telemetry::Telemetry;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

/// The partitions of the log.
pub const PARTITIONS: u32 = 4;

/// `anna` may do all but approve, with the token `secret`; `bo` approves, with the token `hello`; `cleo` reads, masked,
/// with the token `masked`.
const PRINCIPALS: &str = r#"
[[principal]]
name = "anna"
roles = ["operator", "policy-author", "proposer", "support", "analyst"]
token_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[principal]]
name = "bo"
roles = ["approver"]
token_sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

[[principal]]
name = "cleo"
roles = ["analyst"]
token_sha256 = "30e15b29b07c6ef608a2a6bfc708944c6c27dfa4342f43079892d8f51c646aab"
"#;

/// A running service with a server and a database of its own.
pub struct Running {
    pub service: Service,
    pub log: MemoryLog,
    pub pool: PgPool,
    pub channel: Channel,
    postgres: Postgres,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), ServeError>>,
}

/// Starts the service on a fresh log.
pub async fn start() -> Running {
    let options = PostgresOptions::throw_away(cache_directory());
    let postgres = Postgres::start(options).await.unwrap();
    let url = postgres.create_database("ristoro").await.unwrap();
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(20).connect(&url).await.unwrap();
    let log = MemoryLog::new(Uuid::new_v4(), PARTITIONS);
    let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
    let on = (pool.clone(), EventLog::Memory(log.clone()));
    let service =
        Service::start_on(spec(), Settings::default(), on, telemetry.clone(), shutdown.clone())
            .await
            .unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap(), "listen").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let options = ServeOptions {
        principals: Principals::parse("principals.toml", PRINCIPALS).unwrap(),
        call_deadline: Duration::from_secs(30),
        calls_at_once: 64,
        shutdown_bound: Duration::from_secs(5),
        telemetry,
    };
    let routes = routes(GrpcRoutes::new(), &service);
    let server = tokio::spawn(serve(listener, routes, options, shutdown.clone()));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    Running { service, log, pool, channel, postgres, shutdown, server }
}

impl Running {
    /// Ends the server, the loops and the database, in that order.
    pub async fn end(self) {
        self.shutdown.cancel();
        self.server.await.unwrap().unwrap();
        self.service.stop().await.unwrap();
        self.pool.close().await;
        self.postgres.stop().await.unwrap();
    }

    /// Imports rows.
    pub async fn import(
        &self,
        rows: Vec<api::SubscriptionRow>,
    ) -> api::ImportSubscriptionsResponse {
        let request = api::ImportSubscriptionsRequest {
            request_id: fresh_id(),
            rows,
            ..api::ImportSubscriptionsRequest::default()
        };
        let mut client = SubscriptionServiceClient::new(self.channel.clone());
        let stream = as_anna(tokio_stream::iter(vec![request]));
        client.import_subscriptions(stream).await.unwrap().into_inner()
    }

    /// Publishes a policy that is shipped.
    pub async fn publish(&self, id: &str) {
        self.publish_with(id, &[]).await;
    }

    /// Publishes a policy that is shipped, with some of its text replaced.
    pub async fn publish_with(&self, id: &str, changes: &[(&str, &str)]) {
        let known = ristoro_domain::policy::shipped().iter().find(|one| one.id == id).unwrap();
        let mut text = known.text.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let request = api::PublishPolicyRequest {
            request_id: fresh_id(),
            file: known.file.to_owned(),
            text,
            validate_only: false,
        };
        let mut client = PolicyServiceClient::new(self.channel.clone());
        client.publish_policy(as_anna(request)).await.unwrap();
    }

    /// Puts the outage of all mailboxes on the log, and waits for the table.
    pub async fn declare(&self, outage: &str) {
        self.declare_as(outage, declaration()).await;
    }

    /// Puts a declaration on the log, and waits for the table.
    pub async fn declare_as(&self, outage: &str, declaration: outage::Declaration) {
        let window = declaration.declared.unwrap();
        let event = outage::Event::OutageDeclared(Box::new(declaration));
        let stream = format!("outage/{outage}");
        let cause = RecordCause::Command(Uuid::new_v4());
        let partition = partition_of(outage, PARTITIONS);
        let envelope = Envelope {
            event_id: derived_event_id(&stream, 1, &cause),
            stream,
            version: 1,
            previous: Uuid::nil(),
            kind: event.kind().to_owned(),
            occurred_at: window.from,
            cause,
            command_id: None,
            actor: "test".to_owned(),
            traceparent: String::new(),
            payload: event.encode(),
        };
        let record = NewRecord { topic: Topic::Outage, partition, envelope };
        let offsets = self.log.append(&[record]).await.unwrap();
        let position =
            ristoro_log::Position { topic: Topic::Outage, partition, offset: offsets[0] };
        self.service.views().wait(&[position], Duration::from_secs(10)).await.unwrap();
    }
}

/// A declared outage of all mailboxes, 23 Jan 00:00 to 27 Jan 16:00.
pub fn declaration() -> outage::Declaration {
    let at = |text: &str| text.parse::<Instant>().unwrap();
    let window = Window::new(at("2023-01-22T23:00:00Z"), Some(at("2023-01-27T15:00:00Z"))).unwrap();
    outage::Declaration {
        provider: "italiaonline".to_owned(),
        title: "mail".to_owned(),
        time_zone: "Europe/Rome".to_owned(),
        origin: outage::Origin::Declared,
        declared: Some(window),
        observed: None,
        impacts: vec![outage::StatedImpact {
            id: "mailbox".to_owned(),
            service: None,
            component: "mailbox".to_owned(),
            severity: Severity::Total,
            cohort: None,
            window,
        }],
        cause: Some(Cause::Fault),
        announced_at: None,
        source: String::new(),
        modified_at: None,
        declared_at: None,
    }
}

/// A row of a paying subscription of the plan `plus-5gb`, or of a free one.
pub fn row(place: u64, plan: &str) -> api::SubscriptionRow {
    let free = plan == "free";
    api::SubscriptionRow {
        row: place,
        subscription_id: format!("s{place}"),
        subscriber_id: format!("p{place}"),
        service: "libero-mail".to_owned(),
        plan: plan.to_owned(),
        segment: api::Segment::Consumer.into(),
        class: if free { api::Class::Free } else { api::Class::Principal }.into(),
        cohort: "c1".to_owned(),
        fee: (!free).then(|| ristoro_proto::google::r#type::Money {
            currency_code: "EUR".to_owned(),
            units: 19,
            nanos: 990_000_000,
        }),
        fee_period: api::FeePeriod::Year.into(),
        valid_from: Some(prost_types::Timestamp { seconds: 1_640_000_000, nanos: 0 }),
        ..api::SubscriptionRow::default()
    }
}

/// A call of anna's.
pub fn as_anna<T>(message: T) -> Request<T> {
    with_token(message, "secret")
}

/// A call of bo's.
pub fn as_bo<T>(message: T) -> Request<T> {
    with_token(message, "hello")
}

/// A call of cleo's.
pub fn as_cleo<T>(message: T) -> Request<T> {
    with_token(message, "masked")
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

pub fn fresh_id() -> String {
    Uuid::new_v4().to_string()
}
