//! The published versions of one policy. A version's text never changes: what was decided by it stays explicable.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::decider::Decider;

/// What is asked of a policy's stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PolicyCommand {
    /// Publishes a version. Whoever asks has read the text and found no fault in it.
    Publish {
        /// The version that the file states.
        policy_version: String,
        /// The file as it was given.
        text: String,
    },
    /// Takes a version out of use.
    Retire {
        /// The version.
        policy_version: String,
        /// Why.
        note: String,
    },
}

/// What happened to a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PolicyEvent {
    /// A version is published.
    PolicyPublished {
        /// The version that the file states.
        policy_version: String,
        /// The file as it was given.
        text: String,
        /// The SHA-256 of the text.
        sha256: [u8; 32],
    },
    /// A version is not to be used any more.
    PolicyRetired {
        /// The version.
        policy_version: String,
        /// Why.
        note: String,
    },
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyRejection {
    /// The version is published with another text.
    #[error(
        "version {policy_version:?} is published with another text: give the changed file a new version"
    )]
    VersionTaken {
        /// The version.
        policy_version: String,
    },
    /// No such version is published.
    #[error("version {policy_version:?} is not published")]
    UnknownVersion {
        /// The version.
        policy_version: String,
    },
    /// The version was taken out of use.
    #[error("version {policy_version:?} is retired and stays so: publish a new version")]
    Retired {
        /// The version.
        policy_version: String,
    },
}

/// What decisions depend on: the digest of each version's text, and whether it is in use.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PolicyState {
    versions: BTreeMap<String, Published>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Published {
    sha256: [u8; 32],
    retired: bool,
}

/// Decides on `policy/<policy>`.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRegistry;

impl Decider for PolicyRegistry {
    type Command = PolicyCommand;
    type Event = PolicyEvent;
    type Rejection = PolicyRejection;
    type State = PolicyState;

    fn decide(
        state: &PolicyState,
        command: &PolicyCommand,
    ) -> Result<Option<PolicyEvent>, PolicyRejection> {
        match command.clone() {
            PolicyCommand::Publish { policy_version, text } => {
                let sha256 = Sha256::digest(text.as_bytes()).into();
                match state.versions.get(&policy_version) {
                    None => Ok(Some(PolicyEvent::PolicyPublished { policy_version, text, sha256 })),
                    Some(published) if published.sha256 != sha256 => {
                        Err(PolicyRejection::VersionTaken { policy_version })
                    }
                    Some(published) if published.retired => {
                        Err(PolicyRejection::Retired { policy_version })
                    }
                    Some(_) => Ok(None),
                }
            }
            PolicyCommand::Retire { policy_version, note } => {
                match state.versions.get(&policy_version) {
                    None => Err(PolicyRejection::UnknownVersion { policy_version }),
                    Some(published) if published.retired => Ok(None),
                    Some(_) => Ok(Some(PolicyEvent::PolicyRetired { policy_version, note })),
                }
            }
        }
    }

    fn evolve(mut state: PolicyState, event: &PolicyEvent) -> PolicyState {
        match event {
            PolicyEvent::PolicyPublished { policy_version, sha256, .. } => {
                let published = Published { sha256: *sha256, retired: false };
                state.versions.insert(policy_version.clone(), published);
            }
            PolicyEvent::PolicyRetired { policy_version, .. } => {
                if let Some(published) = state.versions.get_mut(policy_version) {
                    published.retired = true;
                }
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::check;

    fn publish(version: &str, text: &str) -> PolicyCommand {
        PolicyCommand::Publish { policy_version: version.into(), text: text.into() }
    }

    fn published(version: &str, text: &str) -> PolicyEvent {
        let sha256 = Sha256::digest(text.as_bytes()).into();
        PolicyEvent::PolicyPublished { policy_version: version.into(), text: text.into(), sha256 }
    }

    fn retire(version: &str) -> PolicyCommand {
        PolicyCommand::Retire { policy_version: version.into(), note: "replaced".into() }
    }

    fn retired(version: &str) -> PolicyEvent {
        PolicyEvent::PolicyRetired { policy_version: version.into(), note: "replaced".into() }
    }

    #[test]
    fn a_version_is_published_once_and_keeps_its_text() {
        check::<PolicyRegistry>(&[], &publish("1", "a"), Ok(Some(published("1", "a"))));
        let history = [published("1", "a")];
        check::<PolicyRegistry>(&history, &publish("1", "a"), Ok(None));
        let taken = PolicyRejection::VersionTaken { policy_version: "1".into() };
        check::<PolicyRegistry>(&history, &publish("1", "b"), Err(taken));
        check::<PolicyRegistry>(&history, &publish("2", "b"), Ok(Some(published("2", "b"))));
    }

    #[test]
    fn a_retired_version_stays_retired() {
        let unknown = PolicyRejection::UnknownVersion { policy_version: "1".into() };
        check::<PolicyRegistry>(&[], &retire("1"), Err(unknown));
        let history = [published("1", "a")];
        check::<PolicyRegistry>(&history, &retire("1"), Ok(Some(retired("1"))));
        let history = [published("1", "a"), retired("1")];
        let refused = PolicyRejection::Retired { policy_version: "1".into() };
        check::<PolicyRegistry>(&history, &publish("1", "a"), Err(refused));
    }
}
