use super::*;

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn occurrence<'a>(
    on: &str,
    known: &str,
    user: &'a str,
    product_feature: &'a str,
) -> Occurrence<'a> {
    Occurrence {
        day: day(on),
        known: day(known),
        user,
        product_feature,
    }
}

fn busy() -> History {
    let mut history = History::default();
    for (on, user, feature) in [
        ("2026-01-31", "ann", "export"),
        ("2026-02-07", "bob", "report"),
        ("2026-02-14", "ann", "report"),
        ("2026-02-14", "", ""),
        ("2026-03-21", "cid", "export"),
    ] {
        history.add(&occurrence(on, on, user, feature));
    }
    history
}

#[test]
fn windows_count_days_users_events_and_product_features() {
    let usage = busy().usage(day("2026-02-14"), day("2026-02-14"));
    assert_eq!(
        (
            usage.active_days_28d,
            usage.active_users_28d,
            usage.events_28d,
            usage.product_features_28d
        ),
        (3, 2, 4, 2)
    );
    assert_eq!(usage.last_active, Some(day("2026-02-14")));
    assert_eq!(
        usage.regularity_90d,
        Some(1.0),
        "every seven days is perfectly regular"
    );
}

#[test]
fn a_window_of_28_days_ends_with_the_day_itself() {
    let history = busy();
    assert_eq!(
        history
            .usage(day("2026-02-27"), day("2026-02-27"))
            .active_days_28d,
        3
    );
    assert_eq!(
        history
            .usage(day("2026-02-28"), day("2026-02-28"))
            .active_days_28d,
        2
    );
    assert_eq!(
        history
            .usage(day("2026-02-28"), day("2026-02-28"))
            .events_previous_28d,
        1
    );
}

#[test]
fn what_arrives_late_is_not_in_the_knowledge_of_an_earlier_day() {
    let mut history = busy();
    history.add(&occurrence("2026-02-10", "2026-02-20", "dan", "import"));
    let before = history.usage(day("2026-02-14"), day("2026-02-19"));
    let after = history.usage(day("2026-02-14"), day("2026-02-20"));
    assert_eq!((before.events_28d, before.active_users_28d), (4, 2));
    assert_eq!((after.events_28d, after.active_users_28d), (5, 3));
}

#[test]
fn arrival_order_does_not_matter() {
    let mut late_first = History::default();
    let mut occurrences = [
        occurrence("2026-02-10", "2026-02-20", "dan", "import"),
        occurrence("2026-02-10", "2026-02-10", "ann", "export"),
        occurrence("2026-01-05", "2026-01-05", "bob", ""),
    ];
    for one in &occurrences {
        late_first.add(one);
    }
    occurrences.reverse();
    let mut early_first = History::default();
    for one in &occurrences {
        early_first.add(one);
    }
    for known in ["2026-02-10", "2026-02-20"] {
        assert_eq!(
            late_first.usage(day("2026-02-20"), day(known)),
            early_first.usage(day("2026-02-20"), day(known))
        );
    }
}

#[test]
fn months_survive_storage_in_any_order() {
    let mut history = busy();
    history.add(&occurrence("2026-02-10", "2026-03-02", "dan", "import"));
    let months = ["2026-03-01", "2026-01-01", "2026-02-01"].map(|first| day(first).month());
    let mut back = History::default();
    for month in months {
        back.decode_month(month, &history.encode_month(month))
            .unwrap();
    }
    for on in ["2026-02-14", "2026-03-05", "2026-03-31"] {
        assert_eq!(
            back.usage(day(on), day("2026-03-31")),
            history.usage(day(on), day("2026-03-31")),
            "{on}"
        );
    }
}

/// Version 1, written down by hand from the format's description: one cell on 2026-01-31, known the same day, one event,
/// one user "ann" (FNV-1a reckoned by an independent program), no product feature.
#[test]
fn the_stored_form_of_version_1_is_frozen() {
    let mut history = History::default();
    history.add(&occurrence("2026-01-31", "2026-01-31", "ann", ""));
    let month = day("2026-01-31").month();
    let mut golden = vec![1, 1];
    golden.extend_from_slice(&0xe6f79d19051ffcb8_u64.to_le_bytes());
    golden.extend_from_slice(&[0, 1, 30, 0, 1, 1, 0, 0]);
    assert_eq!(history.encode_month(month), golden);
}

#[test]
fn damaged_months_are_refused() {
    let bytes = busy().encode_month(day("2026-02-01").month());
    for length in 0..bytes.len() {
        assert_eq!(
            History::default().decode_month(673, &bytes[..length]),
            Err(DecodeError),
            "cut at {length}"
        );
    }
    let mut newer = bytes;
    newer[0] = 2;
    assert_eq!(
        History::default().decode_month(673, &newer),
        Err(DecodeError)
    );
}
