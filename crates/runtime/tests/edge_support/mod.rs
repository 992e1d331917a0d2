//! A real server on a free port, with a small service of its own behind the real edge.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use ristoro_proto::ops::v1::projection_service_client::ProjectionServiceClient;
use ristoro_runtime::grpc::{GrpcRoutes, Principals, ServeError, ServeOptions, bind, serve};
use ristoro_runtime::telemetry::Telemetry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::transport::Channel;

/// `anna` and `carla` are operators with the tokens `secret` and `other`; `bo` is an observer with `hello`.
const PRINCIPALS: &str = r#"
[[principal]]
name = "anna"
roles = ["operator"]
token_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[principal]]
name = "bo"
roles = ["observer"]
token_sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

[[principal]]
name = "carla"
roles = ["operator"]
token_sha256 = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
"#;

/// A server that runs.
pub struct Running {
    pub address: SocketAddr,
    pub telemetry: Telemetry,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<Result<(), ServeError>>,
}

/// How the server differs from the usual one.
pub struct Limits {
    pub call_deadline: Duration,
    pub calls_at_once: usize,
    pub shutdown_bound: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_deadline: Duration::from_secs(30),
            calls_at_once: 64,
            shutdown_bound: Duration::from_secs(10),
        }
    }
}

pub async fn start(routes: GrpcRoutes, limits: Limits) -> Running {
    let listener = bind("127.0.0.1:0".parse().unwrap(), "listen").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
    let options = ServeOptions {
        principals: Principals::parse("principals.toml", PRINCIPALS).unwrap(),
        call_deadline: limits.call_deadline,
        calls_at_once: limits.calls_at_once,
        shutdown_bound: limits.shutdown_bound,
        telemetry: telemetry.clone(),
    };
    let task = tokio::spawn(serve(listener, routes, options, shutdown.clone()));
    Running { address, telemetry, shutdown, task }
}

impl Running {
    pub async fn channel(&self) -> Channel {
        let address = format!("http://{}", self.address);
        Channel::from_shared(address).unwrap().connect().await.unwrap()
    }

    pub async fn client(&self) -> ProjectionServiceClient<Channel> {
        ProjectionServiceClient::new(self.channel().await)
    }

    /// Ends the server and waits for it.
    pub async fn end(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Puts a bearer token on a request.
pub fn with_token<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}
