//! Everybody of a partition as of a pin, read page after page, with what differs.

use std::collections::{BTreeMap, VecDeque};

use jiff::civil::Date;
use prost::Message as _;
use ristoro_domain::facts::{Account, Subscription};
use ristoro_domain::roster::Profile;
use ristoro_domain::time::{Instant, Window};
use ristoro_proto::eligibility::v1::SubscriptionsImported;
use ristoro_proto::roster::period_in;
use ristoro_proto::subscriber::profile_in;
use ristoro_runtime::heavy::heavy;
use ristoro_runtime::stored::{decode_error, signed, unsigned};
use sqlx::{PgConnection, Row};

use super::account;
use super::subscription::{self, RosterRow, first_of, undecodable};

/// Pages that are read at once.
const PAGES_A_READ: i64 = 16;

/// One subscription as of a pin.
#[derive(Debug)]
enum Person {
    /// As its batch brought it.
    Paged {
        /// Its number.
        number: u64,
        /// Its place in the profiles seen so far.
        profile: usize,
        /// The provider's id.
        id: String,
        /// When its plan runs.
        window: Window,
    },
    /// As something later made it.
    Recorded(Box<RosterRow>),
}

impl Person {
    fn number(&self) -> u64 {
        match self {
            Person::Paged { number, .. } => *number,
            Person::Recorded(row) => row.number,
        }
    }
}

/// People in number order, as of a pin.
#[derive(Debug, Default)]
pub struct People {
    people: Vec<Person>,
    /// A subscription of each profile, without id and period.
    samples: Vec<Subscription>,
    accounts: BTreeMap<u64, Account>,
    reports: BTreeMap<u64, Vec<Instant>>,
}

/// What is told of one person beside the subscription.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// When trouble was reported, in order of time.
    pub reports: &'a [Instant],
    /// The date of the oldest invoice that is unpaid.
    pub unpaid_since: Option<Date>,
}

impl People {
    /// Gives their numbers.
    pub fn numbers(&self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator {
        self.people.iter().map(Person::number)
    }

    /// Shows what a policy sees of each: the number, the subscription and what else is told.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn show<E>(
        &self,
        mut each: impl FnMut(u64, &Subscription, Told<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Most people share their profile, so nothing is allocated for them.
        let mut samples = self.samples.clone();
        for person in &self.people {
            let number = person.number();
            let account = self.accounts.get(&number).copied().unwrap_or_default();
            let subscription = match person {
                Person::Paged { profile, id, window, .. } => {
                    let sample = &mut samples[*profile];
                    sample.id.clone_from(id);
                    sample.periods[0].window = *window;
                    sample.put_account(account);
                    &*sample
                }
                Person::Recorded(row) => &row.subscription,
            };
            let reports = self.reports.get(&number).map_or(&[][..], Vec::as_slice);
            each(number, subscription, Told { reports, unpaid_since: account.unpaid_since })?;
        }
        Ok(())
    }
}

/// Everybody of a partition behind a number as of a pin, in number order.
#[derive(Debug)]
pub struct Everybody {
    partition: u32,
    roster_offset: u64,
    /// The last number that was read.
    after: u64,
    through: bool,
    ahead: VecDeque<Person>,
    accounts: BTreeMap<u64, Account>,
    reports: BTreeMap<u64, Vec<Instant>>,
    profiles: BTreeMap<Profile, usize>,
    samples: Vec<Subscription>,
}

impl Everybody {
    /// Begins behind a number, or with the partition's first for 0. The pin is the next offset of the partition's roster:
    /// every record below it counts, none from it on.
    #[must_use]
    pub fn behind(partition: u32, after_number: u64, roster_offset: u64) -> Self {
        Self {
            partition,
            roster_offset,
            after: after_number.max(unsigned(first_of(partition))),
            through: false,
            ahead: VecDeque::new(),
            accounts: BTreeMap::new(),
            reports: BTreeMap::new(),
            profiles: BTreeMap::new(),
            samples: Vec::new(),
        }
    }

    /// Gives up to `size` further people; fewer only where the partition is through.
    ///
    /// # Errors
    /// The database's, and `Decode` for bytes that no version of this program wrote.
    pub async fn take(
        &mut self,
        connection: &mut PgConnection,
        size: usize,
    ) -> Result<People, sqlx::Error> {
        while self.ahead.len() < size && !self.through {
            self.read(connection).await?;
        }
        let size = size.min(self.ahead.len());
        let people: Vec<Person> = self.ahead.drain(..size).collect();
        let waiting = self.ahead.front().map_or(u64::MAX, Person::number);
        let later = self.accounts.split_off(&waiting);
        let accounts = std::mem::replace(&mut self.accounts, later);
        let later = self.reports.split_off(&waiting);
        let reports = std::mem::replace(&mut self.reports, later);
        Ok(People { people, samples: self.samples.clone(), accounts, reports })
    }

    /// Reads the next pages with what differs from them.
    async fn read(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let end = first_of(self.partition + 1);
        // The first page that reaches behind the number is the one that holds it, or the next: found by key, however
        // many lie before it.
        let pages = sqlx::query(
            "select last_number, people from roster_page \
             where first_number >= coalesce((select max(first_number) from roster_page where first_number <= $1), $1) \
             and last_number > $1 and first_number < $2 and recorded_at < $3 order by first_number limit $4",
        )
        .bind(signed(self.after))
        .bind(end)
        .bind(signed(self.roster_offset))
        .bind(PAGES_A_READ)
        .fetch_all(&mut *connection)
        .await?;
        self.through = pages.len() < usize::try_from(PAGES_A_READ).expect("it is small");
        let last = match pages.last() {
            // Behind the last page come those who got a number that was set aside.
            _ if self.through => unsigned(end - 1),
            Some(page) => unsigned(page.try_get("last_number")?),
            None => unsigned(end - 1),
        };
        let numbers = (self.after, last);
        let pin = self.roster_offset;
        let mut differing = subscription::differing(connection, numbers, pin).await?;
        let accounts = account::as_of(connection, numbers, pin).await?;
        for (number, account) in &accounts {
            if let Some(row) = differing.get_mut(number) {
                row.subscription.put_account(*account);
            }
        }
        self.accounts.extend(accounts);
        self.reports.extend(subscription::reports(connection, numbers, pin).await?);
        heavy(|| {
            for page in &pages {
                let people: &[u8] = page.try_get("people")?;
                let people = SubscriptionsImported::decode(people).map_err(decode_error)?;
                self.page(people, &mut differing)?;
            }
            Ok::<_, sqlx::Error>(())
        })?;
        let rest = differing.into_values().map(|row| Person::Recorded(Box::new(row)));
        self.ahead.extend(rest);
        self.after = last;
        Ok(())
    }

    fn page(
        &mut self,
        people: SubscriptionsImported,
        differing: &mut BTreeMap<u64, RosterRow>,
    ) -> Result<(), sqlx::Error> {
        let profiles = people.profiles.into_iter().map(|profile| {
            let profile = profile_in(profile, "roster_page").map_err(decode_error)?;
            Ok(self.profile(profile))
        });
        let profiles = profiles.collect::<Result<Vec<usize>, sqlx::Error>>()?;
        let columns = people.profile.into_iter().zip(people.valid_from_s).zip(people.valid_to_s);
        let numbers = (people.first_number..).zip(people.subscriptions);
        for ((number, id), ((profile, from), to)) in numbers.zip(columns) {
            if number <= self.after {
                continue;
            }
            while let Some(entry) = differing.first_entry()
                && *entry.key() < number
            {
                self.ahead.push_back(Person::Recorded(Box::new(entry.remove())));
            }
            if let Some(row) = differing.remove(&number) {
                self.ahead.push_back(Person::Recorded(Box::new(row)));
                continue;
            }
            let profile = profiles.get(profile as usize).copied();
            let profile =
                profile.ok_or_else(|| undecodable("a page names no such profile".to_owned()))?;
            let (from, to) = period_in(from, to).map_err(decode_error)?;
            let window = Window { from, to };
            self.ahead.push_back(Person::Paged { number, profile, id, window });
        }
        Ok(())
    }

    /// Gives the place of a profile among those seen so far.
    fn profile(&mut self, profile: Profile) -> usize {
        if let Some(place) = self.profiles.get(&profile) {
            return *place;
        }
        let place = self.samples.len();
        // Id and period are set for whoever is looked at.
        let window = Window { from: Instant::MIN, to: None };
        self.samples.push(subscription::imported(String::new(), &profile, window));
        self.profiles.insert(profile, place);
        place
    }
}
