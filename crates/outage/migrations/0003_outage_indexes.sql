create index signal_by_source on signal (feed, source_id);
create index outage_by_begin on outage (began_at desc, outage desc);
create index outage_by_provider on outage (provider, began_at desc, outage desc);
create index outage_source_by_outage on outage_source (outage);
