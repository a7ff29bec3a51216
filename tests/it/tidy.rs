//! Checks of the repository itself: one test per `Architecture Invariant:` line of a README or of a crate's documentation.
//!
//! The test of a line is named after it. It is in one of the modules below, or in the crate that the line is about and then listed
//! in [`elsewhere`].

#![expect(
    clippy::unwrap_used,
    reason = "a repository that cannot be read fails the test"
)]

mod code;
mod contract;
mod dependencies;
mod elsewhere;
mod invariants;
mod members;
mod sources;
mod texts;
mod tree;

use std::collections::BTreeSet;

use crate::tidy::elsewhere::ELSEWHERE;
use crate::tidy::invariants::{Line, name_of};
use crate::tidy::tree::Tree;

fn lines() -> Vec<Line> {
    invariants::lines(&Tree::load())
}

#[test]
fn every_invariant_has_a_test() {
    let tree = Tree::load();
    let here = invariants::tests_here(&tree);
    let missing: Vec<String> = invariants::lines(&tree)
        .into_iter()
        .filter(|line| {
            !here.contains(&line.name) && !ELSEWHERE.iter().any(|(name, _)| *name == line.name)
        })
        .map(|line| {
            format!(
                "{}: write the test {}, or list it in tests/it/tidy/elsewhere.rs",
                line.place, line.name
            )
        })
        .collect();
    tree::report(&missing);
}

#[test]
fn every_test_has_an_invariant() {
    let stated: BTreeSet<String> = lines().into_iter().map(|line| line.name).collect();
    let here = invariants::tests_here(&Tree::load());
    let listed = ELSEWHERE.iter().map(|(name, _)| (*name).to_owned());
    let orphans: Vec<String> = here
        .into_iter()
        .chain(listed)
        .filter(|name| !stated.contains(name))
        .map(|name| format!("no README has the line of the test {name}"))
        .collect();
    tree::report(&orphans);
}

#[test]
fn no_invariant_is_stated_twice() {
    let mut seen = BTreeSet::new();
    let twice: Vec<String> = lines()
        .into_iter()
        .filter(|line| !seen.insert(line.name.clone()))
        .map(|line| format!("{}: {} is stated elsewhere too", line.place, line.name))
        .collect();
    tree::report(&twice);
}

#[test]
fn tests_elsewhere_exist() {
    let tree = Tree::load();
    let lost: Vec<String> = ELSEWHERE
        .iter()
        .flat_map(|(_, tests)| *tests)
        .filter(|(path, test)| {
            !tree
                .file(path)
                .is_some_and(|file| file.text.contains(&format!("fn {test}()")))
        })
        .map(|(path, test)| format!("{path} has no test {test}"))
        .collect();
    tree::report(&lost);
}

#[test]
fn a_line_is_named_without_its_punctuation() {
    assert_eq!(
        name_of("only `shared/wire` builds `tonic::Status`."),
        "only_shared_wire_builds_tonic_status"
    );
}
