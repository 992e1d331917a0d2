//! Outages, subscriptions and their surroundings for the laws, and how they fit a policy.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use crate::money::{Currency, Money};
use crate::policy::{Claim, Context, Evaluator, Granted, Policy, shipped};
use crate::remedy::{Reason, RemedyKind};
use crate::time::{Instant, Window};

/// 1 January 2023, 00:00 in Rome, in minutes since the epoch.
const BEGIN: i64 = 27_875_460;
/// Windows lie within this many minutes: four months, with the night on which summer time begins.
pub(super) const SPAN: i64 = 4 * 30 * 24 * 60;

/// Places of components; `fit` gives them the names that a policy knows: two principal ones, an accessory one, and one
/// that no policy but a general one knows.
pub(super) const COMPONENTS: &[&str] = &["first", "second", "accessory", "weather"];

/// How many outages each law is tried with; every one is decided under every shipped policy, so 144 a law are ten
/// thousand cases and more of all laws. `cargo xtask laws` tries a million.
pub(super) fn cases() -> u32 {
    std::env::var("RISTORO_LAWS_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(144)
}

static POLICIES: std::sync::LazyLock<Vec<Policy>> = std::sync::LazyLock::new(|| {
    // The cases are of 2023, and every policy should take part in them.
    let in_force = |text: &str| text.replace("valid_from = 2025-01-01", "valid_from = 2020-01-01");
    let parse =
        |one: &crate::policy::Shipped| Policy::parse(one.file, &in_force(one.text)).unwrap();
    shipped().iter().map(parse).collect()
});

pub(super) fn policies() -> &'static [Policy] {
    &POLICIES
}

pub(super) fn agcom() -> &'static Policy {
    policies().iter().find(|policy| policy.id() == "agcom-347-18").unwrap()
}

pub(super) fn at(minute: i64) -> Instant {
    Instant::from_second((BEGIN + minute) * 60).unwrap()
}

pub(super) fn impact(component: &str, severity: Severity, from: i64, length: i64) -> Impact {
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

pub(super) fn impacts() -> impl Strategy<Value = Vec<Impact>> {
    let severity = prop_oneof![Just(Severity::Total), Just(Severity::Degraded)];
    let length = prop_oneof![1_i64..60, 60_i64..20_000];
    let one = (0..COMPONENTS.len(), severity, 0_i64..SPAN, length).prop_map(
        |(place, severity, from, length)| impact(COMPONENTS[place], severity, from, length),
    );
    prop::collection::vec(one, 0..5)
}

pub(super) fn outage() -> impl Strategy<Value = Outage> {
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
        declared_at: None,
        impacts,
    })
}

pub(super) fn period(plan: &str, from: i64, to: Option<i64>) -> Period {
    let fee = (plan != "free").then(|| Money::new(1999, Currency::EUR));
    let window = Window::new(at(from), to.map(at)).unwrap();
    Period { plan: plan.to_owned(), fee, fee_period: FeePeriod::Year, window }
}

pub(super) fn subscription() -> impl Strategy<Value = Subscription> {
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
pub(super) fn paying() -> Subscription {
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
pub(super) fn surroundings() -> impl Strategy<Value = (Vec<Instant>, Vec<Granted>)> {
    let reports = prop::collection::vec((0_i64..2 * SPAN).prop_map(at), 0..3);
    let kind = prop_oneof![Just(RemedyKind::Indemnity), Just(RemedyKind::Goodwill)];
    let granted = (kind, 0_i64..10_000).prop_map(|(kind, minor)| Granted {
        kind,
        money: Some(Money::new(minor, Currency::EUR)),
        policy: String::new(),
    });
    (reports, prop::collection::vec(granted, 0..2))
}

/// A case as a policy can read it: its components, its currency, and a claim and charges where it asks for them.
pub(super) struct Fitted {
    pub outage: Outage,
    pub of: Subscription,
    pub granted: Vec<Granted>,
    claims: Vec<Claim>,
    charges: Vec<(Instant, Money)>,
}

/// Makes a case fit a policy.
pub(super) fn fit(
    policy: &Policy,
    outage: &Outage,
    of: &Subscription,
    granted: &[Granted],
) -> Fitted {
    let convert = |money: Money| Money::new(money.minor, policy.currency());
    let (mut outage, mut of) = (outage.clone(), of.clone());
    for impact in &mut outage.impacts {
        impact.component = component(policy, &impact.component);
    }
    for period in &mut of.periods {
        period.fee = period.fee.map(convert);
    }
    let granted =
        granted.iter().map(|one| Granted { money: one.money.map(convert), ..one.clone() });
    let claim = Claim { received: at(60), answered: None, recognised: None };
    let charge = |month: i64| (at(month * 30 * 24 * 60), Money::new(25_000, policy.currency()));
    Fitted {
        outage,
        of,
        granted: granted.collect(),
        claims: vec![claim],
        charges: (0..5).map(charge).collect(),
    }
}

/// Gives the policy's own name for a place.
pub(super) fn component(policy: &Policy, place: &str) -> String {
    let of_class = |class: Class| {
        let of_class = policy.components.iter().filter(move |(_, one)| **one == class);
        of_class.map(|(name, _)| if name == "*" { "feature".to_owned() } else { name.clone() })
    };
    let principal = || of_class(Class::Principal);
    match place {
        "first" => principal().next(),
        "second" => principal().nth(1).or(principal().next()),
        "accessory" => of_class(Class::Accessory).next(),
        other => Some(other.to_owned()),
    }
    .unwrap_or_else(|| "weather".to_owned())
}

impl Fitted {
    /// Gives the context, with reports.
    pub(super) fn context<'a>(&'a self, reports: &'a [Instant]) -> Context<'a> {
        Context {
            reports,
            granted: &self.granted,
            claims: &self.claims,
            charges: &self.charges,
            ..Context::default()
        }
    }
}

/// Decides a case that was made to fit.
pub(super) fn decide(
    policy: &Policy,
    outage: &Outage,
    of: &Subscription,
    context: &Context<'_>,
) -> Reason {
    let fitted = fit(policy, outage, of, context.granted);
    let mut evaluator = Evaluator::new(policy, &fitted.outage);
    let index = evaluator.decide(&fitted.of, &fitted.context(context.reports)).unwrap();
    evaluator.reason(index).clone()
}
