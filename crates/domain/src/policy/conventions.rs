//! Readings that the sources leave open: which one a policy takes, and how a case overrides it.

use jiff::SignedDuration;

use super::fields::{Cover, Rounding, RoundingPoint, VersionSelector};
use super::reader::Section;
use crate::rounding::RoundingMode;

/// What counts as a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DayCount {
    /// Every local day that the interruption touches.
    LocalDays,
    /// Every completed 24 hours of real time.
    Completed24h,
    /// Every started 24 hours of real time.
    Started24h,
}

/// Whether a block of hours counts when it is completed or when it is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Block {
    /// When it is completed.
    Completed,
    /// When it is started.
    Started,
}

/// Whether the local day of the restoration counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestorationDay {
    /// It does.
    Counts,
    /// It does not, unless the restoration was at its midnight: then that day was not touched at all.
    Excluded,
}

/// What accessory components give while a principal one is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accessory {
    /// Nothing: the principal one absorbs them.
    Absorbed,
    /// Their own rate beside it.
    Cumulative,
}

/// The readings of a policy. What no rule of the policy uses has a neutral value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conventions {
    /// What counts as a day.
    pub day_count: DayCount,
    /// When a block of hours counts.
    pub block: Block,
    /// Whether the day of restoration counts.
    pub restoration_day: RestorationDay,
    /// What accessory components give beside a principal one.
    pub accessory: Accessory,
    /// Who signed up while the outage was known.
    pub signed_knowing: Cover,
    /// Which day chooses among dated rates.
    pub rate_version: VersionSelector,
    /// Interruptions with at most this gap are one; the gap itself is not counted.
    pub relapse_merge: SignedDuration,
    /// Interruptions that lasted less do not count.
    pub minimum: SignedDuration,
}

/// What a case sets otherwise than the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// Instead of the policy's `day_count`.
    pub day_count: Option<DayCount>,
    /// Instead of the policy's `block`.
    pub block: Option<Block>,
    /// Instead of the policy's `restoration_day`.
    pub restoration_day: Option<RestorationDay>,
    /// Instead of the policy's `accessory`.
    pub accessory: Option<Accessory>,
    /// Instead of the policy's `signed_knowing`.
    pub signed_knowing: Option<Cover>,
    /// Instead of the policy's `rate_version`.
    pub rate_version: Option<VersionSelector>,
    /// Instead of the point of the policy's rounding.
    pub rounding_point: Option<RoundingPoint>,
    /// Instead of the mode of the policy's rounding.
    pub rounding_mode: Option<RoundingMode>,
    /// Instead of the policy's `relapse_merge_minutes`.
    pub relapse_merge: Option<SignedDuration>,
    /// Instead of the policy's `minimum_minutes`.
    pub minimum: Option<SignedDuration>,
}

pub(crate) const DAY_COUNTS: &[(&str, DayCount)] = &[
    ("local_days", DayCount::LocalDays),
    ("completed_24h", DayCount::Completed24h),
    ("started_24h", DayCount::Started24h),
];

pub(crate) const BLOCKS: &[(&str, Block)] =
    &[("completed", Block::Completed), ("started", Block::Started)];

pub(crate) const RESTORATION_DAYS: &[(&str, RestorationDay)] =
    &[("counts", RestorationDay::Counts), ("excluded", RestorationDay::Excluded)];

pub(crate) const ACCESSORIES: &[(&str, Accessory)] =
    &[("absorbed", Accessory::Absorbed), ("cumulative", Accessory::Cumulative)];

pub(crate) const SIGNED_KNOWING: &[(&str, Cover)] =
    &[("covered", Cover::Covered), ("excluded", Cover::Excluded)];

/// Interruptions are merged and filtered with minutes up to this many, about ten years.
pub(crate) const MINUTES_LIMIT: u64 = 5_256_000;

/// Makes a duration of minutes within the limit.
pub(crate) fn minutes(count: u64) -> Option<SignedDuration> {
    let count = i64::try_from(count).ok().filter(|_| count <= MINUTES_LIMIT)?;
    Some(SignedDuration::from_secs(count * 60))
}

impl Conventions {
    /// Reads the section; `needed` names each key that a rule depends on, with that rule.
    pub(crate) fn read(section: Section<'_, '_>, needed: &[(&'static str, String)]) -> Conventions {
        let duration = |key: &'static str| {
            let count = section.optional_whole(key, "15")?;
            let duration = minutes(count);
            if duration.is_none() {
                section.fault(
                    key,
                    format!("{key:?} is {count}"),
                    format!("write up to {MINUTES_LIMIT}"),
                );
            }
            duration
        };
        let day_count = section.optional_choice("day_count", DAY_COUNTS);
        let block = section.optional_choice("block", BLOCKS);
        let restoration_day = section.optional_choice("restoration_day", RESTORATION_DAYS);
        let accessory = section.optional_choice("accessory", ACCESSORIES);
        let signed_knowing = section.optional_choice("signed_knowing", SIGNED_KNOWING);
        let rate_version =
            section.optional_choice("rate_version", super::fields::VERSION_SELECTORS);
        let relapse_merge = duration("relapse_merge_minutes");
        let minimum = duration("minimum_minutes");
        for (key, rule) in needed {
            let what = format!("rule {rule:?} depends on {key:?}, which [conventions] leaves open");
            section.require(key, &what);
        }
        section.optional_text("remark", "\"why so\"");
        section.finish();
        Conventions {
            day_count: day_count.unwrap_or(DayCount::LocalDays),
            block: block.unwrap_or(Block::Completed),
            restoration_day: restoration_day.unwrap_or(RestorationDay::Counts),
            accessory: accessory.unwrap_or(Accessory::Absorbed),
            signed_knowing: signed_knowing.unwrap_or(Cover::Covered),
            rate_version: rate_version.unwrap_or(VersionSelector::AccrualDay),
            relapse_merge: relapse_merge.unwrap_or(SignedDuration::ZERO),
            minimum: minimum.unwrap_or(SignedDuration::ZERO),
        }
    }

    /// Gives the conventions and the rounding with a case's overrides.
    #[must_use]
    pub fn overridden(self, rounding: Rounding, by: &Overrides) -> (Conventions, Rounding) {
        let conventions = Conventions {
            day_count: by.day_count.unwrap_or(self.day_count),
            block: by.block.unwrap_or(self.block),
            restoration_day: by.restoration_day.unwrap_or(self.restoration_day),
            accessory: by.accessory.unwrap_or(self.accessory),
            signed_knowing: by.signed_knowing.unwrap_or(self.signed_knowing),
            rate_version: by.rate_version.unwrap_or(self.rate_version),
            relapse_merge: by.relapse_merge.unwrap_or(self.relapse_merge),
            minimum: by.minimum.unwrap_or(self.minimum),
        };
        let rounding = Rounding {
            mode: by.rounding_mode.unwrap_or(rounding.mode),
            point: by.rounding_point.unwrap_or(rounding.point),
            ..rounding
        };
        (conventions, rounding)
    }
}
