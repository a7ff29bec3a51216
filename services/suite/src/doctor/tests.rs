use std::net::TcpListener;

use sextant_domain::time::Instant;
use sextant_runtime::config::{Flag, Sources, load};

use super::stores::host_and_port;
use super::{SEGMENTERS, Verdict, WRITTEN_ON, local_checks};

const NOW: Instant = Instant(1_790_000_000_000_000);

fn check(set: &[(&str, &str)], now: Instant) -> Vec<(&'static str, Verdict)> {
    let flags = set.iter().map(|(key, value)| Flag {
        name: "--set".into(),
        key: (*key).into(),
        value: (*value).into(),
    });
    let loaded = load(&Sources {
        flags: flags.collect(),
        ..Sources::default()
    })
    .unwrap();
    local_checks(&loaded.config, now)
        .into_iter()
        .map(|finding| {
            assert_eq!(
                finding.verdict == Verdict::Ok,
                finding.fix.is_empty(),
                "{finding:?}"
            );
            (finding.check, finding.verdict)
        })
        .collect()
}

#[test]
fn a_good_installation_has_nothing_to_mend() {
    let directory = tempfile::tempdir().unwrap();
    for file in SEGMENTERS {
        std::fs::write(directory.path().join(file), b"").unwrap();
    }
    let path = directory.path().to_str().unwrap();
    let set = [
        ("store.data_dir", path),
        ("plugins.builtin_dir", path),
        ("server.listen", "127.0.0.1:0"),
        ("server.admin_listen", "127.0.0.1:0"),
    ];
    let found = check(&set, NOW);
    assert_eq!(found.len(), 5);
    assert!(
        found.iter().all(|(_, verdict)| *verdict == Verdict::Ok),
        "{found:?}"
    );
}

#[test]
fn what_is_broken_is_found_and_has_a_fix() {
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
    let found = check(&set, Instant(0));
    assert_eq!(
        found,
        [
            ("data directory", Verdict::Failed),
            ("gRPC port", Verdict::Warning),
            ("admin port", Verdict::Failed),
            ("built-in segmenters", Verdict::Failed),
            ("clock", Verdict::Failed),
        ]
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
