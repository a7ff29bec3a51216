//! All files, whatever their language.

use crate::tidy::tree::{File, Tree, report};

/// Tells the difference between a place that exists everywhere and one of a single machine, and between a client's default and a
/// host that only some networks reach. Put together here, so that this file is none of them.
const FOREIGN: &[&str] = &[
    concat!("/", "tmp/"),
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("proxy.golang", ".org"),
];

#[test]
fn no_file_names_a_folder_of_one_machine_or_a_package_registry() {
    let tree = Tree::load();
    let mut found = Vec::new();
    // The lock file is cargo's own.
    for file in tree.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (at, line) in file.text.lines().enumerate() {
            let named = FOREIGN.iter().filter(|name| line.contains(*name));
            found.extend(named.map(|name| format!("{}:{}: {name}", file.path, at + 1)));
        }
    }
    report(&found);
}

const VARIABLE: &str = "SEXTANT_";

/// The key that a variable sets: `server.listen` for `SEXTANT_SERVER__LISTEN` and for `SEXTANT_SERVER__LISTEN_FILE`.
fn key_of(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(VARIABLE)?;
    let (section, key) = name
        .strip_suffix("_FILE")
        .unwrap_or(name)
        .split_once("__")?;
    Some(format!("{}.{}", section.to_lowercase(), key.to_lowercase()))
}

/// Each variable that a line sets, and the comment on it or above it.
fn variables(file: &File) -> Vec<(usize, &str, &str)> {
    let (mut found, mut above) = (Vec::new(), "");
    for (at, line) in file.text.lines().map(str::trim).enumerate() {
        let beside = line.split_once(" # ").map(|(_, comment)| comment);
        let name = line.strip_prefix("- name: ").unwrap_or(line);
        if name.starts_with(VARIABLE) {
            let name = name.split(['=', ' ']).next().unwrap_or_default();
            found.push((at + 1, name, beside.unwrap_or(above)));
        }
        above = line.strip_prefix("# ").unwrap_or_default();
    }
    found
}

#[test]
fn every_variable_in_a_manifest_names_the_configuration_key_that_it_sets() {
    let tree = Tree::load();
    let keys = &tree.file("shared/runtime/src/config/keys.rs").unwrap().text;
    let (mut found, mut n_variables) = (Vec::new(), 0);
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.starts_with("k8s/") && !file.path.ends_with(".md"))
    {
        for (line, variable, comment) in variables(file) {
            n_variables += 1;
            let known = key_of(variable).filter(|key| keys.contains(&format!("\"{key}\"")));
            if known.as_deref() != Some(comment) {
                found.push(format!(
                    "{}:{line}: {variable} sets {known:?}, its comment says \"{comment}\"",
                    file.path
                ));
            }
        }
    }
    assert!(n_variables > 0);
    report(&found);
}
