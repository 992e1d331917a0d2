//! A scan and whatever comes in between.

use ristoro_domain::settlement::{Command, Settlement, Status};
use ristoro_eligibility::scan::finish::verdict;
use ristoro_log::Topic;
use ristoro_tests::interleave::caller::{Caller, request};
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices, every_run, interleave};
use uuid::Uuid;

use super::scanning::{InFlight, Scanner, Voider, approve_scan, cause, check_scan, shown};
use super::settlements::{check_settlement, settle, settlement};

/// Ends the assessment once its scan has a result, with the command that `scan::finish` gives.
struct Settler {
    id: Uuid,
    caller: Option<Caller<Settlement>>,
}

impl Actor<World> for Settler {
    fn name(&self) -> String {
        self.caller.as_ref().map_or("the scan's worker settles".to_owned(), Actor::name)
    }

    fn is_ready(&self, world: &World) -> bool {
        let row = shown(world.accepted(Topic::Entitlement, 0));
        let has_result = row.is_some_and(|row| row.result.is_some());
        has_result && self.caller.as_ref().is_none_or(|caller| caller.is_ready(world))
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        if self.caller.is_none() {
            let state = world.state::<Settlement>(&settlement());
            let scans: Vec<_> = shown(world.accepted(Topic::Entitlement, 0)).into_iter().collect();
            let verdict = verdict(&state.assessments["a"].proposal, &scans).unwrap();
            let (_, command) = verdict.unwrap();
            let request = request(self.id, "system:eligibility.scan");
            let caller = Caller::new("the scan's worker", &settlement(), request, command, 0);
            self.caller = Some(caller);
        }
        if let Some(caller) = &mut self.caller {
            caller.step(world, choices);
        }
    }
}

fn cancel() -> Command {
    Command::Cancel { assessment: "a".to_owned(), note: "a mistake".to_owned() }
}

/// Steps: `ScanStream::{behind, shown, record}` for a worker that dies once, for one that calls the stream off, both with
/// a journal and tables that are behind each other, or for two that call it off; `scan::finish::verdict`, `Execution` and `Settlement` for the
/// completion and the cancellation that race.
#[test]
fn cancel_during_a_scan() {
    let runs = every_run(|choices| {
        let mut world = World::new(1);
        approve_scan(&mut world);
        let approval = cause(&world);
        let case = choices.pick(3);
        let mut scanner = Scanner::new("scanner", approval, true, u32::from(case == 0));
        let mut settler = Settler { id: world.id(), caller: None };
        let request = request(world.id(), "bruno");
        let mut bruno = Caller::<Settlement>::new("bruno", &settlement(), request, cancel(), 0);
        let mut one = Voider::new("one", case == 1);
        let mut two = Voider::new("two", false);
        let mut actors: Vec<&mut dyn Actor<World>> = vec![&mut scanner];
        match case {
            0 => actors.extend([&mut settler as &mut dyn Actor<World>, &mut bruno]),
            1 => actors.extend([&mut bruno as &mut dyn Actor<World>, &mut one]),
            _ => {
                // The first chunk is decided and the cancellation accepted before the two begin.
                actors[0].step(&mut world, choices);
                actors[0].step(&mut world, choices);
                interleave(&mut world, &mut [&mut bruno], choices);
                actors.extend([&mut one as &mut dyn Actor<World>, &mut two]);
            }
        }
        interleave(&mut world, &mut actors, choices);

        check_settlement(&world.events(&settlement()));
        world.check_verdicts();
        bruno.check(&world);
        if let Some(caller) = &settler.caller {
            caller.check(&world);
        }
        let status = world.state::<Settlement>(&settlement()).assessments["a"].status;
        let (completed, voided) = check_scan(&world);
        match status {
            Status::Completed => assert!(completed && !voided && bruno.answer().is_err()),
            Status::Cancelled => assert!(voided == (case > 0) && bruno.answer().is_ok()),
            Status::Proposed | Status::Deciding | Status::Rejected | Status::Stopped => {
                panic!("the assessment is {status}")
            }
        }
    });
    super::ran("cancel during a scan", runs);
}

/// Steps: an append of `ScanStream::record`s that arrive one by one, but for one that is lost, against a stream that is
/// called off, or against a second worker that goes on where it believes the first to have ended.
#[test]
fn a_lost_records_tail_in_flight() {
    let runs = every_run(|choices| {
        let mut world = World::new(1);
        approve_scan(&mut world);
        let approval = cause(&world);
        let mut tail = InFlight::all(approval.clone());
        let called_off = choices.pick(2) == 0;
        let mut voider = Voider::new("voider", true);
        let mut second = Scanner::new("second", approval, true, 0);
        let mut actors: Vec<&mut dyn Actor<World>> = vec![&mut tail];
        if called_off {
            settle(&mut world, cancel());
            actors.push(&mut voider);
        } else {
            actors.push(&mut second);
        }
        interleave(&mut world, &mut actors, choices);

        world.check_verdicts();
        let (completed, voided) = check_scan(&world);
        assert_eq!(voided, called_off);
        assert!(completed || called_off, "the second worker brings the scan to its end");
        let accepted = world.accepted(Topic::Entitlement, 0);
        for (position, behind_a_lost_one) in &tail.arrived {
            let counts = accepted.iter().any(|record| record.position == *position);
            // Whoever goes on writes the lost record again, and then the tail is what would have followed anyway.
            assert!(!(counts && *behind_a_lost_one && called_off), "{position} counts");
        }
    });
    super::ran("a lost record's tail in flight", runs);
}
