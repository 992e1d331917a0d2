//! Worked examples that are no case of a shipped policy: texts that are refused, a tariff by its index, small policies.

use super::case::{parse_cases, run};
use super::{Policy, shipped};

fn text(id: &str) -> &'static str {
    shipped().iter().find(|shipped| shipped.id == id).unwrap().text
}

/// The policy's text as published, with what is left open, is refused with what to write.
#[track_caller]
fn refused(id: &str, from: &str, to: &str, expected: &str) {
    assert!(text(id).contains(from), "{from:?} is not in the file");
    let changed = text(id).replacen(from, to, 1);
    let errors = Policy::parse("p.toml", &changed).expect_err("the change is no fault");
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|error| error.contains(expected)), "{expected:?}: {found:#?}");
}

#[test]
fn tiers_that_leave_an_uptime_open_or_cover_it_twice_are_refused() {
    let closed = "{ at_most = \"99.0\", percent = \"25\" }";
    refused(
        "github-sla",
        closed,
        "{ below = \"99.0\", percent = \"25\" }",
        "exactly 99 % has no tier; write at_most = \"99\"",
    );
    refused(
        "github-sla",
        closed,
        "{ at_most = \"98.0\", percent = \"25\" }",
        "between 98 and 99 % have no tier",
    );
    refused("github-sla", closed, "{ at_most = \"99.5\", percent = \"25\" }", "have two tiers");
    refused(
        "github-sla",
        closed,
        "{ from = \"95.0\", at_most = \"99.0\", percent = \"25\" }",
        "uptimes under 95 % have no tier",
    );
    refused(
        "aws-s3",
        "{ from = \"99.0\", below = \"99.9\"",
        "{ above = \"99.0\", below = \"99.9\"",
        "exactly 99 % has no tier",
    );
    refused("aws-s3", "below = \"99.9\", percent", "percent", "the tier has no upper bound");
    refused(
        "aws-s3",
        "below = \"95.0\", percent = \"100\"",
        "below = \"95.0\", percent = \"101\"",
        "more than the charges",
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    refused("tkg-58", "calendar_days = 2 }", "working_days = 2 }", "[grace] has no \"calendar\"");
    refused(
        "ofcom",
        "\"england\"",
        "\"scotland\"",
        "there is no calendar \"scotland\"; choose from england, germany, italy",
    );
    refused("ofcom", "grades = [\"total\"]", "grades = [\"totally\"]", "did you mean \"total\"?");
    refused(
        "arera-2025",
        "unit = \"hour_block\"",
        "unit = \"uptime\"",
        "[count] has no \"period\"",
    );
    refused("arera-2025", "hours = 4,", "hours = 4, clock = \"report\",", "unknown key \"clock\"");
    refused(
        "aws-s3",
        "formula = \"uptime_credit\"",
        "formula = \"quota\"",
        "cannot be given for a count of \"uptime\"",
    );
    refused(
        "ofcom",
        "valid_from = 2019-04-01",
        "valid_from = 2019-01-01",
        "has no rate before 2019-04-01",
    );
    refused(
        "eu-261",
        "    { each = \"600.00\", halved_up_to_minutes = 240 },\n",
        "",
        "longer journeys have no amount",
    );
    refused("tkg-58", "from = 3, to = 4", "from = 4, to = 4", "3 has no rate");
}

/// The rates that Ofcom published, from the first ones and the yearly index: each year raises the rounded figure before.
#[test]
fn an_index_gives_the_published_rates() {
    let base = text("ofcom");
    let (head, rules) = base.split_once("[[rule]]").unwrap();
    let first = rules.split("[[rule]]").next().unwrap();
    let count = first.lines().find(|line| line.starts_with("count")).unwrap();
    let published = [
        ("8.00", ["8.00", "8.06", "8.40", "9.33", "9.76", "9.98", "10.34"]),
        ("25.00", ["25.00", "25.18", "26.24", "29.15", "30.49", "31.19", "32.31"]),
        ("5.00", ["5.00", "5.04", "5.25", "5.83", "6.10", "6.24", "6.46"]),
    ];
    for (each, rates) in published {
        let rule = format!(
            r#"[[rule]]
id = "by-index"
kind = "indemnity"
source = "test"
{count}

[rule.amount]
formula = "per_unit"

[rule.amount.indexed]
from = 2019-04-01
each = "{each}"
rounding = "half_up"
steps = [
    {{ from = 2021-04-01, percent = "0.7", remark = "index from memory" }},
    {{ from = 2022-04-01, percent = "4.2" }},
    {{ from = 2023-04-01, percent = "11.1", remark = "index from memory" }},
    {{ from = 2024-04-01, percent = "4.6", remark = "index from memory" }},
    {{ from = 2025-04-01, percent = "2.3", remark = "index from memory" }},
    {{ from = 2026-04-01, percent = "3.6", remark = "index from memory" }},
]
"#
        );
        let policy = Policy::parse("indexed.toml", &format!("{head}{rule}")).unwrap();
        for (year, rate) in [2019, 2021, 2022, 2023, 2024, 2025, 2026].into_iter().zip(rates) {
            // Reported on Tuesday 5 May at the latest; the one midnight after the grace is in the same tariff year.
            let case = format!(
                r#"{{"name": "{year}", "subscription": {{"service": "broadband"}}, "reports": [{{"at": "{year}-07-01T10:00"}}],
                "outage": {{"impacts": [{{"component": "broadband", "severity": "total", "from": "{year}-07-01T09:00", "to": "{year}-07-20T10:00"}}]}}}}"#
            );
            let case = parse_cases(&case).unwrap().remove(0);
            let reason = run(std::slice::from_ref(&policy), &case).decision.unwrap();
            let lines: Vec<&str> = reason
                .trace
                .iter()
                .filter(|line| line.amount.is_some())
                .map(|line| line.rate.as_str())
                .collect();
            assert_eq!(lines, [rate], "{year}");
        }
    }
}

/// A policy with one rule, for worked examples of its own.
pub(super) fn small(currency: &str, rule: &str) -> Policy {
    let head = text("altroconsumo-30").split_once("[[rule]]").unwrap().0;
    let head = head.replace("currency = \"EUR\"", &format!("currency = {currency:?}"));
    let head = head.replace(
        "relapse_merge_minutes",
        "block = \"completed\"\nday_count = \"local_days\"\nrestoration_day = \"counts\"\naccessory = \"absorbed\"\nrelapse_merge_minutes",
    );
    let head = head.replace("damages = \"cumulative\"", "damages = \"set_off\"");
    Policy::parse("small.toml", &format!("{head}[[rule]]\nid = \"r\"\nsource = \"test\"\n{rule}"))
        .unwrap()
}

#[track_caller]
pub(super) fn check(policy: &Policy, case: &str) {
    let case = parse_cases(case).unwrap().remove(0);
    assert!(case.expects());
    let outcome = run(std::slice::from_ref(policy), &case);
    assert_eq!(outcome.difference, None, "{:#?}", outcome.decision);
}

/// Worked example G5: five working days at 14.52, then three at 48.40.
#[test]
fn g5_working_days_have_the_rate_of_their_place() {
    let rule = r#"kind = "indemnity"
count = { unit = "working_day", calendar = "england" }
amount = { formula = "by_index", bands = [{ from = 1, to = 5, each = "14.52" }, { from = 6, each = "48.40" }] }
"#;
    // From Monday 16 to Wednesday 25 January 2023: eight working days and a weekend.
    check(
        &small("AUD", rule),
        r#"{"name": "G5", "subscription": {"service": "s"},
        "outage": {"impacts": [{"component": "mailbox", "severity": "total", "from": "2023-01-16", "to": "2023-01-25T10:00"}]},
        "expect": {"remedies": [{"kind": "indemnity", "grant": {"money": {"amount": "217.80", "currency": "AUD"}}}]}}"#,
    );
}

/// Worked example G8: 200.00 of damages, of which an indemnity of 30.00 was already paid and is deducted.
#[test]
fn g8_an_indemnity_is_deducted_from_damages() {
    let rule = "kind = \"damages\"\ncount = { unit = \"recognised_claim\" }\namount = { formula = \"recognised\" }\n";
    check(
        &small("EUR", rule),
        r#"{"name": "G8", "subscription": {"service": "s"}, "outage": {},
        "claims": [{"received": "2023-02-01", "recognised": {"amount": "200.00", "currency": "EUR"}}],
        "granted": [{"kind": "indemnity", "amount": "30.00", "currency": "EUR", "policy": "agcom-347-18"}],
        "expect": {"remedies": [{"kind": "damages", "grant": {"money": {"amount": "170.00", "currency": "EUR"}}}]}}"#,
    );
}

/// Opting in until a date, and the other deadlines.
#[test]
fn deadlines_end_with_their_last_day() {
    let base = text("aws-s3");
    let rule = "deadline = { billing_cycles = 2 }";
    let last_days = [
        ("billing_cycles = 1", "2023-02-28"),
        ("billing_cycles = 2", "2023-03-31"),
        ("days_after_quarter_end = 30", "2023-04-30"),
        ("until = 2023-02-20", "2023-02-20"),
        ("days = 30", "2023-02-09"),
        ("calendar_months = 3", "2023-04-10"),
    ];
    for (deadline, last) in last_days {
        for mode in ["on_claim", "opt_in"] {
            let text = base.replace(rule, &format!("deadline = {{ {deadline} }}"));
            let text = text.replace("mode = \"on_claim\"", &format!("mode = {mode:?}"));
            let policy = Policy::parse("p.toml", &text).unwrap();
            let last: jiff::civil::Date = last.parse().unwrap();
            for (day, paid) in [(last, true), (last.tomorrow().unwrap(), false)] {
                let case = format!(
                    r#"{{"name": "c", "subscription": {{"service": "s"}}, "claims": [{{"received": "{day}T12:00:00Z"}}],
                    "charges": [{{"from": "2023-01-01", "to": "2023-02-01", "amount": "50.00", "currency": "USD"}}],
                    "outage": {{"impacts": [{{"component": "s3", "severity": "total", "from": "2023-01-10T00:00:00Z", "to": "2023-01-11T00:00:00Z"}}]}}}}"#
                );
                let case = parse_cases(&case).unwrap().remove(0);
                let reason = run(std::slice::from_ref(&policy), &case).decision.unwrap();
                assert_eq!(!reason.remedies.is_empty(), paid, "{deadline} {mode} {day}");
            }
        }
    }
}

/// A deadline in billing cycles counts those that the policy counts, from a day of the month or the subscription's start.
#[test]
fn a_deadline_counts_the_policy_s_own_billing_cycles() {
    let month = "period = \"calendar_month\"";
    // Down on 30 January: in the cycle from 15 January, and in that from 31 December.
    let last_days = [
        ("period = \"billing_cycle\", cycle_day = 15", "2023-04-14"),
        ("period = \"billing_cycle\", cycle_from = \"subscription_start\"", "2023-03-30"),
        (month, "2023-03-31"),
    ];
    for (period, last) in last_days {
        let text_of = text("aws-s3").replace(month, period);
        let policy = Policy::parse("p.toml", &text_of).unwrap();
        let last: jiff::civil::Date = last.parse().unwrap();
        for (day, paid) in [(last, true), (last.tomorrow().unwrap(), false)] {
            let case = format!(
                r#"{{"name": "c", "claims": [{{"received": "{day}T12:00:00Z"}}],
                "subscription": {{"service": "s", "periods": [{{"plan": "p", "fee": "50.00", "fee_period": "month", "from": "2022-10-31"}}]}},
                "outage": {{"impacts": [{{"component": "s3", "severity": "total", "from": "2023-01-30T00:00:00Z", "to": "2023-01-30T23:00:00Z"}}]}}}}"#
            );
            let case = parse_cases(&case).unwrap().remove(0);
            let reason = run(std::slice::from_ref(&policy), &case).decision.unwrap();
            assert_eq!(!reason.remedies.is_empty(), paid, "{period} {day}");
        }
    }
}

/// Caps hold in their order: for a unit, a month, a rule, the policy.
#[test]
fn caps_of_every_level_hold() {
    let case = |owed: &str| {
        format!(
            r#"{{"name": "caps", "subscription": {{"service": "s", "periods": [{{"plan": "p", "fee": "60.00", "fee_period": "year", "from": "2022-01-01"}}]}},
            "outage": {{"impacts": [{{"component": "mailbox", "severity": "total", "from": "2023-01-30", "to": "2023-02-05"}}]}},
            "expect": {{"remedies": [{{"kind": "indemnity", "grant": {{"money": {{"amount": "{owed}", "currency": "EUR"}}}}}}]}}}}"#
        )
    };
    let rule = |caps: &str| {
        format!(
            "kind = \"indemnity\"\ncount = {{ unit = \"local_day\" }}\namount = {{ formula = \"per_unit\", each = \"4.00\" }}\ncaps = [{caps}]\n"
        )
    };
    let unit = r#"{ amount = "3.00", per = "unit", source = "t" }"#;
    let month = r#"{ amount = "10.00", per = "month", source = "t" }"#;
    let fees = r#"{ monthly_fees = 3, source = "t" }"#;
    let policy = "[[cap]]\namount = \"14.00\"\nsource = \"t\"\n";
    // Two days in January and four in February.
    check(&small("EUR", &rule("")), &case("24.00"));
    check(&small("EUR", &rule(unit)), &case("18.00"));
    check(&small("EUR", &rule(month)), &case("18.00"));
    check(&small("EUR", &rule(&format!("{unit}, {month}"))), &case("16.00"));
    check(&small("EUR", &rule(fees)), &case("15.00"));
    let grade = r#"{ grade = "total", amount = "2.00", source = "t" }"#;
    let graded = |caps: &str| {
        let each = "free = \"4.00\", accessory = \"4.00\", degraded = \"4.00\", total = \"4.00\"";
        small("EUR", &rule(caps).replace("each = \"4.00\"", each))
    };
    check(&graded(&format!("{month}, {grade}")), &case("2.00"));
    check(&small("EUR", &format!("{}{policy}", rule(&format!("{month}, {fees}")))), &case("14.00"));
}

/// Two versions of one policy: each day counts under the version that is in force on it; both on one day are refused.
#[test]
fn each_day_counts_under_the_version_in_force() {
    let first = text("ofcom")
        .replace("valid_from = 2019-04-01", "valid_from = 2019-04-01\nvalid_to = 2023-02-05");
    let second = text("ofcom")
        .replace("version = \"1\"", "version = \"2\"")
        .replace("valid_from = 2019-04-01", "valid_from = 2023-02-05")
        .replace("each = \"8.40\"", "each = \"10.00\"");
    let case = r#"{"name": "O1 over two versions", "subscription": {"service": "broadband"}, "reports": [{"at": "2023-02-01T10:00"}],
        "outage": {"impacts": [{"component": "broadband", "severity": "total", "from": "2023-02-01T09:00", "to": "2023-02-06T10:00"}]},
        "expect": {"remedies": [{"kind": "indemnity", "grant": {"money": {"amount": "28.40", "currency": "GBP"}}}]}}"#;
    let case = parse_cases(case).unwrap().remove(0);
    let parse = |text: &str| Policy::parse("p.toml", text).unwrap();
    let versions = [parse(&second), parse(&first)];
    assert_eq!(run(&versions, &case).difference, None);
    let overlapping = [parse(&second), parse(text("ofcom"))];
    assert!(overlapping[0].overlaps(&overlapping[1]) && !versions[0].overlaps(&versions[1]));
    assert_eq!(run(&overlapping, &case).decision.unwrap_err().reason, "INVALID_CASE");
}
