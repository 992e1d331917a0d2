//! The ledger's check finds what disagrees and names the chunk, whichever row is wrong.

use ristoro_domain::payout::Event;
use ristoro_log::Topic;
use sqlx::AssertSqlSafe;

use crate::calls::payout_of;
use crate::support::{Running, start};
use crate::world::{IBAN, euro, number, row, voucher};

/// Pays, refuses, holds, exports and delivers something of two chunks of partition 0.
async fn everything(running: &Running) -> String {
    let rows = vec![
        row("ada", false, Some(IBAN)),
        row("bruno", true, None),
        row("carla", false, None),
        row("dino", true, Some(IBAN)),
        row("emma", false, Some(IBAN)),
        row("fabio", false, Some(IBAN)),
    ];
    let pins = vec![running.import(0, rows), 1];
    let gives = [euro(), voucher()];
    running.release(pins, &[(&gives, &[1, 2, 3]), (&gives, &[4, 5, 6])]).await;
    running.hold(&payout_of("fabio")).await.unwrap();
    let file = running.pay_all().await;
    assert_eq!(file.transfers, 3);
    let refused = Event::PayoutRejected { reason_code: "AC04".to_owned() };
    let stream = format!("payout/a1/{}", number(0, 5));
    running.tell((Topic::Payout, 0), &stream, &refused).await;
    assert_eq!(running.export(&crate::calls::fresh_id()).await.unwrap().len(), 1);
    running.pull(600).await.unwrap();
    running.report(&[(&payout_of("ada"), ""), (&payout_of("bruno"), "")]).await.unwrap();
    let answer = running.check_ledger().await;
    assert_eq!((answer.differences, answer.compared), (vec![], 3), "two chunks and a file");
    file.name
}

/// Changes a row in the tables themselves, looks whether the check names it, and changes it back.
async fn finds(running: &Running, change: &str, back: &str, subjects: &[&str]) {
    let in_tables = |text: &str| {
        let text = format!("set local search_path to payout_1; {text}");
        sqlx::raw_sql(AssertSqlSafe(format!("begin; {text}; commit"))).execute(&running.pool)
    };
    in_tables(change).await.unwrap();
    let differences = running.check_ledger().await.differences;
    for subject in subjects {
        let named = differences.iter().any(|one| one.subject.starts_with(subject));
        assert!(named, "after {change}: {subject} is not in {differences:?}");
    }
    let others = differences
        .iter()
        .filter(|one| !subjects.iter().any(|subject| one.subject.starts_with(subject)));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&_>::new(), "after {change}");
    in_tables(back).await.unwrap();
    assert_eq!(running.check_ledger().await.differences, [], "after {back}");
}

const FIRST: &str = "assessments/a1 partition 0 chunk 1";
const SECOND: &str = "assessments/a1 partition 0 chunk 2";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_row_is_found_whatever_table_it_is_in() {
    let running = start().await;
    everything(&running).await;
    // The general ledger: one side, both sides, a kept sum, an entry about nothing.
    finds(
        &running,
        "update posting set debit_minor = debit_minor + 1 where reason = 'exported' and debit_minor > 0",
        "update posting set debit_minor = debit_minor - 1 where reason = 'exported' and debit_minor > 0",
        &["entry of ristoro.payout.v1/0/", "balances of partition 0", FIRST],
    )
    .await;
    finds(
        &running,
        "update posting set chunk = 7 where reason = 'rejected'",
        "update posting set chunk = 2 where reason = 'rejected'",
        &[SECOND, "entry of ristoro.payout.v1/0/"],
    )
    .await;
    finds(
        &running,
        "update ledger_balance set credit_minor = credit_minor + 5 where account = 'bank-clearing'",
        "update ledger_balance set credit_minor = credit_minor - 5 where account = 'bank-clearing'",
        &["balances of partition "],
    )
    .await;
    // The orders and what became of them.
    finds(
        &running,
        "update order_stream set state = 3 where partition = 0",
        "update order_stream set state = 2 where partition = 0",
        &[FIRST, SECOND],
    )
    .await;
    finds(
        &running,
        "update grant_outcome set numbers = '{3}' where outcome = 3",
        "update grant_outcome set numbers = '{2}' where outcome = 3",
        &[FIRST],
    )
    .await;
    finds(
        &running,
        "update grant_outcome set outcome = 2 where outcome = 1",
        "update grant_outcome set outcome = 1 where outcome = 2",
        &[FIRST],
    )
    .await;
    finds(
        &running,
        "update payout_difference set failure = null where number = 5",
        "update payout_difference set failure = 1 where number = 5",
        &[SECOND],
    )
    .await;
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_row_of_a_payment_file_is_found_and_the_file_is_named() {
    let running = start().await;
    let file = everything(&running).await;
    let file = file.as_str();
    finds(
        &running,
        "update reservation set amounts_minor[1] = 3001 where chunk = 1",
        "update reservation set amounts_minor[1] = 3000 where chunk = 1",
        &[FIRST, file],
    )
    .await;
    finds(
        &running,
        "update payment_file set status = 'approved'",
        "update payment_file set status = 'submitted'",
        // What came back of the second chunk was paid; of the first one both sides are without the file.
        &[SECOND, file],
    )
    .await;
    finds(
        &running,
        "update payment_file set approved_digest = sha256('x')",
        "update payment_file set approved_digest = (select sha256(string_agg(closed_digest, '' order by partition)) \
         from reservation_stream)",
        &[file],
    )
    .await;
    running.assert_rebuilt_tables_equal_the_live_ones().await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_was_not_kept_is_found() {
    let running = start().await;
    everything(&running).await;
    finds(
        &running,
        "update reservation set numbers = '{4,6}' where chunk = 2",
        "update reservation set numbers = '{4,5}' where chunk = 2",
        &[SECOND, "paymentFiles/"],
    )
    .await;
    finds(
        &running,
        "update payout_difference set held = false where number = 6",
        "update payout_difference set held = true where number = 6",
        &["assessments/a1 partition 0 chunk 2: number 6 is held by its last row and not"],
    )
    .await;
    finds(
        &running,
        "update grant_lease set numbers = numbers || 6::bigint where chunk = 2",
        "update grant_lease set numbers = '{4,5}' where chunk = 2",
        &["assessments/a1 partition 0 chunk 2: number 6 moved while it was held"],
    )
    .await;
    running.end().await;
}
