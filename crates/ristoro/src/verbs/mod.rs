//! The verbs of the command line, a file each.

pub mod assessment;
pub mod dev;
pub mod explain;
pub mod outage;
pub mod play;
pub mod policy;
pub mod service;
pub mod subscriptions;
