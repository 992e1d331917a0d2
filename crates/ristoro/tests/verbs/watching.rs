//! An assessment is followed until what follows from it is paid and queued as well.

use serde_json::{Value, json};

use crate::stack::{Called, Stack, call};

const STEPS: [&str; 3] = ["decided", "paid", "queued"];

fn ticks(called: &Called) -> Vec<Value> {
    let read = |line| serde_json::from_str(line).unwrap();
    called.stdout.lines().map(read).collect()
}

#[test]
fn a_watch_tells_each_second_who_is_decided_paid_and_queued_until_all_are() {
    let stack = Stack::start();
    let propose = ["--outage", "libero-2023-01", "--policy", "altroconsumo-30"];
    let propose = [&["assessment", "propose"][..], &propose].concat();
    let proposed = stack.json("ada", &propose);
    let name = proposed["name"].as_str().unwrap();
    let (entitled, count) = (&proposed["totals"]["entitled"], &proposed["totals"]["people"]);
    assert!(entitled.as_u64().unwrap() > 0, "{proposed:#}");
    let watch = ["assessment", "watch", name, "--output", "json"];
    let watched = std::thread::scope(|scope| {
        let watching = scope.spawn(|| stack.call("carla", &watch));
        let digest = proposed["digest"].as_str().unwrap();
        let approve = ["assessment", "approve", name, "--digest", digest, "--cap", "100000.00"];
        stack.text("bruno", &approve);
        watching.join().unwrap()
    });
    assert_eq!(watched.code, 0, "{}", watched.stderr);
    let all = ticks(&watched);
    let last = all.last().unwrap();
    assert_eq!((&last["state"], &last["seconds_left"]), (&json!("COMPLETED"), &json!(0)));
    for (step, of) in STEPS.into_iter().zip([count, entitled, entitled]) {
        let found = &last[step];
        assert_eq!((&found["people"], &found["of"], &found["done"]), (of, of, &json!(true)));
        assert_eq!(found["share_percent"], 100);
        let people = all.iter().map(|tick| tick[step]["people"].as_u64().unwrap());
        assert!(people.is_sorted(), "{step} went back: {all:?}");
    }

    let plain = stack.call("carla", &["assessment", "watch", name, "--output", "table"]);
    assert!(plain.code == 0 && plain.stdout.contains("COMPLETED"), "{}", plain.stdout);
    for (step, of) in STEPS.into_iter().zip([count, entitled, entitled]) {
        let line = plain.stderr.lines().find(|line| line.starts_with(step));
        assert!(
            line.is_some_and(|line| line.contains(&format!("{of} of {of}"))),
            "{}",
            plain.stderr
        );
    }

    let only = format!("eligibility={}", stack.endpoint);
    let environment =
        [("RISTORO_ENDPOINT", only.as_str()), ("RISTORO_TOKEN", stack.token("carla"))];
    let alone = call(&environment, &watch);
    assert_eq!(alone.code, 0, "{}", alone.stderr);
    assert!(alone.stderr.contains("no address of the payout service"), "{}", alone.stderr);
    let last = ticks(&alone).pop().unwrap();
    assert_eq!((&last["paid"], &last["decided"]["done"]), (&Value::Null, &json!(true)));
}
