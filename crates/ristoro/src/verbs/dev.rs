//! `ristoro dev`: everything in one process on local servers of its own.

mod closing;
mod folder;
mod notices;
pub mod people;
mod servers;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use ristoro_proto::outage::v1 as api;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_runtime::config::{Sources, load};
use ristoro_runtime::service::run;
use ristoro_runtime::{shutdown, telemetry};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::Answer;
use crate::client::Service;
use crate::demo::notices::Notices;
use crate::demo::{OUTAGE, People, elsewhere, libero};
use crate::verbs::play::Case;
use crate::verbs::service::{eligibility, notifier, outage, payout};
use closing::Addresses;
use folder::Folder;
use people::passes;
use servers::Servers;

/// Runs everything locally.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro dev                                                      # everything, empty, until Ctrl-C
  ristoro dev --demo libero-2023 --once --subscribers 400          # plays a case and ends
  ristoro dev --log kafka --data-dir ./stack                       # keeps what it knows for the next start")]
pub struct Dev {
    /// Where the log is: in Postgres, or on a Kafka of its own [default: as the folder has it, else postgres]
    #[arg(long)]
    log: Option<Log>,
    /// Plays a case first
    #[arg(long)]
    demo: Option<Case>,
    /// Ends after the case
    #[arg(long, requires = "demo")]
    once: bool,
    /// How many subscriptions the case has
    #[arg(long, default_value_t = 20_000)]
    subscribers: u64,
    /// The port of the services; a free one unless given
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A folder for the data and the tokens, which the next start goes on with; nothing is kept unless given
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Empties the folder first
    #[arg(long, requires = "data_dir")]
    reset: bool,
}

/// Where the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Log {
    Postgres,
    Kafka,
}

impl fmt::Display for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Log::Postgres => "postgres",
            Log::Kafka => "kafka",
        })
    }
}

/// Who writes the notices of a case.
const FROM: &str = "Italiaonline <no-reply@italiaonline.example>";
/// Which log lines are written. The servers come and go with this process and share its
/// machine, which their clients would tell of.
const LOG_FILTER: &str = "warn,sqlx=error,sqlx_core=error,ristoro_log::kafka::settings=error";
/// How long the services may take to end; they have a shorter bound of their own.
const END_BOUND: Duration = Duration::from_secs(20);

impl Dev {
    /// Runs until Ctrl-C, or until the case is through.
    pub async fn run(self) -> Result<Answer> {
        let spans = std::env::var("RISTORO_OTLP_ENDPOINT").ok();
        let format = telemetry::LogFormat::Auto;
        let guard = telemetry::start("ristoro", LOG_FILTER, format, spans.as_deref())?;
        let shutdown = shutdown::on_signal().context("signals cannot be listened for")?;
        let folder = match &self.data_dir {
            None => Folder::throw_away(self.log.unwrap_or(Log::Postgres))?,
            Some(path) => Folder::kept(path, self.log, self.reset)?,
        };
        let servers = tokio::select! {
            started = Servers::start(&folder) => started?,
            () = shutdown.cancelled() => {
                eprintln!("ended before everything was started");
                return Ok(Answer::No);
            }
        };
        let worked = self.serve(&folder, &servers, shutdown).await;
        let stopped = servers.stop().await;
        drop(guard);
        worked?;
        stopped?;
        if folder.is_kept() {
            eprintln!("everything is kept in {}", folder.path().display());
        }
        Ok(Answer::Yes)
    }

    /// Runs the services on servers that are there.
    async fn serve(
        &self,
        folder: &Folder,
        servers: &Servers,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let passes = passes(&folder.people())?;
        let settings = self.settings(servers, &passes.principals.display().to_string());
        let config = load(&Sources::of_process(None, settings))?;
        let smtp = ristoro_notifier::Settings::new(&servers.mail.url(), FROM)?;
        let services = vec![outage(), eligibility(), payout(), notifier(smtp)];
        let ready = run::start(services, &config, shutdown.clone()).await?;
        let (calls, pages) = ready.addresses()?;
        let (endpoint, pages) = (format!("http://{calls}"), pages.to_string());
        let serving = tokio::spawn(ready.serve());
        let worked = async {
            let tokens = std::fs::read_to_string(&passes.tokens)?;
            let people = People::connect(&endpoint.parse()?, &tokens).await?;
            if let Some(Case::Libero2023) = self.demo {
                self.play(&people, servers).await?;
            }
            if !self.once {
                let played = is_known(&people).await?;
                let tokens = &passes.tokens;
                let addresses = Addresses { endpoint: &endpoint, pages: &pages, tokens };
                closing::print(&addresses, servers, played);
                std::future::pending::<()>().await;
            }
            Ok(())
        };
        let worked: Result<()> = tokio::select! {
            worked = worked => worked,
            () = shutdown.cancelled() => Ok(()),
        };
        shutdown.cancel();
        let served = tokio::time::timeout(END_BOUND, serving).await;
        worked?;
        served.context("the services did not end in time")?.context("the services panicked")??;
        Ok(())
    }

    fn settings(&self, servers: &Servers, principals: &str) -> Vec<(String, String)> {
        let settings = [
            ("database_url", servers.database.clone()),
            ("log", servers.log.clone()),
            ("listen", format!("127.0.0.1:{}", self.port)),
            ("metrics_listen", "127.0.0.1:0".to_owned()),
            ("principals_file", principals.to_owned()),
            ("partitions", "4".to_owned()),
            ("pool_size", "60".to_owned()),
            ("lease", "all".to_owned()),
        ];
        settings.map(|(key, value)| (key.to_owned(), value)).to_vec()
    }

    /// Plays the case, unless it was played on these data before.
    async fn play(&self, people: &People, servers: &Servers) -> Result<()> {
        if is_known(people).await? {
            println!(
                "The case libero-2023 was begun here before (outages/{OUTAGE} is there), so it is not played again: \
                 --reset plays it anew, on empty data."
            );
            return Ok(());
        }
        libero::play(people, self.subscribers).await?;
        let notices = Notices::of_the_case(&people.carla).await?;
        notices::wait_and_tell(&notices, &servers.mail).await?;
        elsewhere::play(people).await
    }
}

/// Tells whether the outage of the case is there.
async fn is_known(people: &People) -> Result<bool> {
    let mut client = OutageServiceClient::new(people.ada.channel(Service::Outage)?);
    let request = api::GetOutageRequest { name: format!("outages/{OUTAGE}"), ..Default::default() };
    match client.get_outage(people.ada.request(request)).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(status.into()),
    }
}
