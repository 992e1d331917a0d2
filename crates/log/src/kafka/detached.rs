//! Clients that are dropped on a thread of their own: ending one waits for its threads and what is in flight, for
//! seconds where the broker is away, and must not hold up a worker of tokio.

use std::ops::Deref;

/// A value whose drop blocks.
pub(super) struct Detached<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Detached<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send + 'static> Deref for Detached<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("only drop takes the value")
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        std::thread::spawn(move || drop(value));
    }
}
