//! `google.type.Money` and the domain's minor units, exactly.

use ristoro_domain::money::{Currency, Money};
use ristoro_proto::google::r#type::Money as MoneyMessage;
use tonic::Status;

use crate::status::invalid;

/// The decimals of `nanos`.
const NANO_DIGITS: u32 = 9;

/// Reads a required amount of any sign.
///
/// # Errors
/// INVALID_ARGUMENT naming `field`: missing, an unknown currency, `units` and `nanos` of different signs, more
/// decimals than the currency has, or more than 64 bits of minor units.
pub fn money(field: &str, message: Option<&MoneyMessage>) -> Result<Money, Status> {
    let message = message.ok_or_else(|| invalid(field, "is missing"))?;
    let currency: Currency = message
        .currency_code
        .parse()
        .map_err(|problem| invalid(&format!("{field}.currency_code"), format!("{problem}")))?;
    let nanos = i64::from(message.nanos);
    let of_nanos = || format!("{field}.nanos");
    if nanos.abs() >= 10_i64.pow(NANO_DIGITS) {
        return Err(invalid(&of_nanos(), format!("is {nanos}: write less than a whole unit")));
    }
    if message.units.signum() * nanos.signum() < 0 {
        let problem = format!("is {nanos}: write it with the same sign as units {}", message.units);
        return Err(invalid(&of_nanos(), problem));
    }
    let exponent = currency.exponent();
    let per_minor = 10_i64.pow(NANO_DIGITS - exponent);
    if nanos % per_minor != 0 {
        let problem = format!(
            "is {nanos}: {currency} has {exponent} decimals, write a multiple of {per_minor}"
        );
        return Err(invalid(&of_nanos(), problem));
    }
    let whole = message.units.checked_mul(10_i64.pow(exponent));
    let minor = whole.and_then(|whole| whole.checked_add(nanos / per_minor));
    let minor = minor.ok_or_else(|| {
        let problem = format!("is {}: too large for 64-bit minor units", message.units);
        invalid(&format!("{field}.units"), problem)
    })?;
    Ok(Money::new(minor, currency))
}

/// Reads a required amount of zero or more.
///
/// # Errors
/// INVALID_ARGUMENT as for `money`, and for a negative amount.
pub fn non_negative_money(field: &str, message: Option<&MoneyMessage>) -> Result<Money, Status> {
    let money = money(field, message)?;
    if money.minor < 0 {
        return Err(invalid(field, format!("is {money}: write zero or more")));
    }
    Ok(money)
}

/// Reads a required amount above zero.
///
/// # Errors
/// INVALID_ARGUMENT as for `money`, and for zero or a negative amount.
pub fn positive_money(field: &str, message: Option<&MoneyMessage>) -> Result<Money, Status> {
    let money = money(field, message)?;
    if money.minor <= 0 {
        return Err(invalid(field, format!("is {money}: write more than zero")));
    }
    Ok(money)
}

/// Writes an amount.
#[must_use]
pub fn money_message(money: Money) -> MoneyMessage {
    let exponent = money.currency.exponent();
    let per_unit = 10_i64.pow(exponent);
    let nanos = (money.minor % per_unit) * 10_i64.pow(NANO_DIGITS - exponent);
    MoneyMessage {
        currency_code: money.currency.code().to_owned(),
        units: money.minor / per_unit,
        nanos: i32::try_from(nanos).expect("less than a whole unit is below a billion nanos"),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn message(code: &str, units: i64, nanos: i32) -> MoneyMessage {
        MoneyMessage { currency_code: code.to_owned(), units, nanos }
    }

    #[test]
    fn amounts_cross_the_edge_and_come_back() {
        let check = |code: &str, units, nanos, minor| {
            let sent = message(code, units, nanos);
            let read = money("amount", Some(&sent)).unwrap();
            assert_eq!(read.minor, minor);
            assert_eq!(money_message(read), sent);
        };
        check("EUR", 19, 990_000_000, 1999);
        check("EUR", 0, -50_000_000, -5);
        check("EUR", -3, -10_000_000, -301);
        check("EUR", 0, 0, 0);
        check("JPY", 1235, 0, 1235);
        check("KWD", 1, 234_000_000, 1234);
        check("EUR", 92_233_720_368_547_758, 70_000_000, i64::MAX);
        check("EUR", -92_233_720_368_547_758, -80_000_000, i64::MIN);
    }

    #[test]
    fn what_is_no_amount_is_refused_with_its_field() {
        let check = |message: Option<MoneyMessage>, field: &str| {
            let status = money("fee", message.as_ref()).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            let violations = status.get_details_bad_request().unwrap().field_violations;
            assert_eq!(violations[0].field, field, "{}", status.message());
        };
        check(None, "fee");
        check(Some(message("EURO", 1, 0)), "fee.currency_code");
        check(Some(message("EUR", 1, -10_000_000)), "fee.nanos");
        check(Some(message("EUR", -1, 10_000_000)), "fee.nanos");
        check(Some(message("EUR", 1, 5_000_000)), "fee.nanos");
        check(Some(message("JPY", 1, 100_000_000)), "fee.nanos");
        check(Some(message("EUR", 0, 1_000_000_000)), "fee.nanos");
        check(Some(message("EUR", i64::MAX, 0)), "fee.units");
        check(Some(message("EUR", 92_233_720_368_547_758, 80_000_000)), "fee.units");
    }

    #[test]
    fn the_sign_can_be_asked_for() {
        assert!(non_negative_money("cap", Some(&message("EUR", 0, 0))).is_ok());
        assert!(non_negative_money("cap", Some(&message("EUR", -1, 0))).is_err());
        assert!(positive_money("cap", Some(&message("EUR", 0, 0))).is_err());
        assert!(positive_money("cap", Some(&message("EUR", 0, 10_000_000))).is_ok());
    }
}
