//! The rules of each regime, from their text.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::cases::Situation;
use crate::clouds;
use crate::fraction::Fraction;
use crate::minutes::{Grade, Minutes, Rules, at_grade, days, interruptions, long_enough, minutes};

/// What is owed, by kind, grant and payer.
pub type Owed = BTreeMap<(&'static str, &'static str, &'static str), i128>;

/// A regime's rules.
pub type Opinion = fn(&Situation) -> Owed;

/// The regimes' second opinions.
pub const REGIMES: &[(&str, Opinion)] = &[
    ("agcom-347-18", agcom),
    ("altroconsumo-30", altroconsumo),
    ("arera-2025", arera),
    ("att-guarantee", att),
    ("aws-ec2-region", clouds::ec2),
    ("aws-s3", clouds::s3),
    ("eu-261", eu_261),
    ("github-sla", clouds::github),
    ("google-workspace", clouds::workspace),
    ("libero-2023", libero),
    ("ofcom", ofcom),
    ("tkg-58", tkg),
];

const MAIL: Rules = Rules { accessory: true, free_plans: true, after_works: false };
pub const PLAIN: Rules = Rules { accessory: false, free_plans: false, after_works: false };

pub fn one(grant: &'static str, figure: i128) -> Owed {
    let owed = (figure > 0).then_some((("indemnity", grant, "operator"), figure));
    owed.into_iter().collect()
}

/// What an earlier indemnity leaves of this one.
pub fn after_earlier(situation: &Situation, cents: i128) -> i128 {
    (cents - i128::from(situation.granted.unwrap_or(0))).max(0)
}

pub fn start(situation: &Situation) -> i64 {
    situation.down.iter().map(|down| down.from).min().expect("something is down")
}

/// Reported by the operator's own declaration, or by the subscriber: on which day.
fn reported(situation: &Situation, begun: Date) -> Option<Date> {
    if situation.declared {
        return Some(begun);
    }
    situation.reports.iter().min().map(|minute| situation.day(*minute).max(begun))
}

pub fn monthly_fee(situation: &Situation) -> Option<Fraction> {
    let (cents, monthly) = situation.fee;
    (!situation.free_plan).then(|| Fraction(i128::from(cents), if monthly { 1 } else { 12 }))
}

fn libero(situation: &Situation) -> Owed {
    let hit = !minutes(situation, &MAIL).is_empty();
    if !hit || situation.cause == "customer" {
        return Owed::new();
    }
    let (grant, figure) =
        if situation.free_plan { ("quota", 1_288_490_189) } else { ("term", 6_000) };
    [(("goodwill", grant, "operator"), figure)].into()
}

fn altroconsumo(situation: &Situation) -> Owed {
    let hit = !minutes(situation, &PLAIN).is_empty();
    let cents = if hit && situation.cause != "customer" { 3_000 } else { 0 };
    one("money", after_earlier(situation, cents))
}

fn agcom(situation: &Situation) -> Owed {
    let times = if situation.business { 2 } else { 1 };
    let mut cents = 0;
    let in_time = situation.declared || {
        let known = situation.day(start(situation));
        let first = situation.reports.iter().min().map(|minute| situation.day(*minute));
        first.is_some_and(|day| day <= known + 3.months())
    };
    if in_time && situation.cause != "customer" {
        let down = minutes(situation, &Rules { after_works: true, ..MAIL });
        let touched = days(situation, &long_enough(down, 24 * 60, 15));
        let count = |grade| touched.values().filter(|one| **one == grade).count() as i128;
        cents += 600 * count(Grade::Total) + 300 * count(Grade::Degraded);
        cents +=
            (250 * count(Grade::Accessory)).min(30_000) + (100 * count(Grade::Free)).min(10_000);
    }
    let late = |(received, answered): &(i64, Option<i64>)| {
        let due = situation.day(*received) + 45.days();
        answered.map_or(0, |minute| {
            let answered = situation.day(minute);
            (answered - due).get_days().max(0)
        })
    };
    let longest = situation.claims.iter().map(late).max().unwrap_or(0);
    cents += (250 * i128::from(longest)).min(30_000);
    one("money", after_earlier(situation, cents * times))
}

fn arera(situation: &Situation) -> Owed {
    let down = minutes(situation, &PLAIN);
    if situation.cause == "customer" || situation.in_arrears {
        return Owed::new();
    }
    let (mut fund, mut operator) = (0, 0);
    // Interruptions are united over everything that was down; only total loss is counted in them.
    for interruption in interruptions(&down.keys().copied().collect(), 60) {
        let total = at_grade(&down, Grade::Total);
        let counted = interruption.iter().filter(|minute| total.contains(minute)).count() as i128;
        let counted = counted.min(240 * 60);
        if counted <= 8 * 60 {
            continue;
        }
        let amount = |minutes: i128| {
            if minutes < 8 * 60 { 0 } else { 3_450 + 1_725 * ((minutes - 8 * 60) / (4 * 60)) }
        };
        let all = amount(counted);
        let first =
            if situation.cause == "force_majeure" { amount(counted.min(72 * 60)) } else { 0 };
        fund += first;
        operator += all - first;
    }
    // What was given before is set off against the operator's part first.
    let mut earlier = i128::from(situation.granted.unwrap_or(0));
    let mut owed = Owed::new();
    for (payer, cents) in [("operator", operator), ("fund", fund)] {
        let part = cents.min(earlier);
        earlier -= part;
        if cents > part {
            owed.insert(("indemnity", "money", payer), cents - part);
        }
    }
    owed
}

fn att(situation: &Situation) -> Owed {
    let down = long_enough(minutes(situation, &PLAIN), 0, 60);
    let excluded = ["customer", "planned", "force_majeure"].contains(&situation.cause);
    let Some(fee) = monthly_fee(situation).filter(|_| !excluded) else { return Owed::new() };
    let mut sum = Fraction::whole(0);
    for interruption in interruptions(&at_grade(&down, Grade::Total), 0) {
        for begun in interruption.iter().step_by(24 * 60) {
            let days = i128::from(situation.day(*begun).days_in_month());
            sum = sum + fee * Fraction(1, days);
        }
    }
    one("money", after_earlier(situation, sum.half_up()))
}

/// England's holidays between February and May of 2024.
const HOLIDAYS: [&str; 4] = ["2024-03-29", "2024-04-01", "2024-05-06", "2024-05-27"];

fn is_working_day(day: Date) -> bool {
    let weekend = [Weekday::Saturday, Weekday::Sunday].contains(&day.weekday());
    !weekend && !HOLIDAYS.contains(&day.to_string().as_str())
}

/// Ofcom's rates in pence of the tariff year of a day: repair, missed appointment, late start.
fn tariff(day: Date) -> [i128; 3] {
    let april: Date = "2024-04-01".parse().expect("a day");
    if day < april { [933, 2_915, 583] } else { [976, 3_049, 610] }
}

fn ofcom(situation: &Situation) -> Owed {
    let mut pence = 0;
    let total = at_grade(&minutes(situation, &PLAIN), Grade::Total);
    if situation.cause != "customer"
        && let Some(begun) = total.first().map(|minute| situation.day(*minute))
        && let Some(report) = reported_for_midnights(situation, &total, begun)
    {
        let (mut last, mut full) = (report, 0);
        while full < 2 {
            last = last.tomorrow().expect("a day");
            full += i32::from(is_working_day(last));
        }
        // A midnight passes without service when the minutes before and after it are down.
        let passed = |minute: &&i64| {
            let day = situation.day(**minute);
            total.contains(&(**minute - 1)) && situation.day(**minute - 1) != day
        };
        let midnights = total.iter().filter(passed).map(|minute| situation.day(*minute));
        pence +=
            midnights.filter(|day| *day > last).take(60).map(|day| tariff(day)[0]).sum::<i128>();
    }
    pence +=
        situation.appointments.iter().map(|minute| tariff(situation.day(*minute))[1]).sum::<i128>();
    if let Some((promised, late)) = situation.activation {
        let (promised, done) = (situation.day(promised), situation.day(promised + late * 24 * 60));
        let days = promised.series(1.day()).take_while(|day| *day < done);
        pence += days.map(|day| tariff(day)[2]).sum::<i128>();
    }
    one("money", after_earlier(situation, pence))
}

/// The day of the report, no earlier than the day before the first midnight that passed.
fn reported_for_midnights(
    situation: &Situation,
    total: &BTreeSet<i64>,
    begun: Date,
) -> Option<Date> {
    let first = total.iter().find(|minute| {
        total.contains(&(**minute - 1)) && situation.day(**minute) != situation.day(**minute - 1)
    });
    let begun = first.map_or(begun, |minute| situation.day(*minute).yesterday().expect("a day"));
    reported(situation, begun)
}

fn tkg(situation: &Situation) -> Owed {
    if situation.business {
        return Owed::new();
    }
    let fee = monthly_fee(situation);
    let rate = |flat: i128, percent: i128| {
        let share = fee.map_or(Fraction::whole(0), |fee| fee * Fraction(percent, 100));
        Fraction::whole(flat).or_more(share).half_up()
    };
    let mut cents = rate(1_000, 20) * situation.appointments.len() as i128;
    let down: Minutes = minutes(situation, &PLAIN);
    let total = at_grade(&down, Grade::Total);
    let excluded = ["customer", "force_majeure"].contains(&situation.cause);
    // Each interruption's last day is that of its restoration, unless it ended with the day.
    let mut touched: BTreeSet<Date> = BTreeSet::new();
    for interruption in interruptions(&down.keys().copied().collect(), 0) {
        let complete: Vec<i64> =
            interruption.into_iter().filter(|minute| total.contains(minute)).collect();
        let Some(end) = complete.last() else { continue };
        let restored = situation.day(end + 1);
        touched.extend(
            complete.iter().map(|minute| situation.day(*minute)).filter(|day| *day != restored),
        );
    }
    if !excluded && let Some(report) = touched.first().and_then(|begun| reported(situation, *begun))
    {
        for (place, _) in (1..).zip(touched.iter().filter(|day| **day > report)) {
            cents += match place {
                1 | 2 => 0,
                3 | 4 => rate(500, 10),
                _ => rate(1_000, 20),
            };
        }
    }
    one("money", after_earlier(situation, cents))
}

fn eu_261(situation: &Situation) -> Owed {
    let Some((distance, within_union, delay, passengers)) = situation.journey else {
        return Owed::new();
    };
    if delay < 180 || situation.cause == "force_majeure" {
        return Owed::new();
    }
    let each = if distance <= 1_500 {
        25_000
    } else if within_union || distance <= 3_500 {
        40_000
    } else if delay <= 240 {
        30_000
    } else {
        60_000
    };
    one("money", after_earlier(situation, each * i128::from(passengers)))
}
