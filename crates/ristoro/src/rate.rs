//! How fast something goes, and how long it still takes: by what was done within a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

/// What was done by when, as far as the window reaches back.
#[derive(Clone, Debug)]
pub struct Rate {
    window: Duration,
    /// The last one is now; the first one is at the window's edge or before it.
    samples: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// Begins with nothing.
    pub fn over(window: Duration) -> Self {
        Self { window, samples: VecDeque::new() }
    }

    /// Takes what is done by a time, which never goes back.
    pub fn add(&mut self, at: Duration, done: u64) {
        self.samples.push_back((at, done));
        while self
            .samples
            .get(1)
            .is_some_and(|(second, _)| at.saturating_sub(*second) >= self.window)
        {
            self.samples.pop_front();
        }
    }

    /// Gives what was done a second; none before there are two times.
    pub fn per_second(&self) -> Option<u64> {
        let (done, within) = self.moved()?;
        u64::try_from(u128::from(done) * 1_000_000_000 / within.as_nanos()).ok()
    }

    /// Gives how long it takes until so much is done; none where nothing was done within the window.
    pub fn left(&self, of: u64) -> Option<Duration> {
        let (_, done_so_far) = self.samples.back()?;
        let rest = of.saturating_sub(*done_so_far);
        if rest == 0 {
            return Some(Duration::ZERO);
        }
        let (done, within) = self.moved()?;
        let nanos = (within.as_nanos() * u128::from(rest)).checked_div(u128::from(done))?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// Gives what was done within the window, and how long that took.
    fn moved(&self) -> Option<(u64, Duration)> {
        let ((from, before), (to, after)) = (self.samples.front()?, self.samples.back()?);
        let within = to.saturating_sub(*from);
        (!within.is_zero()).then_some((after.saturating_sub(*before), within))
    }
}

/// Writes how long something still takes; to the second, and to the minute from an hour on.
pub fn left_text(left: Option<Duration>) -> String {
    let Some(left) = left else { return "time left unknown".to_owned() };
    // What is not over yet takes a second at least.
    let seconds = left.as_millis().div_ceil(1_000);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s left"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s left"),
        (hours, minutes, _) => format!("{hours} h {minutes} min left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(samples: &[(u64, u64)]) -> Rate {
        let mut rate = Rate::over(Duration::from_secs(5));
        samples.iter().for_each(|(at, done)| rate.add(Duration::from_secs(*at), *done));
        rate
    }

    #[test]
    fn what_lies_before_the_window_does_not_count() {
        let slow_then_fast = rate(&[(0, 0), (10, 10), (11, 110), (13, 310), (15, 510)]);
        assert_eq!(slow_then_fast.per_second(), Some(100));
        assert_eq!(slow_then_fast.left(1_010), Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_stands_still_has_no_time_left_and_what_is_done_has_none_to_wait_for() {
        let still = rate(&[(0, 0), (1, 50), (6, 50), (11, 50)]);
        assert_eq!((still.per_second(), still.left(100)), (Some(0), None));
        assert_eq!(still.left(50), Some(Duration::ZERO));
    }

    #[test]
    fn one_look_tells_no_rate() {
        let one = rate(&[(3, 50)]);
        assert_eq!((one.per_second(), one.left(100)), (None, None));
    }

    #[test]
    fn times_are_written_for_people() {
        for (millis, expected) in [
            (0, "0 s left"),
            (1, "1 s left"),
            (61_500, "1 min 2 s left"),
            (7_260_000, "2 h 1 min left"),
        ] {
            assert_eq!(left_text(Some(Duration::from_millis(millis))), expected);
        }
    }
}
