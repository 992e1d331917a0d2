//! What the rows of an import mean for one subscription, given what is recorded of it.
//!
//! Rows of one subscription are its successive periods. A period that is recorded just so asks for nothing, so
//! an import that is sent again changes nothing.

use std::sync::Arc;

use super::check::RowFault;
use super::entry::{Contact, ImportRow, Payee, Profile};
use crate::subscriber::{Ask, Holding, Stretch};
use crate::time::Instant;

/// What one row asks for. A row may ask for two things: another plan, and its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The subscription is new; it ends at once where a row says so.
    Begin {
        /// The row's place among the rows given.
        row: usize,
        /// When the first period ended, where nothing follows it directly.
        ended_at: Option<Instant>,
    },
    /// A recorded or begun subscription changes.
    Change {
        /// The row's place among the rows given.
        row: usize,
        /// What to ask of the subscriber's stream.
        ask: Ask,
    },
    /// The row is recorded already.
    Nothing {
        /// The row's place among the rows given.
        row: usize,
    },
    /// The row contradicts what is recorded, or another row.
    Refuse {
        /// The row's place among the rows given.
        row: usize,
        /// Why.
        fault: RowFault,
    },
}

/// Plans the rows of one subscription, in the order of their starts.
#[must_use]
pub fn steps(recorded: Option<&Holding>, rows: &[&ImportRow]) -> Vec<Step> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|place| rows[*place].valid_from);
    let mut held = recorded.cloned();
    let mut steps = Vec::new();
    for (turn, row) in order.iter().copied().enumerate() {
        let next_from = order.get(turn + 1).map(|next| rows[*next].valid_from);
        // The next row's plan change ends this period; an end of its own would only repeat that.
        let ended_at = rows[row].valid_to.filter(|end| Some(*end) != next_from);
        match held.as_mut() {
            None => {
                held = Some(begun(rows[row], ended_at));
                steps.push(Step::Begin { row, ended_at });
            }
            Some(held) => follow(held, rows[row], ended_at, row, &mut steps),
        }
    }
    steps
}

fn begun(row: &ImportRow, ended_at: Option<Instant>) -> Holding {
    Holding::begin(0, Arc::clone(&row.profile), row.valid_from, ended_at)
}

fn follow(
    held: &mut Holding,
    imported: &ImportRow,
    ended_at: Option<Instant>,
    row: usize,
    steps: &mut Vec<Step>,
) {
    let fault = match contradiction(held, imported) {
        Some(fault) => Some(fault),
        None => unless_recorded(held, imported, ended_at, row, steps),
    };
    steps.extend(fault.map(|fault| Step::Refuse { row, fault }));
}

fn contradiction(held: &Holding, imported: &ImportRow) -> Option<RowFault> {
    let service = &held.last().profile.service;
    (*service != imported.profile.service).then(|| {
        let reason = format!(
            "is {}, but the subscription is to {service}: give another service its own id",
            imported.profile.service
        );
        RowFault::new("service", reason)
    })
}

/// Asks for what is not recorded yet; gives the fault where the row contradicts what is.
fn unless_recorded(
    held: &mut Holding,
    imported: &ImportRow,
    ended_at: Option<Instant>,
    row: usize,
    steps: &mut Vec<Step>,
) -> Option<RowFault> {
    let found = recorded(held, imported);
    let is_last = found.is_some_and(|place| place + 1 == held.stretches.len());
    let mut asked = false;
    match found {
        Some(place) if !is_last || held.last().to.is_some() => {
            let recorded = held.stretches[place].to;
            if imported.valid_to.is_some() && imported.valid_to != recorded {
                return Some(other_end(recorded));
            }
        }
        Some(_) => {}
        None => {
            if let Some(fault) = overlap(held, imported.valid_from) {
                return Some(fault);
            }
            held.change(Arc::clone(&imported.profile), imported.valid_from);
            asked = true;
            let ask = Ask::ChangePlan {
                subscription: imported.subscription.clone(),
                profile: Arc::clone(&imported.profile),
                changed_at: imported.valid_from,
            };
            steps.push(Step::Change { row, ask });
        }
    }
    let runs = (found.is_none() || is_last) && held.last().to.is_none();
    if let Some(ended_at) = ended_at.filter(|_| runs) {
        held.end(ended_at);
        asked = true;
        let subscription = imported.subscription.clone();
        steps.push(Step::Change { row, ask: Ask::End { subscription, ended_at } });
    }
    if !asked {
        steps.push(Step::Nothing { row });
    }
    None
}

/// Finds the stretch that the row is about. Of stretches that are over, a roster keeps plan and fee alone.
fn recorded(held: &Holding, imported: &ImportRow) -> Option<usize> {
    let wanted = &imported.profile;
    let terms = |profile: &Profile| (profile.plan.clone(), profile.fee, profile.fee_period);
    let is_it = |(place, stretch): (usize, &Stretch)| {
        let same = match place + 1 == held.stretches.len() {
            true => stretch.profile == *wanted,
            false => terms(&stretch.profile) == terms(wanted),
        };
        stretch.from == imported.valid_from && same
    };
    held.stretches.iter().enumerate().position(is_it)
}

fn overlap(held: &Holding, from: Instant) -> Option<RowFault> {
    let last = held.last();
    if from <= last.from {
        let reason = format!(
            "{from} is not after {}, where the period before it begins: history is not rewritten",
            last.from
        );
        return Some(RowFault::new("valid_from", reason));
    }
    let end = last.to.filter(|end| from < *end)?;
    let reason = format!("{from} overlaps the period before it, which ends at {end}");
    Some(RowFault::new("valid_from", reason))
}

fn other_end(recorded: Option<Instant>) -> RowFault {
    let recorded = recorded.map_or_else(|| "none".to_owned(), |end| end.to_string());
    let reason = format!("differs from the recorded end, {recorded}: history is not rewritten");
    RowFault::new("valid_to", reason)
}

/// Gives the contact that rows of one person end with: the last that is not empty.
#[must_use]
pub fn last_contact(rows: &[&ImportRow]) -> Option<Contact> {
    let given = |row: &&&ImportRow| row.contact != Contact::default();
    rows.iter().rev().find(given).map(|row| row.contact.clone())
}

/// Gives the payee that rows of one person end with.
#[must_use]
pub fn last_payee(rows: &[&ImportRow]) -> Option<Payee> {
    rows.iter().rev().find_map(|row| row.payee.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Class;
    use crate::roster::tests::row;

    const A: &str = "2022-09-01T00:00:00Z";
    const B: &str = "2023-01-25T00:00:00Z";
    const C: &str = "2023-02-01T00:00:00Z";

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn period(plan: &str, from: &str, to: Option<&str>) -> ImportRow {
        let mut period = row("p", "s");
        Arc::make_mut(&mut period.profile).plan = plan.into();
        period.valid_from = at(from);
        period.valid_to = to.map(at);
        period
    }

    /// Writes steps as words: `begin`, `change C`, `end C`, `nothing`, `refuse COLUMN`.
    fn words(recorded: Option<&Holding>, rows: &[ImportRow]) -> Vec<String> {
        let rows: Vec<&ImportRow> = rows.iter().collect();
        let word = |step: &Step| match step {
            Step::Begin { ended_at: None, .. } => "begin".to_owned(),
            Step::Begin { ended_at: Some(end), .. } => format!("begin until {end}"),
            Step::Change { ask: Ask::ChangePlan { changed_at, .. }, .. } => {
                format!("change {changed_at}")
            }
            Step::Change { ask: Ask::End { ended_at, .. }, .. } => format!("end {ended_at}"),
            Step::Change { ask, .. } => format!("{ask:?}"),
            Step::Nothing { .. } => "nothing".to_owned(),
            Step::Refuse { fault, .. } => format!("refuse {}", fault.column),
        };
        steps(recorded, &rows).iter().map(word).collect()
    }

    #[test]
    fn successive_rows_are_plan_changes_and_an_end() {
        let rows = [period("plus-1tb", B, Some(C)), period("plus-5gb", A, Some(B))];
        assert_eq!(
            words(None, &rows),
            ["begin".to_owned(), format!("change {B}"), format!("end {C}")]
        );
        let rows = [period("plus-5gb", A, Some(B)), period("plus-5gb", C, None)];
        assert_eq!(words(None, &rows), [format!("begin until {B}"), format!("change {C}")]);
    }

    #[test]
    fn what_is_recorded_asks_for_nothing() {
        let rows = [period("plus-5gb", A, Some(B)), period("plus-1tb", B, Some(C))];
        let mut held = Holding::begin(1, Arc::clone(&rows[0].profile), at(A), None);
        held.change(Arc::clone(&rows[1].profile), at(B));
        assert_eq!(words(Some(&held), &rows), ["nothing".to_owned(), format!("end {C}")]);
        assert_eq!(words(Some(&held), &rows[..1]), ["nothing"]);
        held.end(at(C));
        assert_eq!(words(Some(&held), &rows), ["nothing", "nothing"]);
        assert_eq!(words(Some(&held), &rows[..1]), ["nothing"]);
        let open_again = period("plus-1tb", B, None);
        assert_eq!(words(Some(&held), &[open_again]), ["nothing"]);
    }

    #[test]
    fn a_free_period_before_a_paid_one_is_known_by_its_plan_and_fee() {
        let mut free = period("free", A, Some(B));
        let profile = Arc::make_mut(&mut free.profile);
        (profile.class, profile.fee) = (Class::Free, None);
        // The roster's row has the class of the last period alone.
        let mut kept = (*free.profile).clone();
        kept.class = Class::Principal;
        let paid = period("plus-5gb", B, None);
        let mut held = Holding::begin(1, Arc::new(kept), at(A), None);
        held.change(Arc::clone(&paid.profile), at(B));
        assert_eq!(words(Some(&held), &[free, paid.clone()]), ["nothing", "nothing"]);
        let mut moved = paid;
        Arc::make_mut(&mut moved.profile).cohort = Some("c2".into());
        assert_eq!(words(Some(&held), &[moved]), ["refuse valid_from"]);
    }

    #[test]
    fn overlaps_and_rewritten_history_are_refused() {
        let rows = [period("plus-5gb", A, Some(C)), period("plus-1tb", B, None)];
        assert_eq!(
            words(None, &rows),
            [format!("begin until {C}"), "refuse valid_from".to_owned()]
        );
        let rows = [period("plus-5gb", A, None), period("plus-1tb", A, None)];
        assert_eq!(words(None, &rows), ["begin", "refuse valid_from"]);
        let held = Holding::begin(1, Arc::clone(&rows[0].profile), at(A), Some(at(B)));
        assert_eq!(words(Some(&held), &[period("plus-5gb", A, Some(C))]), ["refuse valid_to"]);
        let mut other = period("plus-5gb", C, None);
        Arc::make_mut(&mut other.profile).service = "virgilio-mail".into();
        assert_eq!(words(Some(&held), &[other]), ["refuse service"]);
    }

    #[test]
    fn the_last_contact_that_is_not_empty_counts() {
        let mut first = row("p", "s");
        first.contact.email = Some("ada@example.org".into());
        let second = row("p", "t");
        assert_eq!(last_contact(&[&first, &second]), Some(first.contact.clone()));
        assert_eq!(last_contact(&[&second]), None);
    }
}
