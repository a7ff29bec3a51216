use sextant_domain::mrr::{Movement, MovementKind, Mrr};
use sextant_domain::time::{Day, Instant, Zone};
use sextant_proto::common::v1::Date;
use sextant_wire::time;

use super::{month, months};
use crate::state::Moment;

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn date(text: &str) -> Date {
    time::date(Day::parse(text).unwrap())
}

/// "first day: from..to" of each month.
fn listed(last_month: Option<&str>, n_months: u32, as_of: &str, zone: &str) -> Vec<String> {
    let last_month = last_month.map(date);
    let months = months(
        last_month.as_ref(),
        n_months,
        at(as_of),
        &Zone::parse(zone).unwrap(),
    )
    .unwrap();
    months
        .iter()
        .map(|month| {
            format!(
                "{}: {}..{}{}",
                month.first_day,
                month.window.from(),
                month.window.to(),
                if month.to_date { " to date" } else { "" }
            )
        })
        .collect()
}

#[test]
fn the_last_month_ends_with_the_clock_and_the_others_with_the_calendar() {
    assert_eq!(
        listed(None, 2, "2026-03-15T10:00:00Z", "UTC"),
        [
            "2026-02-01: 2026-02-01T00:00:00Z..2026-03-01T00:00:00Z",
            "2026-03-01: 2026-03-01T00:00:00Z..2026-03-15T10:00:00.000001Z to date"
        ]
    );
}

#[test]
fn a_clock_at_the_start_of_a_month_shows_the_one_before() {
    assert_eq!(
        listed(None, 1, "2026-03-01T00:00:00Z", "UTC"),
        ["2026-02-01: 2026-02-01T00:00:00Z..2026-03-01T00:00:00Z"]
    );
    assert_eq!(
        listed(Some("2026-03-09"), 1, "2026-03-01T00:00:00Z", "UTC"),
        ["2026-03-01: 2026-03-01T00:00:00Z..2026-03-01T00:00:00.000001Z to date"]
    );
}

#[test]
fn months_begin_in_the_zone_of_the_tenant() {
    assert_eq!(
        listed(None, 1, "2026-06-30T22:30:00Z", "Europe/Warsaw"),
        ["2026-07-01: 2026-06-30T22:00:00Z..2026-06-30T22:30:00.000001Z to date"]
    );
    assert_eq!(listed(None, 0, "2026-06-30T12:00:00Z", "UTC").len(), 6);
    assert_eq!(listed(None, 120, "2026-06-30T12:00:00Z", "UTC").len(), 120);
}

#[test]
fn impossible_months_name_the_field() {
    let refuse = |last_month: Option<Date>, n_months| {
        let problem = months(
            last_month.as_ref(),
            n_months,
            at("2026-03-15T00:00:00Z"),
            &Zone::utc(),
        )
        .unwrap_err();
        (problem.field.clone(), problem.reason_name())
    };
    assert_eq!(refuse(None, 121), ("months".to_owned(), "FIELD_INVALID"));
    assert_eq!(
        refuse(Some(date("2026-04-01")), 1),
        ("last_month".to_owned(), "FIELD_INVALID")
    );
    assert_eq!(
        refuse(
            Some(Date {
                year: 2026,
                month: 2,
                day: 30
            }),
            1
        ),
        ("last_month".to_owned(), "FIELD_INVALID")
    );
}

#[test]
fn a_month_closes_and_counts_an_account_once() {
    let movement = |day: &str, kind, before, after| {
        Movement::new(
            kind,
            at(&format!("{day}T00:00:00Z")),
            Mrr(before),
            Mrr(after),
        )
    };
    let grows = [
        movement("2026-01-05", MovementKind::New, 0, 100),
        movement("2026-02-03", MovementKind::Expansion, 100, 160),
        movement("2026-02-20", MovementKind::Contraction, 160, 110),
    ];
    let leaves = [
        movement("2026-01-07", MovementKind::New, 0, 40),
        movement("2026-02-28", MovementKind::Churn, 40, 0),
    ];
    let february = months(
        Some(&date("2026-02-01")),
        1,
        at("2026-03-15T00:00:00Z"),
        &Zone::utc(),
    )
    .unwrap()[0];
    let answer = month(
        [&grows[..], &leaves[..]].into_iter(),
        february,
        Moment::ALL_KNOWLEDGE,
    )
    .unwrap();
    assert_eq!((answer.start_exact, answer.end_exact), (140, 110));
    assert_eq!(
        (
            answer.expansion_exact,
            answer.contraction_exact,
            answer.churn_exact
        ),
        (10, 0, 40)
    );
}
