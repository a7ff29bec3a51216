//! Importing the past, and the closes that come of it.

use sextant_domain::id::Slice;
use sextant_domain::time::Day;
use sextant_proto::common::v1::{FreshnessState, ReadAt};
use sextant_proto::ingestion::v1::HistorySchedule;
use sextant_proto::scoring::v1::Evaluation;
use sextant_wire::time;

use crate::facts::{account, day, event, known, on, since, subscription};
use crate::world::{Scoring, World, at, reason, value};

/// An open import with 85 days of history.
pub(crate) fn import(world: &World) {
    world.open_import();
    world.facts(vec![
        account("acme", "2027-01-15"),
        subscription("acme", "2027-01-15", 4, 1_000),
    ]);
    for day in ["2027-01-20", "2027-02-10", "2027-03-30"] {
        world.facts(vec![event("acme", "ann", day)]);
    }
}

pub(crate) fn world() -> World {
    World::with(1, on("2027-04-10 12:00"))
}

/// The closes of the feed, each with what its entry must say.
pub(crate) async fn closes(scoring: &Scoring) -> Vec<(Day, Evaluation)> {
    let feed = scoring.feed(Slice(0)).await;
    let close = |entry: Evaluation| Some((time::day(entry.closed_on.as_ref()?).unwrap(), entry));
    feed.into_iter().filter_map(close).collect()
}

pub(crate) fn days(first: &str, last: &str) -> Vec<Day> {
    let (first, last) = (Day::parse(first).unwrap(), Day::parse(last).unwrap());
    (first.0..=last.0).map(Day).collect()
}

/// Checks the closes of a schedule.
async fn check(schedule: HistorySchedule, expected: Vec<Day>) {
    let world = world();
    import(&world);
    let position = world.complete_import(schedule);
    let scoring = world.start();
    let answer = scoring.features("acme", at(&position)).await.unwrap();
    assert_eq!(answer.freshness.unwrap().state(), FreshnessState::Fresh);
    let closes = closes(&scoring).await;
    assert_eq!(
        closes.iter().map(|(day, _)| *day).collect::<Vec<_>>(),
        expected
    );
    let feed = scoring.feed(Slice(0)).await;
    let present = feed.last().unwrap();
    assert!(present.all_accounts && !present.backfilling && present.closed_on.is_none());
    for (day, entry) in &closes {
        assert!(entry.backfilling, "{day}: the present comes after it");
        assert!(entry.all_accounts);
        assert!(entry.late.is_empty(), "history is in its closes already");
        assert_eq!(entry.facts_sequence, 6);
        // Known, as is assumed, when the day ended.
        let end = sextant_domain::time::Zone::utc()
            .start_of(day.plus(1))
            .plus_us(-1);
        assert_eq!(entry.known_at, Some(time::timestamp(end)));
        assert_eq!(entry.as_of, entry.known_at);
        assert!(
            entry
                .model_versions
                .contains(&format!("mrr_percentile/{day}")),
            "{day}: {:?}",
            entry.model_versions
        );
    }
    assert_eq!(scoring.models().await.len(), 3 * expected.len());
}

#[tokio::test]
async fn a_daily_schedule_closes_every_day() {
    check(HistorySchedule::Daily, days("2027-01-15", "2027-04-09")).await;
}

#[tokio::test]
async fn a_monthly_schedule_closes_month_ends_and_the_newest_day() {
    let ends = ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-09"];
    check(
        HistorySchedule::Monthly,
        ends.map(|day| Day::parse(day).unwrap()).to_vec(),
    )
    .await;
}

#[tokio::test]
async fn a_latest_schedule_closes_the_newest_day_alone() {
    check(HistorySchedule::Latest, days("2027-04-09", "2027-04-09")).await;
}

#[tokio::test]
async fn an_open_import_is_told_and_nothing_is_closed() {
    let world = world();
    import(&world);
    let scoring = world.start();
    let open = crate::world::position(5);
    let answer = scoring.features("acme", at(&open)).await.unwrap();
    assert_eq!(
        answer.freshness.unwrap().state(),
        FreshnessState::Backfilling
    );
    let fresh = ReadAt {
        require_fresh_within_ms: 60_000,
        ..ReadAt::default()
    };
    let refused = scoring.features("acme", Some(fresh)).await;
    assert_eq!(reason(refused), "FRESHNESS_NOT_MET");
    let feed = scoring.feed(Slice(0)).await;
    assert_eq!(feed.len(), 1, "{feed:?}");
    assert!(feed[0].backfilling && feed[0].closed_on.is_none());
    assert!(scoring.models().await.is_empty());
}

#[tokio::test]
async fn history_that_comes_after_its_days_were_closed_is_told_as_late_and_evaluated_once_as_of_now()
 {
    let world = world();
    let live = world.facts(vec![account("acme", "2027-04-01")]);
    let scoring = world.start();
    scoring.features("acme", at(&live)).await.unwrap();
    let n_before = scoring.feed(Slice(0)).await.len();
    world.open_import();
    world.facts(vec![event("acme", "ann", "2027-04-02")]);
    let position = world.complete_import(HistorySchedule::Daily);
    scoring.features("acme", at(&position)).await.unwrap();
    let feed = scoring.feed(Slice(0)).await;
    let told = &feed[n_before..];
    let [opened, late, present] = told else {
        panic!("{told:?}")
    };
    assert!(opened.backfilling && opened.late.is_empty());
    assert!(late.backfilling && !late.all_accounts);
    let since: Vec<_> = late.late.iter().map(|one| one.since).collect();
    assert_eq!(since, [Some(day("2027-04-02"))]);
    assert!(present.all_accounts && present.closed_on.is_none() && !present.backfilling);
    assert!(present.late.is_empty());
}

#[tokio::test]
async fn facts_of_today_are_evaluated_after_the_last_close() {
    let world = world();
    import(&world);
    world.facts(vec![event("acme", "ann", "2027-04-10 08:00")]);
    let position = world.complete_import(HistorySchedule::Latest);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let feed = scoring.feed(Slice(0)).await;
    let [.., close, present] = feed.as_slice() else {
        panic!("{feed:?}")
    };
    // Nobody takes the close for the present.
    assert!(close.closed_on.is_some() && close.backfilling);
    assert!(present.all_accounts && present.closed_on.is_none() && !present.backfilling);
    assert_eq!(present.as_of, on("2027-04-10 12:00"));
}

#[tokio::test]
async fn an_account_is_in_no_close_before_its_first_fact() {
    let world = world();
    import(&world);
    // Known to have come long before, and heard of on March 2 for the first time.
    world.facts(vec![since("2026-06-01", account("late", "2027-03-02"))]);
    let position = world.complete_import(HistorySchedule::Monthly);
    let scoring = world.start();
    scoring.features("late", at(&position)).await.unwrap();
    for (day, expected) in [
        ("2027-01-31", 1),
        ("2027-02-28", 1),
        ("2027-03-31", 2),
        ("2027-04-09", 2),
    ] {
        let day = Day::parse(day).unwrap();
        let mut rows = 0;
        for message in scoring.columns(Slice(0), Some(time::date(day))).await {
            let tables = sextant_columns::decode(&message).unwrap();
            rows += tables.iter().map(|table| table.num_rows()).sum::<usize>();
        }
        assert_eq!(rows, expected, "{day}");
        let models = scoring.models().await;
        let model = models
            .iter()
            .find(|model| model.closed_on == Some(time::date(day)))
            .unwrap();
        assert_eq!(usize::try_from(model.accounts).unwrap(), expected, "{day}");
    }
    let past = |moment: &str| {
        Some(ReadAt {
            as_of: on(moment),
            ..ReadAt::default()
        })
    };
    for unknown in ["2026-12-31 12:00", "2027-03-01 12:00"] {
        let features = scoring.features("late", past(unknown)).await;
        assert_eq!(reason(features), "ACCOUNT_UNKNOWN", "{unknown}");
        let scores = scoring.scores("late", past(unknown)).await;
        assert_eq!(reason(scores), "ACCOUNT_UNKNOWN", "{unknown}");
    }
    let features = scoring.features("late", past("2027-03-03 12:00")).await;
    assert_eq!(
        value(&features.unwrap().features, "account.age_days"),
        "274"
    );
}

#[tokio::test]
async fn facts_that_are_known_after_the_days_that_are_due_are_evaluated_after_their_closes() {
    let world = world();
    world.facts(vec![
        account("seen", "2027-04-06"),
        known("2027-04-10 11:00", account("new", "2027-04-07")),
    ]);
    let position = world.facts(vec![known(
        "2027-04-10 11:00",
        event("used", "ann", "2027-04-08"),
    )]);
    let scoring = world.start();
    scoring.features("seen", at(&position)).await.unwrap();
    let feed = scoring.feed(Slice(0)).await;
    let [before @ .., present] = feed.as_slice() else {
        panic!("{feed:?}")
    };
    assert_eq!(closes(&scoring).await.len(), 4);
    assert!(before.iter().all(|entry| entry.backfilling), "{before:?}");
    assert!(!present.backfilling && present.all_accounts && present.closed_on.is_none());
    assert_eq!(present.as_of, on("2027-04-10 12:00"));
    assert_eq!(present.facts_sequence, 2);
}
