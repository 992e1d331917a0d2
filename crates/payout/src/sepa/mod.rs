//! SEPA credit transfers: turns payouts into the file that a bank executes (pain.001.001.09).
//!
//! Everything here is a pure function of its arguments, the time of creation included, so that the
//! same reservation gives the same bytes on every replica and at every rebuild.
//!
//! | file | does |
//! | --- | --- |
//! | [`payment`] | the border types: header, debtor, transfer |
//! | [`identifier`] | identifiers of files, blocks and payout attempts, and the way back |
//! | [`text`] | any text to the SEPA Latin character set |
//! | [`iban`] | which accounts a SEPA transfer can reach |
//! | [`rules`] | what the bank refuses although the schema allows it |
//! | [`pain001`] | the XML itself |
//!
//! The official schema accepts wrong sums, three decimals and wrong IBANs, so no byte is written
//! before [`rules`] have passed: the writer takes only what they have prepared.
//!
//! Left out: the creditor's bank (`CdtrAgt`; the account number alone is enough within the European
//! Economic Area, and elsewhere the bank adds it), creditors' addresses, instant transfers, and the
//! Italian CBI envelope (`CBIPaymentRequest`), which some Italian banks ask for around the same
//! content.

pub mod iban;
pub mod identifier;
pub mod pain001;
pub mod payment;
pub mod rules;
pub mod text;

pub use pain001::write;
pub use payment::{Debtor, PaymentFileHeader, TownAddress, Transfer};
pub use rules::RuleViolation;
