//! Orders in bulk: what follows from a chunk of decisions, and over which channel it reaches each person.
//!
//! A chunk of orders has the number of the chunk of decisions that it follows from. Channels are chosen from what was
//! known of the payees as of a pinned offset of the roster, so that the same decisions give the same orders again.

use std::collections::BTreeMap;

use crate::columns::{Columns, ColumnsError};
use crate::decided::Chunk;
use crate::money::{Currency, Money, MoneyError};
use crate::remedy::{Grant, Payer, Remedy};

/// How a remedy reaches its subscriber.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Channel {
    /// A bank transfer.
    Transfer,
    /// A credit on the next invoice.
    Invoice,
    /// A change that the provider's provisioning makes: term, quota, credits, vouchers.
    Provisioning,
    /// No channel is known: kept, counted and shown.
    Unclaimed,
}

/// One remedy on its channel.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OrderLine {
    /// What is given.
    pub remedy: Remedy,
    /// How.
    pub channel: Channel,
}

/// What one subscription gets and how; never empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Order {
    /// Its lines.
    pub lines: Vec<OrderLine>,
}

/// The orders that follow from one chunk of decisions. Only people who get something are in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OrderChunk {
    /// The distinct orders.
    pub orders: Vec<Order>,
    /// Who, and which order.
    pub columns: Columns,
    /// The roster's next offset of this partition as of which the channels were chosen.
    pub roster_offset: u64,
    /// Whether the chunk of decisions was skipped by people.
    pub skipped: bool,
}

/// What happens on an order stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A chunk is ordered; its number is its version.
    PayoutsOrdered(OrderChunk),
    /// The assessment was completed: what was ordered may be paid and granted.
    OrdersReleased {
        /// Chunks before this event.
        chunks: u64,
    },
    /// The assessment was cancelled or stopped.
    OrdersVoided,
}

/// What is known of how a subscription can be paid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Payable {
    /// Its subscriber has an account that a SEPA transfer reaches, and a holder's name.
    pub by_transfer: bool,
    /// It is on a paying plan, so there is a next invoice.
    pub by_invoice: bool,
}

/// A sum over one channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelKey {
    /// The channel.
    pub channel: Channel,
    /// Who bears it.
    pub payer: Payer,
    /// The currency; none for grants without an amount.
    pub currency: Option<Currency>,
}

/// What goes over a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChannelTotal {
    /// Lines.
    pub count: u64,
    /// Their sum in minor units; zero where they have no amount.
    pub minor: i64,
}

/// Chooses the channel of a remedy. Transfers are SEPA's and so in euro only.
#[must_use]
pub fn channel_of(remedy: &Remedy, payable: Payable) -> Channel {
    match &remedy.grant {
        Grant::Money(money) if payable.by_transfer && money.currency == Currency::EUR => {
            Channel::Transfer
        }
        Grant::Money(_) if payable.by_invoice => Channel::Invoice,
        Grant::Money(_) => Channel::Unclaimed,
        Grant::Credit(_) | Grant::Voucher(_) | Grant::Term { .. } | Grant::Quota { .. } => {
            Channel::Provisioning
        }
    }
}

/// Gives the orders that follow from a chunk of decisions. `payables` says how each of those who get something can be
/// paid, in the order of their numbers; whoever it says nothing of has no channel.
///
/// # Errors
/// The columns', which a chunk of decisions that was itself read from columns never causes.
pub fn order(
    decided: &Chunk,
    payables: impl IntoIterator<Item = Payable>,
    roster_offset: u64,
) -> Result<OrderChunk, ColumnsError> {
    let mut chunk = OrderChunk { roster_offset, ..OrderChunk::default() };
    let mut entries: BTreeMap<(u32, Payable), u32> = BTreeMap::new();
    let mut payables = payables.into_iter();
    for (number, reason) in decided.columns.iter() {
        let remedies = decided.reasons.get(reason as usize).map_or(&[][..], |it| &it.remedies);
        if remedies.is_empty() {
            continue;
        }
        let payable = payables.next().unwrap_or_default();
        let entry = match entries.get(&(reason, payable)) {
            Some(entry) => *entry,
            None => {
                let entry = entry_of(&mut chunk.orders, remedies, payable);
                entries.insert((reason, payable), entry);
                entry
            }
        };
        chunk.columns.push(number, entry)?;
    }
    Ok(chunk)
}

/// Finds or adds the order that these remedies make.
fn entry_of(orders: &mut Vec<Order>, remedies: &[Remedy], payable: Payable) -> u32 {
    let line = |remedy: &Remedy| OrderLine {
        channel: channel_of(remedy, payable),
        remedy: remedy.clone(),
    };
    let order = Order { lines: remedies.iter().map(line).collect() };
    let place = orders.iter().position(|known| *known == order).unwrap_or_else(|| {
        orders.push(order);
        orders.len() - 1
    });
    u32::try_from(place).expect("a chunk has fewer orders than people, and those fit 32 bits")
}

impl Channel {
    /// Every channel.
    pub const ALL: [Channel; 4] =
        [Channel::Transfer, Channel::Invoice, Channel::Provisioning, Channel::Unclaimed];

    /// Gives the channel as it is written in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Channel::Transfer => "transfer",
            Channel::Invoice => "invoice",
            Channel::Provisioning => "provisioning",
            Channel::Unclaimed => "unclaimed",
        }
    }

    /// Reads a channel as it is written in tables.
    #[must_use]
    pub fn named(name: &str) -> Option<Channel> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

impl Order {
    /// Gives the remedies on one channel.
    pub fn on(&self, channel: Channel) -> impl Iterator<Item = &Remedy> {
        self.lines.iter().filter(move |line| line.channel == channel).map(|line| &line.remedy)
    }

    /// Tells whether anything goes over the channel.
    #[must_use]
    pub fn has(&self, channel: Channel) -> bool {
        self.on(channel).next().is_some()
    }

    /// Gives what one transfer pays: the sum of the money that goes by transfer, all in one currency.
    ///
    /// # Errors
    /// `OutOfRange`, `CurrencyMismatch`.
    pub fn transfer(&self) -> Result<Option<Money>, MoneyError> {
        let mut sum: Option<Money> = None;
        for money in self.on(Channel::Transfer).filter_map(|remedy| remedy.grant.amount()) {
            sum = Some(match sum {
                Some(before) => before.checked_add(money)?,
                None => money,
            });
        }
        Ok(sum)
    }
}

impl OrderChunk {
    /// Gives the order of a number.
    #[must_use]
    pub fn order_of(&self, number: u64) -> Option<&Order> {
        self.orders.get(self.columns.entry_of(number)? as usize)
    }

    /// Sums the chunk by channel, payer and currency.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn totals(&self) -> Result<BTreeMap<ChannelKey, ChannelTotal>, MoneyError> {
        let mut people = vec![0_u64; self.orders.len()];
        for entry in self.columns.entries() {
            people[*entry as usize] += 1;
        }
        let mut totals = BTreeMap::new();
        for (order, people) in self.orders.iter().zip(people) {
            for line in &order.lines {
                add(&mut totals, line, people)?;
            }
        }
        Ok(totals)
    }
}

/// Adds what `people` get by one line.
pub(crate) fn add(
    totals: &mut BTreeMap<ChannelKey, ChannelTotal>,
    line: &OrderLine,
    people: u64,
) -> Result<(), MoneyError> {
    let amount = line.remedy.grant.amount();
    let key = ChannelKey {
        channel: line.channel,
        payer: line.remedy.payer,
        currency: amount.map(|money| money.currency),
    };
    let times = i64::try_from(people).map_err(|_| MoneyError::OutOfRange)?;
    let minor = amount.map_or(0, |money| money.minor);
    let minor = minor.checked_mul(times).ok_or(MoneyError::OutOfRange)?;
    let total = totals.entry(key).or_default();
    total.count += people;
    total.minor = total.minor.checked_add(minor).ok_or(MoneyError::OutOfRange)?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::remedy::{Reason, RemedyKind};

    pub(crate) fn money(minor: i64, currency: Currency) -> Remedy {
        let grant = Grant::Money(Money::new(minor, currency));
        Remedy { kind: RemedyKind::Indemnity, grant, payer: Payer::Operator }
    }

    fn quota() -> Remedy {
        let grant = Grant::Quota { bytes: 1_288_490_189 };
        Remedy { kind: RemedyKind::Goodwill, grant, payer: Payer::Operator }
    }

    #[track_caller]
    fn check(remedy: &Remedy, by_transfer: bool, by_invoice: bool, channel: Channel) {
        assert_eq!(channel_of(remedy, Payable { by_transfer, by_invoice }), channel);
    }

    #[test]
    fn each_remedy_takes_the_first_channel_that_can_carry_it() {
        let euro = money(3000, Currency::EUR);
        check(&euro, true, true, Channel::Transfer);
        check(&euro, false, true, Channel::Invoice);
        check(&euro, false, false, Channel::Unclaimed);
        let sterling = money(933, "GBP".parse().unwrap());
        check(&sterling, true, true, Channel::Invoice);
        check(&sterling, true, false, Channel::Unclaimed);
        check(&quota(), false, false, Channel::Provisioning);
        check(&quota(), true, true, Channel::Provisioning);
    }

    fn decided(remedies: &[&[Remedy]], people: &[(u64, u32)]) -> Chunk {
        let reason =
            |remedies: &&[Remedy]| Reason { remedies: remedies.to_vec(), ..Reason::default() };
        let mut chunk =
            Chunk { reasons: remedies.iter().map(reason).collect(), ..Chunk::default() };
        for (number, reason) in people {
            chunk.columns.push(*number, *reason).unwrap();
        }
        chunk
    }

    #[test]
    fn orders_hold_only_those_who_get_something() {
        let euro = money(3000, Currency::EUR);
        let both = [euro.clone(), quota()];
        let decisions = decided(&[&[], &both], &[(1, 0), (2, 1), (3, 1), (5, 1), (9, 0)]);
        let payables = [
            Payable { by_transfer: true, by_invoice: false },
            Payable { by_transfer: false, by_invoice: true },
        ];
        let chunk = order(&decisions, payables, 7).unwrap();
        assert_eq!(chunk.columns.numbers(), [2, 3, 5]);
        assert_eq!(chunk.roster_offset, 7);
        let channels = |number| {
            let lines = &chunk.order_of(number).unwrap().lines;
            lines.iter().map(|line| line.channel).collect::<Vec<_>>()
        };
        assert_eq!(channels(2), [Channel::Transfer, Channel::Provisioning]);
        assert_eq!(channels(3), [Channel::Invoice, Channel::Provisioning]);
        assert_eq!(channels(5), [Channel::Unclaimed, Channel::Provisioning]);
        assert_eq!(chunk.order_of(1), None);
        let totals = chunk.totals().unwrap();
        let sums: Vec<(Channel, u64, i64)> =
            totals.iter().map(|(key, total)| (key.channel, total.count, total.minor)).collect();
        assert_eq!(
            sums,
            [
                (Channel::Transfer, 1, 3000),
                (Channel::Invoice, 1, 3000),
                (Channel::Provisioning, 3, 0),
                (Channel::Unclaimed, 1, 3000),
            ]
        );
    }

    #[test]
    fn a_chunk_that_gives_nothing_is_an_empty_order() {
        let chunk = order(&decided(&[&[]], &[(1, 0), (2, 0)]), [], 3).unwrap();
        assert!(chunk.columns.is_empty() && chunk.orders.is_empty() && !chunk.skipped);
    }

    #[test]
    fn one_transfer_pays_all_that_goes_by_transfer() {
        let line =
            |minor| OrderLine { remedy: money(minor, Currency::EUR), channel: Channel::Transfer };
        let order = Order { lines: vec![line(3000), line(250)] };
        assert_eq!(order.transfer(), Ok(Some(Money::new(3250, Currency::EUR))));
        assert_eq!(Order::default().transfer(), Ok(None));
    }
}
