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
    -- The channels that it uses: 1 transfer, 2 invoice, 4 provisioning, 8 unclaimed, added.
    channels smallint not null,
    -- People with something on a channel.
    transfers integer not null,
    invoices integer not null,
    grants integer not null,
    -- Who, ascending, as four bytes' distance from the first number, and each one's place in the orders in two bytes;
    -- highest byte first.
    numbers bytea not null,
    entries bytea not null,
    -- The orders: whole as an encoded PayoutsOrdered without columns, and what SQL shows of each.
    orders bytea not null,
    lines jsonb not null,
    primary key (assessment, partition, chunk)
);
-- Written once and read by key: the time to compress them costs more than their size.
alter table order_chunk alter column numbers set storage external;
alter table order_chunk alter column entries set storage external;
