//! How many subscriptions a second of processor time one core decides: remembered, and with everybody unlike everybody
//! else.
//!
//! `cargo xtask bench policy` runs it. The roster has 200 cohorts, and 300 of each thousand mailboxes came back at an
//! instant of their own.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::BTreeMap;
use std::time::Instant as Clock;

use jiff::SignedDuration;
use ristoro_domain::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::policy::{Context, Evaluator, Policy, shipped};
use ristoro_domain::time::{Instant, Window};

/// Plans with their yearly fee in cents.
const PLANS: [(&str, i64); 4] =
    [("free", 0), ("plus-5gb", 1_999), ("plus-1tb", 4_999), ("free", 0)];
/// How many cohorts there are.
const COHORTS: u64 = 200;

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let roster: Vec<Subscription> = (0..count).map(subscription).collect();
    let unlike: Vec<Subscription> = (0..count / 20).map(unlike).collect();
    for id in ["libero-2023", "agcom-347-18"] {
        let shipped = shipped().iter().find(|one| one.id == id).expect("it is shipped");
        let policy = Policy::parse(shipped.file, shipped.text).expect("it is read by a test");
        let rate = measure(&policy, &outage(&roster), &roster);
        let cold = measure(&policy, &outage(&unlike), &unlike);
        println!(
            "{{\"policy\":{id:?},\"subscriptions\":{count},\"per_second\":{},\"remembered_percent\":{},\"reasons\":{},\"unlike_per_second\":{}}}",
            rate.per_second, rate.remembered_percent, rate.reasons, cold.per_second
        );
    }
}

struct Measured {
    per_second: u128,
    remembered_percent: u64,
    reasons: usize,
}

fn measure(policy: &Policy, outage: &Outage, roster: &[Subscription]) -> Measured {
    let mut evaluator = Evaluator::new(policy, outage);
    let begun = (Clock::now(), on_the_processor());
    for subscription in roster {
        let decided = evaluator.decide(subscription, &Context::default());
        decided.expect("the outage has an end for everybody");
    }
    let wall = begun.0.elapsed().as_nanos();
    let spent = on_the_processor().zip(begun.1).map(|(end, begin)| end.saturating_sub(begin));
    let nanoseconds = spent.map_or(wall, u128::from).max(1);
    let count = roster.len() as u64;
    Measured {
        per_second: u128::from(count) * 1_000_000_000 / nanoseconds,
        remembered_percent: 100 - evaluator.decisions() * 100 / count.max(1),
        reasons: evaluator.reasons().len(),
    }
}

/// Gives for how many nanoseconds this thread has been on a processor, where the system tells.
fn on_the_processor() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn at(minute: i64) -> Instant {
    let begun: Instant = "2023-01-22T23:00:00Z".parse().expect("it is a time");
    begun.saturating_add(SignedDuration::from_mins(minute)).expect("minutes do not overflow")
}

fn cohort(number: u64) -> String {
    format!("cohort-{}", number % COHORTS)
}

fn subscription(number: u64) -> Subscription {
    let (plan, fee) = PLANS[(number % 4) as usize];
    Subscription {
        id: format!("lm-{number}"),
        service: "libero-mail".to_owned(),
        segment: if number.is_multiple_of(50) { Segment::Business } else { Segment::Consumer },
        class: Class::Principal,
        cohort: Some(cohort(number)),
        quota_bytes: None,
        term_end: None,
        in_arrears: false,
        periods: vec![Period {
            plan: plan.to_owned(),
            fee: (fee > 0).then(|| Money::new(fee, Currency::EUR)),
            fee_period: FeePeriod::Year,
            window: Window { from: Instant::MIN, to: None },
        }],
    }
}

/// Somebody whom no policy sees like anybody else: storage, term and plan of the own.
fn unlike(number: u64) -> Subscription {
    let mut one = subscription(number);
    let plan = format!("plan-{number}");
    one.quota_bytes = Some(1_000_000_000 + number);
    one.periods[0].plan = if number.is_multiple_of(2) { plan } else { one.periods[0].plan.clone() };
    one.service = format!("service-{number}");
    one
}

/// The mailboxes are down for days; cohorts come back by the hour, single mailboxes by the minute.
fn outage(roster: &[Subscription]) -> Outage {
    let single = roster.iter().enumerate().filter(|(place, _)| place % 10 < 3);
    let restored = single.map(|(place, one)| {
        let minute = 4_000 + i64::try_from(place % 4_000).expect("it is small");
        (one.id.clone(), at(minute))
    });
    let cohorts = (0..COHORTS).map(|number| (cohort(number), at(5_000 + 30 * number as i64)));
    let impact = |component: &str| Impact {
        service: None,
        component: component.to_owned(),
        severity: Severity::Total,
        cohort: None,
        window: Window { from: at(0), to: Some(at(9_000)) },
        restored_cohorts: cohorts.clone().collect(),
        restored_subscriptions: BTreeMap::new(),
    };
    let mut mailbox = impact("mailbox");
    mailbox.restored_subscriptions = restored.collect();
    let mut app = impact("ios-app");
    app.window.to = Some(at(15_000));
    Outage {
        id: "libero".to_owned(),
        cause: Cause::Fault,
        works_done_at: None,
        declared: true,
        declared_at: None,
        impacts: vec![mailbox, app],
    }
}
