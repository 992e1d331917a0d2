-- Published policies, folded from ristoro.policy.v1.

create table policy (
    policy text not null,
    policy_version text not null,
    text text not null,
    sha256 bytea not null,
    partition integer not null,
    record_offset bigint not null,
    -- Microseconds since the epoch.
    published_at bigint not null,
    published_by text not null,
    -- Why it is retired; null while it may be used.
    retired text,
    stream_version bigint not null,
    primary key (policy, policy_version)
);

-- The assessments that stand in a policy's chain of what is carried over, in the order of the stream's versions.
create table leftover_claim (
    policy text not null,
    stream_version bigint not null,
    assessment text not null,
    primary key (policy, stream_version)
);
