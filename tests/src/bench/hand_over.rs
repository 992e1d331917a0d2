//! Processes that end and that are killed in the middle of a settlement: how long until another has their partitions, and
//! that what comes out is what an undisturbed settlement gives.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::compare::Outcome;
use super::report::{Shown, table};
use super::settle::agree;
use super::system::{Proposed, Size, Stage, System};
use crate::chaos::random::Random;
use crate::stack::{Error, Service};

/// How often the leases are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is run.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// What it is run on.
    pub size: Size,
    /// The service that has a second process.
    pub service: &'static str,
    /// How that goes, a settlement each.
    pub ways: Vec<Way>,
    /// The services that are killed and started again, a settlement each.
    pub restarts: Vec<&'static str>,
    /// What the moments follow from at which processes go.
    pub seed: u64,
}

/// How a process goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It is asked to end, and ends what it has begun.
    Ended,
    /// It is killed.
    Killed,
}

/// A settlement in which a process went.
#[derive(Clone, Debug)]
pub struct Gone {
    /// Whose process.
    pub service: &'static str,
    /// How it went.
    pub way: Way,
    /// How long after the approval.
    pub after: Duration,
    /// From then until another process, or the one that was started again, had all partitions.
    pub back: Duration,
    /// From the approval until everything was released.
    pub settled: Duration,
}

/// What it came to. That there is one means that all settlements gave the same.
#[derive(Clone, Debug)]
pub struct Report {
    hand_over: HandOver,
    /// The settlement in which nobody went.
    undisturbed: Duration,
    /// A second process that went while the first took over.
    pub handed_over: Vec<Gone>,
    /// Services that were killed and started again.
    pub restarted: Vec<Gone>,
}

/// Runs it. `say` is told what happens.
///
/// # Errors
/// Where the system fails, or a settlement gives something else.
pub async fn run(hand_over: &HandOver, say: impl Fn(&str)) -> Result<Report, Error> {
    say("the services start");
    let mut system = System::start(hand_over.size, 0).await?;
    say(&format!("{} subscriptions are imported", hand_over.size.subscriptions));
    system.import().await?;
    let proposed = system.propose().await?;
    let begun = Instant::now();
    system.settle(&proposed).await?;
    let undisturbed = begun.elapsed();
    let expected = outcome(&mut system, &proposed).await?;
    say(&format!("undisturbed: {:.2} s", undisturbed.as_secs_f64()));
    let mut random = Random::new(hand_over.seed, "when processes go");
    let mut moment = || undisturbed * u32::try_from(random.below(100)).unwrap_or(0) / 100;
    let (mut handed_over, mut restarted) = (Vec::new(), Vec::new());
    for way in hand_over.ways.iter().copied() {
        let gone = hand(&mut system, (hand_over.service, way), moment(), &expected).await?;
        say(&gone.line());
        handed_over.push(gone);
    }
    for service in hand_over.restarts.iter().copied() {
        let gone = restart(&mut system, service, moment(), &expected).await?;
        say(&gone.line());
        restarted.push(gone);
    }
    system.stack.stop().await?;
    Ok(Report { hand_over: hand_over.clone(), undisturbed, handed_over, restarted })
}

/// Settles an outage with two processes of a service, of which one goes.
async fn hand(
    system: &mut System,
    (service, way): (&'static str, Way),
    after: Duration,
    expected: &Outcome,
) -> Result<Gone, Error> {
    let proposed = system.propose().await?;
    let mut second = Service::start(service, system.stack.settings())?;
    second.ready().await?;
    until_shared(system, service).await?;
    let begun = Instant::now();
    system.approve(&proposed).await?;
    tokio::time::sleep_until((begun + after).into()).await;
    let going = Instant::now();
    match way {
        Way::Ended => drop(second.end().await?),
        Way::Killed => second.kill().await?,
    }
    let (back, settled) = both(system, &proposed, [going, begun], (service, &[])).await?;
    compare(system, &proposed, expected).await?;
    Ok(Gone { service, way, after, back, settled })
}

/// Settles an outage, kills a service meanwhile and starts it again.
async fn restart(
    system: &mut System,
    service: &'static str,
    after: Duration,
    expected: &Outcome,
) -> Result<Gone, Error> {
    let proposed = system.propose().await?;
    let before = owners(system, service).await?;
    let begun = Instant::now();
    system.approve(&proposed).await?;
    tokio::time::sleep_until((begun + after).into()).await;
    let going = Instant::now();
    system.stack.kill(service).await?;
    system.stack.start_again(service).await?;
    // What the killed process had is nobody else's before its leases are over.
    let (back, settled) = both(system, &proposed, [going, begun], (service, &before)).await?;
    compare(system, &proposed, expected).await?;
    Ok(Gone { service, way: Way::Killed, after, back, settled })
}

/// Waits until one process has all partitions and until all is released, whichever comes first; gives how long each took.
async fn both(
    system: &mut System,
    proposed: &Proposed,
    [going, begun]: [Instant; 2],
    (service, gone): (&str, &[Uuid]),
) -> Result<(Duration, Duration), Error> {
    let (mut back, mut settled) = (None, None);
    loop {
        if back.is_none() && owned(system, service, gone).await? == (1, system.size.partitions) {
            back = Some(going.elapsed());
        }
        if settled.is_none() && system.stage(proposed).await? == Stage::Settled {
            settled = Some(begun.elapsed());
        }
        if let (Some(back), Some(settled)) = (back, settled) {
            return Ok((back, settled));
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{service}: back {back:?}, settled {settled:?}").into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn compare(
    system: &mut System,
    proposed: &Proposed,
    expected: &Outcome,
) -> Result<(), Error> {
    agree(&[expected.clone(), outcome(system, proposed).await?])
}

async fn outcome(system: &mut System, proposed: &Proposed) -> Result<Outcome, Error> {
    Outcome::of_assessment(&mut system.tables, &proposed.assessment).await
}

/// Gives the processes of a service that have partitions.
async fn owners(system: &mut System, service: &str) -> Result<Vec<Uuid>, Error> {
    let text = format!("select distinct member_id from {service}_control.lease");
    Ok(sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&mut system.tables).await?)
}

/// Waits until two processes of a service share its partitions.
async fn until_shared(system: &mut System, service: &str) -> Result<(), Error> {
    let begun = Instant::now();
    while owned(system, service, &[]).await? != (2, system.size.partitions) {
        if begun.elapsed() > PATIENCE {
            return Err(format!("two processes of {service} do not share its partitions").into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Gives how many processes of a service have how many partitions, without those that are gone.
async fn owned(system: &mut System, service: &str, gone: &[Uuid]) -> Result<(u32, u32), Error> {
    let text = format!(
        "select count(distinct member_id), count(*) from {service}_control.lease \
         where expires_at > clock_timestamp() and member_id <> all($1)"
    );
    let query = sqlx::query_as(AssertSqlSafe(text)).bind(gone);
    let (processes, partitions): (i64, i64) = query.fetch_one(&mut system.tables).await?;
    Ok((processes.try_into()?, partitions.try_into()?))
}

impl Gone {
    fn how(&self) -> &'static str {
        match self.way {
            Way::Ended => "ended",
            Way::Killed => "killed",
        }
    }

    fn line(&self) -> String {
        format!(
            "{} {} after {:.2} s: back after {:.2} s, settled after {:.2} s, with the same result",
            self.service,
            self.how(),
            self.after.as_secs_f64(),
            self.back.as_secs_f64(),
            self.settled.as_secs_f64()
        )
    }

    fn value(&self) -> Value {
        json!({
            "service": self.service,
            "process": self.how(),
            "after_seconds": self.after.as_secs_f64(),
            "back_seconds": self.back.as_secs_f64(),
            "settled_seconds": self.settled.as_secs_f64(),
        })
    }

    fn row(&self, what: &str) -> Vec<String> {
        let seconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
        let mut row = vec![format!("{} {}, {what}", self.service, self.how())];
        row.extend([self.after, self.back, self.settled].map(seconds));
        row
    }
}

impl Shown for Report {
    fn value(&self) -> Value {
        json!({
            "subscriptions": self.hand_over.size.subscriptions,
            "seed": self.hand_over.seed,
            "undisturbed_seconds": self.undisturbed.as_secs_f64(),
            "handed_over": self.handed_over.iter().map(Gone::value).collect::<Vec<_>>(),
            "restarted": self.restarted.iter().map(Gone::value).collect::<Vec<_>>(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let handed = self.handed_over.iter().map(|gone| gone.row("another took over"));
        let restarted = self.restarted.iter().map(|gone| gone.row("started again"));
        let columns = ["process", "went after s", "back after s", "settled after s"];
        let mut lines = table(&columns, &handed.chain(restarted).collect::<Vec<_>>());
        lines.push(format!(
            "undisturbed in {:.2} s; all gave the same; seed {}",
            self.undisturbed.as_secs_f64(),
            self.hand_over.seed
        ));
        lines
    }
}
