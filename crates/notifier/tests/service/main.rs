//! The notifier on a real Postgres, with a mail server that fails on request.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod answers;
mod failures;
mod fairness;
mod owners;
mod proxy;
mod roster;
mod support;
mod times;
mod waves;
mod world;
