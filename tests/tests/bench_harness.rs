//! The measurements of the whole system in small: that they run, that all sides agree, and that every question is answered.
//! How long anything takes is no part of it.

use std::time::Duration;

use ristoro_tests::bench::catch_up;
use ristoro_tests::bench::hand_over::{self, HandOver, Way};
use ristoro_tests::bench::import;
use ristoro_tests::bench::query::{self, Queries};
use ristoro_tests::bench::rebuild::{self, Rebuild};
use ristoro_tests::bench::report::{Shown, Side};
use ristoro_tests::bench::scripts::Script;
use ristoro_tests::bench::second_outage::{self, Second};
use ristoro_tests::bench::settle::{self, Race};
use ristoro_tests::bench::system::Size;
use ristoro_tests::stack::Error;

const SIZE: Size = Size { subscriptions: 3_000, kafka: false, partitions: 2 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_runs_in_both_orders_and_its_sides_agree() -> Result<(), Error> {
    let race = Race { size: SIZE, pairs: 2, scripts: vec![Script::S2], statements: 0 };
    let report = settle::run(&race, |_| {}).await?;
    let sides: Vec<_> = report.legs.iter().map(|(pair, side, _)| (*pair, *side)).collect();
    let (own, script) = (Side::Ristoro, Side::Script(Script::S2));
    assert_eq!(sides, [(0, own), (0, script), (1, script), (1, own)]);
    let value = report.value();
    assert_eq!(value["subscriptions"], 3_000);
    for (_, _, leg) in &report.legs {
        assert!(!leg.usage.wall.is_zero() && leg.usage.cpu_seconds() > 0.0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_is_answered_rightly_while_an_outage_is_settled_too() -> Result<(), Error> {
    let time = Duration::from_secs(2);
    let queries = Queries { size: SIZE, rate: 20, time, callers: 4 };
    let report = query::run(&queries, |_| {}).await?;
    assert_eq!(report.failures(), 0, "{:#}", report.value());
    let value = report.value();
    let legs = value["legs"].as_array().ok_or("the report has legs")?;
    assert_eq!(legs.len(), 4);
    for leg in legs {
        let answers = leg["answered"]["all"]["count"].as_u64();
        assert!(answers.is_some_and(|count| count > 0), "{leg:#}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_measured_until_every_service_knows_everybody() -> Result<(), Error> {
    let imported = import::run(SIZE, |_| {}).await?;
    let value = imported.value();
    assert_eq!(value["subscriptions"], 3_000);
    for process in ["client", "outage", "eligibility", "payout", "notifier", "postgres"] {
        assert!(value["cpu_seconds_by_process"][process].is_number(), "{value:#}");
    }
    assert!(imported.answered <= imported.usage.wall, "{value:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_was_away_catches_up_with_all_that_it_missed() -> Result<(), Error> {
    let report = catch_up::run(SIZE, |_| {}).await?;
    let services: Vec<_> = report.turns.iter().map(|turn| turn.service).collect();
    assert_eq!(services, ["payout", "notifier"]);
    for turn in &report.turns {
        // Of each partition a chunk and its end; the approval and the completion.
        assert_eq!(turn.records, 2 * u64::from(SIZE.partitions) + 2, "{turn:?}");
        assert!(!turn.ready.is_zero() && turn.usage.cpu.contains_key(turn.service), "{turn:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_built_again_and_gone_back_from_while_questions_are_answered()
-> Result<(), Error> {
    let report = rebuild::run(&Rebuild { size: SIZE, rate: 20 }, |_| {}).await?;
    let value = report.value();
    assert_eq!(report.failures(), 0, "{value:#}");
    for load in ["answered", "answered_while_going_back"] {
        assert!(value[load]["all"]["count"].as_u64().is_some_and(|count| count > 0), "{value:#}");
    }
    assert!(value["entitlements"].as_u64().is_some_and(|count| count > 0), "{value:#}");
    let folded = value["folded_after_seconds"].as_object().ok_or("it tells when all is folded")?;
    assert_eq!(folded.len(), 4, "{value:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_outage_is_settled_alone_and_in_the_middle_of_a_large_one() -> Result<(), Error> {
    let report = second_outage::run(&Second { size: SIZE, pairs: 1 }, |_| {}).await?;
    let [pair] = report.pairs.as_slice() else { return Err("there is one pair".into()) };
    for small in [&pair.idle, &pair.during] {
        assert!((1..SIZE.subscriptions / 10).contains(&small.entitled), "{small:?}");
        assert!(small.simulated < small.whole, "{small:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_goes_is_followed_by_another_and_nothing_is_decided_twice()
-> Result<(), Error> {
    let (ways, restarts) = (vec![Way::Ended], vec!["payout"]);
    let hand_over = HandOver { size: SIZE, service: "eligibility", ways, restarts, seed: 7 };
    let report = hand_over::run(&hand_over, |_| {}).await?;
    let gone = report.handed_over.iter().chain(&report.restarted);
    let gone: Vec<_> = gone.map(|gone| (gone.service, gone.way)).collect();
    assert_eq!(gone, [("eligibility", Way::Ended), ("payout", Way::Killed)]);
    Ok(())
}
