use super::*;

/// What is told after an import of accounts that came on these days, of which so many were new, with a clock at 2026-02-01.
fn hint(run: Run, days: &[&str], n_accepted: u64) -> Option<String> {
    let rows = days.iter().enumerate();
    let rows: String = rows.map(|(n, day)| format!("a{n},{day}\n")).collect();
    let text = format!("account_id,created_at\n{rows}");
    let input = Input::of_bytes("file.csv", Box::leak(text.into_boxed_str()).as_bytes()).unwrap();
    let rows = CsvRows::new(input, Kind::Accounts, "file", b',', &Zone::utc()).unwrap();
    let now = values::time("2026-02-01", &Zone::utc()).unwrap();
    let old = Old {
        before: Some(now.seconds - Old::AGE_SECONDS),
        rows: Arc::default(),
    };
    let n_rows = old.counting(Box::new(rows)).count();
    old.hint(run, n_accepted, u64::try_from(n_rows).unwrap())
}

#[test]
fn news_of_which_most_is_old_is_told_to_be_history() {
    let days = ["2026-01-31", "2025-03-01", "2026-01-24"];
    for (run, taken) in [(Run::Real, "were taken"), (Run::Dry, "would be taken")] {
        let told = hint(run, &days, 3).unwrap();
        for part in ["2 of 3 rows", taken, "--history daily"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    // The file was imported before.
    assert_eq!(hint(Run::Real, &days, 0), None);
    assert_eq!(hint(Run::Real, &["2026-01-31", "2025-03-01"], 2), None);
    assert_eq!(hint(Run::Real, &[], 0), None);
}

#[test]
fn a_dry_run_tells_of_no_row_that_it_was_stored_or_is_kept() {
    let told = |run| {
        let mut tally = Tally::new(0).of(run);
        tally.rows.accepted = 2;
        tally.reasons.insert("TOO_OLD".to_owned(), 1);
        format!("{:?}", summary(&tally, ""))
    };
    let dry = told(Run::Dry);
    assert!(dry.contains("would be stored; duplicates and conflicts are found only when it is"));
    for untrue in [
        "\"stored",
        "kept for correction",
        "duplicate\"",
        "sextant rejections",
    ] {
        assert!(!dry.contains(untrue), "{untrue}: {dry}");
        assert!(told(Run::Real).contains(untrue), "{untrue}");
    }
}

#[test]
fn a_dry_run_that_a_service_refuses_has_nothing_to_go_on_in() {
    let refused = |status: Status| {
        let status = Box::new(status);
        let acknowledged = 3;
        unrehearsed(import::Error::Refused {
            status,
            acknowledged,
        })
    };
    let told = refused(Status::unavailable("ingestion is away")).to_string();
    assert!(told.ends_with("; nothing was stored"), "{told}");
}

#[test]
fn an_interrupted_import_says_how_many_rows_are_stored_and_how_it_goes_on() {
    let told = |run, knowledge| {
        let mut tally = Tally::new(0).of(run);
        tally.rows.accepted = 1_000;
        tally.rows.duplicate = 200;
        tally.rows.held = 30;
        tally.rows.rejected = 4;
        let underway = Underway::new(tally, knowledge);
        let told = underway.interrupted();
        underway.ended();
        told
    };
    let news = told(Run::Real, Knowledge::Now);
    assert!(
        news.contains("after 1,234 rows, of which 1,230 are stored"),
        "{news}"
    );
    assert!(news.contains("repeat it to go on"), "{news}");
    let history = told(Run::Real, Knowledge::Historical);
    assert!(news.starts_with(&history), "{history}");
    let dry = told(Run::Dry, Knowledge::Now);
    assert!(dry.ends_with("1,234 rows; nothing was stored"), "{dry}");
}
