-- What moves and what holds it back, folded from ristoro.payout.v1. Offsets are those of the row's own partition; times
-- are microseconds since the epoch, amounts minor units.

-- What happened to single payouts: after each event, where the person stands. The last version counts.
create table payout_difference (
    assessment text not null,
    number bigint not null,
    version bigint not null,
    partition integer not null,
    record_offset bigint not null,
    occurred_at bigint not null,
    -- held, let_go, rejected, returned, retried
    kind text not null,
    -- A person's reason, or the bank's code.
    note text not null,
    actor text not null,
    -- What stood in the way of a hold: 1 a payment file, 2 a lease, 3 that all is done, with its id; null where the hold
    -- took effect.
    motion smallint,
    motion_id text not null,
    -- Where the person stands after it.
    held boolean not null,
    attempt integer not null,
    transfer_attempt integer not null,
    -- 1 refused, 2 came back; null where the transfer's attempt has not failed.
    failure smallint,
    reason_code text not null,
    retried_offset bigint,
    primary key (assessment, number, version)
);

-- How far a payment file's reservations on a partition are.
create table reservation_stream (
    file text not null,
    partition integer not null,
    -- 1 open, 2 closed, 3 released
    phase smallint not null,
    -- The chunk that was reserved last; empty and 0 before.
    cursor_assessment text not null,
    cursor_chunk bigint not null,
    -- What took effect.
    count bigint not null,
    total_minor bigint not null,
    -- What the end of the stream states.
    closed_count bigint,
    closed_minor bigint,
    closed_currency text,
    closed_digest bytea,
    primary key (file, partition)
);

-- What a payment file holds of a chunk: those of a reservation that took effect.
create table reservation (
    assessment text not null,
    partition integer not null,
    chunk bigint not null,
    record_offset bigint not null,
    file text not null,
    numbers bigint[] not null,
    amounts_minor bigint[] not null,
    attempts integer[] not null,
    primary key (assessment, partition, chunk, record_offset)
);

create table payment_file (
    file text not null,
    partition integer not null,
    version bigint not null,
    -- created, approved, cancelled, submitted
    status text not null,
    -- An encoded PaymentFileCreated.
    creation bytea not null,
    created_at bigint not null,
    approved_by text not null default '',
    approved_digest bytea,
    approved_count bigint,
    approved_minor bigint,
    approved_currency text,
    note text not null default '',
    message_id text not null default '',
    -- The time that stands in the file.
    submitted_at bigint,
    sha256 bytea,
    primary key (file)
);

-- Places that were lent to provisioning, as far as the lease took effect.
create table grant_lease (
    assessment text not null,
    partition integer not null,
    chunk bigint not null,
    record_offset bigint not null,
    lease text not null,
    client text not null,
    leased_at bigint not null,
    expires_at bigint not null,
    numbers bigint[] not null,
    primary key (assessment, partition, chunk, record_offset)
);

-- What became of lent places, and the invoice credits that were exported.
create table grant_outcome (
    assessment text not null,
    partition integer not null,
    chunk bigint not null,
    record_offset bigint not null,
    -- 1 delivered, 2 failed, 3 exported
    outcome smallint not null,
    -- Why it failed, or the export's id.
    note text not null,
    numbers bigint[] not null,
    primary key (assessment, partition, chunk, record_offset)
);

-- The general ledger: each entry (partition, record_offset, chunk) balances in every currency.
create table posting (
    partition integer not null,
    record_offset bigint not null,
    -- 0 for a payment file's.
    chunk bigint not null,
    account text not null,
    currency text not null,
    debit_minor bigint not null,
    credit_minor bigint not null,
    -- released, submitted, rejected, returned, delivered, exported
    reason text not null,
    -- Empty for a payment file's.
    assessment text not null,
    -- Empty for all but a payment file's.
    file text not null,
    occurred_at bigint not null,
    primary key (partition, record_offset, chunk, account, currency)
);

-- The sums of each partition's postings.
create table ledger_balance (
    partition integer not null,
    account text not null,
    currency text not null,
    debit_minor bigint not null,
    credit_minor bigint not null,
    primary key (partition, account, currency)
);

-- Whether payouts are stopped, from ristoro.ops.v1. At most one row.
create table payout_switch (
    name text not null,
    stopped boolean not null,
    note text not null,
    primary key (name)
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
    line ->> 'payer' as payer,
    order_stream.state = 2 as released,
    coalesce(last.held, false) as held,
    coalesce(last.attempt, 1) as attempt,
    last.reason_code
from order_chunk as chunk
join order_stream using (assessment, partition)
-- The bytes are made whole in memory once, and stay within: what joins the view carries the few columns that it shows.
cross join lateral (
    select chunk.first_number + (get_byte(bytes.numbers, 4 * place)::bigint << 24)
            + (get_byte(bytes.numbers, 4 * place + 1) << 16) + (get_byte(bytes.numbers, 4 * place + 2) << 8)
            + get_byte(bytes.numbers, 4 * place + 3) as number,
        line
    from (
        select chunk.numbers || ''::bytea as numbers, chunk.entries || ''::bytea as entries,
            chunk.lines || '[]'::jsonb as lines
        offset 0
    ) as bytes
    cross join lateral generate_series(0, length(bytes.entries) / 2 - 1) as place
    cross join lateral jsonb_array_elements(
        bytes.lines -> ((get_byte(bytes.entries, 2 * place) << 8) + get_byte(bytes.entries, 2 * place + 1))
    ) as line
    offset 0
) as member
left join lateral (
    select held, attempt, nullif(reason_code, '') as reason_code from payout_difference
    where payout_difference.assessment = chunk.assessment and payout_difference.number = member.number
    order by version desc limit 1
) last on true;
