create index holding_by_subscriber on holding (subscriber, subscription, recorded_at);
create index order_chunk_by_number on order_chunk (assessment, partition, first_number);
create index posting_by_account on posting (account, currency, partition, record_offset, chunk);
