//! The whole system hurt at random, seeded points. `cargo xtask chaos` runs it, in any size; it takes minutes, and what a
//! run finds depends on the machine as well as on the seed, so it is no part of the normal tests.
#![expect(clippy::print_stdout, reason = "a run of this length has to be accounted for")]

use ristoro_tests::chaos::{Scale, run};

/// What is enough for a first look.
const RECORDS: u64 = 10_000;

/// Reads a number that somebody may have set.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}: write a whole number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes: cargo xtask chaos"]
async fn nothing_is_lost_nothing_doubled_and_no_effect_done_twice() {
    let records = number("RISTORO_CHAOS_RECORDS").unwrap_or(RECORDS);
    let seed = number("RISTORO_CHAOS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let outcome = run(Scale { records, seed }, |line| println!("{line}")).await;
    if let Err(error) = outcome {
        panic!("seed {seed}: {error}");
    }
}
