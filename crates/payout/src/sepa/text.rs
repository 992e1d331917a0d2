//! Text in the SEPA Latin character set, which every bank in the area can carry.
//!
//! The set is that of the EPC's Customer-to-PSP Implementation Guidelines (EPC132-08).
//! Names reach the creditor's bank and are compared with its own (verification of payee), so they
//! are transliterated rather than cut: letters of other alphabets by the crate `deunicode`, the
//! German ones by the digraphs that German banks read (the alternative that annex 3 of the DFÜ
//! agreement allows beside the EPC's single letters), and emoji not at all.

use deunicode::deunicode_char;

/// Longest name of a party. EPC132-08; the schema alone would allow 140.
pub const NAME_LIMIT: usize = 70;
/// Longest unstructured remittance information. EPC132-08.
pub const REMITTANCE_LIMIT: usize = 140;
/// Longest town. `Max35Text` of the schema.
pub const TOWN_LIMIT: usize = 35;

/// Combining mark that makes `u` a `ü` in decomposed text, as file systems and some mail programs
/// write it.
const COMBINING_DIAERESIS: char = '\u{308}';

/// Says whether a character belongs to the SEPA Latin set.
pub fn is_sepa_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || " /-?:().,'+".contains(character)
}

/// Says whether a text can stand in the file as it is: 1 to `limit` characters of the set, no blank
/// at either end, no slash at either end and no double slash.
pub fn is_sepa_text(text: &str, limit: usize) -> bool {
    text.len() <= limit
        && text.chars().all(is_sepa_character)
        && text.contains(|character: char| character.is_ascii_alphanumeric())
        && !text.starts_with([' ', '/'])
        && !text.ends_with([' ', '/'])
        && !text.contains("//")
}

/// Turns any text into SEPA text of at most `limit` characters, or into nothing when it has no
/// letter and no digit that could be expressed. What is SEPA text already stays as it is, but for
/// doubled blanks.
///
/// Slashes at the ends and doubled ones go: the EPC forbids them in references (EPC230-15), and
/// banks differ in where else they refuse them.
pub fn sepa_text(text: &str, limit: usize) -> Option<String> {
    let mut output = String::with_capacity(text.len().min(limit));
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let decomposed = characters.next_if_eq(&COMBINING_DIAERESIS).is_some();
        push_transliterated(&mut output, if decomposed { compose(character) } else { character });
        if output.len() > limit {
            break;
        }
    }
    output.truncate(limit);
    output.truncate(output.trim_end_matches([' ', '/']).len());
    is_sepa_text(&output, limit).then_some(output)
}

/// The composed letter where German knows one; other letters lose the mark, as deunicode would
/// have it.
fn compose(letter: char) -> char {
    match letter {
        'a' => 'ä',
        'o' => 'ö',
        'u' => 'ü',
        'A' => 'Ä',
        'O' => 'Ö',
        'U' => 'Ü',
        other => other,
    }
}

fn push_transliterated(output: &mut String, character: char) {
    if is_sepa_character(character) {
        push_tidy(output, character);
        return;
    }
    let replacement = match character {
        'ä' => "ae",
        'ö' => "oe",
        'ü' => "ue",
        'Ä' => "Ae",
        'Ö' => "Oe",
        'Ü' => "Ue",
        'ẞ' => "SS",
        '€' => "EUR",
        '&' => "+",
        '@' => "(at)",
        ';' => ",",
        '_' | '–' | '—' | '‐' | '‑' | '−' => "-",
        '’' | '‘' | '`' | '´' | '"' | '“' | '”' | '„' | '«' | '»' => "'",
        '[' | '{' => "(",
        ']' | '}' => ")",
        '\\' | '|' => "/",
        '…' => "...",
        letter if letter.is_alphanumeric() => deunicode_char(letter).unwrap_or(" "),
        // Combining marks and joiners vanish; emoji and other signs part words.
        sign => deunicode_char(sign).filter(|ascii| ascii.is_empty()).unwrap_or(" "),
    };
    for ascii in replacement.chars().filter(|ascii| is_sepa_character(*ascii)) {
        push_tidy(output, ascii);
    }
}

/// Appends unless that would make a leading or double blank or slash.
fn push_tidy(output: &mut String, character: char) {
    let follows_itself = output.is_empty() || output.ends_with(character);
    if !(matches!(character, ' ' | '/') && follows_itself) {
        output.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(sepa_text(text, NAME_LIMIT).as_deref(), Some(expected), "from {text:?}");
    }

    #[test]
    fn names_of_all_of_europe_are_transliterated() {
        check("Jörg Müßig-Übelhör", "Joerg Muessig-Uebelhoer");
        check("Jo\u{308}rg Mu\u{308}ller", "Joerg Mueller");
        check("Niccolò D’Amico", "Niccolo D'Amico");
        check("Łukasz Żółć", "Lukasz Zolc");
        check("François Œuvré", "Francois OEuvre");
        check("Ελένη", "Elene");
        check("Иван Петров", "Ivan Petrov");
        check("Søren Kjærgård", "Soren Kjaergard");
        check("e\u{301}l\u{300}an", "elan");
    }

    #[test]
    fn signs_become_what_banks_can_carry() {
        check("Rossi & Figli_SRL", "Rossi + Figli-SRL");
        check("5 € wegen Störung", "5 EUR wegen Stoerung");
        check("a@b; \"c\"", "a(at)b, 'c'");
        check("Anna 😀 Bianchi\t\n 🦀", "Anna Bianchi");
    }

    #[test]
    fn slashes_neither_lead_nor_trail_nor_double() {
        check("//Case /// 7//", "Case / 7");
        check("/ /x/ /", "x");
        check("a\\\\b", "a/b");
    }

    #[test]
    fn truncation_leaves_no_blank_and_no_slash_at_the_end() {
        assert_eq!(sepa_text("abcd efgh", 5).as_deref(), Some("abcd"));
        assert_eq!(sepa_text("abcd/efgh", 5).as_deref(), Some("abcd"));
        assert_eq!(sepa_text("abcdß", 5).as_deref(), Some("abcds"));
        assert_eq!(sepa_text(&"ö".repeat(500), NAME_LIMIT).map(|text| text.len()), Some(70));
    }

    #[test]
    fn text_without_letter_or_digit_is_no_text() {
        for nothing in ["", "  ", "😀", "///", "...", "\u{301}", "-"] {
            assert_eq!(sepa_text(nothing, NAME_LIMIT), None, "from {nothing:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_becomes_valid_or_nothing(text in any::<String>(), limit in 1..200_usize) {
            if let Some(valid) = sepa_text(&text, limit) {
                prop_assert!(is_sepa_text(&valid, limit), "{text:?} became {valid:?}");
                prop_assert_eq!(sepa_text(&valid, limit), Some(valid));
            }
        }

        #[test]
        fn a_name_with_a_latin_letter_is_never_lost(text in ".{0,40}[a-zA-Zà-öø-ž].*") {
            prop_assert!(sepa_text(&text, NAME_LIMIT * 10).is_some());
        }

        #[test]
        fn sepa_text_stays_as_it_is(text in "[A-Za-z0-9]([A-Za-z0-9?:(),.'+-]| [a-z]){0,30}") {
            prop_assert_eq!(sepa_text(&text, NAME_LIMIT), Some(text.clone()));
        }
    }
}
