//! Calls to running services: where they are, and as whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint, Error as TransportError};
use tonic::{Request, Status};
use uuid::Uuid;

/// How long a connection may take.
const CONNECT_BOUND: Duration = Duration::from_secs(5);
/// What a single address begins with; TLS ends before the services.
const SCHEME: &str = "http://";

/// A service that can be called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Service {
    /// Outages and signals.
    Outage,
    /// Subscriptions, policies, assessments and entitlements.
    Eligibility,
    /// Payouts, payment files, grants and the ledger.
    Payout,
    /// Notices.
    Notifier,
}

impl Service {
    /// All of them, in the order in which an outage goes through them.
    pub const ALL: [Service; 4] =
        [Service::Outage, Service::Eligibility, Service::Payout, Service::Notifier];

    /// Gives its name, as `--endpoint` and resource names write it.
    pub fn name(self) -> &'static str {
        match self {
            Service::Outage => "outage",
            Service::Eligibility => "eligibility",
            Service::Payout => "payout",
            Service::Notifier => "notifier",
        }
    }
}

/// Where the services are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints(BTreeMap<Service, String>);

/// What is wrong with the text of endpoints.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EndpointsError {
    /// A part is no address.
    #[error("{0:?} is no address: write http://HOST:PORT")]
    NoAddress(String),
    /// A part has no name before its address.
    #[error("{0:?} has no name: write NAME=http://HOST:PORT, separated by commas")]
    NoName(String),
    /// A name is none of a service.
    #[error("{0:?} is no service: write outage, eligibility, payout or notifier")]
    Unknown(String),
    /// A service has two addresses.
    #[error("{0} is given twice: keep one of its addresses")]
    Twice(&'static str),
}

impl FromStr for Endpoints {
    type Err = EndpointsError;

    fn from_str(text: &str) -> Result<Self, EndpointsError> {
        if !text.contains('=') && !text.contains(',') {
            let one = address(text)?;
            return Ok(Self(Service::ALL.map(|service| (service, one.clone())).into()));
        }
        let mut found = BTreeMap::new();
        for part in text.split(',').map(str::trim) {
            let (name, url) =
                part.split_once('=').ok_or_else(|| EndpointsError::NoName(part.to_owned()))?;
            let service = Service::ALL.into_iter().find(|service| service.name() == name);
            let service = service.ok_or_else(|| EndpointsError::Unknown(name.to_owned()))?;
            if found.insert(service, address(url)?).is_some() {
                return Err(EndpointsError::Twice(service.name()));
            }
        }
        Ok(Self(found))
    }
}

/// Checks an address: the scheme, a host, and nothing that no URI may have.
fn address(text: &str) -> Result<String, EndpointsError> {
    let text = text.trim().trim_end_matches('/');
    let host = text.strip_prefix(SCHEME).is_some_and(|host| !host.is_empty());
    if host && Endpoint::from_shared(text.to_owned()).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(EndpointsError::NoAddress(text.to_owned()))
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> =
            self.0.iter().map(|(service, url)| format!("{}={url}", service.name())).collect();
        formatter.write_str(&all.join(","))
    }
}

/// Where the services are and who calls.
#[derive(Clone, Debug, clap::Args)]
pub struct Connection {
    /// One address of all services, or one of each: outage=http://A:1,eligibility=http://B:2,payout=...,notifier=...
    #[arg(
        long,
        global = true,
        env = "RISTORO_ENDPOINT",
        default_value = "http://127.0.0.1:50051",
        help_heading = "Connection"
    )]
    pub endpoint: Endpoints,
    /// The bearer token of the caller
    #[arg(
        long,
        global = true,
        env = "RISTORO_TOKEN",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    pub token: Option<String>,
}

/// Why a call cannot be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// Who calls was not said.
    #[error("no token is given: set RISTORO_TOKEN or write --token (`ristoro dev` prints some)")]
    NoToken,
    /// A service is needed and has no address.
    #[error("no address of the {0} service is given: add {0}=http://HOST:PORT to --endpoint")]
    Missing(&'static str),
    /// Nobody listens at an address.
    #[error(
        "nothing answers at {address}: start the service (or `ristoro dev`), or correct --endpoint"
    )]
    Unreachable {
        /// The address.
        address: String,
        /// What happened.
        source: Arc<TransportError>,
    },
}

impl From<ClientError> for Status {
    fn from(error: ClientError) -> Status {
        let mut status = match error {
            ClientError::NoToken => Status::unauthenticated(error.to_string()),
            ClientError::Missing(_) => Status::invalid_argument(error.to_string()),
            ClientError::Unreachable { .. } => Status::unavailable(error.to_string()),
        };
        status.set_source(Arc::new(error));
        status
    }
}

/// Open connections with a caller's token.
#[derive(Clone)]
pub struct Caller {
    connections: Arc<Connections>,
    token: MetadataValue<Ascii>,
}

/// Each address is connected once, whoever answers there.
struct Connections {
    addresses: BTreeMap<Service, String>,
    channels: BTreeMap<String, Result<Channel, ClientError>>,
}

impl Connection {
    /// Connects.
    pub async fn open(&self) -> Result<Caller> {
        let token = self.token.as_ref().ok_or(ClientError::NoToken)?;
        Caller::connect(&self.endpoint, token).await
    }
}

impl Caller {
    /// Connects to all addresses at once, as the owner of a token. An address where nobody listens is told when its
    /// service is needed, so that one service can be asked while another is down.
    pub async fn connect(endpoints: &Endpoints, token: &str) -> Result<Self> {
        let addresses: BTreeSet<String> = endpoints.0.values().cloned().collect();
        let channels = join_all(addresses.into_iter().map(connect)).await.into_iter().collect();
        let connections = Connections { addresses: endpoints.0.clone(), channels };
        Ok(Self { connections: Arc::new(connections), token: header(token)? })
    }

    /// Uses the same connections as the owner of another token.
    pub fn with_token(&self, token: &str) -> Result<Self> {
        Ok(Self { connections: self.connections.clone(), token: header(token)? })
    }

    /// Gives the connection to a service.
    pub fn channel(&self, service: Service) -> Result<Channel, ClientError> {
        let address = self.connections.addresses.get(&service);
        self.at(address.ok_or(ClientError::Missing(service.name()))?)
    }

    /// Gives the connections to all addresses, each once, with the services that are expected there.
    pub fn channels(&self) -> Result<Vec<(Vec<Service>, Channel)>, ClientError> {
        let mut services = BTreeMap::<&str, Vec<Service>>::new();
        for (service, address) in &self.connections.addresses {
            services.entry(address).or_default().push(*service);
        }
        services.into_iter().map(|(address, of)| Ok((of, self.at(address)?))).collect()
    }

    fn at(&self, address: &str) -> Result<Channel, ClientError> {
        self.connections.channels[address].clone()
    }

    /// Makes a request as this caller.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }
}

async fn connect(address: String) -> (String, Result<Channel, ClientError>) {
    let endpoint = Endpoint::from_shared(address.clone()).map_err(Arc::new);
    let connected = match endpoint {
        Ok(endpoint) => endpoint.connect_timeout(CONNECT_BOUND).connect().await.map_err(Arc::new),
        Err(error) => Err(error),
    };
    let unreachable = |source| ClientError::Unreachable { address: address.clone(), source };
    let channel = connected.map_err(unreachable);
    (address, channel)
}

fn header(token: &str) -> Result<MetadataValue<Ascii>> {
    format!("Bearer {token}").parse().context("the token has characters that no header can have")
}

/// Makes a fresh request id.
pub fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// Makes one line of a refusal: its reason, and its message.
pub fn refusal(status: &Status) -> String {
    use tonic_types::StatusExt;
    match status.get_details_error_info() {
        Some(info) => format!("{}: {}", info.reason, status.message()),
        // What fails on the way to a service carries no details.
        None => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        text.parse::<Endpoints>()
            .map(|endpoints| endpoints.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn one_address_is_that_of_all_services() {
        let one = "http://127.0.0.1:50051/".parse::<Endpoints>().expect("an address");
        assert_eq!(one.0.len(), 4);
        assert!(one.0.values().all(|url| url == "http://127.0.0.1:50051"));
    }

    #[test]
    fn each_service_may_have_an_address_of_its_own() {
        let some = "payout=http://p:2, outage=http://o:1";
        assert_eq!(parsed(some), Ok("outage=http://o:1,payout=http://p:2".to_owned()));
    }

    #[test]
    fn endpoints_say_what_is_wrong_with_them() {
        for (text, expected) in [
            ("", "\"\" is no address: write http://HOST:PORT"),
            ("localhost:50051", "\"localhost:50051\" is no address"),
            ("http://", "\"http:\" is no address"),
            ("https://h:1", "\"https://h:1\" is no address"),
            ("http://a b:1", "\"http://a b:1\" is no address"),
            ("outage=h:1", "\"h:1\" is no address"),
            ("http://h:1,http://h:2", "\"http://h:1\" has no name"),
            ("outage=http://h:1,", "\"\" has no name"),
            ("ledger=http://h:1", "\"ledger\" is no service: write outage,"),
            ("payout=http://h:1,payout=http://h:2", "payout is given twice"),
        ] {
            let problem = parsed(text).expect_err(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[tokio::test]
    async fn a_service_without_an_address_is_named() {
        let endpoints = "outage=http://127.0.0.1:1".parse().expect("an address");
        let caller = Caller::connect(&endpoints, "token").await.expect("a token");
        let missing = caller.channel(Service::Payout).expect_err("it has no address");
        let expected = "no address of the payout service is given: add payout=http://HOST:PORT";
        assert!(missing.to_string().contains(expected), "{missing}");
        let nobody = caller.channel(Service::Outage).expect_err("nobody listens");
        assert!(nobody.to_string().contains("nothing answers at http://127.0.0.1:1"), "{nobody}");
    }
}
