//! Every interleaving of the steps of several actors, with every way in which each step may end.
//!
//! A run is repeated from the beginning for every combination of choices: whose turn it is, and what an actor asks to
//! be chosen, such as whether it dies here. So nothing has to be copied or undone, and actors may take as many steps as
//! what they find asks for.

pub mod caller;
pub mod copies;
pub mod tables;
pub mod turns;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The choices of one run. The first ones repeat those of the run before.
#[derive(Default, Debug)]
pub struct Choices {
    taken: Vec<Choice>,
    next: usize,
    trace: Vec<String>,
}

#[derive(Debug)]
struct Choice {
    taken: usize,
    of: usize,
}

/// Somebody who takes steps. What a step reads and writes happens at once; between two steps anything may happen.
pub trait Actor<W> {
    /// Gives its name, for the account of a run that fails.
    fn name(&self) -> String;

    /// Tells whether it has a step to take now. Once no actor has one, the run is over.
    fn is_ready(&self, world: &W) -> bool;

    /// Takes the next step.
    fn step(&mut self, world: &mut W, choices: &mut Choices);
}

impl Choices {
    /// Chooses one of so many: in the course of all runs, each of them.
    ///
    /// # Panics
    /// If there is nothing to choose from, or if a run does not repeat itself.
    pub fn pick(&mut self, of: usize) -> usize {
        assert!(of > 0, "there is nothing to choose from");
        if of == 1 {
            return 0;
        }
        if self.next == self.taken.len() {
            self.taken.push(Choice { taken: 0, of });
        }
        let choice = &self.taken[self.next];
        assert_eq!(choice.of, of, "a run does not repeat itself after {:?}", self.trace);
        self.next += 1;
        choice.taken
    }

    /// Adds to the account of the run.
    pub fn note(&mut self, what: impl Into<String>) {
        self.trace.push(what.into());
    }

    /// Turns to the next combination; tells whether there is one.
    fn advance(&mut self) -> bool {
        (self.next, self.trace) = (0, Vec::new());
        while let Some(last) = self.taken.last_mut() {
            last.taken += 1;
            if last.taken < last.of {
                return true;
            }
            self.taken.pop();
        }
        false
    }
}

/// Runs at most: beyond these a test takes too long to be run by everybody.
const RUNS: u64 = 30_000;

/// Runs once for every combination of choices, and gives the number of runs.
///
/// # Panics
/// If a run does; the message tells its steps. If there are too many runs.
pub fn every_run(mut run: impl FnMut(&mut Choices)) -> u64 {
    let mut choices = Choices::default();
    let mut runs = 0;
    loop {
        runs += 1;
        assert!(runs <= RUNS, "more than {RUNS} interleavings: take fewer actors or steps");
        let result = catch_unwind(AssertUnwindSafe(|| run(&mut choices)));
        assert!(result.is_ok(), "run {runs} fails: {}", choices.trace.join(", "));
        if !choices.advance() {
            return runs;
        }
    }
}

/// Lets the actors take steps, each time one of those that have one, until none has.
pub fn interleave<W>(world: &mut W, actors: &mut [&mut dyn Actor<W>], choices: &mut Choices) {
    loop {
        let ready: Vec<usize> =
            (0..actors.len()).filter(|place| actors[*place].is_ready(world)).collect();
        if ready.is_empty() {
            return;
        }
        let turn = ready[choices.pick(ready.len())];
        let name = actors[turn].name();
        choices.note(name);
        actors[turn].step(world, choices);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Walker(char, u32);

    impl Actor<String> for Walker {
        fn name(&self) -> String {
            self.0.to_string()
        }

        fn is_ready(&self, _world: &String) -> bool {
            self.1 > 0
        }

        fn step(&mut self, world: &mut String, _choices: &mut Choices) {
            self.1 -= 1;
            world.push(self.0);
        }
    }

    #[test]
    fn every_merge_comes_once() {
        let mut seen = std::collections::BTreeSet::new();
        let runs = every_run(|choices| {
            let mut world = String::new();
            let (mut a, mut b) = (Walker('a', 2), Walker('b', 3));
            interleave(&mut world, &mut [&mut a, &mut b], choices);
            assert!(seen.insert(world));
        });
        assert_eq!((runs, seen.len()), (10, 10));
    }
}
