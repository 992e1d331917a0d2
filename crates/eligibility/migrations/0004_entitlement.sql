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
    -- who, ascending, as four bytes' distance from the first number, and each one's place in the reasons in two bytes;
    -- highest byte first
    numbers bytea not null,
    entries bytea not null,
    -- the reasons: whole as an encoded EntitlementsDecided without columns, and what SQL shows of each
    reasons bytea not null,
    remedies jsonb not null,
    primary key (assessment, partition, first_number)
);
-- Written once and read by key: the time to compress them costs more than their size.
alter table entitlement_chunk alter column numbers set storage external;
alter table entitlement_chunk alter column entries set storage external;

-- Plain rows for people who write SQL: one a subscription, assessment and remedy; nothing for those who get nothing.
create view entitlement as
select chunk.assessment,
    chunk.partition,
    member.number,
    remedy ->> 'kind' as kind,
    remedy ->> 'grant' as grant_type,
    (remedy ->> 'minor')::bigint as amount_minor,
    remedy ->> 'currency' as currency,
    remedy ->> 'payer' as payer
from entitlement_chunk as chunk
-- The bytes are made whole in memory once, and stay within: what joins the view carries the few columns that it shows.
cross join lateral (
    select chunk.first_number + (get_byte(bytes.numbers, 4 * place)::bigint << 24)
            + (get_byte(bytes.numbers, 4 * place + 1) << 16) + (get_byte(bytes.numbers, 4 * place + 2) << 8)
            + get_byte(bytes.numbers, 4 * place + 3) as number,
        remedy
    from (
        select chunk.numbers || ''::bytea as numbers, chunk.entries || ''::bytea as entries,
            chunk.remedies || '[]'::jsonb as remedies
        offset 0
    ) as bytes
    cross join lateral generate_series(0, length(bytes.entries) / 2 - 1) as place
    cross join lateral jsonb_array_elements(
        bytes.remedies -> ((get_byte(bytes.entries, 2 * place) << 8) + get_byte(bytes.entries, 2 * place + 1))
    ) as remedy
    offset 0
) as member;
