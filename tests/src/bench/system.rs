//! The system that is measured: four services, each a process, on a durable Postgres, and the log on a Kafka or in
//! Postgres; and what is done with it in every measurement.

use std::time::{Duration, Instant};

use ristoro_local::{KafkaOptions, cache_directory};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::ops::v1 as ops;
use ristoro_proto::ops::v1::projection_service_client::ProjectionServiceClient;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::caller::{Hit, Users};
use super::scripts::durable;
use crate::stack::{Error, PEOPLE, SERVICES, Stack, StackOptions};

/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(20);

/// What is measured on.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Subscriptions.
    pub subscriptions: u64,
    /// Whether the log is a Kafka's.
    pub kafka: bool,
    /// How many partitions each topic has.
    pub partitions: u32,
}

/// A running system.
#[derive(Debug)]
pub struct System {
    /// Its processes.
    pub stack: Stack,
    /// A connection to its tables.
    pub tables: PgConnection,
    /// What it is measured on.
    pub size: Size,
    users: Users,
    outages: u32,
    statements: u32,
}

/// How far what follows from an assessment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// No payout can be found.
    Waiting,
    /// Some can.
    Paying,
    /// Everything is released.
    Settled,
}

/// An assessment that can be approved.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// Its id.
    pub assessment: String,
    /// How long its simulation took.
    pub simulated: Duration,
    message: api::Assessment,
}

impl Proposed {
    /// How many people it gives something.
    #[must_use]
    pub fn entitled(&self) -> u64 {
        self.message.totals.as_ref().map_or(0, |totals| totals.entitled)
    }

    fn partitions(&self) -> Result<i64, Error> {
        let pins = self.message.pins.as_ref();
        Ok(i64::try_from(pins.map_or(0, |pins| pins.roster_offsets.len()))?)
    }
}

impl System {
    /// Starts everything, with nobody on the roster; `statements` is how many of Postgres's statements are told of.
    ///
    /// # Errors
    /// Where something does not start.
    pub async fn start(size: Size, statements: u32) -> Result<Self, Error> {
        let kafka = size.kafka.then(|| KafkaOptions::throw_away(cache_directory()));
        let settings = [("RISTORO_CALL_DEADLINE_SECONDS", "600")];
        let counted: &[(&str, &str)] = match statements {
            0 => &[],
            _ => &[("shared_preload_libraries", "pg_stat_statements")],
        };
        let postgres = durable(counted);
        let partitions = size.partitions;
        let options = StackOptions { settings: &settings, postgres, kafka, partitions };
        let stack = Stack::start(options).await?;
        let mut tables = PgConnection::connect(&stack.database).await?;
        sqlx::raw_sql("set work_mem = '512MB'").execute(&mut tables).await?;
        if statements > 0 {
            let create = "create extension pg_stat_statements";
            sqlx::raw_sql(create).execute(&mut tables).await?;
        }
        let users = Users::new(&stack).await?;
        Ok(Self { stack, tables, size, users, outages: 0, statements })
    }

    /// Waits until the tables of every service hold everything that is on the log.
    ///
    /// # Errors
    /// A refusal.
    pub async fn until_folded(&self) -> Result<(), Error> {
        for service in SERVICES {
            while self.schemas(service).await?.iter().any(|schema| {
                let folded = |one: &ops::PartitionProgress| one.next_offset >= one.end_offset;
                schema.live && !schema.partitions.iter().all(folded)
            }) {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Lists the schemas of a service's tables with how far each is.
    ///
    /// # Errors
    /// A refusal.
    pub async fn schemas(&self, service: &str) -> Result<Vec<ops::Projection>, Error> {
        let caller = self.stack.caller(service, PEOPLE[0]).await?;
        let mut client = ProjectionServiceClient::new(caller.channel.clone());
        let list = caller.request(ops::ListProjectionsRequest {});
        Ok(client.list_projections(list).await?.into_inner().projections)
    }

    /// Declares another outage and proposes to settle it; what a comparison counts begins after this.
    ///
    /// # Errors
    /// A refusal.
    pub async fn propose(&mut self) -> Result<Proposed, Error> {
        let proposed = self.propose_for(Hit::Nearly).await?;
        sqlx::raw_sql("checkpoint").execute(&mut self.tables).await?;
        if self.statements > 0 {
            sqlx::raw_sql("select pg_stat_statements_reset()").execute(&mut self.tables).await?;
        }
        Ok(proposed)
    }

    /// Declares another outage that hits some people, and proposes to settle it.
    ///
    /// # Errors
    /// A refusal.
    pub async fn propose_for(&mut self, hit: Hit) -> Result<Proposed, Error> {
        self.outages += 1;
        let outage = format!("outage-{}", self.outages);
        let token = self.users.declare(&outage, hit).await?;
        let begun = Instant::now();
        let message = self.users.propose(&outage, token).await?;
        let simulated = begun.elapsed();
        let assessment = message.name.trim_start_matches("assessments/").to_owned();
        Ok(Proposed { assessment, simulated, message })
    }

    /// Approves what was proposed.
    ///
    /// # Errors
    /// A refusal.
    pub async fn approve(&self, proposed: &Proposed) -> Result<(), Error> {
        self.users.approve(&proposed.message).await
    }

    /// Approves what was proposed and waits until everything is released; gives how long it took until the first payouts
    /// could be found.
    ///
    /// # Errors
    /// A refusal, or a stop.
    pub async fn settle(&mut self, proposed: &Proposed) -> Result<Duration, Error> {
        let begun = Instant::now();
        self.approve(proposed).await?;
        self.until_settled(proposed, begun).await
    }

    /// Waits until everything is released; gives how long after the beginning the first payouts could be found.
    ///
    /// # Errors
    /// A stop.
    pub async fn until_settled(
        &mut self,
        proposed: &Proposed,
        begun: Instant,
    ) -> Result<Duration, Error> {
        let mut first = Duration::ZERO;
        loop {
            let stage = self.stage(proposed).await?;
            if first.is_zero() && stage != Stage::Waiting {
                first = begun.elapsed();
            }
            if stage == Stage::Settled {
                return Ok(first);
            }
            self.decided(proposed).await?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells how far what follows from an assessment is.
    ///
    /// # Errors
    /// The database's.
    pub async fn stage(&mut self, proposed: &Proposed) -> Result<Stage, Error> {
        let partitions = proposed.partitions()?;
        let row = sqlx::query(
            "select exists (select from payout.order_chunk where assessment = $1), \
             (select count(*) from payout.order_stream where assessment = $1 and state = 2), \
             (select count(*) from notifier.queue where assessment = $1 and state = 2)",
        )
        .bind(&proposed.assessment)
        .fetch_one(&mut self.tables)
        .await?;
        let released: [i64; 2] = [row.try_get(1)?, row.try_get(2)?];
        Ok(match row.try_get(0)? {
            _ if released == [partitions; 2] => Stage::Settled,
            true => Stage::Paying,
            false => Stage::Waiting,
        })
    }

    /// Waits until what one service makes of an assessment is released, whatever others do.
    ///
    /// # Errors
    /// The database's.
    ///
    /// # Panics
    /// For a service that releases nothing.
    pub async fn until_released(
        &mut self,
        proposed: &Proposed,
        service: &str,
    ) -> Result<(), Error> {
        let table = match service {
            "payout" => "payout.order_stream",
            "notifier" => "notifier.queue",
            other => panic!("{other} releases nothing"),
        };
        let text = format!("select count(*) from {table} where assessment = $1 and state = 2");
        let partitions = proposed.partitions()?;
        loop {
            let released: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(text.clone()))
                .bind(&proposed.assessment)
                .fetch_one(&mut self.tables)
                .await?;
            if released == partitions {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells whether everybody is decided.
    ///
    /// # Errors
    /// Where the assessment was stopped.
    pub async fn decided(&mut self, proposed: &Proposed) -> Result<bool, Error> {
        let row =
            sqlx::query("select state, note from eligibility.assessment where assessment = $1")
                .bind(&proposed.assessment)
                .fetch_optional(&mut self.tables)
                .await?;
        let Some(row) = row else { return Ok(false) };
        let (state, note): (i16, String) = (row.try_get(0)?, row.try_get(1)?);
        match state {
            ..=2 => Ok(false),
            3 => Ok(true),
            _ => Err(format!("the assessment was stopped: {note}").into()),
        }
    }

    /// Waits until everybody is decided.
    ///
    /// # Errors
    /// Where the assessment was stopped.
    pub async fn until_decided(&mut self, proposed: &Proposed) -> Result<(), Error> {
        while !self.decided(proposed).await? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Tells of the most costly statements of the last leg: milliseconds, calls, text.
    ///
    /// # Errors
    /// The database's.
    pub async fn statements(&mut self) -> Result<Vec<String>, Error> {
        if self.statements == 0 {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "select total_exec_time::bigint, calls, \
             left(regexp_replace(query, '\\s+', ' ', 'g'), 110) from pg_stat_statements \
             order by total_exec_time desc limit $1",
        )
        .bind(i64::from(self.statements))
        .fetch_all(&mut self.tables)
        .await?;
        let line = |row: &sqlx::postgres::PgRow| {
            let (milliseconds, calls): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let text: String = row.try_get(2)?;
            Ok(format!("  {milliseconds:>7} ms {calls:>7} calls  {text}"))
        };
        rows.iter().map(line).collect()
    }

    /// Gives the bytes of the log's segments on disk, where it is a Kafka's.
    ///
    /// # Errors
    /// The file system's.
    pub fn log_bytes(&self) -> Result<u64, Error> {
        let Some(kafka) = &self.stack.kafka else { return Ok(0) };
        let mut bytes = 0;
        for folder in std::fs::read_dir(kafka.directory().join("data"))?.flatten() {
            if !folder.file_name().to_string_lossy().starts_with("ristoro.") {
                continue;
            }
            for file in std::fs::read_dir(folder.path())?.flatten() {
                if file.path().extension().is_some_and(|extension| extension == "log") {
                    bytes += file.metadata()?.len();
                }
            }
        }
        Ok(bytes)
    }
}

/// Leaves a server without work of its own.
///
/// # Errors
/// The database's.
pub async fn tidy(connection: &mut PgConnection) -> Result<(), Error> {
    for statement in ["vacuum analyze", "checkpoint"] {
        sqlx::raw_sql(statement).execute(&mut *connection).await?;
    }
    Ok(())
}
