//! The race: an approved assessment against scripts of SQL, leg by leg in alternating order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ristoro_local::{KafkaOptions, cache_directory};
use ristoro_proto::eligibility::v1 as api;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::caller::{Users, import};
use super::compare::{Outcome, ask, some};
use super::report::{Leg, Report, Side};
use super::scripts::{Rows, Script, durable};
use super::{cpu, roster};
use crate::stack::{Error, PEOPLE, Stack, StackOptions};

/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(20);

/// What is run.
#[derive(Clone, Debug)]
pub struct Race {
    /// Subscriptions.
    pub subscriptions: u64,
    /// Pairs of legs.
    pub pairs: u32,
    /// Whether the log is a Kafka's.
    pub kafka: bool,
    /// How many partitions each topic has.
    pub partitions: u32,
    /// The scripts to race against.
    pub scripts: Vec<Script>,
    /// How many of Postgres's statements are told of after each of ristoro's legs, the most costly first.
    pub statements: u32,
}

/// A system with everybody on its roster.
struct Runner {
    stack: Stack,
    users: Users,
    tables: PgConnection,
    legs: u32,
}

/// Runs it. `say` is told what happens.
///
/// # Errors
/// Where a side fails, or the sides disagree.
pub async fn run(race: &Race, say: impl Fn(&str)) -> Result<Report, Error> {
    let (mut runner, import) = Runner::start(race, &say).await?;
    let mut servers = BTreeMap::new();
    for script in &race.scripts {
        let server = if *script == Script::S3 { Script::S3 } else { Script::S2 };
        if !servers.contains_key(&server) {
            say(&format!("the roster is loaded as rows for {}", script.name()));
            servers.insert(server, Rows::load(race.subscriptions, server).await?);
        }
    }
    let mut report = Report { import, ..Report::default() };
    for pair in 0..race.pairs {
        let mut sides = vec![Side::Ristoro];
        sides.extend(race.scripts.iter().copied().map(Side::Script));
        if pair % 2 == 1 {
            sides.reverse();
        }
        let mut outcomes = Vec::new();
        let (mut amounts, mut settled) = (BTreeMap::new(), String::new());
        for side in sides {
            let canary = canary();
            let leg = match side {
                Side::Ristoro => {
                    let (leg, assessment) = runner.leg(race.statements > 0).await?;
                    runner.statements(race.statements).await?.iter().for_each(|line| say(line));
                    outcomes.push(Outcome::of_assessment(&mut runner.tables, &assessment).await?);
                    settled = assessment;
                    leg
                }
                Side::Script(script) => {
                    let server = if script == Script::S3 { Script::S3 } else { Script::S2 };
                    let rows = servers.get_mut(&server).ok_or("every script has a server")?;
                    let leg = script_leg(rows, script).await?;
                    outcomes.push(Outcome::of_script(rows.connection()).await?);
                    amounts = some(rows.connection(), race.subscriptions).await?;
                    rows.clear().await?;
                    leg
                }
            };
            let leg = Leg { canary, ..leg };
            say(&format!("pair {}: {}", pair + 1, leg.line(side, race.subscriptions)));
            report.legs.push((pair, side, leg));
        }
        agree(&outcomes)?;
        let caller = runner.stack.caller("eligibility", PEOPLE[0]).await?;
        ask(&caller, &settled, &amounts).await?;
        say(&format!(
            "pair {}: all sides agree, {} people asked one by one too",
            pair + 1,
            amounts.len()
        ));
    }
    for rows in servers.into_values() {
        rows.postgres.stop().await?;
    }
    runner.stack.stop().await?;
    Ok(report)
}

fn agree(outcomes: &[Outcome]) -> Result<(), Error> {
    let Some(first) = outcomes.first() else { return Ok(()) };
    match outcomes.iter().find(|other| *other != first) {
        Some(other) => Err(format!("the sides disagree: {first:#?} and {other:#?}").into()),
        None => Ok(()),
    }
}

async fn script_leg(rows: &mut Rows, script: Script) -> Result<Leg, Error> {
    let processes = BTreeMap::from([("postgres", rows.postgres.process_id())]);
    let before = cpu::seconds(&processes);
    let wall = rows.run(script).await?;
    Ok(Leg { wall, cpu: used(&before, &cpu::seconds(&processes)), ..Leg::default() })
}

fn used(
    before: &BTreeMap<&'static str, f64>,
    after: &BTreeMap<&'static str, f64>,
) -> BTreeMap<&'static str, f64> {
    after.iter().map(|(name, after)| (*name, after - before.get(name).unwrap_or(&0.0))).collect()
}

/// Leaves a server without work of its own.
pub(super) async fn tidy(connection: &mut PgConnection) -> Result<(), Error> {
    for statement in ["vacuum analyze", "checkpoint"] {
        sqlx::raw_sql(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// How long a fixed piece of work takes: longer where the machine is busy with other things.
fn canary() -> Duration {
    let begun = Instant::now();
    let mixed = (0..200_000_000_u64).fold(1_u64, |mixed, step| mixed.wrapping_mul(step | 1) ^ step);
    std::hint::black_box(mixed);
    begun.elapsed()
}

impl Runner {
    async fn start(race: &Race, say: &impl Fn(&str)) -> Result<(Self, Leg), Error> {
        say("the services start");
        let kafka = race.kafka.then(|| KafkaOptions::throw_away(cache_directory()));
        let settings = [("RISTORO_CALL_DEADLINE_SECONDS", "600")];
        let counted: &[(&str, &str)] = match race.statements {
            0 => &[],
            _ => &[("shared_preload_libraries", "pg_stat_statements")],
        };
        let postgres = durable(counted);
        let options =
            StackOptions { settings: &settings, postgres, kafka, partitions: race.partitions };
        let stack = Stack::start(options).await?;
        let file = stack.folder.join("roster.csv");
        roster::write_csv(race.subscriptions, &file)?;
        say(&format!("{} subscriptions are imported", race.subscriptions));
        let mut tables = PgConnection::connect(&stack.database).await?;
        if race.statements > 0 {
            let create = "create extension pg_stat_statements";
            sqlx::raw_sql(create).execute(&mut tables).await?;
        }
        let processes = stack.processes();
        let (begun, before) = (Instant::now(), cpu::seconds(&processes));
        import(&stack, &file).await?;
        let users = Users::new(&stack).await?;
        let mut runner = Self { stack, users, tables, legs: 0 };
        runner.until_imported(race.subscriptions).await?;
        let (wall, cpu) = (begun.elapsed(), used(&before, &cpu::seconds(&processes)));
        let import = Leg { wall, cpu, peaks: cpu::peaks(&processes), ..Leg::default() };
        say(&format!("import: {}", import.line(Side::Ristoro, race.subscriptions)));
        tidy(&mut runner.tables).await?;
        runner.statements(race.statements).await?.iter().for_each(|line| say(line));
        Ok((runner, import))
    }

    /// Waits until every service knows everybody.
    async fn until_imported(&mut self, subscriptions: u64) -> Result<(), Error> {
        let counts = [
            "select sum(count)::bigint from eligibility.roster",
            "select count(*) from payout.holding where superseded_at is null",
            "select count(*) from notifier.subscription",
        ];
        for text in counts {
            loop {
                let count: Option<i64> =
                    sqlx::query(text).fetch_one(&mut self.tables).await?.try_get(0)?;
                if count.is_some_and(|count| count.unsigned_abs() >= subscriptions) {
                    break;
                }
                tokio::time::sleep(LOOK * 10).await;
            }
        }
        Ok(())
    }

    /// Settles one outage: what counts is from the approval until the last row is there.
    async fn leg(&mut self, statements: bool) -> Result<(Leg, String), Error> {
        self.legs += 1;
        let outage = format!("outage-{}", self.legs);
        let token = self.users.declare(&outage).await?;
        let begun = Instant::now();
        let proposed = self.users.propose(&outage, token).await?;
        let simulated = begun.elapsed();
        let assessment = proposed.name.trim_start_matches("assessments/").to_owned();
        let processes = self.stack.processes();
        sqlx::raw_sql("checkpoint").execute(&mut self.tables).await?;
        if statements {
            sqlx::raw_sql("select pg_stat_statements_reset()").execute(&mut self.tables).await?;
        }
        cpu::forget_peaks(&processes);
        let log_before = self.log_bytes()?;
        let (begun, before) = (Instant::now(), cpu::seconds(&processes));
        self.users.approve(&proposed).await?;
        let first = self.until_settled(&proposed, &assessment, begun).await?;
        let (wall, cpu) = (begun.elapsed(), used(&before, &cpu::seconds(&processes)));
        let peaks = cpu::peaks(&processes);
        let log_bytes = self.log_bytes()?.saturating_sub(log_before);
        let leg = Leg { wall, cpu, peaks, first, simulated, log_bytes, ..Leg::default() };
        Ok((leg, assessment))
    }

    /// Waits until everything is released, and tells when the first payouts could be found.
    async fn until_settled(
        &mut self,
        proposed: &api::Assessment,
        assessment: &str,
        begun: Instant,
    ) -> Result<Duration, Error> {
        let partitions = proposed.pins.as_ref().map_or(0, |pins| pins.roster_offsets.len());
        let partitions = i64::try_from(partitions)?;
        let mut first = Duration::ZERO;
        loop {
            let row = sqlx::query(
                "select exists (select from payout.order_chunk where assessment = $1), \
                 (select count(*) from payout.order_stream where assessment = $1 and state = 2), \
                 (select count(*) from notifier.queue where assessment = $1 and state = 2), \
                 (select max(note) from eligibility.assessment where assessment = $1 and state > 3)",
            )
            .bind(assessment)
            .fetch_one(&mut self.tables)
            .await?;
            if first.is_zero() && row.try_get(0)? {
                first = begun.elapsed();
            }
            let (orders, notices): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            if orders == partitions && notices == partitions {
                return Ok(first);
            }
            if let Some(note) = row.try_get::<Option<String>, _>(3)? {
                return Err(format!("the assessment was stopped: {note}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells of the most costly statements of the last leg: milliseconds, calls, text.
    async fn statements(&mut self, count: u32) -> Result<Vec<String>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "select total_exec_time::bigint, calls, \
             left(regexp_replace(query, '\\s+', ' ', 'g'), 110) from pg_stat_statements \
             order by total_exec_time desc limit $1",
        )
        .bind(i64::from(count))
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
    fn log_bytes(&self) -> Result<u64, Error> {
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
