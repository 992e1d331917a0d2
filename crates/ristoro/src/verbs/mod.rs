//! The verbs of the command line, a file each.

pub mod assessment;
pub mod config;
pub mod dev;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod grants;
pub mod ledger;
pub mod log;
pub mod migrate;
pub mod notice;
pub mod outage;
pub mod payment_file;
pub mod payout;
pub mod play;
pub mod poison;
pub mod policy;
pub mod projection;
pub mod service;
pub mod signals;
pub mod subscriptions;
pub mod topics;
