//! Tiers of uptime: which percentage, or how many days, an uptime earns. Every uptime is in exactly one tier.
//!
//! The bounds are written as the agreements write them: `below` 99.9 or `at_most` 99.9, `from` 99.0 or `above` 99.0. What
//! no tier holds, up to the first bound, and what two of them hold is refused.

use crate::policy::count::Unit;
use crate::policy::reader::Section;
use crate::rounding::{Exact, OutOfRange};

/// One bound of a tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bound {
    percent: Exact,
    /// Whether the bound itself belongs to what is below it.
    belongs_below: bool,
}

/// A tier and what it earns.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Tier<T> {
    /// None for everything down to 0.
    lower: Option<Bound>,
    upper: Bound,
    earns: T,
    text: String,
}

/// Tiers from the highest uptime to the lowest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tiers<T> {
    tiers: Vec<Tier<T>>,
}

impl<T> Tiers<T> {
    /// Reads tiers; `earns` reads what one earns.
    pub(super) fn read(
        section: &Section<'_, '_>,
        earns: impl Fn(&Section<'_, '_>) -> Option<T>,
    ) -> Option<Tiers<T>> {
        let example = "[{ from = \"99.0\", below = \"99.9\", percent = \"10\" }]";
        let tables = section.sections("tiers", example);
        if tables.is_empty() {
            section.fault("formula", "there are no tiers", format!("write tiers = {example}"));
            return None;
        }
        let (count, mut tiers, mut sound) = (tables.len(), Vec::<Tier<T>>::new(), true);
        for (place, table) in tables.into_iter().enumerate() {
            let upper = bound(&table, ("below", false), ("at_most", true));
            let lower = bound(&table, ("from", false), ("above", true));
            let earned = earns(&table);
            let last = place + 1 == count;
            let (Some(Some(upper)), Some(lower), Some(earns)) = (upper, lower, earned) else {
                if upper == Some(None) {
                    let what = "the tier has no upper bound";
                    table.fault("below", what, "write below = \"99.9\" or at_most = \"99.9\"");
                }
                table.finish();
                sound = false;
                continue;
            };
            check_cover(&table, (lower, upper), tiers.last().map(|tier| tier.lower), last);
            table.finish();
            let text = describe(lower, upper);
            tiers.push(Tier { lower, upper, earns, text });
        }
        sound.then_some(Tiers { tiers })
    }

    /// Gives what an uptime earns and what its tier is called; none above the first tier.
    pub(super) fn of(&self, unit: &Unit) -> Result<Option<(&T, &str)>, OutOfRange> {
        let uptime = uptime(unit)?;
        for tier in &self.tiers {
            if tier.upper.is_over(uptime)? && !lower_is_over(tier.lower, uptime)? {
                return Ok(Some((&tier.earns, &tier.text)));
            }
        }
        Ok(None)
    }
}

/// Gives the uptime of a period in percent, exactly.
pub(super) fn uptime(unit: &Unit) -> Result<Exact, OutOfRange> {
    let up = i128::from(unit.of_seconds) - i128::from(unit.down_seconds);
    Exact::ratio(up * 100, i128::from(unit.of_seconds))
}

/// Writes an uptime with four decimals, rounded down.
pub(super) fn shown(unit: &Unit) -> String {
    let up = u64::from(unit.of_seconds.saturating_sub(unit.down_seconds));
    let millionths = up * 1_000_000 / u64::from(unit.of_seconds.max(1));
    let (whole, rest) = (millionths / 10_000, millionths % 10_000);
    let down = unit.down_seconds / 60;
    format!("down for {down} of {} minutes: uptime {whole}.{rest:04} %", unit.of_seconds / 60)
}

/// Reads the one bound of two that is written; none inside where neither is.
fn bound(
    table: &Section<'_, '_>,
    (exclusive, exclusive_below): (&'static str, bool),
    (inclusive, inclusive_below): (&'static str, bool),
) -> Option<Option<Bound>> {
    let read = |key: &'static str, belongs_below: bool| {
        if !table.has(key) {
            table.optional_text(key, "\"99.9\"");
            return Some(None);
        }
        let percent = table.decimal(key, "\"99.9\"")?;
        if percent.is_above(Exact::whole(100)).unwrap_or(true) {
            table.fault(key, format!("{percent} % is above 100"), "write a percentage of uptime");
            return None;
        }
        Some(Some(Bound { percent, belongs_below }))
    };
    match (read(exclusive, exclusive_below)?, read(inclusive, inclusive_below)?) {
        (Some(_), Some(_)) => {
            let what = format!("{exclusive:?} and {inclusive:?} stand beside each other");
            table.fault(inclusive, what, "keep one of the two");
            None
        }
        (one, other) => Some(one.or(other)),
    }
}

/// Notes what no tier, or more than one, holds between a tier and the one before it.
fn check_cover(
    table: &Section<'_, '_>,
    (lower, upper): (Option<Bound>, Bound),
    before: Option<Option<Bound>>,
    last: bool,
) {
    let key = if upper.belongs_below { "at_most" } else { "below" };
    match before {
        None => {}
        Some(None) => {
            table.fault(key, "the tier before reaches down to 0", "write its lower bound");
        }
        Some(Some(open)) if open == upper => {}
        Some(Some(open)) => {
            let apart = open.percent.is_above(upper.percent).unwrap_or(false);
            let hole = apart || (open.percent == upper.percent && open.belongs_below);
            let what = match (open.percent == upper.percent, hole) {
                (true, true) => format!("exactly {} % has no tier", open.percent),
                (true, false) => format!("exactly {} % has two tiers", open.percent),
                (false, true) => {
                    format!("uptimes between {} and {} % have no tier", upper.percent, open.percent)
                }
                (false, false) => {
                    format!(
                        "uptimes between {} and {} % have two tiers",
                        open.percent, upper.percent
                    )
                }
            };
            let word = if open.belongs_below { "at_most" } else { "below" };
            table.fault(key, what, format!("write {word} = \"{}\"", open.percent));
        }
    }
    if last && let Some(lower) = lower {
        let what = format!("uptimes under {} % have no tier", lower.percent);
        table.fault("from", what, "remove the lower bound of the last tier");
    }
}

fn describe(lower: Option<Bound>, upper: Bound) -> String {
    let upper_word = if upper.belongs_below { "at most" } else { "below" };
    match lower {
        Some(lower) => {
            let word = if lower.belongs_below { "above" } else { "at least" };
            format!("{upper_word} {} and {word} {} %", upper.percent, lower.percent)
        }
        None => format!("{upper_word} {} %", upper.percent),
    }
}

fn lower_is_over(lower: Option<Bound>, uptime: Exact) -> Result<bool, OutOfRange> {
    lower.map_or(Ok(false), |lower| lower.is_over(uptime))
}

impl Bound {
    /// Says whether an uptime belongs to what is below the bound.
    fn is_over(self, uptime: Exact) -> Result<bool, OutOfRange> {
        Ok(self.percent.is_above(uptime)? || (self.belongs_below && self.percent == uptime))
    }
}
