//! What happens to an amount after it is calculated: earlier grants, interest, the minimum payout, shares of payers.

use super::case::{parse_cases, run};
use super::regime_tests::{check, small};
use super::{Policy, shipped};
use crate::money::Money;
use crate::remedy::Reason;

/// A flat amount of 1,000.00 with sections of its own.
fn flat(sections: &str) -> Policy {
    let rule = "kind = \"indemnity\"\ncount = { unit = \"outage\" }\namount = { formula = \"per_unit\", each = \"1000.00\" }\n";
    small("EUR", &format!("{rule}\n{sections}"))
}

/// A case of an outage on 1 June 2023 with fields of its own.
fn case(fields: &str, owed: &str) -> String {
    format!(
        r#"{{"name": "c", "subscription": {{"service": "s"}}, {fields}
        "outage": {{"impacts": [{{"component": "mailbox", "severity": "total", "from": "2023-06-01", "to": "2023-06-02"}}]}},
        "expect": {{{owed}}}}}"#
    )
}

fn owed(amount: &str) -> String {
    format!(
        r#""remedies": [{{"kind": "indemnity", "grant": {{"money": {{"amount": "{amount}", "currency": "EUR"}}}}}}]"#
    )
}

fn lines(reason: &Reason) -> i64 {
    reason.trace.iter().filter_map(|line| line.amount).map(|money| money.minor).sum()
}

/// Legal interest: 5 % over the 365 days of 2023, 2.5 % over the 366 of 2024.
#[test]
fn legal_interest_runs_from_the_day_after_until_the_payment() {
    let from = |clock: &str| {
        flat(&format!(
            "[interest]\nrates = \"italy\"\nfrom = \"{clock}\"\nsource = \"civil code, art. 1284\"\n"
        ))
    };
    let claim = r#""claims": [{"received": "2023-12-01T10:00"}], "paid_on": "2024-03-01","#;
    // 30 days of 2023 and 61 of 2024: 4.109589 and 4.166667.
    check(&from("claim"), &case(claim, &owed("1008.28")));
    // x 1008.29 with 365 days in 2024, x 1012.47 with the rate of 2023 for all of them.
    let start = r#""paid_on": "2023-12-31","#;
    check(&from("outage_start"), &case(start, &owed("1029.18")));
    check(
        &from("known"),
        &case(r#""known_at": "2023-06-03T09:00", "paid_on": "2023-06-13","#, &owed("1001.37")),
    );
    // Interest is on what is still owed after what was granted before.
    let granted = r#""paid_on": "2023-12-31", "granted": [{"kind": "indemnity", "amount": "500.00", "currency": "EUR"}],"#;
    check(&from("outage_start"), &case(granted, &owed("514.59")));
}

#[test]
fn without_a_day_of_payment_or_a_rate_there_is_no_guess() {
    let policy = flat("[interest]\nrates = \"italy\"\nfrom = \"claim\"\nsource = \"t\"\n");
    let because = |reason: &str| format!("{}, \"excluded\": [\"{reason}\"]", owed("1000.00"));
    check(&policy, &case("", &because("PAYMENT_DAY_UNKNOWN")));
    check(&policy, &case(r#""paid_on": "2024-01-01","#, &because("INTEREST_NOT_BEGUN")));
    let same_day = r#""claims": [{"received": "2023-12-01T10:00"}], "paid_on": "2023-12-01","#;
    check(&policy, &case(same_day, &because("PAID_IN_TIME")));
    let late = r#""claims": [{"received": "2023-12-01T10:00"}], "paid_on": "2027-01-01","#;
    check(&policy, &case(late, "\"refused\": \"NO_RATE\""));
}

/// The rest of a cent that is rounded away at the end is never taken off again: a set-off leaves nothing, not less.
#[test]
fn a_set_off_takes_what_is_owed_and_not_a_cent_more() {
    let rule = "kind = \"indemnity\"\ncount = { unit = \"local_day\" }\namount = { formula = \"fee_share\", base = \"30_360\" }\n";
    let policy = small("EUR", rule);
    for mode in ["half_up", "half_even", "up"] {
        // 0.15 a month over 30 days is half a cent a day.
        for (days, granted) in [(1, 1), (1, 5), (3, 1), (5, 1), (5, 2)] {
            let case = format!(
                r#"{{"name": "c", "subscription": {{"service": "s", "periods": [{{"plan": "p", "fee": "0.15", "fee_period": "month", "from": "2022-01-01"}}]}},
                "outage": {{"impacts": [{{"component": "mailbox", "severity": "total", "from": "2023-06-01", "to": "2023-06-{:02}"}}]}},
                "granted": [{{"kind": "indemnity", "amount": "0.0{granted}", "currency": "EUR"}}],
                "conventions": {{"rounding_point": "end", "rounding_mode": "{mode}"}}}}"#,
                1 + days
            );
            let exact = crate::rounding::Exact::ratio(days, 2).unwrap();
            let modes = super::fields::ROUNDING_MODES;
            let mode = modes.iter().find(|(word, _)| *word == mode).unwrap().1;
            let expected = (exact.round(mode).unwrap() - granted).max(0);
            let case = parse_cases(&case).unwrap().remove(0);
            let reason = run(std::slice::from_ref(&policy), &case).decision.unwrap();
            let found: i64 = reason
                .remedies
                .iter()
                .filter_map(|one| one.grant.amount())
                .map(|one| one.minor)
                .sum();
            assert_eq!(
                (found, lines(&reason)),
                (expected, expected),
                "{days} days, {granted}, {mode:?}"
            );
        }
    }
}

/// 10.00 over three is 3.34, 3.33, 3.33: the odd cent goes to the lowest number, here the operator.
#[test]
fn what_is_owed_is_shared_between_payers_to_the_cent() {
    let shares = |operator: u32, fund: u32, rounding: &str| {
        let rule = "kind = \"indemnity\"\ncount = { unit = \"outage\" }\namount = { formula = \"per_unit\", each = \"10.00\" }\n";
        let policy = small(
            "EUR",
            &format!("{rule}\n[shares]\noperator = {operator}\nfund = {fund}\nsource = \"t\"\n"),
        );
        let case = case(&format!(r#""conventions": {{"rounding_point": "{rounding}"}},"#), "");
        let case =
            parse_cases(&case.replace("\"expect\": {}", "\"known_at\": null")).unwrap().remove(0);
        let reason = run(std::slice::from_ref(&policy), &case).decision.unwrap();
        assert_eq!(lines(&reason), 1000);
        let part = |payer: &str| {
            let mut of = reason.remedies.iter().filter(|one| one.payer.name() == payer);
            of.next().and_then(|one| one.grant.amount()).map_or(0, |one: Money| one.minor)
        };
        (part("operator"), part("fund"))
    };
    for rounding in ["unit", "line", "end"] {
        assert_eq!(shares(2, 1, rounding), (667, 333));
        assert_eq!(shares(1, 2, rounding), (333, 667));
        assert_eq!(shares(1, 1, rounding), (500, 500));
        assert_eq!(shares(9_999, 1, rounding), (1000, 0));
    }
}

/// Three assessments one after another, each with what the one before carried over.
#[test]
fn small_amounts_are_carried_from_assessment_to_assessment_or_lost() {
    let rule = "kind = \"indemnity\"\ncount = { unit = \"outage\" }\namount = { formula = \"per_unit\", each = \"0.40\" }\n";
    let run_three = |below: &str| {
        let minimum =
            format!("[minimum_payout]\namount = \"1.00\"\nbelow = \"{below}\"\nsource = \"t\"\n");
        let policy = small("EUR", &format!("{rule}\n{minimum}"));
        let (mut carried, mut paid) = (0_i64, Vec::new());
        for _ in 0..4 {
            let before = Money::new(carried, crate::money::Currency::EUR).decimal();
            let fields = format!(
                r#""carried": [{{"kind": "indemnity", "amount": "{before}", "currency": "EUR"}}],"#
            );
            let case = case(&fields, "\"excluded\": []");
            let case = parse_cases(&case).unwrap().remove(0);
            let reason = run(std::slice::from_ref(&policy), &case).decision.unwrap();
            let amounts = reason.remedies.iter().filter_map(|one| one.grant.amount());
            paid.push(amounts.map(|one| one.minor).sum::<i64>());
            assert_eq!(paid.last().copied(), Some(lines(&reason)));
            let small = reason.trace.iter().filter(|line| line.excluded == "BELOW_MINIMUM_PAYOUT");
            let noted = reason.carried.iter().map(|one| (one.before.minor, one.left.minor));
            let before = carried;
            carried = small.filter_map(|line| line.amount).map(|less| -less.minor).sum();
            let expected = (below == "carried_over").then_some((before, carried));
            assert_eq!(noted.collect::<Vec<_>>(), Vec::from_iter(expected));
        }
        paid
    };
    assert_eq!(run_three("carried_over"), [0, 0, 120, 0]);
    assert_eq!(run_three("forfeited"), [0, 0, 0, 0]);
}

/// What is carried over is given as what the policy's rules of its kind give.
#[test]
fn credits_are_carried_over_as_credits() {
    let rule = "kind = \"indemnity\"\npays_in = \"credit\"\ncount = { unit = \"outage\" }\namount = { formula = \"per_unit\", each = \"0.60\" }\n";
    let minimum = "[minimum_payout]\namount = \"1.00\"\nbelow = \"carried_over\"\nsource = \"t\"\n";
    let policy = small("EUR", &format!("{rule}\n{minimum}"));
    let carried = r#""carried": [{"kind": "indemnity", "amount": "0.60", "currency": "EUR"}],"#;
    let credit = r#""remedies": [{"kind": "indemnity", "grant": {"credit": {"amount": "1.20", "currency": "EUR"}}}]"#;
    check(&policy, &case(carried, credit));
}

/// Planned work is excluded where it was announced in time, and only there.
#[test]
fn planned_work_is_excluded_after_its_notice() {
    let with = |notice: &str| {
        let text = shipped().iter().find(|one| one.id == "altroconsumo-30").unwrap().text;
        let old = text.lines().find(|line| line.starts_with("planned = ")).unwrap();
        let new = format!("planned = \"excluded_after_notice\"\nnotice = {{ {notice} }}");
        Policy::parse("p.toml", &text.replace(old, &new)).unwrap()
    };
    let case = |announced: &str, owed: &str| {
        let announced = if announced.is_empty() {
            String::new()
        } else {
            format!(r#""announced_at": "{announced}","#)
        };
        case(&announced, owed).replace("\"impacts\"", "\"cause\": \"planned\", \"impacts\"")
    };
    let nothing = r#""remedies": [], "excluded": ["PLANNED_WORK"]"#;
    check(&with("days = 5"), &case("2023-05-27T23:00", nothing));
    check(&with("days = 5"), &case("2023-05-28T00:00", &owed("30.00")));
    check(&with("hours = 48"), &case("2023-05-30T00:00", nothing));
    check(&with("hours = 48"), &case("2023-05-30T00:01", &owed("30.00")));
    check(&with("hours = 48"), &case("", &owed("30.00")));
    let fault = case("2023-05-01T00:00", &owed("30.00")).replace("\"planned\"", "\"fault\"");
    check(&with("days = 5"), &fault);
}

/// An invoice excludes that was unpaid for so many days when the outage began.
#[test]
fn an_unpaid_invoice_excludes() {
    let text = shipped().iter().find(|one| one.id == "altroconsumo-30").unwrap().text;
    let text =
        text.replacen("[exclusions]\n", "[exclusions]\nunpaid_invoices = { days = 30 }\n", 1);
    let policy = Policy::parse("p.toml", &text).unwrap();
    let invoice = |on: &str, unpaid: bool| {
        format!(
            r#""invoices": [{{"on": "{on}", "amount": "9.99", "currency": "EUR", "unpaid": {unpaid}}}],"#
        )
    };
    let nothing = r#""remedies": [], "excluded": ["UNPAID_INVOICE"]"#;
    check(&policy, &case(&invoice("2023-05-02", true), nothing));
    check(&policy, &case(&invoice("2023-05-03", true), &owed("30.00")));
    check(&policy, &case(&invoice("2023-05-02", false), &owed("30.00")));
}
