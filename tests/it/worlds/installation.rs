//! What an operator meets before anything is served: `migrate`, `doctor`, and a start that is refused.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use sextant::installation::Role;
use sextant_backends::testing::{Database, database, migrated_database, redis_url};
use sextant_proto::ingestion::v1::StartImportRequest;
use sextant_runtime::auth::Key;

use crate::worlds::process::{Process, free_address, run, segmenters};
use crate::worlds::records::at;
use crate::worlds::world::{Shape, World, request_id, tenant};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Settings of an installation that keeps nothing yet.
fn settings(folder: &Path, more: &[String]) -> Vec<String> {
    let mut settings = vec![
        format!("store.data_dir={}", folder.join("data").display()),
        format!("plugins.builtin_dir={}", segmenters().display()),
        format!("server.listen={}", free_address()),
        format!("server.admin_listen={}", free_address()),
    ];
    settings.extend_from_slice(more);
    settings
}

fn on(database: &Database) -> Vec<String> {
    vec![
        "store.kind=postgres".to_owned(),
        format!("store.postgres_url={}", database.url()),
    ]
}

fn migrate(database: &Database) -> Output {
    let folder = tempfile::tempdir().unwrap();
    run(&settings(folder.path(), &on(database)), &["migrate"])
}

#[tokio::test]
async fn migrate_makes_all_tables_once_and_refuses_those_of_a_newer_program() {
    let database = database().await;
    let first = migrate(&database);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    for service in ["ingestion", "scoring", "segmentation", "metrics"] {
        assert!(
            text(&first.stdout).contains(service),
            "{}",
            text(&first.stdout)
        );
    }
    let again = migrate(&database);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    assert_ne!(text(&again.stdout), text(&first.stdout));
    assert_eq!(text(&migrate(&database).stdout), text(&again.stdout));

    database.pretend_newer("sextant_scoring").await;
    let refused = migrate(&database);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = text(&refused.stderr);
    let expected =
        "schema sextant_scoring has version 99, this program knows 1: install the newer program";
    assert!(complaint.contains(expected), "{complaint}");
}

#[tokio::test]
async fn migrate_tells_a_user_without_the_right_to_make_roles_what_a_superuser_has_to_run() {
    let database = database().await;
    let url = database.url_of_new_user().await;
    let folder = tempfile::tempdir().unwrap();
    let on = [
        "store.kind=postgres".to_owned(),
        format!("store.postgres_url={url}"),
    ];
    let refused = run(&settings(folder.path(), &on), &["migrate"]);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = text(&refused.stderr);
    for part in [
        "let a superuser run once",
        "CREATE ROLE sextant_app NOLOGIN;",
        "GRANT sextant_app TO \"user_",
    ] {
        assert!(complaint.contains(part), "{complaint}");
    }
}

/// A line of `doctor`: check, verdict, fix.
type Line = (String, String, String);

/// The exit code of `doctor`, and the lines that are not in order.
fn doctor(settings: &[String]) -> (Option<i32>, Vec<Line>) {
    let output = run(settings, &["doctor", "--output", "json"]);
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    let lines = printed["checks"].as_array().unwrap().iter().map(|line| {
        let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (word("check"), word("verdict"), word("fix"))
    });
    let odd = lines.filter(|(_, verdict, _)| verdict != "ok").collect();
    (output.status.code(), odd)
}

/// `doctor` fails, and says of this check and no other how to mend it.
#[track_caller]
fn fails(settings: &[String], check: &str, fix: &str) {
    let (code, odd) = doctor(settings);
    assert_eq!(code, Some(1), "{odd:?}");
    assert!(
        odd.iter().all(|(name, verdict, advice)| {
            name.starts_with(check) && verdict == "failed" && advice.contains(fix)
        }),
        "{odd:?}"
    );
    assert!(!odd.is_empty());
}

#[tokio::test]
async fn doctor_finds_nothing_in_a_good_installation_and_names_each_thing_that_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let database = database().await;
    let mut served = on(&database);
    served.push(format!("cache.redis_url={}", redis_url()));
    let folder = folder.path();

    fails(
        &settings(folder, &served),
        "PostgreSQL",
        "run `sextant migrate`",
    );
    assert_eq!(migrate(&database).status.code(), Some(0));
    assert_eq!(doctor(&settings(folder, &[])), (Some(0), Vec::new()));
    assert_eq!(doctor(&settings(folder, &served)), (Some(0), Vec::new()));

    let elsewhere = [
        "store.kind=postgres".to_owned(),
        format!(
            "store.postgres_url=postgresql://postgres@{}/sextant",
            free_address()
        ),
    ];
    fails(
        &settings(folder, &elsewhere),
        "PostgreSQL",
        "correct store.postgres_url",
    );
    let absent = database.url().replacen("/sextant_", "/absent_", 1);
    let absent = [
        "store.kind=postgres".to_owned(),
        format!("store.postgres_url={absent}"),
    ];
    let output = run(&settings(folder, &absent), &["doctor", "--output", "json"]);
    let told = text(&output.stdout);
    assert!(told.contains("FATAL: database \\\"absent_"), "{told}");
    fails(
        &settings(folder, &absent),
        "PostgreSQL",
        "or make the database and the user that it names",
    );
    let redis = format!("cache.redis_url=redis://{}", free_address());
    fails(
        &settings(folder, &[redis]),
        "Redis",
        "start the server or correct cache.redis_url",
    );
    let no_segmenters = folder.join("empty");
    fs::create_dir(&no_segmenters).unwrap();
    let segmenters = format!("plugins.builtin_dir={}", no_segmenters.display());
    fails(
        &settings(folder, &[segmenters]),
        "built-in segmenters",
        "plugins.builtin_dir",
    );
    let locked = folder.join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    let data = format!("store.data_dir={}", locked.display());
    fails(
        &settings(folder, &[data]),
        "data directory",
        "make it writable",
    );
    database.pretend_newer("sextant_metrics").await;
    fails(
        &settings(folder, &served),
        "PostgreSQL: metrics",
        "a newer one",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_of_one_process_says_of_each_service_that_others_follow_whether_it_answers_and_takes_the_key()
 {
    let world = World::start(Shape::Apart).await;
    let mut settings = world.settings(Role::Metrics);
    assert_eq!(doctor(&settings), (Some(0), Vec::new()));

    world.kill(Role::Segmentation);
    let other = Key::generate().unwrap();
    settings.push(format!("auth.service_key={}", other.expose()));
    let (code, odd) = doctor(&settings);
    assert_eq!(code, Some(1));
    let line = |name: &str, fix: &str| {
        let fix = fix.to_owned();
        (format!("service: {name}"), "failed".to_owned(), fix)
    };
    let the_same = |name: &str| {
        format!(
            "give both processes the same auth.service_key: that of {name}, or to {name} this one"
        )
    };
    assert_eq!(
        odd,
        [
            line("ingestion", &the_same("ingestion")),
            line("scoring", &the_same("scoring")),
            line(
                "segmentation",
                "start `sextant serve segmentation` there, or correct services.segmentation"
            ),
        ]
    );
}

#[tokio::test]
async fn doctor_names_every_tenant_that_waits_for_the_end_of_an_import_and_the_command_that_ends_it()
 {
    for shape in [Shape::Embedded, Shape::Together] {
        let world = World::start(shape).await;
        let settings = world.settings(Role::All);
        let waiting = || {
            let (code, odd) = doctor(&settings);
            assert_eq!(code, Some(0), "{odd:?}");
            let open = odd
                .into_iter()
                .filter(|(check, ..)| check == "open imports");
            open.map(|(_, verdict, fix)| (verdict, fix))
                .collect::<Vec<_>>()
        };
        let opened = tenant(&world.client(), "opened", at("2026-02-01T00:00")).await;
        tenant(&world.client(), "other", at("2026-02-01T00:00")).await;
        assert_eq!(waiting(), []);
        let request = StartImportRequest {
            request_id: request_id(),
        };
        let mut tenants = opened.tenants();
        tenants.start_import(opened.request(request)).await.unwrap();
        let found = waiting();
        let [(verdict, fix)] = found.as_slice() else {
            panic!("{shape:?}: {found:?}")
        };
        assert_eq!(verdict, "warning");
        let command = "sextant tenants complete-import --tenant opened";
        assert!(fix.contains(command), "{fix}");
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        assert_eq!(world.cli(&words).status.code(), Some(0));
        assert_eq!(waiting(), []);
    }
}

/// What `serve` prints, by its lines' names.
fn told_by_serve(settings: &[String]) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("printed");
    let mut process = Process::serve_into(File::create(&path).unwrap(), Role::All, settings);
    process.end();
    let printed = fs::read_to_string(&path).unwrap();
    let lines = printed.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| line[name].as_str().unwrap().to_owned();
        (word("what"), word("value"))
    });
    lines.collect()
}

#[tokio::test]
async fn serve_tells_what_it_serves_and_with_what() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(
        folder.path(),
        &[
            "server.drain_notice_ms=0".to_owned(),
            "telemetry.log_format=json".to_owned(),
        ],
    );
    let listen = settings
        .iter()
        .find_map(|one| one.strip_prefix("server.listen="));
    let listen = format!("http://{}", listen.unwrap());
    let data = folder.path().join("data");
    let told = told_by_serve(&settings);
    assert_eq!(
        told["services"],
        "ingestion, scoring, segmentation, metrics"
    );
    assert_eq!(told["address"], listen);
    assert_eq!(told["store"], format!("SQLite files in {}", data.display()));
    assert_eq!(told["key"], data.join("local.key").display().to_string());
    assert_eq!(told["configuration"], "no file");
    for segmenter in [
        "sextant.lifecycle 1",
        "sextant.rfm 1",
        "sextant.value_tiers 1",
    ] {
        assert!(told["segmenters"].contains(segmenter), "{told:?}");
    }

    let database = migrated_database().await;
    settings.extend(on(&database));
    settings.push(format!("cache.redis_url={}", redis_url()));
    settings.push("cache.in_process_entries=1000".to_owned());
    let told = told_by_serve(&settings);
    assert!(told["store"].starts_with("PostgreSQL at "), "{told:?}");
    assert!(
        told["caches"].starts_with("1,000 entries in this process, Redis at "),
        "{told:?}"
    );
}

#[test]
fn a_start_on_a_taken_port_says_that_and_nothing_else() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for key in ["server.listen", "server.admin_listen"] {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), &[format!("{key}={taken}")]);
        let refused = run(&settings, &["serve"]);
        assert_eq!(refused.status.code(), Some(1));
        let complaint = text(&refused.stderr);
        let expected = format!("error: cannot listen on {taken}; choose another port");
        assert!(complaint.starts_with(&expected), "{complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
    }
}

#[test]
fn a_segmenter_that_is_no_shared_library_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("libsextant_segmenter_broken.so");
    fs::write(&broken, "not a shared library").unwrap();
    let mut settings = settings(folder.path(), &[]);
    settings.push(format!("plugins.builtin_dir={}", folder.path().display()));
    let refused = run(&settings, &["serve", "all"]);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = text(&refused.stderr);
    assert!(complaint.contains(broken.to_str().unwrap()), "{complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
}
