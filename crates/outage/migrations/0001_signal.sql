-- Times are microseconds since the epoch.

-- What feeds reported, one row for each signal that was news.
create table signal (
    feed text not null,
    -- The version of the feed's stream, and the place in that record's batch, from 0.
    version bigint not null,
    place integer not null,
    source_id text not null,
    provider text not null,
    title text not null,
    service text,
    components text[] not null,
    -- total, degraded; null where the source does not say.
    severity text,
    -- stated, measured.
    kind text not null,
    began_at bigint not null,
    ended_at bigint,
    modified_at bigint not null,
    observed_at bigint not null,
    warnings text[] not null,
    -- What the source says of single components: [{"component", "severity", "began_at", "ended_at"}].
    parts jsonb not null,
    primary key (feed, version, place)
);
