//! Positions, states and ages.

use std::time::Duration;

use sextant_domain::id::Slice;
use sextant_domain::position::Position;
use sextant_proto::common::v1::{Freshness, FreshnessState, ReadAt};
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::metrics::v1 as pb;
use sextant_proto::segmentation::v1::MoveEntry;

use crate::billing::{active, instant, monthly, on, since};
use crate::world::{ACME, Metrics, REAL, World, at, position, reason};

fn plan(name: &str) -> ingestion::SubscriptionFact {
    active(name, "s", vec![monthly(1, 1_000)])
}

async fn total(metrics: &Metrics, at: Option<ReadAt>) -> Freshness {
    metrics
        .revenue(pb::GetRevenueRequest {
            at,
            ..Default::default()
        })
        .await
        .unwrap()
        .freshness
        .unwrap()
}

async fn by_tier(metrics: &Metrics, at: Option<ReadAt>) -> Freshness {
    metrics
        .revenue(pb::GetRevenueRequest {
            at,
            segmentation: "tier".to_owned(),
        })
        .await
        .unwrap()
        .freshness
        .unwrap()
}

#[tokio::test]
async fn an_answer_says_what_is_in_it() {
    let world = World::new();
    let position = world.facts(vec![
        since("2027-01-05", plan("a")),
        since("2027-01-03", plan("b")),
    ]);
    let freshness = total(&world.start(), at(&position)).await;
    assert_eq!(freshness.state(), FreshnessState::Fresh);
    assert_eq!(
        (freshness.as_of, freshness.watermark),
        (on(REAL), on("2027-01-05"))
    );
    assert_eq!(
        (freshness.position, freshness.definition_version),
        (position, 1)
    );
}

#[tokio::test]
async fn a_breakdown_waits_for_segmentation_and_a_total_does_not() {
    let world = World::new();
    let metrics = world.start();
    world.facts(vec![since("2027-01-05", plan("a"))]);
    world.moves(1, "2027-01-05", &[("a", "gold")]);
    let second = world.facts(vec![since("2027-01-06", plan("b"))]);
    assert_eq!(total(&metrics, at(&second)).await.position, second);
    // Longer than evaluating may need.
    world.hand.set(instant(REAL).plus_us(1_000_001));
    let first = by_tier(&metrics, at(&position(1))).await;
    assert_eq!(
        (first.position.clone(), first.state()),
        (position(1), FreshnessState::Stale)
    );

    let waiting = by_tier(&metrics, at(&second));
    let told = async { world.moves(2, "2027-01-06", &[("b", "gold")]) };
    let (both, ()) = tokio::join!(waiting, told);
    assert_eq!(
        (both.position.clone(), both.state()),
        (second, FreshnessState::Fresh)
    );
}

#[tokio::test(start_paused = true)]
async fn a_position_that_does_not_come_ends_with_its_reason() {
    let world = World::new();
    let metrics = world.start();
    world.facts(vec![since("2027-01-05", plan("a"))]);
    let request = || pb::GetRevenueRequest {
        at: at(&position(2)),
        ..Default::default()
    };
    let answer = tokio::time::timeout(Duration::from_secs(60), metrics.revenue(request()))
        .await
        .unwrap();
    let reason = reason(answer);
    assert!(
        ["POSITION_NOT_REACHED", "DEADLINE_EXCEEDED"].contains(&reason.as_str()),
        "{reason}"
    );
}

#[tokio::test]
async fn an_open_import_is_backfilling_until_it_is_completed_and_evaluated() {
    let world = World::new();
    let metrics = world.start();
    world.facts(vec![since("2027-01-01", plan("z"))]);
    world.moves(1, "2027-01-01", &[("z", "gold")]);
    assert_eq!(
        by_tier(&metrics, at(&position(1))).await.state(),
        FreshnessState::Fresh
    );
    world.import(false);
    let open = world.facts(vec![since("2027-01-05", plan("a"))]);
    assert_eq!(
        total(&metrics, at(&open)).await.state(),
        FreshnessState::Backfilling
    );
    let hasty = ReadAt {
        require_fresh_within_ms: 1_000,
        ..at(&open).unwrap()
    };
    assert_eq!(
        reason(
            metrics
                .revenue(pb::GetRevenueRequest {
                    at: Some(hasty),
                    ..Default::default()
                })
                .await
        ),
        "FRESHNESS_NOT_MET"
    );

    let completed = world.import(true);
    assert_eq!(
        total(&metrics, at(&completed)).await.state(),
        FreshnessState::Fresh
    );
    let history = |backfilling| MoveEntry {
        facts_sequence: 4,
        known_at: on("2027-01-05"),
        backfilling,
        ..MoveEntry::default()
    };
    world.move_entry("2027-01-05", &[("a", "gold")], history(true));
    let reached = async {
        loop {
            let freshness = by_tier(&metrics, None).await;
            if freshness.state() == FreshnessState::Backfilling {
                return freshness;
            }
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(20), reached)
        .await
        .unwrap();
    assert!(
        Position::decode(&reached.position, ACME)
            .unwrap()
            .slices()
            .is_empty(),
        "no position is complete"
    );
    world.move_entry("2027-01-31", &[], history(false));
    assert_eq!(
        by_tier(&metrics, at(&completed)).await.state(),
        FreshnessState::Fresh
    );
}

#[tokio::test]
async fn a_breakdown_by_a_segmentation_that_is_behind_says_so_until_it_is_not() {
    let world = World::new();
    let first = world.facts(vec![since("2027-01-05", plan("a"))]);
    let entry = |facts_sequence, behind: &[&str]| MoveEntry {
        facts_sequence,
        known_at: on("2027-01-05"),
        behind: behind.iter().map(|key| (*key).to_owned()).collect(),
        ..MoveEntry::default()
    };
    world.move_entry("2027-01-05", &[("a", "gold")], entry(1, &[]));
    let metrics = world.start();
    let states = async |metrics: &Metrics, position: &str| {
        let breakdown = by_tier(metrics, at(position)).await;
        (
            breakdown.state(),
            total(metrics, at(position)).await.state(),
        )
    };
    let fresh = (FreshnessState::Fresh, FreshnessState::Fresh);
    assert_eq!(states(&metrics, &first).await, fresh);

    let second = world.facts(vec![since("2027-01-06", plan("a"))]);
    world.move_entry("2027-01-06", &[], entry(2, &["other", "tier"]));
    let failed = (FreshnessState::Failed, FreshnessState::Fresh);
    assert_eq!(states(&metrics, &second).await, failed);
    let asked = |segmentation: &str| pb::GetRevenueRequest {
        at: Some(ReadAt {
            require_fresh_within_ms: 60_000,
            ..at(&second).unwrap()
        }),
        segmentation: segmentation.to_owned(),
    };
    let refused = metrics.revenue(asked("tier")).await;
    assert_eq!(reason(refused), "FRESHNESS_NOT_MET");
    metrics.revenue(asked("")).await.unwrap();
    metrics.stop();
    let metrics = world.start();
    assert_eq!(states(&metrics, &second).await, failed);

    let third = world.facts(vec![since("2027-01-07", plan("a"))]);
    world.move_entry("2027-01-07", &[("a", "iron")], entry(3, &["other"]));
    assert_eq!(states(&metrics, &third).await, fresh);
}

#[tokio::test]
async fn data_is_as_old_as_the_oldest_entry_that_is_not_in_it() {
    let world = World::new();
    let metrics = world.start();
    world.facts(vec![since("2027-01-05", plan("a"))]);
    world.moves(1, "2027-01-05", &[("a", "gold")]);
    by_tier(&metrics, at(&position(1))).await;
    let second = world.facts(vec![since("2027-01-06", plan("b"))]);
    total(&metrics, at(&second)).await;
    // Segmentation has not answered for the second entry for five seconds.
    world.hand.set(instant(REAL).plus_us(5_000_000));
    let within = |ms| ReadAt {
        require_fresh_within_ms: ms,
        ..ReadAt::default()
    };
    let asked = |ms| pb::GetRevenueRequest {
        at: Some(within(ms)),
        segmentation: "tier".to_owned(),
    };
    assert_eq!(
        reason(metrics.revenue(asked(4_999)).await),
        "FRESHNESS_NOT_MET"
    );
    assert_eq!(
        metrics
            .revenue(asked(5_000))
            .await
            .unwrap()
            .freshness
            .unwrap()
            .state(),
        FreshnessState::Stale
    );
    assert_eq!(
        total(&metrics, Some(within(1))).await.state(),
        FreshnessState::Fresh
    );
}

#[tokio::test]
async fn every_slice_counts() {
    let world = World::new();
    world.tenant(
        ACME,
        ingestion::Tenant {
            slices: 2,
            ..ingestion::Tenant::default()
        },
    );
    let append = |slice, facts| {
        world.ingestion.append(
            ACME,
            Slice(slice),
            ingestion::FeedEntry {
                facts,
                ..ingestion::FeedEntry::default()
            },
        )
    };
    append(0, vec![since("2027-01-05", plan("a"))]);
    append(1, vec![since("2027-01-05", plan("b"))]);
    append(1, vec![since("2027-01-05", plan("c"))]);
    let both = Position::new(vec![(Slice(0), 1), (Slice(1), 2)]).encode(ACME);
    let answer = world
        .start()
        .revenue(pb::GetRevenueRequest {
            at: at(&both),
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(
        (
            answer.total.unwrap().paying_accounts,
            answer.freshness.unwrap().position
        ),
        (3, both)
    );
}

#[tokio::test]
async fn a_moment_is_answered_once_the_clock_has_reached_it() {
    let world = World::new();
    let (now, later) = ("2027-03-15", "2027-04-15");
    world.fix_clock(now);
    let metrics = world.start();
    let first = world.facts(vec![since("2027-01-05", plan("a"))]);
    let read = |moment: &str, known_at: &str, position: &str| ReadAt {
        as_of: on(moment),
        known_at: on(known_at),
        ..at(position).unwrap()
    };
    let answer = total(&metrics, Some(read(now, now, &first))).await;
    assert_eq!(answer.as_of, on(now));
    for (moment, known_at, field) in [(later, now, "at.as_of"), (now, later, "at.known_at")] {
        let at = Some(read(moment, known_at, &first));
        let asked = pb::GetRevenueRequest {
            at: at.clone(),
            ..Default::default()
        };
        let refused = metrics.revenue(asked).await.unwrap_err();
        let expected = format!(
            "{field}: 2027-04-15T00:00:00Z is ahead of the tenant's clock, which has reached 2027-03-15T00:00:00Z"
        );
        assert!(refused.message().starts_with(&expected), "{refused:?}");
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        let refusals = [
            reason::<()>(Err(refused)),
            reason(
                metrics
                    .waterfall(pb::GetWaterfallRequest {
                        at: at.clone(),
                        ..Default::default()
                    })
                    .await,
            ),
            reason(
                metrics
                    .churn(pb::GetChurnRequest {
                        at: at.clone(),
                        ..Default::default()
                    })
                    .await,
            ),
            reason(
                metrics
                    .movements(pb::ListMovementsRequest {
                        at,
                        ..Default::default()
                    })
                    .await,
            ),
        ];
        assert_eq!(refusals, ["FIELD_INVALID"; 4]);
    }
    // The caller knows of a move of the clock of which this service hears only now.
    let second = position(2);
    let waiting = total(&metrics, Some(read(later, later, &second)));
    let moving = async { world.advance(later) };
    let (answer, moved) = tokio::join!(waiting, moving);
    assert_eq!((answer.as_of, moved), (on(later), second));
}
