//! Calls to running services: where they are, and as whom.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use uuid::Uuid;

/// How long a connection may take.
const CONNECT_BOUND: Duration = Duration::from_secs(5);

/// Where the services are and who calls.
#[derive(Clone, Debug, clap::Args)]
pub struct Connection {
    /// The services' address, such as http://127.0.0.1:50051
    #[arg(long, env = "RISTORO_ENDPOINT", default_value = "http://127.0.0.1:50051")]
    pub endpoint: String,
    /// The bearer token of the caller
    #[arg(long, env = "RISTORO_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// An open connection with a caller's token.
#[derive(Clone)]
pub struct Caller {
    /// The connection.
    pub channel: Channel,
    token: MetadataValue<Ascii>,
}

impl Connection {
    /// Connects.
    pub async fn open(&self) -> Result<Caller> {
        let Some(token) = &self.token else {
            bail!(
                "no token is given: set RISTORO_TOKEN or write --token (`ristoro dev` prints some)"
            );
        };
        Caller::connect(&self.endpoint, token).await
    }
}

impl Caller {
    /// Connects to an address as the owner of a token.
    pub async fn connect(endpoint: &str, token: &str) -> Result<Self> {
        let target = Endpoint::from_shared(endpoint.to_owned())
            .with_context(|| format!("{endpoint:?} is no address: write http://HOST:PORT"))?;
        let channel = target.connect_timeout(CONNECT_BOUND).connect().await;
        let channel = channel.with_context(|| {
            format!("nothing answers at {endpoint}: start `ristoro dev`, or correct --endpoint")
        })?;
        Self::with(channel, token)
    }

    /// Uses a connection as the owner of a token.
    pub fn with(channel: Channel, token: &str) -> Result<Self> {
        let token = format!("Bearer {token}").parse();
        Ok(Self {
            channel,
            token: token.context("the token has characters that no header can have")?,
        })
    }

    /// Makes a request as this caller.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }
}

/// Makes a fresh request id.
pub fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// Makes one line of a refusal: its reason, and its message.
pub fn refusal(status: &Status) -> String {
    use tonic_types::StatusExt;
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    format!("{reason}: {}", status.message())
}
