//! Who can read mail again, and since when: what sorts the places of a chunk into waves.

use std::collections::BTreeMap;

use crate::facts::Outage;
use crate::time::Instant;

/// Components without which mail can still be read. Whatever else fails holds a notice back.
const ACCESSORY: [&str; 3] = ["accessory", "android-app", "ios-app"];

/// Places by the time at which their mailboxes came back, and when more follow.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waves {
    /// Those whose time has come: places, ascending.
    pub due: BTreeMap<Instant, Vec<u32>>,
    /// The next time that is already known and has not come yet.
    pub next_at: Option<Instant>,
}

/// Tells whether a notice waits for a component.
#[must_use]
pub fn holds_back(component: &str) -> bool {
    !ACCESSORY.contains(&component)
}

/// Gives since when a subscription's own mailbox is back; none while something that it needs still fails.
///
/// Whoever felt nothing of the outage could read mail all along: since its beginning.
#[must_use]
pub fn back_since(
    outage: &Outage,
    service: &str,
    cohort: Option<&str>,
    subscription: &str,
) -> Option<Instant> {
    let began_at = outage.impacts.iter().map(|impact| impact.window.from).min();
    let mut since = began_at.unwrap_or(Instant::UNIX_EPOCH);
    for felt in outage.felt_by(service, cohort, subscription) {
        if holds_back(&felt.component) {
            since = since.max(felt.window.to?);
        }
    }
    Some(since)
}

impl Waves {
    /// Sorts places, given in ascending order, by when each one's mailbox was back.
    pub fn plan(back: impl IntoIterator<Item = (u32, Option<Instant>)>, now: Instant) -> Self {
        let mut waves = Self::default();
        for (place, since) in back {
            match since {
                Some(at) if at <= now => waves.due.entry(at).or_default().push(place),
                Some(at) => waves.next_at = Some(waves.next_at.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        waves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Cause, Impact, Severity};
    use crate::time::Window;

    fn at(text: &str) -> Instant {
        format!("2023-01-{text}:00Z").parse().unwrap()
    }

    fn impact(component: &str, from: &str, to: Option<&str>) -> Impact {
        Impact {
            service: Some("libero-mail".to_owned()),
            component: component.to_owned(),
            severity: Severity::Total,
            cohort: None,
            window: Window { from: at(from), to: to.map(at) },
            restored_cohorts: BTreeMap::new(),
            restored_subscriptions: BTreeMap::new(),
        }
    }

    fn outage(impacts: Vec<Impact>) -> Outage {
        let id = "o1".to_owned();
        Outage {
            id,
            cause: Cause::Fault,
            works_done_at: None,
            declared: true,
            declared_at: None,
            impacts,
        }
    }

    fn since(outage: &Outage, cohort: &str, subscription: &str) -> Option<Instant> {
        back_since(outage, "libero-mail", Some(cohort), subscription)
    }

    #[test]
    fn everyone_waits_for_their_own_mailbox() {
        let mut mailbox = impact("mailbox", "23T00:00", None);
        mailbox.restored_cohorts.insert("c1".to_owned(), at("26T14:45"));
        mailbox.restored_subscriptions.insert("s9".to_owned(), at("28T20:00"));
        let outage = outage(vec![mailbox]);
        assert_eq!(since(&outage, "c1", "s1"), Some(at("26T14:45")));
        assert_eq!(since(&outage, "c1", "s9"), Some(at("28T20:00")));
        assert_eq!(since(&outage, "c2", "s2"), None);
    }

    #[test]
    fn an_app_that_fails_holds_nothing_back_and_webmail_does() {
        let mailbox = impact("mailbox", "23T00:00", Some("26T00:00"));
        let with_app = outage(vec![mailbox.clone(), impact("ios-app", "23T00:00", None)]);
        assert_eq!(since(&with_app, "c1", "s1"), Some(at("26T00:00")));
        let with_webmail = outage(vec![mailbox, impact("webmail", "23T00:00", Some("27T00:00"))]);
        assert_eq!(since(&with_webmail, "c1", "s1"), Some(at("27T00:00")));
    }

    #[test]
    fn whoever_felt_nothing_could_read_mail_all_along() {
        let outage = outage(vec![impact("mailbox", "23T00:00", None)]);
        assert_eq!(back_since(&outage, "pec", None, "s1"), Some(at("23T00:00")));
    }

    #[test]
    fn a_wave_has_everyone_who_came_back_at_its_time() {
        let (early, late, later) = (at("24T00:00"), at("25T00:00"), at("27T00:00"));
        let back =
            [(0, Some(late)), (1, Some(early)), (2, None), (3, Some(late)), (4, Some(later))];
        let waves = Waves::plan(back, at("26T00:00"));
        assert_eq!(waves.due, BTreeMap::from([(early, vec![1]), (late, vec![0, 3])]));
        assert_eq!(waves.next_at, Some(later));
    }
}
