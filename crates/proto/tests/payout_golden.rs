//! The bytes of every event of the payout service.

mod golden;

use std::collections::BTreeSet;

use golden::{check, check_as};
use ristoro_domain::columns::Columns;
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::order::{self, Channel, Order, OrderChunk, OrderLine};
use ristoro_domain::payment_file::{self, Creation, Debtor, FileContent, TransferOutcome};
use ristoro_domain::remedy::{Grant, Payer, Remedy, RemedyKind};
use ristoro_domain::{grant, payout, reservation};
use ristoro_proto::wire::Wire;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn line(grant: Grant, channel: Channel) -> OrderLine {
    let remedy = Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator };
    OrderLine { remedy, channel }
}

fn chunk() -> OrderChunk {
    let mut columns = Columns::default();
    for (number, entry) in [((3 << 48) | 1, 0), ((3 << 48) | 2, 1), ((3 << 48) | 9, 2)] {
        columns.push(number, entry).expect("the test gives ascending numbers");
    }
    let lines = [
        vec![line(Grant::Money(eur(3000)), Channel::Transfer)],
        vec![line(Grant::Money(eur(3000)), Channel::Invoice)],
        vec![
            line(Grant::Money(eur(3000)), Channel::Unclaimed),
            line(Grant::Quota { bytes: 1_288_490_189 }, Channel::Provisioning),
        ],
    ];
    let orders = lines.into_iter().map(|lines| Order { lines }).collect();
    OrderChunk { orders, columns, roster_offset: 44, skipped: false }
}

#[test]
fn orders_keep_their_bytes() {
    check(&order::Event::PayoutsOrdered(chunk()));
    let empty = OrderChunk { roster_offset: 44, ..OrderChunk::default() };
    check_as("PayoutsOrdered-empty", &order::Event::PayoutsOrdered(empty));
    let skipped = OrderChunk { skipped: true, ..OrderChunk::default() };
    check_as("PayoutsOrdered-skipped", &order::Event::PayoutsOrdered(skipped));
    check(&order::Event::OrdersReleased { chunks: 9 });
    check(&order::Event::OrdersVoided);
}

#[test]
fn what_happens_to_one_payout_keeps_its_bytes() {
    let note = || "asked by the fraud desk".to_owned();
    check(&payout::Event::PayoutHeld { note: note() });
    check(&payout::Event::PayoutReleased { note: note() });
    check(&payout::Event::PayoutRejected { reason_code: "AC04".to_owned() });
    check(&payout::Event::PayoutReturned { reason_code: "MD07".to_owned() });
    check(&payout::Event::PayoutRetried { attempt: 2 });
}

#[test]
fn reservations_keep_their_bytes() {
    let row = |number| reservation::ReservedRow { number, amount_minor: 3000, attempt: 1 };
    check(&reservation::Event::PayoutsReserved(reservation::Reserved {
        assessment: "libero-2023-01-a".to_owned(),
        chunk: 2,
        rows: vec![row(1), row(7)],
    }));
    let closing = reservation::Closing { count: 2, total: eur(6000), digest: [5; 32] };
    check(&reservation::Event::ReservationClosed(closing));
    check(&reservation::Event::ReservationReleased);
}

#[test]
fn payment_files_keep_their_bytes() {
    check(&payment_file::Event::PaymentFileCreated(Box::new(Creation {
        currency: Currency::EUR,
        assessments: BTreeSet::from(["libero-2023-01-a".to_owned()]),
        payout_offsets: vec![9, 12],
        roster_offsets: vec![4, 5],
        partition_limits: vec![60, 40],
        execution_date: "2023-03-01".parse().unwrap(),
        debtor: Debtor {
            name: "Posta S.p.A.".to_owned(),
            iban: "IT60X0542811101000000123456".to_owned(),
            bic: "BLOPIT22".to_owned(),
            town: "Milano".to_owned(),
            country: "IT".to_owned(),
        },
        max_transfers: 100,
        created_by: "ada".to_owned(),
    })));
    let content = FileContent { digest: [7; 32], count: 2, total: eur(6000) };
    check(&payment_file::Event::PaymentFileApproved(content));
    check(&payment_file::Event::PaymentFileCancelled { note: "wrong account".to_owned() });
    check(&payment_file::Event::PaymentFileSubmitted(payment_file::Submission {
        message_id: "MSG-1".to_owned(),
        created_at: "2023-02-28T10:00:00Z".parse().unwrap(),
        sha256: [1; 32],
    }));
    let outcome = |id: &str, status: &str, reason: &str| TransferOutcome {
        end_to_end_id: id.to_owned(),
        status: status.to_owned(),
        reason_code: reason.to_owned(),
    };
    let outcomes = [outcome("E1", "ACSC", ""), outcome("E2", "RJCT", "AC04")].into();
    check(&payment_file::Event::PaymentFileReported { outcomes });
}

#[test]
fn grants_keep_their_bytes() {
    check(&grant::Event::GrantsLeased(grant::Lease {
        lease: "a9d5c7a2-34ef-4a0c-9c3f-5d1a4f0f7b11".to_owned(),
        expires_at: "2023-03-01T10:05:00Z".parse().unwrap(),
        chunk: 3,
        numbers: vec![1, 7],
    }));
    check(&grant::Event::GrantsDelivered { numbers: vec![1] });
    check(&grant::Event::GrantFailed { number: 7, note: "no mailbox".to_owned() });
    check(&grant::Event::InvoiceCreditsExported(grant::Export {
        export: "2023-03".to_owned(),
        chunk: 3,
        numbers: vec![1, 7],
    }));
}

#[test]
fn columns_that_do_not_fit_together_are_refused() {
    use ristoro_proto::payout::v1 as out;
    let uneven = out::PayoutsReserved { numbers: vec![1], ..Default::default() };
    let bytes = prost::Message::encode_to_vec(&uneven).into();
    assert!(reservation::Event::decode("PayoutsReserved", &bytes).is_err());
    let twice = out::GrantsDelivered { numbers: vec![1, 1] };
    let bytes = prost::Message::encode_to_vec(&twice).into();
    assert!(grant::Event::decode("GrantsDelivered", &bytes).is_err());
    let nowhere = out::PayoutsOrdered { orders: vec![out::Order::default()], ..Default::default() };
    let bytes = prost::Message::encode_to_vec(&nowhere).into();
    assert!(order::Event::decode("PayoutsOrdered", &bytes).is_err());
}
