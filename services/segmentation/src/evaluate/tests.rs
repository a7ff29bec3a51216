use sextant_plugin_host::CallError;
use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::config::{LogFormat, Telemetry as Config};
use sextant_runtime::telemetry::Telemetry;

use super::*;

#[test]
fn failures_of_segmenters_are_counted_by_kind_and_others_are_not() {
    let config = Config {
        log_filter: "off".to_owned(),
        log_format: LogFormat::Text,
        otlp_endpoint: None,
        trace_sample_ratio: 0.0,
    };
    let telemetry = Telemetry::new(&config, "test").unwrap();
    let problem = || Problem::new(ErrorReason::Internal, "no answer");
    let of_segmenter = |error: &CallError| Failed {
        problem: problem(),
        of_segmenter: Some(error.kind()),
    };
    let output = CallError::Output {
        what: "3 answers for 2 rows".to_owned(),
    };
    for failed in [
        of_segmenter(&CallError::Poisoned),
        of_segmenter(&output),
        of_segmenter(&CallError::Poisoned),
        Failed::from(problem()),
    ] {
        let said = failed.counted(telemetry.meters());
        assert_eq!(said.message, "no answer");
    }
    let text = telemetry.scrape().text().unwrap();
    let counts: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("sextant_segmenter_failures_total{"))
        .map(|line| line.split_once('{').unwrap().1)
        .collect();
    assert_eq!(
        counts,
        [
            "sextant_outcome=\"output\",sextant_service=\"segmentation\"} 1",
            "sextant_outcome=\"poisoned\",sextant_service=\"segmentation\"} 2",
        ]
    );
}
