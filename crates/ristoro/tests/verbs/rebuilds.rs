//! Tables are built again beside the live ones: nobody who asks notices, and what differs is found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use tonic::Request;
use tonic::transport::Channel;

use crate::stack::Stack;

const SERVICES: [&str; 4] = ["outage", "eligibility", "payout", "notifier"];

#[test]
fn tables_are_built_again_while_queries_never_fail_and_never_go_back() {
    let stack = Stack::start();
    let reader = Reader::new(&stack);
    let through = AtomicBool::new(false);
    let (asked, advanced) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| reader.ask_until(&through));
        let writing = scope.spawn(|| import_until(&stack, &through));
        let ended = Ended(&through);
        let rebuilt = stack.call("ada", &["projection", "rebuild", "--all", "--output", "json"]);
        // Back to the old tables and again to the new ones.
        for number in [1, 2, 1, 2] {
            let name = format!("projections/eligibility/schemas/{number}");
            stack.text("ada", &["projection", "switch", &name]);
        }
        drop(ended);
        assert_eq!(rebuilt.code, 0, "{}", rebuilt.stderr);
        all_are_equal_and_live(&rebuilt.stdout);
        let last = rebuilt.stderr.lines().filter(|line| line.contains("schemas/2"));
        assert!(last.count() >= SERVICES.len(), "no progress: {}", rebuilt.stderr);
        writing.join().unwrap();
        reading.join().unwrap()
    });
    assert!(asked >= 50, "only {asked} queries were asked meanwhile");
    assert!(advanced, "nothing was written meanwhile: queries had nothing to go back from");
    old_and_new_are_listed(&stack);
    the_old_ones_are_dropped(&stack);
    differences_are_found(&stack);
}

#[test]
fn a_rebuild_stands_still_is_taken_up_and_is_gone_back_from() {
    let stack = Stack::start();
    let schema = |number: u32| format!("projections/payout/schemas/{number}");
    let (one, two) = (schema(1), schema(2));
    // Whoever starts it and goes away leaves it at work: the service does it.
    let slow = ["projection", "rebuild", "--service", "payout", "--pace", "1", "--no-switch"];
    let begun = std::thread::scope(|scope| {
        let first = scope.spawn(|| stack.call("ada", &slow));
        while stack.list("ada", &["projection", "list"]).iter().all(|one| one["name"] != *two) {}
        let paced = stack.json("ada", &["projection", "pace", &two, "0"]);
        assert_eq!((&paced["pace_percent"], &paced["live"]), (&0.into(), &false.into()));
        let early = stack.call("ada", &["projection", "switch", &two]);
        assert!(early.code == 1 && early.stderr.contains("REBUILD_BEHIND"), "{}", early.stderr);
        let rebuild = ["projection", "rebuild", "--service", "payout", "--output", "json"];
        let taken_up = stack.call("ada", &rebuild);
        assert_eq!(taken_up.code, 0, "{}", taken_up.stderr);
        let said = format!("{two} is being built already: it is taken up");
        assert!(taken_up.stderr.contains(&said), "{}", taken_up.stderr);
        let built: Vec<Value> = serde_json::from_str(&taken_up.stdout).unwrap();
        assert_eq!((&built[0]["name"], &built[0]["live"]), (&two.as_str().into(), &true.into()));
        first.join().unwrap()
    });
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    let complete = stack.call("ada", &["projection", "pace", &two, "50"]);
    assert!(complete.code == 1 && complete.stderr.contains("WRONG_STATE"), "{}", complete.stderr);

    let back = stack.list("ada", &["projection", "back", "--all"]);
    let live: Vec<_> = back.iter().map(|one| (&one["name"], &one["live"])).collect();
    assert_eq!(live, [(&one.as_str().into(), &true.into())]);
    let none = stack.call("ada", &["projection", "back", "--service", "payout"]);
    assert!(none.code == 1 && none.stderr.contains("no tables from before"), "{}", none.stderr);
    let names =
        stack.list("ada", &["projection", "list"]).into_iter().map(|one| one["name"].clone());
    let kept = names.filter(|name| [&one, &two].iter().any(|kept| *name == kept.as_str()));
    assert_eq!(kept.count(), 2, "both stay until they are dropped");
}

/// Lets the others end, whether the test goes on or fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn all_are_equal_and_live(text: &str) {
    let built: Vec<Value> = serde_json::from_str(text).unwrap();
    let names: Vec<_> = built.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let expected = SERVICES.map(|service| format!("projections/{service}/schemas/2"));
    assert_eq!(names, expected);
    for one in &built {
        assert_eq!(one["different_tables"], Value::from(Vec::<Value>::new()), "{one}");
        assert_eq!(one["live"], true, "{one}");
        assert_ne!(one["state"], "STOPPED", "{one}");
        assert!(one["folded"].as_u64().unwrap() > 0, "{one}");
    }
}

fn old_and_new_are_listed(stack: &Stack) {
    for service in SERVICES {
        let prefix = format!("projections/{service}/");
        let mut all = stack.list("carla", &["projection", "list"]);
        all.retain(|one| one["name"].as_str().unwrap().starts_with(&prefix));
        let live: Vec<_> = all.iter().map(|one| one["live"].as_bool().unwrap()).collect();
        assert_eq!(live, [false, true], "{service}");
    }
}

fn the_old_ones_are_dropped(stack: &Stack) {
    let live = stack.call("ada", &["projection", "drop", "projections/outage/schemas/2"]);
    assert!(live.code == 1 && live.stderr.contains("WRONG_STATE"), "{}", live.stderr);
    stack.text("ada", &["projection", "drop", "projections/outage/schemas/1"]);
    let all = stack.list("ada", &["projection", "list"]);
    assert!(all.iter().all(|one| one["name"] != "projections/outage/schemas/1"));
}

/// Somebody changes the live tables by hand: the check says so, and a rebuild names the table and heals it.
fn differences_are_found(stack: &Stack) {
    let change = "update payout_2.ledger_balance set debit_minor = debit_minor + 1
                  where account = 'compensation-expense'";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let changed = runtime.block_on(async {
        let mut connection = PgConnection::connect(&stack.database).await.unwrap();
        connection.execute(change).await.unwrap().rows_affected()
    });
    assert!(changed > 0);
    let checked = stack.call("carla", &["ledger", "check", "--output", "json"]);
    assert_eq!(checked.code, 1, "{}", checked.stdout);
    let value: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(value["agrees"], false);
    assert!(!value["differences"].as_array().unwrap().is_empty());

    let rebuild = ["projection", "rebuild", "--service", "payout", "--output", "json"];
    let rebuilt = stack.call("ada", &rebuild);
    assert_eq!(rebuilt.code, 1, "{}", rebuilt.stdout);
    let built: Vec<Value> = serde_json::from_str(&rebuilt.stdout).unwrap();
    assert_eq!(built[0]["different_tables"], serde_json::json!(["ledger_balance"]));
    assert_eq!(
        (&built[0]["was_live"], &built[0]["live"]),
        (&"projections/payout/schemas/2".into(), &false.into())
    );
    stack.text("ada", &["projection", "switch", built[0]["name"].as_str().unwrap()]);
    assert_eq!(stack.call("carla", &["ledger", "check"]).code, 0);
}

/// Imports rosters all the while, so that the tables that are built again have something to catch up with.
fn import_until(stack: &Stack, through: &AtomicBool) {
    let path = std::env::temp_dir().join(format!("ristoro-rebuilds-{}.csv", std::process::id()));
    let file = path.to_str().unwrap();
    for seed in 1.. {
        if through.load(Ordering::SeqCst) {
            break;
        }
        let seed = seed.to_string();
        let generate =
            ["subscriptions", "generate", "--subscriptions", "20", "--seed", &seed, file];
        stack.text("ada", &generate);
        // Rosters hold rows that are refused, which the exit code tells.
        let imported = stack.call("ada", &["subscriptions", "import", file]);
        assert!(imported.stdout.contains("consistency_token"), "{}", imported.stderr);
    }
    std::fs::remove_file(&path).unwrap();
}

/// Somebody who asks for one entitlement, again and again.
struct Reader {
    endpoint: String,
    token: String,
    name: String,
}

impl Reader {
    fn new(stack: &Stack) -> Reader {
        let assessment = stack.assessment("agcom-347-18");
        let list = ["payout", "list", "--assessment", &assessment, "--limit", "1"];
        let subscription =
            stack.list("bruno", &list)[0]["subscription"].as_str().unwrap().to_owned();
        // The subscriber belongs to the name: the imports meanwhile may make the subscription's id ambiguous.
        let key = subscription.replace("subscribers/", "").replace("/subscriptions/", "~");
        Reader {
            endpoint: stack.endpoint.clone(),
            token: stack.token("carla").to_owned(),
            name: format!("assessments/{assessment}/entitlements/{key}"),
        }
    }

    /// Asks until it is told to stop. Every answer comes, is the same, and is no older than the one before. Gives how
    /// often it asked, and whether any position advanced.
    fn ask_until(&self, through: &AtomicBool) -> (usize, bool) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let channel = Channel::from_shared(self.endpoint.clone()).unwrap();
            let mut client = EntitlementServiceClient::new(channel.connect().await.unwrap());
            let (mut asked, mut advanced, mut before) = (0, false, BTreeMap::new());
            let mut first = None;
            while !through.load(Ordering::SeqCst) {
                let (entitlement, positions) = self.ask(&mut client).await;
                for (partition, offset) in &before {
                    let now = positions.get(partition);
                    assert!(now >= Some(offset), "{partition} went back from {offset} to {now:?}");
                }
                advanced |= !before.is_empty() && positions != before;
                before = positions;
                let decided = (entitlement.reason, entitlement.decided_at_position);
                assert!(decided.0.is_some());
                assert_eq!(first.get_or_insert_with(|| decided.clone()), &decided);
                asked += 1;
            }
            (asked, advanced)
        })
    }

    async fn ask(
        &self,
        client: &mut EntitlementServiceClient<Channel>,
    ) -> (api::Entitlement, BTreeMap<String, u64>) {
        let message =
            api::GetEntitlementRequest { name: self.name.clone(), min_position: String::new() };
        let mut request = Request::new(message);
        let token = format!("Bearer {}", self.token).parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        let answer = client.get_entitlement(request).await.unwrap().into_inner();
        let positions = answer.as_of.unwrap().positions;
        let parts = positions.iter().map(|position| {
            let (partition, offset) = position.rsplit_once('/').unwrap();
            (partition.to_owned(), offset.parse().unwrap())
        });
        (answer.entitlement.unwrap(), parts.collect())
    }
}
