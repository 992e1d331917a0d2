//! How far one person's notice is: what the chunk says, unless a difference says otherwise.

use ristoro_domain::dispatch::{Dispatch, Outcome};
use ristoro_domain::time::Instant;
use ristoro_proto::notifier::v1::NoticeState;

use crate::projections::chunk::QueueState;
use crate::projections::notice_row::{Difference, NoticeRow};

/// How far a notice is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    /// Its state.
    pub(super) state: NoticeState,
    /// The last attempt.
    pub(super) attempt: u32,
    /// What became of it; none while it is under way.
    pub(super) outcome: Option<Outcome>,
    /// When its reader's mailbox was back, once it is in a wave.
    pub(super) wave_at: Option<Instant>,
    /// The code with which it came back.
    pub(super) status_code: String,
}

/// Gives the last attempt.
pub(super) fn attempt(row: Option<&NoticeRow>) -> u32 {
    row.map_or(1, |row| row.attempt)
}

/// Puts together what is known of a place. `dispatch` is that of the last attempt.
pub(super) fn standing(
    queue: &QueueState,
    row: Option<&NoticeRow>,
    dispatch: Option<&Dispatch>,
    place: u32,
) -> Standing {
    let wave = dispatch.and_then(|dispatch| dispatch.wave_of(place));
    let is_through = wave.is_some_and(|wave| wave.is_through(place));
    let under_way = match wave {
        Some(_) => (NoticeState::Sending, None),
        None => (NoticeState::Waiting, None),
    };
    let (state, outcome) = match (queue, row.map(|row| row.difference)) {
        (QueueState::Open, _) => (NoticeState::Queued, None),
        (QueueState::Voided, _) => (NoticeState::Voided, None),
        (QueueState::Released { .. }, Some(Difference::Outcome(outcome))) => {
            (of_outcome(outcome), Some(outcome))
        }
        (QueueState::Released { .. }, Some(Difference::Bounced)) => {
            (NoticeState::Bounced, Some(Outcome::Sent))
        }
        (QueueState::Released { .. }, Some(Difference::Retried)) => under_way,
        (QueueState::Released { .. }, None) if is_through => {
            (NoticeState::Sent, Some(Outcome::Sent))
        }
        (QueueState::Released { .. }, None) => under_way,
    };
    Standing {
        state,
        attempt: attempt(row),
        outcome,
        wave_at: wave.map(|wave| wave.at),
        status_code: row.map(|row| row.detail.clone()).unwrap_or_default(),
    }
}

fn of_outcome(outcome: Outcome) -> NoticeState {
    match outcome {
        Outcome::Sent => NoticeState::Sent,
        Outcome::Refused => NoticeState::Refused,
        Outcome::Unknown => NoticeState::Unknown,
        Outcome::NoChannel => NoticeState::NoChannel,
        Outcome::Deferred => NoticeState::Deferred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ristoro_domain::dispatch::Wave;

    fn dispatch(places: &[u32], next_block: u32) -> Dispatch {
        let (owner, places) = (Some("a".to_owned()), places.to_vec());
        let at = Instant::UNIX_EPOCH;
        let wave = Wave { started_version: 1, at, places, owner, next_block, reported: 0 };
        Dispatch { version: 1, waves: vec![wave] }
    }

    fn row(attempt: u32, difference: Difference) -> NoticeRow {
        NoticeRow { attempt, difference, detail: String::new() }
    }

    #[test]
    fn a_notice_is_as_its_wave_unless_a_row_says_otherwise() {
        let released = QueueState::Released { outage: "o".to_owned() };
        let check =
            |queue: &QueueState, row: Option<&NoticeRow>, dispatch: Option<&Dispatch>, state| {
                assert_eq!(standing(queue, row, dispatch, 3).state, state);
            };
        let (going, through) = (dispatch(&[3], 0), dispatch(&[3], 1));
        check(&QueueState::Open, None, None, NoticeState::Queued);
        check(&QueueState::Voided, None, None, NoticeState::Voided);
        check(&released, None, None, NoticeState::Waiting);
        check(&released, None, Some(&dispatch(&[2], 1)), NoticeState::Waiting);
        check(&released, None, Some(&going), NoticeState::Sending);
        check(&released, None, Some(&through), NoticeState::Sent);
        let unknown = row(1, Difference::Outcome(Outcome::Unknown));
        check(&released, Some(&unknown), Some(&through), NoticeState::Unknown);
        check(&released, Some(&row(1, Difference::Bounced)), Some(&through), NoticeState::Bounced);
        check(&released, Some(&row(2, Difference::Retried)), None, NoticeState::Waiting);
        check(&released, Some(&row(2, Difference::Retried)), Some(&going), NoticeState::Sending);
        let sent = row(2, Difference::Outcome(Outcome::Sent));
        assert_eq!(standing(&released, Some(&sent), Some(&through), 3).attempt, 2);
    }
}
