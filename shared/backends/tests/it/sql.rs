use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use sextant_backends::postgres::Service;
use sextant_backends::testing::migrated_database;

use crate::support::connect_as_app;

/// Folders of statements and the services that use them.
const FOLDERS: [(&str, &[Service]); 7] = [
    ("feed", &[Service::Scoring, Service::Segmentation]),
    ("replica", &[Service::Scoring, Service::Metrics]),
    ("request", &[Service::Ingestion, Service::Segmentation]),
    ("ingestion", &[Service::Ingestion]),
    ("scoring", &[Service::Scoring]),
    ("segmentation", &[Service::Segmentation]),
    ("metrics", &[Service::Metrics]),
];

/// Statements across tenants, all on system tables, or on no table.
const SYSTEM_STATEMENTS: [&str; 39] = [
    "create_partition.sql",
    "cursors.sql",
    "heads.sql",
    "insert_key.sql",
    "insert_tenant.sql",
    "key_by_id.sql",
    "list_keys.sql",
    "list_tenants.sql",
    "lock_accounts.sql",
    "lock_rejections.sql",
    "lock_segmentations.sql",
    "lock_tenant.sql",
    "lock_tenant_shared.sql",
    "moves_cursors.sql",
    "place_cursors.sql",
    "revoke_key.sql",
    "states.sql",
    "tenant_by_name.sql",
    "advance_clock.sql",
    "mark_import.sql",
    "tenant_by_id.sql",
    "tenant_state.sql",
    "head.sql",
    "event_insert.sql",
    "event_lock.sql",
    "event_newest.sql",
    "events.sql",
    "replica_forget.sql",
    "replica_insert.sql",
    "replicas.sql",
    "segmenter.sql",
    "segmenter_change.sql",
    "segmenter_claim.sql",
    "segmenter_code.sql",
    "segmenter_code_insert.sql",
    "segmenter_hold.sql",
    "segmenter_insert.sql",
    "segmenters.sql",
    "uses.sql",
];

/// Statements on the table of replicas, which is of no tenant and has few rows: they alone ask for the database's clock, which is the
/// same for all processes, and stable within a transaction.
const OF_THE_DATABASES_CLOCK: [&str; 3] =
    ["replica_forget.sql", "replica_insert.sql", "replicas.sql"];

const TENANT_TABLES: [&str; 20] = [
    "account",
    "account_event",
    "account_move",
    "dedupe",
    "event_type",
    "fact",
    "feed",
    "held",
    "membership",
    "model",
    "rejection",
    "releasing",
    "replica_account",
    "replica_fact",
    "request",
    "segmentation_revision",
    "segmenter_state",
    "rollup_month",
    "segmentation",
    "source_count",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("queries/postgres")
        .join(name)
}

fn files(name: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.is_file())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name}");
    files
}

/// A statement without comments.
fn code(sql: &str) -> String {
    sql.lines()
        .map(|line| line.split("--").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

fn words(sql: &str) -> Vec<String> {
    code(sql)
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn every_statement_can_be_prepared_with_the_rights_of_the_application() {
    let database = migrated_database().await;
    let mut tasks = JoinSet::new();
    for (folder, services) in FOLDERS {
        for service in services {
            let client = connect_as_app(database.url(), service.schema(), &mut tasks).await;
            for (name, sql) in files(folder) {
                let prepared = client.prepare(&sql).await;
                assert!(
                    prepared.is_ok(),
                    "{folder}/{name} in {}: {prepared:?}",
                    service.schema()
                );
            }
        }
    }
}

#[test]
fn every_statement_on_tenant_tables_names_the_tenant_first() {
    for (folder, _) in FOLDERS {
        for (name, sql) in files(folder) {
            let code = code(&sql);
            let on_tenant_table = words(&sql)
                .iter()
                .any(|word| TENANT_TABLES.contains(&word.as_str()));
            if SYSTEM_STATEMENTS.contains(&name.as_str()) {
                assert!(!on_tenant_table, "{folder}/{name} is no system statement");
                continue;
            }
            assert!(
                code.contains("tenant_id = $1") || inserts_with_tenant(&code),
                "{folder}/{name} does not name its tenant"
            );
            for conflict in code.split("ON CONFLICT (").skip(1) {
                assert!(
                    conflict.starts_with("tenant_id"),
                    "{folder}/{name}: the tenant leads every key"
                );
            }
        }
    }
}

/// Every INSERT has the tenant as its first column and `$1` as its value.
fn inserts_with_tenant(code: &str) -> bool {
    let inserts: Vec<&str> = code.split("INSERT INTO").skip(1).collect();
    let named = |insert: &&str| {
        let columns = insert
            .split_once('(')
            .is_some_and(|(_, columns)| columns.starts_with("tenant_id"));
        columns && (insert.contains("SELECT $1") || insert.contains("VALUES ($1"))
    };
    !inserts.is_empty() && inserts.iter().all(named)
}

#[test]
fn no_statement_uses_what_a_sharded_database_refuses() {
    let refused = ["MERGE", "TRIGGER", "LISTEN", "NOTIFY", "COPY", "RECURSIVE"];
    let volatile = [
        "now",
        "random",
        "gen_random_uuid",
        "clock_timestamp",
        "statement_timestamp",
        "nextval",
    ];
    let migrations = [
        "migrations/ingestion",
        "migrations/scoring",
        "migrations/segmentation",
        "migrations/metrics",
    ];
    for folder in FOLDERS
        .map(|(folder, _)| folder)
        .into_iter()
        .chain(migrations)
    {
        for (name, sql) in files(folder) {
            let words = words(&sql);
            let may_ask = OF_THE_DATABASES_CLOCK.contains(&name.as_str());
            for word in refused.iter().chain(&volatile) {
                let is_allowed = *word == "now" && may_ask;
                assert!(
                    is_allowed || !words.iter().any(|other| other == word),
                    "{folder}/{name} uses {word}"
                );
            }
            assert!(
                !sql.contains("NOT VALID") && !sql.contains("REFERENCES"),
                "{folder}/{name}"
            );
        }
    }
}
