use std::time::Duration;

use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use sextant_runtime::config::{LogFormat, Telemetry as Config};
use sextant_runtime::server::Limits;
use sextant_runtime::telemetry::Telemetry;

use crate::probe::{Probe, ask, watch};
use crate::world::{BOTH, Keys, LIMITS, World, within};

#[tokio::test]
async fn a_full_service_refuses_with_a_retry_hint_and_recovers() {
    for kind in BOTH {
        let config = Config {
            log_filter: "off".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
            trace_sample_ratio: 1.0,
        };
        let telemetry = Telemetry::new(&config, "test").unwrap();
        let limits = Limits {
            max_in_flight: 1,
            max_queue: Duration::from_millis(5),
            ..LIMITS
        };
        let world = World::with(limits, Keys(Vec::new()), telemetry.meters().clone());
        let (probe, mut seen) = Probe::new();
        let link = world.link(probe.clone(), kind, &world.options()).await;

        // Open streams take no turn.
        let _stream = within(watch(&link, Request::new("one".to_owned())))
            .await
            .unwrap();
        let mut running = Box::pin(ask(&link, "gate"));
        tokio::select! {
            answer = &mut running => panic!("{kind:?}: answered {answer:?}"),
            event = within(seen.recv()) => assert_eq!(event, Some("entered")),
        }
        let status = tokio::select! {
            answer = &mut running => panic!("{kind:?}: answered {answer:?}"),
            answer = within(ask(&link, "echo:x")) => answer.unwrap_err(),
        };
        assert_eq!(status.code(), Code::ResourceExhausted, "{kind:?}: {status}");
        assert!(status.get_details_retry_info().is_some());

        probe.gate.add_permits(1);
        assert_eq!(within(running).await.unwrap(), "passed", "{kind:?}");
        assert_eq!(within(ask(&link, "echo:x")).await.unwrap(), "x", "{kind:?}");
        let scraped = telemetry.scrape().text().unwrap();
        assert!(
            scraped.contains("sextant_rpc_shed_total{sextant_service=\"probe\"} 1"),
            "{scraped}"
        );
        let refused = "rpc_server_call_duration_seconds_count{rpc_method=\"test.v1.Probe/Ask\",rpc_response_status_code=\"RESOURCE_EXHAUSTED\"} 1";
        assert!(scraped.contains(refused), "{scraped}");
    }
}
