-- The share of its time, in percent, that a process spends on folding a schema while it is built.
alter table projection_schema add column pace_percent integer not null default 100 check (pace_percent between 0 and 100);
