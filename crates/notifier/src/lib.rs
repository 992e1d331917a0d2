//! notifier: one message per subscription and assessment, over the channel that works, once its reader can read it.

pub mod letter;
pub mod projections;
pub mod stages;
pub mod streams;
