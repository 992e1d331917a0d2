//! Laws that hold for every shipped policy and every case.
//!
//! Some need conditions: more outage pays no less for one growing window of one severity under constant rates. Without
//! them there are real counter-examples, which `counter_examples` keeps.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Context, Evaluator, Granted, Policy, shipped};
use crate::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use crate::money::{Currency, Money};
use crate::remedy::{Reason, RemedyKind};
use crate::time::{Instant, Window};

/// 1 January 2023, 00:00 in Rome, in minutes since the epoch.
const BEGIN: i64 = 27_875_460;
/// Windows lie within this many minutes: four months, with the night on which summer time begins.
const SPAN: i64 = 4 * 30 * 24 * 60;

const COMPONENTS: &[&str] = &[
    "mailbox",
    "imap",
    "ios-app",
    "accessory",
    "weather",
    "broadband",
    "supply",
    "ec2",
    "wireless",
];

fn policies() -> Vec<Policy> {
    let parse = |one: &super::Shipped| Policy::parse(one.file, one.text).unwrap();
    shipped().iter().map(parse).collect()
}

fn agcom() -> Policy {
    policies().into_iter().find(|policy| policy.id() == "agcom-347-18").unwrap()
}

fn at(minute: i64) -> Instant {
    Instant::from_second((BEGIN + minute) * 60).unwrap()
}

fn impact(component: &str, severity: Severity, from: i64, length: i64) -> Impact {
    Impact {
        service: None,
        component: component.to_owned(),
        severity,
        cohort: None,
        window: Window::new(at(from), Some(at(from + length))).unwrap(),
        restored_cohorts: BTreeMap::new(),
        restored_subscriptions: BTreeMap::new(),
    }
}

fn impacts() -> impl Strategy<Value = Vec<Impact>> {
    let severity = prop_oneof![Just(Severity::Total), Just(Severity::Degraded)];
    let length = prop_oneof![1_i64..60, 60_i64..20_000];
    let one = (0..COMPONENTS.len(), severity, 0_i64..SPAN, length).prop_map(
        |(place, severity, from, length)| impact(COMPONENTS[place], severity, from, length),
    );
    prop::collection::vec(one, 0..5)
}

fn outage() -> impl Strategy<Value = Outage> {
    let cause = prop_oneof![
        4 => Just(Cause::Fault),
        1 => Just(Cause::Planned),
        1 => Just(Cause::ForceMajeure),
        1 => Just(Cause::Customer)
    ];
    let works = prop::option::of(0_i64..SPAN);
    (impacts(), cause, works, any::<bool>()).prop_map(|(impacts, cause, works, declared)| Outage {
        id: "o".to_owned(),
        cause,
        works_done_at: works.map(at),
        declared,
        impacts,
    })
}

fn period(plan: &str, from: i64, to: Option<i64>) -> Period {
    let fee = (plan != "free").then(|| Money::new(1999, Currency::EUR));
    let window = Window::new(at(from), to.map(at)).unwrap();
    Period { plan: plan.to_owned(), fee, fee_period: FeePeriod::Year, window }
}

fn subscription() -> impl Strategy<Value = Subscription> {
    let plan = || prop_oneof![Just("free"), Just("plus-5gb"), Just("archive")];
    let class = prop_oneof![4 => Just(Class::Principal), 1 => Just(Class::Accessory), 1 => Just(Class::Free)];
    let service = prop_oneof![4 => Just("libero-mail"), 1 => Just("pec")];
    let change = prop::option::of((1_i64..SPAN, plan()));
    let start = prop_oneof![3 => Just(-1_000_000_i64), 1 => 0_i64..SPAN / 2];
    let parts =
        (service, any::<bool>(), class, start, plan(), change, prop::option::of(1_u64..1 << 40));
    parts.prop_map(|(service, business, class, start, plan, change, quota_bytes)| {
        let periods = match change.filter(|(minute, _)| *minute > start) {
            None => vec![period(plan, start, None)],
            Some((minute, next)) => {
                vec![period(plan, start, Some(minute)), period(next, minute, None)]
            }
        };
        Subscription {
            id: "s".to_owned(),
            service: service.to_owned(),
            segment: if business { Segment::Business } else { Segment::Consumer },
            class,
            cohort: None,
            // Libero's rule for storage needs a figure where the plan has none in the policy.
            quota_bytes: quota_bytes.or(Some(1 << 30)),
            term_end: None,
            in_arrears: false,
            periods,
        }
    })
}

/// A consumer on a paid plan all the time.
fn paying() -> Subscription {
    Subscription {
        id: "s".to_owned(),
        service: "libero-mail".to_owned(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: None,
        quota_bytes: None,
        term_end: None,
        in_arrears: false,
        periods: vec![period("plus-5gb", -1_000_000, None)],
    }
}

/// Reports, and what was granted before, in cents.
fn surroundings() -> impl Strategy<Value = (Vec<Instant>, Vec<Granted>)> {
    let reports = prop::collection::vec((0_i64..2 * SPAN).prop_map(at), 0..3);
    let kind = prop_oneof![Just(RemedyKind::Indemnity), Just(RemedyKind::Goodwill)];
    let granted = (kind, 0_i64..10_000).prop_map(|(kind, minor)| Granted {
        kind,
        money: Some(Money::new(minor, Currency::EUR)),
        policy: String::new(),
    });
    (reports, prop::collection::vec(granted, 0..2))
}

/// Decides in the policy's own currency.
fn decide(policy: &Policy, outage: &Outage, of: &Subscription, context: &Context<'_>) -> Reason {
    let mut evaluator = Evaluator::new(policy, outage);
    let (of, granted) = in_currency(policy, of, context.granted);
    let context = Context { granted: &granted, ..*context };
    let index = evaluator.decide(&of, &context).unwrap();
    evaluator.reason(index).clone()
}

fn in_currency(
    policy: &Policy,
    of: &Subscription,
    granted: &[Granted],
) -> (Subscription, Vec<Granted>) {
    let convert = |money: Money| Money::new(money.minor, policy.currency());
    let mut of = of.clone();
    for period in &mut of.periods {
        period.fee = period.fee.map(convert);
    }
    let granted =
        granted.iter().map(|one| Granted { money: one.money.map(convert), ..one.clone() });
    (of, granted.collect())
}

fn total(reason: &Reason) -> i64 {
    reason.remedies.iter().filter_map(|remedy| remedy.grant.amount()).map(|money| money.minor).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn amounts_are_positive_and_the_lines_sum_to_them(
        outage in outage(), of in subscription(), (reports, granted) in surroundings()
    ) {
        for policy in policies() {
            let context = Context { reports: &reports, granted: &granted, ..Context::default() };
            let reason = decide(&policy, &outage, &of, &context);
            prop_assert!(reason.remedies.iter().all(|one| one.grant.amount().is_none_or(|money| money.minor > 0)));
            let lines: i64 = reason.trace.iter().filter_map(|line| line.amount).map(|money| money.minor).sum();
            prop_assert_eq!(lines, total(&reason));
            prop_assert!(!reason.trace.is_empty());
            let explained = reason.trace.iter().any(|line| !line.excluded.is_empty());
            prop_assert!(explained || !reason.remedies.is_empty(), "an unexplained zero");
            prop_assert_eq!(&reason, &decide(&policy, &outage, &of, &context));
        }
    }

    #[test]
    fn what_is_remembered_is_what_a_fresh_evaluator_decides(
        outage in outage(), people in prop::collection::vec((subscription(), surroundings()), 1..12)
    ) {
        for policy in policies() {
            let mut evaluator = Evaluator::new(&policy, &outage);
            for (of, (reports, granted)) in &people {
                let (of, granted) = in_currency(&policy, of, granted);
                let (of, granted) = (&of, granted.as_slice());
                let context = Context { reports, granted, ..Context::default() };
                let index = evaluator.decide(of, &context).unwrap();
                prop_assert_eq!(evaluator.reason(index), &decide(&policy, &outage, of, &context));
            }
        }
    }

    #[test]
    fn the_order_of_impacts_changes_nothing(outage in outage(), of in subscription()) {
        let reversed = Outage { impacts: outage.impacts.iter().rev().cloned().collect(), ..outage.clone() };
        let reports = [at(0)];
        let context = Context { reports: &reports, ..Context::default() };
        for policy in policies() {
            prop_assert_eq!(decide(&policy, &outage, &of, &context), decide(&policy, &reversed, &of, &context));
        }
    }

    #[test]
    fn splitting_a_window_in_two_adjoining_ones_changes_nothing(
        outage in outage(), of in subscription(), share in 1_i64..100
    ) {
        let mut split = outage.clone();
        for impact in &outage.impacts {
            let (from, to) = (impact.window.from, impact.window.to.unwrap());
            let middle = Instant::from_second(from.as_second() + to.duration_since(from).as_secs() * share / 100).unwrap();
            if middle > from && middle < to {
                let first = Impact { window: Window::new(from, Some(middle)).unwrap(), ..impact.clone() };
                let place = split.impacts.iter().position(|one| one == impact).unwrap();
                split.impacts[place].window.from = middle;
                split.impacts.push(first);
            }
        }
        let reports = [at(0)];
        let context = Context { reports: &reports, ..Context::default() };
        for policy in policies() {
            prop_assert_eq!(decide(&policy, &outage, &of, &context), decide(&policy, &split, &of, &context));
        }
    }

    #[test]
    fn more_outage_never_pays_less(
        of in subscription(), place in 0..COMPONENTS.len(), from in 0_i64..SPAN, length in 1_i64..20_000, more in 1_i64..20_000
    ) {
        let reports = [at(from)];
        let context = Context { reports: &reports, ..Context::default() };
        let outage = |length| Outage {
            id: "o".to_owned(),
            cause: Cause::Fault,
            works_done_at: None,
            declared: false,
            impacts: vec![impact(COMPONENTS[place], Severity::Total, from, length)],
        };
        for policy in policies() {
            let shorter = decide(&policy, &outage(length), &of, &context);
            let longer = decide(&policy, &outage(length + more), &of, &context);
            prop_assert!(total(&shorter) <= total(&longer), "{:?} {:?}", shorter, longer);
            prop_assert!(shorter.remedies.len() <= longer.remedies.len());
        }
    }

    #[test]
    fn caps_hold(business in any::<bool>(), place in 0..COMPONENTS.len(), length in 1_i64..3 * SPAN) {
        let agcom = agcom();
        let outage = Outage {
            id: "o".to_owned(),
            cause: Cause::Fault,
            works_done_at: None,
            declared: true,
            impacts: vec![impact(COMPONENTS[place], Severity::Total, 0, length)],
        };
        let (segment, factor) =
            if business { (Segment::Business, 2) } else { (Segment::Consumer, 1) };
        for (class, cap) in [(Class::Accessory, 30_000), (Class::Free, 10_000)] {
            let of = Subscription { class, segment, ..paying() };
            let owed = total(&decide(&agcom, &outage, &of, &Context::default()));
            prop_assert!(owed <= cap * factor, "{owed}");
        }
    }

    #[test]
    fn a_restoration_of_one_s_own_is_as_good_as_a_window(
        of in subscription(), from in 0_i64..SPAN, length in 1_i64..20_000, own in 1_i64..20_000
    ) {
        let common = |impact: Impact| Outage {
            id: "o".to_owned(), cause: Cause::Fault, works_done_at: None, declared: true, impacts: vec![impact],
        };
        let direct = common(impact("mailbox", Severity::Total, from, own));
        let mut named = impact("mailbox", Severity::Total, from, length);
        named.restored_subscriptions.insert("s".to_owned(), at(from + own));
        let named = common(named);
        let mut batch = impact("mailbox", Severity::Total, from, length);
        batch.restored_cohorts.insert("first".to_owned(), at(from + own));
        let batch = common(batch);
        let of_batch = Subscription { cohort: Some("first".to_owned()), ..of.clone() };
        for policy in policies() {
            let expected = decide(&policy, &direct, &of, &Context::default());
            prop_assert_eq!(&decide(&policy, &named, &of, &Context::default()), &expected);
            prop_assert_eq!(&decide(&policy, &batch, &of_batch, &Context::default()), &expected);
        }
    }
}

/// Two short interruptions that touch two days pay more than one long one within a day: more is not longer.
#[test]
fn counter_examples() {
    let agcom = agcom();
    let one = |impacts| Outage {
        id: "o".to_owned(),
        cause: Cause::Fault,
        works_done_at: None,
        declared: true,
        impacts,
    };
    let of = paying();
    let midnight = 10 * 24 * 60;
    let long = one(vec![impact("mailbox", Severity::Total, midnight, 23 * 60)]);
    let short = one(vec![impact("mailbox", Severity::Total, midnight - 10, 20)]);
    assert_eq!(total(&decide(&agcom, &long, &of, &Context::default())), 600);
    assert_eq!(total(&decide(&agcom, &short, &of, &Context::default())), 1200);
}
