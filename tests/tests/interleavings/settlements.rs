//! Approvals on one settlement stream.

use ristoro_domain::money::{Currency, Money};
use ristoro_domain::settlement::{Command, Event, Pins, Proposal, Rejection, Settlement};
use ristoro_domain::totals::Totals;
use ristoro_log::Topic;
use ristoro_runtime::command::{CommandError, StreamRef};
use ristoro_tests::interleave::caller::{Caller, request};
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices, every_run, interleave};

/// Names the settlement of the outage of all tests.
pub fn settlement() -> StreamRef {
    StreamRef::numbered(Topic::Settlement, "settlement/o1".to_owned(), 0)
}

/// A proposal of one partition that saw a version of the stream.
pub fn proposal(assessment: &str, settlement_version: u64, digest: [u8; 32]) -> Proposal {
    let pins = Pins {
        policy: "p".to_owned(),
        policy_version: "1".to_owned(),
        policy_position: "ristoro.policy.v1/0/1".to_owned(),
        outage_position: "ristoro.outage.v1/0/1".to_owned(),
        roster_offsets: vec![1],
        settlement_version,
        time_zone_data: "2025b".to_owned(),
        known_at: None,
        payment_day: None,
        leftovers: None,
    };
    Proposal {
        assessment: assessment.to_owned(),
        outage: "o1".to_owned(),
        pins,
        totals: Totals::default(),
        digests: vec![digest],
        chunk_size: 2,
        after_assessments: Vec::new(),
        proposed_by: "ada".to_owned(),
    }
}

/// The approval of a proposal by somebody else.
pub fn approve(proposal: &Proposal, approver: &str) -> Command {
    Command::Approve {
        assessment: proposal.assessment.clone(),
        digest: proposal.digest(),
        cap: Money::new(0, Currency::EUR),
        approver: approver.to_owned(),
    }
}

/// Runs a command to its end, with nobody else about.
pub fn settle(world: &mut World, command: Command) {
    let id = world.id();
    let mut caller =
        Caller::<Settlement>::new("setup", &settlement(), request(id, "ada"), command, 0);
    interleave(world, &mut [&mut caller], &mut Choices::default());
    caller.answer().as_ref().expect("the setup is accepted");
}

/// Completes an assessment once its approval is on the log, as the scan's worker does.
struct Completer {
    assessment: &'static str,
    caller: Caller<Settlement>,
}

impl Actor<World> for Completer {
    fn name(&self) -> String {
        self.caller.name()
    }

    fn is_ready(&self, world: &World) -> bool {
        let open = world.state::<Settlement>(&settlement()).open;
        let begun = open.as_deref() == Some(self.assessment) || self.caller.answer.is_some();
        begun && self.caller.is_ready(world)
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        self.caller.step(world, choices);
    }
}

/// Checks a settlement's accepted events: one scan is open at a time, and nothing was approved in the belief that
/// nothing had been granted since.
pub fn check_settlement(events: &[Event]) {
    let (mut open, mut granted_at, mut seen) = (None, 0, std::collections::BTreeMap::new());
    for (version, event) in (1..).zip(events) {
        match event {
            Event::AssessmentProposed(proposal) => {
                seen.insert(proposal.assessment.clone(), proposal.pins.settlement_version);
            }
            Event::AssessmentApproved { assessment, .. } => {
                assert_eq!(open, None, "{assessment} was approved beside an open scan");
                assert!(seen[assessment] >= granted_at, "{assessment} saw an older settlement");
                open = Some(assessment.clone());
            }
            Event::AssessmentCompleted { assessment, .. } => {
                assert_eq!(open.take().as_ref(), Some(assessment));
                granted_at = version;
            }
            Event::AssessmentCancelled { assessment, .. }
            | Event::AssessmentStopped { assessment, .. } => {
                assert_eq!(open.take().as_ref(), Some(assessment));
            }
            Event::AssessmentRejected { .. } => {}
        }
    }
}

/// Steps: `Execution::look` (outcome, fold, `Settlement::decide`) and the append with `Heads::judge`, for two approvers
/// of two proposals that saw the same settlement, for one of them twice under one `request_id` (two replicas serve a
/// call and its retry) and with a death, and for the completion of the one that wins.
#[test]
fn two_approvals_of_one_outage() {
    let runs = every_run(|choices| {
        let mut world = World::new(1);
        let (a, b) = (proposal("a", 0, [1; 32]), proposal("b", 0, [2; 32]));
        for one in [&a, &b] {
            settle(&mut world, Command::Propose(Box::new(one.clone())));
        }
        let ids = [world.id(), world.id(), world.id()];
        let stream = settlement();
        let caller = |name, id: usize, actor, command, deaths| {
            Caller::<Settlement>::new(name, &stream, request(ids[id], actor), command, deaths)
        };
        // Either both may die, or bruno's call is served twice.
        let twice = choices.pick(2) == 1;
        let deaths = u32::from(!twice);
        let mut bruno = caller("bruno", 0, "bruno", approve(&a, "bruno"), deaths);
        let mut again = caller("bruno again", 0, "bruno", approve(&a, "bruno"), 0);
        let mut carla = caller("carla", 1, "carla", approve(&b, "carla"), deaths);
        let complete = Command::Complete {
            assessment: "a".to_owned(),
            totals: Totals::default(),
            chunks: vec![1],
        };
        let caller = caller("scan", 2, "system", complete, 0);
        let mut scan = Completer { assessment: "a", caller };
        let mut actors: Vec<&mut dyn Actor<World>> = vec![&mut bruno, &mut carla, &mut scan];
        if twice {
            actors.push(&mut again);
        }
        interleave(&mut world, &mut actors, choices);
        check_settlement(&world.events(&stream));
        world.check_verdicts();
        bruno.check(&world);
        carla.check(&world);
        if twice {
            again.check(&world);
        }
        // Whoever came second was told why, and never both were let through.
        let state = world.state::<Settlement>(&stream);
        match (bruno.answer(), carla.answer()) {
            (Ok(_), Err(CommandError::Rejected(rejection))) => match rejection {
                Rejection::SettlementInProgress { open } => assert_eq!(open, "a"),
                Rejection::ProposalOutdated { granted_version, .. } => {
                    assert_eq!(*granted_version, state.granted_version);
                }
                other @ (Rejection::UnknownAssessment { .. }
                | Rejection::AssessmentExists { .. }
                | Rejection::WrongStatus { .. }
                | Rejection::SelfApproval { .. }
                | Rejection::DigestDiffers { .. }
                | Rejection::CapBelowTotal { .. }
                | Rejection::OutOfRange { .. }) => panic!("carla is told {other}"),
            },
            (Err(CommandError::Rejected(rejection)), Ok(_)) => {
                assert_eq!(*rejection, Rejection::SettlementInProgress { open: "b".to_owned() });
            }
            (bruno, carla) => panic!("bruno is told {bruno:?}, carla {carla:?}"),
        }
    });
    super::ran("two approvals of one outage", runs);
}
