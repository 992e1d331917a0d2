//! The letters as their readers get them. A snapshot is made with `RISTORO_SNAPSHOT=create` and then read by a person.

use std::path::PathBuf;

use proptest::prelude::*;
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::remedy::{Payer, RemedyKind};

use super::*;

fn remedy(kind: RemedyKind, grant: Grant) -> Remedy {
    Remedy { kind, grant, payer: Payer::Operator }
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn all_remedies() -> Vec<Remedy> {
    let new_end = Some("2024-02-29".parse().unwrap());
    vec![
        remedy(RemedyKind::Indemnity, Grant::Money(eur(3000))),
        remedy(RemedyKind::Refund, Grant::Credit(eur(27))),
        remedy(RemedyKind::Damages, Grant::Voucher(eur(123_450))),
        remedy(RemedyKind::Goodwill, Grant::Term { months: 6, days: 0, new_end }),
        remedy(RemedyKind::Goodwill, Grant::Term { months: 1, days: 15, new_end: None }),
        remedy(RemedyKind::Goodwill, Grant::Quota { bytes: 1_288_490_189 }),
    ]
}

fn content() -> Content {
    let time = |text: &str| text.parse().unwrap();
    Content {
        service: "libero-mail".to_owned(),
        outage: Some((
            time("2023-01-23T00:00:00+01:00[Europe/Rome]"),
            time("2023-03-26T14:45:00+02:00[Europe/Rome]"),
        )),
        remedies: all_remedies(),
        reference: "4f6a-9a55".to_owned(),
        sender: "Italiaonline".to_owned(),
    }
}

#[track_caller]
fn check(name: &str, letter: &Letter) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = path.join(format!("src/letter/snapshots/{name}.txt"));
    let text = format!("Subject: {}\n\n{}", letter.subject, letter.body);
    let create = std::env::var("RISTORO_SNAPSHOT").is_ok_and(|word| word == "create");
    if create && !path.exists() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, kept, "{name} reads otherwise: look at it, remove the file, make it again");
}

#[test]
fn letters_read_as_they_were_approved() {
    for language in [Language::It, Language::En, Language::De] {
        check(language.tag(), &write(&content(), language));
    }
    let bare = Content { outage: None, service: "@".to_owned(), ..content() };
    check("en-bare", &write(&bare, Language::En));
}

#[test]
fn languages_are_found_in_tags() {
    for (tag, language) in [
        (Some("it-IT"), Language::It),
        (Some("DE_at"), Language::De),
        (Some("en"), Language::En),
        (Some("fr"), Language::En),
        (Some("ital"), Language::En),
        (None, Language::En),
    ] {
        assert_eq!(Language::of(tag), language);
    }
}

proptest! {
    #[test]
    fn no_letter_has_anything_to_follow(
        service in "\\PC{0,80}|http://x|www|a@b[\r\n]{1,2}Bcc: x@y",
        sender in "\\PC{0,80}|hTTps[:/]{0,3}|[\r\n]{1,3}",
        reference in "\\PC{0,40}",
    ) {
        let content = Content { service, sender, reference, ..content() };
        for language in [Language::It, Language::En, Language::De] {
            let letter = write(&content, language);
            let text = format!("{}\n{}", letter.subject, letter.body).to_lowercase();
            for mark in ["http", "www", "@", "://", "mailto", "<", ">", "\r", "/"] {
                prop_assert!(!text.contains(mark), "{mark:?} in {text}");
            }
            prop_assert!(!letter.subject.contains('\n'));
        }
    }
}
