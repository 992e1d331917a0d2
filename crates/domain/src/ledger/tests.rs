//! What is posted balances, and what it must come to person by person.

use proptest::prelude::*;

use super::*;
use crate::grant::Place;
use crate::order::{Order, OrderChunk};
use crate::payout::Event;
use crate::payout_chunk::{Given, Holding};
use crate::remedy::{Grant, Remedy, RemedyKind};
use crate::reservation::ReservedRow;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn key(channel: Channel, payer: Payer, currency: Option<Currency>) -> ChannelKey {
    ChannelKey { channel, payer, currency }
}

fn sides(postings: &[Posting]) -> Vec<(Account, i64, i64)> {
    postings.iter().map(|it| (it.account, it.debit_minor, it.credit_minor)).collect()
}

#[test]
fn a_release_owes_by_channel_and_the_fund_owes_its_part() {
    let euro = Some(Currency::EUR);
    let total = |minor| ChannelTotal { count: 1, minor };
    let totals = BTreeMap::from([
        (key(Channel::Transfer, Payer::Operator, euro), total(3000)),
        (key(Channel::Transfer, Payer::Fund, euro), total(500)),
        (key(Channel::Unclaimed, Payer::Operator, euro), total(40)),
        (key(Channel::Provisioning, Payer::Operator, None), total(0)),
    ]);
    let postings = released(&totals).unwrap();
    assert_eq!(
        sides(&postings),
        [
            (Account::CompensationExpense, 3040, 0),
            (Account::FundReceivable, 500, 0),
            (Account::PayableTransfer, 0, 3500),
            (Account::PayableUnclaimed, 0, 40),
        ]
    );
    assert_eq!(imbalances(&postings), []);
}

#[test]
fn a_transfer_that_comes_back_undoes_its_submission() {
    let there = submitted(eur(3000)).unwrap();
    let back = came_back(eur(3000)).unwrap();
    let first = (Account::PayableTransfer, 3000, 0);
    assert_eq!(sides(&there), [first, (Account::BankClearing, 0, 3000)]);
    let first = (Account::PayableTransfer, 0, 3000);
    assert_eq!(sides(&back), [first, (Account::BankClearing, 3000, 0)]);
}

#[test]
fn names_read_back() {
    for account in Account::ALL {
        assert_eq!(Account::named(account.name()), Some(account));
    }
    for channel in Channel::ALL {
        assert_eq!(Channel::named(channel.name()), Some(channel));
    }
}

proptest! {
    #[test]
    fn every_entry_balances_in_every_currency(
        sums in prop::collection::vec((0_usize..4, any::<bool>(), 0_usize..2, 0_i64..1 << 40), 0..12)
    ) {
        let currencies = [Currency::EUR, "GBP".parse().unwrap()];
        let mut totals = BTreeMap::new();
        let mut amounts = Vec::new();
        for (channel, fund, currency, minor) in sums {
            let payer = if fund { Payer::Fund } else { Payer::Operator };
            let currency = currencies[currency];
            let total = ChannelTotal { count: 1, minor };
            totals.insert(key(Channel::ALL[channel], payer, Some(currency)), total);
            amounts.push(Money::new(minor, currency));
        }
        prop_assert_eq!(imbalances(&released(&totals).unwrap()), []);
        prop_assert_eq!(imbalances(&given(Channel::Invoice, &amounts).unwrap()), []);
        for amount in amounts {
            prop_assert_eq!(imbalances(&submitted(amount).unwrap()), []);
            prop_assert_eq!(imbalances(&came_back(amount).unwrap()), []);
        }
    }
}

/// One person each: a transfer, a credit on an invoice, a voucher, and money without a way to pay it.
fn released_chunk() -> ChunkStanding {
    let order = |grant, channel| {
        let remedy = Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator };
        Order { lines: vec![OrderLine { remedy, channel }] }
    };
    let mut orders = OrderChunk {
        orders: vec![
            order(Grant::Money(eur(3000)), Channel::Transfer),
            order(Grant::Money(eur(500)), Channel::Invoice),
            order(Grant::Voucher(eur(200)), Channel::Provisioning),
            order(Grant::Money(eur(70)), Channel::Unclaimed),
        ],
        ..OrderChunk::default()
    };
    for (number, entry) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
        orders.columns.push(number, entry).unwrap();
    }
    ChunkStanding { orders, phase: OrderPhase::Released, ..ChunkStanding::default() }
}

/// Checks that the positions of the people come to the net of everything that was posted.
#[track_caller]
fn agrees(chunk: &ChunkStanding, submitted: &[&str], posted: &[Vec<Posting>]) {
    let net = |postings: &[Posting]| {
        let mut sums: BTreeMap<Account, i64> = BTreeMap::new();
        for one in postings {
            *sums.entry(one.account).or_default() += one.debit_minor - one.credit_minor;
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    };
    let submitted = submitted.iter().map(|file| (*file).to_owned()).collect();
    let positions = positions(chunk, &submitted).unwrap();
    assert_eq!(imbalances(&positions), []);
    assert_eq!(net(&positions), net(&posted.concat()));
}

#[test]
fn the_people_of_a_chunk_come_to_what_its_postings_come_to() {
    let mut chunk = released_chunk();
    let mut posted = vec![released(&chunk.orders.totals().unwrap()).unwrap()];
    agrees(&chunk, &[], &posted);
    let rows = vec![ReservedRow { number: 1, amount_minor: 3000, attempt: 1 }];
    chunk.holdings.push(Holding { file: "f1".to_owned(), released: false, rows });
    agrees(&chunk, &[], &posted);
    posted.push(submitted(eur(3000)).unwrap());
    agrees(&chunk, &["f1"], &posted);
    let refused = Event::PayoutRejected { reason_code: "AC04".to_owned() };
    let standing = chunk.standing(1).after(&refused, 9, None);
    chunk.people.insert(1, standing);
    posted.push(came_back(eur(3000)).unwrap());
    agrees(&chunk, &["f1"], &posted);
    let standing = chunk.standing(1).after(&Event::PayoutRetried { attempt: 2 }, 10, None);
    chunk.people.insert(1, standing);
    agrees(&chunk, &["f1"], &posted);
    for number in [2, 3] {
        let place = Place { exported: number == 2, delivered: number == 3, ..Place::default() };
        chunk.given.insert(number, Given { place, ..Given::default() });
    }
    posted.push(given(Channel::Invoice, &[eur(500)]).unwrap());
    posted.push(given(Channel::Provisioning, &[eur(200)]).unwrap());
    agrees(&chunk, &["f1"], &posted);
}

#[test]
fn nobody_of_a_chunk_that_is_not_released_is_owed_anything() {
    for phase in [OrderPhase::Ordered, OrderPhase::Voided] {
        let chunk = ChunkStanding { phase, ..released_chunk() };
        agrees(&chunk, &[], &[]);
    }
}

#[test]
fn a_held_payout_is_owed_whatever_a_file_says() {
    let mut chunk = released_chunk();
    let held = Event::PayoutHeld { note: "checked".to_owned() };
    let standing = chunk.standing(1).after(&held, 5, None);
    chunk.people.insert(1, standing);
    let rows = vec![ReservedRow { number: 1, amount_minor: 3000, attempt: 1 }];
    chunk.holdings.push(Holding { file: "f1".to_owned(), released: false, rows });
    agrees(&chunk, &["f1"], &[released(&chunk.orders.totals().unwrap()).unwrap()]);
}
