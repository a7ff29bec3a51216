use sextant_domain::time::{Day, Instant};

use super::{MONTH_WEIGHT, activity, anniversary, closes_quarter, timestamp};

fn day(text: &str) -> Day {
    Day::parse(text).expect("a day")
}

#[test]
fn anniversaries_keep_the_day_or_take_the_last_of_a_short_month() {
    let anchor = day("2024-01-31");
    let months: Vec<String> = (0..4)
        .map(|months| anniversary(anchor, months).to_string())
        .collect();
    assert_eq!(
        months,
        ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]
    );
    assert_eq!(anniversary(day("2026-01-01"), -18), day("2024-07-01"));
}

#[test]
fn weekends_august_and_the_turn_of_the_year_are_quiet() {
    let cases = [
        ("2025-03-03", 1.0),
        ("2025-03-04", 1.08),
        ("2025-03-08", 0.18),
        ("2025-08-04", 0.85),
        ("2025-12-22", 0.35),
        ("2026-01-02", 0.35 * 0.92),
    ];
    for (text, expected) in cases {
        assert!((activity(day(text)) - expected).abs() < 1e-12, "{text}");
    }
    let april: f64 = (1..=30)
        .filter_map(|of_month| Day::from_ymd(2025, 4, of_month))
        .map(activity)
        .sum();
    assert!((april / MONTH_WEIGHT - 1.0).abs() < 0.05);
}

#[test]
fn the_last_ten_days_of_a_quarter_close_it() {
    let cases = [
        ("2025-03-21", false),
        ("2025-03-22", true),
        ("2025-03-31", true),
        ("2025-04-01", false),
        ("2025-05-31", false),
        ("2025-12-31", true),
    ];
    for (text, closes) in cases {
        assert_eq!(closes_quarter(day(text)), closes, "{text}");
    }
}

#[test]
fn moments_before_1970_keep_their_nanoseconds_positive() {
    let stamp = timestamp(Instant(-1));
    assert_eq!((stamp.seconds, stamp.nanos), (-1, 999_999_000));
}
