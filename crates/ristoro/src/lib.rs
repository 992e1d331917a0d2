//! The parts of the command line that need no server: generated data and import files.

pub mod generate;
pub mod subscriptions;
