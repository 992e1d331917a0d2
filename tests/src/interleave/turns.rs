//! Actors whose steps are calls of a running system that may wait for each other's locks.
//!
//! Each actor is a task that waits for its turn before each step. A step that waits for a lock does not hold up the
//! schedule: after a moment the next turn is given, and whoever was blocked goes on when it can.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Choices;

/// How long a step may hold up the next turn.
const MOMENT: Duration = Duration::from_millis(60);

/// What an actor waits for before each of its steps.
#[derive(Debug)]
pub struct Turns {
    given: mpsc::UnboundedReceiver<()>,
    taken: watch::Sender<usize>,
}

/// What gives an actor its turns.
#[derive(Debug)]
pub struct Giver {
    give: mpsc::UnboundedSender<()>,
    given: usize,
    taken: watch::Receiver<usize>,
}

/// Makes an actor's turns and what gives them.
#[must_use]
pub fn turns() -> (Giver, Turns) {
    let (give, given) = mpsc::unbounded_channel();
    let taken = watch::Sender::new(0);
    (Giver { give, given: 0, taken: taken.subscribe() }, Turns { given, taken })
}

impl Turns {
    /// Waits for the next turn and takes a step.
    pub async fn take<T>(&mut self, step: impl Future<Output = T>) -> T {
        // Once nobody gives turns any more, what is left is free to run.
        let _given = self.given.recv().await;
        let result = step.await;
        self.taken.send_modify(|taken| *taken += 1);
        result
    }
}

impl Giver {
    /// Gives a turn and waits until the step is taken, or a moment where it is blocked.
    pub async fn give(&mut self) {
        self.given += 1;
        let given = self.given;
        if self.give.send(()).is_ok() {
            let taken = self.taken.wait_for(|taken| *taken >= given);
            // Blocked, or ended: the schedule goes on either way.
            let _in_time = timeout(MOMENT, taken).await;
        }
    }
}

/// Chooses an order of so many steps for each actor.
pub fn schedule(choices: &mut Choices, steps: &[usize]) -> Vec<usize> {
    let mut left = steps.to_vec();
    let mut order = Vec::new();
    loop {
        let ready: Vec<usize> = (0..left.len()).filter(|actor| left[*actor] > 0).collect();
        if ready.is_empty() {
            return order;
        }
        let turn = ready[choices.pick(ready.len())];
        left[turn] -= 1;
        order.push(turn);
    }
}
