//! `Architecture Invariant:` lines and the tests named after them.

use std::collections::BTreeSet;

use crate::tidy::tree::{File, Tree};

const MARK: &str = "Architecture Invariant:";

/// One stated invariant.
#[derive(Debug)]
pub(crate) struct Line {
    /// File and line.
    pub(crate) place: String,
    /// The name of its test.
    pub(crate) name: String,
}

/// Every line that a README or the documentation of a crate or module states.
pub(crate) fn lines(tree: &Tree) -> Vec<Line> {
    let texts = tree.with_extension("md").chain(tree.rust());
    texts.flat_map(lines_of).collect()
}

fn lines_of(file: &File) -> Vec<Line> {
    let is_code = file.path.ends_with(".rs");
    let prose: Vec<&str> = file
        .text
        .lines()
        .map(|line| {
            if is_code {
                line.strip_prefix("//!").unwrap_or_default()
            } else {
                line
            }
        })
        .collect();
    let stated = prose.iter().enumerate().filter_map(|(at, line)| {
        let begun = line.trim_start_matches(['-', ' ']).strip_prefix(MARK)?;
        Some(Line {
            place: format!("{}:{}", file.path, at + 1),
            name: name_of(&sentence(begun, &prose[at + 1..])),
        })
    });
    stated.collect()
}

/// A sentence that may go on in the lines below.
fn sentence(begun: &str, below: &[&str]) -> String {
    let mut said = begun.trim_end().to_owned();
    for line in below.iter().take_while(|line| !line.trim().is_empty()) {
        if said.ends_with('.') {
            break;
        }
        said = format!("{said} {}", line.trim());
    }
    said
}

/// The words of a line in snake case.
pub(crate) fn name_of(line: &str) -> String {
    let words = line
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// The tests in the modules of `tidy`, but those of its own tools.
pub(crate) fn tests_here(tree: &Tree) -> BTreeSet<String> {
    let modules = tree.rust().filter(|file| {
        file.path.starts_with("tests/it/tidy/") && !file.path.ends_with("/tests.rs")
    });
    let functions = modules.flat_map(|file| file.text.split("#[test]\nfn ").skip(1));
    functions
        .filter_map(|rest| rest.split_once('('))
        .map(|(name, _)| name.to_owned())
        .collect()
}
