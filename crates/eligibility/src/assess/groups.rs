//! The groups of people that a simulation tells apart: each distinct one is kept once and has a number.
//!
//! Nothing is allocated for a person whose group is known already.

use std::collections::HashMap;

use ristoro_domain::facts::{Class, Outage, Segment, Subscription};
use ristoro_domain::time::Instant;

/// People of the same service, plan, segment, class and cohort.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    service: String,
    plan: String,
    segment: Segment,
    class: Class,
    cohort: Option<String>,
}

/// The groups so far, by their numbers.
#[derive(Debug)]
pub struct Groups {
    began_at: Option<Instant>,
    known: HashMap<Box<[u8]>, u32>,
    groups: Vec<Group>,
    key: Vec<u8>,
}

impl Groups {
    /// Begins with none. People are grouped by the plan that they had when the outage began.
    #[must_use]
    pub fn new(outage: &Outage) -> Self {
        let began_at = outage.impacts.iter().map(|impact| impact.window.from).min();
        Self { began_at, known: HashMap::new(), groups: Vec::new(), key: Vec::new() }
    }

    /// Gives the number of a subscription's group.
    pub fn number_of(&mut self, subscription: &Subscription) -> u32 {
        let Subscription { service, segment, class, cohort, .. } = subscription;
        let plan = plan_at(self.began_at, subscription);
        self.key.clear();
        for text in [service.as_str(), plan, cohort.as_deref().unwrap_or_default()] {
            self.key.extend(text.len().to_be_bytes());
            self.key.extend_from_slice(text.as_bytes());
        }
        self.key.extend([*segment as u8, *class as u8, u8::from(cohort.is_some())]);
        if let Some(number) = self.known.get(self.key.as_slice()) {
            return *number;
        }
        let number = u32::try_from(self.groups.len());
        let number = number.expect("memory ends before four billion groups");
        self.groups.push(Group {
            service: service.clone(),
            plan: plan.to_owned(),
            segment: *segment,
            class: *class,
            cohort: cohort.clone(),
        });
        self.known.insert(self.key.as_slice().into(), number);
        number
    }

    /// Gives the group of a number that was given before.
    #[must_use]
    pub fn group(&self, number: u32) -> &Group {
        &self.groups[number as usize]
    }
}

impl Group {
    /// Gives the group as (dimension, value), one for each dimension.
    #[must_use]
    pub fn values(&self) -> [(&'static str, String); 5] {
        let segment = match self.segment {
            Segment::Consumer => "consumer",
            Segment::Business => "business",
        };
        let class = match self.class {
            Class::Principal => "principal",
            Class::Accessory => "accessory",
            Class::Free => "free",
        };
        [
            ("service", self.service.clone()),
            ("plan", format!("{}/{}", self.service, self.plan)),
            ("segment", segment.to_owned()),
            ("class", class.to_owned()),
            ("cohort", self.cohort.clone().unwrap_or_default()),
        ]
    }
}

/// Gives the plan in force at an instant, else the last one.
fn plan_at(at: Option<Instant>, subscription: &Subscription) -> &str {
    let in_force = subscription
        .periods
        .iter()
        .find(|period| at.is_none_or(|at| period.window.to.is_none_or(|to| to > at)));
    in_force.or(subscription.periods.last()).map_or("", |period| &period.plan)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outage, subscription, window};
    use super::*;

    #[test]
    fn people_who_differ_in_nothing_that_is_shown_are_one_group() {
        let always = [("free", window("2020-01-01T00:00:00Z", None))];
        let one = subscription("s1", &always);
        let mut groups = Groups::new(&outage());
        assert_eq!(
            (groups.number_of(&one), groups.number_of(&subscription("s2", &always))),
            (0, 0)
        );
        let others = [
            Subscription { service: "pec".to_owned(), ..one.clone() },
            Subscription { segment: Segment::Business, ..one.clone() },
            Subscription { class: Class::Free, ..one.clone() },
            Subscription { cohort: Some(String::new()), ..one.clone() },
            Subscription { cohort: Some("c1".to_owned()), ..one.clone() },
        ];
        let numbers = others.map(|other| groups.number_of(&other));
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        let values =
            groups.group(3).values().map(|(dimension, value)| format!("{dimension}={value}"));
        assert_eq!(
            values,
            [
                "service=libero-mail",
                "plan=libero-mail/free",
                "segment=consumer",
                "class=free",
                "cohort="
            ]
        );
    }

    #[test]
    fn people_are_grouped_by_the_plan_at_the_beginning() {
        let changed = |day: &str| {
            let at = format!("{day}T00:00:00Z");
            let before = ("free", window("2020-01-01T00:00:00Z", Some(&at)));
            subscription("s1", &[before, ("plus-5gb", window(&at, None))])
        };
        let mut groups = Groups::new(&outage());
        for (day, plan) in [("2023-01-23", "plus-5gb"), ("2023-01-24", "free")] {
            let number = groups.number_of(&changed(day));
            assert_eq!(groups.group(number).plan, plan);
        }
        let left = subscription(
            "s1",
            &[("free", window("2020-01-01T00:00:00Z", Some("2021-01-01T00:00:00Z")))],
        );
        let number = groups.number_of(&left);
        assert_eq!(groups.group(number).plan, "free");
    }
}
