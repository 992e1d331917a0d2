//! `ristoro dev`: everything in one process on throw-away local servers.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use ristoro_local::{
    Kafka, KafkaOptions, MailCatcher, MailOptions, Postgres, PostgresOptions, cache_directory,
};
use ristoro_runtime::config::{Sources, load};
use ristoro_runtime::service::run;
use ristoro_runtime::{shutdown, telemetry};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Answer;
use crate::demo::{People, ROLES, libero};
use crate::verbs::play::Case;
use crate::verbs::service::{eligibility, notifier, outage, payout};

/// Runs everything locally.
#[derive(Debug, Args)]
pub struct Dev {
    /// Where the log is: in Postgres, or on a Kafka of its own
    #[arg(long, default_value = "postgres")]
    log: Log,
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
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Log {
    Postgres,
    Kafka,
}

/// Who writes the notices of a case.
const FROM: &str = "Italiaonline <no-reply@italiaonline.example>";
/// How long the case waits for notices.
const MAIL_BOUND: Duration = Duration::from_secs(20);
/// When no notice came for so long, all have come.
const MAIL_QUIET: Duration = Duration::from_secs(2);

/// The servers that this process started.
struct Servers {
    postgres: Postgres,
    kafka: Option<Kafka>,
    mail: MailCatcher,
    folder: PathBuf,
}

impl Dev {
    /// Runs until ctrl-C, or until the case is through.
    pub async fn run(self) -> Result<Answer> {
        let guard = telemetry::start("ristoro", "warn", telemetry::LogFormat::Auto, None)?;
        let shutdown = shutdown::on_signal().context("signals cannot be listened for")?;
        let (servers, settings) = self.start_servers().await?;
        let tokens = write_people(&servers.folder)?;
        let config = load(&Sources::of_process(None, settings))?;
        let smtp = format!("smtp://{}", servers.mail.address());
        let settings = ristoro_notifier::Settings::new(&smtp, FROM)?;
        let services = vec![outage(), eligibility(), payout(), notifier(settings)];
        let ready = run::start(services, &config, shutdown.clone()).await?;
        let (calls, pages) = ready.addresses()?;
        let endpoint = format!("http://{calls}");
        let serving = tokio::spawn(ready.serve());
        let played = match self.demo {
            None => Ok(()),
            Some(Case::Libero2023) => tokio::select! {
                played = play(&endpoint, &tokens, self.subscribers) => played,
                () = shutdown.cancelled() => Ok(()),
            },
        };
        if played.is_ok() && self.demo.is_some() {
            print_mail(&servers.mail).await;
        }
        if played.is_ok() && !self.once {
            print_addresses(&endpoint, &pages.to_string(), &tokens, &servers);
            shutdown.cancelled().await;
        }
        shutdown.cancel();
        let served = tokio::time::timeout(Duration::from_secs(20), serving).await;
        servers.stop().await?;
        drop(guard);
        played?;
        served.context("the services did not end in time")?.context("the services panicked")??;
        Ok(Answer::Yes)
    }

    async fn start_servers(&self) -> Result<(Servers, Vec<(String, String)>)> {
        eprintln!("starting a Postgres of our own");
        let postgres = Postgres::start(PostgresOptions::throw_away(cache_directory())).await?;
        let database = postgres.create_database("ristoro").await?;
        let kafka = match self.log {
            Log::Postgres => None,
            Log::Kafka => {
                eprintln!("starting a Kafka of our own");
                Some(Kafka::start(KafkaOptions::throw_away(cache_directory())).await?)
            }
        };
        let log = match &kafka {
            Some(kafka) => format!("kafka://{}", kafka.bootstrap()),
            None => database.clone(),
        };
        let mail = MailCatcher::start(MailOptions::default()).await?;
        let folder = std::env::temp_dir().join(format!("ristoro-dev-{}", Uuid::new_v4()));
        std::fs::create_dir_all(&folder)?;
        let principals = folder.join("principals.toml").display().to_string();
        let settings = [
            ("database_url", database),
            ("log", log),
            ("listen", format!("127.0.0.1:{}", self.port)),
            ("metrics_listen", "127.0.0.1:0".to_owned()),
            ("principals_file", principals),
            ("partitions", "4".to_owned()),
            ("pool_size", "60".to_owned()),
            ("lease", "all".to_owned()),
        ];
        let settings = settings.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Ok((Servers { postgres, kafka, mail, folder }, settings))
    }
}

impl Servers {
    async fn stop(self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder).context("the folder of tokens cannot be removed")?;
        if let Some(kafka) = self.kafka {
            kafka.stop().await?;
        }
        self.postgres.stop().await?;
        Ok(())
    }
}

/// Makes people with fresh tokens: the principals file holds hashes alone. Gives the file of the tokens.
fn write_people(folder: &std::path::Path) -> Result<PathBuf> {
    let (mut principals, mut tokens) = (String::new(), String::new());
    for (name, roles) in ROLES {
        let token = Uuid::new_v4().simple().to_string();
        let hash = Sha256::digest(token.as_bytes());
        let hash = hash.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        });
        writeln!(
            principals,
            "[[principal]]\nname = \"{name}\"\nroles = {roles:?}\ntoken_sha256 = \"{hash}\"\n"
        )?;
        writeln!(tokens, "{name} = \"{token}\"")?;
    }
    std::fs::write(folder.join("principals.toml"), principals)?;
    let path = folder.join("tokens.toml");
    std::fs::write(&path, tokens)?;
    Ok(path)
}

/// Shows how many notices have come when none comes any more, or after a while, and what one says.
async fn print_mail(mail: &MailCatcher) {
    println!("\n8. Notices, over SMTP to a mail server of our own");
    let begun = tokio::time::Instant::now();
    let (mut count, mut since) = (mail.count(), begun);
    while begun.elapsed() < MAIL_BOUND && (count == 0 || since.elapsed() < MAIL_QUIET) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if mail.count() != count {
            (count, since) = (mail.count(), tokio::time::Instant::now());
        }
    }
    let more = if since.elapsed() < MAIL_QUIET { " so far" } else { "" };
    println!("  {count} notices came in{more}; the first says:");
    if let Some(message) = mail.messages().first() {
        for line in String::from_utf8_lossy(&message.raw).lines() {
            println!("    {line}");
        }
    }
}

async fn play(endpoint: &str, tokens: &std::path::Path, subscribers: u64) -> Result<()> {
    let people = People::connect(&endpoint.parse()?, &std::fs::read_to_string(tokens)?).await?;
    libero::play(&people, subscribers).await
}

fn print_addresses(endpoint: &str, pages: &str, tokens: &std::path::Path, servers: &Servers) {
    let tokens = tokens.display();
    println!("gRPC      {endpoint}");
    println!("metrics   http://{pages}/metrics");
    println!("SMTP      {}", servers.mail.address());
    println!("Postgres  {}", servers.postgres.url("ristoro"));
    if let Some(kafka) = &servers.kafka {
        println!("Kafka     {}", kafka.bootstrap());
    }
    println!("tokens    {tokens}");
    println!("\nTry next:");
    println!(
        "  export RISTORO_ENDPOINT={endpoint} RISTORO_TOKEN=$(sed -n 's/^ada = \"\\(.*\\)\"/\\1/p' {tokens})"
    );
    println!(
        "  ristoro assessment simulate --outage libero-2023-01 --policies libero-2023,agcom-347-18"
    );
    println!(
        "  grpcurl -plaintext -H \"authorization: Bearer $RISTORO_TOKEN\" {} ristoro.outage.v1.OutageService/ListOutages",
        endpoint.trim_start_matches("http://")
    );
    println!("\nCtrl-C ends everything.");
}
