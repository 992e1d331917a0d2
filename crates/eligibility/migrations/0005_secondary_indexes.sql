-- Secondary indexes, made after a rebuild has caught up.

create index assessment_by_outage on assessment (outage, proposal_version);
create index assessment_by_state on assessment (state) where state = 2;
create index holder_by_subscription on holder (subscription);
