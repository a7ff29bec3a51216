use super::*;

const LATEST: Instant = Instant(i64::MAX);

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
        ahead: None,
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
    let usage = busy().usage(day("2026-02-14"), LATEST, day("2026-02-14"));
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
            .usage(day("2026-02-27"), LATEST, day("2026-02-27"))
            .active_days_28d,
        3
    );
    assert_eq!(
        history
            .usage(day("2026-02-28"), LATEST, day("2026-02-28"))
            .active_days_28d,
        2
    );
    assert_eq!(
        history
            .usage(day("2026-02-28"), LATEST, day("2026-02-28"))
            .events_previous_28d,
        1
    );
}

#[test]
fn what_arrives_late_is_not_in_the_knowledge_of_an_earlier_day() {
    let mut history = busy();
    history.add(&occurrence("2026-02-10", "2026-02-20", "dan", "import"));
    let before = history.usage(day("2026-02-14"), LATEST, day("2026-02-19"));
    let after = history.usage(day("2026-02-14"), LATEST, day("2026-02-20"));
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
            late_first.usage(day("2026-02-20"), LATEST, day(known)),
            early_first.usage(day("2026-02-20"), LATEST, day(known))
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
            back.usage(day(on), LATEST, day("2026-03-31")),
            history.usage(day(on), LATEST, day("2026-03-31")),
            "{on}"
        );
    }
}

/// Version 1, written down by hand from the format's description: one cell on 2026-01-31, known the same day, one event,
/// one user "ann" (FNV-1a reckoned by an independent program), no product feature.
fn version_1() -> Vec<u8> {
    let mut golden = vec![1, 1];
    golden.extend_from_slice(&0xe6f79d19051ffcb8_u64.to_le_bytes());
    golden.extend_from_slice(&[0, 1, 30, 0, 1, 1, 0, 0]);
    golden
}

#[test]
fn the_stored_form_of_version_1_is_read() {
    let mut history = History::default();
    history.add(&occurrence("2026-01-31", "2026-01-31", "ann", ""));
    let mut back = History::default();
    back.decode_month(day("2026-01-31").month(), &version_1())
        .unwrap();
    assert_eq!(back, history);
}

/// Version 2 of the same, with another event of the same day that was known before it happened at 23:00 UTC:
/// 1,769,900,400,000,000 microseconds since 1970, as LEB128 reckoned by an independent program.
#[test]
fn the_stored_form_of_version_2_is_frozen() {
    let mut history = History::default();
    history.add(&occurrence("2026-01-31", "2026-01-31", "ann", ""));
    history.add(&ahead("2026-01-31T23:00:00Z"));
    let mut golden = version_1();
    golden[0] = 2;
    let n_cells = golden.len() - 7;
    golden[n_cells] = 2;
    golden.extend_from_slice(&[30, 0, 1, 1, 0, 0]);
    golden.extend_from_slice(&[1, 1, 128, 248, 132, 229, 240, 182, 146, 3]);
    let month = day("2026-01-31").month();
    assert_eq!(history.encode_month(month), golden);
    let mut back = History::default();
    back.decode_month(month, &golden).unwrap();
    assert_eq!(back, history);
}

/// An event by "ann" that was known before it happens, at a moment in UTC.
fn ahead(at: &str) -> Occurrence<'static> {
    let (day_of, _) = at.split_once('T').unwrap();
    Occurrence {
        ahead: Some(Instant::parse(at).unwrap()),
        ..occurrence(day_of, day_of, "ann", "")
    }
}

#[test]
fn what_was_known_before_it_happened_counts_from_its_moment_on() {
    let mut history = busy();
    history.add(&ahead("2026-02-15T18:00:00Z"));
    let at = |text: &str| {
        let until = Instant::parse(text).unwrap();
        let usage = history.usage(day("2026-02-15"), until, day("2026-02-15"));
        (usage.events_28d, usage.last_active)
    };
    assert_eq!(at("2026-02-15T17:59:59Z"), (4, Some(day("2026-02-14"))));
    assert_eq!(at("2026-02-15T18:00:00Z"), (5, Some(day("2026-02-15"))));
    let before = Instant::parse("2026-02-15T17:59:59Z").unwrap();
    let mut only = History::default();
    only.add(&ahead("2026-02-15T18:00:00Z"));
    let (on, known) = (day("2026-02-15"), day("2026-02-15"));
    assert!(!only.is_known_at(on, before, known));
    assert!(only.is_known_at(on, before.plus_us(1_000_000), known));
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
    newer[0] = 3;
    assert_eq!(
        History::default().decode_month(673, &newer),
        Err(DecodeError)
    );
}
