//! The real service on a Postgres of its own, and callers with tokens.

use std::time::{Duration, Instant};

use ristoro_local::{Postgres, PostgresOptions, cache_directory};
use ristoro_log::EventLog;
use ristoro_log::memory::MemoryLog;
use ristoro_outage::{routes, spec};
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_proto::outage::v1::signal_service_client::SignalServiceClient;
use ristoro_runtime::grpc::{GrpcRoutes, Principals, ServeError, ServeOptions, bind, serve};
use ristoro_runtime::service::{Service, Settings};
use ristoro_runtime::status::reason_text;
use ristoro_runtime::telemetry::Telemetry;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};
use uuid::Uuid;

/// `anna` declares with the token `secret`; `bo` is a feed with the token `hello`.
const PRINCIPALS: &str = r#"
[[principal]]
name = "anna"
roles = ["declarer"]
token_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[principal]]
name = "bo"
roles = ["observer"]
token_sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"#;

/// A running service with a server and a database of its own.
pub struct Running {
    pub service: Service,
    pool: PgPool,
    postgres: Postgres,
    channel: Channel,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), ServeError>>,
}

/// Starts the service on a fresh log of four partitions.
pub async fn start() -> Running {
    let options = PostgresOptions::throw_away(cache_directory());
    let postgres = Postgres::start(options).await.unwrap();
    let url = postgres.create_database("ristoro").await.unwrap();
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(20).connect(&url).await.unwrap();
    let log = MemoryLog::new(Uuid::new_v4(), 4);
    let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
    let on = (pool.clone(), EventLog::Memory(log));
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
    let server = tokio::spawn(serve(
        listener,
        routes(GrpcRoutes::new(), &service),
        options,
        shutdown.clone(),
    ));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    Running { service, pool, postgres, channel, shutdown, server }
}

impl Running {
    pub fn outages(&self) -> OutageServiceClient<Channel> {
        OutageServiceClient::new(self.channel.clone())
    }

    pub fn signals(&self) -> SignalServiceClient<Channel> {
        SignalServiceClient::new(self.channel.clone())
    }

    /// Ends the server, the loops and the database, in that order.
    pub async fn end(self) {
        self.shutdown.cancel();
        self.server.await.unwrap().unwrap();
        self.service.stop().await.unwrap();
        self.pool.close().await;
        self.postgres.stop().await.unwrap();
    }
}

/// A call of the declarer's.
pub fn as_anna<T>(message: T) -> Request<T> {
    with_token(message, "secret")
}

/// A call of the feed's.
pub fn as_bo<T>(message: T) -> Request<T> {
    with_token(message, "hello")
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

/// Checks that a call was refused for a reason.
#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, reason: ErrorReason) {
    use tonic_types::StatusExt;
    let status = answer.unwrap_err();
    let details = status.get_details_error_info();
    let found = details.map(|details| details.reason);
    assert_eq!(found.as_deref(), Some(reason_text(reason)), "{status}");
}

/// Waits until a query gives what it shall, at most 20 s.
pub async fn until<T: PartialEq + std::fmt::Debug>(expected: T, look: impl AsyncFn() -> T) {
    let begun = Instant::now();
    loop {
        let found = look().await;
        if found == expected {
            return;
        }
        let late = begun.elapsed() > Duration::from_secs(20);
        assert!(!late, "{found:?} is not {expected:?} after 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
