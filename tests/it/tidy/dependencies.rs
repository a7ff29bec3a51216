//! What depends on what.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::members::{member_named, members, metadata, packages, text};
use crate::tidy::tree::{Tree, report};

const SERVICES: &[&str] = &[
    "sextant-ingestion",
    "sextant-scoring",
    "sextant-segmentation",
    "sextant-metrics",
];

/// What `sextant-domain` is built of. Both do no I/O: jiff comes with its own time zones and without the system's.
const PURE: &[&str] = &["jiff", "sha2"];

/// Licenses that ask for no more than their text and a notice.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Libraries of which a second version would be a second set of types.
const ONE_VERSION: &[&str] = &[
    "arrow-array",
    "arrow-schema",
    "http",
    "hyper",
    "opentelemetry",
    "opentelemetry_sdk",
    "prost",
    "rusqlite",
    "tokio",
    "tonic",
    "tower",
    "tracing",
];

/// The table of `shared/README.md`: crate → crates that it may be built of; `None` = all.
fn allowed(tree: &Tree) -> BTreeMap<String, Option<BTreeSet<String>>> {
    let readme = &tree.file("shared/README.md").unwrap().text;
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
    });
    let mut table = BTreeMap::new();
    for row in cells {
        let [_, name, uses] = row.as_slice() else {
            continue;
        };
        let uses = (*uses != "anything").then(|| {
            let names = uses.split(", ").filter(|name| *name != "nothing");
            names
                .map(|name| name.trim_matches('`').to_owned())
                .collect()
        });
        table.insert(name.trim_matches('`').to_owned(), uses);
    }
    table
}

#[test]
fn crates_depend_on_each_other_only_as_the_table_allows() {
    let (allowed, members) = (allowed(&Tree::load()), members());
    let ours: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut found = Vec::new();
    for member in &members {
        let Some(uses) = allowed.get(&member.name) else {
            found.push(format!("{} has no row in shared/README.md", member.name));
            continue;
        };
        let Some(uses) = uses else { continue };
        let foreign = member
            .built_of()
            .filter(|name| ours.contains(name) && !uses.contains(*name));
        found.extend(foreign.map(|name| format!("{} may not use {name}", member.name)));
    }
    let gone = allowed.keys().filter(|name| !ours.contains(name.as_str()));
    found.extend(
        gone.map(|name| format!("shared/README.md has a row for {name}, which is no crate")),
    );
    report(&found);
}

#[test]
fn services_do_not_depend_on_each_other_or_on_an_engine() {
    let mut found = Vec::new();
    for service in SERVICES {
        let member = member_named(service);
        let others = member
            .built_of()
            .filter(|name| *name == "sextant-backends" || SERVICES.contains(name));
        found.extend(others.map(|name| format!("{service} uses {name}")));
    }
    report(&found);
}

#[test]
fn sextant_domain_has_no_dependency_that_can_do_i_o() {
    let domain = member_named("sextant-domain");
    let unknown = domain.built_of().filter(|name| !PURE.contains(name));
    report(
        &unknown
            .map(|name| format!("sextant-domain uses {name}"))
            .collect::<Vec<_>>(),
    );
    let root = Tree::load().file("Cargo.toml").unwrap().text.clone();
    let jiff = root
        .lines()
        .find(|line| line.starts_with("jiff = "))
        .unwrap();
    let system = ["tz-system", "tzdb-zoneinfo", "default-features = true"];
    assert!(
        jiff.contains("default-features = false")
            && !system.iter().any(|feature| jiff.contains(feature)),
        "{jiff}"
    );
}

#[test]
fn the_sdk_and_the_built_in_segmenters_depend_on_nothing_outside_of_this_folder() {
    let own = ["sextant-segmenter", "sextant-segmenter-abi"];
    let mut found = Vec::new();
    for member in members()
        .iter()
        .filter(|member| member.name.starts_with("sextant-segmenter"))
    {
        let others = member.built_of().filter(|name| !own.contains(name));
        found.extend(others.map(|name| format!("{} uses {name}", member.name)));
    }
    report(&found);
}

/// The lines of a manifest that state a dependency.
fn stated(manifest: &str) -> Vec<(usize, &str)> {
    let (mut section, mut found) = ("", Vec::new());
    for (at, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && !line.trim().is_empty()
            && !line.starts_with('#')
        {
            found.push((at + 1, line));
        }
    }
    found
}

/// `name.workspace = true`, with `optional`, or features of a crate of ours.
fn is_inherited(line: &str) -> bool {
    let Some((name, rest)) = line.split_once([' ', '.']) else {
        return false;
    };
    if rest == "workspace = true" {
        return true;
    }
    let ours = name == "sextant" || name.starts_with("sextant-");
    rest == "= { workspace = true, optional = true }"
        || (ours && rest.starts_with("= { workspace = true, features = ["))
}

#[test]
fn versions_and_features_of_dependencies_stand_in_the_root_manifest_only() {
    let tree = Tree::load();
    let mut found = Vec::new();
    let manifests = tree
        .with_extension("toml")
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    for file in manifests {
        for (line, text) in stated(&file.text) {
            if !is_inherited(text) {
                found.push(format!("{}:{line}: {text}", file.path));
            }
        }
    }
    report(&found);
}

#[test]
fn the_root_readme_names_the_version_of_rust_that_the_workspace_needs() {
    let tree = Tree::load();
    let manifest = &tree.file("Cargo.toml").unwrap().text;
    let (_, rest) = manifest.split_once("\nrust-version = \"").unwrap();
    let (version, _) = rest.split_once('"').unwrap();
    let readme = &tree.file("README.md").unwrap().text;
    assert!(
        readme.contains(&format!("with Rust {version} or newer")),
        "Cargo.toml needs Rust {version}"
    );
}

#[test]
fn one_version_of_every_library_whose_types_cross_crates_is_built() {
    let lock = Tree::load().file("Cargo.lock").unwrap().text.clone();
    let count = |name: &&&str| lock.matches(&format!("\nname = \"{name}\"\n")).count() != 1;
    report(
        &ONE_VERSION
            .iter()
            .filter(count)
            .map(|name| format!("{name} is not in Cargo.lock exactly once"))
            .collect::<Vec<_>>(),
    );
}

/// Whether a license expression can be met by permissive licenses alone: one of each `OR`, all of each `AND`.
fn is_permissive(expression: &str) -> bool {
    let plain = expression
        .replace(" WITH LLVM-exception", "")
        .replace(['(', ')'], "")
        .replace('/', " OR ");
    if expression.contains('(') {
        // Everything that is named, since nesting is not read.
        return plain
            .split_whitespace()
            .filter(|word| !["AND", "OR"].contains(word))
            .all(|one| PERMISSIVE.contains(&one));
    }
    let choices = plain.split(" OR ");
    choices.into_iter().any(|choice| {
        choice
            .split(" AND ")
            .all(|one| PERMISSIVE.contains(&one.trim()))
    })
}

#[test]
fn every_dependency_has_a_permissive_license() {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let metadata = metadata(&["--locked", "--filter-platform", &platform]);
    let strict = packages(&metadata)
        .iter()
        .filter(|package| !is_permissive(&text(package, "license")));
    report(
        &strict
            .map(|package| {
                format!(
                    "{}: \"{}\"",
                    text(package, "name"),
                    text(package, "license")
                )
            })
            .collect::<Vec<_>>(),
    );
}

#[cfg(test)]
mod tests;
