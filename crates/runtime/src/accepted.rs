//! A record that counts: what projections and stages see of the log.

use ristoro_log::{Envelope, Position};

/// An accepted record, with its place on the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub envelope: Envelope,
}
