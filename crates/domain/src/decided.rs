//! Decisions in bulk: the events of `scan/{assessment}/{partition}`.

use crate::columns::Columns;
use crate::remedy::Reason;
use crate::totals::Totals;

/// One chunk of decisions. Everyone is in it, zeros too.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chunk {
    /// The distinct reasons.
    pub reasons: Vec<Reason>,
    /// Who, and which reason.
    pub columns: Columns,
}

/// What happens on a scan's stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A chunk is decided; its number is its version.
    EntitlementsDecided(Chunk),
    /// The partition is through.
    ScanCompleted {
        /// What its chunks gave.
        totals: Totals,
        /// The digest of its decisions.
        digest: [u8; 32],
        /// Chunks before this event.
        chunks: u64,
    },
    /// The assessment was cancelled or stopped.
    ScanVoided,
}

impl Chunk {
    /// Gives the reason of a number.
    #[must_use]
    pub fn reason_of(&self, number: u64) -> Option<&Reason> {
        self.reasons.get(self.columns.entry_of(number)? as usize)
    }
}
