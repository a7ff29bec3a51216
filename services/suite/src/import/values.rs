//! Texts of cells as values. Every refusal says what was found and what is expected.

use std::str::FromStr;

use prost_types::Timestamp;

use sextant_domain::money::Currency;
use sextant_domain::time::{Day, Zone};
use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1::Value;
use sextant_proto::ingestion::v1::value::Kind;

const NANOS: i128 = 1_000_000_000;

/// A moment: RFC 3339 with its offset, or a day, which means its beginning in a zone.
pub(crate) fn time(text: &str, zone: &Zone) -> Result<Timestamp, String> {
    if let Ok(day) = Day::parse(text)
        && text.len() == "2026-01-31".len()
    {
        return Ok(sextant_wire::time::timestamp(zone.start_of(day)));
    }
    let stamp: jiff::Timestamp = text.parse().map_err(|_unreadable| {
        format!("\"{text}\" is no moment such as 2026-01-31T09:30:00Z and no day such as 2026-01-31; a time of day needs Z or an offset such as +01:00")
    })?;
    Ok(timestamp(stamp))
}

pub(crate) fn timestamp(stamp: jiff::Timestamp) -> Timestamp {
    let nanos = stamp.as_nanosecond();
    Timestamp {
        seconds: i64::try_from(nanos.div_euclid(NANOS)).unwrap_or(i64::MAX),
        nanos: i32::try_from(nanos.rem_euclid(NANOS)).unwrap_or(0),
    }
}

/// A moment as RFC 3339; `None` outside the years that it can write.
pub(crate) fn rfc3339(at: &Timestamp) -> Option<String> {
    if !(0..1_000_000_000).contains(&at.nanos) {
        return None;
    }
    let nanos = i128::from(at.seconds) * NANOS + i128::from(at.nanos);
    jiff::Timestamp::from_nanosecond(nanos)
        .ok()
        .map(|stamp| stamp.to_string())
}

/// A whole number.
pub(crate) fn integer<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_unreadable| {
        // A kind of numbers that has negative ones would have taken it.
        if text.parse::<i64>().is_ok_and(i64::is_negative) {
            return format!("\"{text}\" must not be negative");
        }
        format!("\"{text}\" is no whole number that fits here; write it without separators, such as 1200")
    })
}

/// Yes or no.
pub(crate) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("\"{text}\" is neither true nor false")),
    }
}

/// A decimal number without its sign: digits before the point and behind it.
fn digits_of(text: &str) -> Result<(&str, &str), String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) || digits.ends_with('.') {
        return Err(format!(
            "\"{text}\" is no decimal number such as 1234.5; write it with a point and without separators, symbols and blanks"
        ));
    }
    Ok((whole, part))
}

/// A number with decimals.
pub(crate) fn decimal(text: &str) -> Result<f64, String> {
    digits_of(text)?;
    text.parse()
        .map_err(|_no_number| format!("\"{text}\" is no number"))
}

/// A decimal number as an integer of its `places`-th places: 12.5 with two places is 1250. Exact: nothing is rounded.
pub(crate) fn fixed(text: &str, places: u8) -> Result<i64, String> {
    let (whole, part) = digits_of(text)?;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let places = usize::from(places);
    let kept = part.trim_end_matches('0');
    if kept.len() > places {
        return Err(format!(
            "\"{text}\" has more than {places} decimals, which is less than the smallest unit; round it at the source"
        ));
    }
    let scaled = format!("{whole}{kept:0<places$}");
    let number: i64 = scaled
        .parse()
        .map_err(|_too_large| format!("\"{text}\" is too large"))?;
    Ok(sign * number)
}

/// An amount in whole units of its currency: 12.34 USD, 1200 JPY.
pub(crate) fn money(amount: &str, currency: &str) -> Result<Money, String> {
    let currency = Currency::parse(currency).map_err(|error| error.to_string())?;
    let minor = fixed(amount, currency.exponent())?;
    Ok(Money {
        minor,
        currency: currency.code().to_owned(),
    })
}

/// A value of a trait: yes or no, a whole number, a decimal number, else text. A number is one only if it is written as
/// numbers are: "007" is a text, and so is "1e5".
pub(crate) fn guessed(text: &str) -> Result<Value, String> {
    let kind = match text {
        "true" => Kind::Boolean(true),
        "false" => Kind::Boolean(false),
        _ => match text.parse::<i64>() {
            Ok(integer) if integer.to_string() == text => Kind::Integer(integer),
            _ => number_or_text(text)?,
        },
    };
    Ok(Value { kind: Some(kind) })
}

fn number_or_text(text: &str) -> Result<Kind, String> {
    let word = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
    if matches!(word.as_str(), "nan" | "inf" | "infinity") {
        return Err(format!(
            "\"{text}\" is not a finite number; leave an unknown value empty"
        ));
    }
    let plain = fixed(text, 12).is_ok() && text.contains('.') && !has_leading_zero(text);
    match text.parse::<f64>() {
        Ok(number) if plain && number.is_finite() => Ok(Kind::Number(number)),
        _ => Ok(Kind::Text(text.to_owned())),
    }
}

fn has_leading_zero(text: &str) -> bool {
    let digits = text.trim_start_matches('-').as_bytes();
    digits.first() == Some(&b'0') && digits.get(1).is_some_and(u8::is_ascii_digit)
}

/// An enum of the contract: how its values are named and found.
pub(crate) trait Named: Sized + TryFrom<i32> {
    /// What every name begins with.
    const PREFIX: &'static str;
    /// The value's name.
    fn name(&self) -> &'static str;
    /// The value of a name.
    fn of_name(name: &str) -> Option<Self>;
}

macro_rules! named {
    ($service:ident: $($kind:ident $prefix:literal),+ $(,)?) => {$(
        impl Named for sextant_proto::$service::v1::$kind {
            const PREFIX: &'static str = $prefix;
            fn name(&self) -> &'static str {
                self.as_str_name()
            }
            fn of_name(name: &str) -> Option<Self> {
                Self::from_str_name(name)
            }
        }
    )+};
}
named! { ingestion:
    AccountUserRole "ACCOUNT_USER_ROLE_",
    SubscriptionStatus "SUBSCRIPTION_STATUS_",
    BillingInterval "BILLING_INTERVAL_",
    UsageType "USAGE_TYPE_",
    DiscountDuration "DISCOUNT_DURATION_",
    CancellationKind "CANCELLATION_KIND_",
    InvoiceStatus "INVOICE_STATUS_",
    PaymentStatus "PAYMENT_STATUS_",
    DunningOutcome "DUNNING_OUTCOME_",
    SurveyKind "SURVEY_KIND_",
    TicketStatus "TICKET_STATUS_",
    TicketPriority "TICKET_PRIORITY_",
    TicketType "TICKET_TYPE_",
    OpportunityType "OPPORTUNITY_TYPE_",
    OpportunityOutcome "OPPORTUNITY_OUTCOME_",
    OpportunityOrigin "OPPORTUNITY_ORIGIN_",
    TouchpointKind "TOUCHPOINT_KIND_",
    CostKind "COST_KIND_",
    CostAllocation "COST_ALLOCATION_",
    OutcomeKind "OUTCOME_KIND_",
    HistorySchedule "HISTORY_SCHEDULE_",
    RfmTiePolicy "RFM_TIE_POLICY_",
}
named! { segmentation:
    SegmenterState "SEGMENTER_STATE_",
    SegmenterKind "SEGMENTER_KIND_",
    SegmenterAction "SEGMENTER_ACTION_",
    RevisionState "REVISION_STATE_",
}

/// Most values of an enum of the contract.
const MAX_VALUES: i32 = 32;

/// A value by its name, whole or without its prefix, in any case: "SUCCEEDED", "succeeded" or "PAYMENT_STATUS_SUCCEEDED".
pub(crate) fn word<E: Named>(text: &str) -> Result<E, String> {
    let upper = text.to_ascii_uppercase();
    let found = E::of_name(&upper).or_else(|| E::of_name(&format!("{}{upper}", E::PREFIX)));
    found.ok_or_else(|| format!("\"{text}\" is none of {}", words::<E>().join(", ")))
}

/// The short names of an enum, in its order, without the unspecified one.
pub(crate) fn words<E: Named>() -> Vec<String> {
    (1..MAX_VALUES)
        .filter_map(|number| E::try_from(number).ok())
        .map(|value| short(&value))
        .collect()
}

/// The short name of a value.
pub(crate) fn short<E: Named>(value: &E) -> String {
    value.name().trim_start_matches(E::PREFIX).to_lowercase()
}

#[cfg(test)]
mod tests;
