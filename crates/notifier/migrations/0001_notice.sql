-- Who is told what, and what became of it. Offsets are those of the row's own partition of the topic named above it.

-- Which subscription has which number, from ristoro.subscriber.v1: a lean row each. The rest is on its page, or where it
-- differs.
create table holder (
    -- Compared byte by byte, whatever the database's language: its indexes are most of what an import costs.
    subscriber text collate "C" not null,
    subscription text collate "C" not null,
    number bigint not null,
    primary key (subscriber, subscription)
);

-- The roster's batches as they came, one row a batch, from ristoro.subscriber.v1. Personal data.
create table roster_page (
    first_number bigint not null,
    -- An encoded SubscriptionsImported without payees and telephones.
    people bytea not null,
    primary key (first_number)
);
-- Packed already: the server need not try to compress it.
alter table roster_page alter column people set storage external;

-- Subscriptions that are not as their batch says, from ristoro.subscriber.v1.
create table member_difference (
    number bigint not null,
    subscriber text not null,
    subscription text not null,
    service text not null,
    cohort text,
    primary key (number)
);

-- How a subscriber is reached now, where an event of the subscriber's own said so, from ristoro.subscriber.v1. Personal
-- data.
create table contact (
    subscriber text not null,
    email text,
    locale text,
    primary key (subscriber)
);

-- Outages as their events, from ristoro.outage.v1; folded when somebody asks.
create table outage_event (
    outage text not null,
    version bigint not null,
    partition integer not null,
    record_offset bigint not null,
    kind text not null,
    payload bytea not null,
    primary key (outage, version)
);

-- Whether payouts are stopped, from ristoro.ops.v1. At most one row.
create table payout_switch (
    name text not null,
    stopped boolean not null,
    primary key (name)
);

-- How far a queue is, from ristoro.notice.v1. 2 released, 3 voided; while it is open there is no row.
create table queue (
    assessment text not null,
    partition integer not null,
    state smallint not null,
    outage text not null,
    primary key (assessment, partition)
);

-- One row per chunk of notices: its number is its version on the queue. From ristoro.notice.v1.
create table notice_chunk (
    assessment text not null,
    partition integer not null,
    chunk bigint not null,
    record_offset bigint not null,
    traceparent text not null,
    -- Zero for an empty chunk.
    first_number bigint not null,
    -- Who, ascending, as four bytes' distance from the first number, and each one's place in told in two bytes; highest
    -- byte first.
    numbers bytea not null,
    entries bytea not null,
    -- Encoded ristoro.notifier.v1.Told.
    told bytea[] not null,
    skipped boolean not null,
    -- How many places are in no wave of the first attempt.
    unstarted integer not null,
    primary key (assessment, partition, chunk)
);
-- Written once and read by key: the time to compress them costs more than their size.
alter table notice_chunk alter column numbers set storage external;
alter table notice_chunk alter column entries set storage external;

-- Waves of all dispatches. From ristoro.notice.v1.
create table dispatch_wave (
    assessment text not null,
    partition integer not null,
    chunk bigint not null,
    channel text not null,
    attempt integer not null,
    started_version bigint not null,
    -- Microseconds since the epoch: when these mailboxes were back.
    wave_at bigint not null,
    outage_position text not null,
    places integer[] not null,
    -- The claim that owns it; null while it was handed back.
    owner text,
    next_block integer not null,
    -- How many places of the next block were reported.
    reported integer not null,
    blocks integer not null,
    primary key (assessment, partition, chunk, channel, attempt, started_version)
);

-- What differs from "sent at the first attempt", one row per event, the last one counts. From ristoro.notice.v1.
create table notice_row (
    assessment text not null,
    number bigint not null,
    record_offset bigint not null,
    attempt integer not null,
    -- 1 sent, 2 refused, 3 unknown, 4 no channel, 5 deferred, 6 bounced, 7 retried
    state smallint not null,
    detail text not null,
    primary key (assessment, number, record_offset)
);

-- Notices that are to be sent again. From ristoro.notice.v1.
create table retry (
    assessment text not null,
    number bigint not null,
    attempt integer not null,
    partition integer not null,
    started boolean not null,
    primary key (assessment, number, attempt)
);

-- Subscribers whom nobody is to write to. From ristoro.notice.v1.
create table suppressed (
    subscriber text not null,
    note text not null,
    primary key (subscriber)
);

-- Plain rows for people who ask in SQL.
create view notice as
select
    chunk.assessment,
    member.number,
    chunk.partition,
    chunk.chunk,
    member.place,
    coalesce(queue.state, 1) as queue_state,
    last.attempt as differing_attempt,
    last.state as differing_state,
    last.detail as differing_detail
from notice_chunk chunk
-- The bytes are made whole in memory once, and stay within: what joins the view carries the few columns that it shows.
cross join lateral (
    select chunk.first_number + (get_byte(bytes.numbers, 4 * place)::bigint << 24)
            + (get_byte(bytes.numbers, 4 * place + 1) << 16) + (get_byte(bytes.numbers, 4 * place + 2) << 8)
            + get_byte(bytes.numbers, 4 * place + 3) as number,
        place
    from (select chunk.numbers || ''::bytea as numbers offset 0) as bytes
    cross join lateral generate_series(0, length(bytes.numbers) / 4 - 1) as place
    offset 0
) as member
left join queue on queue.assessment = chunk.assessment and queue.partition = chunk.partition
left join lateral (
    select attempt, state, detail from notice_row
    where notice_row.assessment = chunk.assessment and notice_row.number = member.number
    order by record_offset desc limit 1
) last on true;
