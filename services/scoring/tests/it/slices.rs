//! A tenant whose accounts are spread over slices.

use sextant_domain::id::Slice;
use sextant_domain::position::Position;
use sextant_domain::time::Day;
use sextant_proto::ingestion::v1::HistorySchedule;
use sextant_proto::scoring::v1::{Feature, Model};

use crate::facts::{account, event, on, subscription};
use crate::world::{ACME, NOW, World, at};

fn name(number: u64) -> String {
    format!("a{number}")
}

/// Forty accounts, in the order of what they pay and how often they come.
async fn answers(n_slices: u16, with_import: WithImport) -> (Vec<Vec<Feature>>, Vec<Model>) {
    let world = World::with(n_slices, on(NOW));
    if let WithImport::Yes = with_import {
        world.open_import();
    }
    for number in 1..=40 {
        let name = name(number);
        let mut facts = vec![
            account(&name, "2027-02-01"),
            subscription(&name, "2027-02-03", number, 100),
        ];
        let days = (1..=number / 2).map(|day| event(&name, "ann", &format!("2027-02-{day:02}")));
        facts.extend(days);
        world.facts_of(&name, facts);
    }
    let position = match with_import {
        WithImport::Yes => world.complete_import(HistorySchedule::Daily),
        WithImport::No => {
            let mut entries = vec![0_u64; n_slices.into()];
            (1..=40).for_each(|number| entries[usize::from(world.slice_of(&name(number)).0)] += 1);
            let slices = (0..n_slices).map(Slice).zip(entries);
            Position::new(slices.collect()).encode(ACME)
        },
    };
    let scoring = world.start();
    let mut features = Vec::new();
    for number in 1..=40 {
        let answer = scoring.features(&name(number), at(&position)).await;
        features.push(answer.unwrap().features);
    }
    for slice in (0..n_slices).map(Slice) {
        let mut feed = scoring.feed(slice).await;
        feed.retain(|entry| entry.closed_on.is_some());
        let days: Vec<Day> = feed
            .iter()
            .map(|entry| sextant_wire::time::day(entry.closed_on.as_ref().unwrap()).unwrap())
            .collect();
        assert_eq!(days, crate::history::days("2027-02-01", "2027-03-09"));
    }
    (features, scoring.models().await)
}

#[derive(Clone, Copy)]
enum WithImport {
    Yes,
    No,
}

#[tokio::test]
async fn thresholds_are_the_tenants_whatever_its_slices() {
    let (features, models) = answers(1, WithImport::No).await;
    assert_eq!(models[0].accounts, 40);
    assert_eq!(answers(2, WithImport::No).await, (features, models));
}

#[tokio::test]
async fn history_is_evaluated_when_the_last_slice_is_complete() {
    let (features, models) = answers(1, WithImport::Yes).await;
    assert_eq!(models[0].accounts, 40);
    assert_eq!(answers(2, WithImport::Yes).await, (features, models));
}

#[tokio::test]
async fn a_slice_that_lags_does_not_set_the_clock_back() {
    let world = World::with(2, on(NOW));
    let scoring = world.start();
    let (first, second) = ("2027-03-12", "2027-03-14");
    world.advance_in(Slice(0), first);
    world.advance_in(Slice(0), second);
    while scoring.clock().await.now != on(second) {
        tokio::task::yield_now().await;
    }
    let lagging = world.advance_in(Slice(1), first);
    assert_eq!(scoring.clock_at(&lagging).await.now, on(second));
    scoring.stop();
    assert_eq!(world.start().clock().await.now, on(second));
}
