-- Outages as they are known now. Times are microseconds since the epoch.
create table outage (
    outage text primary key,
    version bigint not null,
    provider text not null,
    title text not null,
    time_zone text not null,
    -- declared, observed.
    origin text not null,
    -- open, resolved, withdrawn.
    state text not null,
    declared_from bigint,
    declared_to bigint,
    observed_from bigint,
    observed_to bigint,
    -- From the first begin to the last end of everything that is known; no end while something is open.
    began_at bigint not null,
    ended_at bigint,
    -- fault, planned, force_majeure, customer; null while not known.
    cause text,
    works_done_at bigint,
    -- When planned work was announced.
    announced_at bigint,
    resolved_at bigint,
    reopened_at bigint,
    withdrawn_note text not null,
    amended_by_person boolean not null,
    created_at bigint not null,
    updated_at bigint not null
);

-- What failed.
create table impact (
    outage text not null,
    impact text not null,
    service text,
    component text not null,
    severity text not null,
    cohort text,
    began_at bigint not null,
    -- The end for those whom no restoration names.
    restored_at bigint,
    -- The last end that is known of anybody; null while it is open.
    down_until bigint,
    ended_by_resolution boolean not null,
    -- Single mailboxes that were stated to be back, corrections counted again. Who they are stands on the log alone.
    mailbox_restorations bigint not null,
    last_mailbox_restored_at bigint,
    primary key (outage, impact)
);

-- Cohorts that were back at a time of their own.
create table cohort_restoration (
    outage text not null,
    impact text not null,
    cohort text not null,
    restored_at bigint not null,
    primary key (outage, impact, cohort)
);

-- What feeds say about outages, as of their last word.
create table outage_source (
    -- feed/source_id
    source text not null,
    outage text not null,
    modified_at bigint,
    declared_from bigint,
    declared_to bigint,
    observed_from bigint,
    observed_to bigint,
    -- The ids of the impacts that it names.
    impacts text[] not null,
    primary key (source, outage)
);

-- Everything that was said about outages, in that order.
create table timeline (
    outage text not null,
    version bigint not null,
    kind text not null,
    said_at bigint not null,
    actor text not null,
    -- The time that it speaks of.
    about bigint,
    text text not null,
    partition integer not null,
    record_offset bigint not null,
    primary key (outage, version)
);
