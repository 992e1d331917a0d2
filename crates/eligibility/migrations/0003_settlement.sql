-- What the settlement of each outage knows, and the outage's own history. Times are microseconds since the epoch.

create table outage_event (
    outage text not null,
    version bigint not null,
    partition integer not null,
    record_offset bigint not null,
    kind text not null,
    occurred_at bigint not null,
    actor text not null,
    traceparent text not null,
    payload bytea not null,
    primary key (outage, version)
);

create table settlement_event (
    outage text not null,
    version bigint not null,
    partition integer not null,
    record_offset bigint not null,
    kind text not null,
    occurred_at bigint not null,
    actor text not null,
    traceparent text not null,
    payload bytea not null,
    primary key (outage, version)
);

create table assessment (
    assessment text primary key,
    outage text not null,
    policy text not null,
    policy_version text not null,
    -- 1 proposed, 2 deciding, 3 completed, 4 rejected, 5 cancelled, 6 stopped
    state smallint not null,
    proposal_version bigint not null,
    -- the version of the outage's settlement that last changed it
    version bigint not null,
    digest bytea not null,
    proposal bytea not null,
    proposed_by text not null,
    proposed_at bigint not null,
    approved_by text not null default '',
    cap_minor bigint,
    cap_currency text,
    note text not null default '',
    -- the records that approved and ended it, as TOPIC/PARTITION/OFFSET; empty until then
    approved_position text not null default '',
    ended_position text not null default ''
);
