//! Finds the word that was probably meant.

/// Gives the nearest of the known words, if it is near enough to be a slip.
pub(crate) fn nearest<'w>(written: &str, known: &[&'w str]) -> Option<&'w str> {
    let limit = (written.chars().count() / 3).max(1);
    let scored = known.iter().map(|word| (distance(written, word), *word));
    scored.filter(|(distance, _)| *distance <= limit).min().map(|(_, word)| word)
}

/// Counts the letters to insert, remove or replace (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["rounding", "rule", "zone"];
        assert_eq!(nearest("roundin", &known), Some("rounding"));
        assert_eq!(nearest("zona", &known), Some("zone"));
        assert_eq!(nearest("currency", &known), None);
    }
}
