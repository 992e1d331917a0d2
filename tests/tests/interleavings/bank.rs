//! Payouts of one chunk, the files that draw on them, and the workers and people around them.
//!
//! What anybody knows comes from the tables that the product's projection folds; what anybody writes comes from its
//! deciders, its `files::reserve::step` and its `claim::record`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::columns::Columns;
use ristoro_domain::decider::Decider;
use ristoro_domain::facts::{Class, FeePeriod, Segment};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::order::{self, Channel, Order, OrderChunk, OrderLine};
use ristoro_domain::payment_file::{self, Creation, Debtor, FileContent, PaymentFile};
use ristoro_domain::payout::{self, Motion, Payout};
use ristoro_domain::remedy::{Grant, Payer, Remedy, RemedyKind};
use ristoro_domain::reservation::{Reservation, ReservedRow};
use ristoro_domain::roster::{Contact, ImportRow, Payee, Profile, RosterEvent, number};
use ristoro_domain::time::Instant;
use ristoro_log::{NewRecord, Topic};
use ristoro_payout::claim::{Author, record};
use ristoro_payout::files::content;
use ristoro_payout::files::reserve::{self, Step};
use ristoro_payout::projections::{difference, payment_file as files, standing};
use ristoro_payout::streams::{file_stream, order_stream, payout_stream, reserve_stream};
use ristoro_runtime::command::StreamRef;
use ristoro_tests::interleave::caller::{Caller, request};
use ristoro_tests::interleave::tables::Tables;
use ristoro_tests::interleave::world::World;
use ristoro_tests::interleave::{Actor, Choices};

/// What everybody is paid, in cents.
pub const AMOUNT: i64 = 3000;

/// A log and the tables that are folded from it.
pub struct Bank<'a> {
    pub world: World,
    pub tables: &'a RefCell<Tables>,
}

/// What a file holds in the end, as the tables show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Who, with whether their reservation was released.
    pub rows: BTreeMap<u64, bool>,
    /// The content that approvals and bytes are made from; none while it is open or once it is released.
    pub content: Option<FileContent>,
}

/// Gives the number of one of the two people.
pub fn person(place: u64) -> u64 {
    number(0, place)
}

/// Names a file's stream.
pub fn file(id: &str) -> StreamRef {
    file_stream(id, 1)
}

/// Gives a row of a reservation.
pub fn row(place: u64) -> ReservedRow {
    ReservedRow { number: person(place), amount_minor: AMOUNT, attempt: 1 }
}

/// Two people with accounts get a transfer each, released.
pub fn ordered() -> World {
    let mut world = World::new(1);
    let roster = StreamRef::numbered(Topic::Subscriber, "roster/0".to_owned(), 0);
    let rows = vec![subscriber("p1"), subscriber("p2")];
    world.write(&roster, &RosterEvent::SubscriptionsImported { first_number: person(1), rows });
    let grant = Grant::Money(Money::new(AMOUNT, Currency::EUR));
    let remedy = Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator };
    let lines = vec![OrderLine { remedy, channel: Channel::Transfer }];
    let mut columns = Columns::default();
    for place in 1..=2 {
        columns.push(person(place), 0).unwrap();
    }
    let orders = vec![Order { lines }];
    let chunk = OrderChunk { orders, columns, roster_offset: 2, skipped: false };
    let stream = StreamRef::numbered(Topic::Payout, order_stream("a1", 0), 0);
    world.write(&stream, &order::Event::PayoutsOrdered(chunk));
    world.write(&stream, &order::Event::OrdersReleased { chunks: 1 });
    world
}

fn subscriber(id: &str) -> ImportRow {
    let profile = Profile {
        service: "libero-mail".to_owned(),
        plan: "free".to_owned(),
        segment: Segment::Consumer,
        class: Class::Principal,
        cohort: None,
        fee: None,
        fee_period: FeePeriod::Year,
    };
    let iban = "IT60X0542811101000000123456".to_owned();
    ImportRow {
        subscription: format!("mail-{id}"),
        subscriber: id.to_owned(),
        profile: profile.into(),
        valid_from: Instant::UNIX_EPOCH,
        valid_to: None,
        contact: Contact::default(),
        payee: Some(Payee { iban, name: "Ada Rossi".to_owned() }),
    }
}

/// Creates a file for so many transfers of what is ordered by now.
pub fn create(world: &mut World, id: &str, most: u64) {
    let offset = world.log.end_offsets(Topic::Payout)[0];
    let creation = creation(offset, most);
    world.write(&file(id), &payment_file::Event::PaymentFileCreated(Box::new(creation)));
}

/// Says how a file for so many transfers begins, which draws on what stands before an offset.
pub fn creation(offset: u64, most: u64) -> Creation {
    Creation {
        currency: Currency::EUR,
        assessments: BTreeSet::new(),
        payout_offsets: vec![offset],
        roster_offsets: vec![2],
        partition_limits: vec![most],
        execution_date: "2023-03-01".parse().unwrap(),
        debtor: Debtor {
            name: "Italiaonline".to_owned(),
            iban: "IT60X0542811101000000123456".to_owned(),
            bic: String::new(),
            town: String::new(),
            country: String::new(),
        },
        max_transfers: most,
        created_by: "ada".to_owned(),
    }
}

/// Prepares the tables behind everything that is on the log.
pub fn tables(world: &World) -> RefCell<Tables> {
    let projections = [("payout.payees", Topic::Subscriber), ("payout.payouts", Topic::Payout)];
    RefCell::new(Tables::behind(world, ristoro_payout::spec(), &projections))
}

impl Bank<'_> {
    fn content(&self, id: &str) -> Option<FileContent> {
        self.tables.borrow_mut().ask(&self.world, &format!("content {id}"), async |view| {
            let row = files::find(view, id).await.unwrap().unwrap();
            content::content(view, &row).await.unwrap()
        })
    }

    /// Gives what a file holds now.
    pub fn held(&self, id: &str) -> Held {
        let rows = self.tables.borrow_mut().ask(&self.world, &format!("held {id}"), async |view| {
            let chunk = standing::at(view, "a1", 0, 1).await.unwrap().unwrap();
            let mut rows = BTreeMap::new();
            for holding in chunk.standing.holdings.iter().filter(|holding| holding.file == id) {
                for row in &holding.rows {
                    assert_eq!(row.amount_minor, AMOUNT);
                    let twice = rows.insert(row.number, holding.released).is_some();
                    assert!(!twice, "{} is in file {id} twice", row.number);
                }
            }
            rows
        });
        Held { rows, content: self.content(id) }
    }

    /// Checks that a payout is in one live file at most, and that what files state is what they hold.
    pub fn check(&self, ids: &[&str]) {
        self.world.check_verdicts();
        let mut live = BTreeSet::new();
        for id in ids {
            let held = self.held(id);
            for (number, released) in &held.rows {
                assert!(*released || live.insert(*number), "{number} is in two live files");
            }
            if let Some(content) = held.content {
                let count = held.rows.len() as u64;
                let total = AMOUNT * i64::try_from(count).unwrap();
                assert_eq!((content.count, content.total.minor), (count, total));
            }
            let state = self.world.state::<PaymentFile>(&file(id));
            if let Some(approved) = state.approved
                && state.status != Some(payment_file::Status::Cancelled)
            {
                assert_eq!(Some(approved), held.content, "what was approved is what is held");
            }
        }
    }
}

/// A worker that fills one file, closes it, and releases it once it is cancelled.
pub struct Filler {
    name: &'static str,
    file: &'static str,
    record: Option<NewRecord>,
}

impl Filler {
    /// Makes a worker for a file.
    pub fn new(name: &'static str, file: &'static str) -> Self {
        Self { name, file, record: None }
    }

    fn look(&self, bank: &Bank<'_>) -> Option<Step> {
        let (file, question) = (self.file, format!("step {}", self.file));
        bank.tables
            .borrow_mut()
            .ask(&bank.world, &question, async |view| reserve::step(view, file, 0).await.unwrap())
    }
}

impl<'a> Actor<Bank<'a>> for Filler {
    fn name(&self) -> String {
        let does = if self.record.is_some() { "claims" } else { "looks" };
        format!("{} {does} for {}", self.name, self.file)
    }

    fn is_ready(&self, bank: &Bank<'a>) -> bool {
        self.record.is_some() || self.look(bank).is_some()
    }

    fn step(&mut self, bank: &mut Bank<'a>, _choices: &mut Choices) {
        if let Some(record) = self.record.take() {
            bank.world.append(record);
            return;
        }
        let Some(Step { stream, head, state, command }) = self.look(bank) else { return };
        assert_eq!(stream, reserve_stream(self.file, 0));
        if let Ok(Some(event)) = Reservation::decide(&state, &command) {
            let (actor, traceparent) = ("system:payout.reserve".to_owned(), String::new());
            let author = Author { actor, traceparent, occurred_at: Instant::UNIX_EPOCH };
            self.record = Some(record((&stream, head), &event, &author, bank.world.id()));
        }
    }
}

/// Somebody who holds the first person's payout, as `HoldPayout` does.
pub struct Holder {
    caller: Option<Caller<Payout>>,
    deaths: u32,
    /// What they are told: nothing, that it is held, or what stood in the way.
    pub told: Option<Result<(), Motion>>,
}

impl Holder {
    /// Makes one who dies so many times at most.
    pub fn new(deaths: u32) -> Self {
        Self { caller: None, deaths, told: None }
    }

    /// Checks that what the caller was told is what is on the log.
    pub fn check(&self, world: &World) {
        if let Some(caller) = &self.caller {
            caller.check(world);
        }
    }
}

impl<'a> Actor<Bank<'a>> for Holder {
    fn name(&self) -> String {
        self.caller
            .as_ref()
            .map_or_else(|| "the holder looks at the payout".to_owned(), Actor::name)
    }

    fn is_ready(&self, _bank: &Bank<'a>) -> bool {
        self.told.is_none()
    }

    fn step(&mut self, bank: &mut Bank<'a>, choices: &mut Choices) {
        let number = person(1);
        let Some(caller) = &mut self.caller else {
            let command = bank.tables.borrow_mut().ask(&bank.world, "hold", async |view| {
                let chunk = standing::of_number(view, "a1", 0, number).await.unwrap().unwrap();
                chunk.standing.hold(number, "fraud".to_owned(), Instant::UNIX_EPOCH)
            });
            let request = request(bank.world.id(), "tina");
            let stream = payout_stream("a1", number);
            self.caller = Some(Caller::new("the holder", &stream, request, command, self.deaths));
            return;
        };
        if caller.answer.is_none() {
            caller.step(&mut bank.world, choices);
            if let Some(Err(error)) = &caller.answer {
                let ristoro_runtime::command::CommandError::Rejected(rejection) = error else {
                    panic!("the holder is told {error:?}")
                };
                let payout::Rejection::InMotion { motion } = rejection else {
                    panic!("the holder is told {rejection}")
                };
                self.told = Some(Err(motion.clone()));
            }
            return;
        }
        let version = caller.answer().as_ref().map_or(0, |done| done.version);
        let question = format!("obstacle {version}");
        let obstacle = bank.tables.borrow_mut().ask(&bank.world, &question, async |view| {
            difference::obstacle(view, "a1", number, version).await.unwrap()
        });
        self.told = Some(obstacle.map_or(Ok(()), Err));
    }
}

/// Somebody who approves a file once every partition is closed, naming what was seen.
pub struct Approver {
    file: &'static str,
    /// Their call, once there is something to approve.
    pub caller: Option<Caller<PaymentFile>>,
}

impl Approver {
    /// Makes one.
    pub fn new(file: &'static str) -> Self {
        Self { file, caller: None }
    }
}

impl<'a> Actor<Bank<'a>> for Approver {
    fn name(&self) -> String {
        self.caller
            .as_ref()
            .map_or_else(|| "the approver looks at the file".to_owned(), Actor::name)
    }

    fn is_ready(&self, bank: &Bank<'a>) -> bool {
        match &self.caller {
            None => bank.content(self.file).is_some_and(|content| content.count > 0),
            Some(caller) => caller.is_ready(&bank.world),
        }
    }

    fn step(&mut self, bank: &mut Bank<'a>, choices: &mut Choices) {
        match &mut self.caller {
            Some(caller) => caller.step(&mut bank.world, choices),
            None => {
                let content = bank.content(self.file);
                let digest = content.map(|content| content.digest).unwrap_or_default();
                let approver = "bo".to_owned();
                let command = payment_file::Command::Approve { digest, approver, content };
                let request = request(bank.world.id(), "bo");
                self.caller =
                    Some(Caller::new("the approver", &file(self.file), request, command, 0));
            }
        }
    }
}
