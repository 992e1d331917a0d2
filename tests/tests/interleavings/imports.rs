//! Imports of the same people at the same time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ristoro_domain::facts::{Class, FeePeriod, Segment};
use ristoro_domain::roster::{
    Contact, ImportRow, Profile, Roster, RosterCommand, RosterEvent, RosterRejection, number,
};
use ristoro_domain::time::Instant;
use ristoro_eligibility::projections::holding::{Recorded, people};
use ristoro_eligibility::projections::roster;
use ristoro_eligibility::roster::import::batch_request;
use ristoro_eligibility::roster::rows::{PlacedRow, plan};
use ristoro_log::Topic;
use ristoro_runtime::command::{CommandError, CommandRequest, StreamRef};
use ristoro_tests::interleave::caller::{Caller, request};
use ristoro_tests::interleave::tables::Tables;
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices, every_run, interleave};

fn stream() -> StreamRef {
    StreamRef::numbered(Topic::Subscriber, "roster/0".to_owned(), 0)
}

fn row(subscriber: &str) -> ImportRow {
    let profile = Profile {
        service: "libero-mail".to_owned(),
        plan: "free".to_owned(),
        segment: Segment::Consumer,
        class: Class::Free,
        cohort: None,
        fee: None,
        fee_period: FeePeriod::Year,
    };
    ImportRow {
        subscription: format!("mail-{subscriber}"),
        subscriber: subscriber.to_owned(),
        profile: Arc::new(profile),
        valid_from: Instant::UNIX_EPOCH,
        valid_to: None,
        contact: Contact::default(),
        payee: None,
    }
}

/// A log and the tables of the roster.
struct Office<'a> {
    world: World,
    tables: &'a RefCell<Tables>,
}

/// Somebody who imports a file until all its rows are recorded.
struct Importer {
    request: CommandRequest,
    rows: Vec<PlacedRow>,
    deaths: u32,
    caller: Option<Caller<Roster>>,
    done: bool,
}

impl Importer {
    fn new(world: &mut World, subscribers: &[&str], deaths: u32) -> Self {
        let rows = (1..).zip(subscribers.iter().map(|id| row(id))).collect();
        let request = request(world.id(), "ada");
        Self { request, rows, deaths, caller: None, done: false }
    }

    /// Plans the rows against the tables, as one attempt of an import does.
    fn plan(&self, office: &Office<'_>) -> Option<Caller<Roster>> {
        let ids: Vec<String> = self.rows.iter().map(|(_, row)| row.subscriber.clone()).collect();
        let question = format!("who is known of {ids:?}");
        let mut tables = office.tables.borrow_mut();
        let (after_count, known) = tables.ask(&office.world, &question, async |view| {
            let count = roster::count(view, 0).await.unwrap();
            (count, people(view, &ids, Recorded::Current).await.unwrap())
        });
        let batch = plan(&self.rows, &known).batch;
        if batch.is_empty() {
            return None;
        }
        let request = batch_request(&self.request, &batch);
        let command = RosterCommand::Import { partition: 0, after_count, rows: batch };
        Some(Caller::new("an import", &stream(), request, command, self.deaths))
    }
}

impl<'a> Actor<Office<'a>> for Importer {
    fn name(&self) -> String {
        self.caller.as_ref().map_or_else(|| "an import plans".to_owned(), Actor::name)
    }

    fn is_ready(&self, _office: &Office<'a>) -> bool {
        !self.done
    }

    fn step(&mut self, office: &mut Office<'a>, choices: &mut Choices) {
        let Some(caller) = &mut self.caller else {
            self.caller = self.plan(office);
            self.done = self.caller.is_none();
            return;
        };
        caller.step(&mut office.world, choices);
        let Some(answer) = &caller.answer else { return };
        match answer {
            Ok(_) => self.done = true,
            // Others were added: who is known is looked up again.
            Err(CommandError::Rejected(RosterRejection::RosterMoved { .. })) => {
                self.caller = None;
            }
            Err(error) => panic!("an import is told {error:?}"),
        }
    }
}

/// Checks that everybody has one number, and that numbers run on.
fn check(office: &Office<'_>, expected: &[&str]) {
    office.world.check_verdicts();
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = 0;
    for event in office.world.events::<RosterEvent>(&stream()) {
        let RosterEvent::SubscriptionsImported { first_number, rows } = event else {
            panic!("{event:?}")
        };
        assert_eq!(first_number, number(0, count + 1), "a number is given twice or left out");
        for row in rows {
            count += 1;
            let before = numbers.insert(row.subscriber.clone(), number(0, count));
            assert_eq!(before, None, "{} has two numbers", row.subscriber);
        }
    }
    assert_eq!(numbers.keys().collect::<Vec<_>>(), expected);
    let ids: Vec<String> = numbers.keys().cloned().collect();
    let shown = office.tables.borrow_mut().ask(&office.world, "everybody", async |view| {
        let known = people(view, &ids, Recorded::Current).await.unwrap();
        let number = |base: &ristoro_domain::subscriber::Base| {
            base.holdings.values().map(|holding| holding.number).collect::<Vec<_>>()
        };
        known.iter().map(|(id, base)| (id.clone(), number(base))).collect::<BTreeMap<_, _>>()
    });
    let once: BTreeMap<String, Vec<u64>> =
        numbers.into_iter().map(|(id, number)| (id, vec![number])).collect();
    assert_eq!(shown, once, "the tables show the numbers of the log");
}

/// The same file is sent twice, or the second one brings some of its people and others; the first sender dies once.
/// Steps: `roster::count`, `holding::people` and `rows::plan` on the real tables, then `Execution` with `Roster` under
/// the id of `import::batch_request`.
#[test]
fn import_twice() {
    let tables = Tables::behind(
        &World::new(1),
        ristoro_eligibility::spec(),
        &[("eligibility.roster", Topic::Subscriber)],
    );
    let tables = RefCell::new(tables);
    let runs = every_run(|choices| {
        let mut office = Office { world: World::new(1), tables: &tables };
        let other = choices.pick(2) == 1;
        let (second, everybody): (&[&str], &[&str]) =
            if other { (&["b", "c"], &["a", "b", "c"]) } else { (&["a", "b"], &["a", "b"]) };
        let mut one = Importer::new(&mut office.world, &["a", "b"], 1);
        let mut two = Importer::new(&mut office.world, second, 0);
        interleave(&mut office, &mut [&mut one, &mut two], choices);
        check(&office, everybody);
    });
    super::ran("import twice", runs);
}
