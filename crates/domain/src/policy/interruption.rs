//! Unites what failed into interruptions: overlaps once, relapses merged, too short ones left out.

use jiff::SignedDuration;

use super::fields::Grade;
use crate::time::Instant;

/// A stretch in which one component failed for one subscription on one plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Piece {
    /// The first instant.
    pub from: Instant,
    /// The first instant that no longer belongs to it.
    pub to: Instant,
    /// How badly it was hit, on that plan.
    pub grade: Grade,
    /// The plan's place in the timeline's list.
    pub plan: u16,
    /// The component's place in the outage's sorted list of components.
    pub component: u16,
}

/// Pieces whose gaps are at most the relapse merge, sorted by start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interruption {
    pub pieces: Vec<Piece>,
}

/// A stretch without change: nothing overlaps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stretch {
    pub from: Instant,
    pub to: Instant,
    pub grade: Grade,
    pub plan: u16,
}

impl Interruption {
    /// Gives the start.
    pub(crate) fn from(&self) -> Instant {
        self.pieces.first().map_or(Instant::MIN, |piece| piece.from)
    }

    /// Gives the end, the restoration.
    pub(crate) fn to(&self) -> Instant {
        self.pieces.iter().map(|piece| piece.to).max().unwrap_or(Instant::MIN)
    }

    /// Gives the time that is counted: overlaps once, gaps not at all.
    pub(crate) fn counted(&self) -> SignedDuration {
        let stretches = self.stretches();
        stretches.iter().fold(SignedDuration::ZERO, |sum, stretch| {
            sum.saturating_add(stretch.to.duration_since(stretch.from))
        })
    }

    /// Gives what of it lies within two instants; none where nothing does.
    pub(crate) fn within(&self, from: Instant, to: Instant) -> Option<Interruption> {
        let pieces = self.pieces.iter().map(|piece| Piece {
            from: piece.from.max(from),
            to: piece.to.min(to),
            ..*piece
        });
        let pieces: Vec<Piece> = pieces.filter(|piece| piece.from < piece.to).collect();
        (!pieces.is_empty()).then_some(Interruption { pieces })
    }

    /// Cuts the interruption where anything changes; each stretch has the highest grade of what overlaps it.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        let mut cuts: Vec<Instant> =
            self.pieces.iter().flat_map(|piece| [piece.from, piece.to]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut stretches: Vec<Stretch> = Vec::new();
        for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
            let over = self.pieces.iter().filter(|piece| piece.from <= *from && piece.to >= *to);
            let highest = over.map(|piece| (piece.grade, std::cmp::Reverse(piece.plan))).max();
            let Some((grade, std::cmp::Reverse(plan))) = highest else { continue };
            match stretches.last_mut() {
                Some(last) if last.to == *from && last.grade == grade && last.plan == plan => {
                    last.to = *to;
                }
                Some(_) | None => stretches.push(Stretch { from: *from, to: *to, grade, plan }),
            }
        }
        stretches
    }
}

/// Groups pieces into interruptions: a new one begins where the gap is larger than `merge`.
pub(crate) fn unite(mut pieces: Vec<Piece>, merge: SignedDuration) -> Vec<Interruption> {
    pieces.sort_unstable();
    let mut interruptions: Vec<Interruption> = Vec::new();
    let mut end = Instant::MIN;
    for piece in pieces {
        match interruptions.last_mut() {
            Some(last) if piece.from.duration_since(end) <= merge => last.pieces.push(piece),
            Some(_) | None => interruptions.push(Interruption { pieces: vec![piece] }),
        }
        end = end.max(piece.to);
    }
    interruptions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(from: i64, to: i64, grade: Grade) -> Piece {
        let at = |minute: i64| Instant::from_second(minute * 60).unwrap();
        Piece { from: at(from), to: at(to), grade, plan: 0, component: 0 }
    }

    #[track_caller]
    fn check(pieces: &[(i64, i64)], merge: i64, counted: &[i64]) {
        let pieces = pieces.iter().map(|(from, to)| piece(*from, *to, Grade::Total)).collect();
        let united = unite(pieces, SignedDuration::from_mins(merge));
        let found: Vec<i64> = united.iter().map(|one| one.counted().as_mins()).collect();
        assert_eq!(found, counted);
    }

    #[test]
    fn overlaps_count_once_and_gaps_not_at_all() {
        check(&[(0, 60), (30, 90)], 0, &[90]);
        check(&[(30, 90), (0, 60)], 0, &[90]);
        check(&[(0, 60), (60, 90)], 0, &[90]);
        check(&[(0, 360), (405, 600)], 60, &[555]);
        check(&[(0, 360), (425, 620)], 60, &[360, 195]);
        check(&[(0, 600), (10, 20), (650, 700)], 60, &[650]);
        check(&[], 60, &[]);
    }

    #[test]
    fn the_highest_grade_wins_where_pieces_overlap() {
        let pieces = vec![
            piece(0, 100, Grade::Degraded),
            piece(20, 40, Grade::Total),
            piece(40, 60, Grade::Total),
        ];
        let united = unite(pieces, SignedDuration::ZERO);
        let grades: Vec<Grade> = united[0].stretches().iter().map(|one| one.grade).collect();
        assert_eq!(grades, [Grade::Degraded, Grade::Total, Grade::Degraded]);
    }
}
