create table total (
    stream text primary key,
    total bigint not null
);
-- Every fold of a record leaves a row here: a record folded twice would break the key.
create table folded (
    partition integer not null,
    "offset" bigint not null,
    stream text not null,
    amount bigint not null,
    primary key (partition, "offset")
);
create table echo (
    stream text not null,
    version bigint not null,
    heard text not null,
    primary key (stream, version)
);
