//! What is in memory can be lost at any time.

use sextant_proto::common::v1::FreshnessState;
use sextant_proto::ingestion::v1::SubscriptionStatus::Canceled;
use sextant_proto::metrics::v1 as pb;
use sextant_proto::segmentation::v1::MoveEntry;

use crate::billing::{account, active, day, learned, monthly, on, since, with_status};
use crate::world::{Metrics, World, at, position};

/// One answer of every kind.
type Answers = (
    pb::GetRevenueResponse,
    pb::GetWaterfallResponse,
    pb::GetChurnResponse,
    pb::ListMovementsResponse,
);

/// What is answered about everything up to a position.
async fn answers(metrics: &Metrics, position: &str) -> Answers {
    let segmentation = || "tier".to_owned();
    let churn = pb::GetChurnRequest {
        first_day: day("2027-02-01"),
        last_day: day("2027-02-28"),
        segmentation: segmentation(),
        at: at(position),
    };
    (
        metrics
            .revenue(pb::GetRevenueRequest {
                at: at(position),
                segmentation: segmentation(),
            })
            .await
            .unwrap(),
        metrics
            .waterfall(pb::GetWaterfallRequest {
                at: at(position),
                months: 12,
                ..Default::default()
            })
            .await
            .unwrap(),
        metrics.churn(churn).await.unwrap(),
        metrics
            .movements(pb::ListMovementsRequest {
                at: at(position),
                ..Default::default()
            })
            .await
            .unwrap(),
    )
}

fn script(world: &World) -> String {
    for number in 0..20 {
        let name = format!("a{number}");
        let plan = |quantity| active(&name, "s", vec![monthly(quantity, 1_000)]);
        world.facts(vec![
            account(&name, "2027-01-01"),
            since("2027-01-05", plan(number + 1)),
        ]);
        world.facts(vec![learned(
            "2027-05-20",
            "2027-02-10",
            if number % 3 == 0 {
                with_status(Canceled, plan(1))
            } else {
                plan(number + 3)
            },
        )]);
        world.moves(
            (number + 1) * 2,
            "2027-01-06",
            &[(&name, if number % 2 == 0 { "gold" } else { "iron" })],
        );
    }
    position(40)
}

#[tokio::test]
async fn a_new_instance_over_the_same_store_answers_equally() {
    let world = World::new();
    let metrics = world.start();
    let position = script(&world);
    let before = answers(&metrics, &position).await;
    assert!(
        before
            .1
            .months
            .iter()
            .any(|month| month.restatement_exact != 0)
    );
    metrics.stop();
    assert_eq!(answers(&world.start(), &position).await, before);
}

#[tokio::test]
async fn what_is_taken_in_while_loaded_equals_what_is_read_back() {
    let world = World::new();
    let metrics = world.start();
    // Loaded from the beginning: every entry is taken over into memory.
    metrics
        .revenue(pb::GetRevenueRequest::default())
        .await
        .unwrap();
    let position = script(&world);
    let grown = answers(&metrics, &position).await;
    metrics.stop();
    assert_eq!(answers(&world.start(), &position).await, grown);
}

#[tokio::test]
async fn two_instances_over_one_store_answer_alike() {
    let world = World::new();
    let (one, other) = (world.start(), world.start());
    one.revenue(pb::GetRevenueRequest::default()).await.unwrap();
    other
        .revenue(pb::GetRevenueRequest::default())
        .await
        .unwrap();
    let position = script(&world);
    assert_eq!(
        answers(&one, &position).await,
        answers(&other, &position).await
    );
}

#[tokio::test]
async fn an_open_import_and_unfinished_history_are_remembered() {
    let world = World::new();
    let metrics = world.start();
    world.facts(vec![since(
        "2027-01-05",
        active("a", "s", vec![monthly(1, 1_000)]),
    )]);
    world.moves(1, "2027-01-05", &[("a", "gold")]);
    let open = world.import(false);
    let look = async |metrics: &Metrics, request: pb::GetRevenueRequest| {
        let answer = metrics.revenue(request).await?;
        Ok::<_, tonic::Status>(answer.freshness.unwrap().state())
    };
    let state = async |metrics: &Metrics, request| look(metrics, request).await.unwrap();
    let total = |position: &str| pb::GetRevenueRequest {
        at: at(position),
        ..Default::default()
    };
    assert_eq!(
        state(&metrics, total(&open)).await,
        FreshnessState::Backfilling
    );
    metrics.stop();

    let metrics = world.start();
    assert_eq!(
        state(&metrics, total(&open)).await,
        FreshnessState::Backfilling
    );
    let completed = world.import(true);
    assert_eq!(
        state(&metrics, total(&completed)).await,
        FreshnessState::Fresh
    );
    let entry = MoveEntry {
        facts_sequence: 3,
        known_at: on("2027-01-31"),
        backfilling: true,
        ..MoveEntry::default()
    };
    world.move_entry("2027-01-31", &[("a", "iron")], entry);
    let by_tier = || pb::GetRevenueRequest {
        segmentation: "tier".to_owned(),
        ..Default::default()
    };
    // The segmentation is unknown until its first move is taken in.
    let becomes = async |metrics: &Metrics, wanted: FreshnessState| {
        let looks = async {
            while look(metrics, by_tier()).await.ok() != Some(wanted) {
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(20);
        tokio::time::timeout(patience, looks).await.unwrap();
    };
    becomes(&metrics, FreshnessState::Backfilling).await;
    metrics.stop();
    let metrics = world.start();
    becomes(&metrics, FreshnessState::Backfilling).await;

    // A commit that tells of its moves in two entries is there with the second.
    let part = |continued| MoveEntry {
        facts_sequence: 3,
        known_at: on("2027-01-31"),
        continued,
        ..MoveEntry::default()
    };
    world.move_entry("2027-01-31", &[("a", "tin")], part(false));
    becomes(&metrics, FreshnessState::Fresh).await;
    world.move_entry("2027-02-01", &[("a", "lead")], part(true));
    becomes(&metrics, FreshnessState::Backfilling).await;
    world.move_entry("2027-02-01", &[("b", "lead")], part(false));
    becomes(&metrics, FreshnessState::Fresh).await;
}

#[tokio::test]
async fn a_start_over_a_level_store_reads_nothing_of_the_feed() {
    let world = World::new();
    let metrics = world.start();
    let position = script(&world);
    answers(&metrics, &position).await;
    metrics.stop();
    let n_reads = world.ingestion.n_reads();
    let metrics = world.start();
    // The first answer asks once for the tenant's settings.
    answers(&metrics, &position).await;
    assert_eq!(world.ingestion.n_reads(), n_reads + 1);
}
