//! Laws that hold for every policy, outage and subscription, with their conditions; and counter-examples without them.

mod generate;

use proptest::prelude::*;

use self::generate::{
    COMPONENTS, SPAN, agcom, at, cases, decide, fit, impact, outage, paying, policies,
    subscription, surroundings,
};
use super::{Context, Evaluator, Granted, Policy, shipped};
use crate::facts::{Cause, Class, Impact, Outage, Segment, Severity, Subscription};
use crate::remedy::{Reason, Remedy};
use crate::time::{Instant, Window};

fn total(reason: &Reason) -> i64 {
    reason.remedies.iter().filter_map(|remedy| remedy.grant.amount()).map(|money| money.minor).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn amounts_are_positive_and_the_lines_sum_to_them(
        outage in outage(), of in subscription(), (reports, granted) in surroundings()
    ) {
        for policy in policies() {
            let context = Context { reports: &reports, granted: &granted, ..Context::default() };
            let reason = decide(policy, &outage, &of, &context);
            prop_assert!(reason.remedies.iter().all(|one| one.grant.amount().is_none_or(|money| money.minor > 0)));
            let lines: i64 = reason.trace.iter().filter_map(|line| line.amount).map(|money| money.minor).sum();
            prop_assert_eq!(lines, total(&reason));
            prop_assert!(!reason.trace.is_empty());
            let explained = reason.trace.iter().any(|line| !line.excluded.is_empty());
            prop_assert!(explained || !reason.remedies.is_empty(), "an unexplained zero");
            prop_assert_eq!(&reason, &decide(policy, &outage, &of, &context));
        }
    }

    #[test]
    fn what_is_remembered_is_what_a_fresh_evaluator_decides(
        outage in outage(), people in prop::collection::vec((subscription(), surroundings()), 1..12)
    ) {
        for policy in policies() {
            let fitted_outage = fit(policy, &outage, &paying(), &[]).outage;
            let mut evaluator = Evaluator::new(policy, &fitted_outage);
            for (of, (reports, granted)) in &people {
                let fitted = fit(policy, &outage, of, granted);
                let context = Context { reports, granted, ..Context::default() };
                let index = evaluator.decide(&fitted.of, &fitted.context(reports)).unwrap();
                prop_assert_eq!(evaluator.reason(index), &decide(policy, &outage, of, &context));
            }
        }
    }

    #[test]
    fn the_order_of_impacts_changes_nothing(outage in outage(), of in subscription()) {
        let reversed = Outage { impacts: outage.impacts.iter().rev().cloned().collect(), ..outage.clone() };
        let reports = [at(0)];
        let context = Context { reports: &reports, ..Context::default() };
        for policy in policies() {
            prop_assert_eq!(decide(policy, &outage, &of, &context), decide(policy, &reversed, &of, &context));
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
            prop_assert_eq!(decide(policy, &outage, &of, &context), decide(policy, &split, &of, &context));
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
            declared: false, declared_at: None,
            impacts: vec![impact(COMPONENTS[place], Severity::Total, from, length)],
        };
        for policy in policies() {
            let shorter = decide(policy, &outage(length), &of, &context);
            let longer = decide(policy, &outage(length + more), &of, &context);
            prop_assert!(total(&shorter) <= total(&longer), "{:?} {:?}", shorter, longer);
            prop_assert!(shorter.remedies.len() <= longer.remedies.len());
        }
    }

    #[test]
    fn an_outage_split_among_components_or_feeds_never_pays_twice(
        of in subscription(), from in 0_i64..SPAN, length in 1_i64..20_000, later in 0_i64..5_000
    ) {
        let reports = [at(from)];
        let context = Context { reports: &reports, ..Context::default() };
        let one = |impacts| Outage {
            id: "o".to_owned(), cause: Cause::Fault, works_done_at: None, declared: false, declared_at: None, impacts,
        };
        let whole = impact("first", Severity::Total, from, length);
        let second = impact("second", Severity::Total, from, length);
        let within = impact("second", Severity::Total, from + later.min(length - 1), length - later.min(length - 1));
        for policy in policies() {
            let once = decide(policy, &one(vec![whole.clone()]), &of, &context);
            for other in [&whole, &second, &within] {
                let twice = decide(policy, &one(vec![whole.clone(), other.clone()]), &of, &context);
                prop_assert_eq!(&once.remedies, &twice.remedies);
            }
        }
    }

    #[test]
    fn several_assessments_never_give_more_than_one(
        of in subscription(), from in 0_i64..SPAN, length in 1_i64..20_000, more in 1_i64..20_000
    ) {
        let reports = [at(from)];
        let context = Context { reports: &reports, ..Context::default() };
        let outage = |length| Outage {
            id: "o".to_owned(), cause: Cause::Fault, works_done_at: None, declared: false, declared_at: None,
            impacts: vec![impact("first", Severity::Total, from, length)],
        };
        for policy in policies() {
            let first = decide(policy, &outage(length), &of, &context);
            let granted = |remedy: &Remedy| Granted {
                kind: remedy.kind, money: remedy.grant.amount(), policy: policy.id().to_owned(),
            };
            let granted: Vec<Granted> = first.remedies.iter().map(granted).collect();
            let after = Context { granted: &granted, ..context };
            let second = decide(policy, &outage(length + more), &of, &after);
            let fresh = decide(policy, &outage(length + more), &of, &context);
            prop_assert_eq!(total(&first) + total(&second), total(&first).max(total(&fresh)));
            let again = decide(policy, &outage(length), &of, &after);
            prop_assert!(again.remedies.is_empty(), "{:?}", again);
        }
    }

    #[test]
    fn a_longer_grace_never_pays_more(
        of in subscription(), from in 0_i64..SPAN, length in 1_i64..60_000, days in 0_u32..5
    ) {
        let reports = [at(from)];
        let context = Context { reports: &reports, ..Context::default() };
        let outage = Outage {
            id: "o".to_owned(), cause: Cause::Fault, works_done_at: None, declared: false, declared_at: None,
            impacts: vec![impact("first", Severity::Total, from, length)],
        };
        // Ofcom's rates of one day, so that the days that count do not slide onto dearer ones.
        let ofcom = shipped().iter().find(|one| one.id == "ofcom").unwrap();
        let text = ofcom.text.replace("rate_version = \"accrual_day\"", "rate_version = \"outage_start\"");
        let with_grace = |days: u32| {
            let text = text.replace("working_days = 2", &format!("working_days = {days}"));
            total(&decide(&Policy::parse("p.toml", &text).unwrap(), &outage, &of, &context))
        };
        prop_assert!(with_grace(days + 1) <= with_grace(days));
    }

    #[test]
    fn caps_hold(business in any::<bool>(), place in 0..COMPONENTS.len(), length in 1_i64..3 * SPAN) {
        let agcom = agcom();
        let outage = Outage {
            id: "o".to_owned(),
            cause: Cause::Fault,
            works_done_at: None,
            declared: true, declared_at: None,
            impacts: vec![impact(COMPONENTS[place], Severity::Total, 0, length)],
        };
        let (segment, factor) =
            if business { (Segment::Business, 2) } else { (Segment::Consumer, 1) };
        for (class, cap) in [(Class::Accessory, 30_000), (Class::Free, 10_000)] {
            let of = Subscription { class, segment, ..paying() };
            let owed = total(&decide(agcom, &outage, &of, &Context::default()));
            prop_assert!(owed <= cap * factor, "{owed}");
        }
    }

    #[test]
    fn a_restoration_of_one_s_own_is_as_good_as_a_window(
        of in subscription(), from in 0_i64..SPAN, length in 1_i64..20_000, own in 1_i64..20_000
    ) {
        let common = |impact: Impact| Outage {
            id: "o".to_owned(), cause: Cause::Fault, works_done_at: None, declared: true, declared_at: None, impacts: vec![impact],
        };
        let direct = common(impact("first", Severity::Total, from, own));
        let mut named = impact("first", Severity::Total, from, length);
        named.restored_subscriptions.insert("s".to_owned(), at(from + own));
        let named = common(named);
        let mut batch = impact("first", Severity::Total, from, length);
        batch.restored_cohorts.insert("first".to_owned(), at(from + own));
        let batch = common(batch);
        let of_batch = Subscription { cohort: Some("first".to_owned()), ..of.clone() };
        for policy in policies() {
            let expected = decide(policy, &direct, &of, &Context::default());
            prop_assert_eq!(&decide(policy, &named, &of, &Context::default()), &expected);
            prop_assert_eq!(&decide(policy, &batch, &of_batch, &Context::default()), &expected);
        }
    }
}

/// Two interruptions under ARERA may pay more than their union: each has a cap of its own.
#[test]
fn two_interruptions_can_pay_more_than_their_union() {
    let arera = policies().iter().find(|policy| policy.id() == "arera-2025").unwrap();
    let owed = |impacts| {
        let outage = Outage {
            id: "o".to_owned(),
            cause: Cause::Fault,
            works_done_at: None,
            declared: true,
            declared_at: None,
            impacts,
        };
        total(&decide(arera, &outage, &paying(), &Context::default()))
    };
    let days = |from: i64, count: i64| impact("first", Severity::Total, from, count * 24 * 60);
    let gap = 2 * 60;
    assert_eq!(owed(vec![days(0, 10), days(10 * 24 * 60 + gap, 10)]), 207_000);
    assert_eq!(owed(vec![days(0, 20)]), 103_500);
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
        declared_at: None,
        impacts,
    };
    let of = paying();
    let midnight = 10 * 24 * 60;
    let long = one(vec![impact("first", Severity::Total, midnight, 23 * 60)]);
    let short = one(vec![impact("first", Severity::Total, midnight - 10, 20)]);
    assert_eq!(total(&decide(agcom, &long, &of, &Context::default())), 600);
    assert_eq!(total(&decide(agcom, &short, &of, &Context::default())), 1200);
}
