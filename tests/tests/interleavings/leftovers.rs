//! Approvals of one policy on two outages that count the same amounts as carried over.

use ristoro_domain::carry::{Carry, Command as Ask, Event as Chained, Rejection as TakenAlready};
use ristoro_domain::settlement::{Command, Leftovers, Pins, Proposal, Settlement, Status};
use ristoro_log::Topic;
use ristoro_runtime::command::{CommandError, StreamRef};
use ristoro_tests::interleave::caller::{Caller, request};
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices, every_run, interleave};
use uuid::Uuid;

use super::settlements::{approve, proposal};

/// What somebody who approves does next: take over, give back what another took in vain and take over, approve.
enum Doing {
    Take(Caller<Carry>),
    GiveBack(Caller<Carry>),
    TakeAgain(Caller<Carry>),
    Approve(Caller<Settlement>),
    Done,
}

struct Approver {
    name: &'static str,
    proposal: Proposal,
    /// The other assessment, and where it is settled.
    other: (&'static str, StreamRef),
    ids: [Uuid; 4],
    deaths: u32,
    doing: Doing,
}

fn chain() -> StreamRef {
    StreamRef::numbered(Topic::Policy, "carry/p".to_owned(), 0)
}

fn settlement(outage: &str) -> StreamRef {
    StreamRef::numbered(Topic::Settlement, format!("settlement/{outage}"), 0)
}

fn proposed(world: &mut World, assessment: &str, outage: &str) -> Proposal {
    let proposal = proposal(assessment, 0, [1; 32]);
    let pins = Pins { leftovers: Some(Leftovers { from: None }), ..proposal.pins };
    let proposal = Proposal { outage: outage.to_owned(), pins, ..proposal };
    let (id, propose) = (world.id(), Command::Propose(Box::new(proposal.clone())));
    let mut caller =
        Caller::<Settlement>::new("setup", &settlement(outage), request(id, "ada"), propose, 0);
    interleave(world, &mut [&mut caller], &mut Choices::default());
    caller.answer().as_ref().expect("the setup is accepted");
    proposal
}

fn status(world: &World, assessment: &str, stream: &StreamRef) -> Status {
    world.state::<Settlement>(stream).assessments[assessment].status
}

impl Approver {
    fn new(
        (name, deaths): (&'static str, u32),
        world: &mut World,
        proposal: Proposal,
        other: (&'static str, StreamRef),
    ) -> Self {
        let ids = [world.id(), world.id(), world.id(), world.id()];
        let doing = Doing::Done;
        let mut approver = Self { name, proposal, other, ids, deaths, doing };
        approver.doing = Doing::Take(approver.take());
        approver
    }

    fn ask(&self, id: usize, ask: Ask) -> Caller<Carry> {
        let request = request(self.ids[id], self.name);
        Caller::new(self.name, &chain(), request, ask, self.deaths)
    }

    fn take(&self) -> Caller<Carry> {
        let assessment = self.proposal.assessment.clone();
        self.ask(0, Ask::Take { assessment, after: None })
    }

    /// Goes on where a call has its answer. Whoever ended in vain is known as such, unless the tables are behind.
    fn next(&self, world: &World, choices: &mut Choices) -> Option<Doing> {
        let approving = || {
            let command = approve(&self.proposal, self.name);
            let request = request(self.ids[2], self.name);
            let stream = settlement(&self.proposal.outage);
            Doing::Approve(Caller::new(self.name, &stream, request, command, self.deaths))
        };
        match &self.doing {
            Doing::Take(caller) => match caller.answer.as_ref()? {
                Ok(_) => Some(approving()),
                Err(CommandError::Rejected(TakenAlready::TakenOver { by })) => {
                    assert_eq!(by, self.other.0);
                    let in_vain = status(world, by, &self.other.1) == Status::Rejected;
                    if !in_vain || choices.pick(2) == 1 {
                        return Some(Doing::Done);
                    }
                    let assessment = by.clone();
                    Some(Doing::GiveBack(self.ask(1, Ask::GiveBack { assessment })))
                }
                Err(error) => panic!("{} is told {error:?}", self.name),
            },
            Doing::GiveBack(caller) => {
                caller.answer.as_ref()?.as_ref().expect("to give back is never refused");
                let assessment = self.proposal.assessment.clone();
                Some(Doing::TakeAgain(self.ask(3, Ask::Take { assessment, after: None })))
            }
            Doing::TakeAgain(caller) => match caller.answer.as_ref()? {
                Ok(_) => Some(approving()),
                Err(_) => Some(Doing::Done),
            },
            Doing::Approve(caller) => caller.answer.as_ref().map(|_| Doing::Done),
            Doing::Done => None,
        }
    }
}

impl Actor<World> for Approver {
    fn name(&self) -> String {
        match &self.doing {
            Doing::Take(caller) => format!("{} to take over", caller.name()),
            Doing::GiveBack(caller) => format!("{} to give back", caller.name()),
            Doing::TakeAgain(caller) => format!("{} to take over again", caller.name()),
            Doing::Approve(caller) => format!("{} to approve", caller.name()),
            Doing::Done => self.name.to_owned(),
        }
    }

    fn is_ready(&self, _world: &World) -> bool {
        !matches!(self.doing, Doing::Done)
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        match &mut self.doing {
            Doing::Take(caller) | Doing::GiveBack(caller) | Doing::TakeAgain(caller) => {
                caller.step(world, choices);
            }
            Doing::Approve(caller) => caller.step(world, choices),
            Doing::Done => {}
        }
        while let Some(doing) = self.next(world, choices) {
            self.doing = doing;
        }
    }
}

/// Steps: those of `take_over` (look, append, and where the other ended in vain give back and take again) and of the
/// approval behind it, for two approvers on two outages; the one may die, or its proposal is rejected by somebody.
#[test]
fn two_approvals_that_take_over_the_same() {
    let runs = every_run(|choices| {
        let mut world = World::new(1);
        let (x, y) = (proposed(&mut world, "x", "o1"), proposed(&mut world, "y", "o2"));
        let rejected = choices.pick(2) == 1;
        let deaths = u32::from(!rejected);
        let mut bruno = Approver::new(("bruno", deaths), &mut world, x, ("y", settlement("o2")));
        let mut carla = Approver::new(("carla", 0), &mut world, y, ("x", settlement("o1")));
        let reject = Command::Reject { assessment: "x".to_owned(), note: String::new() };
        let asked = request(world.id(), "dora");
        let mut dora = Caller::<Settlement>::new("dora", &settlement("o1"), asked, reject, 0);
        let mut actors: Vec<&mut dyn Actor<World>> = vec![&mut bruno, &mut carla];
        if rejected {
            actors.push(&mut dora);
        }
        interleave(&mut world, &mut actors, choices);
        world.check_verdicts();
        let mut standing = Vec::new();
        for event in world.events::<Chained>(&chain()) {
            match event {
                Chained::LeftoversTaken { assessment, after } => {
                    assert_eq!(after.as_ref(), standing.last(), "{assessment} follows another");
                    standing.push(assessment);
                }
                Chained::LeftoversGivenBack { assessment } => {
                    assert_eq!(standing.pop(), Some(assessment));
                }
            }
        }
        let decides = |id, outage| status(&world, id, &settlement(outage)) == Status::Deciding;
        let (x, y) = (decides("x", "o1"), decides("y", "o2"));
        assert!(!(x && y), "both count what was carried over once");
        for (deciding, id) in [(x, "x"), (y, "y")] {
            assert!(!deciding || standing == [id], "{id} decides without what it counts on");
        }
        if !rejected {
            assert!(x || y, "one of them gets through");
        }
    });
    super::ran("two approvals that take over the same", runs);
}
