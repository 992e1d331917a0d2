//! The account afterwards: what callers were told, what the tables show and what reached the world outside, each against
//! the log as the independent reader sees it.

pub mod commands;
pub mod decisions;
pub mod money;
pub mod notices;
pub mod tables;

use std::fmt::Debug;

/// Differences of one check at most: the first ones tell most.
const MOST: usize = 20;

/// What does not agree.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    found: Vec<String>,
    more: usize,
    compared: u64,
}

impl Findings {
    /// Notes a difference.
    pub fn add(&mut self, text: impl Into<String>) {
        if self.found.len() < MOST {
            self.found.push(text.into());
        } else {
            self.more += 1;
        }
    }

    /// Notes that two things differ, where they do.
    pub fn same<T: PartialEq + Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        is: &T,
        should: &T,
    ) {
        self.compared += 1;
        if is != should {
            self.add(format!("{}: is {is:?}, should be {should:?}", what()));
        }
    }

    /// Notes that something is not so.
    pub fn holds(&mut self, what: impl FnOnce() -> String, is_so: bool) {
        self.compared += 1;
        if !is_so {
            self.add(what());
        }
    }

    /// Gives how much was compared.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Gives what was found as lines; nothing where everything agrees.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.found.iter().cloned().chain(more).collect()
    }
}
