//! An outage and people for tests.

use ristoro_domain::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use ristoro_domain::time::{Instant, Window};

/// A window; without an end it is open.
pub fn window(from: &str, to: Option<&str>) -> Window {
    let at = |text: &str| text.parse::<Instant>().unwrap();
    Window::new(at(from), to.map(at)).unwrap()
}

/// An outage of all mailboxes, 23 January 2023 to the 27th, 15:00.
pub fn outage() -> Outage {
    let impact = Impact {
        service: None,
        component: "mailbox".to_owned(),
        severity: Severity::Total,
        cohort: None,
        window: window("2023-01-23T00:00:00Z", Some("2023-01-27T15:00:00Z")),
        restored_cohorts: [].into(),
        restored_subscriptions: [].into(),
    };
    Outage {
        id: "o1".to_owned(),
        cause: Cause::Fault,
        works_done_at: None,
        declared: true,
        declared_at: None,
        impacts: vec![impact],
    }
}

/// A subscription of a consumer, with its plans over time.
pub fn subscription(id: &str, plans: &[(&str, Window)]) -> Subscription {
    let period = |(plan, window): &(&str, Window)| Period {
        plan: (*plan).to_owned(),
        fee: None,
        fee_period: FeePeriod::Year,
        window: *window,
    };
    Subscription {
        id: id.to_owned(),
        service: "libero-mail".to_owned(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: None,
        quota_bytes: None,
        term_end: None,
        in_arrears: false,
        periods: plans.iter().map(period).collect(),
    }
}
