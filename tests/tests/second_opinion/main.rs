//! A second opinion: every regime decided again, minute by minute, from the text of its rules.
//!
//! It shares the case's facts with the engine and nothing else: no reading of policy files, no interruptions as windows, no
//! rounding code, no memory. What differs is a fault in one of the two.

mod cases;
mod clouds;
mod fraction;
mod minutes;
mod regimes;
mod sections;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ristoro_domain::policy::{Evaluator, Policy, shipped};
use ristoro_domain::remedy::{Grant, Payer, Reason, RemedyKind};

use crate::cases::{Situation, situation};
use crate::regimes::{Owed, REGIMES};

/// How many situations each regime is asked about.
fn count() -> u32 {
    std::env::var("RISTORO_LAWS_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(40)
}

/// Writes a decision as the second opinion does.
fn owed(reason: &Reason) -> Owed {
    let mut owed: Owed = BTreeMap::new();
    for remedy in &reason.remedies {
        let kind = match remedy.kind {
            RemedyKind::Indemnity => "indemnity",
            RemedyKind::Refund => "refund",
            RemedyKind::Damages => "damages",
            RemedyKind::Goodwill => "goodwill",
        };
        let payer = match remedy.payer {
            Payer::Operator => "operator",
            Payer::Fund => "fund",
        };
        let (grant, figure) = match &remedy.grant {
            Grant::Money(money) => ("money", i128::from(money.minor)),
            Grant::Credit(money) => ("credit", i128::from(money.minor)),
            Grant::Voucher(money) => ("voucher", i128::from(money.minor)),
            Grant::Term { months, days, .. } => {
                ("term", i128::from(*months) * 1_000 + i128::from(*days))
            }
            Grant::Quota { bytes } => ("quota", i128::from(*bytes)),
        };
        *owed.entry((kind, grant, payer)).or_default() += figure;
    }
    owed
}

#[track_caller]
fn agree(regime: &'static str) {
    let file = shipped().iter().find(|one| one.id == regime).expect("the regime is shipped");
    let policy = Policy::parse(file.file, file.text).expect("it is read");
    let second = REGIMES.iter().find(|(id, _)| *id == regime).expect("it has a second opinion").1;
    let mut runner =
        TestRunner::new(Config { cases: count(), failure_persistence: None, ..Config::default() });
    let (mut some, mut nothing) = (0_u32, 0_u32);
    let outcome = runner.run(&situation(regime), |situation: Situation| {
        let (outage, subscription) = (situation.outage(), situation.subscription());
        let mut evaluator = Evaluator::new(&policy, &outage);
        let surroundings = situation.surroundings();
        let index = evaluator.decide(&subscription, &surroundings.context());
        let index = index.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        let first = owed(evaluator.reason(index));
        let second = second(&situation);
        prop_assert_eq!(&first, &second, "{:#?}", evaluator.reason(index));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{regime}: {error}");
    }
    // A check in which nobody is ever owed anything would show nothing.
    let mut sampler = TestRunner::deterministic();
    for _ in 0..count() {
        let tree = situation(regime).new_tree(&mut sampler).expect("a situation");
        if second(&proptest::strategy::ValueTree::current(&tree)).is_empty() {
            nothing += 1
        } else {
            some += 1
        }
    }
    assert!(some * 16 > nothing, "{regime}: {some} of {} are owed anything", some + nothing);
}

/// Makes a test for each regime.
macro_rules! regimes {
    ($($name:ident: $id:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            agree($id);
        })*

        #[test]
        fn every_shipped_regime_has_a_second_opinion() {
            let tested = [$($id),*];
            for one in shipped() {
                assert!(tested.contains(&one.id), "{} has none", one.id);
            }
        }
    };
}

regimes! {
    agcom: "agcom-347-18",
    altroconsumo: "altroconsumo-30",
    arera: "arera-2025",
    att: "att-guarantee",
    aws_ec2: "aws-ec2-region",
    aws_s3: "aws-s3",
    eu_261: "eu-261",
    github: "github-sla",
    google_workspace: "google-workspace",
    libero: "libero-2023",
    ofcom: "ofcom",
    tkg: "tkg-58",
}
