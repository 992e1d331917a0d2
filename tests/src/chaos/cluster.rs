//! The system under test: real servers, and several processes of each service that all believe they own everything.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ristoro_local::{
    Kafka, KafkaOptions, MailCatcher, MailOptions, Postgres, PostgresOptions, cache_directory,
    free_port,
};
use ristoro_log::LogConfig;
use ristoro_runtime::edge::hex;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::client::Person;
use super::process::{Launch, Process};
use crate::stack::binary;

/// How many partitions each topic has.
pub const PARTITIONS: u32 = 4;
/// The services, and how many processes of each run side by side.
pub const SERVICES: [(&str, usize); 4] =
    [("outage", 2), ("eligibility", 2), ("payout", 2), ("notifier", 2)];
/// Those who call: each may do everything, so that only the rule of two people keeps one from approving.
pub const CALLERS: [&str; 3] = ["ada", "bruno", "carla"];
/// Connections to Postgres of one process.
const POOL: &str = "14";
/// Seconds until a wave that does not move is taken over: less than the longest freeze.
const TAKEOVER_SECONDS: &str = "3";
const ROLES: [&str; 10] = [
    "observer",
    "declarer",
    "policy-author",
    "proposer",
    "approver",
    "claims",
    "treasury",
    "support",
    "analyst",
    "operator",
];

type Error = Box<dyn std::error::Error + Send + Sync>;

/// One process of a service with what it is started from.
#[derive(Debug)]
pub struct Worker {
    /// The service.
    pub service: &'static str,
    /// Its gRPC address.
    pub endpoint: String,
    launch: Launch,
    process: Mutex<Option<Process>>,
    own_ends: AtomicU64,
}

/// All of it. Dropped, everything goes.
#[derive(Debug)]
pub struct Cluster {
    /// The tables' server.
    pub postgres: Postgres,
    /// The log's server; whoever holds the lock may hurt it.
    pub kafka: Mutex<Kafka>,
    /// Where the log is.
    pub log: LogConfig,
    /// The recording mail server.
    pub mail: MailCatcher,
    /// Every process.
    pub workers: Vec<Arc<Worker>>,
    /// Where the processes write their log lines and the mail server its journal.
    pub folder: PathBuf,
}

impl Worker {
    /// Starts the process, unless it runs.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub async fn start(&self) -> io::Result<()> {
        let mut process = self.process.lock().await;
        if process.is_none() {
            *process = Some(Process::start(&self.launch).await?);
        }
        Ok(())
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// Where it does not go.
    pub async fn kill(&self) -> io::Result<()> {
        match self.process.lock().await.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it again where it has ended by itself, as an orchestrator would.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub async fn look_after(&self) -> io::Result<()> {
        let mut process = self.process.lock().await;
        if process.as_mut().is_some_and(|one| one.ended().is_some()) {
            self.own_ends.fetch_add(1, Ordering::Relaxed);
            *process = Some(Process::start(&self.launch).await?);
        }
        Ok(())
    }

    /// Gives the process's id, if it runs.
    pub async fn id(&self) -> Option<u32> {
        let mut process = self.process.lock().await;
        let process = process.as_mut()?;
        process.ended().is_none().then(|| process.id())
    }

    /// Counts how often it ended by itself: where the broker was away at its start, for example.
    #[must_use]
    pub fn own_ends(&self) -> u64 {
        self.own_ends.load(Ordering::Relaxed)
    }
}

impl Cluster {
    /// Starts servers and processes; the processes may still be starting when this returns.
    ///
    /// # Errors
    /// Where a part is missing or does not start.
    pub async fn start() -> Result<Self, Error> {
        let program = binary()?;
        let folder = std::env::temp_dir().join(format!("ristoro-chaos-{}", Uuid::new_v4()));
        std::fs::create_dir_all(&folder)?;
        let postgres = Postgres::start(PostgresOptions::throw_away(cache_directory())).await?;
        let database = postgres.create_database("ristoro").await?;
        let kafka = Kafka::start(KafkaOptions::throw_away(cache_directory())).await?;
        let log = LogConfig::Kafka { bootstrap: kafka.bootstrap() };
        let journal = Some(folder.join("mails.jsonl"));
        let mail = MailCatcher::start(MailOptions { port: None, journal }).await?;
        std::fs::write(folder.join("principals.toml"), principals())?;
        let common = [
            ("RISTORO_DATABASE_URL", database),
            ("RISTORO_LOG", format!("kafka://{}", kafka.bootstrap())),
            ("RISTORO_PRINCIPALS_FILE", folder.join("principals.toml").display().to_string()),
            ("RISTORO_PARTITIONS", PARTITIONS.to_string()),
            ("RISTORO_POOL_SIZE", POOL.to_owned()),
            ("RISTORO_LEASE", "all".to_owned()),
            ("RISTORO_LOG_FILTER", "warn".to_owned()),
            ("RISTORO_LOG_FORMAT", "text".to_owned()),
            ("RISTORO_SMTP_URL", mail.url()),
            ("RISTORO_NOTICE_FROM", "Provider <no-reply@provider.example>".to_owned()),
            ("RISTORO_TAKEOVER_AFTER_SECONDS", TAKEOVER_SECONDS.to_owned()),
        ];
        let common = common.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let workers = workers(&program, &folder, &common)?;
        let kafka = Mutex::new(kafka);
        let cluster = Self { postgres, kafka, log, mail, workers, folder };
        // One first: it creates the log and the tables, which all could do, but at a cost.
        for (service, _) in SERVICES {
            let first = cluster.workers_of(service).next();
            first.expect("each service has a process").start().await?;
        }
        Ok(cluster)
    }

    /// Waits until the first process of each service answers, then starts the others.
    ///
    /// # Errors
    /// Where a process cannot be started, or does not answer.
    pub async fn ready(&self, person: &Person) -> Result<(), Error> {
        for caller in [&person.outage, &person.eligibility, &person.payout, &person.notifier] {
            caller.until_first_answers().await?;
        }
        for worker in &self.workers {
            worker.start().await?;
        }
        Ok(())
    }

    /// Gives the processes of a service.
    pub fn workers_of(&self, service: &str) -> impl Iterator<Item = &Arc<Worker>> {
        self.workers.iter().filter(move |worker| worker.service == service)
    }

    /// Runs SQL; gives the rows as their columns' texts.
    ///
    /// # Errors
    /// Where Postgres refuses.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, Error> {
        let text = self.postgres.execute("ristoro", sql).await?;
        let rows = text.lines().filter(|line| !line.is_empty());
        Ok(rows.map(|line| line.split('|').map(str::to_owned).collect()).collect())
    }

    /// Ends everything in order and removes the files.
    ///
    /// # Errors
    /// Where something does not end.
    pub async fn stop(self) -> Result<(), Error> {
        for worker in &self.workers {
            worker.kill().await?;
        }
        drop(self.mail);
        self.kafka.into_inner().stop().await?;
        self.postgres.stop().await?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }
}

fn workers(
    program: &Path,
    folder: &Path,
    common: &[(String, String)],
) -> Result<Vec<Arc<Worker>>, Error> {
    let mut workers = Vec::new();
    for (service, count) in SERVICES {
        for place in 0..count {
            let (calls, pages) = (free_port()?, free_port()?);
            let mut variables = common.to_vec();
            variables.push(("RISTORO_LISTEN".to_owned(), format!("127.0.0.1:{calls}")));
            variables.push(("RISTORO_METRICS_LISTEN".to_owned(), format!("127.0.0.1:{pages}")));
            let launch = Launch {
                program: program.to_path_buf(),
                service,
                variables,
                log: folder.join(format!("{service}-{place}.log")),
            };
            workers.push(Arc::new(Worker {
                service,
                endpoint: format!("http://127.0.0.1:{calls}"),
                launch,
                process: Mutex::new(None),
                own_ends: AtomicU64::new(0),
            }));
        }
    }
    Ok(workers)
}

/// Gives the token of a caller.
#[must_use]
pub fn token(caller: &str) -> String {
    format!("token-of-{caller}-in-a-throw-away-system")
}

fn principals() -> String {
    let mut text = String::new();
    for caller in CALLERS {
        let hash = hex(&Sha256::digest(token(caller).as_bytes()));
        let entry = format!(
            "[[principal]]\nname = \"{caller}\"\nroles = {ROLES:?}\ntoken_sha256 = \"{hash}\"\n\n"
        );
        text.push_str(&entry);
    }
    text
}
