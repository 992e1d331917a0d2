-- Assessments as far as orders need them, folded from ristoro.settlement.v1.
create table assessment (
    assessment text primary key,
    outage text not null,
    -- Per partition of the roster, the next offset that the assessment is pinned to.
    roster_offsets bigint[] not null,
    -- Chunks per partition, once it is completed.
    chunks bigint[]
);

-- Orders in chunks as they stand on ristoro.payout.v1: one row a chunk, never one a person. Times are microseconds.
create table order_stream (
    assessment text not null,
    partition integer not null,
    -- Accepted chunks, and the subscriptions in them.
    chunks bigint not null,
    ordered bigint not null,
    -- 1 open, 2 released, 3 voided
    state smallint not null,
    ended_offset bigint,
    ended_at bigint,
    primary key (assessment, partition)
);

create table order_chunk (
    assessment text not null,
    partition integer not null,
    chunk bigint not null,
    -- Null where the chunk orders nothing.
    first_number bigint,
    last_number bigint,
    record_offset bigint not null,
    occurred_at bigint not null,
    -- The roster's next offset as of which the channels were chosen.
    roster_offset bigint not null,
    skipped boolean not null,
    -- Who, ascending, and each one's place (from 1) in the orders.
    numbers bigint[] not null,
    place integer[] not null,
    -- The orders: whole as an encoded PayoutsOrdered without columns, and what SQL shows of each.
    orders bytea not null,
    lines jsonb not null,
    primary key (assessment, partition, chunk)
);

-- What happened to single payouts, in the order of the log: held, let_go, rejected, returned, retried.
create table payout_difference (
    assessment text not null,
    number bigint not null,
    version bigint not null,
    partition integer not null,
    record_offset bigint not null,
    occurred_at bigint not null,
    kind text not null,
    -- A person's reason, or the bank's code.
    note text not null,
    -- The new attempt of a retry.
    attempt integer,
    primary key (assessment, number, version)
);

-- The general ledger: each entry (partition, record_offset, chunk) balances in every currency. Minor units.
create table posting (
    partition integer not null,
    record_offset bigint not null,
    chunk bigint not null,
    account text not null,
    currency text not null,
    debit_minor bigint not null,
    credit_minor bigint not null,
    assessment text not null,
    occurred_at bigint not null,
    primary key (partition, record_offset, chunk, account, currency)
);

-- Plain rows for people who write SQL: one a subscription, assessment and line of its order.
create view payout as
select chunk.assessment,
    chunk.partition,
    chunk.chunk,
    member.number,
    line ->> 'channel' as channel,
    line ->> 'kind' as kind,
    line ->> 'grant' as grant_type,
    (line ->> 'minor')::bigint as amount_minor,
    line ->> 'currency' as currency,
    line ->> 'payer' as payer
from order_chunk as chunk
cross join lateral unnest(chunk.numbers, chunk.place) as member (number, place)
cross join lateral jsonb_array_elements(chunk.lines -> (member.place - 1)) as line;
