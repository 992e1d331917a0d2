//! What the running service answers.

pub mod ledger;
