//! A subscription that somebody holds: its plans over time.

use std::sync::Arc;

use crate::roster::Profile;
use crate::time::Instant;

/// A stretch of time on one profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// What the subscription was.
    pub profile: Arc<Profile>,
    /// From when.
    pub from: Instant,
    /// Until when; none while it runs.
    pub to: Option<Instant>,
}

/// A subscription that somebody holds, over time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    /// Its number.
    pub number: u64,
    /// Its stretches in order of time; never empty.
    pub stretches: Vec<Stretch>,
}

impl Holding {
    /// Begins a holding.
    #[must_use]
    pub fn begin(number: u64, profile: Arc<Profile>, from: Instant, to: Option<Instant>) -> Self {
        Self { number, stretches: vec![Stretch { profile, from, to }] }
    }

    /// Goes over to another profile: what runs ends there.
    pub fn change(&mut self, profile: Arc<Profile>, at: Instant) {
        self.end(at);
        self.stretches.push(Stretch { profile, from: at, to: None });
    }

    /// Ends what runs.
    pub fn end(&mut self, at: Instant) {
        if let Some(last) = self.stretches.last_mut()
            && last.to.is_none_or(|end| end > at)
        {
            last.to = Some(at);
        }
    }

    /// Gives the last stretch.
    #[must_use]
    pub fn last(&self) -> &Stretch {
        self.stretches.last().expect("a holding begins with a stretch")
    }
}
