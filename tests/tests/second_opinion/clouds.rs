//! The service agreements of cloud providers, from their text.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;

use crate::cases::Situation;
use crate::fraction::Fraction;
use crate::minutes::{Grade, at_grade, minutes};
use crate::regimes::{Owed, PLAIN, after_earlier, one, start};

/// The minutes down in each period, and the period's minutes.
fn periods(
    situation: &Situation,
    down: &BTreeSet<i64>,
    quarter: bool,
) -> BTreeMap<Date, (i128, i128)> {
    let mut periods: BTreeMap<Date, (i128, i128)> = BTreeMap::new();
    for minute in down {
        let day = situation.day(*minute);
        let month = if quarter { (day.month() - 1) / 3 * 3 + 1 } else { day.month() };
        let first = Date::new(day.year(), month, 1).expect("a first of a month");
        periods.entry(first).or_default().0 += 1;
    }
    for (first, (_, of)) in &mut periods {
        let next = *first + if quarter { 3.months() } else { 1.months() };
        let begin = |day: Date| situation.midnight(day).as_second();
        *of = i128::from((begin(next) - begin(*first)) / 60);
    }
    periods
}

/// Whether an uptime is below a percentage, given in hundredths of a percent.
fn below((down, of): (i128, i128), hundredths: i128) -> bool {
    (of - down) * 10_000 < hundredths * of
}

fn cloud(situation: &Situation, percent: fn((i128, i128)) -> i128) -> Owed {
    let excluded = ["customer", "force_majeure"].contains(&situation.cause);
    let known = situation.day(start(situation));
    let last = (known.first_of_month() + 2.months()).last_of_month();
    let first = situation.claims.iter().map(|(received, _)| situation.day(*received)).min();
    if excluded || first.is_none_or(|day| day > last) {
        return Owed::new();
    }
    let down = minutes(situation, &PLAIN);
    let mut sum = Fraction::whole(0);
    for (first, uptime) in periods(situation, &at_grade(&down, Grade::Total), false) {
        let charged = (0..5).find(|number| situation.month(*number) == first);
        let charges = charged.map_or(0, |number| situation.charges[number]);
        let credit = Fraction(i128::from(charges) * percent(uptime), 100);
        if credit.exceeds(Fraction::whole(100)) {
            sum = sum + credit;
        }
    }
    one("credit", after_earlier(situation, sum.half_up()))
}

pub fn ec2(situation: &Situation) -> Owed {
    cloud(situation, |uptime| {
        if below(uptime, 9_500) {
            100
        } else if below(uptime, 9_900) {
            30
        } else if below(uptime, 9_999) {
            10
        } else {
            0
        }
    })
}

pub fn s3(situation: &Situation) -> Owed {
    cloud(situation, |uptime| {
        if below(uptime, 9_500) {
            100
        } else if below(uptime, 9_900) {
            25
        } else if below(uptime, 9_990) {
            10
        } else {
            0
        }
    })
}

pub fn github(situation: &Situation) -> Owed {
    if ["customer", "force_majeure"].contains(&situation.cause) {
        return Owed::new();
    }
    let mut worst: BTreeMap<Date, (i128, i128)> = BTreeMap::new();
    for feature in [(false, false), (false, true), (true, false)] {
        let of_feature = Situation {
            down: situation
                .down
                .iter()
                .filter(|down| (down.accessory, down.second && !down.accessory) == feature)
                .map(|down| crate::cases::Down { accessory: false, ..down.clone() })
                .collect(),
            ..situation.clone()
        };
        let down = at_grade(&minutes(&of_feature, &PLAIN), Grade::Total);
        for (first, uptime) in periods(situation, &down, true) {
            let known = worst.entry(first).or_insert(uptime);
            if uptime.0 > known.0 {
                *known = uptime;
            }
        }
    }
    let mut cents = 0;
    for (first, (down, of)) in worst {
        let next = first + 3.months();
        let charges: i64 = (0..5)
            .filter(|number| situation.month(*number) >= first && situation.month(*number) < next)
            .map(|number| situation.charges[number])
            .sum();
        // At most 99.0 % is a 25th part and more; at most 99.9 % a tenth.
        let percent = if down * 1_000 >= 10 * of {
            25
        } else if down * 1_000 >= of {
            10
        } else {
            0
        };
        cents += Fraction(i128::from(charges) * percent, 100).half_up();
    }
    one("credit", after_earlier(situation, cents))
}

pub fn workspace(situation: &Situation) -> Owed {
    if ["customer", "force_majeure"].contains(&situation.cause) {
        return Owed::new();
    }
    let down = at_grade(&minutes(situation, &PLAIN), Grade::Total);
    let days = periods(situation, &down, false).into_values().map(|uptime| {
        if below(uptime, 9_500) {
            15
        } else if below(uptime, 9_900) {
            7
        } else if below(uptime, 9_990) {
            3
        } else {
            0
        }
    });
    one("term", days.sum())
}
