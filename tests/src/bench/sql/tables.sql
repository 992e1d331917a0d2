-- What the scripts begin from: the roster as rows, and for how many local days each cohort was down.
create table roster (
    number bigint not null,
    subscription text not null,
    service text not null,
    segment text not null,
    class text not null,
    cohort text not null,
    paying boolean not null,
    email text not null,
    locale text not null,
    iban text
);
create table down (cohort text primary key, days integer not null);
