use std::fs;
use std::path::Path;
use std::process::Command;

use sextant_plugin_host::{Allowance, Hosts, Segmenter};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::clock::Clock;
use sextant_store::embedded::Embedded;

use crate::registry::Registry;
use crate::segmenters::{Isolation, Replicas, Segmenters, Trust, TrustLevel};

/// Over a store in `data`, with a directory that is watched.
fn watching(watched: &Path, data: &Path) -> Segmenters {
    let store = Embedded::open(data).unwrap();
    let isolation = Isolation {
        hosts: Hosts::of_this_program().unwrap(),
        allowance: Allowance::default(),
        trust: Trust {
            level: TrustLevel::Open,
            file: None,
        },
        token_dir: None,
        watched_dir: Some(watched.to_owned()),
        replicas: Replicas::Alone,
    };
    let built_in = Registry::new(Vec::<Segmenter>::new());
    Segmenters::new(built_in, store.segmentation(), isolation, Clock::real())
}

#[tokio::test]
async fn only_who_changes_something_has_published_what_lies_in_the_directory() {
    let (watched, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(watched.path().join("none.so"), "no library").unwrap();
    let segmenters = watching(watched.path(), data.path());
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

#[tokio::test]
async fn what_lies_beside_a_library_is_no_more_than_a_manifest_can_be() {
    let (watched, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["endless.so", "large.so", "well.so"] {
        fs::write(watched.path().join(name), "no library").unwrap();
    }
    // Nobody ever writes to the pipe.
    let pipe = watched.path().join("endless.so.manifest");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let large = fs::File::create(watched.path().join("large.so.manifest")).unwrap();
    large.set_len(20 << 30).unwrap();
    let segmenters = watching(watched.path(), data.path());
    segmenters.look_into_directory().await;
    // Only the third was looked at; the others are done with until something of theirs changes.
    assert_eq!(segmenters.catalogue.newest_event().await.unwrap(), 1);
    segmenters.look_into_directory().await;
    assert_eq!(segmenters.catalogue.newest_event().await.unwrap(), 1);
    fs::remove_file(watched.path().join("large.so.manifest")).unwrap();
    segmenters.look_into_directory().await;
    assert_eq!(segmenters.catalogue.newest_event().await.unwrap(), 2);
}
