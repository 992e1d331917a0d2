-- How far each consumer has come. Every batch moves its row by compare-and-set on next_offset and role_epoch.
create table log_position (
    consumer text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    -- The identity of the record before next_offset; null at the beginning.
    last_event_id uuid,
    log_id uuid not null,
    role_epoch bigint not null default 0,
    primary key (consumer, topic, partition)
);

-- The last accepted record of each stream, as this consumer judged it.
create table stream_head (
    consumer text not null,
    stream text not null,
    version bigint not null,
    event_id uuid not null,
    payload_hash bigint not null,
    primary key (consumer, stream)
);

-- The commands that were accepted on each stream.
create table stream_command (
    consumer text not null,
    stream text not null,
    command_id uuid not null,
    primary key (consumer, stream, command_id)
);

-- Records that do not count, by the reason.
create table void_count (
    consumer text not null,
    topic text not null,
    partition integer not null,
    reason text not null,
    records bigint not null,
    primary key (consumer, topic, partition, reason)
);

-- The records that this consumer left out because `RecordSkipped` told it to.
create table skipped_record (
    consumer text not null,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    primary key (consumer, topic, partition, "offset")
);
