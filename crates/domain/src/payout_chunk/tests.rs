//! Each test is an order of records on one partition.

use super::*;
use crate::money::Currency;
use crate::order::OrderLine;
use crate::order::tests::money;
use crate::remedy::{Grant, Payer, Remedy, RemedyKind};

const TRANSFER: u64 = 1;
const INVOICE: u64 = 2;
const QUOTA: u64 = 3;

fn at(second: i64) -> Instant {
    Instant::new(second, 0).unwrap()
}

/// One person a channel, all released.
fn chunk() -> ChunkStanding {
    let line = |remedy, channel| Order { lines: vec![OrderLine { remedy, channel }] };
    let quota = Remedy {
        kind: RemedyKind::Goodwill,
        grant: Grant::Quota { bytes: 7 },
        payer: Payer::Operator,
    };
    let mut orders = OrderChunk {
        orders: vec![
            line(money(3000, Currency::EUR), Channel::Transfer),
            line(money(500, Currency::EUR), Channel::Invoice),
            line(quota, Channel::Provisioning),
        ],
        ..OrderChunk::default()
    };
    for (number, entry) in [(TRANSFER, 0), (INVOICE, 1), (QUOTA, 2)] {
        orders.columns.push(number, entry).unwrap();
    }
    ChunkStanding { orders, phase: OrderPhase::Released, ..ChunkStanding::default() }
}

fn happen(chunk: &mut ChunkStanding, number: u64, event: &Event, offset: u64) {
    let motion = chunk.motion(number, at(0));
    let standing = chunk.standing(number).after(event, offset, motion.as_ref());
    chunk.people.insert(number, standing);
}

fn held() -> Event {
    Event::PayoutHeld { note: String::new() }
}

fn rejected() -> Event {
    Event::PayoutRejected { reason_code: "AC04".to_owned() }
}

fn row(attempt: u32) -> ReservedRow {
    ReservedRow { number: TRANSFER, amount_minor: 3000, attempt }
}

fn reserve(chunk: &mut ChunkStanding, file: &str, attempt: u32) -> usize {
    let rows = chunk.reserve(&[row(attempt)]).unwrap();
    let taken = rows.len();
    chunk.holdings.push(Holding { file: file.to_owned(), released: false, rows });
    taken
}

#[test]
fn a_payout_is_in_one_file_only() {
    let mut chunk = chunk();
    assert_eq!(reserve(&mut chunk, "f1", 1), 1);
    assert_eq!(reserve(&mut chunk, "f2", 1), 0);
    assert_eq!(chunk.reserved_in(TRANSFER), Some("f1"));
    chunk.holdings[0].released = true;
    assert_eq!(reserve(&mut chunk, "f3", 1), 1);
    assert_eq!(chunk.reserved_in(TRANSFER), Some("f3"));
}

#[test]
fn a_hold_before_a_reservation_leaves_it_out_and_one_after_it_has_no_effect() {
    let mut early = chunk();
    happen(&mut early, TRANSFER, &held(), 1);
    assert_eq!(reserve(&mut early, "f1", 1), 0);
    let mut late = chunk();
    assert_eq!(reserve(&mut late, "f1", 1), 1);
    assert_eq!(late.motion(TRANSFER, at(0)), Some(Motion::File { file: "f1".to_owned() }));
    happen(&mut late, TRANSFER, &held(), 2);
    assert!(!late.standing(TRANSFER).held);
    // Not even once the file is cancelled: the caller was told so.
    late.holdings[0].released = true;
    assert_eq!(reserve(&mut late, "f2", 1), 1);
}

#[test]
fn a_failed_transfer_is_free_only_once_it_is_retried() {
    let mut chunk = chunk();
    assert_eq!(reserve(&mut chunk, "f1", 1), 1);
    happen(&mut chunk, TRANSFER, &rejected(), 2);
    assert_eq!(reserve(&mut chunk, "f2", 1), 0);
    happen(&mut chunk, TRANSFER, &Event::PayoutRetried { attempt: 2 }, 3);
    assert_eq!(reserve(&mut chunk, "f3", 1), 0, "the old attempt was paid already");
    assert_eq!(reserve(&mut chunk, "f4", 2), 1);
    assert_eq!(reserve(&mut chunk, "f5", 2), 0);
}

#[test]
fn a_retried_grant_frees_no_transfer() {
    let mut chunk = chunk();
    assert_eq!(reserve(&mut chunk, "f1", 1), 1);
    happen(&mut chunk, TRANSFER, &Event::PayoutRetried { attempt: 2 }, 2);
    assert_eq!(reserve(&mut chunk, "f2", 2), 0);
    assert_eq!(reserve(&mut chunk, "f3", 1), 0);
}

#[test]
fn a_held_payout_that_failed_stays_out_when_it_is_retried() {
    let mut chunk = chunk();
    assert_eq!(reserve(&mut chunk, "f1", 1), 1);
    happen(&mut chunk, TRANSFER, &rejected(), 2);
    happen(&mut chunk, TRANSFER, &held(), 3);
    assert!(chunk.standing(TRANSFER).held, "nothing is under way");
    happen(&mut chunk, TRANSFER, &Event::PayoutRetried { attempt: 2 }, 4);
    assert_eq!(reserve(&mut chunk, "f2", 2), 0);
    happen(&mut chunk, TRANSFER, &Event::PayoutReleased { note: String::new() }, 5);
    assert_eq!(reserve(&mut chunk, "f3", 2), 1);
}

#[test]
fn nothing_moves_before_the_release_and_nothing_after_a_void() {
    for phase in [OrderPhase::Ordered, OrderPhase::Voided] {
        let mut chunk = ChunkStanding { phase, ..chunk() };
        assert_eq!(reserve(&mut chunk, "f1", 1), 0);
        assert!(!chunk.may_lend(QUOTA, at(0)) && !chunk.may_export(INVOICE));
    }
}

#[test]
fn a_reservation_takes_the_ordered_amount_or_nothing() {
    let wrong = ReservedRow { amount_minor: 3001, ..row(1) };
    assert_eq!(chunk().reserve(&[wrong]).unwrap(), []);
    let nobody = ReservedRow { number: QUOTA, ..row(1) };
    assert_eq!(chunk().reserve(&[nobody]).unwrap(), []);
}

#[test]
fn each_channel_moves_its_own_people_once() {
    let mut chunk = chunk();
    assert!(chunk.may_lend(QUOTA, at(0)) && !chunk.may_lend(INVOICE, at(0)));
    assert!(chunk.may_export(INVOICE) && !chunk.may_export(TRANSFER));
    let lent = grant::Place { lent_until: Some(at(60)), ..grant::Place::default() };
    let given = Given { place: lent, lease: "l1".to_owned(), ..Given::default() };
    chunk.given.insert(QUOTA, given);
    assert!(!chunk.may_lend(QUOTA, at(30)) && chunk.may_lend(QUOTA, at(60)));
    assert_eq!(chunk.motion(QUOTA, at(30)), Some(Motion::Lease { lease: "l1".to_owned() }));
    assert_eq!(chunk.motion(QUOTA, at(60)), None);
    chunk.given.get_mut(&QUOTA).unwrap().place.delivered = true;
    assert_eq!(chunk.motion(QUOTA, at(60)), Some(Motion::Done));
    assert_eq!(chunk.grants().leases.len(), 1);
}

#[test]
fn a_failed_grant_is_lent_again_once_it_is_retried() {
    let mut chunk = chunk();
    let place = grant::Place { lent_until: Some(at(60)), failed: true, ..Default::default() };
    let failed = Given { place, lease: "l1".to_owned(), failed_at: Some(5), failures: 1 };
    chunk.given.insert(QUOTA, failed);
    assert!(!chunk.may_lend(QUOTA, at(90)));
    happen(&mut chunk, QUOTA, &Event::PayoutRetried { attempt: 2 }, 6);
    assert!(chunk.may_lend(QUOTA, at(10)));
    chunk.given.get_mut(&QUOTA).unwrap().failed_at = Some(9);
    assert!(!chunk.may_lend(QUOTA, at(90)), "it failed again after the retry");
}

#[test]
fn amounts_are_summed_by_channel() {
    let all = [TRANSFER, INVOICE, QUOTA];
    let sum = |channel| chunk().amounts(&all, channel).unwrap();
    assert_eq!(sum(Channel::Transfer), [Money::new(3000, Currency::EUR)]);
    assert_eq!(sum(Channel::Invoice), [Money::new(500, Currency::EUR)]);
    assert_eq!(sum(Channel::Provisioning), []);
}
