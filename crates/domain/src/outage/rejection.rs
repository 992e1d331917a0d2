//! Why a command on an outage is refused.

use crate::facts::Cause;
use crate::time::Instant;

/// Why not, with the figures that explain it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// Nothing was declared under this id.
    #[error("no outage was declared under this id: declare it first")]
    NotDeclared,
    /// The id is taken by another declaration.
    #[error("an outage {title:?} was already declared under this id: amend it, or take another id")]
    AlreadyDeclared {
        /// The title of what was declared.
        title: String,
    },
    /// It was withdrawn, which is final.
    #[error("the outage was withdrawn ({note}): declare a new one")]
    Withdrawn {
        /// Why it was withdrawn.
        note: String,
    },
    /// A text that must say something is empty.
    #[error("{field} is empty")]
    Empty {
        /// Which.
        field: &'static str,
    },
    /// Neither a declared nor an observed window.
    #[error("give the declared or the observed window")]
    NoWindow,
    /// The window's end is not after its start.
    #[error("the window of {what} ends at {to}, which is not after its start {from}")]
    EndsBeforeItBegins {
        /// Whose window: declared, observed, or the impact's id.
        what: String,
        /// The start.
        from: Instant,
        /// The end.
        to: Instant,
    },
    /// No impact has this id.
    #[error("impact {impact:?} is not known; known are: {known}")]
    UnknownImpact {
        /// The id asked for.
        impact: String,
        /// The ids that are known, separated by commas.
        known: String,
    },
    /// Another impact has this id.
    #[error("impact {impact:?} already stands for {component}: take another id")]
    ImpactIdTaken {
        /// The id.
        impact: String,
        /// What the known impact says that fails.
        component: String,
    },
    /// The impact hits one cohort, and another was restored.
    #[error("impact {impact:?} hits cohort {hit:?}, not {cohort:?}")]
    OtherCohort {
        /// The impact's id.
        impact: String,
        /// The cohort that it hits.
        hit: String,
        /// The cohort asked for.
        cohort: String,
    },
    /// Something was restored at or before it began.
    #[error("impact {impact:?} began at {from}: it cannot be restored at {restored_at}")]
    RestoredBeforeItBegan {
        /// The impact's id.
        impact: String,
        /// When it began.
        from: Instant,
        /// When it would have been restored.
        restored_at: Instant,
    },
    /// No mailbox, or more than one call takes.
    #[error("{count} mailboxes: give 1 to {limit} in one call")]
    MailboxCount {
        /// How many were given.
        count: usize,
        /// How many one call takes.
        limit: usize,
    },
    /// Works are stated for a cause that needs none.
    #[error("necessary works belong to force majeure, not to {cause:?}")]
    WorksWithoutCalamity {
        /// The cause that was given.
        cause: Cause,
    },
    /// A notice is stated for a cause that has none.
    #[error("a notice belongs to planned work, not to {cause:?}")]
    NoticeWithoutPlannedWork {
        /// The cause that was given, or that is assumed where none was.
        cause: Cause,
    },
    /// It is resolved, at another time or with everything restored.
    #[error("the outage was already resolved as of {resolved_at}: reopen it first")]
    AlreadyResolved {
        /// Since when.
        resolved_at: Instant,
    },
    /// It is not resolved.
    #[error("the outage is open: only a resolved one can be reopened")]
    NotResolved,
    /// A part is known to have failed until later than the resolution.
    #[error("impact {impact:?} is known to have lasted until {known_until}, after {resolved_at}")]
    ResolvedTooEarly {
        /// The impact's id.
        impact: String,
        /// The latest time that is known of it.
        known_until: Instant,
        /// When everything would have worked again.
        resolved_at: Instant,
    },
    /// It would be open before it began.
    #[error("the outage began at {began_at}: it cannot be open again from {reopened_at}")]
    ReopenedBeforeItBegan {
        /// When it began.
        began_at: Instant,
        /// The time given.
        reopened_at: Instant,
    },
}
