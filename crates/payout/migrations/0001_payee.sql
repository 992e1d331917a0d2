-- Who is paid and where, folded from ristoro.subscriber.v1. Offsets are those of the number's own partition of that topic.

-- Which subscription has which number: a lean row each. The rest is on its page, or where it differs.
create table holder (
    -- Compared byte by byte, whatever the database's language: its indexes are most of what an import costs.
    subscriber text collate "C" not null,
    subscription text collate "C" not null,
    number bigint not null,
    primary key (subscriber, subscription)
);

-- The roster's batches as they came: one row a batch.
create table roster_page (
    first_number bigint not null,
    recorded_at bigint not null,
    -- A byte each: 1 where a transfer reaches the account of its row, 2 where its plan has a fee, added.
    payables bytea not null,
    -- Whose plan ends, and when: microseconds since the epoch.
    ending bigint[] not null,
    ends_at bigint[] not null,
    -- An encoded SubscriptionsImported without contacts. Personal data.
    people bytea not null,
    primary key (first_number)
);
-- Packed already: the server need not try to compress it. It is kept apart, so that the rest is read without it.
alter table roster_page alter column people set storage external;

-- What differs from the pages: one row per state of a subscription that an event of its own made. It held from the record
-- at recorded_at until the one at superseded_at.
create table holding (
    number bigint not null,
    recorded_at bigint not null,
    superseded_at bigint,
    subscriber text not null,
    subscription text not null,
    -- Whether its plan has a fee, so that there is a next invoice.
    paying boolean not null,
    -- Microseconds since the epoch; null while the plan runs.
    valid_to bigint,
    primary key (number, recorded_at)
);

-- Accounts that are not those of the numbers' own rows: one row per state, without an account where there is none. A
-- subscriber has one account, so all numbers of a subscriber whom an event gave one have it. Personal data.
create table payee (
    number bigint not null,
    recorded_at bigint not null,
    superseded_at bigint,
    iban text,
    payee_name text,
    primary key (number, recorded_at)
);
