//! What a running installation tells Prometheus.

use std::time::Duration;

use sextant::installation::Role;
use sextant_runtime::telemetry::Metric;
use sextant_runtime::tenant::TENANT_HEADER;

use crate::worlds::records::{
    accept, account, advance, at, event, membership, now, revenue, subscription,
};
use crate::worlds::world::{Shape, World, segmentation, tenant};

/// Longest wait for everything to be caught up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Service and feed of each follower, and the role in which it runs.
const FOLLOWERS: [(Role, &str, &str); 4] = [
    (Role::Scoring, "scoring", "ingestion"),
    (Role::Segmentation, "segmentation", "scoring"),
    (Role::Metrics, "metrics", "ingestion"),
    (Role::Metrics, "metrics", "segmentation"),
];

const SERVICES: [(Role, &str); 4] = [
    (Role::Ingestion, "ingestion"),
    (Role::Scoring, "scoring"),
    (Role::Segmentation, "segmentation"),
    (Role::Metrics, "metrics"),
];

/// The sum of all series of a metric with these labels; `None` where there is none.
fn level(text: &str, series: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let found: Vec<f64> = text
        .lines()
        .filter(|line| {
            let rest = line.strip_prefix(series).unwrap_or_default();
            rest.starts_with(['{', ' '])
                && labels
                    .iter()
                    .all(|(key, value)| rest.contains(&format!("{key}=\"{value}\"")))
        })
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

/// How far a follower is behind: entries, and seconds.
fn behind(world: &World, (role, service, feed): (Role, &str, &str)) -> (Option<f64>, Option<f64>) {
    let text = world.scrape(role);
    let labels = [("sextant_service", service), ("sextant_feed", feed)];
    (
        level(&text, "sextant_feed_lag", &labels),
        level(&text, "sextant_freshness_seconds", &labels),
    )
}

/// Returns when every follower has taken in all there is.
pub(crate) async fn all_caught_up(world: &World) {
    for follower in FOLLOWERS {
        let caught_up = async {
            while behind(world, follower) != (Some(0.0), Some(0.0)) {
                tokio::task::yield_now().await;
            }
        };
        let caught_up = tokio::time::timeout(PATIENCE, caught_up).await;
        assert!(
            caught_up.is_ok(),
            "{follower:?} stays {:?} behind",
            behind(world, follower)
        );
    }
}

/// What a metric has to show after some records went all the way and nothing went wrong.
fn check(world: &World, shape: Shape, metric: Metric) {
    let seconds_of = |role, series: &str, labels: &[(&str, &str)]| {
        let text = world.scrape(role);
        let count = level(&text, &format!("{series}_count"), labels).unwrap_or(0.0);
        let sum = level(&text, &format!("{series}_sum"), labels).unwrap_or(0.0);
        assert!(
            count >= 1.0 && sum > 0.0 && sum / count < 30.0,
            "{metric:?} {labels:?} in {text}"
        );
    };
    let count_of = |role, series: &str, labels: &[(&str, &str)]| {
        level(&world.scrape(role), series, labels).unwrap_or(0.0)
    };
    let of_segmentation = ("sextant_service", "segmentation");
    match metric {
        Metric::RpcServerCallDuration => {
            for (role, _) in SERVICES {
                seconds_of(role, "rpc_server_call_duration_seconds", &[]);
            }
        },
        Metric::RpcClientCallDuration if shape == Shape::Apart => {
            for (role, _) in &SERVICES[1..] {
                seconds_of(*role, "rpc_client_call_duration_seconds", &[]);
            }
        },
        Metric::IngestRecords => {
            let accepted = [("sextant_outcome", "accepted")];
            let series = "sextant_ingest_records_total";
            assert!((count_of(Role::Ingestion, series, &accepted) - 3.0).abs() < 0.5);
        },
        Metric::StoreDuration => {
            for (role, service) in SERVICES {
                let labels = [("sextant_service", service)];
                seconds_of(role, "sextant_store_duration_seconds", &labels);
            }
        },
        Metric::RunDuration => {
            let series = "sextant_run_duration_seconds";
            for operation in ["within_day", "close"] {
                let labels = [of_segmentation, ("sextant_operation", operation)];
                seconds_of(Role::Segmentation, series, &labels);
            }
        },
        Metric::Transitions => {
            let series = "sextant_transitions_total";
            assert!(count_of(Role::Segmentation, series, &[of_segmentation]) >= 1.0);
        },
        Metric::CacheLookups => {
            let series = "sextant_cache_lookups_total";
            let hits = [of_segmentation, ("sextant_outcome", "hit")];
            assert!(count_of(Role::Segmentation, series, &hits) >= 1.0);
            let misses = [of_segmentation, ("sextant_outcome", "miss")];
            assert!(level(&world.scrape(Role::Segmentation), series, &misses).is_some());
        },
        // Known to be 0 at this point.
        Metric::FeedLag | Metric::Freshness => {},
        // Nothing was refused, nothing has failed, nothing is traced, and within one process no call goes over the network.
        Metric::RpcShed
        | Metric::SegmenterFailures
        | Metric::TraceSpans
        | Metric::RpcClientCallDuration => {
            let name = metric.name().replace('.', "_");
            for (role, _) in SERVICES {
                let text = world.scrape(role);
                assert!(!text.lines().any(|line| line.starts_with(&name)), "{text}");
            }
        },
    }
}

#[tokio::test]
async fn every_metric_has_its_value_once_records_went_all_the_way() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = tenant(&world.client(), "measured", at("2026-02-01T12:00")).await;
        segmentation(&client, "lifecycle").await;
        let january = at("2026-01-01T00:00");
        let records = vec![
            account("very-own-account", january),
            subscription("very-own-account", january, 3, 1_000),
            event("very-own-account", "u", at("2026-01-31T10:00")),
        ];
        accept(&client, records).await;
        // All days up to the new one are closed before its position is reached.
        let position = advance(&client, at("2026-02-02T12:00")).await.unwrap();
        for _ in 0..2 {
            membership(&client, "very-own-account", "lifecycle", &now(&position)).await;
        }
        revenue(&client, &now(&position)).await;
        all_caught_up(&world).await;
        for metric in Metric::ALL {
            check(&world, shape, metric);
        }
        let request = client.request(());
        let tenant = request.metadata().get(TENANT_HEADER).unwrap();
        for (role, _) in SERVICES {
            let text = world.scrape(role);
            for id in ["very-own-account", tenant.to_str().unwrap()] {
                assert!(!text.contains(id), "{id} in {text}");
            }
        }
        world.end().await;
    }
}
