//! What is asked of an outage and what then has happened.

use crate::facts::{Cause, Severity};
use crate::time::{Instant, Window};

/// Where the knowledge of an outage comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// The operator declared it, which counts as reported by everyone.
    Declared,
    /// It was derived from signals.
    Observed,
}

/// One component that fails for everyone, for a service or for a cohort, as it is stated.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StatedImpact {
    /// The impact's id, unique within its outage.
    pub id: String,
    /// The service that is hit; none for all.
    pub service: Option<String>,
    /// What fails: mailbox, webmail, imap, ios-app.
    pub component: String,
    /// How badly.
    pub severity: Severity,
    /// The cohort that is hit; none for all.
    pub cohort: Option<String>,
    /// When.
    pub window: Window,
}

/// The first statement about an outage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Declaration {
    /// The provider whose outage it is.
    pub provider: String,
    /// A short title.
    pub title: String,
    /// The IANA zone that the provider's times are meant in.
    pub time_zone: String,
    /// Where the knowledge comes from.
    pub origin: Origin,
    /// When the operator declared it; none where it was derived, or where that is not known.
    pub declared_at: Option<Instant>,
    /// The window that the operator states.
    pub declared: Option<Window>,
    /// The window that was observed, where it differs or nothing was stated.
    pub observed: Option<Window>,
    /// What failed, as far as known.
    pub impacts: Vec<StatedImpact>,
    /// Why, as far as known.
    pub cause: Option<Cause>,
    /// When planned work was announced to those whom it hits.
    pub announced_at: Option<Instant>,
    /// For a derived outage, `feed/source_id`; else empty.
    pub source: String,
    /// For a derived outage, when the source last changed what it says.
    pub modified_at: Option<Instant>,
}

/// What a feed says about an outage that is already known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// `feed/source_id`.
    pub source: String,
    /// The title.
    pub title: String,
    /// The window that the source states.
    pub declared: Option<Window>,
    /// The window that the source measured.
    pub observed: Option<Window>,
    /// What failed, in place of what this source said before; empty where a person's word stands.
    pub impacts: Vec<StatedImpact>,
    /// When the source said so; a later one replaces an earlier one.
    pub modified_at: Instant,
}

/// Which window is corrected, and to what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Amendment {
    /// The outage's own windows; none leaves one as it is.
    Outage {
        /// What the operator states.
        declared: Option<Window>,
        /// What was observed.
        observed: Option<Window>,
    },
    /// One impact's.
    Impact {
        /// The impact's id.
        impact: String,
        /// The right window.
        window: Window,
    },
}

/// What somebody asks of an outage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Declares it.
    Declare(Box<Declaration>),
    /// Tells what a feed says: declares a derived outage, or adds to a known one where this is news.
    Observe(Box<Declaration>),
    /// Adds an impact.
    AddImpact(StatedImpact),
    /// Ends an impact for all that nothing else names, or for one cohort.
    RestoreImpact {
        /// The impact's id.
        impact: String,
        /// The cohort that is back; none for all.
        cohort: Option<String>,
        /// When it was back.
        restored_at: Instant,
    },
    /// Ends an impact for single mailboxes. A later time for the same mailbox corrects the earlier one.
    RestoreMailboxes {
        /// The impact's id.
        impact: String,
        /// When they were back.
        restored_at: Instant,
        /// The provider's subscription ids, in any order.
        subscriptions: Vec<String>,
    },
    /// Corrects a window.
    AmendWindow {
        /// Which, and to what.
        amendment: Amendment,
        /// Why.
        note: String,
    },
    /// States why it happened.
    DetermineCause {
        /// The cause.
        cause: Cause,
        /// When the works that a calamity made necessary were done.
        works_done_at: Option<Instant>,
        /// When planned work was announced.
        announced_at: Option<Instant>,
    },
    /// States that everything works again.
    Resolve {
        /// Since when.
        resolved_at: Instant,
    },
    /// States that it was not over, or that it came back.
    Reopen {
        /// Since when it is known not to be over: up to the resolution, that is void; after it, this is a relapse.
        reopened_at: Instant,
        /// What failed again in a relapse.
        impacts: Vec<StatedImpact>,
        /// Why.
        note: String,
    },
    /// States that it should not have been declared.
    Withdraw {
        /// Why.
        note: String,
    },
}

/// What then has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The first event of the stream.
    OutageDeclared(Box<Declaration>),
    /// A feed says something new about a known outage.
    ObservationRevised(Box<Revision>),
    /// One more impact.
    ImpactAdded(StatedImpact),
    /// An impact ended, for all or for one cohort.
    ImpactRestored {
        /// The impact's id.
        impact: String,
        /// The cohort that is back; none for all.
        cohort: Option<String>,
        /// When it was back.
        restored_at: Instant,
    },
    /// Single mailboxes are back, at one time.
    MailboxesRestored {
        /// The impact's id.
        impact: String,
        /// When they were back.
        restored_at: Instant,
        /// The provider's subscription ids, sorted.
        subscriptions: Vec<String>,
    },
    /// A window was corrected.
    WindowAmended {
        /// Which, and to what.
        amendment: Amendment,
        /// Why.
        note: String,
    },
    /// The cause was found.
    CauseDetermined {
        /// The cause.
        cause: Cause,
        /// When the works that a calamity made necessary were done.
        works_done_at: Option<Instant>,
        /// When planned work was announced.
        announced_at: Option<Instant>,
    },
    /// Everything works again.
    OutageResolved {
        /// Since when.
        resolved_at: Instant,
    },
    /// It was not over, or it came back.
    OutageReopened {
        /// Since when.
        reopened_at: Instant,
        /// What failed again.
        impacts: Vec<StatedImpact>,
        /// Why.
        note: String,
    },
    /// It should not have been declared.
    OutageWithdrawn {
        /// Why.
        note: String,
    },
}
