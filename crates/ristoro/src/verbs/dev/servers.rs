//! The servers of `ristoro dev`.

use anyhow::Result;
use ristoro_local::{
    Kafka, KafkaOptions, MailCatcher, MailOptions, Postgres, PostgresOptions, cache_directory,
};

use super::Log;
use super::folder::Folder;

/// The servers that this process started.
pub struct Servers {
    /// Tables, and perhaps the log.
    pub postgres: Postgres,
    /// The log, where it is on Kafka.
    pub kafka: Option<Kafka>,
    /// What takes the notices.
    pub mail: MailCatcher,
    /// The address of the tables.
    pub database: String,
    /// The address of the log.
    pub log: String,
}

impl Servers {
    /// Starts what is needed; a call that is dropped leaves nothing behind.
    pub async fn start(folder: &Folder) -> Result<Self> {
        eprintln!("starting a Postgres of our own");
        let mut options = PostgresOptions::throw_away(cache_directory());
        options.data = folder.data_of("postgres");
        if folder.is_kept() {
            let kept =
                PostgresOptions::persistent(cache_directory(), folder.path().join("postgres"));
            // After a loss of power the last moment may be missing, and nothing before it.
            options = PostgresOptions {
                settings: vec![("synchronous_commit".into(), "off".into())],
                ..kept
            };
        }
        let postgres = Postgres::start(options).await?;
        let database = postgres.create_database("ristoro").await?;
        let (kafka, log) = match folder.log() {
            Log::Postgres => (None, database.clone()),
            Log::Kafka => {
                eprintln!("starting a Kafka of our own");
                let mut options = KafkaOptions::throw_away(cache_directory());
                options.data = folder.data_of("kafka");
                let kafka = Kafka::start(options).await?;
                let log = format!("kafka://{}", kafka.bootstrap());
                (Some(kafka), log)
            }
        };
        let mail = MailCatcher::start(MailOptions::default()).await?;
        Ok(Self { postgres, kafka, mail, database, log })
    }

    /// Stops them all and waits until they are gone.
    pub async fn stop(self) -> Result<()> {
        let kafka = match self.kafka {
            Some(kafka) => kafka.stop().await,
            None => Ok(()),
        };
        self.postgres.stop().await?;
        Ok(kafka?)
    }
}
