//! The SQL files: each can be prepared, and names its tenant.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// Statements on system tables, and those that read across tenants for a service that follows all of them.
const ACROSS_TENANTS: [&str; 42] = [
    "feed/head_list",
    "ingestion/key_by_id",
    "ingestion/key_insert",
    "ingestion/key_list_all",
    "ingestion/key_revoke",
    "ingestion/place_cursor_list",
    "ingestion/tenant_by_name",
    "ingestion/tenant_list",
    "metrics/cursor_list",
    "replica/cursor_list",
    "scoring/state_list",
    "segmentation/cursor_list",
    "migrations/ingestion/0001_initial",
    "migrations/ingestion/0002_import",
    "migrations/ingestion/0003_sequence",
    "migrations/ingestion/0004_releasing",
    "migrations/ingestion/0005_places",
    "migrations/ingestion/0006_corrections",
    "migrations/ingestion/0007_hierarchy",
    "migrations/ingestion/0008_sources",
    "migrations/ingestion/0009_events",
    "migrations/segmentation/0002_behind",
    "migrations/metrics/0001_initial",
    "migrations/metrics/0002_behind",
    "migrations/scoring/0001_initial",
    "migrations/segmentation/0001_initial",
    "migrations/segmentation/0003_trouble",
    "migrations/segmentation/0004_catalogue",
    "segmentation/event_insert",
    "segmentation/event_newest_number",
    "segmentation/replica_forget",
    "segmentation/replica_insert",
    "segmentation/replica_list",
    "segmentation/revision_used",
    "segmentation/revision_uses",
    "segmentation/segmenter_change",
    "segmentation/segmenter_code_insert",
    "segmentation/segmenter_code_list",
    "segmentation/segmenter_find",
    "segmentation/segmenter_insert",
    "segmentation/segmenter_list",
    "segmentation/segmenter_of_version",
];
/// Tables whose primary key does not begin with the tenant: the key opens the installation, or what is in them belongs to it.
const SYSTEM_KEYS: [&str; 5] = [
    "access_key",
    "replica",
    "segmenter",
    "segmenter_code",
    "segmenter_event",
];
/// Indexes that are unique across tenants: of tenants themselves, and of segmenters.
const SYSTEM_INDEXES: [&str; 2] = ["segmenter_by_version", "sqlite_autoindex_tenant_2"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/sqlite")
}

/// Names of all query files, such as "feed/head_list".
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut directories = vec![root()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(root()).unwrap().with_extension("");
            names.insert(name.to_str().unwrap().to_owned());
        }
    }
    names
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name).with_extension("sql")).unwrap()
}

fn database(service: &str) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let folder = format!("migrations/{service}/");
    // In the order of their numbers.
    for step in names().iter().filter(|name| name.starts_with(&folder)) {
        connection.execute_batch(&text(step)).unwrap();
    }
    connection
}

#[test]
fn every_query_can_be_prepared_on_the_schemas_that_use_it() {
    for name in names() {
        let (folder, _) = name.split_once('/').unwrap();
        let services: &[&str] = match folder {
            "feed" => &["ingestion", "scoring", "segmentation"],
            "replica" => &["scoring", "metrics"],
            "request" => &["ingestion", "segmentation"],
            "migrations" => continue,
            service => &[service],
        };
        for service in services {
            let prepared = database(service).prepare(&text(&name)).map(|_| ());
            assert!(prepared.is_ok(), "{name} on {service}: {prepared:?}");
        }
    }
}

#[test]
fn every_query_names_its_tenant_or_is_on_the_list() {
    for name in names() {
        let text = text(&name);
        let insert =
            text.contains("INSERT INTO") && text.contains("(tenant_id, ") && text.contains("(?1, ");
        let named = text.contains("tenant_id = ?1") || insert;
        assert_eq!(named, !ACROSS_TENANTS.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_key_begins_with_the_tenant() {
    for service in ["ingestion", "scoring", "segmentation", "metrics"] {
        let connection = database(service);
        let mut indexes = Vec::new();
        for table in tables(&connection) {
            connection
                .pragma(None, "index_list", &table, |row| {
                    let (index, unique, origin): (String, bool, String) =
                        (row.get(1)?, row.get(2)?, row.get(3)?);
                    if unique && !(origin == "pk" && SYSTEM_KEYS.contains(&table.as_str())) {
                        indexes.push(index);
                    }
                    Ok(())
                })
                .unwrap();
        }
        for index in indexes {
            let mut first = String::new();
            connection
                .pragma(None, "index_info", &index, |row| {
                    if row.get::<_, i64>(0)? == 0 {
                        first = row.get(2)?;
                    }
                    Ok(())
                })
                .unwrap();
            assert_eq!(
                first == "tenant_id",
                !SYSTEM_INDEXES.contains(&index.as_str()),
                "{index} of {service} begins with {first}"
            );
        }
    }
}

fn tables(connection: &Connection) -> Vec<String> {
    let mut tables = Vec::new();
    connection
        .pragma_query(None, "table_list", |row| {
            let (schema, table): (String, String) = (row.get(0)?, row.get(1)?);
            if schema == "main" && !table.starts_with("sqlite_") {
                tables.push(table);
            }
            Ok(())
        })
        .unwrap();
    tables
}

#[test]
fn whether_a_move_was_corrected_is_looked_up_by_its_account_and_moment() {
    let lists = [
        "list_newest",
        "list_at_risk",
        "of_account_newest",
        "of_account_at_risk",
    ];
    let file = database("segmentation");
    for name in lists {
        let query = text(&format!("segmentation/transition_{name}"));
        let mut plan = file
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .unwrap();
        let nothing = vec![None::<i64>; plan.parameter_count()];
        let steps = plan.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3));
        let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
        let lookups = steps.iter().filter(|step| step.contains("SEARCH newer"));
        let lookups: Vec<&String> = lookups.collect();
        assert!(!lookups.is_empty(), "{steps:?}");
        // Else it reads all that was stored since the move.
        let by_moment = "segmentation=? AND uid=? AND at=? AND id>?";
        for lookup in lookups {
            assert!(lookup.contains(by_moment), "{name}: {lookup}");
        }
    }
}

/// Statements that read all of a table, or all of a tenant in it, because that is what they are for: heads, cursors and states of
/// all feeds, tables of a few rows for each tenant or each segmenter.
const OF_ALL: [&str; 19] = [
    "feed/head_list",
    "feed/head_list_of_tenant",
    "ingestion/event_type_list",
    "ingestion/event_type_number",
    "ingestion/key_list_all",
    "ingestion/place_cursor_list",
    "ingestion/releasing_clear",
    "ingestion/releasing_list",
    "ingestion/source_list",
    "metrics/cursor_list",
    "replica/cursor_list",
    "scoring/state_list",
    "segmentation/cursor_list",
    "segmentation/cursor_of_tenant",
    "segmentation/replica_list",
    "segmentation/revision_uses",
    "segmentation/segmentation_list",
    "segmentation/segmentation_newest_number",
    "segmentation/segmenter_list",
];

#[test]
fn what_is_asked_for_by_more_than_its_tenant_is_found_by_more_than_its_tenant() {
    for name in names() {
        let query = text(&name);
        // A tenant is found by its own id.
        if OF_ALL.contains(&name.as_str()) || name.starts_with("ingestion/tenant_") {
            continue;
        }
        let services = ["ingestion", "scoring", "segmentation", "metrics"];
        for file in services.map(database) {
            let Ok(mut plan) = file.prepare(&format!("EXPLAIN QUERY PLAN {query}")) else {
                continue;
            };
            let nothing = vec![None::<i64>; plan.parameter_count()];
            let steps = plan.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3));
            for step in steps.unwrap().map(Result::<String, _>::unwrap) {
                let reads_all = step.starts_with("SCAN") || step.ends_with("(tenant_id=?)");
                assert!(!reads_all, "{name}: {step}");
            }
        }
    }
}
