use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Error, Label, Meters, Metric, Telemetry};
use crate::config::{LogFormat, Telemetry as Config};

fn config(filter: &str) -> Config {
    Config {
        log_filter: filter.to_owned(),
        log_format: LogFormat::Json,
        otlp_endpoint: None,
        trace_sample_ratio: 1.0,
    }
}

#[test]
fn every_metric_is_scraped_under_its_name_with_its_labels() {
    let telemetry = Telemetry::new(&config("info"), "test").unwrap();
    let labels = [Label::Outcome("hit"), Label::Service("scoring")];
    for metric in Metric::ALL {
        telemetry.meters().record(metric, 2.0, &labels);
        telemetry.meters().watch(metric, &labels, || 3.0);
    }
    telemetry.meters().record(Metric::Transitions, 3.0, &labels);
    let text = telemetry.scrape().text().unwrap();
    for metric in Metric::ALL {
        assert!(
            text.contains(&metric.name().replace('.', "_")),
            "{} is missing in\n{text}",
            metric.name()
        );
    }
    for line in [
        "sextant_transitions_total{sextant_outcome=\"hit\",sextant_service=\"scoring\"} 5",
        "sextant_cache_lookups_total{sextant_outcome=\"hit\",sextant_service=\"scoring\"} 3",
        "sextant_freshness_seconds{sextant_outcome=\"hit\",sextant_service=\"scoring\"} 3",
        "rpc_server_call_duration_seconds_bucket{",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    telemetry.shut_down();
}

#[test]
fn what_is_watched_is_read_for_each_scrape() {
    let telemetry = Telemetry::new(&config("info"), "test").unwrap();
    let level = Arc::new(AtomicU32::new(4));
    let (meters, read) = (telemetry.meters(), Arc::clone(&level));
    meters.watch(Metric::FeedLag, &[Label::Feed("ingestion")], move || {
        read.load(Ordering::Relaxed).into()
    });
    let shows = |line: &str| {
        let text = telemetry.scrape().text().unwrap();
        assert!(text.contains(line), "{line} is missing in\n{text}");
    };
    shows("sextant_feed_lag{sextant_feed=\"ingestion\"} 4");
    level.store(0, Ordering::Relaxed);
    shows("sextant_feed_lag{sextant_feed=\"ingestion\"} 0");
}

#[test]
fn what_segmenters_measure_is_scraped_whatever_is_logged() {
    let telemetry = Telemetry::new(&config("error"), "test").unwrap();
    let measured = |name: &str, value: f64, kind: i32| {
        let plugin = "acme.health".to_owned();
        tracing::debug!(target: "sextant::segmenter::metric", plugin, name, value, kind);
    };
    tracing::dispatcher::with_default(telemetry.dispatch(), || {
        measured("unpriced", 2.0, 0);
        measured("unpriced", 3.0, 0);
        measured("largest", 7.0, 1);
        measured("largest", 5.0, 1);
        measured("seats", 20.0, 2);
        measured("seats", 60.0, 2);
    });
    let text = telemetry.scrape().text().unwrap();
    let of = |name: &str| format!("{{sextant_name=\"{name}\",sextant_segmenter=\"acme.health\"}}");
    for line in [
        format!("sextant_segmenter_counter_total{} 5", of("unpriced")),
        format!("sextant_segmenter_gauge{} 5", of("largest")),
        format!("sextant_segmenter_histogram_sum{} 80", of("seats")),
        format!("sextant_segmenter_histogram_count{} 2", of("seats")),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    telemetry.shut_down();
}

#[test]
fn the_order_of_the_list_is_the_order_of_the_enum() {
    for (index, metric) in Metric::ALL.into_iter().enumerate() {
        assert_eq!(metric as usize, index);
    }
    Meters::none().record(Metric::Transitions, 1.0, &[]);
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    let error = Telemetry::new(&config("sextant=loud"), "test").unwrap_err();
    assert!(matches!(error, Error::FilterMalformed { .. }));
    assert_eq!(
        error.to_string(),
        "telemetry.log_filter \"sextant=loud\" is no filter such as info,sextant_scoring=debug"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_no_collector_takes_are_counted() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let config = Config {
        otlp_endpoint: Some(endpoint),
        ..config("info")
    };
    let telemetry = Telemetry::new(&config, "test").unwrap();
    tracing::dispatcher::with_default(telemetry.dispatch(), || {
        drop(tracing::info_span!("call").entered());
    });
    let traces = telemetry.traces.clone().unwrap();
    let flushed = tokio::task::spawn_blocking(move || traces.force_flush());
    assert!(flushed.await.unwrap().is_err());
    let text = telemetry.scrape().text().unwrap();
    let line = "sextant_trace_spans_total{sextant_outcome=\"lost\"} 1";
    assert!(text.contains(line), "{line} is missing in\n{text}");
}
