//! Clocks and graces of real time, minutes and seconds, and fees over their own term: what each way of counting makes of
//! them together.

use super::case::{parse_cases, run};
use super::regime_tests::{check, small};
use super::{Context, Evaluator, Policy};
use crate::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use crate::time::{Instant, Window};

/// An outage of a mailbox in June 2023, with fields of the outage and of the case.
fn case(from: &str, to: &str, (outage, fields): (&str, &str), expect: &str) -> String {
    format!(
        r#"{{"name": "c", "subscription": {{"service": "s", "periods": [{{"plan": "p", "fee": "30.00", "fee_period": "month", "from": "2022-10-16"}}]}}, {fields}
        "outage": {{{outage} "impacts": [{{"component": "mailbox", "severity": "total", "from": "2023-06-{from}", "to": "2023-06-{to}"}}]}},
        "expect": {{{expect}}}}}"#
    )
}

/// Expects an indemnity of so much, and a line for each reason.
fn owed(amount: &str, excluded: &[&str]) -> String {
    let remedies = match amount {
        "" => String::new(),
        _ => format!(
            r#"{{"kind": "indemnity", "grant": {{"money": {{"amount": "{amount}", "currency": "EUR"}}}}}}"#
        ),
    };
    let excluded: Vec<String> = excluded.iter().map(|one| format!("{one:?}")).collect();
    format!(r#""remedies": [{remedies}], "excluded": [{}]"#, excluded.join(", "))
}

/// A euro for each unit of a count.
fn each(count: &str) -> Policy {
    rule(count, "{ formula = \"per_unit\", each = \"1.00\" }")
}

fn rule(count: &str, amount: &str) -> Policy {
    small("EUR", &format!("kind = \"indemnity\"\ncount = {{ {count} }}\namount = {amount}\n"))
}

const SILENT: (&str, &str) = ("", "");

#[test]
fn a_grace_of_hours_lets_every_count_begin_later() {
    // 1 June 2023 is a Thursday; the first six hours are over on the 2nd at 02:00.
    let check = |count: &str, to: &str, amount: &str, excluded: &[&str]| {
        let policy = each(&format!("{count}, grace = {{ hours = 6 }}"));
        check(&policy, &case("01T20:00", to, SILENT, &owed(amount, excluded)));
        let policy = each(&format!("{count}, grace = {{ minutes = 360 }}"));
        check(&policy, &case("01T20:00", to, SILENT, &owed(amount, excluded)));
    };
    let early = &["WITHIN_GRACE"][..];
    check("unit = \"local_day\"", "04T10:00", "3.00", early);
    check("unit = \"local_day\"", "02T02:00", "", early);
    check("unit = \"local_day\"", "02T02:01", "1.00", early);
    check("unit = \"midnight\"", "04T10:00", "2.00", early);
    check("unit = \"working_day\", calendar = \"italy\"", "06T10:00", "2.00", early);
    check("unit = \"minute\"", "02T03:30", "90.00", early);
    check("unit = \"second\"", "02T02:00:07", "7.00", early);
}

#[test]
fn a_clock_starts_where_it_says_and_a_grace_starts_it_later() {
    let clocks = [
        ("report", SILENT.0, r#""reports": [{"at": "2023-06-02T20:00"}],"#),
        ("claim", SILENT.0, r#""claims": [{"received": "2023-06-02T20:00"}],"#),
        ("known", SILENT.0, r#""known_at": "2023-06-02T20:00","#),
        ("declaration", r#""declared_at": "2023-06-02T20:00","#, ""),
    ];
    for (clock, outage, fields) in clocks {
        let check = |count: &str, amount: &str, excluded: &[&str]| {
            let policy = each(&format!("{count}, clock = {clock:?}"));
            let fields = (outage, fields);
            check(&policy, &case("01T20:00", "06T10:00", fields, &owed(amount, excluded)));
        };
        let before = &["BEFORE_THE_CLOCK"][..];
        let both = &["BEFORE_THE_CLOCK", "WITHIN_GRACE"][..];
        // The 2nd is day 0; six hours later it is the 3rd.
        check("unit = \"local_day\"", "4.00", before);
        check("unit = \"local_day\", grace = { hours = 3 }", "4.00", before);
        check("unit = \"local_day\", grace = { hours = 6 }", "3.00", both);
        check("unit = \"midnight\", grace = { hours = 6 }", "3.00", both);
        check("unit = \"minute\", most = 100", "100.00", &["BEFORE_THE_CLOCK", "ABOVE_THE_CAP"]);
        let days = "{ formula = \"per_unit\", total = \"0.01\", degraded = \"0.01\", accessory = \"0.01\", free = \"0.01\" }";
        let policy = rule(
            &format!("unit = \"minute\", clock = {clock:?}, grace = {{ minutes = 30 }}"),
            days,
        );
        let case = case("01T20:00", "03T20:30", (outage, fields), &owed("14.40", both));
        super::regime_tests::check(&policy, &case);
        // Who was earlier than the outage is counted from its beginning.
        let earlier = |text: &str| text.replace("2023-06-02T20:00", "2023-05-02T20:00");
        let (outage, fields) = (earlier(outage), earlier(fields));
        let early = case_of(&outage, &fields);
        super::regime_tests::check(&each(&format!("unit = \"minute\", clock = {clock:?}")), &early);
    }
}

fn case_of(outage: &str, fields: &str) -> String {
    case("01T20:00", "01T20:10", (outage, fields), &owed("10.00", &[]))
}

#[test]
fn a_clock_that_never_started_counts_nothing_and_says_so() {
    for (clock, excluded) in
        [("report", "NOT_REPORTED"), ("claim", "NOT_CLAIMED"), ("declaration", "NOT_DECLARED")]
    {
        for (count, grace) in
            [("local_day", ""), ("local_day", ", grace = { hours = 1 }"), ("minute", "")]
        {
            let policy = each(&format!("unit = {count:?}, clock = {clock:?}{grace}"));
            check(&policy, &case("01T20:00", "03T20:00", SILENT, &owed("", &[excluded])));
        }
    }
    // Declared, and nobody knows when: nothing is guessed.
    let policy = each("unit = \"local_day\", clock = \"declaration\"");
    let declared = (r#""declared": true,"#, "");
    check(&policy, &case("01T20:00", "03T20:00", declared, &owed("", &["NOT_DECLARED"])));
    // When it was declared counts as declared, and so as reported by everybody.
    let policy = each("unit = \"local_day\", clock = \"report\"");
    let declared = (r#""declared_at": "2023-06-02T10:00","#, "");
    check(&policy, &case("01T20:00", "03T20:00", declared, &owed("2.00", &[])));
}

#[test]
fn minutes_have_the_rate_of_their_grade_and_the_cap_of_their_month() {
    let amount = "{ formula = \"per_unit\", total = \"0.10\", degraded = \"0.05\", accessory = \"0.02\", free = \"0.01\" }";
    let two = |case: String| {
        let other = r#""impacts": [{"component": "mailbox", "severity": "degraded", "from": "2023-06-01T19:00", "to": "2023-06-01T20:30"}, "#;
        case.replace("\"impacts\": [", other)
    };
    let policy = rule("unit = \"minute\"", amount);
    // 30 minutes from 20:00 at 0.10, an hour before at 0.05.
    check(&policy, &two(case("01T20:00", "01T20:30", SILENT, &owed("6.00", &[]))));
    let capped = format!(
        "{amount}\ncaps = [{{ amount = \"2.00\", per = \"month\", source = \"t\" }}, {{ grade = \"total\", amount = \"0.50\", source = \"t\" }}]"
    );
    let policy = rule("unit = \"minute\"", &capped);
    check(&policy, &case("01T20:00", "01T20:30", SILENT, &owed("0.50", &[])));
    let started = r#""conventions": {"block": "started"},"#;
    let policy = rule("unit = \"minute\"", amount);
    check(&policy, &case("01T20:00", "01T20:00:01", ("", started), &owed("0.10", &[])));
    check(&policy, &case("01T20:00", "01T20:00:59", SILENT, &owed("", &["NOTHING_COUNTED"])));
}

/// 30.00 a month from the 16th: 31 days from 16 May, 30 from 16 June.
#[test]
fn a_fee_is_given_back_over_the_month_that_it_is_for() {
    let days = rule("unit = \"local_day\"", "{ formula = \"fee_share\", base = \"days_in_term\" }");
    // Two days of 31 and three of 30: 1.935 + 3.00, each line rounded.
    check(&days, &case("14", "19", SILENT, &owed("4.94", &[])));
    let minutes = rule("unit = \"minute\"", "{ formula = \"fee_share\", base = \"seconds\" }");
    check(&minutes, &case("20", "21T12:00", SILENT, &owed("1.50", &[])));
    let seconds = rule("unit = \"second\"", "{ formula = \"fee_share\", base = \"seconds\" }");
    check(&seconds, &case("20", "20T14:24:00", SILENT, &owed("0.60", &[])));
    check(&seconds, &case("14", "19", SILENT, &owed("4.94", &[])));
}

/// The sum over two terms is exact: 30.00 over 31 days and 30.00 over 30 meet in one line only after the rounding.
#[test]
fn seconds_over_a_boundary_are_exact_at_the_end() {
    let policy = rule("unit = \"second\"", "{ formula = \"fee_share\", base = \"seconds\" }");
    let end = r#""conventions": {"rounding_point": "end"},"#;
    // Two seconds before the boundary and three behind it are 30 x (2/2678400 + 3/2592000) euros: nothing.
    check(&policy, &case("15T23:59:58", "16T00:00:03", ("", end), &owed("", &[])));
    let text = case("15T12:00", "16T12:00", ("", end), &owed("0.98", &[]));
    check(&policy, &text);
    let reason =
        run(std::slice::from_ref(&policy), &parse_cases(&text).unwrap()[0]).decision.unwrap();
    let exact: Vec<&str> = reason.trace.iter().map(|line| line.before_rounding.as_str()).collect();
    assert_eq!(exact, ["0.50", "15/31"]);
}

/// People with the same windows and other reports are not taken for one another.
#[test]
fn an_evaluator_remembers_people_by_their_clocks() {
    let policy = each("unit = \"minute\", clock = \"report\"");
    let at = |minute: i64| Instant::from_second(1_685_600_000 + 60 * minute).unwrap();
    let outage = Outage {
        id: "o".to_owned(),
        cause: Cause::Fault,
        works_done_at: None,
        declared: false,
        declared_at: None,
        impacts: vec![Impact {
            service: None,
            component: "mailbox".to_owned(),
            severity: Severity::Total,
            cohort: None,
            window: Window::new(at(0), Some(at(100))).unwrap(),
            restored_cohorts: [].into(),
            restored_subscriptions: [].into(),
        }],
    };
    let of = Subscription {
        id: "s".to_owned(),
        service: "s".to_owned(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: None,
        quota_bytes: None,
        term_end: None,
        in_arrears: false,
        periods: vec![Period {
            plan: "p".to_owned(),
            fee: None,
            fee_period: FeePeriod::Month,
            window: Window { from: Instant::MIN, to: None },
        }],
    };
    let mut evaluator = Evaluator::new(&policy, &outage);
    for (reports, minutes) in [(&[at(10)][..], 90), (&[at(11)], 89), (&[], 0), (&[at(10)], 90)] {
        let context = Context { reports, ..Context::default() };
        let index = evaluator.decide(&of, &context).unwrap();
        let remedies = evaluator.reason(index).remedies.iter();
        let owed: i64 = remedies.filter_map(|one| one.grant.amount()).map(|one| one.minor).sum();
        assert_eq!(owed, minutes * 100);
    }
}
