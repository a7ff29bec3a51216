use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_proto::ingestion::v1::{PaymentStatus, SubscriptionStatus};

use super::{fixed, guessed, integer, money, rfc3339, time, word};

#[test]
fn amounts_are_exact_and_of_their_currency() {
    assert_eq!(money("12.34", "USD").unwrap().minor, 1_234);
    assert_eq!(money("12", "USD").unwrap().minor, 1_200);
    assert_eq!(money("12.5", "USD").unwrap().minor, 1_250);
    assert_eq!(money("12.3400", "USD").unwrap().minor, 1_234);
    assert_eq!(money("1200", "JPY").unwrap().minor, 1_200);
    assert_eq!(money("-0.01", "EUR").unwrap().minor, -1);
    assert!(
        money("12.345", "USD")
            .unwrap_err()
            .contains("more than 2 decimals")
    );
    assert!(
        money("1.5", "JPY")
            .unwrap_err()
            .contains("more than 0 decimals")
    );
    assert!(money("1", "usd").unwrap_err().contains("ISO 4217"));
}

#[test]
fn what_is_no_number_is_refused_with_an_example() {
    for text in [
        "NaN", "inf", "1,234.50", "12,50", "$12", "", "-", ".", "1.", ".5", "1e3", "0x10", "1 000",
        "١٢",
    ] {
        let problem = fixed(text, 2).unwrap_err();
        assert!(problem.contains("such as 1234.5"), "{text}: {problem}");
    }
    assert!(
        fixed("99999999999999999999", 2)
            .unwrap_err()
            .contains("too large")
    );
    assert!(
        integer::<u32>("-1")
            .unwrap_err()
            .contains("must not be negative")
    );
    assert!(integer::<u32>("-").unwrap_err().contains("such as 1200"));
    assert_eq!(integer::<u32>("7"), Ok(7));
}

#[test]
fn a_moment_needs_its_offset_and_a_day_is_its_beginning() {
    let utc = Zone::utc();
    assert_eq!(time("1970-01-02", &utc).unwrap().seconds, 86_400);
    assert_eq!(time("1970-01-01T01:00:00+01:00", &utc).unwrap().seconds, 0);
    let precise = time("2026-01-31T09:30:00.123456789Z", &utc).unwrap();
    assert_eq!(
        rfc3339(&precise).as_deref(),
        Some("2026-01-31T09:30:00.123456789Z")
    );
    for text in [
        "2026-01-31T09:30:00",
        "31.01.2026",
        "2026-02-30",
        "yesterday",
        "1769852400",
        "",
    ] {
        assert!(time(text, &utc).is_err(), "{text}");
    }
}

#[test]
fn a_day_begins_where_the_tenant_counts_it_and_a_moment_says_itself_where_it_is() {
    let zone = Zone::parse("America/New_York").unwrap();
    let read = |text: &str| rfc3339(&time(text, &zone).unwrap()).unwrap();
    assert_eq!(read("2026-03-01"), "2026-03-01T05:00:00Z");
    assert_eq!(read("2026-07-01"), "2026-07-01T04:00:00Z");
    assert_eq!(read("2026-03-01T00:00:00Z"), "2026-03-01T00:00:00Z");
    assert_eq!(read("2026-03-01T00:00:00+01:00"), "2026-02-28T23:00:00Z");
    let problem = time("2026-03-01T09:30:00", &zone).unwrap_err();
    assert!(problem.contains("needs Z or an offset"), "{problem}");
    // Clocks of that day begin at one o'clock.
    let zone = Zone::parse("America/Sao_Paulo").unwrap();
    let first = time("2017-10-15", &zone).unwrap();
    assert_eq!(rfc3339(&first).as_deref(), Some("2017-10-15T03:00:00Z"));
}

#[test]
fn a_trait_is_a_number_only_if_it_is_written_like_one() {
    let kind = |text: &str| guessed(text).unwrap().kind.unwrap();
    assert_eq!(kind("42"), Kind::Integer(42));
    assert_eq!(kind("-4.5"), Kind::Number(-4.5));
    assert_eq!(kind("true"), Kind::Boolean(true));
    for text in [
        "007",
        "00.5",
        "1e5",
        "+1",
        "True",
        "99999999999999999999",
        "v1.2.3",
    ] {
        assert_eq!(kind(text), Kind::Text(text.to_owned()), "{text}");
    }
    assert!(guessed("NaN").unwrap_err().contains("finite"));
    assert!(guessed("-Infinity").is_err());
}

#[test]
fn words_are_found_whole_short_and_in_any_case() {
    for text in ["succeeded", "SUCCEEDED", "PAYMENT_STATUS_SUCCEEDED"] {
        assert_eq!(word::<PaymentStatus>(text), Ok(PaymentStatus::Succeeded));
    }
    let problem = word::<SubscriptionStatus>("cancelled").unwrap_err();
    assert!(
        problem.contains("canceled") && problem.contains("trialing"),
        "{problem}"
    );
}
