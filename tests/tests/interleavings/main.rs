//! The races that the write protocol was made for, each under every interleaving of its steps.
//!
//! Each test says which functions of the product its steps are. What is a step happens at once; what lies between two
//! steps of one actor is where others come first, where a record is late, and where a process dies.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod bank;
mod dispatches;
mod imports;
mod leftovers;
mod payouts;
mod scanning;
mod scans;
mod settlements;
mod skips;
mod switches;

/// Tells how many interleavings a test ran.
#[expect(clippy::print_stdout, reason = "the number of interleavings is a result of the test")]
fn ran(race: &str, runs: u64) {
    println!("{race}: {runs} interleavings");
}
