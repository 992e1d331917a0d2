//! `cargo xtask bench`: the measurements that need the whole system.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ristoro_tests::bench::catch_up;
use ristoro_tests::bench::hand_over::{self, HandOver, Way};
use ristoro_tests::bench::import;
use ristoro_tests::bench::query::{self, Queries};
use ristoro_tests::bench::rebuild::{self, Rebuild};
use ristoro_tests::bench::report::Shown;
use ristoro_tests::bench::scripts::Script;
use ristoro_tests::bench::second_outage::{self, Second};
use ristoro_tests::bench::settle::{self, Race};
use ristoro_tests::bench::system::Size;
use ristoro_tests::stack::{Error, SERVICES};

/// Measures the whole system on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// From the approval of an assessment to its last row, against scripts of SQL
    Settle(Settle),
    /// A roster from CSV, until every service knows everybody
    Import(System),
    /// Questions about single people by gRPC: idle, at a rate, while an outage is settled, and as many as can be answered
    Query(Query),
    /// All tables built again from the log, while people ask the old ones
    Rebuild(Rebuilt),
    /// A service that was away while an outage was settled, and answers all of it: payout and notifier by turns
    CatchUp(System),
    /// A small outage that is settled in the middle of a large settlement
    SecondOutage(SecondOutage),
    /// Processes that end and are killed in the middle of settlements
    HandOver(Handed),
}

/// What every measurement is run on, and how it is told.
#[derive(Debug, Args)]
struct System {
    /// How many subscriptions
    #[arg(long, default_value_t = 100_000)]
    subscriptions: u64,
    /// The log
    #[arg(long, default_value = "kafka")]
    log: Log,
    /// Partitions of each topic
    #[arg(long, default_value_t = 8)]
    partitions: u32,
    /// The form of the result
    #[arg(long, default_value = "table")]
    output: Form,
}

#[derive(Debug, Args)]
struct Settle {
    #[command(flatten)]
    system: System,
    /// Pairs of legs
    #[arg(long, default_value_t = 5)]
    pairs: u32,
    /// The scripts to race against
    #[arg(long, value_delimiter = ',', default_value = "s2,s3")]
    scripts: Vec<Name>,
    /// Tells of so many of Postgres's statements after each leg, the most costly first; counting them costs time
    #[arg(long, default_value_t = 0)]
    statements: u32,
}

#[derive(Debug, Args)]
struct Query {
    #[command(flatten)]
    system: System,
    /// Questions a second, by a schedule that waits for no answer
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// How many seconds each rate is held
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Callers at once of the last part, each of whom waits for its answer
    #[arg(long, default_value_t = 64)]
    callers: usize,
}

#[derive(Debug, Args)]
struct Rebuilt {
    #[command(flatten)]
    system: System,
    /// Questions a second meanwhile, by a schedule that waits for no answer
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
}

#[derive(Debug, Args)]
struct SecondOutage {
    #[command(flatten)]
    system: System,
    /// Pairs: the small outage once idle, once in the middle
    #[arg(long, default_value_t = 3)]
    pairs: u32,
}

#[derive(Debug, Args)]
struct Handed {
    #[command(flatten)]
    system: System,
    /// The service that has a second process
    #[arg(long, default_value = "eligibility", value_parser = SERVICES)]
    service: String,
    /// What the moments follow from at which processes go
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Log {
    /// A broker of its own
    Kafka,
    /// In Postgres
    Postgres,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// Plain: keys first
    S1,
    /// Tuned and durable
    S2,
    /// The fastest trick, which rules out replicas
    S3,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// One JSON object
    Json,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match run(Bench::parse().what).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(what: What) -> Result<(), Error> {
    let say = |line: &str| eprintln!("{line}");
    match what {
        What::Settle(asked) => asked.system.print(&settle::run(&asked.race(), say).await?),
        What::Import(asked) => asked.print(&import::run(asked.size(), say).await?),
        What::Query(asked) => {
            let report = query::run(&asked.queries(), say).await?;
            asked.system.print(&report);
            if report.failures() > 0 {
                return Err(format!("{} questions had no answer", report.failures()).into());
            }
        }
        What::CatchUp(asked) => asked.print(&catch_up::run(asked.size(), say).await?),
        What::SecondOutage(asked) => {
            let second = Second { size: asked.system.size(), pairs: asked.pairs };
            asked.system.print(&second_outage::run(&second, say).await?);
        }
        What::HandOver(asked) => {
            asked.system.print(&hand_over::run(&asked.hand_over(), say).await?);
        }
        What::Rebuild(asked) => {
            let rebuild = Rebuild { size: asked.system.size(), rate: asked.rate };
            let report = rebuild::run(&rebuild, say).await?;
            asked.system.print(&report);
            if report.failures() > 0 {
                return Err(format!("{} questions had no answer", report.failures()).into());
            }
        }
    }
    Ok(())
}

impl System {
    fn size(&self) -> Size {
        let kafka = self.log == Log::Kafka;
        Size { subscriptions: self.subscriptions, kafka, partitions: self.partitions }
    }

    fn print(&self, report: &impl Shown) {
        match self.output {
            Form::Json => println!("{}", report.value()),
            Form::Table => report.lines().iter().for_each(|line| println!("{line}")),
        }
    }
}

impl Handed {
    fn hand_over(&self) -> HandOver {
        let service = SERVICES.into_iter().find(|name| **name == self.service);
        let service = service.expect("the parser lets no other name pass");
        let ways = vec![Way::Ended, Way::Killed];
        let size = self.system.size();
        HandOver { size, service, ways, restarts: SERVICES.to_vec(), seed: self.seed }
    }
}

impl Query {
    fn queries(&self) -> Queries {
        Queries {
            size: self.system.size(),
            rate: self.rate,
            time: Duration::from_secs(self.seconds),
            callers: self.callers,
        }
    }
}

impl Settle {
    fn race(&self) -> Race {
        let script = |name: &Name| match name {
            Name::S1 => Script::S1,
            Name::S2 => Script::S2,
            Name::S3 => Script::S3,
        };
        Race {
            size: self.system.size(),
            pairs: self.pairs,
            scripts: self.scripts.iter().map(script).collect(),
            statements: self.statements,
        }
    }
}
