//! `ristoro eligibility` and its like: one service from its configuration; and the health check.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use ristoro_runtime::config::{Sources, load};
use ristoro_runtime::grpc::RoutesOf;
use ristoro_runtime::service::run::RunError;
use ristoro_runtime::service::{ServiceSpec, run};
use ristoro_runtime::{shutdown, telemetry};
use tonic::transport::Endpoint;

use crate::Answer;
use crate::verbs::log::unreachable;

/// Where the settings of a service come from.
#[derive(Debug, Args)]
pub struct Given {
    /// The configuration file; RISTORO_* in the environment wins over it
    #[arg(long, value_name = "FILE", env = "RISTORO_CONFIG")]
    config: Option<PathBuf>,
    /// A setting that wins over the file and the environment, such as lease=all; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
}

impl Given {
    /// Gives all sources, this process's environment among them.
    pub fn sources(self) -> Sources {
        Sources::of_process(self.config, self.settings)
    }
}

/// Runs a service.
#[derive(Debug, Args)]
#[command(after_help = "Settings: docs/operating.md, or `ristoro config show`.

Example:
  ristoro eligibility --config ristoro.toml --set listen=0.0.0.0:50051")]
pub struct Run {
    #[command(flatten)]
    given: Given,
}

/// Runs the notifier service.
#[derive(Debug, Args)]
pub struct RunNotifier {
    #[command(flatten)]
    run: Run,
    /// The mail server that takes the notices, smtp://HOST:PORT
    #[arg(long, env = "RISTORO_SMTP_URL")]
    smtp_url: String,
    /// Who writes, NAME <ADDRESS>
    #[arg(long, env = "RISTORO_NOTICE_FROM")]
    notice_from: String,
    /// After how many seconds somebody else goes on with a wave of notices that does not move
    #[arg(long, env = "RISTORO_TAKEOVER_AFTER_SECONDS", default_value_t = 60)]
    takeover_after_seconds: u32,
}

impl RunNotifier {
    /// Runs until a signal.
    pub async fn run(self) -> Result<Answer> {
        let mut settings = ristoro_notifier::Settings::new(&self.smtp_url, &self.notice_from)?;
        settings.takeover_after = Duration::from_secs(u64::from(self.takeover_after_seconds));
        self.run.run(move || notifier(settings)).await
    }
}

/// Asks whether a service is ready.
#[derive(Debug, Args)]
pub struct Healthcheck {
    /// The address of the service's gRPC port
    #[arg(long, env = "RISTORO_ENDPOINT", default_value = "http://127.0.0.1:50051")]
    pub endpoint: String,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// Gives the eligibility service.
pub fn eligibility() -> (ServiceSpec, RoutesOf) {
    (ristoro_eligibility::spec(), Box::new(ristoro_eligibility::routes))
}

/// Gives the payout service.
pub fn payout() -> (ServiceSpec, RoutesOf) {
    (ristoro_payout::spec(), Box::new(ristoro_payout::routes))
}

/// Gives the notifier service.
pub fn notifier(settings: ristoro_notifier::Settings) -> (ServiceSpec, RoutesOf) {
    let spec = ristoro_notifier::spec(&settings);
    let routes: RoutesOf =
        Box::new(move |routes, service| ristoro_notifier::routes(routes, service, &settings));
    (spec, routes)
}

/// Gives the outage service.
pub fn outage() -> (ServiceSpec, RoutesOf) {
    (ristoro_outage::spec(), Box::new(ristoro_outage::routes))
}

/// Lists all services as they are migrated and looked at, in the order of the data's way.
pub fn specs() -> [ServiceSpec; 4] {
    let nowhere =
        ristoro_notifier::Settings::new("smtp://localhost:25", "nobody <nobody@localhost>");
    let nowhere = nowhere.expect("both are well-formed, and nothing is sent");
    let notifier = ristoro_notifier::spec(&nowhere);
    [ristoro_outage::spec(), ristoro_eligibility::spec(), ristoro_payout::spec(), notifier]
}

impl Run {
    /// Runs until a signal.
    pub async fn run(self, service: impl FnOnce() -> (ServiceSpec, RoutesOf)) -> Result<Answer> {
        let config = load(&self.given.sources())?;
        let (spec, routes) = service();
        let otlp = config.otlp_endpoint.as_deref();
        let guard = telemetry::start(spec.name, &config.log_filter, config.log_format, otlp)?;
        let shutdown = shutdown::on_signal().context("signals cannot be listened for")?;
        let name = spec.name;
        let started = run::start(vec![(spec, routes)], &config, shutdown).await;
        let ready = started.map_err(|error| match error {
            RunError::Log(error) => unreachable(&config.log, error),
            RunError::Serve(_)
            | RunError::Connect(_)
            | RunError::Start(_)
            | RunError::Loop(_)
            | RunError::Address(_) => error.into(),
        })?;
        let (calls, pages) = ready.addresses()?;
        tracing::info!(service = name, %calls, %pages, "ready to be called");
        ready.serve().await?;
        drop(guard);
        Ok(Answer::Yes)
    }
}

impl Healthcheck {
    /// Asks once.
    pub async fn run(self) -> Result<Answer> {
        use tonic_health::pb::health_check_response::ServingStatus;
        use tonic_health::pb::health_client::HealthClient;
        let target = Endpoint::from_shared(self.endpoint.clone())?;
        let channel = target.connect().await.with_context(|| {
            format!("nothing answers at {}: is the service started?", self.endpoint)
        })?;
        let request = tonic_health::pb::HealthCheckRequest { service: String::new() };
        let answer = HealthClient::new(channel).check(request).await?.into_inner();
        let serving = answer.status() == ServingStatus::Serving;
        Ok(if serving { Answer::Yes } else { Answer::No })
    }
}
