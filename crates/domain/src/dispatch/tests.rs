//! The rules of a dispatch, one line each.

use proptest::prelude::*;

use super::*;
use crate::decider::{check, fold};

const LATER: &str = "2023-01-28T20:00:00Z";

fn at() -> Instant {
    "2023-01-26T14:45:00Z".parse().unwrap()
}

fn start(claim: &str, places: &[u32]) -> Command {
    Command::Start {
        claim: claim.to_owned(),
        at: at(),
        outage_position: "ristoro.outage.v1/0/7".to_owned(),
        places: places.to_vec(),
    }
}

fn started(claim: &str, places: &[u32]) -> Event {
    Event::DispatchStarted {
        claim: claim.to_owned(),
        at: at(),
        outage_position: "ristoro.outage.v1/0/7".to_owned(),
        places: places.to_vec(),
    }
}

/// Takes over a wave that was seen to stand at the beginning of a block.
fn take_over(claim: &str, owner: Option<&str>, next_block: u32) -> Command {
    let seen = Standing { owner: owner.map(str::to_owned), next_block, reported: 0 };
    Command::TakeOver { claim: claim.to_owned(), started_version: 1, seen }
}

fn taken_over(claim: &str) -> Event {
    Event::DispatchTakenOver { claim: claim.to_owned(), started_version: 1 }
}

fn report(claim: &str, block: u32, outcomes: &[Outcome]) -> Command {
    report_from(claim, (block, 0), outcomes)
}

fn report_from(claim: &str, (block, first): (u32, u32), outcomes: &[Outcome]) -> Command {
    let (claim, outcomes) = (claim.to_owned(), outcomes.to_vec());
    Command::Report { claim, started_version: 1, block, first, outcomes }
}

fn reported(block: u32, outcomes: &[Outcome]) -> Event {
    Event::DispatchReported { started_version: 1, block, outcomes: outcomes.to_vec() }
}

fn hand_back(claim: &str) -> Command {
    Command::HandBack { claim: claim.to_owned(), started_version: 1 }
}

const HANDED_BACK: Event = Event::DispatchHandedBack { started_version: 1 };

#[track_caller]
fn decides(given: &[Event], when: &Command, then: Result<Option<Event>, Rejection>) {
    check::<Dispatch>(given, when, then);
}

fn many() -> Vec<u32> {
    (0..120).collect()
}

#[test]
fn a_person_is_in_one_wave_only() {
    decides(&[], &start("a", &[0, 2]), Ok(Some(started("a", &[0, 2]))));
    let given = [started("a", &[0, 2])];
    decides(&given, &start("b", &[0, 1, 2, 3]), Ok(Some(started("b", &[1, 3]))));
    decides(&given, &start("b", &[0, 2]), Ok(None));
    let state = fold::<Dispatch>(&[started("a", &[0, 2]), started("b", &[1, 2])]);
    assert_eq!(state.wave(2).unwrap().places, [1]);
    assert_eq!(state.wave_of(2).unwrap().started_version, 1);
}

#[test]
fn a_wave_has_members_in_order() {
    decides(&[], &start("a", &[]), Err(Rejection::Places { count: 0 }));
    decides(&[], &start("a", &[1, 1]), Err(Rejection::Places { count: 2 }));
}

#[test]
fn the_owner_reports_block_by_block() {
    let given = [started("a", &many())];
    let (fifty, twenty) = ([Outcome::Sent; 50], [Outcome::Refused; 20]);
    decides(&given, &report("a", 0, &fifty), Ok(Some(reported(0, &fifty))));
    decides(&given, &report("b", 0, &fifty), Err(Rejection::NotOwner { started_version: 1 }));
    let not_next = Rejection::NotNext { block: 1, first: 0, next_block: 0, next: 0 };
    decides(&given, &report("a", 1, &fifty), Err(not_next));
    for outcomes in [0, 51] {
        let wrong = Rejection::Outcomes { block: 0, places: 50, outcomes };
        decides(&given, &report("a", 0, &vec![Outcome::Sent; outcomes]), Err(wrong));
    }
    let given = [started("a", &many()), reported(0, &fifty), reported(1, &fifty)];
    decides(&given, &report("a", 2, &twenty), Ok(Some(reported(2, &twenty))));
    let done = [&given[..], &[reported(2, &twenty)]].concat();
    assert!(fold::<Dispatch>(&done).wave(1).unwrap().is_finished());
    let finished = Rejection::Finished { started_version: 1, blocks: 3 };
    decides(&done, &report("a", 3, &twenty), Err(finished.clone()));
    decides(&done, &take_over("b", Some("a"), 3), Err(finished));
    let unknown = Rejection::NoSuchWave { started_version: 1 };
    decides(&[], &take_over("b", None, 0), Err(unknown));
}

#[test]
fn a_takeover_leaves_the_block_after_the_last_report_in_doubt() {
    let fifty = [Outcome::Sent; 50];
    let given = [started("a", &many()), reported(0, &fifty)];
    decides(&given, &take_over("b", Some("a"), 1), Ok(Some(taken_over("b"))));
    // Seen before the owner's last report, so the owner is not gone.
    let moved = Err(Rejection::Moved { started_version: 1 });
    decides(&given, &take_over("b", Some("a"), 0), moved);
    let before = fold::<Dispatch>(&given);
    assert_eq!(before.left_in_doubt(&taken_over("b")), (50..100).collect::<Vec<_>>());
    let given = [&given[..], &[taken_over("b")]].concat();
    let after = fold::<Dispatch>(&given);
    assert_eq!(after.wave(1).unwrap().next_block, 2);
    decides(&given, &report("a", 1, &fifty), Err(Rejection::NotOwner { started_version: 1 }));
    let twenty = [Outcome::Sent; 20];
    decides(&given, &report("b", 2, &twenty), Ok(Some(reported(2, &twenty))));
    assert_eq!(after.left_in_doubt(&taken_over("c")), (100..120).collect::<Vec<_>>());
}

#[test]
fn an_owner_who_stops_within_a_block_reports_what_was_done_and_the_rest_is_next() {
    let (twenty, thirty) = ([Outcome::Sent; 20], [Outcome::Refused; 30]);
    let given = [started("a", &many()), reported(0, &twenty)];
    let wave = fold::<Dispatch>(&given).wave(1).unwrap().clone();
    assert_eq!(wave.next_places(), (20..50).collect::<Vec<_>>());
    assert_eq!([19, 20, 50].map(|place| wave.is_through(place)), [true, false, false]);
    decides(&given, &report("a", 0, &twenty), Ok(None));
    decides(&given, &report_from("a", (0, 20), &thirty), Ok(Some(reported(0, &thirty))));
    let not_next = Rejection::NotNext { block: 0, first: 21, next_block: 0, next: 20 };
    decides(&given, &report_from("a", (0, 21), &twenty), Err(not_next));
    let many = Rejection::Outcomes { block: 0, places: 30, outcomes: 50 };
    decides(&given, &report_from("a", (0, 20), &[Outcome::Sent; 50]), Err(many));

    let state = fold::<Dispatch>(&given);
    assert_eq!(state.left_in_doubt(&taken_over("b")), (20..50).collect::<Vec<_>>());
    let after = Dispatch::evolve(state.clone(), &taken_over("b"));
    let wave = after.wave(1).unwrap();
    assert_eq!((wave.next_block, wave.reported), (1, 0));
    let after = Dispatch::evolve(Dispatch::evolve(state, &HANDED_BACK), &taken_over("b"));
    assert_eq!(after.wave(1).unwrap().next_places(), (20..50).collect::<Vec<_>>());
}

#[test]
fn what_was_handed_back_leaves_nothing_in_doubt() {
    let given = [started("a", &many()), reported(0, &[Outcome::Sent; 50])];
    decides(&given, &hand_back("a"), Ok(Some(HANDED_BACK)));
    decides(&given, &hand_back("b"), Err(Rejection::NotOwner { started_version: 1 }));
    let given = [&given[..], &[HANDED_BACK]].concat();
    let state = fold::<Dispatch>(&given);
    assert!(state.left_in_doubt(&taken_over("b")).is_empty());
    let after = Dispatch::evolve(state, &taken_over("b"));
    assert_eq!(after.wave(1).unwrap().next_block, 1);
    decides(&given, &take_over("b", None, 1), Ok(Some(taken_over("b"))));
    decides(&given, &report("a", 1, &[]), Err(Rejection::NotOwner { started_version: 1 }));
}

#[test]
fn a_later_restoration_is_a_later_wave() {
    let later = Event::DispatchStarted {
        claim: "b".to_owned(),
        at: LATER.parse().unwrap(),
        outage_position: "ristoro.outage.v1/0/9".to_owned(),
        places: vec![1],
    };
    let state = fold::<Dispatch>(&[started("a", &[0]), later]);
    let times: Vec<String> = state.waves.iter().map(|wave| wave.at.to_string()).collect();
    assert_eq!(times, ["2023-01-26T14:45:00Z", LATER]);
}

/// What one process knows and does: it acts on its own view, which may be old.
#[derive(Clone, Default)]
struct Process {
    view: Dispatch,
    /// What it owns as far as it knows, by claim and wave.
    owns: Option<(String, u64)>,
}

/// The log with everything that was accepted, and what was sent to whom.
#[derive(Default)]
struct World {
    log: Vec<Event>,
    sent: Vec<u32>,
    claims: u32,
}

impl World {
    /// Decides on the process's view; the log takes the event only if nothing was accepted since.
    fn submit(&mut self, process: &mut Process, command: &Command) -> bool {
        let Ok(Some(event)) = Dispatch::decide(&process.view, command) else { return false };
        let is_accepted = process.view.version == self.log.len() as u64;
        if is_accepted {
            self.log.push(event);
        }
        process.view = fold::<Dispatch>(&self.log);
        is_accepted
    }

    fn act(&mut self, process: &mut Process, action: u8) {
        self.claims += 1;
        let claim = format!("claim-{}", self.claims);
        match (action, process.owns.clone()) {
            (0, _) => process.view = fold::<Dispatch>(&self.log),
            (1, _) => *process = Process::default(),
            (2, _) => {
                let places: Vec<u32> =
                    (0..120).filter(|place| place % 3 != self.claims % 4).collect();
                let started_version = process.view.version + 1;
                if self.submit(process, &start(&claim, &places)) {
                    process.owns = Some((claim, started_version));
                }
            }
            (3, _) => {
                let open = process.view.waves.iter().find(|wave| !wave.is_finished());
                let Some(wave) = open else { return };
                let (started_version, seen) = (wave.started_version, wave.standing());
                let command = Command::TakeOver { claim: claim.clone(), started_version, seen };
                if self.submit(process, &command) {
                    process.owns = Some((claim, started_version));
                }
            }
            (4, Some((claim, started_version))) => {
                self.submit(process, &Command::HandBack { claim, started_version });
                process.owns = None;
            }
            (_, Some((claim, started_version))) => {
                let Some(wave) = process.view.wave(started_version) else { return };
                if wave.owner.as_deref() != Some(&claim) || wave.is_finished() {
                    process.owns = None;
                    return;
                }
                let (block, first) = (wave.next_block, wave.reported);
                // Now and then the time is up within the block.
                let places = wave.next_places();
                let places =
                    &places[..if action > 6 { places.len().div_ceil(3) } else { places.len() }];
                self.sent.extend(places);
                let outcomes = vec![Outcome::Sent; places.len()];
                let report = Command::Report { claim, started_version, block, first, outcomes };
                // A lost race is decided again on what is there now; the report is refused if the wave is.
                let done = self.submit(process, &report) || self.submit(process, &report);
                if !done {
                    process.owns = None;
                }
            }
            (_, None) => {}
        }
    }
}

proptest! {
    #[test]
    fn nobody_is_sent_to_twice_however_processes_act_and_die(
        actions in prop::collection::vec((0_usize..3, 0_u8..9), 0..200),
    ) {
        let mut world = World::default();
        let mut processes = vec![Process::default(); 3];
        for (process, action) in actions {
            world.act(&mut processes[process], action);
        }
        let mut sent = world.sent.clone();
        sent.sort_unstable();
        sent.dedup();
        prop_assert_eq!(sent.len(), world.sent.len());
        let state = fold::<Dispatch>(&world.log);
        let mut members: Vec<u32> = state.waves.iter().flat_map(|wave| wave.places.clone()).collect();
        let count = members.len();
        members.sort_unstable();
        members.dedup();
        prop_assert_eq!(members.len(), count);
    }
}
