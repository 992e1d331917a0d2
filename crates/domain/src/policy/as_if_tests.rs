//! Policies that ship with the program, as if they had been written for the outage of January 2023, and smaller cases.

use super::{Context, Evaluator, Granted, Policy, shipped};
use crate::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use crate::money::Money;
use crate::remedy::RemedyKind;
use crate::time::{Instant, Window};

/// Mailboxes down from 23 January 2023 00:00 to the 27th 16:00 in Rome, accessory functions to 2 February 12:00.
fn outage() -> Outage {
    let impact = |component: &str, to: &str| Impact {
        service: Some("libero-mail".to_owned()),
        component: component.to_owned(),
        severity: Severity::Total,
        cohort: None,
        window: window("2023-01-22T23:00:00Z", to),
        restored_cohorts: [].into(),
        restored_subscriptions: [].into(),
    };
    Outage {
        id: "o1".to_owned(),
        cause: Cause::Fault,
        works_done_at: None,
        declared: true,
        declared_at: None,
        impacts: vec![
            impact("mailbox", "2023-01-27T15:00:00Z"),
            impact("accessory", "2023-02-02T11:00:00Z"),
        ],
    }
}

fn window(from: &str, to: &str) -> Window {
    let at = |text: &str| text.parse::<Instant>().unwrap();
    Window::new(at(from), Some(at(to))).unwrap()
}

/// A mailbox for 19.99 a year in a currency.
fn mailbox(currency: &str) -> Subscription {
    let period = Period {
        plan: "plus-5gb".to_owned(),
        fee: Some(Money::new(1_999, currency.parse().unwrap())),
        fee_period: FeePeriod::Year,
        window: Window::new("2010-01-01T00:00:00Z".parse().unwrap(), None).unwrap(),
    };
    Subscription {
        id: "s1".to_owned(),
        service: "libero-mail".to_owned(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: None,
        quota_bytes: None,
        term_end: None,
        in_arrears: false,
        periods: vec![period],
    }
}

fn text_of(id: &str) -> &'static str {
    shipped().iter().find(|one| one.id == id).unwrap().text
}

fn policy(text: &str) -> Policy {
    Policy::parse("policy.toml", text).unwrap()
}

/// Gives what a policy owes the mailbox, with mailboxes standing for what it knows, and what is assumed for that.
fn given(policy: &Policy, outage: &Outage, mailbox: &Subscription) -> (String, Vec<String>) {
    let bent = policy.as_if(outage, &["mailbox".to_owned()]).unwrap();
    let mut evaluator = Evaluator::new(&bent.policy, &bent.outage);
    let owed = match evaluator.decide(mailbox, &Context::default()) {
        Ok(index) => {
            let reason = evaluator.reason(index);
            let amounts = reason.remedies.iter().map(|remedy| match remedy.grant.amount() {
                Some(amount) => amount.to_string(),
                None => format!("{:?}", remedy.grant),
            });
            amounts.collect::<Vec<_>>().join(", ")
        }
        Err(refusal) => format!("{} {}", refusal.reason(), refusal.is_about_the_policy()),
    };
    (owed, bent.assumptions)
}

#[track_caller]
fn check(id: &str, owed: &str, assumed: &[&str]) {
    let found = given(&policy(text_of(id)), &outage(), &mailbox("EUR"));
    assert_eq!(
        (found.0.as_str(), found.1),
        (owed, assumed.iter().map(|&a| a.to_owned()).collect())
    );
}

const PAID: &str = "services without a fee do not count";
const LEFT_OUT: &str = "accessory left out";

#[test]
fn every_shipped_policy_says_what_it_gives_for_mailboxes_and_what_is_assumed() {
    check("agcom-347-18", "45.00 EUR", &[]);
    check("altroconsumo-30", "30.00 EUR", &[]);
    check("libero-2023", "Term { months: 6, days: 0, new_end: None }", &[]);
    // In London it began on Sunday; Tuesday is the second full working day, and its midnight the first that counts.
    check("ofcom", "25.20 GBP", &["mailbox taken for broadband", LEFT_OUT, PAID]);
    // The 26th is the third day; the day of the restoration does not count.
    check("tkg-58", "5.00 EUR", &["mailbox taken for broadband", LEFT_OUT, PAID]);
    // 112 hours: the first block beyond eight hours, and 26 more.
    let as_in_2025 = "it applies as it did on 2025-01-01";
    check("arera-2025", "483.00 EUR", &["mailbox taken for supply", LEFT_OUT, as_in_2025, PAID]);
    // Five days were begun, each a 31st of a twelfth of 19.99.
    let own = "shares of a fee stay in its currency";
    check("att-guarantee", "0.27 EUR", &["mailbox taken for fibre", LEFT_OUT, own, PAID]);
    let (claimed, charges) = ("everybody claimed in time", "the fee taken for the charges");
    let threshold = "the threshold of 1.00 USD is the same figure in that currency";
    for (id, component) in [("aws-ec2-region", "ec2"), ("aws-s3", "s3")] {
        let taken = format!("mailbox taken for {component}");
        check(id, "1.67 EUR", &[&taken, LEFT_OUT, claimed, charges, own, threshold, PAID]);
    }
    // It knows every component by its own name; a quarter of three monthly fees.
    check("github-sla", "1.25 EUR", &[charges, own, PAID]);
    let taken = ["mailbox taken for workspace", LEFT_OUT, PAID];
    check("google-workspace", "Term { months: 0, days: 15, new_end: None }", &taken);
    let refused = policy(text_of("eu-261")).as_if(&outage(), &[]).unwrap_err();
    assert_eq!(refused.to_string(), "it counts passengers, not time without a service");
    assert_eq!(shipped().len(), 12, "a policy has no line in this test");
}

#[test]
fn a_policy_as_it_is_gives_nothing_for_what_it_does_not_know() {
    let (policy, outage) = (policy(text_of("ofcom")), outage());
    let mut evaluator = Evaluator::new(&policy, &outage);
    let money = Some(Money::new(3_000, crate::money::Currency::EUR));
    let other = Granted { kind: RemedyKind::Indemnity, money, policy: "other".to_owned() };
    // From nothing nothing is set off, so that the currency of what another policy gave does no harm.
    for granted in [&[][..], &[other]] {
        let context = Context { granted, ..Context::default() };
        let index = evaluator.decide(&mailbox("EUR"), &context).unwrap();
        assert_eq!(evaluator.reason(index).remedies, []);
    }
}

#[test]
fn without_a_choice_all_that_failed_stands_for_the_principal_component() {
    let bent = policy(text_of("arera-2025")).as_if(&outage(), &[]).unwrap();
    assert_eq!(bent.assumptions[0], "accessory, mailbox taken for supply");
    assert!(bent.outage.impacts.iter().all(|impact| impact.component == "supply"));
    let other = ["webmail".to_owned()];
    let refused = policy(text_of("arera-2025")).as_if(&outage(), &other).unwrap_err();
    assert_eq!(refused.to_string(), "nothing that failed stands for its supply");
    let only = text_of("arera-2025").replace("supply = \"principal\"", "supply = \"accessory\"");
    let refused = policy(&only).as_if(&outage(), &[]).unwrap_err();
    assert_eq!(refused.to_string(), "it knows no principal component");
}

#[test]
fn amounts_are_never_converted() {
    // Shares follow the fee; flat amounts beside shares do not, and a fee of another currency is refused.
    let given =
        |id: &str, currency: &str| given(&policy(text_of(id)), &outage(), &mailbox(currency)).0;
    assert_eq!(given("att-guarantee", "CHF"), "0.27 CHF");
    assert_eq!(given("att-guarantee", "USD"), "0.27 USD");
    assert_eq!(given("tkg-58", "CHF"), "OTHER_CURRENCY true");
    // Without minor digits the rounding would be another one.
    assert_eq!(given("att-guarantee", "JPY"), "OTHER_CURRENCY true");
    assert_eq!(given("ofcom", "CHF"), "25.20 GBP");
    let capped = text_of("att-guarantee").replace(
        "formula = \"fee_share\", base = \"days_in_month\" }",
        "formula = \"fee_share\", base = \"days_in_month\" }\ncaps = [{ amount = \"1.00\", source = \"here\" }]",
    );
    let refused = super::as_if_tests::given(&policy(&capped), &outage(), &mailbox("EUR")).0;
    assert_eq!(refused, "OTHER_CURRENCY true");
}

#[test]
fn outside_its_validity_a_policy_applies_as_on_the_nearest_day() {
    let moved = |years: i32| {
        let mut outage = outage();
        let rome = crate::time::zone("Europe/Rome").unwrap();
        let later = |at: Instant| {
            let moved = rome.to_datetime(at).checked_add(jiff::Span::new().years(years)).unwrap();
            rome.to_timestamp(moved).unwrap()
        };
        for impact in &mut outage.impacts {
            let (from, to) = (later(impact.window.from), impact.window.to.map(later));
            impact.window = Window::new(from, to).unwrap();
        }
        outage
    };
    let ofcom = policy(
        &text_of("ofcom").replace("working_days = 2, calendar = \"england\"", "calendar_days = 2"),
    );
    let (owed, assumed) = given(&ofcom, &moved(-8), &mailbox("EUR"));
    // The midnights that begin the 25th to the 27th, at the first rate of the table.
    assert_eq!(
        (owed.as_str(), assumed[2].as_str()),
        ("24.00 GBP", "it applies as it did on 2019-04-01")
    );
    let text = text_of("ofcom")
        .replace("valid_from = 2019-04-01", "valid_from = 2019-04-01\nvalid_to = 2021-06-01");
    let ofcom =
        policy(&text.replace("working_days = 2, calendar = \"england\"", "calendar_days = 2"));
    let (owed, assumed) = given(&ofcom, &outage(), &mailbox("EUR"));
    assert_eq!(
        (owed.as_str(), assumed[2].as_str()),
        ("24.18 GBP", "it applies as it did on 2021-05-31")
    );
    // Days on which it is in force are counted by themselves.
    let text = text_of("ofcom").replace("valid_from = 2019-04-01", "valid_from = 2023-01-27");
    let (owed, assumed) = given(&policy(&text), &outage(), &mailbox("EUR"));
    assert_eq!((owed.as_str(), assumed.len()), ("8.40 GBP", 3));
}

#[test]
fn conditions_on_other_services_are_taken_as_met() {
    let other = text_of("libero-2023").replace("[\"libero-mail\", \"virgilio-mail\"]", "[\"pec\"]");
    let met = "taken as met: certified mail (PEC) and other services were untouched";
    let (owed, assumed) = given(&policy(&other), &outage(), &mailbox("EUR"));
    assert_eq!((owed.starts_with("Term"), assumed), (true, vec![met.to_owned()]));
    // A condition that names one of the outage's services means what it says.
    let pec = Subscription { service: "pec".to_owned(), ..mailbox("EUR") };
    assert_eq!(given(&policy(text_of("libero-2023")), &outage(), &pec).0, "");
    let begins = text_of("libero-2023").replace(
        "subscription.service in [\"libero-mail\", \"virgilio-mail\"]",
        "subscription.service.startsWith(\"libero\")",
    );
    assert_eq!(given(&policy(&begins), &outage(), &mailbox("EUR")).1, [""; 0]);
    let mut everything = outage();
    everything.impacts.iter_mut().for_each(|impact| impact.service = None);
    assert_eq!(given(&policy(&other), &everything, &mailbox("EUR")), (String::new(), Vec::new()));
}

#[test]
fn reports_claims_and_opt_ins_count_as_given() {
    let silent = Outage { declared: false, ..outage() };
    let (owed, assumed) = given(&policy(text_of("agcom-347-18")), &silent, &mailbox("EUR"));
    let reported = "everybody reported it on the first day".to_owned();
    assert_eq!((owed.as_str(), assumed), ("45.00 EUR", vec![reported.clone()]));
    let opting = text_of("altroconsumo-30").replace("mode = \"automatic\"", "mode = \"opt_in\"");
    let (owed, assumed) = given(&policy(&opting), &silent, &mailbox("EUR"));
    assert_eq!(
        (owed.as_str(), assumed),
        ("30.00 EUR", vec!["everybody opted in in time".to_owned()])
    );
    let claiming = text_of("tkg-58").replace("clock = \"report\"", "clock = \"claim\"");
    let (owed, assumed) = given(&policy(&claiming), &silent, &mailbox("EUR"));
    let claimed = "everybody claimed on the first day".to_owned();
    assert_eq!((owed.as_str(), &assumed[2..4]), ("5.00 EUR", &[claimed, reported][..]));
}
