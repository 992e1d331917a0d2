create index holder_by_subscription on holder (subscription);
create index order_chunk_by_number on order_chunk (assessment, partition, first_number);
create index posting_by_account on posting (account, currency, partition, record_offset, chunk);
create index posting_by_assessment on posting (assessment, partition, record_offset, chunk, account, currency);
create index reservation_by_file on reservation (file, partition, record_offset);
create index payment_file_by_time on payment_file (created_at, file);
create index payment_file_by_status on payment_file (status);
create index grant_outcome_by_note on grant_outcome (assessment, note) where outcome = 3;
