//! Two versions of one policy that are in force on the same day: which one counts would be open.

use toml::de::DeTable;

use super::Policy;
use super::error::PolicyError;
use super::faults::Source;
use super::reader::Section;

impl Policy {
    /// Gives the fault of this policy's file where the policy is in force together with another version, that of the
    /// file `beside`. It stands where the file says from when on the policy is valid.
    #[must_use]
    pub fn overlap_fault(
        &self,
        (file, text): (&str, &str),
        (beside, other): (&str, &Policy),
    ) -> Option<PolicyError> {
        if !self.overlaps(other) {
            return None;
        }
        let source = Source::new(file, text);
        let (table, _) = DeTable::parse_recoverable(text);
        let top = Section::new(&source, table.get_ref(), 0..0, "the policy".to_owned());
        let (id, version, before) = (&self.id, &self.version, &other.version);
        let what = format!(
            "version {version} of {id} is in force together with version {before} of {beside}"
        );
        let fix = if self.valid_from > other.valid_from {
            format!("write valid_to = {} in {beside}", self.valid_from)
        } else if self.valid_from < other.valid_from {
            format!("write valid_to = {} here", other.valid_from)
        } else {
            "let one of them begin later, and end the other with valid_to on that day".to_owned()
        };
        top.fault("valid_from", what, fix);
        source.into_faults().pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::shipped;

    #[test]
    fn an_overlap_has_its_place_and_its_cure() {
        let first = shipped().iter().find(|one| one.id == "ofcom").unwrap().text;
        let second = first.replacen("version = \"1\"", "version = \"2\"", 1);
        let later = second.replacen("valid_from = 2019-04-01", "valid_from = 2023-04-01", 1);
        let parse = |text: &str| Policy::parse("p.toml", text).unwrap();
        let fault = |text: &str, beside: &str| {
            let fault = parse(text).overlap_fault(("p.toml", text), ("a.toml", &parse(beside)));
            fault.map(|fault| fault.to_string()).unwrap_or_default()
        };
        let line = first[..first.find("valid_from").unwrap()].matches('\n').count() + 1;
        let head = format!("p.toml:{line}:14: version ");
        let both = "of ofcom is in force together with version";
        assert_eq!(
            fault(&later, first),
            format!("{head}2 {both} 1 of a.toml; write valid_to = 2023-04-01 in a.toml")
        );
        assert_eq!(
            fault(first, &later),
            format!("{head}1 {both} 2 of a.toml; write valid_to = 2023-04-01 here")
        );
        assert!(fault(&second, first).ends_with("end the other with valid_to on that day"));
        let ended = first.replacen(
            "valid_from = 2019-04-01",
            "valid_from = 2019-04-01\nvalid_to = 2023-04-01",
            1,
        );
        assert_eq!(fault(&later, &ended), "");
    }
}
