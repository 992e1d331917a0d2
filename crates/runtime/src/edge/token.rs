//! Consistency tokens: log positions joined by commas, and the `AsOf` of an answer.

use ristoro_domain::time::Instant;
use ristoro_log::Position;
use ristoro_proto::ops::v1::AsOf;
use tonic::Status;

use crate::edge::timestamp;
use crate::status::invalid;

/// How many positions a token may hold: every partition of a few topics.
const MAXIMUM_POSITIONS: usize = 1024;

/// Writes a command's token.
#[must_use]
pub fn consistency_token(positions: &[Position]) -> String {
    positions.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Reads a query's `min_position`; empty for a query that need not wait.
///
/// # Errors
/// INVALID_ARGUMENT for what is no token, and for more than 1024 positions.
pub fn min_position(token: &str) -> Result<Vec<Position>, Status> {
    if token.is_empty() {
        return Ok(Vec::new());
    }
    let refused = |problem: String| invalid("min_position", problem);
    let parts: Vec<&str> = token.split(',').take(MAXIMUM_POSITIONS + 1).collect();
    if parts.len() > MAXIMUM_POSITIONS {
        return Err(refused(format!("has more than {MAXIMUM_POSITIONS} positions")));
    }
    parts.into_iter().map(|part| part.trim().parse().map_err(refused)).collect()
}

/// Writes how far an answer's data had come: the next offset of each partition, at `time`.
#[must_use]
pub fn as_of_message(positions: &[Position], time: Instant) -> AsOf {
    let positions = positions.iter().map(ToString::to_string).collect();
    AsOf { positions, time: Some(timestamp(time)) }
}

#[cfg(test)]
mod tests {
    use ristoro_log::Topic;

    use super::*;

    #[test]
    fn a_token_reads_back_and_nonsense_is_refused() {
        let positions = [
            Position { topic: Topic::Outage, partition: 0, offset: 7 },
            Position { topic: Topic::Payout, partition: 3, offset: 9 },
        ];
        let token = consistency_token(&positions);
        assert_eq!(token, "ristoro.outage.v1/0/7,ristoro.payout.v1/3/9");
        assert_eq!(min_position(&token).unwrap(), positions);
        assert_eq!(min_position("").unwrap(), []);
        assert!(min_position("ristoro.outage.v1/0").is_err());
        assert!(min_position(&format!("{token},")).is_err());
    }
}
