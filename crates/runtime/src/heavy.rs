//! Work that keeps a thread busy for milliseconds, without keeping those waiting who need it for microseconds.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does work on this thread after handing what else it has to do to another one.
///
/// A query waits for a thread at each of its steps, so a loop that decides thousands of people between two of its own
/// would be felt at every one of them.
pub fn heavy<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // With one thread alone there is no other to hand anything to.
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_meanwhile() {
        let begun = Instant::now();
        let busy = tokio::spawn(async {
            heavy(|| std::thread::sleep(Duration::from_millis(500)));
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let waited = tokio::spawn(async move { begun.elapsed() }).await.unwrap();
        assert!(waited < Duration::from_millis(400), "{waited:?}");
        busy.await.unwrap();
    }

    #[tokio::test]
    async fn one_thread_alone_does_it_too() {
        assert_eq!(heavy(|| 1), 1);
    }
}
