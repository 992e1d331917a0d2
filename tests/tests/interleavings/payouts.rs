//! Payouts between holds, payment files and their cancellation.

use ristoro_domain::money::Currency;
use ristoro_domain::payment_file::{self, Command, FileContent, PaymentFile, Status, Submission};
use ristoro_domain::payout::Motion;
use ristoro_domain::reservation::{Event, ReservationDigest, Reserved};
use ristoro_domain::time::Instant;
use ristoro_payout::streams::reserve_stream;
use ristoro_tests::interleave::caller::{Caller, request};
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices, every_run, interleave};

use super::bank::{Approver, Bank, Filler, Holder, create, file, ordered, person, row, tables};

/// Steps: `ChunkStanding::hold` on the real tables, `Execution` with `Payout`, `difference::obstacle` for the answer;
/// `files::reserve::step` with `claim::record` for the file; `files::content` and `PaymentFile` for its approval.
#[test]
fn hold_against_file() {
    let setup = || {
        let mut world = ordered();
        create(&mut world, "f1", 2);
        world
    };
    let tables = tables(&setup());
    let (mut held, mut late) = (0_u64, 0_u64);
    let runs = every_run(|choices| {
        let mut bank = Bank { world: setup(), tables: &tables };
        let mut filler = Filler::new("worker", "f1");
        let mut holder = Holder::new(1);
        let mut approver = Approver::new("f1");
        interleave(&mut bank, &mut [&mut filler, &mut holder, &mut approver], choices);
        bank.check(&["f1"]);
        holder.check(&bank.world);
        let rows = bank.held("f1").rows;
        let approved = bank.world.state::<PaymentFile>(&file("f1")).status;
        assert_eq!(approved, Some(Status::Approved));
        assert!(rows.contains_key(&person(2)));
        match holder.told.as_ref().unwrap() {
            Ok(()) => {
                held += 1;
                assert!(!rows.contains_key(&person(1)), "what is held is in an approved file");
            }
            Err(motion) => {
                late += 1;
                assert_eq!(*motion, Motion::File { file: "f1".to_owned() });
                assert!(rows.contains_key(&person(1)), "a hold is refused for a file without it");
            }
        }
    });
    assert!(held > 0 && late > 0, "{held} runs held it and {late} came too late");
    super::ran("hold against file", runs);
}

/// Somebody's broken program that reserves behind the end of a file's stream.
struct Straggler {
    done: bool,
}

impl<'a> Actor<Bank<'a>> for Straggler {
    fn name(&self) -> String {
        "the straggler reserves".to_owned()
    }

    fn is_ready(&self, bank: &Bank<'a>) -> bool {
        let events = bank.world.events::<Event>(&reserve_stream("f1", 0));
        !self.done && matches!(events.last(), Some(Event::ReservationClosed(_)))
    }

    fn step(&mut self, bank: &mut Bank<'a>, _choices: &mut Choices) {
        self.done = true;
        let (assessment, rows) = ("a1".to_owned(), vec![row(2)]);
        let reserved = Reserved { assessment, chunk: 1, rows };
        bank.world.write(&reserve_stream("f1", 0), &Event::PayoutsReserved(reserved));
    }
}

/// A file has room for one of two. Two workers fill it at the same time, an approver waits for its end, and another
/// program reserves behind the end. Steps: as for holds and files; the straggler's record is accepted, so the fold of
/// the reservations alone can leave it without effect.
#[test]
fn a_reservation_after_the_close() {
    let setup = || {
        let mut world = ordered();
        create(&mut world, "f1", 1);
        world
    };
    let tables = tables(&setup());
    let runs = every_run(|choices| {
        let mut bank = Bank { world: setup(), tables: &tables };
        let (mut one, mut two) = (Filler::new("one", "f1"), Filler::new("two", "f1"));
        let mut approver = Approver::new("f1");
        let mut straggler = Straggler { done: false };
        let mut actors: Vec<&mut dyn Actor<Bank<'_>>> =
            vec![&mut one, &mut two, &mut approver, &mut straggler];
        interleave(&mut bank, &mut actors, choices);
        bank.check(&["f1"]);
        let held = bank.held("f1");
        assert_eq!(held.rows.into_keys().collect::<Vec<_>>(), [person(1)]);
        assert_eq!(held.content.map(|content| content.count), Some(1));
        let approved = approver.caller.as_ref().unwrap().answer().as_ref();
        assert!(approved.is_ok_and(|done| done.state.approved == held.content));
    });
    super::ran("a reservation after the close", runs);
}

/// The first file holds both payouts and is approved; the second one is created behind it.
fn two_files() -> World {
    let mut world = ordered();
    create(&mut world, "f1", 2);
    let (assessment, rows) = ("a1".to_owned(), vec![row(1), row(2)]);
    let mut digest = ReservationDigest::default();
    rows.iter().for_each(|row| digest.add(&assessment, row));
    let closing = digest.finish(Currency::EUR);
    let stream = reserve_stream("f1", 0);
    let reserved = Reserved { assessment, chunk: 1, rows };
    world.write(&stream, &Event::PayoutsReserved(reserved));
    world.write(&stream, &Event::ReservationClosed(closing));
    let content = FileContent::of(&[closing], Currency::EUR).unwrap();
    world.write(&file("f1"), &payment_file::Event::PaymentFileApproved(content));
    create(&mut world, "f2", 2);
    world
}

/// Steps: `Execution` with `PaymentFile` for a cancellation and a submission that race; `files::reserve::step` with
/// `claim::record` for the release of the first file and for the second file, by a worker each.
#[test]
fn cancel_of_a_file_against_the_next_file() {
    let tables = tables(&two_files());
    let (mut paid_by_first, mut paid_by_second) = (0_u64, 0_u64);
    let runs = every_run(|choices| {
        let mut bank = Bank { world: two_files(), tables: &tables };
        let content = bank.held("f1").content.unwrap();
        let ids = [bank.world.id(), bank.world.id()];
        let cancel = Command::Cancel { note: "wrong account".to_owned() };
        let submission = Submission {
            message_id: "m1".to_owned(),
            created_at: Instant::UNIX_EPOCH,
            sha256: [7; 32],
        };
        let submit = Command::Submit { submission, digest: content.digest, stopped: false };
        let caller = |name, id, command, deaths| OnFile {
            caller: Caller::new(name, &file("f1"), request(id, name), command, deaths),
        };
        let mut canceller = caller("bo", ids[0], cancel, 1);
        let mut submitter = caller("tina", ids[1], submit, 0);
        let (mut first, mut second) = (Filler::new("one", "f1"), Filler::new("two", "f2"));
        let mut actors: Vec<&mut dyn Actor<Bank<'_>>> =
            vec![&mut canceller, &mut submitter, &mut first, &mut second];
        interleave(&mut bank, &mut actors, choices);
        bank.check(&["f1", "f2"]);
        canceller.caller.check(&bank.world);
        submitter.caller.check(&bank.world);
        let (one, two) = (bank.held("f1"), bank.held("f2"));
        assert_eq!(one.rows.len(), 2);
        match bank.world.state::<PaymentFile>(&file("f1")).status.unwrap() {
            Status::Submitted => {
                assert!(canceller.caller.answer().is_err() && submitter.caller.answer().is_ok());
                assert!(two.rows.is_empty(), "a payout at the bank is in another file");
                paid_by_first += 1;
            }
            Status::Cancelled => {
                assert!(canceller.caller.answer().is_ok() && submitter.caller.answer().is_err());
                assert!(one.rows.values().all(|released| *released), "the file is not released");
                paid_by_second += u64::from(!two.rows.is_empty());
            }
            other @ (Status::Created | Status::Approved) => panic!("the first file is {other}"),
        }
    });
    assert!(paid_by_first > 0 && paid_by_second > 0, "{paid_by_first}, {paid_by_second}");
    super::ran("cancel of a file against the next file", runs);
}

/// Somebody who sends a command about a file.
struct OnFile {
    caller: Caller<PaymentFile>,
}

impl<'a> Actor<Bank<'a>> for OnFile {
    fn name(&self) -> String {
        self.caller.name()
    }

    fn is_ready(&self, bank: &Bank<'a>) -> bool {
        self.caller.is_ready(&bank.world)
    }

    fn step(&mut self, bank: &mut Bank<'a>, choices: &mut Choices) {
        self.caller.step(&mut bank.world, choices);
    }
}
