//! Writes the mails of a dispatch. What many of them share is written once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Mutex;

use lettre::Address;
use lettre::message::Mailbox;
use ristoro_domain::time::Window;

use super::DispatchError;
use super::known::{Seen, content, felt};
use super::wave::Going;
use crate::channels::mail::{Draft, Order, REFERENCE, compose};
use crate::letter::{self, Language};
use crate::projections::contact::Member;

/// The letters that were written for a dispatch. Readers of one letter differ in its reference alone.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    drafts: Mutex<BTreeMap<Key, Draft>>,
}

/// Everything that a letter depends on but for its reference.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    outage_version: u64,
    entry: u32,
    language: Language,
    service: String,
    felt: Option<Window>,
}

impl Going {
    /// Writes one mail; none where there is no address that a mail can go to.
    pub(super) fn mail(
        &self,
        from: &Mailbox,
        seen: &Seen,
        (place, member): (u32, &Member),
    ) -> Result<Option<(Address, String)>, DispatchError> {
        let Some(address) = member.email.as_deref().and_then(|email| email.trim().parse().ok())
        else {
            return Ok(None);
        };
        let key = Key {
            outage_version: seen.now.version,
            entry: self.chunk.entry_at(place),
            language: Language::of(member.locale.as_deref()),
            service: member.service.clone(),
            felt: felt(seen, member),
        };
        let language = key.language;
        let mut drafts = self.drafts.drafts.lock().expect("nothing panics while it holds this");
        let draft = match drafts.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(entry) => {
                let signed = (REFERENCE.to_owned(), sender_name(from));
                let content = content(seen, member, self.chunk.told(place)?, signed)?;
                entry.insert(Draft::of(&letter::write(&content, language), language)?)
            }
        };
        let (chunk, attempt) = (&self.key.chunk, self.key.attempt);
        let order = Order { chunk, number: member.number, attempt };
        let mail = compose(from, &address, draft, &order)?;
        Ok(Some((address, mail)))
    }
}

/// Gives the name that signs the notices.
pub(crate) fn sender_name(from: &Mailbox) -> String {
    from.name.clone().unwrap_or_default()
}
