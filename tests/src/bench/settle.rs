//! The race: an approved assessment against scripts of SQL, leg by leg in alternating order.

use std::collections::BTreeMap;

use super::compare::{Outcome, ask, some};
use super::meter::Meter;
use super::report::{Leg, Report, Side};
use super::scripts::{Rows, Script};
use super::system::{Size, System};
use crate::stack::{Error, PEOPLE};

/// What is run.
#[derive(Clone, Debug)]
pub struct Race {
    /// What it is run on.
    pub size: Size,
    /// Pairs of legs.
    pub pairs: u32,
    /// The scripts to race against.
    pub scripts: Vec<Script>,
    /// How many of Postgres's statements are told of after each of ristoro's legs, the most costly first.
    pub statements: u32,
}

/// What the legs of a pair came to, for the comparison.
#[derive(Default)]
struct Pair {
    outcomes: Vec<Outcome>,
    amounts: BTreeMap<u64, i64>,
    assessment: String,
}

/// Runs it. `say` is told what happens.
///
/// # Errors
/// Where a side fails, or the sides disagree.
pub async fn run(race: &Race, say: impl Fn(&str)) -> Result<Report, Error> {
    let subscriptions = race.size.subscriptions;
    say("the services start");
    let mut system = System::start(race.size, race.statements).await?;
    say(&format!("{subscriptions} subscriptions are imported"));
    let import = system.import().await?;
    say(&format!("import: {}", import.line()));
    system.statements().await?.iter().for_each(|line| say(line));
    let mut servers = BTreeMap::new();
    for script in &race.scripts {
        if !servers.contains_key(&server_of(*script)) {
            say(&format!("the roster is loaded as rows for {}", script.name()));
            let server = server_of(*script);
            servers.insert(server, Rows::load(subscriptions, server).await?);
        }
    }
    let mut report = Report { subscriptions, import, ..Report::default() };
    for place in 0..race.pairs {
        let mut pair = Pair::default();
        for side in sides(place, &race.scripts) {
            let leg = match side {
                Side::Ristoro => ristoro_leg(&mut system, &mut pair).await?,
                Side::Script(script) => {
                    let rows = servers.get_mut(&server_of(script));
                    let rows = rows.ok_or("every script has a server")?;
                    script_leg(rows, (script, subscriptions), &mut pair).await?
                }
            };
            if side == Side::Ristoro {
                system.statements().await?.iter().for_each(|line| say(line));
            }
            say(&format!("pair {}: {}", place + 1, leg.line(side, subscriptions)));
            report.legs.push((place, side, leg));
        }
        agree(&pair.outcomes)?;
        let caller = system.stack.caller("eligibility", PEOPLE[0]).await?;
        ask(&caller, &pair.assessment, &pair.amounts).await?;
        let asked = pair.amounts.len();
        say(&format!("pair {}: all sides agree, {asked} people asked one by one too", place + 1));
    }
    for rows in servers.into_values() {
        rows.postgres.stop().await?;
    }
    system.stack.stop().await?;
    Ok(report)
}

/// Gives the order of a pair's legs: every other pair runs backwards, so that nobody is always first.
fn sides(pair: u32, scripts: &[Script]) -> Vec<Side> {
    let mut sides = vec![Side::Ristoro];
    sides.extend(scripts.iter().copied().map(Side::Script));
    if pair % 2 == 1 {
        sides.reverse();
    }
    sides
}

/// S3 needs settings of its own.
fn server_of(script: Script) -> Script {
    if script == Script::S3 { Script::S3 } else { Script::S2 }
}

/// Looks that all sides came to the same.
///
/// # Errors
/// Where one did not.
pub fn agree(outcomes: &[Outcome]) -> Result<(), Error> {
    let Some(first) = outcomes.first() else { return Ok(()) };
    match outcomes.iter().find(|other| *other != first) {
        Some(other) => Err(format!("the sides disagree: {first:#?} and {other:#?}").into()),
        None => Ok(()),
    }
}

/// Settles one outage: what counts is from the approval until the last row is there.
async fn ristoro_leg(system: &mut System, pair: &mut Pair) -> Result<Leg, Error> {
    let proposed = system.propose().await?;
    let log_before = system.log_bytes()?;
    let meter = Meter::start(&system.stack.processes());
    let first = system.settle(&proposed).await?;
    let usage = meter.stop(&system.stack.processes());
    let log_bytes = system.log_bytes()?.saturating_sub(log_before);
    pair.outcomes.push(Outcome::of_assessment(&mut system.tables, &proposed.assessment).await?);
    pair.assessment = proposed.assessment;
    Ok(Leg { usage, first, simulated: proposed.simulated, log_bytes })
}

async fn script_leg(
    rows: &mut Rows,
    (script, subscriptions): (Script, u64),
    pair: &mut Pair,
) -> Result<Leg, Error> {
    let processes = BTreeMap::from([("postgres", rows.postgres.process_id())]);
    let meter = Meter::start(&processes);
    rows.run(script).await?;
    let usage = meter.stop(&processes);
    pair.outcomes.push(Outcome::of_script(rows.connection()).await?);
    pair.amounts = some(rows.connection(), subscriptions).await?;
    rows.clear().await?;
    Ok(Leg { usage, ..Leg::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_pair_runs_backwards() {
        let names = |pair| sides(pair, &[Script::S2, Script::S3]).into_iter().map(Side::name);
        assert_eq!(names(0).collect::<Vec<_>>(), ["ristoro", "S2", "S3"]);
        assert_eq!(names(1).collect::<Vec<_>>(), ["S3", "S2", "ristoro"]);
    }

    #[test]
    fn sides_that_differ_are_told() {
        let one = Outcome { notices: vec!["1".to_owned()], ..Outcome::default() };
        assert!(agree(&[one.clone(), one.clone()]).is_ok());
        assert!(agree(&[one, Outcome::default()]).is_err());
    }
}
