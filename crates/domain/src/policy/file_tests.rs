//! What is refused in a policy file: each fault with its place and its cure.

use super::{Policy, PolicyError, shipped};

fn agcom() -> &'static str {
    shipped().iter().find(|shipped| shipped.id == "agcom-347-18").unwrap().text
}

/// Changes one text of the AGCOM policy and gives the faults as `line:column: what; fix`.
#[track_caller]
fn faults(from: &str, to: &str) -> Vec<String> {
    assert!(agcom().contains(from), "{from:?} is not in the file");
    let text = agcom().replacen(from, to, 1);
    let errors = Policy::parse("p.toml", &text).expect_err("the change is no fault");
    errors.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    let found = faults(from, to);
    assert!(found.len() == 1 && found[0].contains(expected), "{expected:?} is not in {found:#?}");
    let place = found[0].split(':').collect::<Vec<_>>();
    assert!(place[0] == "p.toml" && place[1].parse::<usize>().unwrap() >= 1, "{found:?}");
}

#[test]
fn an_unknown_key_is_refused_with_what_was_meant() {
    check(
        "valid_from",
        "valid_form = 2018-01-01\nvalid_from",
        "unknown key \"valid_form\" in the policy; did you mean \"valid_from\"?",
    );
    check(
        "point = \"line\"",
        "point = \"line\"\ncolour = 1",
        "remove it; known keys are mode, places, point",
    );
    check("due_days = 45", "due_days = 45, grace = 1", "unknown key \"grace\" in [count]");
    check("point = \"line\"", "point = \"lines\"", "did you mean \"line\"?");
}

#[test]
fn what_is_left_undefined_is_refused() {
    check("point = \"line\"\n", "", "[rounding] has no \"point\"; write point = \"unit\"");
    check(
        "zone = \"Europe/Rome\"\n",
        "",
        "the policy has no \"zone\"; write zone = \"Europe/Rome\"",
    );
    check("zone = \"Europe/Rome\"", "zone = \"Europe/Roma\"", "unknown time zone \"Europe/Roma\"");
    check("currency = \"EUR\"", "currency = \"EURO\"", "unknown currency \"EURO\"");
    check(
        "degraded = \"3.00\", ",
        "",
        "the rates do not cover every grade: free, accessory, degraded, total",
    );
    check("each = \"2.50\"", "total = \"2.50\"", "this count has no grades; write one rate: each");
    check(
        "restoration_day = \"counts\"\n",
        "",
        "rule \"outage-days\" depends on \"restoration_day\"",
    );
    check("goodwill = \"cumulative\"\n", "", "[concurrence] has no \"goodwill\"");
    check("source = \"AGCOM 347/18/CONS, annex A, art. 6\"\n", "", "[[rule]] 1 has no \"source\"");
}

#[test]
fn a_figure_that_cannot_be_right_is_refused() {
    check(
        "total = \"6.00\"",
        "total = 6.00",
        "\"total\" of [amount] is float, not a text in quotes; write total = \"6.00\"",
    );
    check("total = \"6.00\"", "total = \"6.005\"", "\"6.005\" is not an amount in EUR");
    check("total = \"6.00\"", "total = \"-6.00\"", "is negative");
    check("factor = \"2\"", "factor = \"two\"", "not a decimal from 0");
    check("valid_from = 2018-07-18", "valid_from = \"2018-07-18\"", "not a date without quotes");
    check(
        "valid_from = 2018-07-18",
        "valid_from = 2018-07-18\nvalid_to = 2018-07-18",
        "is not after 2018-07-18",
    );
    check(
        "calendar_months = 3",
        "calendar_months = 3, days = 90",
        "exactly one of calendar_months, days, billing_cycles",
    );
    check("id = \"late-answer\"", "id = \"outage-days\"", "two rules are called \"outage-days\"");
    check(
        "mode = \"half_up\"",
        "mode = \"half_up\"\nplaces = 3",
        "3 places are more than the currency's 2",
    );
}

#[test]
fn all_faults_are_found_in_one_go_in_the_order_of_the_file() {
    let text =
        agcom().replace("EUR\"\nversion", "EURO\"\nversion").replace("\"half_up\"", "\"halfup\"");
    let text = text.replace("segment = \"business\"", "segment = \"busines\"");
    let errors = Policy::parse("p.toml", &text).unwrap_err();
    let lines: Vec<(usize, usize)> =
        errors.iter().map(|error| (error.line, error.column)).collect();
    let line_of = |part: &str| text[..text.find(part).unwrap()].matches('\n').count() + 1;
    let expected = [(line_of("EURO"), 12), (line_of("\"halfup"), 8), (line_of("\"busines\""), 11)];
    assert_eq!(lines, expected, "{errors:#?}");
}

#[test]
fn broken_toml_is_refused_where_it_breaks() {
    let errors = Policy::parse("p.toml", "id = \"a\"\nversion = \n").unwrap_err();
    assert!(matches!(&errors[..], [PolicyError { line: 2, .. }]), "{errors:?}");
    assert!(!Policy::parse("p.toml", "").unwrap_err().is_empty());
    let long = "#".repeat(300 * 1024);
    assert!(Policy::parse("p.toml", &long).unwrap_err()[0].what.contains("bytes"));
}

#[test]
fn a_grant_without_a_price_needs_an_estimate() {
    let libero = shipped().iter().find(|shipped| shipped.id == "libero-2023").unwrap().text;
    let text = libero.replace("estimate = \"10.00\"\n", "");
    let errors = Policy::parse("p.toml", &text).unwrap_err();
    assert!(errors[0].what.contains("without a price"), "{errors:?}");
}

#[test]
fn a_policy_tells_what_it_is() {
    let policy = Policy::parse("p.toml", agcom()).unwrap();
    assert_eq!((policy.id(), policy.version()), ("agcom-347-18", "1"));
    assert_eq!(policy.zone().iana_name(), Some("Europe/Rome"));
    assert_eq!(policy.currency().code(), "EUR");
    assert_eq!(
        (policy.valid_from().to_string(), policy.valid_to()),
        ("2018-07-18".to_owned(), None)
    );
    assert_eq!(policy.settlement().map(|settlement| settlement.days), Some(45));
}

/// Files that want to exhaust the stack, the memory or the time are refused like any other.
#[test]
fn hostile_files_are_refused_at_once() {
    let deep = 60_000;
    let hostile = [
        format!("id = {}", "[".repeat(deep)),
        format!("id = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("id = {}1{}", "{a=".repeat(deep), "}".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        format!("[[{}a]]", "a.".repeat(deep)),
        "[[rule]]\n".repeat(25_000),
        (0..20_000).fold(String::new(), |text, key| format!("{text}k{key} = 1\n")),
        "x".repeat(1 << 20),
        agcom().replace(
            "free_plans = [\"free\"]",
            &format!("free_plans = [{}]", "\"a\",".repeat(60_000)),
        ),
    ];
    for text in &hostile {
        let begun = std::time::Instant::now();
        let faults = Policy::parse("p.toml", text).map(|_| ()).unwrap_err();
        let shown = &text[..text.len().min(40)];
        // Fifty milliseconds in a release build; a debug build on a busy machine is many times slower.
        assert!(begun.elapsed().as_millis() < 5_000, "{shown}: {:?}", begun.elapsed());
        assert!(!faults.is_empty() && faults.len() <= 200, "{shown}: {} faults", faults.len());
    }
}
