//! The verbs as people and scripts call them: the binary against a running stack that has played the case.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod asking;
mod rebuilds;
mod refusals;
mod stack;
mod watching;
