use std::net::TcpListener;
use std::path::Path;

use sextant_domain::time::Instant;

use super::stores::host_and_port;
use super::{Finding, Verdict, WRITTEN_ON, local_checks};
use crate::testing::loaded;

const NOW: Instant = Instant(1_790_000_000_000_000);

async fn findings(set: &[(&str, &str)], now: Instant) -> Vec<Finding> {
    local_checks(&loaded(set), now).await
}

async fn check(set: &[(&str, &str)], now: Instant) -> Vec<(&'static str, Verdict)> {
    let found = findings(set, now).await.into_iter().map(|finding| {
        assert_eq!(
            finding.verdict == Verdict::Ok,
            finding.fix.is_empty(),
            "{finding:?}"
        );
        (finding.check, finding.verdict)
    });
    found.collect()
}

#[tokio::test]
async fn of_a_good_installation_only_the_segmenters_that_are_not_built_are_missed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let set = [
        ("store.data_dir", path),
        ("plugins.builtin_dir", path),
        ("server.listen", "127.0.0.1:0"),
        ("server.admin_listen", "127.0.0.1:0"),
    ];
    assert_eq!(
        check(&set, NOW).await,
        [
            ("data directory", Verdict::Ok),
            ("gRPC port", Verdict::Ok),
            ("admin port", Verdict::Ok),
            ("built-in segmenters", Verdict::Failed),
            ("clock", Verdict::Ok),
        ]
    );
}

#[tokio::test]
async fn what_is_broken_is_found_and_has_a_fix() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let set = [
        ("store.data_dir", path),
        ("plugins.builtin_dir", "no/such/directory"),
        ("server.listen", &address),
        ("server.admin_listen", "192.0.2.1:7071"),
    ];
    assert_eq!(
        check(&set, Instant(0)).await,
        [
            ("data directory", Verdict::Failed),
            ("exposure", Verdict::Failed),
            ("gRPC port", Verdict::Failed),
            ("admin port", Verdict::Failed),
            ("built-in segmenters", Verdict::Failed),
            ("clock", Verdict::Failed),
        ]
    );
}

/// What is found of the segmenters of a folder.
async fn segmenters_in(folder: &Path) -> Finding {
    let folder = folder.to_str().unwrap();
    let found = findings(&[("plugins.builtin_dir", folder)], NOW).await;
    let mut found = found.into_iter();
    let segmenters = found.find(|finding| finding.check == "built-in segmenters");
    segmenters.unwrap()
}

#[tokio::test]
async fn a_file_that_serve_would_refuse_to_load_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let junk = directory.path().join("libsextant_segmenter_junk.so");
    std::fs::write(&junk, "junk").unwrap();
    let segmenters = segmenters_in(directory.path()).await;
    assert_eq!(segmenters.verdict, Verdict::Failed);
    assert!(
        segmenters.found.contains(junk.to_str().unwrap()),
        "{segmenters:?}"
    );
}

#[tokio::test]
async fn a_file_that_serve_would_leave_alone_for_its_name_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("libmine.so"), "mine").unwrap();
    let segmenters = segmenters_in(directory.path()).await;
    assert_eq!(segmenters.verdict, Verdict::Failed);
    let told =
        "left alone, because segmenters are named libsextant_segmenter_*.so: libmine.so and 0 more";
    assert!(segmenters.found.ends_with(told), "{segmenters:?}");
}

#[tokio::test]
async fn a_file_of_trusted_keys_that_cannot_be_read_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let found = async || {
        let found = findings(&[("plugins.trust_file", path)], NOW).await;
        let mut found = found.into_iter().filter(|one| one.check == "trusted keys");
        found.next().unwrap()
    };
    std::fs::write(path, r#"{"keys": []}"#).unwrap();
    assert_eq!(found().await.verdict, Verdict::Ok);
    std::fs::write(path, r#"{"keys": ["#).unwrap();
    let broken = found().await;
    assert_eq!(broken.verdict, Verdict::Failed);
    assert!(broken.found.starts_with(path), "{broken:?}");
}

#[tokio::test]
async fn a_port_is_in_order_only_where_sextant_is_what_has_it() {
    let (reporter, health) = tonic_health::server::health_reporter();
    let serving = tonic_health::ServingStatus::Serving;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(health);
    let port = address.to_string();
    let set = [("server.listen", port.as_str())];
    let verdict = async || check(&set, NOW).await[1];
    let asked = async {
        let before = verdict().await;
        reporter.set_service_status("liveness", serving).await;
        (before, verdict().await)
    };
    let found = tokio::select! {
        ended = server.serve_with_incoming(incoming) => panic!("{ended:?}"),
        found = asked => found,
    };
    assert_eq!(
        found,
        (("gRPC port", Verdict::Failed), ("gRPC port", Verdict::Ok))
    );
}

#[test]
fn this_program_was_written_in_2026() {
    assert_eq!(WRITTEN_ON.to_string(), "2026-01-01");
}

#[test]
fn the_host_of_a_redis_url_is_told_without_its_password() {
    assert_eq!(
        host_and_port("redis://:secret@cache.example:6380/0"),
        Some(("cache.example", 6_380))
    );
    assert_eq!(host_and_port("redis://cache"), Some(("cache", 6_379)));
    assert_eq!(host_and_port("redis://[::1]:7000/1"), Some(("::1", 7_000)));
    assert_eq!(host_and_port("redis://"), None);
    assert_eq!(host_and_port("cache:6379"), None);
}
