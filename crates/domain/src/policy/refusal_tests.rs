//! Each kind of thing that a policy can leave undefined: refused with line, column, what is undefined and what to write.

use super::{Policy, shipped};

/// Changes a shipped policy. The fault is at `place`, a text of the changed file, and says `expected`.
#[track_caller]
fn check(id: &str, (from, to): (&str, &str), place: &str, expected: &str) {
    let text = shipped().iter().find(|one| one.id == id).unwrap().text;
    assert!(text.contains(from), "{from:?} is not in the file");
    let text = text.replacen(from, to, 1);
    let errors = Policy::parse("p.toml", &text).expect_err("the change is no fault");
    let at = text.find(place).unwrap_or_else(|| panic!("{place:?} is not in the changed file"));
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(found, [format!("p.toml:{line}:{column}: {expected}")]);
}

#[test]
fn tiers_that_leave_a_value_open_or_cover_it_twice() {
    let closed = "{ at_most = \"99.0\", percent = \"25\" }";
    check(
        "github-sla",
        (closed, "{ below = \"99.0\", percent = \"25\" }"),
        "\"99.0\", percent = \"25\"",
        "exactly 99 % has no tier; write at_most = \"99\"",
    );
    check(
        "github-sla",
        (closed, "{ at_most = \"99.5\", percent = \"25\" }"),
        "\"99.5\"",
        "uptimes between 99 and 99.5 % have two tiers; write at_most = \"99\"",
    );
}

#[test]
fn a_missing_rounding_point_or_zone() {
    check(
        "agcom-347-18",
        ("point = \"line\"\n", ""),
        "[rounding]",
        "[rounding] has no \"point\"; write point = \"unit\"",
    );
    check(
        "agcom-347-18",
        ("zone = \"Europe/Rome\"\n", ""),
        "# Indemnities",
        "the policy has no \"zone\"; write zone = \"Europe/Rome\"",
    );
}

#[test]
fn an_unknown_key() {
    check(
        "agcom-347-18",
        ("valid_from", "valid_form = 1\nvalid_from"),
        "valid_form",
        "unknown key \"valid_form\" in the policy; did you mean \"valid_from\"?",
    );
}

/// Money is no part of conditions, amounts are no expressions, and no figure is a float.
#[test]
fn an_expression_over_money_and_floats() {
    let when = "outage.cause != \"force_majeure\"";
    check(
        "eu-261",
        (when, "subscription.fee > 10"),
        "'subscription.fee",
        "\"subscription\" has no field \"fee\"; use service, plan, segment, class, in_arrears",
    );
    check(
        "eu-261",
        (when, "claim.count * 6 > 12"),
        "'claim.count",
        "the condition calls \"_*_\"; use comparisons of fields with values only",
    );
    check(
        "eu-261",
        (when, "claim.count > 0.5"),
        "'claim.count",
        "the condition has a decimal number; use comparisons of fields with values only",
    );
    check(
        "agcom-347-18",
        ("total = \"6.00\"", "total = \"6.00 * 2\""),
        "\"6.00 * 2\"",
        "\"total\" of [amount]: \"6.00 * 2\" is not an amount in EUR: write digits, a point and at most 2 decimals; write total = \"6.00\"",
    );
    check(
        "agcom-347-18",
        ("total = \"6.00\"", "total = 6.0"),
        "6.0",
        "\"total\" of [amount] is float, not a text in quotes; write total = \"6.00\"",
    );
}

#[test]
fn a_condition_of_the_wrong_type_or_too_costly() {
    let when = "outage.cause != \"force_majeure\"";
    check(
        "eu-261",
        (when, "claim.count == \"one\""),
        "'claim.count",
        "\"_==_\" cannot be asked of a number and a text; compare with ==, !=, in, <, >",
    );
    let costly = format!("claim.count in [{}]", vec!["1"; 120].join(","));
    check(
        "eu-261",
        (when, &costly),
        "'claim.count",
        "the condition has over 100 nodes or 16 levels; split it into several conditions",
    );
    check(
        "eu-261",
        (when, "[1, 2].all(x, x > 0)"),
        "'[1, 2]",
        "the condition loops; use comparisons of fields with values only",
    );
}

#[test]
fn a_table_of_rates_with_a_hole_in_time() {
    let to = "{ from = 2019-04-01, to = 2021-03-01, each = \"8.00\" }";
    check(
        "ofcom",
        ("{ from = 2019-04-01, each = \"8.00\" }", to),
        "2021-04-01, each = \"8.06\"",
        "there is a hole between the rates until 2021-03-01 and from 2021-04-01; write from = 2021-03-01",
    );
}

/// What the newer sections leave open, or say twice.
#[test]
fn notices_cycles_interest_and_shares() {
    let planned = "planned = \"covered\"";
    check(
        "ofcom",
        (planned, "planned = \"excluded_after_notice\""),
        "[exclusions]",
        "planned work is excluded after a notice, and nothing says of how long; write notice = { days = 5 }",
    );
    check(
        "ofcom",
        (planned, "planned = \"covered\"\nnotice = { days = 5 }"),
        "{ days = 5 }",
        "a notice changes nothing where planned work is covered or excluded anyhow; write planned = \"excluded_after_notice\"",
    );
    check(
        "ofcom",
        (planned, "planned = \"excluded_after_notice\"\nnotice = { days = 5, hours = 1 }"),
        "1 }",
        "the notice needs exactly one of days and hours; write notice = { days = 5 }",
    );
    check(
        "ofcom",
        (planned, "planned = \"covered\"\nunpaid_invoices = {}"),
        "{}",
        "it is open after how many days an invoice excludes; write unpaid_invoices = { days = 30 }",
    );
    let month = "period = \"calendar_month\"";
    check(
        "google-workspace",
        (month, "period = \"billing_cycle\""),
        "\"billing_cycle\"",
        "it is open on which day of the month a billing cycle begins; write cycle_day = 15 or cycle_from = \"subscription_start\"",
    );
    check(
        "google-workspace",
        (month, "period = \"billing_cycle\", cycle_day = 32"),
        "32",
        "there is no day 32 in any month; write 1 to 31",
    );
    check(
        "google-workspace",
        (month, "period = \"billing_cycle\", cycle_day = 3, cycle_from = \"subscription_start\""),
        "\"subscription_start\"",
        "\"cycle_day\" and \"cycle_from\" stand beside each other; keep one of the two",
    );
    check(
        "google-workspace",
        (month, "period = \"calendar_month\", cycle_day = 3"),
        "cycle_day",
        "unknown key \"cycle_day\" in [count]; remove it; known keys are grades, most, of, period, unit",
    );
    let interest =
        "[interest]\nrates = \"france\"\nfrom = \"claim\"\nsource = \"t\"\n\n[exclusions]";
    check(
        "ofcom",
        ("[exclusions]", interest),
        "\"france\"",
        "there are no rates of interest \"france\"; choose from italy",
    );
    let shares = "[shares]\noperator = 0\nfund = 1\nsource = \"t\"\n\n[exclusions]";
    check("ofcom", ("[exclusions]", shares), "0\nfund", "operator bears 0 parts; write 1 to 10000");
    let shares = "[shares]\noperator = 2\nfund = 1\nsource = \"t\"\n\n[exclusions]";
    check(
        "arera-2025",
        ("[exclusions]", shares),
        "[shares]",
        "rule \"long-interruption\" names who pays, and [shares] does as well; keep one of the two",
    );
}

/// Clocks, graces and fees that do not go with what is counted, and a deadline in cycles of two kinds.
#[test]
fn clocks_graces_and_bases_that_do_not_fit_what_is_counted() {
    let grace = "grace = { calendar_days = 2 }";
    check(
        "tkg-58",
        (grace, "grace = { hours = 2, minutes = 3 }"),
        "{ hours",
        "the grace needs exactly one of calendar_days, working_days (up to 3660), hours and minutes (up to as long); write grace = { working_days = 2, calendar = \"england\" }",
    );
    let flat =
        "count = { unit = \"outage\" }\namount = { formula = \"per_unit\", each = \"30.00\" }";
    let with = |count: &str, amount: &str| {
        let needs = "[conventions]\nblock = \"completed\"\naccessory = \"absorbed\"\nday_count = \"local_days\"\nrestoration_day = \"counts\"";
        let text = shipped().iter().find(|one| one.id == "altroconsumo-30").unwrap().text;
        let text = text.replace("[conventions]", needs);
        let whole = &text[text.find("[conventions]").unwrap()..text.find(flat).unwrap()];
        format!("{whole}count = {{ {count} }}\namount = {{ {amount} }}")
    };
    let text = shipped().iter().find(|one| one.id == "altroconsumo-30").unwrap().text;
    let from = text[text.find("[conventions]").unwrap()..].to_owned();
    let check = |count: &str, amount: &str, place: &str, expected: &str| {
        check("altroconsumo-30", (&from, &with(count, amount)), place, expected);
    };
    let each = "formula = \"per_unit\", each = \"0.10\"";
    check(
        "unit = \"minute\", grace = { calendar_days = 2 }",
        each,
        "{ calendar_days",
        "a grace of whole days leaves out no minutes; write grace = { hours = 48 }",
    );
    check(
        "unit = \"outage\", clock = \"declaration\"",
        each,
        "clock",
        "unknown key \"clock\" in [count]; remove it; known keys are grades, unit",
    );
    check(
        "unit = \"minute\"",
        "formula = \"fee_share\", base = \"days_in_term\"",
        "\"days_in_term\"",
        "a fee that is spread over days has no share for a minute; write base = \"seconds\"",
    );
    check(
        "unit = \"local_day\"",
        "formula = \"fee_share\", base = \"seconds\"",
        "\"seconds\"",
        "a local_day is no count of seconds; write base = \"days_in_term\", or count = { unit = \"second\" }",
    );
    check(
        "unit = \"minute\"",
        "formula = \"by_index\", bands = [{ from = 1, each = \"1.00\" }]",
        "\"by_index\"",
        "\"by_index\" cannot be given for a count of \"minute\"; choose a formula for \"minute\"",
    );
}

#[test]
fn a_deadline_in_billing_cycles_of_two_kinds() {
    let text = shipped().iter().find(|one| one.id == "aws-s3").unwrap().text;
    let rule = &text[text.find("[[rule]]").unwrap()..];
    let cycles = |id: &str, day: u8| {
        let cycle = format!("period = \"billing_cycle\", cycle_day = {day}");
        let rule = rule.replace("period = \"calendar_month\"", &cycle);
        rule.replace("id = \"uptime\"", &format!("id = {id:?}"))
    };
    let both = format!("{}{}", cycles("uptime", 3), cycles("other", 4));
    check(
        "aws-s3",
        (rule, &both),
        "[trigger]",
        "the deadline counts billing cycles, and those of rules \"uptime\" and \"other\" begin on different days; write the deadline in days or calendar_months",
    );
}
