-- The roster, folded from ristoro.subscriber.v1. Offsets are those of the number's own partition of that topic.

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
    last_number bigint not null,
    recorded_at bigint not null,
    -- An encoded SubscriptionsImported in two parts: the columns that a policy sees, and whose they are. Personal data.
    people bytea not null,
    who bytea not null,
    primary key (first_number)
);
-- Packed already: the server need not try to compress them.
alter table roster_page alter column people set storage external;
alter table roster_page alter column who set storage external;

-- What differs from the pages: one row per state of a subscription that an event of its own made. It held from the record
-- at recorded_at until the one at superseded_at.
create table subscription (
    number bigint not null,
    recorded_at bigint not null,
    superseded_at bigint,
    subscription text not null,
    subscriber text not null,
    service text not null,
    -- 1 consumer, 2 business
    segment smallint not null,
    -- 1 principal, 2 accessory, 3 free
    class smallint not null,
    cohort text,
    -- One element per period, in order of time; fee and currency are null on a free plan.
    plans text[] not null,
    fees_minor bigint[] not null,
    currencies text[] not null,
    -- 1 month, 2 year
    fee_periods smallint[] not null,
    -- Microseconds since the epoch; the largest bigint while a period runs.
    valid_from bigint[] not null,
    valid_to bigint[] not null,
    primary key (number, recorded_at)
);

-- What a subscriber reported of a subscription.
create table report (
    number bigint not null,
    recorded_at bigint not null,
    -- Microseconds since the epoch.
    reported_at bigint not null,
    component text not null,
    primary key (number, recorded_at)
);

-- What is known of a subscription beside its plans. It held from the record at recorded_at until the one at
-- superseded_at.
create table account (
    number bigint not null,
    recorded_at bigint not null,
    superseded_at bigint,
    in_arrears boolean not null,
    -- The date of the oldest invoice that is unpaid.
    unpaid_since date,
    quota_bytes bigint,
    -- The last day of the paid term.
    term_end date,
    primary key (number, recorded_at)
);

-- How a subscriber is reached and paid now, where events of the subscriber's own followed the batch. Personal data.
create table person (
    subscriber text not null,
    email text,
    phone text,
    locale text,
    iban text,
    payee_name text,
    -- The version of the subscriber's own stream.
    stream_version bigint not null default 0,
    primary key (subscriber)
);

-- Numbers that were set aside for subscriptions of people who are already on the roster.
create table reserved_number (
    subscriber text not null,
    subscription text not null,
    number bigint not null,
    primary key (subscriber, subscription)
);

-- How many numbers each partition has given out.
create table roster (
    partition integer not null,
    count bigint not null,
    primary key (partition)
);
