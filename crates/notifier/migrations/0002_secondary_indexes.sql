create index holder_by_subscription on holder (subscription);
create index notice_chunk_first_number on notice_chunk (assessment, partition, first_number);
create index notice_chunk_unstarted on notice_chunk (partition) where unstarted > 0;
create index dispatch_wave_open on dispatch_wave (partition) where next_block < blocks;
create index retry_open on retry (partition) where not started;
