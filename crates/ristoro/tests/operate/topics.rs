//! `topics plan` and `topics apply`, on both logs.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{kafka, postgres, ristoro, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_planned_made_and_planned_again() {
    let (postgres, kafka) = (postgres().await, kafka(&[]).await);
    let embedded = postgres.create_database("log").await.unwrap();
    for address in [embedded, format!("kafka://{}", kafka.bootstrap())] {
        let call =
            |verb, more: &[&str]| ristoro(&[&["topics", verb, "--log", &address], more].concat());
        let plan = call("plan", &["--partitions", "3"]).says(1, &[]).json();
        assert_eq!((&plan["done"], &plan["log"]), (&false.into(), &serde_json::Value::Null));
        assert_eq!(plan["topics"].as_array().unwrap().len(), 10);
        assert_eq!(plan["topics"][0]["to_do"][0], "make it with 3 partitions");
        let made = call("apply", &["--partitions", "3"]).says(0, &[]).json();
        assert_eq!(made["topics"][9]["partitions"], 3);
        // Nothing to do, whether the number is said again or left to what is there.
        for more in [&["--partitions", "3"][..], &[]] {
            let plan = call("plan", more).says(0, &[]).json();
            assert_eq!((&plan["done"], &plan["log"]), (&true.into(), &made["log"]));
            assert_eq!(call("apply", more).says(0, &[]).json(), made);
        }
        call("plan", &["--partitions", "5", "--output", "table"])
            .says(1, &["it has 3 partitions and not 5, which nothing can change"]);
        call("apply", &["--partitions", "5"]).says(78, &["3 partitions and not 5"]);
        call("apply", &["--partitions", "0"]).says(2, &["1..=256"]);
    }
    let gone = "DELETE FROM ristoro_log.partition WHERE topic = 9";
    postgres.execute("log", gone).await.unwrap();
    let address = postgres.url("log");
    let plan = ristoro(&["topics", "plan", "--log", &address]);
    plan.says(1, &["the log is there without it: if it held records, they are lost"]);
    ristoro(&["topics", "apply", "--log", &address]).says(78, &["restore it from a backup"]);
    kafka.stop().await.unwrap();
    postgres.stop().await.unwrap();
}

/// Asks a broker that makes topics by itself for one of ours: as if somebody had made it by hand, with other settings.
fn make_by_hand(bootstrap: &str, topic: &str) {
    let mut request = vec![0, 3, 0, 4, 0, 0, 0, 7, 0xFF, 0xFF, 0, 0, 0, 1];
    request.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
    request.extend(topic.as_bytes());
    request.push(1);
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_forgets_records_is_shown_with_its_cure() {
    let hour = ("log.retention.ms", "3600000");
    let own = [("auto.create.topics.enable", "true"), ("num.partitions", "2"), hour];
    let kafka = kafka(&own).await;
    let address = format!("kafka://{}", kafka.bootstrap());
    let plan = || ristoro(&["topics", "plan", "--log", &address]);
    until("the topic", || {
        make_by_hand(&kafka.bootstrap(), "ristoro.payout.v1");
        plan().json()["topics"][7]["partitions"] == 2
    });
    let cure = format!(
        "retention.ms=3600000, not -1: records could be lost. By hand: kafka-configs.sh --bootstrap-server {} --alter \
         --entity-type topics --entity-name ristoro.payout.v1 --add-config retention.ms=-1",
        kafka.bootstrap()
    );
    plan().says(1, &[&cure, "write the first record of 2 partitions", "make it with 2 partitions"]);
    // What is missing is made around it; what somebody else made is left to people.
    let applied = ristoro(&["topics", "apply", "--log", &address]).says(1, &[&cure]).json();
    assert_eq!(applied["topics"][0]["to_do"], serde_json::json!([]));
    kafka.stop().await.unwrap();
}
