-- S3: the fastest trick, once: tables made from queries, which the server's settings keep out of its journal. It rules
-- out replicas.
set work_mem = '256MB';
set maintenance_work_mem = '1GB';
set max_parallel_workers_per_gather = 2;
create table entitlement as
select number, 'indemnity' as kind,
    (days * case class when 'free' then 100 else 600 end * case segment when 'business' then 2 else 1 end)::bigint
        as amount_minor
from roster join down using (cohort)
where service <> 'pec';
create table payout as
select number, case when iban is not null then 'transfer' when paying then 'invoice' else 'unclaimed' end as channel,
    amount_minor, 'ordered' as status
from entitlement join roster using (number);
create table ledger as
select number, account, debit_minor, credit_minor
from payout, lateral (values
    ('compensation-expense', amount_minor, 0::bigint), ('payable-' || channel, 0::bigint, amount_minor)
) line (account, debit_minor, credit_minor);
create table notification as
select number, email, locale, amount_minor, 'queued' as status from entitlement join roster using (number);
alter table entitlement add primary key (number);
alter table payout add primary key (number);
alter table ledger add primary key (number, account);
alter table notification add primary key (number);
