//! A whole system for a test: the four services, each a process of the real binary, on one Postgres.

pub mod prepare;
mod service;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use ristoro_local::{
    Kafka, KafkaOptions, MailCatcher, MailOptions, Postgres, PostgresOptions, cache_directory,
};
use ristoro_log::{EventLog, LogConfig, Position, Topic};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use service::{Caller, Ended, Service, binary};

/// What goes wrong with a test's own system.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The services in the order of the data's way.
pub const SERVICES: [&str; 4] = ["outage", "eligibility", "payout", "notifier"];
/// Those who may do everything; only the rule of two people keeps one of them from approving.
pub const PEOPLE: [&str; 2] = ["ada", "bruno"];
/// One who may only submit signals.
pub const FEED: &str = "feed";

/// What a system is made of.
#[derive(Debug)]
pub struct StackOptions<'a> {
    /// Settings beside the usual ones.
    pub settings: &'a [(&'a str, &'a str)],
    /// How the tables' server runs; the log is in it too unless there is a broker.
    pub postgres: PostgresOptions,
    /// The broker of the log.
    pub kafka: Option<KafkaOptions>,
    /// How many partitions each topic has.
    pub partitions: u32,
}

impl Default for StackOptions<'_> {
    fn default() -> Self {
        let postgres = PostgresOptions::throw_away(cache_directory());
        Self { settings: &[], postgres, kafka: None, partitions: 2 }
    }
}

/// A running system. Dropped, everything goes.
#[derive(Debug)]
pub struct Stack {
    /// The tables' and the log's server.
    pub postgres: Postgres,
    /// The log's server, where it is not Postgres.
    pub kafka: Option<Kafka>,
    /// The recording mail server.
    pub mail: MailCatcher,
    /// The database's URL.
    pub database: String,
    /// The log.
    pub log: EventLog,
    /// Where files may be put; it goes with the system.
    pub folder: PathBuf,
    services: BTreeMap<&'static str, Service>,
    /// Where the services that have ended were called and had their pages.
    ended: BTreeMap<&'static str, (String, String)>,
    settings: Vec<(String, String)>,
}

impl Stack {
    /// Starts everything and waits until all are ready.
    ///
    /// # Errors
    /// Where something does not start.
    pub async fn start(options: StackOptions<'_>) -> Result<Self, Error> {
        let folder = std::env::temp_dir().join(format!("ristoro-stack-{}", Uuid::new_v4()));
        std::fs::create_dir_all(&folder)?;
        let principals = folder.join("principals.toml");
        std::fs::write(&principals, people())?;
        let postgres = Postgres::start(options.postgres).await?;
        let database = postgres.create_database("ristoro").await?;
        let kafka = match options.kafka {
            Some(options) => Some(Kafka::start(options).await?),
            None => None,
        };
        let log = match &kafka {
            Some(kafka) => LogConfig::Kafka { bootstrap: kafka.bootstrap() },
            None => LogConfig::Postgres { url: database.clone() },
        };
        let mail = MailCatcher::start(MailOptions::default()).await?;
        let own = [
            ("RISTORO_DATABASE_URL", database.as_str()),
            ("RISTORO_LOG", &address(&log)),
            ("RISTORO_PRINCIPALS_FILE", &principals.display().to_string()),
            ("RISTORO_PARTITIONS", &options.partitions.to_string()),
            ("RISTORO_POOL_SIZE", "12"),
            ("RISTORO_LOG_FILTER", "warn"),
            ("RISTORO_SMTP_URL", &mail.url()),
            ("RISTORO_NOTICE_FROM", "Provider <no-reply@provider.example>"),
        ];
        let all = own.iter().chain(options.settings);
        let settings = all.map(|(key, value)| ((*key).into(), (*value).into()));
        let settings: Vec<(String, String)> = settings.collect();
        // The log is made here, so that the processes need not agree on who makes it.
        let log = EventLog::create(&log, Uuid::new_v4(), options.partitions).await?;
        let mut services = BTreeMap::new();
        for name in SERVICES {
            services.insert(name, Service::start(name, &settings)?);
        }
        for service in services.values_mut() {
            service.ready().await?;
        }
        Ok(Self {
            postgres,
            kafka,
            mail,
            database,
            log,
            folder,
            services,
            ended: BTreeMap::new(),
            settings,
        })
    }

    /// Gives a running service.
    ///
    /// # Panics
    /// For a name that is none.
    #[must_use]
    pub fn service(&self, name: &str) -> &Service {
        self.services.get(name).expect("the test names one of the four")
    }

    /// Gives the settings that the services were started with, but for their addresses.
    #[must_use]
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Calls a service as somebody.
    ///
    /// # Errors
    /// Where it cannot be connected to.
    pub async fn caller(&self, service: &str, name: &str) -> Result<Caller, Error> {
        Caller::connect(&self.service(service).endpoint, &token(name)).await
    }

    /// Gives the process ids of the services and servers, by name.
    #[must_use]
    pub fn processes(&self) -> BTreeMap<&'static str, u32> {
        let services = self.services.iter();
        let mut processes: BTreeMap<&'static str, u32> =
            services.filter_map(|(name, service)| Some((*name, service.id()?))).collect();
        processes.insert("postgres", self.postgres.process_id());
        processes.extend(self.kafka.as_ref().map(|kafka| ("kafka", kafka.process_id())));
        processes
    }

    /// Asks a service to end, as an orchestrator does, and waits.
    ///
    /// # Errors
    /// Where it does not end.
    pub async fn end(&mut self, name: &str) -> Result<Ended, Error> {
        self.take(name)?.end().await
    }

    /// Kills a service.
    ///
    /// # Errors
    /// Where it has ended already.
    pub async fn kill(&mut self, name: &str) -> Result<(), Error> {
        self.take(name)?.kill().await
    }

    fn take(&mut self, name: &str) -> Result<Service, Error> {
        let (name, service) = self.services.remove_entry(name).ok_or("it has ended already")?;
        self.ended.insert(name, (service.endpoint.clone(), service.pages.clone()));
        Ok(service)
    }

    /// Starts a service that has ended where it was before, so that its callers find it, and waits until it is ready.
    ///
    /// # Errors
    /// Where it has not ended, or does not start.
    pub async fn start_again(&mut self, name: &str) -> Result<(), Error> {
        let (name, place) = self.ended.remove_entry(name).ok_or("it has not ended")?;
        let mut service = Service::start_at(name, &self.settings, place)?;
        service.ready().await?;
        self.services.insert(name, service);
        Ok(())
    }

    /// Gives the end of every partition of the log: the same before and after what changes nothing.
    ///
    /// # Errors
    /// The log's.
    pub async fn ends(&self) -> Result<Vec<Position>, Error> {
        ends(&self.log).await
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// Where something does not end.
    pub async fn stop(mut self) -> Result<(), Error> {
        while let Some((_, service)) = self.services.pop_last() {
            service.end().await?;
        }
        drop(self.mail);
        if let Some(kafka) = self.kafka {
            kafka.stop().await?;
        }
        self.postgres.stop().await?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }
}

/// Writes where a log is, as the setting does.
fn address(log: &LogConfig) -> String {
    match log {
        LogConfig::Kafka { bootstrap } => format!("kafka://{bootstrap}"),
        LogConfig::Postgres { url } => url.clone(),
        LogConfig::Memory => unreachable!("processes share no memory"),
    }
}

/// Gives the end of every partition of a log.
///
/// # Errors
/// The log's.
pub async fn ends(log: &EventLog) -> Result<Vec<Position>, Error> {
    let mut ends = Vec::new();
    for topic in Topic::ALL {
        let offsets = log.end_offsets(topic).await?;
        ends.extend((0..).zip(offsets).map(|(partition, offset)| Position {
            topic,
            partition,
            offset,
        }));
    }
    Ok(ends)
}

/// Gives somebody's token.
#[must_use]
pub fn token(name: &str) -> String {
    format!("the-token-of-{name}")
}

/// Writes the principals file.
fn people() -> String {
    let every: Vec<&str> =
        ristoro_runtime::grpc::Role::ALL.iter().map(|role| role.name()).collect();
    let mut text = String::new();
    let known = PEOPLE.map(|name| (name, every.clone()));
    for (name, roles) in known.into_iter().chain([(FEED, vec!["observer"])]) {
        let hash = Sha256::digest(token(name).as_bytes());
        let hash = ristoro_runtime::edge::hex(&hash);
        writeln!(
            text,
            "[[principal]]\nname = \"{name}\"\nroles = {roles:?}\ntoken_sha256 = \"{hash}\"\n"
        )
        .expect("writing to a string does not fail");
    }
    text
}
