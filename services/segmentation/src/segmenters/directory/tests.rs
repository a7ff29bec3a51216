use std::fs;

use sextant_plugin_host::{Allowance, Hosts, Segmenter};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::clock::Clock;
use sextant_store::embedded::Embedded;

use crate::registry::Registry;
use crate::segmenters::{Isolation, Replicas, Segmenters, Trust, TrustLevel};

#[tokio::test]
async fn only_who_changes_something_has_published_what_lies_in_the_directory() {
    let (watched, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(watched.path().join("none.so"), "no library").unwrap();
    let store = Embedded::open(data.path()).unwrap();
    let isolation = Isolation {
        hosts: Hosts::of_this_program().unwrap(),
        allowance: Allowance::default(),
        trust: Trust {
            level: TrustLevel::Open,
            file: None,
        },
        token_dir: None,
        watched_dir: Some(watched.path().to_owned()),
        replicas: Replicas::Alone,
    };
    let built_in = Registry::new(Vec::<Segmenter>::new());
    let segmenters = Segmenters::new(built_in, store.segmentation(), isolation, Clock::real());
    let named = pb::SegmenterRef {
        segmenter_id: "acme.health".to_owned(),
        ..pb::SegmenterRef::default()
    };
    // That it is refused is told, so one event says that it was looked at.
    let told = async || segmenters.catalogue.newest_event().await.unwrap();
    let unknown = segmenters
        .find(&named, &crate::segmenters::told::LIVING)
        .await
        .unwrap_err();
    assert_eq!(unknown.reason, ErrorReason::SegmenterUnknown);
    assert_eq!(told().await, 0);
    segmenters.find_to_use(&named).await.unwrap_err();
    assert_eq!(told().await, 1);
}
