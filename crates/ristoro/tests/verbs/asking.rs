//! What is asked and done after the case: payouts, files, grants, the ledger, notices, signals.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::stack::{Stack, cents};

/// An incident of a provider that the case does not know.
const FEED: &str = r#"[{"id": "one", "number": "1", "begin": "2022-07-01T13:37:44+00:00", "end": "2022-07-01T14:37:44+00:00",
    "modified": "2022-07-02T08:00:00+00:00", "severity": "high",
    "external_desc": "Mail is slow", "service_name": "Mail",
    "affected_products": [{"title": "Mail", "id": "mail"}], "updates": []}]"#;

#[test]
fn everything_can_be_asked_and_done_from_the_command_line() {
    let stack = Stack::start();
    let folder = std::env::temp_dir().join(format!("ristoro-verbs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let money = stack.assessment("agcom-347-18");
    let goodwill = stack.assessment("libero-2023");
    payouts_add_up_to_what_was_approved(&stack, &money);
    one_answer_has_three_forms(&stack, &money);
    a_payout_is_held_and_goes_on(&stack, &money);
    nothing_moves_while_payouts_are_stopped(&stack, &goodwill);
    a_file_is_made_by_one_and_approved_by_another(&stack, &money);
    a_submitted_file_is_downloaded(&stack, &folder);
    grants_are_lent_and_reported_once(&stack, &goodwill, &folder);
    credits_are_exported_again_under_the_same_id(&stack, &money);
    the_ledger_balances(&stack);
    notices_are_shown(&stack, &money);
    signals_are_taken_in_once(&stack, &folder);
    a_decision_is_explained(&stack, &money);
    policies_are_tried_on_what_they_were_not_written_for(&stack, &folder);
    facts_are_told_for_the_next_proposal(&stack, &money);
    nothing_stands_still(&stack);
    refusals_name_their_reason(&stack, &money);
    each_service_may_have_an_address_of_its_own(&stack, &money);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn payouts_add_up_to_what_was_approved(stack: &Stack, assessment: &str) {
    let payouts =
        stack.list("bruno", &["payout", "list", "--assessment", assessment, "--limit", "0"]);
    let lines = payouts.iter().flat_map(|payout| payout["lines"].as_array().unwrap());
    let sum: i64 = lines.map(|line| cents(&line["amount"])).sum();
    let assessed = stack.json("carla", &["assessment", "get", assessment]);
    let grants = assessed["totals"]["grants"].as_array().unwrap();
    let approved: i64 = grants.iter().map(|grant| cents(&grant["sum"])).sum();
    assert!(approved > 0 && sum == approved, "{sum} cents of {approved} are ordered");
    assert_eq!(assessed["totals"]["entitled"], payouts.len());
}

fn policies_are_tried_on_what_they_were_not_written_for(stack: &Stack, folder: &Path) {
    let picture = folder.join("amounts.svg").display().to_string();
    let outage = ["assessment", "simulate", "--outage", "libero-2023-01", "--svg", &picture];
    let tried = [&outage[..], &["--policies", "altroconsumo-30,ofcom,eu-261"]].concat();
    let found = stack.json("carla", &[&tried[..], &["--as-if=mailbox,accessory"]].concat());
    let [demand, kingdom, flights] = found["simulations"].as_array().unwrap().as_slice() else {
        panic!("{found} is not about three policies")
    };
    assert_eq!(cents(&demand["statistics"][0]["largest"]), 3_000);
    assert_eq!(kingdom["assumptions"][0], "accessory, mailbox taken for broadband");
    assert!(flights["not_applicable"].as_str().unwrap().contains("passengers"), "{flights}");
    assert_eq!(found["comparisons"].as_array().unwrap().len(), 1);
    assert!(std::fs::read_to_string(&picture).unwrap().contains("policies/ofcom/versions/1"));
    // Without the flag Ofcom knows nothing of mailboxes; with it alone everything that failed stands for a line.
    let found = stack.json("carla", &tried);
    assert_eq!(found["simulations"][1]["totals"]["entitled"], 0);
    let found = stack.json("carla", &[&tried[..], &["--as-if"]].concat());
    let taken = "accessory, ios-app, mailbox taken for broadband";
    assert_eq!(found["simulations"][1]["assumptions"][0], taken);
}

fn one_answer_has_three_forms(stack: &Stack, assessment: &str) {
    let list = ["payout", "list", "--assessment", assessment, "--limit", "7"];
    let values = stack.list("bruno", &list);
    assert_eq!(values.len(), 7);
    let lines = stack.text("bruno", &[&list[..], &["--output", "ndjson"]].concat());
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, values);
    // The flag may stand before the verb as well; a program that reads gets JSON without asking.
    let table = stack.text("bruno", &[&["--output", "table"][..], &list].concat());
    assert!(table.contains("channel") && table.contains(" EUR "), "{table}");
    assert_eq!(
        serde_json::from_str::<Value>(&stack.text("bruno", &list)).unwrap(),
        Value::from(values)
    );
    let called = stack.call("bruno", &list);
    assert!(called.stderr.contains("more follow after these 7"), "{}", called.stderr);
}

fn a_payout_is_held_and_goes_on(stack: &Stack, assessment: &str) {
    let list =
        ["payout", "list", "--assessment", assessment, "--channel", "unclaimed", "--limit", "1"];
    let name = stack.list("bruno", &list)[0]["name"].as_str().unwrap().to_owned();
    let note = ["--note", "under review"];
    let dry =
        stack.call("bruno", &[&["payout", "hold", &name, "--validate-only"], &note[..]].concat());
    assert!(dry.code == 0 && dry.stderr.contains("nothing was written"), "{}", dry.stderr);
    assert_eq!(stack.json("bruno", &["payout", "get", &name])["held"], false);
    let held = stack.json("bruno", &[&["payout", "hold", &name], &note[..]].concat());
    assert_eq!((&held["held"], &held["hold_note"]), (&true.into(), &"under review".into()));
    assert_eq!(held["lines"][0]["state"], "HELD");
    let list = ["payout", "list", "--assessment", assessment, "--state", "held"];
    let held = stack.list("bruno", &list);
    assert!(held.iter().any(|one| one["name"] == *name), "{name} is not among those held");
    let going = stack.json("bruno", &[&["payout", "release", &name], &note[..]].concat());
    assert_eq!(going["held"], false);
}

fn nothing_moves_while_payouts_are_stopped(stack: &Stack, assessment: &str) {
    stack.text("bruno", &["payout", "stop", "--note", "a drill"]);
    let pull = stack.call("ada", &["grants", "pull", "--assessment", assessment]);
    assert_eq!(pull.code, 1);
    assert!(pull.stderr.starts_with("ristoro: PAYOUTS_STOPPED: "), "{}", pull.stderr);
    stack.text("bruno", &["payout", "resume", "--note", "a drill"]);
}

/// The case holds a transfer.
fn a_file_is_made_by_one_and_approved_by_another(stack: &Stack, assessment: &str) {
    let create = [
        "payment-file",
        "create",
        "--execution-date",
        "2099-01-04",
        "--debtor-name",
        "Italiaonline S.p.A.",
        "--debtor-iban",
        "IT60X0542811101000000123456",
    ];
    let list = ["payout", "list", "--assessment", assessment, "--channel", "transfer"];
    let held = stack.list("bruno", &[&list[..], &["--state", "held"]].concat());
    let payout = held[0]["name"].as_str().unwrap();
    stack.text("bruno", &["payout", "release", payout, "--note", "the account is right"]);
    let file = stack.json("ada", &create);
    assert_eq!(file["state"], "READY", "the verb waits until the file is full");
    assert!(file["transfers"].as_u64() >= Some(1) && cents(&file["total"]) > 0, "{file}");
    let (name, digest) = (file["name"].as_str().unwrap(), file["digest"].as_str().unwrap());
    let approve = ["payment-file", "approve", name, "--digest", digest];
    let own = stack.call("ada", &approve);
    assert!(own.code == 1 && own.stderr.contains("SAME_PERSON"), "{}", own.stderr);
    let approved = stack.json("bruno", &approve);
    assert_eq!(approved["state"], "APPROVED");
    assert_eq!(approved["approved_by"], "bruno");
    assert_eq!(stack.json("bruno", &["payout", "get", payout])["payment_file"], name);
    let cancelled = stack.json("bruno", &["payment-file", "cancel", name, "--note", "a drill"]);
    assert_eq!(cancelled["state"], "CANCELLED");
}

fn a_submitted_file_is_downloaded(stack: &Stack, folder: &Path) {
    let files = stack.list("bruno", &["payment-file", "list"]);
    let file = files.iter().find(|file| file["state"] == "SUBMITTED").unwrap();
    let path = folder.join("transfers.xml");
    let (name, to) = (file["name"].as_str().unwrap(), path.to_str().unwrap());
    stack.text("bruno", &["payment-file", "download", name, "--to", to]);
    let bytes = std::fs::read(&path).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(file["sha256"], digest);
    let table = stack.text("bruno", &["payment-file", "list", "--output", "table"]);
    let total = file["total"]["amount"].as_str().unwrap();
    assert!(table.contains(&format!("{total} EUR")), "{table}");
}

fn grants_are_lent_and_reported_once(stack: &Stack, assessment: &str, folder: &Path) {
    let pull = ["grants", "pull", "--assessment", assessment];
    let lent = stack.text("ada", &pull);
    let path = folder.join("grants.ndjson");
    std::fs::write(&path, &lent).unwrap();
    let payout = |line: &str| serde_json::from_str::<Value>(line).unwrap()["payout"].to_string();
    let payouts: BTreeSet<String> = lent.lines().map(payout).collect();
    assert_eq!(stack.text("ada", &pull), "", "what is lent is not lent again");
    let report = ["grants", "report", "--assessment", assessment, path.to_str().unwrap()];
    let reported = stack.json("ada", &report);
    assert_eq!(reported["newly_delivered"], payouts.len());
    assert_eq!(stack.json("ada", &report)["newly_delivered"], 0, "a report counts once");
    let list =
        ["payout", "list", "--assessment", assessment, "--channel", "provisioning", "--limit", "0"];
    let all = stack.list("bruno", &list);
    assert!(!all.is_empty());
    let made = |payout: &Value| {
        let mut lines = payout["lines"].as_array().unwrap().iter();
        lines.all(|line| line["channel"] != "PROVISIONING" || line["state"] == "DELIVERED")
    };
    // What the case itself left failed or held is no business of this test.
    assert!(all.iter().filter(|payout| made(payout)).count() >= payouts.len());
}

fn credits_are_exported_again_under_the_same_id(stack: &Stack, assessment: &str) {
    let id = "11111111-2222-4333-8444-555555555555";
    let export = ["payout", "export-credits", "--assessment", assessment, "--request-id", id];
    let export = [&export[..], &["--output", "ndjson"]].concat();
    let first = stack.text("bruno", &export);
    assert_eq!(stack.text("bruno", &export), first);
    for line in first.lines() {
        assert!(cents(&serde_json::from_str::<Value>(line).unwrap()["amount"]) > 0, "{line}");
    }
}

fn the_ledger_balances(stack: &Stack) {
    let checked = stack.json("carla", &["ledger", "check"]);
    assert_eq!(checked["agrees"], true);
    assert!(checked["compared"].as_u64().unwrap() > 0);
    let balances = stack.list("carla", &["ledger", "balance"]);
    assert_eq!(balances.iter().map(|one| cents(&one["balance"])).sum::<i64>(), 0);
    let expense = stack.list("carla", &["ledger", "balance", "compensation-expense"]);
    assert!(cents(&expense[0]["debit"]) > 0);
    let postings = stack.list("carla", &["ledger", "postings", "--limit", "0"]);
    let sum = |side: &str| postings.iter().map(|one| cents(&one[side])).sum::<i64>();
    assert!(sum("debit") > 0 && sum("debit") == sum("credit"));
    let table = stack.text("carla", &["ledger", "check", "--output", "table"]);
    assert!(table.contains("The ledger agrees with the payouts"), "{table}");
}

fn notices_are_shown(stack: &Stack, assessment: &str) {
    let list = ["notice", "list", "--assessment", assessment, "--limit", "3"];
    let notices = stack.list("carla", &list);
    assert_eq!(notices.len(), 3);
    let name = notices[0]["name"].as_str().unwrap();
    assert_eq!(stack.json("carla", &["notice", "get", name])["reference"], notices[0]["reference"]);
    let reference = notices[0]["reference"].as_str().unwrap();
    for (language, word) in [("it", "Riferimento"), ("de", "Vorgang"), ("en", "Reference")] {
        let preview = ["notice", "preview", name, "--language", language, "--output", "table"];
        let text = stack.text("carla", &preview);
        assert!(text.contains(&format!("{word}: {reference}")), "{text}");
    }
    let subscription = notices[0]["subscription"].as_str().unwrap();
    let subscriber = subscription.split('/').nth(1).unwrap();
    stack.text("ada", &["notice", "suppress", subscriber, "--note", "asked not to be written to"]);
}

fn signals_are_taken_in_once(stack: &Stack, folder: &Path) {
    let path = folder.join("incidents.json");
    std::fs::write(&path, FEED).unwrap();
    let submit = ["signals", "submit", "--feed", "elsewhere", "--format", "google-cloud"];
    let submit = [&submit[..], &[path.to_str().unwrap()]].concat();
    let first = stack.json("ada", &submit);
    assert_eq!((&first["received"], &first["records"]), (&1.into(), &1.into()));
    assert_eq!(stack.json("ada", &submit)["records"], 0, "the feed said so already");
    let derived = stack
        .text("ada", &["outage", "derive", "--format", "google-cloud", path.to_str().unwrap()]);
    assert!(derived.starts_with('{') && derived.contains("\"source_id\":\"one\""), "{derived}");
}

fn a_decision_is_explained(stack: &Stack, assessment: &str) {
    let list = ["payout", "list", "--assessment", assessment, "--limit", "1"];
    let payout = stack.list("bruno", &list).remove(0);
    let subscription = payout["subscription"].as_str().unwrap();
    let explained = stack.list("carla", &["explain", subscription]);
    let found = explained.iter().find(|one| one["name"].as_str().unwrap().contains(assessment));
    let reason = &found.unwrap()["reason"];
    assert_eq!(reason["remedies"][0], payout["lines"][0]["remedy"]);
    assert!(!reason["trace"].as_array().unwrap().is_empty());
    let table = stack.text("carla", &["explain", subscription, "--output", "table"]);
    assert!(table.contains("EntitlementsDecided") && table.contains("owed: "), "{table}");
}

fn facts_are_told_for_the_next_proposal(stack: &Stack, assessment: &str) {
    let list = ["payout", "list", "--assessment", assessment, "--limit", "1"];
    let payout = stack.list("bruno", &list).remove(0);
    let subscription = payout["subscription"].as_str().unwrap();
    let account = ["subscriptions", "set-account", subscription, "--in-arrears"];
    let known = ["--unpaid-since", "2022-12-31", "--term-end", "2023-08-31"];
    let called = stack.call("ada", &[&account[..], &known].concat());
    let told = "proposals from now on see the account so\n";
    assert_eq!((called.code, called.stderr.as_str()), (0, told));
    let propose = ["assessment", "propose", "--outage", "libero-2023-01", "--policy"];
    let propose = [&propose[..], &["agcom-347-18", "--payment-day"]].concat();
    let proposed = stack.json("ada", &[&propose[..], &["2024-01-31"]].concat());
    assert_eq!(
        (&proposed["payment_day"], &proposed["carried_from"]),
        (&"2024-01-31".into(), &Value::Null)
    );
    let called = stack.call("ada", &[&propose[..], &["2023-01-01"]].concat());
    let refused = "ristoro: INVALID_FIELD: payment_day: 2023-01-01 is before the outage began";
    assert!(called.code == 1 && called.stderr.starts_with(refused), "{}", called.stderr);
}

fn nothing_stands_still(stack: &Stack) {
    assert!(stack.list("ada", &["poison", "list"]).is_empty());
    let skip =
        ["poison", "skip", "ristoro.payout.v1/0/1", "--consumers", "payout.money", "--reason", "x"];
    let called = stack.call("ada", &skip);
    assert!(called.code == 1 && called.stderr.contains("NOT_SKIPPABLE"), "{}", called.stderr);
}

fn refusals_name_their_reason(stack: &Stack, assessment: &str) {
    let unknown = format!("assessments/{assessment}/payouts/nobody");
    for (who, arguments, reason) in [
        ("bruno", vec!["payout", "get", &unknown], "RESOURCE_NOT_FOUND: there is no "),
        ("bruno", vec!["payout", "get", "nonsense"], "INVALID_FIELD: name: "),
        ("carla", vec!["payout", "stop", "--note", "x"], "ROLE_MISSING: carla may not do this"),
        ("carla", vec!["ledger", "balance", "nonsense"], "INVALID_FIELD: account: "),
    ] {
        let called = stack.call(who, &arguments);
        assert_eq!((called.code, called.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(called.stderr.starts_with(&format!("ristoro: {reason}")), "{}", called.stderr);
    }
    let called =
        stack.call("carla", &["payout", "list", "--assessment", assessment, "--token", "wrong"]);
    assert_eq!(called.code, 1);
    assert!(called.stderr.contains("TOKEN_UNKNOWN: nobody has this token"), "{}", called.stderr);
}

fn each_service_may_have_an_address_of_its_own(stack: &Stack, assessment: &str) {
    let list = ["payout", "list", "--assessment", assessment, "--limit", "1", "--endpoint"];
    let all = ["outage", "eligibility", "payout", "notifier"];
    let all = all.map(|name| format!("{name}={}", stack.endpoint)).join(",");
    assert_eq!(stack.list("bruno", &[&list[..], &[&all]].concat()).len(), 1);
    // A service that is not asked may be down.
    let some = format!("outage=http://127.0.0.1:1,payout={}", stack.endpoint);
    assert_eq!(stack.list("bruno", &[&list[..], &[&some]].concat()).len(), 1);
    let without = format!("outage={}", stack.endpoint);
    let called = stack.call("bruno", &[&list[..], &[&without]].concat());
    assert_eq!(called.code, 2);
    assert!(
        called.stderr.contains("add payout=http://HOST:PORT to --endpoint"),
        "{}",
        called.stderr
    );
}
