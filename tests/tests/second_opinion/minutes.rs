//! What was down in each minute for this subscription, and what follows from that alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::cases::Situation;

/// The grade of a minute, from the lowest to the highest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Grade {
    Free,
    Accessory,
    Degraded,
    Total,
}

/// The minutes that count, each with the grades of what was down in it.
pub type Minutes = BTreeMap<i64, BTreeSet<Grade>>;

/// Which components and causes a regime knows.
pub struct Rules {
    /// Whether accessory components are known.
    pub accessory: bool,
    /// Whether a free plan makes everything free.
    pub free_plans: bool,
    /// Whether force majeure counts only after the necessary works.
    pub after_works: bool,
}

/// Says minute by minute what was down.
pub fn minutes(situation: &Situation, rules: &Rules) -> Minutes {
    let mut minutes = Minutes::new();
    for down in &situation.down {
        if down.accessory && !rules.accessory {
            continue;
        }
        for minute in down.from..down.to {
            let before_works = situation.works.is_none_or(|works| minute < works);
            let calamity = situation.cause == "force_majeure" && rules.after_works;
            let not_yet_joined = situation.joined.is_some_and(|joined| minute < joined);
            if (calamity && before_works) || not_yet_joined {
                continue;
            }
            let free = situation.class == "free" || (rules.free_plans && situation.free_plan);
            let grade = if free {
                Grade::Free
            } else if situation.class == "accessory" || down.accessory {
                Grade::Accessory
            } else if down.total {
                Grade::Total
            } else {
                Grade::Degraded
            };
            minutes.entry(minute).or_default().insert(grade);
        }
    }
    minutes
}

/// Groups minutes to interruptions, whose gaps are at most `merge` minutes long.
pub fn interruptions(minutes: &BTreeSet<i64>, merge: i64) -> Vec<Vec<i64>> {
    let mut groups: Vec<Vec<i64>> = Vec::new();
    for minute in minutes {
        match groups.last_mut() {
            Some(group) if minute - group.last().expect("not empty") - 1 <= merge => {
                group.push(*minute)
            }
            _ => groups.push(vec![*minute]),
        }
    }
    groups
}

/// Drops interruptions that are too short; accessory components have interruptions of their own.
pub fn long_enough(minutes: Minutes, merge: i64, least: usize) -> Minutes {
    let mut kept = Minutes::new();
    for accessory in [false, true] {
        let of_line = |grades: &BTreeSet<Grade>| {
            grades.iter().any(|grade| (*grade == Grade::Accessory) == accessory)
        };
        let line: BTreeSet<i64> = minutes
            .iter()
            .filter(|(_, grades)| of_line(grades))
            .map(|(minute, _)| *minute)
            .collect();
        for group in interruptions(&line, merge).into_iter().filter(|group| group.len() >= least) {
            for minute in group {
                let grades = minutes[&minute]
                    .iter()
                    .filter(|grade| (**grade == Grade::Accessory) == accessory);
                kept.entry(minute).or_default().extend(grades);
            }
        }
    }
    kept
}

/// The minutes at one grade.
pub fn at_grade(minutes: &Minutes, grade: Grade) -> BTreeSet<i64> {
    minutes
        .iter()
        .filter(|(_, grades)| grades.contains(&grade))
        .map(|(minute, _)| *minute)
        .collect()
}

/// The local days that were touched, each at its highest grade.
pub fn days(situation: &Situation, minutes: &Minutes) -> BTreeMap<Date, Grade> {
    let mut days: BTreeMap<Date, Grade> = BTreeMap::new();
    for (minute, grades) in minutes {
        let highest = *grades.last().expect("not empty");
        let day = days.entry(situation.day(*minute)).or_insert(highest);
        *day = highest.max(*day);
    }
    days
}
