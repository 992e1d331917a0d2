-- The physical schemas of this service. `building` is being caught up, `standby` is fed and can be
-- switched to, `live` is what the views show, `dropped` is being removed.
create table projection_schema (
    number integer primary key,
    state text not null check (state in ('building', 'standby', 'live', 'dropped')),
    request_id uuid unique,
    created_at timestamptz not null default now()
);
create unique index one_live on projection_schema (state) where state = 'live';

-- The heads of the streams that a stage writes, as of its position.
create table stage_output (
    stage text not null,
    topic text not null,
    stream text not null,
    version bigint not null,
    event_id uuid not null,
    primary key (stage, topic, stream)
);

-- The accepted events of the streams that this service decides on.
create table journal_event (
    topic text not null,
    stream text not null,
    version bigint not null,
    partition integer not null,
    "offset" bigint not null,
    envelope bytea not null,
    primary key (topic, stream, version)
);

-- What became of every record that a command or a claim wrote.
create table command_outcome (
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    stream text not null,
    version bigint not null,
    command_id uuid,
    verdict text not null,
    primary key (topic, partition, "offset")
);
create index command_outcome_command on command_outcome (command_id) where verdict = 'accepted';

-- The processes of this service that are alive.
create table member (
    member_id uuid primary key,
    heartbeat_at timestamptz not null
);

-- Who works on which partition: a hint for efficiency, never needed for safety.
create table lease (
    partition integer primary key,
    member_id uuid not null,
    expires_at timestamptz not null
);

-- The consumers that stand still, and where.
create table poison (
    consumer text not null,
    schema_name text not null,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    stream text not null,
    kind text not null,
    problem text not null,
    stopped_at timestamptz not null default now(),
    primary key (consumer, schema_name, topic, partition)
);

-- The records that `RecordSkipped` tells a consumer to leave out.
create table record_skip (
    consumer text not null,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    note text not null,
    primary key (consumer, topic, partition, "offset")
);
