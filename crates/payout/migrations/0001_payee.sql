-- Who is paid and where, folded from ristoro.subscriber.v1. Offsets are those of the number's own partition of that topic.

-- One row per state of a subscription: it held from the record at recorded_at until the one at superseded_at.
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

-- How the subscriptions of a batch of the roster can be paid: one row a batch.
create table payable_page (
    first_number bigint not null,
    last_number bigint not null,
    recorded_at bigint not null,
    -- A byte each: 1 by transfer, 2 by invoice, added; 4 where the other tables have to be asked.
    payables bytea not null,
    primary key (first_number)
);
-- A page is read far more often than written, and small.
alter table payable_page alter column payables set storage plain;

-- Numbers of whom a page is no longer right from a record on.
create table payable_change (
    number bigint not null,
    recorded_at bigint not null,
    primary key (number, recorded_at)
);

-- One row per state of a subscriber's account, without an account where none is known. Personal data.
create table payee (
    subscriber text not null,
    recorded_at bigint not null,
    superseded_at bigint,
    iban text,
    payee_name text,
    primary key (subscriber, recorded_at)
);
