use std::num::NonZeroU64;

use super::{Currency, Rate};

/// Minor units, their currency, a rate in millionths, the base currency, and what comes out.
#[test]
fn amounts_are_converted_between_currencies_of_any_number_of_decimals() {
    let cases = [
        (10_000, "JPY", 6_700, "USD", 6_700),
        (10_000, "KWD", 3_250_000, "USD", 3_250),
        (6_700, "USD", 149_253_731, "JPY", 10_000),
        (3_250, "USD", 307_692, "KWD", 10_000),
        (10_000, "EUR", 1_087_300, "USD", 10_873),
        (1, "CLF", 38_000_000_000, "CLP", 4),
        (25, "KWD", 1_000_000, "USD", 2),
        (35, "KWD", 1_000_000, "USD", 4),
        (-35, "KWD", 1_000_000, "USD", -4),
        // Exact also where the rate has more digits than a float.
        (
            1_000_000,
            "EUR",
            9_999_999_999_999,
            "USD",
            9_999_999_999_999,
        ),
    ];
    for (minor, from, micros, base, expected) in cases {
        let [from, base] = [from, base].map(|code| Currency::parse(code).unwrap());
        let rate = Rate::from_micros(base, NonZeroU64::new(micros).unwrap());
        assert_eq!(
            rate.convert(minor, from),
            Some(expected),
            "{minor} {from} at {micros} in {base}"
        );
    }
}

#[test]
fn an_amount_that_does_not_fit_is_not_converted() {
    let rate = Rate::from_micros(Currency::USD, NonZeroU64::MAX);
    assert_eq!(rate.convert(i64::MAX, Currency::EUR), None);
}
