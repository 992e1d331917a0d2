//! Owners of a dispatch: sending cannot be undone or asked about, so the stream alone says who may send what.
//!
//! The claims, takeovers and reports are the runtime's `Claiming` and `Execution` on the decider `Dispatch`, blocks come
//! from its `Wave`, and the key of each message from the notifier's `Order`. The order of an owner's steps (claim, send
//! a block, report it, and so on) is that of the notifier's loop, written again here: that loop waits for a mail server
//! and a database in between.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::decider::Decider;
use ristoro_domain::dispatch::wave::Waves;
use ristoro_domain::dispatch::{BLOCK_SIZE, Command, Dispatch, Event, Outcome, Wave};
use ristoro_domain::time::Instant;
use ristoro_notifier::channels::mail::Order;
use ristoro_notifier::streams::{ChunkKey, DispatchKey};
use ristoro_runtime::command::StreamRef;
use ristoro_tests::interleave::caller::{Caller, Claimant, request};
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices, every_run, interleave};

/// People of the chunk: two blocks.
const PEOPLE: usize = BLOCK_SIZE + 2;

fn chunk() -> ChunkKey {
    ChunkKey { assessment: "a".to_owned(), partition: 0, chunk: 1 }
}

fn stream() -> StreamRef {
    DispatchKey::email(chunk(), 1).stream()
}

/// A log and a mail server that takes everything.
struct Post {
    world: World,
    /// Each message by its key, with the place and the claim under which it was sent.
    sent: Vec<(String, u32, String)>,
}

impl Post {
    fn new() -> Self {
        Self { world: World::new(1), sent: Vec::new() }
    }

    fn send(&mut self, places: &[u32], claim: &str) {
        let chunk = chunk();
        for place in places {
            let order = Order { chunk: &chunk, number: u64::from(*place) + 100, attempt: 1 };
            self.sent.push((order.message_id("example.org"), *place, claim.to_owned()));
        }
    }

    fn state(&self) -> Dispatch {
        self.world.state::<Dispatch>(&stream())
    }
}

/// A process that wants to send the dispatch.
struct Owner {
    name: &'static str,
    /// Whether it begins the wave; else it waits until somebody has, and takes over.
    begins: bool,
    deaths: u32,
    doing: Doing,
}

enum Doing {
    Waiting,
    Claiming { claim: String, claimant: Box<Claimant<Dispatch>> },
    Sending { claim: String, wave: Wave },
    Reporting { claim: String, caller: Box<Caller<Dispatch>> },
    Done,
}

impl Owner {
    fn new(name: &'static str, begins: bool, deaths: u32) -> Self {
        Self { name, begins, deaths, doing: Doing::Waiting }
    }

    fn claim(&self, post: &mut Post) -> Doing {
        let claim = format!("{} {}", self.name, post.world.id());
        let command = match (self.begins, post.state().waves.first()) {
            (true, _) => Command::Start {
                claim: claim.clone(),
                at: Instant::UNIX_EPOCH,
                outage_position: "ristoro.outage.v1/0/1".to_owned(),
                places: (0..u32::try_from(PEOPLE).unwrap()).collect(),
            },
            (false, Some(wave)) => {
                let (started_version, seen) = (wave.started_version, wave.standing());
                Command::TakeOver { claim: claim.clone(), started_version, seen }
            }
            (false, None) => return Doing::Waiting,
        };
        let claimant = Claimant::new(self.name, &stream(), post.world.id(), command);
        let claimant = Box::new(claimant);
        Doing::Claiming { claim, claimant }
    }

    /// Goes on with a wave, if it is this claim's.
    fn go_on(state: &Dispatch, claim: String) -> Doing {
        let owned = |wave: &&Wave| wave.owner.as_deref() == Some(&claim);
        match state.waves.iter().find(owned).filter(|wave| !wave.is_finished()).cloned() {
            Some(wave) => Doing::Sending { claim, wave },
            None => Doing::Done,
        }
    }

    fn send(
        &mut self,
        post: &mut Post,
        choices: &mut Choices,
        (claim, wave): (String, Wave),
    ) -> Doing {
        let places = wave.next_places();
        let fate = choices.pick(if self.deaths > 0 { 3 } else { 1 });
        if fate == 1 {
            post.send(&places[..places.len() / 2], &claim);
        } else {
            post.send(places, &claim);
        }
        if fate > 0 {
            choices.note(format!("{} dies {} the block", self.name, ["", "in", "behind"][fate]));
            self.deaths -= 1;
            // It comes up again and finds a wave that somebody seems to work on.
            self.begins = false;
            return Doing::Waiting;
        }
        let report = Command::Report {
            claim: claim.clone(),
            started_version: wave.started_version,
            block: wave.next_block,
            first: wave.reported,
            outcomes: vec![Outcome::Sent; places.len()],
        };
        let request = request(post.world.id(), "system:notifier.dispatch");
        let caller = Box::new(Caller::new(self.name, &stream(), request, report, 0));
        Doing::Reporting { claim, caller }
    }
}

impl Actor<Post> for Owner {
    fn name(&self) -> String {
        match &self.doing {
            Doing::Waiting => format!("{} begins", self.name),
            Doing::Claiming { claimant, .. } => claimant.name(),
            Doing::Sending { wave, .. } => format!("{} sends {}", self.name, wave.next_block),
            Doing::Reporting { caller, .. } => format!("{}, a report", caller.name()),
            Doing::Done => format!("{} is done", self.name),
        }
    }

    fn is_ready(&self, post: &Post) -> bool {
        match &self.doing {
            Doing::Waiting => {
                self.begins || post.state().waves.iter().any(|wave| !wave.is_finished())
            }
            Doing::Claiming { .. } | Doing::Sending { .. } | Doing::Reporting { .. } => true,
            Doing::Done => false,
        }
    }

    fn step(&mut self, post: &mut Post, choices: &mut Choices) {
        self.doing = match std::mem::replace(&mut self.doing, Doing::Done) {
            // Where a wave stands is seen in the tables, before the claim looks at the journal.
            Doing::Waiting => self.claim(post),
            Doing::Claiming { claim, mut claimant } => {
                claimant.step(&mut post.world, choices);
                self.claimed(claim, claimant)
            }
            Doing::Sending { claim, wave } => self.send(post, choices, (claim, wave)),
            Doing::Reporting { claim, mut caller } => {
                caller.step(&mut post.world, choices);
                match caller.answer.take() {
                    None => Doing::Reporting { claim, caller },
                    // The next block begins only now, and only where the wave is still this claim's.
                    Some(Ok(done)) => Self::go_on(&done.state, claim),
                    Some(Err(_)) => Doing::Done,
                }
            }
            Doing::Done => Doing::Done,
        }
    }
}

impl Owner {
    fn claimed(&self, claim: String, mut claimant: Box<Claimant<Dispatch>>) -> Doing {
        match claimant.claimed.take() {
            None => Doing::Claiming { claim, claimant },
            Some(Ok(claimed)) if claimed.owned => Self::go_on(&claimed.state, claim),
            Some(Ok(_) | Err(_)) if self.begins => Doing::Done,
            // The wave moved meanwhile: it looks again.
            Some(Ok(_) | Err(_)) => Doing::Waiting,
        }
    }
}

/// Checks what went out against what the stream says of it. Tells whether the wave is through.
fn check(post: &Post) -> bool {
    let mut times: BTreeMap<u32, u32> = BTreeMap::new();
    let keys: BTreeSet<&String> = post.sent.iter().map(|(key, ..)| key).collect();
    for (_, place, _) in &post.sent {
        *times.entry(*place).or_default() += 1;
    }
    assert_eq!(keys.len(), times.len(), "a person's message has one key, whoever sends it");
    let (mut state, mut reported, mut doubted) =
        (Dispatch::default(), BTreeSet::new(), BTreeSet::new());
    for event in post.world.events::<Event>(&stream()) {
        doubted.extend(state.left_in_doubt(&event).iter().copied());
        if let Event::DispatchReported { started_version, outcomes, .. } = &event {
            let places = state.wave(*started_version).unwrap().next_places();
            reported.extend(places.iter().copied().take(outcomes.len()));
        }
        state = Dispatch::evolve(state, &event);
    }
    for (place, times) in &times {
        assert!(*times == 1, "place {place} was sent to {times} times");
    }
    assert!(reported.is_disjoint(&doubted));
    for place in &reported {
        assert!(times.contains_key(place), "place {place} is reported and was not sent to");
    }
    let wave = state.waves.first();
    let through = wave.is_some_and(Wave::is_finished);
    if through {
        assert_eq!(reported.len() + doubted.len(), PEOPLE, "nobody is left out");
    }
    post.world.check_verdicts();
    through
}

/// Two processes believe that the partition is theirs, and both begin the same wave.
#[test]
fn two_owners_of_one_dispatch() {
    let runs = every_run(|choices| {
        let mut post = Post::new();
        let (mut one, mut two) = (Owner::new("one", true, 0), Owner::new("two", true, 0));
        interleave(&mut post, &mut [&mut one, &mut two], choices);
        assert!(check(&post));
        let claims: BTreeSet<&String> = post.sent.iter().map(|(_, _, claim)| claim).collect();
        assert_eq!(claims.len(), 1, "one of them sends, and all of it");
        assert_eq!(post.sent.len(), PEOPLE);
    });
    super::ran("two owners of one dispatch", runs);
}

/// A wave is taken over at any moment from an owner who is alive, or who dies within or behind a block and comes up
/// again to take it over itself.
#[test]
fn takeover_with_the_same_key() {
    let mut doubted = 0_u64;
    let runs = every_run(|choices| {
        let mut post = Post::new();
        let mut first = Owner::new("first", true, 1);
        let mut second = Owner::new("second", false, 0);
        interleave(&mut post, &mut [&mut first, &mut second], choices);
        assert!(check(&post), "somebody brings it to its end");
        doubted += u64::from(post.sent.len() < PEOPLE);
    });
    assert!(doubted > 0, "no run left anybody without a message: the takeover was not tried");
    super::ran("takeover with the same key", runs);
}

/// A process that plans waves by the restorations that it knows of, and claims one after the other.
struct Planner {
    name: &'static str,
    /// Since when each place is back, as this process knows it.
    back: Vec<(u32, Option<Instant>)>,
    /// The waves that it has still to claim.
    planned: Option<Vec<(Instant, Vec<u32>)>>,
    claimant: Option<Claimant<Dispatch>>,
    done: bool,
}

impl Planner {
    fn new(name: &'static str, back: &[(u32, i64)]) -> Self {
        let since = |second: &i64| Some(Instant::new(*second, 0).unwrap());
        let back = back.iter().map(|(place, second)| (*place, since(second))).collect();
        Self { name, back, planned: None, claimant: None, done: false }
    }

    fn plan(&self, state: &Dispatch) -> Vec<(Instant, Vec<u32>)> {
        let free = self.back.iter().copied().filter(|(place, _)| state.wave_of(*place).is_none());
        let now = Instant::new(1_000, 0).unwrap();
        Waves::plan(free, now).due.into_iter().rev().collect()
    }
}

impl Actor<World> for Planner {
    fn name(&self) -> String {
        self.claimant.as_ref().map_or_else(|| format!("{} plans", self.name), Actor::name)
    }

    fn is_ready(&self, _world: &World) -> bool {
        !self.done
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        let Some(planned) = &mut self.planned else {
            self.planned = Some(self.plan(&world.state::<Dispatch>(&stream())));
            return;
        };
        if self.claimant.is_none() {
            let Some((at, places)) = planned.pop() else {
                self.done = true;
                return;
            };
            let claim = format!("{} {}", self.name, world.id());
            let outage_position = "ristoro.outage.v1/0/1".to_owned();
            let command = Command::Start { claim, at, outage_position, places };
            self.claimant = Some(Claimant::new(self.name, &stream(), world.id(), command));
        }
        let Some(claimant) = &mut self.claimant else { return };
        claimant.step(world, choices);
        if claimant.claimed.is_some() {
            // What was planned is no longer so where somebody else came first.
            self.planned = if claimant.owns() { self.planned.take() } else { None };
            self.claimant = None;
        }
    }
}

/// Two processes know different restorations of the same people: the outage was amended between their looks. Steps:
/// `Waves::plan` on what `Dispatch::wave_of` leaves free, and a claim for each wave.
#[test]
fn a_person_in_two_waves() {
    let runs = every_run(|choices| {
        let mut world = World::new(1);
        let mut one = Planner::new("one", &[(0, 10), (1, 10), (2, 20)]);
        let mut two = Planner::new("two", &[(0, 10), (1, 20), (2, 30)]);
        interleave(&mut world, &mut [&mut one, &mut two], choices);
        world.check_verdicts();
        let state = world.state::<Dispatch>(&stream());
        let mut places: Vec<u32> =
            state.waves.iter().flat_map(|wave| wave.places.iter().copied()).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2], "everybody is in one wave: {:?}", state.waves);
        // What the records say is what the state shows: nobody reads the one and sends the other.
        let told = world.events::<Event>(&stream()).into_iter().map(|event| match event {
            Event::DispatchStarted { places, .. } => places.len(),
            other @ (Event::DispatchTakenOver { .. }
            | Event::DispatchHandedBack { .. }
            | Event::DispatchReported { .. }) => panic!("{other:?}"),
        });
        assert_eq!(told.sum::<usize>(), 3);
    });
    super::ran("a person in two waves", runs);
}
