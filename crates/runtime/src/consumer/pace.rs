//! The pace of a consumer: the share of its time that it may spend on folding.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Every percent of the time.
pub(crate) const FULL_PERCENT: u32 = 100;

/// The share of its time, in percent, that a consumer may work; it may change at any moment.
#[derive(Clone, Debug)]
pub(crate) struct Pace(watch::Receiver<u32>);

impl Pace {
    /// The pace of what is never held back.
    pub(crate) fn full() -> Self {
        Self(watch::channel(FULL_PERCENT).1)
    }

    /// The pace that somebody sets.
    pub(crate) fn of(percent: watch::Receiver<u32>) -> Self {
        Self(percent)
    }

    /// Rests so long after some work that it was no more than its share of the time; for as long as the share is none,
    /// where nothing may be done. A new pace counts at once.
    pub(super) async fn keep(&mut self, worked: Duration) {
        let rested = Instant::now();
        loop {
            let percent = *self.0.borrow_and_update();
            let changed = match rest(worked, percent) {
                Some(Duration::ZERO) => return,
                Some(rest) => tokio::time::timeout_at(rested + rest, self.0.changed()).await,
                None => Ok(self.0.changed().await),
            };
            // Over, or nobody is left who could set another pace.
            let Ok(Ok(())) = changed else { return };
        }
    }
}

/// Gives how long to rest after some work; none where no work is allowed.
fn rest(worked: Duration, percent: u32) -> Option<Duration> {
    let idle = FULL_PERCENT.saturating_sub(percent);
    (worked * idle).checked_div(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_leaves_the_work_its_share() {
        let worked = Duration::from_millis(100);
        let rests = [100, 50, 25, 1, 0].map(|percent| rest(worked, percent));
        let expected = [0, 100, 300, 9_900].map(|ms| Some(Duration::from_millis(ms)));
        assert_eq!((&rests[..4], rests[4]), (&expected[..], None));
    }

    #[tokio::test]
    async fn nothing_is_done_until_there_is_a_pace() {
        let (sender, receiver) = watch::channel(0);
        let mut pace = Pace::of(receiver);
        let worked = Duration::from_secs(3_600);
        let moment = Duration::from_millis(20);
        assert!(tokio::time::timeout(moment, pace.keep(Duration::ZERO)).await.is_err());
        sender.send_replace(50);
        pace.keep(Duration::ZERO).await;
        assert!(tokio::time::timeout(moment, pace.keep(worked)).await.is_err());
        sender.send_replace(FULL_PERCENT);
        pace.keep(worked).await;
    }
}
