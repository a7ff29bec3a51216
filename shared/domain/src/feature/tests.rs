use super::*;
use crate::history::Occurrence;
use crate::profile::{Change, ProfileVersion};
use crate::purchase::{PaymentStatus, PaymentVersion};
use crate::time::{Day, Zone};

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn acme() -> AccountFacts {
    let mut facts = AccountFacts::default();
    facts.profile.add(ProfileVersion {
        at: at("2026-01-01T09:00:00Z"),
        known_at: at("2026-01-01T09:00:00Z"),
        created_at: None,
        industry: Some(Change::Set("logistics".into())),
        employee_count: None,
        renewal_at: None,
        zone: None,
    });
    for (day, known) in [
        ("2026-01-02", "2026-01-02"),
        ("2026-01-05", "2026-01-05"),
        ("2026-01-06", "2026-01-20"),
    ] {
        let (day, known) = (Day::parse(day).unwrap(), Day::parse(known).unwrap());
        facts.history.add(&Occurrence {
            day,
            known,
            user: "ann",
            product_feature: "export",
            ahead: None,
        });
    }
    facts.purchases.add(PaymentVersion {
        payment: "p1".into(),
        at: at("2026-01-03T23:30:00Z"),
        known_at: at("2026-01-03T23:30:00Z"),
        status: PaymentStatus::Succeeded,
        net_minor: 1_250,
    });
    facts
}

#[test]
fn the_catalogue_is_in_the_order_of_its_enum_and_names_are_unique() {
    for (index, definition) in CATALOGUE.iter().enumerate() {
        assert_eq!(definition.feature.index(), index, "{}", definition.name);
        assert_eq!(Feature::parse(definition.name), Some(definition.feature));
    }
}

#[test]
fn an_account_of_which_nothing_is_known_has_no_usage_and_no_purchases() {
    let row =
        AccountFacts::default().features(&Moment::close(Day(20_000), &Zone::utc()), &Zone::utc());
    let known: Vec<&str> = CATALOGUE
        .iter()
        .filter(|definition| row.get(definition.feature).is_some())
        .map(|d| d.name)
        .collect();
    assert_eq!(known, ["subscription.status"]);
}

#[test]
fn contract_dates_are_days_in_the_zone_of_the_account() {
    let moment = Moment {
        as_of: at("2026-03-10T12:00:00Z"),
        ..Moment::close(Day::parse("2026-03-10").unwrap(), &Zone::utc())
    };
    for (zone, renewal, days) in [
        (None, "2026-03-20T20:00:00Z", 10),
        (Some("Asia/Tokyo"), "2026-03-20T20:00:00Z", 11),
        (Some("America/Los_Angeles"), "2026-03-20T05:00:00Z", 9),
    ] {
        let mut facts = acme();
        facts.profile.add(ProfileVersion {
            at: at("2026-01-02T09:00:00Z"),
            known_at: at("2026-01-02T09:00:00Z"),
            created_at: None,
            industry: None,
            employee_count: None,
            renewal_at: Some(Change::Set(at(renewal))),
            zone: zone.map(|name| Change::Set(Zone::parse(name).unwrap())),
        });
        let row = facts.features(&moment, &Zone::utc());
        let found = row.get(Feature::ContractDaysToRenewal);
        assert_eq!(found, Some(&Value::Integer(days)), "{zone:?}");
    }
}

#[test]
fn a_late_event_changes_todays_feature_and_not_yesterdays() {
    let zone = Zone::utc();
    let facts = acme();
    let close = Moment::close(Day::parse("2026-01-10").unwrap(), &zone);
    let hindsight = Moment {
        known_day: Day::parse("2026-01-20").unwrap(),
        ..close
    };
    assert_eq!(
        facts
            .features(&close, &zone)
            .as_integer(Feature::UsageActiveDays28d),
        Some(2)
    );
    assert_eq!(
        facts
            .features(&hindsight, &zone)
            .as_integer(Feature::UsageActiveDays28d),
        Some(3)
    );
}

#[test]
fn a_moment_knows_the_days_that_had_ended_by_then() {
    let zone = Zone::parse("Europe/Warsaw").unwrap();
    // Midnight of the 11th in Warsaw.
    for (known_at, known_day) in [
        ("2026-01-10T22:59:59.999998Z", "2026-01-09"),
        ("2026-01-10T22:59:59.999999Z", "2026-01-10"),
        ("2026-01-10T23:00:00Z", "2026-01-10"),
        ("2026-01-11T11:00:00Z", "2026-01-10"),
    ] {
        let moment = Moment::new(at("2026-01-10T12:00:00Z"), at(known_at), &zone);
        assert_eq!(
            moment.known_day,
            Day::parse(known_day).unwrap(),
            "{known_at}"
        );
    }
    let close = Moment::close(Day::parse("2026-01-10").unwrap(), &zone);
    assert_eq!(Moment::new(close.as_of, close.known_at, &zone), close);
    let all = Moment::new(close.as_of, Instant(i64::MAX), &zone);
    assert_eq!(all.known_day, Day(i32::MAX));
}

#[test]
fn days_are_counted_in_the_tenants_zone() {
    let facts = acme();
    for (zone, days_since_last) in [("UTC", 7), ("Europe/Warsaw", 6)] {
        let zone = Zone::parse(zone).unwrap();
        let row = facts.features(
            &Moment::close(Day::parse("2026-01-10").unwrap(), &zone),
            &zone,
        );
        assert_eq!(
            row.as_integer(Feature::PurchaseDaysSinceLast),
            Some(days_since_last),
            "{}",
            zone.name()
        );
    }
}

#[test]
fn the_close_of_a_day_does_not_know_the_next_one() {
    let zone = Zone::parse("America/New_York").unwrap();
    let close = Moment::close(Day::parse("2026-03-08").unwrap(), &zone);
    assert_eq!(
        close.as_of,
        at("2026-03-09T03:59:59.999999Z"),
        "clocks went forward that day"
    );
}

#[test]
fn an_account_exists_from_its_first_fact_on_as_far_as_it_was_known() {
    let zone = Zone::utc();
    let exists = |facts: &AccountFacts, as_of: &str, known_at: &str| {
        facts.exists_at(&Moment::new(at(as_of), at(known_at), &zone))
    };
    let (eve, first) = ("2025-12-31T23:59:59Z", "2026-01-01T09:00:00Z");
    let facts = acme();
    assert!(!exists(&facts, eve, eve));
    assert!(!exists(&facts, eve, "2026-02-01T00:00:00Z"));
    assert!(!exists(&facts, "2026-02-01T00:00:00Z", eve));
    assert!(exists(&facts, first, first));
    assert_eq!(facts.first_day(&zone), Day::parse("2026-01-01").ok());

    // Any fact will do, and each counts from when it is known.
    let day = |text| Day::parse(text).unwrap();
    let mut seen = AccountFacts::default();
    assert!(!exists(&seen, first, first) && seen.first_day(&zone).is_none());
    seen.history.add(&Occurrence {
        day: day("2026-01-06"),
        known: day("2026-01-20"),
        user: "ann",
        product_feature: "",
        ahead: None,
    });
    assert!(!exists(
        &seen,
        "2026-01-19T12:00:00Z",
        "2026-01-19T12:00:00Z"
    ));
    assert!(exists(
        &seen,
        "2026-01-20T12:00:00Z",
        "2026-01-21T00:00:00Z"
    ));
    assert!(!exists(
        &seen,
        "2026-01-05T12:00:00Z",
        "2026-01-20T12:00:00Z"
    ));
    let mut failed = AccountFacts::default();
    failed.purchases.add(PaymentVersion {
        payment: "p1".into(),
        at: at("2026-01-03T23:30:00Z"),
        known_at: at("2026-01-04T00:00:00Z"),
        status: PaymentStatus::Failed,
        net_minor: 0,
    });
    assert!(!exists(
        &failed,
        "2026-01-03T23:45:00Z",
        "2026-01-03T23:45:00Z"
    ));
    assert!(exists(
        &failed,
        "2026-01-03T23:45:00Z",
        "2026-01-04T00:00:00Z"
    ));
    assert_eq!(failed.first_day(&zone), Some(day("2026-01-03")));
}

#[test]
fn what_comes_from_all_accounts_names_its_model() {
    for definition in &CATALOGUE {
        let population = definition.basis == Basis::Population;
        let model = definition.feature.model();
        assert_eq!(model.is_some(), population, "{}", definition.name);
    }
}
