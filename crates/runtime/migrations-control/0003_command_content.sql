-- What each request_id was first sent with, so that it is not taken for another command. It stands here and not on the
-- log, since a content may be personal and what is on the log outlives an erasure.
create table command_content (
    command_id uuid primary key,
    digest bytea not null,
    seen_at timestamptz not null default now()
);
