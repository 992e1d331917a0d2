//! Which parts of a service are ready. The service is ready when all of them are.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// The parts of a service and whether each is ready. Cheap to clone; all clones are the same list.
#[derive(Clone, Debug)]
pub struct Readiness {
    parts: Arc<watch::Sender<BTreeMap<String, bool>>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { parts: Arc::new(watch::Sender::new(BTreeMap::new())) }
    }
}

impl Readiness {
    /// Names a part that must become ready first, such as `eligibility.roster`.
    ///
    /// A part that later stands still at a poison record stays ready: its tables can still be read, and no
    /// other replica would have come further. The metrics tell of it.
    pub fn expect(&self, part: &str) {
        self.set(part, false);
    }

    /// Says that a part is ready.
    pub fn ready(&self, part: &str) {
        self.set(part, true);
    }

    fn set(&self, part: &str, ready: bool) {
        self.parts.send_if_modified(|parts| parts.insert(part.to_owned(), ready) != Some(ready));
    }

    /// Names the parts that are not ready; empty when the service is.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<String> {
        let parts = self.parts.borrow();
        parts.iter().filter(|(_, ready)| !**ready).map(|(part, _)| part.clone()).collect()
    }

    /// Follows the changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeMap<String, bool>> {
        self.parts.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_when_all_its_parts_are() {
        let readiness = Readiness::default();
        readiness.expect("a");
        readiness.expect("b");
        readiness.ready("a");
        assert_eq!(readiness.waiting_for(), ["b"]);
        readiness.ready("b");
        assert!(readiness.waiting_for().is_empty());
        readiness.expect("a");
        assert_eq!(readiness.waiting_for(), ["a"]);
    }
}
