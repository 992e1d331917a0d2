//! The binary as a new user runs it: all services, a case through the public API, and a clean end.

use std::path::PathBuf;
use std::process::{Command, Output};

fn ristoro(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ristoro"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the binary was built for this test")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn plays_the_case_on(log: &str) -> String {
    let output =
        ristoro(&["dev", "--demo", "libero-2023", "--once", "--subscribers", "400", "--log", log]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "397 new subscriptions",
        "ada approves her own proposal: refused, SAME_PERSON",
        "bruno approves it up to 1.00 EUR: refused, CAP_BELOW_TOTAL",
        "proposed before the first gave something: refused, PROPOSAL_OUTDATED",
        "completed as simulated: ",
        "owed: nothing",
        "5525.50 EUR is posted as owed",
        "bruno holds the payout of lm-00000257, indemnity: 48.50 EUR",
        "the held payout of lm-00000257 is not in it",
        "bruno holds the payout of vm-00000313: refused, PAYOUT_IN_MOTION: the payout is in payment file ",
        ": cancel the file",
        "ada approves the file that she created: refused, SAME_PERSON",
        "bruno submits it while payouts are stopped: refused, PAYOUTS_STOPPED",
        "bytes of pain.001.001.09 say the same: 1 transfer, 41.50 EUR",
        "the ledger has 41.50 EUR on its way through the bank",
        ": only the bank can stop it now",
        "a term longer by 6 months: 19\n",
        "storage of 1288490189 bytes: 228\n",
        "storage of 3865470567 bytes: 142\n",
        "tried again: attempt 2, pulled under a new key, made",
        "19 credits go to invoicing, 928.50 EUR",
        "unclaimed: 4507.00 EUR of 368 people",
        "debits and credits are 6495.50 EUR each",
        "8. Notices: one a person and assessment",
        "  of 778 notices: ",
        "  778 notices came in at a mail server of our own",
        "[NOT_AFFECTED]",
        "9. Elsewhere: what every policy that is shipped would have paid",
        " altroconsumo-30    389 of 397   11670.00 EUR               30.00 EUR    30.00 EUR ",
        " arera-2025         21 of 397    11350.50 EUR               540.50 EUR   603.75 EUR ",
        " ofcom              21 of 397    613.20 GBP                 29.20 GBP    33.60 GBP ",
        "eu-261: not applicable: it counts passengers, not time without a service",
        "  it applies as it did on 2025-01-01",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    text.into_owned()
}

/// Gives the lines of the README's transcript.
fn transcript() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README is there");
    let block = readme.split("```").find(|block| block.contains("1. A roster of 400"));
    let lines = block.expect("the README shows what the demo prints").lines();
    lines.filter(|line| !line.is_empty() && *line != "...").map(str::to_owned).collect()
}

#[test]
fn the_case_plays_with_the_log_in_postgres() {
    let text = plays_the_case_on("postgres");
    let mut printed = text.lines();
    for line in transcript() {
        assert!(
            printed.any(|one| one == line),
            "the README shows {line:?}, which is not in\n{text}"
        );
    }
}

#[test]
fn the_case_plays_with_the_log_on_kafka() {
    plays_the_case_on("kafka");
}

#[test]
fn a_shipped_policy_meets_its_own_cases() {
    for policy in ["libero-2023", "agcom-347-18"] {
        let cases = format!("crates/domain/policies/{policy}.cases.json");
        let output = ristoro(&["policy", "assess", "--policy", policy, "--case", &cases]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn nothing_answers_where_nobody_listens_and_the_exit_code_says_so() {
    let output = ristoro(&[
        "explain",
        "subscribers/p/subscriptions/s",
        "--endpoint",
        "http://127.0.0.1:1",
        "--token",
        "x",
    ]);
    assert_eq!(output.status.code(), Some(69));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("nothing answers at http://127.0.0.1:1"), "{text}");
}
