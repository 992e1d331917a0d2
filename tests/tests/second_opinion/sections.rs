//! The agreement of `docs/policy-sections.md`, decided again from what that page says: billing cycles, a notice of planned
//! work, unpaid invoices, legal interest, a minimum payout, shares of two payers and a sole remedy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ristoro_domain::policy::{Context, Evaluator, Policy};

use crate::cases::{Situation, situation};
use crate::fraction::Fraction;
use crate::minutes::minutes;
use crate::regimes::{Owed, PLAIN, monthly_fee, start};

const PAGE: &str = include_str!("../../../docs/policy-sections.md");

/// A situation, and what only this agreement looks at.
#[derive(Clone, Debug)]
struct Case {
    situation: Situation,
    /// The day of the month on which cycles begin; else that on which the subscription began.
    cycle_day: Option<i8>,
    /// How many minutes before the outage planned work was announced.
    announced: Option<i64>,
    /// How many minutes before the outage an unpaid invoice was dated.
    invoice: Option<i64>,
    /// When it is paid.
    paid: Option<i64>,
    charged: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let rest = (
        prop::option::of(1_i8..=31),
        // Mostly about the days on which a notice is just in time, or just not.
        prop::option::of(prop_oneof![3_i64 * 1_440..7 * 1_440, 0_i64..10 * 1_440]),
        prop::option::weighted(0.2, 20 * 1_440_i64..40 * 1_440),
        prop::option::weighted(0.8, 0_i64..2_000_000),
        any::<bool>(),
    );
    (situation("sections"), rest).prop_map(|(mut situation, rest)| {
        let (cycle_day, announced, invoice, paid, charged) = rest;
        if announced.is_some() && situation.cause == "fault" {
            situation.cause = "planned";
        }
        Case { situation, cycle_day, announced, invoice, paid, charged }
    })
}

/// The page's agreement, for mailboxes, with cycles from a day of the month where the case has one.
fn policy(case: &Case) -> Policy {
    let (_, text) = PAGE.split_once("```toml\n").expect("the page has an example");
    let (text, _) = text.split_once("\n```").expect("the example ends");
    let text =
        text.replace("server = \"principal\"", "mailbox = \"principal\"\nimap = \"principal\"");
    let text = match case.cycle_day {
        Some(day) => {
            text.replace("cycle_from = \"subscription_start\"", &format!("cycle_day = {day}"))
        }
        None => text,
    };
    Policy::parse("page.toml", &text).expect("it is read")
}

/// The day on which a cycle begins in the month of a day: the last one where the month is too short.
fn begins(month: Date, cycle_day: i8) -> Date {
    let day = cycle_day.min(month.days_in_month());
    Date::new(month.year(), month.month(), day).expect("a day of that month")
}

/// The cycle of a day: its first day and that of the next.
fn cycle(day: Date, cycle_day: i8) -> (Date, Date) {
    let months =
        [-1, 0, 1, 2].map(|count| begins(day.first_of_month() + count.months(), cycle_day));
    let place = months.iter().rposition(|begin| *begin <= day).expect("one has begun");
    (months[place], months[place + 1])
}

fn credit(case: &Case, first: Date, next: Date, down: i128) -> i128 {
    let situation = &case.situation;
    let of = (situation.midnight(next).as_second() - situation.midnight(first).as_second()) / 60;
    let of = i128::from(of);
    let charges = if case.charged {
        let begun = (0..5).filter(|place| (first..next).contains(&situation.month(*place)));
        Fraction::whole(begun.map(|place| i128::from(situation.charges[place])).sum())
    } else {
        monthly_fee(situation).unwrap_or(Fraction::whole(0))
    };
    let percent = match (of - down) * 100 {
        up if up < 95 * of => 100,
        up if up < 99 * of => 10,
        _ => 0,
    };
    (charges * Fraction(percent, 100)).half_up()
}

/// The legal interest of Italy on one whole for a day.
fn interest_of(day: Date) -> Fraction {
    let (over, days) = match day.year() {
        2023 => (50, 365),
        2024 => (25, 366),
        2025 => (20, 365),
        _ => (16, 365),
    };
    Fraction(over, 1_000 * days)
}

fn second(case: &Case) -> Owed {
    let situation = &case.situation;
    let started = start(situation);
    let before = |minutes: i64| situation.day(started - minutes);
    let in_time = case.announced.is_some_and(|ahead| before(ahead) + 5.days() <= before(0));
    let unpaid = case.invoice.is_some_and(|ahead| before(ahead) + 30.days() <= before(0));
    let knew = situation.joined.is_some_and(|joined| joined > started);
    let earlier = situation.granted.is_some();
    let planned = situation.cause == "planned" && in_time;
    if situation.cause == "customer" || planned || unpaid || knew || earlier {
        return Owed::new();
    }
    let started_on = situation.joined.map_or(1, |minute| situation.day(minute).day());
    let cycle_day = case.cycle_day.unwrap_or(started_on);
    let down: BTreeSet<i64> = minutes(situation, &PLAIN).into_keys().collect();
    let mut cycles: BTreeMap<(Date, Date), i128> = BTreeMap::new();
    for minute in down {
        *cycles.entry(cycle(situation.day(minute), cycle_day)).or_default() += 1;
    }
    let credits = cycles.into_iter().map(|((first, next), down)| credit(case, first, next, down));
    let mut cents: i128 = credits.sum();
    let claimed = situation.claims.iter().map(|(received, _)| situation.day(*received)).min();
    if let Some((claimed, paid)) = claimed.zip(case.paid.map(|minute| situation.day(minute))) {
        let mut share = Fraction::whole(0);
        let mut day = claimed;
        while day < paid {
            day = day.tomorrow().expect("a day");
            share = share + interest_of(day);
        }
        cents += (Fraction::whole(cents) * share).half_up();
    }
    if cents < 100 {
        return Owed::new();
    }
    // Two parts for the operator and one for the fund, and a cent that is left to whom most of one is missing.
    let (mut operator, mut fund) = (2 * cents / 3, cents / 3);
    if operator + fund < cents {
        if 2 * cents % 3 >= cents % 3 { operator += 1 } else { fund += 1 }
    }
    [("operator", operator), ("fund", fund)]
        .map(|(payer, cents)| (("indemnity", "money", payer), cents))
        .into()
}

#[test]
fn the_page_of_sections() {
    let config = Config { cases: crate::count(), failure_persistence: None, ..Config::default() };
    let some = std::cell::Cell::new(0_u32);
    let outcome = TestRunner::new(config).run(&case(), |case| {
        let policy = policy(&case);
        let situation = &case.situation;
        let (outage, subscription) = (situation.outage(), situation.subscription());
        let surroundings = situation.surroundings();
        let before = |minutes: i64| situation.at(start(situation) - minutes);
        let invoices: Vec<_> = case.invoice.map(before).into_iter().collect();
        let context = surroundings.context();
        let context = Context {
            announced_at: case.announced.map(before),
            unpaid_invoices: &invoices,
            paid_at: case.paid.map(|minute| situation.at(minute)),
            charges: if case.charged { context.charges } else { &[] },
            ..context
        };
        let mut evaluator = Evaluator::new(&policy, &outage);
        let index = evaluator.decide(&subscription, &context);
        let index = index.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        let reason = evaluator.reason(index);
        let second = second(&case);
        some.set(some.get() + u32::from(!second.is_empty()));
        prop_assert_eq!(&crate::owed(reason), &second, "{:#?}", reason);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // A check in which nobody is ever owed anything would show nothing.
    assert!(
        some.get() * 8 > crate::count(),
        "{} of {} are owed anything",
        some.get(),
        crate::count()
    );
}
