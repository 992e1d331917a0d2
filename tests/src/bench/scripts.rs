//! The scripts of SQL that a user would write in an afternoon, on a Postgres with the same settings.

use std::time::{Duration, Instant};

use ristoro_local::{Durability, Postgres, PostgresOptions, cache_directory};
use sqlx::{Connection as _, PgConnection};

use super::roster::{DOWN, copy_text};
use super::system::tidy;
use crate::stack::Error;

/// Settings of every server: big buffers, durable commits.
pub const SETTINGS: [(&str, &str); 5] = [
    ("shared_buffers", "2GB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "30min"),
    ("wal_compression", "lz4"),
    ("maintenance_work_mem", "512MB"),
];
/// What S3 needs: no journal for tables made from a query, so no replica either.
const WITHOUT_REPLICAS: [(&str, &str); 2] = [("wal_level", "minimal"), ("max_wal_senders", "0")];
/// Rows of one COPY.
const ROWS_A_COPY: u64 = 100_000;

/// A script.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Script {
    /// Plain: keys first.
    S1,
    /// Tuned and durable: keys after loading.
    S2,
    /// The fastest trick, which rules out replicas.
    S3,
}

impl Script {
    /// All of them.
    pub const ALL: [Script; 3] = [Script::S1, Script::S2, Script::S3];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Script::S1 => "S1",
            Script::S2 => "S2",
            Script::S3 => "S3",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Script::S1 => include_str!("sql/s1.sql"),
            Script::S2 => include_str!("sql/s2.sql"),
            Script::S3 => include_str!("sql/s3.sql"),
        }
    }
}

/// Gives the options of a durable server with the settings that all have.
#[must_use]
pub fn durable(more: &[(&str, &str)]) -> PostgresOptions {
    let settings = SETTINGS.iter().chain(more);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    PostgresOptions {
        durability: Durability::Durable,
        settings: settings.collect(),
        ..PostgresOptions::throw_away(cache_directory())
    }
}

/// A server with the roster as rows, for one script after the other.
#[derive(Debug)]
pub struct Rows {
    /// The server.
    pub postgres: Postgres,
    connection: PgConnection,
}

impl Rows {
    /// Starts a server and loads the roster.
    ///
    /// # Errors
    /// The server's.
    pub async fn load(subscriptions: u64, script: Script) -> Result<Self, Error> {
        let more: &[(&str, &str)] = if script == Script::S3 { &WITHOUT_REPLICAS } else { &[] };
        let postgres = Postgres::start(durable(more)).await?;
        let url = postgres.create_database("script").await?;
        let mut connection = PgConnection::connect(&url).await?;
        sqlx::raw_sql(include_str!("sql/tables.sql")).execute(&mut connection).await?;
        for (cohort, days) in DOWN {
            let insert = sqlx::query("insert into down values ($1, $2)").bind(cohort).bind(days);
            insert.execute(&mut connection).await?;
        }
        for from in (1..=subscriptions).step_by(ROWS_A_COPY as usize) {
            let to = subscriptions.min(from + ROWS_A_COPY - 1);
            let mut copy = connection.copy_in_raw("copy roster from stdin").await?;
            copy.send(copy_text(from, to).into_bytes()).await?;
            copy.finish().await?;
        }
        sqlx::raw_sql("alter table roster add primary key (number)")
            .execute(&mut connection)
            .await?;
        tidy(&mut connection).await?;
        Ok(Self { postgres, connection })
    }

    /// Runs a script; gives how long it took.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(&mut self, script: Script) -> Result<Duration, Error> {
        let begun = Instant::now();
        sqlx::raw_sql(script.text()).execute(&mut self.connection).await?;
        Ok(begun.elapsed())
    }

    /// The connection, for comparisons.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Removes what a script made, so that the next begins as the first did.
    ///
    /// # Errors
    /// The server's.
    pub async fn clear(&mut self) -> Result<(), Error> {
        let drop = "drop table entitlement, payout, ledger, notification; reset all";
        sqlx::raw_sql(drop).execute(&mut self.connection).await?;
        tidy(&mut self.connection).await
    }
}
