//! What the command line does with subscriptions before a server sees them.

pub mod csv;
mod lines;
