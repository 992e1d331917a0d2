-- What one person proposed to skip; another may approve it. The approved skip stands on the log.
create table skip_proposal (
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    consumers text[] not null,
    note text not null,
    proposer text not null,
    digest text not null,
    proposed_at timestamptz not null default now(),
    primary key (topic, partition, "offset")
);
