//! History that comes in several imports: closes that were made without it are made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sextant_domain::id::Slice;
use sextant_proto::common::v1::ReadAt;
use sextant_proto::ingestion::v1::{HistorySchedule, StoredFact};
use sextant_proto::scoring::v1::{Feature, Model, Score};
use sextant_wire::read::uid_bytes;

use crate::facts::{account, day, event, known, on, subscription, uid};
use crate::failing::Failing;
use crate::guarded::Guarded;
use crate::reload::{Draw, N_BUYERS, SEED};
use crate::world::{NOW, Scoring, World, at};

/// Facts of one kind, each with its account.
type File = Vec<(String, StoredFact)>;

fn name(number: u64) -> String {
    format!("a{number}")
}

fn file(facts: impl Fn(u64, &str) -> Vec<StoredFact>) -> File {
    let of_one = |number| {
        let name = name(number);
        let facts = facts(number, &name).into_iter();
        facts.map(move |fact| (name.clone(), fact))
    };
    (1..=20).flat_map(of_one).collect()
}

fn accounts() -> File {
    file(|number, name| vec![account(name, &format!("2027-01-{:02}", 10 + number % 3))])
}

/// Some begin to pay before anything else is known of them.
fn subscriptions() -> File {
    file(|number, name| {
        let begin = format!("2027-01-{:02}", 8 + number);
        vec![
            subscription(name, &begin, number, 100),
            subscription(name, "2027-02-25", 21 - number, 150),
        ]
    })
}

fn events() -> File {
    file(|number, name| {
        let days = (1..=number).map(|day| format!("2027-02-{day:02}"));
        days.map(|day| event(name, "ann", &day)).collect()
    })
}

type Answer = (Vec<Feature>, Vec<Score>);

/// Opens an import, and stores files.
fn open(world: &World, files: &[&File]) {
    world.open_import();
    for (account, fact) in files.iter().copied().flatten() {
        world.facts_of(account, vec![fact.clone()]);
    }
}

/// All that is answered: models, features and scores of several moments, features of closes as they are read by who follows.
#[derive(Debug, PartialEq)]
struct Picture {
    models: Vec<Model>,
    answers: BTreeMap<String, Answer>,
    columns: Vec<Vec<bytes::Bytes>>,
}

async fn picture(scoring: &Scoring, position: &str, n_slices: u16) -> Picture {
    let mut answers = BTreeMap::new();
    scoring.features("a1", at(position)).await.unwrap();
    for number in 1..=20 {
        for moment in ["", "2027-01-16", "2027-02-01", "2027-02-20", "2027-03-05"] {
            let (account, as_of) = (name(number), on_or_now(moment));
            let read = |known_at| {
                let at = ReadAt {
                    as_of,
                    known_at,
                    ..ReadAt::default()
                };
                Some(at)
            };
            for (knowledge, known_at) in [("now", None), ("then", as_of)] {
                let Ok(features) = scoring.features(&account, read(known_at)).await else {
                    continue;
                };
                let scores = scoring.scores(&account, read(known_at)).await.unwrap();
                let key = format!("{account}, {moment}, known {knowledge}");
                answers.insert(key, (features.features, scores.scores));
            }
        }
    }
    let mut columns = Vec::new();
    for slice in (0..n_slices).map(Slice) {
        for closed_on in ["2027-01-20", "2027-02-14", "2027-03-09"] {
            columns.push(scoring.columns(slice, Some(day(closed_on))).await);
        }
    }
    Picture {
        models: scoring.models().await,
        answers,
        columns,
    }
}

fn on_or_now(moment: &str) -> Option<prost_types::Timestamp> {
    (!moment.is_empty()).then(|| on(moment)).flatten()
}

/// What is answered after one import after the other, each evaluated before the next one is opened, by a process of its own.
async fn imported_by(n_slices: u16, imports: &[(HistorySchedule, &[&File])]) -> Picture {
    let world = World::with(n_slices, on(NOW));
    let ((schedule, last), before) = imports.split_last().unwrap();
    for (schedule, files) in before {
        open(&world, files);
        let position = world.complete_import(*schedule);
        let scoring = world.start();
        scoring.clock_at(&position).await;
        scoring.stop();
    }
    open(&world, last);
    let position = world.complete_import(*schedule);
    picture(&world.start(), &position, n_slices).await
}

async fn imported(n_slices: u16, schedule: HistorySchedule, imports: &[&[&File]]) -> Picture {
    let imports: Vec<_> = imports.iter().map(|files| (schedule, *files)).collect();
    imported_by(n_slices, &imports).await
}

fn is_before(day: &str, fact: &StoredFact) -> bool {
    fact.occurred_at.unwrap().seconds < on(day).unwrap().seconds
}

#[tokio::test]
async fn several_imports_in_any_order_say_what_one_says() {
    let (accounts, subscriptions, events) = (accounts(), subscriptions(), events());
    let (a, s, e) = (&accounts, &subscriptions, &events);
    for (schedule, n_slices) in [
        (HistorySchedule::Daily, 1),
        (HistorySchedule::Daily, 3),
        (HistorySchedule::Monthly, 1),
        (HistorySchedule::Latest, 1),
    ] {
        let whole = imported(n_slices, schedule, &[&[a, s, e]]).await;
        assert!(whole.models.iter().any(|model| model.warning.is_empty()));
        let orders: [&[&[&File]]; 4] = [
            &[&[a], &[s], &[e]],
            &[&[s], &[e], &[a]],
            &[&[e, a], &[s]],
            &[&[a], &[e, s]],
        ];
        for imports in orders {
            let parts = imported(n_slices, schedule, imports).await;
            assert_eq!(parts, whole, "{schedule:?}, {n_slices} slices");
        }
    }
}

#[tokio::test]
async fn closes_between_those_of_the_schedule_are_made_again_as_well() {
    let (accounts, mut subscriptions) = (accounts(), subscriptions());
    // None before the first account came: that day would be closed by one of the schedules only.
    subscriptions.retain(|(_, fact)| !is_before("2027-01-13", fact));
    let (daily, monthly) = (HistorySchedule::Daily, HistorySchedule::Monthly);
    let whole = imported(1, daily, &[&[&accounts, &subscriptions]]).await;
    let (accounts, subscriptions) = ([&accounts], [&subscriptions]);
    let parts = [(daily, &accounts[..]), (monthly, &subscriptions[..])];
    assert_eq!(imported_by(1, &parts).await, whole);
}

#[tokio::test]
async fn purchase_models_are_fitted_at_the_closes_where_one_import_fits_them() {
    let (mut buyers, mut early, mut late) = (File::new(), File::new(), File::new());
    let mut draw = Draw(SEED);
    println!("seed {SEED}");
    for number in 1..=N_BUYERS {
        let name = name(number);
        buyers.push((name.clone(), account(&name, "2027-01-01")));
        for bought in draw.purchases(&name) {
            let file = if is_before("2027-02-01", &bought) {
                &mut early
            } else {
                &mut late
            };
            file.push((name.clone(), bought));
        }
    }
    let daily = HistorySchedule::Daily;
    let whole = imported(1, daily, &[&[&buyers, &early, &late]]).await;
    let fitted = whole.models.iter().filter_map(|model| {
        let day = model.parameters.get("fitted.day")?;
        Some((day.to_bits(), model.closed_on))
    });
    let fitted: Vec<_> = fitted.collect();
    // At the first close that there was a model at all, and at the newest day, which somebody waited for.
    let days: BTreeSet<u64> = fitted.iter().map(|(day, _)| *day).collect();
    assert_eq!(days.len(), 2, "{fitted:?}");
    let orders: [&[&[&File]]; 3] = [
        &[&[&buyers], &[&early, &late]],
        &[&[&buyers, &early], &[&late]],
        &[&[&buyers, &late], &[&early]],
    ];
    for imports in orders {
        assert_eq!(imported(1, daily, imports).await, whole);
    }
}

#[tokio::test]
async fn days_that_passed_meanwhile_are_closed_after_the_ones_that_are_closed_again() {
    let later = "2027-04-10 12:00";
    let (accounts, subscriptions) = (accounts(), subscriptions());
    let world = World::with(1, on(NOW));
    world.advance(later);
    open(&world, &[&accounts, &subscriptions]);
    let position = world.complete_import(HistorySchedule::Daily);
    let whole = picture(&world.start(), &position, 1).await;

    let world = World::with(1, on(NOW));
    open(&world, &[&accounts]);
    let position = world.complete_import(HistorySchedule::Daily);
    let scoring = world.start();
    scoring.features("a1", at(&position)).await.unwrap();
    open(&world, &[&subscriptions]);
    world.advance(later);
    let position = world.complete_import(HistorySchedule::Daily);
    assert_eq!(picture(&scoring, &position, 1).await, whole);
    let feed = scoring.feed(Slice(0)).await;
    let again = feed.iter().position(|entry| entry.restated).unwrap();
    let closed: Vec<_> = feed[again..]
        .iter()
        .filter_map(|one| one.closed_on)
        .collect();
    let days = crate::history::days("2027-03-10", "2027-04-09");
    let days: Vec<_> = days.into_iter().map(sextant_wire::time::date).collect();
    assert_eq!(closed, days, "no day is closed twice");
    let last = feed.last().unwrap();
    assert!(
        feed[again..]
            .iter()
            .all(|entry| entry.backfilling || entry == last)
    );
    assert!(!last.backfilling);
}

#[tokio::test]
async fn all_accounts_are_told_with_the_closes_that_are_made_again() {
    let world = World::with(1, on(NOW));
    let accounts = accounts();
    open(&world, &[&accounts]);
    let position = world.complete_import(HistorySchedule::Daily);
    let scoring = world.start();
    scoring.features("a1", at(&position)).await.unwrap();
    let n_before = scoring.feed(Slice(0)).await.len();
    world.open_import();
    let batches = ["2027-03-08", "2027-03-07", "2027-03-09"];
    for day in batches {
        world.facts_of("a1", vec![event("a1", "ann", day)]);
    }
    let position = world.complete_import(HistorySchedule::Daily);
    scoring.features("a1", at(&position)).await.unwrap();
    let feed = scoring.feed(Slice(0)).await;
    let [opened, again, present] = &feed[n_before..] else {
        panic!("{feed:?}")
    };
    assert!(opened.late.is_empty() && opened.backfilling && !opened.restated);
    assert!(again.restated && again.backfilling && !again.all_accounts);
    let since = day("2027-03-07");
    assert!(again.late.iter().all(|one| one.since == Some(since)));
    let late = again.late.iter().map(|one| one.account_uid.clone());
    let everybody = (1..=20).map(|number| uid_bytes(uid(&name(number))));
    assert_eq!(late.collect::<BTreeSet<_>>(), everybody.collect());
    let closes = ["2027-03-06", "2027-03-07", "2027-03-08", "2027-03-09"];
    assert_eq!(again.late_closes, closes.map(day));
    assert!(present.all_accounts && !present.restated && !present.backfilling);
    assert!(present.late.is_empty() && present.account_uids.is_empty());
}

#[tokio::test]
async fn many_accounts_are_told_in_several_entries() {
    let world = World::with(1, on(NOW));
    world.open_import();
    let come = |number| account(&name(number), "2027-03-08");
    world.facts((1..=1_100).map(come).collect());
    let position = world.complete_import(HistorySchedule::Daily);
    let scoring = world.start();
    scoring.features("a1", at(&position)).await.unwrap();
    world.open_import();
    world.facts(vec![event("a7", "ann", "2027-03-09")]);
    let position = world.complete_import(HistorySchedule::Daily);
    scoring.features("a1", at(&position)).await.unwrap();
    let feed = scoring.feed(Slice(0)).await;
    let again: Vec<_> = feed.iter().filter(|one| !one.late.is_empty()).collect();
    let sizes: Vec<usize> = again.iter().map(|one| one.late.len()).collect();
    assert_eq!(sizes, [1_024, 76]);
    let late = again.iter().flat_map(|one| &one.late);
    let uids: BTreeSet<_> = late.map(|one| one.account_uid.clone()).collect();
    assert_eq!(uids.len(), 1_100);
    for entry in again {
        assert!(entry.restated && entry.backfilling);
        assert_eq!(entry.late_closes, ["2027-03-08", "2027-03-09"].map(day));
    }
}

#[tokio::test]
async fn what_is_news_while_an_import_is_open_is_told_at_once_and_changes_no_model() {
    let world = World::with(1, on(NOW));
    let (accounts, subscriptions) = (accounts(), subscriptions());
    open(&world, &[&accounts, &subscriptions]);
    let position = world.complete_import(HistorySchedule::Daily);
    let scoring = world.start();
    scoring.features("a1", at(&position)).await.unwrap();
    let models = scoring.models().await;
    let n_before = scoring.feed(Slice(0)).await.len();
    world.open_import();
    let news = known("2027-03-10 08:00", event("a1", "ann", "2027-03-05"));
    let position = world.facts(vec![news]);
    scoring.features("a1", at(&position)).await.unwrap();
    let feed = scoring.feed(Slice(0)).await;
    let [_, told] = &feed[n_before..] else {
        panic!("{feed:?}")
    };
    assert!(told.backfilling && !told.restated);
    assert_eq!(told.late.len(), 1);
    assert_eq!(told.late[0].since, Some(day("2027-03-05")));
    // The import itself brings news only.
    let position = world.complete_import(HistorySchedule::Unspecified);
    scoring.features("a1", at(&position)).await.unwrap();
    assert_eq!(scoring.models().await, models);
    // What claims to be history and comes without an import is late, too: not every such fact makes all closes again.
    let position = world.facts(vec![event("a1", "bob", "2027-03-04")]);
    scoring.features("a1", at(&position)).await.unwrap();
    assert_eq!(scoring.models().await, models);
    let feed = scoring.feed(Slice(0)).await;
    assert!(feed.iter().all(|entry| !entry.restated));
    let told = feed.last().unwrap();
    assert_eq!(told.late[0].since, Some(day("2027-03-04")));
}

#[tokio::test]
async fn a_process_that_dies_between_two_slices_leaves_nobody_untold() {
    let (accounts, subscriptions) = (accounts(), subscriptions());
    for slice in [0, 1].map(Slice) {
        let world = World::with(2, on(NOW));
        // Only one of the slices gets history.
        let of_slice = |(account, _): &&(String, StoredFact)| world.slice_of(account) == slice;
        let one_sided: File = subscriptions.iter().filter(of_slice).cloned().collect();
        let daily = HistorySchedule::Daily;
        let whole = imported(2, daily, &[&[&accounts, &one_sided]]).await;

        open(&world, &[&accounts]);
        let position = world.complete_import(daily);
        let scoring = world.start();
        scoring.features("a1", at(&position)).await.unwrap();
        scoring.stop();
        open(&world, &[&one_sided]);
        let position = world.complete_import(daily);
        let failing = Failing::over(world.store.scoring(), 1, usize::MAX);
        let scoring = world.start_over(Arc::<Guarded<Failing>>::clone(&failing));
        failing.guard.failed().await;
        scoring.stop();

        let scoring = world.start();
        assert_eq!(picture(&scoring, &position, 2).await, whole, "{slice:?}");
        for slice in [0, 1].map(Slice) {
            let feed = scoring.feed(slice).await;
            let again = feed.iter().filter(|entry| entry.restated);
            let told = again.flat_map(|entry| &entry.late);
            let told: BTreeSet<_> = told.map(|one| one.account_uid.clone()).collect();
            let there = (1..=20)
                .map(name)
                .filter(|name| world.slice_of(name) == slice);
            assert_eq!(told, there.map(|name| uid_bytes(uid(&name))).collect());
        }
    }
}
