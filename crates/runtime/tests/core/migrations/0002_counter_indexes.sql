create index folded_stream on folded (stream);
create unique index echo_once on echo (heard);
