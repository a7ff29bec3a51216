//! What may be written where in Rust.

use crate::tidy::code::{Code, has_word};
use crate::tidy::members::metadata;
use crate::tidy::tree::{File, Tree, report};

/// Longest file that people write.
const MAX_LINES: usize = 600;

/// Words that the glossary replaces.
const REPLACED: &[&str] = &["customer", "audience", "organization", "organisation"];

/// Ways to make a status; reading one that a peer has sent is none.
const STATUS_MAKERS: &[&str] = &[
    "new",
    "with_details",
    "with_metadata",
    "with_details_and_metadata",
    "with_error_details",
    "with_error_details_vec",
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
    "from_error",
];

/// How a statement or a part of one looks.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO",
    "INSERT OR ",
    "UPDATE ",
    "DELETE FROM",
    "ON CONFLICT",
    "CREATE TABLE",
    "CREATE INDEX",
    "CREATE SCHEMA",
    "CREATE ROLE",
    "CREATE DATABASE",
    "CREATE TEMP",
    "ALTER TABLE",
    "ALTER ROLE",
    "ALTER SYSTEM",
    "DROP TABLE",
    "DROP SCHEMA",
    "PRAGMA ",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT ",
    "SET LOCAL",
    "SET ROLE",
    "VACUUM",
    "ATTACH ",
    "GRANT ",
    "TRUNCATE ",
];

const READS_WALL_CLOCK: &[&str] = &[
    "SystemTime::now(",
    "Zoned::now(",
    "Timestamp::now(",
    "Utc::now(",
    "Local::now(",
    "Uuid::now_v1(",
    "Uuid::now_v6(",
    "Uuid::now_v7(",
    "std::time::Instant",
];

const READS_ENVIRONMENT: &[&str] = &["env::var(", "env::vars(", "env::var_os(", "env::vars_os("];

/// What a pure crate has no use for.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::hash::RandomState",
    "TimeZone::system(",
    "Zoned::now(",
    "Timestamp::now(",
    "include_bytes!(",
    "env!(",
    "option_env!(",
];

fn places<'a>(file: &'a File, code: &'a Code, word: &'a str) -> impl Iterator<Item = String> {
    code.lines_with(word)
        .map(move |line| format!("{}:{line}: {word}", file.path))
}

/// Where code of the product has one of the words, outside of the files that may.
fn uses(words: &[&str], may: impl Fn(&str) -> bool) -> Vec<String> {
    let tree = Tree::load();
    let mut found = Vec::new();
    for file in tree.product().filter(|file| !may(&file.path)) {
        let code = Code::of(&file.text);
        for word in words {
            found.extend(places(file, &code, word));
        }
    }
    found
}

#[test]
fn only_sextant_wire_builds_a_tonic_status() {
    let makers: Vec<String> = STATUS_MAKERS
        .iter()
        .map(|maker| format!("Status::{maker}("))
        .collect();
    let makers: Vec<&str> = makers.iter().map(String::as_str).collect();
    report(&uses(&makers, |path| path.starts_with("shared/wire/")));
}

#[test]
fn only_runtime_config_reads_the_environment() {
    report(&uses(READS_ENVIRONMENT, |path| {
        path.starts_with("shared/runtime/src/config")
    }));
}

#[test]
fn only_runtime_clock_reads_the_time() {
    report(&uses(READS_WALL_CLOCK, |path| {
        path == "shared/runtime/src/clock.rs"
    }));
}

#[test]
fn nothing_here_reads_a_clock_a_file_a_socket_the_environment_or_a_random_source() {
    report(&uses(IMPURE, |path| {
        !path.starts_with("shared/domain/src/")
    }));
}

#[test]
fn unsafe_code_lives_only_in_abi_sdk_and_host() {
    let may = ["plugins/abi/", "plugins/sdk/", "plugins/host/"];
    report(&uses(
        &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"],
        |path| may.iter().any(|folder| path.starts_with(folder)),
    ));
}

#[test]
fn sql_lives_only_in_the_queries_folders_of_shared_store_and_shared_backends() {
    let tree = Tree::load();
    let folders = ["shared/store/queries/", "shared/backends/queries/"];
    let strays = tree.with_extension("sql").map(|file| &file.path);
    let mut found: Vec<String> = strays
        .filter(|path| {
            !path.contains("/tests/") && !folders.iter().any(|folder| path.starts_with(folder))
        })
        .cloned()
        .collect();
    for file in tree.product() {
        for (line, literal) in Code::of(&file.text).literals {
            if SQL.iter().any(|phrase| has_word(&literal, phrase)) {
                found.push(format!("{}:{line}: \"{literal}\"", file.path));
            }
        }
    }
    report(&found);
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let tree = Tree::load();
    let long = tree
        .rust()
        .filter(|file| file.text.lines().count() > MAX_LINES);
    report(
        &long
            .map(|file| format!("{} has {} lines", file.path, file.text.lines().count()))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn identifiers_use_the_words_of_the_glossary() {
    let tree = Tree::load();
    let mut found = Vec::new();
    for file in tree.rust() {
        for (line, identifier) in Code::of(&file.text).identifiers() {
            let lower = identifier.to_lowercase();
            if REPLACED.iter().any(|word| lower.contains(word)) {
                found.push(format!("{}:{line}: {identifier}", file.path));
            }
        }
    }
    report(&found);
}

#[test]
fn no_test_is_ignored() {
    let tree = Tree::load();
    let mut found = Vec::new();
    for file in tree.rust() {
        found.extend(places(file, &Code::of(&file.text), "#[ignore"));
    }
    report(&found);
}

#[test]
fn both_engines_run_exactly_the_cases_of_src_conformance_cases_rs_an_exclusion_is_named_with_its_reason_at_the_call()
 {
    let tree = Tree::load();
    let mut found = Vec::new();
    for path in [
        "shared/store/tests/it/suite.rs",
        "shared/backends/tests/it/conformance.rs",
    ] {
        let code = Code::of(&tree.file(path).unwrap().text);
        for suite in ["suite!(", "cache_suite!("] {
            if code.lines_with(suite).count() != 1 {
                found.push(format!(
                    "{path} does not run sextant_store::conformance::{suite}…) once"
                ));
            }
        }
    }
    report(&found);
}

#[test]
fn metric_labels_are_static_texts_so_no_tenant_or_account_id_can_become_one() {
    let tree = Tree::load();
    let telemetry = tree
        .file("shared/runtime/src/telemetry/metrics.rs")
        .unwrap();
    let (_, labels) = telemetry.text.split_once("pub enum Label {").unwrap();
    let (labels, _) = labels.split_once("\n}").unwrap();
    let variants: Vec<&str> = labels
        .lines()
        .map(str::trim)
        .filter(|line| line.ends_with(','))
        .collect();
    assert!(!variants.is_empty());
    let dynamic = variants
        .iter()
        .filter(|variant| !variant.ends_with("(&'static str),"));
    report(
        &dynamic
            .map(|variant| format!("label {variant} is no static text"))
            .collect::<Vec<_>>(),
    );
}

/// Where an import comes from, in the order in which groups stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Std,
    External,
    Sextant,
    Crate,
}

/// An import at the beginning of a file.
#[derive(Debug)]
struct Import {
    line: usize,
    group: Group,
    /// An empty line stands before it.
    apart: bool,
}

/// The imports of a file, up to the first other item. Modules and attributes may stand between.
fn imports(code: &str) -> Vec<Import> {
    let modules: Vec<&str> = code
        .lines()
        .filter_map(|line| {
            line.strip_prefix("mod ")
                .or_else(|| line.strip_prefix("pub mod "))?
                .strip_suffix(';')
        })
        .collect();
    let (mut found, mut apart, mut within) = (Vec::new(), true, false);
    for (at, line) in code.lines().enumerate() {
        if within {
            within = !line.contains(';');
            apart = false;
        } else if let Some(path) = line.strip_prefix("use ") {
            found.push(Import {
                line: at + 1,
                group: group(path, &modules),
                apart,
            });
            within = !line.contains(';');
            apart = false;
        } else if line.trim().is_empty() {
            apart = true;
        } else if !line.starts_with('#') && !found.is_empty() {
            break;
        }
    }
    found
}

fn group(path: &str, modules: &[&str]) -> Group {
    let first = path.split([':', ';', ' ']).next().unwrap_or_default();
    match first {
        "std" | "core" | "alloc" => Group::Std,
        "crate" | "super" | "self" => Group::Crate,
        _ if modules.contains(&first) => Group::Crate,
        _ if first == "sextant" || first.starts_with("sextant_") => Group::Sextant,
        _ => Group::External,
    }
}

#[test]
fn imports_are_grouped_std_external_ours_crate() {
    let tree = Tree::load();
    let mut found = Vec::new();
    for file in tree.rust() {
        let imports = imports(&Code::of(&file.text).text);
        for pair in imports.windows(2) {
            let [before, after] = pair else { continue };
            let wrong = match before.group.cmp(&after.group) {
                std::cmp::Ordering::Less => !after.apart,
                std::cmp::Ordering::Equal => after.apart,
                std::cmp::Ordering::Greater => true,
            };
            if wrong {
                found.push(format!(
                    "{}:{}: {:?} after {:?}",
                    file.path, after.line, after.group, before.group
                ));
            }
        }
    }
    report(&found);
}

#[test]
fn every_crate_checks_the_lints_of_the_workspace() {
    let tree = Tree::load();
    let metadata = metadata(&["--no-deps", "--offline"]);
    let root = format!("{}/", crate::tidy::tree::root().display());
    let mut found = Vec::new();
    for package in crate::tidy::members::packages(&metadata) {
        let path = crate::tidy::members::text(package, "manifest_path");
        let path = path.strip_prefix(&root).unwrap();
        let inherits = tree
            .file(path)
            .unwrap()
            .text
            .contains("[lints]\nworkspace = true");
        if !inherits && path != "proto/Cargo.toml" {
            found.push(format!("{path} has no [lints] workspace = true"));
        }
    }
    report(&found);
}
