create table total (
    stream text primary key,
    total bigint not null
);
-- Every fold of a record leaves a row here. There is no key: a record folded twice shall show.
create table folded (
    partition integer not null,
    "offset" bigint not null,
    stream text not null,
    amount bigint not null
);
create table echo (
    stream text not null,
    version bigint not null,
    heard text not null,
    primary key (stream, version)
);
