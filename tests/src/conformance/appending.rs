//! Checks of appending.

use ristoro_log::{LogError, MAX_VALUE_BYTES, NewRecord, Position};

use super::records::{History, offsets, read_until, versions};
use super::{Ground, PARTITION_COUNT, PATIENT};

pub(super) async fn dense_offsets(ground: Ground) {
    let mut end = ground.end().await.offset;
    let mut history = History::new(ground.topic, ground.partition, "check/dense");
    for count in [1, 2, 1_000, 1] {
        let given = ground.log.append(&history.take(count, 20)).await.unwrap();
        let next = end + u64::try_from(count).unwrap();
        assert_eq!(given, (end..next).collect::<Vec<_>>());
        end = next;
        assert_eq!(ground.end().await.offset, end);
    }
}

pub(super) async fn large_records(ground: Ground) {
    let start = ground.end().await;
    let mut history = History::new(ground.topic, ground.partition, "check/large");
    let written = history.take(12, 900_000);
    ground.log.append(&written).await.unwrap();
    let mut reader = ground.log.reader(&[start]).await.unwrap();
    let records = read_until(&mut reader, 12, PATIENT).await;
    for (record, written) in records.iter().zip(&written) {
        assert!(record.value == written.envelope.encode(), "{} differs", record.position);
    }
}

pub(super) async fn too_large(ground: Ground) {
    let before = ground.end().await;
    let mut history = History::new(ground.topic, ground.partition, "check/too-large");
    let mut records = history.take(1, 10);
    records.extend(history.take(1, MAX_VALUE_BYTES));
    let outcome = ground.log.append(&records).await;
    assert!(matches!(outcome, Err(LogError::TooLarge { .. })), "{outcome:?}");
    assert_eq!(ground.end().await, before);
    let mut largest = History::new(ground.topic, ground.partition, "check/largest");
    let overhead = largest.clone().next(MAX_VALUE_BYTES).envelope.encode().len() - MAX_VALUE_BYTES;
    ground.log.append(&[largest.next(MAX_VALUE_BYTES - overhead)]).await.unwrap();
}

pub(super) async fn missing_partition(ground: Ground) {
    let before = ground.end().await;
    let good = History::new(ground.topic, ground.partition, "check/missing").next(10);
    let bad = NewRecord { partition: PARTITION_COUNT, ..good.clone() };
    let outcome = ground.log.append(&[good, bad]).await;
    assert!(matches!(outcome, Err(LogError::Missing { .. })), "{outcome:?}");
    assert_eq!(ground.end().await, before);
    let nowhere = Position { partition: PARTITION_COUNT, ..before };
    assert!(matches!(ground.log.reader(&[nowhere]).await, Err(LogError::Missing { .. })));
    assert!(matches!(ground.log.read_at(nowhere).await, Err(LogError::Missing { .. })));
}

pub(super) async fn many_partitions(ground: Ground) {
    let before = ground.log.end_offsets(ground.topic).await.unwrap();
    let mut histories: Vec<_> = (0..PARTITION_COUNT)
        .map(|partition| History::new(ground.topic, partition, &format!("check/each/{partition}")))
        .collect();
    // One record for each partition in turn, ten times.
    let records: Vec<_> = (0..10)
        .flat_map(|_| histories.iter_mut().map(|h| h.next(10)).collect::<Vec<_>>())
        .collect();
    let given = ground.log.append(&records).await.unwrap();
    for (record, offset) in records.iter().zip(given) {
        let place = usize::try_from(record.partition).unwrap();
        assert_eq!(offset, before[place] + record.envelope.version - 1);
    }
}

pub(super) async fn two_writers(ground: Ground) {
    let start = ground.end().await;
    let other = ground.other_handle().await;
    let write = |log: ristoro_log::EventLog, stream: &'static str| {
        let (topic, partition) = (ground.topic, ground.partition);
        tokio::spawn(async move {
            let mut history = History::new(topic, partition, stream);
            let mut given = Vec::new();
            for _ in 0..50 {
                given.extend(log.append(&history.take(4, 30)).await.unwrap());
            }
            given
        })
    };
    let first = write(ground.log.clone(), "check/first");
    let second = write(other, "check/second");
    let mut given = [first.await.unwrap(), second.await.unwrap()].concat();
    given.sort_unstable();
    assert_eq!(given, (start.offset..start.offset + 400).collect::<Vec<_>>());
    let mut reader = ground.log.reader(&[start]).await.unwrap();
    let records = read_until(&mut reader, 400, PATIENT).await;
    assert_eq!(offsets(&records), given);
    for stream in ["check/first", "check/second"] {
        assert_eq!(versions(&records, stream), (1..=200).collect::<Vec<_>>());
    }
}

pub(super) async fn racing_readers(ground: Ground) {
    let start = ground.end().await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        let mut reader = ground.other_handle().await.reader(&[start]).await.unwrap();
        readers.push(tokio::spawn(async move { read_until(&mut reader, 1_000, PATIENT).await }));
    }
    let mut history = History::new(ground.topic, ground.partition, "check/racing");
    for _ in 0..100 {
        ground.log.append(&history.take(10, 30)).await.unwrap();
    }
    for reader in readers {
        let records = reader.await.unwrap();
        assert_eq!(versions(&records, "check/racing"), (1..=1_000).collect::<Vec<_>>());
    }
}

pub(super) async fn nothing(ground: Ground) {
    let before = ground.end().await;
    assert_eq!(ground.log.append(&[]).await.unwrap(), Vec::<u64>::new());
    assert_eq!(ground.end().await, before);
}
