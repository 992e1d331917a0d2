//! The faults of a policy file while it is read: noted by byte, told by line and column.

use std::cell::RefCell;
use std::ops::Range;

use super::error::PolicyError;

/// More faults than this are not noted: whoever mends a file reads the first ones.
const FAULTS_LIMIT: usize = 100;

/// A fault at a byte of the text.
struct Fault {
    at: usize,
    what: String,
    fix: String,
}

/// The file that is read, and the faults that were found in it so far.
pub(crate) struct Source<'t> {
    file: &'t str,
    text: &'t str,
    faults: RefCell<Vec<Fault>>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, faults: RefCell::new(Vec::new()) }
    }

    /// Notes a fault at a byte range of the text.
    pub(crate) fn fault(&self, span: &Range<usize>, what: String, fix: String) {
        if !self.is_full() {
            self.faults.borrow_mut().push(Fault { at: span.start, what, fix });
        }
    }

    /// Gives the faults in the order of the file, each once.
    pub(crate) fn into_faults(self) -> Vec<PolicyError> {
        let place = |fault: Fault| {
            let before = self.text.get(..fault.at).unwrap_or(self.text);
            let line = before.matches('\n').count() + 1;
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let column = before[line_start..].chars().count() + 1;
            let Fault { what, fix, .. } = fault;
            PolicyError { file: self.file.to_owned(), line, column, what, fix }
        };
        let mut faults: Vec<PolicyError> =
            self.faults.into_inner().into_iter().map(place).collect();
        faults.sort_by(|left, right| {
            (left.line, left.column, &left.what).cmp(&(right.line, right.column, &right.what))
        });
        faults.dedup();
        faults
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.faults.borrow().is_empty()
    }

    /// Says whether no more faults are noted, so that reading on finds nothing new.
    pub(super) fn is_full(&self) -> bool {
        self.faults.borrow().len() >= FAULTS_LIMIT
    }
}
