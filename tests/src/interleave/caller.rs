//! Callers of commands and claimants of effects, stepped through the runtime's own `Execution` and `Claiming`.
//!
//! One step looks, the next appends; between them anybody may come first. A caller may die just before or just after
//! its record reaches the log, and then sends the same command again: that is what a client does whose call ended
//! without an answer.

use ristoro_domain::decider::Decider;
use ristoro_domain::time::Instant;
use ristoro_log::Cause;
use ristoro_proto::wire::Wire;
use ristoro_runtime::command::step::{Claiming, Execution, Step};
use ristoro_runtime::command::{Claimed, CommandError, CommandRequest, Done, StreamRef};
use uuid::Uuid;

use super::world::World;
use super::{Actor, Choices};

/// What a command came to.
pub type Answer<D> = Result<Done<<D as Decider>::State>, CommandError<<D as Decider>::Rejection>>;

/// What a claim came to.
pub type Outcome<D> =
    Result<Claimed<<D as Decider>::State>, CommandError<<D as Decider>::Rejection>>;

/// Somebody who sends one command until there is an answer.
pub struct Caller<D: Decider> {
    name: String,
    stream: StreamRef,
    request: CommandRequest,
    command: D::Command,
    execution: Execution<D>,
    step: Step<Done<D::State>>,
    deaths: u32,
    /// The answer, once there is one.
    pub answer: Option<Answer<D>>,
}

/// Somebody who tries once to own an effect.
pub struct Claimant<D: Decider> {
    name: String,
    stream: StreamRef,
    command: D::Command,
    claiming: Claiming<D>,
    step: Step<Claimed<D::State>>,
    /// What it came to, once it is known.
    pub claimed: Option<Outcome<D>>,
}

/// Makes a command's request.
#[must_use]
pub fn request(request_id: Uuid, actor: &str) -> CommandRequest {
    CommandRequest {
        request_id,
        actor: actor.to_owned(),
        traceparent: String::new(),
        occurred_at: Instant::UNIX_EPOCH,
        expected_version: None,
        validate_only: false,
        content: None,
    }
}

impl<D> Caller<D>
where
    D: Decider,
    D::Event: Wire,
{
    /// Makes a caller who dies so many times at most.
    #[must_use]
    pub fn new(
        name: &str,
        stream: &StreamRef,
        request: CommandRequest,
        command: D::Command,
        deaths: u32,
    ) -> Self {
        let execution = begin(stream, &request);
        let (name, stream, step) = (name.to_owned(), stream.clone(), Step::Look);
        Self { name, stream, request, command, execution, step, deaths, answer: None }
    }

    /// Gives the answer.
    ///
    /// # Panics
    /// If there is none yet.
    pub fn answer(&self) -> &Answer<D> {
        self.answer.as_ref().expect("the run is over only when every caller has an answer")
    }

    /// Checks that the answer is true: what was acknowledged is on the log with that version, and what was refused had
    /// no effect.
    ///
    /// # Panics
    /// If it is not.
    pub fn check(&self, world: &World) {
        let outcome = world.outcome(&self.stream, self.request.request_id);
        match self.answer() {
            Ok(done) if done.changed => {
                let outcome = outcome.expect("what was acknowledged is on the log");
                assert_eq!(
                    (outcome.version, vec![outcome.position]),
                    (done.version, done.token.clone())
                );
                assert_eq!(outcome.stream, self.stream.id);
            }
            Ok(_) | Err(_) => assert_eq!(outcome, None, "{} was told otherwise", self.name),
        }
    }
}

fn begin<D>(stream: &StreamRef, request: &CommandRequest) -> Execution<D>
where
    D: Decider,
    D::Event: Wire,
{
    Execution::new(stream.clone(), request.clone(), Cause::Command(request.request_id))
}

impl<D> Actor<World> for Caller<D>
where
    D: Decider,
    D::Event: Wire,
{
    fn name(&self) -> String {
        let step = match &self.step {
            Step::Look => "looks",
            Step::Append(_) => "appends",
            Step::Done(_) => "is answered",
        };
        format!("{} {step}", self.name)
    }

    fn is_ready(&self, _world: &World) -> bool {
        self.answer.is_none()
    }

    fn step(&mut self, world: &mut World, choices: &mut Choices) {
        let next = match std::mem::replace(&mut self.step, Step::Look) {
            Step::Look => {
                let history = world.history::<D>(&self.stream, Some(self.request.request_id));
                self.execution.look(&self.command, &history)
            }
            Step::Append(envelope) => {
                let fate = choices.pick(if self.deaths > 0 { 3 } else { 1 });
                if fate == 1 {
                    return self.die(choices, "dies before its record");
                }
                let (position, verdict) = world.append_to(&self.stream, envelope);
                if fate == 2 {
                    return self.die(choices, "dies behind its record");
                }
                Ok(self.execution.judged(position, verdict))
            }
            Step::Done(done) => Ok(Step::Done(done)),
        };
        match next {
            Ok(Step::Done(done)) => self.answer = Some(Ok(done)),
            Ok(step @ (Step::Look | Step::Append(_))) => self.step = step,
            Err(error) => self.answer = Some(Err(error)),
        }
    }
}

impl<D> Caller<D>
where
    D: Decider,
    D::Event: Wire,
{
    fn die(&mut self, choices: &mut Choices, how: &str) {
        choices.note(format!("{} {how}", self.name));
        self.deaths -= 1;
        self.execution = begin(&self.stream, &self.request);
    }
}

impl<D> Claimant<D>
where
    D: Decider,
    D::Event: Wire,
{
    /// Makes a claimant with a claim id of its own.
    #[must_use]
    pub fn new(name: &str, stream: &StreamRef, claim_id: Uuid, command: D::Command) -> Self {
        let claiming = Claiming::new(stream.clone(), claim_id, "", Instant::UNIX_EPOCH);
        let (name, stream, step) = (name.to_owned(), stream.clone(), Step::Look);
        Self { name, stream, command, claiming, step, claimed: None }
    }

    /// Tells whether the claim was accepted.
    #[must_use]
    pub fn owns(&self) -> bool {
        matches!(&self.claimed, Some(Ok(claimed)) if claimed.owned)
    }
}

impl<D> Actor<World> for Claimant<D>
where
    D: Decider,
    D::Event: Wire,
{
    fn name(&self) -> String {
        let step = match &self.step {
            Step::Look => "looks",
            Step::Append(_) => "claims",
            Step::Done(_) => "knows",
        };
        format!("{} {step}", self.name)
    }

    fn is_ready(&self, _world: &World) -> bool {
        self.claimed.is_none()
    }

    fn step(&mut self, world: &mut World, _choices: &mut Choices) {
        let next = match std::mem::replace(&mut self.step, Step::Look) {
            Step::Look => {
                let history = world.history::<D>(&self.stream, None);
                self.claiming.look(&self.command, &history)
            }
            Step::Append(envelope) => {
                let (_, verdict) = world.append_to(&self.stream, envelope);
                Ok(self.claiming.judged(verdict))
            }
            Step::Done(claimed) => Ok(Step::Done(claimed)),
        };
        match next {
            Ok(Step::Done(claimed)) => self.claimed = Some(Ok(claimed)),
            Ok(step @ (Step::Look | Step::Append(_))) => self.step = step,
            Err(error) => self.claimed = Some(Err(error)),
        }
    }
}
