use std::io::Write as _;
use std::path::PathBuf;

use super::{
    Config, Entry, Environment, Error, Flag, Loaded, LogFormat, Origin, Sources, StoreKind, load,
};

fn flag(key: &str, value: &str) -> Flag {
    Flag {
        name: "--set".to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn env(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().copied().collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn entry<'l>(loaded: &'l Loaded, key: &str) -> &'l Entry {
    loaded
        .entries
        .iter()
        .find(|entry| entry.key == key)
        .unwrap()
}

fn defaults() -> Config {
    load(&Sources::default()).unwrap().config
}

fn refused(sources: &Sources) -> String {
    load(sources).unwrap_err().to_string()
}

#[test]
fn without_any_source_every_key_has_its_default() {
    let config = defaults();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:7071");
    assert_eq!(config.store.kind, StoreKind::Embedded);
    assert_eq!(config.telemetry.log_format, LogFormat::Text);
    assert!(config.store.postgres_url.is_none() && config.services.scoring.is_none());
}

#[test]
fn every_key_of_the_list_reaches_its_field_and_no_field_is_missing_from_the_list() {
    // deny_unknown_fields refuses a key without a field; a field without a key fails here because Debug prints all fields.
    let text = |key: &super::keys::Key| match key.kind {
        super::keys::Kind::Url | super::keys::Kind::PlainUrl => "http://h:1",
        _ => key.default.unwrap_or("given"),
    };
    let flags = super::keys::KEYS
        .iter()
        .map(|key| flag(key.name, text(key)))
        .collect();
    let loaded = load(&Sources {
        flags,
        ..Sources::default()
    })
    .unwrap();
    let printed = format!("{:?}", loaded.config);
    assert!(!printed.contains("None"), "{printed}");
    assert_eq!(loaded.entries.len(), super::keys::KEYS.len());
}

#[test]
fn flags_beat_environment_beats_file_beats_default() {
    let file = file("[server]\nmax_in_flight = 1\nmax_queue_ms = 1\ndrain_ms = 1\n");
    let sources = Sources {
        flags: vec![flag("server.max_in_flight", "3")],
        environment: env(&[
            ("SEXTANT_SERVER__MAX_IN_FLIGHT", "2"),
            ("SEXTANT_SERVER__MAX_QUEUE_MS", "2"),
        ]),
        file: Some(file.path().to_owned()),
    };
    let loaded = load(&sources).unwrap();
    let server = &loaded.config.server;
    assert_eq!(
        (
            server.max_in_flight,
            server.max_queue_ms,
            server.drain_ms,
            server.default_deadline_ms
        ),
        (3, 2, 1, 10_000)
    );
    assert_eq!(
        entry(&loaded, "server.max_in_flight").origin,
        Origin::Flag("--set".to_owned())
    );
    assert_eq!(
        entry(&loaded, "server.max_queue_ms").origin,
        Origin::Env("SEXTANT_SERVER__MAX_QUEUE_MS".to_owned())
    );
    assert_eq!(
        entry(&loaded, "server.drain_ms").origin,
        Origin::File(file.path().to_owned())
    );
    assert_eq!(
        entry(&loaded, "server.default_deadline_ms").origin,
        Origin::Default
    );
    assert_eq!(entry(&loaded, "server.drain_ms").value, "1");
}

#[test]
fn the_file_may_be_named_by_the_environment_and_a_flag_names_another() {
    let by_env = file("[server]\ndrain_ms = 7\n");
    let by_flag = file("[server]\ndrain_ms = 8\n");
    let environment = env(&[("SEXTANT_CONFIG", by_env.path().to_str().unwrap())]);
    let config = load(&Sources {
        environment: environment.clone(),
        ..Sources::default()
    })
    .unwrap()
    .config;
    assert_eq!(config.server.drain_ms, 7);
    let sources = Sources {
        environment,
        file: Some(by_flag.path().to_owned()),
        ..Sources::default()
    };
    assert_eq!(load(&sources).unwrap().config.server.drain_ms, 8);
}

#[test]
fn an_unknown_key_is_refused_with_its_source_and_the_nearest_key() {
    let sources = Sources {
        flags: vec![flag("server.lisen", "x")],
        ..Sources::default()
    };
    assert_eq!(
        refused(&sources),
        "unknown key \"server.lisen\" (flag --set); did you mean \"server.listen\"?"
    );

    let file = file("[store]\npostgresurl = \"x\"\n");
    let path: PathBuf = file.path().to_owned();
    let sources = Sources {
        file: Some(path.clone()),
        ..Sources::default()
    };
    let expected = format!(
        "unknown key \"store.postgresurl\" (file {}); did you mean \"store.postgres_url\"?",
        path.display()
    );
    assert_eq!(refused(&sources), expected);

    for (variable, near) in [
        ("SEXTANT_SERVER__LISEN", "SEXTANT_SERVER__LISTEN"),
        ("SEXTANT_SERVER_LISTEN", "SEXTANT_SERVER__LISTEN"),
        ("SEXTANT_STORE__DATA__DIR", "SEXTANT_STORE__DATA_DIR"),
    ] {
        let message = refused(&Sources {
            environment: env(&[(variable, "x")]),
            ..Sources::default()
        });
        assert_eq!(
            message,
            format!(
                "unknown key \"{variable}\" (environment variable {variable}); did you mean \"{near}\"?"
            )
        );
    }
    for (key, near) in [
        (
            "server.listen_adress",
            "\"server.listen\" or \"server.admin_listen\"",
        ),
        ("sever.lisen", "\"server.listen\""),
        ("telemetry.otlp", "\"telemetry.otlp_endpoint\""),
        (
            "auth.key",
            "\"auth.service_key\", \"auth.admin_key\" or \"auth.key_cache_s\"",
        ),
        (
            "log_level",
            "\"telemetry.log_filter\" or \"telemetry.log_format\"",
        ),
        ("store.dir", "\"store.data_dir\""),
        // Nothing is near: all of the section.
        (
            "store.place",
            "\"store.kind\", \"store.data_dir\", \"store.postgres_url\" or \"store.pool_size\"",
        ),
    ] {
        let sources = Sources {
            flags: vec![flag(key, "x")],
            ..Sources::default()
        };
        let expected = format!("unknown key \"{key}\" (flag --set); did you mean {near}?");
        assert_eq!(refused(&sources), expected);
    }
    let sources = Sources {
        flags: vec![flag("server.port", "x")],
        ..Sources::default()
    };
    let told = refused(&sources);
    assert!(
        told.contains("did you mean \"server.listen\", \"server.admin_listen\""),
        "{told}"
    );
    let sources = Sources {
        flags: vec![flag("colour", "x")],
        ..Sources::default()
    };
    assert_eq!(
        refused(&sources),
        "unknown key \"colour\" (flag --set); `sextant config show` lists all keys"
    );
}

#[test]
fn variables_that_kubernetes_adds_for_our_own_services_are_no_configuration() {
    let environment = env(&[
        ("SEXTANT_INGESTION_SERVICE_HOST", "10.0.0.1"),
        ("SEXTANT_INGESTION_PORT", "tcp://10.0.0.1:7070"),
        ("SEXTANT_INGESTION_PORT_7070_TCP_ADDR", "10.0.0.1"),
        ("SEXTANT_TEST_ANYTHING", "1"),
    ]);
    assert!(
        load(&Sources {
            environment,
            ..Sources::default()
        })
        .is_ok()
    );
}

#[test]
fn a_value_out_of_range_is_refused_with_key_source_and_range() {
    for (key, value, expected) in [
        (
            "server.max_in_flight",
            "0",
            "server.max_in_flight must be an integer from 1 to 1000000, not \"0\" (flag --set)",
        ),
        (
            "server.listen",
            "localhost",
            "server.listen must be an address such as 127.0.0.1:7070, not \"localhost\" (flag --set)",
        ),
        (
            "store.kind",
            "mysql",
            "store.kind must be embedded or postgres, not \"mysql\" (flag --set)",
        ),
        (
            "telemetry.trace_sample_ratio",
            "2",
            "telemetry.trace_sample_ratio must be a number from 0 to 1, not \"2\" (flag --set)",
        ),
        (
            "services.scoring",
            "scoring:1",
            "services.scoring must be an address such as http://127.0.0.1:7070, not \"scoring:1\" (flag --set)",
        ),
    ] {
        assert_eq!(
            refused(&Sources {
                flags: vec![flag(key, value)],
                ..Sources::default()
            }),
            expected
        );
    }
    let file = file("[server]\nmax_in_flight = [1]\n");
    let message = refused(&Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    });
    assert!(
        message.starts_with("server.max_in_flight must be an integer"),
        "{message}"
    );
}

#[test]
fn a_secret_never_prints_and_may_come_from_a_file() {
    let secret = file("postgres://sextant:hunter2@db/sextant\n");
    let environment = env(&[
        ("SEXTANT_STORE__KIND", "postgres"),
        (
            "SEXTANT_STORE__POSTGRES_URL_FILE",
            secret.path().to_str().unwrap(),
        ),
    ]);
    let sources = Sources {
        environment,
        ..Sources::default()
    };
    let loaded = load(&sources).unwrap();
    assert_eq!(
        loaded.config.store.postgres_url.as_ref().unwrap().expose(),
        "postgres://sextant:hunter2@db/sextant"
    );
    let shown = entry(&loaded, "store.postgres_url");
    assert_eq!(shown.value, "(redacted)");
    assert!(
        matches!(&shown.origin, Origin::EnvFile { variable, .. } if variable == "SEXTANT_STORE__POSTGRES_URL_FILE")
    );
    assert!(!format!("{loaded:?} {sources:?}").contains("hunter2"));
}

#[test]
fn a_secret_that_is_empty_is_refused_as_empty() {
    let environment = env(&[("SEXTANT_AUTH__SERVICE_KEY", "")]);
    let told = refused(&Sources {
        environment,
        ..Sources::default()
    });
    assert_eq!(
        told,
        "auth.service_key must be a text that is not empty, not \"\" (environment variable SEXTANT_AUTH__SERVICE_KEY)"
    );
}

#[test]
fn a_section_that_is_given_a_value_is_refused_as_a_section() {
    let named = file("server = 3\n");
    let sources = [
        Sources {
            file: Some(named.path().to_owned()),
            ..Sources::default()
        },
        Sources {
            flags: vec![flag("server", "3")],
            ..Sources::default()
        },
    ];
    for told in sources.iter().map(refused) {
        let expected = "\"server\" is a section and has no value of its own (";
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn a_secret_given_twice_or_from_a_missing_file_is_refused() {
    let both = env(&[
        ("SEXTANT_AUTH__SERVICE_KEY", "a"),
        ("SEXTANT_AUTH__SERVICE_KEY_FILE", "b"),
    ]);
    let error = load(&Sources {
        environment: both,
        ..Sources::default()
    })
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::GivenTwice {
                key: "auth.service_key",
                ..
            }
        ),
        "{error}"
    );
    let missing = env(&[("SEXTANT_AUTH__SERVICE_KEY_FILE", "/nowhere/at/all")]);
    let error = load(&Sources {
        environment: missing,
        ..Sources::default()
    })
    .unwrap_err();
    assert!(matches!(error, Error::SecretUnreadable { .. }), "{error}");
}

#[test]
fn a_malformed_file_is_refused_with_its_line_and_without_its_text() {
    let file = file("[store]\npostgres_url = \"hunter2\nkind = 1");
    let error = load(&Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    })
    .unwrap_err();
    assert!(
        matches!(error, Error::FileMalformed { line: 2, .. }),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn postgres_without_a_connection_string_is_refused() {
    let sources = Sources {
        flags: vec![flag("store.kind", "postgres")],
        ..Sources::default()
    };
    assert_eq!(
        refused(&sources),
        "store.postgres_url is missing; it is needed because store.kind is \"postgres\""
    );
}

#[test]
fn the_embedded_engine_listens_for_other_machines_only_where_a_key_says_so() {
    let checked = |set: &[(&str, &str)]| {
        let flags = set.iter().map(|(key, value)| flag(key, value)).collect();
        let loaded = load(&Sources {
            flags,
            ..Sources::default()
        });
        let checked = loaded.unwrap().config.check_exposure();
        checked.map_err(|error| error.to_string())
    };
    for (key, address) in [
        ("server.listen", "0.0.0.0:7999"),
        ("server.listen", "[::]:7999"),
        ("server.admin_listen", "192.0.2.1:7999"),
    ] {
        let told = checked(&[(key, address)]).unwrap_err();
        assert_eq!(
            told,
            format!(
                "{key} is {address}, which other machines may reach, and nothing is encrypted there; set it to 127.0.0.1:7999, or set server.expose to true where the network is trusted"
            )
        );
        assert_eq!(
            checked(&[(key, address), ("server.expose", "true")]),
            Ok(())
        );
        let postgres = [
            (key, address),
            ("store.kind", "postgres"),
            ("store.postgres_url", "postgresql://db/sextant"),
        ];
        assert_eq!(checked(&postgres), Ok(()));
    }
    for address in ["127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert_eq!(checked(&[("server.listen", address)]), Ok(()), "{address}");
    }
    let written = file("[server]\nexpose = true\n");
    let sources = Sources {
        file: Some(written.path().to_owned()),
        ..Sources::default()
    };
    assert!(load(&sources).unwrap().config.server.expose);
}
