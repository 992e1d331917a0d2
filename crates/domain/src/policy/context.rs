//! What is known about one subscription's case beside the subscription and the outage.

use jiff::civil::Date;

use crate::money::Money;
use crate::remedy::RemedyKind;
use crate::time::Instant;

/// Reports, claims and earlier grants. `Context::default()` is a case with nothing of all that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context<'a> {
    /// When the subscriber reported the outage; a declared outage counts as reported by everyone.
    pub reports: &'a [Instant],
    /// Claims about this outage.
    pub claims: &'a [Claim],
    /// What earlier assessments and claims granted for the same outage.
    pub granted: &'a [Granted],
    /// What was below the minimum payout before and is carried over.
    pub carried: &'a [Granted],
    /// When the subscriber could know of the outage; the outage's start where it is none.
    pub known_at: Option<Instant>,
    /// When appointments were missed, or cancelled at short notice.
    pub missed_appointments: &'a [Instant],
    /// When planned work was announced.
    pub announced_at: Option<Instant>,
    /// When what is owed is paid.
    pub paid_at: Option<Instant>,
    /// The dates of invoices that were unpaid when the outage began.
    pub unpaid_invoices: &'a [Instant],
    /// The promised start of the service, and the real one.
    pub activation: Option<Activation>,
    /// The journey that was delayed.
    pub journey: Option<Journey>,
    /// What was charged, each by the instant at which its period began.
    pub charges: &'a [(Instant, Money)],
}

/// The promised start of a service, and the real one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Activation {
    /// When it was promised.
    pub promised: Instant,
    /// When it started; none while it has not.
    pub done: Option<Instant>,
}

/// A journey that arrived late.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Journey {
    /// Its distance.
    pub distance_km: u32,
    /// Whether it was within the Union.
    pub intra_eu: bool,
    /// By how much it was late on arrival.
    pub delay_minutes: u32,
    /// How many people are compensated, from 1.
    pub passengers: u32,
}

/// A claim about the outage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// When it was received.
    pub received: Instant,
    /// When it was answered.
    pub answered: Option<Instant>,
    /// The damages that were recognised.
    pub recognised: Option<Money>,
}

/// Something granted earlier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Granted {
    /// Its legal nature.
    pub kind: RemedyKind,
    /// Its amount; none for what is no money (storage, a longer term).
    pub money: Option<Money>,
    /// The policy that gave it; empty where that is not known.
    pub policy: String,
}

/// A claim as a policy sees it: in local days.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ClaimSeen {
    /// The local day on which it was received.
    pub received: Date,
    /// The local day on which it was answered.
    pub answered: Option<Date>,
    /// The damages that were recognised.
    pub recognised: Option<Money>,
}
