//! Why a dispatch does not take a command.

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// A wave needs members, in order.
    #[error("the {count} places of a wave must be there and ascend")]
    Places {
        /// How many there are.
        count: usize,
    },
    /// There is no such wave.
    #[error("no wave of this dispatch began at version {started_version}")]
    NoSuchWave {
        /// The version that was named.
        started_version: u64,
    },
    /// Somebody else owns the wave.
    #[error("the wave of version {started_version} is owned by another claim: leave it")]
    NotOwner {
        /// The wave.
        started_version: u64,
    },
    /// The wave moved since it was looked at.
    #[error("the wave of version {started_version} has moved on: look at it again")]
    Moved {
        /// The wave.
        started_version: u64,
    },
    /// All its blocks are through.
    #[error("all {blocks} blocks of the wave of version {started_version} are through")]
    Finished {
        /// The wave.
        started_version: u64,
        /// How many blocks it has.
        blocks: u32,
    },
    /// Other places are next.
    #[error(
        "place {first} of block {block} is not the next: report place {next} of block {next_block}"
    )]
    NotNext {
        /// The block that was reported.
        block: u32,
        /// The place in it that the report begins at.
        first: u32,
        /// The block that is next.
        next_block: u32,
        /// The place in it that is next.
        next: u32,
    },
    /// There must be one outcome for each place, and at least one.
    #[error("block {block} has {places} places left, the report has {outcomes} outcomes")]
    Outcomes {
        /// The block.
        block: u32,
        /// Its places that were not reported before.
        places: usize,
        /// The outcomes reported.
        outcomes: usize,
    },
}
