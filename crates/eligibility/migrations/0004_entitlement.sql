-- Decisions in chunks as they stand on the log: one row a chunk, never one a person.

create table scan (
    assessment text not null,
    partition integer not null,
    -- accepted chunks, and the subscriptions in them
    chunks bigint not null,
    decided bigint not null,
    -- 1 open, 2 completed, 3 voided
    state smallint not null,
    totals bytea,
    digest bytea,
    primary key (assessment, partition)
);

create table entitlement_chunk (
    assessment text not null,
    partition integer not null,
    first_number bigint not null,
    last_number bigint not null,
    chunk bigint not null,
    record_offset bigint not null,
    occurred_at bigint not null,
    -- who, ascending, and each one's place (from 1) in the reasons
    numbers bigint[] not null,
    reason integer[] not null,
    -- the reasons: whole as an encoded EntitlementsDecided without columns, and what SQL shows of each
    reasons bytea not null,
    remedies jsonb not null,
    primary key (assessment, partition, first_number)
);
-- Written once and read by key: the time to compress them costs more than their size.
alter table entitlement_chunk alter column numbers set storage external;
alter table entitlement_chunk alter column reason set storage external;

-- Plain rows for people who write SQL: one a subscription, assessment and remedy; nothing for those who get nothing.
create view entitlement as
select chunk.assessment,
    chunk.partition,
    place.number,
    remedy ->> 'kind' as kind,
    remedy ->> 'grant' as grant_type,
    (remedy ->> 'minor')::bigint as amount_minor,
    remedy ->> 'currency' as currency,
    remedy ->> 'payer' as payer
from entitlement_chunk as chunk
cross join lateral unnest(chunk.numbers, chunk.reason) as place (number, reason)
cross join lateral jsonb_array_elements(chunk.remedies -> (place.reason - 1)) as remedy;
