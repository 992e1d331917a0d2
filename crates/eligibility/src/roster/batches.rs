//! Rows of new people, cut into batches that each fit a record of the log.

use ristoro_domain::roster::{ImportRow, MAXIMUM_BATCH};

/// Characters of one batch event, about: half of the log's limit on a record.
const BATCH_CHARACTERS: usize = 500_000;

/// Cuts rows into batches that fit a record, however long their texts are.
pub(super) fn batches(mut rows: &[ImportRow]) -> impl Iterator<Item = &[ImportRow]> {
    std::iter::from_fn(move || {
        let mut characters = 0;
        let fits = |row: &&ImportRow| {
            characters += characters_of(row);
            characters <= BATCH_CHARACTERS
        };
        let count =
            rows.iter().take(MAXIMUM_BATCH).take_while(fits).count().clamp(1, rows.len().max(1));
        let (batch, rest) = rows.split_at_checked(count)?;
        rows = rest;
        Some(batch)
    })
}

fn characters_of(row: &ImportRow) -> usize {
    let profile = &row.profile;
    let texts = [&row.subscription, &row.subscriber, &profile.service, &profile.plan];
    let contact = &row.contact;
    let given = [&contact.email, &contact.phone, &contact.locale, &profile.cohort];
    let payee = row.payee.as_ref().map_or(0, |payee| payee.iban.len() + payee.name.len());
    // What stands beside the texts takes a few characters more.
    let given = given.into_iter().flatten().map(String::len).sum::<usize>();
    40 + texts.into_iter().map(String::len).sum::<usize>() + given + payee
}

#[cfg(test)]
mod tests {
    use ristoro_domain::facts::{Class, FeePeriod, Segment};
    use ristoro_domain::roster::{Contact, Profile};

    use super::*;

    fn row(place: usize, name: &str) -> ImportRow {
        let profile = Profile {
            service: "libero-mail".to_owned(),
            plan: "free".to_owned(),
            segment: Segment::Consumer,
            class: Class::Free,
            cohort: None,
            fee: None,
            fee_period: FeePeriod::Year,
        };
        ImportRow {
            subscription: format!("{name}{place}"),
            subscriber: format!("p{place}"),
            profile: profile.into(),
            valid_from: "2022-09-01T00:00:00Z".parse().unwrap(),
            valid_to: None,
            contact: Contact::default(),
            payee: None,
        }
    }

    #[test]
    fn batches_hold_everybody_once_and_fit_a_record() {
        let lengths = |rows: &[ImportRow]| {
            let found: Vec<_> = batches(rows).collect();
            assert_eq!(found.concat(), rows);
            found.into_iter().map(<[ImportRow]>::len).collect::<Vec<_>>()
        };
        let short: Vec<_> = (0..2_500).map(|place| row(place, "s")).collect();
        assert_eq!(lengths(&short), [1_000, 1_000, 500]);
        let long: Vec<_> = (0..1_000).map(|place| row(place, &"s".repeat(2_000))).collect();
        assert!(lengths(&long)[..4].iter().all(|length| (200..250).contains(length)));
        assert_eq!(lengths(&[row(0, &"s".repeat(600_000))]), [1]);
        assert!(lengths(&[]).is_empty());
    }
}
