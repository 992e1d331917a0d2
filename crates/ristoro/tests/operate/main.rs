//! The operators' verbs, as operators call them: the real binary on real servers.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

mod config;
mod dev;
mod doctor;
mod log;
mod migrate;
mod parts;
mod support;
mod tail;
mod topics;
