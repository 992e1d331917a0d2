//! Chaos: the real binary on real servers, hurt at seeded random points while everything is asked of it, and then an
//! account of every record, every table and every effect by a reader that shares no code with it.

pub mod check;
pub mod client;
pub mod cluster;
pub mod faults;
pub mod load;
pub mod process;
pub mod random;
pub mod reader;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ristoro_proto::notifier::v1::NoticeState;
use tokio_util::sync::CancellationToken;

use check::decisions::Assessed;
use check::money::Money;
use check::notices::Told;
use check::{Findings, commands, notices, tables};
use client::{Book, Person};
use cluster::{CALLERS, Cluster};
use faults::{Counts, Schedule};
use load::Outcome;
use reader::Story;
use report::Figures;

/// What goes wrong with a run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long the load may take for each thousand records, and at least.
const LOAD_LIMIT: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));
/// How long everything may take to come to rest afterwards.
const REST_LIMIT: Duration = Duration::from_secs(180);
const INTERVAL: Duration = Duration::from_millis(500);

/// How much is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// Records on the log at least.
    pub records: u64,
    /// Of the faults and of the callers' choices.
    pub seed: u64,
}

impl Scale {
    /// Subscriptions: a few hundred for a quick run, more for a big one.
    #[must_use]
    pub fn people(self) -> u64 {
        (self.records / 50).clamp(240, 1_500)
    }

    /// Outages of which people hear.
    #[must_use]
    pub fn told_outages(self) -> u64 {
        2
    }

    /// Outages that go on; each is three records a person and policy, and an end. A tenth of all records and more come
    /// from everything else, and from workers that write what another has written.
    #[must_use]
    pub fn silent_outages(self) -> u64 {
        (self.records / 10 * 9).div_ceil(6 * self.people())
    }

    /// How many of those are decided at the same time.
    #[must_use]
    pub fn at_once(self) -> usize {
        12
    }
}

/// Runs it, and tells about it line by line.
///
/// # Errors
/// What does not agree, or what kept it from running.
pub async fn run(scale: Scale, say: fn(&str)) -> Result<(), Error> {
    say(&format!("seed {}, at least {} records", scale.seed, scale.records));
    let begun = Instant::now();
    let cluster = Cluster::start().await?;
    let book = Arc::new(Book::default());
    let outcome = hurt_and_load(&cluster, &book, scale, say).await;
    let kept = cluster.folder.clone();
    let outcome = match outcome {
        Ok((counts, outcome, people)) => {
            say(&format!("loaded after {} s", begun.elapsed().as_secs()));
            account(&cluster, (&book, counts, outcome, people), scale, say).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        // The processes go with this one; what they wrote is kept to be looked at.
        say(&format!("what the processes wrote is kept in {}", kept.display()));
        return Err(error);
    }
    cluster.stop().await?;
    say(&format!("everything agrees after {} s", begun.elapsed().as_secs()));
    Ok(())
}

/// Loads the system while it is hurt.
async fn hurt_and_load(
    cluster: &Cluster,
    book: &Arc<Book>,
    scale: Scale,
    say: fn(&str),
) -> Result<(Counts, Outcome, [Person; 3]), Error> {
    let [ada, bruno, carla] = CALLERS;
    let person = |name| Person::new(cluster, name, book);
    let people = [person(ada)?, person(bruno)?, person(carla)?];
    cluster.ready(&people[0]).await?;
    let end = CancellationToken::new();
    let (each, least) = LOAD_LIMIT;
    let thousands = u32::try_from(scale.records / 1_000).unwrap_or(u32::MAX);
    let limit = least.max(each * thousands);
    let load = async {
        let loaded = tokio::time::timeout(limit, load::run(&people, scale, say)).await;
        end.cancel();
        loaded.map_err(|_| format!("the load is not through after {limit:?}"))?
    };
    let schedule = Schedule::new(scale.seed, cluster.workers.len());
    let hurt = faults::inflict(cluster, schedule, end.clone());
    let (outcome, counts) = tokio::join!(load, hurt);
    Ok((counts?, outcome?, people))
}

/// Waits for rest, reads the log and compares everything with it.
async fn account(
    cluster: &Cluster,
    (book, counts, outcome, people): (&Book, Counts, Outcome, [Person; 3]),
    scale: Scale,
    say: fn(&str),
) -> Result<(), Error> {
    let told = [outcome.paid.clone(), outcome.granted.clone()].concat();
    heard(cluster, &people[2], &told).await?;
    let story = at_rest(cluster).await?;
    let mut findings = Findings::default();
    let assessed = Assessed::read(&story);
    let money = Money::read(&story, &assessed);
    let dispatched = Told::read(&story, &assessed);
    let sent = book.sent();
    let ends = commands::check(&story, &sent, &mut findings);
    tables::check(cluster, &story, &mut findings).await?;
    assessed.check(&story, &mut findings);
    assessed.check_tables(cluster, &mut findings).await?;
    money.check_bank(&outcome.bank, &mut findings);
    money.check_holds(&story, (&outcome.paid, &outcome.holds), &mut findings);
    money.check_grants(&assessed, (&outcome.granted, &outcome.made), &mut findings);
    money.check_ledger(cluster, &assessed, &mut findings).await?;
    let notifier = &people[2].notifier;
    dispatched.check((cluster, notifier), (&told, &outcome.silent), &mut findings).await?;
    let figures = Figures {
        story: &story,
        ends,
        counts: &counts,
        outcome: &outcome,
        told: &dispatched,
        held: money.held(),
        retries: book.retries(),
        own_ends: cluster.workers.iter().map(|worker| worker.own_ends()).sum(),
        mails: cluster.mail.count(),
        compared: findings.compared(),
    };
    figures.lines().iter().for_each(|line| say(line));
    let records = story.entries.len() as u64;
    findings.holds(|| format!("only {records} records passed"), records >= scale.records);
    match findings.lines() {
        lines if lines.is_empty() => Ok(()),
        lines => {
            // Whoever looks for the reason needs the records.
            std::fs::write(cluster.folder.join("log.txt"), story.text())?;
            Err(lines.join("\n").into())
        }
    }
}

/// Waits until every notice of these assessments has an outcome.
async fn heard(cluster: &Cluster, person: &Person, told: &[String]) -> Result<(), Error> {
    let deadline = Instant::now() + REST_LIMIT;
    for assessment in told {
        loop {
            let notices = notices::list(&person.notifier, assessment).await?;
            let open = notices.iter().filter(|notice| match notice.state() {
                NoticeState::Queued | NoticeState::Waiting | NoticeState::Sending => true,
                NoticeState::Unspecified
                | NoticeState::Sent
                | NoticeState::Refused
                | NoticeState::Unknown
                | NoticeState::NoChannel
                | NoticeState::Deferred
                | NoticeState::Bounced
                | NoticeState::Voided => false,
            });
            let open = open.count();
            if open == 0 && !notices.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("{open} notices of {assessment} are still open").into());
            }
            for worker in &cluster.workers {
                worker.look_after().await?;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
    Ok(())
}

/// Waits until every consumer has come to the log's end and nothing comes any more; gives the whole log.
async fn at_rest(cluster: &Cluster) -> Result<Story, Error> {
    let deadline = Instant::now() + REST_LIMIT;
    loop {
        let story = reader::read(&cluster.log).await?;
        let behind = tables::behind(cluster, &story.ends).await?;
        tokio::time::sleep(INTERVAL * 4).await;
        let still = tables::behind(cluster, &story.ends).await?;
        if behind == 0 && still == 0 {
            return Ok(story);
        }
        if Instant::now() > deadline {
            return Err(format!("{still} positions do not come to the log's end").into());
        }
        for worker in &cluster.workers {
            worker.look_after().await?;
        }
    }
}
