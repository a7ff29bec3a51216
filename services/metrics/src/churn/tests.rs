use sextant_domain::mrr::{MetricPolicy, Mrr, Preset};
use sextant_domain::retention::{AccountPeriod, Edge, Past};
use sextant_domain::time::{Day, Instant, Zone};
use sextant_proto::common::v1::{Date, Ratio};
use sextant_wire::time;

use super::{period, retention, to_wire};

fn date(text: &str) -> Option<Date> {
    Some(time::date(Day::parse(text).unwrap()))
}

fn account(opening: i128, closing: i128) -> AccountPeriod {
    let past = if opening > 0 {
        Past::Paid
    } else {
        Past::NeverPaid
    };
    let (opening, closing) = (Mrr(opening), Mrr(closing));
    AccountPeriod {
        opening: Edge::with(opening),
        closing: Edge::with(closing),
        past,
        peak: opening.max(closing),
    }
}

#[test]
fn a_period_covers_both_days_and_ends_with_the_clock() {
    let as_of = Instant::parse("2026-03-15T10:00:00Z").unwrap();
    let window = |first, last| {
        let window = period(
            date(first).as_ref(),
            date(last).as_ref(),
            as_of,
            &Zone::utc(),
        )
        .unwrap();
        format!("{}..{}", window.from(), window.to())
    };
    assert_eq!(
        window("2026-02-01", "2026-02-28"),
        "2026-02-01T00:00:00Z..2026-03-01T00:00:00Z"
    );
    assert_eq!(
        window("2026-03-15", "2026-03-15"),
        "2026-03-15T00:00:00Z..2026-03-15T10:00:00.000001Z"
    );
}

#[test]
fn impossible_periods_name_the_field() {
    let as_of = Instant::parse("2026-03-15T10:00:00Z").unwrap();
    let refuse = |first: Option<Date>, last: Option<Date>| {
        let problem = period(first.as_ref(), last.as_ref(), as_of, &Zone::utc()).unwrap_err();
        format!("{} {}", problem.field, problem.reason_name())
    };
    assert_eq!(refuse(None, date("2026-03-01")), "first_day FIELD_MISSING");
    assert_eq!(refuse(date("2026-03-01"), None), "last_day FIELD_MISSING");
    assert_eq!(
        refuse(date("2026-03-02"), date("2026-03-01")),
        "last_day FIELD_INVALID"
    );
    assert_eq!(
        refuse(date("2026-03-16"), date("2026-03-20")),
        "first_day FIELD_INVALID"
    );
    assert_eq!(
        refuse(date("2026-03-01"), date("2026-03-16")),
        "last_day FIELD_INVALID",
        "a period that is not over is asked for up to the day of the clock"
    );
}

#[test]
fn a_segment_keeps_what_it_had_at_the_start() {
    let policy = MetricPolicy::preset(Preset::Sextant, Zone::utc());
    let accounts = [
        ("gold", account(100, 150)),
        ("gold", account(100, 60)),
        ("iron", account(30, 0)),
        ("iron", account(0, 10)),
        ("new", account(0, 5)),
    ];
    let (total, segments) = retention(accounts, &policy);
    let ratio = |numerator, denominator| {
        Some(Ratio {
            numerator,
            denominator,
        })
    };
    assert_eq!(
        segments
            .iter()
            .map(|(segment, _)| *segment)
            .collect::<Vec<_>>(),
        ["gold", "iron"]
    );
    let gold = to_wire("gold", &segments[0].1).unwrap();
    assert_eq!(
        (
            gold.logo_churn,
            gold.gross_revenue_churn,
            gold.net_revenue_churn
        ),
        (ratio(0, 2), ratio(40, 200), ratio(-10, 200))
    );
    let total = to_wire("", &total).unwrap();
    assert_eq!(
        (
            total.logo_churn,
            total.gross_revenue_churn,
            total.net_revenue_churn
        ),
        (ratio(1, 3), ratio(70, 230), ratio(20, 230))
    );
}

#[test]
fn nothing_to_lose_gives_no_rate() {
    let policy = MetricPolicy::preset(Preset::Sextant, Zone::utc());
    let (total, segments) = retention([("gold", account(0, 10))], &policy);
    assert!(segments.is_empty());
    let total = to_wire("", &total).unwrap();
    assert_eq!(
        (
            total.logo_churn,
            total.gross_revenue_churn,
            total.net_revenue_churn
        ),
        (None, None, None)
    );
}
