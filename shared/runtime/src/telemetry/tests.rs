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
    for metric in Metric::ALL {
        telemetry.meters().record(
            metric,
            2.0,
            &[Label::Outcome("hit"), Label::Service("scoring")],
        );
    }
    telemetry.meters().record(
        Metric::CacheLookups,
        3.0,
        &[Label::Outcome("hit"), Label::Service("scoring")],
    );
    let text = telemetry.scrape().text().unwrap();
    for metric in Metric::ALL {
        assert!(
            text.contains(&metric.name().replace('.', "_")),
            "{} is missing in\n{text}",
            metric.name()
        );
    }
    let line = "segment_cache_lookups_total{segment_outcome=\"hit\",segment_service=\"scoring\"} 5";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains("rpc_server_call_duration_seconds_bucket{"),
        "{text}"
    );
    assert!(text.contains("segment_freshness_seconds{"), "{text}");
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
