//! A record that is left out while its consumers work.

use std::collections::BTreeSet;

use bytes::Bytes;
use ristoro_domain::ops::RecordSkipped;
use ristoro_domain::order;
use ristoro_domain::payment_file::Event as FileEvent;
use ristoro_domain::settlement::Event as Settled;
use ristoro_domain::time::Instant;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::{Cause, Envelope, Heads, NewRecord, Position, Topic, Verdict};
use ristoro_payout::spec;
use ristoro_payout::streams::order_stream;
use ristoro_proto::wire::Wire;
use ristoro_runtime::command::StreamRef;
use ristoro_runtime::poison;
use ristoro_runtime::service::stepwise::{Batch, Stepwise, Worked};
use ristoro_tests::interleave::copies::Stand;
use ristoro_tests::interleave::every_run;
use ristoro_tests::interleave::turns::schedule;
use ristoro_tests::interleave::world::World;
use sqlx::PgPool;
use tokio::runtime::Runtime;

use super::bank::creation;
use super::settlements::proposal;

const PROJECTION: &str = "payout.payouts";
const ASSESSMENTS: &str = "payout.assessments";
const STAGE: &str = "payout.orders";
const SKIPS: &str = "payout.skips";

/// Which record is left out, and for whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Case {
    /// One that the projection cannot read.
    Unreadable,
    /// One that the projection may have folded before it learns of the skip.
    Readable,
    /// One that the stage cannot read; it has to answer it all the same.
    OfAStage,
}

/// One run on its partition.
struct Run {
    case: Case,
    partition: u32,
    world: World,
    position: Position,
}

impl Run {
    fn new(case: Case, (partition, world): (u32, World)) -> Self {
        let topic = if case == Case::OfAStage { Topic::Entitlement } else { Topic::Payout };
        let position = Position { topic, partition, offset: 1 };
        let mut run = Self { case, partition, world, position };
        match case {
            Case::Readable => run.create("first"),
            Case::Unreadable => run.unreadable(&format!("payment-file/{partition}-first")),
            Case::OfAStage => run.unreadable(&format!("scan/a{partition}/{partition}")),
        }
        run.create("second");
        run
    }

    fn create(&mut self, name: &str) {
        let id = format!("payment-file/{}-{name}", self.partition);
        let stream = StreamRef::numbered(Topic::Payout, id, self.partition);
        let event = FileEvent::PaymentFileCreated(Box::new(creation(1, 1)));
        self.world.write(&stream, &event);
    }

    fn unreadable(&mut self, stream: &str) {
        let cause = Cause::Command(self.world.id());
        let kind = match self.case {
            Case::OfAStage => "EntitlementsDecided",
            Case::Unreadable | Case::Readable => "PaymentFileCreated",
        };
        let envelope = Envelope {
            event_id: derived_event_id(stream, 1, &cause),
            stream: stream.to_owned(),
            version: 1,
            previous: uuid::Uuid::nil(),
            kind: kind.to_owned(),
            occurred_at: Instant::UNIX_EPOCH,
            cause,
            command_id: None,
            actor: String::new(),
            traceparent: String::new(),
            payload: Bytes::from_static(b"\xff\xff\xff"),
        };
        let (topic, partition) = (self.position.topic, self.partition);
        let (position, verdict) = self.world.append(NewRecord { topic, partition, envelope });
        assert_eq!((position, verdict), (self.position, Verdict::Accepted));
    }

    /// Writes that the record is left out.
    fn skip(&mut self) {
        let consumer = if self.case == Case::OfAStage { STAGE } else { PROJECTION };
        let event = RecordSkipped {
            position: self.position.to_string(),
            consumers: BTreeSet::from([consumer.to_owned()]),
            note: "unreadable".to_owned(),
            actors: ["ada".to_owned(), "bo".to_owned()],
        };
        // All skips stand on one stream; here each run has its own, on its partition.
        let id = format!("ops/skips-{}", self.partition);
        self.world.write(&StreamRef::numbered(Topic::Ops, id, self.partition), &event);
    }

    /// Lets the tables know the assessment whose chunk is left out: its answer names what the assessment is pinned to.
    async fn propose(&mut self, service: &Stepwise) {
        if self.case != Case::OfAStage {
            return;
        }
        let partition = self.partition;
        let proposal = proposal(&format!("a{partition}"), 0, [0; 32]);
        let id = format!("settlement/o{partition}");
        let stream = StreamRef::numbered(Topic::Settlement, id, partition);
        self.world.write(&stream, &Settled::AssessmentProposed(Box::new(proposal)));
        let batch = service.read_in(1, ASSESSMENTS, partition).await.unwrap();
        assert_eq!(service.work(&batch).await.unwrap(), Worked::Passed);
    }

    async fn read(&self, service: &Stepwise) -> Batch {
        match self.case {
            Case::OfAStage => service.read(STAGE, self.partition).await.unwrap(),
            Case::Unreadable | Case::Readable => {
                service.read_in(1, PROJECTION, self.partition).await.unwrap()
            }
        }
    }

    /// Lets the consumer work until it has nothing left or stands still.
    async fn to_the_end(&self, service: &Stepwise) -> Worked {
        for _ in 0..10 {
            let batch = self.read(service).await;
            match service.work(&batch).await.unwrap() {
                Worked::Passed if batch.is_empty() => return Worked::Passed,
                Worked::Passed | Worked::Fenced => {}
                stopped @ (Worked::NotYet | Worked::Stopped(_) | Worked::Failed(_)) => {
                    return stopped;
                }
            }
        }
        panic!("it never comes to an end")
    }

    async fn take(&mut self, turn: usize, stand: &Stand, hands: &mut Hands) {
        match turn {
            0 => match hands.batch.take() {
                None => hands.batch = Some(self.read(&stand.one).await),
                Some(batch) => {
                    stand.one.work(&batch).await.unwrap();
                }
            },
            1 => {
                let batch = self.read(&stand.two).await;
                stand.two.work(&batch).await.unwrap();
            }
            _ if hands.skipped => {
                let batch = stand.two.read(SKIPS, self.partition).await.unwrap();
                assert_eq!(stand.two.work(&batch).await.unwrap(), Worked::Passed);
            }
            _ => {
                self.skip();
                hands.skipped = true;
            }
        }
    }

    /// Checks rows, lists and answers; tells whether the skip was obeyed.
    async fn check(&self, stand: &Stand, end: Worked) -> bool {
        let obeyed = end == Worked::Passed;
        if !obeyed {
            assert_eq!((self.case, end), (Case::Readable, Worked::Stopped(self.position)));
        }
        let left_out = "select (select count(*) from payout_1.skipped_record where partition = $1) \
             + (select count(*) from payout_control.skipped_record where partition = $1)";
        assert_eq!(number(&stand.pool, left_out, self.partition).await, i64::from(obeyed));
        let listed = "select count(*) from payout_control.poison where partition = $1";
        assert_eq!(number(&stand.pool, listed, self.partition).await, i64::from(!obeyed));
        if self.case == Case::OfAStage {
            self.answered_once();
        } else {
            let first =
                "select count(*) from payout.payment_file where file = $1::text || '-first'";
            let folded = number(&stand.pool, first, self.partition).await;
            assert_eq!(folded, i64::from(!obeyed), "rows and skip tell the same");
        }
        obeyed
    }

    /// Checks that the stage's answer to the skipped record counts once, with its number, empty and marked.
    fn answered_once(&self) {
        let mut heads = Heads::default();
        let stream = order_stream(&format!("a{}", self.partition), self.partition);
        let mut answers = Vec::new();
        for record in &self.world.log.records(Topic::Payout, self.partition)[1..] {
            let envelope = Envelope::decode(record.value.clone()).unwrap();
            let verdict = heads.judge(&envelope);
            if envelope.stream == stream && verdict == Verdict::Accepted {
                answers.push(envelope);
            }
        }
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(answer.version, 1);
        let event = order::Event::decode(&answer.kind, &answer.payload).unwrap();
        let order::Event::PayoutsOrdered(chunk) = event else { panic!("{answer:?}") };
        assert!(chunk.skipped && chunk.columns.is_empty());
    }
}

/// What the actors have in their hands between two steps.
#[derive(Default)]
struct Hands {
    batch: Option<Batch>,
    skipped: bool,
}

async fn number(pool: &PgPool, query: &'static str, partition: u32) -> i64 {
    let partition = i32::try_from(partition).unwrap();
    sqlx::query_scalar(query).bind(partition).fetch_one(pool).await.unwrap()
}

/// Two workers of a consumer read and work, and in between the skip reaches the log and is followed. Steps: the runtime's
/// own batches on a real Postgres (`Stepwise::{read, work}`: position, acceptance, skip, fold or stage, commit), and the
/// payout service's projection and stage.
#[test]
fn skip_of_a_poison_record() {
    let runtime = Runtime::new().unwrap();
    let mut stand = runtime.block_on(Stand::of("skips", spec));
    let (mut obeyed, mut folded_before) = (0_u64, 0_u64);
    let runs = every_run(|choices| {
        let case = [Case::Unreadable, Case::Readable, Case::OfAStage][choices.pick(3)];
        // A worker reads and works; another one does both at once; the skip is written and then followed.
        let order = schedule(choices, &[2, 1, 2]);
        choices.note(format!("{case:?} {order:?}"));
        let mut run = Run::new(case, stand.next_run());
        runtime.block_on(async {
            run.propose(&stand.one).await;
            let mut hands = Hands::default();
            for turn in order {
                run.take(turn, &stand, &mut hands).await;
            }
            // Whoever has folded the record finds out with the next one.
            run.create("third");
            let end = run.to_the_end(&stand.one).await;
            match run.check(&stand, end).await {
                true => obeyed += 1,
                false => folded_before += 1,
            }
        });
    });
    assert!(obeyed > 0 && folded_before > 0, "{obeyed} obeyed, {folded_before} had folded it");
    let listed = runtime.block_on(poison::list(&stand.pool, stand.one.schemas().service()));
    assert_eq!(listed.unwrap().len() as u64, folded_before);
    super::ran("skip of a poison record", runs);
    runtime.block_on(stand.pool.close());
}
