//! Amounts and exchange rates at the door.

use sextant_domain::money::{Currency, Money as Amount};
use sextant_proto::common::v1::{ErrorReason, Money};

use crate::record::fact;
use crate::status::Problem;

/// The largest amount, in minor units: of a price, a payment, an invoice, of a payment in the base currency, and of what a
/// subscription comes to in a month there. A hundred billion dollars or rupees; 900,000 of them still fit 64 bits.
pub const MAX_MINOR: i64 = 10_000_000_000_000;
/// The largest exchange rate, in millionths: ten million. The dearest currency is worth some millions of the cheapest.
pub const MAX_RATE_MICROS: i64 = 10_000_000_000_000;

/// An amount; `instead` says how what a negative one could mean is sent.
pub(super) fn money(money: Option<&Money>, field: &str, instead: &str) -> Result<i64, Problem> {
    let currency = currency(money, field)?;
    let minor = money.map_or(0, |money| money.minor);
    let refused = |reason, message| Err(Problem::field(reason, format!("{field}.minor"), message));
    // Told in whole units, as files have it.
    let amount = Amount::new(minor, currency);
    if minor < 0 {
        let message = format!("{amount} is negative; {instead}");
        return refused(ErrorReason::AmountNegative, message);
    }
    if minor > MAX_MINOR {
        let message = format!("{amount} is above {MAX_MINOR} minor units; check the unit");
        return refused(ErrorReason::AmountOverflow, message);
    }
    Ok(minor)
}

pub(super) fn currency(money: Option<&Money>, field: &str) -> Result<Currency, Problem> {
    let money =
        money.ok_or_else(|| Problem::field(ErrorReason::FieldMissing, field, "must be set"))?;
    Currency::parse(&money.currency).map_err(|error| {
        Problem::field(
            ErrorReason::CurrencyUnknown,
            format!("{field}.currency"),
            error.to_string(),
        )
    })
}

/// An amount in minor units of a currency that another field names, from `least` to [`MAX_MINOR`].
pub(super) fn minor(amount: i64, least: i64, field: &str) -> Result<(), Problem> {
    if amount < least {
        let message = format!("{amount} is less than {least}");
        return Err(Problem::field(ErrorReason::AmountNegative, field, message));
    }
    if amount > MAX_MINOR {
        let message = format!("{amount} is above {MAX_MINOR} minor units; check the unit");
        return Err(Problem::field(ErrorReason::AmountOverflow, field, message));
    }
    Ok(())
}

pub(super) fn part(part: i64, whole: i64, field: &str) -> Result<(), Problem> {
    if part < 0 {
        return Err(Problem::field(
            ErrorReason::AmountNegative,
            field,
            "must not be negative",
        ));
    }
    if part > whole {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            field,
            format!("{part} is more than the whole amount {whole}"),
        ));
    }
    Ok(())
}

/// An amount in another currency than the tenant's needs its rate.
pub(super) fn rate(
    fx_rate_micros: i64,
    amount: Option<&Money>,
    base: Currency,
) -> Result<(), Problem> {
    if !(0..=MAX_RATE_MICROS).contains(&fx_rate_micros) {
        let message = format!("must be between 0 and {MAX_RATE_MICROS}");
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "fx_rate_micros",
            message,
        ));
    }
    let foreign = amount.is_some_and(|amount| amount.currency != base.code());
    if foreign && fx_rate_micros == 0 {
        let message = format!("must be set, for the tenant reports in {base}");
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            "fx_rate_micros",
            message,
        ));
    }
    Ok(())
}

/// An amount in minor units of the base currency may be as large as any other.
pub(super) fn converted(
    amount: Option<&Money>,
    fx_rate_micros: i64,
    base: Currency,
) -> Result<(), Problem> {
    let currency = currency(amount, "amount")?;
    let minor = amount.map_or(0, |amount| amount.minor);
    let converted = fact::base_minor(minor, currency, fx_rate_micros, base);
    if converted.is_none_or(|minor| minor > MAX_MINOR) {
        let message =
            format!("makes more than {MAX_MINOR} minor units of {base} of the amount; check both");
        return Err(Problem::field(
            ErrorReason::AmountOverflow,
            "fx_rate_micros",
            message,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
