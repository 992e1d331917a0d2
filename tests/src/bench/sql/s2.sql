-- S2: the same, tuned and still durable: keys after loading, big buffers.
set work_mem = '256MB';
set maintenance_work_mem = '1GB';
create table entitlement (number bigint not null, kind text not null, amount_minor bigint not null);
create table payout (
    number bigint not null, channel text not null, amount_minor bigint not null, status text not null
);
create table ledger (
    number bigint not null, account text not null, debit_minor bigint not null, credit_minor bigint not null
);
create table notification (
    number bigint not null, email text not null, locale text not null, amount_minor bigint not null, status text not null
);
insert into entitlement
select number, 'indemnity',
    days * case class when 'free' then 100 else 600 end * case segment when 'business' then 2 else 1 end
from roster join down using (cohort)
where service <> 'pec';
insert into payout
select number, case when iban is not null then 'transfer' when paying then 'invoice' else 'unclaimed' end,
    amount_minor, 'ordered'
from entitlement join roster using (number);
insert into ledger
select number, account, debit_minor, credit_minor
from payout, lateral (values
    ('compensation-expense', amount_minor, 0::bigint), ('payable-' || channel, 0::bigint, amount_minor)
) line (account, debit_minor, credit_minor);
insert into notification
select number, email, locale, amount_minor, 'queued' from entitlement join roster using (number);
alter table entitlement add primary key (number);
alter table payout add primary key (number);
alter table ledger add primary key (number, account);
alter table notification add primary key (number);
