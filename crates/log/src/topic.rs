//! The topics of the log: one per context and version.

use std::fmt;
use std::str::FromStr;

/// A topic. Its name on a broker never changes; a new shape of its streams is a new version and a new topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Topic {
    /// What feeds report.
    Signal,
    /// Outages with their windows.
    Outage,
    /// Subscriptions, contacts and payees.
    Subscriber,
    /// Published policies.
    Policy,
    /// Proposals, approvals and completions, one stream per outage.
    Settlement,
    /// Decisions.
    Entitlement,
    /// Claims.
    Claim,
    /// Orders, reservations, payment files and grants.
    Payout,
    /// Notices and dispatches.
    Notice,
    /// Stops, resumes and skipped records.
    Ops,
}

impl Topic {
    /// Every topic, in the order of the data's way.
    pub const ALL: [Topic; 10] = [
        Topic::Signal,
        Topic::Outage,
        Topic::Subscriber,
        Topic::Policy,
        Topic::Settlement,
        Topic::Entitlement,
        Topic::Claim,
        Topic::Payout,
        Topic::Notice,
        Topic::Ops,
    ];

    /// Gives the name on the broker.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Topic::Signal => "ristoro.signal.v1",
            Topic::Outage => "ristoro.outage.v1",
            Topic::Subscriber => "ristoro.subscriber.v1",
            Topic::Policy => "ristoro.policy.v1",
            Topic::Settlement => "ristoro.settlement.v1",
            Topic::Entitlement => "ristoro.entitlement.v1",
            Topic::Claim => "ristoro.claim.v1",
            Topic::Payout => "ristoro.payout.v1",
            Topic::Notice => "ristoro.notice.v1",
            Topic::Ops => "ristoro.ops.v1",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Topic::ALL.into_iter().find(|topic| topic.name() == text);
        found.ok_or_else(|| format!("unknown topic {text:?}"))
    }
}
