//! The time of a block. What an owner sends has to be over before anybody else may believe that the owner is lost.
//!
//! Others take a wave over when they have seen it stand still for `takeover_after`. They cannot have seen it so
//! before its last claim or report was accepted, and the owner's clock runs from before it wrote that record. The
//! owner sends no content later than `block_time - answer_limit` on its own clock, which does not jump, and waits
//! `answer_limit` at most for the answer. So all is over after half of `takeover_after`, and the other half is left to
//! write the report. A report that still comes too late is refused: then the places in doubt may have been sent, once,
//! and nothing of them is on its way any more when a person has them sent again.
//!
//! What remains is a process that is frozen between its look at the clock and the write: it may send one message
//! late. SMTP has nothing that could fence it.

use std::time::Duration;

use tokio::time::Instant as Clock;

use crate::settings::Settings;

/// The time of one block, or of what is left of it after a report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    began_at: Clock,
    block_time: Duration,
    answer_limit: Duration,
}

impl Budget {
    /// Begins now: to be called before the claim or report is written that the block follows.
    pub(super) fn begin(settings: &Settings) -> Self {
        let (block_time, answer_limit) = (settings.block_time(), settings.answer_limit());
        Self { began_at: Clock::now(), block_time, answer_limit }
    }

    /// Gives until when content may be sent.
    pub(super) fn last_at(&self) -> Clock {
        self.began_at + self.block_time - self.answer_limit
    }

    /// Tells whether there is time left to offer something after a pause.
    pub(super) fn is_left_after(&self, pause: Duration) -> bool {
        Clock::now() + pause < self.last_at()
    }

    /// Tells whether most of it is left, so that a message that is put off until its end was given a fair time.
    pub(super) fn is_fresh(&self) -> bool {
        self.began_at.elapsed() < self.block_time / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_so_late_that_its_answer_would_come_after_the_block() {
        let mut settings = Settings::new("smtp://h:25", "A <a@b.it>").unwrap();
        settings.takeover_after = Duration::from_secs(60);
        let after = |seconds: u64| {
            let budget = Budget::begin(&settings);
            Budget { began_at: budget.began_at - Duration::from_secs(seconds), ..budget }
        };
        let left = |seconds, pause| after(seconds).is_left_after(Duration::from_secs(pause));
        assert!(after(0).is_fresh() && left(0, 14) && !left(0, 15));
        assert!(!after(8).is_fresh() && left(8, 6) && !left(8, 7));
        assert!(left(14, 0) && !left(15, 0));
        let budget = after(0);
        assert_eq!(
            budget.last_at() + settings.answer_limit(),
            budget.began_at + settings.block_time()
        );
    }
}
