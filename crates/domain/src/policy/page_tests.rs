//! `docs/policies.md` and its sister say what is so: their examples are read, their cases run, and they name every word.

use super::case::{parse_cases, run};
use super::{Policy, conventions, fields};

const PAGE: &str = include_str!("../../../../docs/policies.md");
const SECTIONS: &str = include_str!("../../../../docs/policy-sections.md");

/// Gives the first block of a language.
fn block(page: &'static str, language: &str) -> &'static str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0
}

#[test]
fn the_example_of_the_page_is_a_policy_and_its_cases_hold() {
    cases_hold(PAGE);
    cases_hold(SECTIONS);
}

#[track_caller]
fn cases_hold(page: &'static str) {
    hold(&Policy::parse("example.toml", block(page, "toml")).unwrap(), block(page, "json"));
}

#[track_caller]
fn hold(policy: &Policy, cases: &str) {
    let cases = parse_cases(cases).unwrap();
    let mut failures = Vec::new();
    for case in &cases {
        let outcome = run(std::slice::from_ref(policy), case);
        assert!(case.expects(), "{}", case.name);
        failures
            .extend(outcome.difference.map(|difference| format!("{}: {difference}", case.name)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every rule of the page stands in the example, each alone, without a fault.
#[test]
fn the_rules_of_the_page_are_read() {
    assert!(rules(PAGE).len() >= 10);
}

/// The rules of the page of sections stand in the same example, each with its own cases.
#[test]
fn the_rules_of_the_page_of_sections_give_what_their_cases_expect() {
    assert!(rules(SECTIONS).len() >= 4);
    for (rule, policy, rest) in rules(SECTIONS) {
        let (between, cases) = rest.split_once("```json\n").unwrap();
        assert!(!between.contains("```toml"), "{rule} has no cases of its own");
        hold(&policy, cases.split_once("\n```").unwrap().0);
    }
}

/// Gives each rule that stands alone on a page, the example with that rule, and the text behind it.
fn rules(page: &'static str) -> Vec<(&'static str, Policy, &'static str)> {
    let (head, _) = block(PAGE, "toml").split_once("[[cap]]").unwrap();
    let head = head.replace("day_count =", "block = \"completed\"\nday_count =");
    let rules = page.split("```toml\n[[rule]]").skip(1).map(|rule| {
        let (rule, rest) = rule.split_once("\n```").unwrap();
        let policy = Policy::parse("rule.toml", &format!("{head}[[rule]]{rule}"));
        (
            rule,
            policy.unwrap_or_else(|faults| {
                panic!(
                    "{rule}
{faults:#?}"
                )
            }),
            rest,
        )
    });
    rules.collect()
}

#[test]
fn the_page_names_every_word() {
    fn names<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
        words.iter().map(|(word, _)| *word).collect()
    }
    let words = [
        names(fields::VERSION_SELECTORS),
        names(fields::ROUNDING_MODES),
        names(fields::ROUNDING_POINTS),
        names(fields::TRIGGER_MODES),
        names(fields::FORCE_MAJEURE),
        names(fields::COVERS),
        names(super::exclusions::PLANNED),
        names(conventions::DAY_COUNTS),
        names(conventions::BLOCKS),
        names(conventions::RESTORATION_DAYS),
        names(conventions::ACCESSORIES),
        names(fields::COMPONENT_CLASSES),
        names(fields::SEGMENTS),
        names(fields::GRADES),
        names(fields::CONCURRENCES),
        names(fields::KINDS),
        names(fields::PAYERS),
        names(super::minimum::BELOW),
        names(super::file::SETTLED_BY),
        names(super::rule::PAYS_IN),
        names(super::count::UNITS),
        names(super::caps::CAP_PER),
        names(super::count::CLOCKS),
        names(super::count::PERIODS),
        names(super::count::UPTIME_OF),
        names(super::amount::FORMULAS),
        names(super::amount::BASES),
    ];
    for word in words.concat() {
        assert!(PAGE.contains(&format!("`{word}`")), "{word} is not on the page");
    }
    for (variable, fields) in super::condition::FIELDS {
        for field in *fields {
            assert!(PAGE.contains(&format!("`{variable}.{field}`")), "{variable}.{field}");
        }
    }
}
